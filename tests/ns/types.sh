#!/bin/bash
# SPDX-License-Identifier: MIT
# The Type= kinds of services, what counts as started, and forking daemons with and without a pid file.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
hark_up types || finish

service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n[Service]\n' && printf '%s\n' "$@"; } | unit "$name.service"
}

simple() {
	service simple "ExecStart=$PAYLOAD pause"
	ok_if "simple: started" "" ctl start simple.service
	is "simple: running" "" running "$(sub simple.service)"
	local pid
	pid=$(main_of simple.service)
	is "every service has a session of its own" "C21" "$pid $pid" "$(ps -o sid=,pgid= -p "$pid" | xargs)"
	ok_if "three lines of unit file do" "" ctl is-active simple.service
	ok_if "simple: stopped" "" ctl stop simple.service
	is "simple: dead" "" inactive "$(active simple.service)"
}

simple_lost() {
	service lost "ExecStart=/nonexistent/program"
	ctl start lost.service >"$T/out" 2>&1
	wait_active lost.service failed
	is "simple: a missing program fails" "" "failed exit-code 203" \
		"$(active lost.service) $(prop lost.service Result) $(prop lost.service ExecMainStatus)"
}

exec_type() {
	service execs Type=exec "ExecStart=$PAYLOAD pause"
	ok_if "exec: started" "" ctl start execs.service
	service execlost Type=exec "ExecStart=/nonexistent/program"
	ctl start execlost.service >"$T/out" 2>&1
	is "exec: the start itself fails" "" "1 failed" "$? $(active execlost.service)"
	grep -q 'execlost.service:5' "$T/out" && grep -q '/nonexistent/program' "$T/out"
	is "a failed start names file, line and program" "" 0 $?
}

oneshot() {
	service once Type=oneshot "ExecStart=$PAYLOAD log $T/once a" "ExecStart=-/bin/false" "ExecStart=$PAYLOAD log $T/once b"
	ok_if "oneshot: start waits for its end" "E15 E21" ctl start once.service
	is "oneshot: all commands ran in order" "E15" "a b" "$(paste -sd' ' "$T/once")"
	wait_active once.service inactive
	is "oneshot: at rest" "" inactive "$(active once.service)"
	service stays Type=oneshot RemainAfterExit=yes "ExecStart=$PAYLOAD log $T/stays up" "ExecStop=$PAYLOAD log $T/stays down"
	ctl start stays.service
	is "oneshot: RemainAfterExit= keeps it active without a process" "A6" "active exited" "$(active stays.service) $(sub stays.service)"
	ctl start stays.service
	ctl stop stays.service
	is "oneshot: started once, stopped once" "" "up down" "$(paste -sd' ' "$T/stays")"
	service fails Type=oneshot "ExecStart=$PAYLOAD exit 3" "ExecStart=$PAYLOAD log $T/never x"
	ctl start fails.service >/dev/null 2>&1
	is "oneshot: a failing command ends it" "" "1 failed 3" "$? $(active fails.service) $(prop fails.service ExecMainStatus)"
	is "oneshot: the rest does not run" "" no "$([ -e "$T/never" ] && echo yes || echo no)"
}

notify_type() {
	service ready Type=notify "ExecStart=$PAYLOAD sleep 200 notify READY=1\\\\nSTATUS=well pause"
	local began took
	began=$(now_ms)
	ok_if "notify: started" "" ctl start ready.service
	took=$(($(now_ms) - began))
	is "notify: the start waits for READY=1" "" yes "$([ $took -ge 190 ] && echo yes || echo "$took ms")"
	is "notify: STATUS= is kept" "" well "$(prop ready.service StatusText)"
	service mute Type=notify TimeoutStartSec=300ms "ExecStart=$PAYLOAD pause"
	ctl start mute.service >/dev/null 2>&1
	is "notify: no READY=1 within TimeoutStartSec=" "B15" "1 failed timeout" "$? $(active mute.service) $(prop mute.service Result)"
	service early Type=notify "ExecStart=$PAYLOAD exit 0"
	ctl start early.service >/dev/null 2>&1
	is "notify: gone before it was ready" "" "1 failed protocol" "$? $(active early.service) $(prop early.service Result)"
}

