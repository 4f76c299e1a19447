#!/bin/bash
# SPDX-License-Identifier: MIT
# Every line of hark-init is reached by a test: the tests that are about it run again with a build that marks where it comes
# (tests/reach), and what was never reached is printed.
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
for suite in $SUITES; do
	began=$(now_ms)
	HARK_REACH=$MARKS HARK_BUILD=$T/build timeout -k 5 170 "$HERE/$suite.sh" >"$T/$suite" 2>&1 </dev/null
	is "$suite: holds with the build that counts" "" "" "$(grep '^not ok' "$T/$suite" | head -3)"
	note "$suite: $(($(now_ms) - began)) ms, $("$TOP/tests/reach/report.py" "$COUNTED" "$MARKS" | sed -n 1p)"
done
"$TOP/tests/reach/report.py" "$COUNTED" "$MARKS" >"$T/report"
is "every line of hark-init is reached" "" 0 $?
sed 's/^/# /' "$T/report"
finish
