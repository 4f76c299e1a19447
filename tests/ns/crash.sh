#!/bin/bash
# SPDX-License-Identifier: MIT
# A manager that dies of itself: faults, hangs, crashes again and again. What runs goes on, and there is a record of how it died.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"

service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n[Service]\n' && printf '%s\n' "$@"; } >"$UNITS/$name.service"
}
# after_death OLD SECONDS: another manager than OLD answers.
after_death() {
	wait_for "[ -n \"\$(manager_pid)\" ] && [ \"\$(manager_pid)\" != $1 ] && ctl is-active test.target" "$2"
}
# crash KEY: of the newest record.
crash() { ctl crashes -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0].get(sys.argv[1], ""))' "$1"; }

set_up() {
	service stay "ExecStart=$PAYLOAD log $T/stay x pause"
	ctl daemon-reload >/dev/null 2>&1
	ctl start stay.service >/dev/null
	STAY=$(main_of stay.service)
}
stays() { # NAME ROWS
	is "$1: the service is the same" "$2" "$STAY running 1" "$(main_of stay.service) $(sub stay.service) $(wc -l <"$T/stay")"
}

faults() {
	local old frame
	is "at first there is no record" "" "no manager has died" "$(ctl crashes)"
	old=$(manager_pid)
	"$SOCK" hurt "$old" segv || { skip "faults" "no ptrace here" && return; }
	ok_if "SIGSEGV of the manager: another answers" "A10" after_death "$old" 5
	stays "SIGSEGV of the manager" "A10"
	is "the record: kind, life, times" "A10" "fault 1 1" "$(crash crash_kind) $(crash life) $(crash times)"
	is "signal and address" "A10" "SIGSEGV at address 0x10" "$(crash how)"
	is "the build" "" "$(readelf -n "$BIN/harkd" | sed -n 's/.*Build ID: //p')" "$(crash build)"
	frame=$(crash at | grep -o 'harkd+0x[0-9a-f]*' | sed 's/harkd+//' | addr2line -f -e "$BIN/harkd" | paste -sd' ')
	is "the frames lead to main()" "A10" yes "$(grep -q ' main ' <<<" $frame" && echo yes || echo "$frame")"
	is "what the ledger said before" "A10" yes "$(ctl crashes | grep -q 'before .* stay.service' && echo yes)"
	is "the status tells of it" "" yes "$(ctl status | grep -q 'harkctl crashes' && echo yes)"
	old=$(manager_pid)
	kill -ABRT "$old"
	after_death "$old" 5
	is "a signal that was sent names its sender" "" "SIGABRT, sent by process $$" "$(crash how)"
}

outside() {
	local i old before
	before=$(crash crash)
	for i in 1 2 3; do
		old=$(manager_pid)
		kill -KILL "$old"
		after_death "$old" 5
	done
	is "three kills from outside share a record" "" "$((before + 1)) 3 killed from outside by SIGKILL" "$(crash crash) $(crash times) $(crash how)"
	is "and the older ones stay" "" 3 "$(ctl crashes | grep -c ^crash)"
}

# A manager that does not answer is asked after its period, aborted as long after that, killed after 2 s more.
hangs() { # NAME SECONDS COMMAND... (PID): how PID 1 gets rid of it
	local name=$1 most=$2 old
	shift 2
	old=$(manager_pid)
	ctl start stay.service >/dev/null # the time counts from the last request
	start_clock
	"$@" || { skip "$name" "not here" && return; }
	wait_for "[ -n \"\$(manager_pid)\" ] && [ \"\$(manager_pid)\" != $old ]" $((most + 30))
	ok_if "$name: another manager answers" "" timeout 20 "$BIN/harkctl" status
	stop_clock
	note "$name: $TOOK ms until another answers"
	in_time "$name: within its deadline and 1 s" "" $(((most + 1) * 1000)) $TOOK $STALLED
	stays "$name"
}
# After 30 s, or what it was told, it is asked; as long after that it is ended. HARK_FULL: with the 30 s, too.
hang() { # PERIOD
	local pid most=$((2 * $1 + 8))
	pid=$(manager_pid)
	hangs "stopped for $1 s" $most kill -STOP "$pid"
	is "stopped: the record" "" "hang did not answer PID 1, which sent SIGKILL" "$(crash crash_kind) $(crash how)"
	pid=$(manager_pid)
	hangs "an endless loop for $1 s" $most "$SOCK" hurt "$pid" loop
	is "an endless loop: the record, with the place" "" "hang did not answer PID 1, which sent SIGABRT yes" "$(crash crash_kind) $(crash how) $([ -n "$(crash at)" ] && echo yes)"
}

