/* SPDX-License-Identifier: MIT */
#include "core/reach.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/aside.h"
#include "core/fd.h"
#include "core/mountinfo.h"

enum { TABLE_MOST = 16 * 1024 * 1024, LOOK_US = 100 * 1000 };

/*
 * File systems that a server answers for: type in mountinfo (of fuse all with a dot behind it, too), and f_type of statfs(2).
 * linux/magic.h, and of those that are not in it Lustre's and the kernel's own headers.
 */
enum { LUSTRE = 0x0bd00bd0, GFS2 = 0x01161970, GPFS = 0x47504653, ORANGEFS = 0x20030528 };
static const struct {
	const char *name;
	uint32_t type;
} served[] = {
	{"fuse", FUSE_SUPER_MAGIC},
	{"fuseblk", FUSE_SUPER_MAGIC},
	{"virtiofs", FUSE_SUPER_MAGIC},
	{"nfs", NFS_SUPER_MAGIC},
	{"nfs4", NFS_SUPER_MAGIC},
	{"cifs", CIFS_SUPER_MAGIC},
	{"smb3", SMB2_SUPER_MAGIC},
	{"smbfs", SMB_SUPER_MAGIC},
	{"9p", V9FS_MAGIC},
	{"ceph", CEPH_SUPER_MAGIC},
	{"afs", AFS_FS_MAGIC},
	{"afs", AFS_SUPER_MAGIC},
	{"coda", CODA_SUPER_MAGIC},
	{"ncpfs", NCP_SUPER_MAGIC},
	{"ocfs2", OCFS2_SUPER_MAGIC},
	{"gfs2", GFS2},
	{"lustre", LUSTRE},
	{"gpfs", GPFS},
	{"pvfs2", ORANGEFS},
};

bool reach_is_served(long type)
{
	for (unsigned i = 0; i < ARRAY_SIZE(served); i++)
		if (served[i].type == (uint32_t)type)
			return true;
	return false;
}

static bool is_served_name(struct str name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(served); i++)
		if (str_eq_z(name, served[i].name))
			return true;
	return false;
}

/* --- is there such a file system? --- */

static struct {
	bool has_begun, has_served;
	int table; /* mountinfo, or -errno; it is an event when that changes. proc_pid_mounts(5) */
	uint64_t looked_us;
	struct aside aside;
} way = {.aside.wait_ms = 2000};

/* What cannot be read may have one. */
static bool find_served(void)
{
	AUTO_MEM char *text = NULL;
	struct mount_line line;
	struct str rest;
	size_t n;

	if (lseek(way.table, 0, SEEK_SET) < 0 || fd_read_all(way.table, TABLE_MOST, &text, &n) < 0)
		return true;
	rest = (struct str){text, n};
	while (mountinfo_next(&rest, &line))
		if (is_served_name(str_sub(line.type, 0, str_index(line.type, '.'))))
			return true;
	return false;
}

static bool has_served(void)
{
	struct pollfd p = {.fd = way.table, .events = POLLPRI};
	uint64_t now = clock_mono_us();

	if (!way.has_begun || now - way.looked_us < LOOK_US)
		return way.has_served;
	if (!way.looked_us || (poll(&p, 1, 0) > 0 && p.revents & POLLPRI))
		way.has_served = find_served();
	way.looked_us = now;
	return way.has_served;
}

void reach_begin(void)
{
	way.table = fd_open(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY, 0);
	way.has_begun = way.table >= 0;
}

/* --- is it one? --- */

struct goal {
	int dir;
	const char *path;
};

/* Does the way stay on the file system that it begins on, as far as there is one? */
static bool stays_here(const struct goal *g)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_XDEV};
	int fd = (int)syscall(SYS_openat2, g->dir, g->path, &how, sizeof(how));
	bool does_stay = fd >= 0 || errno == ENOENT || errno == ENOTDIR;

	fd_close(fd);
	return does_stay;
}

/* In a child: to be back is the answer. */
static int go(void *arg)
{
	const struct goal *g = arg;
	char bytes[1024];
	struct statfs fs;
	struct stat st;
	int fd = fd_open(g->dir, g->path, O_PATH, 0);

	if (fd < 0 || fstatfs(fd, &fs) < 0 || !reach_is_served(fs.f_type) || fstat(fd, &st) < 0)
		return 0;
	/* What is known of it may be all that is known of the server: one that answers lets it be read. */
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		fd = fd_open(g->dir, g->path, O_RDONLY | O_NONBLOCK, 0);
	if (fd >= 0 && S_ISREG(st.st_mode))
		(void)!fd_read(fd, bytes, 1);
	else if (fd >= 0)
		(void)!syscall(SYS_getdents64, fd, bytes, sizeof(bytes));
	fd_close(fd);
	return 0;
}

int reach(int dir, const char *path)
{
	struct goal g = {dir, path};

	/* Without a process to send one goes oneself. */
	return has_served() && !stays_here(&g) && aside_ask(&way.aside, go, &g) == -ETIMEDOUT
		       ? err_here(-ETIMEDOUT)
		       : 0;
}
