#!/bin/bash
# SPDX-License-Identifier: MIT
# This machine's own default target, with the unit files that its packages brought, boots in a container: hark as PID 1 of its namespaces on a
# throw-away overlay of the root. systemctl and logind find everything as they know it: a login is a session with a scope and a user's manager; they
# power off.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/box.sh"
[ -e /usr/lib/systemd/system/graphical.target ] && command -v systemctl >/dev/null && command -v dbus-daemon >/dev/null ||
	skip_all "no systemd and dbus packages, whose units are to be booted"
[ -n "$HARK_TEST_CGROUP" ] || skip_all "no cgroups"
box_make debian
ROOT=$T/debian/root
OUT=$T/debian/out
rm -rf "$ROOT"/etc/systemd/system/postgresql* "$ROOT"/etc/systemd/system/*.wants/postgresql*

cat >"$ROOT/etc/fstab" <<'X'
one	/srv/one	tmpfs	size=1m,mode=0750	0	0
/srv/one	/srv/bound	none	bind,x-systemd.requires-mounts-for=/srv/one	0	0
/dev/not-there	/srv/not-there	ext4	nofail	0	2
server:/x	/srv/net	nfs	_netdev,noauto	0	0
X

chroot "$ROOT" useradd -m -u 1234 -s /bin/sh tester || not_ok "a user is made"

# What polkit lets the user do without a password: starting and stopping of one unit's kind, nothing else.
mkdir -p "$ROOT/etc/polkit-1/rules.d"
cat >"$ROOT/etc/polkit-1/rules.d/10-test.rules" <<'X'
polkit.addRule(function(action, subject) {
	if (action.id == "org.freedesktop.systemd1.manage-units" && subject.user == "tester")
		return polkit.Result.YES;
});
X
printf '[Service]\nExecStart=/bin/sleep 1000\n' >"$ROOT/etc/systemd/system/asked.service"
printf '[Timer]\nOnCalendar=*:*:*\nAccuracySec=1us\n' >"$ROOT/etc/systemd/system/tick.timer"
printf '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo x >>/run/ticks"\n' >"$ROOT/etc/systemd/system/tick.service"
# Whether logins are held off, before they are let in and when they no longer are.
cat >"$ROOT/etc/systemd/system/held.service" <<'X'
[Unit]
After=systemd-tmpfiles-setup.service
Before=systemd-user-sessions.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'touch /run/nologin'
ExecStop=/bin/sh -c 'test -e /run/nologin && echo held >/run/out/held'
X
mkdir -p "$ROOT/etc/systemd/system/multi-user.target.wants"
ln -s ../held.service "$ROOT/etc/systemd/system/multi-user.target.wants/held.service"
# A package with nothing but three init scripts: c needs a; a and b, where they are started together, each wait to see the other.
rm -f "$ROOT/usr/sbin/policy-rc.d" # that of an image, by which nothing is started
mkdir -p "$ROOT/srv/legacy/DEBIAN" "$ROOT/srv/legacy/etc/init.d"
printf 'Package: legacy\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: init scripts\n' >"$ROOT/srv/legacy/DEBIAN/control"
printf '#!/bin/sh\nfor s in a b c; do update-rc.d legacy-$s defaults && invoke-rc.d legacy-$s start; done\n' >"$ROOT/srv/legacy/DEBIAN/postinst"
printf '#!/bin/sh\nfor s in c b a; do invoke-rc.d legacy-$s stop; done\n' >"$ROOT/srv/legacy/DEBIAN/prerm"
printf '#!/bin/sh\nfor s in a b c; do update-rc.d legacy-$s remove; done\n' >"$ROOT/srv/legacy/DEBIAN/postrm"
while read -r name other needs; do
	cat >"$ROOT/srv/legacy/etc/init.d/legacy-$name" <<Y
#!/bin/sh
### BEGIN INIT INFO
# Provides:          legacy-$name
# Required-Start:    \$remote_fs $needs
# Required-Stop:     \$remote_fs $needs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: script $name
### END INIT INFO
# pidfile: /run/legacy-$name.pid
case \$1 in
start)
	echo "begin $name" >>/run/legacy
	if [ -e /run/together ]; then
		for i in \$(seq 300); do grep -q "begin $other" /run/legacy && echo "$name saw $other" >>/run/legacy && break; sleep 0.1; done
	fi
	setsid sleep 1005 </dev/null >/dev/null 2>&1 &
	echo \$! >/run/legacy-$name.pid
	echo "up $name" >>/run/legacy
	;;
stop) kill \$(cat /run/legacy-$name.pid) ;;
esac
Y
done <<'Y'
a b
b a
c c legacy-a
Y
chmod 755 "$ROOT"/srv/legacy/DEBIAN/p* "$ROOT"/srv/legacy/etc/init.d/*
cat >"$OUT/beside" <<'X'
# One line each to a file, to syslog, to the kernel's log and to another service.
outputs() {
	mkdir -p /run/systemd/system
	socat -u UNIX-RECV:/run/systemd/journal/syslog OPEN:/run/said.syslog,creat,append &
	printf '[Socket]\nListenFIFO=/run/said.pipe\n' >/run/systemd/system/reader.socket
	printf '[Service]\nStandardInput=socket\nStandardOutput=file:/run/said.other\nExecStart=cat\n' >/run/systemd/system/reader.service
	harkctl reload-config
	harkctl start reader.socket
	timeout 60 sh -c 'until [ -S /run/systemd/journal/syslog ]; do sleep 0.1; done'
	timeout 30 harkctl run -q --wait -p StandardOutput=file:/run/said.file echo word-file
	timeout 30 harkctl run -q --wait -p StandardOutput=syslog echo word-syslog
	timeout 30 harkctl run -q --wait -p StandardOutput=file:/run/said.pipe echo word-pipe
	[ -e /dev/kmsg ] || mknod -m 600 /dev/kmsg c 1 11
	timeout 30 harkctl run -q --wait -p StandardOutput=kmsg echo "word-kmsg $1"
	timeout 60 sh -c 'until grep -q word-syslog /run/said.syslog && grep -q word-pipe /run/said.other; do sleep 0.1; done'
	kill $!
	echo "outputs $(cat /run/said.file /run/said.other | paste -sd" ") $(grep -c word-syslog /run/said.syslog)"
	echo "kmsg $(timeout 20 dd if=/dev/kmsg iflag=nonblock bs=8192 2>/dev/null | grep -c "word-kmsg $1")"
}
legacy() {
	three() { systemctl "$1" legacy-a legacy-b legacy-c | paste -sd" "; }
	dpkg-deb -b /srv/legacy /run/legacy.deb
	timeout 60 dpkg -i /run/legacy.deb </dev/null
	echo "package $(three is-active) $(systemctl show -p MainPID --value legacy-a | cmp - /run/legacy-a.pid && echo main)"
	systemctl stop legacy-c
	echo "alone $(three is-active)"
	systemctl stop legacy-a legacy-b
	: >/run/legacy
	touch /run/together
	timeout 90 systemctl start legacy-a legacy-b legacy-c
	echo "together $(three is-active) $(grep -cE "^(a saw b|b saw a)$" /run/legacy) $(grep -E "^(up a|begin c)$" /run/legacy | paste -sd,)"
	timeout 60 dpkg -P legacy </dev/null
	echo "purged $(three is-active) $(pgrep -cf "^sleep 1005")"
}
# What goes on after a logout, and what ends it: somebody who says so, or logind where it is told to.
stays() {
	login() { timeout 60 su -l tester -c 'nohup setsid sleep 1003 >/dev/null 2>&1 & ! command -v tmux >/dev/null || tmux -L t new-session -d "exec sleep 1003"'; }
	is_gone() { timeout 60 sh -c 'while pgrep -u tester -f "^sleep 1003" >/dev/null; do sleep 0.1; done' && echo gone; }
	login
	timeout 60 sh -c 'until loginctl session-status "$(loginctl list-sessions --no-legend | awk "{ print \$1; exit }")" | grep -q "State: closing"; do sleep 0.1; done'
	echo "stays $(($(pgrep -u tester -cf "^sleep 1003") - $(command -v tmux | wc -l)))"
	sed -n 's/^0::/manager /p' "/proc/$(systemctl show -p MainPID --value user@1234.service)/cgroup"
	harkctl kill $(systemctl list-units --no-legend --plain 'session-*.scope' | cut -d" " -f1)
	echo "killed $(is_gone)"
	mkdir -p /etc/systemd/logind.conf.d
	printf '[Login]\nKillUserProcesses=yes\n' >/etc/systemd/logind.conf.d/test.conf
	systemctl restart systemd-logind.service
	login
	echo "ended $(is_gone)"
}
# A login by Debian's own su, pam_systemd and logind, and its end; then systemd-run over the bus.
session() {
	mkfifo /run/go
	timeout 60 busctl --match="type='signal',sender='org.freedesktop.systemd1'" capture >/run/out/signals 2>/dev/null &
	capture=$!
	sleep 1
	timeout 40 su -l tester -c 'sed -n s/^0:://p /proc/self/cgroup
		echo "$XDG_SESSION_ID $XDG_RUNTIME_DIR $(stat -c %U:%a $XDG_RUNTIME_DIR)"
		loginctl list-sessions --no-legend
		systemctl is-active user@1234.service user-runtime-dir@1234.service | paste -sd" "
		timeout 10 systemctl --user is-system-running --wait
		sleep 1000 & echo $!
		read line </run/go
		kill $!' </dev/null >/run/out/login 2>&1 &
	timeout 60 sh -c 'until [ "$(wc -l </run/out/login)" -ge 6 ]; do sleep 0.1; done'
	sleep 1
	kill $capture
	wait $capture
	scope=$(systemctl list-units --no-legend --plain 'session-*.scope' | cut -d" " -f1)
	echo "scope $(systemctl show -p ActiveState -p SubState --value "$scope" | paste -sd" ")"
	loginctl session-status --no-pager "$(tail -n+2 /run/out/login | head -1 | cut -d" " -f1)" | grep -c "sleep 1000"
	timeout 60 busctl --match="type='signal',sender='org.freedesktop.systemd1',member='UnitRemoved'" capture >/run/out/removed 2>/dev/null &
	capture=$!
	echo go >/run/go
	timeout 60 sh -c 'until [ -z "$(loginctl list-sessions --no-legend)" ]; do sleep 0.1; done'
	echo "left $(loginctl list-sessions --no-legend | wc -l) $(pgrep -cf "sleep 1000")"
	timeout 60 sh -c 'until [ "$(systemctl is-active user-runtime-dir@1234.service)" = inactive ]; do sleep 0.2; done'
	kill $capture
	echo "user $(systemctl is-active user@1234.service user-runtime-dir@1234.service | paste -sd" ") $(ls /run/user | wc -l)"
	systemctl start tick.timer
	timeout 60 sh -c 'until [ "$(wc -l </run/ticks)" -ge 2 ]; do sleep 0.1; done'
	echo "timer $(systemctl show -p ActiveState,SubState --value tick.timer | paste -sd" ") $(($(wc -l </run/ticks) >= 2)) $(systemctl list-timers --no-legend | grep -c "tick.timer *tick.service")"
	systemctl stop tick.timer
	timeout 20 systemd-run --wait -q sh -c "exit 7" </dev/null
	echo "wait $?"
	timeout 20 systemd-run --scope -q --slice=lab.slice sed -n s/^0:://p /proc/self/cgroup </dev/null | sed "s/run-[^/]*/NAME/; s/^/scoped /"
}
export SYSTEMD_COLORS=0
timeout 60 sh -c 'until [ "$(systemctl is-system-running 2>/dev/null)" = running ]; do sleep 0.1; done'
systemctl is-system-running
systemctl --failed --no-legend --plain
echo "-- health"
harkctl health
systemd-analyze 2>&1 | head -1
echo "-- logind $(systemctl is-active systemd-logind.service) $(loginctl list-sessions --no-legend 2>&1 | wc -l)"
echo "-- fstab $(systemctl is-active local-fs.target srv-one.mount srv-bound.mount hark-fstab.service srv-not\\x2dthere.mount | paste -sd" ") $(findmnt -n -o SOURCE /srv/one) $(stat -c %a /srv/bound)"
echo "-- journal $(systemctl is-active systemd-journald.service)"
echo "-- bus $(busctl --no-pager --no-legend list 2>/dev/null | grep -c '^org.freedesktop.systemd1 .*hark-bus')"
echo "-- own $(busctl --no-pager --no-legend list 2>/dev/null | grep -c '^org.hark1 .*hark-bus')"
session >/run/out/session 2>&1
stays >/run/out/stays 2>&1 </dev/null
[ -x /usr/lib/systemd/system-generators/systemd-sysv-generator ] && legacy >/run/out/legacy 2>&1
outputs $$-$(cat /proc/sys/kernel/random/uuid) >/run/out/outputs 2>&1 </dev/null
echo "-- nologin $([ -e /run/nologin ] || echo gone)"
as_user() { setpriv --reuid=1234 --regid=1234 --init-groups timeout 20 systemctl --no-ask-password "$@" 2>&1; }
if [ -x /usr/lib/polkit-1/polkitd ]; then
	as_user start asked.service >/run/out/polkit
	echo "start $?" >>/run/out/polkit
	as_user daemon-reload >>/run/out/polkit
	echo "reload $?" >>/run/out/polkit
