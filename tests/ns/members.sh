#!/bin/bash
# SPDX-License-Identifier: MIT
# org.freedesktop.systemd1 member by member, beside Debian's systemd: what each kind of object introspects as, whether GetAll() has all of that with its types,
# and the name of the error, or the types of the answer, for good and bad calls of each method (members.calls, members.py), by root and by nobody. What
# differs stands in members.differs, with the reason; a line there that no difference needs is an error.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/twins.sh"
put p.path <<X
[Path]
PathExists=/run/p.there
Unit=idle.service
X
put brief.service <<X
[Service]
Type=oneshot
ExecStart=/bin/sleep 0.3
X
# Jobs that last until they are cancelled: nothing here depends on how fast the machine is.
for name in never afternever afterbrief; do
	printf '[Unit]\nAfter=%s.service\n[Service]\nType=oneshot\nExecStart=/bin/sleep infinity\n' "${name#after}" | put $name.service
done
rm "$T/units/multi-user.target.wants/late.service"
twins 200 members.json "$HERE"/{members.py,members.calls,wire.py,golden.py} <<'X'
python3 -B /run/out/members.py run /run/out/members.calls /run/out/members.json
X
[ $NOT_OK_N = 0 ] && { python3 -B "$HERE/members.py" compare "$T"/{hark,systemd}/out/members.json "$HERE/members.differs" || NOT_OK_N=1; }
finish
