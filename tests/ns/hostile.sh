#!/bin/bash
# SPDX-License-Identifier: MIT
# Users who mean harm: what one without rights, or a service with a user of its own, may try against hark and against what others run under it.
# docs/trust.md names what each part is about.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Without the kernel's own walls against planted links, which are no part of hark and off where nobody has set them.
for wall in hardlinks symlinks fifos regular; do echo 0 >"/proc/sys/fs/protected_$wall" 2>/dev/null; done
hark_up hostile || finish
cp "$BIN/harkctl" "$T/harkctl"
USER_ID=65534

service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n[Service]\n' && printf '%s\n' "$@"; } | unit "$name.service"
}
as_user() { setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups "$@" 2>&1; }
# own PATH...: it is the user's, a link itself and not what it leads to.
own() { chown -h $USER_ID:$USER_ID "$@"; }
answers() { timeout 20 "$BIN/harkctl" is-active test.target >/dev/null; }

# A file system of FUSE at $T/fuse, whose server does not answer while there is $T/hangs.
has_hangfs() {
	mkdir -p "$T/fuse"
	"$NS_BIN/hangfs" "$T/fuse" "$T/hangs" 2>/dev/null &
	STARTED+=($!)
	wait_for "mountpoint -q $T/fuse" 3 || { skip "$1" "no FUSE" && false; }
}

# A descriptor whose close(2) waits for a server of the sender's: at a socket that everybody may send to, and of a service that may leave some.
hanging_descriptors() {
	has_hangfs "a descriptor that cannot be closed" || return
	service target Type=notify NotifyAccess=all FileDescriptorStoreMax=4 "ExecStart=$PAYLOAD notify READY=1\\\\nSTATUS=own pause"
	ctl start target.service >/dev/null
	python3 - "$RUN_DIR/notify/target.service" "$T/fuse/file" "$T/hangs" >"$T/sent" 2>&1 <<-Y &
		import os, socket, sys, time
		fd = os.open(sys.argv[2], os.O_RDONLY)
		os.setgroups([]); os.setresgid($USER_ID, $USER_ID, $USER_ID); os.setresuid($USER_ID, $USER_ID, $USER_ID)
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.connect(sys.argv[1])
		print("here", flush=True)
		while not os.path.exists(sys.argv[3]):
		    time.sleep(0.01)
		for text in (b"FDSTORE=1", b"STATUS=x", b"", b"x" * 4097):
		    socket.send_fds(s, [text], [fd])
		print("sent", flush=True)
		time.sleep(20)
	Y
	local sender=$!
	wait_for "[ -s $T/sent ]" 20
	touch "$T/hangs"
	wait_for "grep -q sent $T/sent" 20
	sleep 0.3
	ok_if "a stranger's descriptor that cannot be closed holds nobody up" "" answers
	is "... and all of it was refused" "" "here sent own 0" "$(paste -sd' ' "$T/sent") $(prop target.service StatusText) $(prop target.service NFileDescriptorStore)"
	rm "$T/hangs"
	kill -KILL $sender
	wait $sender 2>/dev/null
	cat >"$T/leaves.py" <<-'Y'
		import os, socket, sys, time
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.connect(os.environ["NOTIFY_SOCKET"])
		far, near = os.open(sys.argv[1], os.O_RDONLY), os.open(sys.argv[0], os.O_RDONLY)
		send = lambda text, *fds: socket.send_fds(s, [text], fds)
		send(b"FDSTORE=1\nFDNAME=near", near)
		open(sys.argv[2], "w").close()
		for fds in ((far,), (near, far), (far, near)):
		    send(b"FDSTORE=1\nFDNAME=far", *fds)
		s.send(b"READY=1")
		time.sleep(100)
	Y
	service leaves Type=notify NotifyAccess=all FileDescriptorStoreMax=4 "ExecStart=/usr/bin/python3 $T/leaves.py $T/fuse/file $T/hangs"
	ctl start leaves.service >/dev/null
	is "nor does one that a service leaves with it: what it cannot be sure of it does not take" "" "active 1" "$(active leaves.service) $(prop leaves.service NFileDescriptorStore)"
	ok_if "... and says so" "" in_log "leaves.service: a descriptor it wants kept is not: to close one of a file system with a server"
	rm "$T/hangs"
	umount -l "$T/fuse"
	ctl stop target.service leaves.service >/dev/null
}

