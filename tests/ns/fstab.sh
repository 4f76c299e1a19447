#!/bin/bash
# SPDX-License-Identifier: MIT
# fstab as units: the same as those of systemd's generator but for the differences that docs/fstab.md tells of, before the boot and after an edit; mistakes
# named by line and column. Demand H-23: what is missing delays no boot for long, and leads to no shell that nobody can enter.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -x "$BIN/hark-mount" ] || skip_all "no hark-mount: built without libmount"
REAL=/lib/systemd/system-generators/systemd-fstab-generator

# A root in which no container is seen, or the generators would pass swap over.
make_root() {
	mkdir -p "$T/over" && mount -t tmpfs over "$T/over" && mkdir "$T/over"/{upper,work} "$T/root" &&
		mount -t overlay -o "lowerdir=/,upperdir=$T/over/upper,workdir=$T/over/work" over "$T/root" &&
		rm -f "$T/root/.dockerenv" && mount -t proc proc "$T/root/proc" && mount -t sysfs sys "$T/root/sys" &&
		mount -t tmpfs run "$T/root/run" && mkdir -p "$T/root/mine" && cp "$BIN/hark-mount" "$T/root/mine/" &&
		sed -i 's/^root:[^:]*:/root:x:/' "$T/root/etc/shadow"
}
# The lines of a tree of units, sorted, one "path: line" each; links as "path -> name". What neither has to say the same way is left out.
tree_of() {
	(cd "$1" && find . -type f | sort | while read -r f; do
		grep -v '^#\|^$\|^Documentation=\|^Description=\|^\[' "$f" | sed "s|^|$f: |"
	done && find . -type l | sort | sed 's/$/ ->/') | sort
}
if [ -x $REAL ] && make_root; then
	cp "$HERE/fstab.lines" "$T/root/etc/fstab"
	mkdir -p "$T/root"/{theirs,ours}
	chroot "$T/root" $REAL /theirs /theirs /theirs >/dev/null 2>&1
	chroot "$T/root" /mine/hark-mount fstab /etc/fstab /ours infinity 2>"$T/told"
	diff <(tree_of "$T/root/theirs") <(tree_of "$T/root/ours") | grep '^[<>]' >"$T/differ"
	n=$(grep -vc '^#\|^$' "$HERE/fstab.lines")
	ok_if "fstab.lines has 30 lines" "" test "$n" -ge 30
	is "$n lines give the units of systemd's generator, but for what is explained" "D+6" "" \
		"$(diff "$HERE/fstab.differ" "$T/differ")"
	sed -i 's/^root:[^:]*:/root:!:/' "$T/root/etc/shadow"
	chroot "$T/root" /mine/hark-mount fstab /etc/fstab /ours 10s 2>/dev/null
	is "nobody could enter an emergency shell: only what the system is made of is required" "" "-.mount usr.mount home.mount" \
		"$(cd "$T/root/ours" && echo $(ls local-fs.target.requires) "$(cd local-fs.target.wants && ls home.mount)")"
	is "a device that is not needed is waited for 10 s, unless its line says otherwise" "" "10s 5 none none" \
		"$(for f in 'dev-sda2' 'dev-disk-by\x2dpartuuid-aa\x2dbb' dev-sda1 dev-sdi1; do
			sed -n 's/JobRunningTimeoutSec=//p' "$T/root/ours/$f.device.d/50-device-timeout.conf" 2>/dev/null | grep . || echo none
		done | paste -sd' ')"
	umount -R "$T/root" "$T/over"
else
	skip "the units of systemd's generator" "there is no $REAL"
fi

# ---- mistakes
cat >"$T/bad" <<'X'
# mistakes
/dev/a
/dev/b relative ext4 defaults 0 0
/dev/c /c ext4 x-systemd.device-timeout=soon 0 0
/dev/d /d ext4 x-systemd.idle-timout=5 0 0
	/dev/e	/e	ext4	defaults	0	x
/dev/f /f ext4 ro 0 0
/dev/g /f ext4 ro 0 0
X
"$BIN/hark-mount" fstab "$T/bad" "$T/units.bad" 10s 2>"$T/why"
is "mistakes give an exit status" "" 1 $?
for place in 2:7:.error 3:8:.error 4:41:.error 5:16:.warning 6:28:.error 8:8:.error; do
	ok_if "a mistake is told with its place: $place" "" grep -q "^$T/bad:$place" "$T/why"
done
ok_if "... with the line, and a caret below it" "" sh -c "grep -A2 bad:3:8 '$T/why' | tail -1 | grep -q '^      |        ^~~~~~~~\$'"
ok_if "... and what was meant" "" grep -q "x-systemd.idle-timeout meant" "$T/why"
is "what is right is made all the same" "" "c.mount d.mount f.mount" "$(cd "$T/units.bad" && ls -d *.mount | paste -sd' ')"
"$BIN/hark-mount" fstab "$T/nothing" "$T/units.bad" 10s
is "without fstab nothing is left of its units" "" "" "$(ls "$T/units.bad")"

