#!/bin/bash
# SPDX-License-Identifier: MIT
# What the first process is told chooses what comes up, and generators of packages make units: in a container, whose first process has its words
# on its own command line. What cannot be found still ends in a shell.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/box.sh"
[ -n "$HARK_TEST_CGROUP" ] || skip_all "no cgroups"
HARK=/usr/lib/hark/hark-init

# plain UNIT: a service that stays, without any dependency but shutdown's.
plain() {
	printf '[Unit]\nDefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n[Service]\nExecStart=/bin/sleep 1000\n' >"$ROOT/etc/systemd/system/$1"
}
target() { printf '[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\nWants=%s\n' "$2" >"$ROOT/etc/systemd/system/$1"; }

# Many unit files, which a boot of such a machine writes down for the next one.
many() {
	local i
	rm -rf "$ROOT/var/cache/hark" # of the machine that runs this
	for ((i = 0; i < 1000; i++)); do printf '[Service]\nExecStart=/bin/true\n' >"$ROOT/etc/systemd/system/many$i.service"; done
	cat >"$OUT/beside" <<-'X'
		timeout 60 sh -c 'until [ -s /var/cache/hark/units ]; do sleep 0.1; done'
		grep -aq sysinit.target /var/cache/hark/units && echo known
		timeout 10 harkctl show -p Result --value hark-cache.service
		timeout 60 sh -c 'until harkctl is-active small.target >/dev/null; do sleep 0.1; done'
		for unit in more less never; do echo "$unit $(harkctl is-active $unit.service) $(harkctl is-enabled $unit.service)"; done
		harkctl poweroff
	X
	box_run words 250 $HARK hark.unit=small.target
	is "a thousand unit files: the cache for the next boot is written" "" "130 known success" "$? $(head -2 "$OUT/said" | paste -sd' ')"
	is "what was enabled, disabled and masked is so in the boot after" "E5 E7" "more active enabled less inactive disabled never inactive masked" \
		"$(sed -n 3,5p "$OUT/said" | paste -sd' ')"
	rm "$ROOT"/etc/systemd/system/many*.service
}

