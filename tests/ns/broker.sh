#!/bin/bash
# SPDX-License-Identifier: MIT
# The same as busnames.sh with dbus-broker in place of dbus-daemon: the one of this machine, else Debian's package, fetched once and unpacked.
here=$(dirname "$(readlink -f "$0")")
cache=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/hark-broker
if command -v dbus-broker-launch >/dev/null; then
	cache=$(dirname "$(command -v dbus-broker-launch)")
elif [ ! -x "$cache/usr/bin/dbus-broker-launch" ]; then
	mkdir -p "$cache"
	(cd "$cache" && timeout 60 apt-get -o APT::Sandbox::User=root download dbus-broker && dpkg -x dbus-broker_*.deb .) >"$cache/log" 2>&1
fi
[ -d "$cache/usr/bin" ] && cache=$cache/usr/bin
[ -x "$cache/dbus-broker-launch" ] || {
	echo "skip broker: there is no dbus-broker, and it cannot be fetched"
	exit 0
}
HARK_BROKER=$cache exec "$here/busnames.sh"