# ---- what is mounted before anything is read
mkdir -p /dev/shm && mount -t tmpfs shm /dev/shm
printf 'shm /dev/shm tmpfs size=3m,noexec,nofail 0 0\nother /run/other tmpfs size=3m 0 0\n' >"$T/api"
ok_if "API file systems get the options of their lines" "" sh -c "'$BIN/hark-mount' remount-all '$T/api' && findmnt -n -o OPTIONS /dev/shm | grep 'noexec.*size=3072k'"
echo "shm /dev/shm tmpfs size=nonsense 0 0" >"$T/api"
is "... and a mistake is told" "" "refused yes" "$("$BIN/hark-mount" remount-all "$T/api" 2>"$T/why" || echo refused) $(grep -q 'cannot remount /dev/shm' "$T/why" && echo yes)"

# ---- while hark runs
hark_fstab() {
	mkdir -p "$T/main/units"
	cat >"$T/main/units/hark-fstab.service" <<X
[Unit]
DefaultDependencies=no
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart=$BIN/hark-mount fstab $T/fstab $T/main/run/generator 2s
X
	for target in local-fs remote-fs swap umount; do
		printf '[Unit]\nDefaultDependencies=no\n' >"$T/main/units/$target.target"
	done
	printf '[Unit]\nDefaultDependencies=no\nRequires=local-fs.target\nWants=remote-fs.target\nAfter=local-fs.target\n' >"$T/main/units/test.target"
	cat >"$T/main/units/systemd-fsck@.service" <<X
[Unit]
DefaultDependencies=no
BindsTo=%i.device
After=%i.device
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo %f >>$T/checked; test %f = /dev/zero'
X
}
hark_fstab
mkdir -p /run/from
cat >"$T/fstab" <<X
one /run/one tmpfs size=1m 0 0
/run/from /run/bound none bind,x-systemd.requires-mounts-for=/run/one 0 0
two /run/two tmpfs noauto 0 0
/dev/not-there /run/not-there ext4 nofail 0 2
server:/x /run/net nfs _netdev,x-systemd.mount-timeout=1 0 0
five /run/five tmpfs size=1m,noauto,x-systemd.automount 0 0
/dev/zero /run/checked ext4 noauto 0 2
/dev/full /run/broken ext4 noauto 0 2
/dev/full /run/quota ext4 noauto,usrquota 0 0
X
hark_up main || finish
ok_if "fstab is mounted at boot" "" wait_for "findmnt -n /run/one && findmnt -n /run/bound"
ok_if "... and the boot is over" "" wait_for "ctl is-active test.target"
is "noauto is a unit and not mounted" "" "inactive loaded" "$(ctl is-active run-two.mount) $(prop run-two.mount LoadState)"
ok_if "... until it is asked for" "" ctl start run-two.mount
is "x-systemd.automount waits for who needs it" "" "active inactive" "$(ctl is-active run-five.automount) $(ctl is-active run-five.mount)"
is "... who finds it mounted" "" "drwxrwxrwt five" "$(timeout 20 stat -c %A /run/five/. ) $(findmnt -n -t tmpfs -o SOURCE /run/five)"
is "an entry of the network does not keep local-fs.target" "C12" "active remote-fs.target" \
	"$(ctl is-active local-fs.target) $(ctl show run-net.mount | sed -n 's/^Before=//p' | tr ' ' '\n' | grep '^remote-fs.target')"
if [ -x /sbin/fsck.ext4 ] && [ -e /lib/systemd/system/systemd-fsck@.service ]; then
	ctl start run-checked.mount >"$T/checked.out" 2>&1
	is "a file system is checked before it is mounted" "" "/dev/zero cannot mount" "$(cat "$T/checked") $(grep -o 'cannot mount' "$T/checked.out" | head -1)"
	ctl start run-broken.mount >"$T/broken.out" 2>&1
	is "... and not mounted when the check fails" "D26" "it needs systemd-fsck@dev-full.service" "$(grep -o 'it needs systemd[^ ]*' "$T/broken.out" | head -1)"
fi
is "quota is switched on after the mount" "D26" "quotaon.service systemd-quotacheck.service" \
	"$(ctl show run-quota.mount | sed -n 's/^Wants=//p' | tr ' ' '\n' | grep quota | sort | paste -sd' ')"
sed -i 's/^two/three/; s/size=1m/size=2m/' "$T/fstab"
echo "four /run/four tmpfs nofail 0 0" >>"$T/fstab"
ok_if "daemon-reload reads an edited fstab" "" ctl daemon-reload
is "... new lines are units" "" "inactive loaded" "$(ctl is-active run-four.mount) $(prop run-four.mount LoadState)"
ctl stop run-two.mount && ctl start run-two.mount
is "... and what they say now counts" "" three "$(findmnt -n -o SOURCE /run/two)"
ok_if "... that can be started" "" ctl start run-four.mount
ok_if "... changed options are remounted at a reload" "" sh -c "$BIN/harkctl reload run-one.mount && findmnt -n -o FS-OPTIONS /run/one | grep -q size=2048k"
echo "/dev/z relative ext4 x 0 0" >>"$T/fstab"
ctl daemon-reload >/dev/null
is "a mistake leaves the generator's service failed" "" failed "$(ctl is-active hark-fstab.service)"
ctl status hark-fstab.service >"$T/status"
ok_if "... and its status shows the place" "" grep -q "$T/fstab:$(wc -l <"$T/fstab"):8: error" "$T/status"
finish
