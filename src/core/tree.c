/* SPDX-License-Identifier: MIT */
#include "core/tree.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/fd.h"

enum { LINKS_MOST = 40, DEPTH = 128 };

/* --- the way to a directory --- */

/* Could nobody but root have put that link where it is? */
static bool is_trusted_link(int dir, const struct stat *link)
{
	struct stat st;

	return geteuid() != 0 || (link->st_uid == 0 && fstat(dir, &st) == 0 && st.st_uid == 0);
}

/* What is in that directory under the name, itself when it is a link, and what it is (zeroed: nothing). */
static int look_at(int dir, const char *name, mode_t make, struct stat *ret)
{
	AUTO_FD int fd = fd_open(dir, name, O_PATH | O_NOFOLLOW, 0);

	*ret = (struct stat){0};
	if (fd == -ENOENT && make) {
		if (mkdirat(dir, name, make) < 0 && errno != EEXIST)
			return -errno;
		fd = fd_open(dir, name, O_PATH | O_NOFOLLOW, 0);
	}
	if (fd >= 0 && fstat(fd, ret) < 0)
		return -errno;
	return fd < 0 ? fd : take_fd(fd);
}

/* The text of the link in front of what is left of the way (cap bytes, of which `rest` is the end in use). 0 or -errno. */
static int put_in_front(int link, char *left, size_t cap, const char *rest)
{
	size_t rest_n = strlen(rest) + 1;
	char *end = left + cap - rest_n;
	ssize_t n;

	memmove(end, rest, rest_n);
	n = readlinkat(link, "", left, cap - rest_n);
	if (n < 0)
		return -errno;
	if ((size_t)n == cap - rest_n)
		return -ENAMETOOLONG;
	left[n] = '/';
	memmove(left + n + 1, end, rest_n);
	return 0;
}

/* Cuts the next name off. NULL: there is none left; *rest is what is behind it. */
static const char *next_name(char *left, char **rest)
{
	char *name = left + strspn(left, "/");
	size_t n = strcspn(name, "/");

	*rest = name + n + (name[n] == '/');
	name[n] = '\0';
	return n ? name : NULL;
}

