#!/bin/bash
# SPDX-License-Identifier: MIT
# File systems without room or that cannot be written, and more changes of unit files than the kernel keeps for us: told, nothing is half done, what runs
# runs on, and it works again when there is room.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
mkdir -p "$T/main/run" "$T/main/units"
mount -t tmpfs -o size=1m,nr_inodes=40,mode=755 small "$T/main/run" || skip_all "no tmpfs"
hark_up main || finish
plain() { printf '[Unit]\nDefaultDependencies=no\n[Service]\n%s\nExecStart=%s\n' "$2" "$3" >"$UNITS/$1.service"; }
plain stays "" "$PAYLOAD pause"
plain ready "Type=notify
TimeoutStartSec=1" "$PAYLOAD notify READY=1 pause"
plain later "" "$PAYLOAD pause"
ctl daemon-reload >/dev/null
ctl start stays.service >/dev/null
pid=$(main_of stays.service)
manager=$(manager_pid)

# No room for a socket or a file in the run dir.
i=0
while touch "$RUN_DIR/fill$i" 2>/dev/null; do i=$((i + 1)); done
head -c 1048576 /dev/zero >"$RUN_DIR/fill0" 2>/dev/null
ctl start ready.service >"$T/out" 2>&1
is "a run dir without room: the start fails" "" "1 failed" "$? $(active ready.service)"
ok_if "... and says why" "" grep -q "No space left" "$T/out" "$HARK_LOG"
ctl set-environment ONE=1 >"$T/out" 2>&1
is "... nor is a variable kept that cannot be written down" "" "1 0" "$? $(ctl show-environment | grep -c ONE=1)"
is "... and what needs none starts, with the manager that there was" "" "0 $manager" "$(ctl start later.service >/dev/null; echo $?) $(manager_pid)"
rm "$RUN_DIR"/fill*
ctl reset-failed ready.service >/dev/null
is "with room it starts" "" "0 active" "$(ctl start ready.service >/dev/null; echo $?) $(active ready.service)"

# A directory for links that is full, or cannot be written.
LINKS=$T/root/etc/systemd/system
mkdir -p "$LINKS" "$T/root/usr/lib/systemd/system"
mount -t tmpfs -o size=1m,mode=755 small "$LINKS"
cp "$UNITS/later.service" "$T/root/usr/lib/systemd/system"
change() { # WHAT WORDS
	HARK_RUN_DIR=$T/none timeout 60 "$BIN/harkctl" mask --root="$T/root" later.service >"$T/out" 2>&1
	is "$1: no link is made, and it says why" "" "yes yes " "$([ $? -ne 0 ] && echo yes) $(grep -q "$2" "$T/out" && echo yes) $(ls "$LINKS")"
}
mount -o remount,nr_inodes="$(df --output=iused "$LINKS" | tail -1 | tr -d ' ')" "$LINKS"
change "a full directory for links" "No space left"
mount -o remount,nr_inodes=4096,ro "$LINKS"
change "one that cannot be written" "Read-only file system"
umount "$LINKS"

# More changes than the kernel keeps: the manager looks at all files.
kill -STOP "$manager"
python3 - "$UNITS" <<-'Y'
	import os, sys
	os.chdir(sys.argv[1])
	limit = int(open("/proc/sys/fs/inotify/max_queued_events").read())
	for i in range(limit // 2 + 100): # two events each
	    name = ".hark%d" % (i % 2)
	    os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
	    os.unlink(name)
	open("new.service", "w").write(open("later.service").read())
Y
kill -CONT "$manager"
ok_if "more changes of files than the kernel keeps: the last one is known" "" wait_for '[ "$(prop new.service LoadState)" = loaded ]' 20
is "what ran runs" "" "$pid $manager" "$(main_of stays.service) $(manager_pid)"
hark_down
is "it ends in order" "" 0 $?
umount "$T/main/run" 2>/dev/null
finish
