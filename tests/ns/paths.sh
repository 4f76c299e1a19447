#!/bin/bash
# SPDX-License-Identifier: MIT
# Path units: what each directive starts its unit for, how the watches follow the tree, limits, and that nothing is lost when the
# manager dies.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
hark_up paths || finish
F=$T/files
mkdir -p "$F"

path() { # NAME LINES...: the service counts its runs and takes away what started it
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n[Path]\n' && printf '%s\n' "$@"; } >"$UNITS/$name.path"
	[ -e "$UNITS/$name.service" ] || cat >"$UNITS/$name.service" <<-X
		[Unit]
		DefaultDependencies=no
		StartLimitIntervalSec=0
		[Service]
		Type=oneshot
		ExecStart=/bin/sh -c 'echo run >>$T/$name.runs; rm -rf $F/$name.gone'
	X
}
runs() { grep -c run "$T/$1.runs" 2>/dev/null || echo 0; }
rescan() { ctl reload-config >/dev/null 2>&1; }
# quiet NAME N: it waits, has run N times, and still has a moment later.
quiet() { wait_sub "$1.path" waiting && sleep 0.3 && [ "$(runs "$1")" = "$2" ]; }

path exists "PathExists=$F/a/b/exists.gone"
path globbed "PathExistsGlob=$F/g*/x/*.job"
path changed "PathChanged=$F/changed"
path modified "PathModified=$F/modified"
path spool "DirectoryNotEmpty=$F/spool.gone"
path made "DirectoryNotEmpty=$F/made/in/there" MakeDirectory=yes DirectoryMode=0700
path other "PathExists=$F/other.gone" Unit=exists.service
path link "PathChanged=$F/link"
sed -i "s|rm -rf .*'|rm -rf $F/a/b/exists.gone $F/other.gone'|" "$UNITS/exists.service"
sed -i "s|rm -rf .*'|rm -f $F/g*/x/*.job'|" "$UNITS/globbed.service"
sed -i "s|rm -rf .*'|rm -f $F/made/in/there/*'|" "$UNITS/made.service"
rescan
# What the instance that is kept for paths watches: the last that harkd leaves with PID 1.
watches() {
	local pid fd
	pid=$(manager_pid)
	fd=$(find "/proc/$pid/fd" -lname '*inotify*' -printf '%f\n' | sort -n | tail -1)
	grep -c ^inotify "/proc/$pid/fdinfo/$fd"
}

# --- what each is about

ok_if "a path unit waits" "" eval 'ctl start exists.path && [ "$(sub exists.path)" = waiting ]'
ok_if "and something is watched for it" "" test "$(watches)" -ge 2
mkdir -p "$F/a/b"
ok_if "directories on the way start nothing" "" quiet exists 0
touch "$F/a/b/exists.gone"
ok_if "PathExists= below directories that came later" "" wait_for '[ "$(runs exists)" = 1 ]'
ok_if "what its service took away starts it no more" "" quiet exists 1
ok_if "why names the path" "" eval 'ctl ledger --lines 60 | grep -q "b/exists.gone"'
ok_if "triggers shows what is watched" "" eval 'ctl triggers exists.path | grep -q "PathExists.*exists.path\|exists.gone.*PathExists"'
rm -rf "$F/a"
mkdir -p "$F/a/b" && touch "$F/a/b/exists.gone"
ok_if "the whole way made anew" "" wait_for '[ "$(runs exists)" = 2 ]'
mkdir -p "$F/n/b" && touch "$F/n/b/exists.gone"
wait_sub exists.path waiting
mv "$F/a" "$F/old" && mv "$F/n" "$F/a"
ok_if "the way moved to another tree" "" wait_for '[ "$(runs exists)" = 3 ]'
wait_active exists.service inactive # it would take away what comes now
ctl start other.path >/dev/null
touch "$F/other.gone"
ok_if "Unit= is what is started" "" wait_for '[ "$(runs exists)" = 4 ]'
ctl stop other.path exists.path >/dev/null
wait_active exists.service inactive

touch "$F/a/b/exists.gone"
ctl start exists.path >/dev/null
ok_if "what is there already starts it at once" "" wait_for '[ "$(runs exists)" = 5 ]'
ctl stop exists.path >/dev/null
wait_active exists.service inactive
touch "$F/a/b/exists.gone"
sleep 0.3
is "a stopped one starts nothing" "" 5 "$(runs exists)"

ctl start globbed.path >/dev/null
mkdir -p "$F/g1/x" "$F/g2/x" "$F/h/x"
touch "$F/h/x/a.job" "$F/g1/x/a.txt"
ok_if "PathExistsGlob=: nothing matches" "" quiet globbed 0
touch "$F/g2/x/a.job"
ok_if "PathExistsGlob= in a directory that came later" "" wait_for '[ "$(runs globbed)" = 1 ]'
mkdir -p "$F/g3/x" && touch "$F/g3/x/b.job"
ok_if "and in another" "" wait_for '[ "$(runs globbed)" = 2 ]'

echo a >"$F/changed"
ctl start changed.path >/dev/null
ok_if "PathChanged=: that it is there is no change" "" quiet changed 0
exec 9>>"$F/changed"
echo b >&9
ok_if "nor is a write before the file is closed" "" quiet changed 0
exec 9>&-
ok_if "its close is" "" wait_for '[ "$(runs changed)" = 1 ]'
wait_sub changed.path waiting
echo c >"$F/new" && mv "$F/new" "$F/changed"
ok_if "PathChanged=: a file put in its place" "" wait_for '[ "$(runs changed)" = 2 ]'
wait_sub changed.path waiting
rm "$F/changed"
ok_if "its removal" "" wait_for '[ "$(runs changed)" = 3 ]'
wait_sub changed.path waiting
echo d >"$F/changed"
ok_if "and its return" "" wait_for '[ "$(runs changed)" -ge 4 ]'

