# SPDX-License-Identifier: MIT
# Sourced after lib.sh by tests that ask the same of two containers with the same unit files, in $T/units: one with Debian's systemd as PID 1, and one with hark.
. "$HERE/box.sh"
[ -x /lib/systemd/systemd ] && command -v systemctl >/dev/null && command -v dbus-daemon >/dev/null && command -v python3 >/dev/null && command -v gdbus >/dev/null ||
	skip_all "no systemd, dbus and glib packages to compare with"
[ -x "$BIN/hark-bus" ] || skip_all "no hark-bus: built without libdbus-1"
[ -n "$HARK_TEST_CGROUP" ] || skip_all "no cgroups"

# Of the system's own units only these, so that nothing runs that is not meant.
SYSTEM="sysinit.target basic.target multi-user.target sockets.target timers.target paths.target slices.target local-fs.target local-fs-pre.target
	remote-fs.target swap.target shutdown.target umount.target final.target rescue.target time-set.target time-sync.target network.target
	nss-user-lookup.target getty.target dbus.service dbus.socket systemd-logind.service modprobe@.service user.slice user@.service
	user-runtime-dir@.service systemd-hostnamed.service systemd-timedated.service systemd-localed.service"
prepare() { # ROOT
	local lib=$1/usr/lib/systemd/system etc=$1/etc/systemd/system unit
	mv "$lib" "$1/system-units"
	rm -rf "$etc" "$1/usr/lib/systemd/system-generators" "$1"/etc/systemd/*.d "$1"/usr/lib/systemd/system-preset/* \
		"$1"/etc/systemd/system-generators "$1"/usr/local/lib/systemd "$1"/etc/init.d/* "$1"/etc/rc?.d
	mkdir -p "$lib" "$etc"
	for unit in $SYSTEM; do
		cp -a "$1/system-units/$unit" "$lib"
	done
	mkdir "$lib/sockets.target.wants"
	ln -s ../dbus.socket "$lib/sockets.target.wants/dbus.socket"
	ln -s multi-user.target "$lib/default.target"
	for unit in login1:logind hostname1:hostnamed timedate1:timedated locale1:localed; do
		ln -s "systemd-${unit#*:}.service" "$lib/dbus-org.freedesktop.${unit%:*}.service"
	done
	printf 'disable installs.service\n' >"$1/usr/lib/systemd/system-preset/90-golden.preset"
	cp -a "$T/units/." "$etc/"
	cp -a "$etc/oneshot.service" "$lib/lib.service"
}
put() { cat >"$T/units/$1"; }
mkdir "$T/units"
put a.service <<X
[Unit]
Description=Alpha
Documentation=man:true(1)
Wants=idle.target
[Service]
ExecStart=/bin/sleep 1000
ExecReload=/bin/true
X
put idle.service <<'X'
[Unit]
Description=Never runs
[Service]
ExecStartPre=-/bin/false
ExecStart=/bin/echo "two words" 'a"b' $HOME %n
X
put fails.service <<X
[Unit]
Description=Fails
[Service]
Type=oneshot
ExecStart=/bin/false
X
put refuses.service <<X
[Unit]
RefuseManualStart=yes
RefuseManualStop=yes
[Service]
ExecStart=/bin/true
X
put bad.service <<X
[Service]
ExecStart=relative/path
X
put oneshot.service <<X
[Unit]
Description=Once
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
X
put slow.service <<X
[Service]
Type=oneshot
ExecStart=/bin/sleep 30
X
put afterslow.service <<X
[Unit]
After=slow.service
[Service]
ExecStart=/bin/sleep 1000
X
put installs.service <<X
[Service]
ExecStart=/bin/sleep 1000
[Install]
WantedBy=multi-user.target
Alias=other-name.service
X
put also.service <<X
[Service]
ExecStart=/bin/sleep 1000
[Install]
WantedBy=test.target
Also=installs.service
X
put tmpl@.service <<X
[Unit]
Description=Instance %i
[Service]
ExecStart=/bin/sleep 1000
[Install]
WantedBy=multi-user.target
DefaultInstance=x
X
put env.service <<X
[Service]
Type=oneshot
ExecStart=sh -c 'env | grep -E "^(GOLD|FROM|SPACE)" | sort >/run/env.said'
X
put state.service <<X
[Service]
ExecStart=/bin/sleep 1000
StateDirectory=golden
RuntimeDirectory=golden
X
put s.socket <<X
[Unit]
Description=A socket
[Socket]
ListenStream=/run/s.sock
ListenDatagram=/run/s.dgram
X
put s.service <<X
[Service]
ExecStart=/bin/sleep 1000
X
put t.timer <<X
[Timer]
OnCalendar=*-1-1 00:00
OnActiveSec=10h
Unit=idle.service
X
put srv-gold.mount <<X
[Unit]
Description=Gold
[Mount]
What=gold
Where=/srv/gold
Type=tmpfs
Options=nosuid,size=1m,mode=0750
X
put srv-auto.automount <<X
[Automount]
Where=/srv/auto
TimeoutIdleSec=2min
X
put srv-auto.mount <<X
[Mount]
What=auto
Where=/srv/auto
Type=tmpfs
Options=ro,noexec
X
put gold.swap <<X
[Swap]
What=/gold
Priority=7
Options=discard
X
put lab.slice <<X
[Slice]
TasksMax=500
X
printf "[Unit]\n" | put idle.target
put late.service <<X
[Unit]
Description=Keeps the boot waiting
[Service]
Type=oneshot
ExecStart=/bin/sleep 2
X
for sleep in suspend hibernate; do
	printf '[Unit]\nRequires=slept.service\n' | put $sleep.target
done
put slept.service <<X
[Service]
Type=oneshot
ExecStart=/bin/true
RemainAfterExit=yes
X
mkdir "$T/units/multi-user.target.wants"
ln -s ../late.service "$T/units/multi-user.target.wants/late.service"
put iso.target <<X
[Unit]
AllowIsolate=yes
Wants=basic.target dbus.service hark-bus.service hark-bus.socket
X
put test.target <<X
[Unit]
Description=Test
Wants=a.service oneshot.service
After=a.service oneshot.service
Requires=s.socket
X
ln -s /dev/null "$T/units/masked.service"


# shellcheck disable=SC2016 # for the shell in there
WHEN_UP='export SYSTEMD_COLORS=0 SYSTEMD_PAGER= PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 COLUMNS=200
timeout 60 sh -c "until [ -S /run/systemd/private ] && [ -S /run/dbus/system_bus_socket ]; do sleep 0.02; done"
timeout 30 systemctl is-system-running --wait >/run/waited || systemctl list-jobs
timeout 60 sh -c "until systemctl is-system-running | grep -qx running; do sleep 0.1; done"
systemctl start dbus.service
timeout 60 sh -c "until busctl status org.freedesktop.systemd1 >/dev/null 2>&1; do sleep 0.1; done"'

# twins SECONDS RESULT FILE...: boots both with these files in /run/out; once a system is up and has a bus, the script on our standard input runs in it. What each
# left is then in $T/{systemd,hark}/out, RESULT being the last of it; HARK_GOLDEN_KEEP names a folder that gets it, too.
twins() {
	local seconds=$1 result=$2 name
	shift 2
	{ echo "$WHEN_UP" && cat && echo 'systemctl --force --force poweroff'; } >"$T/beside"
	twin systemd "$seconds" "/lib/systemd/systemd --log-target=console --show-status=no" "$@" &
	twin hark "$seconds" /usr/lib/hark/hark-init "$@" &
	wait
	for name in systemd hark; do
		[ -s "$T/$name/out/$result" ] || not_ok "$name ran all" "$(tail -qn 5 "$T/$name"/out/{said,log} | paste -sd' ')"
		[ -n "$HARK_GOLDEN_KEEP" ] && mkdir -p "$HARK_GOLDEN_KEEP/$name" && cp "$T/$name"/out/* "$HARK_GOLDEN_KEEP/$name"
		box_drop "$name"
	done
}
twin() { # NAME SECONDS COMMAND FILE...
	local name=$1 seconds=$2 command=$3
	shift 3
	box_make "$name"
	prepare "$T/$name/root"
	cp "$T/beside" "$@" "$T/$name/out"
	# shellcheck disable=SC2086 # a command and its arguments
	box_run "$name" "$seconds" $command
}
