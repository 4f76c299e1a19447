#!/bin/bash
# SPDX-License-Identifier: MIT
# F9, F10, F22: hardly any processes, hardly any descriptors, pids that are used again all the time, while clients come in and managers are
# killed. Who comes waits, nobody is refused or lost, and no process of somebody else's is sent a signal.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock FLOOD=$T/flood AGAIN=$NS_BIN/again
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null && cp "$NS_BIN/flood" "$FLOOD" 2>/dev/null && [ -x "$AGAIN" ] || skip_all "no $NS_BIN/sock, flood and again"
FULL=${HARK_TEST_FULL:-$HARK_FULL}
KILLS=${FULL:+200}
: "${KILLS:=30}"
RESTARTS=${FULL:+1000000}
: "${RESTARTS:=1000}"
# Of the namespace since Linux 6.14; before that it is the machine's own.
if printf '6.14\n%s\n' "$(uname -r)" | sort -CV; then MOST_PIDS=/proc/sys/kernel/pid_max; else MOST_PIDS=; fi

# served NAME: what the clients say that came meanwhile.
served() {
	note "$1: $(cat "$T/kills" 2>/dev/null), served=$(field served "$T/sums") worst_ms=$(sed -n 's/.*worst_ms=//p' "$T/sums" | sort -n | tail -1)"
	is "$1: nobody is refused, lost or wrong, nothing is started again" "" "refused=0 lost=0 wrong=0 $STAY $WITNESS 1" \
		"refused=$(field refused "$T/sums") lost=$(field lost "$T/sums") wrong=$(field wrong "$T/sums") $(main_of stay.service) $(main_of witness.service) $(wc -l <"$T/witness")" ||
		grep -vE 'took over|listens|reached' "$HARK_LOG" | sed 's/[0-9]\{2,\}/N/g' | sort | uniq -c | sort -rn | head -20 | sed 's/^/# /'
}
begin() { # NAME: with the units of busy_house
	hark_up "$1" || finish
	rm -f "$T/witness"
	busy_house
	STAY=$(main_of stay.service) WITNESS=$(main_of witness.service)
}
end() {
	wait_for '[ "$(ctl list --plain 2>/dev/null | grep -c "each@")" = 0 ]'
	hark_down
	is "$1: it still stops in order" "" 0 $?
}
# In one process, which needs no other any more when it has begun.
shoot() { exec "$SOCK" slay "$INIT_PID" "$KILLS" 5000 40000 >"$T/kills"; }

# ---- processes

# Pids below 300 are given once only, so these are all that there are.
few_pids() {
	local most
	most=$(cat $MOST_PIDS)
	shoot &
	sleep 0.1
	echo 306 >$MOST_PIDS
	wait $!
	echo "$most" >$MOST_PIDS
}
if [ -n "$MOST_PIDS" ]; then
	begin pids
	for _ in $(seq 300); do (true); done # the low ones are used up
	busy_clients few_pids
	served "hardly any pids"
	is "hardly any pids: there were too few" "" yes "$(in_log 'no process can be made' && echo yes)"
	end "hardly any pids"
else
	skip "hardly any pids" "pid_max is the machine's own here"
fi

# ---- descriptors

# PID 1 may keep as many as it has descriptors: here 60, with those that are left alone for a manager. Its clients hold twice as many.
mkdir "$T/few"
cp "$BIN/harkctl" "$T/few/"
printf '#!/bin/bash\nulimit -n 512\nexec %s/hark-init "$@"\n' "$BIN" >"$T/few/hark-init"
chmod 755 "$T/few/hark-init"
hold() {
	"$SOCK" ask "$T/each" 0 64 while "$T/go" >"$T/sum.many" &
	MANY=$!
	shoot &
	wait $!
}
BIN=$T/few begin descriptors
busy_clients hold
wait $MANY
cat "$T/sum.many" >>"$T/sums"
served "hardly any descriptors"
is "hardly any descriptors: nobody waits for long" "" 0 "$(field late "$T/sums")"
is "hardly any descriptors: there were too few" "" yes "$(in_log 'connections wait' && echo yes)"
end "hardly any descriptors"

# ---- pids that are used again

# Trees of processes are stopped and started among processes of nobody's, and all of them share a hundred pids.
strange() {
	local most
	most=$(cat $MOST_PIDS)
	for _ in $(seq 300); do (true); done
	: >"$T/go"
	"$FLOOD" strangers "$T/go" >"$T/strangers" &
	echo 420 >$MOST_PIDS
	"$AGAIN" "$RUN_DIR/control" $RESTARTS tree{1..5}.service >"$T/again"
	echo "$most" >$MOST_PIDS
	rm "$T/go"
	wait $!
}
if [ -n "$MOST_PIDS" ]; then
	hark_up strange || finish
	for i in 1 2 3 4 5; do busy_service "tree$i" "ExecStart=$FLOOD tree" TimeoutStopSec=20ms; done
	sed -i 's/^ExecStart=.*/&\nKillMode=mixed/' "$UNITS/tree1.service"
	ctl daemon-reload >/dev/null 2>&1
	ctl start tree{1..5}.service >/dev/null
	strange
	note "pids used again: $(tail -1 "$T/again"), $(cat "$T/strangers")"
	is "pids used again: each restart is done" "" "restarts=$RESTARTS failed=0" "$(sed '$s/ ms=.*//' "$T/again")"
	is "pids used again: nobody else is sent a signal" "" 0 "$(field hit "$T/strangers")"
	is "pids used again: the strangers had those pids" "" yes "$([ "$(field strangers "$T/strangers")" -gt 120 ] && echo yes)"
	ctl stop tree{1..5}.service >/dev/null
	# Killed is not yet gone, on a busy machine.
	ok_if "pids used again: nothing is left of the trees" "" wait_for '! pgrep -f "$FLOOD tree"'
	hark_down
fi
finish
