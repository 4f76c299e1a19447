#!/bin/bash
# SPDX-License-Identifier: MIT
# Corners of hark-init that no daily work comes to: requests that make no sense, calls that never fail but here, tables of others. It refuses, or
# waits, or goes on. tests/ns/reach.sh looks after every line of it.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
command -v strace >/dev/null || skip_all "no strace"
GARBLE=$NS_BIN/garble

# failing CALL ERRNO WHEN COMMAND...: hark-init's calls fail while the command runs; FOLLOW=-f: its children's too.
failing() {
	local call=$1 errno=$2 when=$3 tracer
	shift 3
	strace $FOLLOW -qq -p "$INIT_PID" -o "$T/calls" -e trace="$call" -e inject="$call:error=$errno:when=$when" 2>/dev/null &
	tracer=$!
	wait_for "grep -q 'TracerPid:.*[1-9]' /proc/$INIT_PID/status"
	"$@" >"$T/out" 2>&1
	RC=$?
	kill -INT $tracer
	wait $tracer 2>/dev/null
}
injected() { grep -c INJECTED "$T/calls"; }
lives() { od -An -tu4 -j16 -N4 "/proc/$INIT_PID/fd/418" | tr -d ' '; }
# another_life BEFORE: it has executed itself since.
another_life() { wait_for "[ \"\$(lives)\" -gt $1 ] && ctl is-active stays.service"; }

# ---- managers that make no sense

timeout -k 5 60 "$BIN/hark-init" "$GARBLE" refused >"$T/refused" 2>&1 </dev/null
is "requests that make no sense: it outlives them, and ends when it shall" "" 0 $?
sed 's/^ok /ok refused: /; s/^not ok /not ok refused: /' "$T/refused"
grep -q '^not ok' "$T/refused" && NOT_OK_N=$((NOT_OK_N + 1))
is "requests that make no sense: all were made" "" 18 "$(grep -c '^ok' "$T/refused")"
timeout -k 5 60 unshare -fp --mount-proc "$BIN/hark-init" "$GARBLE" final >"$T/final" 2>&1 </dev/null
is "an end of the machine that fails" "" "0 ok an end that fails leaves PID 1 alive" "$? $(cat "$T/final")"

# ---- starts

"$BIN/hark-init" --layout
is "it tells the layout of its table" "" yes "$([ $? -gt 0 ] && echo yes)"

for call in memfd_create signalfd4; do
	timeout 10 strace -qq -o /dev/null -e trace=$call -e inject=$call:error=ENOMEM "$BIN/hark-init" /bin/false >/dev/null 2>&1 </dev/null
	is "a start without $call is none" "" 1 $?
done
timeout -s KILL 1 "$BIN/hark-init" /nonexistent >/dev/null 2>&1 </dev/null
is "without its manager it goes on trying" "" 137 $?

hark_up corners --ping 1s || finish

mkdir -p "$UNITS"
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s log %s/stays x pause\n' "$PAYLOAD" "$T" >"$UNITS/stays.service"
printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" >"$UNITS/mortal.service"
printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nType=exec\nExecStart=%s pause\n' "$PAYLOAD" >"$UNITS/told.service"
ctl daemon-reload >/dev/null 2>&1
ctl start stays.service mortal.service >/dev/null
stays=$(main_of stays.service)

# in kB, of PID 1 alone
private() { awk '/^Private_Dirty/ { n += $2 } END { print n }' "/proc/$INIT_PID/smaps_rollup"; }
for i in $(seq 20); do printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" >"$UNITS/crowd$i.service"; done
ctl daemon-reload >/dev/null 2>&1
ctl start crowd{1..20}.service >/dev/null
busy=$(private)
ok_if "what a boot has touched is given back in a quiet second" "" wait_for "[ \$(private) -le $((busy - 8)) ]"
note "private: $busy kB, then $(private)"
ctl stop crowd{1..20}.service >/dev/null

timeout -s KILL 1 "$BIN/hark-init" "$GARBLE" refused 418<>"/proc/$INIT_PID/fd/418" >"$T/other" 2>&1 </dev/null
is "the table of another hark-init is not taken for its own" "" "18 $stays" "$(grep -c '^ok' "$T/other") $(main_of stays.service)"

# ---- its next life

fault() {
	kill -SEGV "$INIT_PID"
	sleep 0.7
}
life=$(lives)
failing mmap ENOMEM "$([ -n "$HARK_REACH" ] && echo 2..4 || echo 1..3)" fault # the first is that of the build that marks
ok_if "no memory to see its table again: it waits for some" "" another_life "$life"
life=$(lives)
failing pread64 ENOMEM 1..3 fault
ok_if "nor to read what it knew: it waits, too" "" another_life "$life"
layout() { printf '\x'"$1" | dd of="/proc/$INIT_PID/fd/418" bs=1 count=1 conv=notrunc status=none; }
life=$(lives)
ours=$(od -An -tx1 -N1 "/proc/$INIT_PID/fd/418" | tr -d ' ')
layout 63
kill -SEGV "$INIT_PID"
sleep 0.1
layout "$ours"
ok_if "a table of another layout is left alone, for the program that knows it" "" another_life "$life"

# ---- children that cannot be

failing dup2,dup3 EMFILE 1+ timeout 20 "$BIN/harkctl" restart mortal.service
is "no descriptor for a child: the start fails" "" "1 failed" "$RC $(active mortal.service)"
ctl reset-failed mortal.service >/dev/null 2>&1
failing pipe2 EMFILE 1+ timeout 20 "$BIN/harkctl" start told.service
is "no pipe to be told of an exec: the start fails" "" "1 failed" "$RC $(active told.service)"
for call in close_range open,openat; do
	FOLLOW=-f failing $call EMFILE 1+ timeout 20 "$BIN/harkctl" start mortal.service
	wait_active mortal.service failed
	is "$call fails in a child: the start fails" "" failed "$(active mortal.service)"
	ctl reset-failed mortal.service >/dev/null 2>&1
done
ctl start mortal.service >/dev/null
is "afterwards it starts" "" active "$(active mortal.service)"

# ---- a manager that hangs

old=$(manager_pid)
kill -STOP "$old"
ok_if "a manager that hangs is asked, and then ended" "" wait_for '[ -n "$(manager_pid)" ] && [ "$(manager_pid)" != '"$old"' ] && ctl is-active stays.service'

# ---- a manager that dies with more asked than PID 1 takes at once

for i in $(seq 100); do printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=%s log %s/late x\n' "$PAYLOAD" "$T" >"$UNITS/late$i.service"; done
ctl daemon-reload >/dev/null 2>&1
old=$(manager_pid)
kill -STOP "$INIT_PID"
timeout 30 "$BIN/harkctl" start late{1..100}.service >"$T/late.start" 2>&1 &
sleep 1.6
kill -KILL "$old"
kill -CONT "$INIT_PID"
wait $!
is "what it asked for is done, all of it and once" "" 100 "$(wc -l <"$T/late")"

# ---- no manager for longer than zombies are kept

no_manager() {
	kill -KILL "$(manager_pid)"
	sleep 1.3
	kill -KILL "$mortal"
	sleep 0.3
	! kill -0 "$mortal" 2>/dev/null
}
mortal=$(main_of mortal.service)
failing clone3 EAGAIN 1+ no_manager
is "no process can be made: who died is reaped without a manager" "" 0 $RC
ok_if "and the manager that comes learns of it" "" wait_active mortal.service failed
is "what runs is the same" "" "$stays 1" "$(main_of stays.service) $(wc -l <"$T/stays")"
hark_down
is "it still stops in order" "" 0 $?
finish
