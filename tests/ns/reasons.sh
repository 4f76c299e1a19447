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
	wait_for "! ctl is-active -q $name.service && [ \"\$(prop $name.service Job)\" = 0 ]" 5
	out=$(ctl why "$name.service" 2>&1)
	if grep -q -e "$words" <<<"$out"; then ok "$name is told"; else not_ok "$name is told" "$(paste -sd'|' <<<"$out")"; fi
}

set_up_fails() {
	tells no-root 'no-root.service:6: the process could not be set up: CHROOT: No such file' RootDirectory=/no/such 'ExecStart=/bin/true'
	tells no-path 'no-path.service:6: the process could not be set up: /no/such: No such file' ReadWritePaths=/no/such 'ExecStart=/bin/true'
	tells no-secret 'no-secret.service:6: .*credential x: /no/such: No such file' LoadCredential=x:/no/such 'ExecStart=/bin/true'
	tells no-input 'no-input.service:6: a file cannot be opened: "/no/such" (StandardInput=): No such' StandardInput=file:/no/such 'ExecStart=/bin/true'
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
		TimeoutStopSec=200ms
		ExecStart=$PAYLOAD ignore TERM pause
	X
	ctl start deaf.service >/dev/null
	sleep 0.1
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

hark_up main
set_up_fails
waits_in_vain
ends
follows
hark_down >/dev/null 2>&1
finish
