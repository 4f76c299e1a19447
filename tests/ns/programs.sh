#!/bin/bash
# SPDX-License-Identifier: MIT
# More programs of Debian that know systemd, unmodified, on a running hark: NetworkManager, udisks, accountsservice, packagekit, cockpit-bridge,
# podman, needrestart, unattended-upgrades, systemd-run with a terminal and with sockets, `systemctl --user -M`, and the upgrade of a package whose
# service runs. The packages come by apt into a cache (HARK_CACHE) and a throw-away root; the machine gets nothing.
PACKAGES="podman crun network-manager cockpit-bridge cockpit-system udisks2 needrestart unattended-upgrades accountsservice packagekit packagekit-tools polkitd nginx-light"
. "$(dirname "$(readlink -f "$0")")/debs.sh"
debs_fetch programs $PACKAGES # before the sandbox, which has no network
. "$(dirname "$(readlink -f "$0")")/lib.sh"
debs_box programs podman
cp "$HERE/cockpit.py" "$OUT"
chroot "$ROOT" useradd -m -u 1234 -s /bin/sh tester || not_ok "a user is made"
# What podman and a manager of a session need of a machine: a file system for images, and the user's at boot.
mkdir -p "$ROOT/etc/containers" "$ROOT/var/lib/systemd/linger"
printf '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/run/containers/graph"\n' >"$ROOT/etc/containers/storage.conf"
touch "$ROOT/var/lib/systemd/linger/tester"

cat >"$OUT/beside" <<'X'
export SYSTEMD_COLORS=0 DEBIAN_FRONTEND=noninteractive LC_ALL=C
say() { echo "$1: $(eval "timeout 100 $2" 2>/run/out/err.$1 </dev/null | paste -sd" ")"; }
timeout 60 sh -c 'until [ "$(systemctl is-system-running 2>/dev/null)" = running ]; do sleep 0.1; done'
timeout 200 apt-get install -y --no-install-recommends --no-download PACKAGES >/run/out/apt 2>&1 </dev/null
echo "apt: $?"
say networkmanager 'nmcli -t -f RUNNING,STATE general; systemctl is-active NetworkManager.service'
say udisks 'sh -c "systemctl stop udisks2.service; udisksctl status | head -1; systemctl is-active udisks2.service"'
say accounts 'sh -c "busctl call org.freedesktop.Accounts /org/freedesktop/Accounts org.freedesktop.Accounts FindUserByName s tester; systemctl is-active accounts-daemon.service"'
say packagekit 'sh -c "for i in 1 2 3; do pkcon backend-details | grep ^Name && break; done; systemctl is-active packagekit.service"'
say inhibitor 'systemd-inhibit --list --no-pager --no-legend | grep -o "Unattended Upgrades Shutdown.*shutdown"'
say cockpit 'python3 -B /run/out/cockpit.py'

say pty 'script -qc "systemd-run --pty -q sh -c \"tty >/dev/null && echo hello\"" /dev/null | grep -o hello'
cat >/run/sockets.py <<'P'
import socket, subprocess
ours, theirs = socket.socketpair()
p = subprocess.Popen(["systemd-run", "--pipe", "-q", "sh", "-c", "read word; echo got $word; echo said >&2; test -S /proc/self/fd/1 && echo socket"],
                     stdin=theirs, stdout=theirs, stderr=theirs)
theirs.close()
ours.send(b"this\n")
print(ours.makefile().read().replace("\n", " "), p.wait())
P
say sockets 'python3 /run/sockets.py'
timeout 60 sh -c 'until [ -S /run/user/1234/bus ]; do sleep 0.1; done'
say user 'systemctl --user -M tester@ is-system-running --wait'
say user-run 'systemd-run --user -M tester@ -q --wait --pipe id -un'

mkdir /run/rootfs
mount --bind / /run/rootfs
say podman 'podman --cgroup-manager=systemd run --privileged --pids-limit 0 --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --network none --name one -d --rootfs /run/rootfs sleep 1000 | grep -cE "^[0-9a-f]{64}$"'
id=$(podman ps -q --no-trunc)
say podman-scope "systemctl show -p ActiveState,SubState,Slice --value libpod-$id.scope"
say podman-stop "sh -c 'podman --cgroup-manager=systemd stop -t 1 one; timeout 60 sh -c \"while systemctl -q is-active libpod-$id.scope; do sleep 0.1; done\"; systemctl is-active libpod-$id.scope'"

