#!/bin/bash
# SPDX-License-Identifier: MIT
# What is counted or timed goes on across the death of the manager: watchdogs, timeouts, restart counters, start limits, stored descriptors,
# what notify messages said, the reason a unit runs.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
hark_up carried || finish

service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n' && printf '%s\n' "$@"; } >"$UNITS/$name.service"
}
service dog '[Service]' Type=notify NotifyAccess=all WatchdogSec=2s "ExecStart=$PAYLOAD notify READY=1 pause"
service fed '[Service]' Type=notify NotifyAccess=all WatchdogSec=2s "ExecStart=$PAYLOAD notify READY=1 tell 100"
service slow '[Service]' Type=notify NotifyAccess=all TimeoutStartSec=3s "ExecStart=$PAYLOAD sleep 60000"
service stubborn '[Service]' Type=notify TimeoutStopSec=3s "ExecStart=$PAYLOAD ignore TERM notify READY=1 pause"
service brief '[Service]' RuntimeMaxSec=3s "ExecStart=$PAYLOAD pause"
service limited StartLimitBurst=3 StartLimitIntervalSec=100 '[Service]' Type=oneshot "ExecStart=$PAYLOAD log $T/limited x"
service again '[Service]' Restart=always RestartSec=500ms "ExecStart=$PAYLOAD log $T/again x sleep 200 exit 1"
service told '[Service]' Type=notify NotifyAccess=all FileDescriptorStoreMax=2 "ExecStart=$PAYLOAD store thing text notify 'READY=1\nSTATUS=all is well\nERRNO=4' pause"
ctl reload-config >/dev/null

# slay N SECONDS: the manager dies every so many seconds, N times.
slay() {
	local i old
	for ((i = 0; i < $1; i++)); do
		sleep "$2"
		old=$(manager_pid)
		kill -KILL "$old" 2>/dev/null
		wait_for '[ "$(manager_pid)" != "'"$old"'" ] && ctl list'
	done
}

ctl start dog.service fed.service brief.service stubborn.service told.service >/dev/null
ctl start --no-wait slow.service again.service >/dev/null
fed=$(main_of fed.service) entry=$(ctl why told.service | head -3)
start_clock
ctl stop --no-wait stubborn.service >/dev/null
slay 1 0.5
is "a start on the way is not forgotten" "" "activating" "$(active slow.service)"
slay 2 0.5
wait_active slow.service failed
stop_clock
between "a start timeout counts from the start, not from the last manager" "" 2500 4300 $TOOK $STALLED
wait_active stubborn.service failed
stop_clock
between "so does a stop timeout" "" 2500 4300 $TOOK $STALLED
wait_active brief.service failed
stop_clock
between "and RuntimeMaxSec=" "" 2500 4300 $TOOK $STALLED
wait_active dog.service failed
is "a watchdog that is not served bites though managers died meanwhile" "" watchdog "$(prop dog.service Result)"
slay 8 0.1
is "a watchdog that is served never bites" "" "$fed active" "$(main_of fed.service) $(active fed.service)"
until restarts=$(prop again.service NRestarts) runs=$(wc -l <"$T/again") && [ "$(prop again.service NRestarts)" = "$restarts" ]; do :; done
is "restarts are counted by all managers together" "" yes "$([ "$restarts" -ge 2 ] && [ $((runs - restarts)) -le 1 ] && echo yes || echo "$restarts restarts, $runs runs")"
is "STATUS= and ERRNO= are still known" "" "all is well 4" "$(prop told.service StatusText) $(prop told.service StatusErrno)"
is "a stored descriptor is kept" "" 1 "$(prop told.service NFileDescriptorStore)"
is "why a unit runs is still told" "" "$entry" "$(ctl why told.service | head -3)"

ctl start limited.service >/dev/null
slay 1 0.1
ctl start limited.service >/dev/null
slay 1 0.1
ctl start limited.service >/dev/null
slay 1 0.1
ctl start limited.service >/dev/null 2>&1
is "a start limit counts the starts of all managers" "" "3 start-limit-hit" "$(wc -l <"$T/limited") $(prop limited.service Result)"
slay 1 0.1
is "... and is not forgotten either" "" "failed start-limit-hit" "$(active limited.service) $(prop limited.service Result)"

# ---- the end, in the middle of which the manager dies

kill -TERM "$INIT_PID"
sleep 0.1
kill -KILL "$(manager_pid)" 2>/dev/null
wait "$INIT_PID"
is "a shutdown goes on after the death of the manager" "" 0 $?
is "and nothing is left" "" "" "$(find "$CGROUP/system.slice" -name cgroup.procs -exec cat {} + 2>/dev/null)"
finish
