#!/bin/bash
# SPDX-License-Identifier: MIT
# What is wrong with a unit is said in the same words by harkctl verify, the manager's log and its answers; a mistake in a
# security-relevant line refuses the unit, another one leaves it running. harkctl verify needs no manager.
# Demands H-15 and H-16; each code's words, in text, JSON and for compilers, are in tests/golden (tests/unit/test_golden.c).
. "$(dirname "$(readlink -f "$0")")/lib.sh"

mkdir -p "$UNITS" "$T/empty"
offline() { HARK_RUN_DIR=$T/none ctl verify --unit-path="$UNITS" "$@"; }

write_units() {
	cat >"$UNITS/lax.service" <<-X
		[Unit]
		DefaultDependencies=no
		[Service]
		Restart=alway
		ExecStart=$PAYLOAD pause
	X
	cat >"$UNITS/strict.service" <<-X
		[Unit]
		DefaultDependencies=no
		[Service]
		ExecStart=$PAYLOAD pause
		User=no one
	X
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause # daemon\n' "$PAYLOAD" >"$UNITS/warned.service"
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" >"$UNITS/clean.service"
}

exits() {
	offline clean.service >"$T/out" 2>&1
	is "verify: nothing to say" "" "0 0 errors, 0 warnings, 0 notes in 1 unit" "$? $(tail -1 "$T/out")"
	offline lax.service >"$T/out" 2>&1
	is "verify: errors" "" 6 $?
	offline warned.service >"$T/out" 2>&1
	is "verify: a warning is no error" "" 0 $?
	offline --strict warned.service >"$T/out" 2>&1
	is "verify --strict: a warning is one" "" 6 $?
	mkfifo "$UNITS/pipe.service"
	is "verify: no file" "" "6 it is a device, a FIFO or a socket" \
		"$(offline pipe.service >"$T/out" 2>&1; echo $? "$(grep -o 'it is a [^;]*' "$T/out")")"
	rm "$UNITS/pipe.service"
	offline missing.service >"$T/out" 2>&1
	is "verify: no such unit" "" 5 $?
	offline -o xml clean.service >"$T/out" 2>&1
	is "verify: no such form" "" 2 $?
	(cd "$UNITS" && HARK_RUN_DIR=$T/none ctl verify --unit-path="$T/empty" lax.service) >"$T/out" 2>&1
	is "verify: a file of the present directory" "" "6 1" "$? $(grep -c 'lax.service:4:9$' "$T/out")"
	(cd / && HARK_RUN_DIR=$T/none ctl verify --root="$T" --unit-path=/main/units /main/units/lax.service) >"$T/out" 2>&1
	is "verify --root: a path below it" "" 6 $?
	mkdir -p "$T/other/lax.service.d"
	printf '[Service]\nNice=high\n' >"$T/other/lax.service.d/1.conf"
	offline -o gcc "$T/other/lax.service.d/1.conf" >"$T/out" 2>&1
	is "verify: a drop-in with its unit" "" "6 1 1" "$? $(grep -c '1.conf:2:6: error' "$T/out") $(grep -c U014 "$T/out")"
	offline "$UNITS/lax.service" "$T/other/lax.service" >"$T/out" 2>&1
	is "verify: two files of one name" "" 2 $?
	offline -o gcc >"$T/all" 2>&1
	offline -o gcc >"$T/again" 2>&1
	ok_if "verify: all units, the same words each time" "" cmp "$T/all" "$T/again"
	ctl help u014 >"$T/out" 2>&1
	is "help: a code" "" "0 1" "$? $(grep -c '^U014: ' "$T/out")"
	ctl help U999 >"$T/out" 2>&1
	is "help: no such code" "" 2 $?
}

canonical() {
	mkdir -p "$UNITS/lax.service.d"
	printf '[Service]\nRestart=no\nNice=5\n' >"$UNITS/lax.service.d/1.conf"
	HARK_RUN_DIR=$T/none ctl cat --canonical --unit-path="$UNITS" lax.service >"$T/out" 2>&1
	is "cat --canonical: merged, without lines that have no effect" "" "0 1 1 0" \
		"$? $(grep -c '^Nice=5$' "$T/out") $(grep -c '^Restart=no$' "$T/out") $(grep -c alway "$T/out")"
	HARK_RUN_DIR=$T/none ctl cat --canonical --unit-path="$UNITS" strict.service >"$T/out" 2>&1
	is "cat --canonical: a refused unit" "" 6 $?
	HARK_RUN_DIR=$T/none ctl cat --canonical --unit-path="$UNITS" missing.service >"$T/out" 2>&1
	is "cat --canonical: no such unit" "" 5 $?
	rm -r "$UNITS/lax.service.d"
}

# The one line of a finding, without file and severity.
words_of() { sed -n "s/.*: error: \(.*\) \[$2\]$/\1/p" "$1" | head -1; }

manager_says_the_same() {
	local words
	hark_up main || finish
	ctl start lax.service >/dev/null 2>&1
	is "a mistake in another line: the unit runs" "" active "$(active lax.service)"
	words=$(words_of "$T/all" U014)
	ok_if "the log says what verify says" "" in_log "$UNITS/lax.service:4:9: error[U014]: $words"
	ctl status lax.service >"$T/out" 2>&1
	is "status says it, with the line" "" "1 1" \
		"$(grep -cF 'error[U014]: "alway" is not a restart policy' "$T/out") $(grep -cF '4 | Restart=alway' "$T/out")"
	ctl start strict.service >"$T/out" 2>&1
	is "a mistake in User=: the unit is refused" "" "failed=6 inactive bad-setting" \
		"failed=$? $(active strict.service) $(prop strict.service LoadState)"
	is "start says why, with the place" "" 1 "$(grep -cF "$UNITS/strict.service:5:6" "$T/out")"
	ok_if "the log says why" "" in_log "strict.service:5:6: error[U022]: $(words_of "$T/all" U022)"
	mkdir -p "$UNITS/clean.service.d/folder.conf"
	ln -s /nonexistent "$UNITS/clean.service.d/nowhere.conf"
	ctl daemon-reload >/dev/null 2>&1
	ctl start clean.service >"$T/out" 2>&1
	is "a drop-in that leads nowhere costs no unit" "" "0 active" "$? $(active clean.service)"
	ok_if "but is told of" "" in_log "clean.service.d/nowhere.conf: error[U037]"
	hark_down
}

write_units
exits
canonical
manager_says_the_same
finish
