# SPDX-License-Identifier: MIT
# Sourced by every test in this folder: hark as the first process of a real kernel, in a virtual machine without KVM.
#	. "$(dirname "$(readlink -f "$0")")/lib.sh"
#	vm_root
#	vm_unit hello.service <<X ... X
#	vm_script check <<X ... X      # /bin/check, run by busybox's shell
#	vm_boot 60
#	vm_report                      # the guest's own lines "ok ...", "not ok ..."
#	finish
# Results and waiting are those of tests/ns/lib.sh. The root is an initramfs with busybox, the programs of the build and what a test adds; nothing has prepared it: no /proc, no
# /dev, an unset clock. The kernel is Debian's, fetched once into the cache.
#
# What the guest prints as "monitor WORDS" is done by the machine's monitor.
#
# HARK_BUILD  build folder (default: build-dev, then build)     HARK_CACHE  where the kernel is kept
# HARK_VM_CONSOLE  file to which a copy of what the guest printed goes
# T           the test's private folder      ROOT  the guest's root      CONSOLE  what the guest printed

HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
TOP=$(readlink -f "$HERE/../..")
HARK_NO_SANDBOX=1
. "$TOP/tests/ns/lib.sh"
CACHE=${HARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hark}
KERNEL_PACKAGE=linux-image-cloud-amd64
MODULES="virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk"

