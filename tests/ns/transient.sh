#!/bin/bash
# SPDX-License-Identifier: MIT
# Units that a request brings along: Debian's own systemd-run makes scopes and services over the private socket; what is told of them, how they
# end and are forgotten, and that they survive the manager.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
command -v systemd-run >/dev/null || skip_all "no systemd-run"
[ -x "$BIN/hark-bus" ] || skip_all "no hark-bus: built without libdbus-1"
[ -n "$HARK_TEST_CGROUP" ] || skip_all "no cgroups"
hark_up transient || finish
mkdir -p /run/systemd/system
export SYSTEMD_IGNORE_CHROOT=1 SYSTEMD_PAGER= SYSTEMD_COLORS=0
cat >"$UNITS/hark-bus.socket" <<X
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/systemd/private
SocketMode=0600
X
cat >"$UNITS/hark-bus.service" <<X
[Unit]
DefaultDependencies=no
[Service]
ExecStart=$BIN/hark-bus
Environment=HARK_RUN_DIR=$RUN_DIR
Restart=on-failure
X
ctl daemon-reload >/dev/null
ctl start hark-bus.socket >/dev/null
run() { timeout 10 systemd-run "$@" </dev/null 2>&1; }
cgroup_of() { sed -n 's/^0:://p' "/proc/$1/cgroup"; }
FILES=$RUN_DIR/transient

# A service: what stands in the request stands in its file, as it was meant.
is "a service runs" "" 0 "$(run --unit=one --slice=lab-deep.slice --setenv=A='x y' --setenv=B='q"uo\te %n' \
	--working-directory=/ sh -c "printf %s:%s: \"\$A\" \"\$B\" >$T/said; exec $PAYLOAD pause" >/dev/null; echo $?)"
ok_if "... with its words and variables as they are" "" wait_for "[ \"\$(cat $T/said)\" = 'x y:q\"uo\\te %n:' ]"
pid=$(prop one.service MainPID)
is "... below its slice, which lies below another" "" yes \
	"$(case $(cgroup_of "$pid") in */lab.slice/lab-deep.slice/one.service) echo yes ;; *) cgroup_of "$pid" ;; esac)"
is "... is called transient" "" "transient yes" "$(prop one.service UnitFileState) $(prop one.service Transient)"
is "a name is given once" "" 1 "$(run --unit=one /bin/true >/dev/null; echo $?)"
is "a unit with a file is not replaced" "" 1 "$(run --unit=hark-bus /bin/true >/dev/null; echo $?)"
is "what cannot be set is told" "" 1 "$(run -p LogsDirectoryMode=0777 -p SocketBindAllow=80 /bin/true 2>&1 | grep -c SocketBindAllow)"
kill -9 "$(manager_pid)"
is "it survives the manager" "" "active $pid" "$(timeout 10 systemctl is-active one.service) $(prop one.service MainPID)"
timeout 10 systemctl stop one.service
ok_if "... and is forgotten after its end, with its file" "" wait_for "[ ! -e $FILES/one.service ]"
is "... so that the name is free" "" not-found "$(prop one.service LoadState)"
run --unit=bad /bin/false >/dev/null
ok_if "one that fails stays failed" "" wait_for '[ "$(prop bad.service ActiveState)" = failed ]'
timeout 10 systemctl reset-failed bad.service
ok_if "... until reset-failed" "" wait_for "[ ! -e $FILES/bad.service ]"

run --unit=given --socket-property=ListenStream="$T/given.sock" --socket-property=SocketMode=0600 "$PAYLOAD" pause >/dev/null
is "a socket with what it listens on" "" "active 600" "$(timeout 10 systemctl is-active given.socket) $(stat -c %a "$T/given.sock")"
timeout 10 systemctl stop given.socket
run --unit=masks -p UMask=0027 sh -c "umask >$T/umask" >/dev/null
ok_if "a mask is octal" "" wait_for "grep -qx 0027 $T/umask"

# A scope: the caller's own process.
timeout 60 systemd-run --scope --unit=mine -p TimeoutStopSec=1s sh -c "trap '' TERM; echo \$\$ >$T/pid; while :; do sleep 0.1; done" </dev/null >"$T/scope" 2>&1 &
ok_if "a scope starts" "" wait_for "[ \"\$(prop mine.scope ActiveState)\" = active -a -s $T/pid ]"
pid=$(cat "$T/pid")
is "... and has the process" "" yes "$(case $(cgroup_of "$pid") in */system.slice/mine.scope) echo yes ;; *) cgroup_of "$pid" ;; esac)"
is "... which systemctl names" "" 1 "$(timeout 10 systemctl status mine.scope | grep -c "$pid .*sh -c")"
kill -9 "$(manager_pid)"
is "it survives the manager" "" active "$(timeout 10 systemctl is-active mine.scope)"
sleep 30 &
ok_if "a process can be put in later" "" ctl attach mine.scope $!
is "... and is there" "" "$(cgroup_of "$pid")" "$(cgroup_of $!)"
sleep 30 &
ok_if "... and to a cgroup below it" "" ctl attach --below=a/b mine.scope $!
is "... which is made" "" "$(cgroup_of "$pid")/a/b" "$(cgroup_of $!)"
is "... but not above" "" 2 "$(ctl attach --below=../x mine.scope $! >/dev/null 2>&1; echo $?)"
kill $!
is "abandoned, it goes on" "" "0 abandoned" "$(ctl abandon mine.scope >/dev/null; echo $?) $(prop mine.scope SubState)"
timeout 10 systemctl stop mine.scope
is "stop ends them, by force at last" "" "failed timeout" "$(prop mine.scope ActiveState) $(prop mine.scope Result)"
ok_if "... all" "" wait_for "! kill -0 $pid"
is "it is not started again: its numbers may be anybody's by then" "" 1 "$(timeout 10 systemctl start mine.scope >/dev/null 2>&1; echo $?)"
timeout 20 systemd-run --scope --unit=short sleep 0.3 </dev/null >/dev/null 2>&1
ok_if "one whose processes have ended is dead" "" wait_for "[ \"\$(prop short.scope SubState)\" = dead ]"
is "abandon of what does not run" "" 1 "$(ctl abandon short.scope >/dev/null 2>&1; echo $?)"
is "RuntimeMaxSec= ends a scope" "" 143 "$(timeout 20 systemd-run --scope --unit=brief -p RuntimeMaxSec=1s sleep 30 </dev/null >/dev/null 2>&1; echo $?)"
ok_if "... as failed" "" wait_for '[ "$(prop brief.scope Result)" = timeout ]'
true &
dead=$!
wait $dead 2>/dev/null
ctl transient none.scope "[Scope]
PIDs=$dead
" >"$T/none" 2>&1
is "a scope without a process fails" "" "1 1" "$? $(grep -c "none of its processes is there" "$T/none")" || cat "$T/none"
finish
