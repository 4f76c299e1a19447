/* SPDX-License-Identifier: MIT */
/* What a unit names outside of the unit directories: programs, users, files; and what the kernel must have for a setting. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/fd.h"
#include "units/advice.h"
#include "units/check.h"
#include "units/condition.h"
#include "units/exec_config.h"
#include "units/glob.h"
#include "units/name.h"
#include "units/probe.h"
#include "units/sandbox.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/users.h"

/* A path below the root, in the arena; "" without memory, which no file has for a name. */
static const char *below_root(const struct check *k, const char *path)
{
	struct str root = str_of(k->world->load->root);
	size_t n = strlen(path);
	char *out = arena_get(k->arena, root.n + n + 1);

	if (!out)
		return "";
	memcpy(out, root.p, root.n);
	memcpy(out + root.n, path, n);
	return out;
}

static const struct unit_line *line_at(const struct check *k, const char *file, uint32_t line)
{
	const struct unit_line *l = k->lines;

	while (l && (l->name_at.line != line || !file || strcmp(l->name_at.file, file) != 0))
		l = l->next;
	return l;
}

/* Where a text stands in the line of that file; the line when it is not found there. */
static struct diag_place place_in(const struct check *k, const char *file, uint32_t line,
				  const char *text)
{
	const struct unit_line *l = line_at(k, file, line);
	const char *at = l ? strstr(l->value, text) : NULL;
	struct diag_place place = {file, line, 0, 0};

	if (at) {
		place = l->value_at;
		place.col += (uint32_t)(at - l->value);
		place.end_col = place.col + (uint32_t)strlen(text);
	}
	return place;
}

/* In a template a line with a specifier names another thing in each instance. */
static bool is_open(const struct check *k, const struct unit_line *l)
{
	return name_form(k->config->name) == NAME_TEMPLATE && l && strchr(l->value, '%');
}

/* The same of what stands there. Only templates are worth the search. */
static bool is_open_at(const struct check *k, const char *file, uint32_t line)
{
	return name_form(k->config->name) == NAME_TEMPLATE && is_open(k, line_at(k, file, line));
}

enum found { FOUND, NOT_THERE, CANNOT_TELL };

/* What lies there below the root, behind all links. */
static enum found find_file(const struct check *k, const char *path, struct stat *ret_st)
{
	AUTO_FD int fd = fd_open_below(k->world->load->root, path, O_PATH);

	if (fd >= 0 && fstat(fd, ret_st) == 0)
		return FOUND;
	return fd == -ENOENT || fd == -ENOTDIR ? NOT_THERE : CANNOT_TELL;
}

/* --- programs --- */

/* Is the unit only started when that file is there? */
static bool is_conditional(const struct unit_config *c, const char *path)
{
	for (const struct condition *d = c->unit->conditions; d; d = d->next)
		if (!d->is_negated && d->parameter && strcmp(d->parameter, path) == 0)
			return true;
	return false;
}

/* A program, also a bare name in ExecSearchPath= or the usual places. */
static enum found find_program(const struct check *k, const char *program, struct stat *ret_st)
{
	static const char *const places[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					     "/usr/bin",        "/sbin",          "/bin"};
	const struct name_list *search = sandbox_of(k->config)->exec_search;
	enum found found = NOT_THERE;
	char name[PATH_MAX];

	if (program[0] == '/')
		return find_file(k, program, ret_st);
	for (const struct name_list *l = search; found == NOT_THERE && l; l = l->next) {
		snprintf(name, sizeof(name), "%s/%s", l->text, program);
		found = find_file(k, name, ret_st);
	}
	for (unsigned n = 0; found == NOT_THERE && !search && n < ARRAY_SIZE(places); n++) {
		snprintf(name, sizeof(name), "%s/%s", places[n], program);
		found = find_file(k, name, ret_st);
	}
	return found;
}