# A manager that dies as soon as it lives. What it is started with becomes less and less, in the end it touches nothing.
loop() {
	local i old rss fds asking
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%s\n' "$T/late" >"$UNITS/late.socket"
	service late "ExecStart=$SOCK listen"
	service mortal Restart=always RestartSec=50ms "ExecStart=$PAYLOAD pause"
	ctl daemon-reload >/dev/null 2>&1
	ctl start late.socket mortal.service >/dev/null
	rss=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$INIT_PID/status") fds=$(ls "/proc/$INIT_PID/fd" | wc -l)
	for ((i = 0; i < 10; i++)); do
		wait_for '[ -n "$(manager_pid)" ]'
		old=$(manager_pid)
		"$SOCK" hurt "$old" segv || { skip "a crash loop" "no ptrace here" && return; }
		wait_for "! kill -0 $old"
	done
	ok_if "10 crashes in a row: harkctl is answered" "" ctl status
	is "in safe mode" "" "maintenance" "$(ctl show -p SystemState --value)"
	is "which the status says, and how to leave it" "" yes "$(ctl status | grep -q 'SAFE MODE.*after 1[0-9] crashes.*harkctl reexec' && echo yes)"
	is "the processes are kept" "" yes "$(alive "$STAY" && echo yes)"
	is "nothing is started" "" 1 "$(ctl start late.service >"$T/out" 2>&1 || echo $?)"
	is "and told why" "" yes "$(grep -q 'safe mode' "$T/out" && echo yes)"
	"$SOCK" ask "$T/late" 1 >"$T/asked" 2>&1 &
	asking=$!
	pkill -KILL -P "$INIT_PID" -f "$PAYLOAD pause"
	sleep 0.3
	ok_if "sockets keep queueing" "" kill -0 $asking
	ok_if "reexec leaves it" "" ctl reexec
	ok_if "everything is watched again" "" wait_for '[ "$(ctl show -p SystemState --value)" = running ]'
	is "the service is the same" "" "$STAY running 1" "$(main_of stay.service) $(sub stay.service) $(wc -l <"$T/stay")"
	ok_if "who waited is served" "" wait $asking
	is "an exit in safe mode is acted on" "" yes "$(wait_sub mortal.service running && echo yes || sub mortal.service)"
	i=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$INIT_PID/status")
	note "PID 1: rss $rss -> $i kB, descriptors $fds -> $(ls "/proc/$INIT_PID/fd" | wc -l), crashes kept $(ctl crashes | grep -c ^crash)"
	is "PID 1 has not grown" "" yes "$([ $((i - rss)) -le 64 ] && [ $(($(ls "/proc/$INIT_PID/fd" | wc -l) - fds)) -le 4 ] && echo yes)"
}

# As PID 1: its own core is allowed. The namespace ends with its service.
as_pid1() {
	mkdir -p "$T/pid1/units"
	cat >"$T/pid1/units/pid1.target" <<-Y
		[Unit]
		Wants=main.service
	Y
	cat >"$T/pid1/units/main.service" <<-Y
		[Unit]
		DefaultDependencies=no
		[Service]
		Environment=HARK_RUN_DIR=/run/hark1
		ExecStart=/bin/sh -c 'sed -n "s/^PPid:.//p" /proc/self/status; kill -SEGV \$\$(pgrep -x harkd); sleep 0.3; $BIN/harkctl crashes; $BIN/harkctl --no-wait exit 7'
		StandardOutput=file:$T/pid1/out
	Y
	(cd "$T/pid1" && timeout -s KILL 10 unshare --pid --fork --kill-child --mount-proc --mount "$BIN/hark-init" --unit-path "$T/pid1/units" \
		--run-dir /run/hark1 --default pid1.target >"$T/pid1/log" 2>&1 </dev/null)
	is "as PID 1: it lives on, and ends when it is told to" "A10" 7 $?
	is "as PID 1: there is a record" "" yes "$(grep -q '^crash 1 .*SIGSEGV' "$T/pid1/out" && echo yes)"
	case $(cat /proc/sys/kernel/core_pattern) in
	core*) is "as PID 1: and a core" "A10" yes "$(ls "$T"/pid1/core* >/dev/null 2>&1 && echo yes)" ;;
	*) skip "as PID 1: and a core" "they go elsewhere here" ;;
	esac
}

# A manager that does nothing but crash, again and again: PID 1 has no more of anything than before.
again_and_again() {
	local pid most=${HARK_FULL:+1000} before
	: "${most:=20}"
	size() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; find "/proc/$pid/fd" -mindepth 1 | wc -l; }
	table() { od -An -tu4 -j"$1" -N4 "/proc/$pid/fd/418" | tr -d ' '; }
	"$BIN/hark-init" "$NS_BIN/garble" crash >"$T/again" 2>&1 </dev/null &
	pid=$!
	STARTED+=("$pid")
	wait_for "[ \"\$(table 44)\" -ge 6 ]"
	before=$(size)
	wait_for "[ \"\$(table 44)\" -ge $((2 * most)) ]" $((most * 2 + 30))
	note "$(($(table 44) / 2)) crashes: memory and descriptors $(paste -sd' ' <<<"$before"), afterwards $(size | paste -sd' ')"
	ok_if "$most crashes of managers: PID 1 lives its first life" "" [ "$(table 16)" = 1 ]
	is "$most crashes of managers: descriptors are as before" "" "$(tail -1 <<<"$before")" "$(size | tail -1)"
	ok_if "$most crashes of managers: memory is as before" "" [ "$(size | head -1)" -le $(($(head -1 <<<"$before") + 16)) ]
	kill -KILL "$pid"
}

hark_up crash || finish
set_up
faults
outside
[ -n "${HARK_TEST_FULL:-$HARK_FULL}" ] && hang 30
kill -TERM "$INIT_PID"
wait "$INIT_PID"
rm -f "$T/stay"
hark_up hanging --ping 1s || finish
set_up
hang 1
is "the period of questions cannot be nothing" "" 1 "$("$BIN/hark-init" --ping 0s --unit-path "$UNITS" --run-dir "$T/none" >"$T/none.log" 2>&1 & sleep 0.3; kill -KILL $!; grep -c '"0s" is not one second' "$T/none.log")"
loop
as_pid1
again_and_again
finish
