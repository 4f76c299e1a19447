#!/bin/bash
# SPDX-License-Identifier: MIT
# What a service sees of the system behind its sandbox, looked at from inside.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Directories of PrivateTmp= are made in both.
mount -t tmpfs -o mode=1777 test /var/tmp
hark_up box || finish
# Wanted by PrivateTmp=; the one of this test is mounted, and not by us.
ln -s /dev/null "$UNITS/tmp.mount"
# A tree of our own, so that nothing of the machine is touched when a protection does not hold.
mkdir -p "$T/tree/a/b" "$T/tree/c" "$T/source" "$T/home"
echo old >"$T/tree/a/file"
echo from >"$T/source/file"
ln -s a "$T/tree/link"

# try PATH: a line for a script that says whether PATH can be written.
try() { echo "(echo x >$1) 2>/dev/null && echo writable || echo \"\$(LC_ALL=C; export LC_ALL; (echo x >$1) 2>&1 | sed 's/.*: //')\""; }

# calls LINES... -- WORDS: how these system calls ended in a service with these lines (calls.c).
cp "$NS_BIN/calls" "$T/calls"
CALLS_N=0
calls() {
	local lines=() name=calls$CALLS_N
	while [ "$1" != -- ]; do
		lines+=("$1")
		shift
	done
	{ printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nStandardOutput=truncate:%s\n' "$T/$name.out" &&
		printf '%s\n' "${lines[@]}" "ExecStart=$T/calls $2"; } | unit "$name.service"
	ctl start "$name.service" >"$T/$name.start" 2>&1
	cat "$T/$name.out"
}
# called NAME ROWS LINES... -- EXPECTED: the names of the calls are those of what is expected.
called() {
	local name=$1 rows=$2 lines=()
	shift 2
	while [ "$1" != -- ]; do
		lines+=("$1")
		shift
	done
	CALLS_N=$((CALLS_N + 1))
	is "$name" "$rows" "$2" "$(calls "${lines[@]}" -- "$(sed 's/=[A-Z0-9]*//g' <<<"$2")")"
}

paths() {
	inside ro "ReadOnlyPaths=$T/tree" "ReadWritePaths=$T/tree/a/b" -- "$(try "$T/tree/a/file") ; $(try "$T/tree/a/b/new")" >/dev/null
	is "ReadOnlyPaths= gives EROFS, ReadWritePaths= below it does not" "D40" "Read-only file system|writable" "$(out ro)"
	is "and nobody else is concerned" "" old "$(cat "$T/tree/a/file")"
	inside link "ReadOnlyPaths=$T/tree/link" -- "$(try "$T/tree/a/file") ; $(try "$T/tree/c/new")" >/dev/null
	is "a path that is a link protects what it leads to" "" "Read-only file system|writable" "$(out link)"
	inside none "InaccessiblePaths=$T/tree/a $T/source/file" -- \
		"ls $T/tree/a | wc -l; $(try "$T/tree/a/x"); cat $T/source/file | wc -c; $(try "$T/source/file")" >/dev/null
	is "InaccessiblePaths= hides a directory and a file" "" "0|Read-only file system|0|Read-only file system" "$(out none)"
	is "what is missing is an error" "" 226 "$(inside missing "ReadOnlyPaths=$T/nowhere" -- true)"
	is "... but where it would be as what is around it" "" 0 "$(inside missing3 ProtectSystem=strict "ReadOnlyPaths=$T/nowhere" -- true)"
	is "and no error with a dash" "" 0 "$(inside missing2 "ReadOnlyPaths=-$T/nowhere" -- true)"
	inside exec "NoExecPaths=$T" "ExecPaths=$T/tree" -- "cp /bin/true $T/t1; cp /bin/true $T/tree/t2; $T/t1 2>/dev/null || echo no; $T/tree/t2 && echo yes" >/dev/null
	is "NoExecPaths= and ExecPaths=" "" "no|yes" "$(out exec)"
	rm -f "$T/t1" "$T/tree/t2"
	inside both "ReadOnlyPaths=$T/tree" "ReadWritePaths=$T/tree/a" "InaccessiblePaths=$T/tree/a/b" "ExecPaths=$T/tree/c" -- \
		"$(try "$T/tree/a/new"); $(try "$T/tree/a/b/x"); $(try "$T/tree/c/x")" >/dev/null
	is "one in the other: each by its own word, the rest by the one around it" "" \
		"writable|Read-only file system|Read-only file system" "$(out both)"
	rm -f "$T/tree/a/new"
}

