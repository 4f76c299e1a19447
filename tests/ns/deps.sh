#!/bin/bash
# SPDX-License-Identifier: MIT
# Dependencies, jobs and unit files through the real manager: what starts, stops and follows what, and what is said about it.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# A folder that is not called "units": what goes from there is not stopped.
FILES=$T/deps/files
mkdir -p "$FILES" "$T/deps/units"
HARK_TEST_UNIT_PATH=$T/deps/units:$FILES
hark_up deps || finish

# service NAME [UNIT LINES...] [-- SERVICE LINES...]: runs for ever unless it says otherwise; the file is written only.
service() {
	local name=$1 runs="ExecStart=$PAYLOAD pause"
	shift
	{
		printf '[Unit]\nDefaultDependencies=no\n'
		while [ $# -gt 0 ] && [ "$1" != -- ]; do echo "$1" && shift; done
		[ "$1" = -- ] && shift && runs=
		printf '[Service]\n'
		[ -n "$runs" ] && echo "$runs"
		[ $# -gt 0 ] && printf '%s\n' "$@"
	} >"$UNITS/$name.service"
}
target() {
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n' && printf '%s\n' "$@"; } >"$UNITS/$name.target"
}
scan() { ctl daemon-reload >/dev/null 2>&1; }
q() { ctl "$@" >"$T/out" 2>&1; }
states() { for u; do active "$u.service"; done | paste -sd' '; }

requirements() {
	service r1 Requires=r2.service After=r2.service
	service r2
	service w1 "Wants=w2.service nonexistent.service"
	service w2 -- "ExecStart=$PAYLOAD exit 1"
	scan
	q start r1.service
	is "Requires= pulls in" "A8 D44 E16 E21" "active active" "$(states r1 r2)"
	q stop r2.service
	is "and its stop stops" "A8" "inactive inactive" "$(states r1 r2)"
	q start r2.service
	is "starting what is needed starts no one else" "D43" "inactive active" "$(states r1 r2)"
	q stop r2.service
	q start w1.service
	is "Wants= does not mind failures and missing units" "A8 E21" "0 active" "$? $(active w1.service)"
	service f1 Requires=f2.service After=f2.service
	service f2 -- Type=oneshot "ExecStart=$PAYLOAD exit 1"
	scan
	q start f1.service
	is "Requires= of what fails: not started" "A8 E21" "1 inactive failed" "$? $(states f1 f2)"
	ok_if "and the culprit is named" "A8" grep -q f2.service "$T/out"
	is "no retry loop, one try" "E16" 1 "$(ctl ledger -n 500 -o json | python3 -c '
import json,sys
r = json.load(sys.stdin)
n = json.dumps(r).count("process")
print(1 if "f2.service" in json.dumps(r) else 0)')"
	service q1 Requisite=q2.service After=q2.service
	service q2
	scan
	q start q1.service
	is "Requisite= starts nothing" "A8" "1 inactive inactive" "$? $(states q1 q2)"
	q start q2.service && q start q1.service
	is "but is content with what runs" "A8" "active active" "$(states q1 q2)"
	service q3 Requisite=q4.service
	service q4
	scan
	q start q3.service
	is "Requisite= without an order, too" "A8" "1 inactive inactive" "$? $(states q3 q4)"
	q start q4.service && q start q3.service
	is "... is content with what runs" "A8" "active active" "$(states q3 q4)"
	service b1 BindsTo=b2.service After=b2.service
	service b2
	scan
	q start b1.service
	kill -TERM "$(main_of b2.service)"
	wait_active b1.service inactive
	is "BindsTo= follows an end by itself" "A8" "inactive inactive" "$(states b1 b2)"
	service p1 PartOf=p2.service
	service p2
	scan
	q start p1.service p2.service
	local before
	before=$(main_of p1.service)
	q restart p2.service
	is "PartOf= follows a restart" "A8" "active yes" "$(active p1.service) $([ "$before" != "$(main_of p1.service)" ] && echo yes)"
	q stop p2.service
	is "PartOf= follows a stop" "A8" "inactive inactive" "$(states p1 p2)"
	q start p1.service
	is "PartOf= does not start" "A8" "active inactive" "$(states p1 p2)"
	service u1 Upholds=u2.service
	service u2
	scan
	q start u1.service
	ok_if "Upholds= starts" "A8" wait_active u2.service active
	kill -TERM "$(main_of u2.service)"
	sleep 0.05
	ok_if "and starts again" "A8" wait_active u2.service active
	service c1 Conflicts=c2.service
	service c2
	scan
	q start c2.service && q start c1.service
	is "Conflicts= stops the other" "A8 D54" "active inactive" "$(states c1 c2)"
	q start c2.service
	is "both ways" "A8 D54" "inactive active" "$(states c1 c2)"
	service s1 PropagatesStopTo=s2.service
	service s2
	scan
	q start s1.service s2.service && q stop s1.service
	is "PropagatesStopTo=" "A8" "inactive inactive" "$(states s1 s2)"
	service l1 PropagatesReloadTo=l2.service -- "ExecStart=$PAYLOAD pause" "ExecReload=$PAYLOAD log $T/reloaded 1"
	service l2 -- "ExecStart=$PAYLOAD pause" "ExecReload=$PAYLOAD log $T/reloaded 2"
	scan
	q start l1.service l2.service && q reload l1.service
	wait_for "[ \$(wc -l <$T/reloaded) = 2 ]"
	is "PropagatesReloadTo=" "" "1 2" "$(sort "$T/reloaded" | paste -sd' ')"
	service n1 Wants=n2.service
	service n2 StopWhenUnneeded=yes
	scan
	q start n1.service && q stop n1.service
	ok_if "StopWhenUnneeded=" "" wait_active n2.service inactive
}

# Four strengths of dependency, each with a provider that starts, fails to start, is stopped later, or fails later. What is ordered after its
# provider says when it starts; DONE is written by a provider that fails.
strengths() {
	local kind how provider all=() said
	# It fails once who wants it runs.
	printf 'for i in $(seq 300); do grep -q Wants-badly %s && break; sleep 0.1; done\necho $1 >>%s\nexit 1\n' "$T/strengths" "$T/strengths" >"$T/badly"
	for kind in BindsTo Requires waits Wants; do
		for how in well badly stopped dying; do
			provider=p-$kind-$how.service
			case $kind in
			waits) service "s-$kind-$how" "Wants=$provider" "After=$provider" -- "ExecStart=$PAYLOAD log $T/strengths $kind-$how pause" ;;
			Wants) service "s-$kind-$how" "Wants=$provider" -- "ExecStart=$PAYLOAD log $T/strengths $kind-$how pause" ;;
			*) service "s-$kind-$how" "$kind=$provider" "After=$provider" -- "ExecStart=$PAYLOAD log $T/strengths $kind-$how pause" ;;
			esac
			if [ $how = badly ]; then
				service "${provider%.service}" -- Type=oneshot "ExecStart=/bin/sh $T/badly $kind-DONE"
			else
				service "${provider%.service}"
			fi
			all+=("s-$kind-$how")
		done
	done
	scan
	q start "${all[@]}"
	wait_for '[ -z "$(ctl jobs | grep " start ")" ]'
	is "started well: all run" "B40" "active active active active" "$(states s-{BindsTo,Requires,waits,Wants}-well)"
	is "a provider that fails to start: who needs it does not start, who waits or wants does" "B40" "inactive inactive active active" \
		"$(states s-{BindsTo,Requires,waits,Wants}-badly)"
	said=$(grep -nE '^((waits|Wants)-badly|waits-DONE)$' "$T/strengths" | sort -n | cut -d: -f2 | paste -sd' ')
	is "who waits starts when it is known, who wants at once" "B40" "Wants-badly waits-DONE waits-badly" "$said"
	q stop p-{BindsTo,Requires,waits,Wants}-stopped.service
	is "a provider that is stopped takes those along that need it" "B40" "inactive inactive active active" \
		"$(states s-{BindsTo,Requires,waits,Wants}-stopped)"
	for kind in BindsTo Requires waits Wants; do kill -KILL "$(main_of p-$kind-dying.service)"; done
	ok_if "one that fails later takes along who is bound to it" "B40" wait_active s-BindsTo-dying.service inactive
	wait_for '[ "$(states p-{BindsTo,Requires,waits,Wants}-dying)" = "failed failed failed failed" ]'
	is "... and nobody else" "B40" "active active active" "$(states s-{Requires,waits,Wants}-dying)"
	q stop "${all[@]}"
}

