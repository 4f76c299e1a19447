#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's own daemons with their own units: the demo (sshd, cupsd, avahi) as it is, then rpcbind by its stock socket unit.
# Their packages come by apt into a throw-away root; the machine gets nothing.
TOP=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
DEBS=/tmp/hark-test-debs

demo_line() { # WORDS OF THE DEMO, NAME, ROWS
	if grep -qF "  ok: $1" "$LOG"; then
		echo "ok demo: $2${3:+ [rows: $3]}"
	else
		echo "not ok demo: $2: $(grep -F FAILED: "$LOG" | head -2 | paste -sd' ')"
		DEMO_NOT_OK=1
	fi
}

run_demo() {
	LOG=$(mktemp /tmp/hark-demo-log.XXXXXX)
	timeout -k 5 150 "$TOP/tools/demo" </dev/null >"$LOG" 2>&1
	DEMO_RC=$?
	if ! grep -q '^== The machine is up' "$LOG"; then
		if grep -qE 'apt could not install|could not be installed' "$LOG"; then
			echo "skip demo: apt cannot install the daemons here"
		else
			echo "not ok demo: ended with $DEMO_RC: $(grep -v '^$' "$LOG" | tail -2 | paste -sd' ')"
			DEMO_NOT_OK=1
		fi
		rm "$LOG"
		return
	fi
	demo_line "ssh.socket listens" "ssh.socket listens" "D5"
	demo_line "no sshd runs" "idle: no sshd" "D1 B23 C24"
	demo_line "no cupsd runs" "idle: no cupsd" "D1 B23"
	demo_line "no avahi-daemon runs" "idle: no avahi-daemon" "D1 B23"
	demo_line "connect to first byte took" "the first connection starts Debian's sshd, the banner comes" "D5 D13 C25"
	demo_line "a login with a key runs a command" "ssh login through ssh.socket and ssh.service" "D5 D13"
	demo_line "a login on port 2222 runs a command" "ssh login through Accept=yes and sshd -i" "C24 D16"
	demo_line "its instance is demo-ssh@" "the instance of the connection is listed" "D16"
	demo_line "lpstat gets an answer" "the first question starts Debian's cupsd, lpstat gets its answer" "D13 D17"
	demo_line "avahi-resolve gets an answer" "avahi answers" "D13"
	demo_line "killed; after" "Restart= of a killed service" "D29"
	demo_line "sshd is in its own cgroup" "sshd has its own cgroup" ""
	grep -oE 'connect to first byte took [0-9.]+ ms|the first answer took [0-9.]+ ms' "$LOG" | sed 's/^/# demo: /'
	if [ $DEMO_RC -eq 0 ] && grep -q '^everything was shown' "$LOG"; then
		echo "ok demo: all of it, then an orderly power-off"
	else
		echo "not ok demo: ended with $DEMO_RC: $(tail -1 "$LOG")"
		DEMO_NOT_OK=1
	fi
	rm "$LOG"
}

# rpcbind's files as they would lie on a merged /usr, with the user its postinst would make.
fetch_rpcbind() {
	local root=$DEBS/root
	[ -x "$root/usr/sbin/rpcbind" ] && return
	mkdir -p "$root/usr/sbin" "$root/usr/lib" "$root/etc"
	(cd "$DEBS" && timeout 60 apt-get download rpcbind libtirpc3 libtirpc-common libwrap0 && for deb in *.deb; do dpkg -x "$deb" root; done) \
		>"$DEBS/log" 2>&1 </dev/null || return 1
	cp -a "$root"/sbin/. "$root/usr/sbin/"
	cp -a "$root"/lib/. "$root/usr/lib/"
	{ cat /etc/passwd && echo '_rpc:x:998:65534::/run/rpcbind:/usr/sbin/nologin'; } >"$root/etc/passwd"
}

if [ -z "$HARK_SANDBOX" ] && [ "$(id -u)" = 0 ]; then
	DEMO_NOT_OK=0
	run_demo
	fetch_rpcbind
	export HARK_KEEP_TMP=1 DEMO_NOT_OK
fi
. "$(dirname "$(readlink -f "$0")")/lib.sh"
NOT_OK_N=${DEMO_NOT_OK:-0}

rpcbind() {
	if [ ! -x "$DEBS/root/usr/sbin/rpcbind" ]; then
		skip "rpcbind by its stock units" "apt cannot fetch it"
		return
	fi
	mount -t overlay -o "lowerdir=$DEBS/root/usr:/usr" overlay /usr && mount -t overlay -o "lowerdir=$DEBS/root/etc:/etc" overlay /etc || {
		skip "rpcbind by its stock units" "no overlay can be mounted"
		return
	}
	mkdir -p /run/rpcbind
	HARK_TEST_UNIT_PATH=$T/rpc/units:/usr/lib/systemd/system
	hark_up rpc || return
	ok_if "rpcbind.socket of Debian starts" "D17" ctl start rpcbind.socket
	is "no rpcbind runs" "D1 D17" "0 listening" "$(pgrep -xc rpcbind) $(sub rpcbind.socket)"
	is "UNIX, and TCP and UDP by IPv4 and IPv6 listen" "D17" "5" \
		"$( (ss -Hlnt 'sport = 111'; ss -Hlnu 'sport = 111'; ss -Hlnx | grep /run/rpcbind.sock) | wc -l)"
	timeout 10 rpcinfo -T udp 127.0.0.1 100000 4 >"$T/out" 2>&1
	is "a datagram starts rpcbind and is answered" "D17 D13" "0 1" "$? $(pgrep -xc rpcbind)"
	is "it is ready and running" "D17" "running running" "$(sub rpcbind.service) $(sub rpcbind.socket)"
	ok_if "TCP by IPv4 is answered" "D17" timeout 10 rpcinfo -T tcp 127.0.0.1 100000 4
	ok_if "UDP by IPv6 is answered" "D17" timeout 10 rpcinfo -T udp6 ::1 100000 4
	ok_if "TCP by IPv6 is answered" "D17" timeout 10 rpcinfo -T tcp6 ::1 100000 4
	timeout 10 rpcinfo >"$T/out" 2>&1
	ok_if "the local list is answered" "D17" grep -q portmapper "$T/out"
	ok_if "why names the socket" "D42" bash -c "'$BIN/harkctl' why rpcbind.service | grep -q rpcbind.socket"
	ctl stop rpcbind.socket rpcbind.service >/dev/null 2>&1
	is "stopped" "" 0 "$(pgrep -xc rpcbind)"
}

rpcbind
finish
