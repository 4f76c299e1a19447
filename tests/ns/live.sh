#!/bin/bash
# SPDX-License-Identifier: MIT
# Unit files that come, change, break and go while hark runs: /etc/units without a command, the other directories with a reload.
# Demands H-13 (what changed is read aside, judged as one and taken as a whole or not at all) and H-17 (a cycle is told of when its files come, an
# edge of it is dropped, never a job, and status says which).
. "$(dirname "$(readlink -f "$0")")/lib.sh"

mkdir -p "$T/vendor"
LIVE=$T/live/etc/units # comes later
mkdir -p "$T/live/etc"
export HARK_TEST_UNIT_PATH=$LIVE:$T/main/links:$T/vendor
mkdir -p "$T/main/links" "$T/main/units"
printf '[Unit]\nDescription=all\nDefaultDependencies=no\n' >"$T/vendor/test.target"
hark_up main

# drop NAME: what stands on standard input becomes a file in /etc/units, in one step.
drop() {
	mkdir -p "$(dirname "$LIVE/$1")"
	cat >"$T/new"
	mv "$T/new" "$LIVE/$1"
}
echo_socket() { # PORT
	printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=127.0.0.1:%s\n[Install]\nWantedBy=test.target\n' "$1"
}
listens() { grep -q ":$(printf %04X "$1") .* 0A " /proc/net/tcp; }

# ---- a file appears

mkdir -p "$LIVE"
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" | drop echo.service
start_clock
echo_socket 7701 | drop echo.socket
ok_if "a socket dropped into /etc/units listens without a command" "E12" wait_for 'listens 7701'
stop_clock
in_time "within a second" "E12" 1000 $TOOK $STALLED
is "the service it starts is not started" "E19" inactive "$(active echo.service)"
is "why says its file came" "" yes "$(ctl why echo.socket | grep -q 'its unit file changed' && echo yes)"

printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\nExecReload=/bin/true\n[Install]\nWantedBy=test.target\n' "$PAYLOAD" | drop one.service
ok_if "a service dropped there runs" "" wait_active one.service active
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" | drop quiet.service
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n[Install]\nWantedBy=other.target\n' "$PAYLOAD" | drop foreign.service
sleep 0.6
is "one without [Install], or for a target that does not run, is not started" "E19" "inactive inactive" "$(active quiet.service) $(active foreign.service)"

# ---- an edit, a broken one, the repair

pid=$(main_of one.service)
printf '[Unit]\nDescription=edited\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n[Install]\nWantedBy=test.target\n' "$PAYLOAD" | drop one.service
ok_if "an edit is taken without a command" "" wait_for '[ "$(prop one.service Description)" = edited ]'
is "the running process stays" "" "$pid active" "$(main_of one.service) $(active one.service)"
printf '[Unit]\nDescription=broken\n[Service]\nType=simple\n' | drop one.service
ok_if "a broken edit is told with its file" "" wait_for 'in_log "one.service: its new files are broken"'
is "and the old settings stay in force" "" "edited $pid" "$(prop one.service Description) $(main_of one.service)"
printf '[Unit]\nDescription=repaired\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n[Install]\nWantedBy=test.target\n' "$PAYLOAD" | drop one.service
ok_if "the repair is taken" "" wait_for '[ "$(prop one.service Description)" = repaired ]'
is "with the same process" "" "$pid" "$(main_of one.service)"

# two files of one change: one is broken, so neither is taken; then both are
mkdir -p "$T/pair"
printf '[Unit]\nDescription=b\n[Service]\nType=simple\n' >"$T/pair/one.service"
printf '[Unit]\nDescription=pair\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" >"$T/pair/quiet.service"
ctl start quiet.service >/dev/null
mv -t "$LIVE" "$T/pair/one.service" "$T/pair/quiet.service" # by one process: a busy machine shall not make two changes of it
ok_if "a change is one transaction: a broken file holds back what changed with it" "" wait_for 'in_log "quiet.service: its files have changed; they wait for the broken ones"'
is "the other one keeps its settings" "" "" "$(prop quiet.service Description | grep pair)"
printf '[Unit]\nDescription=whole\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n[Install]\nWantedBy=test.target\n' "$PAYLOAD" | drop one.service
ok_if "when it is whole both are taken" "" wait_for '[ "$(prop one.service Description) $(prop quiet.service Description)" = "whole pair" ]'

# a listening socket keeps what it is bound to until it rests
echo_socket 7702 | drop echo.socket
ok_if "an edit of a listening socket waits" "" wait_for 'in_log "echo.socket: its files have changed; they are read when it rests"'
ok_if "it goes on listening" "" listens 7701
is "status tells the difference, with its place" "B18" "ListenStream= 127.0.0.1:7701 -> 127.0.0.1:7702 $LIVE/echo.socket:4" \
	"$(ctl status echo.socket | sed -n "s,→,->,;s,^ *changed *\([A-Z].*\),\1,p" | tr -s " ")"
