#!/bin/bash
# SPDX-License-Identifier: MIT
# hark as PID 1 of a bare kernel: API file systems, console, modules, cgroup controllers, a disk, Ctrl-Alt-Del, power-off.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
vm_root
vm_disk 32

vm_unit default.target <<X
[Unit]
Wants=first.service check.service echo.socket steady.service disk.service
X
vm_modules
vm_unit disk.service <<X
[Unit]
Requires=modules.service
After=modules.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mkdir -p /mnt
ExecStart=/bin/mount -t ext4 /dev/vda /mnt
ExecStart=/bin/cp /etc/passwd /mnt/written
ExecStart=/bin/mkdir -p /mnt/above
ExecStart=/bin/mount -t tmpfs above /mnt/above
X
vm_unit echo.socket <<X
[Socket]
ListenStream=127.0.0.1:7
Accept=yes
X
vm_unit echo@.service <<X
[Service]
ExecStart=/bin/cat
StandardInput=socket
X
vm_unit steady.service <<X
[Service]
ExecStart=/bin/sleep 1000000
LimitNOFILE=65536
OOMScoreAdjust=-500
X
vm_unit first.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/echo the first words
X
vm_unit extra.service <<X
[Unit]
BindsTo=dev-extra-node.device
After=dev-extra-node.device
[Service]
ExecStart=/bin/sleep 1000000
X
vm_unit on-ctrl-alt-del.service <<X
[Service]
ExecStart=/bin/touch /run/ctrl-alt-del
X
for timer in "hour OnCalendar=*:00:00" "soon OnActiveSec=6s"; do
	printf '[Unit]\nDefaultDependencies=no\n[Timer]\n%s\nAccuracySec=1us\n' "${timer#* }" | vm_unit "${timer% *}.timer"
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "cut -d. -f1 /proc/uptime >>/run/%s"\n' "${timer% *}" | vm_unit "${timer% *}.service"
done
vm_unit on-key.service <<X
[Service]
ExecStart=/bin/touch /run/key
X
vm_check "steady.service disk.service echo.socket" <<'X'
for m in "proc /proc" "sysfs /sys" "devtmpfs /dev" "devpts /dev/pts" "tmpfs /dev/shm" "tmpfs /run" "cgroup2 /sys/fs/cgroup"; do
	set -- $m
	grep -q " $2 $1 " /proc/mounts
	report $? "$1 is on $2" "$(grep " $2 " /proc/mounts)"
done
options() { sed -n "s|^[^ ]* $1 [^ ]* \([^ ]*\) .*|\1|p" /proc/mounts; }
for m in "/proc nosuid,nodev,noexec" "/sys nosuid,nodev,noexec" "/dev nosuid mode=755" "/dev/pts nosuid,noexec gid=5,mode=620" \
	"/dev/shm nosuid,nodev" "/run nosuid,nodev mode=755" "/sys/fs/cgroup nosuid,nodev,noexec nsdelegate"; do
	set -- $m
	got=,$(options $1),
	missing=
	for word in $(echo $2,$3 | tr , ' '); do case $got in *,$word,*) ;; *) missing="$missing $word" ;; esac; done
	[ -z "$missing" ] && [ $(grep -c " $1 " /proc/mounts) = 1 ]
	report $? "$1 is mounted once, with its options [rows: C8]" "missing$missing in $got"
