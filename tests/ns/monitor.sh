#!/bin/bash
# SPDX-License-Identifier: MIT
# Who asks for changes hears every one in its order, also those of the manager after a killed one; a bridge asks in its caller's name.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
hark_up monitor || finish
unit other.service <<X
[Unit]
DefaultDependencies=no
[Service]
ExecStart=$PAYLOAD pause
X
unit hello.service <<X
[Unit]
DefaultDependencies=no
[Service]
ExecStart=$PAYLOAD pause
X
timeout 20 "$BIN/harkctl" monitor -o json -p ActiveState >"$T/heard" 2>&1 &
wait_for "grep -q ready $T/heard"
timeout 20 "$BIN/harkctl" monitor -o json 'oth*' >"$T/heard.other" 2>&1 &
timeout 20 "$BIN/harkctl" monitor -o json -t socket >"$T/heard.sockets" 2>&1 &
wait_for "grep -q ready $T/heard.other && grep -q ready $T/heard.sockets"
ctl start hello.service >/dev/null
ctl stop hello.service >/dev/null
wait_for "grep -q '\"type\":\"stop\",\"result\"' $T/heard"
# A unit that changes again before it was told is told once: of the states between any may be missing.
sed -n 's/.*"ActiveState":"\([a-z]*\)".*/\1/p;s/.*"type":"\([a-z]*\)","result":"\([a-z]*\)".*/\1:\2/p' "$T/heard" | paste -sd' ' >"$T/order"
ok_if "states and jobs in their order" "" grep -qE '^(inactive )?(activating )?active start:done (active )?(deactivating )?inactive stop:done$' "$T/order"
ctl start other.service >/dev/null
wait_for "grep -q '\"type\":\"start\",\"result\"' $T/heard.other"
is "who asks for some hears of no others" "" "other.service" "$(grep -o '"unit":"[^"]*"' "$T/heard.other" | cut -d'"' -f4 | sort -u | paste -sd' ')"
is "... and of no other types" "" 0 "$(grep -c '"unit"' "$T/heard.sockets")"
kill -9 "$(manager_pid)"
wait_for "[ \$(grep -c ready $T/heard) = 2 ]"
ctl start hello.service >/dev/null
ok_if "the next manager's changes are heard too" "" wait_for "grep -c 'hello.service.*\"start\",\"result\":\"done\"' $T/heard | grep -qx 2"
is "root asks for another: who may not, is refused" "" 4 "$(ctl stop --caller 65534:1 hello.service >"$T/refused" 2>&1; echo $?)"
is "... and who may, is named" "" 0 "$(ctl restart --caller 0:$$ hello.service >/dev/null 2>&1; echo $?)"
ok_if "the cause is the caller" "" sh -c "$BIN/harkctl why hello.service | grep -q monitor.sh"
rm "$UNITS/hello.service"
ok_if "a unit that is dropped is told of" "" wait_for "grep -q 'gone.*hello.service' $T/heard"
ok_if "only root asks for others" "" sh -c "! setpriv --reuid=65534 --regid=65534 --clear-groups $BIN/harkctl list --caller 0:1"
finish
