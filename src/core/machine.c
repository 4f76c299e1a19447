/* SPDX-License-Identifier: MIT */
#include "core/machine.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/str.h"

enum { SAFE = MS_NOSUID | MS_NOEXEC | MS_NODEV, HOST_FILE_MOST = 1024 };

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

static int mount_api(void)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		const struct api_mount *m = &mounts[i];

		(void)mkdir(m->path, 0755); /* it mostly exists, and else the mount says why not */
		if (!is_mounted(m) && mount(m->type, m->path, m->type, m->flags, m->options) < 0 &&
		    r == 0)
			r = -errno;
	}
	return r;
}

/* By this directory the world knows a system whose manager speaks to systemctl and takes unit files. sd_booted(3) */
static int make_unit_dir(void)
{
	return fd_mkdir_parents("/run/systemd/system", true, 0755);
}

/* Its addresses come with it. */
static int raise_loopback(void)
{
	AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = {.ifr_name = "lo"};

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &lo) < 0)
		return -errno;
	if (lo.ifr_flags & IFF_UP)
		return 0;
	lo.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &lo) < 0 ? -errno : 0;
}

/* The first line of hostname(5) that says something. A name given since the kernel started stays: this may be a second manager. */
static int name_host(void)
{
	char text[HOST_FILE_MOST], name[HOST_NAME_MAX + 1] = "";
	struct str rest, line;
	ssize_t n;

	if (gethostname(name, sizeof(name) - 1) < 0 || strcmp(name, "(none)") != 0)
		return 0;
	n = fd_read_small(AT_FDCWD, "/etc/hostname", text, sizeof(text));
	if (n < 0)
		return n == -ENOENT ? 0 : (int)n;
	rest = (struct str){text, (size_t)n};
	while (str_cut(&rest, '\n', &line)) {
		line = str_trim(line);
		if (line.n && line.p[0] != '#')
			return sethostname(line.p, line.n) < 0 ? -errno : 0;
	}
	return 0;
}

int machine_share_mounts(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0 ? -errno : 0;
}

int machine_prepare(const char **ret_what)
{
	static const struct {
		const char *what;
		int (*prepare)(void);
	} steps[] = {
		{"some of /proc, /sys, /dev, /run could not be mounted", mount_api},
		{"there is no /run/systemd/system", make_unit_dir},
		{"the loopback interface is down", raise_loopback},
		{"the host has no name", name_host},
	};
	int first = 0;

	for (size_t i = 0; getppid() == 1 && i < ARRAY_SIZE(steps); i++) {
		int r = steps[i].prepare();

		if (r < 0 && first == 0) {
			first = r;
			*ret_what = steps[i].what;
		}
	}
	open_standard();
	return first;
}
