#!/bin/bash
# SPDX-License-Identifier: MIT
# How services end and come back: KillMode=, timeouts, fork bombs, Restart=, start limits, watchdog, notifications.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
hark_up ending || finish

service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n%s\n[Service]\n' "$UNIT_LINES" && printf '%s\n' "$@"; } | unit "$name.service"
}
timed_stop() { # UNIT
	start_clock
	ctl stop "$1" >/dev/null 2>&1
	stop_clock
}

kill_modes() {
	service group "ExecStart=$PAYLOAD child child pause"
	ctl start group.service
	wait_for "[ \$(pids_of group.service | wc -l) = 3 ]"
	local pids
	pids=$(pids_of group.service)
	ctl stop group.service
	is "KillMode=control-group ends all" "A13" "" "$(for p in $pids; do alive "$p" && echo "$p"; done)"

	service process KillMode=process "ExecStart=$PAYLOAD child pause"
	ctl start process.service
	wait_for "[ \$(pids_of process.service | wc -l) = 2 ]"
	local main others
	main=$(main_of process.service)
	others=$(pids_of process.service | grep -vx "$main")
	ctl stop process.service
	is "KillMode=process ends the main process only" "" "gone here" "$(alive "$main" || echo gone) $(alive "$others" && echo here)"
	kill -KILL "$others"

	service mixed KillMode=mixed TimeoutStopSec=50 "ExecStart=$PAYLOAD child ignore HUP pause"
	ctl start mixed.service
	wait_for "[ \$(pids_of mixed.service | wc -l) = 2 ]"
	pids=$(pids_of mixed.service)
	ctl stop mixed.service
	is "KillMode=mixed ends all" "" "" "$(for p in $pids; do alive "$p" && echo "$p"; done)"

	service none KillMode=none "ExecStart=$PAYLOAD pause"
	ctl start none.service
	main=$(main_of none.service)
	ctl stop none.service
	is "KillMode=none ends nothing" "" "here inactive" "$(alive "$main" && echo here) $(active none.service)"
	kill -KILL "$main"

	service signal KillSignal=SIGUSR1 TimeoutStopSec=20 "ExecStart=$PAYLOAD catch TERM $T/signal pause"
	ctl start signal.service
	timed_stop signal.service
	in_time "KillSignal=" "" 500 $TOOK $STALLED
	is "KillSignal= instead of SIGTERM" "" no "$([ -e "$T/signal" ] && echo yes || echo no)"
	service hup Type=notify SendSIGHUP=yes TimeoutStopSec=300ms "ExecStart=$PAYLOAD ignore TERM catch HUP $T/hup notify READY=1 sleep 60000"
	ctl start hup.service
	ctl stop hup.service
	is "SendSIGHUP=" "" "signal 01" "$(cat "$T/hup")"
}

stop_timeouts() {
	service stubborn Type=notify TimeoutStopSec=1s "ExecStart=$PAYLOAD ignore TERM notify READY=1 pause"
	ctl start stubborn.service
	timed_stop stubborn.service
	between "SIGKILL after TimeoutStopSec=" "B16" 950 1400 $TOOK $STALLED
	is "which counts as a failure" "B16" "failed timeout" "$(active stubborn.service) $(prop stubborn.service Result)"
	service last Type=notify TimeoutStopSec=300ms FinalKillSignal=USR1 "ExecStart=$PAYLOAD ignore TERM notify READY=1 pause"
	ctl start last.service
	ctl stop last.service
	is "FinalKillSignal= in place of SIGKILL" "" "2 10" \
		"$(prop last.service ExecMainCode) $(prop last.service ExecMainStatus)"
	service never Type=notify TimeoutStopSec=infinity "ExecStart=$PAYLOAD ignore TERM notify READY=1 pause"
	ctl start never.service
	ctl --no-wait stop never.service
	sleep 0.5
	is "TimeoutStopSec=infinity waits" "B16" stop-sigterm "$(sub never.service)"
	kill -KILL "$(main_of never.service)"
	ok_if "until it is gone" "B16" wait_for '[ "$(active never.service)" != deactivating ]'
	is "TimeoutStopSec= is about 10 s or more by default" "" yes \
		"$(ctl show stubborn.service | grep -q TimeoutStopUSec && echo yes)"
	service slowstop TimeoutStopSec=300ms "ExecStart=$PAYLOAD pause" "ExecStop=$PAYLOAD pause"
	ctl start slowstop.service
	timed_stop slowstop.service
	between "an ExecStop= that hangs" "B16" 250 900 $TOOK $STALLED
}