start_timeouts() {
	# its end is told by the signal it got; TERM alone would not end this one
	local mode late=""
	for mode in terminate abort kill; do
		service overdue Type=notify TimeoutStartSec=800ms TimeoutStopSec=200ms TimeoutStartFailureMode=$mode LimitCORE=0 "ExecStart=$PAYLOAD ignore TERM pause"
		ctl daemon-reload >/dev/null
		ctl start overdue.service >/dev/null
		late="$late $(prop overdue.service Result) $(prop overdue.service ExecMainStatus)"
	done
	is "TimeoutStartFailureMode=: asked and then killed, aborted, killed" "B15" " timeout 9 timeout 6 timeout 9" "$late"
	late=""
	for mode in abort kill; do
		service overdue Type=notify TimeoutStopSec=200ms TimeoutStopFailureMode=$mode LimitCORE=0 "ExecStart=$PAYLOAD ignore TERM notify READY=1 pause"
		ctl daemon-reload >/dev/null
		ctl start overdue.service >/dev/null
		ctl stop overdue.service >/dev/null
		late="$late $(prop overdue.service Result) $(prop overdue.service ExecMainStatus)"
	done
	is "TimeoutStopFailureMode=: aborted, killed" "B15" " timeout 6 timeout 9" "$late"
	service overduepre TimeoutStartSec=800ms TimeoutStartFailureMode=abort TimeoutAbortSec=3 "ExecStartPre=$PAYLOAD catch ABRT $T/late pause" "ExecStart=$PAYLOAD pause"
	ctl daemon-reload >/dev/null
	ctl start overduepre.service >/dev/null
	is "abort is for a command before the start, too" "" "failed timeout" "$(active overduepre.service) $(prop overduepre.service Result)"
	ok_if "... which got the signal" "" test -e "$T/late"
	service slowonce Type=oneshot TimeoutStartSec=300ms "ExecStart=$PAYLOAD pause"
	ctl start slowonce.service >/dev/null 2>&1
	is "TimeoutStartSec= of a oneshot" "B15" "failed timeout" "$(active slowonce.service) $(prop slowonce.service Result)"
	service slowpre TimeoutStartSec=300ms "ExecStartPre=$PAYLOAD pause" "ExecStart=$PAYLOAD pause"
	ctl start slowpre.service >/dev/null 2>&1
	is "TimeoutStartSec= of ExecStartPre=" "B15" "failed timeout" "$(active slowpre.service) $(prop slowpre.service Result)"
	service slowfork Type=forking TimeoutStartSec=300ms "ExecStart=$PAYLOAD pause"
	ctl start slowfork.service >/dev/null 2>&1
	is "TimeoutStartSec= of a forking service" "B15" "failed timeout" "$(active slowfork.service) $(prop slowfork.service Result)"
}

idle_and_dbus() {
	service idles Type=idle "ExecStart=$PAYLOAD pause"
	ok_if "idle: started" "" ctl start idles.service
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%s\n' "$T/bus" | unit dbus.socket
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" | unit dbus.service
	service bus Type=dbus BusName=org.example.X "ExecStart=$PAYLOAD pause"
	ok_if "dbus: counts as started at its exec" "" ctl start bus.service
	ctl status bus.service >"$T/out"
	ok_if "dbus: status says so" "" grep -qi 'bus name' "$T/out"
}

forking() {
	service forks Type=forking "ExecStart=$PAYLOAD daemon pause"
	ok_if "forking: started" "" ctl start forks.service
	local pid
	pid=$(main_of forks.service)
	is "forking: the main process is guessed" "E32 A11" "$(pids_of forks.service)" "$pid"
	kill -KILL "$pid"
	wait_active forks.service failed
	is "forking: its end is noticed though it is no child" "A11 E32" "failed signal" \
		"$(active forks.service) $(prop forks.service Result)"

	service forks2 Type=forking GuessMainPID=no "ExecStart=$PAYLOAD daemon child pause"
	ctl start forks2.service
	is "forking: without a main process it is running" "E32" running "$(sub forks2.service)"
	wait_for '[ $(pids_of forks2.service | wc -w) = 2 ]' # the child comes a moment after its parent
	kill -KILL $(pids_of forks2.service)
	wait_active forks2.service inactive
	is "forking: an empty cgroup is its end" "E32" inactive "$(active forks2.service)"

	service forkfail Type=forking "ExecStart=$PAYLOAD exit 4"
	ctl start forkfail.service >/dev/null 2>&1
	is "forking: a failing starter fails it" "" "1 failed exit-code" "$? $(active forkfail.service) $(prop forkfail.service Result)"
}

