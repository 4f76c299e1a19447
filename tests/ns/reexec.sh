#!/bin/bash
# SPDX-License-Identifier: MIT
# harkctl reexec: the manager is replaced by the program on disk, over the same path as a crash. What fails its self-test is not taken.
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
# disk PROGRAM: it is what lies on disk from now on. A running program cannot be written to.
disk() {
	cp "$1" "$T/bin/new"
	mv "$T/bin/new" "$T/bin/harkd"
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
	ok_if "reexec: a start that was under way goes on" "" wait_for '[ "$(sub slow.service)" = exited ]' 5
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
	ok_if "and it comes again after a kill" "" wait_for "[ \"\$(stat -Lc %i /proc/\$(manager_pid)/exe)\" = $program ]" 5
	disk "$T/good"
	ok_if "a good one is taken afterwards" "" ctl reexec
}

under_load() {
	local i pids address bad=0
	: >"$T/go"
	for address in "$T/one" "$T/each"; do
		timeout -k 5 300 "$SOCK" ask "$address" 0 8 while "$T/go" >"$T/sum.$(basename "$address")" &
		pids="$pids $!"
	done
	for ((i = 0; i < TIMES; i++)); do
		ctl reexec >/dev/null 2>&1 || bad=$((bad + 1))
	done
	rm "$T/go"
	# shellcheck disable=SC2086
	wait $pids
	cat "$T"/sum.* >"$T/sums"
	note "$TIMES reexecs: served=$(field served "$T/sums") worst_ms=$(sed -n 's/.*worst_ms=//p' "$T/sums" | sort -n | tail -1)"
	is "$TIMES reexecs under load: none fails" "" 0 $bad
	is "$TIMES reexecs under load: no connection is refused or lost" "D+16" "0 0 0 0" \
		"$(field refused "$T/sums") $(field lost "$T/sums") $(field late "$T/sums") $(field wrong "$T/sums")"
	is "$TIMES reexecs under load: the service is the same" "" "$STAY" "$(main_of stay.service)"
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
under_load
finish
