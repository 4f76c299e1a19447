#!/bin/bash
# SPDX-License-Identifier: MIT
# PID 1 and its bank, driven by keeper_test as the manager: as a subreaper and as PID 1 of a namespace of its own.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

export HARK_INIT=$BIN/hark-init
start_clock
while read -r word rest; do
	case $word in
	ok) ok "$rest" ;;
	storm)
		stop_clock
		in_time "10,000 orphans are reaped within a second" "A1 C2" 1000 "$rest" "$LONGEST"
		;;
	not)
		rest=${rest#ok }
		not_ok "${rest%%: *}" "${rest#*: }"
		;;
	*) note "${rest:-$word}" ;;
	esac
done < <(timeout -k 5 100 "$NS_BIN/keeper_test" 2>&1 </dev/null)
finish
