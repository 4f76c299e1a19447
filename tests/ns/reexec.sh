#!/bin/bash
# SPDX-License-Identifier: MIT
# harkctl reexec: the manager is replaced by the program on disk, over the same path as a crash; with --init hark-init is, in its
# own process. What fails its self-test is not taken.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"
FULL=${HARK_TEST_FULL:-$HARK_FULL}
TIMES=${FULL:+100}
: "${TIMES:=15}"
ctl() { timeout 20 "$BIN/harkctl" "$@"; }
field() { sed -n "s/.*\<$1=\([0-9]*\).*/\1/p" "$2" | awk '{ n += $1 } END { print n + 0 }'; }

# The programs in a folder of their own, for one of them is to be replaced.
mkdir "$T/bin"
cp "$BIN"/hark* "$T/bin/"
BIN=$T/bin

service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\n' && printf '%s\n' "$@"; } >"$UNITS/$name.service"
}
# disk PROGRAM [NAME]: it is what lies on disk from now on. A running program cannot be written to.
disk() {
	cp "$1" "$T/bin/new"
	mv "$T/bin/new" "$T/bin/${2:-harkd}"
}

set_up() {
	local name
	cp "$BIN/harkd" "$T/good"
	service stay "ExecStart=$PAYLOAD log $T/stay x pause"
	service slow Type=oneshot RemainAfterExit=yes "ExecStart=$PAYLOAD log $T/slow x sleep 1500"
	for name in one each; do
		printf '[Unit]\nDefaultDependencies=no\n[Socket]\nTriggerLimitIntervalSec=0\nBacklog=4096\nMaxConnections=4096\nListenStream=%s\nAccept=%s\n' \
			"$T/$name" "$([ $name = each ] && echo yes || echo no)" >"$UNITS/$name.socket"
	done
	service one "ExecStart=$SOCK listen"
	service each@ "ExecStart=$SOCK answer" StandardInput=socket
	ctl daemon-reload >/dev/null 2>&1
	ctl start stay.service one.socket each.socket >/dev/null
	STAY=$(main_of stay.service)
}

replaced() {
	local old out
	old=$(manager_pid)
	ctl --no-wait start slow.service >/dev/null
	disk "$T/good"
	out=$(ctl reexec)
	is "reexec: exit 0" "" 0 $?
	is "reexec: another manager answers" "" yes "$([ "$(manager_pid)" != "$old" ] && grep -q "process $(manager_pid)" <<<"$out" && echo yes || echo "$out")"
	is "reexec: it is what lies on disk" "" "$T/bin/harkd" "$(readlink "/proc/$(manager_pid)/exe")"
	is "reexec: the services are the same" "" "$STAY running 1" "$(main_of stay.service) $(sub stay.service) $(wc -l <"$T/stay")"
	ok_if "reexec: a start that was under way goes on" "" wait_for '[ "$(sub slow.service)" = exited ]'
	is "reexec: and was not begun again" "" 1 "$(wc -l <"$T/slow")"
	is "reexec is no crash" "" "no manager has died" "$(ctl crashes)"
	ok_if "daemon-reexec is the same" "" ctl daemon-reexec
}

refused() { # NAME PROGRAM WHY
	local old
	old=$(manager_pid)
	disk "$2"
	ctl reexec >"$T/out" 2>&1
	is "$1: refused" "" 1 $?
	is "$1: and told why" "" yes "$(grep -q "$3" "$T/out" && echo yes || cat "$T/out")"
	is "$1: the manager is the same" "" "$old" "$(manager_pid)"
	disk "$T/good"
}

# It passes its test and dies of its work.
rolled_back() {
	local program
	printf '#!/bin/sh\n[ "$1" = --self-test ] && exit 0\nkill -SEGV $$\n' >"$T/bad"
	disk "$T/bad"
	program=$(stat -Lc %i "/proc/$(manager_pid)/exe")
	ctl reexec >"$T/out" 2>&1
	is "a program that dies at once: exit 1" "" 1 $?
	is "and told that the one before is back" "" yes "$(grep -q "the one before is back" "$T/out" && echo yes || cat "$T/out")"
	is "it is the one before, not what lies on disk" "" "$program" "$(stat -Lc %i "/proc/$(manager_pid)/exe")"
	is "the service is the same" "" "$STAY running 1" "$(main_of stay.service) $(sub stay.service) $(wc -l <"$T/stay")"
	is "there is a record of it" "" fault "$(ctl crashes -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["crash_kind"])')"
	sleep 0.7
	kill -KILL "$(manager_pid)"
	ok_if "and it comes again after a kill" "" wait_for "[ \"\$(stat -Lc %i /proc/\$(manager_pid)/exe)\" = $program ]"
	disk "$T/good"
	ok_if "a good one is taken afterwards" "" ctl reexec
}