# Sets KERNEL (the unpacked package), fetching it when it is not in the cache. Each of the packages has its own place there.
vm_kernel() {
	local package
	KERNEL=$CACHE/kernel
	[ "$KERNEL_PACKAGE" = linux-image-cloud-amd64 ] || KERNEL=$CACHE/$KERNEL_PACKAGE
	[ -n "$(ls "$KERNEL"/boot/vmlinuz-* 2>/dev/null)" ] && return 0
	package=$(apt-cache depends "$KERNEL_PACKAGE" 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9]\)/\1/p' | head -1)
	[ -n "$package" ] && mkdir -p "$CACHE" && rm -rf "$KERNEL.new" && mkdir "$KERNEL.new" || return 1
	(cd "$KERNEL.new" && apt-get download "$package" >/dev/null 2>&1 && dpkg-deb -x ./*.deb . && rm -f ./*.deb) &&
		mv "$KERNEL.new" "$KERNEL"
}

# vm_libraries FILE...: the shared libraries that these programs name, which the root does not have yet.
vm_libraries() {
	local lib
	for lib in $(LD_LIBRARY_PATH=$ROOT/usr/lib/x86_64-linux-gnu ldd "$@" 2>/dev/null | sed -nE 's/.*[[:space:]](\/[^ ]+) \(0x.*/\1/p' | sort -u); do
		case $lib in "$ROOT"/*) continue ;; esac
		[ -e "$ROOT$lib" ] || install -D "$(readlink -f "$lib")" "$ROOT$lib"
	done
}
# vm_program FILE TARGET: with the shared libraries that it names.
vm_program() {
	install -D "$1" "$ROOT$2"
	vm_libraries "$1"
}

vm_root() {
	local need name
	for need in qemu-system-x86_64 cpio busybox; do
		command -v "$need" >/dev/null || skip_all "no $need"
	done
	[ "$(uname -m)" = x86_64 ] || skip_all "the machine is no x86-64"
	vm_kernel || skip_all "no kernel: $KERNEL_PACKAGE cannot be fetched"
	ROOT=$T/root CONSOLE=$T/console
	mkdir -p "$ROOT"/{bin,etc/units,lib/modules,tmp,root}
	vm_program "$(command -v busybox)" /bin/busybox
	chroot "$ROOT" /bin/busybox --install -s /bin
	for name in harkd hark-exec; do vm_program "$BIN/$name" "/usr/lib/hark/$name"; done
	vm_program "$BIN/harkctl" /bin/harkctl
	vm_program "$BIN/hark-init" /init
	# A minute, for what never comes: the machine may be slow.
	vm_script wait-for <<-'X'
		i=0
		until eval "$1" >/dev/null 2>&1; do
			[ $((i += 1)) -le 600 ] || exit 1
			usleep 100000
		done
	X
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$ROOT/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$ROOT/etc/group"
	for name in $MODULES; do
		find "$KERNEL/lib/modules" -name "$name.ko" -exec cp {} "$ROOT/lib/modules/" \;
	done
}

vm_unit() { cat >"$ROOT/etc/units/$1"; }
vm_script() {
	{
		echo '#!/bin/sh'
		cat
	} >"$ROOT/bin/$1"
	chmod +x "$ROOT/bin/$1"
}

# vm_modules [LINES]: modules.service loads what $MODULES names and waits for the disk; then the lines.
vm_modules() {
	vm_unit modules.service <<X
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/load-modules
X
	vm_script load-modules <<X
cd /lib/modules
for round in 1 2 3 4 5 6; do for m in *.ko; do insmod \$m 2>/dev/null; done; done
$([ -n "$DISK" ] && echo "wait-for '[ -b /dev/vda ]'")
$1
X
}
# vm_check UNITS: check.service, after them, runs /bin/check, which tells the console; the script is standard input. In it: report STATUS NAME WHY.
vm_check() {
	vm_unit check.service <<X
[Unit]
After=$1
[Service]
Type=oneshot
ExecStart=/bin/check
StandardOutput=tty
StandardError=tty
TimeoutStartSec=infinity
X
	{ echo 'report() { if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2: $3"; fi; }' && cat; } | vm_script check
}

# vm_disk MB: an ext4 disk, /dev/vda in the guest; what it writes stays in $T/disk.
vm_disk() {
	truncate -s "$1M" "$T/disk"
	/sbin/mkfs.ext4 -q -F "$T/disk" || skip_all "no mkfs.ext4"
	DISK=(-drive "file=$T/disk,format=raw,if=none,id=d0" -device "virtio-blk-pci,drive=d0")
}

# vm_boot SECONDS [KERNEL WORDS]: in the background; the console goes to $CONSOLE, VM_PID is the machine's process. The guest's clock is the
# HPET: its TSC runs several times too fast where the emulator's threads change between processors whose own differ.
vm_start() {
	local seconds=$1
	shift
	(cd "$ROOT" && find . | cpio -o -H newc --quiet) >"$T/initrd" || return 1
	: >"$CONSOLE"
	timeout -k 5 "$seconds" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -M q35 -smp 2 -m 512 -nodefaults -display none \
		-no-reboot -serial "file:$CONSOLE" -monitor "unix:$T/monitor,server,nowait" -kernel "$(ls "$KERNEL"/boot/vmlinuz-* | head -1)" \
		-initrd "$T/initrd" -append "console=ttyS0 quiet loglevel=4 printk.devkmsg=on panic=-1 random.trust_cpu=on mitigations=off tsc=reliable clocksource=hpet $*" \
		"${DISK[@]}" "${DEVICES[@]}" </dev/null >"$T/qemu" 2>&1 &
	VM_PID=$!
	vm_obey &
}
vm_obey() {
	local word line
	tail -n +1 -f --pid="$VM_PID" "$CONSOLE" 2>/dev/null | while read -r word line; do
		[ "$word" = monitor ] && vm_monitor "${line%$'\r'}"
	done
}
vm_monitor() { echo "$1" | socat - "unix:$T/monitor" >/dev/null 2>&1; }

# The machine has ended: 0 when it went down by itself, 70 after a panic, 124 when it had to be ended.
vm_wait() {
	wait "$VM_PID"
	local rc=$?
	tr -d '\r' <"$CONSOLE" >"$CONSOLE.text"
	[ -z "$HARK_VM_CONSOLE" ] || cp "$CONSOLE.text" "$HARK_VM_CONSOLE"
	grep -q 'Kernel panic' "$CONSOLE.text" && rc=70
	return $rc
}
vm_boot() { vm_start "$@" && vm_wait; }
vm_says() { grep -q "$1" "$CONSOLE"; }
vm_key() { vm_monitor "sendkey $1"; }

# The guest's own results.
vm_report() {
	local line
	while IFS= read -r line; do
		case $line in
		"ok "*) echo "$line" ;;
		"not ok "*) NOT_OK_N=$((NOT_OK_N + 1)) && echo "$line" ;;
		esac
	done <"$CONSOLE.text"
}

# vm_checks_and_end NAME: boots, waits for the guest to say "checks done", ends it by Ctrl-Alt-Del, reports what it said. NAME: of the check of its end.
vm_checks_and_end() {
	local start
	start=$(now_ms)
	vm_start 420
	wait_for "vm_says 'checks done'" 400 || not_ok "the guest comes to its checks" "$(tail -5 "$CONSOLE" | tr -d '\r' | paste -sd' ')"
	note "checks done $(($(now_ms) - start)) ms after the machine was switched on (emulated)"
	vm_key ctrl-alt-delete
	vm_wait
	is "$1" "" 0 $?
	vm_report
}

# vm_disk_state IMAGE: of an ext4: "clean", and "needs_recovery" where its journal was not closed.
vm_disk_state() { /sbin/dumpe2fs -h "$1" 2>/dev/null | sed -n 's/Filesystem state: *//p;s/.*\(needs_recovery\).*/\1/p' | paste -sd' '; }
