#!/bin/bash
# SPDX-License-Identifier: MIT
# Automount points of a bare kernel's PID 1: there before any service, served in every mount namespace, over the death of the manager, and
# gone at the end with what was mounted.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -x "$BIN/hark-mount" ] || skip_all "no hark-mount: built without libmount"
MODULES="$MODULES autofs4"
vm_root
vm_program "$BIN/hark-mount" /usr/lib/hark/hark-mount
mkdir -p "$T/files" "$ROOT/var/tmp"
echo hello >"$T/files/file"
truncate -s 32M "$T/disk"
/sbin/mkfs.ext4 -q -F -d "$T/files" "$T/disk" || skip_all "mkfs.ext4 has no -d"
DISK=(-drive "file=$T/disk,format=raw,if=none,id=d0" -device "virtio-blk-pci,drive=d0")

vm_unit default.target <<X
[Unit]
Wants=local-fs.target check.service first.service
X
vm_unit local-fs.target <<X
[Unit]
Wants=disk.automount slow.automount missing.automount
X
vm_modules 'ln -s /dev/vda /run/disk'
vm_unit wait.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/sleep 3
X
automount() { # NAME WHAT [LINES OF [UNIT]]
	printf '[Unit]\nRequires=modules.service\nAfter=modules.service\n[Automount]\nWhere=/%s\n' "$1" | vm_unit "$1.automount"
	printf '[Unit]\n%b[Mount]\nWhere=/%s\n%b' "$3" "$1" "$2" | vm_unit "$1.mount"
}
# A link, not the device: nobody tells of devices here.
automount disk 'What=/run/disk\nType=ext4\n'
automount slow 'What=/disk\nOptions=bind\n' 'Requires=wait.service\nAfter=wait.service\n'
printf '[Unit]\nJobRunningTimeoutSec=2\n' | vm_unit dev-missing.device
automount missing 'What=/dev/missing\nType=ext4\n'
echo '/run/disk /fstab ext4 noauto,x-systemd.automount 0 0' >"$ROOT/etc/fstab"
mkdir "$ROOT/etc/units/fstab.automount.d"
printf '[Unit]\nRequires=modules.service\nAfter=modules.service\n' | vm_unit fstab.automount.d/modules.conf
vm_unit first.service <<X
[Unit]
After=local-fs.target
[Service]
Type=oneshot
ExecStart=/bin/cp /proc/mounts /run/first
X
vm_unit private.service <<X
[Service]
Type=oneshot
PrivateTmp=yes
ExecStart=/bin/cp /disk/file /run/private
X
vm_check "first.service" <<'X'
[ "$(grep -c '^hark /[a-z]* autofs' /run/first)" = 4 ]
report $? "the points are there before any service" "$(cat /run/first | tr '\n' ';'; harkctl list)"
[ "$(cat /disk/file 2>&1)" = hello ]
report $? "who reads a file on the disk gets it" "$(harkctl status disk.automount disk.mount; cat /proc/mounts)"
[ "$(cat /fstab/file 2>&1)" = hello ]
report $? "and who enters one that fstab asks for" "$(harkctl status fstab.automount fstab.mount | tr '\n' ';')"
harkctl stop disk.mount >/dev/null
harkctl start private.service >/dev/null && [ "$(cat /run/private)" = hello ]
report $? "and so does a service with mounts of its own" "$(harkctl why private.service | tr "\n" " ")"
cat /slow/file >/run/slow 2>&1 &
cat=$!
usleep 500000
kill -9 $(pidof harkd)
usleep 500000
kill -9 $(pidof harkd)
wait $cat
[ "$(cat /run/slow)" = hello ]
report $? "who waits outlives the manager, twice" "$(cat /run/slow; harkctl status slow.automount slow.mount)"
ls /missing 2>&1 | grep -q 'No such device'
report $? "a device that is not there is said" "$(ls /missing 2>&1)"
echo x >/disk/written
echo "checks done"
X
vm_checks_and_end "the machine ends in order"
is "the disk is clean afterwards" "" clean "$(vm_disk_state "$T/disk")"
finish
