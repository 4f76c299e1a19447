#!/bin/bash
# SPDX-License-Identifier: MIT
# What services say, what becomes of units and what harkd has to say of one goes to journald with the unit's name, in the name of PID 1, which is how
# `journalctl -u` finds it. In a container, where a script listens in journald's place.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/box.sh"
[ -n "$HARK_TEST_CGROUP" ] || skip_all "no cgroups"
command -v python3 >/dev/null || skip_all "no python3"
box_make journal
ROOT=$T/journal/root OUT=$T/journal/out
put() { cat >"$ROOT/etc/systemd/system/$1"; }
mkdir -p "$ROOT/etc/systemd/system-generators"
for generator in "$ROOT"/usr/lib/systemd/system-generators/*; do ln -sf /dev/null "$ROOT/etc/systemd/system-generators/$(basename "$generator")"; done
printf '[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\n' | put quiet.target
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/run/listen\nType=notify\nNotifyAccess=all\nStandardOutput=null\nStandardError=null\n' | put listen.service
printf '[Unit]\nDescription=one that speaks\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sh -c "echo plain; echo \\"<3>worse\\"; echo >&2 other; exit 4"\n' | put speaker.service
printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nSyslogIdentifier=named\nExecStart=/bin/echo once\n' | put once.service
cat >"$OUT/listen" <<'X'
#!/usr/bin/python3
import os, socket, struct
os.makedirs("/run/systemd/journal", exist_ok=True)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind("/run/systemd/journal/socket")
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
n.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0"))
def fields(data):
    while data:
        line, _, data = data.partition(b"\n")
        name, has_value, value = line.partition(b"=")
        if not has_value:  # its length, in 8 bytes, and then a value of any bytes
            n = struct.unpack("<Q", data[:8])[0]
            value, data = data[8:8 + n], data[8 + n + 1:]
        yield name.decode(), value.decode()
while True:
    data, extra, _, _ = s.recvmsg(4096, 256)
    pid = struct.unpack("iii", extra[0][2])[0]
    f = dict(fields(data))
    with open("/run/out/got", "a") as out:
        out.write("%s %s %s %s %s|%s\n" % (f["UNIT"], pid, f["PRIORITY"], f["SYSLOG_IDENTIFIER"], len(f["INVOCATION_ID"]), f["MESSAGE"]))
X
cat >"$OUT/beside" <<'X'
cp /run/out/listen /run/listen
chmod +x /run/listen
timeout 60 sh -c 'until harkctl is-active quiet.target >/dev/null 2>&1; do sleep 0.1; done'
harkctl start listen.service
harkctl start once.service
mkdir -p /run/by-hand
mount -t tmpfs by-hand /run/by-hand
timeout 60 sh -c 'until harkctl is-active run-by\x2dhand.mount >/dev/null; do sleep 0.1; done'
umount /run/by-hand
harkctl start speaker.service
timeout 60 sh -c 'until harkctl is-failed speaker.service >/dev/null; do sleep 0.1; done'
sleep 0.3
harkctl poweroff
X
box_run journal 250 /usr/lib/hark/hark-init hark.unit=quiet.target
said() { grep "^$1" "$OUT/got" 2>/dev/null | sed "s/^$1 //" | paste -sd';'; }
is "a oneshot: its line with the name it was given, and what became of it" "" \
	"1 6 hark 32|once.service: starting;1 6 named 32|once;1 6 hark 32|once.service: started;1 6 hark 32|once.service: stopping;1 6 hark 32|once.service: stopped" "$(said once.service)"
# It speaks as soon as it likes: its first line may come before the one that says that it was started.
started='1 6 hark 32|speaker.service: started (one that speaks)'
is "a start is told" "" 1 "$(said speaker.service | grep -cF "$started")"
is "each line with its priority; what it was; why it failed" "" \
	"1 6 hark 32|speaker.service: starting (one that speaks);1 6 sh 32|plain;1 3 sh 32|worse;1 6 sh 32|other;1 3 hark 32|speaker.service: failed (exit-code)" \
	"$(said speaker.service | sed "s/1 6 hark 32|speaker.service: stopping[^;]*;//; s/$started;//")"
grep -q 'speaker.service: failed' "$OUT/log" && ok "an error is shown on the console, too" || not_ok "an error is shown on the console, too" "$(tail -3 "$OUT/log" | paste -sd' ')"
is "a mount that somebody else makes is none of ours" "" "" "$(said 'run-by.*mount')"
grep -q 'once.service: starting' "$OUT/log" && not_ok "what journald takes goes nowhere else" || ok "what journald takes goes nowhere else"
box_drop journal
finish
