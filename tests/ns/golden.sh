#!/bin/bash
# SPDX-License-Identifier: MIT
# Some four hundred commands of Debian's own systemctl, busctl, systemd-analyze, systemd-run and loginctl, in two containers with the same unit files:
# with Debian's systemd as PID 1, and with hark. What they say and their exit statuses are the same, but for what golden.differs names; a line
# there that no difference needs is an error, so that the table only shrinks. HARK_GOLDEN_KEEP names a folder for the two runs.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/twins.sh"
twins 250 golden.json "$HERE"/golden.{py,commands} <<'X'
systemctl start systemd-logind.service
python3 -B /run/out/golden.py run /run/out/golden.commands /run/out/golden.json
X
[ $NOT_OK_N = 0 ] && { python3 -B "$HERE/golden.py" compare "$T"/{hark,systemd}/out/golden.json "$HERE/golden.differs" || NOT_OK_N=1; }
finish