order() {
	local i
	for i in a b c d; do
		service "o$i" -- Type=oneshot RemainAfterExit=yes "ExecStart=$PAYLOAD log $T/order $i sleep 50" "ExecStop=$PAYLOAD log $T/order $i-"
	done
	printf '[Unit]\nAfter=ob.service\n' >"$T/after"
	mkdir -p "$UNITS"/o{a,b,c}.service.d
	printf '[Unit]\nAfter=ob.service\n' >"$UNITS/oa.service.d/x.conf"
	printf '[Unit]\nAfter=oc.service\n' >"$UNITS/ob.service.d/x.conf"
	printf '[Unit]\nBefore=od.service\n' >"$UNITS/oa.service.d/y.conf"
	target o "Requires=oa.service ob.service oc.service od.service" "After=oa.service ob.service oc.service od.service"
	scan
	q start o.target
	is "After= and Before= order the start" "E20 E21" "c b a d" "$(paste -sd' ' "$T/order")"
	q stop oa.service ob.service oc.service od.service
	is "and the stop the other way round" "E20" "d- a- b- c-" "$(tail -4 "$T/order" | paste -sd' ')"
	for i in 1 2 3 4 5 6; do
		service "par$i" -- Type=oneshot "ExecStart=$PAYLOAD sleep 300"
	done
	target par "Wants=$(echo par{1..6}.service)" "After=$(echo par{1..6}.service)"
	scan
	start_clock
	q start par.target
	stop_clock
	between "what is not ordered starts at the same time" "E20" 290 900 $TOOK $STALLED
	service d1 Requires=d2.service Requires=d3.service
	service d2 Requires=d4.service Wants=d3.service
	service d3 Requires=d4.service
	service d4 -- "ExecStart=$PAYLOAD log $T/diamond x pause"
	scan
	q start d1.service && q start d2.service d3.service d4.service
	is "a unit starts once however many need it" "B48" 1 "$(wc -l <"$T/diamond")"
}

