#!/bin/bash
# SPDX-License-Identifier: MIT
# Automount points: whoever enters one waits for its mount and is let in, or hears in time why it cannot be had. What becomes of those who
# wait when the manager dies is in automount_kill.sh. Demand H-21.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -x "$BIN/hark-mount" ] || skip_all "no hark-mount: built without libmount"
[ -e /dev/autofs ] || skip_all "no /dev/autofs"
hark_up automount || finish
KNOCK=$NS_BIN/knock
DATA=$T/data
mkdir -p "$DATA"
echo hello >"$DATA/file"

# point NAME [LINES OF THE MOUNT...]: an automount at /run/NAME, started, of a bind mount of $DATA unless the lines say otherwise. A line
# [Unit] begins those of its other section.
point() {
	local name=$1 section=Mount line unit="" mount=""
	shift
	for line in "$@"; do
		case $line in
		'[Unit]') section=Unit ;;
		*) if [ $section = Unit ]; then unit+=$line$'\n'; else mount+=$line$'\n'; fi ;;
		esac
	done
	printf '[Unit]\nDefaultDependencies=no\n[Automount]\nWhere=/run/%s\n%s' "$name" "$IDLE" >"$UNITS/run-$name.automount"
	printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n%s[Mount]\nWhere=/run/%s\nWhat=%s\nType=none\nOptions=bind\n%s' \
		"$unit" "$name" "$DATA" "$mount" >"$UNITS/run-$name.mount"
	ctl daemon-reload >/dev/null 2>&1
	ctl start "run-$name.automount" >/dev/null || not_ok "run-$name.automount starts" "$(tail -1 "$HARK_LOG")"
}
# said NAME [N] [SECONDS] [HOW]: what knock says of /run/NAME, without the time.
said() { "$KNOCK" "/run/$1" "${2:-1}" "${3:-30}" $4 | sed 's/ worst_ms=[0-9]*//'; }
in_=entered=1\ refused=0\ errno=-\ stuck=0
out() { echo "entered=0 refused=${2:-1} errno=$1 stuck=0"; }
# slow UNIT SECONDS [STATUS]: a service that a mount waits for.
slow() {
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sleep %s\n%s\n' "$2" "$3" >"$UNITS/$1"
}

# ---- ready
point place
is "a mount point is there at once, and nothing is mounted" "" "autofs hark waiting inactive" \
	"$(findmnt -n -o FSTYPE,SOURCE /run/place | tr -s ' ') $(sub run-place.automount) $(active run-place.mount)"
ok_if "... of the direct kind, which looks like the mount itself" "" sh -c "findmnt -n -o OPTIONS /run/place | grep -qw direct"
stat /run/place >/dev/null
is "looking at it from outside mounts nothing" "" inactive "$(active run-place.mount)"
is "whoever reads a file there gets it" "" hello "$(timeout 10 cat /run/place/file 2>&1)"
is "... because it was mounted" "" "running active" "$(sub run-place.automount) $(active run-place.mount)"
is "... and df shows what is mounted" "" "$(df --output=source,size "$DATA" | tail -1)" "$(df --output=source,size /run/place | tail -1)"
ctl why run-place.mount >"$T/why"
ok_if "why names the process" "" grep -q 'entered the mount point of run-place.automount (cat, pid [0-9]* uid 0)' "$T/why"
ctl stop run-place.mount >/dev/null
is "the mount goes, the point waits" "" "waiting autofs" "$(sub run-place.automount) $(findmnt -n -o FSTYPE /run/place)"
for how in open stat chdir statfs file; do
	is "$how is let in" "" "$in_" "$(said place 1 8 $how)"
	ctl stop run-place.mount >/dev/null
