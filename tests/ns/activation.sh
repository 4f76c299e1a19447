#!/bin/bash
# SPDX-License-Identifier: MIT
# Services that their first client starts: what they get, what a client notices of a slow, crashing, failing or
# idle one (nothing), and what starts and what does not.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"
FULL=${HARK_TEST_FULL:-$HARK_FULL}
hark_up activation || finish

socket() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Socket]\nTriggerLimitIntervalSec=0\n' && printf '%s\n' "$@"; } >"$UNITS/$name.socket"
}
service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nLimitCORE=0\n' && printf '%s\n' "$@"; } >"$UNITS/$name.service"
}
rescan() { ctl daemon-reload >/dev/null 2>&1; }
quiet() { "$@" >/dev/null 2>&1; }
ask() { timeout -k 5 100 "$SOCK" ask "$@"; }
# asked NAME ROWS ADDR N [WORKERS]: every request is answered; the figures are printed.
asked() {
	local name=$1 rows=$2 sums
	shift 2
	sums=$(ask "$@")
	if [ $? -eq 0 ]; then ok "$name" "$rows"; else not_ok "$name" "$sums"; fi
	note "$name: $sums"
}

on_demand() {
	socket first "ListenStream=$T/first" "ListenStream=@hark-first-$$" "ListenStream=127.0.0.1:7001" FileDescriptorName=three
	service first "ExecStart=$SOCK listen passed $T/first.passed"
	rescan
	ok_if "a socket starts" "" ctl start first.socket
	is "it listens, and there is no process" "B23 C24" "listening dead 0" \
		"$(sub first.socket) $(sub first.service) $(pgrep -fxc "$SOCK listen.*")"
	asked "the first connection starts the service and is answered" "B23 C25 D13" "$T/first" 1
	is "the listeners are descriptors 3, 4, 5 in the order of the unit; LISTEN_PID is its own" "C25 C26" \
		"pid=mine n=3 names=three:three:three fd3=unix stream listening fd4=unix stream listening fd5=v4 stream listening" \
		"$(paste -sd' ' "$T/first.passed")"
	is "the socket unit is running with it" "" "running running" "$(sub first.socket) $(sub first.service)"
	asked "the other listeners lead to the same service" "C26 D17" "@hark-first-$$" 3
	asked "by TCP too" "D17" tcp:127.0.0.1:7001 3
	is "one instance serves them all" "D16" "pid=mine" "$(grep pid= "$T/first.passed" | paste -sd' ')"
	ctl why first.service >"$T/out" 2>&1
	ok_if "why names the socket" "D42" grep -q first.socket "$T/out"
	ok_if "and the client's address or socket" "D42" grep -qE "sock|uid 0|$T/first" "$T/out"
	quiet ctl stop first.service
	ok_if "a stop of the service alone: the socket listens on" "" wait_sub first.socket listening
	asked "and starts it anew" "D13 D15" "$T/first" 1
	quiet ctl stop first.socket first.service
	is "a stopped socket refuses" "" "served=0 refused=1" "$(ask "$T/first" 1 | cut -d' ' -f1-2)"
}

# The daemon of docs/sockets.md, as it stands there.
documented() {
	local said
	sed -n '/^```c$/,/^```$/p' "$TOP/docs/sockets.md" | grep -v '^```' >"$T/hello.c"
	ok_if "the documented daemon has 15 lines, and no library" "" [ "$(grep -c . "$T/hello.c")" -le 15 ]
	cc -Wall -Wextra -Werror -o "$T/hello" "$T/hello.c" >"$T/out" 2>&1 || { not_ok "it is built" "$(head -3 "$T/out")" && return; }
	socket hello "$(sed -n 's/^\(ListenStream=\)/\1/p' "$TOP/docs/sockets.md")"
	service hello "ExecStart=$T/hello"
	rescan
	quiet ctl start hello.socket
	said=$(timeout 60 bash -c 'for i in 1 2; do read -r word </dev/tcp/127.0.0.1/7002 && echo "$word"; done' | paste -sd' ')
	is "it is started by its socket, and answers" "D+10" "hello hello running" "$said $(sub hello.service)"
	is "alone it has none" "" 1 "$(env -u LISTEN_PID "$T/hello"; echo $?)"
	quiet ctl stop hello.socket hello.service
}

