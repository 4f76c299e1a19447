#!/bin/bash
# SPDX-License-Identifier: MIT
# Every failure and every end is told with what there is to know: the file and line, what was waited for, how the process ended, which
# unit lacked; and whose end it was that another unit's end followed from.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# tells NAME WORDS LINES...: a service with these lines, started, is said by `why` to rest because of that (a pattern of grep).
tells() {
	local name=$1 words=$2 out
	shift 2
	{ printf '[Unit]\nDefaultDependencies=no\n' && printf '%s\n' "$UNIT_LINES" '[Service]' "$@"; } >"$UNITS/$name.service"
	ctl start "$name.service" >"$T/start" 2>&1
	# A unit that is to be restarted is activating.
	wait_for "prop $name.service ActiveState | grep -qxE 'failed|inactive' && [ \"\$(prop $name.service Job)\" = 0 ]"
	out=$(ctl why "$name.service" 2>&1)
	if grep -q -e "$words" <<<"$out"; then ok "$name is told"; else not_ok "$name is told" "$(paste -sd'|' <<<"$out")"; fi
}

set_up_fails() {
	tells no-root 'no-root.service:6: the process could not be set up: CHROOT: No such file' RootDirectory=/no/such 'ExecStart=/bin/true'
	tells no-path 'no-path.service:6: the process could not be set up: /no/such: No such file' ReadWritePaths=/no/such 'ExecStart=/bin/true'
	tells no-secret 'no-secret.service:6: .*credential x: /no/such: No such file' LoadCredential=x:/no/such 'ExecStart=/bin/true'
	tells no-input 'no-input.service:6: the process could not be set up: "/no/such": No such file' StandardInput=file:/no/such 'ExecStart=/bin/true'
	tells silent 'exit status 210/CHROOT' RootDirectory=/no/such StandardOutput=null StandardError=null 'ExecStart=/bin/true'
}

waits_in_vain() {
	local out
	tells late-ready 'did not say in time that it is ready (TimeoutStartSec=200ms)' Type=notify TimeoutStartSec=200ms 'ExecStart=/bin/sleep 9'
	tells late-pid 'PIDFile= did not come in time (TimeoutStartSec=200ms)' Type=forking PIDFile=/run/no.pid TimeoutStartSec=200ms "ExecStart=/bin/sh -c 'sleep 9 &'"
	tells late-end 'its start did not end in time (TimeoutStartSec=200ms)' Type=oneshot TimeoutStartSec=200ms 'ExecStart=/bin/sleep 9'
	tells too-long 'ran longer than it may (RuntimeMaxSec=200ms)' RuntimeMaxSec=200ms 'ExecStart=/bin/sleep 9'
	unit deaf.service <<-X
		[Unit]
		DefaultDependencies=no
		[Service]
		Type=notify
		TimeoutStopSec=200ms
		ExecStart=$PAYLOAD ignore TERM notify READY=1 pause
	X
	ctl start deaf.service >/dev/null
	ctl stop deaf.service >/dev/null 2>&1
	out=$(ctl why deaf.service)
	grep -q 'did not end in time when it was stopped (TimeoutStopSec=200ms)' <<<"$out" && ok "deaf is told" || not_ok "deaf is told" "$(paste -sd"|" <<<"$out")"
}

ends() {
	tells ends-well 'it ended: exit status 0' 'ExecStart=/bin/true'
	tells too-often 'started too often .* the last time: exit status 4' Restart=always RestartSec=1ms "ExecStart=/bin/sh -c 'exit 4'"
	UNIT_LINES='Requires=too-often.service
After=too-often.service' tells lacks 'too-often.service, which it needs, could not be started' 'ExecStart=/bin/sleep 9'
	unit stays.service <<-X
		[Unit]
		DefaultDependencies=no
		[Service]
		ExecStart=/bin/sleep 100
	X
	ctl start stays.service >/dev/null
	ctl kill stays.service
	wait_active stays.service inactive
	ctl why stays.service | grep -q 'it ended: killed by SIGTERM' && ok "an end by a signal is told" || not_ok "an end by a signal is told" "$(ctl why stays.service | paste -sd'|')"
	ctl start stays.service >/dev/null
	ctl stop stays.service >/dev/null
	ctl why stays.service | grep -q 'is not running$' && ok "an end that was asked for needs no reason" ||
		not_ok "an end that was asked for needs no reason" "$(ctl why stays.service | paste -sd'|')"
}