static void check_command(struct check *k, const struct command *c)
{
	enum found found;
	struct stat st;

	if (c->ignore_failure || is_conditional(k->config, c->path) ||
	    is_open_at(k, c->file, c->line))
		return;
	found = find_program(k, c->path, &st);
	if (found == NOT_THERE)
		check_report(k, CODE_NO_PROGRAM, place_in(k, c->file, c->line, c->path),
			     advice_program(c->path),
			     "there is no program %s; the command will fail", c->path);
	else if (found == FOUND && (!S_ISREG(st.st_mode) || !(st.st_mode & 0111)))
		check_report(k, CODE_NOT_EXECUTABLE, place_in(k, c->file, c->line, c->path),
			     S_ISREG(st.st_mode) ? "chmod +x" : NULL,
			     "%s cannot be executed; the command will fail", c->path);
}

static void check_commands(struct check *k, const struct unit_config *u)
{
	for (const struct command *c = u->commands; c; c = c->behind)
		check_command(k, c);
}

/* --- users and files --- */

static int report_user(struct check *k, const char *key, const char *name)
{
	const char *alike = users_suggest(k->world->load->root, name, k->arena);
	const struct unit_line *l = check_find(k, key);
	char suggestion[96];

	if (alike)
		snprintf(suggestion, sizeof(suggestion), "a similar one is \"%s\"", alike);
	check_report(k, CODE_NO_USER,
		     l ? place_in(k, l->name_at.file, l->name_at.line, name)
		       : (struct diag_place){k->config->fragment, 0, 0, 0},
		     alike ? suggestion : NULL, "%s=: there is no \"%s\" in /etc/%s", key, name,
		     strstr(key, "Group") ? "group" : "passwd");
	return 0;
}

/* A file of users that is not there, or cannot be read, is no reason to doubt a name. */
static int check_name(struct check *k, const char *key, const char *name)
{
	const char *root = k->world->load->root;
	struct user_entry user;
	gid_t gid;
	int r = 0;

	if (name && !is_open(k, check_find(k, key)))
		r = strstr(key, "Group") ? users_group(root, name, &gid)
					 : users_find(root, name, k->arena, &user);
	return r == -ENOMEM ? r : r == -ESRCH ? report_user(k, key, name) : 0;
}

static int check_users(struct check *k)
{
	const struct exec_config *e = k->config->exec;
	const struct socket_config *s = k->config->socket;
	/* A user that is made for the run is nowhere yet. */
	bool is_made = sandbox_of(k->config)->dynamic_user;
	int r = is_made ? 0 : check_name(k, "User", e->user);

	if (r == 0 && !is_made)
		r = check_name(k, "Group", e->group);
	for (const struct name_list *g = e->supplementary_groups; r == 0 && g; g = g->next)
		r = check_name(k, "SupplementaryGroups", g->text);
	if (r == 0 && s)
		r = check_name(k, "SocketUser", s->user);
	if (r == 0 && s)
		r = check_name(k, "SocketGroup", s->group);
	return r;
}

static void check_environment_files(struct check *k)
{
	struct stat st;

	for (const struct name_list *f = k->config->exec->environment_files; f; f = f->next)
		if (f->text[0] == '/' && !glob_is_pattern(f->text) &&
		    !is_open_at(k, f->file, f->line) && find_file(k, f->text, &st) == NOT_THERE)
			check_report(k, CODE_NO_ENVIRONMENT_FILE,
				     place_in(k, f->file, f->line, f->text),
				     "write EnvironmentFile=-... if it may be missing",
				     "there is no file %s; the unit will fail", f->text);
}

/* --- the unit's own files --- */

static void check_mode(struct check *k, const char *file)
{
	struct stat st;

	if (file && stat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0111)
		check_report(k, CODE_FILE_MODE, (struct diag_place){file, 0, 0, 0}, "chmod 644",
			     "this file is marked as a program, which it is not");
}

struct stray {
	struct check *check;
	const char *dir;
};

