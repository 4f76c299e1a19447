#!/bin/bash
# SPDX-License-Identifier: MIT
# A real dbus-daemon started by hark: hark has its name on it as soon as it runs, services of Type=dbus are ready when their name is owned, a
# call of a name starts its unit, a unit that cannot start is told at once and with the reason. HARK_BROKER names a folder with the programs of
# dbus-broker, which is the bus then (broker.sh).
. "$(dirname "$(readlink -f "$0")")/lib.sh"
command -v dbus-daemon >/dev/null && command -v dbus-send >/dev/null || skip_all "no dbus-daemon"
[ -x "$BIN/hark-bus" ] || skip_all "no hark-bus: built without libdbus-1"
mkdir -p "$T/names/units" "$T/services" /run/systemd/system
UNITS=$T/names/units
put() { cat >"$UNITS/$1"; }
BUS=
if [ -n "$HARK_BROKER" ]; then
	mount -t overlay -o "lowerdir=$HARK_BROKER:/usr/bin" broker /usr/bin || skip_all "no overlay of the programs"
	BUS="/usr/bin/dbus-broker-launch --scope system --config-file $T/bus.conf"
	# It refuses to start without a journal.
	printf 'import socket\ns = socket.socket(fileno=3)\nwhile True:\n    print(s.recv(65536), flush=True)\n' >"$T/journal.py"
	put journal.service <<X
[Unit]
DefaultDependencies=no
[Service]
ExecStart=$(command -v python3) $T/journal.py
StandardOutput=file:$T/journal
X
	put journal.socket <<X
[Unit]
DefaultDependencies=no
[Socket]
ListenDatagram=/run/systemd/journal/socket
X
fi
service() { # BUS-NAME UNIT
	printf '[D-BUS Service]\nName=%s\nExec=/bin/false\nUser=root\nSystemdService=%s\n' "$1" "$2" >"$T/services/$1.service"
}
# As Debian's package systemd brings it: who calls before the name is there waits for it.
printf '[D-BUS Service]\nName=org.freedesktop.systemd1\nExec=/bin/false\nUser=root\n' >"$T/services/org.freedesktop.systemd1.service"
service org.hark.Good good.service
service org.hark.Bad bad.service
service org.hark.None none.service
service org.hark.Masked masked.service
service org.hark.Silent silent.service
service org.hark.Late late.service
service org.hark.LateBad latebad.service
system_bus "$BUS"
put good.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=dbus
BusName=org.hark.Good
ExecStart=$NS_BIN/own_name org.hark.Good 300
X
put bad.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=dbus
BusName=org.hark.Bad
ExecStart=/bin/false
X
put silent.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=dbus
BusName=org.hark.Silent
TimeoutStartSec=1
ExecStart=$PAYLOAD pause
X
put slow@.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=dbus
BusName=org.hark.Slow%i
TimeoutStartSec=30
ExecStart=$PAYLOAD pause
X
for i in $(seq 140); do
	service "org.hark.Slow$i" "slow@$i.service"
done
ln -s /dev/null "$UNITS/masked.service"
cp "$NS_BIN/long_call" "$T/long_call"
hark_up names || finish
send() { timeout 20 dbus-send --system --print-reply --reply-timeout=15000 --dest="$1" / org.freedesktop.DBus.Peer.Ping 2>&1; }
took() { # COMMAND...: what it says is in $T/said
	start_clock
	"$@" >"$T/said"
	stop_clock
}