echo a >"$F/modified"
ctl start modified.path >/dev/null
exec 9>>"$F/modified"
echo b >&9
ok_if "PathModified=: each write" "" wait_for '[ "$(runs modified)" = 1 ]'
exec 9>&-

ln -s "$F/one" "$F/link" && touch "$F/one" "$F/two"
ctl start link.path >/dev/null
ln -s "$F/two" "$F/link2" && mv "$F/link2" "$F/link"
sleep 0.2
n=$(runs link)
wait_sub link.path waiting && echo x >"$F/two"
ok_if "a link that leads elsewhere is followed there" "" wait_for '[ "$(runs link)" -gt '"$n"' ]'

ctl start spool.path >/dev/null
mkdir "$F/spool.gone"
touch "$F/spool.gone/.being-written"
ok_if "DirectoryNotEmpty=: an empty one" "" quiet spool 0
touch "$F/spool.gone/job"
ok_if "DirectoryNotEmpty=: with a file" "" wait_for '[ "$(runs spool)" = 1 ]'

ctl start made.path >/dev/null
is "MakeDirectory= with DirectoryMode=" "" 700 "$(stat -c %a "$F/made/in/there")"
touch "$F/made/in/there/x"
ok_if "and it is watched" "" wait_for '[ "$(runs made)" = 1 ]'

path mounted "PathExists=$F/mnt/in/x"
mkdir -p "$F/mnt/in"
rescan
ctl start mounted.path >/dev/null
mount -t tmpfs test "$F/mnt" && mkdir "$F/mnt/in" && sleep 0.1 && touch "$F/mnt/in/x"
ok_if "a file system mounted on the way is looked into" "" wait_for '[ "$(runs mounted)" -ge 1 ]'
ctl stop mounted.path >/dev/null
umount "$F/mnt"

# --- limits

path loop "PathExists=$F/stays"
printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=10s\nStartLimitBurst=3\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo run >>%s"\n' "$T/loop.runs" >"$UNITS/loop.service"
path spin "PathExists=$F/stays" TriggerLimitBurst=7
printf '[Unit]\nConditionPathExists=/nonexistent\n' >>"$UNITS/spin.service"
rescan
touch "$F/stays"
ctl start loop.path >/dev/null
ok_if "a unit that is started too often ends the loop" "" wait_for '[ "$(prop loop.path Result)" = unit-start-limit-hit ]'
is "after as many starts as it may have" "" 3 "$(runs loop)"
ok_if "why tells" "" eval 'ctl why loop.path | grep -q "its unit was started too often"'
ctl start spin.path >/dev/null
ok_if "TriggerLimitBurst= ends one whose unit never starts" "" wait_for '[ "$(prop spin.path Result)" = trigger-limit-hit ]'

# --- the manager dies

kill_manager() { # and wait for the next
	local old
	old=$(manager_pid)
	kill -9 "$old"
	wait_for "[ -n \"\$(manager_pid)\" ] && [ \"\$(manager_pid)\" != $old ] && ctl list"
}
lost=0
for i in 1 2 3 4 5 6 7 8; do
	wait_sub changed.path waiting && wait_sub exists.path waiting || ctl start exists.path >/dev/null
	n=$(runs changed) m=$(runs globbed)
	wait_sub changed.path waiting && wait_sub globbed.path waiting
	# Changed while nobody lives: the manager is stopped, so that it cannot see it, and killed.
	pid=$(manager_pid)
	kill -STOP "$pid"
	echo "$i" >"$F/changed"
	touch "$F/g1/x/$i.job"
	kill -9 "$pid"
	wait_for '[ "$(runs changed)" -gt '"$n"' ] && [ "$(runs globbed)" -gt '"$m"' ]' || lost=$((lost + 1))
done
is "what changes while no manager lives is not lost, 8 times" "" 0 "$lost"
kill_manager
ok_if "what did not change starts nothing" "" eval 'n=$(runs changed); quiet changed $n'
# ... and dies while the service runs
printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo run >>%s; sleep 1; rm -f %s"\n' "$T/slow.runs" "$F/slow" >"$UNITS/slow.service"
path slow "PathExists=$F/slow"
rescan
ctl start slow.path >/dev/null
touch "$F/slow"
wait_sub slow.path running
kill_manager
ok_if "it waits again when its service has ended" "" wait_sub slow.path waiting
is "which ran once" "" 1 "$(runs slow)"
for p in changed modified spool made globbed link slow exists; do ctl stop $p.path; done >/dev/null
is "what was watched is given back" "" 0 "$(watches)"

# --- Debian's own, unmodified

P=systemd-ask-password-wall
if [ -e /lib/systemd/system/$P.path ] && [ -n "$(command -v systemd-ask-password)" ]; then
	cp /lib/systemd/system/$P.path /lib/systemd/system/$P.service "$UNITS/"
	rescan
	ok_if "Debian's $P.path waits" "" eval 'ctl start $P.path && wait_sub $P.path waiting'
	systemd-ask-password --no-tty --timeout=5 test </dev/null >/dev/null 2>&1 &
	ok_if "a question wakes its agent" "" wait_active $P.service active
	ok_if "why tells of the directory" "" eval 'ctl why $P.service | grep -q "/run/systemd/ask-password"'
	wait $! 2>/dev/null
else
	skip "Debian's $P.path" "systemd's units are not installed"
fi
finish