fi
systemctl poweroff
X
box_run debian 250 /usr/lib/hark/hark-init
rc=$?
said() { grep -q "$1" "$OUT/said"; }
is "Debian's default target is reached and nothing failed" "" running "$(head -1 "$OUT/said")"
[ "$(head -1 "$OUT/said")" = running ] || grep -v 'not started: Cond' "$OUT/log" | tail -20 | sed 's/^/# /'
note "$(grep -o '[a-z]*.target reached .*' "$OUT/log" | head -1)"
ok_if "logind answers" "" said "^-- logind active 0"
is "fstab is mounted" "" "-- fstab active active active inactive inactive one 750" "$(grep '^-- fstab' "$OUT/said")"
ok_if "the journal collects" "" said "^-- journal active"
ok_if "our name is on the bus" "" said "^-- bus 1"
ok_if "... and one of our own, by a policy that is installed" "" said "^-- own 1"
login() { sed -n "$1p" "$OUT/login"; }
saw() { grep "^$1 " "$OUT/session"; }
is "su -l is a session of logind's, in a scope of its own" "" "yes" \
	"$(login 1 | grep -q '^.*/user.slice/user-1234.slice/session-[a-z0-9]*.scope$' && echo yes || login 1)"
ok_if "... with its directory" "" grep -q '^[a-z0-9]* /run/user/1234 tester:700$' "$OUT/login"
ok_if "... which loginctl lists" "" grep -q '1234 tester' "$OUT/login"
is "... and the user's manager runs" "" "active active running" "$(login '4,5' | paste -sd' ')"
read -r signals bytes <<<"$(python3 -B "$HERE/signals.py" "$OUT/signals")"
if [ "$signals" -gt 5 -a "$signals" -le 18 -a "$bytes" -le 5000 ]; then
	ok "a login costs $signals signals and $bytes bytes on the bus"