[ -n "$HARK_BROKER" ] && ctl start journal.socket >/dev/null
ctl start dbus.socket >/dev/null
is "no bus runs" "" inactive "$(ctl is-active dbus.service)"
ok_if "the first call starts the bus, the name, the service" "D12" sh -c "$(declare -f send); send org.hark.Good | grep -q 'method return'"
ok_if "its unit is active" "" wait_for "ctl is-active good.service"
# dbus-broker asks as any client does, dbus-daemon by a message of its own.
[ -n "$HARK_BROKER" ] || ok_if "why says so" "" sh -c "$BIN/harkctl why good.service | grep -q 'bus name was called'"
is "it took its name before it counted as started" "" "" "$(ctl status good.service | grep 'counts as ready')"
# dbus-broker tells its callers which kind of failure it was, dbus-daemon our own words.
says() { if [ -n "$HARK_BROKER" ]; then echo "Could not activate.*$1"; else echo "$2"; fi; }
took send org.hark.Bad
ok_if "a service that dies is told with its reason" "" grep -q "$(says 'job failed' 'bad.service.*exit')" "$T/said"
in_time "... within a second" "D18" 1000 $TOOK $STALLED
took send org.hark.None
ok_if "a unit that is not there" "" grep -q "$(says 'unknown unit' 'NoSuchUnit.*none.service')" "$T/said"
in_time "... within a second" "D18" 1000 $TOOK $STALLED
took send org.hark.Masked
ok_if "a masked unit" "" grep -q "$(says masked masked)" "$T/said"
in_time "... within a second" "D18" 1000 $TOOK $STALLED
took send org.hark.Silent
ok_if "a service that never takes its name" "" grep -q "$(says 'job failed' silent.service)" "$T/said"
between "... after its time" "" 900 3000 $TOOK $STALLED
# More are called that are not ready for long than hark-bus has connections for: who asks something else is answered.
for i in $(seq 140); do
	echo "timeout 20 dbus-send --system --dest=org.hark.Slow$i / org.hark.Slow.Call"
done | sh
wait_for '[ "$(ctl list --state=activating "slow@*.service" 2>/dev/null | grep -c slow@)" -ge 128 ]'
took timeout 20 dbus-send --system --print-reply --dest=org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager.ListUnits
ok_if "while 140 slow services are called, hark-bus answers others" "" grep -q slow@100.service "$T/said"
in_time "... and does not wait for them" "" 3000 $TOOK $STALLED
ctl stop 'slow@*.service' >/dev/null 2>&1
ok_if "our own name answers on the bus" "" sh -c "$(declare -f send); send org.freedesktop.systemd1 | grep -q 'method return'"
ask() { # VERB UNIT: what org.hark1 answers
	timeout 10 dbus-send --system --print-reply --dest=org.freedesktop.systemd1 /org/hark1 org.hark1.Manager.Ask "string:$1" "array:string:$2" dict:string:string: 2>&1
}
ok_if "org.hark1 tells why a unit runs" "" sh -c "$(declare -f ask); ask why good.service | grep -q 'string \"because\"'"
ok_if "... also by a name of its own" "" sh -c "timeout 10 dbus-send --system --print-reply --dest=org.hark1 /org/hark1 org.hark1.Manager.Ask \
	string:why array:string:good.service dict:string:string: | grep -q 'string \"because\"'"
ok_if "... and takes only questions" "" sh -c "$(declare -f ask); ask monitor x | grep -q 'InvalidArgs'"
ok_if "... and changes from root only" "" sh -c "[ \"\$(setpriv --reuid=65534 --regid=65534 --clear-groups timeout 10 dbus-send --system --print-reply \
	--dest=org.freedesktop.systemd1 /org/hark1 org.hark1.Manager.Ask string:stop array:string:good.service dict:string:string: | grep -c 'int32 4')\" = 1 ] && [ \$($BIN/harkctl is-active good.service) = active ]"
# What any user may do to the bus does nothing to the others.
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups timeout 15 "$@" 2>&1; }
ok_if "... none that would never end" "" sh -c "$(declare -f as_nobody); as_nobody dbus-send --system --print-reply --dest=org.freedesktop.systemd1 /org/hark1 \
	org.hark1.Manager.Ask string:logs array:string:good.service dict:string:string:follow,x | grep -q InvalidArgs"
as_nobody dbus-send --system --type=signal --dest=org.freedesktop.systemd1 /org/freedesktop/DBus org.freedesktop.DBus.NameOwnerChanged \
	string:org.hark.Good string::1.1 string:
sleep 0.3
is "nobody but the bus says who has lost a name" "" active "$(active good.service)"
bus=$(ctl show -p MainPID --value hark-bus.service)
links() { timeout 10 dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetNameOwner string:org.freedesktop.systemd1 | grep -o '":[^"]*"'; }
link=$(links)
is "a message longer than most does not cost hark-bus its connection" "" "org.freedesktop.DBus.Error.InvalidArgs $link $bus" \
	"$(as_nobody "$T/long_call" 6000000) $(links) $(ctl show -p MainPID --value hark-bus.service)"