tree() {
	service tree "ExecStart=$PAYLOAD triple $T/tree pause"
	ctl start tree.service
	wait_for "[ \$(wc -l <$T/tree) = 3 ]"
	ctl status tree.service >"$T/status"
	local pid missing=""
	for pid in $(cat "$T/tree") $(main_of tree.service); do
		grep -qw "$pid" "$T/status" || missing+=" $pid"
	done
	is "status lists processes of three forks with setsid" "A13" "" "$missing"
	ctl stop tree.service
	is "stop ends them all" "A13 D31" "" "$(for pid in $(cat "$T/tree"); do alive "$pid" && echo "$pid"; done)"
}

bomb() {
	service bomb TimeoutStopSec=200ms "ExecStart=$PAYLOAD bomb 20"
	ctl start bomb.service
	sleep 0.3
	timed_stop bomb.service
	in_time "a fork bomb that ignores SIGTERM ends within 1 s" "A14" 1000 $TOOK $STALLED
	is "nothing of it is left" "A14 D31" 0 "$(pids_of bomb.service | wc -l)"
	is "its cgroup is gone" "A14" no "$([ -d "$CGROUP/system.slice/bomb.service" ] && echo yes || echo no)"
}

signals() {
	service target Type=notify "ExecStart=$PAYLOAD child catch USR1 $T/usr1 catch HUP $T/usr1 notify READY=1 sleep 60000"
	ctl start target.service
	wait_for "[ \$(pids_of target.service | wc -l) = 2 ]"
	ctl kill -s USR1 --kill-whom main target.service
	ok_if "kill -s" "E8" wait_for "grep -q 'signal 10' $T/usr1"
	ctl stop target.service
	is "kill of nothing says so" "E8" 1 "$(ctl kill target.service >/dev/null 2>&1; echo $?)"
}

restarts() {
	service back Restart=on-failure RestartSec=100ms "ExecStart=$PAYLOAD clock $T/back pause"
	ctl start back.service
	local old new
	old=$(main_of back.service)
	# one of three is enough: the machine may be busy with other things
	local try ms
	for try in 1 2 3; do
		old=$(main_of back.service)
		rm -f "$T/slain"
		start_clock
		"$PAYLOAD" slay "$old" SEGV "$T/slain"
		wait_for "[ \$(wc -l <$T/back) = $((try + 1)) ] && [ \"\$(sub back.service)\" = running ]"
		stop_clock
		ms=$((($(tail -1 "$T/back") - $(cat "$T/slain")) / 1000))
		meets 150 $ms $STALLED && break
	done
	new=$(main_of back.service)
	between "SEGV: back after RestartSec= and at most 50 ms" "A7 E3" 100 150 $ms $STALLED
	is "another process, counted" "A7" "yes $try" "$([ "$old" != "$new" ] && alive "$new" && echo yes) $(prop back.service NRestarts)"
	kill -TERM "$new"
	wait_active back.service inactive
	sleep 0.25
	is "no restart after a clean end" "B49" inactive "$(active back.service)"
	ctl start back.service && ctl stop back.service
	sleep 0.25
	is "no restart after a stop that was asked for" "B49" inactive "$(active back.service)"

	service dflt "ExecStart=$PAYLOAD raise KILL"
	ctl start dflt.service >/dev/null 2>&1
	wait_active dflt.service failed
	sleep 0.25
	is "no Restart= by default" "" "failed 0" "$(active dflt.service) $(prop dflt.service NRestarts)"

	service always Restart=always RestartSec=50ms "ExecStart=$PAYLOAD log $T/always x sleep 100"
	ctl start always.service
	ok_if "Restart=always after a clean end" "B49" wait_for "[ \$(wc -l <$T/always) -ge 2 ]"
	ctl stop always.service
	local n
	n=$(wc -l <"$T/always")
	sleep 0.3
	is "until it is stopped" "B49" "$n" "$(wc -l <"$T/always")"

	UNIT_LINES=$'Requires=base.service\nAfter=base.service' service above Restart=always RestartSec=50ms "ExecStart=$PAYLOAD pause"
	service base "ExecStart=$PAYLOAD pause"
	ctl start above.service && ctl stop base.service
	sleep 0.25
	is "no restart after the stop of what it needs" "B49" inactive "$(active above.service)"

	service prevent Restart=always RestartPreventExitStatus=7 RestartSec=20ms "ExecStart=$PAYLOAD exit 7"
	ctl start prevent.service >/dev/null 2>&1
	wait_active prevent.service failed
	sleep 0.1
	is "RestartPreventExitStatus=" "B49" "failed 0" "$(active prevent.service) $(prop prevent.service NRestarts)"
	service counts SuccessExitStatus=42 "ExecStart=$PAYLOAD exit 42"
	ctl start counts.service
	wait_active counts.service inactive
	is "SuccessExitStatus=" "B49" "inactive success" "$(active counts.service) $(prop counts.service Result)"
}

