#!/bin/bash
# SPDX-License-Identifier: MIT
# Mounts that others make, seen by a hark that is PID 1: at once, whatever becomes of them, thousands of them for little, also over a killed manager and when
# more happens than the kernel can tell. Demand H-20.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -x "$NS_BIN/storm" ] || skip_all "no $NS_BIN/storm"
RUN_DIR=$T/run
export HARK_RUN_DIR=$RUN_DIR
mkdir -p "$T/units" "$RUN_DIR"
[ -n "$HARK_TEST_CGROUP" ] && CGROUP=$HARK_TEST_CGROUP/storm && mkdir -p "$CGROUP"
printf '[Unit]\nDefaultDependencies=no\n' >"$T/units/test.target"
unshare --mount --pid --fork --kill-child --mount-proc --propagation private "$BIN/hark-init" --unit-path "$T/units" --run-dir "$RUN_DIR" \
	${CGROUP:+--cgroup-root "$CGROUP"} --default test.target >"$T/log" 2>&1 </dev/null &
STARTED+=($!)
wait_for 'ctl list' || { not_ok "hark comes up as PID 1" "$(tail -3 "$T/log" | paste -sd' ')"; finish; }
INIT=$(pgrep -P $! -f hark-init | head -1)
inside() { nsenter -t "$INIT" -m -p "$@"; }
manager() { pgrep -P "$INIT" -x harkd; }
cpu_us() { awk '{ printf "%d\n", $1 / 1000 }' "/proc/$(manager)/schedstat"; }
mounted() { ctl list --all 2>/dev/null | grep -c "$1.*mounted"; }
is_active() { ctl is-active "$1" >/dev/null 2>&1; }

# ---- what is there already
there=$(awk '{ print $5 }' /proc/self/mountinfo | grep -xE '/dev|/dev/pts|/dev/shm|/run|/sys|/sys/fs/cgroup' | sort -u | paste -sd'|')
n_of() { awk '{ print $5 }' "$1" | grep -cxE "$there"; }
is "what is mounted already is not mounted again" "C8" "$(n_of /proc/self/mountinfo)" "$(n_of "/proc/$INIT/mountinfo")"

# ---- one at a time
for try in 1 2 3 4 5 6 7 8; do
	inside mkdir -p "/run/one$try"
	start_clock
	inside mount -t tmpfs one "/run/one$try"
	wait_for "is_active run-one$try.mount"
	stop_clock
	meets 100 $TOOK $STALLED && break
done
in_time "a foreign mount is a unit within 100 ms" "D50" 100 $TOOK $STALLED
is "... with what the kernel says of it" "" "one tmpfs" "$(inside findmnt -n -o SOURCE,FSTYPE "/run/one$try" | xargs)"
inside mount -t tmpfs two "/run/one$try"
inside umount "/run/one$try"
sleep 0.2
ok_if "one of two that lie over each other goes: the place is mounted" "" is_active "run-one$try.mount"
inside umount "/run/one$try"
ok_if "... until the last one goes" "" wait_for "! is_active run-one$try.mount"
inside mkdir -p /run/from "/run/to here"
inside mount -t tmpfs moved /run/from
inside mount --make-private /run 2>/dev/null
wait_for "is_active run-from.mount"
inside mount --move /run/from "/run/to here"
ok_if "a mount that moves takes its unit along, whatever its name" "" \
	wait_for "! is_active run-from.mount && is_active 'run-to\\x20here.mount'"

# ---- automount points
if [ -e /dev/autofs ] && [ -x "$BIN/hark-mount" ]; then
	for name in kept lost; do
		printf '[Unit]\nDefaultDependencies=no\n[Automount]\n' >"$T/units/run-$name.automount"
		printf '[Unit]\nDefaultDependencies=no\n[Mount]\nWhat=%s\nType=tmpfs\n' $name >"$T/units/run-$name.mount"
	done
	ctl daemon-reload >/dev/null
	ctl start run-kept.automount run-lost.automount >/dev/null
	inside umount -l /run/lost
	ok_if "an automount point that somebody unmounts is missed" "" wait_for "[ \"\$(sub run-lost.automount)\" = failed ]"
	ctl start run-lost.automount >/dev/null
	kill -STOP "$(manager)" && inside umount -l /run/lost && kill -9 "$(manager)"
	ok_if "... also while there is no manager" "" wait_for "[ \"\$(sub run-lost.automount)\" = failed ]"
	is "... and others are not" "" waiting "$(sub run-kept.automount)"
	ctl stop run-kept.automount >/dev/null
fi

# ---- many
inside mkdir -p /run/storm
share=100
for try in 1 2 3; do
	inside "$NS_BIN/storm" /run/storm 2000
	wait_for "[ \$(mounted run-storm-) = 0 ]"
	before=$(cpu_us)
	seconds=$(inside "$NS_BIN/storm" /run/storm 2000 1000 2000)
	wait_for "[ \$(mounted run-storm-) = 2000 ]"
	share=$(awk -v us=$(($(cpu_us) - before)) -v s="$seconds" 'BEGIN { printf "%d\n", us / 10000 / s }')
	note "2000 mounts in $seconds s: $(($(cpu_us) - before)) us of the manager's time, $share %"
	[ "$share" -le 5 ] && break
done
is "2000 mounts are 2000 units" "" 2000 "$(mounted run-storm-)"
ok_if "... for at most 5 % of a processor meanwhile" "D50" test "$share" -le 5
kill -9 "$(manager)"
wait_for "ctl list"
is "a killed manager knows them all again" "" 2000 "$(mounted run-storm-)"
inside umount -l /run/storm/7
ok_if "... and hears of the next change" "" wait_for "! is_active run-storm-7.mount"
pid=$(manager)
kill -STOP "$pid"
inside "$NS_BIN/storm" /run/storm 12000 0 10 >/dev/null
inside mount -t tmpfs last /run/storm/7
kill -CONT "$pid"
ok_if "more than the kernel can keep for us is no loss" "" wait_for "[ \$(mounted run-storm-) = 2000 ] && is_active run-storm-7.mount"
inside "$NS_BIN/storm" /run/storm 2000
ok_if "none is left when all are gone" "" wait_for "[ \$(mounted run-storm-) = 0 ]"
finish