# polkit takes its time, and who asked does not wait for it, nor does the unit.
manage() { # METHOD ARGUMENT...: by a user, for whom polkit is asked
	as_nobody dbus-send --system --print-reply --reply-timeout="$PATIENCE" --dest=org.freedesktop.systemd1 /org/freedesktop/systemd1 "org.freedesktop.systemd1.Manager.$@"
}
put polkit.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=dbus
BusName=org.freedesktop.PolicyKit1
ExecStart=$NS_BIN/polkit 300 -
X
for i in asked gone; do printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" | put $i.service; done
ctl daemon-reload >/dev/null
ctl start polkit.service >/dev/null
PATIENCE=10000
is "what polkit says late is done late" "" "1 active" "$(manage StartUnit string:asked.service string:replace | grep -c object) $(ctl is-active asked.service)"
PATIENCE=50
manage StopUnit string:asked.service string:replace >/dev/null
manage StartUnit string:gone.service string:replace >/dev/null
manage ReloadUnit string:polkit.service string:replace >/dev/null
rm "$UNITS/gone.service"
ctl daemon-reload >/dev/null
kill -KILL "$(manager_pid)"
sleep 1.2
PATIENCE=10000
is "what polkit says when the caller, the unit and the manager are gone harms nobody" "" "$bus inactive 0" \
	"$(ctl show -p MainPID --value hark-bus.service) $(ctl is-active gone.service) $(send org.hark.Good >/dev/null; echo $?)"
ctl stop polkit.service >/dev/null
# A bus that stands still.
kill -STOP "$(main_of dbus.service)"
ok_if "while the bus stands still services start" "" timeout 20 "$BIN/harkctl" restart asked.service
ok_if "... and everybody is answered" "" timeout 20 "$BIN/harkctl" status asked.service
kill -CONT "$(main_of dbus.service)"
ok_if "... and then it is served again" "" wait_for 'send org.hark.Good | grep -q "method return"' 20
# What stands in a file that others may not read.
printf '[Service]\nExecStart=%s pause\nEnvironment=TOKEN=secret-word\nSetCredential=a:secret-word\n' "$PAYLOAD" | put keeps.service
chmod 600 "$UNITS/keeps.service"
ctl start keeps.service >/dev/null
properties() { # USER
	setpriv --reuid="$1" --clear-groups timeout 10 dbus-send --system --print-reply --dest=org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/keeps_2eservice \
		org.freedesktop.DBus.Properties.GetAll string: 2>&1
}
is "what stands in a file that others may not read is for root alone, on the bus, too" "" "0 1 1" \
	"$(properties 65534 | grep -c secret-word) $(properties 65534 | grep -c '"ActiveState"') $(properties 0 | grep -c TOKEN=secret-word)"
if command -v systemctl >/dev/null; then
	export SYSTEMD_IGNORE_CHROOT=1
	is "another user's systemctl reads over the bus" "" active \
		"$(setpriv --reuid=65534 --regid=65534 --clear-groups timeout 10 systemctl is-active good.service 2>&1)"
	ok_if "... and may not stop anything" "" sh -c "! setpriv --reuid=65534 --regid=65534 --clear-groups timeout 10 systemctl --no-ask-password stop good.service && [ \$($BIN/harkctl is-active good.service) = active ]"
fi
put forks.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=forking
PIDFile=$T/forks.pid
ExecStart=$PAYLOAD daemon pidfile $T/forks.pid 300 pause
X
ctl daemon-reload >/dev/null
ctl stop good.service >/dev/null
took ctl start good.service
ms=$TOOK
took ctl start forks.service
forking=$TOOK
ok_if "ready when the name is on the bus ($ms ms), or when it has forked and its pid file is there ($forking ms)" "D+21" \
	sh -c "[ $ms -ge 290 -a $forking -ge 290 ] && [ \"\$($BIN/harkctl show -p MainPID --value forks.service)\" = \"\$(cat $T/forks.pid)\" ]"
