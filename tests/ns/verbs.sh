#!/bin/bash
# SPDX-License-Identifier: MIT
# The verbs of Debian's systemctl that end a system or leave little of it, each in a container with hark as PID 1: what becomes of the container, and of
# a service that runs.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/twins.sh"
rm "$T/units/multi-user.target.wants/late.service"
SYSTEM="$SYSTEM poweroff.target systemd-poweroff.service halt.target systemd-halt.service reboot.target systemd-reboot.service exit.target systemd-exit.service"
put marked.service <<X
[Service]
ExecStart=/bin/sleep 1000
ExecStop=/bin/sh -c 'echo stopped >/run/out/stopped'
X
# The shell that a person would get.
mkdir "$T/units/rescue.service.d" "$T/units/emergency.service.d"
for mode in rescue emergency; do
	printf '[Service]\nExecStart=\nExecStart=/bin/sleep 1000\nStandardInput=null\nStandardOutput=null\n' >"$T/units/$mode.service.d/shell.conf"
done
# look TARGET UNIT: when the target is there.
# shellcheck disable=SC2016 # for the shell in there
LOOK='look() {
timeout 20 sh -c "until harkctl is-active $1; do sleep 0.05; done"
harkctl is-active "$1" "$2" | paste -sd" " >/run/out/looked
harkctl poweroff
}'
# end NAME COMMAND...: a container in which that is asked for when everything runs.
end() {
	local name=$1 rc
	shift
	box_make "$name"
	prepare "$T/$name/root"
	{ echo "$WHEN_UP" && echo "$LOOK" && echo systemctl start marked.service && echo "$*"; } >"$T/$name/out/beside"
	box_run "$name" 60 /usr/lib/hark/hark-init
	rc=$?
	echo "$rc $(cat "$T/$name/out/stopped" 2>/dev/null)" >"$T/$name/end"
	box_drop "$name"
}
end poweroff systemctl poweroff &
end reboot systemctl reboot &
end halt systemctl halt &
end exit systemctl exit 5 &
end rescue 'systemctl --no-block rescue; look rescue.target marked.service' &
end emergency 'systemctl --no-block emergency; look emergency.target marked.service' &
wait
is "systemctl poweroff ends the container" "" "130 stopped" "$(cat "$T/poweroff/end")"
is "... halt, too" "" "130 stopped" "$(cat "$T/halt/end")"
is "... reboot begins it anew" "" "129 stopped" "$(cat "$T/reboot/end")"
is "... exit 5 has that status" "" "5 stopped" "$(cat "$T/exit/end")"
is "systemctl rescue leaves a shell" "" "active inactive" "$(cat "$T/rescue/out/looked")"
is "systemctl emergency, too" "" "active inactive" "$(cat "$T/emergency/out/looked")"
finish
