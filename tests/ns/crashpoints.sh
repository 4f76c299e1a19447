#!/bin/bash
# SPDX-License-Identifier: MIT
# Sequences of starts, stops, restarts and reloads are run once undisturbed, then again with the manager dying after its first act with
# an outside consequence, after its second and so on (HARK_CRASH_AT) until one run is through before it dies. Each ends like the first:
# every command ran as often, in the same order, every unit is in the same state.
#	tests/ns/crashpoints.sh [SEQUENCE [N]]   only that one, only that point
# The short form takes a few points of each sequence, HARK_FULL=1 all of them.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"
[ -n "$CRASH_TRACE" ] && exec 2>>"$CRASH_TRACE" && set -x
FULL=${HARK_TEST_FULL:-$HARK_FULL}
STRIDE=41 # of the short form
LANES=$((2 * $(nproc)))

# ---- the units: each command writes a line into $W/trace.UNIT

write_unit() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[%s]\n' \
		"$([[ $name == *.socket ]] && echo Socket || echo Service)" && printf '%s\n' "$@"; } >"$UNITS/$name"
}
say() { echo "Exec$1=$PAYLOAD log $W/trace.$2 $1"; }
main() { # UNIT WORDS...: the main process, with a trace of its own as it runs beside ExecStartPost=
	local unit=$1
	shift
	echo "ExecStart=$PAYLOAD log $W/trace.$unit.main Start $*"
}

units_simple() {
	write_unit plain.service "$(main plain pause)"
	write_unit full.service "$(say StartPre full)" "$(say StartPre full)2" "$(main full pause)" "$(say StartPost full)" \
		"$(say Reload full)" "$(say Stop full)" "$(say StopPost full)"
}
units_oneshot() {
	write_unit once.service Type=oneshot "$(say StartPre once)" "$(say Start once)1" "$(say Start once)2" "$(say StartPost once)"
	write_unit stays.service Type=oneshot RemainAfterExit=yes "$(say Start stays)" "$(say Stop stays)" "$(say StopPost stays)"
	write_unit fails.service Type=oneshot "$(say StartPre fails)" "$(main fails exit 3)" "$(say StopPost fails)"
	write_unit rescue.service Type=oneshot RemainAfterExit=yes "$(say Start rescue)"
	sed -i '1a OnFailure=rescue.service' "$UNITS/fails.service"
}
units_notify() {
	write_unit tells.service Type=notify NotifyAccess=all "$(main tells notify READY=1 pause)" "$(say Reload tells)" "$(say StopPost tells)"
	write_unit needs.service Type=notify NotifyAccess=all "$(main needs sleep 20 notify 'READY=1\nSTATUS=here' pause)"
	sed -i '1a Requires=tells.service\nAfter=tells.service' "$UNITS/needs.service"
}
units_forking() {
	write_unit forks.service Type=forking "PIDFile=$W/forks.pid" "$(main forks daemon pidfile "$W/forks.pid" 10 pause)" "$(say StopPost forks)"
	write_unit guess.service Type=forking "$(main guess daemon pause)" "$(say StopPost guess)"
}
units_socket() {
	write_unit one.socket "ListenStream=$W/one"
	write_unit one.service "ExecStartPre=$PAYLOAD log $W/trace.one Pre" "ExecStart=$SOCK listen"
	write_unit brief.socket "ListenStream=$W/brief"
	write_unit brief.service "ExecStartPre=$PAYLOAD log $W/trace.brief Pre" "ExecStart=$SOCK listen once"
}
units_accept() {
	write_unit each.socket "ListenStream=$W/each" Accept=yes
	write_unit each@.service "ExecStartPre=$PAYLOAD log $W/trace.each Pre" "ExecStart=$SOCK answer" StandardInput=socket
}
units_restart() {
	write_unit again.service Restart=on-failure RestartSec=30ms "$(say StartPre again)" "$(main again pause)" "$(say StopPost again)"
	write_unit gives-up.service Restart=always RestartSec=10ms "$(main gives-up exit 1)"
	sed -i 's/^StartLimitIntervalSec=0/StartLimitIntervalSec=100s\nStartLimitBurst=3/' "$UNITS/gives-up.service"
}