done
mkdir /run/bound
mount --bind /run/place /run/bound
is "a bind mount of it is one of the mount" "" hello "$(cat /run/bound/file 2>&1)"
umount /run/bound
ctl stop run-place.mount >/dev/null
is "a process in another PID namespace, too" "" hello "$(unshare -fp timeout 10 cat /run/place/file 2>&1)"
unit reader.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/cp /run/place/file $T/copy
X
ctl stop run-place.mount >/dev/null
ok_if "and so is a service" "" ctl start reader.service
umount -l /run/place
is "what somebody else unmounts is mounted again" "" hello "$(timeout 10 cat /run/place/file 2>&1)"
printf '[Unit]\nDefaultDependencies=no\n[Automount]\n' >"$UNITS/run-a\x20b\x2dc.automount"
printf '[Unit]\nDefaultDependencies=no\n[Mount]\nWhat=%s\nOptions=bind\n' "$DATA" >"$UNITS/run-a\x20b\x2dc.mount"
ctl daemon-reload >/dev/null 2>&1
ctl start 'run-a\x20b\x2dc.automount' >/dev/null
is "a path with blanks and dashes" "" "$in_" "$(said 'a b-c')"

# ---- slow
slow wait.service 0
sed -i "s|^ExecStart=.*|ExecStart=/bin/sh -c 'until [ -e $T/go ]; do sleep 0.05; done'|" "$UNITS/wait.service"
point slow '[Unit]' Requires=wait.service After=wait.service
"$KNOCK" /run/slow 100 60 >"$T/knock" &
knock=$!
wait_sub run-slow.automount mounting
timeout 20 ls /run >/dev/null
is "only who enters waits" "" 0 $?
timeout -s INT 0.3 cat /run/slow/file >/dev/null 2>&1
is "... and can be interrupted" "D22" 124 $?
ctl why run-slow.mount >"$T/why"
ok_if "... and is named meanwhile" "" grep -q 'entered the mount point of run-slow.automount (knock, pid' "$T/why"
ctl daemon-reload >/dev/null 2>&1
ok_if "... while all of hark is replaced" "" sh -c "$BIN/harkctl reexec && $BIN/harkctl reexec --init"
sleep 0.2
touch "$T/go"
wait $knock
is "100 wait, all are let in" "" "entered=100 refused=0 stuck=0" "$(sed 's/ errno.*stuck/ stuck/' "$T/knock")"
ok_if "... when it is mounted" "" test "$(field worst_ms "$T/knock")" -ge 500

# ---- it cannot be had
point bad Options= Type=nosuchfs
is "a mount that fails" "" "$(out ENODEV)" "$(said bad)"
starts=$(grep -c 'cannot mount.*nosuchfs' "$HARK_LOG")
is "... is not tried again at once" "" "$(out ENODEV 50)" "$(said bad 50)"
ok_if "... however many ask" "" test "$(grep -c 'cannot mount.*nosuchfs' "$HARK_LOG")" -le $((starts + 1))
ctl status run-bad.automount >"$T/status" 2>&1
ok_if "... which status says" "" grep -q 'who comes soon after that is refused' "$T/status"
tries() { grep -c 'cannot mount.*nosuchfs' "$HARK_LOG"; }
wait_for 'said bad >/dev/null; [ "$(tries)" -gt $starts ]'
starts=$(tries)
kill -9 "$(manager_pid)"
is "... nor by the next manager" "" "$(out ENODEV) $starts" "$(said bad) $(tries)"
ok_if "... which says so, too" "" sh -c "$BIN/harkctl status run-bad.automount | grep -q 'who comes soon after that is refused'"
sed -i 's/^Type=nosuchfs/Options=bind/' "$UNITS/run-bad.mount"
ctl daemon-reload >/dev/null 2>&1
ok_if "... but after a while, and is let in when it works" "" wait_for '[ "$(said bad)" = "$in_" ]'
point nowhere What=/nowhere
is "a mount of what is not there" "" "$(out ENOENT)" "$(said nowhere)"
mkdir "$T/sbin"
mount -t tmpfs sbin "$T/sbin" && mkdir "$T/sbin/u" "$T/sbin/w"
if mount -t overlay -o "lowerdir=/usr/sbin,upperdir=$T/sbin/u,workdir=$T/sbin/w" over /usr/sbin; then
	printf '#!/bin/sh\necho "mount.far: access denied by server while mounting $1" >&2\nexit 32\n' >/usr/sbin/mount.far
	chmod 755 /usr/sbin/mount.far
	point far What=server:/x Options= Type=far
	is "a helper that is refused" "" "$(out EACCES)" "$(said far)"
	ok_if "... whose words status has" "" sh -c "$BIN/harkctl status run-far.mount | grep -q 'cannot mount server:/x on /run/far.*access denied by server'"
	umount /usr/sbin
