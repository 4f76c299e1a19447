#!/bin/bash
# SPDX-License-Identifier: MIT
# What udev's properties say of a device: the units that it wants of the system and of users, at each plug, its aliases, whether it is ready, whether
# mounts end with it, its name when udev gives it another one. Demand H-22: what is started at each event of a device, and ends with it.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/udev.sh"
cat >/run/udev/rules.d/99-hark-test.rules <<'X'
SUBSYSTEM!="net", GOTO="end"
ACTION=="remove", GOTO="end"
KERNEL=="hkw*", ENV{SYSTEMD_WANTS}+="ours@%k.service while@%k.service", ENV{SYSTEMD_USER_WANTS}+="mine@%k.service"
KERNEL=="hkw*", ENV{HARK_WANTS_EVERY}+="each@%k.service along@%k.service held@%k.service", ENV{HARK_USER_WANTS_EVERY}+="minetoo@%k.service"
KERNEL=="hka*", ENV{SYSTEMD_ALIAS}+="/alias/one/%k /alias/two relative"
KERNEL=="hka*", ATTR{ifalias}=="other", ENV{SYSTEMD_ALIAS}="/alias/three"
KERNEL=="hkr*", ENV{SYSTEMD_WANTS}+="ours@%k.service"
KERNEL=="hkr*", ATTR{ifalias}!="ready", ENV{SYSTEMD_READY}="0"
KERNEL=="hkm*", ENV{SYSTEMD_ALIAS}+="/dev/%k"
KERNEL=="hkmbound", ENV{SYSTEMD_MOUNT_DEVICE_BOUND}="yes"
KERNEL=="hkmodd", ENV{SYSTEMD_MOUNT_DEVICE_BOUND}="perhaps"
ACTION=="add", KERNEL=="hkold*", NAME="hknew%n"
KERNEL=="hknew*", ENV{SYSTEMD_WANTS}+="ours@%k.service"
LABEL="end"
X
counted ours@.service
counted each@.service
counted while@.service StopWhenUnneeded=yes
sed -i 's/^ExecStart=.*/ExecStart=-true/; s/^\[Service\]/&\nType=oneshot/' "$UNITS/each@.service"
counted along@.service
counted held@.service
counted holder@.service "Requires=held@%i.service"
counted bound@.service "BindsTo=sys-subsystem-net-devices-%i.device"
for name in hkmbound hkmfree; do
	put "run-$name.mount" <<X
[Unit]
DefaultDependencies=no
[Mount]
What=/dev/$name
Where=/run/$name
Type=tmpfs
X
done
hark_up dev || finish

# The manager of a user, with a hark-udev of its own.
MINE=$T/mine
mkdir -p "$MINE"/{units,run}
sed "s|/usr/lib/hark/hark-udev|$BIN/hark-udev|" "$TOP/units/hark-udev.service" >"$MINE/units/hark-udev.service"
mkdir "$MINE/units/hark-udev.service.d"
printf '[Service]\nEnvironment=HARK_RUN_DIR=%s\n' "$MINE/run" >"$MINE/units/hark-udev.service.d/run.conf"
sed "s|/ran-ours|/mine/ran|" "$UNITS/ours@.service" >"$MINE/units/mine@.service"
sed "s|/ran-each|/mine/ran-too|" "$UNITS/each@.service" >"$MINE/units/minetoo@.service"
printf '[Unit]\nDefaultDependencies=no\nWants=hark-udev.service\n' >"$MINE/units/test.target"
chown -R 1234 "$MINE"
mine() { HARK_RUN_DIR=$MINE/run ctl "$@"; }

ok_if "Debian's udevd runs" "" ctl start systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udevd.service
ok_if "hark-udev comes with it" "" wait_active hark-udev.service active
HOME=$MINE setpriv --reuid=1234 --regid=1234 --clear-groups setsid "$BIN/hark-init" --unit-path "$MINE/units" --run-dir "$MINE/run" --default test.target \
	>"$MINE/log" 2>&1 </dev/null &
STARTED+=($!)
ok_if "a user's manager has a hark-udev of its own" "" wait_for 'mine is-active hark-udev.service'

