#!/bin/bash
# SPDX-License-Identifier: MIT
# harkctl as init, telinit, halt, poweroff, reboot and shutdown, in a container that has these as links to it only; its first process is one of them.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/box.sh"
[ -n "$HARK_TEST_CGROUP" ] || skip_all "no cgroups"
command -v strace >/dev/null || skip_all "no strace"
box_make called
ROOT=$T/called/root OUT=$T/called/out
rm -rf "$ROOT"/usr/lib/systemd/system-generators/*
for name in init telinit halt poweroff reboot shutdown; do ln -sf /usr/bin/harkctl "$ROOT/usr/sbin/$name"; done
for unit in quiet multi-user rescue graphical; do
	printf '[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\n' >"$ROOT/etc/systemd/system/$unit.target"
done
is_up() { echo "$1 $(timeout 60 sh -c "until harkctl is-active $2 >/dev/null; do sleep 0.05; done" && harkctl is-active $3)"; }
{
	declare -f is_up
	cat <<'X'
timeout 60 sh -c 'until harkctl is-active quiet.target >/dev/null 2>&1; do sleep 0.1; done'
telinit 3 >/dev/null; is_up 3 multi-user.target quiet.target
init 5 >/dev/null; is_up 5 graphical.target multi-user.target
telinit s >/dev/null; is_up s rescue.target graphical.target
printf '[Unit]\nDescription=new\n' >/etc/systemd/system/quiet.target
telinit q >/dev/null
echo "q $? $(harkctl show -p Description --value quiet.target)"
telinit 7 2>/dev/null; echo "7 $?"
shutdown tomorrow 2>/dev/null; echo "tomorrow $?"
shutdown 24:00 2>/dev/null; echo "24:00 $?"
shutdown -r 23:59 >/dev/null; echo "later $(harkctl is-active hark-shutdown.timer)"
harkctl cat hark-shutdown.timer | grep -c OnCalendar=23:59
shutdown -c >/dev/null; echo "-c $(harkctl is-active hark-shutdown.timer)"
shutdown -h +1 >/dev/null; echo "+1 $(harkctl is-active hark-shutdown.timer) $(harkctl cat hark-shutdown.service | sed -n 's/ExecStart=.* //p')"
shutdown -c >/dev/null
reboot -x 2>/dev/null; echo "-x $?"
halt -w; echo "-w $? $(harkctl is-active quiet.target)"
# What they would do at once.
for call in "reboot -f" "halt -f -p" "halt -f" "poweroff -f -n"; do
	set -- $call
	strace -q -e trace=sync,reboot -e inject=reboot:error=EPERM "$@" 2>&1 | sed -n 's/.*LINUX_REBOOT_CMD_\([A-Z_]*\).*/\1/p; s/^sync.*/sync/p' | paste -sd' '
done
exec init 0
X
} >"$OUT/beside"
box_run called 250 /usr/sbin/init hark.unit=quiet.target
is "init 0 powers off" "" 130 $?
said() { sed -n "$1p" "$OUT/said" | paste -sd';'; }
is "levels are targets" "" "3 inactive;5 inactive;s inactive" "$(said 1,3)"
is "telinit q reads files again; other levels are refused" "" "q 0 new;7 2" "$(said 4,5)"
is "shutdown: times that are none" "" "tomorrow 2;24:00 2" "$(said 6,7)"
is "... at an hour, and taken back" "" "later active;1;-c inactive" "$(said 8,10)"
is "... in a minute" "" "+1 active poweroff" "$(said 11)"
is "halt: wrong options; -w does nothing" "" "-x 2;-w 0 inactive" "$(said 12,13)"
is "at once: the command of reboot(2), after a sync unless -n" "" "sync RESTART;sync POWER_OFF;sync HALT;POWER_OFF" "$(said 14,17)"
cat >"$OUT/beside" <<'X'
timeout 60 sh -c 'until harkctl is-active quiet.target >/dev/null 2>&1; do sleep 0.1; done'
exec init 6
X
box_run called 250 /usr/sbin/init hark.unit=quiet.target
rc=$?
rows=
[ $NOT_OK_N = 0 ] && rows=C4
is "init 6 reboots; init as the first process is hark-init" "$rows" 129 $rc
box_drop called
finish