ctl restart echo.socket >"$T/out" 2>&1
ok_if "a restart takes the new address" "" wait_for 'listens 7702 && ! listens 7701'

is "and there is no difference any more" "" "" "$(ctl status echo.socket | grep changed)"

# two files that want to come before each other: told when they come, and by status until one of them is mended
knot() { # NAME BEFORE
	printf '[Unit]\nDefaultDependencies=no\nWants=%s\nBefore=%s\n[Service]\nExecStart=%s pause\n' "$2" "$2" "$PAYLOAD" | drop "$1"
}
knot knot1.service knot2.service
knot knot2.service knot1.service
ok_if "an ordering cycle is told of when its files come, with both lines" "" wait_for 'in_log "knot1.service: Before=knot2.service ($LIVE/knot1.service:4)" && in_log "knot2.service: Before=knot1.service ($LIVE/knot2.service:4)"'
dropped() { ctl status "$@" | grep -o 'Before=knot.\.service of knot.\.service, to break an ordering cycle'; }
is "status names the edge that was dropped" "" 1 "$(dropped | wc -l)"
is "and so does that of its unit" "" "$(dropped)" "$(dropped knot1.service knot2.service)"
is "nobody waits for the other" "" "0 active active" "$(ctl start knot1.service >/dev/null; echo $?) $(active knot1.service) $(active knot2.service)"
ctl stop knot1.service knot2.service >/dev/null
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" | drop knot2.service
ok_if "until it is mended" "" wait_for '[ -z "$(dropped)" ]'

# a running service: the process has its old settings, the next one has the new ones; dependencies are taken at once
differ() { # LINES...
	{ printf '[Unit]\nDefaultDependencies=no\n' && printf '%s\n' "$@"; } | drop differ.service
}
differ '[Service]' "ExecStart=$PAYLOAD pause" Nice=1 LimitNOFILE=100
wait_for '[ "$(prop differ.service LoadState)" = loaded ]'
ctl start differ.service >/dev/null
pid=$(main_of differ.service)
is "what runs by its files has no difference" "" "" "$(ctl status differ.service | grep changed)"
differ 'Wants=quiet.service' '[Service]' "ExecStart=$PAYLOAD say new pause" Nice=2
wait_for '[ "$(prop differ.service Wants)" = quiet.service ]'
is "status tells what a restart will change" "B18" "Wants|ExecStart|LimitNOFILE|Nice=1 2" \
	"$(ctl status --json differ.service | python3 -c '
import json, sys
rows = [r for r in json.load(sys.stdin) if r["row"] == "change"]
print("|".join(r["directive"] + ("=%s %s" % (r["runs"], r["files"]) if r["directive"] == "Nice" else "") for r in rows))')"
is "dependencies hold at once" "B18" quiet.service "$(ctl deps differ.service | grep -o quiet.service | head -1)"
is "the process goes on with what it has" "B18" "$pid 1" "$(main_of differ.service) $(ps -o ni= -p "$pid" | tr -d ' ')"
ctl restart differ.service >/dev/null
is "a restart applies it" "B18" "2" "$(ps -o ni= -p "$(main_of differ.service)" | tr -d ' ')"
is "then nothing is different" "B18" "" "$(ctl status differ.service | grep changed)"
rm "$LIVE/differ.service"

# ---- a file goes

rm "$LIVE/one.service" "$LIVE/echo.socket"
ok_if "what is removed from /etc/units is stopped" "E12" wait_for '! alive '"$pid"' && ! listens 7702'
ok_if "and forgotten" "" wait_for '! ctl list -a | grep -q "one.service.*running"'

printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" >"$T/vendor/keeps.service"
ctl start keeps.service >/dev/null
pid=$(main_of keeps.service)
rm "$T/vendor/keeps.service"
ctl daemon-reload >/dev/null 2>&1
is "elsewhere a running unit whose file is gone runs on" "B18" "$pid active" "$(main_of keeps.service) $(active keeps.service)"
is "and is marked" "" yes "$(prop keeps.service NeedDaemonReload)"
ctl stop keeps.service >/dev/null
ok_if "once stopped it is not found" "" wait_for '[ "$(prop keeps.service LoadState)" != loaded ]'

# ---- nothing is missed (F19): the manager stands still while more happens than the kernel's queue holds

