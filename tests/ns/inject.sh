#!/bin/bash
# SPDX-License-Identifier: MIT
# F2: system calls of PID 1 fail, each with every errno that is worth it, every fifth or seventh time, while
# clients come in. It never ends, nothing is lost, and afterwards all is as before.
#	tests/ns/inject.sh [CALL...]   only those
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"
command -v strace >/dev/null || skip_all "no strace"
hark_up inject || finish

busy_socket stay "ListenStream=$T/stay"
busy_service stay "ExecStart=$SOCK listen"
busy_socket each "ListenStream=$T/each" Accept=yes
busy_service each@ "ExecStart=$SOCK answer" StandardInput=socket
busy_service witness Restart=always "ExecStart=$PAYLOAD log $T/witness x pause"
ctl daemon-reload >/dev/null 2>&1
ctl start stay.socket each.socket witness.service >/dev/null
"$SOCK" ask "$T/stay" 1 >/dev/null
stay_pid=$(main_of stay.service) witness_pid=$(main_of witness.service) manager=$(manager_pid)

# What it calls in its daily work; clone3 and accept4 fail as the kernel lets them.
CALLS="epoll_pwait epoll_ctl recvmsg sendto waitid wait4 read dup2 dup3 close close_range fcntl pipe2 pidfd_open pwrite64 clone3 accept4"
ERRNOS="ENOMEM EINTR"
EVERY="5 7"
[ -n "${HARK_FULL:-}" ] && ERRNOS="ENOMEM EMFILE ENFILE EIO EINTR EAGAIN ENOSPC EPERM" EVERY="5 7 11"

runs=0 bad=""
ticks() { awk '{ print $14 + $15 }' "/proc/$INIT_PID/stat"; }
inject() { # CALL ERRNO EVERY
	local pid rc before after
	before=$(ticks)
	timeout -k 2 300 strace -qq -p "$INIT_PID" -o /dev/null -e trace="$1" -e inject="$1:error=$2:when=$3+$3" 2>"$T/strace" &
	pid=$!
	timeout 200 "$SOCK" ask "$T/each" 12 2 >"$T/asked" 2>&1
	rc=$?
	sleep 0.05
	kill -INT $pid 2>/dev/null
	wait $pid 2>/dev/null
	after=$(ticks)
	runs=$((runs + 1))
	kill -0 "$INIT_PID" 2>/dev/null || bad="$bad $1:$2:$3:died"
	[ "$(manager_pid)" = "$manager" ] || bad="$bad $1:$2:$3:another-manager" manager=$(manager_pid)
	[ $rc = 0 ] || bad="$bad $1:$2:$3:$(paste -sd' ' "$T/asked" | tr ' ' ',')"
	[ $((after - before)) -lt 100 ] || bad="$bad $1:$2:$3:$((after - before))ticks"
}
# The kernel never says so; EAGAIN of a send is no loss where it means that more is waiting to be read.
is_possible() { # CALL ERRNO
	case "$1 $2" in "close_range EINTR" | "dup2 EAGAIN" | "dup3 EAGAIN" | "sendto EAGAIN") return 1 ;; esac
}
for call in ${*:-$CALLS}; do
	note "$call from run $runs on${bad:+, wrong so far:$bad}"
	for errno in $ERRNOS; do
		for every in $EVERY; do
			is_possible "$call" "$errno" && inject "$call" "$errno" "$every"
		done
	done
done
note "$runs runs"
is "no failing system call ends PID 1 or its manager, makes it spin or loses a client" "" "" "$bad"
is "services are the same" "" "$stay_pid $witness_pid" "$(main_of stay.service) $(main_of witness.service)"
"$SOCK" ask "$T/each" 20 2 >"$T/after" && ok "afterwards everything is as before" "" || not_ok "afterwards everything is as before" "$(cat "$T/after")"
wait_for '[ "$(ctl list --plain 2>/dev/null | grep -c "each@")" = 0 ]'
is "no instance is left behind" "" 0 "$(pgrep -fxc "$SOCK answer")"
hark_down
is "it still stops in order" "" 0 $?
finish