binds() {
	inside bind "BindPaths=$T/source:$T/tree/c" "BindReadOnlyPaths=$T/source:$T/made/here" -- \
		"cat $T/tree/c/file; $(try "$T/tree/c/new"); cat $T/made/here/file; $(try "$T/made/here/new")" >/dev/null
	is "BindPaths= and BindReadOnlyPaths=, where nothing was, too" "" "from|writable|from|Read-only file system" "$(out bind)"
	is "are seen by nobody else" "" 0 "$(ls "$T/tree/c" | grep -c file)"
	inside tmpfs "TemporaryFileSystem=$T/tree:ro,mode=0711" "BindReadOnlyPaths=$T/source:$T/tree/in" "ReadWritePaths=-$T/tree/a" -- \
		"ls $T/tree; cat $T/tree/in/file; stat -c %a $T/tree; $(try "$T/tree/x")" >/dev/null
	is "TemporaryFileSystem= is empty but for what is bound into it" "" "in|from|711|Read-only file system" "$(out tmpfs)"
	inside root "TemporaryFileSystem=/" "BindReadOnlyPaths=/bin /lib -/lib64 /usr $T" BindPaths=/dev -- "ls -d /etc /usr 2>/dev/null; $(try "$T/x"); $(try /x)" >/dev/null
	is "also for all of /" "" "/usr|Read-only file system|writable" "$(out root)"
}

system() {
	inside full ProtectSystem=full -- "$(try /usr/x); $(try /etc/x); $(try "$T/y")" >/dev/null
	is "ProtectSystem=full" "D40" "Read-only file system|Read-only file system|writable" "$(out full)"
	inside strict ProtectSystem=strict "ReadWritePaths=$T/tree" StateDirectory=hark-sandbox-test RuntimeDirectory=hark-sandbox-test -- \
		"$(try "$T/x"); $(try "$T/tree/x"); $(try '$STATE_DIRECTORY/x'); $(try '$RUNTIME_DIRECTORY/x'); $(try /dev/null); $(try /x)" >/dev/null
	is "ProtectSystem=strict: all but what is named and what was made for it" "" \
		"Read-only file system|writable|writable|writable|writable|Read-only file system" "$(out strict)"
	rm -rf /var/lib/hark-sandbox-test "$T/tree/x"
	inside home ProtectHome=yes -- "ls -A /root /home | grep -vc '^/\|^$'; $(try /root/x)" >/dev/null
	is "ProtectHome=yes" "" "0|Read-only file system" "$(out home)"
	inside homero ProtectHome=read-only -- "$(try /root/x)" >/dev/null
	is "ProtectHome=read-only" "" "Read-only file system" "$(out homero)"
	inside groups ProtectControlGroups=yes -- "mkdir /sys/fs/cgroup/x 2>&1 | sed 's/.*: //'" >/dev/null
	is "ProtectControlGroups=" "" "Read-only file system" "$(out groups)"
	inside proc ProtectProc=invisible ProcSubset=pid User=nobody -- "ls /proc/1 /proc/sys 2>/dev/null | wc -l; grep -c . /proc/self/status" >/dev/null
	is "ProtectProc= and ProcSubset=" "" "0|$(grep -c . /proc/self/status)" "$(out proc)"
	inside plus ProtectSystem=strict "ExecStartPre=+/bin/touch $T/plus" -- true >/dev/null
	ok_if "a command with + sees everything" "" test -e "$T/plus"
}

kernel() {
	inside tunables ProtectKernelTunables=yes -- \
		"$(try /proc/sys/kernel/domainname); (cat /proc/kallsyms | wc -c); mkdir /sys/kernel/x 2>&1 | sed 's/.*: //'" >/dev/null
	is "ProtectKernelTunables=" "" "Read-only file system|0|Read-only file system" "$(out tunables)"
	inside modules ProtectKernelModules=yes -- "ls -A /lib/modules 2>/dev/null | wc -l; sed -n 's/^CapBnd:\t*//p' /proc/self/status" >/dev/null
	is "ProtectKernelModules= hides them" "" "0 0" "$(sed -n 1p "$T/modules.out") $((0x$(sed -n 2p "$T/modules.out") >> 16 & 1))"
	inside logs ProtectKernelLogs=yes -- "head -c1 /dev/kmsg 2>/dev/null | wc -c; $(try /dev/kmsg)" >/dev/null
	is "ProtectKernelLogs=" "" "0" "$(sed -n 1p "$T/logs.out")"
	inside devices PrivateDevices=yes -- \
		"ls /dev | paste -sd' '; $(try /dev/null); head -c3 /dev/zero | wc -c; $(try /dev/x); test -e /dev/stdout && echo link; mknod /tmp/hark-x b 8 0 2>/dev/null || echo no" >/dev/null
	ok_if "PrivateDevices= has the pseudo devices" "" grep -qw null "$T/devices.out"
	is "and they work, and no others can be made" "" "writable|3|Read-only file system|link|no" "$(tail -n +2 "$T/devices.out" | paste -sd'|')"
	is "and no others are there" "" "" "$(head -1 "$T/devices.out" | tr ' ' '\n' |
		grep -vxE 'null|zero|full|random|urandom|tty|ptmx|pts|shm|mqueue|hugepages|log|fd|stdin|stdout|stderr')"
}

