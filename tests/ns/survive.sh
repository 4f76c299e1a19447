#!/bin/bash
# SPDX-License-Identifier: MIT
# The manager killed again and again while clients come in over every kind of socket, to services with Accept=no and
# Accept=yes: nobody is refused, nobody is lost, no service is restarted, no exit is missed or taken twice.
# Runs alone: it measures times.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"
FULL=${HARK_TEST_FULL:-$HARK_FULL}
KILLS=${FULL:+1000}
: "${KILLS:=100}"
CLIENTS=64
hark_up survive || finish

most() { sed -n "s/.*\<$1=\([0-9]*\).*/\1/p" "$2" | sort -n | tail -1; }

# stay: one service for all, that must not be restarted; brief: a new one for each request; each: one for each connection.
set_up() {
	busy_socket stay "ListenStream=$T/stay" "ListenStream=127.0.0.1:7101" "ListenSequentialPacket=$T/stayseq"
	busy_service stay "ExecStart=$SOCK listen"
	busy_socket brief "ListenStream=$T/brief" "ListenStream=127.0.0.1:7102" "ListenSequentialPacket=$T/briefseq"
	busy_service brief "ExecStart=$SOCK listen once"
	busy_socket each "ListenStream=$T/each" "ListenStream=127.0.0.1:7103" "ListenSequentialPacket=$T/eachseq" Accept=yes
	busy_service each@ "ExecStart=$SOCK answer" StandardInput=socket
	busy_socket packets "ListenDatagram=$T/packets"
	busy_service packets "ExecStart=$SOCK listen get $T/packets.got once"
	busy_socket lines "ListenFIFO=$T/lines"
	busy_service lines "ExecStart=$SOCK listen get $T/lines.got once"
	busy_service witness Restart=always "ExecStart=$PAYLOAD log $T/witness x pause"
	busy_service mortal Restart=always RestartSec=0 "ExecStart=/bin/sh -c 'echo x >>$T/mortal; [ -e $T/hold ] && exec sleep 1000; exec sleep 0.02'"
	ctl daemon-reload >/dev/null 2>&1
	ctl start stay.socket brief.socket each.socket packets.socket lines.socket witness.service mortal.service >/dev/null
	local name
	for name in stay brief each; do
		"$SOCK" ask "$T/$name" 1 >/dev/null || not_ok "$name answers at all" "no answer"
	done
}

