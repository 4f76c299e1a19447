#!/bin/bash
# SPDX-License-Identifier: MIT
# What PID 1's manager does before any unit: API file systems, host name, loopback. Each step is done where it is needed, and one that fails is
# named while the boot goes on.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
mkdir -p "$T/etc/up" "$T/etc/work" "$T/none"
mount -t overlay -o "lowerdir=/etc,upperdir=$T/etc/up,workdir=$T/etc/work" etc /etc || skip_all "no overlay of /etc"
export HARK_RUN_DIR=$T/run
mkdir -p "$T/units" "$HARK_RUN_DIR"
printf '[Unit]\nDefaultDependencies=no\n' >"$T/units/test.target"

mountpoint -q /dev/pts || mount -t devpts devpts /dev/pts # not where tests run in a container, say

# boot LOG COMMAND...: hark as PID 1 in namespaces of its own, with the kernel's host name and a loopback that is down, under the command.
boot() {
	local log=$1
	shift
	timeout -k 5 60 unshare --mount --net --uts --pid --fork --kill-child --mount-proc bash -c 'echo "(none)" >/proc/sys/kernel/hostname; while umount -l /dev/shm 2>/dev/null; do :; done; exec "$@"' - \
		"$@" "$BIN/hark-init" --unit-path "$T/units" --run-dir "$HARK_RUN_DIR" --default test.target >"$log" 2>&1 </dev/null &
	BOX=$!
	wait_for 'ctl is-active test.target' || not_ok "test.target is reached" "$(tail -3 "$log" | paste -sd' ')"
	MANAGER=$(pgrep -n -x harkd)
}
inside() { nsenter -t "$MANAGER" -m -n -u -p "$@"; }
power_off() {
	ctl poweroff >/dev/null
	wait $BOX
}

printf '# a comment\n\n  machine-one  \n' >/etc/hostname
boot "$T/log"
is "the host has the name of /etc/hostname" "" machine-one "$(inside hostname)"
is "loopback is up, with its address" "C10" "UP 127.0.0.1/8" \
	"$(inside ip -o link show lo | grep -o '[<,]UP[,>]' | tr -d '<>,') $(inside ip -4 -o addr show lo | grep -o '127[0-9./]*' | head -1)"
is "a file system that is missing is mounted, with its options" "" "tmpfs rw,nosuid,nodev" "$(inside findmnt -n -o FSTYPE,VFS-OPTIONS /dev/shm | tr -s ' ' | cut -d, -f1-3)"
ok_if "nothing is lacking" "" sh -c "! grep 'has to do without' $T/log"
power_off
rm /etc/hostname
boot "$T/log"
is "without the file the name stays, and nothing is amiss" "" "(none) 0" "$(inside hostname) $(grep -c 'has to do without' "$T/log")"
[ $NOT_OK_N = 0 ] && ok "host name" "C9"
power_off

# ---- each step fails
if command -v strace >/dev/null; then
	echo machine-two >/etc/hostname
	mkdir "$T/systemd"
	# The number: of what is lacking then (no /dev/shm, no /run/lock).
	for call in mount:EPERM:2:/dev/shm sethostname:EPERM:1:'a host name' ioctl:EPERM:1:'a loopback interface that is up'; do
		IFS=: read -r name error lacks what <<<"$call"

		boot "$T/log" strace -D -f -q -o "$T/calls" -e "trace=$name" -e "inject=$name:error=$error"
		grep -q "the machine has to do without $what: .*; going on" "$T/log" || not_ok "$name fails: $what is named" "$(grep 'do without' "$T/log"; grep "$name" "$T/calls" | head -3 | paste -sd' ')"
		is "$name fails: and the boot goes on, with all else" "" "active $lacks" "$(ctl is-active test.target) $(grep -c 'has to do without' "$T/log")"
		power_off
	done
	rm -rf /run/systemd
	touch /run/systemd
	boot "$T/log"
	ok_if "no room for the unit directory: that is named" "" grep -q "the machine has to do without a unit directory in /run: .*; going on" "$T/log"
	is "... and nothing else is lacking" "" 1 "$(grep -c 'has to do without' "$T/log")"
	power_off
	rm /run/systemd
	[ $NOT_OK_N = 0 ] && ok "each step that fails is named and stops nothing else" "C6 E2"
fi
umount /etc
finish