box_make words
ROOT=$T/words/root OUT=$T/words/out
# Nothing of this machine's own.
mkdir -p "$ROOT/etc/systemd/system-generators"
for generator in "$ROOT"/usr/lib/systemd/system-generators/*; do ln -sf /dev/null "$ROOT/etc/systemd/system-generators/$(basename "$generator")"; done
for unit in a b c d left; do plain $unit.service; done
target small.target "a.service left.service"
for unit in more less; do
	plain $unit.service
	printf '[Install]\nWantedBy=small.target\n' >>"$ROOT/etc/systemd/system/$unit.service"
done
printf '[Service]\nExecStart=/bin/sleep 1000\n' >"$ROOT/usr/lib/systemd/system/never.service"
mkdir -p "$ROOT/etc/systemd/system/small.target.wants"
for wanted in /etc/systemd/system/less.service /usr/lib/systemd/system/never.service; do ln -s $wanted "$ROOT/etc/systemd/system/small.target.wants/"; done
cat >"$ROOT/etc/systemd/system-generators/test-generator" <<'X'
#!/bin/sh
echo "$#" >/run/generator.args
mkdir "$1/small.target.wants"
ln -s /etc/systemd/system/c.service "$1/small.target.wants/c.service"
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 1001\n' >"$1/made.service"
ln -s ../made.service "$1/small.target.wants/made.service"
mkdir "$2/d.service.d"
printf '[Unit]\nDescription=from early\n' >"$2/d.service.d/x.conf"
printf '[Unit]\nDescription=from late\n' >"$3/late.service"
[ -e /run/second ] && rm "$1/small.target.wants/c.service"
exit 0
X
printf '#!/bin/sh\nexit 3\n' >"$ROOT/etc/systemd/system-generators/broken-generator"
printf '#!/bin/sh\n: >/run/fstab.generated\n' >"$ROOT/etc/systemd/system-generators/.fstab"
chmod +x "$ROOT"/etc/systemd/system-generators/{test,broken}-generator "$ROOT/etc/systemd/system-generators/.fstab"
mv -f "$ROOT"/etc/systemd/system-generators/{.fstab,systemd-fstab-generator}
cat >"$OUT/beside" <<'X'
timeout 60 sh -c 'until harkctl is-active small.target b.service >/dev/null 2>&1 && [ -z "$(harkctl jobs | grep start)" ]; do sleep 0.1; done'
for unit in a b c d left made; do echo "$unit $(harkctl is-active $unit.service)"; done
echo "left $(harkctl show -p LoadState --value left.service)"
echo "early $(harkctl show -p Description --value d.service), late $(harkctl show -p Description --value late.service)"
echo "arguments $(cat /run/generator.args)"
ls -d /run/hark/generating 2>&1 | grep -c cannot
echo "default $(harkctl show -p DefaultUnit --value)"
stat -c %Y.%i /run/systemd/generator/made.service >/run/before
touch /run/second
ls /run/fstab.generated /usr/lib/hark/hark-mount 2>/dev/null >/run/with
chmod -x /usr/lib/hark/hark-mount
harkctl daemon-reload >/dev/null
chmod +x /usr/lib/hark/hark-mount
stat -c %Y.%i /run/systemd/generator/made.service | cmp - /run/before && echo same
ls /run/systemd/generator/small.target.wants
echo "ledger $(harkctl status hark-generate.service | grep -q "broken-generator failed" && echo told)"
echo "fstab $(cat /run/with) without $(ls /run/fstab.generated)"
echo "now $(harkctl is-active less.service) $(harkctl is-active never.service)"
harkctl enable more && harkctl disable less && harkctl mask never
harkctl poweroff
X
box_run words 250 $HARK hark.unit=small.target b.service hark.start=d -left.service
is "it powers off" "" 130 $?
is "words choose the unit, add some and leave some out; a generator's units are there" "E27" \
	"a active b active c active d active left inactive made active left masked" "$(head -7 "$OUT/said" | paste -sd' ')"
is "early, late: in their places" "" "early from early, late from late" "$(sed -n 8p "$OUT/said")"
is "three directories, which are gone afterwards" "" "arguments 3 1" "$(sed -n 9,10p "$OUT/said" | paste -sd' ')"
is "the unit of the command line is the default one" "" "default small.target" "$(sed -n 11p "$OUT/said")"
is "a reload runs them again, and touches only what they make otherwise" "" "same made.service" "$(sed -n 12,13p "$OUT/said" | paste -sd' ')"
is "one that fails is told of" "" "ledger told" "$(sed -n 14p "$OUT/said")"
is "systemd-fstab-generator is not run where hark-mount makes its units, and is where there is none" "" \
	"fstab /usr/lib/hark/hark-mount without /run/fstab.generated" "$(sed -n 15p "$OUT/said")"
is "two that are enabled run" "" "now active active" "$(sed -n 16p "$OUT/said")"

# Nothing that can be gone to: a shell.
printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sh -c "touch /run/shell; sleep 1000"\n' >"$ROOT/etc/systemd/system/rescue.service"
printf '[Unit]\nDefaultDependencies=no\nRequires=rescue.service\nAfter=rescue.service\nAllowIsolate=yes\n' >"$ROOT/etc/systemd/system/rescue.target"
cat >"$OUT/beside" <<'X'
timeout 60 sh -c 'until [ -e /run/shell ]; do sleep 0.1; done'
harkctl is-active rescue.target
harkctl poweroff
X
box_run words 250 $HARK hark.unit=not-there.target
is "a unit that is not there: rescue" "" "active" "$(head -1 "$OUT/said")"
grep -q "cannot go to not-there.target" "$OUT/log" && ok "it is told" || not_ok "it is told" "$(tail -3 "$OUT/log" | paste -sd' ')"
many
box_drop words
finish
