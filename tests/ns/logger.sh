#!/bin/bash
# SPDX-License-Identifier: MIT
# A service and its logger with a FIFO of hark's between them; both are killed over and over, and the manager too: no line is lost,
# none comes twice.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
CHAIN=$T/chain
cp "$NS_BIN/chain" "$CHAIN" 2>/dev/null || skip_all "no $NS_BIN/chain"
LINES_N=1000000
hark_up logger || finish

service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nRestartSec=1ms\n' && printf '%s\n' "$@"; } >"$UNITS/$name.service"
}

printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenFIFO=%s\nTriggerLimitIntervalSec=0\n' "$T/lines" >"$UNITS/log.socket"
service log Restart=always "ExecStart=$CHAIN log $T/log"
service talk Restart=on-failure "StandardOutput=file:$T/lines" "ExecStart=$CHAIN write $T/count $LINES_N"
ctl daemon-reload >/dev/null 2>&1
ctl start log.socket log.service talk.service >/dev/null
began=$(now_ms) loggers=0 talkers=0 managers=0
until [ "$(tail -n 1 "$T/log" 2>/dev/null)" = end ] || [ $(($(now_ms) - began)) -gt 100000 ]; do
	case $((RANDOM % 5)) in
	0 | 1) ctl kill -s KILL log.service >/dev/null 2>&1 && loggers=$((loggers + 1)) ;;
	2 | 3) ctl kill -s KILL talk.service >/dev/null 2>&1 && talkers=$((talkers + 1)) ;;
	4) kill -KILL "$(manager_pid)" 2>/dev/null && managers=$((managers + 1)) ;;
	esac
	sleep 0.0$((RANDOM % 5 + 1))
done
note "$(($(now_ms) - began)) ms; killed: logger $loggers times, service $talkers, manager $managers; $(grep '^#' "$T/log")"
ok_if "it has come to its end" "" grep -qx end "$T/log"
is "both were killed" "" yes "$([ $loggers -gt 0 ] && [ $talkers -gt 0 ] && echo yes || echo "$loggers $talkers")"
# Every run counts its own lines from 1; a run may have died behind a line before it was counted.
awk -F. '/^[0-9]/ { if ($2 > last[$1] + 1) gaps++; if ($2 <= last[$1]) twice++; last[$1] = $2; n++; if ($1 > runs) runs = $1; next }
	!/^(#.*|end)$/ { torn++ } END { print gaps + 0, twice + 0, torn + 0, n, runs }' "$T/log" >"$T/sum"
read -r gaps twice torn n runs <"$T/sum"
is "$LINES_N lines: gaps, lines that came twice, torn lines" "B26 E9 E11" "0 0 0" "$gaps $twice $torn"
is "no run has lost its last lines" "B26 E9 E11" yes "$([ "$n" -ge $LINES_N ] && [ "$n" -le $((LINES_N + runs)) ] && echo yes || echo "$n lines of $runs runs")"
finish
