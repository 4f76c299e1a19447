/* SPDX-License-Identifier: MIT */
#include "core/autofs.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/auto_dev-ioctl.h>
#include <linux/auto_fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/crashpoint.h"
#include "core/fd.h"
#include "core/mem.h"
#include "core/mountinfo.h"

enum { TABLE_MOST = 16 * 1024 * 1024, OPTIONS_MOST = 1024 };
static const char source[] = "hark"; /* by which a point of ours is known in the mount table */

/* --- the device --- */

/* One call of /dev/autofs; the driver's part of *q is filled in here. It exists once the file system was asked for. */
static int call(unsigned long op, struct autofs_dev_ioctl *q, int point)
{
	AUTO_FD int fd = fd_open(AT_FDCWD, "/dev/autofs", O_RDWR, 0);
	int r;

	if (fd < 0)
		return fd;
	q->ver_major = AUTOFS_DEV_IOCTL_VERSION_MAJOR;
	q->ver_minor = AUTOFS_DEV_IOCTL_VERSION_MINOR;
	if (!q->size)
		q->size = sizeof(*q);
	q->ioctlfd = point;
	do
		r = ioctl(fd, op, q);
	while (r < 0 && errno == EINTR && op != AUTOFS_DEV_IOCTL_EXPIRE);
	r = r < 0 ? -errno : r;
	crashpoint();
	return r;
}

/* A call that takes the path of the point as well. */
struct call_at {
	union {
		struct autofs_dev_ioctl q;
		char bytes[sizeof(struct autofs_dev_ioctl) + PATH_MAX];
	};
};

static int call_at(unsigned long op, struct call_at *c, int point, const char *where)
{
	size_t n = strlen(where) + 1;

	if (n > PATH_MAX)
		return err_here(-ENAMETOOLONG);
	memcpy(c->bytes + sizeof(c->q), where, n);
	c->q.size = (uint32_t)(sizeof(c->q) + n);
	return call(op, &c->q, point);
}

int autofs_open(const char *where, uint32_t device)
{
	struct call_at c = {.q = {.openmount.devid = device}};
	int r = call_at(AUTOFS_DEV_IOCTL_OPENMOUNT, &c, -1, where);

	return r < 0 ? r : c.q.ioctlfd;
}

int autofs_answer(int point, uint32_t token, int err)
{
	struct autofs_dev_ioctl q = {.fail = {.token = token, .status = -err}};

	return call(err ? AUTOFS_DEV_IOCTL_FAIL : AUTOFS_DEV_IOCTL_READY, &q, point);
}

int autofs_is_covered(int point, const char *where)
{
	struct call_at c = {.q = {.size = 0}};
	int r = call_at(AUTOFS_DEV_IOCTL_ISMOUNTPOINT, &c, point, where);

	return r > 0 ? 1 : r;
}

int autofs_set_idle(int point, uint64_t idle_us)
{
	struct autofs_dev_ioctl q = {
		.timeout.timeout = idle_us == TIME_NEVER ? 0
							 : (idle_us + US_PER_SEC - 1) / US_PER_SEC};

	return call(AUTOFS_DEV_IOCTL_TIMEOUT, &q, point);
}

int autofs_expire(int point)
{
	struct autofs_dev_ioctl q = {.expire.how = AUTOFS_EXP_NORMAL};

	return call(AUTOFS_DEV_IOCTL_EXPIRE, &q, point);
}

int autofs_remove(int point)
{
	enum { LAYERS_MOST = 64 };
	struct autofs_dev_ioctl q = {.size = 0};
	char path[32];
	int r = 0;

	/* By its descriptor, so that no path is walked: the topmost of what lies over it, at last itself; after that it is no mount. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", point);
	for (unsigned n = 0; r == 0 && n < LAYERS_MOST; n++)
		r = umount2(path, MNT_DETACH) < 0 ? -errno : 0;
	if (r == -EINVAL)
		r = 0;
	/* Nobody can come any more; who came before is let go. */
	(void)!call(AUTOFS_DEV_IOCTL_CATATONIC, &q, point);
	return r;
}

/* --- the mount --- */

/* Take the options that mount(2) has flags for out of `options`, which keeps the others. */
static unsigned long take_flags(const char *extra, char *rest, size_t cap)
{
	static const struct {
		const char *word;
		unsigned long flag;
	} words[] = {{"ro", MS_RDONLY},        {"rw", 0},
		     {"nosuid", MS_NOSUID},    {"nodev", MS_NODEV},
		     {"noexec", MS_NOEXEC},    {"noatime", MS_NOATIME},
		     {"relatime", MS_RELATIME}};
	struct str left = str_of(extra ? extra : ""), word;
	unsigned long flags = 0;
	size_t n = 0;

	rest[0] = '\0';
	while (str_cut(&left, ',', &word)) {
		size_t i = 0;

		while (i < ARRAY_SIZE(words) && !str_eq_z(word, words[i].word))
			i++;
		if (i < ARRAY_SIZE(words))
			flags |= words[i].flag;
		else if (word.n && n < cap)
			n += (size_t)snprintf(rest + n, cap - n, "," STR_FMT, STR_ARG(word));
	}
	return flags;
}