# What may be made and opened: the nodes lie in the test's own folder, and only /dev/full and /dev/zero are opened.
gates() {
	local full="head -c1 /dev/full >/dev/null 2>&1 && echo full || echo none"
	inside gate0 User=root -- "mknod $T/disk b 7 0 && echo made; rm -f $T/disk" >/dev/null
	is "without a policy any device can be made" "" made "$(out gate0)"
	inside gate1 DevicePolicy=closed -- "$full; mknod $T/disk b 7 0 2>/dev/null || echo not; mknod $T/null c 1 3 && echo made; rm -f $T/null" >/dev/null
	if ctl status gate1.service | grep -q "not restricted"; then
		skip "DevicePolicy=" "this kernel has no such programs"
		return
	fi
	is "DevicePolicy=closed: the usual ones, no others" "" "full|not|made" "$(out gate1)"
	inside gate2 DevicePolicy=strict "DeviceAllow=/dev/full r" "DeviceAllow=/dev/null rw" -- \
		"$full; (echo >/dev/full) 2>&1 | sed 's/.*: //'; head -c1 /dev/zero 2>/dev/null || echo none" >/dev/null
	is "DeviceAllow= tells in which way, strict has nothing else" "" "full|Operation not permitted|none" "$(out gate2)"
	inside gate3 "DeviceAllow=block-loop rwm" -- "$full; mknod $T/disk b 7 0 && echo loop; mknod $T/sd b 8 0 2>/dev/null || echo not; rm -f $T/disk" >/dev/null
	is "a class of devices, beside the usual ones" "" "full|loop|not" "$(out gate3)"
}

tmp() {
	touch /tmp/hark-outside
	inside tmp PrivateTmp=yes "BindReadOnlyPaths=$T" "ExecStartPre=/bin/sh -c 'echo one >/tmp/f; echo two >/var/tmp/f'" -- \
		"cat /tmp/f /var/tmp/f; ls /tmp/hark-outside 2>/dev/null | wc -l; stat -c '%a %u' /tmp; ls -d /tmp/systemd-private* 2>/dev/null | wc -l" >/dev/null
	is "PrivateTmp= is the unit's own, and one for all its commands" "" "one|two|0|1777 0|0" "$(out tmp)"
	is "and gone with its end" "" 0 "$(ls -d /tmp/systemd-private-*tmp.service* /var/tmp/systemd-private-*tmp.service* 2>/dev/null | wc -l)"
	inside tmplong PrivateTmp=yes "BindReadOnlyPaths=$T" RemainAfterExit=yes -- "echo 1 >/tmp/f" >/dev/null
	is "while it lives nobody else gets in" "" 700 "$(stat -c %a /tmp/systemd-private-*tmplong.service*)"
	rm -f /tmp/hark-outside
	ctl stop tmplong.service
}

namespaces() {
	inside net PrivateNetwork=yes -- \
		"tail -n +3 /proc/net/dev | sed 's/:.*//;s/ //g'; bash -c 'exec 3<>/dev/udp/127.0.0.1/9' && echo up" >/dev/null
	is "PrivateNetwork= has a loopback that is up, and nothing else" "" "lo|up" "$(out net)"
	inside ipc PrivateIPC=yes ProtectHostname=yes -- "readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts" >/dev/null
	is "PrivateIPC= and ProtectHostname= are namespaces of its own" "B22" 0 \
		"$(grep -cxF "$(readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts)" "$T/ipc.out")"
}

