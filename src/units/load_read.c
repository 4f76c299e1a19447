/* SPDX-License-Identifier: MIT */
#include "units/load_read.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "units/name.h"

enum {
	PRESENT_CHUNK = 256 * 1024
}; /* bytes: so much goes back to the kernel when it is given back */

/* An open directory of the search path, or a *.d, *.wants ... below it. */
struct reading {
	struct load *l;
	DIR *dir;
	int fd;
	uint16_t rank;
	bool is_enabling; /* presence is enablement */
	char *text;       /* PATH_MAX bytes for paths and texts of links */
};

/* What is there and cannot be read is no reason to forget the units in it: 0 or -errno. err: of the system call. */
static int trouble(const struct reading *r, int err)
{
	bool is_absent = err == 0 || err == ENOENT || err == ENOTDIR || err == ELOOP ||
			 err == EACCES;

	return is_absent || r->l->skips_unreadable ? 0 : err_here(-err);
}

/* 0, also when there is none, or -errno. */
static int open_dir(struct reading *r, int at, const char *path)
{
	r->dir = fd_opendir(at, path);
	r->fd = r->dir ? dirfd(r->dir) : -1;
	return r->dir ? 0 : trouble(r, errno);
}

/* The next name, NULL behind the last one or when *err was set. */
static const struct dirent *next_name(struct reading *r, int *err)
{
	const struct dirent *d;

	errno = 0;
	d = *err == 0 ? readdir(r->dir) : NULL;
	if (!d && *err == 0)
		*err = trouble(r, errno);
	return d;
}