pair() { ip link add "$1" type veth peer name "x$1"; }
pair hkw0
ok_if "SYSTEMD_WANTS is the system's" "" runs ours hkw0 1
ok_if "HARK_WANTS_EVERY: it comes" "" runs each hkw0 1
echo change >/sys/class/net/hkw0/uevent
ok_if "... and each time it changes" "" runs each hkw0 2
is "... what SYSTEMD_WANTS started once is not started again" "" 1 "$(ran ours hkw0)"
ok_if "SYSTEMD_USER_WANTS is the user's" "" wait_for '[ "$(cat "$MINE/ran")" = hkw0 ]'
ok_if "... and so is HARK_USER_WANTS_EVERY" "" wait_for '[ "$(grep -c hkw0 "$MINE/ran-too")" -ge 1 ]'
is "... and no one's else" "" "inactive inactive" "$(active mine@hkw0.service) $(mine show ours@hkw0.service | sed -n 's/^ActiveState=//p')"
ctl stop ours@hkw0.service >/dev/null
mine stop mine@hkw0.service >/dev/null
is "what is wanted only while the device is there runs" "" active "$(active while@hkw0.service)"
ctl start holder@hkw0.service >/dev/null
kill -9 "$(manager_pid)"
wait_for 'ctl is-active hark-udev.service'
timeout 20 udevadm settle
ip link del hkw0
wait_dead hkw0
ok_if "what HARK_WANTS_EVERY started ends with the device, which a new manager knows" "" wait_active along@hkw0.service inactive
is "... but not what somebody else needs" "" active "$(active held@hkw0.service)"
ctl stop holder@hkw0.service held@hkw0.service >/dev/null
ok_if "... and stops with it" "" wait_active while@hkw0.service inactive
pair hkw0
ok_if "plugged in again: started again, by both" "" wait_for '[ "$(ran ours hkw0)$(grep -c hkw0 "$MINE/ran")" = 22 ]'
ip link set hkw0 name hkw1
ok_if "a new name: the template's new instance, for both" "" wait_for '[ "$(ran ours hkw1)$(grep -c hkw1 "$MINE/ran")" = 11 ]'
is "... once" "" 2 "$(ran ours hkw0)"
pid=$(mine show hark-udev.service | sed -n 's/^MainPID=//p')
kill -9 "$(pgrep -U 1234 -x harkd)"
ok_if "a killed manager of the user's hears of all of them" "" wait_for "mine is-active $(dev hkw1)"
kill -9 "$(manager_pid)"
wait_for 'ctl is-active hark-udev.service'
timeout 20 udevadm settle
wait_for "ctl is-active $(dev hkw1)"
is "... nor does one of the system's what is started at each change" "" "3 1" "$(ran each hkw0) $(ran each hkw1)"
is "... from the same hark-udev, and starts nothing twice" "" "$pid 1" "$(mine show hark-udev.service | sed -n 's/^MainPID=//p') $(grep -c hkw1 "$MINE/ran")"

pair hka0
ok_if "each path of SYSTEMD_ALIAS is a unit" "" wait_for 'ctl is-active alias-one-hka0.device && ctl is-active alias-two.device'
is "... of that device" "" /sys/devices/virtual/net/hka0 "$(prop alias-two.device SysFSPath)"
ok_if "what is no path is told of" "" sh -c "$BIN/harkctl status hark-udev.service | grep -q 'SYSTEMD_ALIAS has \"relative\"'"
change() { ip link set "$1" alias "$2" && echo change >"/sys/class/net/$1/uevent"; }
change hka0 other
ok_if "other aliases: the old ones are gone" "" wait_for 'ctl is-active alias-three.device && ! ctl is-active alias-two.device && ! ctl is-active alias-one-hka0.device'
is "... the device is not disturbed" "" active "$(active "$(dev hka0)")"

pair hkr0
timeout 20 udevadm settle
is "SYSTEMD_READY=0: it is not there, and nothing starts" "" "inactive 0" "$(active "$(dev hkr0)") $(ran ours hkr0)"
change hkr0 ready
ok_if "it is ready: plugged, and what it wants starts" "" runs ours hkr0 1
ctl start bound@hkr0.service >/dev/null
change hkr0 again
ok_if "not any more: what is bound to it stops" "" wait_active bound@hkr0.service inactive

for name in hkmbound hkmfree hkmodd; do pair $name; done
ok_if "mounts of two devices" "" ctl start run-hkmbound.mount run-hkmfree.mount
for name in hkmbound hkmfree; do ip link del $name; done
ok_if "SYSTEMD_MOUNT_DEVICE_BOUND: it is unmounted with its device" "" wait_for '! findmnt /run/hkmbound'
ok_if "... by its unit, which says why" "" sh -c "$BIN/harkctl why run-hkmbound.mount | grep -q dev-hkmbound.device"
ok_if "... and without it not" "" findmnt /run/hkmfree
ok_if "a value that is neither yes nor no is told of" "" in_log 'SYSTEMD_MOUNT_DEVICE_BOUND is "perhaps"'

pair hkold5
ok_if "a name that udev gives: the unit of the new name" "" wait_sub "$(dev hknew5)" plugged
ok_if "... and none of the old one" "" wait_dead hkold5
ok_if "... and what wants the new one is started" "" runs ours hknew5 1
finish