# The cgroup of the next run is there before somebody comes, and is new: nothing of the last run is in it.
prepares_its_cgroup() {
	local dir=$CGROUP/system.slice/ready.service inode
	[ -n "$CGROUP" ] || { skip "a cgroup for the next run" "no cgroups" && return; }
	socket ready "ListenStream=$T/ready"
	service ready "ExecStart=$SOCK listen"
	rescan
	quiet ctl start ready.socket
	ok_if "no cgroup is made for who never ran" "" test ! -e "$dir"
	asked "a service runs" "" "$T/ready" 1
	inode=$(stat -c %i "$dir")
	quiet ctl stop ready.service
	ok_if "when it has ended a new cgroup is there for the next run" "" \
		wait_for "[ \"\$(stat -c %i $dir 2>/dev/null || echo $inode)\" != $inode ]"
	is "with nobody in it" "" "" "$(cat "$dir/cgroup.procs")"
	is "and nothing of it counts as the service's" "" "" "$(ctl show -p CPUUsageNSec ready.service)"
	inode=$(stat -c %i "$dir")
	asked "it runs again" "" "$T/ready" 1
	is "in that cgroup" "" "$inode listen" "$(stat -c %i "$dir") $(xargs -a "$dir/cgroup.procs" ps -o args= -p | cut -d' ' -f2)"
	quiet ctl stop ready.socket ready.service
	ok_if "which goes with the socket" "" wait_for "[ ! -e $dir ]"
}

inherits_only_its_own() {
	socket two-a "ListenStream=$T/two-a" FileDescriptorName=a Service=two.service
	socket two-b "ListenStream=$T/two-b" FileDescriptorName=b Service=two.service
	socket two-c "ListenStream=$T/two-c" Service=two.service
	service two "Sockets=two-c.socket two-a.socket two-b.socket" "ExecStart=$SOCK listen passed $T/two.passed"
	rescan
	quiet ctl start two-a.socket two-b.socket two-c.socket
	asked "three socket units of one service" "C26" "$T/two-b" 1
	is "LISTEN_FDNAMES names each" "C26" "a b two-c.socket" \
		"$(sed -n 's/^names=//p' "$T/two.passed" | tr : '\n' | sort | paste -sd' ')"
	asked "every one of them is served (1)" "" "$T/two-a" 1
	asked "every one of them is served (2)" "" "$T/two-c" 1
	quiet ctl stop two-a.socket two-b.socket two-c.socket two.service
}

# D9: only the one request waits.
slow_provider() {
	socket slow "ListenStream=$T/slow"
	service slow Type=notify "ExecStart=$SOCK listen slow 2000 tell READY=1"
	socket quick "ListenStream=$T/quick"
	service quick "ExecStart=$SOCK listen"
	rescan
	quiet ctl start slow.socket quick.socket
	ask "$T/slow" 1 >"$T/slow.out" &
	local client=$!
	start_clock
	"$SOCK" hold "$T/slow" 1 0 >"$T/hold"
	stop_clock
	is "connect() to a service that is not ready" "D9" made=1 "$(cut -d' ' -f1 "$T/hold")"
	in_time "at once" "D9" 300 $TOOK $STALLED
	asked "others are served meanwhile" "D9" "$T/quick" 20
	stop_clock
	in_time "without waiting for the slow one" "D9" 1000 $TOOK $STALLED
	start_clock
	ok_if "control stays responsive" "" timeout 10 "$BIN/harkctl" is-active quick.service
	stop_clock
	in_time "and fast" "" 1000 $TOOK $STALLED
	wait $client
	is "the one request is answered when it is ready" "D9" served=1 "$(cut -d' ' -f1 "$T/slow.out")"
	quiet ctl stop slow.socket quick.socket slow.service quick.service
}

# D10: c asks b, b asks a; no After=, no Requires=; in every order.
permutations() {
	local order name bad=
	socket pa "ListenStream=$T/pa"
	socket pb "ListenStream=$T/pb"
	socket pc "ListenStream=$T/pc"
	service pa "ExecStart=$SOCK listen slow 30"
	service pb "ExecStart=$SOCK listen ask $T/pa"
	service pc "ExecStart=$SOCK listen ask $T/pb"
	rescan
	for order in "pa pb pc" "pa pc pb" "pb pa pc" "pb pc pa" "pc pa pb" "pc pb pa"; do
		quiet ctl start pa.socket pb.socket pc.socket
		for name in $order; do
			timeout 20 "$BIN/harkctl" --no-wait start "$name.service" >/dev/null 2>&1
		done
		ask "$T/pc" 3 >"$T/out" || bad="$bad [$order: $(cat "$T/out")]"
		quiet ctl stop pa.socket pb.socket pc.socket pa.service pb.service pc.service
	done
	is "services that use each other's sockets need no order: 6 permutations" "D10" "" "$bad"
	quiet ctl start pa.socket pb.socket pc.socket
	asked "and no start at all: the chain starts by itself" "D10 D13" "$T/pc" 1
	quiet ctl stop pa.socket pb.socket pc.socket pa.service pb.service pc.service
}

