/* SPDX-License-Identifier: MIT */
#include "units/probe.h"

#include "core/fd.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

struct str probe_read(const char *path, char out[PROBE_MAX])
{
	ssize_t n = fd_read_small(AT_FDCWD, path, out, PROBE_MAX);

	return n < 0 ? STR("") : str_trim((struct str){out, (size_t)n});
}

bool probe_exists(const char *path)
{
	struct stat st;

	return fstatat(AT_FDCWD, path, &st, AT_NO_AUTOMOUNT) == 0;
}

bool probe_has_word(struct str list, const char *word)
{
	struct str piece;

	while (str_word(&list, &piece))
		if (str_eq_z(piece, word))
			return true;
	return false;
}

int probe_each_entry(const char *path, probe_fn fn, void *arg)
{
	AUTO_FD int fd = fd_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
	struct dirent *entry;
	struct statfs fs;
	bool stop = false;
	DIR *dir;
	int in;

	if (fd < 0)
		return fd;
	if (fstatfs(fd, &fs) == 0 && fs.f_type == AUTOFS_SUPER_MAGIC)
		return 0; /* an automount nobody has used yet: reading it would mount it */
	in = fd_open(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (in < 0)
		return in;
	dir = fdopendir(in);
	if (!dir) {
		fd_close(in);
		return err_here(-ENOMEM);
	}
	while (!stop && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			stop = fn(arg, entry->d_name);
	(void)closedir(dir);
	return stop;
}

static const char *known(struct str name, const char *const *names, size_t n, const char *other)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq_z(name, names[i]))
			return names[i];
	return other;
}

const char *probe_container(void)
{
	static const char *const names[] = {"lxc",    "lxc-libvirt", "systemd-nspawn",
					    "docker", "podman",      "rkt",
					    "wsl",    "proot",       "pouch"};
	static const struct {
		const char *path, *name;
	} traces[] = {{"/run/.containerenv", "podman"}, {"/.dockerenv", "docker"}};
	char text[PROBE_MAX];
	struct str rest;
	struct str piece;

	if (probe_exists("/proc/vz") && !probe_exists("/proc/bc"))
		return "openvz";
	rest = probe_read("/proc/sys/kernel/osrelease", text);
	if (memmem(rest.p, rest.n, "Microsoft", 9) || memmem(rest.p, rest.n, "WSL", 3))
		return "wsl";
	rest = probe_read("/run/host/container-manager", text);
	if (rest.n == 0)
		rest = probe_read("/run/systemd/container", text);
	if (rest.n > 0)
		return known(rest, names, ARRAY_SIZE(names), "container-other");
	rest = probe_read("/proc/1/environ", text);
	while (str_cut(&rest, '\0', &piece))
		if (str_has_prefix(piece, STR("container=")) && piece.n > 10)
			return known(str_sub(piece, 10, piece.n), names, ARRAY_SIZE(names),
				     "container-other");
	for (size_t i = 0; i < ARRAY_SIZE(traces); i++)
		if (probe_exists(traces[i].path))
			return traces[i].name;
	return NULL;
}

struct str probe_cpu_flags(char text[PROBE_MAX])
{
	struct str rest = probe_read("/proc/cpuinfo", text);
	struct str line;

	while (str_cut(&rest, '\n', &line))
		if (str_has_prefix(line, STR("flags")))
			return str_sub(line, str_index(line, ':') + 1, line.n);
	return STR("");
}

/* By the DMI strings: *is_sure: the processor, which may tell of the technology alone, need not be asked. */
static const char *machine_by_dmi(char text[PROBE_MAX], bool *is_sure)
{
	static const char *const files[] = {"product_name", "sys_vendor", "board_vendor",
					    "bios_vendor", "product_version"};
	/* The beginning of one of these DMI strings. */
	static const struct {
		const char *prefix, *name;
		bool is_sure;
	} vendors[] = {
		{"KVM", "kvm", false},
		{"OpenStack", "kvm", false},
		{"KubeVirt", "kvm", false},
		{"Amazon EC2", "amazon", true},
		{"QEMU", "qemu", false},
		{"VMware", "vmware", false},
		{"VMW", "vmware", false},
		{"innotek GmbH", "oracle", true},
		{"VirtualBox", "oracle", true},
		{"Xen", "xen", true},
		{"Bochs", "bochs", false},
		{"Parallels", "parallels", true},
		{"BHYVE", "bhyve", false},
		{"Hyper-V", "microsoft", false},
		{"Apple Virtualization", "apple", false},
		{"Google Compute", "google", true},
	};
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		(void)snprintf(path, sizeof(path), "/sys/class/dmi/id/%s", files[i]);
		for (size_t j = 0; j < ARRAY_SIZE(vendors); j++) {
			if (!str_has_prefix(probe_read(path, text), str_of(vendors[j].prefix)))
				continue;
			*is_sure = vendors[j].is_sure;
			return vendors[j].name;
		}
	}
	return NULL;
}

/* By what the processor says of its hypervisor (CPUID leaf 0x40000000): also where there is no DMI. */
static const char *machine_by_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
	static const char signs[][2][13] = {
		{"XenVMMXenVMM", "xen"},    {"KVMKVMKVM", "kvm"},
		{"Linux KVM Hv", "kvm"},    {"TCGTCGTCGTCG", "qemu"},
		{"VMwareVMware", "vmware"}, {"Microsoft Hv", "microsoft"},
		{"bhyve bhyve ", "bhyve"},  {"QNXQVMBSQG", "qnx"},
		{"ACRNACRNACRN", "acrn"},   {"SRESRESRESRE", "sre"},
		{"Apple VZ", "apple"},
	};
	enum { LEAF_FEATURES = 1, LEAF_HYPERVISOR = 0x40000000, IS_GUEST_BIT = 31 };
	unsigned a, b, c = 0, d, sign[4] = {0};

	if (!__get_cpuid(LEAF_FEATURES, &a, &b, &c, &d) || !(c >> IS_GUEST_BIT))
		return NULL;
	__cpuid(LEAF_HYPERVISOR, a, sign[0], sign[1], sign[2]);
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (strcmp((const char *)sign, signs[i][0]) == 0)
			return signs[i][1];
	return "vm-other";
#else
	char text[PROBE_MAX];

	return probe_has_word(probe_cpu_flags(text), "hypervisor") ? "vm-other" : NULL;
#endif
}

const char *probe_machine(void)
{
	char text[PROBE_MAX];
	bool is_sure = false;
	const char *board, *processor;

	if (probe_exists("/sys/hypervisor/type") &&
	    str_eq_z(probe_read("/sys/hypervisor/type", text), "xen"))
		return "xen";
	board = machine_by_dmi(text, &is_sure);
	if (is_sure)
		return board;
	processor = machine_by_processor();
	return !board || (processor && strcmp(processor, "vm-other") != 0) ? processor : board;
}

bool probe_private_users(void)
{
	char text[PROBE_MAX];
	struct str map = probe_read("/proc/self/uid_map", text);
	struct str inside;
	struct str outside;
	struct str length;

	if (!str_word(&map, &inside) || !str_word(&map, &outside) || !str_word(&map, &length))
		return false;
	return !str_eq_z(inside, "0") || !str_eq_z(outside, "0") || !str_eq_z(length, "4294967295");
}
