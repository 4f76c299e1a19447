#!/bin/bash
# SPDX-License-Identifier: MIT
# What people plug in starts what serves it, and nothing else does: a Bluetooth adapter bluetoothd, a printer cupsd, a card reader pcscd, a sound card
# alsactl; and who asks for the name service of the local net starts avahi. Debian's udevd, rules, units, dbus-daemon and daemons, none of them
# changed, below hark on Debian's own kernel. The adapter is the kernel's virtual one, the printer a gadget of the kernel's on a bus of its own;
# reader and sound card are QEMU's.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$TOP/tests/ns/debs.sh"
[ -x "$BIN/hark-udev" ] && [ -x "$BIN/hark-bus" ] || skip_all "built without libudev or libdbus"
KERNEL_PACKAGE=linux-image-amd64
debs_fetch plug udev systemd kmod dbus dbus-daemon dbus-bin dbus-system-bus-common bluez cups-daemon cups-client libcups2 pcscd libccid libusb-1.0-0 \
	alsa-utils libasound2 libasound2-data avahi-daemon libavahi-core7 libavahi-common3 libdaemon0 || skip_all "Debian's packages cannot be fetched"
MODULES=
vm_root
DEVICES=(-device qemu-xhci,id=xhci -audiodev none,id=a0)

# The packages as they are, but of systemd's only the rules, the targets that they name, and the policy of its bus name.
for deb in "$DEBS"/*.deb; do
	case ${deb##*/} in
	systemd_*)
		dpkg-deb --fsys-tarfile "$deb" |
			tar -C "$ROOT" -x ./lib/udev ./lib/systemd/system/{bluetooth,printer,smartcard,sound,usb-gadget}.target ./usr/share/dbus-1/system.d
		;;
	*) dpkg-deb -x "$deb" "$ROOT" ;;
	esac