# A service that loses its name stops; one that has Restart= comes back.
put loses.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=dbus
BusName=org.hark.Loses
ExecStart=$NS_BIN/own_name org.hark.Loses 0 500
X
put returns.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=dbus
BusName=org.hark.Returns
Restart=always
RestartSec=0
ExecStart=$NS_BIN/own_name org.hark.Returns 0 500
X
ctl daemon-reload >/dev/null
ctl start loses.service returns.service
pid=$(main_of loses.service)
ok_if "a service that gives its name up stops" "" wait_active loses.service inactive
is "... its process, too" "" gone "$(alive "$pid" && echo alive || echo gone)"
ok_if "... and with Restart=always is started again" "" wait_for '[ "$(prop returns.service NRestarts)" -ge 1 ] && [ "$(active returns.service)" = active ]'
ctl stop returns.service
# systemd-run --wait holds its unit, so that it can ask how it ended: one that stands still for longer than units are kept of their own accord,
# over all that happens below, and one that is killed.
holds() { ctl holds | grep -c "$1"; }
if command -v systemd-run >/dev/null; then
	systemd-run --wait -G -q --unit=held.service sh -c 'sleep 0.3; exit 7' </dev/null >"$T/held" 2>&1 &
	holder=$!
	ok_if "systemd-run --wait holds its unit" "" wait_for '[ "$(holds held.service)" = 1 ]'
	kill -STOP $holder
	systemd-run --wait -q --unit=dropped.service sleep 0.3 </dev/null >"$T/dropped" 2>&1 &
	wait_for '[ "$(holds dropped.service)" = 1 ]'
	kill -STOP $!
	disown
	wait_active dropped.service inactive
	is "... which stays when it has ended" "" loaded "$(prop dropped.service LoadState)"
	kill -9 $!
	ok_if "... until who waits for it is gone" "" wait_for '[ "$(prop dropped.service LoadState)" = not-found ]'
	ended=$(now_ms)
fi
# Units of names: what a name on the bus wants runs while somebody has it. Nobody asked for the file of the name; there is none.
put seen.service <<X
[Unit]
DefaultDependencies=no
BindsTo=org.hark.Seen.busname
After=org.hark.Seen.busname
[Service]
ExecStart=$PAYLOAD pause
[Install]
WantedBy=org.hark.Seen.busname
X
put later.service <<X
[Unit]
DefaultDependencies=no
Requires=org.hark.Later.busname
After=org.hark.Later.busname
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
X
put known.service <<X
[Unit]
DefaultDependencies=no
[Service]
ExecStart=$PAYLOAD pause
[Install]
WantedBy=org.freedesktop.DBus.busname
X
bus_pid() { ctl show -p MainPID --value hark-bus.service | grep -v '^0$'; } # kill 0 would be us
own() {
	"$NS_BIN/own_name" "$1" "${2:-0}" &
	STARTED+=($!)
	disown
}
owned() { wait_active org.hark.Seen.busname active && wait_active seen.service active; }
lost() { wait_active org.hark.Seen.busname inactive && wait_active seen.service inactive; }
ctl daemon-reload >/dev/null
ok_if "a name that is there already pulls in what has just come" "" wait_active known.service active
own org.hark.Seen
owner=$!
ok_if "a name appears on the bus: what is wanted by it starts" "" owned
is "... owned, in words" "" owned "$(prop org.hark.Seen.busname SubState)"
ok_if "... why says so" "" sh -c "$BIN/harkctl why seen.service | grep -q 'org.hark.Seen.busname got an owner'"
kill -9 $owner
ok_if "it disappears: what is bound to it stops" "" lost
own org.hark.Later 400
took ctl start later.service
ms=$TOOK
ok_if "what is ordered after a name waits for it ($ms ms)" "" sh -c "[ $ms -ge 300 ] && [ \$($BIN/harkctl is-active later.service) = active ]"
own org.hark.Seen
owner=$!
owned
kill -9 "$(manager_pid)"
is "a name outlives the manager" "" "active active" "$(active org.hark.Seen.busname) $(active seen.service)"
pid=$(main_of seen.service)
kill -9 "$(bus_pid)"
sleep 0.2
is "... and hark-bus" "" "active $pid" "$(active org.hark.Seen.busname) $(main_of seen.service)"
# Of the loss nobody hears: hark-bus stands still when it happens, and is dead when it could be read.
bus=$(bus_pid)
kill -STOP "$bus"
kill -9 $owner
wait_for "! alive $owner"
kill -9 "$bus"
ok_if "a name lost while hark-bus is dead" "" lost
own org.hark.Seen
owner=$!
owned
bus=$(bus_pid)
kill -STOP "$bus" "$(manager_pid)"
kill -9 $owner "$bus" "$(manager_pid)"
ok_if "... while it and the manager are" "" lost
put drops.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=dbus
BusName=org.hark.Drops
ExecStart=$NS_BIN/own_name org.hark.Drops 0 400
X
ctl start drops.service >/dev/null
bus=$(bus_pid)
kill -STOP "$bus"
wait_for '! timeout 20 dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetNameOwner string:org.hark.Drops'
kill -9 "$bus"
ok_if "... of a service, which stops" "" wait_active drops.service inactive
if command -v busctl >/dev/null; then
	put slowly.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=$PAYLOAD pause
