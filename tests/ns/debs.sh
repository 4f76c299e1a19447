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