start_limit() {
	UNIT_LINES=$'StartLimitIntervalSec=10\nStartLimitBurst=3\nOnFailure=called.service' \
		service limit Restart=on-failure RestartSec=10ms "ExecStart=$PAYLOAD log $T/limit x exit 1"
	service called Type=oneshot "ExecStart=$PAYLOAD log $T/called x"
	ctl start limit.service >/dev/null 2>&1
	wait_active limit.service failed
	is "the start limit ends a restart loop" "B49 E16" "failed start-limit-hit 3" \
		"$(active limit.service) $(prop limit.service Result) $(wc -l <"$T/limit")"
	ok_if "OnFailure= comes then" "" wait_for "[ -e $T/called ]"
	sleep 0.1
	is "and once" "" 1 "$(wc -l <"$T/called")"
	ctl start limit.service >"$T/out" 2>&1
	is "a start by hand is refused too" "" 1 $?
	ctl reset-failed limit.service
	ctl start limit.service >/dev/null 2>&1
	wait_for "[ \$(wc -l <$T/limit) -ge 4 ]"
	is "reset-failed starts the count again" "" yes "$([ "$(wc -l <"$T/limit")" -ge 4 ] && echo yes)"
	UNIT_LINES=OnSuccess=happy.service service ends "ExecStart=$PAYLOAD exit 0"
	service happy Type=oneshot "ExecStart=$PAYLOAD log $T/happy x"
	ctl start ends.service
	ok_if "OnSuccess=" "" wait_for "[ -e $T/happy ]"
}

watchdog() {
	service dog Type=notify WatchdogSec=300ms "ExecStart=$PAYLOAD notify READY=1 tell 100"
	ctl start dog.service
	sleep 0.7
	is "a watchdog that is served" "" running "$(sub dog.service)"
	ctl stop dog.service
	service freedog Type=notify WatchdogSec=200ms KillMode=none TimeoutAbortSec=30 "ExecStart=$PAYLOAD notify READY=1 pause"
	ctl start freedog.service
	ok_if "with KillMode=none nobody waits for what the watchdog does not end" "" wait_active freedog.service failed
	service deaddog Type=notify WatchdogSec=200ms WatchdogSignal=USR1 "ExecStart=$PAYLOAD notify READY=1 pause"
	ctl start deaddog.service
	wait_active deaddog.service failed
	is "a watchdog that is not" "" "failed watchdog 10" \
		"$(active deaddog.service) $(prop deaddog.service Result) $(prop deaddog.service ExecMainStatus)"
	service runmax RuntimeMaxSec=200ms "ExecStart=$PAYLOAD pause"
	ctl start runmax.service
	wait_active runmax.service failed
	is "RuntimeMaxSec=" "" timeout "$(prop runmax.service Result)"
}

