/* SPDX-License-Identifier: MIT */
#include "core/mounts.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { SAFE = MS_NOSUID | MS_NOEXEC | MS_NODEV };

static const struct api_mount {
	const char *type, *path, *above, *options;
	unsigned long flags;
	long magic; /* of a file system that serves as well; 0: none */
} mounts[] = {
	{"proc", "/proc", "/", NULL, SAFE, PROC_SUPER_MAGIC},
	{"sysfs", "/sys", "/", NULL, SAFE, SYSFS_MAGIC},
	{"devtmpfs", "/dev", "/", "mode=0755", MS_NOSUID, 0},
	{"devpts", "/dev/pts", "/dev", "mode=0620,gid=5,ptmxmode=0666", MS_NOSUID | MS_NOEXEC,
	 DEVPTS_SUPER_MAGIC},
	{"tmpfs", "/dev/shm", "/dev", "mode=1777", MS_NOSUID | MS_NODEV, 0},
	{"tmpfs", "/run", "/", "mode=0755", MS_NOSUID | MS_NODEV, 0},
	{"cgroup2", "/sys/fs/cgroup", "/sys/fs", "nsdelegate", SAFE, CGROUP2_SUPER_MAGIC},
};

static bool is_mounted(const struct api_mount *m)
{
	struct stat self, above;
	struct statfs fs;

	return (stat(m->path, &self) == 0 && stat(m->above, &above) == 0 &&
		self.st_dev != above.st_dev) ||
	       (m->magic && statfs(m->path, &fs) == 0 && (long)fs.f_type == m->magic);
}

/* The console where there is one; a descriptor that is open already is left alone. */
static void open_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/console", O_RDWR | O_NOCTTY) < 0) /* inherited */
			(void)!open("/dev/null", O_RDWR);        /* inherited */
}

int mounts_prepare(void)
{
	int r = 0;

	for (size_t i = 0; getppid() == 1 && i < ARRAY_SIZE(mounts); i++) {
		const struct api_mount *m = &mounts[i];

		(void)mkdir(m->path, 0755); /* it mostly exists, and else the mount says why not */
		if (!is_mounted(m) && mount(m->type, m->path, m->type, m->flags, m->options) < 0 &&
		    r == 0)
			r = -errno;
	}
	open_standard();
	return r;
}