else # what is told in one turn is told once, and where others have the processors it takes more turns
	not_ok "a login costs at most 18 signals and 5000 bytes on the bus" "there were $signals and $bytes # TIME"
fi
is "the scope is a unit that runs" "" "scope active running" "$(saw scope)"
is "loginctl names its processes" "" 1 "$(sed -n 2p "$OUT/session")"
is "its end ends the processes and the session" "" "left 0 0" "$(saw left)"
is "... and the user's manager" "" "user inactive inactive 0" "$(saw user)"
ok_if "... and its scope is gone, for who listens" "" grep -aq 'session-[a-z0-9]*.scope' "$OUT/removed"
is "a timer is a unit, as a session is" "D+26" "timer active waiting 1 1" "$(saw timer)"
is "systemd-run --wait hears how it ended" "" "wait 7" "$(saw wait)"
is "systemd-run --scope" "" "scoped /lab.slice/NAME" "$(saw scoped)"
stays() { grep "^$1 " "$OUT/stays"; }
is "what was started with nohup, or in tmux, goes on after the logout" "" "stays 1" "$(stays stays)"
ok_if "the user's manager lives below user.slice" "" eval 'stays manager | grep -q "/user.slice/user-1234.slice/user@1234.service"'
is "harkctl kill of the session ends all of it" "A15" "killed gone" "$(stays killed)"
is "KillUserProcesses= of logind ends it with the logout" "B14" "ended gone" "$(stays ended)"
[ $NOT_OK_N = 0 ] || sed 's/^/# /' "$OUT/stays"
is "output goes to a file, to another service and to syslog" "" "outputs word-file word-pipe 1" "$(grep ^outputs "$OUT/outputs")"
[ $NOT_OK_N = 0 ] || sed 's/^/# /' "$OUT/outputs"
if grep -q '^kmsg 0' "$OUT/outputs"; then
	skip "output goes to the kernel's log" "no /dev/kmsg that can be read here"
