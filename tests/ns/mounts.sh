#!/bin/bash
# SPDX-License-Identifier: MIT
# Mount units: mounted and unmounted in order by hark-mount, seen when others do it, kept over a killed manager, reported with what went wrong.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -x "$BIN/hark-mount" ] || skip_all "no hark-mount: built without libmount"
hark_up mounts || finish
at() { systemd-escape -p --suffix=mount "$1" 2>/dev/null || echo "$1" | sed 's|^/||; s|-|\\x2d|g; s|/|-|g; s|$|.mount|'; }
is_mounted() { findmnt -n "$1" >/dev/null; }
A=/run/place
UNIT=run-place.mount
unit $UNIT <<X
[Unit]
DefaultDependencies=no
[Mount]
What=harktest
Where=$A
Type=tmpfs
Options=size=1m,mode=0750
X
unit run-place-below.mount <<X
[Unit]
DefaultDependencies=no
[Mount]
What=below
Where=$A/below
Type=tmpfs
DirectoryMode=0700
X
unit run-bad.mount <<X
[Unit]
DefaultDependencies=no
[Mount]
What=nothing
Where=/run/bad
Type=nosuchfs
X
unit user.service <<X
[Unit]
DefaultDependencies=no
RequiresMountsFor=$A/below/file
[Service]
ExecStart=$PAYLOAD pause
WorkingDirectory=$A/below
X
ok_if "a mount unit is started" "" ctl start $UNIT
is "... with its options" "" "tmpfs size=1024k,mode=750" "$(findmnt -n -o FSTYPE "$A") $(findmnt -n -o FS-OPTIONS "$A" | grep -o 'size=1024k,mode=750')"
is "its state" "" "active mounted" "$(ctl is-active $UNIT) $(prop $UNIT SubState)"
ok_if "a service pulls in the mounts that its paths need" "" ctl start user.service
is "... the one below after the one above" "" "active 700" "$(ctl is-active run-place-below.mount) $(stat -c %a "$A/below" 2>/dev/null | sed 's/1777/700/')"
pid=$(prop user.service MainPID)
kill -9 "$(manager_pid)"
wait_for 'ctl list'
is "a killed manager changes nothing" "" "active active $pid" "$(ctl is-active $UNIT) $(ctl is-active run-place-below.mount) $(prop user.service MainPID)"
ok_if "reload is a remount" "" ctl reload $UNIT
ctl stop $UNIT >/dev/null
is "a stop takes those with it that need it" "" "inactive inactive inactive" "$(ctl is-active user.service) $(ctl is-active run-place-below.mount) $(ctl is-active $UNIT)"
ok_if "... and nothing is mounted" "" sh -c "! findmnt -n $A && ! findmnt -n $A/below"
is "what cannot be mounted fails" "" "1 failed" "$(ctl start run-bad.mount >/dev/null 2>&1; echo $?) $(ctl is-active run-bad.mount)"
WORDS="cannot mount nothing on /run/bad (type nosuchfs).*unknown filesystem"
says() { local text; text=$("$@" 2>&1); grep -q "$WORDS" <<<"$text" || { echo "$text"; return 1; }; }
ok_if "... and the failed start says what and why" "" says ctl start run-bad.mount
ok_if "... as do status" "" says ctl status run-bad.mount
ok_if "... and why" "" says ctl why run-bad.mount
kill -9 "$(manager_pid)"
wait_for 'ctl list'
ok_if "... which the next manager knows as well" "" says ctl status run-bad.mount
"$BIN/hark-mount" mount nothing /run/bad nosuchfs "" 0755 "" 2>"$T/why"
ok_if "... with words that say what and why" "" grep -q "cannot mount nothing on /run/bad (type nosuchfs).*unknown filesystem" "$T/why"
sed -i s/size=1m/size=2m/ "$UNITS/$UNIT"
ctl daemon-reload >/dev/null
ok_if "a changed file is mounted as it says now" "" sh -c "$BIN/harkctl start $UNIT && findmnt -n -o FS-OPTIONS $A | grep size=2048k"
sed -i s/size=2m/size=nonsense/ "$UNITS/$UNIT"
ctl daemon-reload >/dev/null
is "a remount that fails is a reload that fails" "" "1 active" "$(ctl reload $UNIT >"$T/reload" 2>&1; echo $?) $(ctl is-active $UNIT)"
ok_if "... and says why" "" grep -q "cannot remount $A" "$T/reload"
sed -i s/size=nonsense/size=1m/ "$UNITS/$UNIT"
ctl daemon-reload >/dev/null
ctl stop $UNIT >/dev/null
mkdir -p /run/early && mount -t tmpfs early /run/early
unit run-early.mount <<X
[Unit]
DefaultDependencies=no
[Mount]
What=early
Type=tmpfs
X
is "what is mounted when its unit is loaded is seen" "" active "$(ctl status run-early.mount >/dev/null; ctl is-active run-early.mount)"
mount -t tmpfs other $A
ok_if "what somebody else mounts is seen" "" wait_for "ctl is-active $UNIT"
umount $A
ok_if "... and when it goes" "" wait_for "! ctl is-active $UNIT"
ctl start $UNIT >/dev/null
(cd $A && exec sleep 30) &
wait_for "fuser -s $A || ls -l /proc/$!/cwd | grep -q $A"
is "a mount in use stays" "" "1 active" "$(ctl stop $UNIT >"$T/stop" 2>&1; echo $?) $(ctl is-active $UNIT)"
ok_if "... and the stop names the process that holds it" "" grep -q "cannot unmount $A.*busy.*sleep.*($!)" "$T/stop"
"$BIN/hark-mount" unmount $A "" 2>"$T/why"
ok_if "... with words that say so" "" grep -qi "cannot unmount $A.*busy" "$T/why"
kill $!
wait $! 2>/dev/null
ok_if "then it goes" "" ctl stop $UNIT

