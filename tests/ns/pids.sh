#!/bin/bash
# SPDX-License-Identifier: MIT
# A pid that was used before: hark never takes the process that has it now for the one it knew.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# The next process gets this pid, if it is free.
next_pid() { echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid; }

# bystander PID: a process of ours with that very pid; fails when the kernel gives another.
bystander() {
	local try
	for try in 1 2 3 4 5; do
		next_pid "$1"
		sleep 300 >/dev/null 2>&1 &
		BYSTANDER=$!
		[ "$BYSTANDER" = "$1" ] && return 0
		kill "$BYSTANDER"
	done
	return 1
}

if ! (next_pid 5000) 2>/dev/null; then
	skip "reused pids" "ns_last_pid cannot be written"
	exit 0
fi
hark_up pids
for name in gone failed back; do
	unit $name.service <<-X
		[Unit]
		DefaultDependencies=no
		[Service]
		ExecStart=/bin/sleep 1000
	X
done
ctl daemon-reload >/dev/null 2>&1
ctl start gone.service failed.service back.service >/dev/null

gone=$(main_of gone.service)
ctl stop gone.service >/dev/null
bystander "$gone"
is "the pid of a stopped service is used again" "" 0 $?
ctl stop gone.service >/dev/null 2>&1
ctl kill gone.service >/dev/null 2>&1
ctl restart gone.service >/dev/null
ok_if "stop, kill and restart of its old owner leave the new one alone" "E4 A12" kill -0 "$BYSTANDER"

failed=$(main_of failed.service)
kill -KILL "$failed"
wait_active failed.service failed
bystander "$failed"
is "the pid of a failed service is used again" "" 0 $?
ctl kill -s KILL failed.service >/dev/null 2>&1
ctl stop failed.service >/dev/null 2>&1
ok_if "the end of its old owner is not that of the new one" "E4 A12" kill -0 "$BYSTANDER"

# While the manager is away nobody has handled the exit: the pid must not be free.
back=$(main_of back.service)
manager=$(pgrep -P "$INIT_PID" -x harkd)
kill -STOP "$manager"
kill -KILL "$back"
sleep 0.1
next_pid "$back"
sleep 300 >/dev/null 2>&1 &
is "no pid is used again before its exit was handled" "E4 A12" yes "$([ $! != "$back" ] && echo yes)"
kill -CONT "$manager"
ok_if "and then it is handled" "" wait_active back.service failed
finish