# A library that a service uses has been replaced: needrestart finds the service, and restarts it.
lib=$(readlink -f /usr/lib/x86_64-linux-gnu/libpcre2-8.so.0)
cp -p "$lib" "$lib.new" && mv "$lib.new" "$lib"
say needrestart 'needrestart -b -r l | grep -x "NEEDRESTART-SVC: nginx.service"'
before=$(systemctl show -p MainPID --value nginx.service)
say needrestart-restart 'needrestart -q -r a'
say restarted "sh -c '[ \$(systemctl show -p MainPID --value nginx.service) != $before ] && systemctl is-active nginx.service'"

# nginx, which runs, is upgraded.
cd /run
deb=$(ls /var/cache/apt/archives/nginx-common_*.deb | head -1)
dpkg-deb -R "$deb" next
sed -i 's/^Version: .*/&+next/' next/DEBIAN/control
dpkg-deb -b next next.deb >/dev/null
dpkg -i --force-depends next.deb >/run/out/dpkg 2>&1 </dev/null
say upgrade 'dpkg-query -W -f "\${Version}\n" nginx-common | grep -c next'
dpkg-deb -R "$(ls /var/cache/apt/archives/nginx_1*.deb | head -1)" server
sed -i 's/^Version: .*/&+next/' server/DEBIAN/control
dpkg-deb -b server server.deb >/dev/null
pid=$(systemctl show -p MainPID --value nginx.service)
dpkg -i --force-depends server.deb >>/run/out/dpkg 2>&1 </dev/null
say upgraded 'sh -c "systemctl is-active nginx.service; systemctl is-enabled nginx.service"'
say another "sh -c '[ \$(systemctl show -p MainPID --value nginx.service) != $pid ] && echo another'"
say failed 'systemctl --failed --no-legend --plain'
systemctl poweroff
X
sed -i "s/PACKAGES/$PACKAGES/" "$OUT/beside"
box_run programs 300 ${HARK_TEST_INIT:-/usr/lib/hark/hark-init}
rc=$?
[ -n "$HARK_TEST_KEEP" ] && mkdir -p "$HARK_TEST_KEEP" && cp -r "$OUT"/. "$HARK_TEST_KEEP"
said() { sed -n "s/^$1: //p" "$OUT/said" | head -1; }
is "apt configures $PACKAGES" "" 0 "$(said apt)"
[ "$(said apt)" = 0 ] || tail -5 "$OUT/apt" | sed 's/^/# /'
ok_if "NetworkManager runs, and nmcli reaches it" "" eval 'said networkmanager | grep -q "^running:.* active$"'
is "udisksctl starts udisksd by its name" "" "MODEL active" "$(said udisks | awk '{ print $1, $NF }')"
is "accounts-daemon answers, started by its name" "" 'o "/org/freedesktop/Accounts/User1234" active' "$(said accounts)"
is "pkcon starts packagekitd by its name" "" "Name: apt active" "$(said packagekit | tr -s '\t ' ' ')"
sed 's/^/# pkcon: /' "$OUT/err.packagekit"
ok_if "unattended-upgrades holds up the end with logind" "" test -n "$(said inhibitor)"
is "cockpit-bridge lists, stops, starts, restarts, disables, enables and reads again" "" \
	"True True True done done done unlink symlink True False" "$(said cockpit)"
is "systemd-run --pty has a terminal" "" hello "$(said pty)"
is "systemd-run --pipe with a socket for all three" "" "got this said socket  0" "$(said sockets)"
is "systemctl --user -M tester@ reaches the user's manager" "" running "$(said user)"
is "... and so does systemd-run" "" tester "$(said user-run)"
is "podman with the systemd cgroup manager runs a container" "" 1 "$(said podman)"
is "... in a scope of its own" "" "active machine.slice running" "$(said podman-scope | tr ' ' '\n' | sort | paste -sd' ')"
is "... which ends with it" "" "one inactive" "$(said podman-stop)"
is "needrestart names a service whose library was replaced" "" "NEEDRESTART-SVC: nginx.service" "$(said needrestart)"
is "... and restarts it" "" active "$(said restarted)"
is "dpkg upgrades nginx, which runs" "" "1 active enabled another" "$(said upgrade) $(said upgraded) $(said another)"
is "nothing failed" "" "" "$(said failed)"
is "and it powers off in order" "" 130 "$rc"
box_drop programs
finish