done
dmesg | grep -q "first.service: the first words"
report $? "what services say is in the kernel's log from the beginning, with their names [rows: D41]" "$(dmesg | tail -3)"
dmesg | grep -q "hark\[harkd\]: "
report $? "... and what harkd says" "$(dmesg | tail -3)"
[ "$(stat -c %a /run/lock)" = 1777 ] && grep -q " /run/lock tmpfs " /proc/mounts
report $? "everybody may make locks" "$(ls -ld /run/lock)"
[ $(grep -c '^[0-9a-f]*$' /etc/machine-id) = 1 ] && [ $(wc -c </etc/machine-id) = 33 ]
report $? "a machine without an id gets one" "$(cat /etc/machine-id)"
[ "$(stat -c %a /dev/shm)" = 1777 ]
report $? "everybody may use /dev/shm [rows: C8]" "$(stat -c %a /dev/shm)"
[ "$(cat /proc/1/comm)" = init ] && [ "$(ls /proc/1/fd/0)" ]
report $? "PID 1 has a console" "$(ls /proc/1/fd)"
harkd=$(pidof harkd)
[ -e /proc/$harkd/fd/2 ]
report $? "harkd has a standard error" "$(ls -l /proc/$harkd/fd | head -5)"
harkctl is-active steady.service >/dev/null
report $? "a service runs" "$(harkctl status steady.service)"
pid=$(harkctl show steady.service | sed -n 's/^MainPID=//p')
grep -q "Max open files *65536" /proc/$pid/limits
report $? "a limit above that of PID 1's parent is granted" "$(grep open /proc/$pid/limits)"
[ "$(cat /proc/$pid/oom_score_adj)" = -500 ]
report $? "OOMScoreAdjust= below 0 is granted" "$(cat /proc/$pid/oom_score_adj)"
grep -q "^0::/system.slice/steady.service" /proc/$pid/cgroup
report $? "it has its own cgroup" "$(cat /proc/$pid/cgroup)"
[ "$(echo hello | nc 127.0.0.1 7)" = hello ]
report $? "a connection to 127.0.0.1 is answered by its own instance" "$(harkctl status echo.socket; ip a)"
cmp -s /etc/passwd /mnt/written
report $? "a disk is mounted and written" "$(harkctl status disk.service)"
kill -9 $harkd
wait-for 'harkctl is-active steady.service'
[ "$(harkctl show steady.service | sed -n 's/^MainPID=//p')" = "$pid" ] && [ "$(pidof harkd)" != $harkd ]
report $? "kill -9 of harkd touches nothing" "$(harkctl status steady.service)"
printf '[Unit]\nWants=on-ctrl-alt-del.service\n' >/etc/units/ctrl-alt-del.target
harkctl reload-config >/dev/null
echo "monitor sendkey ctrl-alt-delete"
wait-for '[ -e /run/ctrl-alt-del ]'
[ -e /run/ctrl-alt-del ]
report $? "Ctrl-Alt-Del starts ctrl-alt-del.target, where there is one" "$(harkctl status ctrl-alt-del.target)"
began=$(harkctl show -p ActiveEnterTimestampMonotonic --value steady.service)
date -s "2030-01-01 10:30:00" >/dev/null
from=$(cut -d. -f1 /proc/uptime)
harkctl start hour.timer soon.timer
date -s "2030-01-01 11:30:00" >/dev/null
wait-for '[ -e /run/hour ]'
date -s "2030-01-01 10:30:00" >/dev/null
wait-for '[ -e /run/soon ]'
[ "$(wc -l </run/hour) $(wc -l </run/soon)" = "1 1" ]
report $? "timers fire once when the clock goes an hour to and fro [rows: B31]" "$(wc -l /run/hour /run/soon) $(harkctl status hour.timer)"
[ "$(harkctl show -p ActiveEnterTimestampMonotonic --value steady.service)" = "$began" ] && [ $(($(cat /run/soon) - from)) -ge 5 ] &&
	harkctl status steady.service | grep -q running
report $? "... and nothing that counts seconds minds [rows: E24]" "$from $(cat /run/soon) $began $(harkctl status steady.service)"
printf '[Unit]\nWants=on-key.service\n' >/etc/units/kbrequest.target
harkctl reload-config >/dev/null
# The kernel's own key map has no such key: Alt-Up becomes it (entry 103 of map 8, which is the seventh in the dump; KeyboardSignal is 0x0212).
dumpkmap >/tmp/map
printf '\022\002' | dd of=/tmp/map bs=1 seek=$((7 + 256 + 6 * 256 + 103 * 2)) conv=notrunc 2>/dev/null
loadkmap </tmp/map
echo "monitor sendkey alt-up"
wait-for '[ -e /run/key ]'
[ -e /run/key ]
report $? "the key for attention starts kbrequest.target [rows: E23]" "$(harkctl status kbrequest.target)"
rm /etc/units/kbrequest.target
rm /etc/units/ctrl-alt-del.target
harkctl reload-config >/dev/null
harkctl stop ctrl-alt-del.target
harkctl start --no-wait extra.service
harkctl list-jobs | grep -q dev-extra-node.device
report $? "without udev a node is waited for" "$(harkctl list-jobs)"
mkdir /dev/extra
mknod /dev/extra/node c 1 3
wait-for '[ "$(harkctl is-active extra.service)" = active ]'
[ "$(harkctl is-active extra.service)" = active ]
report $? "... and found when it comes" "$(harkctl status extra.service)"
rm -r /dev/extra
wait-for '[ "$(harkctl is-active extra.service)" = inactive ]'
[ "$(harkctl is-active extra.service dev-extra-node.device | paste -sd' ')" = "inactive inactive" ]
report $? "... and missed when it goes: what is bound to it stops" "$(harkctl status extra.service)"
echo "checks done"
X

vm_checks_and_end "Ctrl-Alt-Del ends the machine in order"
is "the disk is clean afterwards" "" clean "$(vm_disk_state "$T/disk")"
finish
