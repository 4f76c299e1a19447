#!/bin/bash
# SPDX-License-Identifier: MIT
# What an administrator asks for on the first day: the lines of a service, its timers, a change with an editor, a command run as a
# service, patterns and process numbers in place of names, words completed by the shell.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

has() { grep -qF -- "$1" <<<"$2"; }

units() {
	local name
	for name in one two; do
		unit $name.service <<-X
			[Unit]
			DefaultDependencies=no
			[Service]
			ExecStart=/bin/sh -c 'echo $name begins; sleep 0.6; echo $name goes on; printf "and on"; sleep 100'
		X
	done
	unit one.timer <<-X
		[Unit]
		DefaultDependencies=no
		[Timer]
		OnActiveSec=1h
	X
	unit two.timer <<-X
		[Unit]
		DefaultDependencies=no
		[Timer]
		OnActiveSec=2h
	X
	unit one.path <<-X
		[Unit]
		DefaultDependencies=no
		[Path]
		PathExists=/nonexistent/file
	X
}

logs() {
	local out
	ctl start one.service two.service >/dev/null
	out=$(timeout 1.2 "$BIN/harkctl" logs -n 1 -f --value one.service)
	is "logs -f goes on with what is written" "" "one begins|one goes on" "$(paste -sd'|' <<<"$out")"
	out=$(ctl logs --value one.service)
	is "logs has the line that has not ended" "" "one begins|one goes on|and on" "$(paste -sd'|' <<<"$out")"
	out=$(ctl logs one.service two.service)
	if [ "$(head -2 <<<"$out" | grep -c begins)" = 2 ] && has two.service "$out"; then
		ok "logs of two units are in one order"
	else
		not_ok "logs of two units are in one order" "$(paste -sd'|' <<<"$out")"
	fi
	is "logs -n" "" 2 "$(ctl logs -n 2 one.service two.service | wc -l)"
	ctl logs nosuch.service >/dev/null 2>&1
	is "logs of no unit" "" 4 $?
}

lists() {
	local out
	ctl start one.timer two.timer one.path >/dev/null
	out=$(ctl timers | sed -n 's/.* \([a-z]*\.timer\) .*/\1/p' | paste -sd' ')
	is "timers, the next first" "" "one.timer two.timer" "$out"
	is "list-timers is the same" "" "one.timer two.timer" "$(ctl list-timers -o json |
		python3 -c 'import json,sys; print(*[r["unit"] for r in json.load(sys.stdin)])')"
	has "next  " "$(ctl status one.timer)" && ok "status tells when a timer elapses" ||
		not_ok "status tells when a timer elapses" "$(ctl status one.timer)"
	has "PathExists=/nonexistent/file" "$(ctl status one.path)" && ok "status tells what a path unit watches" ||
		not_ok "status tells what a path unit watches" "$(ctl status one.path)"
	is "list-paths lists paths only" "" "one.path" "$(ctl list-paths | awk 'NR > 1 { print $3 }')"
	is "is-system-running" "" "running 0" "$(ctl is-system-running) $?"
	ctl list -t nosuch >/dev/null 2>&1
	is "a type of unit that there is not" "" 2 $?
	is "-p may be given piece by piece" "" "ActiveState SubState" \
		"$(ctl show one.service -p ActiveState -p SubState | sed 's/=.*//' | paste -sd' ')"
}

patterns() {
	is "a pattern stands for units" "" "active active" "$(ctl is-active 'o?e.service' 't*o.service' | paste -sd' ')"
	has one.service "$(ctl status "$(main_of one.service)" | head -1)" && ok "status of a process" ||
		not_ok "status of a process" "$(ctl status "$(main_of one.service)" 2>&1 | head -1)"
	ctl stop 'nosuch*' >/dev/null 2>&1
	is "a pattern that nothing matches" "" 5 $?
	ctl stop '*.timer' >/dev/null
	is "stop of a pattern" "" "inactive inactive" "$(ctl is-active one.timer two.timer | paste -sd' ')"
	ctl isolate 'o*' >/dev/null 2>&1
	is "one unit where a pattern means several" "" 2 $?
}

run() {
	local out rc
	# shellcheck disable=SC2016
	out=$(ctl run --wait -u made -p Nice=5 sh -c 'printf "%s\n" "50% $0"; nice; exit 7' 'a "b" \$c' 2>/dev/null)
	rc=$?
	is "run --wait shows the output and ends like the command" "" '50% a "b" \$c|5 7' "$(paste -sd'|' <<<"$out") $rc"
	ctl run --wait sh -c 'kill -KILL $$' 2>/dev/null
	is "run --wait of one that is killed" "" 137 $?
	ctl run --wait sh -c 'exit 0'
	is "run --wait of one that ends well" "" 0 $?
	ctl run -u stays sleep 100 >/dev/null
	is "run is a unit like others" "" "active" "$(active stays.service)"
	out=$(ctl run -p Foo=1 true)
	has 'unknown directive "Foo"' "$out" && ok "run tells of a directive that there is not" ||
		not_ok "run tells of a directive that there is not" "$out"
	out=$(ctl run sh -c 'sleep 0.02; exit 3')
	is "run tells of one that dies at once" "" "1 died" "$? $(grep -o -m1 died <<<"$out")"
}