# D11
datagrams() {
	socket dg "ListenDatagram=$T/dg"
	service dg "ExecStartPre=/bin/sh -c 'until [ -e $T/dg.go ]; do sleep 0.05; done'" "ExecStart=$SOCK listen get $T/dg.got"
	rescan
	quiet ctl start dg.socket
	is "the queue of datagrams is raised" "D11" yes "$([ "$(cat /proc/sys/net/unix/max_dgram_qlen)" -ge 512 ] && echo yes)"
	ok_if "200 datagrams are taken before the receiver is there" "D11" "$SOCK" send "dgram:$T/dg" 200 message
	is "it is not there yet" "D11" "" "$(cat "$T/dg.got" 2>/dev/null)"
	touch "$T/dg.go"
	wait_for "[ \$(wc -l <$T/dg.got) -ge 200 ]"
	is "all of them arrive, in order" "D11" "$(seq -f '%g message' 200 | md5sum)" "$(md5sum <"$T/dg.got")"
	quiet ctl stop dg.socket dg.service
}

# D14
crashing() {
	local n=${FULL:+10000} sums
	: "${n:=2000}"
	socket crash "ListenStream=$T/crash"
	service crash "ExecStart=$SOCK listen crash 5"
	socket crash2 "ListenStream=127.0.0.1:7002"
	service crash2 Restart=always RestartSec=0 "ExecStart=$SOCK listen crash 5"
	rescan
	quiet ctl start crash.socket crash2.socket
	asked "a daemon that crashes after each 5th answer: $((n / 2)) clients, started again by the next" "D14" "$T/crash" $((n / 2))
	asked "the same by TCP, started again by Restart=always" "D14 D29" tcp:127.0.0.1:7002 $((n / 2))
	quiet ctl stop crash.socket crash2.socket crash.service crash2.service
}

# D15
idle_exit() {
	local n=${FULL:+10000}
	: "${n:=2000}"
	socket once "ListenStream=$T/once"
	service once "ExecStart=$SOCK listen once"
	socket lazy "ListenStream=$T/lazy"
	service lazy "ExecStart=$SOCK listen idle 0"
	rescan
	quiet ctl start once.socket lazy.socket
	asked "a service that ends after each answer: $((n / 2)) clients one after the other" "D15" "$T/once" $((n / 2))
	asked "a service that ends when idle for 0 ms: $((n / 2)) of 4 clients at once" "D15" "$T/lazy" $((n / 8)) 4
	quiet ctl stop once.socket lazy.socket once.service lazy.service
}

# A start that fails while a client waits.
failing() {
	local began cpu
	socket nope "ListenStream=$T/nope"
	service nope "ExecStart=/nonexistent/daemon"
	sed -i '/StartLimit/d' "$UNITS/nope.service"
	sed -i '/TriggerLimit/d' "$UNITS/nope.socket"
	rescan
	quiet ctl start nope.socket
	cpu=$("$SOCK" cpu "$(manager_pid)")
	"$SOCK" hold "$T/nope" 1 1000 >"$T/hold"
	cpu=$(($("$SOCK" cpu "$(manager_pid)") - cpu))
	is "a service that cannot start: no spinning" "" yes "$([ $cpu -lt 100 ] && echo yes || echo "$cpu ms of CPU in 1 s")"
	note "a service that cannot start: client $(cat "$T/hold"), socket $(active nope.socket)/$(sub nope.socket)/$(prop nope.socket Result), harkd $cpu ms CPU in 1 s"
	is "and the socket says so" "" failed "$(active nope.socket)"
	is "and the client is not left waiting" "" "made=1 closed=1" "$(cat "$T/hold")"
	ok_if "the manager is well" "B29" ctl is-active test.target

	socket limit "ListenStream=$T/limit" TriggerLimitIntervalSec=10s TriggerLimitBurst=5
	service limit "ExecStart=/bin/true"
	rescan
	quiet ctl start limit.socket
	cpu=$("$SOCK" cpu "$(manager_pid)")
	"$SOCK" hold "$T/limit" 1 1000 >"$T/hold"
	cpu=$(($("$SOCK" cpu "$(manager_pid)") - cpu))
	is "TriggerLimitBurst=: a service that never accepts fails the socket" "" "failed trigger-limit-hit" "$(active limit.socket) $(prop limit.socket Result)"
	is "TriggerLimitBurst=: no spinning" "" yes "$([ $cpu -lt 100 ] && echo yes || echo "$cpu ms of CPU in 1 s")"
	ctl reset-failed >/dev/null 2>&1
	ok_if "a failed socket can be started again" "" ctl start limit.socket
	quiet ctl stop limit.socket nope.socket
}