/* DT_REG, DT_LNK ...; some file systems do not tell. */
static unsigned char kind_of(const struct reading *r, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type;
	if (fstatat(r->fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return DT_UNKNOWN;
	return S_ISLNK(st.st_mode) ? DT_LNK : S_ISDIR(st.st_mode) ? DT_DIR : DT_REG;
}

/* The text of a link is in r->text; "" when there is none. 0 or -errno. */
static int read_link(const struct reading *r, const char *name)
{
	ssize_t n = readlinkat(r->fd, name, r->text, PATH_MAX - 1);

	r->text[n > 0 ? n : 0] = '\0';
	return n < 0 ? trouble(r, errno) : 0;
}

/* May a link of that name stand for a unit of that other name? Same type, and both with or both without an instance to fill in. */
static bool alias_fits(const char *name, const char *target)
{
	if (!name_is_valid(target, NAME_ANY) || !str_eq(name_suffix(name), name_suffix(target)))
		return false;
	return (name_form(name) == NAME_TEMPLATE) == (name_form(target) == NAME_TEMPLATE);
}

/* The unit that a link to that file name stands for; out: room for one. NULL: the link is a file of its own, or an instance. */
static const char *linked_name(struct load_entry *e, const char *base, char *out, size_t cap)
{
	if (strcmp(base, e->name) == 0 || !name_is_valid(base, NAME_ANY))
		return NULL;
	if (name_form(e->name) == NAME_INSTANCE && name_form(base) == NAME_TEMPLATE) {
		if (name_with_instance(base, name_instance(e->name), out, cap) < 0)
			return NULL;
		e->is_of_template = strcmp(out, e->name) == 0;
		base = out;
	}
	return !e->is_of_template && alias_fits(e->name, base) ? base : NULL;
}

static int add_symlink(struct reading *r, struct load_entry *e)
{
	char filled[UNIT_NAME_MAX + 1];
	const char *base, *target = r->text;
	struct load_tie *tie;
	int err = read_link(r, e->name);

	if (err < 0)
		return err;
	if (strcmp(target, "/dev/null") == 0) {
		e->is_masked = true;
		return 0;
	}
	base = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
	base = linked_name(e, base, filled, sizeof(filled));
	if (!base && target[0] != '/')
		return 0;
	tie = index_tie(r->l, e);
	if (tie && base)
		tie->alias_of = arena_dup(&r->l->arena, base, strlen(base));
	if (tie && target[0] == '/')
		tie->target = arena_dup(&r->l->arena, target, strlen(target));
	return tie && (!base || tie->alias_of) && (target[0] != '/' || tie->target) ? 0 : -ENOMEM;
}

/* Its [Install] counts, and it will be loaded: one reading for both. What cannot be read is told of when it is loaded. */
static int add_present(struct reading *r, struct load_entry *e, unsigned char kind)
{
	struct load *l = r->l;
	struct load_present *p = arena_get(&l->present_arena, sizeof(*p));
	size_t room = l->present_arena.bytes < TEXTS_KEPT ? TEXTS_KEPT - l->present_arena.bytes : 0;
	int err;

	if (!p)
		return -ENOMEM;
	p->entry = e;
	p->next = l->present;
	l->present = e->present = p;
	err = kind == DT_REG ? text_read(r->fd, e->name, room, &l->present_arena, &p->text) : 0;
	return err == -ENOMEM ? err : 0;
}

static int add_file(struct reading *r, const char *name, unsigned char kind)
{
	struct load_entry *e;
	int err = 0;

	if (kind == DT_DIR || !name_is_valid(name, NAME_ANY))
		return 0;
	e = index_get(r->l, str_of(name));
	if (!e)
		return -ENOMEM;
	if (e->has_file)
		return 0;
	e->has_file = true;
	e->dir = r->rank;
	if (kind == DT_LNK)
		err = add_symlink(r, e);
	if (err < 0)
		return err;
	return r->is_enabling && !e->is_masked && !e->tie->alias_of ? add_present(r, e, kind) : 0;
}

/* Directories beside a unit: suffix, and the dependency their links mean (-1: drop-ins). */
static const struct side_dir {
	struct str suffix;
	int dep;
} side_dirs[] = {
	{STR(".d"), -1},
	{STR(".wants"), DEP_WANTS},
	{STR(".requires"), DEP_REQUIRES},
	{STR(".upholds"), DEP_UPHOLDS},
};

static int read_side_dir(struct reading *r, struct load_entry *e, int dep)
{
	struct load_part part = {
		.dir = r->rank, .is_dropin = dep < 0, .type = (uint8_t)(dep < 0 ? 0 : dep)};
	const struct dirent *d;
	int err = 0;

	while ((d = next_name(r, &err))) {
		bool is_wanted = dep < 0 ? str_has_suffix(str_of(d->d_name), STR(".conf"))
					 : name_is_valid(d->d_name, NAME_ANY);

		if (!is_wanted || d->d_name[0] == '.' || kind_of(r, d) == DT_DIR)
			continue;
		part.name = d->d_name;
		r->text[0] = '\0';
		if (kind_of(r, d) == DT_LNK)
			err = read_link(r, d->d_name);
		part.is_masked = strcmp(r->text, "/dev/null") == 0;
		if (err == 0)
			err = index_add_part(r->l, e, part);
	}
	return err;
}

static int add_side_dir(struct reading *r, const char *name, const struct side_dir *side)
{
	struct reading below = {.l = r->l, .rank = r->rank, .text = r->text};
	struct str owner = str_sub(str_of(name), 0, strlen(name) - side->suffix.n);
	struct load_entry *e;
	int err = open_dir(&below, r->fd, name);

	if (!below.dir)
		return err;
	e = index_get(r->l, owner);
	err = e ? read_side_dir(&below, e, side->dep) : -ENOMEM;
	closedir(below.dir);
	return err;
}

static int add_name(struct reading *r, const char *name, unsigned char kind)
{
	for (unsigned k = 0; k < ARRAY_SIZE(side_dirs) && kind != DT_REG; k++)
		if (str_has_suffix(str_of(name), side_dirs[k].suffix))
			return add_side_dir(r, name, &side_dirs[k]);
	return add_file(r, name, kind);
}

static int read_dir(struct reading *r)
{
	const struct dirent *d;
	int err = 0;

	while ((d = next_name(r, &err)))
		if (d->d_name[0] != '.')
			err = add_name(r, d->d_name, kind_of(r, d));
	return err;
}

/* Directory k of the search path, opened. 0, also when there is none, or -errno. path: PATH_MAX bytes that stay. */
static int open_search_dir(struct reading *r, struct load *l, unsigned k, char *path)
{
	*r = (struct reading){.l = l, .rank = (uint16_t)k, .text = path, .fd = -1};
	if ((size_t)snprintf(path, PATH_MAX, "%s%s", l->root, l->dirs[k]) >= PATH_MAX)
		return 0;
	return open_dir(r, AT_FDCWD, path);
}

int load_read(struct load *l)
{
	char path[PATH_MAX];
	struct reading reading;
	int r = 0;

	l->present_arena.least = PRESENT_CHUNK;
	for (unsigned k = 0; r == 0 && k < l->dirs_n; k++) {
		r = open_search_dir(&reading, l, k, path);
		if (!reading.dir)
			continue;
		reading.is_enabling = !l->links_only && index_is_presence(l->dirs[k]);
		r = read_dir(&reading);
		closedir(reading.dir);
	}
	return r;
}

int load_read_sides(struct load *l, const char *owner)
{
	char path[PATH_MAX], name[NAME_MAX + 1];
	struct reading reading;
	int r = 0;

	for (unsigned k = 0; r == 0 && k < l->dirs_n; k++) {
		r = open_search_dir(&reading, l, k, path);
		for (unsigned i = 0; r == 0 && reading.dir && i < ARRAY_SIZE(side_dirs); i++) {
			snprintf(name, sizeof(name), "%s" STR_FMT, owner,
				 STR_ARG(side_dirs[i].suffix));
			r = add_side_dir(&reading, name, &side_dirs[i]);
		}
		if (reading.dir)
			closedir(reading.dir);
	}
	return r;
}
