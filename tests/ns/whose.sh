#!/bin/bash
# SPDX-License-Identifier: MIT
# How things hang together: whose a process is (harkctl whose, systemctl status PID), by the kernel's own file, and what runs because of a unit.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -n "$HARK_TEST_CGROUP" ] || skip_all "no cgroups"
hark_up whose || finish
put() { { printf '[Unit]\nDefaultDependencies=no\n' && cat; } >"$UNITS/$1"; }
put makes.service <<X
[Service]
ExecStart=/bin/sh -c 'sleep 1000 & (setsid sleep 1001 &); echo \$\$\$\$ >$T/makes; exec sleep 1002'
X
put helps.service <<X
[Service]
Type=oneshot
ExecStartPre=/bin/sh -c 'echo \$\$\$\$ >$T/helps; exec sleep 1000'
ExecStart=/bin/true
X
put root.target <<X
Requires=above.service
Wants=beside.service
X
put above.service <<X
Requires=below.service
After=below.service
[Service]
ExecStart=$PAYLOAD pause
X
for name in below beside other; do
	printf '[Service]\nExecStart=%s pause\n' "$PAYLOAD" | put $name.service
done
ctl daemon-reload >/dev/null
ctl start makes.service >/dev/null
ctl start --no-wait helps.service >/dev/null
wait_for "[ -s $T/makes -a -s $T/helps ]"
whose() {
	ctl whose -o json "$1" | python3 -c 'import json, sys; [print(r["unit"] + ":", r["part"]) for r in json.load(sys.stdin) if r["row"] == "whose"]'
}
main=$(cat "$T/makes")
is "the main process of a service" "" "makes.service: main process" "$(whose "$main")"
child=$(pgrep -f '^sleep 1000' -P "$main")
is "its child" "" "makes.service: descendant of one of its processes" "$(whose "$child")"
away=$(pgrep -f '^sleep 1001')
is "one that left its session and has no parent any more" "" "makes.service: descendant of one of its processes" "$(whose "$away")"
is "a helper command" "" "helps.service: helper command" "$(whose "$(cat "$T/helps")")"
is "a process that is of no unit" "" 4 "$(ctl whose $$ >"$T/none" 2>&1; echo $?)"
ok_if "... in words" "" grep -q "process $$ (.*whose.sh.*) belongs to no unit" "$T/none"
is "one that is not there" "" 3 "$(ctl whose 4194303 >/dev/null 2>&1; echo $?)"
is "one table for all" "D32" "makes.service helps.service" "$(ctl whose "$main" "$(cat "$T/helps")" | awk 'NR > 1 { print $2 }' | paste -sd' ')"
is "the kernel's own file tells the same" "D36" "makes.service makes.service makes.service" \
	"$(for p in "$main" "$child" "$away"; do sed -n 's/^0::.*\///p' "/proc/$p/cgroup"; done | paste -sd' ')"
ctl start root.target other.service >/dev/null
tree="root.target|  above.service  running|    below.service  running|  beside.service  running"
is "what was started because of a target, as a tree" "" "$tree" "$(ctl why --started-by root.target | paste -sd'|')"
kill -9 "$(manager_pid)"
is "... also to the next manager" "E29" "$tree" "$(ctl why --started-by root.target | paste -sd'|')"
is "nothing was started because of a service that nobody depends on" "" other.service "$(ctl why --started-by other.service)"
finish