X
	ctl daemon-reload >/dev/null
	ctl stop good.service >/dev/null
	manager() { timeout 10 busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager "$@" 2>&1; }
	ok_if "StartUnitReplace() takes the place of a start" "" sh -c "$(declare -f manager); manager StartUnitReplace sss slowly.service good.service replace | grep -q 'No job queued'"
	ctl start --no-wait slowly.service >/dev/null
	job=$(manager StartUnitReplace sss slowly.service good.service replace)
	ok_if "... that is there" "" sh -c "case '$job' in 'o \"/org/freedesktop/systemd1/job/'*) ;; *) exit 1 ;; esac"
	ok_if "... and starts the other" "" wait_active good.service active
	ctl stop slowly.service >/dev/null
fi
# Exactly one answer a request, whoever dies between the request and its end.
put late.service <<X
[Unit]
DefaultDependencies=no
StartLimitIntervalSec=0
[Service]
Type=dbus
BusName=org.hark.Late
ExecStart=$NS_BIN/own_name org.hark.Late 400
X
put latebad.service <<X
[Unit]
DefaultDependencies=no
StartLimitIntervalSec=0
[Service]
Type=dbus
BusName=org.hark.LateBad
ExecStart=/bin/sh -c 'sleep ${HARK_BROKER:+2}.4; exit 3'
X
ctl daemon-reload >/dev/null
timeout 60 dbus-monitor --system "interface='org.freedesktop.systemd1.Activator',member='ActivationFailure'" >"$T/failures" 2>&1 &
STARTED+=($!)
answers() { # WHAT COMMAND: runs it while both services start; how the two callers are answered, after how long at most
	local begin
	begin=$(now_ms)
	send org.hark.Late >"$T/late" &
	local late=$!
	send org.hark.LateBad >"$T/latebad" &
	wait_active late.service activating
	wait_active latebad.service activating
	eval "$2"
	wait $late $!
	ms=$(($(now_ms) - begin))
	is "$1: who calls is answered ($ms ms)" "" "1 1" "$(grep -c 'method return' "$T/late") $(grep -cE 'latebad.service.*exit|Could not activate.*job failed' "$T/latebad")" ||
		cat "$T/latebad"
	ctl stop late.service >/dev/null
	wait_for '[ "$(active latebad.service)" = failed ]'
}
answers "the manager dies" 'kill -9 "$(manager_pid)"'
answers "hark-bus dies" 'kill -9 "$(bus_pid)"'
answers "both die" 'kill -9 "$(bus_pid)" "$(manager_pid)"'
# dbus-broker asks by ordinary calls, of which hark-bus stores nothing: it has to be there again before the other fails.
[ -n "$HARK_BROKER" ] || answers "both die twice" 'for i in 1 2; do wait_for bus_pid; kill -9 "$(bus_pid)" "$(manager_pid)"; sleep 0.05; done'
[ -n "$HARK_BROKER" ] || is "... each once" "" 4 "$(grep -c 'member=ActivationFailure' "$T/failures")"
if [ -n "$holder" ]; then
	while [ $(($(now_ms) - ended)) -lt 5600 ]; do sleep 0.1; done
	is "a unit that is held is kept, over deaths of hark-bus and the manager" "" "1 failed" "$(holds held.service) $(active held.service)"
	is "... and so is what a second client needs of it" "" 0 "$(timeout 20 busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager RefUnit s held.service >/dev/null; echo $?)"
	kill -CONT $holder
	wait $holder
	is "... who waits hears how it ended" "" 7 $?
	ok_if "... and holds it no longer" "" wait_for '[ "$(holds held.service)" = 0 ]'
fi
kill -9 "$(manager_pid)"
ctl stop good.service >/dev/null
ok_if "over a killed manager" "" sh -c "$(declare -f send); send org.hark.Good | grep -q 'method return'"
ctl restart dbus.service >/dev/null
ctl stop good.service >/dev/null 2>&1
# dbus-broker asks as any client does.
next=$CGROUP/system.slice/good.service/cgroup.procs
[ -n "$HARK_BROKER" ] || ok_if "a new cgroup is there for the next call" "" wait_for "[ -e $next ] && [ -z \"\$(cat $next)\" ]"
ok_if "over a new bus" "" wait_for "timeout 20 dbus-send --system --print-reply --dest=org.hark.Good / org.freedesktop.DBus.Peer.Ping"
finish