else
	is "... and to the kernel's log" "A9" "kmsg 1" "$(grep ^kmsg "$OUT/outputs")"
fi
if [ -s "$OUT/legacy" ]; then
	legacy() { grep "^$1 " "$OUT/legacy"; }
	is "a package with init scripts alone is installed, and runs, with its PID file" "" "package active active active main" "$(legacy package)"
	is "each script is a unit of its own" "" "alone active active inactive" "$(legacy alone)"
	is "they start side by side, and after what their LSB headers say" "D47" "together active active active 2 up a,begin c" "$(legacy together)"
	is "and stop when it is purged" "D+5" "purged inactive inactive inactive 0" "$(legacy purged)"
	[ $NOT_OK_N = 0 ] || tail -40 "$OUT/legacy" | sed 's/^/# /'
else
	skip "init scripts" "no generator for them"
fi
is "nobody is kept from logging in once it is up, all are when it ends" "C16" "-- nologin gone held" "$(grep '^-- nologin' "$OUT/said") $(cat "$OUT/held")"
if [ -s "$OUT/polkit" ]; then
	is "what polkit allows a user is done, the rest is not" "" "start 0 reload 1" "$(grep -E '^(start|reload) ' "$OUT/polkit" | paste -sd' ')" ||
		sed 's/^/# /' "$OUT/polkit"
else
	skip "a user asks polkit" "there is no polkitd"
fi
is "no ordering cycle" "" 0 "$(grep -c 'dropped' "$OUT/log")"
is "systemctl poweroff ends it in order" "" "130 1" "$rc $(grep -c 'everything has ended in order' "$OUT/log")"
is "and asks nothing of PID 1 after its last request" "" 0 "$(grep -c 'PID 1 is gone' "$OUT/log")"
box_drop debian
finish