notifications() {
	service told Type=notify "ExecStart=$PAYLOAD notify READY=1\\\\nSTATUS=one notify STATUS=two\\\\nERRNO=5 pause"
	ctl start told.service
	ok_if "STATUS= changes" "" wait_for '[ "$(prop told.service StatusText)" = two ]'
	is "ERRNO=" "" 5 "$(prop told.service StatusErrno)"
	service moved Type=notify NotifyAccess=all "ExecStart=$PAYLOAD notifypid $T/moved notify READY=1 sleep 300"
	ctl start moved.service
	ok_if "MAINPID= names another process" "" wait_for "[ \"\$(main_of moved.service)\" = \"\$(cat $T/moved)\" ]"
	sleep 0.5
	is "and the end of the old one is not the service's" "" running "$(sub moved.service)"
	kill -KILL "$(cat "$T/moved")"
	ok_if "but that of the new one is" "" wait_active moved.service failed
	service extend Type=notify TimeoutStartSec=1s \
		"ExecStart=$PAYLOAD notify EXTEND_TIMEOUT_USEC=5000000 sleep 1500 notify READY=1 pause"
	ok_if "EXTEND_TIMEOUT_USEC=" "B15" ctl start extend.service
	service nosay Type=simple NotifyAccess=none "ExecStart=$PAYLOAD pause"
	ctl start nosay.service
	service child Type=notify NotifyAccess=main TimeoutStartSec=400ms "ExecStart=/bin/sh -c '$PAYLOAD notify READY=1; sleep 60'"
	ctl start child.service >/dev/null 2>&1
	is "NotifyAccess=main: others are not believed" "" "1 failed" "$? $(active child.service)"
	service all Type=notify NotifyAccess=all TimeoutStartSec=2s "ExecStart=/bin/sh -c '$PAYLOAD notify READY=1; sleep 60'"
	ok_if "NotifyAccess=all: those of the cgroup are" "" ctl start all.service
	ctl stop all.service
	service robbed Type=notify NotifyAccess=all "ExecStart=$PAYLOAD notify READY=1\\\\nSTATUS=own pause"
	ctl start robbed.service
	mkdir -p "$CGROUP/mine/robbed.service"
	NOTIFY_SOCKET=$HARK_RUN_DIR/notify/robbed.service sh -c "echo \$\$ >$CGROUP/mine/robbed.service/cgroup.procs; exec $PAYLOAD notify STATUS=stolen sleep 300"
	is "... but not those of a cgroup that only has the same name" "" "own 1" \
		"$(prop robbed.service StatusText) $(grep -c 'robbed.service: a notification from pid .* is ignored' "$HARK_LOG")"
	rmdir -p "$CGROUP/mine/robbed.service" 2>/dev/null
	local before
	before=$(ls "/proc/$(manager_pid)/fd" | wc -l)
	python3 - "$HARK_RUN_DIR/notify/robbed.service" >"$T/sent" 2>&1 <<-Y
		import os, socket, sys
		os.setgroups([])
		os.setresgid(65534, 65534, 65534)
		os.setresuid(65534, 65534, 65534)
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.connect(sys.argv[1])
		fds = [os.open("/dev/null", os.O_RDONLY) for i in range(200)]
		for i in range(100):
		    s.send(b"")
		    socket.send_fds(s, [b"FDSTORE=1"], fds[:i % 200 + 1])
		    for text in (b"\0", b"READY=1\0\0MAINPID=1", b"x" * 4097, b"\xff\xfe=\xff", b"=", b"STATUS", b"MAINPID=1"):
		        s.send(text)
		print("sent")
	Y
	$PAYLOAD sleep 1
	is "what anybody may send costs no descriptor and changes nothing" "" "sent $before own $(main_of robbed.service) active" \
		"$(cat "$T/sent") $(ls "/proc/$(manager_pid)/fd" | wc -l) $(prop robbed.service StatusText) $(main_of robbed.service) $(active robbed.service)"
	ctl stop robbed.service
	service keeps Type=notify FileDescriptorStoreMax=2 Restart=on-failure RestartSec=20ms \
		"ExecStart=/bin/sh -c 'if [ -n \"\$LISTEN_FDS\" ]; then $PAYLOAD fd 3 $T/kept; echo \"\$LISTEN_FDNAMES\" >$T/keptname; $PAYLOAD notify READY=1; sleep 60; else $PAYLOAD store mine hello notify READY=1; sleep 0.1; exit 1; fi'" \
		NotifyAccess=all
	ctl start keeps.service
	ok_if "FDSTORE= comes back after a restart" "" wait_for "grep -q hello $T/kept && grep -q mine $T/keptname"
	is "NFileDescriptorStore" "" 1 "$(prop keeps.service NFileDescriptorStore)"
	ctl stop keeps.service
	is "the store ends with the service" "" 0 "$(prop keeps.service NFileDescriptorStore)"
	service reloads Type=notify-reload "ExecStart=/bin/sh -c 'trap \"$PAYLOAD notify RELOADING=1; echo x >>$T/reloads; $PAYLOAD notify READY=1\" HUP; $PAYLOAD notify READY=1; while :; do sleep 0.05; done'" NotifyAccess=all
	ctl start reloads.service
	ctl reload reloads.service >"$T/out" 2>&1
	is "Type=notify-reload: SIGHUP, RELOADING=1, READY=1" "" "0 x running" "$? $(cat "$T/reloads" 2>/dev/null) $(sub reloads.service)"
	service leaves Type=notify "ExecStart=$PAYLOAD notify READY=1 sleep 100 notify STOPPING=1 sleep 1000"
	ctl start leaves.service
	ok_if "STOPPING=1" "" wait_active leaves.service deactivating
	ok_if "then at rest" "" wait_active leaves.service inactive
}

