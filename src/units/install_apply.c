/* SPDX-License-Identifier: MIT */
#include "units/install_apply.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"

/* One name for all: it is taken away under the lock before it is used. */
#define TEMP_NAME ".hark-new"

/* A search directory being written to. */
struct writing {
	const struct install_tree *tree;
	int fd; /* locked */
};

static bool is_changed(const struct tree_node *n)
{
	if (n->kind != n->old_kind || n->text)
		return true;
	return n->kind == TREE_LINK && strcmp(n->target, n->old_target) != 0;
}

/* The part of a path below its search directory. */
static const char *below(const struct writing *w, const struct tree_node *n)
{
	return n->path + strlen(w->tree->dirs[n->dir].path) + 1;
}

static int sync_fd(int fd)
{
	/* EINVAL: a file system that has nothing to sync */
	return fsync(fd) < 0 && errno != EINVAL && errno != EROFS ? -errno : 0;
}

/* Make the entries of the directory of `name` durable, and its own entry. */
static int sync_parent(const struct writing *w, const char *name)
{
	char dir[NAME_MAX + 1];
	size_t n = str_rindex(str_of(name), '/');
	int r = 0;

	if (name[n] == '/') {
		AUTO_FD int fd = -1;

		snprintf(dir, sizeof(dir), "%.*s", (int)n, name);
		fd = fd_open(w->fd, dir, O_RDONLY | O_DIRECTORY, 0);
		r = fd < 0 ? (fd == -ENOENT ? 0 : fd) : sync_fd(fd);
	}
	return r < 0 ? r : sync_fd(w->fd);
}

/* mkdir of the .wants or .d that `name` lies in. */
static int make_parent(const struct writing *w, const char *name)
{
	char dir[NAME_MAX + 1];
	size_t n = str_rindex(str_of(name), '/');

	if (name[n] != '/')
		return 0;
	snprintf(dir, sizeof(dir), "%.*s", (int)n, name);
	return mkdirat(w->fd, dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_temp_file(const struct writing *w, const char *text)
{
	AUTO_FD int fd = fd_open(w->fd, TEMP_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
	int r = fd < 0 ? fd : fd_write_all(fd, text, strlen(text));

	return r < 0 ? r : sync_fd(fd);
}

static int put(const struct writing *w, const struct tree_node *n)
{
	const char *name = below(w, n);
	int r = make_parent(w, name);

	if (r < 0)
		return r;
	if (n->kind == TREE_LINK)
		r = symlinkat(n->target, w->fd, TEMP_NAME) < 0 ? -errno : 0;
	else
		r = write_temp_file(w, n->text);
	if (r == 0 && renameat(w->fd, TEMP_NAME, w->fd, name) < 0)
		r = -errno;
	return r < 0 ? r : sync_parent(w, name);
}

/* A directory beside a unit goes with its last entry. */
static int take_away(const struct writing *w, const struct tree_node *n)
{
	const char *name = below(w, n);
	char dir[NAME_MAX + 1];
	size_t len = str_rindex(str_of(name), '/');
	int flag = n->old_kind == TREE_DIR ? AT_REMOVEDIR : 0;

	if (unlinkat(w->fd, name, flag) < 0 && errno != ENOENT)
		return -errno;
	if (name[len] != '/')
		return sync_fd(w->fd);
	snprintf(dir, sizeof(dir), "%.*s", (int)len, name);
	if (unlinkat(w->fd, dir, AT_REMOVEDIR) < 0)
		return sync_parent(w, name); /* others are in it */
	return sync_fd(w->fd);
}

static int open_dir(struct writing *w, const struct tree_dir *d)
{
	char path[PATH_MAX];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s%s", w->tree->root, d->path) >= sizeof(path))
		return -ENAMETOOLONG;
	r = fd_mkdir_parents(path, true, 0755);
	if (r < 0)
		return r;
	w->fd = fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (w->fd < 0)
		return w->fd;
	while (flock(w->fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	return unlinkat(w->fd, TEMP_NAME, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static bool has_changes(const struct tree_dir *d)
{
	list_for_each(node, &d->nodes)
		if (is_changed(list_entry(node, struct tree_node, list_node)))
			return true;
	return false;
}

struct applying {
	const struct install_tree *tree;
	void (*told)(void *arg, const struct tree_node *n);
	void *arg;
	const char **ret_path;
};

/* What comes, or what goes; directories go behind their entries. */
enum pass { PASS_PUT, PASS_TAKE, PASS_TAKE_DIR, PASSES };

static enum pass pass_of(const struct tree_node *n)
{
	return n->kind != TREE_NONE      ? PASS_PUT
	       : n->old_kind == TREE_DIR ? PASS_TAKE_DIR
					 : PASS_TAKE;
}

static int apply_dir(const struct applying *a, const struct tree_dir *d, enum pass pass)
{
	struct writing w = {.tree = a->tree, .fd = -1};
	int r;

	if (!has_changes(d))
		return 0;
	*a->ret_path = d->path;
	r = open_dir(&w, d);
	list_for_each(node, &d->nodes) {
		const struct tree_node *n = list_entry(node, struct tree_node, list_node);

		if (r < 0 || !is_changed(n) || pass_of(n) != pass)
			continue;
		*a->ret_path = n->path;
		r = pass == PASS_PUT ? put(&w, n) : take_away(&w, n);
		if (r == 0)
			a->told(a->arg, n);
	}
	fd_close(w.fd);
	return r;
}

int install_apply(const struct install_tree *t, void (*told)(void *arg, const struct tree_node *n),
		  void *arg, const char **ret_path)
{
	const struct applying a = {t, told, arg, ret_path};
	int r = 0;

	for (int pass = 0; pass < PASSES; pass++)
		for (unsigned k = 0; r == 0 && k < t->dirs_n; k++)
			r = apply_dir(&a, &t->dirs[k], (enum pass)pass);
	return r;
}
