/* SPDX-License-Identifier: MIT */
#include "units/specifier.h"

#include "core/fd.h"
#include "units/name.h"
#include "units/users.h"
#include "units/words.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

/* --- facts about the host --- */

enum { HOST_FILE_MAX = 64 * 1024 };

static void copy(char *out, size_t cap, struct str s)
{
	s = str_sub(s, 0, cap - 1);
	if (s.n)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

/* uname's machine, systemd's name for it. */
static const char *architecture(const char *machine)
{
	/* clang-format off */
	static const char *const names[][2] = {
		{"x86_64", "x86-64"}, {"i686", "x86"}, {"i586", "x86"}, {"i486", "x86"}, {"i386", "x86"},
		{"aarch64", "arm64"}, {"aarch64_be", "arm64-be"}, {"armv8l", "arm"}, {"armv8b", "arm-be"},
		{"armv7l", "arm"}, {"armv7b", "arm-be"}, {"armv6l", "arm"}, {"armv6b", "arm-be"}, {"armv5tel", "arm"},
		{"riscv64", "riscv64"}, {"riscv32", "riscv32"}, {"loongarch64", "loongarch64"},
		{"ppc64", "ppc64"}, {"ppc64le", "ppc64-le"}, {"ppc", "ppc"}, {"ppcle", "ppc-le"},
		{"s390x", "s390x"}, {"s390", "s390"}, {"mips64", "mips64"}, {"mips", "mips"},
		{"sparc64", "sparc64"}, {"sparc", "sparc"}, {"ia64", "ia64"}, {"alpha", "alpha"},
		{"parisc64", "parisc64"}, {"parisc", "parisc"}, {"m68k", "m68k"}, {"sh4", "sh"}, {"arceb", "arc-be"},
		{"arc", "arc"}, {"cris", "cris"}, {"nios2", "nios2"}, {"tilegx", "tilegx"},
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(machine, names[i][0]) == 0)
			return names[i][1];
	return "";
}

/* The file below root as one trimmed line; empty when there is none. */
static void read_line(const char *root, const char *path, char *out, size_t cap)
{
	char full[PATH_MAX];
	char text[256] = "";
	int n = snprintf(full, sizeof(full), "%s%s", root ? root : "", path);

	if (n < 0 || (size_t)n >= sizeof(full) ||
	    fd_read_small(AT_FDCWD, full, text, sizeof(text)) < 0)
		return;
	copy(out, cap, str_trim(str_of(text)));
}

/* A 128-bit id without its dashes; anything of another length is none. */
static void keep_hex(const char *id, char *out)
{
	size_t n = 0;

	for (; *id && n < 32; id++)
		if (*id != '-')
			out[n++] = *id;
	out[n == 32 ? n : 0] = '\0';
}

static int note_release(void *arg, struct str name, struct str value)
{
	struct specifier_host *h = arg;
	const struct {
		const char *key;
		char *out;
	} keys[] = {
		{"ID", h->os_id},
		{"VERSION_ID", h->os_version},
		{"BUILD_ID", h->os_build},
		{"IMAGE_ID", h->os_image},
		{"IMAGE_VERSION", h->os_image_version},
		{"VARIANT_ID", h->os_variant},
		{"PRETTY_HOSTNAME", h->pretty},
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_eq_z(name, keys[i].key))
			copy(keys[i].out, sizeof(h->os_id), value);
	return 0;
}

/* os-release(5) and machine-info(5) have the form of environment files. Returns whether there was one. */
static bool read_release(struct specifier_host *h, const char *root, const char *path)
{
	struct arena arena = {0};
	AUTO_MEM char *text = NULL;
	char full[PATH_MAX];
	size_t text_n;
	int n;

	n = snprintf(full, sizeof(full), "%s%s", root ? root : "", path);
	if (n < 0 || (size_t)n >= sizeof(full) ||
	    fd_read_file(AT_FDCWD, full, HOST_FILE_MAX, &text, &text_n) < 0)
		return false;
	n = words_env_file((struct str){text, text_n}, &arena, note_release, h);
	arena_fini(&arena);
	return n == 0;
}

static void read_owner(struct specifier_host *h, const char *root)
{
	struct user_entry user;
	struct arena arena = {0};
	char number[16];

	h->uid = getuid();
	h->gid = getgid();
	(void)snprintf(number, sizeof(number), "%u", (unsigned)h->uid);
	if (users_find(root, number, &arena, &user) == 0) {
		copy(h->home, sizeof(h->home), str_of(user.home));
		copy(h->shell, sizeof(h->shell), str_of(user.shell));
	}
	arena_fini(&arena);
	if (users_group_name(root, h->gid, h->group, sizeof(h->group)) < 0)
		h->group[0] = '\0'; /* %g is the number then */
}

static uint64_t read_number(const char *path)
{
	char text[32] = "";
	uint64_t n = 0;

	read_line(NULL, path, text, sizeof(text));
	return str_to_u64(str_trim(str_of(text)), &n) < 0 ? 0 : n;
}

/* Pids begin at 1, so there is room for one less than their limit. */
static void read_amounts(struct specifier_host *h)
{
	uint64_t pids = read_number("/proc/sys/kernel/pid_max");
	uint64_t threads = read_number("/proc/sys/kernel/threads-max");
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	h->memory_pages = pages > 0 ? (uint64_t)pages : 0;
	h->page_bytes = page > 0 ? (uint64_t)page : 0;
	h->tasks_max = pids > 0 && pids - 1 < threads ? pids - 1 : threads;
}

void specifier_host_read(struct specifier_host *h, const char *root)
{
	struct utsname names;
	char id[65] = "";

	memset(h, 0, sizeof(*h));
	if (uname(&names) == 0) {
		copy(h->hostname, sizeof(h->hostname), str_of(names.nodename));
		copy(h->kernel, sizeof(h->kernel), str_of(names.release));
		copy(h->arch, sizeof(h->arch), str_of(architecture(names.machine)));
	}
	read_line(root, "/etc/machine-id", id, sizeof(id));
	keep_hex(id, h->machine_id);
	id[0] = '\0';
	read_line(NULL, "/proc/sys/kernel/random/boot_id", id,
		  sizeof(id)); /* of the kernel, whatever the root */
	keep_hex(id, h->boot_id);
	if (!read_release(h, root, "/etc/os-release"))
		(void)read_release(h, root, "/usr/lib/os-release");
	(void)read_release(h, root, "/etc/machine-info");
	read_owner(h, root);
	read_amounts(h);
}

/* --- expansion --- */

enum { EXPANSION_MAX = 4096 };

/* One expansion: writes at most cap bytes and a NUL into out. 0 or -EINVAL. */
typedef int (*expand_fn)(const struct specifier_context *c, char letter, char *out, size_t cap);

static int give(struct str s, char *out, size_t cap)
{
	if (s.n >= cap)
		return err_here(-EINVAL);
	copy(out, cap, s);
	return 0;
}

static int host_fact(const struct specifier_context *c, char letter, char *out, size_t cap)
{
	const struct specifier_host *h = c->host;
	const struct {
		char letter;
		bool must; /* not to be told: the setting is not valid */
		const char *text;
	} facts[] = {
		{'a', true, h->arch},        {'b', true, h->boot_id},
		{'m', true, h->machine_id},  {'H', false, h->hostname},
		{'v', false, h->kernel},     {'A', false, h->os_image_version},
		{'B', false, h->os_build},   {'M', false, h->os_image},
		{'o', false, h->os_id},      {'w', false, h->os_version},
		{'W', false, h->os_variant},
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		if (facts[i].letter != letter)
			continue;
		if (facts[i].must && facts[i].text[0] == '\0')
			return err_here(-EINVAL);
		return give(str_of(facts[i].text), out, cap);
	}
	return err_here(-EINVAL);
}

static int short_hostname(const struct specifier_context *c, char letter, char *out, size_t cap)
{
	struct str s = str_of(c->host->hostname);

	if (letter == 'q' && c->host->pretty[0])
		return give(str_of(c->host->pretty), out, cap);
	return give(str_sub(s, 0, str_index(s, '.')), out, cap);
}

/* %n %N %p %P %i %I %j %J: parts of the name; a capital one has its escaping undone, but for %N. */
static int name_part(const struct specifier_context *c, char letter, char *out, size_t cap)
{
	struct str part = name_prefix(c->unit);
	struct str whole = str_of(c->unit);
	size_t dash = str_rindex(part, '-');

	switch (letter) {
	case 'n':
		part = whole;
		break;
	case 'N':
		part = str_sub(whole, 0, str_rindex(whole, '.'));
		break;
	case 'i':
	case 'I':
		part = name_instance(c->unit);
		break;
	case 'j':
	case 'J':
		part = dash < part.n ? str_sub(part, dash + 1, part.n) : part;
		break;
	default:
		break;
	}
	if (letter != 'P' && letter != 'I' && letter != 'J')
		return give(part, out, cap);
	return name_unescape(part, false, out, cap) < 0 ? err_here(-EINVAL) : 0;
}

static int file_name(const struct specifier_context *c, char letter UNUSED, char *out, size_t cap)
{
	struct str part = name_instance(c->unit);

	if (part.n == 0)
		part = name_prefix(c->unit);
	return name_unescape(part, true, out, cap) < 0 ? err_here(-EINVAL) : 0;
}

static int fragment_path(const struct specifier_context *c, char letter, char *out, size_t cap)
{
	struct str path = str_of(c->fragment);

	if (path.n == 0)
		return err_here(-EINVAL);
	if (letter == 'Y') {
		size_t slash = str_rindex(path, '/');

		if (slash == path.n)
			return err_here(-EINVAL);
		path = str_sub(path, 0, slash ? slash : 1);
	}
	return give(path, out, cap);
}

static const char *home_of(const struct specifier_context *c)
{
	if (c->host->home[0])
		return c->host->home;
	return c->host->uid == 0 ? "/root" : "/";
}

static int owner(const struct specifier_context *c, char letter, char *out, size_t cap)
{
	const struct specifier_host *h = c->host;
	char number[16];

	(void)snprintf(number, sizeof(number), "%u",
		       letter == 'U' ? (unsigned)h->uid : (unsigned)h->gid);
	switch (letter) {
	case 'u':
		return give(str_of(c->user ? c->user : "root"), out, cap);
	case 'g':
		return give(str_of(h->group[0]   ? h->group
				   : h->gid == 0 ? "root"
						 : number),
			    out, cap);
	case 'h':
		return give(str_of(home_of(c)), out, cap);
	case 's':
		return give(str_of(h->shell[0] ? h->shell : "/bin/sh"), out, cap);
	default:
		return give(str_of(number), out, cap);
	}
}

static int directory(const struct specifier_context *c, char letter, char *out, size_t cap)
{
	/* of: what the user's one hangs on: 'h' the home, 'r' /run/user/UID, 0 the same as the system's. */
	static const struct {
		char letter, of;
		const char *system, *user;
	} dirs[] = {
		{'C', 'h', "/var/cache", "/.cache"},
		{'E', 'h', "/etc", "/.config"},
		{'L', 'h', "/var/log", "/.config/log"},
		{'S', 'h', "/var/lib", "/.config"},
		{'t', 'r', "/run", ""},
		{'T', 0, "/tmp", NULL},
		{'V', 0, "/var/tmp", NULL},
		{'d', 'r', "/run/credentials/", "/credentials/"},
	};
	const char *unit = letter == 'd' ? c->unit : "";
	int n = -1;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		if (dirs[i].letter != letter)
			continue;
		if (!c->is_user_manager || dirs[i].of == 0)
			n = snprintf(out, cap, "%s%s", dirs[i].system, unit);
		else if (dirs[i].of == 'h')
			n = snprintf(out, cap, "%s%s", home_of(c), dirs[i].user);
		else
			n = snprintf(out, cap, "/run/user/%u%s%s", (unsigned)c->host->uid,
				     dirs[i].user, unit);
	}
	return n < 0 || (size_t)n >= cap ? err_here(-EINVAL) : 0;
}