units_carried() {
	# MAINPID= names a child, which is the main process once the first has ended; a status; a stored descriptor; a reload by RELOADING=1.
	write_unit moves.service Type=notify NotifyAccess=all "$(main moves notifypid "$W/moves.pid" notify READY=1 sleep 30 exit 0)" "$(say StopPost moves)"
	write_unit keeps.service Type=notify NotifyAccess=all FileDescriptorStoreMax=3 \
		"$(main keeps store thing text notify 'READY=1\nSTATUS=stored' sleep 20 notify RELOADING=1 sleep 20 notify 'READY=1\nSTATUS=again' pause)"
	write_unit slow.service Type=notify NotifyAccess=all TimeoutStartSec=700ms \
		"$(main slow notify EXTEND_TIMEOUT_USEC=20000000 sleep 900 notify READY=1 pause)"
}
units_isolate() {
	local i
	for i in 1 2 3; do
		write_unit "old$i.service" "$(main "old$i" pause)" "ExecStop=$PAYLOAD log $W/trace.old$i Stop sleep 10" "$(say StopPost "old$i")"
		write_unit "new$i.service" Type=oneshot RemainAfterExit=yes "ExecStart=$PAYLOAD sleep 10 log $W/trace.new Start$i"
		sed -i "1a After=new$((i - 1)).service" "$UNITS/new$i.service"
	done
	printf '[Unit]\nDefaultDependencies=no\nWants=old1.service old2.service old3.service\n' >"$UNITS/old.target"
	printf '[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\nWants=new1.service new2.service new3.service old3.service\n' >"$UNITS/only.target"
}
units_end() {
	write_unit first.service "$(main first pause)" "ExecStop=$PAYLOAD log $W/trace.end StopFirst" "ExecStopPost=$PAYLOAD log $W/trace.end PostFirst"
	write_unit second.service "$(main second pause)" "ExecStop=$PAYLOAD sleep 20 log $W/trace.end StopSecond"
	sed -i '1a Requires=first.service\nAfter=first.service' "$UNITS/second.service"
	write_unit late.socket "ListenStream=$W/late"
	write_unit late.service "$(main late)"
}

# ---- what is done with them

# Nothing here takes long: who waits for a minute waits for ever, also where many boxes share a busy machine.
ctl() { timeout -k 1 60 "$BIN/harkctl" "$@"; }

# As a person does: a restart of which harkctl does not know whether it was heard is asked for again if nothing has come of it.
once_more() { # VERB UNIT: until a line more is in its trace
	local before i
	before=$(cat "$W/trace.${2%.*}"* 2>/dev/null | wc -l)
	for i in 1 2 3; do
		ctl "$1" "$2" && return
		ctl wait "$2"
		[ "$(cat "$W/trace.${2%.*}"* 2>/dev/null | wc -l)" -gt "$before" ] && return
	done
}
# A main process that is stopped before it had its turn, which on a busy machine takes a while, leaves no trace.
ran() { # UNIT TIMES
	wait_for '[ "$(cat "$W/trace.'"$1"'.main" 2>/dev/null | wc -l)" -ge '"$2"' ]' 20
}
ask() { "$SOCK" ask "$W/$1" "${2:-1}" >>"$W/asked"; }

play_simple() {
	ctl start plain.service full.service
	ran full 1
	once_more reload full.service
	ctl reload-config
	once_more restart full.service
	ran full 2
	ctl stop full.service
	ctl start full.service
}
play_oneshot() {
	ctl start once.service stays.service
	ctl stop stays.service
	ctl start stays.service once.service
	ctl start fails.service
	wait_active rescue.service active
}
play_notify() {
	ctl start needs.service
	once_more reload tells.service
	once_more restart tells.service
	wait_active needs.service active
	ctl stop needs.service
}
play_forking() {
	ctl start forks.service guess.service
	once_more restart forks.service
	ctl stop guess.service
	ctl start guess.service
}
play_socket() {
	ctl start one.socket brief.socket
	ask one
	ask one
	ask brief
	wait_active brief.service inactive
	ask brief
	wait_active brief.service inactive
	ctl stop one.service
	ask one
}
play_accept() {
	ctl start each.socket
	ask each 3
	ctl stop each.socket
	ctl start each.socket
	ask each 2
	wait_for '! ctl list --plain | grep -q each@'
}
play_restart() {
	ctl start again.service
	ran again 1
	wait_for '[ -n "$(main_of again.service)" ]'
	kill -KILL "$(main_of again.service)"
	wait_for '[ "$(prop again.service NRestarts)" = 1 ] && [ "$(sub again.service)" = running ]'
	ctl start gives-up.service
	wait_active gives-up.service failed
}

play_carried() {
	ctl start moves.service keeps.service slow.service
	wait_for '[ "$(main_of moves.service)" = "$(cat "$W/moves.pid")" ] && [ "$(prop keeps.service StatusText)" = again ]'
	once_more restart keeps.service
	wait_for '[ "$(prop keeps.service StatusText)" = again ]'
}
play_isolate() {
	ctl start old.target
	wait_for '[ "$(cat "$W"/trace.old?.main | wc -l)" = 3 ]'
	ctl isolate only.target
	ctl start old1.service
}
# The end is told by harkctl, and again by a signal to PID 1, which comes while things stop.
play_end() {
	ctl start second.service late.socket
	ran first 1
	ran second 1
	ctl exit 3
	wait_for '! alive "$INIT_PID"' || kill -KILL "$INIT_PID"
	wait "$INIT_PID"
	echo "hark-init gave $?" >"$W/trace.init"
}

