/* SPDX-License-Identifier: MIT */
#include "units/load_read.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/reach.h"
#include "units/name.h"

enum {
	PRESENT_CHUNK = 256 * 1024
}; /* bytes: so much goes back to the kernel when it is given back */

/* An open directory of the search path, or a *.d, *.wants ... below it. */
struct reading {
	struct load *l;
	DIR *dir; /* NULL: the listing is known */
	struct str listing;
	int fd;      /* -1: not there */
	bool is_lax; /* everybody may write it */
	uint16_t rank;
	bool is_enabling; /* presence is enablement */
	char *text;       /* PATH_MAX bytes for paths and texts of links */
};

/* An entry of it. */
struct found {
	const char *name;
	const char *link;   /* the text of a link, when it is known; else NULL */
	unsigned char kind; /* DT_* */
};

/* What is there and cannot be read is no reason to forget the units in it: 0 or -errno. err: of the system call. */
static int trouble(const struct reading *r, int err)
{
	bool is_absent = err == 0 || err == ENOENT || err == ENOTDIR || err == ELOOP ||
			 err == EACCES;

	return is_absent || r->l->skips_unreadable ? 0 : err_here(-err);
}

/* Is its listing known? And who may write it? */
static bool is_listed(struct reading *r, const char *path)
{
	struct stat st;

	if (fstat(r->fd, &st) < 0)
		return false;
	r->is_lax = st.st_mode & S_IWOTH;
	return r->l->cache.bytes && unit_cache_find(&r->l->cache, str_of(path), &st, &r->listing);
}

/* path: absolute; name: where it is below `at`. 0, also when there is none, or -errno. */
static int open_dir(struct reading *r, int at, const char *name, const char *path)
{
	int fd = reach(at, name);

	fd = fd < 0 ? fd : fd_open(at, name, O_RDONLY | O_DIRECTORY, 0);
	r->fd = fd < 0 ? -1 : fd;
	if (fd < 0)
		return trouble(r, -fd);
	if (is_listed(r, path))
		return 0;
	r->dir = fdopendir(fd);
	if (r->dir)
		return 0;
	fd_close(fd);
	r->fd = -1;
	return trouble(r, errno);
}

static void close_dir(struct reading *r)
{
	if (r->dir)
		closedir(r->dir);
	else
		fd_close(r->fd);
}