fi
umount "$T/sbin"
slow fsck.service 0.1 'ExecStart=/bin/false'
point checked '[Unit]' Requires=fsck.service After=fsck.service
is "a check that fails" "" "$(out EIO)" "$(said checked)"
slow hangs.service 30 TimeoutStartSec=500ms
point hung '[Unit]' Requires=hangs.service After=hangs.service
is "a dependency that times out" "" "$(out ETIMEDOUT)" "$(said hung)"
point gone What=/dev/nowhere Type=ext4 Options=ro
is "a device that is not there" "" "$(out ENODEV)" "$(said gone)"
point masked
ln -sf /dev/null "$UNITS/run-masked.mount"
ctl daemon-reload >/dev/null 2>&1
is "a masked mount" "" "$(out ENOENT)" "$(said masked)"
point alone
rm "$UNITS/run-alone.mount"
ctl daemon-reload >/dev/null 2>&1
is "an automount without its mount" "" "$(out ENOENT)" "$(said alone)"
point skipped '[Unit]' ConditionPathExists=/nowhere
is "a mount whose condition says no" "" "$(out ENOENT)" "$(said skipped)"

# ---- somebody takes the point away
point lost
umount -l /run/lost
ok_if "a point that somebody unmounts is missed" "" wait_sub run-lost.automount failed
is "... and why is told" "" "unmounted" "$(prop run-lost.automount Result)"
ctl start run-lost.automount >/dev/null
is "... and a start makes it again" "" "$in_" "$(said lost)"

# ---- stop
slow long.service 20
point stopped '[Unit]' Requires=long.service After=long.service
"$KNOCK" /run/stopped 3 30 >"$T/knock" &
knock=$!
wait_sub run-stopped.automount mounting
wait_for '[ "$(pgrep -c -x knock)" = 4 ]'
sleep 0.3 # until all are at it
ctl stop run-stopped.automount >/dev/null
wait $knock
is "a stop lets nobody wait" "" "$(out EHOSTDOWN 3)" "$(sed 's/ worst_ms=[0-9]*//' "$T/knock")"
ok_if "... and leaves nothing there" "" sh -c '! findmnt -n /run/stopped'
ctl start run-place.automount >/dev/null
said place >/dev/null
if command -v strace >/dev/null; then
	strace -q -e trace=umount2 -o "$T/umounts" -p "$(manager_pid)" &
	strace=$!
	wait_for 'grep -q "TracerPid:[[:space:]]*[1-9]" "/proc/$(manager_pid)/status"'
fi
ok_if "a stop while it is mounted" "" ctl stop run-place.automount
[ -n "$strace" ] && kill $strace && wait $strace 2>/dev/null
ok_if "... by another process than harkd, which what has to be written back would hold" "" sh -c "! grep ' = 0' '$T/umounts' 2>/dev/null"
ok_if "... unmounts it, too" "" sh -c '! findmnt -n /run/place'
ok_if "... and its unit knows" "" wait_active run-place.mount inactive

# ---- idle
IDLE=$'TimeoutIdleSec=1\n' point idle
said idle >/dev/null
(cd /run/idle && exec sleep 3) &
sleep 2.5
is "a mount that is in use stays" "" active "$(active run-idle.mount)"
wait $!
ok_if "one that nobody uses goes" "" wait_for '[ "$(sub run-idle.automount)" = waiting ]'
is "... and its point is there" "" autofs "$(findmnt -n -o FSTYPE /run/idle)"
ctl why run-idle.mount >"$T/why"
in=0 all=0 end=$(($(now_ms) + 5000))
while [ "$(now_ms)" -lt $end ]; do
	all=$((all + 1))
	[ "$(said idle 1 8 file)" = "$in_" ] && in=$((in + 1))
	[ $((all % 3)) = 0 ] && sleep 1.$((RANDOM % 9))
