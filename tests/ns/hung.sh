#!/bin/bash
# SPDX-License-Identifier: MIT
# What stands still or never ends: a process that nothing can kill, a console that has hung up, a line without an end, clients that ask nothing, units
# whose condition never holds. Everybody else goes on.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
hark_up hung || finish

service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n[Service]\n' && printf '%s\n' "$@"; } | unit "$name.service"
}
answers() { timeout 20 "$BIN/harkctl" is-active test.target >/dev/null; }

# Not even SIGKILL ends a process while the kernel waits for somebody: here for the server of a file that it closes (D).
unkillable() {
	mkdir "$T/fuse"
	"$NS_BIN/hangfs" "$T/fuse" "$T/hangs" 2>/dev/null &
	STARTED+=($!)
	wait_for "mountpoint -q $T/fuse" 3 || { skip "a process that cannot be killed" "no FUSE" && return; }
	service stuck TimeoutStopSec=200ms "ExecStart=/bin/sh -c 'exec 5<$T/fuse/file; echo >$T/hangs; exec 5<&-'"
	service other "ExecStart=$PAYLOAD pause"
	ctl start stuck.service >/dev/null
	wait_for "[ -e $T/hangs ]" 20
	sleep 0.1
	timeout 60 "$BIN/harkctl" stop stuck.service >"$T/stop" 2>&1
	is "a stop of what cannot be killed comes to an end" "" yes "$([ $? -lt 124 ] && echo yes)"
	is "... and is told of" "" "failed 1" "$(active stuck.service) $(grep -c "stuck.service: failed (timeout)" "$HARK_LOG")"
	[ -n "$CGROUP" ] && is "... with what is left of it" "" "1 1" "$(ctl status stuck.service | grep -c "─ [0-9]* ") $(grep -c 'stuck.service: 1 of its processes is still there, pid' "$HARK_LOG")"
	is "... others are started and stopped" "" "active inactive" "$(ctl start other.service >/dev/null; active other.service) $(ctl stop other.service >/dev/null; active other.service)"
	rm "$T/hangs"
	ok_if "... until it ends" "" wait_for '! ctl status stuck.service | grep -q cgroup' 20
	umount -l "$T/fuse"
}

