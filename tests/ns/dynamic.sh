#!/bin/bash
# SPDX-License-Identifier: MIT
# Users that exist while a unit runs: their numbers, what others find out about them, their directories, and what goes with them.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

mount -t tmpfs -o mode=1777 test /var/tmp
mount -t tmpfs test /var/lib
mount -t tmpfs -o mode=1777 test /dev/shm
hark_up dyn || finish
ln -s /dev/null "$UNITS/tmp.mount"

# long NAME LINES...: a service that stays, with these lines.
long() {
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=exec\nDynamicUser=yes\nExecStart=/bin/sleep 1000\n' && printf '%s\n' "$@"; } | unit "$name.service"
	ctl start "$name.service" >"$T/$name.start" 2>&1
}
proc_of() { echo "/proc/$(main_of "$1")"; }
uid_of() { stat -c %u "$(proc_of "$1")"; }
# lines NAME LINES...: a oneshot service with these lines.
oneshot() {
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\n' && printf '%s\n' "$@"; } | unit "$name.service"
	ctl start "$name.service" >"$T/$name.start" 2>&1
}

mkdir -p /var/lib/one/sub && echo kept >/var/lib/one/file && touch /var/lib/one/sub/file
long one "StateDirectory=one one/deep" RuntimeDirectory=one
uid=$(uid_of one.service)
proc=$(proc_of one.service)
ok_if "the user has a number between 61184 and 65519" "" [ "${uid:-0}" -ge 61184 -a "${uid:-0}" -le 65519 ]
is "it is its group, too, and has the name of the unit" "" "$uid one" \
	"$(sed -n 's/^Gid:\t\([0-9]*\).*/\1/p' "$proc/status") $(tr '\0' '\n' <"$proc/environ" | sed -n 's/^USER=//p')"
if grep -q '^passwd:.*systemd' /etc/nsswitch.conf && ls /lib/*/libnss_systemd.so.2 >/dev/null 2>&1; then
	is "everybody finds it by name and number" "" "one:$uid one:$uid one $uid" \
		"$(getent passwd one | cut -d: -f1,3) $(getent passwd "$uid" | cut -d: -f1,3) $(id -un "$uid") $(getent group one | cut -d: -f3)"
else
	skip "everybody finds it by name and number" "no nss-systemd"
fi
is "NoNewPrivileges=, ProtectSystem=strict and PrivateTmp= are implied" "" "1 ro private" \
	"$(sed -n 's/^NoNewPrivs:\t//p' "$proc/status") $(awk '$5 == "/" { print substr($6, 1, 2) }' "$proc/mountinfo" | tail -1) $(grep -o 'systemd-private' "$proc/mountinfo" | head -1 | sed s/systemd-//)"
is "its directories lie where only root can enter" "" "700 0 $uid private/one" \
	"$(stat -c '%a %u' /var/lib/private) $(stat -c %u /var/lib/private/one/deep) $(readlink /var/lib/one)"
is "what was there before has moved and is its own, all of it" "" "kept $uid $uid" \
	"$(cat /var/lib/one/file) $(stat -c %u /var/lib/private/one/file) $(stat -c %u /var/lib/private/one/sub/file)"
is "a runtime directory needs no such door" "" "$uid" "$(stat -c %u /run/one)"

# shellcheck disable=SC2016
printf '%s\n' 'echo "$STATE_DIRECTORY"; touch "$STATE_DIRECTORY/x" && echo mine; ls /var/lib/private' \
	'test -e /var/lib/look/x && echo linked; touch /var/lib/private/y 2>/dev/null || echo no' \
	'chmod u+s "$STATE_DIRECTORY/x" 2>/dev/null || chmod g+s "$STATE_DIRECTORY/x" 2>/dev/null || echo unset; id -u' >"$T/look.sh"
oneshot look DynamicUser=yes StateDirectory=look "StandardOutput=truncate:$T/look.out" "ExecStart=/bin/sh $T/look.sh" "BindReadOnlyPaths=$T"
first=$(tail -1 "$T/look.out")
is "inside it sees its own directory and no other, and leaves no file that runs as the next one who has its number" "" "/var/lib/private/look|mine|look|linked|no|unset" "$(sed '$d' "$T/look.out" | paste -sd'|')"
ctl start look.service >/dev/null
is "the next run has the same number" "" "$first" "$(tail -1 "$T/look.out")"
ctl clean --what=state look.service >/dev/null
is "its directory can be cleaned away, with the link to it" "" "" "$(ls -d /var/lib/look /var/lib/private/look 2>/dev/null)"
ok_if "and another unit another one" "" [ "$first" != "$uid" ]

long two User=one
is "who names the same user is the same user" "" "$uid" "$(uid_of two.service)"
kill -KILL "$(manager_pid)"
wait_for 'ctl list'
long three User=three
is "the number stays locked when the manager dies" "" "one $(cat "$RUN_DIR/dynamic-users/$(uid_of three.service)")" \
	"$(cat "$RUN_DIR/dynamic-users/$uid") three"
ctl stop one.service >/dev/null
ok_if "it goes with the last of them only" "" [ -e /run/userdb/one.user -a ! -e /run/one ]
ctl stop two.service >/dev/null
is "and then all of it goes" "" "" "$(ls /run/userdb "$RUN_DIR/dynamic-users" | grep -E "^(one|$uid)")"
is "but for its state" "" kept "$(cat /var/lib/one/file)"

long static User=daemon
is "a user of /etc/passwd stays that user" "" "$(id -u daemon)" "$(uid_of static.service)"
ctl stop static.service >/dev/null
oneshot back User=daemon StateDirectory=one ExecStart=/bin/true
is "with a lasting user the directory comes back" "" "kept $(id -u daemon) directory" \
	"$(cat /var/lib/one/file) $(stat -c %u /var/lib/one/file) $(stat -c %F /var/lib/one)"

# how many there are of each kind
objects() { for f in shm sem msg; do tail -n +2 /proc/sysvipc/$f | grep -c .; done | paste -sd' '; }
touch /dev/shm/roots
oneshot ipc RemainAfterExit=yes User=daemon RemoveIPC=yes "ExecStart=/bin/sh -c 'touch /dev/shm/mine; ipcmk -M 4096 -S 1 -Q'"
is "IPC objects of a user are there while it runs" "" "1 1 1 mine roots" "$(objects) $(ls /dev/shm | paste -sd' ')"
ctl stop ipc.service >/dev/null
is "and go with it: RemoveIPC=" "" "0 0 0 roots" "$(objects) $(ls /dev/shm | paste -sd' ')"
hark_down
finish
