#!/bin/bash
# SPDX-License-Identifier: MIT
# enable, disable, mask and their like: against systemctl on made-up trees and on this system's own units, in a directory where presence is
# enablement, and killed at every system call that changes a file.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

export HARK_RUN_DIR=$T/nobody

# ---- the same as systemctl

differences() { # NAME ROWS TREES FIRST
	python3 "$HERE/enable.py" "$BIN/harkctl" "$T/diff" "$3" "$4" </dev/null >"$T/out" 2>&1
	is "$1" "$2" 0 $? || sed 's/^/# /' "$T/out" | head -40
	note "$(tail -1 "$T/out")"
}

# The unit directories of this machine in a folder of their own, with a system's links.
own_units() { # FOLDER
	mkdir -p "$1/usr/lib" "$1/etc/systemd" "$1/run" "$1/usr/lib/systemd"
	ln -s usr/lib "$1/lib"
	cp -a /usr/lib/systemd/system "$1/usr/lib/systemd/" 2>/dev/null
	cp -a /usr/lib/systemd/system-preset "$1/usr/lib/systemd/" 2>/dev/null
	cp -a /etc/systemd/system "$1/etc/systemd/" 2>/dev/null
}
links_of() { (cd "$1" && find etc run -type l -printf '%p>%l\n' | sort); }

own_system() {
	own_units "$T/ours"
	own_units "$T/theirs"
	local verb
	for verb in preset-all "mask cron.service" "set-default multi-user.target" "disable ssh.service" "preset-all --preset-mode=enable-only"; do
		# shellcheck disable=SC2086
		ctl --root="$T/ours" $verb >"$T/out" 2>&1
		# shellcheck disable=SC2086
		systemctl --root="$T/theirs" $verb >/dev/null 2>&1
	done
	is "the links of this system's units after preset-all, mask, set-default and disable are systemctl's" "E19" "" \
		"$(diff <(links_of "$T/theirs") <(links_of "$T/ours"))"
	systemctl --root="$T/theirs" list-unit-files --no-legend --no-pager | awk '{print $1, $2, $3}' | sort >"$T/theirs.list"
	ctl --root="$T/ours" list-unit-files | awk 'NR > 1 {print $1, $2, $3}' | sort >"$T/ours.list"
	is "list-unit-files says the same of all $(wc -l <"$T/theirs.list") unit files" "" "" "$(diff "$T/theirs.list" "$T/ours.list" | head -20)"
}

if command -v systemctl >/dev/null && systemctl --version | grep -q '^systemd 252'; then
	if [ -n "$HARK_FULL" ]; then
		differences "the links are those of systemctl on 2000 trees" "" 2000 10000
	else
		differences "the links are those of systemctl on 150 trees" "" 150 0
	fi
	own_system
else
	skip "comparison with systemctl" "needs systemctl 252"
fi

# ---- presence is enablement

R=$T/root
e() { ctl --root="$R" "$@"; }
mkdir -p "$R/etc/units" "$R/usr/lib/systemd/system"
printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\nAlias=other.service\n' >"$R/etc/units/here.service"
printf '[Service]\nExecStart=/bin/true\n' >"$R/etc/units/static.service"
is "a file with [Install] in /etc/units is enabled" "E12" enabled "$(e is-enabled here.service)"
is "one without is static" "" static "$(e is-enabled static.service)"
e disable here.service >/dev/null
is "disable writes a drop-in" "" "$R/etc/units/here.service.d/99-disabled.conf" "$(find "$R/etc" -name '*.conf')"
is "then it is disabled" "" disabled "$(e is-enabled here.service)"
is "and no link is made" "" "" "$(find "$R" -type l)"
e enable here.service >/dev/null
is "enable takes the drop-in away" "" "" "$(find "$R/etc" -name '*.conf')"
is "and the unit is enabled again" "" enabled "$(e is-enabled here.service)"
e mask here.service >"$T/out" 2>&1
is "a mask that would hide nothing is refused" "" "1 enabled" "$? $(e is-enabled here.service)"
is "a name that is not there" "" 1 "$(e is-enabled nothing.service >/dev/null 2>&1; echo $?)"
printf '[Socket]\nListenStream=/run/x\n[Install]\nWantedBy=sockets.target\n' >"$R/usr/lib/systemd/system/a.socket"
printf '[Service]\nExecStart=/bin/true\n' >"$R/usr/lib/systemd/system/z.service"
is "unit files are listed by kind, then by name" "" "here.service static.service z.service a.socket" \
	"$(e list-unit-files | awk 'NR > 1 {print $1}' | grep -E '^(here|static|z|a)\.' | xargs)"