static const struct {
	const char *letters;
	expand_fn expand;
} specifiers[] = {
	{"aAbBHmMovwW", host_fact}, {"lq", short_hostname}, {"nNpPiIjJ", name_part},
	{"f", file_name},           {"yY", fragment_path},  {"ugUGhs", owner},
	{"CELStTVd", directory},
};

static int expand_one(const struct specifier_context *c, char letter, char *out, size_t cap)
{
	if (letter == '%')
		return give(STR("%"), out, cap);
	for (size_t i = 0; i < ARRAY_SIZE(specifiers); i++)
		if (letter && strchr(specifiers[i].letters, letter))
			return specifiers[i].expand(c, letter, out, cap);
	return err_here(-EINVAL);
}

int specifier_expand(const struct specifier_context *c, struct str text, struct arena *arena,
		     char **ret_text, size_t *ret_at)
{
	struct str whole = text;
	struct sbuf out = {0};
	char *done;

	while (text.n > 0) {
		size_t plain = str_index(text, '%');
		char piece[EXPANSION_MAX];

		sbuf_add(&out, str_sub(text, 0, plain));
		if (plain == text.n)
			break;
		if (expand_one(c, plain + 1 < text.n ? text.p[plain + 1] : '\0', piece,
			       sizeof(piece)) < 0) {
			*ret_at = whole.n - text.n + plain;
			sbuf_fini(&out);
			return err_here(-EINVAL);
		}
		sbuf_add_z(&out, piece);
		text = str_sub(text, plain + 2, text.n);
	}
	done = out.err ? NULL : arena_dup(arena, out.p, out.n);
	sbuf_fini(&out);
	if (!done)
		return err_here(-ENOMEM);
	*ret_text = done;
	return 0;
}
