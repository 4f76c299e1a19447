#!/bin/bash
# SPDX-License-Identifier: MIT
# F1, F2 of the manager: each single system call of harkd fails once, and each single allocation: while it boots, while it takes over, while
# services are started, served, reloaded, restarted and stopped. It may refuse what it was asked, or die and be replaced; PID 1 and
# the services that run never notice, nothing runs twice, nobody waits for ever, and who asks again gets what he wants.
#	tests/ns/failing.sh [PART [N [ERRNO]]]   only that part (work, takeover, boot, memory, begin), only that call or allocation
# The short form takes some calls of each part, each with any errno; HARK_FULL=1 all of them with ENOMEM and EIO; a boot with ENOMEM alone.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
TRIP=$NS_BIN/trip
[ -x "$TRIP" ] || skip_all "no $TRIP"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"
FULL=${HARK_TEST_FULL:-$HARK_FULL}
ERRNOS="12 4 5 24 11 1" # ENOMEM EINTR EIO EMFILE EAGAIN EPERM
STATS=$(nm "$BIN/harkd" | sed -n 's/ [A-Za-z] mem_stats$//p')

ctl() { timeout -k 1 60 "$BIN/harkctl" "$@"; }

# ---- the units

set_up() { # DIR, before hark_up
	W=$T/$1
	UNITS=$W/units
	mkdir -p "$UNITS"
	busy_socket stay "ListenStream=$W/stay"
	busy_service stay "ExecStart=$SOCK listen"
	busy_socket each "ListenStream=$W/each" Accept=yes
	busy_service each@ "ExecStart=$SOCK answer" StandardInput=socket
	busy_service witness Restart=always "ExecStart=$PAYLOAD log $W/witness x pause"
	busy_service work Type=notify NotifyAccess=all "ExecStartPre=$PAYLOAD log $W/trace Pre say here" \
		"ExecStart=$PAYLOAD log $W/trace Start notify READY=1 pause" "ExecReload=$PAYLOAD log $W/trace Reload" \
		"ExecStop=$PAYLOAD log $W/trace Stop" "ExecStopPost=$PAYLOAD log $W/trace Post"
	mkdir "$UNITS/work.service.d"
	printf '[Unit]\nDefaultDependencies=no\nWants=stay.socket each.socket witness.service\n' >"$UNITS/test.target"
}

# As a person does: what is refused is asked for again.
insist() { # WORDS...
	local i
	for i in 1 2 3 4; do
		ctl "$@" >>"$W/ctl" 2>&1 && return
		ctl daemon-reload >>"$W/ctl" 2>&1
		# A socket that could not be had, a unit whose file could not be read.
		ctl reset-failed >>"$W/ctl" 2>&1
		ctl start test.target stay.socket each.socket >>"$W/ctl" 2>&1
	done
	bad "$* is refused for ever: $(tail -3 "$W/ctl" | paste -sd' ')"
}
ask() { # SOCKET
	timeout 100 "$SOCK" ask "$W/$1" 1 >"$W/asked" 2>&1 || bad "$1.socket: $(cat "$W/asked")"
}
work() {
	insist start work.service
	ask each
	printf '[Service]\nTimeoutStopSec=%d\n' $((20 + RANDOM % 50)) >"$UNITS/work.service.d/new.conf"
	insist daemon-reload
	insist reload work.service
	insist restart work.service
	ask stay
	insist stop work.service
}

# ---- what must hold afterwards

bad() { BAD="$BAD $*;"; }
cpu_ms() { awk '{ printf "%d\n", $1 / 1000000 }' "/proc/$1/schedstat"; }
rests() { [ "$(ctl jobs --plain)" = "no jobs" ] && ! pgrep -fx "$SOCK answer"; }
look() {
	local pid spent
	alive "$INIT_PID" || bad "PID 1 is gone"
	wait_for 'ctl is-active test.target' || bad "test.target is $(active test.target)"
	wait_for rests || bad "jobs $(ctl jobs --plain | paste -sd,), $(pgrep -fxc "$SOCK answer") instances"
	wait_for '[ -s "$W/witness" ]' # made is not yet begun
	[ "$(wc -l <"$W/witness")" = 1 ] || bad "witness ran $(wc -l <"$W/witness") times"
	is_so "$(sub witness.service) $(pids_of witness.service)" "running $(main_of witness.service)" witness
	is_so "$(sub work.service) $(pids_of work.service)" "dead " work
	is_so "$(sub stay.socket) $(pids_of stay.service | wc -l)" "running 1" stay
	pid=$(manager_pid) spent=$(cpu_ms "$pid")
	sleep 0.03
	[ $(($(cpu_ms "$pid") - spent)) -le 20 ] || bad "it spins"
}
is_so() { [ "$1" = "$2" ] || bad "$3 is '$1', not '$2'"; }

# ---- one fault in each part; what the watcher says is in $W/trip

