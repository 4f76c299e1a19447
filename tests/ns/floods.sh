#!/bin/bash
# SPDX-License-Identifier: MIT
# More signals, more notifications and more requests than anybody has to send, and no descriptors: the manager answers, nothing
# grows, the others start as they always do. Prints its figures.
# Runs alone: it measures times.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
FLOOD=$T/flood SOCK=$T/sock
cp "$NS_BIN/flood" "$NS_BIN/sock" "$T" 2>/dev/null || skip_all "no $NS_BIN/flood"
MANY=${HARK_FULL:+1000000}
: "${MANY:=100000}"
OTHERS=30
hark_up floods || finish

service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\n' && printf '%s\n' "$@"; } >"$UNITS/$name.service"
}
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
fds() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }
# percentile P FILE: of its numbers.
percentile() { sort -n "$2" | awk -v p="$1" '{ v[NR] = $1 } END { i = int(NR * p / 100 + 0.999); print v[i < 1 ? 1 : i] }'; }
stamp_us() { echo $((${EPOCHREALTIME/./})); }

# timed FILE COMMAND...: the milliseconds it took go there; a command that fails is told.
timed() {
	local file=$1 began
	shift
	began=$(stamp_us)
	timeout 20 "$@" >/dev/null 2>&1 || echo "$*" >>"$T/bad"
	echo $((($(stamp_us) - began) / 1000)) >>"$file"
}

# echoed: a client of a service that runs already: two programs and their sockets, as harkctl and harkd, and nothing of hark.
echoed() { timed "$T/floor" "$SOCK" ask "$T/echo" 1; }

# during PID: orders, for as long as PID lives, in turn with the same without hark; the times are in $T/control and $T/floor.
during() {
	: >"$T/control"
	: >"$T/floor"
	: >"$T/bad"
	while kill -0 "$1" 2>/dev/null; do
		timed "$T/control" "$BIN/harkctl" is-active test.target
		echoed
	done
	p99=$(percentile 99 "$T/control") floor=$(percentile 99 "$T/floor")
	TIMES="$(wc -l <"$T/control") orders meanwhile, p50 $(percentile 50 "$T/control") ms, p99 $p99 ms, worst $(sort -n "$T/control" | tail -1) ms; without hark p50 $(percentile 50 "$T/floor") ms, p99 $floor ms"
}

# grown NAME: what init and manager have more than at the last `now`, in kB and descriptors; a client may be connected just then.
now() { MANAGER=$(manager_pid) INIT_KB=$(rss "$INIT_PID") MANAGER_KB=$(rss "$MANAGER") INIT_FDS=$(fds "$INIT_PID") MANAGER_FDS=$(fds "$MANAGER"); }
grown() {
	GREW="init $(($(rss "$INIT_PID") - INIT_KB)) kB $(($(fds "$INIT_PID") - INIT_FDS)) fds, manager $(($(rss "$MANAGER") - MANAGER_KB)) kB $(($(fds "$MANAGER") - MANAGER_FDS)) fds"
	is "$1: the manager is the same" "" "$MANAGER" "$(manager_pid)"
	is "$1: nothing has grown" "" "" "$(awk '{ for (i = 1; i <= NF; i++) if (($(i + 1) == "kB" && $i > 256) || ($(i + 1) ~ /fds/ && $i > 2)) print "grew:", $0 }' <<<"$GREW" | head -1)"
}

signals() { # WHOM PID SIGNAL...
	local whom=$1 pid=$2 flooder try p99 floor
	shift 2
	for try in 1 2 3; do
		now
		"$FLOOD" signals "$pid" "$MANY" "$@" >"$T/sent" 2>&1 &
		flooder=$!
		during $flooder
		wait $flooder
		note "$MANY signals to $whom: $(cat "$T/sent"), $TIMES"
		meets 50 "$p99" "$floor" && break
	done
	is "signals to $whom: all are taken" "" "sent=$MANY" "$(cat "$T/sent")"
	is "signals to $whom: every order is answered" "" 0 "$(wc -l <"$T/bad")"
	in_time "signals to $whom: p99 of the answers at most 50 ms" "" 50 "$p99" "$floor"
	grown "signals to $whom"
	note "signals to $whom: $GREW"
	is "signals to $whom: hark-init lives its first life" "" 1 "$(lives)"
}