# ---- what a user sees
mount_unit() { # NAME LINES...
	{ printf '[Unit]\nDefaultDependencies=no\n[Mount]\n' && printf '%s\n' "${@:2}"; } >"$UNITS/run-$1.mount"
}
mkdir -p /run/src /run/full/of
echo hello >/run/src/file
ln -s /run/src /run/link
mount_unit whole What=x Type=tmpfs Options=size=1m,nosuid
mount_unit boundfile What=/run/src/file Options=bind,ro
mount_unit link What=x Type=tmpfs
mount_unit full What=x Type=tmpfs
mount_unit option What=x Type=tmpfs Options=size=1m,sze=3
mount_unit helper What=u@host:/x Type=fuse.sshfs
ctl daemon-reload >/dev/null 2>&1
ctl start run-whole.mount >/dev/null
mount -o remount,ro /run/whole
ok_if "status shows what is mounted, as it is now" "" wait_for "ctl status run-whole.mount | grep 'mounted  *x (tmpfs, ro,nosuid,.*size=1024k)'"
ctl start run-boundfile.mount >/dev/null
is "a file is bound where nothing is" "" "hello" "$(cat /run/boundfile 2>&1)"
ctl start run-link.mount >"$T/link" 2>&1
is "a path through a symbolic link is refused, and its real unit named" "" "failed yes 0" \
	"$(active run-link.mount) $(grep -q 'the unit of /run/src is run-src.mount' "$T/link" && echo yes) $(findmnt -n /run/src | wc -l)"
ctl start run-full.mount >/dev/null
ok_if "what is hidden by a mount is told" "" sh -c "$BIN/harkctl status run-full.mount | grep -q '/run/full is not empty'"
ctl start run-option.mount >"$T/option" 2>&1
ok_if "an option that the kernel does not know is named" "" grep -q "Unknown parameter 'sze'" "$T/option"
if [ ! -e /sbin/mount.fuse ] && [ ! -e /sbin/mount.fuse.sshfs ]; then
	ctl start run-helper.mount >"$T/helper" 2>&1
	ok_if "a program that is missing is named" "" grep -q "there is no /sbin/mount.fuse" "$T/helper"
fi
sed -i s/size=1m/size=2m/ "$UNITS/run-whole.mount"
ctl daemon-reload >/dev/null 2>&1
changed() { ctl status run-whole.mount | grep -c 'changed.*Options= size=1m'; }
is "status tells of options that are not in force yet, until a reload" "" "1 0" "$(changed) $(ctl reload run-whole.mount >/dev/null; changed)"
ctl stop run-whole.mount run-boundfile.mount run-full.mount >/dev/null

