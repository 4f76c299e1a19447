#!/bin/bash
# SPDX-License-Identifier: MIT
# hark-init and its manager: another manager, orphans, descriptors running out, the manager killed, and all of it as PID 1.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n[Service]\n' && printf '%s\n' "$@"; } >"$UNITS/$name.service"
}
rescan() { ctl daemon-reload >/dev/null 2>&1; }

any_manager() {
	printf '#!/bin/sh\necho x >>%s\n[ $(wc -l <%s) -ge 3 ] && exec sleep 60\nexit 0\n' "$T/runs" "$T/runs" >"$T/any"
	chmod 755 "$T/any"
	"$BIN/hark-init" "$T/any" &
	local pid=$!
	STARTED+=("$pid")
	ok_if "hark-init runs any program as its manager, and again when it ends" "A4" wait_for "[ \$(wc -l <$T/runs) -ge 3 ]"
	kill -KILL $pid
	unshare --pid --fork --kill-child --mount-proc "$BIN/hark-init" /bin/true &
	pid=$!
	sleep 1
	ok_if "hark-init /bin/true as PID 1 stays" "A4" kill -0 $pid
	kill -KILL $pid
}

orphans() {
	service orphans "Type=oneshot" "ExecStart=$PAYLOAD orphans 10000 clock $T/orphans"
	rescan
	ctl start orphans.service >/dev/null 2>&1
	start_clock
	wait_for "[ -z \"\$(ps --ppid $INIT_PID -o stat= | grep Z)\" ]"
	stop_clock
	is "10 000 orphans are reaped" "A1 C2" "" "$(ps --ppid "$INIT_PID" -o stat= | grep Z | head -3)"
	in_time "within 1 s" "A1 C2" 1000 $TOOK $STALLED
}

# Beneath the manager's limit there is room for the fork itself but not for what watches it.
descriptors() {
	service starved "ExecStart=$PAYLOAD log $T/starved x pause"
	service starved2 Type=notify "ExecStart=$PAYLOAD log $T/starved x notify READY=1 pause"
	rescan
	local harkd n
	harkd=$(manager_pid)
	n=$(ls "/proc/$harkd/fd" | sort -n | tail -1)
	prlimit --pid "$harkd" --nofile=$((n + 2)):
	sleep 0.05
	ctl start starved2.service >"$T/out" 2>&1
	local rc=$?
	prlimit --pid "$harkd" --nofile=4096:
	ok_if "the manager answers again" "B29" ctl is-active test.target
	if [ $rc -ne 0 ] && [ "$(active starved2.service)" = failed ]; then
		is "no descriptor left: refused before the fork" "B29" "failed resources no" \
			"$(active starved2.service) $(prop starved2.service Result) $([ -e "$T/starved" ] && echo yes || echo no)"
	else
		skip "no descriptor left" "the client was not served either (exit $rc, $(active starved2.service))"
	fi
	ctl reset-failed
	ok_if "and starts it later" "B29" ctl start starved2.service
}

killed() {
	local old i pid generation
	service back Restart=on-failure RestartSec=50ms "ExecStart=$PAYLOAD log $T/back x pause"
	service note Type=notify "ExecStart=$PAYLOAD notify READY=1 pause"
	service once Type=oneshot RemainAfterExit=yes "ExecStart=$PAYLOAD log $T/once x"
	service answer "ExecStart=/bin/sh -c 'echo x >>$T/answer; exec cat <&3 >/dev/null'"
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenFIFO=%s\n' "$T/fifo" >"$UNITS/answer.socket"
	service forks Type=forking "ExecStart=$PAYLOAD daemon pause"
	rescan
	ctl start back.service note.service once.service answer.socket forks.service >/dev/null
	local main main2 main3
	main=$(main_of back.service) main2=$(main_of note.service) main3=$(main_of forks.service)
	for i in 1 2 3; do
		old=$(manager_pid)
		kill -KILL "$old"
		wait_for "[ -n \"\$(manager_pid)\" ] && [ \"\$(manager_pid)\" != $old ] && ctl is-active test.target"
	done
	is "kill -9 of the manager three times: another answers" "A16 B20 C32" 4 "$(ctl show -p ManagerGenerations --value)"
	is "the services are the same" "B20" "$main $main2 $main3" "$(main_of back.service) $(main_of note.service) $(main_of forks.service)"
	is "and alive" "B20" "yes yes yes" "$(for i in $main $main2 $main3; do alive "$i" && echo yes; done | paste -sd' ')"
	is "in their states" "B20" "running running exited running listening" \
		"$(sub back.service) $(sub note.service) $(sub once.service) $(sub forks.service) $(sub answer.socket)"
	is "nothing ran twice" "B20" "1 1" "$(wc -l <"$T/back") $(wc -l <"$T/once")"
	is "why still knows" "B34" yes "$(ctl why back.service | grep -q explicit && echo yes)"
	echo hello >"$T/fifo"
	ok_if "the socket still starts its service" "B20" wait_for "[ -e $T/answer ]"
	kill -SEGV "$main"
	ok_if "Restart= still works" "B20" wait_for "[ \$(wc -l <$T/back) = 2 ]"
	kill -KILL "$main3"
	ok_if "so does the watch over a forking one" "B20" wait_active forks.service failed
	ok_if "and stop" "B20" ctl stop note.service
	ok_if "which ends the process" "B20" wait_for "! alive $main2" # PID 1 reaps it a moment after the answer
	# dead while there is no manager
	wait_sub back.service running
	pid=$(main_of back.service)
	old=$(manager_pid)
	kill -STOP "$old"
	kill -KILL "$pid" && sleep 0.05 && kill -KILL "$old"
	ok_if "an end that no manager saw is seen by the next" "B20" wait_for "[ \$(wc -l <$T/back) = 3 ]"
	# in the middle of a start
	service slow Type=oneshot RemainAfterExit=yes "ExecStart=$PAYLOAD log $T/slow x sleep 600"
	rescan
	ctl --no-wait start slow.service >/dev/null
	wait_for "[ -e $T/slow ]"
	kill -KILL "$(manager_pid)"
	ok_if "a start that was under way is finished" "B20" wait_for '[ "$(sub slow.service)" = exited ]'
	is "and not begun again" "B20" 1 "$(wc -l <"$T/slow")"
}

