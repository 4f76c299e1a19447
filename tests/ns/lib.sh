# SPDX-License-Identifier: MIT
# Sourced first by every test in this folder:
#	#!/bin/bash
#	. "$(dirname "$(readlink -f "$0")")/lib.sh"
#	hark_up one
#	unit hello.service <<X
#	...
#	X
#	ok_if "starts" "A1 B2" ctl start hello.service
#	finish
# The test runs again inside its own mount, PID, network, UTS and IPC namespaces (loopback up, private /tmp and
# /run) and in its own cgroup. HARK_NO_SANDBOX=1 leaves it where it is. What it started is ended with it.
#
# HARK_BUILD  build folder (default: build-dev, then build)
# T           the test's private folder      INIT_PID  hark-init's pid after hark_up
# UNITS       where unit() writes            RUN_DIR   hark's run dir

HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
TOP=$(readlink -f "$HERE/../..")
if [ -z "$HARK_BUILD" ]; then
	HARK_BUILD=$TOP/build-dev
	[ -x "$HARK_BUILD/bin/hark-init" ] || HARK_BUILD=$TOP/build
fi
HARK_BUILD=$(readlink -f "$HARK_BUILD")
export HARK_BUILD
BIN=$HARK_BUILD/bin
NS_BIN=$HARK_BUILD/tests/ns
TEST_NAME=$(basename "$0" .sh)
NOT_OK_N=0

# ---- results

ok() { # NAME [ROWS]
	echo "ok $1${2:+ [rows: $2]}"
}
not_ok() { # NAME WHY
	NOT_OK_N=$((NOT_OK_N + 1))
	echo "not ok $1: ${2:-failed}"
}
skip() { # NAME WHY
	echo "skip $1: $2"
}
note() { echo "# $*"; }

# ok_if NAME ROWS COMMAND...: ok when the command succeeds, its output is shown when it does not.
ok_if() {
	local name=$1 rows=$2 out rc
	shift 2
	out=$("$@" 2>&1)
	rc=$?
	if [ $rc -eq 0 ]; then ok "$name" "$rows"; else not_ok "$name" "$* gave $rc: $(tail -3 <<<"$out" | paste -sd' ')"; fi
	return $rc
}

# is NAME ROWS EXPECTED ACTUAL
is() {
	if [ "$3" = "$4" ]; then ok "$1" "$2"; else not_ok "$1" "expected '$3', got '$4'"; fi
	[ "$3" = "$4" ]
}

# in_time NAME ROWS MOST VALUE FLOOR: a verdict about time; MOST, VALUE and FLOOR are whole numbers of one unit. FLOOR is what an action of
# the same shape took to which hark adds nothing, measured by turns with VALUE: what the machine itself takes is not hark's. So VALUE
# may be MOST, MOST more than FLOOR, or twice FLOOR. Where FLOOR alone is more than MOST, nothing can be told here. A verdict that
# another moment may change ends in "# TIME": tools/test runs such a test once more, alone.
in_time() {
	local name=$1 rows=$2 most=$3 value=$4 floor=$5
	if meets "$most" "$value" "$floor"; then
		[ "$value" -le "$most" ] || note "$name: $value, where the machine itself took $floor"
		ok "$name" "$rows"
	elif [ "$floor" -gt "$most" ]; then
		skip "$name" "got $value, where the machine itself took $floor # TIME"
	else
		not_ok "$name" "expected at most $most, got $value, where the machine itself took $floor # TIME"
	fi
}

# meets MOST VALUE FLOOR: the same for who tries again.
meets() { [ "$2" -le "$1" ] || [ "$2" -le $(($1 + $3)) ] || [ "$2" -le $((2 * $3)) ]; }
# between NAME ROWS LEAST MOST VALUE FLOOR: in_time, and not before LEAST.
between() {
	if [ "$5" -ge "$3" ]; then in_time "$1" "$2" "$4" "$5" "$6"; else not_ok "$1" "expected at least $3, got $5"; fi
}

# skip_all WHY: the whole test makes no sense here.
skip_all() {
	skip "$TEST_NAME" "$1"
	exit 0
}

finish() {
	exit $((NOT_OK_N > 0))
}

# ---- time

