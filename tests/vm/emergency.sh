#!/bin/bash
# SPDX-License-Identifier: MIT
# The kernel's command line sends a boot to emergency.target: a shell of root's on the console before anything else. When it ends the boot goes on.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
vm_root
vm_unit default.target <<X
[Unit]
Wants=later.service
AllowIsolate=yes
X
vm_unit later.service <<X
[Service]
Type=oneshot
ExecStart=/bin/later
StandardOutput=tty
X
# In the place of sulogin(8), which would ask for a password.
mkdir -p "$ROOT/sbin" "$ROOT/usr/bin"
ln -s /bin/harkctl "$ROOT/usr/bin/harkctl"
cat >"$ROOT/sbin/sulogin" <<'X'
#!/bin/sh
report() { if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2: $3"; fi; }
[ "$(id -u)" = 0 ] && [ -t 0 ] && [ "$(readlink /proc/self/fd/0)" = /dev/console ] && [ "$TERM" = vt220 ]
report $? "emergency is a shell of root's on the console" "$(id -u) $(readlink /proc/self/fd/0) $TERM"
[ "$(harkctl is-active default.target later.service sysinit.target | paste -sd' ')" = "inactive inactive inactive" ]
report $? "... before anything else" "$(harkctl list)"
harkctl is-active emergency.target >/dev/null
report $? "... which hark knows to be there" "$(harkctl status emergency.target)"
stty sane # waits until all of that is written: what comes after us hangs up
X
vm_script later <<'X'
wait-for '[ "$(harkctl is-active emergency.service)" = inactive ]'
[ "$(harkctl is-active emergency.service emergency.target | paste -sd' ')" = "inactive inactive" ]
if [ $? = 0 ]; then echo "ok the boot goes on when the shell has ended [rows: D+23]"; else echo "not ok the boot goes on: $(harkctl list)"; fi
harkctl --no-wait poweroff
X
chmod +x "$ROOT/sbin/sulogin"
vm_boot 420 hark.unit=emergency.target
is "it powers off" "" 0 $?
vm_report
# The kernel's lines may come in between.
for text in "a shell of root's on the console" "before anything else" "which hark knows to be there" "the boot goes on when"; do
	grep -qF "$text" "$CONSOLE.text" || not_ok "it was said: $text" "$(tail -5 "$CONSOLE.text" | paste -sd' ')"
done
finish
