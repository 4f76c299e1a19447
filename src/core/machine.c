/* SPDX-License-Identifier: MIT */
#include "core/machine.h"

#include <assert.h>
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
#include "core/log.h"
#include "core/machine_id.h"
#include "core/proc.h"
#include "core/str.h"
#include "units/probe.h"

enum { SAFE = MS_NOSUID | MS_NOEXEC | MS_NODEV, HOST_FILE_MOST = 1024 };

static const struct api_mount {
	const char *type, *path, *above, *options;
	unsigned long flags;
	long magic;       /* of a file system that serves as well; 0: none */
	bool is_optional; /* a kernel may have none, and a container has that of its host */
} mounts[] = {
	{"proc", "/proc", "/", NULL, SAFE, PROC_SUPER_MAGIC},
	{"sysfs", "/sys", "/", NULL, SAFE, SYSFS_MAGIC},
	{"devtmpfs", "/dev", "/", "mode=0755", MS_NOSUID, 0},
	{"devpts", "/dev/pts", "/dev", "mode=0620,gid=5,ptmxmode=0666", MS_NOSUID | MS_NOEXEC,
	 DEVPTS_SUPER_MAGIC},
	{"tmpfs", "/dev/shm", "/dev", "mode=1777", MS_NOSUID | MS_NODEV, 0},
	{"tmpfs", "/run", "/", "mode=0755,size=20%,nr_inodes=800k", MS_NOSUID | MS_NODEV, 0},
	/* Apart, because everybody may write there. */
	{"tmpfs", "/run/lock", "/run", "mode=1777,size=5m", SAFE, 0},
	{"cgroup2", "/sys/fs/cgroup", "/sys/fs", "nsdelegate,memory_recursiveprot", SAFE,
	 CGROUP2_SUPER_MAGIC},
	{"securityfs", "/sys/kernel/security", "/sys/kernel", NULL, SAFE, 0, true},
	{"pstore", "/sys/fs/pstore", "/sys/fs", NULL, SAFE, 0, true},
	{"bpf", "/sys/fs/bpf", "/sys/fs", "mode=0700", SAFE, 0, true},
	{"efivarfs", "/sys/firmware/efi/efivars", "/sys/firmware/efi", NULL, SAFE, 0, true},
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

static int mount_api(const struct api_mount *m)
{
	if (m->is_optional && probe_container())
		return 0;
	(void)mkdir(m->path, 0755); /* it mostly exists, and else the mount says why not */
	return is_mounted(m) || mount(m->type, m->path, m->type, m->flags, m->options) == 0 ||
			       m->is_optional
		       ? 0
		       : -errno;
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

/* What is lacking, when r says so. */
static void note(struct machine_lack *lacks, unsigned *n, const char *what, int r)
{
	if (r < 0)
		lacks[(*n)++] = (struct machine_lack){what, -r};
}

unsigned machine_prepare(struct machine_lack lacks[MACHINE_LACKS])
{
	static const struct {
		const char *what;
		int (*prepare)(void);
	} steps[] = {
		{"a unit directory in /run", make_unit_dir},
		{"a loopback interface that is up", raise_loopback},
		{"a host name", name_host},
		{"a machine id", machine_id_make},
	};
	unsigned n = 0;

	static_assert(ARRAY_SIZE(mounts) + ARRAY_SIZE(steps) == MACHINE_LACKS, "one for each");
	for (size_t i = 0; getppid() == 1 && i < ARRAY_SIZE(mounts); i++)
		note(lacks, &n, mounts[i].path, mount_api(&mounts[i]));
	for (size_t i = 0; getppid() == 1 && i < ARRAY_SIZE(steps); i++)
		note(lacks, &n, steps[i].what, steps[i].prepare());
	open_standard();
	return n;
}

int machine_open_log(void)
{
	int fd = getppid() == 1 && proc_is_in_first_namespace()
			 ? fd_open(AT_FDCWD, "/dev/kmsg", O_WRONLY, 0)
			 : -1;

	/* Without this the kernel drops what comes at a rate like that of a boot. */
	if (fd >= 0 && fd_write_small(AT_FDCWD, "/proc/sys/kernel/printk_devkmsg", "on") < 0)
		log_debug("machine", "printk_devkmsg stays as it is");
	return fd;
}