# Files that units name, and units themselves, where nobody answers: only what needs them fails.
hung_files() {
	has_hangfs "files whose server does not answer" || return
	local far=$T/fuse/file
	service near "EnvironmentFile=-$T/none" "ExecStart=$PAYLOAD pause"
	service env Type=oneshot "EnvironmentFile=-$far" ExecStart=/bin/true
	service pid Type=forking "PIDFile=$far" "ExecStart=$PAYLOAD daemon pause" TimeoutStartSec=10s
	{ printf '[Unit]\nDefaultDependencies=no\nConditionPathExists=%s\n[Service]\nExecStart=/bin/true\n' "$far"; } | unit when.service
	printf '[Unit]\nDefaultDependencies=no\n[Path]\nPathExists=%s\nUnit=near.service\n' "$T/fuse/none" | unit far.path
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%s\nService=near.service\nSymlinks=%s\n' "$T/fuse/dir/sock" "$T/fuse/link" | unit far.socket
	ln -s "$far" "$UNITS/away.service"
	ctl start near.service env.service when.service >/dev/null
	is "a file of a server that answers is read" "" "active inactive yes" "$(active near.service) $(active env.service) $(prop when.service ConditionResult)"
	touch "$T/hangs"
	for unit in env.service far.socket ${HARK_FULL:+when.service far.path away.service pid.service}; do
		timeout 60 "$BIN/harkctl" start "$unit" >/dev/null 2>&1
		ok_if "one that does not holds nobody up ($unit)" "" answers
	done
	is "... and what needed it has failed, or was passed over" "" "inactive failed${HARK_FULL:+ no failed}" \
		"$(active env.service) $(active far.socket)${HARK_FULL:+ $(prop when.service ConditionResult) $(active far.path)}"
	ln -s "$T/fuse/dir" "$UNITS/near.service.wants"
	timeout 60 "$BIN/harkctl" daemon-reload >"$T/reload" 2>&1
	ok_if "a directory of units that does not answer: a reload is refused, the old units stay" "" grep -q "timed out" "$T/reload"
	is "... and run" "" active "$(active near.service)"
	local manager
	manager=$(manager_pid)
	kill -KILL "$manager"
	wait_for '[ -n "$(manager_pid)" ] && [ "$(manager_pid)" != '"$manager"' ]' 20
	ok_if "a new manager begins without it" "" answers
	is "... and all runs on" "" active "$(active near.service)"
	rm "$T/hangs" "$UNITS/near.service.wants" "$UNITS/away.service"
	umount -l "$T/fuse"
	ctl daemon-reload >/dev/null
	ctl stop near.service far.path far.socket pid.service >/dev/null 2>&1
}

