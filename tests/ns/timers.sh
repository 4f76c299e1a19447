#!/bin/bash
# SPDX-License-Identifier: MIT
# Timers: what they start and when, what they remember, and that the death of the manager delays none.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
STAMPS=/var/lib/systemd/timers
mkdir -p $STAMPS 2>/dev/null && mount -t tmpfs stamps $STAMPS || skip_all "cannot mount over $STAMPS"
cp -a /etc "$T/etc" 2>/dev/null && mount --bind "$T/etc" /etc || skip_all "cannot put a copy over /etc"
hark_up timers || finish

timer() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n[Timer]\n' && printf '%s\n' "$@"; } >"$UNITS/$name.timer"
	unit "$name.service" <<-X
		[Unit]
		DefaultDependencies=no
		StartLimitIntervalSec=0
		[Service]
		Type=oneshot
		ExecStart=/bin/sh -c 'echo run >>$T/$name.runs'
	X
}
runs() { grep -c run "$T/$1.runs" 2>/dev/null || echo 0; }
rescan() { ctl reload-config >/dev/null 2>&1; }

timer once OnActiveSec=1s
timer often OnActiveSec=100ms OnUnitActiveSec=200ms
timer gone OnActiveSec=100ms RemainAfterElapse=no
timer second 'OnCalendar=*:*:*'
timer later OnCalendar='2199-12-31'
timer skipped OnActiveSec=100ms OnUnitActiveSec=100ms
printf '[Unit]\nConditionPathExists=/nonexistent\n' >>"$UNITS/skipped.service"
rescan

ok_if "a timer waits" "" ctl start once.timer
is "it is waiting" "" waiting "$(sub once.timer)"
is "its service does not run yet" "" 0 "$(runs once)"
ok_if "its service runs" "" wait_for '[ "$(runs once)" = 1 ]'
ok_if "a timer without a further time has elapsed" "" wait_sub once.timer elapsed
ctl start often.timer
ok_if "a timer elapses again and again" "" wait_for '[ "$(runs often)" -ge 4 ]'
ctl stop often.timer
is "a stopped timer is dead" "" dead "$(sub often.timer)"
wait_active often.service inactive
n=$(runs often)
sleep 0.6
is "and starts nothing" "" "$n" "$(runs often)"
ctl start gone.timer
ok_if "RemainAfterElapse=no: it is dead when it has done its work" "" wait_for '[ "$(runs gone)" = 1 ] && [ "$(sub gone.timer)" = dead ]'
ctl start second.timer
ok_if "a calendar" "" wait_for '[ "$(runs second)" -ge 2 ]'
ctl stop second.timer
ctl start later.timer
ok_if "triggers tells the calendar and its next time" "" eval 'ctl triggers later.timer | grep -q "2199-12-31 00:00:00.*OnCalendar"'
is "... and the property its very second, not the last microsecond before it" "" 00:00:00 "$(prop later.timer NextElapseUSecRealtime | grep -o "..:..:..")"
ctl start skipped.timer
sleep 0.3
is "a service whose condition does not hold does not stop its timer" "" waiting "$(wait_sub skipped.timer waiting && echo waiting)"
ctl stop skipped.timer

# The manager dies while a timer waits, and while its service runs.
timer crash OnActiveSec=1500ms OnUnitInactiveSec=1h
rescan
ctl start crash.timer
kill -9 "$(manager_pid)"
ok_if "the death of the manager loses no time" "" wait_for '[ "$(runs crash)" = 1 ]'
is "the new manager knows that it elapsed" "" "waiting" "$(wait_sub crash.timer waiting && sub crash.timer)"
kill -9 "$(manager_pid)"
sleep 1
is "and the one behind it does not start it again" "" 1 "$(runs crash)"

# Persistent=yes: what was missed is done, what was done is not.
timer missed 'OnCalendar=*-*-* 00:00:00' Persistent=yes
timer done 'OnCalendar=*-*-* 00:00:00' Persistent=yes
timer new 'OnCalendar=*-*-* 00:00:00' Persistent=yes
touch -d '3 days ago' $STAMPS/stamp-missed.timer
touch $STAMPS/stamp-done.timer
rescan
ctl start missed.timer done.timer new.timer
ok_if "what was missed is done" "" wait_for '[ "$(runs missed)" = 1 ]'
ok_if "its stamp is new" "" test -n "$(find $STAMPS/stamp-missed.timer -mmin -5)"
is "what was done is not done again" "" 0 "$(runs done)"
is "what never ran is not missed" "" 0 "$(runs new)"
ok_if "and has a stamp" "" test -f $STAMPS/stamp-new.timer

# Another time zone: what waits for that elapses, what waits for a local time waits anew. /etc is a copy, and ours.
zone() { # NAME: by a link that is renamed, as everybody does it
	ln -s "/usr/share/zoneinfo/$1" /etc/localtime.new && mv -T /etc/localtime.new /etc/localtime
}
if [ -e /usr/share/zoneinfo/Asia/Tokyo ]; then
	timer moved OnTimezoneChange=yes
	timer local 'OnCalendar=*-*-* 12:00:00'
	rescan
	zone UTC
	ctl start moved.timer local.timer
	is "a timer for another zone waits" "" "waiting 0" "$(sub moved.timer) $(runs moved)"
	n=$(ctl timers -o kv local.timer | sed -n 's/^next=//p')
	touch /etc/nothing.conf
	sleep 0.1
	is "another file of /etc is none" "" 0 "$(runs moved)"
	zone Asia/Tokyo
	ok_if "OnTimezoneChange=" "" wait_for '[ "$(runs moved)" = 1 ]'
	ok_if "noon is at another time then" "" eval '[ "$(ctl timers -o kv local.timer | sed -n "s/^next=//p")" != "$n" ]'
fi
finish