is "is-enabled -o json" "" '[{"row":"state","unit":"z.service","state":"static"}]' "$(e is-enabled z.service -o json)"
is "enable -o json tells the links" "" \
	'[{"row":"linked","path":"/etc/systemd/system/sockets.target.wants/a.socket","target":"/usr/lib/systemd/system/a.socket"}]' \
	"$(e enable a.socket -o json)"
is "and -q tells nothing" "" "" "$(e disable -q a.socket)"
mkdir -p "$R/etc/systemd/system/x.target.wants"
ln -s /usr/lib/systemd/system/z.service "$R/etc/systemd/system/alias.service"
ln -s /opt/alias.service "$R/etc/systemd/system/x.target.wants/alias.service"
e disable alias.service >/dev/null 2>&1
is "disable of an alias takes all links of that name at once, wherever they lead" "" "" "$(find "$R" -name alias.service)"

# ---- killed on the way (F27)

# states_of FOLDER: every path that commands write, with what is there.
states_of() { (cd "$1" && find . -name '.hark-*' -prune -o \( -type l -o -type f \) -printf '%p>%l\n' | sort); }

make_root() {
	rm -rf "$R"
	mkdir -p "$R/etc/systemd/system" "$R/usr/lib/systemd/system" "$R/etc/units"
	local u
	for u in a b; do
		printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\nRequiredBy=x.target\nAlias=%s-alias.service\n' $u \
			>"$R/usr/lib/systemd/system/$u.service"
	done
	cp "$R/usr/lib/systemd/system/a.service" "$R/etc/units/p.service"
	ln -s /elsewhere/a.service "$R/etc/systemd/system/a-alias.service"
	e enable --force b.service >/dev/null
}

# Each path is as before or as after, whatever call was the last; doing it again ends as if nothing had happened, without leftovers.
# The shell would tell of each death.
killed() { # COMMAND...
	local n call bad=0 cuts=0 before after now path
	make_root
	before=$(states_of "$R")
	e "$@" >/dev/null 2>&1
	after=$(states_of "$R")
	for call in mkdirat symlinkat renameat,renameat2 unlinkat fsync openat; do
		for n in $(seq 1 40); do
			make_root
			{ strace -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n "$BIN/harkctl" --root="$R" "$@"; } >/dev/null 2>&1 && break
			cuts=$((cuts + 1))
			now=$(states_of "$R")
			while read -r path; do
				grep -qxF -- "$path" <<<"$before"$'\n'"$after" || bad=$((bad + 1))
			done <<<"$now"
			while read -r path; do
				grep -qxF -- "$path" <<<"$now" || bad=$((bad + 1))
			done < <(comm -12 <(echo "$before") <(echo "$after"))
			e "$@" >/dev/null 2>&1
			[ "$(states_of "$R")" = "$after" ] || bad=$((bad + 1))
			[ -z "$(find "$R" -name '.hark-*')" ] || bad=$((bad + 1))
		done
	done
	is "killed at each of $cuts calls, $* leaves old or new, and again is whole" "" "0 yes" "$bad $([ $cuts -gt 3 ] && echo yes)"
}

if command -v strace >/dev/null; then
	killed enable --force a.service
	killed disable b.service
	killed reenable b.service
	killed mask b.service
	killed disable p.service
	killed preset-all
else
	skip "killed at every call" "needs strace"
fi
finish
