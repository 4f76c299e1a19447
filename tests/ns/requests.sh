#!/bin/bash
# SPDX-License-Identifier: MIT
# The manager killed in the middle of what clients ask for: each request is answered, and performed exactly once.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"
FULL=${HARK_TEST_FULL:-$HARK_FULL}
TIMES=${FULL:+500}
: "${TIMES:=40}"

service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\n' && printf '%s\n' "$@"; } >"$UNITS/$name.service"
}
# under_fire COMMAND...: the command TIMES times, while managers live 4 to 24 ms. Prints how often it gave which exit status.
under_fire() {
	local i slayer
	"$SOCK" slay "$INIT_PID" 1000000 4000 24000 >/dev/null 2>&1 &
	slayer=$!
	for ((i = 0; i < TIMES; i++)); do
		"$@" >>"$T/out" 2>>"$T/err"
		echo "exit $?"
	done | sort | uniq -c | sed 's/^ *//' | paste -sd,
	kill $slayer
	wait $slayer 2>/dev/null
	wait_for 'ctl is-active test.target'
}
lines() { wc -l <"$1"; }
ALL="$TIMES exit 0"

restarts() {
	service again Type=notify "ExecStart=$PAYLOAD log $T/again x notify READY=1 pause"
	ctl daemon-reload >/dev/null 2>&1
	ctl start again.service >/dev/null
	is "restart: $TIMES requests succeed while managers die" "B20" "$ALL" "$(under_fire ctl restart again.service)" ||
		note "told: $(grep -v ' ✓ ' "$T/out" | head -5 | paste -sd';')"
	is "restart: each once" "B20" $((TIMES + 1)) "$(lines "$T/again")"
	is "restart: it runs" "" running "$(sub again.service)"
}

starts_and_stops() {
	service updown Type=notify "ExecStart=$PAYLOAD log $T/up x notify READY=1 pause" "ExecStopPost=$PAYLOAD log $T/down x"
	ctl daemon-reload >/dev/null 2>&1
	up_down() { ctl start updown.service && ctl stop updown.service; }
	is "start, stop: $TIMES of each succeed while managers die" "B20" "$ALL" "$(under_fire up_down)"
	is "start, stop: each once" "B20" "$TIMES $TIMES" "$(lines "$T/up") $(lines "$T/down")"
}

reloads() {
	service reloaded "ExecStart=$PAYLOAD pause" "ExecReload=$PAYLOAD log $T/reloads x"
	ctl daemon-reload >/dev/null 2>&1
	ctl start reloaded.service >/dev/null
	is "reload: $TIMES requests succeed while managers die" "B20" "$ALL" "$(under_fire ctl reload reloaded.service)"
	is "reload: each once" "B20" "$TIMES" "$(lines "$T/reloads")"
}

# Whether a signal was sent cannot be known when the manager died in that very instant: then the client says so.
signals() {
	local unknown answers
	service hears Type=notify "ExecStart=$PAYLOAD catch USR1 $T/heard notify READY=1 pause"
	ctl daemon-reload >/dev/null 2>&1
	ctl start hears.service >/dev/null
	grep -v "is not known" "$T/err" >>"$T/err.before"; : >"$T/err"
	: >"$T/heard"
	send_one() {
		local n=$(lines "$T/heard")
		ctl kill -s USR1 hears.service || return
		wait_for "[ \$(wc -l <$T/heard) -gt $n ]"
	}
	answers=$(under_fire send_one)
	unknown=$(grep -c 'is not known' "$T/err")
	note "signals: $answers, not known $unknown"
	is "kill: each request is answered" "B20" "$((TIMES - unknown)) exit 0" "${answers%%,*}"
	is "kill: each signal arrives once" "B20" yes "$([ "$(lines "$T/heard")" -ge $((TIMES - unknown)) ] && [ "$(lines "$T/heard")" -le "$TIMES" ] && echo yes || lines "$T/heard")"
}

# What is the same however often it is done.
others() {
	local verb before
	printf '[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\nWants=test.target\n' >"$UNITS/alone.target"
	ctl daemon-reload >/dev/null 2>&1
	before=$(ctl show -p ManagerGenerations --value)
	for verb in "reset-failed" "reload-config" "isolate alone.target" "try-restart updown.service" "status test.target" "list -a" "show test.target" \
		"why test.target" "jobs" "triggers" "deps test.target" "cat test.target" "ledger -n5" "is-active test.target" "wait test.target" "health" "crashes" "trace"; do
		# shellcheck disable=SC2086
		is "$verb: succeeds while managers die" "" "$ALL" "$(under_fire ctl $verb)"
	done
	note "managers that died meanwhile: $(($(ctl show -p ManagerGenerations --value) - before))"
}

ctl() { timeout 20 "$BIN/harkctl" "$@"; }
hark_up requests || finish
restarts
starts_and_stops
reloads
signals
others
note "said: $(sort "$T/err.before" "$T/err" | uniq -c | sort -rn | head -8 | paste -sd";")"
finish
