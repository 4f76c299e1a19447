#!/bin/bash
# SPDX-License-Identifier: MIT
# This machine's own default target, with the unit files that its packages brought, boots in a container: hark as PID 1 of its namespaces on a
# throw-away overlay of the root. systemctl and logind find everything as they know it, and power off.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -e /usr/lib/systemd/system/graphical.target ] && command -v systemctl >/dev/null && command -v dbus-daemon >/dev/null ||
	skip_all "no systemd and dbus packages, whose units are to be booted"
[ -n "$HARK_TEST_CGROUP" ] || skip_all "no cgroups"
ROOT=$T/root
OUT=$T/out
mkdir -p "$T/layers" "$ROOT" "$OUT"
mount -t tmpfs layers "$T/layers"
mkdir "$T"/layers/{upper,work}
mount -t overlay -o "lowerdir=/,upperdir=$T/layers/upper,workdir=$T/layers/work" overlay "$ROOT" 2>/dev/null ||
	skip_all "no overlay of the root"
DESTDIR=$ROOT cmake --install "$HARK_BUILD" --prefix /usr >"$T/install" 2>&1 || not_ok "it installs" "$(tail -2 "$T/install")"
rm -rf "$ROOT"/etc/systemd/system/postgresql* "$ROOT"/etc/systemd/system/*.wants/postgresql*

cat >"$OUT/inside" <<'X'
cd "$1" || exit 1
for fs in "proc proc" "sysfs sys" "tmpfs dev" "tmpfs run" "tmpfs tmp"; do
	set -- $fs
	mount -t "$1" "$1" "$2"
done
mount -t cgroup2 cgroup2 sys/fs/cgroup
for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
	set -- $node
	mknod -m 666 "dev/$1" c "$2" "$3"
done
mkdir dev/pts dev/shm run/out
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount --bind "$OUT" run/out
hostname debian
pivot_root . mnt
umount -l /mnt
cd /
(
	export SYSTEMD_COLORS=0
	timeout 40 sh -c 'until [ "$(systemctl is-system-running 2>/dev/null)" = running ]; do sleep 0.1; done'
	systemctl is-system-running
	systemctl --failed --no-legend --plain
	echo "-- health"
	harkctl health
	systemd-analyze 2>&1 | head -1
	echo "-- logind $(systemctl is-active systemd-logind.service) $(loginctl list-sessions --no-legend 2>&1 | wc -l)"
	echo "-- journal $(systemctl is-active systemd-journald.service)"
	echo "-- bus $(busctl --no-pager --no-legend list 2>/dev/null | grep -c '^org.freedesktop.systemd1 .*hark-bus')"
	systemctl poweroff
) >/run/out/said 2>&1 </dev/null &
exec env -i container=hark-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/lib/hark/hark-init >/run/out/log 2>&1 </dev/null
X
mkdir "$HARK_TEST_CGROUP/debian"
OUT=$OUT timeout -k 5 100 sh -c 'echo $$ >"$0/cgroup.procs"; exec unshare -m -C -p -u -i -n -f --kill-child --propagation private bash "$1/inside" "$2"' \
	"$HARK_TEST_CGROUP/debian" "$OUT" "$ROOT"
rc=$?
said() { grep -q "$1" "$OUT/said"; }
is "Debian's default target is reached and nothing failed" "" running "$(head -1 "$OUT/said")"
[ "$(head -1 "$OUT/said")" = running ] || grep -v 'not started: Cond' "$OUT/log" | tail -20 | sed 's/^/# /'
note "$(grep -o '[a-z]*.target reached .*' "$OUT/log" | head -1)"
ok_if "logind answers" "" said "^-- logind active 0"
ok_if "the journal collects" "" said "^-- journal active"
ok_if "our name is on the bus" "" said "^-- bus 1"
is "no ordering cycle" "" 0 "$(grep -c 'dropped' "$OUT/log")"
is "systemctl poweroff ends it in order" "" "130 1" "$rc $(grep -c 'everything has ended in order' "$OUT/log")"
umount -l "$ROOT" "$T/layers"
finish
