#!/bin/bash
# SPDX-License-Identifier: MIT
# A reload and a takeover read unit files by the same code: every function that takes part in it is called in both (tests/ns/trip.c), but for
# those that say what has changed, and those that begin with nothing.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
TRIP=$NS_BIN/trip
[ -x "$TRIP" ] || skip_all "no $TRIP"
[ "$(uname -m)" = x86_64 ] || skip_all "breakpoints for x86-64 only"

UNITS=$T/lib
export HARK_TEST_UNIT_PATH=$UNITS
write() { # DESCRIPTION
	local unit
	mkdir -p "$UNITS/rich.service.d" "$UNITS/service.d"
	# One for all services: what has become of it is found by reading the directories, as a manager that begins does (units/load_renew).
	printf '[Service]\nUnsetEnvironment=%s\n' "$1" >"$UNITS/service.d/all.conf"
	printf '[Service]\nUMask=007\n' >"$UNITS/rich.service.d/more.conf"
	printf '[Service]\nType=notify\nNotifyAccess=all\nEnvironment=A=1 "B=2 3"\nNice=1\nLimitNOFILE=100:200\nExecStart=%s notify READY=1 pause\nTimeoutStopSec=3s\n' \
		"$PAYLOAD" >"$UNITS/rich.service"
	printf '[Service]\nExecStart=%s pause\n' "$PAYLOAD" | tee "$UNITS/of@.service" >"$UNITS/of.service"
	printf '[Timer]\nOnUnitActiveSec=1h\nOnCalendar=*-*-* 00:00:00\n' >"$UNITS/of.timer"
	printf '[Unit]\nWants=rich.service of@a.service of.timer\n' >"$UNITS/test.target"
	for unit in rich.service of@.service of.service of.timer test.target; do
		printf '[Unit]\nDescription=%s %%n\nDefaultDependencies=no\nAfter=\nConditionPathExists=/\n' "$1" >>"$UNITS/$unit"
	done
}
# The functions of harkd that make configurations of files.
functions() {
	nm -p -a "$BIN/harkd" | awk '
		$2 == "a" { file = $3 }
		$2 == "t" && file ~ /^(load.*|ini|parse.*|finish|needs|config)\.c$/ { print $1, $3 }
		$2 == "T" && $3 ~ /^(load|index|text|ini|parse|config|finish)_/ { print $1, $3 }'
}
begin_watch() { "$TRIP" reach "$@" "$T/functions" >"$T/reached"; }
end_watch() { # FILE
	kill -TERM "$(head -1 "$T/reached")"
	wait_for "! kill -0 $(head -1 "$T/reached")" 5
	sed 1d "$T/reached" | sort -u >"$1"
}

write before
hark_up main || finish
UNITS=$T/lib
wait_active rich.service active
functions >"$T/functions"
note "$(wc -l <"$T/functions") functions read unit files"

write after
begin_watch here "$(manager_pid)"
ok_if "a reload" "" ctl reload-config
end_watch "$T/reload"
is "reads what has changed" "" "after rich.service" "$(prop rich.service Description)"

begin_watch next "$INIT_PID"
kill -KILL "$(manager_pid)"
ok_if "a takeover" "" wait_for 'ctl is-active rich.service'
end_watch "$T/takeover"
is "reads the same" "" "after rich.service" "$(prop rich.service Description)"

both=$(comm -12 "$T/reload" "$T/takeover" | wc -l)
note "a reload calls $(wc -l <"$T/reload") of them, a takeover $(wc -l <"$T/takeover"); both: $both"
# That a name's files came or went is taken up alone where that will do; tests/unit/test_load_renew.c compares it with a reading of all.
renewal='load_renew|load_add_file|load_find_file|load_read_sides|index_drop_parts|is_ordinary|is_tied'
# Only a reload asks whether a file has changed; only a manager that begins has a search path to find, and units without a file, tells
# findings in its log, and looks for files that came while no manager lived.
is "all that a reload reads by, a takeover reads by" "D+18" "" \
	"$(comm -23 "$T/reload" "$T/takeover" | grep -vxE 'load_is_stale|stamp_now|file_stamp|text_mark_read' | grep -vxE "$renewal")"
is "all that a takeover reads by, a reload reads by" "D+18" "" \
	"$(comm -13 "$T/reload" "$T/takeover" | grep -vxE 'load_init|load_add_dir|config_needs_file|report_absent|config_log|load_next_name')"
is "which is the loader as a whole" "D+18" "ini_next load_read load_scan load_unit yes" \
	"$(comm -12 "$T/reload" "$T/takeover" | grep -xE 'load_scan|load_read|load_unit|ini_next' | paste -sd' ') $([ "$both" -ge 50 ] && echo yes || echo "$both")"
finish