# Files that root reads or writes for a service of the user's, where the user has put something else.
planted_files() {
	mkdir "$T/home"
	own "$T/home"
	printf 'SECRET=of-root\n' >"$T/shadow"
	chmod 600 "$T/shadow"
	ln -s "$T/shadow" "$T/home/env"
	ln "$T/shadow" "$T/home/hard"
	mkfifo -m 600 "$T/fifo"
	ln "$T/fifo" "$T/home/fifo"
	own "$T/home/env"
	for how in env hard; do
		service env Type=oneshot User=$USER_ID "EnvironmentFile=$T/home/$how" "StandardOutput=truncate:$T/env.out" "ExecStart=/bin/sh -c 'echo \$SECRET'"
		ctl start env.service >/dev/null 2>&1
		is "EnvironmentFile= tells nothing through a link of the user's ($how)" "" "failed " "$(active env.service) $(cat "$T/env.out" 2>/dev/null)"
		service cred Type=oneshot User=$USER_ID "LoadCredential=x:$T/home/$how" "StandardOutput=truncate:$T/cred.out" "ExecStart=/bin/sh -c 'cat \$CREDENTIALS_DIRECTORY/x'"
		ctl start cred.service >/dev/null 2>&1
		is "LoadCredential= tells nothing through a link of the user's ($how)" "" "failed 0" "$(active cred.service) $(grep -c of-root "$T/cred.out")"
		service in Type=oneshot User=$USER_ID "StandardInput=file:$T/home/$how" "StandardOutput=truncate:$T/in.out" "ExecStart=/bin/cat"
		ctl start in.service >/dev/null 2>&1
		is "StandardInput=file: tells nothing through a link of the user's ($how)" "" "failed " "$(active in.service) $(cat "$T/in.out" 2>/dev/null)"
		service log Type=oneshot User=$USER_ID "StandardOutput=append:$T/home/$how" "ExecStart=/bin/echo mine"
		ctl start log.service >/dev/null 2>&1
		is "StandardOutput=append: writes nothing through a link of the user's ($how)" "" "failed SECRET=of-root" "$(active log.service) $(paste -sd' ' "$T/shadow")"
	done
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenFIFO=%s\nSocketMode=0666\nSocketUser=%s\n' "$T/home/fifo" $USER_ID | unit pipe.socket
	printf '[Service]\nExecStart=/bin/true\n' | unit pipe.service
	ctl start pipe.socket >/dev/null 2>&1
	is "another name of somebody's FIFO is not given away" "" "failed 600 0" "$(active pipe.socket) $(stat -c '%a %u' "$T/fifo")"
	# What it removes at the end is what it made.
	mkdir "$T/home/sub" "$T/victim"
	echo x >"$T/victim/sock"
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%s\nRemoveOnStop=yes\n' "$T/home/sub/sock" | unit gone.socket
	printf '[Service]\nExecStart=/bin/true\n' | unit gone.service
	ctl start gone.socket >/dev/null
	mv "$T/home/sub" "$T/home/old"
	ln -s "$T/victim" "$T/home/sub"
	own "$T/home/sub"
	ctl stop gone.socket >/dev/null
	is "RemoveOnStop= removes nothing behind a link of the user's" "" x "$(cat "$T/victim/sock" 2>&1)"
	echo 1 >"$T/victim/pid"
	service pid Type=forking "PIDFile=$T/home/sub/pid" "ExecStart=$PAYLOAD daemon pause" TimeoutStartSec=200ms
	ctl start pid.service >/dev/null 2>&1
	is "... nor does the end of a service remove what its PIDFile= leads to by one" "" 1 "$(cat "$T/victim/pid" 2>&1)"
	rm -rf "$T/home" "$T/victim"
}

# A socket, a link to it and directories for them, behind links of the user's.
sockets_behind_links() {
	mkdir "$T/home" "$T/victim"
	ln -s "$T/victim" "$T/home/link"
	own "$T/home" "$T/home/link"
	for path in sock sub/sock; do
		printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%s\nSocketUser=%s\n' "$T/home/link/$path" $USER_ID | unit behind.socket
		printf '[Service]\nExecStart=/bin/true\n' | unit behind.service
		ctl start behind.socket >/dev/null 2>&1
		is "no socket is made behind a link of the user's ($path)" "" "failed " "$(active behind.socket) $(ls "$T/victim")"
		ctl reset-failed behind.socket >/dev/null 2>&1
	done
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%s\nSymlinks=%s %s\n' "$T/home/made/sock" "$T/home/link/x" "$T/home/y" | unit behind.socket
	ctl start behind.socket >/dev/null 2>&1
	is "... nor a link; in a directory of his all is" "" "active $T/home/made/sock " "$(active behind.socket) $(readlink "$T/home/y") $(ls "$T/victim")"
	ctl stop behind.socket >/dev/null
	rm -rf "$T/home" "$T/victim"
}

