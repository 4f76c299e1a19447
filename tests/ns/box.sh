# SPDX-License-Identifier: MIT
# Sourced after lib.sh by tests that boot a whole system: a container on a throw-away overlay of this machine's root, in which hark is installed.

# box_make NAME: the overlay at $T/NAME/root and an empty $T/NAME/out.
box_make() {
	local dir=$T/$1
	mkdir -p "$dir/layers" "$dir/root" "$dir/out"
	mount -t tmpfs layers "$dir/layers"
	mkdir "$dir"/layers/{upper,work}
	mount -t overlay -o "lowerdir=/,upperdir=$dir/layers/upper,workdir=$dir/layers/work" overlay "$dir/root" 2>/dev/null ||
		skip_all "no overlay of the root"
	DESTDIR=$dir/root cmake --install "$HARK_BUILD" --prefix /usr >"$dir/install" 2>&1 || not_ok "it installs" "$(tail -2 "$dir/install")"
}

# box_run NAME SECONDS COMMAND...: boots it with the command as PID 1 and $T/NAME/out/beside beside it; its exit status. PID 1's output is
# $T/NAME/out/log, that of the other $T/NAME/out/said.
box_run() {
	local name=$1 seconds=$2 cgroup=$HARK_TEST_CGROUP/box-$1 rc
	shift 2
	mkdir "$cgroup"
	timeout -k 5 "$seconds" sh -c 'echo $$ >"$0/cgroup.procs"; exec unshare -m -C -p -u -i -n -f --kill-child --propagation private bash "$@"' \
		"$cgroup" "$HERE/box_inside.sh" "$T/$name/root" "$T/$name/out" "$@"
	rc=$?
	remove_cgroup "$cgroup"
	return $rc
}

# box_drop NAME: unmounts it.
box_drop() {
	umount -l "$T/$1/root" "$T/$1/layers"
}
