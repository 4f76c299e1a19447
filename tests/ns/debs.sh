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
	debs_download "$@" || { timeout 60 apt-get update </dev/null >/dev/null 2>&1 && debs_download "$@"; } || rm -f "$DEBS"/*.deb
}
debs_download() {
	timeout 120 apt-get install -y --reinstall --no-install-recommends --download-only -o Dir::Cache::archives="$DEBS" "$@" </dev/null >"$DEBS/log" 2>&1
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