# A mount point in a directory of the user's, who swaps it for a link whenever he can.
mount_points() {
	[ -x "$BIN/hark-mount" ] || { skip "mount points" "no hark-mount" && return; }
	mkdir -p "$T/yard/real" "$T/elsewhere"
	ln -s "$T/elsewhere" "$T/yard/link"
	own "$T/yard" "$T/yard/real" "$T/yard/link"
	"$BIN/hark-mount" mount mine "$T/yard/real" tmpfs size=1m 0755 "" >"$T/mounts" 2>&1
	is "a mount point of the user's is mounted" "" "mine tmpfs" "$(findmnt -n -o SOURCE,FSTYPE "$T/yard/real" | xargs)"
	umount "$T/yard/real"
	if command -v strace >/dev/null; then
		strace -qq -e trace=mount -o "$T/calls" "$BIN/hark-mount" mount mine "$T/yard/real" tmpfs "" 0755 "" >>"$T/mounts" 2>&1
		is "... by a descriptor, which no name can change" "" 1 "$(grep -c '"/proc/self/fd/[0-9]*", "tmpfs"' "$T/calls")"
		umount "$T/yard/real"
	fi
	[ -n "$HARK_FULL" ] && swapped_place
	rm -rf "$T/yard"
}
swapped_place() {
	python3 - "$BIN/hark-mount" "$T" 40 >"$T/swapped" 2>&1 <<-Y
		import ctypes, os, signal, subprocess, sys, time
		libc, program, top = ctypes.CDLL(None), sys.argv[1], sys.argv[2].encode()
		real, link, elsewhere = top + b"/yard/real", top + b"/yard/link", top + b"/elsewhere"
		swapper = os.fork()
		if swapper == 0:
		    os.setgroups([]); os.setresgid($USER_ID, $USER_ID, $USER_ID); os.setresuid($USER_ID, $USER_ID, $USER_ID)
		    while True:
		        libc.renameat2(-100, real, -100, link, 2) # RENAME_EXCHANGE
		        time.sleep(0.0003)
		def gone(path): # UMOUNT_NOFOLLOW
		    return libc.umount2(path, 8) == 0
		mounted = wrong = 0
		for i in range(int(sys.argv[3])):
		    mounted += subprocess.run([program, "mount", "mine", real, "tmpfs", "size=1m", "0755", ""], stderr=subprocess.DEVNULL).returncode == 0
		    wrong += gone(elsewhere)
		    while b" " + top + b"/yard" in open("/proc/self/mountinfo", "rb").read():
		        gone(real) or gone(link)
		os.kill(swapper, signal.SIGKILL)
		os.waitpid(swapper, 0)
		print("mounted", mounted > 0, "elsewhere", wrong)
	Y
	is "... and nothing behind the link that he swaps it for" "" "mounted True elsewhere 0" "$(cat "$T/swapped")"
}

# A name that is too long for a socket below the run dir.
long_name() {
	local name address
	name=long-$(head -c 200 /dev/zero | tr '\0' x)
	service "$name" Type=notify NotifyAccess=all "ExecStart=/bin/sh -c 'echo \$NOTIFY_SOCKET >$T/address; exec $PAYLOAD notify READY=1 pause'"
	ctl start "$name.service" >/dev/null 2>&1
	address=$(cat "$T/address")
	is "a long name: ready, by a socket that nobody else can take" "" "active /" "$(active "$name.service") ${address:0:1}"
	ctl stop "$name.service" >/dev/null
}

# What a service says of itself, on the terminal of who looks at it.
terminal_words() {
	local out escapes
	service words Type=notify NotifyAccess=all "ExecStart=/usr/bin/python3 $T/words.py"
	cat >"$T/words.py" <<-'Y'
		import os, socket, sys, time
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.connect(os.environ["NOTIFY_SOCKET"])
		s.send(b"READY=1\nSTATUS=%n%s\x1b]0;stolen\x07\x1b[2Jwell\x9b31m")
		os.write(1, b"plain\n\x1b[2J\x1b]52;c;ZXZpbA==\x07gone\r over\n<0>hark[1]: forged\n\0\n")
		if len(sys.argv) == 1:
		    os.execv(sys.executable, [sys.executable, sys.argv[0], "\x1b[2Jargument\nnext"])
		time.sleep(100)
	Y
	ctl start words.service >/dev/null
	wait_for "ctl logs words.service | grep -q forged && ctl status words.service | grep -q argument" 20
	for out in "status words.service" "logs words.service" "show words.service" "list" "why words.service" "health" "status"; do
		# shellcheck disable=SC2086
		escapes=$escapes$(ctl $out 2>&1 | LC_ALL=C grep -c "$(printf '[\001-\010\013-\037\177]')")
	done
	is "nothing that a service says steers the terminal of who looks" "" 0000000 "$escapes"
	is "... nor the log's readers" "" "0 0" "$(LC_ALL=C grep -c "$(printf '[\001-\010\013-\037\177]')" "$HARK_LOG") $(grep -c '^<0>\|^hark\[1\]: forged' "$HARK_LOG")"
	ctl stop words.service >/dev/null
}