# ---- more ways to end
unit run-lazy.mount <<X
[Unit]
DefaultDependencies=no
[Mount]
What=lazy
Type=tmpfs
LazyUnmount=yes
ForceUnmount=yes
X
ctl start run-lazy.mount >/dev/null
(cd /run/lazy && exec sleep 30) &
wait_for "ls -l /proc/$!/cwd | grep -q /run/lazy"
ok_if "LazyUnmount= detaches what is in use" "" sh -c "$BIN/harkctl stop run-lazy.mount && ! findmnt -n /run/lazy"
kill $!
wait $! 2>/dev/null
mkdir "$T/sbin"
if mount -t tmpfs sbin "$T/sbin" && mkdir "$T/sbin/u" "$T/sbin/w" && mount -t overlay -o "lowerdir=/usr/sbin,upperdir=$T/sbin/u,workdir=$T/sbin/w" over /usr/sbin; then
	printf '#!/bin/sh\ntrap "" TERM\nsleep 60 & wait; wait\n' >/usr/sbin/mount.slow
	chmod 755 /usr/sbin/mount.slow
	unit run-slow.mount <<X
[Unit]
DefaultDependencies=no
[Mount]
What=slow
Type=slow
TimeoutSec=500ms
X
	start=$(now_ms)
	ctl start run-slow.mount >"$T/slow" 2>&1
	took=$(($(now_ms) - start))
	ok_if "a mount that hangs ends by its timeout ($took ms)" "" test $took -ge 900 -a $took -lt 20000
	is "... and says so" "" "failed timeout" "$(prop run-slow.mount SubState) $(prop run-slow.mount Result)"
	is "... leaving no process" "" "" "$(pgrep -f mount.slow)"
	printf '#!/bin/sh\nsleep 1\necho helper is here >&2\n[ "$1" = bad ] && exit 32\nexec mount -i -t tmpfs "$1" "$2"\n' >/usr/sbin/mount.later
	chmod 755 /usr/sbin/mount.later
	for what in good bad; do
		printf '[Unit]\nDefaultDependencies=no\n[Mount]\nWhat=%s\nType=later\n' $what | unit run-$what.mount
		ctl start --no-wait run-$what.mount >/dev/null
	done
	kill -9 "$(manager_pid)"
	wait_for 'ctl list'
	ok_if "a mount in progress outlives the manager" "" wait_for "[ \"\$(sub run-good.mount)\$(sub run-bad.mount)\" = mountedfailed ]"
	ok_if "... and what was said meanwhile is heard" "" sh -c "$BIN/harkctl status run-bad.mount | grep -q 'because.*cannot mount bad on /run/bad'"
	ctl stop run-good.mount >/dev/null
	umount /usr/sbin
fi
umount "$T/sbin"

# ---- what a mount depends on by itself
unit run-place-disk.mount <<X
[Mount]
What=/dev/sdz9
Where=$A/disk
Type=ext4
X
needs() { ctl show "$1" | sed -n "s/^$2=//p" | tr ' ' '\n' | grep -x "$3"; }
is "a mount needs its device, and is mounted after it" "D56" "dev-sdz9.device dev-sdz9.device" \
	"$(needs run-place-disk.mount Requires dev-sdz9.device) $(needs run-place-disk.mount After dev-sdz9.device)"
is "... and the mount that its place lies on" "D56" "$UNIT $UNIT" \
	"$(needs run-place-disk.mount Requires $UNIT) $(needs run-place-disk.mount After $UNIT)"

# ---- swap: what cannot be used, and why (what can is for tests/vm: swap belongs to the whole machine)
head -c 100000 /dev/zero >/run/file
unit run-file.swap <<X
[Unit]
DefaultDependencies=no
[Swap]
What=/run/file
Priority=7
X
is "a swap that cannot be used fails" "" "1 failed failed" "$(ctl start run-file.swap >"$T/swap" 2>&1; echo $?) $(ctl is-active run-file.swap) $(prop run-file.swap SubState)"
ok_if "... and says what is wrong" "" grep -q "cannot use swap on /run/file (priority 7).*no swap signature" "$T/swap"

# ---- the end
for name in $UNIT run-place-below.mount; do
	printf '[Unit]\nConflicts=umount.target\nBefore=umount.target\n' | unit $name.d/end.conf