cycle() {
	service y1 After=y2.service Wants=y2.service
	service y2 After=y3.service Wants=y3.service
	service y3 After=y1.service
	scan
	q start y1.service
	is "an ordering cycle stops nobody" "" "0 active active active" "$? $(states y1 y2 y3)"
	is "it is told with file and line of each edge" "" "3" \
		"$(cat "$T/out" "$HARK_LOG" | grep -oE 'y[123]\.service:3' | sort -u | wc -l)"
}

modes() {
	service m1 -- Type=oneshot "ExecStart=$PAYLOAD sleep 600"
	service m2 Conflicts=m1.service
	scan
	ctl --no-wait start m1.service >/dev/null 2>&1
	q start --job-mode=fail m2.service
	is "mode fail does not replace a job" "" 1 "$([ $? -ne 0 ] && echo 1)"
	q wait m1.service
	service i1 Requires=i2.service
	service i2
	scan
	q start --job-mode=ignore-dependencies i1.service
	is "mode ignore-dependencies" "" "active inactive" "$(states i1 i2)"
	service iso1 AllowIsolate=yes Wants=iso2.service
	service iso2
	service keep IgnoreOnIsolate=yes
	scan
	q start keep.service i2.service
	q isolate iso1.service
	is "isolate of a service" "B38" "0 active active inactive inactive active" "$? $(states iso1 iso2 i1 i2 keep)"
	q isolate i1.service
	is "isolate only of what allows it" "B38" no "$([ $? -eq 0 ] && echo yes || echo no)"
}

boot_survives() {
	service sshd Restart=no
	service other
	target multi "Wants=sshd.service other.service" "After=sshd.service other.service"
	scan
	q start multi.target
	kill -KILL "$(main_of sshd.service)"
	wait_active sshd.service failed
	is "the death of one service leaves the target up" "B39" "failed active active" \
		"$(states sshd other) $(active multi.target)"
}

