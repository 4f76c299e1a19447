#!/bin/bash
# SPDX-License-Identifier: MIT
# Small promises that need no test of their own.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
hark_up rows || finish
put() { { printf '[Unit]\nDefaultDependencies=no\n' && cat; } >"$UNITS/$1"; }
states() { for u; do active "$u"; done | paste -sd' '; }

# --- what stays and what goes when nobody needs it any more
put user.service <<X
Requires=loose.service kept.service
Wants=done.service
After=loose.service kept.service done.service
[Service]
ExecStart=$PAYLOAD pause
X
put loose.service <<X
StopWhenUnneeded=yes
[Service]
ExecStart=$PAYLOAD pause
X
put kept.service <<X
[Service]
ExecStart=$PAYLOAD pause
X
put done.service <<X
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
X
ctl reload-config >/dev/null 2>&1
ctl start user.service >/dev/null
is "a service brings what it needs" "" "active active active active" "$(states user.service loose.service kept.service done.service)"
ctl stop user.service >/dev/null
ok_if "what nobody needs stops, where it says so" "" wait_active loose.service inactive
is "and stays where it does not" "B36" "active" "$(states kept.service)"
is "a oneshot that remains is not asked to go" "B41" "active" "$(states done.service)"

# --- a file that goes
put goes.service <<X
[Service]
ExecStart=$PAYLOAD pause
X
ctl reload-config >/dev/null 2>&1
ctl start goes.service kept.service >/dev/null
ok_if "what runs is listed" "E28" eval 'ctl list | grep -q "goes.service.*running.*$(main_of goes.service)" && ctl list | grep -q "kept.service.*running"'

# --- a hundred at once: one is started once, and all are told the same
put once.service <<X
[Service]
ExecStartPre=/bin/sh -c 'echo start >>$T/once; sleep 0.2'
ExecStart=$PAYLOAD pause
X
ctl reload-config >/dev/null 2>&1
for ((i = 0; i < 100; i++)); do
	(
		ctl start once.service >/dev/null 2>&1
		echo "$? $(main_of once.service)" >>"$T/told"
	) &
done
wait $(jobs -p | grep -vx "$INIT_PID")
is "a hundred clients start a service at once: it starts once, and all hear of the same" "E26" "1 100 0 $(main_of once.service)" \
	"$(wc -l <"$T/once") $(sort "$T/told" | uniq -c | sed 's/^ *//' | paste -sd';')"

# --- three lines are a unit
ctl new hello sleep 1000 >"$UNITS/hello.service"
is "a unit of three lines" "" "[Service];ExecStart=sleep 1000;Restart=on-failure" "$(grep -v '^#' "$UNITS/hello.service" | paste -sd';')"
ctl new words sh -c 'printf "%s|" "$0" "$@" >>"'"$T/words"'"; sleep 1000' 'a "b"' '$HOME %n' '' 'c\d' >"$UNITS/words.service"
ok_if "which is without a fault" "" ctl verify "$UNITS/hello.service" "$UNITS/words.service"
ctl reload-config >/dev/null 2>&1
ctl start hello.service words.service >/dev/null
wait_for '[ -s "$T/words" ]'
is "any words reach the command as they are" "" 'a "b"|$HOME %n||c\d|' "$(cat "$T/words")"
is "and it runs" "B50" "active sleep" "$(active hello.service) $(cat "/proc/$(main_of hello.service)/comm")"
is "what is no name of a service, and a name alone" "" "2 2" "$(ctl new x.socket true >/dev/null 2>&1; echo $?) $(ctl new x 2>/dev/null; echo $?)"
ctl stop hello.service words.service >/dev/null

# --- every process that a unit had
put past.service <<X
[Service]
ExecStartPre=/bin/sh -c 'echo \$\$\$\$ >>$T/past'
ExecStart=/bin/sh -c 'echo \$\$\$\$ >>$T/past; [ -e $T/again ] && exec sleep 1000; touch $T/again; exit 7'
Restart=on-failure
RestartSec=10ms
X
ctl reload-config >/dev/null 2>&1
ctl start past.service >/dev/null
wait_for '[ "$(wc -l <"$T/past")" = 4 ] && [ "$(sub past.service)" = running ]'
pkill -KILL -P "$INIT_PID" -x harkd
main=$(main_of past.service)
ctl kill -s KILL past.service >/dev/null
wait_for '[ "$(wc -l <"$T/past")" -ge 6 ] && [ "$(sub past.service)" = running ]'
ctl history past.service -o json >"$T/history"
is "pid, start, end and status of every process, also of those that a killed manager saw" "D+15" \
	"$(head -6 "$T/past" | paste -sd' ') | exit status 0,exit status 7,exit status 0,killed by SIGKILL,exit status 0,running | True" \
	"$(python3 -c 'import json, sys
r = json.load(sys.stdin)
print(*(p["pid"] for p in r), "|", ",".join(p["how"] for p in r), "|", all(p["started"] <= p.get("ended", p["started"]) for p in r))' <"$T/history")"
is "as a table" "" "STARTED ENDED UNIT PID HOW 6" "$(ctl history past.service | head -1 | xargs) $(ctl history past.service | grep -c past.service)"
ctl stop past.service >/dev/null

# --- the same programs in three places: as the first process, beside another one, and as an ordinary user
mkdir "$T/bin"
cp "$BIN"/{hark-init,harkd,hark-exec,harkctl} "$T/bin"
role() { # NAME UID COMMAND...: what runs hark-init there
	local dir=$T/$1 name=$1 user=$2 init main
	asked() { HARK_RUN_DIR=$dir/run "$T/bin/harkctl" "$@" 2>&1; }
	mkdir -p "$dir/units" "$dir/run"
	printf '[Unit]\nDefaultDependencies=no\nRequires=base.service\nAfter=base.service\n[Service]\nExecStart=%s log %s/order app pause\n' "$PAYLOAD" "$dir" >"$dir/units/app.service"
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=%s log %s/order base\n' "$PAYLOAD" "$dir" >"$dir/units/base.service"
	chown -R "$user" "$dir"
	shift 2
	"$@" "$T/bin/hark-init" --unit-path "$dir/units" --run-dir "$dir/run" --default app.service >"$dir/log" 2>&1 </dev/null &
	STARTED+=($!)
	wait_for 'asked is-active app.service && [ -s "$dir/order" ] && [ "$(wc -l <"$dir/order")" = 2 ]'
	init=$(pgrep -f "^$T/bin/hark-init .*$dir/run")
	main=$(asked show -p MainPID --value app.service)
	pkill -KILL -P "$init" -x harkd
	wait_for '[ "$(asked show -p ManagerGenerations --value)" = 2 ]'
	is "$name: units in their order, which a killed manager does not touch" "" "$user base,app $main active 2" \
		"$(stat -c %u "/proc/$init") $(paste -sd, "$dir/order") $(asked show -p MainPID --value app.service) $(asked is-active base.service) $(wc -l <"$dir/order")"
	[ $NOT_OK_N = 0 ] || { tail -5 "$dir/log" && asked status base.service; } | sed "s/^/# /"
	asked stop base.service >/dev/null
	is "$name: a stop takes along who needs it" "$ROLE_ROWS" inactive "$(asked is-active app.service)"
	kill -KILL "$init"
}
role beside 0 setsid
role first 0 unshare --pid --fork --kill-child --mount-proc --mount
[ $NOT_OK_N = 0 ] && ROLE_ROWS=B13
role user 65534 setsid setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$T/user"
finish
