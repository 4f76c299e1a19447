/* SPDX-License-Identifier: MIT */
#include "activate/unit_tree.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"

enum { TEXT_MOST = 1024 * 1024 };

/* Not the name of a unit: a scan of the directory passes it over. */
#define UNFINISHED "unfinished"
/* A folder, and what lies in it. */
enum { PATH = 2 * (NAME_MAX + 1) };

static struct tree_entry *find(const struct unit_tree *t, const char *path)
{
	struct tree_entry *e = t->first;

	while (e && strcmp(e->path, path) != 0)
		e = e->next;
	return e;
}

static struct tree_entry *add(struct unit_tree *t, const char *path)
{
	struct tree_entry *e = arena_get(&t->arena, sizeof(*e));

	if (e)
		e->path = arena_dup(&t->arena, path, strlen(path));
	t->is_short |= !e || !e->path;
	if (t->is_short)
		return NULL;
	e->next = t->first;
	t->first = e;
	return e;
}

struct sbuf *unit_tree_file(struct unit_tree *t, const char *path)
{
	struct tree_entry *e = find(t, path) ? NULL : add(t, path);

	return e ? &e->text : NULL;
}

void unit_tree_point(struct unit_tree *t, const char *path, const char *target)
{
	struct tree_entry *e = find(t, path) ? NULL : add(t, path);

	if (!e)
		return;
	e->target = arena_dup(&t->arena, target, strlen(target));
	t->is_short |= !e->target;
}

void unit_tree_link(struct unit_tree *t, const char *owner, const char *kind, const char *name,
		    const char *target)
{
	char path[PATH], beside[PATH];

	snprintf(path, sizeof(path), "%s.%s/%s", owner, kind, name);
	snprintf(beside, sizeof(beside), "../%s", name);
	unit_tree_point(t, path, target ? target : beside);
}

/* --- reading --- */

static int read_file(struct unit_tree *t, int dir, const char *path)
{
	AUTO_MEM char *text = NULL;
	struct sbuf *to;
	size_t n = 0;
	int r = fd_read_file(dir, path, TEXT_MOST, &text, &n);

	to = r < 0 ? NULL : unit_tree_file(t, path);
	if (to)
		sbuf_add(to, (struct str){text, n});
	return r;
}

/* The files and links of a folder, "" or "name/". */
static int read_level(struct unit_tree *t, int dir, const char *folder)
{
	DIR *d = fd_opendir(dir, *folder ? folder : ".");
	char path[PATH], target[PATH_MAX];
	const struct dirent *e;
	struct stat st;
	int r = d ? 0 : -errno;

	while (r == 0 && (e = readdir(d))) {
		ssize_t n;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s%s", folder, e->d_name);
		if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		n = S_ISLNK(st.st_mode) ? readlinkat(dir, path, target, sizeof(target) - 1) : -1;
		if (n >= 0) {
			target[n] = '\0';
			unit_tree_point(t, path, target);
		} else if (S_ISREG(st.st_mode)) {
			r = read_file(t, dir, path);
		}
	}
	if (d)
		closedir(d);
	return r;
}

int unit_tree_read(struct unit_tree *t, const char *path)
{
	AUTO_FD int dir = fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	int r = dir < 0 ? dir : read_level(t, dir, "");
	DIR *d = r == 0 ? fd_opendir(dir, ".") : NULL;
	char folder[NAME_MAX + 2];
	const struct dirent *e;
	struct stat st;

	while (r == 0 && d && (e = readdir(d))) {
		snprintf(folder, sizeof(folder), "%s/", e->d_name);
		if (e->d_name[0] != '.' && fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			r = read_level(t, dir, folder);
	}
	if (d)
		closedir(d);
	return r;
}

/* --- the directory --- */

static bool is_there(int dir, const struct tree_entry *e)
{
	AUTO_MEM char *text = NULL;
	char target[PATH_MAX];
	size_t n = 0;
	ssize_t r;

	if (!e->target)
		return fd_read_file(dir, e->path, TEXT_MOST, &text, &n) == 0 &&
		       str_eq((struct str){text, n}, (struct str){e->text.p, e->text.n});
	r = readlinkat(dir, e->path, target, sizeof(target));
	return r >= 0 && str_eq_z((struct str){target, (size_t)r}, e->target);
}

/* Whole or not at all: who loads units now finds the old one or the new one. */
static int put(int dir, const struct tree_entry *e)
{
	AUTO_FD int fd = -1;
	int r = 0;

	(void)unlinkat(dir, UNFINISHED, 0);
	if (e->target)
		r = symlinkat(e->target, dir, UNFINISHED) < 0 ? err_here(-errno) : 0;
	else
		fd = r = fd_open(dir, UNFINISHED, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (r >= 0 && fd >= 0)
		r = fd_write_all(fd, e->text.p, e->text.n);
	if (r >= 0 && renameat(dir, UNFINISHED, dir, e->path) < 0)
		r = err_here(-errno);
	return r < 0 ? r : 0;
}

static int put_entry(int dir, const struct tree_entry *e)
{
	char folder[NAME_MAX + 1];
	size_t n = strcspn(e->path, "/");

	if (is_there(dir, e))
		return 0;
	if (n > NAME_MAX)
		return err_here(-ENAMETOOLONG);
	memcpy(folder, e->path, n);
	folder[n] = '\0';
	if (e->path[n] && mkdirat(dir, folder, 0755) < 0 && errno != EEXIST)
		return err_here(-errno);
	return put(dir, e);
}

/* Remove what the tree has not, one level below `folder` (NULL: the directory itself). */
static void clean(const struct unit_tree *t, int dir, const char *folder)
{
	DIR *d = fd_opendir(dir, folder ? folder : ".");
	struct dirent *e;
	char path[PATH_MAX];
	struct stat st;

	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s%s%s", folder ? folder : "", folder ? "/" : "",
			 e->d_name);
		if (find(t, path) || fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* A folder goes when nothing is left in it. */
		if (!S_ISDIR(st.st_mode) || unlinkat(dir, path, AT_REMOVEDIR) < 0)
			(void)unlinkat(dir, path, 0);
	}
	if (d)
		closedir(d);
}

static void clean_folders(const struct unit_tree *t, int dir)
{
	DIR *d = fd_opendir(dir, ".");
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			clean(t, dir, e->d_name);
	if (d)
		closedir(d);
}

int unit_tree_write(struct unit_tree *t, const char *dir)
{
	AUTO_FD int fd = -1;
	int r = t->is_short ? -ENOMEM : fd_mkdir_parents(dir, true, 0755);

	for (struct tree_entry *e = t->first; e && r == 0; e = e->next)
		r = e->text.err;
	if (r < 0)
		return r;
	fd = fd_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
	for (struct tree_entry *e = t->first; e && r == 0 && fd >= 0; e = e->next)
		r = put_entry(fd, e);
	if (fd < 0 || r < 0)
		return fd < 0 ? fd : r;
	clean_folders(t, fd);
	clean(t, fd, NULL);
	return 0;
}

void unit_tree_fini(struct unit_tree *t)
{
	for (struct tree_entry *e = t->first; e; e = e->next)
		sbuf_fini(&e->text);
	arena_fini(&t->arena);
	*t = (struct unit_tree){0};
}
