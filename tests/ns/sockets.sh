#!/bin/bash
# SPDX-License-Identifier: MIT
# The kinds of sockets and their options, Accept=yes and its limits, and bad configuration.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"
hark_up sockets || finish

socket() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Socket]\n' && printf '%s\n' "$@"; } >"$UNITS/$name.socket"
}
service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\n' && printf '%s\n' "$@"; } >"$UNITS/$name.service"
}
rescan() { ctl daemon-reload >/dev/null 2>&1; }
quiet() { "$@" >/dev/null 2>&1; }
served() { timeout -k 5 30 "$SOCK" ask "$@" | cut -d' ' -f1; }

# D17 D48: stream, datagram, seqpacket by UNIX, abstract, IPv4, IPv6; FIFO.
kinds() {
	socket kinds "ListenStream=$T/k.stream" "ListenDatagram=$T/k.dgram" "ListenSequentialPacket=$T/k.seq" "ListenStream=@k-stream" \
		"ListenDatagram=@k-dgram" "ListenSequentialPacket=@k-seq" "ListenStream=127.0.0.1:7201" "ListenDatagram=127.0.0.1:7201" \
		"ListenStream=[::1]:7202" "ListenDatagram=[::1]:7202" "ListenFIFO=$T/k.fifo"
	service kinds "ExecStart=$SOCK listen passed $T/kinds.passed get $T/kinds.got"
	rescan
	ok_if "eleven listeners of one unit" "D48" ctl start kinds.socket
	# the first word comes as a datagram
	"$SOCK" send udp:127.0.0.1:7201 1 "by udp4"
	ok_if "a datagram starts the service" "D17 D48" wait_for "grep -q 'by udp4' $T/kinds.got"
	is "triggers counts it, and no connection" "" "1 0" \
		"$(ctl triggers kinds.socket -o json | grep -o '"accepted":[0-9]*' | sort -u | cut -d: -f2) $(prop kinds.socket NAccepted)"
	is "all of them are passed, in order" "D48" \
		"unix stream listening,unix dgram,unix seq listening,unix stream listening,unix dgram,unix seq listening,v4 stream listening,v4 dgram,v6 stream listening,v6 dgram,fifo -" \
		"$(sed -n 's/^fd[0-9]*=//p' "$T/kinds.passed" | paste -sd,)"
	is "streams answer: UNIX, abstract, v4, v6" "D17 D48" "served=1 served=1 served=1 served=1" \
		"$(for i in "$T/k.stream" @k-stream tcp:127.0.0.1:7201 tcp:::1:7202; do served "$i" 1; done | paste -sd' ')"
	is "seqpacket answers: UNIX, abstract" "D48" "served=1 served=1" "$(for i in "seq:$T/k.seq" seq:@k-seq; do served "$i" 1; done | paste -sd' ')"
	"$SOCK" send "dgram:$T/k.dgram" 1 "by unix"
	"$SOCK" send dgram:@k-dgram 1 "by abstract"
	"$SOCK" send udp:::1:7202 1 "by udp6"
	echo "by fifo" >"$T/k.fifo"
	ok_if "datagrams and FIFO arrive" "D17 D48" wait_for "[ \$(wc -l <$T/kinds.got) = 5 ]"
	quiet ctl stop kinds.socket kinds.service
	socket fifo "ListenFIFO=$T/f"
	service fifo "ExecStart=$SOCK listen get $T/fifo.got"
	rescan
	quiet ctl start fifo.socket
	echo one >"$T/f"
	ok_if "a FIFO starts its service, which gets what was written before" "D48" wait_for "grep -q one $T/fifo.got"
	quiet ctl stop fifo.socket fifo.service
}

files() {
	getent group daemon >/dev/null || return
	socket mode "ListenStream=$T/deep/er/mode" SocketMode=0620 SocketUser=nobody SocketGroup=daemon DirectoryMode=0711 \
		"Symlinks=$T/link1 $T/new/link2" RemoveOnStop=yes
	service mode "ExecStart=$SOCK listen"
	socket stays "ListenStream=$T/stays"
	service stays "ExecStart=$SOCK listen"
	rescan
	quiet ctl start mode.socket stays.socket
	is "SocketMode=, SocketUser=, SocketGroup=" "" "620 nobody daemon" "$(stat -c '%a %U %G' "$T/deep/er/mode")"
	is "DirectoryMode= of what was missing" "" "711 711" "$(stat -c %a "$T/deep" "$T/deep/er" | paste -sd' ')"
	is "Symlinks=" "" "$T/deep/er/mode $T/deep/er/mode" "$(readlink "$T/link1" "$T/new/link2" | paste -sd' ')"
	is "a symlink leads to the service" "" served=1 "$(served "$T/link1" 1)"
	quiet ctl stop mode.socket mode.service stays.socket
	is "RemoveOnStop= removes socket and links" "" "no no no yes" \
		"$(for i in deep/er/mode link1 new/link2 stays; do [ -e "$T/$i" ] || [ -L "$T/$i" ] && echo yes || echo no; done | paste -sd' ')"
	ok_if "a stale socket in the way is replaced" "C3" ctl start stays.socket
	quiet ctl stop stays.socket
	rm "$T/stays" && echo precious >"$T/stays"
	ctl start stays.socket >"$T/out" 2>&1
	is "a file in the way is not" "C3" "1 precious" "$? $(cat "$T/stays")"
}

