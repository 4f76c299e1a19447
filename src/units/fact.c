/* SPDX-License-Identifier: MIT */
#include "units/fact.h"

#include "core/fd.h"
#include "units/amount.h"
#include "units/compare.h"
#include "units/probe.h"
#include "units/value.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

int fact_bool(const char *parameter, bool is)
{
	bool wanted;
	int r = value_bool(str_of(parameter), &wanted);

	return r < 0 ? r : wanted == is;
}

static bool any_entry(void *arg UNUSED, const char *name UNUSED)
{
	return true;
}

/* --- virtualization --- */

int fact_virtualization(const char *parameter, const struct specifier_host *host UNUSED)
{
	const char *container = probe_container();
	const char *machine = container ? NULL : probe_machine();
	const char *name = container ? container : machine;
	bool wanted;

	if (strcmp(parameter, "private-users") == 0)
		return probe_private_users();
	if (value_bool(str_of(parameter), &wanted) == 0)
		return wanted == (name != NULL);
	if (strcmp(parameter, "vm") == 0)
		return machine != NULL;
	if (strcmp(parameter, "container") == 0)
		return container != NULL;
	return name && strcmp(parameter, name) == 0;
}

/* --- security --- */

static bool has_audit(void)
{
	AUTO_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 9 /* NETLINK_AUDIT */);

	return fd >= 0;
}

static bool has_secure_boot(void)
{
	enum { ATTRIBUTES_BYTES = 4 }; /* stand before the value */
	char text[16];
	ssize_t n = fd_read_small(
		AT_FDCWD,
		"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", text,
		sizeof(text));

	return n == ATTRIBUTES_BYTES + 1 && text[ATTRIBUTES_BYTES] == 1;
}

static bool has_apparmor(void)
{
	char text[PROBE_MAX];

	return str_eq_z(probe_read("/sys/module/apparmor/parameters/enabled", text), "Y");
}

static bool has_tpm2(void)
{
	return probe_each_entry("/sys/class/tpmrm", any_entry, NULL) > 0;
}