# What a stop leaves nothing of is gone when harkctl says that it is done, also of the last of many.
traces() {
	local i
	for i in $(seq 30); do
		service trace$i RuntimeDirectory=hark-trace-$i "ExecStart=$PAYLOAD pause"
		service busy$i Type=oneshot "ExecStartPre=/bin/true" "ExecStartPre=/bin/true" "ExecStart=/bin/true"
	done
	ctl daemon-reload >/dev/null
	ctl start trace{1..30}.service
	is "thirty have their directories" "" 30 "$(ls -d /run/hark-trace-* 2>/dev/null | wc -l)"
	ctl start --no-block busy{1..30}.service
	ctl stop trace{1..30}.service
	is "who is told that a stop is done finds it done" "" "" "$(ls -d /run/hark-trace-* 2>/dev/null | paste -sd' ')"
}

# What the next manager has to know of a cgroup: from Linux 6.14 on a process that is made in one that was killed dies at once.
next_manager() {
	service survivor Restart=always RestartSec=1s TimeoutStopSec=200ms \
		"ExecStart=/bin/sh -c 'trap \"\" TERM; sleep 1000 & exec $PAYLOAD pause'"
	ctl start survivor.service
	wait_for "[ \$(pids_of survivor.service | wc -l) = 2 ]"
	kill -KILL "$(main_of survivor.service)"
	wait_for '[ "$(sub survivor.service)" = auto-restart ]'
	kill -KILL "$(manager_pid)"
	wait_active survivor.service
	sleep 0.2
	is "who restarts after SIGKILL to all is not killed again, also by the next manager" "" "1 running" \
		"$(prop survivor.service NRestarts) $(sub survivor.service)"

	service heir KillMode=process TimeoutStartSec=20 "ExecStart=$PAYLOAD child pause"
	ctl start heir.service
	wait_for "[ \$(pids_of heir.service | wc -l) = 2 ]"
	ctl stop heir.service
	kill -KILL "$(manager_pid)"
	ok_if "who left somebody behind can be started by the next manager" "" ctl start heir.service
	ctl kill -s KILL heir.service
}

# The socket and the path wait for their stop behind late.service, with what made them fire still there.
late_triggers() {
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenDatagram=%s\n' "$T/news" | unit news.socket
	printf '[Unit]\nDefaultDependencies=no\n[Path]\nPathExists=%s\n' "$T/sign" | unit sign.path
	service news "ExecStart=$PAYLOAD log $T/news.runs x pause"
	service sign "ExecStart=$PAYLOAD log $T/sign.runs x pause"
	UNIT_LINES="After=news.socket sign.path" service late "ExecStart=$PAYLOAD pause" \
		"ExecStop=/bin/sh -c 'until [ -e $T/over ]; do sleep 0.05; done'"
	ctl start news.socket sign.path late.service
	"$NS_BIN/sock" send "dgram:$T/news" 1
	touch "$T/sign"
	wait_for '[ -s "$T/news.runs" ] && [ -s "$T/sign.runs" ]'
	ctl stop --no-block late.service news.socket news.service sign.path sign.service
	wait_for '[ -z "$(pids_of news.service)$(pids_of sign.service)" ]'
	"$NS_BIN/sock" send "dgram:$T/news" 1
	sleep 0.3
	is "a trigger that is to stop is there until then" "" "active active" "$(active news.socket) $(active sign.path)"
	touch "$T/over"
	wait_active news.socket inactive
	wait_active sign.path inactive
	is "... and starts nothing any more" "" "1 1" "$(wc -l <"$T/news.runs") $(wc -l <"$T/sign.runs")"
}

UNIT_LINES=
for test in kill_modes next_manager stop_timeouts tree bomb signals restarts start_limit watchdog notifications traces late_triggers; do
	$test
done
hark_down
is "SIGTERM stops all and ends with 0" "" 0 $?
finish
