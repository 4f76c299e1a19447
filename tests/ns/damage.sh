#!/bin/bash
# SPDX-License-Identifier: MIT
# What the manager remembers is emptied, cut up, of another layout, or has single bytes wrong when the next manager takes over: no
# service is started again, signalled or lost, sockets still answer, and the log tells of it.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"
FULL=${HARK_TEST_FULL:-$HARK_FULL}
SERVICES="plain.service tells.service forks.service guess.service one.service"

put() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n[%s]\n' "$([[ $name == *.socket ]] && echo Socket || echo Service)" &&
		printf '%s\n' "$@"; } >"$UNITS/$name"
}
begin() {
	hark_up "$1" || finish
	put plain.service "ExecStart=$PAYLOAD log $T/trace plain pause" Restart=always
	put tells.service Type=notify NotifyAccess=all "ExecStart=$PAYLOAD log $T/trace tells notify READY=1 pause" "ExecStop=$PAYLOAD log $T/trace stop"
	put forks.service Type=forking "PIDFile=$T/forks.pid" "ExecStart=$PAYLOAD log $T/trace forks daemon pidfile $T/forks.pid 1 pause"
	put guess.service Type=forking GuessMainPID=no "ExecStart=$PAYLOAD log $T/trace guess daemon pause"
	put one.socket "ListenStream=$T/one"
	put one.service "ExecStart=$SOCK listen"
	put idle.socket "ListenStream=$T/idle"
	put idle.service "ExecStart=$SOCK listen once"
	ctl reload-config >/dev/null
	ctl start plain.service tells.service forks.service guess.service one.socket idle.socket >/dev/null
	"$SOCK" ask "$T/one" 1 >/dev/null
	"$SOCK" ask "$T/idle" 1 >/dev/null
	wait_active idle.service inactive
	PIDS=$(everybody)
	TRACE=$(wc -l <"$T/trace")
	is "five services run" "" 5 "$(wc -w <<<"$PIDS")"
}
everybody() { for unit in $SERVICES; do pids_of "$unit"; done | sort -n | paste -sd' '; }

# The descriptor under which hark-init keeps the state.
state_fd() { find "/proc/$INIT_PID/fd" -lname '*memfd:hark-state*' | head -1; }
# Writes what comes by standard input at an offset of it.
scribble() { dd of="$(state_fd)" bs=4096 seek="$1" oflag=seek_bytes conv=notrunc status=none; }
# damage COMMAND...: changes the state while no manager looks, then there is another one.
damage() {
	local old
	old=$(manager_pid)
	kill -STOP "$old"
	"$@"
	kill -KILL "$old"
	wait_for '[ "$(manager_pid)" != "'"$old"'" ] && ctl list'
}
is_as_before() { # NAME ROWS
	local bad=""
	[ "$(everybody)" = "$PIDS" ] || bad="processes $(everybody), before $PIDS;"
	[ "$(wc -l <"$T/trace")" = "$TRACE" ] || bad="$bad commands ran again;"
	for unit in $SERVICES one.socket idle.socket; do
		[ "$(active "$unit")" = active ] || bad="$bad $unit is $(active "$unit");"
	done
	"$SOCK" ask "$T/one" 1 >/dev/null || bad="$bad one.socket does not answer;"
	"$SOCK" ask "$T/idle" 1 >/dev/null || bad="$bad idle.socket does not answer;"
	wait_active idle.service inactive || bad="$bad idle.service stays $(active idle.service);"
	if [ -z "$bad" ]; then ok "$1" "$2"; else not_ok "$1" "$bad" && tail -12 "$HARK_LOG" | sed 's/^/# /'; fi
}
told() { is "... and the log tells so" "" yes "$(tail -n +"$LOG_LINES" "$HARK_LOG" | grep -qE 'is not used|cannot be used|nothing was remembered' && echo yes || echo no)"; }
mark() { LOG_LINES=$(($(wc -l <"$HARK_LOG") + 1)); }

begin damage
damage true
is_as_before "a death alone changes nothing" ""
empty() { fallocate -p -o 0 -l "$(stat -Lc %s "$(state_fd)")" "$(state_fd)"; }
mark
damage empty
is_as_before "the state is emptied: everything is found by the bank and the cgroups" "D+17"
told

# ---- another version of hark left it: nothing is lost, not even what no process or socket tells