# What others may not read in a unit's file is no more theirs by asking the manager.
secrets() {
	local verb seen=""
	service keeps "ExecStart=$PAYLOAD pause" "Environment=TOKEN=secret-word" "SetCredential=key:secret-word"
	service open "ExecStart=$PAYLOAD pause" "Environment=TOKEN=open-word"
	chmod 600 "$UNITS/keeps.service"
	ctl daemon-reload >/dev/null
	ctl start keeps.service open.service >/dev/null
	for verb in "show keeps.service" "cat keeps.service" "status keeps.service" "dump keeps.service" "plan start keeps.service" ledger health "logs keeps.service"; do
		# shellcheck disable=SC2086
		seen=$seen$(as_user "$T/harkctl" $verb | grep -c secret-word)
	done
	is "what stands in a file that others may not read is not told to others" "" "00000000 1" "$seen $(as_user "$T/harkctl" show keeps.service | grep -c ^ActiveState=active)"
	is "... root reads it, and of other files everybody" "" "1 1" \
		"$(ctl show keeps.service | grep -c '^Environment=.*secret-word') $(as_user "$T/harkctl" show open.service | grep -c '^Environment=.*open-word')"
	ctl stop keeps.service open.service >/dev/null
}

# A unit file that everybody may write is everybody's way to root: it is told of where people look.
writable_files() {
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" >"$T/lax"
	install -m 666 "$T/lax" "$UNITS/lax.service"
	ctl start lax.service >/dev/null
	ok_if "a unit file that everybody may write is told of in the log" "" in_log "lax.service: warning[W116]"
	ok_if "... and in status" "" grep -q "W116" <<<"$(ctl status lax.service)"
	is "... and the unit runs" "" active "$(active lax.service)"
	chmod 644 "$UNITS/lax.service"
	ok_if "... until that is mended" "" wait_for '! ctl status lax.service | grep -q W116' 20
	chmod 666 "$UNITS/lax.service"
	ok_if "... who asks for a reload is told" "" grep -q W116 <<<"$(ctl daemon-reload)"
	chmod 644 "$UNITS/lax.service"
	mkdir -m 777 "$UNITS/lax.service.d"
	printf '[Service]\nRestart=no\n' >"$UNITS/lax.service.d/a.conf"
	is "... of a directory of drop-ins that everybody may write, too" "" 1 "$(ctl daemon-reload | grep -c "this file's directory")"
	chmod 755 "$UNITS/lax.service.d"
	touch "$UNITS/lax.service"
	is "... until that is mended" "" 0 "$(ctl daemon-reload | grep -c "this file's directory")"
	chmod 1777 "$UNITS"
	touch "$UNITS/lax.service"
	is "... and of a directory of units: of the file and of its drop-in" "" 2 "$(ctl daemon-reload | grep -c "this file's directory")"
	chmod 755 "$UNITS"
	ctl stop lax.service >/dev/null
}

# A service with a cgroup subtree of its own.
delegated() {
	[ -n "$CGROUP" ] || { skip "delegated cgroups" "no cgroups" && return; }
	local here=$CGROUP/system.slice/house.service
	service other User=$USER_ID "ExecStart=$PAYLOAD pause"
	ctl start other.service >/dev/null
	cat >"$T/escape.sh" <<-Y
		exec 2>/dev/null
		cd $here || exit
		mkdir inner && echo \$\$ >inner/cgroup.procs && echo inner
		echo \$\$ >../cgroup.procs && echo left
		echo $(main_of other.service) >inner/cgroup.procs && echo took
		echo 1 >../cgroup.kill && echo killed all
		echo 1 >../other.service/cgroup.kill && echo killed other
		echo 1 >cgroup.kill && echo killed itself
		echo 1 >../cgroup.freeze && echo froze
		echo max >pids.max && echo limit
		mkdir ../mine && echo beside
		rmdir ../other.service && echo removed
		i=0; while [ \$i -lt 2000 ]; do set -- "\$@" w\$i; i=\$((i + 1)); done; mkdir "\$@"
		i=0; while [ \$i -lt 150 ]; do mkdir $(head -c 200 /dev/zero | tr '\0' d) && cd $(head -c 200 /dev/zero | tr '\0' d); i=\$((i + 1)); done
		echo made \$(ls -d $here/w* | wc -l)
		exec sleep 1000
	Y
	service house User=$USER_ID Delegate=yes "StandardOutput=truncate:$T/escape" "ExecStart=/bin/sh $T/escape.sh"
	ctl start house.service >/dev/null
	wait_for "grep -q made $T/escape" 60
	is "who has a subtree neither leaves it nor takes others in, nor kills, freezes or limits outside" "" "inner|made 2000" "$(paste -sd'|' "$T/escape")"
	is "... others run on" "" "active active" "$(active house.service) $(active other.service)"
	ctl stop house.service >/dev/null &
	ok_if "2000 cgroups in it, and 150 one in the other, hold nobody up when it stops" "" answers
	wait $!
	is "... and are no more" "" "inactive gone" "$(active house.service) $([ -d "$here" ] && echo there || echo gone)"
	ctl stop other.service >/dev/null
}

