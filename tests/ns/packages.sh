#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's packages are configured on a running hark: openssh-server, cups-daemon, avahi-daemon and nginx start by their own maintainer scripts, through
# deb-systemd-invoke, invoke-rc.d and systemctl; logins by sshd are sessions; removal stops what is removed. crun makes its containers' scopes.
# The packages come by apt into a cache (HARK_CACHE) and a throw-away root; the machine gets nothing.
PACKAGES="openssh-server openssh-client cups-daemon avahi-daemon nginx-light crun"
. "$(dirname "$(readlink -f "$0")")/debs.sh"
debs_fetch debs $PACKAGES # before the sandbox, which has no network
. "$(dirname "$(readlink -f "$0")")/lib.sh"
debs_box packages nginx
chroot "$ROOT" useradd -m -u 1234 -s /bin/bash tester || not_ok "a user is made"

cat >"$OUT/beside" <<'X'
export SYSTEMD_COLORS=0 DEBIAN_FRONTEND=noninteractive LC_ALL=C
say() { echo "$1: $(eval "$2" 2>&1 | paste -sd" ")"; }
timeout 60 sh -c 'until [ "$(systemctl is-system-running 2>/dev/null)" = running ]; do sleep 0.1; done'
say system 'systemctl is-system-running'
timeout 200 apt-get install -y --no-install-recommends --no-download openssh-server openssh-client cups-daemon avahi-daemon nginx-light crun >/run/out/apt 2>&1 </dev/null
say apt "echo $?"
say active 'systemctl is-active ssh.service nginx.service cups.service cups.socket cups.path'
say enabled 'systemctl is-enabled ssh.service nginx.service cups.service cups.path'
say web 'printf "GET / HTTP/1.0\r\n\r\n" | timeout 30 bash -c "exec 3<>/dev/tcp/127.0.0.1/80; cat >&3; head -1 <&3" | tr -d "\r"'
say why 'harkctl why nginx.service | grep -c "uid 0"'

say reconfigure 'dpkg-reconfigure openssh-server >/dev/null 2>&1; echo $?; systemctl is-active ssh.service'
pid=$(systemctl show -p MainPID --value nginx.service)
say invoke 'invoke-rc.d nginx restart; echo $?; systemctl is-active nginx.service; [ "$(systemctl show -p MainPID --value nginx.service)" != '"$pid"' ] && echo another'
say upgrade 'pid=$(systemctl show -p MainPID --value nginx.service); invoke-rc.d nginx upgrade >/dev/null; echo $?; systemctl is-active nginx.service; new=$(systemctl show -p MainPID --value nginx.service); [ $new != $pid ] && [ $new = $(cat /run/nginx.pid) ] && echo another'
say invoke-reload 'invoke-rc.d ssh reload; echo $?; systemctl is-active ssh.service'
say service-stop 'service nginx stop; echo $?; systemctl is-active nginx.service'
say service-start 'service nginx start; echo $?; systemctl is-active nginx.service'
say service-status 'service nginx status >/dev/null; echo $?; service nosuch status >/dev/null 2>&1; echo $?'
say deb-invoke 'deb-systemd-invoke restart cups.service; echo $?; systemctl is-active cups.service'
say masked 'systemctl stop nginx; ln -s /dev/null /etc/systemd/system/nginx.service; systemctl daemon-reload; deb-systemd-invoke restart nginx.service >/dev/null 2>&1; echo $?; systemctl is-active nginx.service; rm /etc/systemd/system/nginx.service; systemctl daemon-reload; systemctl start nginx; systemctl is-active nginx.service'

# cups.path as it came: its file starts cupsd again
systemctl stop cups.socket cups.service
say cups-stop 'systemctl is-active cups.service cups.path'
systemctl start cups.path
mkdir -p /var/cache/cups
touch /var/cache/cups/org.cups.cupsd
say cups-path 'timeout 60 sh -c "until systemctl is-active -q cups.service; do sleep 0.1; done"; systemctl is-active cups.service; harkctl why cups.service | grep -q org.cups.cupsd && echo named'

