#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's own systemctl, unmodified, with hark behind the private socket: the socket is a unit, hark-bus starts at the first connection.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
command -v systemctl >/dev/null || skip_all "no systemctl"
[ -x "$BIN/hark-bus" ] || skip_all "no hark-bus: built without libdbus-1"
# Links go to the second.
HARK_TEST_UNIT_PATH=$T/systemctl/units:/run/systemd/system
hark_up systemctl || finish
mkdir -p /run/systemd/system
export SYSTEMD_IGNORE_CHROOT=1 SYSTEMD_PAGER= SYSTEMD_COLORS=0
sc() { timeout 10 systemctl "$@" 2>&1; }
# What it says and its exit status, on one line.
answer() { (sc "$@"; echo $?) | paste -sd" "; }
put() { cat >"$UNITS/$1"; }
bus_units
put hello.service <<X
[Unit]
Description=Says hello
DefaultDependencies=no
Documentation=man:true(1)
[Service]
ExecStart=$PAYLOAD pause
ExecReload=$PAYLOAD log $T/reloaded x
X
put fails.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/false
X
put echo.socket <<X
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=$T/echo
X
put echo.service <<X
[Service]
ExecStart=$PAYLOAD pause "two words" 'a"b'
X
ctl daemon-reload >/dev/null
ctl start hark-bus.socket >/dev/null

is "is-active of what is down" "" "inactive 3" "$(answer is-active hello.service)"
ok_if "hark-bus was started by the connection" "" wait_for "ctl is-active hark-bus.service"
is "start" "" "0" "$(sc start hello.service; echo $?)"
is "is-active" "" "active 0" "$(answer is-active hello.service)"
is "start of what runs is done at once" "" "0" "$(sc start hello.service; echo $?)"
pid=$(prop hello.service MainPID)
is "show has the manager's values" "" "ActiveState=active Description=Says hello MainPID=$pid" \
	"$(sc show -p MainPID,ActiveState,Description hello.service | sort | paste -sd' ')"
is "show has every property of a service" "" yes "$([ "$(sc show -a hello.service | wc -l)" -ge 280 ] && echo yes || sc show -a hello.service | wc -l)"
ok_if "status names the process" "" sh -c "systemctl status hello.service | grep -q 'Main PID: $pid'"
ok_if "... and so does that of its slice" "" sh -c "systemctl status system.slice | grep -A1 'hello.service$' | grep -q '$pid '"
ok_if "... and that of the whole system" "" sh -c "systemctl status | grep -A1 'hello.service$' | grep -q '$pid '"
ok_if "list-units" "" sh -c "systemctl list-units | grep -q 'hello.service *loaded active running Says hello'"
# systemd-analyze asks when the manager's own time began.
container=$(systemd-detect-virt --container 2>/dev/null)
began=$(sc show -p UserspaceTimestampMonotonic --value)
[ "${container:-none}" = none ] || began=0
is "it tells the kernel's time from its own, where there was a kernel before it" "" "$began" "$(sc show -p SecurityStartTimestampMonotonic --value)"
is "reload" "" "0 1" "$(sc reload hello.service; echo $?) $(wc -l <"$T/reloaded" 2>/dev/null)"
is "restart" "" 0 "$(sc restart hello.service; echo $?)"
is "... is another process" "" yes "$([ "$(prop hello.service MainPID)" != "$pid" ] && echo yes)"
is "kill" "" 0 "$(sc kill -s KILL hello.service; echo $?)"
ok_if "... and is-failed" "" wait_for 'systemctl is-failed hello.service'
is "reset-failed" "" "0 inactive" "$(sc reset-failed hello.service; echo $?) $(sc is-active hello.service)"
is "stop" "" 0 "$(sc stop hello.service; echo $?)"
is "a start that fails" "" 1 "$(sc start fails.service >/dev/null; echo $?)"
is "a unit that is not there" "" 5 "$(sc start nosuch.service >/dev/null; echo $?)"
is "a mode that is none" "" 1 "$(sc start --job-mode=nonsense hello.service >/dev/null; echo $?)"
is "status of a unit that is not there" "" 4 "$(sc status nosuch.service >/dev/null; echo $?)"
sc start echo.socket
ok_if "list-sockets" "" sh -c "systemctl list-sockets | grep -q '$T/echo *echo.socket *echo.service'"
ok_if "words of commands stay whole" "" sh -c "systemctl show -p ExecStart echo.service | grep -q 'argv\[\]=$PAYLOAD pause two words a\"b '"
is "cat" "" 0 "$(sc cat hello.service >/dev/null; echo $?)"
is "daemon-reload" "" 0 "$(sc daemon-reload; echo $?)"
is "list-jobs" "" "No jobs running." "$(sc list-jobs)"
is "is-system-running" "" degraded "$(sc is-system-running)"
is "isolate without leave" "" 4 "$(sc isolate hello.service >/dev/null; echo $?)"
# Its process ends while the manager cannot see it, and the manager dies: the next one ends the job before anybody listens.
put brief.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c "echo \$\$ >$T/brief; exec sleep 0.5"
X
sc daemon-reload
(sc start brief.service; echo "ended $?") >"$T/started" 2>&1 &
wait_for "[ -s $T/brief ]"
kill -STOP "$(manager_pid)"
wait_for "! kill -0 $(cat "$T/brief") || grep -q ' Z ' /proc/$(cat "$T/brief")/stat" 5
kill -9 "$(manager_pid)"
ok_if "a job that ended with its manager is told" "" wait_for "grep -q 'ended 0' $T/started"
kill -9 "$(manager_pid)"
is "over a killed manager" "" "0 active" "$(sc start hello.service; echo $?) $(sc is-active hello.service)"
is "what is set of the manager, and marks, ..." "" "0 0 0 0" \
	"$(sc log-level debug; echo $?) $(sc log-target null; echo $?) $(sc service-watchdogs no; echo $?) $(sc set-property hello.service Markers=needs-restart; echo $?)"
