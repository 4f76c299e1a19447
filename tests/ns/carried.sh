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
service dog '[Service]' Type=notify NotifyAccess=all WatchdogSec=800ms "ExecStart=$PAYLOAD notify READY=1 pause"
service fed '[Service]' Type=notify NotifyAccess=all WatchdogSec=800ms "ExecStart=$PAYLOAD notify READY=1 tell 100"
service slow '[Service]' Type=notify NotifyAccess=all TimeoutStartSec=700ms "ExecStart=$PAYLOAD sleep 60000"
service stubborn '[Service]' TimeoutStopSec=700ms "ExecStart=$PAYLOAD ignore TERM pause"
service brief '[Service]' RuntimeMaxSec=700ms "ExecStart=$PAYLOAD pause"
service limited StartLimitBurst=3 StartLimitIntervalSec=100 '[Service]' Type=oneshot "ExecStart=$PAYLOAD log $T/limited x"
service again '[Service]' Restart=always RestartSec=500ms "ExecStart=$PAYLOAD log $T/again x sleep 200 exit 1"
service told '[Service]' Type=notify NotifyAccess=all FileDescriptorStoreMax=2 "ExecStart=$PAYLOAD store thing text notify 'READY=1\nSTATUS=all is well\nERRNO=4' pause"
ctl reload-config >/dev/null

# The manager dies every 100 ms, N times.
slay() {
	local i old
	for ((i = 0; i < $1; i++)); do
		sleep 0.1
		old=$(manager_pid)
		kill -KILL "$old" 2>/dev/null
		wait_for '[ "$(manager_pid)" != "'"$old"'" ] && ctl list' 5
	done
}
ms_of() { # UNIT KEY KEY: microseconds between two of its times, in ms
	local from to
	from=$(ctl show "$1" -p "$2" --value | tr -cd 0-9) to=$(ctl show "$1" -p "$3" --value | tr -cd 0-9)
	echo $(((to - from) / 1000))
}
took() { # NAME ROWS MIN MAX MS
	if [ "$5" -ge "$3" ] && [ "$5" -le "$4" ]; then ok "$1 ($5 ms)" "$2"; else not_ok "$1" "$5 ms, $3 to $4 expected"; fi
}

ctl start dog.service fed.service brief.service stubborn.service told.service >/dev/null
ctl start --no-wait slow.service again.service >/dev/null
fed=$(main_of fed.service) entry=$(ctl why told.service | head -3)
begin=$(now_ms)
ctl stop --no-wait stubborn.service >/dev/null
slay 3
is "a start on the way is not forgotten" "" "activating" "$(active slow.service)"
wait_active slow.service failed 5
took "a start timeout counts from the start, not from the last manager" "" 400 1900 $(($(now_ms) - begin))
wait_active stubborn.service failed 5
took "so does a stop timeout" "" 400 2200 $(($(now_ms) - begin))
wait_active brief.service failed 5
took "and RuntimeMaxSec=" "" 300 2400 $(($(now_ms) - begin))
wait_active dog.service failed 5
is "a watchdog that is not served bites though managers died meanwhile" "" watchdog "$(prop dog.service Result)"
slay 8
is "a watchdog that is served never bites" "" "$fed active" "$(main_of fed.service) $(active fed.service)"
restarts=$(prop again.service NRestarts) runs=$(wc -l <"$T/again")
is "restarts are counted by all managers together" "" yes "$([ "$restarts" -ge 2 ] && [ $((runs - restarts)) -le 1 ] && echo yes || echo "$restarts restarts, $runs runs")"
is "STATUS= and ERRNO= are still known" "" "all is well 4" "$(prop told.service StatusText) $(prop told.service StatusErrno)"
is "a stored descriptor is kept" "" 1 "$(prop told.service NFileDescriptorStore)"
is "why a unit runs is still told" "" "$entry" "$(ctl why told.service | head -3)"

ctl start limited.service >/dev/null
slay 1
ctl start limited.service >/dev/null
slay 1
ctl start limited.service >/dev/null
slay 1
ctl start limited.service >/dev/null 2>&1
is "a start limit counts the starts of all managers" "" "3 start-limit-hit" "$(wc -l <"$T/limited") $(prop limited.service Result)"
slay 1
is "... and is not forgotten either" "" "failed start-limit-hit" "$(active limited.service) $(prop limited.service Result)"

# ---- the end, in the middle of which the manager dies

kill -TERM "$INIT_PID"
slay 1
wait "$INIT_PID"
is "a shutdown goes on after the death of the manager" "" 0 $?
is "and nothing is left" "" "" "$(find "$CGROUP/system.slice" -name cgroup.procs -exec cat {} + 2>/dev/null)"
finish