# lives: of hark-init: its faults are counted in the table that it shares.
lives() { od -An -tu4 -j16 -N4 "/proc/$INIT_PID/fd/418" | tr -d ' '; }

others() { for ((i = 0; i < OTHERS; i++)); do echo "other$i.service"; done; }
ready() { # starts the others one by one, stops them; the times are in $T/ready and $T/floor
	local i
	rm -f "$T/ready" "$T/floor"
	for i in $(others); do
		timed "$T/ready" "$BIN/harkctl" start "$i"
		echoed
	done
	p99=$(percentile 99 "$T/ready") floor=$(percentile 99 "$T/floor")
	others | xargs "$BIN/harkctl" stop >/dev/null 2>&1
}

notifications() {
	local i began try p99 floor took lines messages=${HARK_FULL:+1000000}
	: "${messages:=20000}"
	service talker Type=exec NotifyAccess=all "StandardOutput=file:$T/talked" "ExecStart=$FLOOD notify $messages"
	for i in $(others); do service "${i%.service}" Type=notify "ExecStart=$PAYLOAD notify READY=1 pause"; done
	ctl daemon-reload >/dev/null 2>&1
	: >"$T/bad" # a start that failed in any of the rounds
	ready
	note "$OTHERS services of Type=notify start: p50 $(percentile 50 "$T/ready") ms, p99 $p99 ms"
	for try in 1 2 3; do
		rm -f "$T/talked"
		now
		lines=$(wc -l <"$HARK_LOG")
		began=$(now_ms)
		ctl start talker.service >/dev/null
		ready
		wait_for "[ \"\$(cat $T/talked 2>/dev/null)\" = done ]" 100
		took=$(($(now_ms) - began))
		lines=$(($(wc -l <"$HARK_LOG") - lines))
		note "$messages notifications of one service in $took ms, $lines lines of log; meanwhile: p50 $(percentile 50 "$T/ready") ms, p99 $p99 ms, without hark $floor ms"
		meets 100 "$p99" "$floor" && break
	done
	is "notifications: all are taken" "" "done" "$(cat "$T/talked")"
	is "notifications: every other service is started" "" 0 "$(wc -l <"$T/bad")"
	in_time "notifications: p99 of the READY of others at most 100 ms" "" 100 "$p99" "$floor"
	is "notifications: those that make no sense do not fill the log" "" yes "$([ $lines -lt 200 ] && echo yes || echo "$lines lines")"
	grown notifications
	note "notifications: $GREW"
}

# A service that ends as soon as it runs, again and again: between two of its runs there is an exit that harkd acts on.
requests() {
	local try worst calm
	service mortal Restart=always RestartSec=0 "ExecStart=$PAYLOAD clock $T/runs"
	ctl daemon-reload >/dev/null 2>&1
	ctl start mortal.service >/dev/null
	worst_gap() { # BEGIN_US: in ms, until the first run since then, between two, and until now
		awk -v last="$1" -v now="$(awk '{ print $1 * 1000000 }' /proc/uptime)" 'function see(at) { if (at - last > most) most = at - last; last = at }
			$1 > last { see($1) } END { see(now); printf "%d\n", most / 1000 }' "$T/runs"
	}
	for try in 1 2 3 4 5; do
		: >"$T/runs"
		sleep 0.5
		calm=$(worst_gap "$(head -1 "$T/runs")")
		start_clock
		"$FLOOD" requests "$RUN_DIR/control" 100000 "$(manager_pid)" >"$T/sent"
		stop_clock
		worst=$(worst_gap "$(field begin_us "$T/sent")")
		note "100000 requests at once: $(cat "$T/sent"), the longest between two runs $worst ms; before $calm ms, the machine's own $LONGEST ms"
		meets 50 "$worst" "$LONGEST" && break
	done
	is "requests: each is answered" "B33" "sent=100000 answered=100000" "$(cut -d' ' -f1-2 "$T/sent")"
	in_time "requests: no exit is acted on later than after 50 ms" "B33" 50 "$worst" "$LONGEST"
	ctl stop mortal.service >/dev/null
}

