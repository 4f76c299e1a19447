#!/bin/bash
# SPDX-License-Identifier: MIT
# What PID 1 is told by signals alone, and with which command of reboot(2) each end ends. hark-init is PID 1 of a namespace of its own, and strace sees
# its calls; the kernel ends the namespace then instead of the machine.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
command -v strace >/dev/null || skip_all "no strace"

DIR=$T/one
mkdir -p "$DIR/units" "$DIR/run"
put() { cat >"$DIR/units/$1"; }
printf '[Unit]\nDefaultDependencies=no\nWants=steady.service\nAllowIsolate=yes\n' | put test.target
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 1000\nExecStop=/bin/sh -c "echo stopped >>%s"\n' "$DIR/stopped" | put steady.service

# up: PID is hark-init's, seen from here. Its output is $DIR/log, its calls are $DIR/calls.
up() {
	rm -f "$DIR/calls" "$DIR/stopped" "$DIR/log"
	timeout -s KILL 40 strace -f -q -o "$DIR/calls" -e trace=reboot unshare --pid --fork --kill-child --mount-proc --mount "$BIN/hark-init" \
		--unit-path "$DIR/units" --run-dir "$DIR/run" ${HARK_TEST_CGROUP:+--cgroup-root "$HARK_TEST_CGROUP"} --default test.target \
		>"$DIR/log" 2>&1 </dev/null &
	RUNS=$!
	wait_for '[ "$(one is-active steady.service 2>/dev/null)" = active ]'
	PID=$(awk '/^PPid/ { print $2 }' "/proc/$(pgrep -n -x harkd)/status")
}
one() { HARK_RUN_DIR=$DIR/run ctl "$@"; }
# ends_with NAME EXPECTED [SIGNAL]: the words of reboot(2) at the end, and whether the service was stopped before.
ends_with() {
	[ -z "$3" ] || kill -"$3" "$PID"
	wait $RUNS 2>/dev/null
	is "$1" "" "$2" "$(sed -n 's/.*reboot(.*LINUX_REBOOT_CMD_\([A-Z_0-9]*\).*/\1/p' "$DIR/calls" | grep -v CAD | paste -sd' ')$([ -e "$DIR/stopped" ] && echo " in order")"
}

for verb in "poweroff POWER_OFF" "reboot RESTART" "halt HALT"; do
	up
	one "${verb% *}" >/dev/null
	ends_with "harkctl ${verb% *}" "${verb#* } in order"
done
# The kernel stays: no command at all, and the unit that was stopped begins again in the same process.
up
one soft-reboot >/dev/null
ok_if "soft-reboot stops everything" "" wait_for '[ -e "$DIR/stopped" ]'
ok_if "... and begins anew" "" wait_for '[ "$(one is-active steady.service 2>/dev/null)" = active ]'
is "... without the kernel, with the same words" "" "0 test.target" \
	"$(grep -c 'LINUX_REBOOT_CMD_\(RESTART\|HALT\|POWER_OFF\|KEXEC\)' "$DIR/calls") $(one show -p DefaultUnit --value)"
rm "$DIR/stopped"
ends_with "... and ends as any other" "RESTART in order" TERM
up
one kexec >"$T/said" 2>&1
is "kexec without a kernel that was loaded is refused" "" "1 active" "$? $(one is-active steady.service)"
ok_if "... with the reason" "" grep -q "kexec -l" "$T/said"

# The table of systemd(1). Where no kernel is loaded the kernel refuses kexec, and it becomes a reboot.
ends_with "SIGRTMIN+6 is kexec" "KEXEC RESTART in order" RTMIN+6
# What the kernel says of kexec, said by a file of ours.
mount -t tmpfs kernel /sys/kernel && echo 1 >/sys/kernel/kexec_loaded
up
one kexec >/dev/null
ends_with "harkctl kexec, where a kernel is loaded" "KEXEC RESTART in order"
[ $NOT_OK_N = 0 ] && ok "every end of harkctl reaches its command of reboot(2)" "A5 C5"
umount /sys/kernel
for order in "RTMIN+3 HALT" "RTMIN+4 POWER_OFF" "RTMIN+5 RESTART" "TERM RESTART" "INT RESTART" "PWR POWER_OFF"; do
	up
	ends_with "SIG${order% *}" "${order#* } in order" "${order% *}"
done
for order in "RTMIN+13 HALT" "RTMIN+14 POWER_OFF" "RTMIN+15 RESTART" "RTMIN+16 KEXEC RESTART"; do
	up
	ends_with "SIG${order%% *}: at once" "${order#* }" "${order%% *}"
done

# Units for what the keys and signals ask for.
counting() { printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo %s >>%s"\n' "$1" "$DIR/did" | put "$1.service"; }
for name in ctrl-alt-del kbrequest sigpwr rescue emergency; do
	counting "on-$name"
	printf '[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\nWants=on-%s.service\n' "$name" | put "$name.target"
done
up
did() { wait_for "grep -qx 'on-$1' '$DIR/did'"; }
kill -INT "$PID"
ok_if "Ctrl-Alt-Del starts ctrl-alt-del.target" "" did ctrl-alt-del
kill -WINCH "$PID"
ok_if "the key for attention starts kbrequest.target" "" did kbrequest
kill -PWR "$PID"
ok_if "a failing power supply starts sigpwr.target" "" did sigpwr
is "... and nothing else happens" "" active "$(one is-active steady.service)"
one why on-kbrequest.service | grep -q "signal 28"
is "why names the signal" "" 0 $?
kill -RTMIN+1 "$PID"
ok_if "SIGRTMIN+1 isolates rescue.target" "" did rescue
ok_if "... what it does not want is stopped" "" wait_for '[ "$(one is-active steady.service)" = inactive ]'
kill -RTMIN "$PID"
ok_if "SIGRTMIN isolates the default target" "" wait_for '[ "$(one is-active steady.service)" = active ]'
kill -RTMIN+2 "$PID"
ok_if "SIGRTMIN+2 isolates emergency.target" "" did emergency
kill -RTMIN "$PID"
wait_for '[ "$(one is-active steady.service)" = active ]'
rm -f "$DIR/stopped"
sleep 2.1
for key in 1 2 3 4 5 6 7; do
	kill -INT "$PID"
	sleep 0.05
done
is "seven times within two seconds are seven starts" "" active "$(one is-active steady.service)"
ends_with "... the eighth ends it at once" RESTART INT
finish