done
is "who comes while it goes is let in" "" "$all" "$in"
unit user.service <<X
[Unit]
DefaultDependencies=no
RequiresMountsFor=/run/idle
[Service]
ExecStart=/bin/sleep 100
X
ctl start user.service >/dev/null
sleep 2.5
is "one that a running unit needs stays" "" "active active" "$(active run-idle.mount) $(active user.service)"
ctl stop user.service >/dev/null

# ---- one in another
point outer Type=tmpfs Options= What=outer
printf '[Unit]\nDefaultDependencies=no\n[Automount]\n' >"$UNITS/run-outer-inner.automount"
printf '[Unit]\nDefaultDependencies=no\n[Mount]\nWhat=%s\nOptions=bind\n' "$DATA" >"$UNITS/run-outer-inner.mount"
ctl daemon-reload >/dev/null 2>&1
ctl start run-outer-inner.automount >/dev/null
is "an automount below another" "" hello "$(timeout 10 cat /run/outer/inner/file 2>&1)"

# ---- refused
for where in / /proc /sys /dev /run /sys/fs/cgroup; do
	name=$(systemd-escape -p "$where" 2>/dev/null || sed 's|^/||; s|/|-|g; s|^$|-|' <<<"$where").automount
	printf '[Automount]\nWhere=%s\n' "$where" >"$UNITS/$name"
	"$BIN/harkctl" verify "$UNITS/$name" >"$T/verify" 2>&1
	ok_if "an automount of $where is refused" "" grep -q U056 "$T/verify"
	rm "$UNITS/$name"
done
mkdir -p /run/taken
mount -t tmpfs taken /run/taken
printf '[Unit]\nDefaultDependencies=no\n[Automount]\nWhere=/run/taken\n' >"$UNITS/run-taken.automount"
ctl daemon-reload >/dev/null 2>&1
ctl start run-taken.automount >"$T/taken" 2>&1
is "a place where something is mounted is not covered" "" "failed tmpfs" "$(active run-taken.automount) $(findmnt -n -o FSTYPE /run/taken)"
ok_if "... and that is said" "" grep -q 'something is mounted there already' "$T/taken"

# ---- as Debian has it
cp /lib/systemd/system/proc-sys-fs-binfmt_misc.{automount,mount} "$UNITS/" 2>/dev/null &&
	if [ -d /proc/sys/fs/binfmt_misc ] && [ -z "$(ls /proc/sys/fs/binfmt_misc)" ]; then
		ctl daemon-reload >/dev/null 2>&1
		ctl start proc-sys-fs-binfmt_misc.automount >/dev/null
		is "Debian's binfmt_misc.automount waits" "" "waiting autofs" \
			"$(sub proc-sys-fs-binfmt_misc.automount) $(findmnt -n -o FSTYPE /proc/sys/fs/binfmt_misc)"
		ok_if "... and mounts when it is looked into" "" grep -q enabled /proc/sys/fs/binfmt_misc/status
		ctl stop proc-sys-fs-binfmt_misc.automount >/dev/null
		ok_if "... and goes" "" sh -c '! findmnt -n /proc/sys/fs/binfmt_misc'
	else
		skip "Debian's binfmt_misc.automount" "it is mounted already, or the kernel has none"
	fi

# ---- in a mount namespace of its own; PID 1 shares its mounts at boot
mount --make-rshared /
point seen
unit private.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
PrivateTmp=yes
ExecStart=/bin/cp /run/seen/file /run/private-copy
X
ok_if "a service with a view of its own" "" ctl start private.service

unit cut-off.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
MountFlags=private
StandardOutput=append:$T/cut-off
StandardError=inherit
ExecStart=-/bin/sh -c 'cat /run/seen/file; cat /run/seen/file'
X
ctl stop run-seen.mount >/dev/null
ok_if "one that is cut off from what is mounted" "" ctl start cut-off.service
is "... is told so" "" 2 "$(grep -c 'Too many levels' "$T/cut-off")"
is "... and hark says once who it is" "" 1 "$(grep -c 'cat (pid [0-9]*) is refused: its mount namespace is cut off' "$HARK_LOG")"

