#!/bin/bash
# SPDX-License-Identifier: MIT
# The manager killed while a start waits for another: what is up stays up, what waits goes on waiting, what has run runs no more.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
mkdir -p "$T/waiting/units"
UNITS=$T/waiting/units
put() { cat >"$UNITS/$1"; }
put boot.target <<X
[Unit]
Wants=last.service slow.service steady.service once.service
X
put steady.service <<X
[Service]
ExecStart=$PAYLOAD log $T/steady x pause
X
put once.service <<X
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$PAYLOAD log $T/once x
X
put slow.service <<X
[Unit]
After=steady.service once.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$PAYLOAD log $T/slow x sleep 1500
X
put last.service <<X
[Unit]
After=slow.service
[Service]
ExecStart=$PAYLOAD log $T/last x pause
X
hark_up waiting --default boot.target || finish
wait_for '[ -s $T/slow ]' || not_ok "the boot begins" "$(tail -3 "$HARK_LOG")"
pid=$(prop steady.service MainPID)
for _ in 1 2 3; do
	kill -9 "$(manager_pid)"
	wait_for 'ctl list'
done
is "what waits is still waiting" "" "start waiting" "$(ctl jobs --plain | awk '$2 == "last.service" { print $3, $4 }')"
ok_if "the boot comes to its end" "" wait_for '[ "$(ctl is-active boot.target)" = active ]'
is "what was up is what it was" "" "$pid" "$(prop steady.service MainPID)"
is "everything ran once" "" "1 1 1 1" "$(for f in steady once slow last; do wc -l <"$T/$f"; done | paste -sd' ')"
is "the boot is over" "" running "$(ctl show -p SystemState --value)"
kill -9 "$(manager_pid)"
wait_for 'ctl list'
is "... for the next manager too" "" running "$(ctl show -p SystemState --value)"
finish