shutdown_order() {
	local i
	timeout -k 1 10 "$BIN/hark-init" --unit-path "$UNITS" --run-dir "$RUN_DIR" >"$T/second" 2>&1 </dev/null
	is "a second one in the same run dir ends at once, and says why" "" "1 1" "$? $(grep -c "cannot start in $RUN_DIR: Address already in use" "$T/second")"
	timeout -k 1 10 "$BIN/hark-init" --run-dir "$T/other" --unknown >"$T/second" 2>&1 </dev/null
	is "so does one that is told what it does not know" "" 1 $?
	for i in 1 2 3; do
		{
			printf '[Unit]\nAfter=%s\n' "$([ $i -gt 1 ] && echo "s$((i - 1)).service")"
			printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStop=%s log %s %s\n' "$PAYLOAD" "$T/stops" $i
		} >"$UNITS/s$i.service"
	done
	service stubborn Type=notify TimeoutStopSec=300ms "ExecStart=$PAYLOAD ignore TERM notify READY=1 pause"
	rescan
	ctl start s1.service s2.service s3.service stubborn.service >/dev/null
	# as timeout(1) does it: another signal right behind it, here before the manager can have looked
	kill -STOP "$(manager_pid)"
	kill -TERM "$INIT_PID"
	kill -CONT "$INIT_PID"
	kill -CONT "$(manager_pid)"
	start_clock
	wait "$INIT_PID"
	is "SIGTERM: all units stop, exit 0" "" 0 $?
	stop_clock
	in_time "not longer than the slowest stop" "" 2000 $TOOK $STALLED
	is "in the inverse order" "" "3 2 1" "$(paste -sd' ' "$T/stops")"
	is "no process is left" "" "" "$(pgrep -x payload | paste -sd' ')"
}

# The same programs as PID 1 of a namespace, everything at its usual place.
as_pid1() {
	local cgroup=$HARK_TEST_CGROUP/pid1 what=$1 want=$2 rc
	mkdir -p "$T/pid1/units" "$cgroup"
	cat >"$T/pid1/units/pid1.target" <<-Y
		[Unit]
		Wants=main.service
	Y
	cat >"$T/pid1/units/main.service" <<-Y
		[Unit]
		DefaultDependencies=no
		[Service]
		Type=oneshot
		Environment=HARK_RUN_DIR=/run/hark1
		ExecStart=$PAYLOAD report $T/pid1/report
		ExecStart=$BIN/harkctl --no-wait $what
	Y
	timeout -s KILL 10 unshare --pid --fork --kill-child --mount-proc --mount "$BIN/hark-init" --unit-path "$T/pid1/units" --run-dir /run/hark1 \
		--cgroup-root "$cgroup" --default pid1.target >"$T/pid1/log" 2>&1 </dev/null
	rc=$?
	is "as PID 1: $what ends it" "" "$want" $rc
	[ $rc = "$want" ] || tail -3 "$T/pid1/log" | sed 's/^/# /'
}

any_manager
hark_up manager || finish
for test in orphans descriptors killed shutdown_order; do
	$test
done
as_pid1 "exit 5" 5
as_pid1 poweroff 130
as_pid1 reboot 129
is "a service of PID 1 has it as parent" "" 1 "$(found "$T/pid1/report" ppid)"
# The machine's units are its own manager's: started by hand without a unit path, hark starts none of them.
mkdir -p "$T/alone"
HARK_RUN_DIR= "$BIN/hark-init" --run-dir "$T/alone" --default nosuch.target >"$T/alone/log" 2>&1 </dev/null &
STARTED+=("$!")
ok_if "by hand, without a unit path, nothing is started" "" wait_for "grep -q 'no --unit-path is given' $T/alone/log"
is "... nor tried" "" 0 "$(grep -c nosuch.target "$T/alone/log")"
finish