# clients MS ADDR...: as many as CLIENTS, spread over the addresses, for as long as $T/go is there; each asks every MS.
clients() {
	local i=0 address every=$1
	shift
	: >"$T/go"
	PIDS=
	for address; do
		i=$((i + 1))
		timeout -k 5 500 "$SOCK" ask "$address" 0 $((CLIENTS / $#)) while "$T/go" "$every" >"$T/sum.$i" &
		PIDS="$PIDS $!"
	done
}

# settle: no more requests; how long the last one was waited for is in LAST_MS.
settle() {
	start_clock
	rm "$T/go"
	# shellcheck disable=SC2086
	wait $PIDS
	stop_clock
	LAST_MS=$TOOK
	cat "$T"/sum.* >"$T/sums"
	rm "$T"/sum.*
}

# storm NAME MIN MAX ADDR...: kills MIN to MAX microseconds apart.
storm() {
	local name=$1 min=$2 max=$3 generations figures
	local stay witness restarted
	shift 3
	generations=$(ctl show -p ManagerGenerations --value)
	stay=$(main_of stay.service) witness=$(main_of witness.service)
	clients 0 "$@"
	"$SOCK" slay "$INIT_PID" "$KILLS" "$min" "$max" >"$T/kills"
	settle
	wait_for 'ctl is-active test.target'
	restarted=$(($([ "$(main_of stay.service)" = "$stay" ] && echo 0 || echo 1) + $([ "$(main_of witness.service)" = "$witness" ] && echo 0 || echo 1)))
	figures="refused=$(field refused "$T/sums") lost=$(field lost "$T/sums") late=$(field late "$T/sums") wrong=$(field wrong "$T/sums") restarted=$restarted"
	note "$name: $(cat "$T/kills") lives=$(($(ctl show -p ManagerGenerations --value) - generations)) served=$(field served "$T/sums") $figures p99_ms=$(most p99_ms "$T/sums") last_served_after_ms=$LAST_MS"
	is "$name: $KILLS kills of the manager, $CLIENTS clients, nobody notices" "B20 D14 D15" \
		"refused=0 lost=0 late=0 wrong=0 restarted=0" "$figures" ||
		grep -vE 'took over|listens|reached' "$HARK_LOG" | sort | uniq -c | sort -rn | head -20 | sed 's/^/# /'
	in_time "$name: all are served within 5 s of the storm's end" "" 5000 $LAST_MS $STALLED
}

# Datagrams and lines of a FIFO: what was sent arrives, once.
poured() { # NAME ADDR
	local name=$1 pid
	: >"$T/go"
	"$SOCK" pour "$2" "$T/go" >"$T/sent" &
	pid=$!
	"$SOCK" slay "$INIT_PID" "$KILLS" 2000 20000 >/dev/null
	rm "$T/go"
	wait $pid
	wait_for "[ \$(wc -l <$T/$name.got) -ge $(field sent "$T/sent") ]"
	note "$name: $(cat "$T/sent")"
	is "$name: $KILLS kills, all arrives, in order, once" "B20" "$(seq "$(field sent "$T/sent")" | cksum)" "$(cut -d. -f2 "$T/$name.got" | cksum)"
}

# A kill a second is hardly felt by clients that do not fill the machine.
seldom() {
	local tries all="$T/stay tcp:127.0.0.1:7101 $T/each tcp:127.0.0.1:7103" without
	for tries in 1 2 3; do
		# shellcheck disable=SC2086
		clients 200 $all
		sleep 3
		settle
		without=$(most p99_ms "$T/sums")
		# shellcheck disable=SC2086
		clients 200 $all
		"$SOCK" slay "$INIT_PID" $((KILLS / 20)) 1000000 1000000 >/dev/null
		settle
		note "a kill a second: served=$(field served "$T/sums") p99_ms=$(most p99_ms "$T/sums") worst_ms=$(most worst_ms "$T/sums"); without kills p99_ms=$without"
		meets 100 "$(most p99_ms "$T/sums")" "$without" && break
		sleep 2
	done
	in_time "a kill a second: p99 of $CLIENTS clients at most 100 ms" "" 100 "$(most p99_ms "$T/sums")" "$without"
}

# The exit of a process is acted on once: as many starts as restarts and one, and it goes on.
mortality() {
	local starts
	starts=$(wc -l <"$T/mortal")
	ok_if "exits lost: 0; what is to be restarted is restarted" "B20" wait_for "[ \$(wc -l <$T/mortal) -gt $starts ]"
	: >"$T/hold" # the next one stays, and so does the count
	wait_for '[ "$(sub mortal.service)" = running ] && pgrep -fx "sleep 1000"'
	note "mortal: $(wc -l <"$T/mortal") starts, $(prop mortal.service NRestarts) restarts"
	is "exits acted on twice: 0" "B20" "$(wc -l <"$T/mortal")" $(($(prop mortal.service NRestarts) + 1))
}

set_up
storm "Accept=no" 2000 20000 "$T/stay" tcp:127.0.0.1:7101 "seq:$T/stayseq" "$T/brief" tcp:127.0.0.1:7102 "seq:$T/briefseq"
storm "Accept=yes" 2000 20000 "$T/each" tcp:127.0.0.1:7103 "seq:$T/eachseq"
storm "Accept=no, at once" 200 3000 "$T/stay" tcp:127.0.0.1:7101 "$T/brief" tcp:127.0.0.1:7102
storm "Accept=yes, at once" 200 3000 "$T/each" tcp:127.0.0.1:7103
poured packets "dgram:$T/packets"
poured lines "$T/lines"
mortality
seldom
is "nothing ran twice" "B20" 1 "$(wc -l <"$T/witness")"
wait_for '[ "$(ctl list --plain 2>/dev/null | grep -c "each@")" = 0 ]'
is "no instance is left behind" "" 0 "$(pgrep -fxc "$SOCK answer")"
is "the sockets are in their states" "B20" "running listening" "$(sub stay.socket) $(sub each.socket)"
"$SOCK" ask "$T/each" 50 4 >"$T/after" && ok "afterwards everything is as before" "B20" || not_ok "afterwards everything is as before" "$(cat "$T/after")"
finish
