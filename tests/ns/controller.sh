#!/bin/bash
# SPDX-License-Identifier: MIT
# Scopes that somebody on a real dbus-daemon ends (Controller=): who is asked in place of signals, by its own name or another, and what happens when
# it is not there, while hark-bus, the manager and the bus die.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
command -v dbus-daemon >/dev/null && command -v busctl >/dev/null || skip_all "no dbus-daemon"
[ -x "$NS_BIN/controller" ] || skip_all "no hark-bus: built without libdbus-1"
[ -n "$HARK_TEST_CGROUP" ] || skip_all "no cgroups"
UNITS=$T/control/units
mkdir -p "$UNITS" /run/systemd/system
system_bus
hark_up control || finish
ctl start dbus.socket hark-bus.socket >/dev/null
bus_pid() { ctl show -p MainPID --value hark-bus.service | grep -v '^0$'; } # kill 0 would be us
control() { # SCOPE ARGUMENT...: its controller in the background, which says in $T/SCOPE what it hears
	"$NS_BIN/controller" "$@" </dev/null >"$T/$1" 2>&1 &
	STARTED+=($!)
	disown
	wait_for "grep -q started $T/$1" 10
}
controller_of() { timeout 10 busctl get-property org.freedesktop.systemd1 "/org/freedesktop/systemd1/unit/${1%.scope}_2escope" org.freedesktop.systemd1.Scope Controller; }
said() { paste -sd' ' "$T/$1"; }
pid_of() { ctl show -p ControlGroup --value "$1" | sed "s|^|$(cgroup2_root)|; s|$|/cgroup.procs|" | xargs cat; }

ok_if "a scope with a controller starts" "" control one.scope -
ok_if "... which is told by its name" "" sh -c "case '$(controller_of one.scope)' in 's \":1.'*) ;; *) exit 1 ;; esac"
ok_if "stop ends it" "" ctl stop one.scope
is "... by asking who controls it: its process takes no SIGTERM" "" "started asked inactive success" "$(said one.scope) $(prop one.scope ActiveState) $(prop one.scope Result)"

control two.scope org.hark.Control
is "a name that others know, too" "" 's "org.hark.Control"' "$(controller_of two.scope)"
kill -9 "$(manager_pid)"
ctl stop two.scope
is "it is asked over a death of the manager" "" "started asked" "$(said two.scope)"

control three.scope -
kill -9 "$(bus_pid)"
ctl stop three.scope
is "... and of hark-bus" "" "started asked" "$(said three.scope)"

# It is asked, and both who asked are dead before it acts.
control four.scope - idle
ctl stop --no-wait four.scope
wait_for "grep -q asked $T/four.scope" 10
is "who is asked takes its time: nothing is killed meanwhile" "" "deactivating stop-sigterm" "$(prop four.scope ActiveState) $(prop four.scope SubState)"
kill -STOP "$(bus_pid)"
kill -9 "${STARTED[-1]}"
kill -9 "$(bus_pid)" "$(manager_pid)"
ok_if "when it has left the bus, they are sent the signal" "" wait_active four.scope inactive 10
is "... by the manager after" "" "started asked success" "$(said four.scope) $(prop four.scope Result)"

control five.scope - idle
ok_if "abandoned, it has no controller any more" "" sh -c "$BIN/harkctl abandon five.scope && [ -z \"\$($BIN/harkctl show -p Controller --value five.scope)\" ]"
ok_if "... and is ended as others are" "" ctl stop five.scope
is "... without it" "" started "$(said five.scope)"

control six.scope - idle
ctl stop dbus.service >/dev/null
ok_if "without a bus nobody can be asked" "" ctl stop six.scope
is "... and is not" "" started "$(said six.scope)"
ctl start dbus.socket >/dev/null
is "what is no name on a bus is refused" "" "Cannot set property Controller" "$(timeout 10 busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
	org.freedesktop.systemd1.Manager StartTransientUnit 'ssa(sv)a(sa(sv))' seven.scope fail 2 PIDs au 1 $$ Controller s 'not a name' 0 2>&1 |
	grep -o 'Cannot set property Controller')"
finish