# A console that has hung up: each write to it fails.
console() {
	mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts && mount --bind /dev/pts/ptmx /dev/ptmx || { skip "a console that hangs up" "no terminals" && return; }
	cat >"$T/console.py" <<-'Y'
		import fcntl, os, pty, subprocess, sys, termios, time
		master, slave = pty.openpty()
		def own():
		    os.setsid()
		    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
		os.environ["HARK_RUN_DIR"] = sys.argv[2]
		p = subprocess.Popen([sys.argv[1] + "/hark-init", "--unit-path", sys.argv[3], "--run-dir", sys.argv[2], "--default", "test.target"],
		                     stdin=slave, stdout=slave, stderr=slave, preexec_fn=own)
		os.close(slave)
		ctl = lambda *words: subprocess.run([sys.argv[1] + "/harkctl", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
		while ctl("is-active", "test.target").returncode != 0: time.sleep(0.02)
		ctl("start", "here.service")
		os.close(master)
		time.sleep(0.3)
		state = lambda unit: ctl("is-active", unit).stdout.decode().strip()
		print(p.poll(), state("test.target"), state("here.service"))
		ctl("start", "none.service"); ctl("start", "fails.service"); ctl("restart", "here.service")
		print(p.poll(), state("test.target"), state("here.service"), state("fails.service"))
		ctl("poweroff")
		p.terminate()
		print(p.wait(60))
	Y
	mkdir -p "$T/tty/units" "$T/tty/run"
	printf '[Unit]\nDefaultDependencies=no\n' >"$T/tty/units/test.target"
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" >"$T/tty/units/here.service"
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/false\n' >"$T/tty/units/fails.service"
	is "a console that hangs up" "" "None active active|None active active failed|0" "$(timeout 200 python3 "$T/console.py" "$BIN" "$T/tty/run" "$T/tty/units" 2>&1 | paste -sd'|')"
}

# 64 MB without a new line: what is kept of it has a limit, and others are heard.
endless_line() {
	local before after
	service says "ExecStart=$PAYLOAD say well pause"
	service line "ExecStart=/bin/sh -c 'head -c 64000000 /dev/zero | tr \"\\\\\\\\0\" x; echo; echo behind; exec sleep 100'"
	ctl start says.service >/dev/null
	before=$(awk '/^VmHWM/ { print $2 }' "/proc/$(manager_pid)/status")
	ctl start line.service >/dev/null
	wait_for "ctl logs line.service | grep -q behind" 60
	after=$(awk '/^VmHWM/ { print $2 }' "/proc/$(manager_pid)/status")
	ok_if "a line of 64 MB takes no memory of its size" "" test $((after - before)) -lt 16000
	ok_if "... what comes behind it is heard" "" grep -q behind <<<"$(ctl logs line.service)"
	ctl stop says.service line.service >/dev/null
}

# Clients that connect and ask nothing: as many as there may be, and nobody else waits for them.
idle_clients() {
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%s\nAccept=yes\nMaxConnections=100\nMaxConnectionsPerSource=infinity\n' "$T/idle" | unit idle.socket
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/cat\nStandardInput=socket\n' | unit idle@.service
	ctl start idle.socket >/dev/null
	python3 - "$T/idle" "$RUN_DIR/control" >"$T/idlers" 2>&1 <<-'Y' &
		import os, socket, sys, time
		os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
		held = []
		for path, kind, n in ((sys.argv[1], socket.SOCK_STREAM, 300), (sys.argv[2], socket.SOCK_SEQPACKET, 300)):
		    for i in range(n):
		        s = socket.socket(socket.AF_UNIX, kind); s.setblocking(False)
		        try: s.connect(path)
		        except OSError: pass
		        held.append(s)
		print("held", flush=True)
		time.sleep(100)
	Y
	local idler=$!
	wait_for "grep -q held $T/idlers" 60
	ok_if "600 clients that ask nothing hold nobody up" "" answers
	is "... nor is there more of them than may be" "" "active yes" "$(active idle.socket) $([ "$(ctl list --plain 'idle@*' | grep -c running)" -le 100 ] && echo yes)"
	kill $idler
	wait $idler 2>/dev/null
	ok_if "... when they go their services end" "" wait_for "[ \"\$(ctl list --plain 'idle@*' | grep -c running)\" = 0 ]" 60
	ctl stop idle.socket >/dev/null
}

# What never holds, and what may not run: the asking ends.
never_holds() {
	local before
	printf '[Unit]\nDefaultDependencies=no\nConditionPathExists=/nowhere\n[Service]\nExecStart=/bin/true\n' | unit vain.service
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%s\nService=vain.service\n' "$T/vain" | unit vain.socket
	printf '[Unit]\nDefaultDependencies=no\n[Path]\nPathExists=/\nUnit=vain.service\n' | unit vain.path
	printf '[Unit]\nDefaultDependencies=no\n[Timer]\nOnActiveSec=1ms\nUnit=vain.service\n' | unit vain.timer
	ln -s /dev/null "$UNITS/masked.service"
	printf '[Unit]\nDefaultDependencies=no\n[Timer]\nOnActiveSec=1ms\nUnit=masked.service\n' | unit masked.timer
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%s\nService=masked.service\n' "$T/masked" | unit masked.socket
	ctl start vain.socket vain.path vain.timer masked.timer masked.socket >/dev/null 2>&1
	python3 -c 'import socket, sys
for path in sys.argv[1:]:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.5)
    try: s.connect(path), s.recv(1)
    except OSError: pass' "$T/vain" "$T/masked"
	wait_for '[ "$(prop vain.path Result)" = trigger-limit-hit ] && [ "$(active masked.socket)" = failed ]' 20
	is "what never holds, or is masked, is not asked for ever" "" "failed failed inactive" "$(active vain.path) $(active masked.socket) $(active vain.service)"
	ok_if "... and nobody waits for that" "" answers
	before=$(grep -c 'vain.service: not started' "$HARK_LOG")
	sleep 0.5
	ok_if "... nor is more of it done" "" test "$(grep -c 'vain.service: not started' "$HARK_LOG")" -le $((before + 2))
	ctl stop vain.socket vain.timer masked.timer >/dev/null 2>&1
}

for part in ${PARTS:-unkillable console endless_line idle_clients never_holds}; do "$part"; done
hark_down
is "it ends in order" "" 0 $?
finish