int fact_security(const char *parameter, const struct specifier_host *host UNUSED)
{
	static const struct {
		const char *name, *path;
		bool (*has)(void);
	} kinds[] = {
		{"selinux", "/sys/fs/selinux/enforce", NULL},
		{"smack", "/sys/fs/smackfs", NULL},
		{"tomoyo", "/sys/kernel/security/tomoyo/version", NULL},
		{"ima", "/sys/kernel/security/ima", NULL},
		{"apparmor", NULL, has_apparmor},
		{"audit", NULL, has_audit},
		{"uefi-secureboot", NULL, has_secure_boot},
		{"tpm2", NULL, has_tpm2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(parameter, kinds[i].name) == 0)
			return kinds[i].has ? kinds[i].has() : probe_exists(kinds[i].path);
	return 0;
}

int fact_capability(const char *parameter, const struct specifier_host *host UNUSED)
{
	unsigned cap;
	int r = value_capability(str_of(parameter), &cap);

	if (r < 0)
		return r;
	return prctl(PR_CAPBSET_READ, (unsigned long)cap, 0, 0, 0) == 1;
}

/* --- hardware --- */

struct power {
	bool has_mains, is_online;
};

static bool note_supply(void *arg, const char *name)
{
	struct power *p = arg;
	char path[320];
	char text[PROBE_MAX];

	(void)snprintf(path, sizeof(path), "/sys/class/power_supply/%s/type", name);
	if (!str_eq_z(probe_read(path, text), "Mains"))
		return false;
	p->has_mains = true;
	(void)snprintf(path, sizeof(path), "/sys/class/power_supply/%s/online", name);
	p->is_online = str_eq_z(probe_read(path, text), "1");
	return p->is_online;
}

int fact_ac_power(const char *parameter, const struct specifier_host *host UNUSED)
{
	struct power p = {0};
	int r = probe_each_entry("/sys/class/power_supply", note_supply, &p);

	if (r < 0 && r != -ENOENT)
		return r;
	return fact_bool(parameter, p.is_online || !p.has_mains);
}

static int compare_amount(enum compare op, uint64_t have, uint64_t wanted)
{
	return compare_order(op, (have > wanted) - (have < wanted));
}

int fact_memory(const char *parameter, const struct specifier_host *host UNUSED)
{
	struct str s = str_of(parameter);
	enum compare op = compare_cut_operator(&s);
	long pages = sysconf(_SC_PHYS_PAGES);
	long page = sysconf(_SC_PAGESIZE);
	char text[PROBE_MAX];
	uint64_t limit;
	uint64_t wanted;
	uint64_t have;
	int r;

	r = value_size(str_trim(s), &wanted);
	if (r < 0)
		return r;
	if (pages < 0 || page < 0)
		return err_here(-ENODATA);
	have = (uint64_t)pages * (uint64_t)page;
	/* The file exists only where our root is a group of somebody else's tree: in a container. */
	if (str_to_u64(probe_read("/sys/fs/cgroup/memory.max", text), &limit) == 0 && limit < have)
		have = limit;
	return compare_amount(op, have, wanted);
}

int fact_cpus(const char *parameter, const struct specifier_host *host UNUSED)
{
	struct str s = str_of(parameter);
	enum compare op = compare_cut_operator(&s);
	cpu_set_t sets[8]; /* 8192 processors, the most a kernel can have */
	uint64_t wanted;
	int r;

	r = str_to_u64(str_trim(s), &wanted);
	if (r < 0)
		return r;
	if (sched_getaffinity(0, sizeof(sets), sets) < 0)
		return err_here(-errno);
	return compare_amount(op, (uint64_t)CPU_COUNT_S(sizeof(sets), sets), wanted);
}

int fact_cpu_feature(const char *parameter, const struct specifier_host *host UNUSED)
{
	/* Where the kernel's word is not that of CPUID; it shows xsave only when OSXSAVE is set. */
	static const char *const other[][2] = {
		{"fma3", "fma"}, {"osxsave", "xsave"}, {"pclmul", "pclmulqdq"}};
	char text[PROBE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		if (strcasecmp(parameter, other[i][0]) == 0)
			parameter = other[i][1];
	return probe_has_word(probe_cpu_flags(text), parameter);
}

/* On the unified hierarchy the root says what there is; on the old one each controller has a folder. */
static bool has_controller(bool is_v2, const char *name)
{
	char text[PROBE_MAX];
	char path[64];

	if (is_v2)
		return probe_has_word(probe_read("/sys/fs/cgroup/cgroup.controllers", text), name);
	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s",
		       strcmp(name, "io") == 0 ? "blkio" : name);
	return probe_exists(path);
}

int fact_controllers(const char *parameter, const struct specifier_host *host UNUSED)
{
	static const char *const valid[] = {"cpu", "cpuset", "io", "memory", "pids"};
	struct str rest = str_of(parameter);
	struct statfs fs;
	struct str word;
	bool is_v2;
	unsigned at;

	if (statfs("/sys/fs/cgroup", &fs) < 0)
		return err_here(-errno);
	is_v2 = fs.f_type == CGROUP2_SUPER_MAGIC;
	if (strcmp(parameter, "v2") == 0 || strcmp(parameter, "v1") == 0)
		return is_v2 == (parameter[1] == '2');
	while (str_word(&rest, &word)) /* unknown ones do not count */
		if (value_enum(word, valid, ARRAY_SIZE(valid), &at) == 0 &&
		    !has_controller(is_v2, valid[at]))
			return 0;
	return 1;
}

/* The file of a slice ("a-b.slice" lies in "a.slice"), or of the whole system when there is none. */
static int pressure_path(struct str slice, const char *resource, char *out, size_t cap)
{
	size_t base = str_rindex(slice, '.');
	size_t n = 0;

	if (slice.n == 0 || str_eq_z(slice, "-.slice"))
		return snprintf(out, cap, "/proc/pressure/%s", resource) < (int)cap
			       ? 0
			       : err_here(-ENAMETOOLONG);
	if (!str_has_suffix(slice, STR(".slice")) || str_index(slice, '/') < slice.n)
		return err_here(-EINVAL);
	n = (size_t)snprintf(out, cap, "/sys/fs/cgroup");
	for (size_t i = 1; i <= base; i++) {
		if (i < base && slice.p[i] != '-')
			continue;
		n += (size_t)snprintf(out + n, cap - n, "/%.*s.slice", (int)i, slice.p);
		if (n >= cap)
			return err_here(-ENAMETOOLONG);
	}
	n += (size_t)snprintf(out + n, cap - n, "/%s.pressure", resource);
	return n < cap ? 0 : err_here(-ENAMETOOLONG);
}

/* "avg300=" of the "full" line, or of "some" where there is no other, in hundredths of a percent. */
static int pressure_now(struct str text, struct str field, uint32_t *ret)
{
	struct str line;
	struct str word;
	int r = -ENODATA;

	while (str_cut(&text, '\n', &line))
		while (str_word(&line, &word))
			if (str_has_prefix(word, field))
				r = amount_percent(str_sub(word, field.n, word.n), PERCENT_UNITS,
						   ret); /* "full" is the second line */
	return r;
}

/* "[slice:]10%[/1min]": is the pressure at most that? */
static int pressure(const char *parameter, const char *resource)
{
	static const struct {
		uint64_t us;
		const char *field;
	} spans[] = {{10 * US_PER_SEC, "avg10="},
		     {60 * US_PER_SEC, "avg60="},
		     {300 * US_PER_SEC, "avg300="}};
	struct str s = str_of(parameter);
	size_t colon = str_index(s, ':');
	struct str slice = colon < s.n ? str_sub(s, 0, colon) : STR("");
	const char *field = NULL;
	uint64_t us = spans[2].us;
	char text[PROBE_MAX];
	char path[512];
	uint32_t wanted;
	uint32_t now;
	int r;

	if (colon < s.n)
		s = str_sub(s, colon + 1, s.n);
	colon = str_index(s, '/');
	if (colon < s.n && (r = value_span(str_sub(s, colon + 1, s.n), US_PER_SEC, &us)) < 0)
		return r;
	s = str_trim(str_sub(s, 0, colon));
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
		if (spans[i].us == us)
			field = spans[i].field;
	if (!field)
		return err_here(-EINVAL);
	r = amount_share(s, PERCENT_UNITS, &wanted);
	if (r == 0)
		r = pressure_path(str_trim(slice), resource, path, sizeof(path));
	if (r < 0)
		return r;
	/* Without the kernel's accounting, or without the slice, there is no pressure. */
	r = pressure_now(probe_read(path, text), str_of(field), &now);
	return r < 0 || now <= wanted;
}

int fact_memory_pressure(const char *parameter, const struct specifier_host *host UNUSED)
{
	return pressure(parameter, "memory");
}

int fact_cpu_pressure(const char *parameter, const struct specifier_host *host UNUSED)
{
	return pressure(parameter, "cpu");
}

int fact_io_pressure(const char *parameter, const struct specifier_host *host UNUSED)
{
	return pressure(parameter, "io");
}

/* The text between "name(" and ")". */
static bool inside(struct str s, struct str name, struct str *ret)
{
	if (!str_has_prefix(s, name) || !str_has_suffix(s, STR(")")))
		return false;
	*ret = str_sub(s, name.n, s.n - 1);
	return true;
}

/* "field <operator> value", the field one of /sys/class/dmi/id. */
static int smbios_field(struct str s)
{
	size_t n = 0;
	char text[PROBE_MAX];
	char wanted[256];
	char path[128];
	enum compare op;
	struct str field;
	struct str now;

	while (n < s.n && !strchr("<>=!$", s.p[n]))
		n++;
	field = str_trim(str_sub(s, 0, n));
	s = str_sub(s, n, s.n);
	op = compare_cut_operator(&s);
	s = str_trim(s);
	if (op == CMP_NONE || field.n == 0 || field.n > 64 || s.n >= sizeof(wanted) ||
	    str_index(field, '/') < field.n)
		return err_here(-EINVAL);
	if (s.n)
		memcpy(wanted, s.p, s.n);
	wanted[s.n] = '\0';
	(void)snprintf(path, sizeof(path), "/sys/class/dmi/id/" STR_FMT, STR_ARG(field));
	if (!probe_exists(path))
		return 0;
	now = probe_read(path, text);
	text[now.p == text ? now.n : 0] = '\0';
	return compare_text(op, text, wanted);
}

static int device_tree_names(struct str wanted)
{
	char text[PROBE_MAX];
	struct str compatible = probe_read("/proc/device-tree/compatible", text), piece;

	while (str_cut(&compatible, '\0', &piece))
		if (str_eq(piece, wanted))
			return 1;
	return 0;
}

int fact_firmware(const char *parameter, const struct specifier_host *host UNUSED)
{
	struct str s = str_of(parameter), wanted;

	if (str_eq_z(s, "uefi"))
		return probe_exists("/sys/firmware/efi");
	if (str_eq_z(s, "device-tree"))
		return probe_exists("/sys/firmware/devicetree");
	if (inside(s, STR("smbios-field("), &wanted))
		return smbios_field(wanted);
	if (inside(s, STR("device-tree-compatible("), &wanted))
		return device_tree_names(wanted);
	return err_here(-EINVAL);
}