# ExitType=cgroup: the service lives as long as any of its processes, and ends as its main one did.
exit_type() {
	service group ExitType=cgroup "ExecStart=$PAYLOAD child exit 0"
	ok_if "ExitType=cgroup: started" "" ctl start group.service
	ok_if "its main process ends, it goes on" "" wait_for "[ \"\$(sub group.service) \$(main_of group.service) \$(pids_of group.service | wc -l)\" = 'running 0 1' ]"
	is "with what is left" "" 1 "$(pids_of group.service | wc -l)"
	kill -KILL "$(manager_pid)"
	sleep 0.3
	is "also under a new manager" "" running "$(sub group.service)"
	kill -KILL $(pids_of group.service)
	ok_if "the last one is its end" "" wait_active group.service inactive
	service group2 ExitType=cgroup "ExecStart=$PAYLOAD child exit 3"
	ctl start group2.service
	ok_if "a main process that failed" "" wait_for "[ \"\$(main_of group2.service)\" = 0 ]"
	is "is remembered" "" running "$(sub group2.service)"
	kill -KILL $(pids_of group2.service)
	wait_active group2.service failed
	is "until the end" "" "failed exit-code" "$(active group2.service) $(prop group2.service Result)"
	service group3 ExitType=cgroup "ExecStart=$PAYLOAD child pause"
	ctl start group3.service
	ok_if "stop ends all" "" ctl stop group3.service
	is "and leaves nobody" "" "inactive " "$(active group3.service) $(pids_of group3.service)"
	service group4 ExitType=cgroup Restart=on-failure "ExecStart=$PAYLOAD sleep 100 exit 3"
	ctl start group4.service
	ok_if "alone in its cgroup it ends with its main process" "" wait_for "[ \"\$(prop group4.service NRestarts)\" -ge 2 ]"
	ctl stop group4.service
}

pid_files() {
	service late Type=forking "PIDFile=$T/late.pid" "ExecStart=$PAYLOAD daemon pidfile $T/late.pid 300 pause"
	ok_if "PIDFile= written late" "E31" ctl start late.service
	is "PIDFile= gives the main process" "E31" "$(cat "$T/late.pid")" "$(main_of late.service)"
	ctl stop late.service
	is "and goes with it" "" no "$([ -e "$T/late.pid" ] && echo yes || echo no)"
	service nobody Type=forking "PIDFile=$T/nobody.pid" "ExecStart=/bin/true"
	ctl start nobody.service >/dev/null 2>&1
	is "when nobody is left to write it the start has failed" "" "1 protocol" "$? $(prop nobody.service Result)"

	# a number from an earlier life: of a process that is not ours
	echo $$ >"$T/stale.pid"
	service heir Type=forking "PIDFile=$T/heir.pid" "ExecStart=$PAYLOAD daemon pidfile $T/heir.pid 0 pause" \
		"ExecReload=/bin/sh -c '(sleep 1000 & echo \$\$! >$T/heir.pid); kill -9 \$MAINPID; sleep 0.2'"
	ctl start heir.service
	pid=$(main_of heir.service)
	ctl reload heir.service
	ok_if "a main process that left PIDFile= to another has an heir" "" eval "wait_for '[ \"\$(main_of heir.service)\" = \"\$(cat $T/heir.pid)\" ]' && [ $pid != \"\$(main_of heir.service)\" ]"
	kill -9 "$(main_of heir.service)"
	ok_if "and ends with that" "" wait_active heir.service failed

	service stale Type=forking "PIDFile=$T/stale.pid" "ExecStart=$PAYLOAD daemon sleep 300 pidfile $T/stale.pid 0 pause"
	ok_if "a stale PIDFile= is waited over" "E31" ctl start stale.service
	is "a stale PIDFile= is not believed" "E31" "$(cat "$T/stale.pid")" "$(main_of stale.service)"

	service wrong Type=forking TimeoutStartSec=400ms "PIDFile=$T/wrong.pid" "ExecStart=$PAYLOAD pid $T/wrong.pid $$ daemon pause"
	ctl start wrong.service >/dev/null 2>&1
	is "a PIDFile= naming a process of others is refused" "E31" "1 failed timeout" \
		"$? $(active wrong.service) $(prop wrong.service Result)"
	ok_if "the process it named lives" "E31" alive $$

	# its own process but the file belongs to nobody whom we trust to name processes of others
	# Numbers that are nobody's to name, and what is no file.
	local odd said=
	echo $$ >"$T/linked.pid"
	service odd Type=forking TimeoutStartSec=100ms "PIDFile=$T/odd.pid" "ExecStart=$PAYLOAD daemon pause"
	for odd in 0 1 -1 +5 2147483648 99999999999999999999 0x20 link fifo; do
		rm -f "$T/odd.pid"
		case $odd in
			link) ln -s "$T/linked.pid" "$T/odd.pid" ;;
			fifo) mkfifo "$T/odd.pid" ;;
			*) echo "$odd" >"$T/odd.pid" ;;
		esac
		ctl start odd.service >/dev/null 2>&1
		said+=$(prop odd.service Result):$(prop odd.service MainPID)' '
		ctl reset-failed odd.service
	done
	is "a PIDFile= with a number that nobody may name, or that is no file, is not believed" "" 9 "$(grep -o 'timeout:0 ' <<<"$said" | wc -l)"
	service other Type=forking User=nobody "PIDFile=$T/other.pid" \
		"ExecStart=$PAYLOAD daemon pidfile $T/other.pid 0 pause"
	: >"$T/other.pid" && chmod 666 "$T/other.pid" && chown nobody "$T/other.pid"
	ctl start other.service >/dev/null 2>&1
	is "a PIDFile= of an ordinary user may name its own process" "E31" "$(cat "$T/other.pid")" "$(main_of other.service)"
	service foreign Type=forking TimeoutStartSec=400ms User=nobody "PIDFile=$T/foreign.pid" \
		"ExecStart=$PAYLOAD daemon pid $T/foreign.pid $$ pause"
	: >"$T/foreign.pid" && chmod 666 "$T/foreign.pid" && chown nobody "$T/foreign.pid"
	ctl start foreign.service >/dev/null 2>&1
	is "but none of others" "E31" "1 failed" "$? $(active foreign.service)"
}