options() {
	socket backlog "ListenStream=127.0.0.1:7203" Backlog=7
	service backlog "ExecStart=$SOCK listen"
	socket v6only "ListenStream=[::]:7204" BindIPv6Only=ipv6-only
	service v6only "ExecStart=$SOCK listen"
	socket v6both "ListenStream=7205"
	service v6both "ExecStart=$SOCK listen"
	socket free "ListenStream=192.0.2.77:7206" FreeBind=yes
	service free "ExecStart=$SOCK listen"
	socket notfree "ListenStream=192.0.2.78:7207"
	service notfree "ExecStart=$SOCK listen"
	rescan
	ok_if "Backlog=, BindIPv6Only=, FreeBind=" "" ctl start backlog.socket v6only.socket v6both.socket free.socket
	if command -v ss >/dev/null; then
		is "Backlog= is what listen(2) got" "" 7 "$(ss -Hltn 'sport = 7203' | awk '{ print $3 }')"
	else
		skip "Backlog= is what listen(2) got" "no ss"
	fi
	is "BindIPv6Only=ipv6-only: v6 yes, v4 no" "" "served=1 served=0" "$(served tcp:::1:7204 1) $(served tcp:127.0.0.1:7204 1)"
	is "a port alone: both" "D17" "served=1 served=1" "$(served tcp:::1:7205 1) $(served tcp:127.0.0.1:7205 1)"
	ctl start notfree.socket >"$T/out" 2>&1
	is "an address that is not there, without FreeBind=" "" "1 failed" "$? $(active notfree.socket)"
	quiet ctl stop backlog.socket v6only.socket v6both.socket free.socket backlog.service v6only.service v6both.service
}

# D16
accept() {
	local instance
	socket each "ListenStream=127.0.0.1:7211" "ListenStream=$T/each" Accept=yes
	service each@ "ExecStart=$SOCK answer $T/each.env" StandardInput=socket
	rescan
	quiet ctl start each.socket
	is "Accept=yes: a connection is answered on descriptor 0 and 1" "C24 D16" "served=3 served=3" "$(served tcp:127.0.0.1:7211 3) $(served "$T/each" 3)"
	is "REMOTE_ADDR= tells the peer" "D16" 3 "$(grep -c '^REMOTE_ADDR=127.0.0.1$' "$T/each.env")"
	is "each connection has a process of its own, none is left" "D16" 0 "$(wait_for '! pgrep -fx "$SOCK answer .*"'; pgrep -fxc "$SOCK answer .*")"
	local holders
	"$SOCK" hold tcp:127.0.0.1:7211 1 60000 >/dev/null &
	holders=$!
	wait_for 'ctl list | grep -q each@'
	instance=$(ctl list | grep -o 'each@[^ ]*' | head -1)
	is "an instance is named by number and both ends" "D16" yes "$(grep -qE '^each@6-127\.0\.0\.1:7211-127\.0\.0\.1:[0-9]+\.service$' <<<"$instance" && echo yes || echo "$instance")"
	ctl why "$instance" >"$T/out" 2>&1
	ok_if "why names its peer" "D42" grep -q '127.0.0.1:' "$T/out"
	"$SOCK" hold "$T/each" 1 60000 >/dev/null &
	holders="$holders $!"
	wait_for 'ctl list | grep -q each@7'
	instance=$(ctl list | grep -o 'each@7[^ ]*' | head -1)
	is "of a local client by number, pid and uid" "D16" "each@7-$!-0.service" "$instance"
	# shellcheck disable=SC2086
	kill $holders
	wait_for '! ctl list | grep -q each@'
	is "an instance is forgotten when its connection ended" "D16" 0 "$(ctl list | grep -c each@)"
	quiet ctl stop each.socket

	socket few "ListenStream=$T/few" Accept=yes MaxConnections=3
	service few@ "ExecStart=$SOCK answer" StandardInput=socket
	socket source "ListenStream=127.0.0.1:7212" Accept=yes MaxConnectionsPerSource=2
	service source@ "ExecStart=$SOCK answer" StandardInput=socket
	rescan
	quiet ctl start few.socket source.socket
	is "MaxConnections=: the others are closed" "" "made=5 closed=2" "$("$SOCK" hold "$T/few" 5 20000 2)"
	is "MaxConnectionsPerSource=: the others are closed" "" "made=5 closed=3" "$("$SOCK" hold tcp:127.0.0.1:7212 5 20000 3)"
	wait_for '! ctl list | grep -qE "(few|source)@"'
	is "and then there is room again" "" "served=1 served=1" "$(served "$T/few" 1) $(served tcp:127.0.0.1:7212 1)"
	quiet ctl stop few.socket source.socket
}