/* Files that an editor or a package manager left behind are meant to be ignored. */
static bool is_leftover(struct str name)
{
	static const char *const ends[] = {"~",          ".bak",      ".orig",     ".swp",
					   ".old",       ".disabled", ".dpkg-old", ".dpkg-new",
					   ".dpkg-dist", ".ucf-old"};

	for (unsigned n = 0; n < ARRAY_SIZE(ends); n++)
		if (str_has_suffix(name, str_of(ends[n])))
			return true;
	return false;
}

static bool on_dropin(void *arg, const char *name)
{
	const struct stray *s = arg;
	char path[PATH_MAX];
	const char *copy;

	if (name[0] == '.' || str_has_suffix(str_of(name), STR(".conf")) ||
	    is_leftover(str_of(name)))
		return false;
	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	copy = arena_dup(s->check->arena, path, strlen(path));
	check_report(s->check, CODE_DROPIN_NAME, (struct diag_place){copy, 0, 0, 0},
		     "give it a name that ends in .conf",
		     "only files that end in .conf are drop-ins; this one is not read");
	return false;
}

static int check_dropins(struct check *k)
{
	const struct load *l = k->world->load;
	char dir[PATH_MAX];
	struct stray stray = {.check = k};
	int r = 0;

	for (unsigned n = 0; r >= 0 && n < l->dirs_n; n++) {
		snprintf(dir, sizeof(dir), "%s/%s.d", l->dirs[n], k->config->name);
		stray.dir = below_root(k, dir);
		r = probe_each_entry(stray.dir, on_dropin, &stray);
		if (r != -ENOMEM)
			r = 0;
	}
	return r;
}

/* --- the kernel --- */

/* Where the kernel tells what it has; nothing is claimed when that cannot be read. */
static const struct fact {
	const char *file;
	const char *what; /* "no %s ..." */
} facts[] = {
	{"/sys/fs/cgroup/cgroup.controllers", "cgroup controller"},
	{"/sys/kernel/security/lsm", "security module"},
	{"/proc/sys/kernel/seccomp/actions_avail", "seccomp action"},
};
enum { FACT_CGROUP, FACT_LSM, FACT_SECCOMP };

static const struct need {
	const char *key;
	uint8_t fact;
	const char *word;
} needs[] = {
	{"AllowedCPUs", FACT_CGROUP, "cpuset"},
	{"AllowedMemoryNodes", FACT_CGROUP, "cpuset"},
	{"CPUQuota", FACT_CGROUP, "cpu"},
	{"CPUWeight", FACT_CGROUP, "cpu"},
	{"IOWeight", FACT_CGROUP, "io"},
	{"IOReadBandwidthMax", FACT_CGROUP, "io"},
	{"IOWriteBandwidthMax", FACT_CGROUP, "io"},
	{"MemoryHigh", FACT_CGROUP, "memory"},
	{"MemoryLow", FACT_CGROUP, "memory"},
	{"MemoryMax", FACT_CGROUP, "memory"},
	{"MemorySwapMax", FACT_CGROUP, "memory"},
	{"TasksMax", FACT_CGROUP, "pids"},
	{"AppArmorProfile", FACT_LSM, "apparmor"},
	{"SELinuxContext", FACT_LSM, "selinux"},
	{"SmackProcessLabel", FACT_LSM, "smack"},
	{"SystemCallFilter", FACT_SECCOMP, "errno"},
	{"SystemCallLog", FACT_SECCOMP, "log"},
	{"RestrictAddressFamilies", FACT_SECCOMP, "errno"},
	{"RestrictNamespaces", FACT_SECCOMP, "errno"},
	{"MemoryDenyWriteExecute", FACT_SECCOMP, "errno"},
};