users() {
	local maps="tr -s ' \n' ' ' </proc/self/uid_map; echo; tr -s ' \n' ' ' </proc/self/gid_map; echo"
	local owner
	touch "$T/owned" && chown 1:1 "$T/owned"
	inside user1 PrivateUsers=yes -- "$maps; stat -c %u:%g / $T/owned | paste -sd' '; chown 2 $T/owned 2>/dev/null || echo no; mount -t tmpfs x $T/home 2>/dev/null || echo no" >/dev/null
	if grep -q 'cannot apply' "$T/user1.out"; then
		skip "PrivateUsers=" "no user namespaces here"
		return
	fi
	is "PrivateUsers=: root is root of itself, all others are nobody" "" " 0 0 1 | 0 0 1 |0:0 65534:65534|no|no" "$(out user1)"
	owner="$(id -u daemon) $(id -g daemon)"
	# shellcheck disable=SC2086
	inside user2 PrivateUsers=yes User=daemon SupplementaryGroups=mail AmbientCapabilities=CAP_NET_RAW CapabilityBoundingSet=CAP_NET_RAW -- \
		"$maps; id -u; id -g; grep -E 'Cap(Eff|Bnd)' /proc/self/status | tr -d '\t'" >/dev/null
	is "and its user is itself, with the capabilities that it is given" "" \
		"$(printf ' 0 0 1 %s %s 1 | 0 0 1 %s %s 1 |%s|%s|CapEff:0000000000002000|CapBnd:0000000000002000' ${owner% *} ${owner% *} ${owner#* } ${owner#* } $owner)" "$(out user2)"
	inside user3 PrivateUsers=yes ProtectSystem=strict PrivateNetwork=yes User=daemon -- "$(try "$T/x"); tail -n +3 /proc/net/dev | sed 's/:.*//;s/ //g'" >/dev/null
	mkdir -p "$T/uroot"/{bin,lib,lib64,usr,etc,proc}
	inside user4 PrivateUsers=yes User=daemon "RootDirectory=$T/uroot" "BindReadOnlyPaths=/bin /lib -/lib64 /usr $T/user4.script" MountAPIVFS=yes -- "tr -s ' \\n' ' ' </proc/self/uid_map; ls -d /home" >/dev/null
	is "and below a root of its own" "" " 0 0 1 ${owner% *} ${owner% *} 1 ls: cannot access '/home': No such file or directory" "$(paste -sd' ' "$T/user4.out")"
	is "together with other walls" "" "Read-only file system|lo" "$(out user3)"
}

# Namespaces of others, and what few services set of themselves.
joined() {
	ip netns add hark-test 2>/dev/null || { skip "NetworkNamespacePath=" "no ip netns" && return; }
	inside join1 NetworkNamespacePath=/run/netns/hark-test -- "stat -Lc %i /proc/self/ns/net" >/dev/null
	is "NetworkNamespacePath= is the one that is named" "" "$(stat -Lc %i /run/netns/hark-test)" "$(out join1)"
	inside join2 "IPCNamespacePath=/proc/$$/ns/ipc" PrivateIPC=yes -- "readlink /proc/self/ns/ipc" >/dev/null
	is "IPCNamespacePath= goes before PrivateIPC=" "" "$(readlink /proc/$$/ns/ipc)" "$(out join2)"
	is "a namespace that is not there is an error" "" 225 "$(inside join3 NetworkNamespacePath=/run/netns/nowhere -- true)"
	ip netns del hark-test
}

credentials() {
	local look='ls "$CREDENTIALS_DIRECTORY" | paste -sd" "; cat "$CREDENTIALS_DIRECTORY/file"; cat "$CREDENTIALS_DIRECTORY/text"; id -u' dir=/run/credentials
	mkdir -p "$T/secrets" /run/credstore
	echo secret >"$T/secrets/one"
	chmod 600 "$T/secrets/one"
	echo stored >/run/credstore/hark.store
	inside cred1 User=daemon "LoadCredential=file:$T/secrets/one" "LoadCredential=dir:$T/secrets" LoadCredential=hark.store LoadCredential=nowhere \
		'SetCredential=text:a "b"\x20c\n' "SetCredential=file:fallback" RemainAfterExit=yes "ExecStartPre=+/bin/sh -c 'cat %d/text >$T/plus'" -- \
		"$look; touch \$CREDENTIALS_DIRECTORY/x 2>/dev/null || echo no; cat \$CREDENTIALS_DIRECTORY/hark.store" >/dev/null
	is "credentials are files in a directory, with what is loaded before what is set" "" "dir_one file hark.store text|secret|a \"b\" c|$(id -u daemon)|no|stored" "$(out cred1)"
	is "its own commands of root have them, too, and %d names the place" "" 'a "b" c' "$(cat "$T/plus")"
	is "nobody else may read them" "" "denied denied" \
		"$(setpriv --reuid nobody --clear-groups ls $dir/cred1.service 2>/dev/null || echo denied) $(setpriv --reuid nobody --clear-groups cat $dir/cred1.service/file 2>/dev/null || echo denied)"
	ctl stop cred1.service >/dev/null
	ok_if "they go with the service" "" [ ! -e $dir/cred1.service ]
	inside cred2 User=daemon ProtectSystem=strict PrivateTmp=yes TemporaryFileSystem=/run "LoadCredential=file:$T/secrets/one" "SetCredential=text:t" "BindReadOnlyPaths=$T" -- \
		"$look; touch \$CREDENTIALS_DIRECTORY/file 2>/dev/null || echo no" >/dev/null
	is "behind walls, too" "" "file text|secret|t$(id -u daemon)|no" "$(out cred2)"
	is "one that is not there is an error" "" 243 "$(inside cred3 LoadCredential=a:/nowhere -- true)"
	is "unless the unit brings its own" "" 0 "$(inside cred4 LoadCredential=a:/nowhere SetCredential=a:b -- true)"
	inside cred5 LoadCredentialEncrypted=a:/b -- true >/dev/null
	ok_if "encrypted ones are refused with words" "" grep -q "LoadCredentialEncrypted= cannot be done" "$T/cred5.start"
}