# What follows from the end of a unit is told with that end, not with its start.
follows() {
	local out
	unit held.service <<-X
		[Unit]
		DefaultDependencies=no
		StopWhenUnneeded=yes
		[Service]
		ExecStart=/bin/sleep 100
	X
	unit holder.service <<-X
		[Unit]
		DefaultDependencies=no
		Requires=held.service
		[Service]
		ExecStart=/bin/sleep 100
	X
	ctl start holder.service >/dev/null
	ctl stop holder.service >/dev/null
	wait_active held.service inactive
	out=$(ctl why held.service)
	if grep -q 'holder.service was stopped: an administrator' <<<"$out"; then
		ok "who let go of a unit is told"
	else
		not_ok "who let go of a unit is told" "$(paste -sd'|' <<<"$out")"
	fi
	is "the run that is told is not told again" "" 1 "$(ctl why ends-well.service | grep -c 'was started')"
}

# What is upheld by a file that was read again is started, what is frozen is said to be.
states() {
	unit upholder.service <<-X
		[Unit]
		DefaultDependencies=no
		[Service]
		ExecStart=/bin/sleep 100
	X
	sed /StopWhen/d "$UNITS/held.service" >"$UNITS/upheld.service"
	ctl start upholder.service >/dev/null
	unit upholder.service.d/more.conf <<-X
		[Unit]
		Upholds=upheld.service
	X
	wait_active upheld.service active && ok "Upholds= of a file that was read again" ||
		not_ok "Upholds= of a file that was read again" "$(active upheld.service)"
	ctl reload upheld.service 2>&1 | grep -q 'has no way to reload (ExecReload=)' && ok "what cannot be reloaded is told" ||
		not_ok "what cannot be reloaded is told" "$(ctl reload upheld.service 2>&1)"
	if [ -n "$CGROUP" ]; then
		ctl freeze upheld.service
		ctl status upheld.service | head -1 | grep -q frozen && ok "status tells of a freeze" ||
			not_ok "status tells of a freeze" "$(ctl status upheld.service | head -1)"
		ctl thaw upheld.service
	fi
	unit early.socket <<-X
		[Unit]
		DefaultDependencies=no
		[Socket]
		ListenStream=/run/early
		ExecStartPre=/bin/false
	X
	cp "$UNITS/upheld.service" "$UNITS/early.service"
	ctl start early.socket | grep -q 'a helper command: exit status 1' && ok "a socket tells of its command" ||
		not_ok "a socket tells of its command" "$(ctl why early.socket | paste -sd'|')"
}

# Type=notify-reload: what was said before it was asked to reload is no answer.
early_answer() {
	cat >"$T/early.py" <<-'X'
		import os, signal, socket, time
		def say(text):
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		    s.connect(os.environ["NOTIFY_SOCKET"])
		    s.send(text.encode())
		def on_hup(*_):
		    say("RELOADING=1\nMONOTONIC_USEC=1")
		    say("READY=1\nSTATUS=of before")
		    time.sleep(0.3)
		    say("RELOADING=1\nMONOTONIC_USEC=%d" % (time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6))
		    say("READY=1\nSTATUS=really")
		signal.signal(signal.SIGHUP, on_hup)
		say("READY=1")
		while True:
		    signal.pause()
	X
	unit answers.service <<-X
		[Unit]
		DefaultDependencies=no
		[Service]
		Type=notify-reload
		ExecStart=/usr/bin/python3 $T/early.py
	X
	ctl start answers.service >/dev/null
	ctl reload answers.service >/dev/null
	is "the answer to a reload is one that came after it" "" "0 really" "$? $(prop answers.service StatusText)"
}

hark_up main
set_up_fails
waits_in_vain
ends
follows
states
early_answer
hark_down >/dev/null 2>&1

# leaves NAME STATUS LINES...: hark-init ends so when this service has ended.
leaves() {
	local name=$1 status=$2
	shift 2
	hark_up "$name"
	{ printf '[Unit]\nDefaultDependencies=no\n' && printf '%s\n' "$@"; } | unit "$name.service"
	ctl start "$name.service" >/dev/null 2>&1
	wait "$INIT_PID"
	is "$name leaves with its status" "" "$status" $?
}
leaves done-well 7 SuccessAction=exit SuccessActionExitStatus=7 '[Service]' Type=oneshot ExecStart=/bin/true
leaves broken 5 FailureAction=exit '[Service]' Type=oneshot "ExecStart=/bin/sh -c 'exit 5'"
leaves broken-so 6 FailureAction=exit-force FailureActionExitStatus=6 '[Service]' Type=oneshot ExecStart=/bin/false
leaves killed 255 FailureAction=exit '[Service]' Type=oneshot "ExecStart=$PAYLOAD raise KILL"
finish