# Everything that shall be the same afterwards. One client's connections may start their services in any order: traces are sorted there.
facts() {
	local unit main units file
	alive "$INIT_PID" || { cat "$W"/trace.* && return; }
	units=$(cd "$UNITS" && printf '%s\n' *.service *.socket | grep -v '[@*]')
	# shellcheck disable=SC2086
	ctl show $units -p Id,ActiveState,SubState,Result,NRestarts,StatusText,NFileDescriptorStore 2>&1
	for unit in $units; do
		main=$(ctl show "$unit" -p MainPID --value 2>/dev/null)
		echo "$unit processes $(pids_of "$unit" | wc -l) main $([ "${main:-0}" -gt 1 ] && alive "$main" && echo yes || echo no)"
	done
	for file in "$W"/trace.*; do
		sed "s|^|${file##*/} |" "$file"
	done
	grep -ohE '(refused|lost|wrong)=[0-9]+' "$W/asked" 2>/dev/null
	echo "jobs $(ctl jobs --plain | grep -c .)"
	ctl list --plain | grep -c '@' | sed 's/^/instances /'
}

# run SEQUENCE SPEC: its facts are in $W/facts. Fails when the manager did not die as often as it was told.
run() {
	local lives i
	W=$T/$1-$2
	mkdir -p "$W"
	UNITS=$W/units
	mkdir -p "$UNITS"
	"units_$1"
	HARK_CRASH_AT=$2 hark_up "$1-$2" || return 2
	"play_$1" >>"$W/ctl" 2>&1
	facts >"$W/facts"
	for ((i = 0; i < 50; i++)); do # what was started last may not have come to its trace
		[ -e "$T/$1-0/facts" ] && ! cmp -s "$T/$1-0/facts" "$W/facts" || break
		sleep 0.1
		facts >"$W/facts"
	done
	lives=$((1 + $(grep -c 'took over' "$HARK_LOG")))
	hark_down
	remove_cgroup "$CGROUP"
	CGROUP='' OWN_CGROUP=''
	[ "$lives" -gt "$(tr -cd ',' <<<"$2" | wc -c)" ] && [ "$lives" -gt 1 ]
}

differs() { # SEQUENCE SPEC
	if diff "$T/$1-0/facts" "$W/facts" >"$W/diff"; then
		rm -rf "$W"
		return 1
	fi
	not_ok "$1: the manager dies after act $2" "the end is another one"
	{ head -20 "$W/diff" && grep -v 'took over\|reached' "$HARK_LOG" | tail -8; } | sed 's/^/# /'
}

# Every point, or some of them, begun anywhere: a run that died nowhere ends it. What a box does is mostly to wait: several lanes
# go side by side, each with every LANESth of the points.
lane() { # SEQUENCE FIRST STEP
	local n=$2 tried=0 bad=0
	while run "$1" "$n"; do
		tried=$((tried + 1))
		differs "$1" "$n" && bad=$((bad + 1))
		n=$((n + $3))
	done
	differs "$1" "$n" && bad=$((bad + 1))
	echo "tried=$tried told=$bad last=$n" >>"$T/$1.lanes"
}
sweep() {
	local name=$1 step=$STRIDE first i tried bad pids=""
	[ -n "$FULL" ] && step=1
	first=$((1 + RANDOM % step))
	run "$name" 0
	[ -n "$DEBUG_FACTS" ] && cat "$W/facts"
	for ((i = 0; i < LANES; i++)); do
		lane "$name" $((first + i * step)) $((LANES * step)) &
		pids="$pids $!"
	done
	# shellcheck disable=SC2086
	wait $pids
	tried=$(field tried "$T/$name.lanes") bad=$(field told "$T/$name.lanes")
	is "$name: $tried deaths, each run ends like the undisturbed one" "$2" "$LANES 0" "$(wc -l <"$T/$name.lanes") $bad"
	note "$name: $tried of about $(sed 's/.*=//' "$T/$name.lanes" | sort -n | head -1) crash points, $bad of them told"
}

if [ -n "$2" ]; then
	run "$1" 0
	run "$1" "$2"
	differs "$1" "$2" || ok "$1 $2"
	cp "$W/log" /tmp/crashpoint.log 2>/dev/null
	finish
fi
for sequence in ${1:-simple oneshot notify forking socket accept restart carried isolate end}; do
	sweep "$sequence" "B20"
done
finish
