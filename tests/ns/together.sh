#!/bin/bash
# SPDX-License-Identifier: MIT
# More than one of hark's parts in trouble at once, under clients: PID 1 faults while managers are killed, the manager is stopped for a while and
# goes on, and the bridges (hark-bus, hark-mount) and the manager die in the middle of what one asks the other. Nobody is refused or lost,
# nothing runs twice, and what was asked for is done once or refused.
# Runs alone: faults that come faster than PID 1 gets on are another test.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"
FULL=${HARK_TEST_FULL:-$HARK_FULL}
TIMES=${FULL:+300}
: "${TIMES:=40}"
STOPPED=${FULL:+10}
: "${STOPPED:=2}"
ctl() { timeout 20 "$BIN/harkctl" "$@"; }
hark_up together || finish
busy_service again Type=notify "ExecStart=$PAYLOAD log $T/again x notify READY=1 pause"
bus_units
busy_house
ctl start again.service >/dev/null
STAY=$(main_of stay.service) WITNESS=$(main_of witness.service)
lines() { wc -l <"$1"; }

# under_clients NAME COMMAND...: clients of every kind come in meanwhile, and none of them notices.
under_clients() {
	local name=$1
	shift
	busy_clients "$@"
	ok_if "$name: a manager answers" "" wait_for 'ctl is-active test.target'
	is "$name: nobody is refused, lost or late, nothing is started again" "" \
		"refused=0 lost=0 late=0 wrong=0 stay $STAY witness $WITNESS 1" \
		"refused=$(field refused "$T/sums") lost=$(field lost "$T/sums") late=$(field late "$T/sums") wrong=$(field wrong "$T/sums") stay $(main_of stay.service) witness $(main_of witness.service) $(lines "$T/witness")" ||
		grep -vE 'took over|listens|reached' "$HARK_LOG" | sort | uniq -c | sort -rn | head -20 | sed 's/^/# /'
	note "$name: served=$(field served "$T/sums") worst_ms=$(sed -n 's/.*worst_ms=//p' "$T/sums" | sort -n | tail -1)"
}

# ---- PID 1 faults while managers are killed

both_die() {
	"$SOCK" slay "$INIT_PID" "$TIMES" 5000 40000 >"$T/kills" &
	local slayer=$!
	timeout -k 5 500 "$NS_BIN/strike" "$INIT_PID" "$TIMES" 5000 40000 >"$T/struck"
	wait $slayer
	note "both: $(cat "$T/kills"), $(cat "$T/struck")"
}
under_clients "PID 1 faults and managers are killed" both_die
is "PID 1 survives each of its $TIMES faults" "" "$TIMES" "$(field survived "$T/struck")"

# ---- a manager that stands still, and goes on before PID 1 believes that it hangs

stand_still() {
	kill -STOP "$MANAGER"
	ctl restart again.service >/dev/null 2>&1 &
	local order=$!
	sleep "$STOPPED"
	ok_if "while it stands still who asks it waits" "" kill -0 $order
	kill -CONT "$MANAGER"
	wait $order
	is "and gets what he asked for" "" 0 $?
}
MANAGER=$(manager_pid)
before=$(lines "$T/again")
under_clients "the manager stands still for $STOPPED s" stand_still
is "it is still the same, and did it once" "" "$MANAGER $((before + 1))" "$(manager_pid) $(lines "$T/again")"

# ---- hark-bus

if [ -x "$BIN/hark-bus" ] && command -v systemctl >/dev/null; then
	mkdir -p /run/systemd/system
	export SYSTEMD_IGNORE_CHROOT=1 SYSTEMD_PAGER='' SYSTEMD_COLORS=0
	ctl start hark-bus.socket >/dev/null
	sc() { timeout 20 systemctl "$@" >>"$T/sc" 2>&1; }
	# restarts VICTIM: by systemctl, while those called VICTIM die; how many it says were done, and how many were.
	restarts() {
		local i slayer begin done=0
		begin=$(lines "$T/again")
		"$SOCK" slay "$INIT_PID" 1000000 20000 120000 "$1" >/dev/null 2>&1 &
		slayer=$!
		for ((i = 0; i < TIMES; i++)); do sc restart again.service && done=$((done + 1)); done
		kill $slayer
		wait $slayer 2>/dev/null
		wait_for 'ctl is-active test.target'
		ctl wait again.service >/dev/null 2>&1
		RUNS=$(($(lines "$T/again") - begin)) DONE=$done
	}
	restarts harkd
	is "systemctl restart while managers die: $TIMES times, each once" "" "$TIMES $TIMES" "$DONE $RUNS"
	manager=$(manager_pid)
	restarts hark-bus
	note "systemctl restart while hark-bus dies: $DONE of $TIMES heard of their end, $RUNS were done"
	is "... while hark-bus dies: what was told is done, and nothing twice" "" yes "$([ $RUNS -ge $DONE ] && [ $RUNS -le "$TIMES" ] && echo yes || echo "$DONE told, $RUNS done")"
	is "... the manager does not notice" "" "$manager" "$(manager_pid)"
	ok_if "... and it answers again" "" sc is-active again.service
fi

# ---- hark-mount

if [ -x "$BIN/hark-mount" ]; then
	mkdir -p "$T/data" /run/place
	printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Mount]\nWhat=%s\nWhere=/run/place\nOptions=bind\n' "$T/data" >"$UNITS/run-place.mount"
	ctl daemon-reload >/dev/null 2>&1
	mounted() { findmnt -n /run/place >/dev/null && echo mounted || echo dead; }
	# mounts VICTIM: up and down while those called VICTIM die; how often it was refused, and how often unit and kernel disagreed afterwards.
	mounts() {
		local i verb slayer
		REFUSED=0 WRONG=0
		"$SOCK" slay "$INIT_PID" 1000000 1000 12000 "$1" >/dev/null 2>&1 &
		slayer=$!
		for ((i = 0; i < TIMES; i++)); do
			for verb in start stop; do
				ctl $verb run-place.mount >>"$T/mounts" 2>&1 || REFUSED=$((REFUSED + 1))
				ctl wait run-place.mount >/dev/null 2>&1
				wait_for '[ "$(mounted)" = "$(sub run-place.mount | sed s/failed/dead/)" ]' || WRONG=$((WRONG + 1))
			done
		done
		kill $slayer
		wait $slayer 2>/dev/null
		ctl stop run-place.mount >/dev/null 2>&1
		ctl reset-failed >/dev/null 2>&1
	}
	mounts harkd
	is "a mount comes and goes while managers die: $TIMES times, as asked" "" "0 0 dead" "$REFUSED $WRONG $(mounted)"
	mounts hark-mount
	note "a mount comes and goes while hark-mount dies: $REFUSED of $((2 * TIMES)) orders were refused"
	is "... while hark-mount dies: the unit is what the kernel says, always" "" "0 dead" "$WRONG $(mounted)"
	ok_if "... and it mounts again" "" ctl start run-place.mount
	is "... once" "" 1 "$(grep -c ' /run/place ' /proc/self/mountinfo)"
	ctl stop run-place.mount >/dev/null
fi
is "at the end the services are the same" "" "$STAY $WITNESS 1" "$(main_of stay.service) $(main_of witness.service) $(lines "$T/witness")"
hark_down
is "it stops in order" "" 0 $?
finish