edit() {
	local out rc
	printf '#!/bin/sh\ncp "$1" %s; cp %s "$1"\n' "$T/shown" "$T/wanted" >"$T/editor"
	chmod +x "$T/editor"
	export EDITOR=$T/editor SUDO_EDITOR= VISUAL=
	printf '[Service]\nNice=3\n' >"$T/wanted"
	ctl edit one >/dev/null
	is "edit makes a drop-in" "" "3 [Service] Nice=3" "$(prop one.service Nice) $(paste -sd' ' "$UNITS/one.service.d/override.conf")"
	has "# ExecStart=/bin/sh" "$(cat "$T/shown")" && ok "edit shows what there is" || not_ok "edit shows what there is"
	printf '[Service]\nNice=x\n' >"$T/wanted"
	out=$(ctl edit one 2>&1)
	rc=$?
	is "edit does not take errors" "" "6 3 1" "$rc $(prop one.service Nice) $(grep -c 'override.conf:2:6' <<<"$out")"
	printf '[Service]\nExecStart=/bin/sleep 9\n' >"$T/wanted"
	ctl edit --full two >/dev/null
	is "edit --full has the whole file" "" "[Service] ExecStart=/bin/sleep 9" "$(paste -sd' ' "$UNITS/two.service")"
	ctl edit nosuch >/dev/null 2>&1
	is "edit of no unit" "" 5 $?
	ctl edit --full --force fresh >/dev/null
	is "edit --full --force begins a file" "" "loaded" "$(prop fresh.service LoadState)"
	EDITOR=/bin/false ctl edit one >/dev/null 2>&1
	is "an editor that fails changes nothing" "" 1 $?
}

# What a start and an enable tell although they succeed.
telling() {
	local out
	unit typo.service <<-X
		[Unit]
		DefaultDependencies=no
		[Service]
		ExecStrat=/bin/true
		ExecStart=/bin/sleep 100
	X
	out=$(ctl start typo.service)
	is "a start tells of lines without effect" "" "0 typo.service:4:1" "$? $(grep -o 'typo.service:4:1' <<<"$out")"
	out=$(ctl enable typo.service 2>&1)
	is "enable tells when there is nothing to link" "" "0 typo.service has no [Install] section" "$? $(grep -o '^harkctl: .*section' <<<"$out" | cut -d' ' -f2-)"
	unit refuses.service <<-X
		[Unit]
		DefaultDependencies=no
		[Service]
		ExecCondition=/bin/false
		ExecStart=/bin/sleep 100
	X
	out=$(ctl start refuses.service)
	is "ExecCondition= that says no is no death" "" "0 skipped " "$? $(grep -o skipped <<<"$out") $(grep -o died <<<"$out")"
	unit again.service <<-X
		[Unit]
		DefaultDependencies=no
		[Service]
		ExecStart=/bin/sh -c 'echo run of \$\$\$\$; printf end; exit 1'
	X
	ctl start again.service >/dev/null
	out=$(ctl start again.service)
	is "a failure shows the lines of this run" "" 1 "$(grep -c 'run of' <<<"$out")"
	is "logs has those of the runs before too" "" "run end run end" "$(ctl logs --value again.service | cut -d' ' -f1 | paste -sd' ')"
}

# complete WORD...: what bash would offer for the last one.
complete_words() {
	PATH=$BIN:$PATH bash -c 'eval "$(harkctl completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _harkctl; echo "${COMPREPLY[*]}"' _ "$@" 2>/dev/null
}

completion() {
	is "verbs are completed" "" "status start stop" "$(complete_words harkctl st)"
	is "units are completed" "" "one.service one.timer one.path" "$(complete_words harkctl -q status one)"
	is "unit files are completed" "" "two.service two.timer" "$(complete_words harkctl enable two | tr ' ' '\n' | sort | paste -sd' ')"
	is "options are completed" "" "--state= --strict --started-by" "$(complete_words harkctl list --st)"
	ctl completion fish >/dev/null 2>&1
	is "a shell without completion" "" 2 $?
}

hark_up main
units
logs
lists
patterns
edit
run
telling
completion
hark_down >/dev/null 2>&1
finish
