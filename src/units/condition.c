/* SPDX-License-Identifier: MIT */
#include "units/condition.h"

#include "core/fd.h"
#include "core/reach.h"
#include "units/compare.h"
#include "units/fact.h"
#include "units/glob.h"
#include "units/kernel_words.h"
#include "units/probe.h"
#include "units/users.h"
#include "units/value.h"
#include "units/words.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { OS_RELEASE_MAX = 64 * 1024 };

/* --- paths --- */

static int stat_test(const char *path, int flags, struct stat *ret)
{
	if (fstatat(AT_FDCWD, path, ret, flags | AT_NO_AUTOMOUNT) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : err_here(-errno);
}

static int path_exists(const char *path, const struct specifier_host *host UNUSED)
{
	struct stat st;

	return stat_test(path, 0, &st);
}

static int path_exists_glob(const char *path, const struct specifier_host *host UNUSED)
{
	struct arena arena = {0};
	struct name_list *found = NULL;
	int r = glob_find(path, true, &arena, &found);

	arena_fini(&arena);
	return r < 0 ? r : found != NULL;
}

static int path_is_directory(const char *path, const struct specifier_host *host UNUSED)
{
	struct stat st;
	int r = stat_test(path, 0, &st);

	return r > 0 ? S_ISDIR(st.st_mode) : r;
}

static int path_is_symlink(const char *path, const struct specifier_host *host UNUSED)
{
	struct stat st;
	int r = stat_test(path, AT_SYMLINK_NOFOLLOW, &st);

	return r > 0 ? S_ISLNK(st.st_mode) : r;
}

static int path_is_mount_point(const char *path, const struct specifier_host *host UNUSED)
{
	struct statx stx;

	if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_TYPE, &stx) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_here(-errno);
	return (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0; /* Linux 5.8 */
}

static int path_is_read_write(const char *path, const struct specifier_host *host UNUSED)
{
	AUTO_FD int fd =
		fd_open(AT_FDCWD, path, O_PATH, 0); /* O_PATH does not trigger an automount */
	struct statvfs fs;

	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
	if (fstatvfs(fd, &fs) < 0)
		return err_here(-errno);
	return !(fs.f_flag & ST_RDONLY);
}

static int file_not_empty(const char *path, const struct specifier_host *host UNUSED)
{
	struct stat st;
	int r = stat_test(path, 0, &st);

	return r > 0 ? S_ISREG(st.st_mode) && st.st_size > 0 : r;
}

static int file_is_executable(const char *path, const struct specifier_host *host UNUSED)
{
	struct stat st;
	int r = stat_test(path, 0, &st);

	return r > 0 ? S_ISREG(st.st_mode) && (st.st_mode & 0111) : r;
}

static bool any_entry(void *arg UNUSED, const char *name UNUSED)
{
	return true;
}

static int directory_not_empty(const char *path, const struct specifier_host *host UNUSED)
{
	int r = probe_each_entry(path, any_entry, NULL);

	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

/* Block devices still to look at; a stack of dm devices is a few deep. */
struct block_walk {
	char names[16][64];
	size_t n;
	bool has_slaves, is_over;
};

static bool note_slave(void *arg, const char *name)
{
	struct block_walk *w = arg;

	w->has_slaves = true;
	w->is_over = w->n == ARRAY_SIZE(w->names) || strlen(name) >= sizeof(w->names[0]);
	if (!w->is_over)
		(void)snprintf(w->names[w->n++], sizeof(w->names[0]), "class/block/%s", name);
	return w->is_over;
}

/* Every way down from the device to the disks has to pass a dm-crypt one. */
static int path_is_encrypted(const char *path, const struct specifier_host *host UNUSED)
{
	struct block_walk w = {.n = 1};
	struct stat st;
	int r = stat_test(path, 0, &st);

	if (r <= 0)
		return r;
	(void)snprintf(w.names[0], sizeof(w.names[0]), "dev/block/%u:%u", major(st.st_dev),
		       minor(st.st_dev));
	while (w.n > 0) {
		char uuid[PROBE_MAX];
		char name[sizeof(w.names[0])];
		char file[128];

		memcpy(name, w.names[--w.n], sizeof(name));
		(void)snprintf(file, sizeof(file), "/sys/%s/dm/uuid", name);
		if (str_has_prefix(probe_read(file, uuid), STR("CRYPT-")))
			continue;
		w.has_slaves = false;
		(void)snprintf(file, sizeof(file), "/sys/%s/slaves", name);
		if (probe_each_entry(file, note_slave, &w) < 0 || !w.has_slaves || w.is_over)
			return 0;
	}
	return 1;
}

/* --- kernel command line, environment, host --- */

/* name: "word", which also matches "word=...", or "word=value". The last one that matches counts; *ret_value lives as long as w. 1, 0 or -ENOMEM. */
static int command_line_get(const char *name, struct kernel_words *w, const char **ret_value)
{
	size_t name_n = strlen(name);
	bool is_pair = strchr(name, '=') != NULL;
	const char *word;
	int found = 0, r;

	kernel_words_open(w);
	while ((r = kernel_words_next(w, &word)) > 0) {
		if (strncmp(word, name, name_n) != 0 ||
		    (word[name_n] && (is_pair || word[name_n] != '=')))
			continue;
		*ret_value = word[name_n] ? word + name_n + 1 : NULL;
		found = 1;
	}
	return r < 0 ? r : found;
}

/* A boolean option without a value means yes. False when it is not there or no boolean. */
static bool command_line_bool(const char *name, bool *ret)
{
	struct kernel_words words;
	const char *value = NULL;
	bool found = command_line_get(name, &words, &value) > 0;

	if (found && value)
		found = value_bool(str_of(value), ret) == 0;
	else if (found)
		*ret = true;
	kernel_words_fini(&words);
	return found;
}

static int kernel_command_line(const char *parameter, const struct specifier_host *host UNUSED)
{
	struct kernel_words words;
	const char *value;
	int r = command_line_get(parameter, &words, &value);

	kernel_words_fini(&words);
	return r;
}

/* Every word an expression; an operator may stand alone before what it is about. */
static int kernel_version(const char *parameter, const struct specifier_host *host)
{
	struct str rest = str_of(parameter);
	struct arena arena = {0};
	char *word;
	size_t at;
	int holds = 1;
	int r;

	while ((r = words_next(&rest, WORDS_UNQUOTE | WORDS_CUNESCAPE, &arena, &word, &at)) > 0) {
		struct str version = str_of(word);
		enum compare op = compare_cut_operator(&version);

		if (version.n == 0 && op != CMP_NONE)
			r = words_next(&rest, WORDS_UNQUOTE | WORDS_CUNESCAPE, &arena, &word, &at);
		if (r <= 0) {
			r = r < 0 ? r : err_here(-EINVAL);
			break;
		}
		holds = holds && compare_text(op == CMP_NONE ? CMP_GLOB : op, host->kernel,
					      version.n ? version.p : word);
	}
	arena_fini(&arena);
	return r < 0 ? r : holds;
}

struct release_key {
	struct str name;
	struct arena *arena;
	const char *value;
};

static int find_release_key(void *arg, struct str name, struct str value)
{
	struct release_key *k = arg;

	if (!str_eq(name, k->name))
		return 0;
	k->value = arena_dup(k->arena, value.p, value.n);
	return k->value ? 0 : err_here(-ENOMEM);
}

/* "KEY<operator>value" against the text of os-release. */
static int release_holds(const char *word, struct str text, struct arena *arena)
{
	struct str s = str_of(word);
	size_t n = strcspn(word, "<>=!$");
	struct release_key key = {.name = str_sub(s, 0, n), .arena = arena, .value = ""};
	enum compare op;
	int r;

	s = str_sub(s, n, s.n);
	op = compare_cut_operator(&s);
	if (n == 0 || op == CMP_NONE)
		return err_here(-EINVAL);
	r = words_env_file(text, arena, find_release_key, &key);
	return r < 0 ? r : compare_text(op, key.value, s.p);
}

static int os_release(const char *parameter, const struct specifier_host *host UNUSED)
{
	struct str rest = str_of(parameter);
	struct arena arena = {0};
	AUTO_MEM char *text = NULL;
	size_t text_n = 0;
	char *word;
	size_t at;
	int holds = 1;
	int r;

	r = fd_read_file(AT_FDCWD, "/etc/os-release", OS_RELEASE_MAX, &text, &text_n);
	if (r == -ENOENT)
		r = fd_read_file(AT_FDCWD, "/usr/lib/os-release", OS_RELEASE_MAX, &text, &text_n);
	if (r < 0 && r != -ENOENT)
		return r;
	while (holds > 0 &&
	       (r = words_next(&rest, WORDS_UNQUOTE | WORDS_CUNESCAPE, &arena, &word, &at)) > 0)
		holds = release_holds(word, (struct str){text, text_n}, &arena);
	arena_fini(&arena);
	return holds < 0 || r >= 0 ? holds : r;
}

static int environment(const char *parameter, const struct specifier_host *host UNUSED)
{
	const char *equal = strchr(parameter, '=');
	char name[256];
	const char *value;

	if (!equal)
		return getenv(parameter) != NULL;
	if ((size_t)(equal - parameter) >= sizeof(name))
		return err_here(-EINVAL);
	(void)snprintf(name, sizeof(name), "%.*s", (int)(equal - parameter), parameter);
	value = getenv(name);
	return value && strcmp(value, equal + 1) == 0;
}

static int host_is(const char *parameter, const struct specifier_host *host)
{
	char id[33];
	size_t n = 0;

	for (const char *p = parameter; *p && n < 32;
	     p++) /* a machine id may be written as a UUID */
		if (*p != '-')
			id[n++] = *p;
	id[n] = '\0';
	if (host->machine_id[0] && strcasecmp(id, host->machine_id) == 0)
		return 1;
	return fnmatch(parameter, host->hostname, FNM_CASEFOLD) == 0;
}

static int architecture(const char *parameter, const struct specifier_host *host)
{
	/* "native" is what we are built for, and we run. */
	return strcmp(parameter, "native") == 0 || strcmp(parameter, host->arch) == 0;
}

static int first_boot(const char *parameter, const struct specifier_host *host UNUSED)
{
	bool is_first;

	if (!command_line_bool("systemd.condition-first-boot", &is_first))
		is_first = probe_exists("/run/systemd/first-boot");
	return fact_bool(parameter, is_first);
}

static int needs_update(const char *parameter, const struct specifier_host *host)
{
	bool trailing = parameter[0] && parameter[strlen(parameter) - 1] == '/';
	char stamp[PATH_MAX];
	struct stat usr;
	struct stat done;
	bool forced;
	int n;

	if (command_line_bool("systemd.condition-needs-update", &forced))
		return forced;
	if (path_is_read_write(parameter, host) <= 0 || lstat("/usr", &usr) < 0)
		return 0;
	n = snprintf(stamp, sizeof(stamp), "%s%s.updated", parameter, trailing ? "" : "/");
	if (n < 0 || (size_t)n >= sizeof(stamp))
		return err_here(-ENAMETOOLONG);
	if (lstat(stamp, &done) < 0)
		return errno == ENOENT;
	if (usr.st_mtim.tv_sec != done.st_mtim.tv_sec)
		return usr.st_mtim.tv_sec > done.st_mtim.tv_sec;
	/* A stamp without nanoseconds was cut off by its file system. */
	return done.st_mtim.tv_nsec != 0 && usr.st_mtim.tv_nsec > done.st_mtim.tv_nsec;
}

static int credential(const char *parameter, const struct specifier_host *host UNUSED)
{
	const char *const dirs[] = {getenv("CREDENTIALS_DIRECTORY"),
				    getenv("ENCRYPTED_CREDENTIALS_DIRECTORY"),
				    "/run/credentials/@system", "/run/credentials/@encrypted"};
	char path[PATH_MAX];

	if (!parameter[0] || strchr(parameter, '/') || strcmp(parameter, ".") == 0 ||
	    strcmp(parameter, "..") == 0)
		return err_here(-EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		int n = dirs[i] ? snprintf(path, sizeof(path), "%s/%s", dirs[i], parameter) : -1;

		if (n > 0 && (size_t)n < sizeof(path) && probe_exists(path))
			return 1;
	}
	return 0;
}

/* --- users --- */

static int user_is(const char *parameter, const struct specifier_host *host UNUSED)
{
	enum { SYSTEM_UID_MAX = 999 };
	struct arena arena = {0};
	struct user_entry user;
	int r;

	if (strcmp(parameter, "@system") == 0)
		return getuid() <= SYSTEM_UID_MAX || geteuid() <= SYSTEM_UID_MAX;
	r = users_find(NULL, parameter, &arena, &user);
	arena_fini(&arena);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	return user.uid == getuid() || user.uid == geteuid();
}

static int group_is(const char *parameter, const struct specifier_host *host UNUSED)
{
	enum { GROUPS_MAX = 1024 };
	gid_t groups[GROUPS_MAX];
	gid_t gid;
	int n;
	int r;

	r = users_group(NULL, parameter, &gid);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	if (gid == getgid() || gid == getegid())
		return 1;
	n = getgroups(GROUPS_MAX, groups);
	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return 1;
	return n < 0 ? err_here(-errno) : 0;
}

/* --- the table --- */

/* KIND(name, test): name is API. */
#define KINDS_LIST(KIND)                                 \
	KIND("Architecture", architecture)               \
	KIND("Firmware", fact_firmware)                  \
	KIND("Virtualization", fact_virtualization)      \
	KIND("Host", host_is)                            \
	KIND("KernelCommandLine", kernel_command_line)   \
	KIND("KernelVersion", kernel_version)            \
	KIND("Credential", credential)                   \
	KIND("Environment", environment)                 \
	KIND("Security", fact_security)                  \
	KIND("Capability", fact_capability)              \
	KIND("ACPower", fact_ac_power)                   \
	KIND("NeedsUpdate", needs_update)                \
	KIND("FirstBoot", first_boot)                    \
	KIND("PathExists", path_exists)                  \
	KIND("PathExistsGlob", path_exists_glob)         \
	KIND("PathIsDirectory", path_is_directory)       \
	KIND("PathIsSymbolicLink", path_is_symlink)      \
	KIND("PathIsMountPoint", path_is_mount_point)    \
	KIND("PathIsReadWrite", path_is_read_write)      \
	KIND("PathIsEncrypted", path_is_encrypted)       \
	KIND("DirectoryNotEmpty", directory_not_empty)   \
	KIND("FileNotEmpty", file_not_empty)             \
	KIND("FileIsExecutable", file_is_executable)     \
	KIND("User", user_is)                            \
	KIND("Group", group_is)                          \
	KIND("ControlGroupController", fact_controllers) \
	KIND("Memory", fact_memory)                      \
	KIND("CPUs", fact_cpus)                          \
	KIND("CPUFeature", fact_cpu_feature)             \
	KIND("OSRelease", os_release)                    \
	KIND("MemoryPressure", fact_memory_pressure)     \
	KIND("CPUPressure", fact_cpu_pressure)           \
	KIND("IOPressure", fact_io_pressure)

#define KIND(name, test) name,
const char *const condition_names[] = {KINDS_LIST(KIND)};
#undef KIND
#define KIND(name, test) test,
static const fact_fn tests[] = {KINDS_LIST(KIND)};
#undef KIND
const unsigned condition_names_n = ARRAY_SIZE(condition_names);

int condition_kind(struct str name)
{
	unsigned kind;

	return value_enum(name, condition_names, condition_names_n, &kind) == 0 ? (int)kind : -1;
}

int condition_test(const struct condition *c, const struct specifier_host *host)
{
	int r = c->parameter[0] == '/' ? reach(AT_FDCWD, c->parameter) : 0;

	if (r == 0)
		r = c->kind < ARRAY_SIZE(tests) ? tests[c->kind](c->parameter, host)
						: err_here(-EINVAL);
	return r < 0 ? r : (r > 0) != c->is_negated;
}

int condition_test_all(const struct condition *list, bool asserts,
		       const struct specifier_host *host, const struct condition **ret_failed)
{
	const struct condition *unmet = NULL; /* the first '|' line, while none holds */
	bool is_triggered = false;

	for (const struct condition *c = list; c; c = c->next) {
		bool holds;

		if (c->is_assert != asserts || (c->is_trigger && is_triggered))
			continue;
		holds = condition_test(c, host) > 0;
		if (c->is_trigger) {
			is_triggered = holds;
			unmet = unmet ? unmet : c;
		} else if (!holds) {
			*ret_failed = c;
			return 0;
		}
	}
	if (!unmet || is_triggered)
		return 1;
	*ret_failed = unmet;
	return 0;
}
