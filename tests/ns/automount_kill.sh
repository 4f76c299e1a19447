#!/bin/bash
# SPDX-License-Identifier: MIT
# Whoever waits at an automount point outlives the manager: it dies behind its first act with a consequence outside, behind its second and so
# on (HARK_CRASH_AT), and at any instant (SIGKILL twice while somebody waits). All are let in, or refused where that is the right answer.
# The short form takes a few of the acts and 40 kills, HARK_FULL=1 all of the acts and 1,000 kills.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -x "$BIN/hark-mount" ] || skip_all "no hark-mount: built without libmount"
[ -e /dev/autofs ] || skip_all "no /dev/autofs"
FULL=${HARK_TEST_FULL:-$HARK_FULL}
KNOCK=$NS_BIN/knock
DATA=$T/data
RUNS=${FULL:+1000}
mkdir -p "$DATA"
echo hello >"$DATA/file"

write_units() { # PLACE
	printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Automount]\nTimeoutIdleSec=1\n' >"$UNITS/run-$1.automount"
	printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Mount]\nWhat=%s\nOptions=bind\n' "$DATA" >"$UNITS/run-$1.mount"
	printf '[Unit]\nDefaultDependencies=no\n[Automount]\n' >"$UNITS/run-$1bad.automount"
	printf '[Unit]\nDefaultDependencies=no\n[Mount]\nWhat=x\nType=nosuchfs\n' >"$UNITS/run-$1bad.mount"
}
said() { "$KNOCK" "$1" "${2:-1}" 30 file | sed 's/ worst_ms=[0-9]*//'; }
IN='entered=1 refused=0 errno=- stuck=0'

# Unmounts what is mounted there, by hand. What is in use does not go by itself meanwhile, after which the point itself would be unmounted.
take_away() {
	(cd "$1" && umount -l "$1")
}

# Up, in, out by the unit, in, a place that cannot be had, down; prints what went wrong.
visit() { # PLACE
	problem=$(ctl start "run-$1.automount" "run-$1bad.automount" 2>&1) || echo "not started: $problem"
	[ "$(said "/run/$1")" = "$IN" ] || echo "not let in"
	problem=$(ctl stop "run-$1.mount" 2>&1) || echo "mount not stopped: $problem"
	[ "$(said "/run/$1")" = "$IN" ] || echo "not let in again"
	[ "$(said "/run/$1bad")" = 'entered=0 refused=1 errno=ENODEV stuck=0' ] || echo "not refused: $(said "/run/$1bad")"
	take_away "/run/$1"
	[ "$(said "/run/$1")" = "$IN" ] || echo "not let in the third time"
	ctl stop "run-$1.automount" "run-$1bad.automount" >/dev/null || echo "not stopped"
	findmnt -n "/run/$1" "/run/$1bad" && echo "something is left there"
}

# ---- behind each act
bad=0 points=0 at=1
while [ $at -lt 2000 ]; do
	mkdir -p "$T/p$at/units"
	UNITS=$T/p$at/units write_units "p$at"
	HARK_CRASH_AT=$at hark_up "p$at" || break
	problems=$(visit "p$at" 2>&1)
	[ -n "$problems" ] && bad=$((bad + 1)) && note "point $at: $(paste -sd' ' <<<"$problems")"
	points=$((points + 1))
	lives=$(grep -c 'took over' "$HARK_LOG")
	hark_down
	[ "$lives" = 0 ] && break
	if [ -n "$FULL" ]; then at=$((at + 1)); else at=$((at + 15 + points % 5)); fi
done
note "$points points, the last at $at"
is "behind $points of its acts" "" 0 "$bad"

# ---- at any instant
hark_up kill || finish
write_units kill
ctl daemon-reload
ctl start run-kill.automount >/dev/null
lost=0 n=0
while [ $n -lt "${RUNS:-40}" ]; do
	n=$((n + 1))
	take_away /run/kill
	"$KNOCK" /run/kill 3 60 file >"$T/knock" &
	knock=$!
	for i in 1 2; do
		sleep 0.0$((RANDOM % 30))
		kill -9 "$(manager_pid)" 2>/dev/null
	done
	wait $knock
	grep -q 'entered=3 refused=0 errno=- .*stuck=0' "$T/knock" || { lost=$((lost + 1)) && note "run $n: $(cat "$T/knock")"; }
done
is "$n times two kills while three wait" "" 0 "$lost"
is "... and it goes on as before" "" "$IN" "$(said /run/kill)"
note "lives: $(grep -c 'took over' "$HARK_LOG")"

# ---- replaced, and after too many crashes
printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sleep 2\n' >"$UNITS/slow.service"
sed -i '1a Requires=slow.service\nAfter=slow.service' "$UNITS/run-kill.mount"
ctl stop run-kill.mount >/dev/null
ctl daemon-reload
"$KNOCK" /run/kill 10 60 file >"$T/knock" &
knock=$!
wait_sub run-kill.automount mounting
ok_if "the manager is replaced while ten wait" "" ctl reexec
wait $knock
ok_if "... all are let in" "" grep -q 'entered=10 refused=0' "$T/knock"
crash() { # N: so many managers die by themselves
	local i pid
	for ((i = 0; i < $1; i++)); do
		wait_for '[ -n "$(manager_pid)" ]'
		pid=$(manager_pid)
		kill -SEGV "$pid"
		wait_for "! alive $pid"
	done
	wait_for 'ctl list'
}
ctl stop run-kill.mount >/dev/null
crash 6
is "without what was remembered the point is found" "" waiting "$(sub run-kill.automount)"
is "... and serves" "" "$IN" "$(said /run/kill)"
ctl stop run-kill.mount >/dev/null
crash 5
is "in safe mode nobody waits" "" 'entered=0 refused=1 errno=EHOSTDOWN stuck=0' "$(said /run/kill)"
ctl reexec >/dev/null
is "... and afterwards all is as before" "" "$IN" "$(said /run/kill)"
finish
