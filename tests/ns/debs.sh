# SPDX-License-Identifier: MIT
# Sourced by tests that need Debian's packages where the machine has none. They come by apt into a folder of the cache (HARK_CACHE), once; the machine
# itself gets nothing. It takes the network: before lib.sh where that makes a sandbox.

# debs_fetch NAME PACKAGE...: sets DEBS, where they lie then, with what they need and the machine lacks; false: they cannot be had.
debs_fetch() {
	local name=$1
	DEBS=${HARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hark}/$name
	shift
	[ -n "$HARK_SANDBOX" ] && return
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && mkdir -p "$DEBS/partial" || return
	debs_download "$@" || { debs_apt 60 update && debs_download "$@"; } || rm -f "$DEBS"/*.deb
}
debs_download() { debs_apt 120 install -y --reinstall --no-install-recommends --download-only -o Dir::Cache::archives="$DEBS" "$@"; }
# debs_apt SECONDS WORD...: two that fetch at the same time find each other's locks, and wait.
debs_apt() {
	flock -w 150 "${DEBS%/*}/apt.lock" timeout "$1" apt-get -o DPkg::Lock::Timeout=100 "${@:2}" </dev/null >"$DEBS/log" 2>&1
}

# debs_box NAME PACKAGE, behind lib.sh: a container (box.sh) at ROOT, with OUT, in which apt finds what was fetched; PACKAGE tells whether that is there.
debs_box() {
	[ -e /usr/lib/systemd/system/graphical.target ] && command -v systemctl >/dev/null && command -v dbus-daemon >/dev/null ||
		skip_all "no systemd and dbus packages, whose units are to be booted"
	[ -n "$HARK_TEST_CGROUP" ] || skip_all "no cgroups"
	ls "$DEBS/$2"*.deb >/dev/null 2>&1 || skip_all "apt cannot fetch $PACKAGES here"
	. "$HERE/box.sh"
	box_make "$1"
	ROOT=$T/$1/root OUT=$T/$1/out
	rm -rf "$ROOT"/etc/systemd/system/postgresql* "$ROOT"/etc/systemd/system/*.wants/postgresql*
	cp "$DEBS"/*.deb "$ROOT/var/cache/apt/archives/"
	rm -f "$ROOT/usr/sbin/policy-rc.d" # that of an image, by which nothing is started
}
