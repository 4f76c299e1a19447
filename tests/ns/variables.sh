#!/bin/bash
# SPDX-License-Identifier: MIT
# The variables of services: those of all (DefaultEnvironment= of system.conf and its drop-ins, set-environment while it runs) and those of one
# (Environment=, EnvironmentFile=, PassEnvironment=), over a reload and the death of the manager.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
mount -t tmpfs conf /etc/systemd || skip_all "no private /etc/systemd"
mkdir /etc/systemd/system.conf.d
printf '[Manager]\nLogLevel=info\nDefaultEnvironment=ALL=1 "WORDS=two words" OVER=all\n' >/etc/systemd/system.conf
printf '[Manager]\nDefaultEnvironment=DROPIN=1 OVER=dropin\n' >/etc/systemd/system.conf.d/10-more.conf
export FROM_INIT=passed
hark_up variables || finish
printf 'FILE=1\nOVER=file\n' >"$T/file"
put() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\n' && printf '%s\n' "$@"; } >"$UNITS/$name.service"
}
put plain "ExecStart=sh -c 'env >$T/plain'"
put own "Environment=ONE=1 OVER=unit" "EnvironmentFile=$T/file" "PassEnvironment=FROM_INIT NOSUCH" "ExecStart=sh -c 'env >$T/own'"
ctl daemon-reload >/dev/null
seen() { # SERVICE NAMES: how it runs with these variables
	ctl start "$1.service" >/dev/null
	grep -E "^($2)=" "$T/$1" | sort | paste -sd'|'
}
is "DefaultEnvironment=, and its drop-in" "" "ALL=1|DROPIN=1|OVER=dropin|WORDS=two words" "$(seen plain 'ALL|DROPIN|OVER|WORDS|FROM_INIT')"
is "a service's own, from a file, passed" "" "ALL=1|FILE=1|FROM_INIT=passed|ONE=1|OVER=file" "$(seen own 'ALL|FILE|FROM_INIT|ONE|OVER|NOSUCH')"
ctl set-environment LATER=1 ALL=now >/dev/null
is "set while it runs" "" "ALL=now|LATER=1" "$(seen plain 'ALL|LATER')"
kill -9 "$(manager_pid)"
is "... also for the next manager" "" "ALL=now|DROPIN=1|LATER=1" "$(seen plain 'ALL|DROPIN|LATER')"
ctl unset-environment LATER ALL >/dev/null
printf '[Manager]\nDefaultEnvironment=\nDefaultEnvironment=NEW=1\n' >/etc/systemd/system.conf.d/20-new.conf
is "a changed file waits" "" "ALL=1" "$(seen plain 'ALL|LATER|NEW')"
ctl daemon-reload >/dev/null
is "... for a reload, and an empty one takes all back" "B21" "NEW=1" "$(seen plain 'ALL|LATER|NEW|DROPIN|WORDS')"
# who is started by a timer or for a path learns of it
long=$T/a-directory-with-quite-a-long-name-so-that-the-ledger-cuts-it
mkdir -p "$long"
put told "ExecStart=sh -c 'env >$T/told; rm -f $long/*.job $long/file'"
printf '[Unit]\nDefaultDependencies=no\n[Timer]\nOnActiveSec=100ms\n' >"$UNITS/told.timer"
printf '[Unit]\nDefaultDependencies=no\n[Path]\nPathExistsGlob=%s/*.job\nPathExists=%s/file\n' "$long" "$long" >"$UNITS/told.path"
ctl daemon-reload >/dev/null
triggered() { # COMMAND: the variables of the run that follows
	rm -f "$T/told"
	eval "$1" >/dev/null
	wait_for '[ -s "$T/told" ] && [ "$(sub told.service)" = dead ]'
	grep ^TRIGGER_ "$T/told" | sort | sed "s|$long|DIR|; s/REALTIME_USEC=$(date +%s | cut -c1-6)[0-9]\{10\}$/REALTIME_USEC=now/; s/MONOTONIC_USEC=[1-9][0-9]\{6,\}$/MONOTONIC_USEC=up/" | paste -sd'|'
}
is "a timer's service is told of it" "" "TRIGGER_TIMER_MONOTONIC_USEC=up|TRIGGER_TIMER_REALTIME_USEC=now|TRIGGER_UNIT=told.timer" "$(triggered 'ctl start told.timer')"
is "who is started by hand is not" "" "" "$(triggered 'ctl start told.service')"
ctl start told.path >/dev/null
is "a path's service is told which, however long it is" "" "TRIGGER_PATH=DIR/file|TRIGGER_UNIT=told.path" "$(triggered 'touch "$long/file"')"
wait_sub told.path waiting
is "... and what matches a pattern" "" "TRIGGER_PATH=DIR/a.job|TRIGGER_UNIT=told.path" "$(triggered 'touch "$long/a.job"')"
wait_sub told.path waiting
is "... also by the manager after the one that was killed" "" "TRIGGER_PATH=DIR/file|TRIGGER_UNIT=told.path" "$(triggered 'kill -9 $(manager_pid); touch "$long/file"')"
printf '[Manager]\nDefaultEnvironment=GOOD=1 "no end\n' >/etc/systemd/system.conf.d/30-bad.conf
ctl daemon-reload >/dev/null
is "a broken list is told, what stands before it counts" "" "GOOD=1|NEW=1 1" "$(seen plain 'GOOD|NEW') $(grep -c '30-bad.conf: DefaultEnvironment' "$HARK_LOG")"
finish
