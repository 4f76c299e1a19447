#!/bin/bash
# SPDX-License-Identifier: MIT
# The manager killed again and again while clients come in over UNIX and TCP, to services with Accept=no and Accept=yes:
# nobody is refused, nobody is lost, no service is restarted.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
SOCK=$T/sock
cp "$NS_BIN/sock" "$SOCK" 2>/dev/null || skip_all "no $NS_BIN/sock"
FULL=${HARK_TEST_FULL:-$HARK_FULL}
KILLS=${FULL:+1000}
: "${KILLS:=100}"
hark_up survive || finish

socket() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Socket]\nTriggerLimitIntervalSec=0\nBacklog=4096\nMaxConnections=4096\n' &&
		printf '%s\n' "$@"; } >"$UNITS/$name.socket"
}
service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\n' && printf '%s\n' "$@"; } >"$UNITS/$name.service"
}
field() { sed -n "s/.*\<$1=\([0-9]*\).*/\1/p" "$2" | awk '{ n += $1 } END { print n + 0 }'; }

set_up() {
	socket stay "ListenStream=$T/stay" "ListenStream=127.0.0.1:7101"
	service stay "ExecStart=$SOCK listen"
	socket brief "ListenStream=$T/brief" "ListenStream=127.0.0.1:7102"
	service brief "ExecStart=$SOCK listen once"
	socket each "ListenStream=$T/each" "ListenStream=127.0.0.1:7103" Accept=yes
	service each@ "ExecStart=$SOCK answer" StandardInput=socket
	service witness Restart=always "ExecStart=$PAYLOAD log $T/witness x pause"
	ctl daemon-reload >/dev/null 2>&1
	ctl start stay.socket brief.socket each.socket witness.service >/dev/null
	local name
	for name in stay brief each; do
		"$SOCK" ask "$T/$name" 1 >/dev/null || not_ok "$name answers at all" "no answer"
	done
}

# storm NAME MIN MAX ADDR...: 16 clients in all, spread over the addresses, while the manager is killed.
storm() {
	local name=$1 min=$2 max=$3 i=0 address workers sums="" generations restarted
	shift 3
	workers=$((16 / $#))
	generations=$(ctl show -p ManagerGenerations --value)
	local stay_pid witness_pid
	stay_pid=$(main_of stay.service) witness_pid=$(main_of witness.service)
	: >"$T/go"
	for address; do
		i=$((i + 1))
		timeout -k 5 500 "$SOCK" ask "$address" 0 "$workers" while "$T/go" >"$T/$name.$i" &
		sums="$sums $!"
	done
	"$SOCK" slay "$INIT_PID" "$KILLS" "$min" "$max" >"$T/$name.kills"
	sleep 0.2
	rm "$T/go"
	# shellcheck disable=SC2086
	wait $sums
	cat "$T/$name".[0-9]* >"$T/$name.sum"
	wait_for 'ctl is-active test.target' 10
	restarted=$(($([ "$(main_of stay.service)" = "$stay_pid" ] && echo 0 || echo 1) + $([ "$(main_of witness.service)" = "$witness_pid" ] && echo 0 || echo 1)))
	local figures
	figures="served=$(field served "$T/$name.sum") refused=$(field refused "$T/$name.sum") lost=$(field lost "$T/$name.sum") late=$(field late "$T/$name.sum") wrong=$(field wrong "$T/$name.sum") restarted=$restarted"
	note "$name: $(cat "$T/$name.kills") generations=$(($(ctl show -p ManagerGenerations --value) - generations)) $figures worst_ms=$(sed -n 's/.*worst_ms=//p' "$T/$name.sum" | sort -n | tail -1)"
	case $figures in
	*"refused=0 lost=0 late=0 wrong=0 restarted=0") ok "$name: $KILLS kills of the manager, nobody notices" "B20 D14 D15" ;;
	*)
		not_ok "$name: $KILLS kills of the manager, nobody notices" "$figures"
		grep -vE 'took over|listens|reached' "$HARK_LOG" | sort | uniq -c | sort -rn | head -20 | sed 's/^/# /'
		;;
	esac
}

set_up
storm "Accept=no" 2 20 "$T/stay" tcp:127.0.0.1:7101 "$T/brief" tcp:127.0.0.1:7102
storm "Accept=yes" 2 20 "$T/each" tcp:127.0.0.1:7103
is "nothing ran twice" "B20" 1 "$(wc -l <"$T/witness")"
wait_for '[ "$(ctl list --plain 2>/dev/null | grep -c "each@")" = 0 ]' 5
is "no instance is left behind" "" 0 "$(pgrep -fxc "$SOCK answer")"
is "the sockets are in their states" "B20" "running listening" "$(sub stay.socket) $(sub each.socket)"
"$SOCK" ask "$T/each" 50 4 >"$T/after" && ok "afterwards everything is as before" "B20" || not_ok "afterwards everything is as before" "$(cat "$T/after")"
finish
