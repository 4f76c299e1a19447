#!/bin/bash
# SPDX-License-Identifier: MIT
# Slices: a cgroup of their own before anything runs in them, and their stop is that of all that is in them. Limits: tests/vm/limits.sh.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
hark_up slices || finish
[ -n "$CGROUP" ] || skip_all "no cgroups"

in_slice() { # NAME SLICE
	unit "$1.service" <<-X
		[Unit]
		DefaultDependencies=no
		[Service]
		Slice=$2
		ExecStart=/bin/sleep 1000
	X
}
in_slice outer work.slice
in_slice inner work-deep.slice
in_slice other play.slice
unit inst@.service <<-X
	[Unit]
	DefaultDependencies=no
	[Service]
	ExecStart=/bin/sleep 1000
X
unit work.slice <<-X
	[Unit]
	Description=What is worked on
X
is "the slices in which everything lies are there" "" 2 "$(ctl list --all | grep -cE '(^| )(-|system)\.slice .*active')"
ok_if "a slice starts by itself" "" ctl start work.slice
ok_if "and has its cgroup" "" test -d "$CGROUP/work.slice"
ctl start outer.service inner.service other.service inst@a.service inst@b.service >/dev/null
ok_if "a slice within one has its cgroup there" "" grep -q . "$CGROUP/work.slice/work-deep.slice/inner.service/cgroup.procs"
is "it became active with its unit" "" active "$(active work-deep.slice)"
is "so did that of a template" "" active "$(active system-inst.slice)"
is "why tells" "" 0 "$(ctl why work-deep.slice | grep -q inner.service; echo $?)"
ok_if "system.slice cannot be stopped" "" eval '! ctl stop system.slice || [ "$(active system.slice)" = active ]'
is "what is in it runs" "" active "$(active inst@a.service)"

kill -9 "$(manager_pid)"
wait_for 'ctl list'
is "over a killed manager they are what they were" "" "active active" "$(active work.slice) $(active work-deep.slice)"
ctl stop system-inst.slice >/dev/null
is "the stop of a template's slice stops its instances" "" "inactive inactive" "$(active inst@a.service) $(active inst@b.service)"
ctl stop work.slice >/dev/null
is "the stop of a slice stops what is in it and in those below" "" "inactive inactive inactive" \
	"$(active outer.service) $(active inner.service) $(active work-deep.slice)"
is "and no other" "" active "$(active other.service)"
ok_if "its cgroup is gone" "" wait_for "[ ! -d $CGROUP/work.slice ]"
ok_if "it starts again with its unit" "" eval 'ctl start inner.service && [ "$(active work.slice)" = active ]'
finish