begin_watch() { # here|next PID N ERRNO
	"$TRIP" "$@" >"$W/trip" 2>"$W/trip.err" || bad "trip $*: $(cat "$W/trip.err")"
}
end_watch() {
	kill -TERM "$(head -1 "$W/trip")" 2>/dev/null
	wait_for '[ "$(wc -l <"$W/trip")" = 2 ]' || bad "the watcher does not end"
}
fault_work() { # N ERRNO
	begin_watch here "$(manager_pid)" "$@"
	work
	end_watch
}
fault_takeover() {
	begin_watch next "$INIT_PID" "$@"
	LIVES=$((LIVES + 1))
	kill -KILL "$(manager_pid)"
	ask each
	ask stay
	end_watch
}
fault_boot() {
	hark_down
	remove_cgroup "$CGROUP"
	rm -rf "$T/boot"
	set_up boot
	(until grep -q '^State:.T' "/proc/$(cat "$W/pid")/status"; do sleep 0.01; done
	begin_watch next "$(cat "$W/pid")" "$@"
	kill -CONT "$(cat "$W/pid")") 2>"$W/watch.err" &
	BIN=$T/stopped hark_up boot
	ask each
	ask stay
	end_watch
}
fault_memory() {
	"$TRIP" alloc "$(manager_pid)" "$STATS" "$1" >"$W/trip" 2>&1 || bad "trip: $(cat "$W/trip")"
	work
	# An allocation that it did not come to shall not fail those who look.
	"$TRIP" alloc "$(manager_pid)" "$STATS" 0 >/dev/null
}
# A manager that begins waits for memory: it does not end.
fault_begin() { # N
	"$TRIP" first "$INIT_PID" "$STATS" "$1" >"$W/trip" 2>"$W/trip.err" || bad "trip: $(cat "$W/trip.err")"
	LIVES=$((LIVES + 1))
	kill -KILL "$(manager_pid)"
	ask each
	ask stay
	end_watch
	"$TRIP" alloc "$(manager_pid)" "$STATS" 0 >"$W/allocated"
	is_so "$(ctl show -p ManagerGenerations --value)" "$LIVES" "the manager's life"
}
# Waits to be watched before it becomes hark-init.
mkdir "$T/stopped"
cp "$BIN/harkctl" "$T/stopped/"
printf '#!/bin/bash\necho $$ >%s/boot/pid\nkill -STOP $$\nexec %s/hark-init "$@"\n' "$T" "$BIN" >"$T/stopped/hark-init"
chmod 755 "$T/stopped/hark-init"

# How many calls, or allocations, a part has.
places() { # PART
	BAD=
	"fault_$1" 0 0
	[ -z "$BAD" ] || not_ok "$1: without a fault" "$BAD"
	if [ "$1" = begin ]; then
		cp "$W/allocated" "$T/places"
	elif [ "$1" = memory ]; then
		echo $(($("$TRIP" alloc "$(manager_pid)" "$STATS" 0) - $(cat "$W/trip"))) >"$T/places"
	else
		sed -n 's/^calls=\([0-9]*\).*/\1/p' "$W/trip" >"$T/places"
	fi
}
one() { # PART N ERRNO: false when something is wrong
	BAD=
	"fault_$1" "$2" "$3"
	look
	# Deaths in a row are answered by managers that do less and less; that is another test.
	[ "$(ctl show -p ManagerGenerations --value)" = "$LIVES" ] || ctl reexec >/dev/null 2>&1
	LIVES=$(ctl show -p ManagerGenerations --value)
	[ -z "$BAD" ] && return
	note "$1, $2, errno $3 ($(tail -1 "$W/trip")):$BAD"
	tail -8 "$HARK_LOG" | sed 's/^/#   /'
	return 1
}
sweep() { # PART SOME ERRNOS [N [ERRNO]]
	local part=$1 n errno total tried=0 broken=0 some=$ERRNOS
	# With another error the very first calls of all end a hark that is no PID 1, which says why.
	[ "$part" = boot ] && some=$3
	places "$part"
	total=$(cat "$T/places")
	for errno in ${5:-$([ -n "$FULL" ] && echo "$3" || echo any)}; do
		for n in ${4:-$([ -n "$FULL" ] && seq 1 "$total" || shuf -n "$2" -i 1-"$total")}; do
			# shellcheck disable=SC2086
			one "$part" "$n" "$([ "$errno" = any ] && shuf -n 1 -e $some || echo "$errno")" || broken=$((broken + 1))
			tried=$((tried + 1))
		done
	done
	note "$part: $tried faults at $total places, $(grep -c 'took over' "$HARK_LOG") managers took over"
	is "$part: a call or an allocation that fails once costs nobody anything" "" 0 "$broken"
}

set_up main
hark_up main || finish
LIVES=1
ask stay
if [ -n "$1" ]; then
	sweep "$1" 5 "$([[ $1 = memory || $1 = begin ]] && echo 12 || echo '12 5')" "$2" "$3"
	finish
fi
sweep work 8 "12 5"
sweep memory 5 12
sweep begin 5 12
sweep takeover 8 "12 5"
sweep boot 2 12
hark_down
finish