terminals() {
	local n reader
	# Where the machine's are not to be had: of our own.
	mount -t devpts -o newinstance,ptmxmode=666,gid=5,mode=620 test /dev/pts 2>/dev/null && mount --bind /dev/pts/ptmx /dev/ptmx
	# A pseudo terminal of which a process of the test has the other end: its number. ioctl_tty(2)
	perl -e 'open M, "+<", "/dev/ptmx"; $z = pack "i", 0; ioctl M, 0x40045431, $z; $n = pack "I", 0; ioctl M, 0x80045430, $n; open N, ">", $ARGV[0]; print N unpack("I", $n); close N; sleep 1000' \
		"$T/pty" </dev/null >/dev/null &
	STARTED+=($!)
	wait_for "[ -s $T/pty ]"
	n=/dev/pts/$(cat "$T/pty")
	[ -c "$n" ] || { skip "terminals" "no pseudo terminals" && return; }
	cat "$n" >/dev/null 2>&1 &
	reader=$!
	wait_for "readlink /proc/$reader/fd/0 | grep -q null"
	stty -F "$n" -echo -icanon intr ^X rows 10 cols 20
	mount -t tmpfs test /var/log
	touch /run/utmp /var/log/wtmp
	inside tty1 "TTYPath=$n" StandardInput=tty-force -- "stty -a" >/dev/null
	ok_if "without a word the terminal is taken as it is" "" grep -q -- '-icanon.*-echo' <<<"$(paste -sd' ' "$T/tty1.out")"
	inside tty2 "TTYPath=$n" StandardInput=tty-force TTYReset=yes TTYVHangup=yes TTYVTDisallocate=yes TTYRows=7 UtmpIdentifier=hark-t9 UtmpMode=user User=daemon RemainAfterExit=yes \
		-- "stty -a; who /run/utmp" >/dev/null
	is "TTYReset= and TTYRows=, TTYColumns=" "" "rows 7 columns 20 intr = ^C icanon echo " \
		"$(grep -oE 'rows [0-9]+|columns [0-9]+|intr = ..|-?icanon|-?echo ' "$T/tty2.out" | paste -sd' ')"
	ok_if "TTYVHangup=: whoever had it has it no more" "" wait_for "! kill -0 $reader"
	is "UtmpIdentifier= and UtmpMode=: somebody is logged in there" "" "daemon ${n#/dev/}" "$(tail -1 "$T/tty2.out" | awk '{ print $1, $2 }')"
	ctl stop tty2.service >/dev/null
	is "and is not when the service has ended; of long names the end counts" "" "|k-t9" "$(who /run/utmp)|$(who -d /run/utmp | grep -o 'id=[a-z0-9-]*' | cut -d= -f2)"
	is "wtmp has all of it" "" 4 "$(who -a /var/log/wtmp | wc -l)"
	umount /var/log
	shared_terminal "$n"
}

# Who comes second to a terminal waits, fails, or takes it away, as the unit says.
shared_terminal() { # TERMINAL
	local how
	on_terminal() { ps -o tty= -p "$(main_of "tty-$1.service")" | tr -d ' '; }
	for how in tty-force:has tty:waits tty-fail:fails tty-force:takes; do
		printf '[Unit]\nDefaultDependencies=no\n[Service]\nTTYPath=%s\nStandardInput=%s\nStandardOutput=null\nExecStart=%s log %s x ignore 1 pause\n' \
			"$1" "${how%:*}" "$PAYLOAD" "$T/tty-${how#*:}" >"$UNITS/tty-${how#*:}.service"
	done
	ctl daemon-reload >/dev/null 2>&1
	ctl start tty-has.service >/dev/null
	ok_if "a service has its terminal" "" wait_for '[ -e "$T/tty-has" ]'
	is "... as the controlling one" "" "${1#/dev/}" "$(on_terminal has)"
	ctl start tty-waits.service >/dev/null
	ctl start tty-fails.service >/dev/null
	wait_active tty-fails.service failed
	is "a second one with tty-fail fails" "" "failed 208" "$(active tty-fails.service) $(prop tty-fails.service ExecMainStatus)"
	is "... with tty waits" "" "active no" "$(active tty-waits.service) $([ -e "$T/tty-waits" ] && echo runs || echo no)"
	ctl stop tty-has.service >/dev/null
	ok_if "... until it is free" "" wait_for '[ -e "$T/tty-waits" ]'
	ctl start tty-takes.service >/dev/null
	wait_for '[ -e "$T/tty-takes" ]'
	is "... and with tty-force takes it away" "D+2" "? ${1#/dev/}" "$(on_terminal waits) $(on_terminal takes)"
	ctl stop tty-waits.service tty-takes.service >/dev/null
}

