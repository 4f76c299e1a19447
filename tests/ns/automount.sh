#!/bin/bash
# SPDX-License-Identifier: MIT
# Automount points: whoever enters one waits for its mount and is let in, or hears why it cannot be had, whatever becomes of the manager.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -x "$BIN/hark-mount" ] || skip_all "no hark-mount: built without libmount"
[ -e /dev/autofs ] || skip_all "no /dev/autofs"
hark_up automount || finish
P=/run/point
unit run-point.automount <<X
[Unit]
DefaultDependencies=no
[Automount]
Where=$P
DirectoryMode=0700
X
unit run-point.mount <<X
[Unit]
DefaultDependencies=no
[Mount]
What=$T/data
Where=$P
Options=bind
Type=none
X
mkdir -p "$T/data"
echo hello >"$T/data/file"
ok_if "an automount unit is started" "" ctl start run-point.automount
is "... which makes its mount point" "" "autofs hark" "$(findmnt -n -o FSTYPE,SOURCE $P | tr -s ' ')"
is "... and mounts nothing" "" "waiting inactive" "$(sub run-point.automount) $(active run-point.mount)"
is "whoever reads a file there gets it" "" "hello" "$(timeout 10 cat $P/file 2>&1)"
is "... because it was mounted" "" "running active" "$(sub run-point.automount) $(active run-point.mount)"
ctl why run-point.mount >"$T/why"
ok_if "why says who it was" "" grep -q 'entered the mount point of run-point.automount (cat, pid [0-9]* uid 0)' "$T/why"
ok_if "the mount is stopped" "" ctl stop run-point.mount
is "... and the point waits again" "" "waiting autofs" "$(sub run-point.automount) $(findmnt -n -o FSTYPE $P)"
is "... for the next one" "" "hello" "$(timeout 10 cat $P/file 2>&1)"
ok_if "the automount is stopped" "" ctl stop run-point.automount
ok_if "... and nothing is left there" "" sh -c "! findmnt -n $P"
finish
