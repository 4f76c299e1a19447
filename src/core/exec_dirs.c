/* SPDX-License-Identifier: MIT */
#include "core/exec_dirs.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"

enum { WALK_FDS = 32, PATH_ROOM = 1024 };

static int sys(long result)
{
	return result < 0 ? -errno : 0;
}

/* nftw(3) hands nothing on. */
static struct {
	uid_t uid;
	gid_t gid;
} heir;

/* The walk is in the directory of what it is shown: no part of the path can be swapped for a link. */
static int give(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	return fchownat(AT_FDCWD, where->level ? path + where->base : path, heir.uid, heir.gid,
			AT_SYMLINK_NOFOLLOW) < 0;
}

static int own(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	/* By descriptor and never through a link: the parent may belong to somebody who swaps it meanwhile. */
	AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != uid || st.st_gid != gid) {
		heir.uid = uid;
		heir.gid = gid;
		if (nftw(path, give, WALK_FDS, FTW_PHYS | FTW_MOUNT | FTW_CHDIR) != 0)
			return -errno;
	}
	r = sys(fchown(fd, uid, gid));
	return r == 0 ? sys(fchmod(fd, mode)) : r;
}

/* What is left of "../../private/a/b" behind the dots; NULL for other links. */
static const char *private_part(const char *link)
{
	while (strncmp(link, "../", 3) == 0)
		link += 3;
	return strncmp(link, "private/", 8) == 0 ? link : NULL;
}

/* A link into "private" was made for a user of a run; the unit has another one now. */
static int bring_back(const char *path)
{
	char link[PATH_ROOM], inner[2 * PATH_ROOM];
	ssize_t n = readlink(path, link, sizeof(link) - 1);

	if (n < 0)
		return 0;
	link[n] = '\0';
	if (!private_part(link))
		return 0;
	snprintf(inner, sizeof(inner), "%.*s/%s", (int)(strrchr(path, '/') - path), path, link);
	if (unlink(path) < 0 || (rename(inner, path) < 0 && errno != ENOENT))
		return -errno;
	return 0;
}

int exec_dirs_make(const struct plan_record *rec)
{
	mode_t mode = (mode_t)rec->w[0];
	int r = fd_mkdir_parents(rec->text, false, 0755);

	if (r == 0)
		r = bring_back(rec->text);
	if (r < 0)
		return r;
	if (mkdir(rec->text, mode) < 0) {
		if (errno != EEXIST)
			return -errno;
		if (rec->w[3])
			return 0;
	}
	return own(rec->text, mode, (uid_t)rec->w[1], (gid_t)rec->w[2]);
}

/* "a/b" is found from its usual place by "../private/a/b". */
static int put_link(const char *outer, const char *name)
{
	char link[PATH_ROOM] = "";
	size_t n = 0;

	for (const char *p = strchr(name, '/'); p && n < sizeof(link); p = strchr(p + 1, '/'))
		n += (size_t)snprintf(link + n, sizeof(link) - n, "../");
	if (n >= sizeof(link) ||
	    (size_t)snprintf(link + n, sizeof(link) - n, "private/%s", name) >= sizeof(link) - n)
		return -ENAMETOOLONG;
	return symlink(link, outer) == 0 || errno == EEXIST ? 0 : -errno;
}

int exec_dirs_make_private(const struct plan_record *rec)
{
	const char *root = rec->text, *name = root + strlen(root) + 1;
	char all[PATH_ROOM], inner[PATH_ROOM], outer[PATH_ROOM];
	mode_t mode = (mode_t)rec->w[0];
	struct stat st;
	int r;

	if (name >= root + rec->text_n)
		return -EBADMSG;
	if (snprintf(all, sizeof(all), "%s/private", root) >= PATH_ROOM ||
	    snprintf(inner, sizeof(inner), "%s/private/%s", root, name) >= PATH_ROOM ||
	    snprintf(outer, sizeof(outer), "%s/%s", root, name) >= PATH_ROOM)
		return -ENAMETOOLONG;
	r = fd_mkdir_parents(all, true, 0700);
	if (r == 0)
		r = own(all, 0700, 0, 0);
	if (r == 0)
		r = fd_mkdir_parents(inner, false, 0755);
	if (r == 0)
		r = fd_mkdir_parents(outer, false, 0755);
	if (r < 0)
		return r;
	/* From the time when the unit had a lasting user; where both are there somebody has to choose. */
	if (lstat(outer, &st) == 0 && S_ISDIR(st.st_mode) && rename(outer, inner) < 0)
		return -errno;
	if (mkdir(inner, mode) < 0 && errno != EEXIST)
		return -errno;
	r = own(inner, mode, (uid_t)rec->w[1], (gid_t)rec->w[2]);
	return r == 0 ? put_link(outer, name) : r;
}
