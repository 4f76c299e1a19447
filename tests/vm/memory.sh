#!/bin/bash
# SPDX-License-Identifier: MIT
# The manager's cgroup has no memory left: services are stopped and the machine goes down in order all the same.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
vm_root
vm_unit default.target <<X
[Unit]
Wants=check.service steady.service other.service
X
vm_unit steady.service <<X
[Service]
ExecStart=/bin/sleep 1000000
ExecStop=/bin/touch /run/steady.stopped
X
vm_unit other.service <<X
[Service]
ExecStart=/bin/sleep 1000000
ExecStop=/bin/echo ok the last stop commands are run [rows: B46]
StandardOutput=tty
X
vm_unit check.service <<X
[Unit]
After=steady.service other.service
[Service]
ExecStart=/bin/check
StandardOutput=tty
X
vm_script check <<'X'
report() { if [ "$1" = 0 ]; then echo "ok $2${4:+ [rows: $4]}"; else echo "not ok $2: $3"; fi; }
cd /sys/fs/cgroup
echo +memory >cgroup.subtree_control
mkdir tight
for pid in 1 $(pidof harkd); do echo $pid >tight/cgroup.procs; done
# What they have now was charged elsewhere: the limit is what they may get more, and the hog takes all of that again and again.
echo 1M >tight/memory.max
hog() { echo 0 >tight/cgroup.procs; while :; do tail -c 100m /dev/zero 2>/dev/null; done; }
(hog) 2>/dev/null &
wait-for "[ \"\$(sed -n 's/^oom_kill //p' tight/memory.events)\" -gt 5 ]"
report $? "the limit is felt" "$(cat tight/memory.events | tr '\n' ' ')"
timeout 60 harkctl stop steady.service && [ -e /run/steady.stopped ]
report $? "a service is stopped without memory" "$(timeout 20 harkctl status steady.service)"
[ "$(timeout 20 harkctl is-active other.service)" = active ]
report $? "another runs on" "$(timeout 20 harkctl is-active other.service)"
echo "oom kills: $(sed -n 's/^oom_kill //p' tight/memory.events), harkd $(pidof harkd)"
timeout 20 harkctl poweroff
sleep 100
X
vm_boot 420
is "the machine powers off by itself" "" 0 $?
vm_report
finish
