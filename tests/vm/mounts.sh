#!/bin/bash
# SPDX-License-Identifier: MIT
# File systems and swap of a bare kernel by fstab alone: a disk, an ext4 in a file on it by a loop device, a swap file with a priority; what others
# mount; and all of it clean after the end.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -x "$BIN/hark-mount" ] || skip_all "no hark-mount: built without libmount"
MODULES="$MODULES loop"
vm_root
vm_program "$BIN/hark-mount" /usr/lib/hark/hark-mount

# The disk holds a file system in a file, and a file for swap.
mkdir "$T/files"
truncate -s 8M "$T/files/image"
/sbin/mkfs.ext4 -q -F "$T/files/image" || skip_all "no mkfs.ext4"
head -c 4M /dev/urandom >"$T/files/swapfile" # no holes: its blocks are larger than what mkswap clears
/sbin/mkswap -q "$T/files/swapfile" 2>/dev/null || busybox mkswap "$T/files/swapfile" >/dev/null
chmod 600 "$T/files/swapfile"
truncate -s 64M "$T/disk"
/sbin/mkfs.ext4 -q -F -b 4096 -d "$T/files" "$T/disk" || skip_all "mkfs.ext4 has no -d"
DISK=(-drive "file=$T/disk,format=raw,if=none,id=d0" -device "virtio-blk-pci,drive=d0")

cat >"$ROOT/etc/fstab" <<'X'
/dev/vda	/mnt	ext4	defaults,x-systemd.requires=modules.service	0	0
/mnt/image	/loop	ext4	loop	0	0
/mnt/swapfile	none	swap	pri=7	0	0
/dev/missing	/missing	ext4	nofail	0	2
/dev/later	/later	ext4	nofail,x-systemd.device-timeout=10min	0	2
gone:/x	/net	nfs	_netdev,nofail,x-systemd.mount-timeout=5	0	0
small	/small	tmpfs	size=1m,noauto	0	0
bad line
X
vm_unit default.target <<X
[Unit]
Wants=check.service user.service
After=sysinit.target
Requires=sysinit.target
X
vm_modules
vm_unit user.service <<X
[Unit]
RequiresMountsFor=/loop/deep
[Service]
ExecStart=/bin/sh -c 'cd /loop; while :; do echo x >>grows; sleep 0.1; done'
X
vm_check "user.service" <<'X'
is() { harkctl is-active $1 2>/dev/null; }
until_is() { wait-for "[ \"\$(harkctl is-active $1)\" = $2 ]"; }
harkctl list-jobs | grep -q later.mount && [ "$(is local-fs.target)$(is user.service)" = activeactive ]
report $? "services run while a device is waited for that nobody needs [rows: D20]" "$(harkctl list-jobs)"
grep -q "^/dev/vda /mnt ext4" /proc/mounts
report $? "the disk is mounted" "$(harkctl status mnt.mount)"
grep -q "^/dev/loop[0-9]* /loop ext4" /proc/mounts
report $? "the file system in a file is mounted by a loop device" "$(harkctl status loop.mount)"
grep -q "^/mnt/swapfile *file.*[[:space:]]7$" /proc/swaps
report $? "the swap file is used, with its priority" "$(cat /proc/swaps; harkctl status mnt-swapfile.swap)"
[ "$(is mnt-swapfile.swap)$(is swap.target)$(is local-fs.target)" = activeactiveactive ]
report $? "units and targets say so" "$(harkctl status mnt-swapfile.swap local-fs.target swap.target)"
[ "$(is hark-fstab.service)" = failed ] && harkctl status hark-fstab.service | grep -q "/etc/fstab:8:"
report $? "the bad line is told of with its place" "$(harkctl status hark-fstab.service)"
swapoff /mnt/swapfile
until_is mnt-swapfile.swap inactive
report $? "swap that somebody else ends is inactive" "$(harkctl status mnt-swapfile.swap)"
swapon /mnt/swapfile
until_is mnt-swapfile.swap active
report $? "... and active when somebody else begins it" "$(harkctl status mnt-swapfile.swap)"
dd if=/dev/zero of=/mnt/other bs=1M count=2 2>/dev/null; chmod 600 /mnt/other; mkswap /mnt/other >/dev/null; swapon /mnt/other
until_is mnt-other.swap active
report $? "swap without a unit becomes one" "$(cat /proc/swaps)"
harkctl stop mnt-other.swap && ! grep -q other /proc/swaps
report $? "... that can be stopped" "$(harkctl status mnt-other.swap)"
harkctl start mnt-swapfile.swap && harkctl stop mnt-swapfile.swap && harkctl start mnt-swapfile.swap && grep -q "swapfile.*[[:space:]]7$" /proc/swaps
report $? "stop and start of swap" "$(cat /proc/swaps)"
kill -9 $(pidof harkd)
wait-for 'harkctl is-active mnt.mount'
[ "$(is mnt.mount)$(is loop.mount)$(is mnt-swapfile.swap)$(is user.service)" = activeactiveactiveactive ]
report $? "a killed manager knows them all again" "$(harkctl list)"
wait-for '! harkctl list-jobs | grep -q missing'
! harkctl list-jobs | grep -q missing && [ "$(is missing.mount)$(is local-fs.target)" = inactiveactive ]
report $? "a missing device is not waited for for ever, and local-fs.target not at all" "$(harkctl list-jobs; harkctl why missing.mount)"
mkdir -p /foreign && mount -t tmpfs foreign /foreign
until_is foreign.mount active
report $? "what somebody mounts is a unit" "$(harkctl status foreign.mount)"
echo "checks done"
X

vm_checks_and_end "the machine ends in order"
is "the disk is clean afterwards" "" clean "$(vm_disk_state "$T/disk")"
/sbin/debugfs -R "dump /image $T/image" "$T/disk" 2>/dev/null
is "... and so is the file system in a file on it" "C13" clean "$(vm_disk_state "$T/image")"
ok_if "... to which a service wrote until the end" "" sh -c "/sbin/debugfs -R 'stat /grows' '$T/image' 2>/dev/null | grep -q Inode"
ok_if "each was unmounted in its turn, swap ended before" "" sh -c "! grep -q 'cannot unmount\|cannot stop using\|stays' '$CONSOLE.text'"
finish
