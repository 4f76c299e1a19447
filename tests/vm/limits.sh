#!/bin/bash
# SPDX-License-Identifier: MIT
# Limits of cgroups on a kernel that has all controllers: each as the kernel says it, and those that can be felt, felt.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
vm_root
vm_unit default.target <<X
[Unit]
Wants=check.service
X
vm_unit values.service <<X
[Service]
ExecStart=/bin/sleep 1000
MemoryMin=1M
MemoryLow=2M
MemoryHigh=30M
MemoryMax=32M
MemorySwapMax=0
TasksMax=7
CPUWeight=50
CPUQuota=20%
CPUQuotaPeriodSec=10ms
AllowedCPUs=1
IOWeight=300
OOMPolicy=kill
X
vm_unit old.service <<X
[Service]
ExecStart=/bin/sleep 1000
MemoryLimit=48M
CPUShares=512
X
vm_unit work.slice <<X
[Slice]
MemoryMax=64M
TasksMax=20
X
vm_unit inslice.service <<X
[Service]
ExecStart=/bin/sleep 1000
Slice=work.slice
X
vm_unit given.service <<X
[Service]
Type=oneshot
User=nobody
Delegate=cpu pids
RemainAfterExit=yes
ExecStart=/bin/delegated
X
vm_script delegated <<'X'
cd /sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup) && mkdir below && echo $$ >below/cgroup.procs && echo +pids >cgroup.subtree_control &&
	echo 3 >below/pids.max && cat cgroup.controllers below/pids.max
X
vm_unit many.service <<X
[Service]
Type=oneshot
TasksMax=6
ExecStart=/bin/many
X
vm_script many <<'X'
for i in 1 2 3 4 5 6 7 8 9 10; do echo $i >/tmp/many; sleep 3 & done
X
# Four children of 12 MB each: none of them is above the limit, all of them are.
vm_unit hog.service <<X
[Service]
MemoryMax=24M
MemorySwapMax=0
OOMPolicy=kill
Restart=on-failure
RestartSec=1
ExecStart=/bin/hog
ExecReload=/bin/touch /tmp/hog.reloaded
X
vm_script hog <<'X'
echo started >>/tmp/hog
[ "$(grep -c . /tmp/hog)" -gt 1 ] && exec sleep 1000
wait-for '[ -e /tmp/hog.reloaded ]'
for i in 1 2 3 4; do (tail -c 12m /dev/zero; sleep 100) >/dev/null & done
wait
X
vm_unit check.service <<X
[Service]
ExecStart=/bin/check
StandardOutput=tty
X
vm_script check <<'X'
report() { if [ "$1" = "$2" ]; then echo "ok $3${4:+ [rows: $4]}"; else echo "not ok $3: expected '$1', got '$2'"; fi; }
harkctl start values.service old.service inslice.service hog.service
cd /sys/fs/cgroup/system.slice
value() { sed -n 1p values.service/$1; }
report "1048576 2097152 31457280 33554432 0" "$(value memory.min) $(value memory.low) $(value memory.high) $(value memory.max) $(value memory.swap.max)" "MemoryMin=, Low=, High=, Max= and SwapMax="
report 7 "$(value pids.max)" "TasksMax="
report "50 2000 10000 1" "$(value cpu.weight) $(value cpu.max) $(value cpuset.cpus)" "CPUWeight=, CPUQuota= and AllowedCPUs="
report "default 300" "$(value io.weight)" "IOWeight="
report 1 "$(value memory.oom.group)" "OOMPolicy=kill"
report "50331648 50" "$(sed -n 1p old.service/memory.max) $(sed -n 1p old.service/cpu.weight)" "MemoryLimit= and CPUShares=, as of old"
report "67108864 20 0::/work.slice/inslice.service" "$(sed -n 1p ../work.slice/memory.max) $(sed -n 1p ../work.slice/pids.max) $(cat /proc/$(harkctl show -p MainPID inslice.service | sed 's/.*=//')/cgroup)" "a service lies in the slice that was chosen, which has limits of its own" "D+3"
harkctl start given.service
report "exited" "$(harkctl show -p SubState given.service | sed 's/.*=//')" "Delegate=: its user makes groups below and limits them" "D+3"
harkctl start many.service
report "failed 6" "$(harkctl show -p ActiveState many.service | sed 's/.*=//') $(cat /tmp/many)" "what is above TasksMax= is not forked"
harkctl reload hog.service
report yes "$([ -e /tmp/hog.reloaded ] && echo yes)" "a limited service is reloaded" "C31"
wait-for '[ "$(grep -c . /tmp/hog)" -gt 1 ]'
report 2 "$(grep -c . /tmp/hog)" "MemoryMax= holds for all processes of a service, and what is killed for it is started again" "D34 C31"
harkctl status hog.service
harkctl poweroff
sleep 100
X
vm_boot 420
is "the machine powers off by itself" "" 0 $?
vm_report
[ "$NOT_OK_N" = 0 ] || tail -30 "$CONSOLE.text"
finish