# MAINPID= of what a service may not name.
main_pids() {
	local manager
	manager=$(manager_pid)
	service claims NotifyAccess=all "ExecStart=$PAYLOAD notify MAINPID=$manager notify MAINPID=$INIT_PID notify MAINPID=1 notify MAINPID=0 notify MAINPID=-1 notify STATUS=said pause"
	ctl start claims.service >/dev/null
	wait_for '[ "$(prop claims.service StatusText)" = said ]' 20
	is "nobody names the manager or hark-init as his main process" "" no "$(case $(main_of claims.service) in "$manager" | "$INIT_PID" | 1 | 0) main_of claims.service ;; *) echo no ;; esac)"
	ctl stop claims.service >/dev/null
	is "... and a stop ends neither" "" "$manager" "$(manager_pid)"
}

# What anybody may ask the manager, in every form, of units of every kind and state; and what root may ask for things that are no units.
requests() {
	local before after manager fds
	service runs "ExecStart=$PAYLOAD pause"
	service breaks "ExecStart=/bin/false"
	service done Type=oneshot RemainAfterExit=yes ExecStart=/bin/true
	service begins Type=notify TimeoutStartSec=infinity "ExecStart=$PAYLOAD pause"
	service many@ "ExecStart=$PAYLOAD pause"
	ln -s /dev/null "$UNITS/masked.service"
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%s\nService=done.service\n' "$T/asked" | unit asked.socket
	printf '[Unit]\nDefaultDependencies=no\n[Timer]\nOnActiveSec=1h\nUnit=done.service\n' | unit asked.timer
	printf '[Unit]\nDefaultDependencies=no\n[Path]\nPathExists=%s\nUnit=done.service\n' "$T/never" | unit asked.path
	ctl start runs.service breaks.service done.service many@1.service asked.socket asked.timer asked.path >/dev/null 2>&1
	ctl start --no-wait begins.service >/dev/null
	states() { ctl show -p Id,ActiveState,SubState,MainPID '*' && (cd "$T" && ls -R hostile/units && cat canary.service); }
	echo canary | tee "$T/canary.service" >"$T/hostile/canary.service"
	manager=$(manager_pid)
	fds=$(ls "/proc/$manager/fd" | wc -l)
	before=$(states)
	python3 "$HERE/asks.py" "$RUN_DIR/control" "$TOP/src/ctl/verbs.def" $USER_ID 1 2000 runs.service breaks.service done.service begins.service many@1.service many@2.service \
		masked.service asked.socket asked.timer asked.path test.target -.slice none.service >"$T/asks" 2>&1
	is "2000 requests of a user, of all that can be said: each is answered" "" "answered 2000 of 2000" "$(xargs <"$T/asks")"
	after=$(states)
	is "... and nothing has changed" "" "$manager" "$(manager_pid)$(diff <(sort <<<"$before") <(sort <<<"$after") | head -3)"
	wait_for "[ \$(ls /proc/$manager/fd | wc -l) -le $((fds + 1)) ]" 20
	ok_if "... nor does the manager hold what was sent along" "" test "$(ls "/proc/$manager/fd" | wc -l)" -le $((fds + 1))
	python3 "$HERE/asks.py" "$RUN_DIR/control" "$TOP/src/ctl/verbs.def" 0 2 500 >"$T/asks" 2>&1
	is "500 of root's, for what is no unit: each is answered" "" "answered 500 of 500" "$(xargs <"$T/asks")"
	is "... and nothing outside is touched" "" "$manager canary canary" "$(manager_pid) $(cat "$T/canary.service" "$T/hostile/canary.service" | xargs)"
	# Who connected counts, not who holds the connection, nor what its address says.
	is "a user's connection is his in the hands of root, too" "" "4 active" "$(python3 - "$RUN_DIR/control" <<-Y
		import os, socket, struct, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.bind(b"\0uid=0;")
		os.setresuid($USER_ID, $USER_ID, 0)
		s.connect(sys.argv[1])
		os.setresuid(0, 0, 0)
		field = lambda tag, v: struct.pack("=HHI", tag, 0, len(v)) + v
		s.send(struct.pack("=HHI", 0x6b68, 1, 1) + field(1, b"stop") + field(2, b"runs.service"))
		got = s.recv(16384)
		while struct.unpack("=HHI", got[:8])[1] != 3:
		    got = s.recv(16384)
		at = 8
		while at < len(got):
		    tag, flags, n = struct.unpack("=HHI", got[at:at + 8])
		    if tag == 32: print(struct.unpack("=Q", got[at + 8:at + 16])[0])
		    at += 8 + n
	Y
	) $(active runs.service)"
	ctl stop runs.service many@1.service begins.service asked.socket asked.timer asked.path >/dev/null 2>&1
}

