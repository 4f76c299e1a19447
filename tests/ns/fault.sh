#!/bin/bash
# SPDX-License-Identifier: MIT
# PID 1 faults, again and again, while clients come in: it executes itself and goes on, and nobody notices.
# Runs alone: faults that come faster than PID 1 gets on are another test.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"
FAULTS=${HARK_FULL:+1000}
: "${FAULTS:=120}"
hark_up fault || finish

busy_house
manager=$(manager_pid) stay_pid=$(main_of stay.service) witness_pid=$(main_of witness.service)

strike() {
	timeout -k 5 500 "$NS_BIN/strike" "$INIT_PID" "$FAULTS" 2000 20000 >"$T/struck"
	sleep 0.2
}
busy_clients strike
figures="served=$(field served "$T/sums") refused=$(field refused "$T/sums") lost=$(field lost "$T/sums") late=$(field late "$T/sums") wrong=$(field wrong "$T/sums")"
note "$(cat "$T/struck") $figures worst_client_ms=$(sed -n 's/.*worst_ms=//p' "$T/sums" | sort -n | tail -1)"
is "PID 1 survives $FAULTS of $FAULTS faults of its own" "" "$FAULTS" "$(field survived "$T/struck")"
case $figures in
*"refused=0 lost=0 late=0 wrong=0") ok "no client is refused or lost meanwhile" "" ;;
*)
	not_ok "no client is refused or lost meanwhile" "$figures"
	grep -vE 'took over|listens|reached' "$HARK_LOG" | sort | uniq -c | sort -rn | head -20 | sed 's/^/# /'
	;;
esac
is "manager and services live on" "" "$manager $stay_pid $witness_pid" "$(manager_pid) $(main_of stay.service) $(main_of witness.service)"
is "nothing ran twice" "" 1 "$(wc -l <"$T/witness")"
wait_for '[ "$(ctl list --plain 2>/dev/null | grep -c "each@")" = 0 ]'
is "no instance is left behind" "" 0 "$(pgrep -fxc "$SOCK answer")"

# Three faults at once: no turn of its loop lies between them.
busy_service after "Type=oneshot" "ExecStart=/bin/true"
ctl daemon-reload >/dev/null 2>&1
kill -STOP "$INIT_PID"
kill -SEGV "$INIT_PID"
kill -BUS "$INIT_PID"
kill -ABRT "$INIT_PID"
kill -CONT "$INIT_PID"
began=$(now_ms)
ok_if "after three faults without progress it goes on" "" timeout 60 "$BIN/harkctl" start after.service
took=$(($(now_ms) - began))
is "but only holds on for three seconds first" "" yes "$([ $took -ge 2500 ] && echo yes || echo "$took ms")"
is "manager and services are still the same" "" "$manager $stay_pid $witness_pid" "$(manager_pid) $(main_of stay.service) $(main_of witness.service)"
hark_down
is "it still stops in order" "" 0 $?
finish