# ---- below a file system whose server hangs
if [ -e /dev/fuse ]; then
	mkdir /run/remote
	"$NS_BIN/hangfs" /run/remote "$T/hangs" 2>/dev/null &
	STARTED+=($!)
	wait_for 'findmnt -n /run/remote'
	for name in remote-one remote-two remote-three; do
		printf '[Unit]\nDefaultDependencies=no\n[Automount]\n' >"$UNITS/run-$name.automount"
		printf '[Unit]\nDefaultDependencies=no\n[Mount]\nWhat=%s\nOptions=bind\n' "$DATA" >"$UNITS/run-$name.mount"
	done
	ctl daemon-reload >/dev/null 2>&1
	ctl start run-remote-one.automount >/dev/null
	is "a point below a network file system" "" "$in_" "$(said remote/one)"
	touch "$T/hangs"
	ctl start --no-wait run-remote-two.automount >/dev/null
	ctl start --no-wait run-remote-three.automount >/dev/null
	wait_sub run-remote-two.automount laying
	start_clock
	ctl stop run-seen.mount >/dev/null
	is "while its server hangs other points serve" "" "$in_" "$(said seen)"
	stop_clock
	in_time "... at once" "" 3000 $TOOK $STALLED
	is "... and it is only waited for" "" laying "$(sub run-remote-three.automount)"
	timeout 20 "$BIN/harkctl" stop run-remote-two.automount >/dev/null &
	stop=$!
	wait_sub run-remote-two.automount abandoning
	rm "$T/hangs"
	wait $stop
	is "what was stopped meanwhile is not there" "" "inactive " "$(active run-remote-two.automount) $(findmnt -n /run/remote/two)"
	ok_if "... what was not is, when the server is back" "" wait_sub run-remote-three.automount waiting
	is "... and serves" "" "$in_" "$(said remote/three)"
	if [ -n "${HARK_TEST_FULL:-$HARK_FULL}" ]; then
		touch "$T/hangs"
		ctl start run-remote-two.automount >/dev/null 2>&1
		is "one that stays away makes its point fail" "" "failed 1" \
			"$(active run-remote-two.automount) $(ctl status run-remote-two.automount | grep -c 'does not answer')"
		rm "$T/hangs"
	fi
	ctl stop run-remote-one.automount run-remote-two.automount run-remote-three.automount >/dev/null
	umount -l /run/remote
fi

# ---- the end, in order and not
printf '[Automount]\n' >"$UNITS/run-usual.automount"
printf '[Mount]\nWhat=%s\nOptions=bind\n' "$DATA" >"$UNITS/run-usual.mount"
ctl daemon-reload >/dev/null 2>&1
ctl start run-usual.automount >/dev/null
said usual >/dev/null
ctl stop run-slow.mount >/dev/null
hark_down
ok_if "a shutdown takes mount and point away" "" sh -c '! findmnt -n /run/usual'
hark_up automount || finish
ctl start run-slow.automount >/dev/null
manager=$(manager_pid)
kill -9 "$INIT_PID" "$manager" # in this order: it would start another one
wait "$INIT_PID" 2>/dev/null
wait_for "! alive $manager" # until then its end of the pipe takes requests
is "when all of hark is gone nobody waits" "" "$(out ENOENT)" "$(said slow)"
hark_up automount || finish
ctl start run-slow.automount >/dev/null
is "... and the next one takes what is left" "" "$in_" "$(said slow)"
hark_down

# ---- a container whose /dev lacks the device of a kernel that has autofs
mkdir "$T/dev"
mount -t tmpfs dev "$T/dev"
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$T/dev"
mount --bind "$T/dev" /dev
hark_up automount || finish
ctl start run-usual.automount >"$T/unsupported" 2>&1
is "without /dev/autofs a point is not supported, which is no failure" "" "inactive yes" \
	"$(active run-usual.automount) $(grep -q 'not supported here' "$T/unsupported" && echo yes)"
hark_down
umount -l /dev "$T/dev"
[ $NOT_OK_N = 0 ] && ok "automounts" "D21 D22 D23 D24 D25 D51"
finish