facts() { # of units, without what is measured at the moment
	ctl show $SERVICES one.socket idle.socket -p Id,ActiveState,SubState,Result,MainPID,NRestarts,StatusText,ActiveEnterTimestampMonotonic,InvocationID,Job
	ctl ledger -n 500 | grep counts.service
}
PROGRAM=$NS_BIN/relay
newer() { "$PROGRAM" "$(state_fd)" >"$T/laid"; }
hark_goes_on() { wait_for '[ "$(sub slow.service)" = exited ]'; }
put slow.service Type=oneshot RemainAfterExit=yes "ExecStart=$PAYLOAD log $T/slow x sleep 3000"
put counts.service Restart=always RestartSec=10ms "ExecStart=$PAYLOAD log $T/counts x pause"
ctl reload-config >/dev/null
ctl start counts.service >/dev/null
for i in 1 2 3; do
	kill -KILL "$(main_of counts.service)"
	wait_for "[ \"\$(prop counts.service NRestarts)\" = $i ] && [ \"\$(sub counts.service)\" = running ]"
done
ctl --no-wait start slow.service >/dev/null
facts >"$T/before"
LOG_LINES=$(($(wc -l <"$HARK_LOG") + 1))
damage newer
facts >"$T/after"
is "the state has the form of a newer hark: it is read" "" yes "$(grep -q 'by another version of hark was read' "$HARK_LOG" && echo yes || tail -3 "$HARK_LOG")"
is "... every field of every unit and the ledger are as before" "" "" "$(diff "$T/before" "$T/after")"
is "... restarts are counted on" "" 3 "$(prop counts.service NRestarts)"
ok_if "... a start that was under way goes on" "" hark_goes_on
is "... and was not begun again" "" 1 "$(wc -l <"$T/slow")"
is "... and nothing was found by its processes" "" "" "$(tail -n +"$LOG_LINES" "$HARK_LOG" | grep -E 'cannot be used|nothing was remembered|is not used')"
is_as_before "the state of a newer hark" ""
facts >"$T/before"
damage true
facts >"$T/after"
is "the manager after that finds it in its own form" "" "1 " "$(grep -c 'by another version' "$HARK_LOG") $(diff "$T/before" "$T/after")"
ctl stop counts.service slow.service >/dev/null

layout() { printf '\x'"$1"'\0\0\0' | scribble 4; }
mark
damage layout 01
is_as_before "the state has an older layout" ""
told
mark
damage layout 63
is_as_before "the state has a newer layout" ""
told
noise() { head -c 300000 /dev/urandom | scribble "$1"; }
mark
damage noise 0
is_as_before "the state begins with noise" ""
told
mark
damage noise 24
is_as_before "the units' part is noise" ""

# ---- one byte after the other

flip() { # OFFSET
	local byte
	byte=$(dd if="$(state_fd)" bs=1 skip="$1" count=1 status=none | od -An -tu1)
	printf "\\x$(printf %02x $(((byte + 1 + RANDOM % 254) % 256)))" | scribble "$1"
}
flips=0 bad=0
step=${FULL:+23}
: "${step:=449}"
for ((at = RANDOM % step; at < 24 + 12 * 500; at += step)); do
	damage flip "$at"
	flips=$((flips + 1))
	if [ "$(everybody)" != "$PIDS" ] || [ "$(wc -l <"$T/trace")" != "$TRACE" ]; then
		bad=$((bad + 1))
		note "byte $at: processes $(everybody), before $PIDS; $(wc -l <"$T/trace") of $TRACE commands"
		PIDS=$(everybody) TRACE=$(wc -l <"$T/trace")
	fi
done
note "$flips bytes flipped, a takeover each: $bad with consequences for a service"
is "single bytes are wrong: no service notices" "" 0 $bad
is_as_before "... and everything is as before" ""

# ---- it can still be worked with

ctl restart tells.service >/dev/null
is "a service found again is stopped and started as any other" "" "stop tells" "$(tail -2 "$T/trace" | paste -sd' ')"
ctl stop guess.service >/dev/null
is "a daemon without a known main process is stopped with its cgroup" "" "" "$(pids_of guess.service)"
is "no manager died of itself" "" "killed from outside by SIGKILL" "$(ctl crashes -o json | python3 -c 'import json, sys; print("|".join({c["how"] for c in json.load(sys.stdin) if "how" in c}))')"
hark_down
finish