reasons() {
	service why1 Requires=why2.service
	service why2
	service why3
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%s\n' "$T/why3" >"$UNITS/why3.socket"
	scan
	q start why1.service why3.socket
	python3 -c 'import socket,sys,time; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); time.sleep(.3)' "$T/why3"
	wait_active why3.service active
	local name want got
	while read -r name want; do
		got=$(ctl why "$name" -o json | python3 -c '
import json, sys
def walk(x):
    if isinstance(x, dict):
        if "reason_kind" in x: yield x["reason_kind"]
        for v in x.values(): yield from walk(v)
    if isinstance(x, list):
        for v in x: yield from walk(v)
print(" ".join(walk(json.load(sys.stdin))))')
		is "why $name: exactly one reason" "B34" "$want" "$got"
	done <<-Y
		why1.service explicit
		why2.service dependency-of
		why3.service activated-by
	Y
	ctl why why2.service >"$T/out"
	ok_if "why lists who holds it" "B34" grep -q why1.service "$T/out"
	ctl why-not r2.service >"$T/out"
	is "why-not of what does not run" "B34" yes "$(grep -q 'not running' "$T/out" && echo yes)"
}

files() {
	printf '[Unit]\nDescription=instance %%i of %%p\nDefaultDependencies=no\n[Service]\nExecStart=%s log %s/inst %%i,%%I,%%n pause\n' \
		"$PAYLOAD" "$T" >"$UNITS/tpl@.service"
	scan
	q start tpl@a-b.service 'tpl@x\x20y.service'
	wait_for "[ \$(wc -l <$T/inst) = 2 ]"
	is "templates, instances, specifiers" "D+8" 'a-b,a/b,tpl@a-b.service x\x20y,x y,tpl@x\x20y.service' "$(sort "$T/inst" | paste -sd' ')"
	is "description of an instance" "" "instance a-b of tpl" "$(prop tpl@a-b.service Description)"
	mkdir -p "$UNITS/drop.service.d" "$UNITS/drop.service.wants"
	service drop -- Environment=A=1 "ExecStart=$PAYLOAD exit 1"
	printf '[Service]\nExecStart=\nExecStart=%s report %s/drop pause\nEnvironment=B=2\n' "$PAYLOAD" "$T" >"$UNITS/drop.service.d/10-x.conf"
	printf '[Service]\nEnvironment=A=3\n' >"$UNITS/drop.service.d/20-y.conf"
	ln -s ../r2.service "$UNITS/drop.service.wants/r2.service"
	scan
	q start drop.service
	wait_for "[ -e $T/drop ]"
	is "drop-ins add, reset and replace" "" "env A=3 env B=2" "$(grep -E '^env [AB]=' "$T/drop" | sort | paste -sd' ')"
	is ".wants/ of a unit" "" active "$(active r2.service)"
	ln -s drop.service "$UNITS/alias.service"
	ln -s /dev/null "$UNITS/masked.service"
	scan
	is "an alias is the unit" "" "active drop.service" "$(active alias.service) $(prop alias.service Id)"
	is "... which has both names" "" "alias.service drop.service" "$(prop drop.service Names | tr ' ' '\n' | sort | paste -sd' ')"
	q start masked.service
	is "a masked unit does not start" "" "no masked" "$([ $? -eq 0 ] && echo yes || echo no) $(prop masked.service LoadState)"
	ok_if "and says so" "" grep -q masked "$T/out"
	q start nosuch.service
	is "neither does one without a file" "" 5 $?
	service cond ConditionPathExists=/nonexistent -- "ExecStart=$PAYLOAD log $T/cond x"
	service assert AssertPathExists=/nonexistent
	scan
	q start cond.service
	is "a condition skips without failing" "" "0 inactive" "$? $(active cond.service)"
	q start assert.service
	is "an assertion fails" "" "1 inactive" "$? $(active assert.service)"
	ctl why cond.service >"$T/out"
	ok_if "why names the condition and its line" "" grep -q 'cond.service:3' "$T/out"
}

bad_files() {
	service badkey -- "ExecStart=$PAYLOAD pause" Frobnicate=yes
	service badvalue -- "ExecStart=$PAYLOAD pause" TimeoutStopSec=soon
	service badexec -- ExecStart=relative/path
	service noexec -- Type=simple
	service badsec -- "ExecStart=$PAYLOAD pause" NoNewPrivileges=perhaps
	printf 'Before=x\n[Unit\nDescription\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" >"$UNITS/garbled.service"
	head -c 3000 /dev/urandom >"$UNITS/noise.service"
	scan
	q start badkey.service
	is "an unknown directive: it starts" "" "0 active" "$? $(active badkey.service)"
	is "and is told with file:line" "" yes "$(cat "$T/out" "$HARK_LOG" | grep 'badkey.service:5' | grep -q Frobnicate && echo yes)"
	q start badvalue.service
	is "a bad value: it starts with the default" "" "0 active" "$? $(active badvalue.service)"
	is "and is told with file:line" "" yes "$(cat "$T/out" "$HARK_LOG" | grep -q 'badvalue.service:5' && echo yes)"
	q start badexec.service
	is "a bad command refuses the unit" "" "no inactive" "$([ $? -eq 0 ] && echo yes || echo no) $(active badexec.service)"
	is "and is told with file:line" "" yes "$(grep -q 'badexec.service:4' "$T/out" && echo yes)"
	q start noexec.service
	is "a service without ExecStart= is refused" "" no "$([ $? -eq 0 ] && echo yes || echo no)"
	q start badsec.service
	is "a bad value of a security directive refuses the unit" "" "no yes" \
		"$([ $? -eq 0 ] && echo yes || echo no) $(grep -q 'badsec.service:5' "$T/out" && echo yes)"
	q start garbled.service noise.service
	q start r1.service
	is "others start" "" "0 active" "$? $(active r1.service)"
	ok_if "the manager is the same" "" test -n "$(manager_pid)"
	is "and has not been replaced" "" 1 "$(ctl show -p ManagerGenerations --value)"
}

# What is no file, leads nowhere or in a circle, has no end or is larger than anything sensible. The manager reads none of it, and nobody waits.
nasty_files() {
	local refused="fifo socket folder zero circle ring kind piped full garbage" unit
	mkfifo "$UNITS/fifo.service"
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$UNITS/socket.service"
	mkdir -p "$UNITS/folder.service" "$UNITS/piped.service.d" "$UNITS/full.service.d" "$UNITS/r1.service.wants"
	ln -s /dev/zero "$UNITS/zero.service"
	ln -s circle.service "$UNITS/circle.service"
	ln -s ring2.service "$UNITS/ring.service" && ln -s ring.service "$UNITS/ring2.service"
	ln -s r1.target "$UNITS/kind.service" && printf '[Unit]\n' >"$UNITS/r1.target"
	service piped
	mkfifo "$UNITS/piped.service.d/x.conf"
	service full
	ln -s /dev/full "$UNITS/full.service.d/x.conf"
	head -c 5000000 /dev/zero >"$UNITS/garbage.service"
	ln -s . "$UNITS/self.service.d" && ln -s self.service.wants "$UNITS/self.service.wants"
	service self
	service long "Description=$(head -c 500000 /dev/zero | tr '\0' x)"
	for unit in $refused; do ln -s ../$unit.service "$UNITS/r1.service.wants/"; done
	scan
	is "what cannot be a unit is not started" "" "" "$(for unit in $refused; do q start $unit.service && echo $unit; done)"
	is "each is told of" "" "" "$(for unit in $refused; do grep -q "$unit" "$HARK_LOG" "$T/out" || echo "$unit"; done)"
	q restart r1.service self.service long.service
	is "others start, and who wants them" "" "0 active active active" "$? $(states r1 self long)"
	ok_if "one with half a megabyte to say about itself breaks no list" "" q list
	is "and the manager is the same" "" 1 "$(ctl show -p ManagerGenerations --value)"
}

removed_files() {
	service gone
	mv "$UNITS/gone.service" "$FILES/"
	scan
	q start gone.service
	rm "$FILES/gone.service"
	scan
	is "a running unit without its file goes on" "" active "$(active gone.service)"
	ctl list >"$T/out"
	ok_if "and is listed" "" grep -q gone.service "$T/out"
	q stop gone.service
	is "and can be stopped" "" "0 inactive" "$? $(active gone.service)"
}

for test in requirements strengths order cycle modes boot_survives reasons files bad_files removed_files nasty_files; do
	$test
done
hark_down
is "SIGTERM stops all and ends with 0" "" 0 $?
finish
