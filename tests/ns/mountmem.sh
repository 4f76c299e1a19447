#!/bin/bash
# SPDX-License-Identifier: MIT
# hark-mount when memory is short: each of its allocations fails once, libmount's own among them, and once more with all that follow it. What it
# says of the end is so: it did what was asked for, all of it, or says that it did not. --full: all, not a part of them.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SHORT=$NS_BIN/hark-mount-short
[ -x "$SHORT" ] || skip_all "no $SHORT: built without libmount, or with sanitizers"
EVERY=9 # of those between the first and the last, which read the mount table
[ "$1" = --full ] && EVERY=1
M=$T/m
mkdir "$M"
is_there() { findmnt -n -o OPTIONS "$M" 2>/dev/null; }
all_gone() { while umount "$M" 2>/dev/null; do :; done; }
# The kernel's own words, when all goes well.
FULL=rw,nosuid,noexec,relatime,size=1024k,mode=750
LESS=rw,nosuid,noexec,relatime,size=512k,mode=750
mount_it() { "$@" mount memtest "$M" tmpfs "nosuid,noexec,size=1m,mode=0750" 0755 ""; }
unmount_it() { "$@" unmount "$M" ""; }
remount_it() { "$@" remount "$M" "nosuid,noexec,size=512k"; }
make_units() { "$@" fstab "$T/fstab" "$T/made" 10s; }
before_mount_it() { all_gone; }
before_unmount_it() { [ "$(is_there)" = $FULL ] || { all_gone && mount_it "$SHORT"; }; }
before_remount_it() { all_gone && mount_it "$SHORT"; }
before_make_units() { rm -rf "$T/made" && mkdir "$T/made"; }
# Was all of it done? What is there else is no harm as long as the end is told as a failure.
did_mount_it() { [ "$(is_there)" = $FULL ]; }
did_unmount_it() { ! is_there >/dev/null; }
did_remount_it() { [ "$(is_there)" = $LESS ]; }
did_make_units() { diff -r "$T/good" "$T/made" >/dev/null; }
cat >"$T/fstab" <<'X'
/dev/vda1	/	ext4	defaults,usrquota	0	1
UUID=0f-a1	/srv/data	ext4	noauto,x-systemd.automount,x-systemd.idle-timeout=5min	0	2
server:/x	/net	nfs	_netdev,nofail,x-systemd.requires=wait.service,x-systemd.mount-timeout=9	0	0
/dev/vda3	none	swap	pri=5,discard	0	0
X
make_units_well() { mkdir "$T/good" && "$BIN/hark-mount" fstab "$T/fstab" "$T/good" 10s; }
make_units_well
# sweep WORK: every allocation of it.
sweep() {
	local work=$1 n bad=0 well=0 all=0 at on
	"before_$work"
	n=$(HARK_FAIL_TELL=3 "$work" "$SHORT" 3>&1 >/dev/null 2>&1)
	for on in "" HARK_FAIL_ON=1; do
		for ((at = 1; at <= n; at++)); do
			[ "$EVERY" = 1 ] || [ $at -le 20 ] || [ $at -gt $((n - 30)) ] || [ $((at % EVERY)) = 0 ] || continue
			all=$((all + 1))
			"before_$work"
			if "$work" env HARK_FAIL_AT=$at $on "$SHORT" >"$T/said" 2>&1; then
				well=$((well + 1))
				"did_$work" || { bad=$((bad + 1)) && echo "# $work, allocation $at $on: a failure that was not told"; }
			elif [ ! -s "$T/said" ]; then
				bad=$((bad + 1)) && echo "# $work, allocation $at $on: failed without a word"
			fi
		done
	done
	ok_if "$work: $n allocations fail, $well of $all times it was done all the same" "" test "$n" -gt 5 -a $bad = 0
}
for work in mount_it remount_it unmount_it make_units; do
	sweep $work
done
all_gone
finish
