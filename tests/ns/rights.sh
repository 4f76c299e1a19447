#!/bin/bash
# SPDX-License-Identifier: MIT
# Who may do what over D-Bus, on a real dbus-daemon: an ordinary user to units in every state, with polkit (played by tests/ns/polkit.c, which hears what
# rules ask for) and without; a polkit that answers when who asked is gone; and a bus that stands still.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
command -v dbus-daemon >/dev/null && command -v busctl >/dev/null || skip_all "no dbus-daemon"
[ -x "$NS_BIN/polkit" ] || skip_all "no hark-bus: built without libdbus-1"
UNITS=$T/rights/units
mkdir -p "$UNITS" /run/systemd/system
put() { printf '[Unit]\nDefaultDependencies=no\n[Service]\n%b' "$2" >"$UNITS/$1.service"; }
put up "ExecStart=$PAYLOAD pause\nExecReload=/bin/true\n"
put down "ExecStart=$PAYLOAD pause\n"
put failed 'Type=oneshot\nExecStart=/bin/false\n'
put starting "Type=oneshot\nExecStart=$PAYLOAD pause\n"
put stopping "TimeoutStopSec=infinity\nExecStart=$PAYLOAD pause\nExecStop=$PAYLOAD pause\n"
put between 'Restart=always\nRestartSec=1h\nExecStart=/bin/true\n'
put frozen "ExecStart=$PAYLOAD pause\n"
ln -s /dev/null "$UNITS/masked.service"
system_bus
hark_up rights || finish
ctl start dbus.socket hark-bus.socket >/dev/null
ctl start up.service >/dev/null
ctl start failed.service >/dev/null 2>&1
ctl start --no-wait starting.service between.service >/dev/null
ctl start stopping.service frozen.service >/dev/null
ctl stop --no-wait stopping.service >/dev/null
ctl freeze frozen.service >/dev/null 2>&1
wait_for '[ "$(prop stopping.service SubState) $(prop between.service SubState) $(prop failed.service SubState)" = "stop auto-restart failed" ]' 10
names="up down failed starting stopping between frozen masked missing"
states() { for u in $names; do echo "$u $(prop "$u.service" ActiveState) $(prop "$u.service" SubState) $(prop "$u.service" MainPID) $(prop "$u.service" Job) $(prop "$u.service" InvocationID)"; done; }
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups timeout 20 "$@" 2>&1; }
call() { nobody busctl call org.freedesktop.systemd1 "$@" </dev/null; }
manager() { call /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager "$@"; }
bus_pid() { ctl show -p MainPID --value hark-bus.service | grep -v '^0$'; }

# The same of each state; how often it was refused for want of rights.
every_request() { # UNIT: 12 requests
	local path=/org/freedesktop/systemd1/unit/${1}_2eservice unit=org.freedesktop.systemd1.Unit
	for verb in StartUnit StopUnit ReloadUnit RestartUnit TryRestartUnit ReloadOrRestartUnit; do manager $verb ss "$1.service" replace; done
	manager KillUnit ssi "$1.service" all 9
	manager ResetFailedUnit s "$1.service"
	manager SetUnitProperties 'sba(sv)' "$1.service" true 1 Markers as 1 needs-restart
	manager StartTransientUnit 'ssa(sv)a(sa(sv))' "$1.service" replace 0 0
	call "$path" $unit Stop s replace
	call "$path" $unit Clean as 1 all
}
before=$(states)
for u in $names; do every_request "$u"; done >"$T/refused"
is "nothing that an ordinary user asks for is done, whatever state the unit is in" "" "$before" "$(states)"
is "... each request is refused, for want of rights" "" "108 0" "$(grep -c '^Call failed: Access denied' "$T/refused") $(grep -vc '^Call failed: Access denied' "$T/refused")"
is "... and so by harkctl" "" "$(for u in $names; do echo 4 4; done | paste -sd' ')" \
	"$(for u in $names; do nobody "$BIN/harkctl" stop "$u.service" >/dev/null; echo $?; nobody "$BIN/harkctl" kill "$u.service" >/dev/null; echo $?; done | paste -sd' ')"

bus=$(bus_pid)
first=$(manager_pid)
many=${HARK_FULL:+5000}
: "${many:=300}"
setpriv --reuid=65534 --regid=65534 --clear-groups timeout 600 python3 "$HERE/busasks.py" /run/dbus/system_bus_socket "$TOP/src/activate/bus_api.def" 1 $many \
	up.service down.service failed.service starting.service stopping.service masked.service >"$T/asks" 2>&1
is "$many calls of a user, of each method, with anything in them: each is answered" "" "answered $many of $many" "$(xargs <"$T/asks")"
is "... nothing has changed, and nobody died of it" "" "$before $first $bus" "$(states) $(manager_pid) $(bus_pid)"

# Rules of polkit ask for the unit and the verb.
"$NS_BIN/polkit" 0 up.service </dev/null >"$T/asked" 2>&1 &
STARTED+=($!)
disown
polkit=$!
wait_for 'busctl status org.freedesktop.PolicyKit1' 5
is "who is allowed one unit restarts it" "" 0 "$(manager RestartUnit ss up.service replace >/dev/null; echo $?)"
is "... and no other" "" 1 "$(manager StartUnit ss down.service replace >/dev/null; echo $?)"
is "... polkit was told which, and what for" "" "manage-units unit=up.service verb=restart;manage-units unit=down.service verb=start" "$(paste -sd';' "$T/asked")"
kill $polkit

# It takes its time, and who asked does not wait for it.
"$NS_BIN/polkit" 700 down.service </dev/null >"$T/asked" 2>&1 &
STARTED+=($!)
disown
wait_for 'busctl status org.freedesktop.PolicyKit1' 5
for u in down up; do
	setpriv --reuid=65534 --regid=65534 --clear-groups busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager \
		StartUnit ss $u.service replace </dev/null >/dev/null 2>&1 &
	asker=$!
	disown
	wait_for "grep -q unit=$u.service $T/asked" 10
	kill -9 $asker
done
is "while polkit thinks others are answered" "" 's "active"' "$(busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/up_2eservice org.freedesktop.systemd1.Unit ActiveState)"
ok_if "what it allows is done, though who asked is gone" "" wait_active down.service active 10
is "... and hark-bus is the same" "" "$bus" "$(bus_pid)"

# A bus that stands still.
daemon=$(main_of dbus.service)
kill -STOP "$daemon"
is "a bus that stands still keeps nobody else waiting" "" "0 0 active" \
	"$(ctl stop down.service >/dev/null; echo $?) $(ctl start down.service >/dev/null; echo $?) $(SYSTEMD_IGNORE_CHROOT=1 timeout 20 systemctl is-active down.service 2>&1)"
for _ in $(seq 40); do ctl restart down.service; done >/dev/null
kill -CONT "$daemon"
is "... and is served again when it goes on" "" "0 $bus" "$(busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager GetUnit s down.service >/dev/null; echo $?) $(bus_pid)"
finish