limits() {
	local cpu
	socket trig "ListenStream=$T/trig" Accept=yes TriggerLimitIntervalSec=10s TriggerLimitBurst=5
	service trig@ "ExecStart=$SOCK answer" StandardInput=socket
	rescan
	quiet ctl start trig.socket
	"$SOCK" ask "$T/trig" 10 >"$T/out"
	is "TriggerLimitBurst= of connections" "" "served=5 failed trigger-limit-hit" "$(cut -d' ' -f1 "$T/out") $(active trig.socket) $(prop trig.socket Result)"
	socket lost "ListenStream=$T/lost" Accept=yes
	service lost@ "ExecStart=/nonexistent/daemon" StandardInput=socket
	rescan
	quiet ctl start lost.socket
	cpu=$("$SOCK" cpu "$(manager_pid)")
	is "an instance that cannot be executed: its client is closed" "" "made=3 closed=3" "$("$SOCK" hold "$T/lost" 3 20000 3)"
	sleep 1
	cpu=$(($("$SOCK" cpu "$(manager_pid)") - cpu))
	is "and nothing spins" "" "yes listening" "$([ $cpu -lt 100 ] && echo yes || echo "$cpu ms") $(sub lost.socket)"
	quiet ctl stop lost.socket
}

# flags3 NAME: has descriptor 3 of the service O_NONBLOCK (2048, written in octal)?
flags3() { echo $(($(cut -f2 "$T/$1.fd") & 2048)); }
nonblocking() {
	local name flags see="/bin/grep ^flags /proc/self/fdinfo/3"
	for name in blocks nonblocks; do
		flags="NonBlocking=$([ $name = nonblocks ] && echo yes || echo no)"
		socket $name "ListenStream=$T/$name"
		service $name "$flags" "ExecStart=/bin/sh -c '$see >$T/$name.fd; exec $SOCK listen'"
		socket $name-each "ListenStream=$T/$name-each" Accept=yes
		service $name-each@ "$flags" "ExecStart=/bin/sh -c '$see >$T/$name-each.fd'"
	done
	rescan
	quiet ctl start {blocks,nonblocks}{,-each}.socket
	for name in {blocks,nonblocks}{,-each}; do
		served "$T/$name" 1 >/dev/null
		wait_for "[ -s $T/$name.fd ]"
	done
	is "NonBlocking=no: passed sockets block" "" "0 0" "$(flags3 blocks) $(flags3 blocks-each)"
	is "NonBlocking=yes: listeners and connections do not" "" "2048 2048" "$(flags3 nonblocks) $(flags3 nonblocks-each)"
	quiet ctl stop {blocks,nonblocks}{,-each}.socket
}

# PollLimitBurst= of PollLimitIntervalSec=: what is more waits for the next window, and nothing fails.
polls() {
	local start
	socket poll "ListenStream=$T/poll" Accept=yes PollLimitIntervalSec=1s PollLimitBurst=4
	service poll@ "ExecStart=$SOCK answer" StandardInput=socket
	socket poll1 "ListenStream=$T/poll1" TriggerLimitIntervalSec=0 PollLimitIntervalSec=1s PollLimitBurst=3
	service poll1 "ExecStart=/bin/sh -c 'echo >>$T/poll1.runs'"
	rescan
	quiet ctl start poll.socket poll1.socket
	start=$(now_ms)
	is "PollLimitBurst=: all connections are served" "" served=10 "$(served "$T/poll" 10)"
	is "but not at once" "" yes "$([ $(($(now_ms) - start)) -ge 1900 ] && echo yes || echo "after $(($(now_ms) - start)) ms")"
	quiet "$SOCK" hold "$T/poll1" 1 500
	is "a service that does not accept is started so often and no more" "" 3 "$(wc -l <"$T/poll1.runs")"
	ok_if "and again in the next window" "" wait_for "[ \$(wc -l <$T/poll1.runs) -ge 6 ]"
	is "the socket goes on" "" active "$(active poll1.socket)"
	quiet ctl stop poll.socket poll1.socket poll1.service
}