# D8: the binds and listens are done by harkd and hark-init, the exec by the children of hark-init.
sockets_first() {
	local i wants="" last first
	command -v strace >/dev/null || { skip "all sockets before the first exec" "no strace" && return; }
	hark_down
	for i in 1 2 3 4 5 6 7 8 9 10; do
		socket "s$i" "ListenStream=$T/s$i"
		service "s$i" Type=exec "ExecStart=$SOCK listen"
		# a service of the boot set, so that it is started without a client
		wants="$wants s$i.service"
		sed -i '/^DefaultDependencies=no/d' "$UNITS/s$i.socket" "$UNITS/s$i.service"
	done
	mkdir -p "$UNITS/sockets.target.wants"
	for i in 1 2 3 4 5 6 7 8 9 10; do ln -sf "../s$i.socket" "$UNITS/sockets.target.wants/"; done
	printf '[Unit]\nDescription=sockets\nDefaultDependencies=no\n' >"$UNITS/sockets.target"
	printf '[Unit]\nDescription=basic\nDefaultDependencies=no\nRequires=sockets.target\nAfter=sockets.target\n' >"$UNITS/basic.target"
	printf '[Unit]\nDescription=boot\nRequires=basic.target\nAfter=basic.target\nWants=%s\n' "$wants" >"$UNITS/boot.target"
	strace -f -ttt -qq -o "$T/trace" -e trace=bind,listen,execve "$BIN/hark-init" --unit-path "$UNITS" --run-dir "$RUN_DIR" \
		${CGROUP:+--cgroup-root "$CGROUP"} --default boot.target >>"$HARK_LOG" 2>&1 </dev/null &
	STARTED+=($!)
	local tracer=$!
	wait_for "[ \$(grep -c 'execve.*/sock.*\"listen\"' $T/trace) -ge 10 ]"
	INIT_PID=$(pgrep -P $tracer -x hark-init)
	last=$(grep -E "listen\(|bind\(.*\"$T/s" "$T/trace" | grep -v resumed | awk '{ print $2 }' | sort -n | tail -1)
	first=$(grep -E 'execve\(.*/sock.*"listen"' "$T/trace" | awk '{ print $2 }' | sort -n | head -1)
	is "ten sockets are bound" "D8" 10 "$(grep -cE "bind\(.*\"$T/s[0-9]+\"" "$T/trace")"
	is "and ten services run" "D8" 10 "$(grep -cE 'execve\(.*/sock.*"listen".*' "$T/trace")"
	is "the last bind or listen comes before the first exec of a service behind a socket" "D8" yes \
		"$(awk -v a="$last" -v b="$first" 'BEGIN { print (a != "" && b != "" && a < b) ? "yes" : "last " a ", first " b }')"
	note "D8: last bind or listen $last, first exec $first"
	kill -TERM "$INIT_PID"
	wait $tracer
}

# D43 D44 D46 D54
who_starts_whom() {
	socket provider "ListenStream=$T/provider"
	service provider "ExecStart=$SOCK listen"
	service consumer "ExecStart=$PAYLOAD pause"
	sed -i 's/^\[Unit\]/[Unit]\nRequires=provider.service\nAfter=provider.service/' "$UNITS/consumer.service"
	service enemy "ExecStart=$PAYLOAD pause"
	sed -i 's/^\[Unit\]/[Unit]\nConflicts=consumer.service/' "$UNITS/enemy.service"
	rescan
	quiet ctl start provider.socket
	asked "a provider is started by its client" "D43" "$T/provider" 1
	is "no consumer of it is started" "D43" inactive "$(active consumer.service)"
	quiet ctl stop provider.service
	ok_if "a consumer starts" "D44" ctl start consumer.service
	is "and its provider with it" "D44 D54" active "$(active provider.service)"
	ctl why provider.service >"$T/out" 2>&1
	ok_if "why: the provider runs because of the consumer" "D42" grep -q consumer.service "$T/out"
	ok_if "and that this was asked for by an administrator" "D42" grep -q "consumer.service was started: an administrator" "$T/out"
	is "the name of a unit is its file's name" "D46" "consumer.service $UNITS/consumer.service" \
		"$(prop consumer.service Id) $(prop consumer.service FragmentPath)"
	quiet ctl start enemy.service
	is "Conflicts= stops it" "D54" "active inactive" "$(active enemy.service) $(active consumer.service)"
	quiet ctl stop enemy.service provider.service provider.socket
}

restarts() {
	local pid
	service again Restart=on-failure RestartSec=20ms "ExecStart=$PAYLOAD pause"
	rescan
	quiet ctl start again.service
	pid=$(main_of again.service)
	kill -SEGV "$pid"
	ok_if "babysitting: killed and there again" "D29" wait_for "[ \"\$(sub again.service)\" = running ] && [ \$(main_of again.service) != $pid ]"
	quiet ctl stop again.service
}

for test in on_demand documented prepares_its_cgroup inherits_only_its_own slow_provider permutations datagrams failing who_starts_whom restarts crashing idle_exit \
	sockets_first; do
	$test
done
finish