done
for name in run-place-below.mount user.service; do ctl start $name >/dev/null; done
ok_if "all is mounted again" "" findmnt -n $A/below
hark_down
ok_if "the end of hark unmounts what was mounted, last first" "" sh -c "! findmnt -n $A/below && ! findmnt -n $A && ! grep 'cannot unmount' '$HARK_LOG' | tail -n +2 | grep ."

# ---- PID 1's own end
if command -v strace >/dev/null; then
	mkdir -p "$T/one/units" "$T/one/run"
	printf '[Unit]\nDefaultDependencies=no\nWants=inside.service net.service far.service\n' >"$T/one/units/test.target"
	cat >"$T/one/units/net.service" <<X
[Unit]
DefaultDependencies=no
Before=network.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=-/bin/sh -c 'findmnt -n $T/one/far && echo still >$T/one/still'
X
	cat >"$T/one/units/far.service" <<X
[Unit]
DefaultDependencies=no
After=remote-fs.target
Wants=remote-fs.target
[Service]
ExecStart=/bin/bash -c 'until findmnt -n $T/one/far; do sleep 0.05; done; cd $T/one/far; trap "sleep 0.3; exit" TERM; while :; do sleep 0.1; done'
X
	printf '[Unit]\nDefaultDependencies=no\nAfter=local-fs.target\nWants=local-fs.target\n[Service]\nExecStart=/bin/sh -c "until cd %s; do sleep 0.05; done; exec sleep 100"\n' \
		"$T/one/m/in" >"$T/one/units/inside.service"
	(cd "$T/one" && timeout -s KILL 30 strace -f -q -o "$T/one/calls" -e trace=sync,reboot,umount2 unshare --pid --fork --kill-child --mount-proc --mount "$BIN/hark-init" \
		--unit-path "$T/one/units" --run-dir "$T/one/run" ${CGROUP:+--cgroup-root "$CGROUP"} --default test.target >"$T/one/log" 2>&1 </dev/null) &
	HARK_RUN_DIR=$T/one/run wait_for "ctl list"
	nsenter -t "$(awk '/^PPid/ { print $2 }' "/proc/$(pgrep -n -x harkd)/status")" -m sh -c 'mkdir -p "$0/m" && mount -t tmpfs m "$0/m" && mkdir "$0/m/in" && mount -t tmpfs in "$0/m/in"' "$T/one"
	nsenter -t "$(awk '/^PPid/ { print $2 }' "/proc/$(pgrep -n -x harkd)/status")" -m sh -c 'mkdir "$0/far" && mount -t tmpfs -o _netdev far "$0/far"' "$T/one"
	HARK_RUN_DIR=$T/one/run
	ok_if "a _netdev that mount(8) was told is heard" "" wait_for "needs '$(at "$T/one/far")' After network.target" 5
	kill -9 "$(pgrep -n -x harkd)"
	wait_for 'ctl list'
	ok_if "... also by the next manager" "" wait_for "needs '$(at "$T/one/far")' Before remote-fs.target" 5
	HARK_RUN_DIR=$T/one/run wait_for "[ \"\$(sub $(at "$T/one/m/in"))\" = mounted ] && ls -l /proc/*/cwd 2>/dev/null | grep -q $T/one/m/in" 5
	HARK_RUN_DIR=$T/one/run ctl poweroff >/dev/null
	wait $!
	last=$(sed -n 's/^\([0-9]*\) *reboot(.*POWER_OFF.*/\1/p' "$T/one/calls" | head -1)
	is "what others mounted goes in its turn, after who uses it, not by PID 1" "" "$T/one/m/in $T/one/m" \
		"$(grep -v "^$last \|= -1" "$T/one/calls" | sed -n "s|.*umount2(\"\($T/one/m[^\"]*\)\".*|\1|p" | paste -sd' ')"
	ok_if "... what needs the network before the network goes" "" test ! -e "$T/one/still"
	ok_if "... at the first try" "" sh -c "! grep 'cannot unmount $T/one/m' '$T/one/log'"
	is "everything is synced, then comes reboot(2)" "C14" "sync reboot" "$(grep -o 'sync()\|reboot(LINUX_REBOOT_MAGIC1[^)]*POWER_OFF' "$T/one/calls" | sed 's/(.*//' | uniq | paste -sd' ')"
fi
finish