# Bad input: file and line, and nobody else is hurt.
bad() { # NAME LINE-NUMBER LINES...
	local name=$1 line=$2 rc
	shift 2
	socket "$name" "$@"
	service "$name" "ExecStart=$SOCK listen"
	rescan
	ctl start "$name.socket" good.socket >"$T/out" 2>&1
	rc=$?
	{ ctl status "$name.socket" && grep "$name" "$HARK_LOG"; } >>"$T/out" 2>&1
	is "$name: the start fails, others go on" "" "yes active" "$([ $rc -ne 0 ] && echo yes) $(active good.socket)"
	ok_if "$name: named by file and line" "" grep -q "$name.socket:$line" "$T/out"
}

bad_input() {
	socket good "ListenStream=$T/good"
	service good "ExecStart=$SOCK listen"
	socket taken "ListenStream=127.0.0.1:7221"
	service taken "ExecStart=$SOCK listen"
	rescan
	quiet ctl start good.socket taken.socket
	bad badaddress 5 "ListenStream=300.1.2.3:80"
	bad badport 5 "ListenStream=127.0.0.1:99999"
	bad inuse 5 "ListenStream=127.0.0.1:7221"
	bad nouser 5 "ListenStream=$T/nouser" "SocketUser=no-such-user-here"
	bad nodir 5 "ListenStream=/proc/nothing/here"
	is "the good one serves" "" served=1 "$(served "$T/good" 1)"
	socket odd "ListenStream=$T/odd" "NoSuchSetting=yes"
	service odd "ExecStart=$SOCK listen"
	rescan
	ok_if "an unknown setting is no obstacle" "" ctl start odd.socket
	ok_if "but is named by file and line" "" grep -q 'odd.socket:6' "$HARK_LOG"
	local accept
	for accept in no yes; do
		socket lonely "ListenStream=$T/lonely" Accept=$accept
		rescan
		ctl start lonely.socket >"$T/out" 2>&1
		is "nobody can connect to a service that does not exist, Accept=$accept" "" "1 failed 1" \
			"$? $(active lonely.socket) $(grep -c 'there is no unit lonely' "$T/out")"
	done
}

# PID 1 still has the old listener when the new one is bound: it comes to the drop late.
restarted() {
	local i bad=0
	socket again "ListenStream=127.0.0.1:7231" "ListenStream=@again"
	service again "ExecStart=$SOCK listen"
	rescan
	quiet ctl start again.socket
	for i in 1 2 3; do
		kill -STOP "$INIT_PID"
		(sleep 0.3 && kill -CONT "$INIT_PID") &
		ctl restart again.socket >"$T/out" 2>&1 || bad=$((bad + 1))
		wait $!
	done
	for ((i = 0; i < 50; i++)); do quiet ctl restart again.socket || bad=$((bad + 1)); done
	is "a listening socket is restarted 53 times" "" 0 $bad
	[ $bad = 0 ] || tail -3 "$HARK_LOG" | sed 's/^/# /'
	is "and serves" "" "served=1 served=1" "$(served tcp:127.0.0.1:7231 1) $(served @again 1)"
	quiet ctl stop again.socket again.service
}

# PID 1 awaits the next connection by itself: whoever dies meanwhile, nobody is lost.
awaited() {
	local manager sockets i
	sockets_held() { find "/proc/$INIT_PID/fd" -lname 'socket:*' | wc -l; }
	socket next "ListenStream=$T/next" Accept=yes
	service next@ "ExecStart=$SOCK answer" StandardInput=socket
	rescan
	quiet ctl start next.socket
	is "the manager sees the first one" "" served=1 "$(served "$T/next" 1)"
	manager=$(manager_pid) sockets=$(sockets_held)
	kill -STOP "$manager"
	"$SOCK" ask "$T/next" 1 >"$T/asked" &
	wait_for '[ "$(sockets_held)" -gt '"$sockets"' ]'
	is "PID 1 takes the next one while the manager stands still" "" $((sockets + 1)) "$(sockets_held)"
	kill -KILL "$manager"
	wait $!
	is "the manager after that serves it" "" served=1 "$(cut -d' ' -f1 "$T/asked")"
	for i in 1 2 3; do
		is "nobody is lost when manager and PID 1 die while they wait, $i" "" served=2 "$(served "$T/next" 2)"
		kill -KILL "$(manager_pid)"
		kill -SEGV "$INIT_PID"
	done
	quiet ctl stop next.socket
	is "a socket that was stopped takes nobody" "" served=0 "$(served "$T/next" 1)"
	wait_for '! ctl list | grep -q next@'
	is "and no instance is left" "" 0 "$(ctl list | grep -c next@)"
}

for test in kinds files options accept awaited limits nonblocking restarted polls bad_input; do
	$test
done
finish