/* A link there may lead where no path does. proc_pid_fd(5) */
static bool is_proc(int dir)
{
	struct statfs fs;

	return fstatfs(dir, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* What is left of a way; its names are cut off in place. */
struct way {
	char left[PATH_MAX], *rest;
	unsigned links;
	bool may_be_theirs; /* links of others are followed, too */
	bool is_theirs;     /* one was, of this owner: only what is his may be at the end */
	uid_t owner;
};

/* May it be followed? A link of root's with one name only is where root has put it. */
static bool accept_link(struct way *w, int dir, const struct stat *link)
{
	if (is_trusted_link(dir, link) ||
	    (w->may_be_theirs && link->st_uid == 0 && link->st_nlink == 1))
		return true;
	if (!w->may_be_theirs || (w->is_theirs && w->owner != link->st_uid))
		return false;
	w->is_theirs = true;
	w->owner = link->st_uid;
	return true;
}

/* The text of a link in *at comes before what is left; *at is where that goes on from. 0 or -errno. */
static int take_link(struct way *w, int *at, int link, const struct stat *st)
{
	int r;

	if (w->links++ == LINKS_MOST || !accept_link(w, *at, st))
		return -ELOOP;
	r = put_in_front(link, w->left, sizeof(w->left), w->rest);
	w->rest = w->left;
	if (r < 0 || w->left[0] != '/')
		return r;
	fd_close(*at);
	*at = fd_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	return *at < 0 ? *at : 0;
}

/* *next is used up. */
static int enter(int *at, int *next)
{
	fd_close(*at);
	*at = take_fd(*next);
	return 0;
}

/* A step to what was found. 0 or -errno. */
static int step_on(struct way *w, int *at, int *next, const struct stat *st)
{
	if (*next < 0)
		return *next;
	if (S_ISLNK(st->st_mode))
		return take_link(w, at, *next, st);
	return S_ISDIR(st->st_mode) ? enter(at, next) : -ENOTDIR;
}

/* May the way end before that name, which stands for no link then, but for one of /proc? */
static bool ends_at(const struct stat *st, int found, int dir)
{
	return found >= 0 ? !S_ISLNK(st->st_mode) || is_proc(dir) : found == -ENOENT;
}

/*
 * Goes the way as far as it leads over directories. last: NULL, or NAME_MAX + 1 bytes for a last name, which is not entered. A descriptor,
 * only to go on from, or -errno.
 */
static int follow(struct way *w, struct str path, mode_t make, char *last)
{
	AUTO_FD int at = fd_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	const char *name;
	int r = at < 0 ? at : 0;

	if (path.n >= sizeof(w->left))
		return -ENAMETOOLONG;
	w->rest = memcpy(w->left, path.p, path.n);
	w->left[path.n] = '\0';
	while (r == 0 && (name = next_name(w->rest, &w->rest))) {
		bool is_last = last && !w->rest[strspn(w->rest, "/")];
		struct stat st;
		AUTO_FD int next = look_at(at, name, is_last ? 0 : make, &st);

		if (is_last && ends_at(&st, next, at)) {
			memcpy(last, name,
			       strlen(name) + 1); /* longer ones the kernel has refused */
			return take_fd(at);
		}
		r = step_on(w, &at, &next, &st);
	}
	return r < 0 ? r : last ? -EISDIR : take_fd(at);
}

static int open_way(struct str path, mode_t make)
{
	struct way w = {0};
	AUTO_FD int at = follow(&w, path, make, NULL);

	return at < 0 ? at : fd_open(at, ".", O_RDONLY | O_DIRECTORY, 0);
}

int tree_open(const char *path, mode_t make)
{
	return open_way(str_of(path), make);
}

/* The last name, in path; NULL: it has none. *ret_parent: the way to the directory it lies in. */
static const char *cut_name(const char *path, struct str *ret_parent)
{
	const char *name = strrchr(path, '/');

	if (!name || !name[1])
		return NULL;
	*ret_parent = (struct str){path, (size_t)(name - path)};
	return name + 1;
}

int tree_open_parent(const char *path, mode_t make, const char **ret_name)
{
	struct str parent;
	const char *name = cut_name(path, &parent);

	if (!name)
		return -EINVAL;
	*ret_name = name;
	return open_way(parent, make);
}

int tree_unlink(const char *path)
{
	struct way w = {.may_be_theirs = true};
	struct str parent;
	const char *name = cut_name(path, &parent);
	AUTO_FD int at = name ? follow(&w, parent, 0, NULL) : -EINVAL;
	struct stat dir;

	if (at < 0 || fstat(at, &dir) < 0)
		return at < 0 ? at : -errno;
	if (w.is_theirs && dir.st_uid != w.owner)
		return -ELOOP;
	return unlinkat(at, name, 0) < 0 ? -errno : 0;
}

/* Could somebody have given this name to a file that is not his? */
static bool is_other_name(const struct stat *dir, const struct stat *st)
{
	return st->st_nlink > 1 && !S_ISDIR(st->st_mode) && geteuid() == 0 &&
	       ((dir->st_uid != 0 && dir->st_uid != st->st_uid) || dir->st_mode & S_IWOTH);
}

/* What has been opened at the end of a way: is it the owner's of the links on it, and is this its name? 0 or -errno. */
static int check_end(const struct way *w, const struct stat *dir, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (w->is_theirs && dir->st_uid != w->owner && st.st_uid != w->owner)
		return -ELOOP;
	return is_other_name(dir, &st) ? -EMLINK : 0;
}

int tree_open_file(const char *path, int flags, mode_t mode)
{
	char name[NAME_MAX + 1];
	struct way w = {.may_be_theirs = true};
	AUTO_FD int at = follow(&w, str_of(path), 0, name), fd = -1;
	struct stat dir;
	bool is_kernels;
	int r;

	if (at < 0 || fstat(at, &dir) < 0)
		return at < 0 ? at : -errno;
	/* In /proc descriptors have names, also of files that their holder may not read. */
	is_kernels = is_proc(at);
	if (w.is_theirs && (is_kernels || (flags & O_CREAT && dir.st_uid != w.owner)))
		return -ELOOP;
	fd = fd_open(at, name, (flags & ~O_TRUNC) | (is_kernels ? 0 : O_NOFOLLOW), mode);
	r = fd < 0 ? fd : check_end(&w, &dir, fd);
	if (r == 0 && flags & O_TRUNC && ftruncate(fd, 0) < 0 && errno != EINVAL) /* no file */
		r = -errno;
	return r < 0 ? r : take_fd(fd);
}

const char *tree_strerror(int err)
{
	return err == -ELOOP ? "a link on the way leads to what is not its owner's"
	       : err == -EMLINK
		       ? "the file has other names, and somebody may have given it this one"
		       : strerror(-err);
}

int tree_read_file(const char *path, size_t max, char **ret_text, size_t *ret_n)
{
	AUTO_FD int fd = tree_open_file(path, O_RDONLY | O_NONBLOCK, 0);

	return fd < 0 ? fd : fd_read_all(fd, max, ret_text, ret_n);
}

/* --- all that is in a directory: a stack of open ones, for there is no recursion --- */

struct walk {
	/* What is to be done with one entry: 0 it is done, 1 enter it, -errno. */
	int (*take)(struct walk *w, int dir, const char *name);
	/* ... and with a directory when all in it is done; its name is in `parent`. */
	int (*leave)(struct walk *w, int dir, int parent, const char *name);
	uid_t uid; /* tree_give(): whose it is to be */
	gid_t gid;
	dev_t dev;
	unsigned left; /* entries that may still be looked at */
	int depth;
	DIR *dir[DEPTH];
	uid_t owner[DEPTH];
	const char *name[DEPTH];
	char names[PATH_MAX]; /* what `name` points to, one behind the other */
};

/* fd is used up. */
static int push(struct walk *w, int fd, const char *name)
{
	const char *last = w->depth ? w->name[w->depth - 1] : NULL;
	size_t at = last ? (size_t)(last - w->names) + strlen(last) + 1 : 0, n = strlen(name) + 1;
	struct stat st;
	int r = 0;

	if (w->depth == DEPTH || n > sizeof(w->names) - at)
		r = -ELOOP;
	else if (fstat(fd, &st) < 0)
		r = -errno;
	else if (w->depth && st.st_dev != w->dev)
		r = -EXDEV;
	else if (!(w->dir[w->depth] = fdopendir(fd)))
		r = -ENOMEM;
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	w->dev = st.st_dev;
	w->owner[w->depth] = st.st_uid;
	w->name[w->depth++] = memcpy(w->names + at, name, n);
	return 0;
}

/* One entry of the directory on top; at its end back to the one below. */
static int step(struct walk *w)
{
	DIR *top = w->dir[w->depth - 1];
	struct dirent *d = readdir(top);
	int r = 0, fd;

	if (!d) {
		w->depth--;
		if (w->depth)
			r = w->leave(w, dirfd(top), dirfd(w->dir[w->depth - 1]), w->name[w->depth]);
		closedir(top);
		return r;
	}
	if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
		return 0;
	r = w->take(w, dirfd(top), d->d_name);
	if (r <= 0)
		return r;
	fd = fd_open(dirfd(top), d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0; /* it was changed meanwhile, by who may */
	return fd < 0 ? fd : push(w, fd, d->d_name);
}

/* fd is used up. 0, 1: there is more, -errno. */
static int walk(struct walk *w, int fd)
{
	int r = push(w, fd, "");

	for (; r == 0 && w->depth && w->left > 0; w->left--)
		r = step(w);
	if (r == 0 && w->depth)
		r = 1;
	while (w->depth)
		closedir(w->dir[--w->depth]);
	return r;
}

static int give_one(struct walk *w, int dir, const char *name)
{
	AUTO_FD int fd = fd_open(dir, name, O_PATH | O_NOFOLLOW, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd == -ENOENT ? 0 : fd < 0 ? fd : -errno;
	if (st.st_dev != w->dev)
		return 0;
	if (S_ISDIR(st.st_mode))
		return 1;
	if (st.st_nlink > 1 && st.st_uid != w->owner[w->depth - 1])
		return 0;
	return fchownat(fd, "", w->uid, w->gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int give_directory(struct walk *w, int dir, int parent UNUSED, const char *name UNUSED)
{
	return fchown(dir, w->uid, w->gid) < 0 ? -errno : 0;
}

int tree_give(int fd, uid_t uid, gid_t gid)
{
	struct walk w = {.take = give_one,
			 .leave = give_directory,
			 .uid = uid,
			 .gid = gid,
			 .left = UINT_MAX};
	int own = fd_open(fd, ".", O_RDONLY | O_DIRECTORY, 0);

	return own < 0 ? own : walk(&w, own);
}

static int remove_one(struct walk *w UNUSED, int dir, const char *name)
{
	return unlinkat(dir, name, 0) < 0 && (errno == EISDIR || errno == EPERM);
}

static int remove_directory(struct walk *w UNUSED, int dir UNUSED, int parent, const char *name)
{
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int tree_remove(const char *path)
{
	return tree_remove_some(path, UINT_MAX);
}

int tree_remove_some(const char *path, unsigned most)
{
	struct walk w = {.take = remove_one, .leave = remove_directory, .left = most};
	const char *name = NULL;
	AUTO_FD int parent = tree_open_parent(path, 0, &name);
	int fd, r;

	if (parent < 0)
		return parent;
	fd = fd_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	r = fd < 0 ? fd : walk(&w, fd);
	return r != 0 ? r : remove_directory(&w, -1, parent, name);
}
