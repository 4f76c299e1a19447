#!/bin/bash
# SPDX-License-Identifier: MIT
# box_inside.sh ROOT OUT COMMAND...: what a container has inside its new namespaces: ROOT becomes the root, with its own /proc, /sys, /dev, /run and
# cgroups, the folder OUT is /run/out, and /run/out/beside runs beside the command, which becomes PID 1. See box.sh.
# Only as the first process of its own namespaces, and with a root to go to.
[ $$ = 1 ] && [ $# -ge 3 ] || exit 1
root=$1 out=$2
shift 2
cd "$root" || exit 1
for fs in "proc proc" "sysfs sys" "tmpfs dev" "tmpfs run" "tmpfs tmp"; do
	mount -t "${fs% *}" "${fs% *}" "${fs#* }"
done
mount -t cgroup2 cgroup2 sys/fs/cgroup
while read -r name major minor; do
	mknod -m 666 "dev/$name" c "$major" "$minor"
done <<'NODES'
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
NODES
# Automounts need it, and a machine has it by devtmpfs.
autofs=$(sed -n 's/^ *\([0-9]*\) autofs$/\1/p' proc/misc)
[ -z "$autofs" ] || mknod -m 600 dev/autofs c 10 "$autofs"
mkdir dev/pts dev/shm run/out
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount --bind "$out" run/out
hostname debian
pivot_root . mnt
umount -l /mnt
cd /
ip link set lo up
# No PID 1 is nice, whoever runs the test.
renice -n 0 -p $$ >/dev/null
bash /run/out/beside </dev/null >/run/out/said 2>&1 &
# Nobody in here can set the clock, which is the machine's.
exec setpriv --bounding-set -sys_time --inh-caps -sys_time env -i container=hark-test PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" >/run/out/log 2>&1 </dev/null