# Fewer descriptors than it has: it answers, stops what runs, and starts again when there are some.
descriptors() {
	service stays "ExecStart=$PAYLOAD log $T/stays x pause"
	service gets "ExecStart=$PAYLOAD pause" "ExecStop=$PAYLOAD log $T/stopped x"
	ctl daemon-reload >/dev/null 2>&1
	ctl start stays.service gets.service >/dev/null
	local manager highest kept pid most
	manager=$(manager_pid) kept=$(main_of stays.service)
	highest=$(find "/proc/$manager/fd" -mindepth 1 -printf '%f\n' | sort -n | tail -1)
	pid=$(main_of gets.service)
	most=$(prlimit --pid "$manager" --nofile --noheadings --raw --output SOFT)
	prlimit --pid "$manager" --nofile=$((highest + 4)):
	ok_if "three descriptors left: the manager answers" "B44" timeout 10 "$BIN/harkctl" is-active stays.service
	ok_if "three descriptors left: it stops a service" "B44" timeout 20 "$BIN/harkctl" stop gets.service
	is "three descriptors left: which is gone" "B44" "inactive no" "$(active gets.service) $(alive "$pid" && echo yes || echo no)"
	prlimit --pid "$manager" --nofile="$most":
	is "afterwards: the manager is the same, and what ran" "B44" "$manager $kept" "$(manager_pid) $(main_of stays.service)"
	is "afterwards: it has its descriptors again" "" "$most" "$(prlimit --pid "$manager" --nofile --noheadings --raw --output SOFT)"
	ok_if "afterwards: it starts services" "B44" timeout 20 "$BIN/harkctl" start gets.service
}

# Processes that lose their parent and then end, many at once: each is reaped, and who asks for something meanwhile is answered.
orphans() {
	local try flooder p99 floor before began reaped many=${HARK_FULL:+1000000}
	: "${many:=10000}"
	service parent Type=exec "StandardOutput=file:$T/orphaned" "ExecStart=$FLOOD orphans $many 10000"
	ctl daemon-reload >/dev/null 2>&1
	for try in 1 2 3; do
		rm -f "$T/orphaned"
		before=$(reaped) began=$(now_ms)
		ctl start parent.service >/dev/null
		flooder=$(main_of parent.service)
		during "$flooder"
		wait_for '[ $(($(reaped) - before)) -ge $many ]'
		reaped=$(($(reaped) - before))
		note "$many orphans, at most 10,000 at once, in $(($(now_ms) - began)) ms: $reaped reaped; $TIMES"
		meets 100 "$p99" "$floor" && break
	done
	is "orphans: each is reaped" "" yes "$([ "$reaped" -ge $many ] && echo yes || echo "$reaped of $many")"
	is "orphans: none stays a zombie" "" "" "$(ps -o pid= --ppid "$INIT_PID" -o stat= | grep Z | head -3)"
	is "orphans: every order is answered" "" 0 "$(wc -l <"$T/bad")"
	in_time "orphans: p99 of the answers at most 100 ms" "" 100 "$p99" "$floor"
}
# Of those, as PID 1 counts them (struct bank_table).
reaped() { od -An -tu8 -j96 -N8 "/proc/$INIT_PID/fd/418" | tr -d ' '; }

if [ "$(lives)" != 1 ]; then not_ok "the count of lives is found" "$(lives)"; fi
busy_socket echo "ListenStream=$T/echo"
busy_service echo "ExecStart=$SOCK listen"
ctl daemon-reload >/dev/null 2>&1
ctl start echo.socket echo.service >/dev/null
signals hark-init "$INIT_PID" 17 10 12 1 28
signals harkd "$(manager_pid)" 17 1 15 2 28
notifications
requests
orphans
descriptors
finish
