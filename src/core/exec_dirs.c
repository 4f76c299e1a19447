/* SPDX-License-Identifier: MIT */
#include "core/exec_dirs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/tree.h"

enum { PATH_ROOM = 1024 };

static int sys(long result)
{
	return result < 0 ? -errno : 0;
}

/* fd is a directory; who had it loses all in it. */
static int own(int fd, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;
	int r = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != uid || st.st_gid != gid)
		r = tree_give(fd, uid, gid);
	if (r == 0)
		r = sys(fchown(fd, uid, gid));
	return r == 0 ? sys(fchmod(fd, mode)) : r;
}

/* The text of a link at "a/b" to "c/d", both below the same directory, where c/ is `between`: "../c/d". */
static int write_link(const char *link, const char *between, const char *name, char *out,
		      size_t cap)
{
	size_t n = 0;
	int r;

	out[0] = '\0';
	for (const char *p = strchr(link, '/'); p && n < cap; p = strchr(p + 1, '/'))
		n += (size_t)snprintf(out + n, cap - n, "../");
	if (n >= cap)
		return -ENAMETOOLONG;
	r = snprintf(out + n, cap - n, "%s%s", between, name);
	return r < 0 || (size_t)r >= cap - n ? -ENAMETOOLONG : 0;
}

/*
 * A link into "private" was made for a user of a run; the unit has another one now. Only the very link that we make counts: in a directory of
 * the user's anything may lie.
 */
static int bring_back(int parent, const char *base, const char *name)
{
	char link[PATH_ROOM], wanted[PATH_ROOM];
	ssize_t n = readlinkat(parent, base, link, sizeof(link) - 1);
	int r;

	if (n < 0)
		return 0;
	link[n] = '\0';
	r = write_link(name, "private/", name, wanted, sizeof(wanted));
	if (r < 0 || strcmp(link, wanted) != 0)
		return r;
	if (unlinkat(parent, base, 0) < 0 ||
	    (renameat(parent, link, parent, base) < 0 && errno != ENOENT))
		return -errno;
	return 0;
}

/* "ROOT NUL NAME": the name, or NULL. */
static const char *name_in(const struct plan_record *rec)
{
	const char *name = rec->text + strlen(rec->text) + 1;

	return name < rec->text + rec->text_n ? name : NULL;
}

static int write_path(char *out, size_t cap, const char *root, const char *between,
		      const char *name)
{
	int n = snprintf(out, cap, "%s%s%s", root, between, name);

	return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG : 0;
}

int exec_dirs_make(const struct plan_record *rec)
{
	const char *name = name_in(rec), *base = NULL;
	mode_t mode = (mode_t)rec->w[0];
	AUTO_FD int parent = -1, fd = -1;
	char path[PATH_ROOM];
	int r = name ? write_path(path, sizeof(path), rec->text, "/", name) : -EBADMSG;

	if (r < 0)
		return r;
	parent = tree_open_parent(path, 0755, &base);
	if (parent < 0)
		return parent;
	r = bring_back(parent, base, name);
	if (r < 0)
		return r;
	if (mkdirat(parent, base, mode) < 0) {
		if (errno != EEXIST)
			return -errno;
		if (rec->w[3])
			return 0;
	}
	/* By descriptor: the parent may belong to somebody who swaps it meanwhile. */
	fd = tree_open(path, 0);
	return fd < 0 ? fd : own(fd, mode, (uid_t)rec->w[1], (gid_t)rec->w[2]);
}

/* Where only root gets in. */
static int make_door(const char *root)
{
	AUTO_FD int parent = tree_open(root, 0755), fd = -1;

	if (parent < 0)
		return parent;
	if (mkdirat(parent, "private", 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = fd_open(parent, "private", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd;
	return fchown(fd, 0, 0) < 0 ? -errno : sys(fchmod(fd, 0700));
}

/* From the time when the unit had a lasting user; where both are there somebody has to choose. */
static int move_in(int outer, int inner, const char *base)
{
	struct stat st;

	if (fstatat(outer, base, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	return sys(renameat(outer, base, inner, base));
}

/* ROOT/BETWEENNAME's parent; *ret_base is in `path`, of PATH_ROOM bytes. */
static int open_parent(const char *root, const char *between, const char *name, char *path,
		       const char **ret_base)
{
	int r = write_path(path, PATH_ROOM, root, between, name);

	return r < 0 ? r : tree_open_parent(path, 0755, ret_base);
}

int exec_dirs_make_private(const struct plan_record *rec)
{
	const char *root = rec->text, *name = name_in(rec), *base = NULL;
	char path[PATH_ROOM], link[PATH_ROOM];
	AUTO_FD int inner = -1, outer = -1, fd = -1;
	mode_t mode = (mode_t)rec->w[0];
	int r = name ? write_link(name, "private/", name, link, sizeof(link)) : -EBADMSG;

	if (r == 0)
		r = make_door(root);
	if (r == 0)
		r = inner = open_parent(root, "/private/", name, path, &base);
	if (r >= 0)
		r = outer = open_parent(root, "/", name, path, &base);
	if (r >= 0)
		r = move_in(outer, inner, base);
	if (r < 0)
		return r;
	if (mkdirat(inner, base, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = fd_open(inner, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	r = fd < 0 ? fd : own(fd, mode, (uid_t)rec->w[1], (gid_t)rec->w[2]);
	return r == 0 && symlinkat(link, outer, base) < 0 && errno != EEXIST ? -errno : r;
}

/* Does a link with that text lie there? */
static bool is_link(int parent, const char *base, const char *text)
{
	char link[PATH_ROOM];
	ssize_t n = readlinkat(parent, base, link, sizeof(link));

	return n >= 0 && str_eq_z((struct str){link, (size_t)n}, text);
}

int exec_dirs_link(const struct plan_record *rec)
{
	const char *root = rec->text, *link = name_in(rec), *base = NULL;
	const char *name = link ? link + strlen(link) + 1 : NULL;
	char path[PATH_ROOM], text[PATH_ROOM];
	AUTO_FD int parent = -1;
	int r = name && name < root + rec->text_n ? write_link(link, "", name, text, sizeof(text))
						  : -EBADMSG;

	if (r == 0)
		r = parent = open_parent(root, "/", link, path, &base);
	if (r < 0)
		return r;
	if (symlinkat(text, parent, base) == 0 || (errno == EEXIST && is_link(parent, base, text)))
		return 0;
	return -errno;
}
