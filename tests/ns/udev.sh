# SPDX-License-Identifier: MIT
# Sourced after lib.sh by tests of devices: Debian's own systemd-udevd and its unmodified units run below hark, with hark-udev, and our rules in the
# place of systemd's. Devices are those of this network namespace. Where the package udev is not installed, it is taken from the folder
# HARK_TEST_UDEV that it is unpacked in. hark_up is to be called with dev; units are written with put.
[ -x "$BIN/hark-udev" ] || skip_all "no hark-udev: built without libudev"
if [ -n "$HARK_TEST_UDEV" ]; then
	for dir in lib bin; do
		mount -t overlay -o "lowerdir=$HARK_TEST_UDEV/$dir:/usr/$dir" overlay "/usr/$dir" || skip_all "no overlay of /usr/$dir"
	done
fi
[ -e /lib/systemd/system/systemd-udevd.service ] && command -v udevadm >/dev/null || skip_all "no package udev"
# /sys of this network namespace, and a /dev whose nodes udevd may do with as it likes.
mount -t sysfs sysfs /sys || skip_all "no /sys of its own"
mkdir -p /run/udev/rules.d /run/systemd/system "$T/dev/units"
# Ours in the place of systemd's.
ln -s /dev/null /run/udev/rules.d/99-systemd.rules
cp "$TOP/rules/99-hark.rules" /run/udev/rules.d/
UNITS=$T/dev/units
for file in systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service systemd-udev-settle.service; do
	cp "/lib/systemd/system/$file" "$UNITS"
done
put() { cat >"$UNITS/$1"; }
sed "s|/usr/lib/hark/hark-udev|$BIN/hark-udev|" "$TOP/units/hark-udev.service" >"$UNITS/hark-udev.service"
mkdir "$UNITS/hark-udev.service.d" "$UNITS/systemd-udevd.service.wants"
printf '[Service]\nEnvironment=HARK_RUN_DIR=%s\n' "$T/dev/run" >"$UNITS/hark-udev.service.d/run.conf"
ln -s ../hark-udev.service "$UNITS/systemd-udevd.service.wants/"

counted() { # NAME LINES: a service that leaves a line in a file at each start
	put "$1" <<X
[Unit]
DefaultDependencies=no
StartLimitIntervalSec=0
$2
[Service]
ExecStartPre=/bin/sh -c 'echo "%i" >>$T/ran-${1%%[.@]*}'
ExecStart=/bin/sleep 1000
X
}

ran() { grep -cx -- "$2" "$T/ran-$1" 2>/dev/null || true; }
runs() { wait_for "[ \"\$(ran $1 $2)\" = $3 ]"; }
dev() { echo "sys-subsystem-net-devices-$1.device"; }
wait_dead() { wait_for "! ctl is-active $(dev "$1")"; }