settings() {
	# keyctl(2): READ the session keyring: one link of 4 bytes, or none; which it is.
	local keys="perl -e '\$b = \"\\0\" x 64; print syscall(250, 0, -3, 0), \" \", syscall(250, 11, -3, \$b, 64), \"\\n\"'"
	if [ "$(uname -m)" = x86_64 ]; then
		inside key1 KeyringMode=private -- "$keys" >/dev/null
		inside key2 KeyringMode=shared User=daemon -- "$keys; id -u" >/dev/null
		is "KeyringMode=: empty, or with that of the user" "" "0 4 $(id -u daemon)" \
			"$(cut -d' ' -f2 "$T/key1.out") $(sed -n 1p "$T/key2.out" | cut -d' ' -f2) $(sed -n 2p "$T/key2.out")"
		ok_if "each is another" "" [ "$(cut -d' ' -f1 "$T/key1.out")" != "$(head -1 "$T/key2.out" | cut -d' ' -f1)" ]
	fi
	inside dump "CoredumpFilter=private-anonymous elf-headers" -- "cat /proc/self/coredump_filter" >/dev/null
	is "CoredumpFilter=" "" 00000011 "$(out dump)"
	inside nodes NUMAPolicy=bind NUMAMask=0 -- "cut -d' ' -f2 /proc/self/numa_maps | sort | uniq" >/dev/null
	is "NUMAPolicy= and NUMAMask=" "" "$([ -e /proc/self/numa_maps ] && echo bind:0)" "$(out nodes | sed 's/.*|//')"
	mkdir -p "$T/progs"
	printf '#!/bin/sh\necho "own $PATH" >%s\n' "$T/found" >"$T/progs/hark-own"
	chmod +x "$T/progs/hark-own"
	inside search "ExecSearchPath=$T/nowhere:$T/progs:/usr/bin" "ExecStartPre=hark-own" -- true >/dev/null
	is "ExecSearchPath= finds programs and is the PATH" "" "own $T/nowhere:$T/progs:/usr/bin" "$(cat "$T/found")"
}

filters() {
	called "without a filter all of that can be done" "" User=root -- \
		"wx=0 exec=0 inet=0 unix=0 uts=0 file=0 suid=0 clock=0 same=0 personality=0"
	called "LockPersonality=" "" LockPersonality=yes -- "same=0 personality=EPERM"
	called "RestrictRealtime=" "" RestrictRealtime=yes -- "batch=0 fifo=EPERM"
	called "RestrictSUIDSGID=" "" RestrictSUIDSGID=yes -- "file=0 suid=EPERM sgid=EPERM"
	called "MemoryDenyWriteExecute=" "" MemoryDenyWriteExecute=yes -- "wx=EPERM exec=EPERM"
	called "RestrictNamespaces=yes" "" RestrictNamespaces=yes -- "uts=EPERM net=EPERM clone3=ENOSYS"
	called "RestrictNamespaces= with those that may be made" "" RestrictNamespaces=uts -- "uts=0 net=EPERM"
	called "RestrictNamespaces= with those that may not" "" RestrictNamespaces=~uts -- "uts=EPERM net=0"
	called "RestrictAddressFamilies=" "" "RestrictAddressFamilies=AF_UNIX AF_NETLINK" -- "unix=0 netlink=0 inet=EAFNOSUPPORT"
	called "RestrictAddressFamilies= with ~" "" RestrictAddressFamilies=~AF_INET -- "unix=0 inet=EAFNOSUPPORT"
	called "RestrictAddressFamilies=none" "" RestrictAddressFamilies=none -- "unix=EAFNOSUPPORT inet=EAFNOSUPPORT"
	called "ProtectHostname=, ProtectClock=, ProtectKernelLogs=" "" ProtectHostname=yes ProtectClock=yes ProtectKernelLogs=yes -- \
		"host=EPERM clock=EPERM log=EPERM unix=0"
	called "SystemCallFilter= with ~ and an errno" "" "SystemCallFilter=~@mount sethostname:EACCES" SystemCallErrorNumber=EPERM -- \
		"mount=EPERM host=EACCES chown=EBADF"
	called "SystemCallFilter= of what is allowed, less what is taken out of a group" "" SystemCallFilter=@system-service \
		"SystemCallFilter=~@chown @resources" SystemCallErrorNumber=EPERM -- "unix=0 mount=EPERM chown=EPERM fifo=EPERM file=0"
	called "for a user it implies NoNewPrivileges=" "" User=nobody RestrictAddressFamilies=AF_UNIX -- "unix=0 inet=EAFNOSUPPORT"
	called "calls by another ABI go past no filter" "" RestrictRealtime=yes -- "foreign=EPERM"
	CALLS_N=native
	is "SystemCallArchitectures=native ends who makes them" "" "unix=0" "$(calls SystemCallArchitectures=native -- "unix foreign")"
	is "by SIGSYS" "" 31 "$(prop callsnative.service ExecMainStatus)"
	CALLS_N=fatal
	is "and so does a call that is filtered without an errno" "" "unix=0" "$(calls "SystemCallFilter=~@mount" -- "unix mount")"
	is "by SIGSYS, too" "" 31 "$(prop callsfatal.service ExecMainStatus)"
}

