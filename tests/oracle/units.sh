#!/bin/bash
# SPDX-License-Identifier: MIT
# Units as hark dumps them and as systemd's own loader does, line by line (compare.py): our own, which cover the rules, and those
# of Debian packages, which are fetched and kept outside of the tree. HARK_CORPUS names a folder of more units.
here=$(dirname "$(readlink -f "$0")")
build=${HARK_BUILD:-$here/../../build-dev}
cache=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/hark-units
bad=0

compare() { # LEAST WHAT ROWS PATH...
	local least=$1 what=$2 rows=$3 out
	shift 3
	out=$(python3 -B "$here/compare.py" --hark "$build/bin/harkctl" --least "$least" "$@" 2>&1)
	case $? in
	0) echo "ok $what: ${out##*$'\n'}${rows:+ [rows: $rows]}" ;;
	77) echo "skip $what: there is no systemd-analyze" ;;
	*) echo "$out" && echo "not ok $what: ${out##*$'\n'}" && bad=1 ;;
	esac
}

compare 100 "rules of services, sockets, processes and cgroups" "D+8" "$here/rules.units"
compare 100 "timers, paths, mounts, automounts, swaps and slices" "D56" "$here/types.units"
# /lib may be a link to /usr/lib, and systemd-analyze says by which way it came.
compare 99.5 "units of this machine" "" "$(readlink -f /lib/systemd/system)"
if bash "$here/fetch.sh" "$here/packages.txt" "$cache"; then
	compare 99.5 "units of Debian packages" "D+4 D46" "$cache/units"
else
	echo "skip units of Debian packages: not all could be fetched"
fi
[ -d "${HARK_CORPUS:-}" ] && compare 99.5 "units of $HARK_CORPUS" "" "$HARK_CORPUS"

if python3 -B "$here/compat.py" "$build/tests/oracle/directives" | cmp -s - "$here/../../docs/compat.md"; then
	echo "ok docs/compat.md says of each directive what the tables say [rows: B43]"
else
	echo "not ok docs/compat.md: make it again with tests/oracle/compat.py" && bad=1
fi
exit $bad