/* Is it a directory that nothing lies over? 0 or -errno. */
static int check_place(int fd)
{
	struct statx at;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &at) < 0)
		return err_here(-errno);
	if (!S_ISDIR(at.stx_mode))
		return S_ISLNK(at.stx_mode) ? -ELOOP : -ENOTDIR;
	return at.stx_attributes & STATX_ATTR_MOUNT_ROOT ? -EEXIST : 0;
}

int autofs_make(const char *where, int pipe, const char *extra)
{
	/* O_DIRECTORY would enter what may be the point of another, or a dead one. */
	AUTO_FD int dir = fd_open(AT_FDCWD, where, O_PATH | O_NOFOLLOW, 0);
	int r = dir < 0 ? dir : check_place(dir);
	char path[32], rest[OPTIONS_MOST], options[OPTIONS_MOST + 64];
	unsigned long flags = take_flags(extra, rest, sizeof(rest));

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	snprintf(options, sizeof(options), "fd=%d,pgrp=%d,minproto=%d,maxproto=%d,direct%s", pipe,
		 getpgrp(), AUTOFS_PROTO_VERSION, AUTOFS_PROTO_VERSION, rest);
	if (mount(source, path, "autofs", flags, options) < 0)
		return err_here(-errno);
	crashpoint();
	return 0;
}

void autofs_unmake(const char *where)
{
	(void)!umount2(where, MNT_DETACH | UMOUNT_NOFOLLOW);
}

/* "fd=7,pipe_ino=4711,pgrp=1,...": one of the numbers, 0 when it is not said. */
static uint64_t number_of(struct str options, const char *key)
{
	struct str word;
	uint64_t n = 0;

	while (str_cut(&options, ',', &word))
		if (str_has_prefix(word, str_of(key)) &&
		    str_to_u64(str_sub(word, strlen(key), word.n), &n) < 0)
			n = 0;
	return n;
}

static bool is_served_by_others(struct str options)
{
	pid_t group = (pid_t)number_of(options, "pgrp=");
	char leader[32];

	snprintf(leader, sizeof(leader), "/proc/%d", group);
	return group > 0 && group != getpgrp() && access(leader, F_OK) == 0;
}

/* Is it the point that is looked for? */
static bool is_wanted(const struct mount_line *line, uint64_t pipe_ino)
{
	if (!str_eq_z(line->type, "autofs") || !str_eq_z(line->source, source))
		return false;
	return pipe_ino ? number_of(line->super_options, "pipe_ino=") == pipe_ino
			: !is_served_by_others(line->super_options);
}

/* "0:45" as the kernel encodes it in 32 bits, which is what glibc has in the low half. */
static uint32_t device_of(struct str text)
{
	uint64_t major_n = 0, minor_n = 0;
	struct str word;

	if (!str_cut(&text, ':', &word) || str_to_u64(word, &major_n) < 0 ||
	    str_to_u64(text, &minor_n) < 0)
		return 0;
	return (uint32_t)makedev((unsigned)major_n, (unsigned)minor_n);
}

int autofs_find(const char *where, uint64_t pipe_ino, uint32_t *ret_device)
{
	AUTO_MEM char *text = NULL;
	struct mount_line line;
	struct str rest;
	size_t n = 0;
	int r = fd_read_file(AT_FDCWD, "/proc/self/mountinfo", TABLE_MOST, &text, &n);

	if (r < 0)
		return r;
	rest = (struct str){text, n};
	r = -ENOENT;
	while (mountinfo_next(&rest, &line)) {
		char point[PATH_MAX];
		bool is_it = is_wanted(&line, pipe_ino);

		if (!mountinfo_unescape(line.point, point, sizeof(point)) ||
		    strcmp(point, where) != 0 || (pipe_ino && !is_it))
			continue;
		r = is_it ? 0 : -EEXIST; /* the last one lies over the others */
		*ret_device = device_of(line.device);
	}
	return r;
}

/* --- the pipe --- */

/* A read would lose the request when this process is killed before it was answered. tee(2) */
int autofs_peek(int pipe, struct autofs_request *ret)
{
	struct autofs_v5_packet packet;
	int copy[2];
	ssize_t n;
	int r = 0;

	if (pipe2(copy, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_here(-errno);
	n = tee(pipe, copy[1], sizeof(packet), SPLICE_F_NONBLOCK);
	if (n < 0)
		r = errno == EAGAIN ? 0 : err_here(-errno);
	else if (n == 0)
		r = -EPIPE;
	else
		r = read(copy[0], &packet, sizeof(packet)) == sizeof(packet) ? 1 : -EBADMSG;
	fd_close(copy[0]);
	fd_close(copy[1]);
	if (r <= 0)
		return r;
	*ret = (struct autofs_request){.is_expire = packet.hdr.type == autofs_ptype_expire_direct,
				       .token = packet.wait_queue_token,
				       .pid = (pid_t)packet.tgid,
				       .uid = packet.uid};
	return 1;
}

void autofs_take(int pipe)
{
	struct autofs_v5_packet packet;

	(void)!fd_read(pipe, &packet, sizeof(packet));
	crashpoint();
}