limits() {
	[ -e "$CGROUP/memory.max" ] && return # tests/vm/limits.sh is about a kernel that has them
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nMemoryMax=1G\nExecStart=/bin/sleep 1000\n' | unit limits.service
	ctl start limits.service
	ok_if "a limit that the system cannot enforce is told, and the service runs" "" \
		sh -c "'$BIN/harkctl' status limits.service | grep -q 'limits of memory are not enforced' && '$BIN/harkctl' is-active limits.service"
}

# The OOM killer of a cgroup ends all that share the memory of its victim: that shall never be PID 1.
memories() {
	command -v strace >/dev/null || { skip "who shares the memory of PID 1" "no strace" && return; }
	local name pid
	printf '[Slice]\nMemoryMax=1G\n' | unit small.slice
	plain_service() { { printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=exec\nExecStart=/bin/sleep 1000\n' && printf '%s\n' "${@:2}"; } | unit "$1.service"; }
	plain_service free
	plain_service limited MemoryMax=1G
	plain_service within Slice=small.slice
	for name in free limited within; do
		: >"$T/clones"
		strace -qq -p "$INIT_PID" -e trace=clone3 -o "$T/clones" 2>"$T/strace" &
		pid=$!
		wait_for "grep -q 'TracerPid:[[:space:]]*$pid' /proc/$INIT_PID/status"
		ctl start $name.service >/dev/null
		kill -INT $pid
		wait $pid 2>/dev/null
		echo "$name $(grep -c 'flags=[A-Z_|]*CLONE_VM|' "$T/clones") of $(grep -c 'CLONE_' "$T/clones")"
	done >"$T/shared"
	is "with a limit of memory, its own or of its slice, it begins in a copy of PID 1" "" \
		"free 1 of 1|limited 0 of 1|within 0 of 1" "$(paste -sd'|' "$T/shared")"
}

# One service with all that can be set of a process; it reads everything back by itself.
everything() {
	local f=$T/all.report
	mkdir -p "$T/all"/{bin,lib,lib64,usr,etc,tmp,var/tmp,proc,sys,dev,run,srv/ro,srv/none}
	chmod 777 "$T"
	printf '%s\n' '[Unit]' DefaultDependencies=no '[Service]' Type=oneshot "RootDirectory=$T/all" \
		"BindReadOnlyPaths=/bin /lib -/lib64 /usr /etc" "BindPaths=$T" MountAPIVFS=yes PrivateTmp=yes WorkingDirectory=/srv \
		"Environment=ONE=1" LimitNOFILE=123:456 LimitCORE=0 UMask=0027 OOMScoreAdjust=100 Nice=3 IOSchedulingClass=idle \
		CPUSchedulingPolicy=batch CPUSchedulingResetOnFork=yes CPUAffinity=0 TimerSlackNSec=123456 User=nobody Group=daemon \
		"SupplementaryGroups=mail tty" "ReadOnlyPaths=+/srv/ro" "InaccessiblePaths=+/srv/none" MountFlags=slave \
		"CapabilityBoundingSet=CAP_CHOWN CAP_KILL" SecureBits=noroot NoNewPrivileges=yes Slice=all.slice \
		"ExecStart=$PAYLOAD report $f" \
		"ExecStart=/bin/sh -c 'exec >$f.seen; touch /srv/ro/x 2>&1; ls /srv/none 2>&1; touch /tmp/x && ls -A /tmp | wc -l; grep ^0:: /proc/self/cgroup; grep -o shared: /proc/self/mountinfo'" |
		unit all.service
	ctl start all.service >"$T/all.start" 2>&1
	is "user, groups, umask, directories" "" "$(id -u nobody) $(getent group daemon | cut -d: -f3) 0027 /srv 1" \
		"$(found "$f" uid) $(found "$f" gid) $(found "$f" umask) $(found "$f" cwd) $(sed -n 's/^env ONE=//p' "$f")"
	is "supplementary groups" "" "$(getent group mail tty | cut -d: -f3 | sort -n | paste -sd,)" \
		"$(found "$f" groups | tr , '\n' | grep -vx "$(found "$f" gid)" | sort -n | paste -sd,)"
	is "limits" "" "123:456 0:0" "$(found "$f" limit7) $(found "$f" limit4)"
	is "nice, I/O class idle, batch with reset on fork, one processor, timer slack" "D38 D39" "3 3 3:0:1 0 123456" \
		"$(found "$f" nice) $(found "$f" ioprio | cut -d: -f1) $(found "$f" sched) $(found "$f" cpus | tr -d ' ') $(found "$f" slack)"
	is "OOM score, secure bits, bounding set, no new privileges" "" "100 1 0000000000000021 1" \
		"$(found "$f" oom) $(found "$f" securebits) $(sed -n 's/^CapBnd:[[:space:]]*//p' "$f") $(sed -n 's/^NoNewPrivs:[[:space:]]*//p' "$f")"
	is "paths, private /tmp, the slice, no mount is shared" "D+1" \
		"touch: cannot touch '/srv/ro/x': Read-only file system|ls: cannot open directory '/srv/none': Permission denied|2|0::/all.slice/all.service" \
		"$(paste -sd'|' "$f.seen" | sed "s,0::.*/box/,0::/,")"
}

mounts() {
	inside mine PrivateMounts=yes -- "mount -t tmpfs x $T/home && touch $T/home/x && ls $T/home" >/dev/null
	is "PrivateMounts=: what it mounts is its own" "" "x " "$(out mine) $(ls "$T/home")"
	mkdir -p "$T/root/bin" "$T/root/lib" "$T/root/lib64" "$T/root/usr" "$T/root/tmp" "$T/root/var/tmp" "$T/root/etc"
	inside root2 "RootDirectory=$T/root" "BindReadOnlyPaths=/bin /lib -/lib64 /usr $T/root2.script" PrivateTmp=yes MountAPIVFS=yes ProtectSystem=full -- \
		"ls /; test -e /proc/self/status && echo proc; $(try /etc/x); $(try /tmp/x)" >/dev/null
	is "all of it works below RootDirectory=" "" "bin|dev|etc|lib|lib64|proc|run|sys|tmp|usr|var|proc|Read-only file system|writable" \
		"$(grep -vx tmp/ "$T/root2.out" | paste -sd'|' | sed "s,${T#/tmp/},,")"
}

# A hark that may make no namespaces: what its services have to do without is told where people look.
lacking() {
	local real=$BIN
	hark_down
	mkdir "$T/bin"
	ln -s "$real/harkctl" "$T/bin/harkctl"
	printf '#!/bin/sh\nexec unshare -U -r sh -c '"'"'echo 0 >/proc/sys/user/max_net_namespaces; echo 0 >/proc/sys/user/max_user_namespaces; exec %s/hark-init "$@"'"'"' x "$@"\n' "$real" >"$T/bin/hark-init"
	chmod 755 "$T/bin/hark-init"
	BIN=$T/bin
	hark_up lacking
	inside lack1 PrivateNetwork=yes PrivateUsers=yes RemainAfterExit=yes -- "echo ran" >/dev/null
	is "what cannot be applied does not keep a service from running" "" ran "$(grep -v hark-exec "$T/lack1.out")"
	ok_if "and is in its status" "" grep -q "runs without namespaces of its own (No space left on device), PrivateUsers= (No space left on device)" <<<"$(ctl status lack1.service)"
	kill -KILL "$(manager_pid)"
	wait_for 'ctl list'
	ok_if "also for the next manager" "" grep -q "runs without namespaces of its own" <<<"$(ctl status lack1.service)"
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n' | unit lack1.service
	ctl restart lack1.service >/dev/null
	is "a run that lacks nothing says nothing" "" 0 "$(ctl status lack1.service | grep -c 'runs without')"
	BIN=$real
}

for part in ${PARTS:-paths binds system kernel gates tmp namespaces users joined credentials terminals settings filters limits memories mounts everything lacking}; do "$part"; done
finish