# One reload and one replacement read the same configuration: everything that harkctl tells about units and their mistakes.
same_loader() {
	printf '[Unit]\nDefaultDependencies=no\nNoSuchKey=1\n[Service]\nExecStart=/bin/true\nLimitNOFILE=banana\n' >"$UNITS/odd.service"
	mkdir -p "$UNITS/stay.service.d"
	printf '[Unit]\nDescription=after\n[Service]\nTimeoutStopSec=17\n' >"$UNITS/stay.service.d/new.conf"
	if [ "$1" = reload ]; then ctl daemon-reload; else ctl reexec; fi >/dev/null 2>&1
	ctl start slow.service >/dev/null 2>&1
	ctl show stay.service odd.service one.socket each.socket | grep -v 'Timestamp\|NSec=\|CPU\|Memory\|InvocationID\|StatusText' |
		sed 's/run=[0-9]* [0-9]*//' # the wall clock of it is reckoned anew, to a microsecond
	ctl status odd.service 2>&1 | grep -o 'odd.service:[0-9]*:.*'
	rm -r "$UNITS/odd.service" "$UNITS/stay.service.d"
	ctl daemon-reload >/dev/null 2>&1
}

init_exe() { stat -Lc %i "/proc/$INIT_PID/exe"; }
init_replaced() {
	local manager out
	manager=$(manager_pid)
	cp "$T/bin/hark-init" "$T/good-init"
	disk "$T/good-init" hark-init
	out=$(ctl reexec --init)
	is "reexec --init: exit 0" "" 0 $?
	is "reexec --init: and says what happened" "" "hark-init was replaced (life 2, process $INIT_PID)" "$out"
	is "reexec --init: it is what lies on disk" "" "$(stat -c %i "$T/bin/hark-init")" "$(init_exe)"
	is "reexec --init: manager and services are the same" "" "$manager $STAY running 1" \
		"$(manager_pid) $(main_of stay.service) $(sub stay.service) $(wc -l <"$T/stay")"
	is "reexec --init: the sockets serve" "" "served=1 served=1" \
		"$(for i in one each; do timeout -k 5 30 "$SOCK" ask "$T/$i" 1 | cut -d' ' -f1; done | paste -sd' ')"
}

init_refused() { # NAME PROGRAM WHY
	local old
	old=$(init_exe)
	disk "$2" hark-init
	ctl reexec --init >"$T/out" 2>&1
	is "hark-init, $1: exit 1, and told why" "" "1 yes" "$? $(grep -q "$3" "$T/out" && echo yes || cat "$T/out")"
	is "hark-init, $1: the one before goes on" "" "$old $STAY" "$(init_exe) $(main_of stay.service)"
	ok_if "hark-init, $1: and starts services" "" ctl restart slow.service
	disk "$T/good-init" hark-init
}

under_load() { # OPTION
	local i pids address bad=0
	local name="$TIMES reexecs${1:+ $1}"
	: >"$T/go"
	for address in "$T/one" "$T/each"; do
		timeout -k 5 300 "$SOCK" ask "$address" 0 8 while "$T/go" >"$T/sum.$(basename "$address")" &
		pids="$pids $!"
	done
	for ((i = 0; i < TIMES; i++)); do
		ctl reexec $1 >/dev/null 2>&1 || bad=$((bad + 1))
	done
	rm "$T/go"
	# shellcheck disable=SC2086
	wait $pids
	cat "$T"/sum.* >"$T/sums"
	note "$name: served=$(field served "$T/sums") worst_ms=$(sed -n 's/.*worst_ms=//p' "$T/sums" | sort -n | tail -1)"
	is "$name under load: none fails" "" 0 $bad
	is "$name under load: no connection is refused or lost" "D+16" "0 0 0 0" \
		"$(field refused "$T/sums") $(field lost "$T/sums") $(field late "$T/sums") $(field wrong "$T/sums")"
	is "$name under load: the service is the same" "" "$STAY" "$(main_of stay.service)"
}

hark_up reexec || finish
set_up
replaced
printf '#!/bin/sh\nexit 3\n' >"$T/bad" && chmod 755 "$T/bad"
refused "a program that fails" "$T/bad" "self-test did not end well"
: >"$T/bad"
refused "no program at all" "$T/bad" "cannot be executed"
printf '#!/bin/sh\nexit 10\n' >"$T/bad"
refused "of another layout" "$T/bad" "does not understand this hark-init"
printf '#!/bin/sh\nkill -SEGV $$\n' >"$T/bad"
refused "a program that faults" "$T/bad" "self-test did not end well"
rolled_back
same_loader reload >"$T/by.reload"
same_loader reexec >"$T/by.reexec"
is "a replaced manager reads unit files as a reload does" "" "" "$(diff "$T/by.reload" "$T/by.reexec")"
ok_if "and that was all of it: drop-in, mistake" "" grep -qx 'Description=after' "$T/by.reexec"
ok_if "with file and line" "" grep -q '^odd.service:3:' "$T/by.reexec"
init_replaced
init_refused "of another layout" /bin/false "cannot read the table"
head -c 5000 "$T/good-init" >"$T/bad"
init_refused "cut off" "$T/bad" "self-test did not end well\|cannot be executed"
"$T/good-init" --layout
printf '#!/bin/sh\nexit %s\n' $? >"$T/bad"
init_refused "a script that knows the layout" "$T/bad" "Exec format error"
init_refused "that hangs in its first turn" "$NS_BIN/stuck" "self-test did not end well"
ok_if "hark-init, that hangs in its first turn: nothing of it is left" "" wait_for '! pgrep -f -- --try-init'
under_load
under_load --init
is "hark-init is the same process" "" "hark-init was replaced (life $((TIMES + 3)), process $INIT_PID)" "$(ctl reexec --init)"
finish
