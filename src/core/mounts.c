/* SPDX-License-Identifier: MIT */
#include "core/mounts.h"

#include <linux/magic.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { SAFE = MS_NOSUID | MS_NOEXEC | MS_NODEV };

static const struct {
	const char *type, *path, *options;
	unsigned long flags;
	long magic; /* a file system of this kind there will do, mount point or not; 0: only a mount point */
} mounts[] = {
	{"proc", "/proc", NULL, SAFE, PROC_SUPER_MAGIC},
	{"sysfs", "/sys", NULL, SAFE, SYSFS_MAGIC},
	{"devtmpfs", "/dev", "mode=0755", MS_NOSUID, 0},
	{"devpts", "/dev/pts", "mode=0620,gid=5,ptmxmode=0666", MS_NOSUID | MS_NOEXEC, DEVPTS_SUPER_MAGIC},
	{"tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV, 0},
	{"tmpfs", "/run", "mode=0755", MS_NOSUID | MS_NODEV, 0},
	{"cgroup2", "/sys/fs/cgroup", "nsdelegate", SAFE, CGROUP2_SUPER_MAGIC},
};

static bool is_there(const char *path, long magic)
{
	char parent[64];
	struct stat self, above;
	struct statfs fs;

	snprintf(parent, sizeof(parent), "%s/..", path);
	if (stat(path, &self) == 0 && stat(parent, &above) == 0 && self.st_dev != above.st_dev)
		return true;
	return magic && statfs(path, &fs) == 0 && (long)fs.f_type == magic;
}

int mounts_prepare(void)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		if (is_there(mounts[i].path, mounts[i].magic))
			continue;
		if (mkdir(mounts[i].path, 0755) < 0 && errno != EEXIST)
			r = -errno;
		else if (mount(mounts[i].type, mounts[i].path, mounts[i].type, mounts[i].flags, mounts[i].options) < 0)
			r = -errno;
	}
	return r;
}