# However a service is started, and whichever of its commands it is: the walls around it are the same.
ways_to_start() {
	local way command seen="" first lines
	mkdir -m 1777 "$T/seen"
	lines=("User=daemon" NoNewPrivileges=yes CapabilityBoundingSet=CAP_KILL UMask=0027 LimitNOFILE=99:99 OOMScoreAdjust=77 ProtectSystem=strict "ReadWritePaths=$T/seen" Type=oneshot
		"ExecStartPre=$PAYLOAD report $T/seen/pre" "ExecStart=$PAYLOAD report $T/seen/main" "ExecStartPost=$PAYLOAD report $T/seen/post" "ExecStopPost=$PAYLOAD report $T/seen/end")
	walls() { # of one command; it is done when the last has reported
		local f=$T/seen/$1
		echo "$(found "$f" uid) $(found "$f" gid) $(found "$f" groups) $(found "$f" umask) $(found "$f" limit7) $(found "$f" oom) $(sed -n 's/^CapBnd:[[:space:]]*//p; s/^NoNewPrivs:[[:space:]]*//p' "$f" | xargs)"
	}
	service walled "${lines[@]}"
	service walled@ "${lines[@]}"
	service fails "ExecStart=/bin/false"
	mkdir "$UNITS/fails.service.d" "$UNITS/walled.service.d"
	printf '[Unit]\nStartLimitIntervalSec=0\n' >"$UNITS/walled.service.d/often.conf"
	printf '[Unit]\nOnFailure=walled.service\n' >"$UNITS/fails.service.d/then.conf"
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=%s\nAccept=yes\n' "$T/each" | unit walled.socket
	printf '[Unit]\nDefaultDependencies=no\n[Path]\nPathChanged=%s\nUnit=walled.service\n' "$T/comes" | unit walled.path
	printf '[Unit]\nDefaultDependencies=no\n[Timer]\nOnActiveSec=10ms\nAccuracySec=1ms\nUnit=walled.service\n' | unit walled.timer
	ctl start walled.path walled.socket >/dev/null
	for way in hand again path timer accept failure killed; do
		rm -f "$T/seen/"*
		case $way in
			hand) ctl start walled.service ;;
			again) ctl restart walled.service ;;
			path) echo x >"$T/comes" ;;
			timer) ctl start walled.timer ;;
			accept) "$NS_BIN/sock" hold "$T/each" 1 100 1 ;;
			failure) ctl start fails.service ;;
			killed) kill -KILL "$(manager_pid)" && ctl start walled.service ;;
		esac >/dev/null 2>&1
		wait_for "grep -q ^NoNewPrivs $T/seen/end && [ \$(active walled.service) = inactive ]" 20
		for command in pre main post end; do
			seen=$(walls $command)
			first=${first:-$seen}
			[ "$seen" = "$first" ] || not_ok "the walls are the same: $way, $command" "expected '$first', got '$seen'"
		done
	done
	is "its walls are those of its file, by whichever way it is started" "" "$(id -u daemon) $(id -g daemon) 0027 99:99 77 0000000000000020 1" "$(awk '{ print $1, $2, $(NF-4), $(NF-3), $(NF-2), $(NF-1), $NF }' <<<"$first")"
	ctl stop walled.path walled.socket walled.timer >/dev/null 2>&1
}