done
rm -rf "$ROOT"/usr/share/{doc,man,locale,alsa/ucm*,alsa/topology,sounds,bash-completion} "$ROOT"/lib/udev/hwdb.d
DESTDIR=$ROOT cmake --install "$HARK_BUILD" --prefix /usr >/dev/null
vm_libraries "$ROOT"/usr/lib/hark/hark-* "$ROOT"/lib/systemd/systemd-udevd "$ROOT"/bin/{udevadm,kmod} "$ROOT"/lib/udev/*_id "$ROOT"/usr/bin/{dbus-*,lpstat} \
	"$ROOT"/usr/libexec/bluetooth/bluetoothd "$ROOT"/usr/sbin/{cupsd,pcscd,alsactl,avahi-daemon} "$ROOT"/usr/lib/pcsc/drivers/*/Contents/Linux/*.so
vm_program "$(command -v socat)" /bin/socat
vm_program /lib/x86_64-linux-gnu/libgcc_s.so.1 /lib/x86_64-linux-gnu/libgcc_s.so.1 # that threads load at their end
printf '%s\n' messagebus:x:100:100::/nonexistent:/bin/false lp:x:7:7::/nonexistent:/bin/false \
	avahi:x:108:108::/nonexistent:/bin/false >>"$ROOT/etc/passwd"
printf '%s:x:%s:\n' messagebus 100 lp 7 lpadmin 101 adm 4 tty 5 disk 6 kmem 15 dialout 20 cdrom 24 tape 26 audio 29 video 44 input 102 sgx 103 kvm 104 \
	render 105 bluetooth 106 plugdev 107 avahi 108 netdev 109 >>"$ROOT/etc/group"
mkdir -p "$ROOT"/var/{lib,tmp,cache/cups,spool/cups/tmp,log/cups}
ln -s /run "$ROOT/var/run"
printf 'Listen /run/cups/cups.sock\n<Location />\n</Location>\n' >"$ROOT/etc/cups/cupsd.conf"

# Modules with what they need; udevd finds them by the names of devices.
version=$(ls "$KERNEL/lib/modules")
mkdir -p "$T/tools" "$ROOT/lib/modules/$version"
for name in depmod modprobe; do ln -s "$ROOT/bin/kmod" "$T/tools/$name"; done
cp "$KERNEL/lib/modules/$version"/modules.{builtin,order}* "$ROOT/lib/modules/$version/"
[ -e "$KERNEL/lib/modules/$version/modules.dep.bin" ] || "$T/tools/depmod" -b "$KERNEL" "$version" 2>/dev/null
for name in xhci_pci dummy_hcd libcomposite usb_f_printer usblp hci_vhci snd-usb-audio; do
	"$T/tools/modprobe" -d "$KERNEL" -S "$version" -D "$name"
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
	install -D "$file" "$ROOT${file#"$KERNEL"}"
done
"$T/tools/depmod" -b "$ROOT" "$version"

"$BIN/harkctl" --root="$ROOT" enable bluetooth.service cups.service pcscd.socket avahi-daemon.service >"$T/enabled" 2>&1 || not_ok "units are enabled" "$(cat "$T/enabled")"
mkdir -p "$ROOT"/etc/systemd/system/{smartcard,usb-gadget}.target.wants
ln -s /lib/systemd/system/pcscd.service "$ROOT/etc/systemd/system/smartcard.target.wants/"
vm_unit gadget.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/echo a gadget
X
ln -s /etc/units/gadget.service "$ROOT/etc/systemd/system/usb-gadget.target.wants/"
vm_unit default.target <<X
[Unit]
Requires=basic.target
Wants=check.service
X
vm_check basic.target <<'X'
PATH=/usr/sbin:/sbin:/usr/bin:/bin
is() { harkctl is-active $1 2>/dev/null; }
until_is() { wait-for "[ \"\$(harkctl is-active $1)\" = $2 ]"; }
runs() { until_is $1 active && pidof $2 >/dev/null; }
why() { harkctl why $1 | paste -sd' '; }
call() { dbus-send --system --print-reply --dest=org.bluez / org.freedesktop.DBus.Introspectable.Introspect 2>&1; }
plug_bluetooth() { (exec 3<>/dev/vhci && printf '\377\000' >&3 && exec sleep 1000) & adapter=$!; }
udevadm settle
harkctl is-active systemd-udevd.service hark-udev.service >/dev/null
report $? "Debian's udevd and hark-udev run" "$(harkctl status systemd-udevd.service hark-udev.service)"
! pidof bluetoothd cupsd pcscd >/dev/null && [ "$(is bluetooth.target)$(is printer.target)$(is smartcard.target)$(is sound.target)" = inactiveinactiveinactiveinactive ]
report $? "nothing is plugged in, and nothing runs for it" "$(ps)"

call >/tmp/said; rc=$?
[ $rc != 0 ] && ! pidof bluetoothd
report $? "without Bluetooth a call for it fails, and starts nothing" "$(cat /tmp/said)"

# The name service of the local net, by its stock units: whoever uses its socket or calls it on the bus starts it.
! pidof avahi-daemon >/dev/null
report $? "nobody uses the name service of the local net, and it does not run" "$(ps)"
ask() { : >/tmp/answer; { echo HELP; wait-for '[ -s /tmp/answer ]'; } | socat - UNIX-CONNECT:/run/avahi-daemon/socket >/tmp/answer 2>&1; cat /tmp/answer; }
ask | grep -q "Available commands" && runs avahi-daemon.service avahi-daemon
report $? "who asks at its socket is answered by it" "$(ask; harkctl status avahi-daemon.service avahi-daemon.socket)"
harkctl stop avahi-daemon.service
version() { dbus-send --system --print-reply --dest=org.freedesktop.Avahi / org.freedesktop.Avahi.Server.GetVersionString 2>&1; }
! pidof avahi-daemon >/dev/null && version | grep -q '"avahi' && runs avahi-daemon.service avahi-daemon
report $? "who calls it on the bus is answered by it" "$(version; harkctl status avahi-daemon.service)"
harkctl stop avahi-daemon.service cups.service
harkctl start cups.service avahi-daemon.service && runs cups.service cupsd && runs avahi-daemon.service avahi-daemon && lpstat -r | grep -q "is running"
report $? "printing and the name service, which it calls, start at once" "$(harkctl status cups.service avahi-daemon.service)"
harkctl stop avahi-daemon.service avahi-daemon.socket cups.service
harkctl start cups.socket

modprobe hci_vhci
plug_bluetooth
runs bluetooth.service bluetoothd
report $? "an adapter is plugged in: bluetoothd runs" "$(is bluetooth.target) $(udevadm info /sys/class/bluetooth/hci0)"
why bluetooth.service
call | grep -q ObjectManager
report $? "... and answers on the bus" "$(call)"
kill $adapter
until_is sys-subsystem-bluetooth-devices-hci0.device inactive && until_is bluetooth.target inactive
report $? "unplugged: the device and the target are gone" "$(is sys-subsystem-bluetooth-devices-hci0.device) $(is bluetooth.target)"
harkctl stop bluetooth.service
call | grep -q ObjectManager && runs bluetooth.service bluetoothd && [ $(is bluetooth.target) = inactive ]
report $? "a call on the bus starts it as well" "$(call)"
harkctl stop bluetooth.service
plug_bluetooth
runs bluetooth.service bluetoothd
report $? "plugged in again: bluetoothd runs again" "$(is bluetooth.target)"

lpstat -r 2>&1 | grep -q "scheduler is running" && runs cups.service cupsd && [ $(is printer.target) = inactive ]
report $? "who asks for printing starts cupsd, without a printer" "$(lpstat -r 2>&1; harkctl status cups.service cups.socket)"
harkctl stop cups.service
! pidof cupsd
report $? "cupsd is stopped" "$(ps)"
modprobe dummy_hcd && modprobe libcomposite && modprobe usb_f_printer
mount -t configfs none /sys/kernel/config 2>/dev/null
until_is gadget.service active
report $? "a controller for gadgets starts usb-gadget.target" "$(is usb-gadget.target)"
G=/sys/kernel/config/usb_gadget/g1
mkdir -p $G/strings/0x409 $G/configs/c.1 $G/functions/printer.0
echo 0x0525 >$G/idVendor; echo 0xa4a8 >$G/idProduct; echo hark >$G/strings/0x409/manufacturer; echo 1234 >$G/strings/0x409/serialnumber
echo "MFG:hark;MDL:test;CMD:PS;" >$G/functions/printer.0/pnp_string
ln -s $G/functions/printer.0 $G/configs/c.1/
udc=$(ls /sys/class/udc | head -1)
echo $udc >$G/UDC
runs cups.service cupsd
report $? "a printer is plugged in: cupsd runs" "$(is printer.target) $(ls /dev/usb)"
why cups.service
lpstat -r 2>&1 | grep -q "scheduler is running" && [ -c /dev/usb/lp0 ]
report $? "... and answers" "$(lpstat -r 2>&1; ls /dev/usb)"
echo "" >$G/UDC
until_is printer.target inactive && [ "$(is cups.service)" = active ]
report $? "unplugged: printer.target is gone, and cupsd is not disturbed" "$(harkctl status printer.target cups.service)"
harkctl stop cups.service
echo $udc >$G/UDC
runs cups.service cupsd
report $? "plugged in again: cupsd runs again" "$(is printer.target)"

echo "monitor device_add usb-ccid,id=ccid,bus=xhci.0"
echo "monitor device_add usb-audio,id=sound,bus=xhci.0,audiodev=a0"
runs pcscd.service pcscd
report $? "a card reader is plugged in: pcscd runs" "$(is smartcard.target)"
until_is alsa-restore.service active && [ "$(is sound.target)" = active ]
report $? "a sound card is plugged in: its state is restored" "$(is sound.target) $(ls /dev/snd)"
# What a rule says of each device; not that of modules and radio switches, which call for units of systemd's own.
facts() {
	udevadm info -e | awk '/^P: /{p=$2} /^E: SYSTEMD_(WANTS|USER_WANTS|ALIAS|READY)=/{print p, $2} /^E: CURRENT_TAGS=.*:systemd:/{print p, "tagged"}' |
		grep -v "^/module/\|/rfkill " | sort
}
trigger() { udevadm control --reload && udevadm trigger --action=add && udevadm settle; }
trigger
facts >/tmp/theirs
mkdir -p /run/udev/rules.d
ln -s /dev/null /run/udev/rules.d/99-systemd.rules
cp /usr/lib/hark/rules/99-hark.rules /run/udev/rules.d/
trigger
facts >/tmp/ours
grep -q smartcard.target /tmp/ours && grep -q printer.target /tmp/ours && cmp /tmp/ours /tmp/theirs
report $? "hark's own rules ask for the same, of each of $(wc -l </tmp/ours) properties" "$(diff /tmp/theirs /tmp/ours)"

echo "monitor device_del ccid"
echo "monitor device_del sound"
until_is smartcard.target inactive && until_is sound.target inactive && runs pcscd.service pcscd
report $? "unplugged: both targets are gone, and pcscd is not disturbed" "$(is smartcard.target) $(is sound.target) $(harkctl status pcscd.service)"
echo "checks done"
X
vm_checks_and_end "the machine ends in order"
echo "rows: D2 D3 D4 D19 D52"
finish