# cups and avahi find each other over the bus: both at once, each by what starts it, and by one request
both="cups.service avahi-daemon.service"
rest() { systemctl stop cups.path cups.socket avahi-daemon.socket $both; rm -f /var/cache/cups/org.cups.cupsd; systemctl start cups.path cups.socket avahi-daemon.socket; systemctl is-active $both | paste -sd" "; }
names() { busctl --no-pager --no-legend list | grep -c "^org.freedesktop.Avahi .*avahi-daemon"; }
say rested rest
timeout 20 busctl call org.freedesktop.Avahi / org.freedesktop.Avahi.Server GetVersionString >/run/out/avahi 2>&1 &
call=$!
timeout 20 python3 -c 'import socket
s = socket.socket(socket.AF_UNIX); s.connect("/run/cups/cups.sock"); s.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); print(s.recv(99)[:8].decode())' >/run/out/cups 2>&1
wait $call
say together 'systemctl is-active $both; names; cut -c1-8 /run/out/avahi; cat /run/out/cups'
rest >/dev/null
say request 'systemctl start $both; echo $?; systemctl is-active $both; names'

# a login by sshd
mkdir -p /root/.ssh /home/tester/.ssh
ssh-keygen -q -t ed25519 -N "" -f /root/.ssh/key
cp /root/.ssh/key.pub /home/tester/.ssh/authorized_keys
chown -R tester: /home/tester/.ssh
mkfifo /run/go
: >/run/out/login
timeout 60 ssh -q -i /root/.ssh/key -o StrictHostKeyChecking=no -o BatchMode=yes tester@127.0.0.1 '
	sed -n s/^0:://p /proc/self/cgroup
	echo "$XDG_SESSION_ID $XDG_RUNTIME_DIR $(stat -c %U:%a $XDG_RUNTIME_DIR)"
	systemctl is-active user@1234.service
	timeout 20 systemctl --user is-system-running --wait
	timeout 10 systemctl --user show -p Version --value
	cat >/dev/null' </run/go >/run/out/login 2>&1 &
exec 9>/run/go
timeout 60 sh -c 'until [ "$(wc -l </run/out/login)" -ge 5 ]; do sleep 0.1; done'
scope=$(systemctl list-units --no-legend --plain 'session-*.scope' | cut -d" " -f1)
say scope "systemctl show -p ActiveState,SubState,Slice --value $scope"
say sessions 'loginctl list-sessions --no-legend | grep -c tester'
exec 9>&-
wait $!
say logout 'timeout 60 sh -c "until [ -z \"\$(loginctl list-sessions --no-legend)\" ]; do sleep 0.1; done"; loginctl list-sessions --no-legend | wc -l; systemctl list-units --no-legend "session-*.scope" | wc -l'
say user-gone 'timeout 60 sh -c "until [ \"\$(systemctl is-active user-runtime-dir@1234.service)\" = inactive ]; do sleep 0.2; done"; systemctl is-active user@1234.service; ls /run/user | wc -l'

# crun with the systemd cgroup driver, as far as this machine has controllers
mkdir -p /run/bundle/rootfs
mount --bind / /run/bundle/rootfs
cd /run/bundle
crun spec
python3 - <<'P'
import json
c = json.load(open("config.json"))
c["process"].update(terminal=False, args=["sleep", "1000"])
c["linux"]["cgroupsPath"] = "lab.slice:crun:one"
c["linux"].pop("resources", None)
c["mounts"] = [m for m in c["mounts"] if m["destination"] == "/proc"]
json.dump(c, open("config.json", "w"))
P
timeout 20 crun --systemd-cgroup run -d one >/run/out/crun 2>&1 </dev/null
say crun "echo $?; crun list -q; systemctl show -p ActiveState,Slice --value crun-one.scope; sed -n s/^0:://p /proc/\$(crun state one | sed -n 's/.*\"pid\": \\([0-9]*\\),*/\\1/p')/cgroup"
say crun-kill 'crun kill one KILL; timeout 60 sh -c "until ! systemctl is-active -q crun-one.scope; do sleep 0.1; done"; crun delete -f one; systemctl is-active crun-one.scope'
cd /

