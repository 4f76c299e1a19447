#!/bin/bash
# SPDX-License-Identifier: MIT
# Every line of hark-init is reached by a test: the tests that are about it run again with a build that marks where it comes
# (tests/reach), and what was never reached is printed.
# Runs alone: faults that come faster than PID 1 gets on are another test.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
COUNTED=$HARK_BUILD/tests/reach/hark-init
[ -x "$COUNTED" ] || skip_all "no $COUNTED"
command -v objdump >/dev/null || skip_all "no objdump"
MARKS=$T/marks
SUITES=${1:-"corners keeper inject fault"}

# A build folder in which hark-init is the one that counts.
mkdir -p "$T/build/bin"
ln -s "$BIN"/* "$T/build/bin/"
rm "$T/build/bin/hark-init"
cp "$COUNTED" "$T/build/bin/"
ln -s "$HARK_BUILD/tests" "$T/build/tests"
report() { "$TOP/tests/reach/report.py" "$COUNTED" "$MARKS"; }
again() { # SUITE: once more, with the build that counts
	local began
	began=$(now_ms)
	HARK_REACH=$MARKS HARK_BUILD=$T/build timeout -k 5 170 "$HERE/$1.sh" >"$T/$1" 2>&1 </dev/null
	# The build that counts is slower: only what it does is judged.
	is "$1: holds with the build that counts" "" "" "$(grep '^not ok' "$T/$1" | grep -v ' # TIME$' | head -3)"
	note "$1: $(($(now_ms) - began)) ms, $(report | sed -n 1p)"
}
for suite in $SUITES; do
	again "$suite"
done
# Where its faults hit is left to chance.
for _ in 1 2 3; do
	report >"$T/report" || again fault
done
report >"$T/report"
is "every line of hark-init is reached" "" 0 $?
sed 's/^/# /' "$T/report"
finish