kill -9 "$(manager_pid)"
is "... outlive it" "" "debug null no needs-restart" "$(sc log-level) $(sc log-target) $(sc service-watchdogs) $(sc show -p Markers --value hello.service)"
pid=$(prop hello.service MainPID)
is "what is marked is restarted" "" "0 yes none" \
	"$(sc reload-or-restart --marked; echo $?) $([ "$(prop hello.service MainPID)" != "$pid" ] && echo yes) $(v=$(sc show -p Markers --value hello.service); echo "${v:-none}")"
lines=$(wc -l <"$HARK_LOG")
sc restart hello.service
is "to log-target null nothing is told" "" "$lines" "$(wc -l <"$HARK_LOG")"
sc log-target auto
sc restart hello.service
ok_if "... to another one it is" "" [ "$(wc -l <"$HARK_LOG")" -gt "$lines" ]
sc log-level info
kill -9 "$(prop hark-bus.service MainPID)"
is "over a killed hark-bus" "" active "$(sc is-active hello.service)"
printf '[Unit]\nDefaultDependencies=no\n[Mount]\nWhat=x\nType=tmpfs\nOptions=size=1m\n' >"$UNITS/run-told.mount"
sc daemon-reload
sc start run-told.mount
python3 -B "$HERE/subscribe.py" /run/systemd/private >"$T/told" &
subscriber=$!
sc is-active run-told.mount >/dev/null
wait_for "[ -s $T/told ]"
mount -o remount,ro,noexec /run/told
ok_if "a remount by somebody else is told" "" wait_for "tail -c 300 $T/told | tr -d '\\0' | grep -aq 'run_2dtold_2emount.*PropertiesChanged.*systemd1.Mount.*Options.*ro,noexec,'"
kill $subscriber
wait $subscriber 2>/dev/null
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/true\nStateDirectory=one:two one:three four\n' >"$UNITS/links.service"
sc daemon-reload
is "links to directories" "" "StateDirectory=one four StateDirectorySymlink=one:three StateDirectorySymlink=one:two" "$(sc show -p StateDirectory -p StateDirectorySymlink links.service | sort | paste -sd' ')"
# Something more to see for a service that runs.
printf '[Unit]\nDefaultDependencies=no\n[Service]\nPrivateMounts=yes\nExecStart=%s pause\n' "$PAYLOAD" >"$UNITS/inside.service"
sc daemon-reload
sc start inside.service
mkdir "$T/given" && echo given >"$T/given/file"
is "bind: a directory, which is made" "" 0 "$(sc bind --mkdir inside.service "$T/given" $T/seen >/dev/null; echo $?)"
root=/proc/$(prop inside.service MainPID)/root$T
is "... the service sees it, nobody else" "" "given no" "$(cat "$root/seen/file") $(findmnt -n $T/seen >/dev/null && echo yes || echo no)"
is "... a file, which it may only read" "" "0 given 1" "$(sc bind --mkdir --read-only inside.service "$T/given/file" $T/one >/dev/null; echo $?) $(cat "$root/one") \
$(grep -c " $T/one ro," "/proc/$(prop inside.service MainPID)/mountinfo")"
is "... but where it has no namespace of its own that is refused" "" 1 "$(sc bind hello.service "$T/given" | grep -c 'does not run in a mount namespace of its own')"
# A path whose file system does not answer: who asks about it waits, nobody else does.
if [ -e /dev/fuse ] && command -v dbus-send >/dev/null; then
	mkdir "$T/far"
	"$NS_BIN/hangfs" "$T/far" "$T/hangs" 2>/dev/null &
	STARTED+=($!)
	wait_for "findmnt -n $T/far"
	touch "$T/hangs"
	timeout 100 dbus-send --peer=unix:path=/run/systemd/private --print-reply --reply-timeout=90000 --dest=org.freedesktop.systemd1 \
		/org/freedesktop/systemd1 org.freedesktop.systemd1.Manager.LinkUnitFiles "array:string:$T/far/far.service" boolean:true boolean:false >"$T/link" 2>&1 &
	linking=$!
	ok_if "what waits for the disk is done by a child" "" wait_for "[ \"\$(pgrep -cx hark-bus)\" = 2 ]"
	is "... others are answered" "" "active 0" "$(sc is-active hello.service) $(sc show hello.service >/dev/null; echo $?)"
	is "... before him" "" "" "$(cat "$T/link")"
	rm "$T/hangs"
	wait $linking
	is "... who is answered then" "" 1 "$(grep -c '^Error' "$T/link")"
	ok_if "... nothing is left of it" "" wait_for "[ \"\$(pgrep -cx hark-bus)\" = 1 ]"
	umount -l "$T/far"
fi
finish
