#!/bin/bash
# SPDX-License-Identifier: MIT
# soft-reboot: everything is stopped in order, PID 1 begins anew with the words it was started with, in the root that lies ready in /run/nextroot
# when there is one. In a container.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/box.sh"
[ -n "$HARK_TEST_CGROUP" ] || skip_all "no cgroups"
box_make soft
ROOT=$T/soft/root OUT=$T/soft/out
rm -rf "$ROOT"/usr/lib/systemd/system-generators/*
cat >"$ROOT/etc/systemd/system/quiet.target" <<'X'
[Unit]
DefaultDependencies=no
AllowIsolate=yes
Wants=count.service
X
cat >"$ROOT/etc/systemd/system/count.service" <<'X'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo begun in $$(cat /etc/root-name) >>/run/out/did; setsid sleep 1002 & true'
ExecStop=/bin/sh -c 'echo stopped >>/run/out/did'
KillMode=process
X
echo first >"$ROOT/etc/root-name"
# Outside of hark's reach: it is a child of the container, and goes with all other processes.
cat >"$OUT/beside" <<'X'
timeout 60 sh -c 'until grep -q begun /run/out/did 2>/dev/null; do sleep 0.1; done'
harkctl show -p DefaultUnit --value >>/run/out/did
sleep 1001 &
case $(grep -c begun /run/out/did) in
1)
	harkctl soft-reboot >/dev/null
	sleep 100
	;;
esac
X
# What goes on in the second and third life is done by a unit.
cat >"$ROOT/etc/systemd/system/next.service" <<'X'
[Unit]
After=count.service
[Service]
ExecStart=/bin/sh /run/out/next
X
mkdir "$ROOT/etc/systemd/system/quiet.target.wants"
ln -s ../next.service "$ROOT/etc/systemd/system/quiet.target.wants/next.service"
cat >"$OUT/next" <<'X'
case $(grep -c begun /run/out/did) in
2)
	echo "second: $(harkctl show -p DefaultUnit --value) $(tr '\0' ' ' </proc/1/cmdline) $(pgrep -cf 'sleep 100[12]')" >>/run/out/did
	mkdir -p /run/nextroot /run/upper /run/work
	mount -t tmpfs next /run/upper
	mkdir /run/upper/up /run/upper/work
	mount -t overlay -o lowerdir=/,upperdir=/run/upper/up,workdir=/run/upper/work next /run/nextroot
	echo second >/run/nextroot/etc/root-name
	exec harkctl soft-reboot
	;;
3)
	echo "third: $(cat /etc/root-name) $(ls -d /run/out/next /proc/1 /sys/fs/cgroup/cgroup.procs /dev/null | wc -l)" >>/run/out/did
	exec harkctl poweroff
	;;
esac
X
box_run soft 250 /usr/lib/hark/hark-init hark.unit=quiet.target
is "it ends by the power-off of the third life" "" 130 $?
did() { sed -n "$1p" "$OUT/did"; }
is "units are stopped in order, and begin again" "" "begun in first;quiet.target;stopped;begun in first" "$(did 1,4 | paste -sd';')"
# One: what the new life has made.
is "the same words; no process is left" "" "second: quiet.target /usr/lib/hark/hark-init hark.unit=quiet.target  1" "$(did 5)"
is "a root that lies ready is the next one" "" "stopped;begun in second" "$(did 6,7 | paste -sd';')"
is "what is mounted for all comes along" "" "third: second 4" "$(did 8)"
[ $NOT_OK_N = 0 ] || { cat "$OUT/did"; tail -5 "$OUT/log"; } | sed 's/^/# /'
box_drop soft
finish
