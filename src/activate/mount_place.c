/* SPDX-License-Identifier: MIT */
#include "activate/mount_place.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/fd.h"
#include "units/mount.h"

static void make(const char *where, bool is_file, mode_t mode)
{
	int r = fd_mkdir_parents(where, !is_file, mode);
	struct stat st;

	if (r == 0 && is_file) {
		AUTO_FD int fd = fd_open(AT_FDCWD, where, O_WRONLY | O_CREAT | O_EXCL, 0);

		r = fd < 0 && fd != -EEXIST ? fd : 0;
	}
	/* A file may be mounted on a file. */
	if (r < 0 && stat(where, &st) < 0)
		fprintf(stderr, "hark-mount: cannot make the mount point %s: %s\n", where,
			strerror(-r));
}

/* As the names of units have it: slashes at the end, and two for one, make no other place. */
static bool is_same_place(const char *a, const char *b)
{
	char name[UNIT_NAME_MAX + 1], other[UNIT_NAME_MAX + 1];

	return mount_unit_name(str_of(a), name) && mount_unit_name(str_of(b), other) &&
	       strcmp(name, other) == 0;
}

static bool is_empty(const char *where)
{
	DIR *d = fd_opendir(AT_FDCWD, where);
	unsigned n = 0;

	while (d && n <= 2 && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n <= 2;
}

bool mount_place_may_move(const char *where)
{
	struct stat dir, st;
	char path[PATH_MAX];

	if (strlen(where) >= sizeof(path) || stat("/", &dir) < 0)
		return true;
	for (size_t n = 1; where[n]; dir = st) {
		n += strcspn(where + n, "/");
		memcpy(path, where, n);
		path[n] = '\0';
		if (lstat(path, &st) < 0 || dir.st_uid != 0)
			return true;
		/* In a sticky directory each has only his own names. */
		if (dir.st_mode & (S_IWGRP | S_IWOTH) &&
		    (!(dir.st_mode & S_ISVTX) || st.st_uid != 0))
			return true;
		n += strspn(where + n, "/");
	}
	return false;
}

int mount_place(const char *where, const char *bound, const char *mode)
{
	char real[PATH_MAX], name[UNIT_NAME_MAX + 1];
	struct stat st;

	make(where, bound && stat(bound, &st) == 0 && !S_ISDIR(st.st_mode),
	     (mode_t)strtoul(mode, NULL, 8));
	if (realpath(where, real) && !is_same_place(where, real)) {
		if (!mount_unit_name(str_of(real), name))
			name[0] = '\0';
		fprintf(stderr,
			"hark-mount: cannot mount on %s: the path goes through a symbolic link; the unit of %s is %s\n",
			where, real, name);
		return -ELOOP;
	}
	if (!is_empty(where))
		fprintf(stderr, "hark-mount: %s is not empty: what is in it will be hidden\n",
			where);
	return 0;
}