order_of_commands() {
	service order Type=oneshot RemainAfterExit=yes \
		"ExecCondition=$PAYLOAD log $T/order condition" "ExecStartPre=$PAYLOAD log $T/order pre1" \
		"ExecStartPre=-/bin/false" "ExecStartPre=$PAYLOAD log $T/order pre2" "ExecStart=$PAYLOAD log $T/order start" \
		"ExecStartPost=$PAYLOAD log $T/order post" "ExecReload=$PAYLOAD log $T/order reload" \
		"ExecStop=$PAYLOAD log $T/order stop" "ExecStopPost=$PAYLOAD log $T/order stoppost"
	ctl start order.service && ctl reload order.service && ctl stop order.service
	is "Exec* run in their order" "" "condition pre1 pre2 start post reload stop stoppost" "$(paste -sd' ' "$T/order")"
	service prefail "ExecStartPre=$PAYLOAD exit 7" "ExecStart=$PAYLOAD log $T/prefail start" \
		"ExecStopPost=$PAYLOAD log $T/prefail stoppost"
	ctl start prefail.service >/dev/null 2>&1
	is "a failing ExecStartPre= ends the start, ExecStopPost= runs" "" "1 stoppost failed" \
		"$? $(paste -sd' ' "$T/prefail") $(active prefail.service)"
	service skipped "ExecCondition=$PAYLOAD exit 1" "ExecStart=$PAYLOAD log $T/skipped start"
	ctl start skipped.service >"$T/out" 2>&1
	ok_if "so harkctl says" "" grep -q 'skipped after' "$T/out"
	is "ExecCondition= exiting 1 skips" "" "inactive exec-condition no" \
		"$(active skipped.service) $(prop skipped.service Result) $([ -e "$T/skipped" ] && echo yes || echo no)"
	service broken "ExecCondition=$PAYLOAD exit 255" "ExecStart=$PAYLOAD pause"
	ctl start broken.service >/dev/null 2>&1
	is "ExecCondition= exiting 255 fails" "" failed "$(active broken.service)"
	service results "ExecStart=$PAYLOAD exit 5" "ExecStopPost=/bin/sh -c 'echo \$SERVICE_RESULT \$EXIT_CODE \$EXIT_STATUS >$T/results'"
	ctl start results.service >/dev/null 2>&1
	wait_active results.service failed
	is "ExecStopPost= is told the result" "" "exit-code exited 5" "$(cat "$T/results")"
	service killed "ExecStart=$PAYLOAD raise 9" "ExecStopPost=/bin/sh -c 'echo \$EXIT_CODE \$EXIT_STATUS >$T/killed'"
	ctl start killed.service >/dev/null 2>&1
	wait_active killed.service failed
	is "of a signal it is told the name" "" "killed KILL" "$(cat "$T/killed")"
	service postfail "ExecStart=$PAYLOAD pause" "ExecStartPost=$PAYLOAD exit 7" "ExecStop=$PAYLOAD log $T/postfail stop" \
		"ExecStopPost=$PAYLOAD log $T/postfail stoppost"
	ctl start postfail.service >"$T/out" 2>&1
	is "a failing ExecStartPost= ends the start: no ExecStop=, for it was never up" "" "1 stoppost failed" \
		"$? $(paste -sd' ' "$T/postfail") $(active postfail.service)"
	ok_if "and it is told where, and of which command" "" grep -q "postfail.service:[0-9]*: $PAYLOAD: exit status 7" "$T/out"
	service noenv "ExecStart=$PAYLOAD pause" EnvironmentFile=/nonexistent
	ctl start noenv.service >"$T/out" 2>&1
	ok_if "so it is of a file of variables" "" grep -q "noenv.service:[0-9]*: the environment file /nonexistent" "$T/out"
	service noenv "ExecStart=/bin/sh -c 'printf \"last words\"; exit 3'"
	ctl start noenv.service >"$T/out" 2>&1
	is "what an earlier start failed of is no reason; a line without its end is shown" "" "1 0 1" \
		"$? $(grep -c 'environment file' "$T/out") $(grep -c 'last words$' "$T/out")"
	service marks Type=oneshot User=nobody "ExecStart=!/bin/sh -c 'id -u >$T/marks'" "ExecStart=!!/bin/sh -c 'id -u >>$T/marks'"
	: >"$T/marks" && chmod 666 "$T/marks"
	ctl start marks.service
	is "! keeps the user, !! does not where capabilities can be handed on" "" "0 65534" "$(paste -sd' ' "$T/marks")"
	{ printf '[Unit]\nDefaultDependencies=no\nOnFailure=mourner.service\n[Service]\nExecStart=%s exit 6\n' "$PAYLOAD"; } | unit mourned.service
	service mourner Type=oneshot "ExecStart=/bin/sh -c 'echo \$MONITOR_UNIT \$MONITOR_SERVICE_RESULT \$MONITOR_EXIT_CODE \$MONITOR_EXIT_STATUS >$T/mourner'"
	ctl start mourned.service >/dev/null 2>&1
	wait_for "[ -s $T/mourner ]"
	is "a unit of OnFailure= is told whose, and how it ended" "" "mourned.service exit-code exited 6" "$(cat "$T/mourner")"
	service mainpid "ExecStart=$PAYLOAD pause" "ExecReload=/bin/sh -c 'echo \$MAINPID >$T/mainpid'"
	ctl start mainpid.service && ctl reload mainpid.service
	is "ExecReload= knows MAINPID" "" "$(main_of mainpid.service)" "$(cat "$T/mainpid")"
	service badreload "ExecStart=$PAYLOAD pause" "ExecReload=/bin/false"
	ctl start badreload.service
	ctl reload badreload.service >/dev/null 2>&1
	is "a failing reload leaves the service running" "" "1 running" "$? $(sub badreload.service)"
	ctl reload simple.service >/dev/null 2>&1
	is "no reload without ExecReload=" "" no "$(ctl reload forks2.service >/dev/null 2>&1 && echo yes || echo no)"
	service plain "ExecStart=$PAYLOAD pause"
	ctl start plain.service
	local before
	before=$(main_of plain.service)
	ctl reload-or-restart plain.service
	is "reload-or-restart restarts what cannot reload" "" "0 yes" "$? $([ "$before" != "$(main_of plain.service)" ] && echo yes)"
	cp "$UNITS/plain.service" "$UNITS/plain@.service"
	ctl daemon-reload
	ctl start plain@.service >"$T/out" 2>&1
	is "a template is not started" "" "1 1" "$? $(grep -c 'is a template' "$T/out")"
	# shellcheck disable=SC2046
	ctl start $(seq 300) >"$T/out" 2>&1
	is "so many at once are too many, and harkctl says so" "" "2 1" "$? $(grep -c 'no more than 256' "$T/out")"
	ln -s loop2.service "$UNITS/loop1.service" && ln -s loop1.service "$UNITS/loop2.service"
	ctl daemon-reload
	ctl start loop1.service >"$T/out" 2>&1
	is "nor a link in a circle, which is not offered for itself" "" "5 0" "$? $(grep -c 'mean loop1' "$T/out")"
}

for test in simple simple_lost exec_type oneshot notify_type start_timeouts idle_and_dbus forking exit_type pid_files order_of_commands; do
	$test
done
hark_down
is "SIGTERM stops all and ends with 0" "" 0 $?
finish