/* DT_REG, DT_LNK ...; some file systems do not tell. */
static unsigned char kind_of(const struct reading *r, const char *name, unsigned char kind)
{
	struct stat st;

	if (kind != DT_UNKNOWN)
		return kind;
	if (fstatat(r->fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return DT_UNKNOWN;
	return S_ISLNK(st.st_mode) ? DT_LNK : S_ISDIR(st.st_mode) ? DT_DIR : DT_REG;
}

static bool read_name(struct reading *r, struct found *f)
{
	const struct dirent *d;

	if (!r->dir)
		return unit_cache_entry(&r->listing, &f->kind, &f->name, &f->link);
	d = readdir(r->dir);
	if (d)
		*f = (struct found){.name = d->d_name, .kind = d->d_type};
	return d != NULL;
}

/* The next name without a dot in front, false behind the last one or when *err was set. */
static bool next_name(struct reading *r, struct found *f, int *err)
{
	do {
		errno = 0;
		if (*err < 0)
			return false;
		if (!read_name(r, f)) {
			*err = trouble(r, errno);
			return false;
		}
	} while (f->name[0] == '.');
	f->kind = kind_of(r, f->name, f->kind);
	return true;
}

/* f->link becomes the text of a link; "" when there is none. 0 or -errno. */
static int read_link(const struct reading *r, struct found *f)
{
	ssize_t n;

	if (f->link)
		return 0;
	n = readlinkat(r->fd, f->name, r->text, PATH_MAX - 1);
	r->text[n > 0 ? n : 0] = '\0';
	f->link = r->text;
	return n < 0 ? trouble(r, errno) : 0;
}

/* However it is written: an image that is filled from outside has relative links. */
static bool is_mask(const char *target)
{
	return str_has_suffix(str_of(target), STR("/dev/null"));
}

/* The unit that a link to that file name seems to stand for; out: room for one. NULL: the link is a file of its own, or an instance. */
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
	return e->is_of_template ? NULL : base;
}

static int add_symlink(struct reading *r, struct load_entry *e, struct found *f)
{
	char filled[UNIT_NAME_MAX + 1];
	const char *base, *target;
	struct load_tie *tie;
	int err = read_link(r, f);

	if (err < 0)
		return err;
	target = f->link;
	if (is_mask(target)) {
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
	if (kind != DT_REG)
		return 0;
	if (l->cache.bytes) {
		snprintf(r->text, PATH_MAX, "%s/%s", l->dirs[r->rank], e->name);
		if (text_find(&l->cache, r->fd, e->name, r->text, &p->text))
			return 0;
	}
	err = text_read(r->fd, e->name, room, &l->present_arena, &p->text);
	return err == -ENOMEM ? err : 0;
}

static int add_file(struct reading *r, struct found *f)
{
	struct load_entry *e;
	int err = 0;

	if (f->kind == DT_DIR || !name_is_valid(f->name, NAME_ANY))
		return 0;
	e = index_get(r->l, str_of(f->name));
	if (!e)
		return -ENOMEM;
	if (e->has_file)
		return 0;
	e->has_file = true;
	e->dir = r->rank;
	if (f->kind == DT_LNK)
		err = add_symlink(r, e, f);
	if (err < 0)
		return err;
	return r->is_enabling && !e->is_masked && !e->tie->alias_of ? add_present(r, e, f->kind)
								    : 0;
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

/* A link to nothing; among the wanted units also an empty file. */
static bool is_masked_part(const struct reading *r, const struct found *f, int dep)
{
	struct stat st;

	if (f->kind == DT_LNK)
		return is_mask(f->link);
	return dep >= 0 && fstatat(r->fd, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size == 0;
}

static int read_side_dir(struct reading *r, struct load_entry *e, int dep)
{
	struct load_part part = {
		.dir = r->rank, .is_dropin = dep < 0, .type = (uint8_t)(dep < 0 ? 0 : dep)};
	struct found f;
	int err = 0;

	part.is_lax = r->is_lax || index_is_lax(r->l, r->rank);
	while (next_name(r, &f, &err)) {
		bool is_wanted = dep < 0 ? str_has_suffix(str_of(f.name), STR(".conf"))
					 : name_is_valid(f.name, NAME_ANY);

		if (!is_wanted || f.kind == DT_DIR)
			continue;
		part.name = f.name;
		err = f.kind == DT_LNK ? read_link(r, &f) : 0;
		part.is_masked = err == 0 && is_masked_part(r, &f, dep);
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
	int err;

	if ((size_t)snprintf(r->text, PATH_MAX, "%s/%s", r->l->dirs[r->rank], name) >= PATH_MAX)
		return 0;
	err = open_dir(&below, r->fd, name, r->text);
	if (below.fd < 0)
		return err;
	e = index_get(r->l, owner);
	err = e ? read_side_dir(&below, e, side->dep) : -ENOMEM;
	close_dir(&below);
	return err;
}

static int add_name(struct reading *r, struct found *f)
{
	for (unsigned k = 0; k < ARRAY_SIZE(side_dirs) && f->kind != DT_REG; k++)
		if (str_has_suffix(str_of(f->name), side_dirs[k].suffix))
			return add_side_dir(r, f->name, &side_dirs[k]);
	return add_file(r, f);
}

static int read_dir(struct reading *r)
{
	struct found f;
	int err = 0;

	while (next_name(r, &f, &err))
		err = add_name(r, &f);
	return err;
}

/* Directory k of the search path, opened. 0, also when there is none, or -errno. path: PATH_MAX bytes that stay. */
static int open_search_dir(struct reading *r, struct load *l, unsigned k, char *path)
{
	int err;

	*r = (struct reading){.l = l, .rank = (uint16_t)k, .text = path, .fd = -1};
	if ((size_t)snprintf(path, PATH_MAX, "%s%s", l->root, l->dirs[k]) >= PATH_MAX)
		return 0;
	err = open_dir(r, AT_FDCWD, path, path);

	if (r->is_lax && k < 64)
		l->lax_dirs |= UINT64_C(1) << k;
	return err;
}

/* The files in it are soon read: they are opened from there. Without descriptors they are by their whole path. */
static void keep_open(struct load *l, unsigned k, int fd)
{
	if (!l->dir_fds) {
		l->dir_fds = mem_get(l->dirs_n * sizeof(*l->dir_fds));
		for (unsigned i = 0; l->dir_fds && i < l->dirs_n; i++)
			l->dir_fds[i] = -1;
	}
	if (!l->dir_fds)
		return;
	fd_close(l->dir_fds[k]);
	l->dir_fds[k] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

int load_read(struct load *l)
{
	char path[PATH_MAX];
	struct reading reading;
	int r = 0;

	l->present_arena.least = PRESENT_CHUNK;
	l->lax_dirs = 0;
	for (unsigned k = 0; r == 0 && k < l->dirs_n; k++) {
		r = open_search_dir(&reading, l, k, path);
		if (reading.fd < 0)
			continue;
		reading.is_enabling = !l->links_only && index_is_presence(l->dirs[k]);
		r = read_dir(&reading);
		if (l->keeps_texts)
			keep_open(l, k, reading.fd);
		close_dir(&reading);
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
		for (unsigned i = 0; r == 0 && reading.fd >= 0 && i < ARRAY_SIZE(side_dirs); i++) {
			snprintf(name, sizeof(name), "%s" STR_FMT, owner,
				 STR_ARG(side_dirs[i].suffix));
			r = add_side_dir(&reading, name, &side_dirs[i]);
		}
		close_dir(&reading);
	}
	return r;
}