/* What a kernel has when a file of its is there. */
static const struct file_need {
	const char *key, *file;
	const char *what; /* "no %s" */
} file_needs[] = {
	{"PrivateUsers", "/proc/self/ns/user", "user namespaces"},
	{"PrivateIPC", "/proc/self/ns/ipc", "IPC namespaces"},
	{"PrivateNetwork", "/proc/self/ns/net", "network namespaces"},
	{"NetworkNamespacePath", "/proc/self/ns/net", "network namespaces"},
	{"ProtectHostname", "/proc/self/ns/uts", "UTS namespaces"},
	{"DeviceAllow", "/proc/sys/kernel/unprivileged_bpf_disabled", "programs for cgroups"},
	{"DevicePolicy", "/proc/sys/kernel/unprivileged_bpf_disabled", "programs for cgroups"},
	{"IPAccounting", "/proc/sys/kernel/unprivileged_bpf_disabled", "programs for cgroups"},
	{"IPAddressAllow", "/proc/sys/kernel/unprivileged_bpf_disabled", "programs for cgroups"},
	{"IPAddressDeny", "/proc/sys/kernel/unprivileged_bpf_disabled", "programs for cgroups"},
	{"RestrictNetworkInterfaces", "/proc/sys/kernel/unprivileged_bpf_disabled",
	 "programs for cgroups"},
	{"SocketBindAllow", "/proc/sys/kernel/unprivileged_bpf_disabled", "programs for cgroups"},
	{"SocketBindDeny", "/proc/sys/kernel/unprivileged_bpf_disabled", "programs for cgroups"},
	{"KeyringMode", "/proc/keys", "keyrings"},
	{"NUMAPolicy", "/proc/self/numa_maps", "memory policies"},
	{"CoredumpFilter", "/proc/self/coredump_filter", "filter of core dumps"},
};

/* Words are separated by blanks, or by commas. */
static bool has_word(struct str list, const char *word)
{
	struct str piece;

	while (str_cut(&list, ',', &piece))
		if (probe_has_word(piece, word))
			return true;
	return false;
}

/* The line that asks for something with that key, or NULL. */
static const struct unit_line *find_wish(const struct check *k, const char *key)
{
	const struct unit_line *l = check_find(k, key);

	if (!l || l->is_doubtful || !l->value[0] || strcmp(l->value, "no") == 0 ||
	    strcmp(l->value, "infinity") == 0)
		return NULL;
	return l;
}

static void check_files(struct check *k)
{
	struct stat st;

	/* Without a kernel's own files nothing is known of it. */
	if (find_file(k, "/proc/sys/kernel", &st) != FOUND)
		return;
	for (unsigned n = 0; n < ARRAY_SIZE(file_needs); n++) {
		const struct file_need *f = &file_needs[n];
		const struct unit_line *l = find_wish(k, f->key);

		if (l && find_file(k, f->file, &st) == NOT_THERE)
			check_report(k, CODE_KERNEL_LACKS, l->name_at, NULL,
				     "%s= cannot be enforced: this kernel has no %s", l->key,
				     f->what);
	}
}

static void check_kernel(struct check *k)
{
	char text[PROBE_MAX];

	check_files(k);
	for (unsigned n = 0; n < ARRAY_SIZE(needs); n++) {
		const struct unit_line *l = find_wish(k, needs[n].key);
		const struct fact *f = &facts[needs[n].fact];
		struct str have;

		if (!l)
			continue;
		have = probe_read(below_root(k, f->file), text);
		if (have.n && !has_word(have, needs[n].word))
			check_report(k, CODE_KERNEL_LACKS, l->name_at, NULL,
				     "%s= cannot be enforced: this kernel has no %s \"%s\"", l->key,
				     f->what, needs[n].word);
	}
}

int check_host(struct check *k)
{
	const struct unit_config *c = k->config;
	int r = c->exec ? check_users(k) : 0;

	if (c->exec)
		check_environment_files(k);
	if (c->service || c->socket)
		check_commands(k, c);
	check_kernel(k);
	check_mode(k, c->fragment);
	for (const struct name_list *d = c->dropins; d; d = d->next)
		check_mode(k, d->text);
	return r == 0 ? check_dropins(k) : r;
}