# Milliseconds of CLOCK_MONOTONIC, near enough.
now_ms() {
	local up
	read -r up _ </proc/uptime
	echo $((10#${up/./} * 10))
}

# wait_for COMMAND [SECONDS]: tries every 20 ms; the command is one string for eval. SECONDS is for what never comes, and generous: what
# comes late on a busy machine has come. Where a moment is what matters: in_time.
wait_for() {
	local until=$(($(now_ms) + ${2:-30} * 1000))
	until eval "$1" >/dev/null 2>&1; do
		[ "$(now_ms)" -le $until ] || { echo "# waited for ${2:-30} s in vain: $1" >&2 && return 1; }
		sleep 0.02
	done
}

# start_clock, stop_clock: how long what is between them took (TOOK), and the floor of in_time for what happens once: for how long the
# machine kept programs from running meanwhile (tests/ns/stalls.c), all in all (STALLED) and at most at a time (LONGEST). All in ms.
start_clock() {
	if [ ! -e "$T/stalls" ]; then
		"$NS_BIN/stalls" "$T/stalls" </dev/null >/dev/null 2>&1 &
		STARTED+=($!)
		disown
		wait_for '[ -e "$T/stalls" ]' 10
	fi
	BEGAN=$(now_ms)
}
stop_clock() {
	TOOK=$(($(now_ms) - BEGAN))
	sleep 0.01 # a stall is told at its end
	# shellcheck disable=SC2034 # for who asks
	read -r STALLED LONGEST < <(awk -v since="$BEGAN" '$1 > since * 1000 { ms = $1 / 1000 - since < $2 / 1000 ? $1 / 1000 - since : $2 / 1000
		all += ms; if (ms > most) most = ms } END { print int(all), int(most) }' "$T/stalls")
}

# ---- the sandbox

# Prints where cgroup2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified on a hybrid machine.
cgroup2_root() { findmnt -n -t cgroup2 -o TARGET | head -1; }

# remove_cgroup DIR: ends what runs in it, removes it with all below.
remove_cgroup() {
	local i
	[ -d "$1" ] || return 0
	echo 1 2>/dev/null >"$1/cgroup.kill"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -d "$1" ] || return 0
		sleep 0.05
	done
	echo "# cgroup $1 could not be removed"
}

enter_sandbox() {
	local root cgroup="" own rc
	root=$(cgroup2_root)
	if [ -n "$root" ]; then
		own=$(sed -n 's/^0:://p' /proc/self/cgroup)
		cgroup=$root${own%/}/hark-test-$$
		mkdir "$cgroup" 2>/dev/null || cgroup=
	fi
	HARK_SANDBOX=1 HARK_TEST_CGROUP=$cgroup bash -c '
		[ -n "$HARK_TEST_CGROUP" ] && mkdir "$HARK_TEST_CGROUP/driver" && echo $$ >"$HARK_TEST_CGROUP/driver/cgroup.procs"
		exec unshare --mount --pid --fork --kill-child --mount-proc --net --uts --ipc --propagation private \
			bash -c '\''
				ip link set lo up
				[ -n "$HARK_KEEP_TMP" ] || mount -t tmpfs -o mode=1777 test /tmp
				mount -t tmpfs -o mode=755 test /run
				exec "$0" "$@"
			'\'' "$0" "$@"' "$0" "$@" &
	# A signal ends the wait; the sandbox goes with its first process.
	trap 'kill -TERM $! 2>/dev/null' TERM INT
	wait $!
	rc=$?
	[ -n "$cgroup" ] && remove_cgroup "$cgroup"
	exit $rc
}

if [ -z "$HARK_SANDBOX" ] && [ -z "$HARK_NO_SANDBOX" ]; then
	if [ "$(id -u)" != 0 ]; then
		skip_all "needs root"
	fi
	# The private /tmp would hide a checkout or a build that lies there.
	case $HARK_BUILD$TOP in */tmp/*) export HARK_KEEP_TMP=1 ;; esac
	enter_sandbox "$@"
fi

[ -x "$BIN/hark-init" ] || skip_all "no $BIN/hark-init"
[ -n "$HARK_SANDBOX" ] && hostname test 2>/dev/null
T=$(mktemp -d /tmp/hark-ns.XXXXXX)
chmod 755 "$T"
STARTED=()
UNITS=$T/main/units
trap clean_up EXIT

clean_up() {
	local pid
	for pid in "${STARTED[@]}"; do
		kill -KILL "$pid" 2>/dev/null
	done
	[ -n "$OWN_CGROUP" ] && remove_cgroup "$OWN_CGROUP"
	rm -rf "$T"
}

# ---- hark

# hark_up DIR [hark-init arguments]: starts hark-init as a subreaper with its own unit path, run dir and cgroup below
# $T/DIR, and waits until harkctl answers. The log is $T/DIR/log. Call it again with the same DIR to start anew.
hark_up() {
	local dir=$T/$1
	shift
	UNITS=$dir/units
	RUN_DIR=$dir/run
	HARK_LOG=$dir/log
	mkdir -p "$UNITS" "$RUN_DIR"
	if [ -n "$HARK_TEST_CGROUP" ]; then
		CGROUP=$HARK_TEST_CGROUP/$(basename "$dir")
		mkdir -p "$CGROUP" 2>/dev/null
	else
		CGROUP=
	fi
	OWN_CGROUP=$CGROUP
	export HARK_RUN_DIR=$RUN_DIR
	# A quiet target, so that the machine's own default is not what the test starts.
	[ -e "$UNITS/test.target" ] || printf '[Unit]\nDescription=nothing\nDefaultDependencies=no\n' >"$UNITS/test.target"
	# In a session of its own, as it is as PID 1: automount points let those of its process group pass.
	setsid "$BIN/hark-init" --unit-path "${HARK_TEST_UNIT_PATH:-$UNITS}" --run-dir "$RUN_DIR" \
		${CGROUP:+--cgroup-root "$CGROUP"} --default test.target "$@" >>"$HARK_LOG" 2>&1 </dev/null &
	INIT_PID=$!
	STARTED+=("$INIT_PID")
	if ! wait_for 'ctl list'; then
		not_ok "hark comes up" "harkctl got no answer in 30 s: $(tail -3 "$HARK_LOG" | paste -sd' ')"
		return 1
	fi
}

# hark_down: orderly stop; its exit status.
hark_down() {
	kill -TERM "$INIT_PID" 2>/dev/null
	wait "$INIT_PID"
}

ctl() { "$BIN/harkctl" "$@"; }

# manager_pid: of harkd.
manager_pid() { pgrep -P "$INIT_PID" -x harkd; }

# prop UNIT NAME: one property.
prop() { ctl show "$1" | sed -n "s/^$2=//p"; }

# unit NAME <<X ... X: writes a unit file (NAME may be x.service.d/y.conf) and tells the manager.
unit() {
	mkdir -p "$(dirname "$UNITS/$1")"
	cat >"$UNITS/$1"
	if [ -n "$INIT_PID" ] && kill -0 "$INIT_PID" 2>/dev/null; then
		ctl daemon-reload >/dev/null 2>&1 || true
	fi
}

# ---- words of the tests

# The service that does what its words say (payload.c), where every user can run it.
PAYLOAD=$T/payload
[ -x "$NS_BIN/payload" ] && cp "$NS_BIN/payload" "$PAYLOAD"

active() { prop "$1" ActiveState; }
sub() { prop "$1" SubState; }
main_of() { prop "$1" MainPID; }
# wait_sub UNIT SUBSTATE [SECONDS]
wait_sub() { wait_for "[ \"\$(sub $1)\" = $2 ]" "$3"; }
wait_active() { wait_for "[ \"\$(active $1)\" = $2 ]" "$3"; }
# found FILE KEY: the value of KEY= in a report of the payload.
found() { sed -n "s/^$2=//p" "$1" | head -1; }
# pids_of UNIT: of its cgroup.
pids_of() { cat "$CGROUP/system.slice/$1/cgroup.procs" 2>/dev/null; }
# alive PID: a zombie is not; PID 1 reaps a moment after it has told.
alive() { grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null; }
# in_log TEXT: in what hark said so far.
in_log() { grep -qF -- "$1" "$HARK_LOG"; }

# inside NAME LINES... -- SCRIPT: runs SCRIPT in a service with these lines; its output is in $T/NAME.out, its status is printed.
inside() {
	local name=$1 lines=()
	shift
	while [ "$1" != -- ]; do
		lines+=("$1")
		shift
	done
	printf '%s\n' "$2" >"$T/$name.script"
	{ printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nStandardOutput=truncate:%s\nStandardError=inherit\n' "$T/$name.out" &&
		printf '%s\n' "${lines[@]}" "ExecStart=/bin/sh $T/$name.script"; } | unit "$name.service"
	ctl start "$name.service" >"$T/$name.start" 2>&1
	prop "$name.service" ExecMainStatus
}
out() { paste -sd'|' "$T/$1.out"; }

# ---- units under load, and what tests/ns/sock.c says of its clients

# busy_socket NAME LINES..., busy_service NAME LINES...: unit files without limits that a storm of clients would hit.
busy_socket() {
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Socket]\nTriggerLimitIntervalSec=0\nBacklog=4096\nMaxConnections=4096\n' &&
		printf '%s\n' "$@"; } >"$UNITS/$name.socket"
}
busy_service() {
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\n' && printf '%s\n' "$@"; } >"$UNITS/$name.service"
}
# busy_house: stay: one service for all; brief: a new one for each request; each: one for each connection; witness: nothing happens to it.
busy_house() {
	busy_socket stay "ListenStream=$T/stay" "ListenStream=127.0.0.1:7101"
	busy_service stay "ExecStart=$SOCK listen"
	busy_socket brief "ListenStream=$T/brief"
	busy_service brief "ExecStart=$SOCK listen once"
	busy_socket each "ListenStream=$T/each" "ListenStream=127.0.0.1:7103" Accept=yes
	busy_service each@ "ExecStart=$SOCK answer" StandardInput=socket
	busy_service witness Restart=always "ExecStart=$PAYLOAD log $T/witness x pause"
	ctl daemon-reload >/dev/null 2>&1
	ctl start stay.socket brief.socket each.socket witness.service >/dev/null
	"$SOCK" ask "$T/stay" 1 >/dev/null
}
# busy_clients COMMAND...: clients of all of them for as long as it runs; what they say is in $T/sums.
busy_clients() {
	local i=0 address asking=""
	: >"$T/go"
	for address in "$T/stay" tcp:127.0.0.1:7101 "$T/brief" "$T/each" tcp:127.0.0.1:7103; do
		i=$((i + 1))
		timeout -k 5 500 "$SOCK" ask "$address" 0 3 while "$T/go" >"$T/sum.$i" &
		asking="$asking $!"
	done
	"$@"
	rm "$T/go"
	# shellcheck disable=SC2086
	wait $asking
	cat "$T"/sum.[1-5] >"$T/sums"
}
# field NAME FILE: the sum of all NAME=NUMBER in it.
field() { sed -n "s/.*\<$1=\([0-9]*\).*/\1/p" "$2" | awk '{ n += $1 } END { print n + 0 }'; }

# bus_units [ADDRESS]: hark's own hark-bus units, with the program of this build and this run dir; ADDRESS: of the system bus.
bus_units() {
	mkdir -p "$UNITS/hark-bus.service.d"
	cat >"$UNITS/hark-bus.service.d/test.conf" <<X
[Service]
ExecStart=
ExecStart=$BIN/hark-bus
Environment=HARK_RUN_DIR=${RUN_DIR:-$(dirname "$UNITS")/run} DBUS_SYSTEM_BUS_ADDRESS=${1:-unix:path=/nonexistent}
X
}

# system_bus [COMMAND]: units of a system bus in $UNITS, and of hark's face on it: dbus-daemon, which activates what stands in $T/services, unless COMMAND
# is another one that reads $T/bus.conf.
system_bus() {
	mkdir -p /run/dbus "$T/services"
	cat >"$T/bus.conf" <<X
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <servicedir>$T/services</servicedir>
  <policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/><allow receive_type="signal"/><allow receive_type="method_return"/><allow receive_type="error"/></policy>
</busconfig>
X
	cat >"$UNITS/dbus.socket" <<X
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/dbus/system_bus_socket
X
	cat >"$UNITS/dbus.service" <<X
[Unit]
DefaultDependencies=no
Wants=hark-bus.service
[Service]
Type=notify
ExecStart=${1:-$(command -v dbus-daemon) --config-file=$T/bus.conf --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only}
X
	bus_units unix:path=/run/dbus/system_bus_socket
}