# Programs that are started as nobody starts them, and a manager that is none.
programs() {
	local program bad=""
	mount -t tmpfs none /var/cache # hark-cache writes there, and shall not on the machine itself
	cat >"$T/bare.py" <<-'Y'
		import ctypes, os, sys
		if os.fork() == 0:
		    os.close(0)
		    ctypes.CDLL(None).execve(sys.argv[1].encode(), (ctypes.c_char_p * 1)(None), (ctypes.c_char_p * 1)(None))
		    os._exit(126)
		status = os.wait()[1]
		print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)
	Y
	for program in "$BIN"/hark*; do
		case $program in *hark-init | *hark-udev) continue ;; esac # they begin their work
		[ "$(timeout 60 python3 "$T/bare.py" "$program" 2>/dev/null | tail -1)" = 0 ] || bad="$bad $(basename "$program")"
		# shellcheck disable=SC2046
		timeout 60 "$program" $(seq 20000) >/dev/null 2>&1 </dev/null
		case $? in 13[0-9] | 14[0-9] | 15[0-9] | 124) bad="$bad $(basename "$program"):many" ;; esac
	done
	is "no program falls over being given no word at all, or 20,000" "" "" "$bad"
	umount /var/cache
	mkdir -p "$T/liar"
	python3 - "$T/liar/control" >/dev/null 2>&1 <<-'Y' &
		import os, random, socket, struct, sys
		r = random.Random(7)
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.bind(sys.argv[1]); s.listen(64)
		def field(tag): # a value of its kind, or anything
		    v = r.choice((b"", b"unit\0a.service", b"\0", b"x" * 200, b"state", struct.pack("=Q", r.getrandbits(64)), b"took\0" + struct.pack("=Q", r.getrandbits(64)), b"%n%s\0%s%n", os.urandom(20)))
		    n = len(v) if r.random() < 0.9 else r.choice((0, 1, 2**31, 2**32 - 1, len(v) + 8))
		    return struct.pack("=HHI", tag, 0, n) + v
		while True:
		    c = s.accept()[0]
		    try:
		        number = struct.unpack("=HHI", c.recv(16384)[:8])[2]
		        for kind in (2, 2, r.choice((2, 3)), 3):
		            c.send(struct.pack("=HHI", 0x6b68 if r.random() < 0.97 else 0, kind, number) + b"".join(field(r.choice((16, 16, 17, 18, 18, 19, 20, 21, 22, 23, 24, 25, 32, 99))) for i in range(r.randrange(30))))
		    except (OSError, struct.error): pass
		    c.close()
	Y
	local liar=$!
	wait_for "[ -S $T/liar/control ]" 20
	bad=""
	for program in status list "show a.service" "why a.service" jobs timers "logs a.service" health "start a.service" crashes "deps a.service" "status a.service"; do
		for _ in 1 2 3; do
			# shellcheck disable=SC2086
			HARK_RUN_DIR=$T/liar timeout 60 "$BIN/harkctl" $program >/dev/null 2>&1 </dev/null
			[ $? -lt 124 ] || bad="$bad $program"
		done
	done
	kill $liar
	wait $liar 2>/dev/null
	is "harkctl does not fall over what a manager says that lies" "" "" "$bad"
	if command -v strace >/dev/null; then
		is "... and starts no program to show it, a pager, say" "" 1 "$(strace -f -qq -e trace=execve -o /dev/stdout "$BIN/harkctl" status 2>/dev/null | grep -c 'execve(')"
	fi
}

for part in ${PARTS:-hanging_descriptors hung_files planted_files sockets_behind_links mount_points long_name terminal_words secrets writable_files delegated main_pids requests ways_to_start programs}; do "$part"; done
hark_down
is "it ends in order" "" 0 $?
finish