manager=$(manager_pid)
kill -STOP "$manager"
python3 - "$LIVE" <<-'Y'
	import os, sys
	for i in range(10000):
	    name = "%s/.storm" % sys.argv[1]
	    open(name, "w").close()
	    os.rename(name, "%s/storm%d.service" % (sys.argv[1], i % 50))
Y
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n[Install]\nWantedBy=test.target\n' "$PAYLOAD" | drop last.service
rm "$LIVE/quiet.service"
kill -CONT "$manager"
ok_if "after 40,000 events what came last is known" "" wait_active last.service active
ok_if "what went is stopped" "" wait_for '[ "$(active quiet.service)" = inactive ]'
is "by the same manager" "" "$manager" "$(manager_pid)"

# ---- and when no manager lives

printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n[Install]\nWantedBy=test.target\n' "$PAYLOAD" | drop brief.service
wait_active brief.service active
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" >"$T/vendor/keeps.service"
ctl start keeps.service >/dev/null
keeps=$(main_of keeps.service) pid=$(main_of brief.service)
kill -STOP "$manager"
rm "$LIVE/brief.service" "$T/vendor/keeps.service"
kill -KILL "$manager"
ok_if "what is removed while no manager lives is stopped" "E12" wait_for '! alive '"$pid"' && [ "$(active brief.service)" = inactive ]'
is "elsewhere it runs on" "B18" "$keeps active" "$(main_of keeps.service) $(active keeps.service)"
ctl stop keeps.service >/dev/null

wanted() { # NAME
	printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s log %s/ran %s pause\n[Install]\nWantedBy=test.target\n' "$PAYLOAD" "$T" "$1"
}
wanted rests | drop rests.service
wait_for "grep -q rests '$T/ran'"
ctl stop rests.service >/dev/null
manager=$(manager_pid)
kill -STOP "$manager"
wanted came | drop came.service
wanted rests | drop rests.service
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n' "$PAYLOAD" | drop idle.service
kill -KILL "$manager"
ok_if "what comes while no manager lives is started" "E12" wait_active came.service active
is "... why says its file came" "" yes "$(ctl why came.service | grep -q 'its unit file changed' && echo yes)"
for i in 1 2 3; do
	wanted "heard$i" | drop "heard$i.service"
	sleep 0.0$((i * 3)) # it has been heard of by a manager that waits for more
	kill -KILL "$(manager_pid)"
	ok_if "what a manager heard of before it died is started ($i)" "" wait_active "heard$i.service" active
done
sleep 0.3 # what else is heard of it changes nothing
is "... once; what was stopped by hand or nobody wants stays" "" "came heard1 heard2 heard3 rests inactive inactive" \
	"$(sort "$T/ran" | paste -sd' ') $(active rests.service) $(active idle.service)"

# ---- harkctl enable and disable reload by themselves

printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=%s pause\n[Install]\nWantedBy=test.target\n' "$PAYLOAD" >"$T/vendor/linked.service"
ctl enable --now linked.service >"$T/out" 2>&1
is "enable --now makes the link and starts" "" "$T/vendor/linked.service active" \
	"$(readlink "$T/main/links/test.target.wants/linked.service") $(active linked.service)"
is "the manager knows it at once" "" yes "$(ctl deps test.target | grep -q linked.service && echo yes)"
is "is-enabled" "" enabled "$(ctl is-enabled linked.service)"
ctl disable --now linked.service >"$T/out" 2>&1
is "disable --now takes both back" "" "no inactive" "$([ -e "$T/main/links/test.target.wants/linked.service" ] || echo no) $(active linked.service)"
ctl disable last.service >"$T/out" 2>&1
is "disable of a file in /etc/units is a drop-in, and does not stop it" "" "disabled active" "$(ctl is-enabled last.service) $(active last.service)"
is "the target does not want it any more" "" no "$(ctl deps test.target | grep -q last.service || echo no)"

# ---- a file or a mask above one that is loaded

ctl start linked.service >/dev/null 2>&1
sed 's/^\[Unit\]/&\nDescription=from above/' "$T/vendor/linked.service" >"$T/main/links/linked.service"
ctl daemon-reload >/dev/null 2>&1
is "a file in a more important directory is the unit's" "" "from above" "$(prop linked.service Description)"
rm "$T/main/links/linked.service"
ctl daemon-reload >/dev/null 2>&1
is "... and the other one again when it is gone" "" "$T/vendor/linked.service" "$(prop linked.service FragmentPath)"
ctl stop linked.service >/dev/null 2>&1
ctl mask linked.service >/dev/null 2>&1
ctl start linked.service >"$T/out" 2>&1
is "a mask holds for what was loaded" "" "1 masked inactive" "$? $(prop linked.service LoadState) $(active linked.service)"
finish
