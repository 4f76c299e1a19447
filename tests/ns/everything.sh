#!/bin/bash
# SPDX-License-Identifier: MIT
# Everything at once against hark-init as PID 1 of a namespace: every signal, faults of its own, garbage from managers that die in every
# way, too few descriptors, failing system calls (no memory, no processes), orphans. It lives, as the same process, and afterwards a
# real manager starts services. HARK_FULL=1: ten minutes.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
command -v strace >/dev/null || skip_all "no strace"
FULL=${HARK_TEST_FULL:-$HARK_FULL}
TIME=${FULL:+600}
: "${TIME:=15}"
FLOOD=$T/flood
cp "$NS_BIN/flood" "$FLOOD" 2>/dev/null || skip_all "no $NS_BIN/flood"

hark_dirs() {
	UNITS=$T/pid1/units
	RUN_DIR=$T/pid1/run
	mkdir -p "$UNITS" "$RUN_DIR" "$T/garble"
	export HARK_RUN_DIR=$RUN_DIR
	if [ -n "$HARK_TEST_CGROUP" ]; then
		CGROUP=$HARK_TEST_CGROUP/pid1
		mkdir -p "$CGROUP" && OWN_CGROUP=$CGROUP
	fi
	printf '[Unit]\nDefaultDependencies=no\n' >"$UNITS/test.target"
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s log %s/after x pause\n' "$PAYLOAD" "$T" >"$UNITS/after.service"
}

# table OFFSET BYTES: a number of the table that it shares (struct bank_table).
table() { od -An -tu"$2" -j"$1" -N"$2" "/proc/$INIT_PID/fd/418" | tr -d ' '; }
born() { awk '{ print $22 }' "/proc/$INIT_PID/stat"; }
goes_on() { [ "$(date +%s)" -lt "$END" ] && kill -0 "$INIT_PID" 2>/dev/null; }

# ---- what it has to bear; each notes how often

every_signal() {
	local kinds n=0
	kinds=$(for i in $(seq 1 31) 34 64; do case $i in 4 | 6 | 7 | 8 | 9 | 11 | 19) ;; *) echo "$i" ;; esac done)
	while goes_on; do
		# shellcheck disable=SC2086
		"$FLOOD" signals "$INIT_PID" 4000 $kinds >/dev/null 2>&1 && n=$((n + 4000))
		echo "$n" >"$T/n.signals"
		sleep 0.2 # of those from 34 on the kernel keeps each
	done
}
# With pauses: after three faults in one turn of its loop PID 1 only holds on for some seconds, and hears no manager.
faults() {
	local n=0
	while goes_on; do
		[ $(((END - $(date +%s)) % 12)) -lt 2 ] || { sleep 0.1 && continue; }
		kill -"$(shuf -n1 -e SEGV BUS ABRT FPE ILL)" "$INIT_PID" && n=$((n + 1))
		echo "$n" >"$T/n.faults"
		sleep 0.0$((RANDOM % 9 + 1))
	done
}
descriptors() {
	local n=0 most
	most=$(prlimit --pid "$INIT_PID" --nofile --noheadings --raw --output SOFT)
	while goes_on; do
		prlimit --pid "$INIT_PID" --nofile=$((RANDOM % 520 + 4)): && n=$((n + 1))
		sleep 0.2
		prlimit --pid "$INIT_PID" --nofile="$most":
		sleep 0.3
		echo "$n" >"$T/n.droughts"
	done
}
failing_calls() {
	local n=0 calls
	calls="epoll_pwait,epoll_wait,epoll_ctl,recvmsg,sendto,waitid,wait4,read,dup2,dup3,close_range,fcntl,pipe2,pidfd_open,pwrite64,clone3,accept4,socketpair,mmap,pread64,rt_sigaction,timerfd_settime,kill"
	while goes_on; do
		timeout -s INT 1 strace -qq -p "$INIT_PID" -o "$T/calls" -e trace="$calls" \
			-e inject="$calls:error=$(shuf -n1 -e ENOMEM EAGAIN EMFILE EINTR EPERM):when=$((RANDOM % 9 + 1))+$((RANDOM % 9 + 2))" 2>/dev/null
		n=$((n + $(grep -c INJECTED "$T/calls")))
		echo "$n" >"$T/n.failed_calls"
		sleep 0.2
	done
}
orphans() {
	local n=0
	while goes_on; do
		nsenter -t "$INIT_PID" -p -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do (true & true) & done' 2>/dev/null && n=$((n + 20))
		echo "$n" >"$T/n.orphans"
		sleep 0.05
	done
}

# ---- all of it

hark_dirs
unshare -fp --mount-proc --kill-child "$BIN/hark-init" "$NS_BIN/garble" random "$T/garble" "$BIN/harkd" \
	--unit-path "$UNITS" --run-dir "$RUN_DIR" ${CGROUP:+--cgroup-root "$CGROUP"} --default test.target >"$T/log" 2>&1 </dev/null &
STARTED+=("$!")
wait_for "INIT_PID=\$(pgrep -P $! -x hark-init)" || not_ok "hark-init is PID 1" "$(tail -1 "$T/log")"
INIT_PID=$(pgrep -P $! -x hark-init)
born=$(born)
wait_for "[ -s $T/garble/counts ]"
END=$(($(date +%s) + TIME + 1))
began=$(now_ms)
for what in every_signal faults descriptors failing_calls orphans; do
	$what >/dev/null 2>&1 &
	STARTED+=("$!")
	pids="$pids $!"
done
# shellcheck disable=SC2086
wait $pids
took=$((($(now_ms) - began) / 1000))
is "everything at once for $TIME s: PID 1 is alive, and the same process" "" "$born yes" \
	"$(born 2>/dev/null) $([ $took -ge "$TIME" ] && echo yes || echo "only $took s")"
note "$took s: $(cd "$T" && for i in n.*; do echo "${i#n.} $(cat "$i")"; done | paste -sd, | sed 's/,/, /g')"
records=$(od -An -tu8 -N8 "$T/garble/counts" | tr -d ' ')
note "records $records, managers $(od -An -tu8 -j8 -N8 "$T/garble/counts" | tr -d ' '), lives of PID 1 $(table 16 4)"
note "memory $(awk '/^VmRSS/ { print $2 }' "/proc/$INIT_PID/status") kB"
is "every kind of trouble came" "" "" "$(cd "$T" && for i in signals faults droughts failed_calls orphans; do [ "$(cat n.$i 2>/dev/null || echo 0)" -gt 0 ] || echo "no $i"; done; [ "$records" -ge $((TIME * 20)) ] || echo "only $records records")"

# ---- and now sanely

: >"$T/garble/sane"
ok_if "a real manager takes over" "" wait_for 'ctl is-active test.target || ctl start test.target'
ok_if "and starts services" "" timeout 20 "$BIN/harkctl" start after.service
is "as what it is: one process, once" "" "active 1" "$(active after.service) $(wc -l <"$T/after")"
# What was left to do may take a while.
rests() {
	local ticks
	ticks=$(awk '{ print $14 + $15 }' "/proc/$INIT_PID/stat")
	sleep 1
	[ $(($(awk '{ print $14 + $15 }' "/proc/$INIT_PID/stat") - ticks)) -lt 5 ]
}
ok_if "PID 1 comes to rest" "" wait_for rests
[ -n "$FULL" ] && echo "rows: A2"
finish