# removal
say remove 'apt-get purge -y nginx nginx-common >/dev/null 2>&1 </dev/null; echo $?; systemctl is-active nginx.service; pgrep -c -x nginx'
say failed 'systemctl --failed --no-legend --plain'
systemctl poweroff
X
box_run packages 300 /usr/lib/hark/hark-init
rc=$?
said() { sed -n "s/^$1: //p" "$OUT/said" | head -1; }
is "Debian's default target is reached" "" running "$(said system)"
is "apt configures $PACKAGES" "" 0 "$(said apt)"
[ "$(said apt)" = 0 ] || tail -5 "$OUT/apt" | sed 's/^/# /'
is "their services run, by their own maintainer scripts" "" "active active active active active" "$(said active)"
is "... and are enabled" "" "enabled enabled enabled enabled" "$(said enabled)"
is "nginx answers" "" "HTTP/1.1 200 OK" "$(said web)"
ok_if "why tells who started it" "" test "$(said why)" -ge 1
is "dpkg-reconfigure openssh-server" "" "0 active" "$(said reconfigure)"
is "invoke-rc.d nginx restart" "" "0 active another" "$(said invoke)"
is "invoke-rc.d nginx upgrade: the service follows its pid file" "" "0 active another" "$(said upgrade)"
is "invoke-rc.d ssh reload" "" "0 active" "$(said invoke-reload)"
is "service nginx stop" "" "0 inactive" "$(said service-stop)"
is "service nginx start" "" "0 active" "$(said service-start)"
is "service status: its exit codes" "" "0 4" "$(said service-status)"
is "deb-systemd-invoke restart cups.service" "" "0 active" "$(said deb-invoke)"
is "deb-systemd-invoke leaves what is masked alone" "" "0 inactive active" "$(said masked)"
is "cups.path, unmodified, is stopped with cups.service (PartOf=)" "" "inactive inactive" "$(said cups-stop)"
is "... and starts it when its file is there; why names the file" "" "active named" "$(said cups-path)"
is "cups and avahi rest" "" "inactive inactive" "$(said rested)"
is "... start at once, by a call of the bus name and by the socket" "" 'active active 1 s "avahi HTTP/1.1' "$(said together)"
is "... and by one request" "D19" "0 active active 1" "$(said request)"
login() { sed -n "$1p" "$OUT/login"; }
ok_if "a login by sshd is a session in a scope of its own" "" grep -q '/user.slice/user-1234.slice/session-[a-z0-9]*.scope$' "$OUT/login"
ok_if "... with its directory" "" grep -q '^[a-z0-9]* /run/user/1234 tester:700$' "$OUT/login"
is "... which loginctl lists" "" 1 "$(said sessions)"
is "... and whose unit runs" "" "active running user-1234.slice" "$(said scope | tr ' ' '\n' | sort | paste -sd' ')"
is "user@1234.service reaches a running systemd --user" "" "active running" "$(login 3) $(login 4)"
is "logout ends the session and its scope" "" "0 0" "$(said logout)"
is "... and the user's manager" "" "inactive 0" "$(said user-gone)"
note "crun says: $(tail -2 "$OUT/crun" 2>/dev/null)"
is "crun --systemd-cgroup runs a container in a scope" "" "0 one" "$(said crun | cut -d' ' -f1-2)"
ok_if "... in its slice" "" eval 'said crun | grep -q "lab.slice.* .*/lab.slice/crun-one.scope"'
is "... which ends with it" "" inactive "$(said crun-kill | awk '{ print $NF }')"
is "the removal of a package stops its service" "" "0 inactive 0" "$(said remove)"
is "nothing failed" "" "" "$(said failed)"
is "and it powers off in order" "" 130 "$rc"
[ -n "$HARK_TEST_KEEP" ] && cp -r "$OUT" "$HARK_TEST_KEEP"
box_drop packages
finish
