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

enum { TABLE_MOST = 16 * 1024 * 1024, OPTION_MOST = 1024 };
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

int autofs_answer(int point, uint32_t token, int err)
{
	struct autofs_dev_ioctl q = {.fail = {.token = token, .status = -err}};

	return call(err ? AUTOFS_DEV_IOCTL_FAIL : AUTOFS_DEV_IOCTL_READY, &q, point);
}

int autofs_is_covered(int point)
{
	struct call_at c = {.q = {.size = 0}};
	char path[32];
	int r;

	/* By its descriptor, so that no path is walked; without the dot the link would be looked at. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/.", point);
	r = call_at(AUTOFS_DEV_IOCTL_ISMOUNTPOINT, &c, point, path);
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

int autofs_detach(int point)
{
	enum { LAYERS_MOST = 64 };
	char path[32];
	int r = 0;

	/* By its descriptor, so that no path is walked: the topmost of what lies over it, at last itself; after that it is no mount. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", point);
	for (unsigned n = 0; r == 0 && n < LAYERS_MOST; n++)
		r = umount2(path, MNT_DETACH) < 0 ? -errno : 0;
	return r == -EINVAL ? 0 : r;
}

void autofs_close(int point)
{
	struct autofs_dev_ioctl q = {.size = 0};

	(void)!call(AUTOFS_DEV_IOCTL_CATATONIC, &q, point);
}

/* --- the mount --- */

/* Those that are of the mount; *ret_flag: what they say, 0 for one that says nothing. The others are for the file system. */
static bool find_flag(struct str word, unsigned *ret_flag)
{
	static const struct {
		const char *word;
		unsigned flag;
	} words[] = {{"ro", MOUNT_ATTR_RDONLY},        {"rw", 0},
		     {"nosuid", MOUNT_ATTR_NOSUID},    {"nodev", MOUNT_ATTR_NODEV},
		     {"noexec", MOUNT_ATTR_NOEXEC},    {"noatime", MOUNT_ATTR_NOATIME},
		     {"relatime", MOUNT_ATTR_RELATIME}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq_z(word, words[i].word)) {
			*ret_flag = words[i].flag;
			return true;
		}
	return false;
}

static int set(int fs, const char *key, const char *value)
{
	int r = fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0);

	return r < 0 ? err_here(-errno) : 0;
}

static int set_number(int fs, const char *key, int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	return set(fs, key, text);
}

/* An option of the file system: "uid=7" or "ignore". */
static int set_word(int fs, struct str word)
{
	char key[OPTION_MOST];
	char *value;

	if (word.n >= sizeof(key))
		return err_here(-EINVAL);
	snprintf(key, sizeof(key), STR_FMT, STR_ARG(word));
	value = strchr(key, '=');
	if (value)
		*value++ = '\0';
	return set(fs, key, value);
}

static int set_extra(int fs, const char *extra, unsigned *ret_flags)
{
	struct str left = str_of(extra ? extra : ""), word;
	unsigned flag;
	int r = 0;

	*ret_flags = 0;
	while (r == 0 && str_cut(&left, ',', &word))
		if (find_flag(word, &flag))
			*ret_flags |= flag;
		else if (word.n)
			r = set_word(fs, word);
	return r;
}

int autofs_make(int pipe, const char *extra, int *ret_point)
{
	AUTO_FD int fs = fsopen("autofs", FSOPEN_CLOEXEC);
	AUTO_FD int mount = -1;
	unsigned flags = 0;
	int r = fs < 0 ? err_here(-errno) : set(fs, "source", source);

	if (r == 0)
		r = set_number(fs, "fd", pipe);
	if (r == 0)
		r = set_number(fs, "pgrp", getpgrp());
	if (r == 0)
		r = set_number(fs, "minproto", AUTOFS_PROTO_VERSION);
	if (r == 0)
		r = set_number(fs, "maxproto", AUTOFS_PROTO_VERSION);
	if (r == 0)
		r = set(fs, "direct", NULL);
	if (r == 0)
		r = set_extra(fs, extra, &flags);
	if (r == 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		r = err_here(-errno);
	mount = r == 0 ? fsmount(fs, FSMOUNT_CLOEXEC, flags) : -1;
	if (r == 0 && mount < 0)
		r = err_here(-errno);
	if (r < 0)
		return r;
	*ret_point = fd_open(mount, ".", O_RDONLY | O_DIRECTORY, 0);
	return *ret_point < 0 ? *ret_point : take_fd(mount);
}

/* --- its place --- */

static bool is_served_by_others(struct str options)
{
	struct str word;
	uint64_t group = 0;
	char leader[32];

	while (str_cut(&options, ',', &word))
		if (str_has_prefix(word, STR("pgrp=")) &&
		    str_to_u64(str_sub(word, strlen("pgrp="), word.n), &group) < 0)
			group = 0;
	snprintf(leader, sizeof(leader), "/proc/%llu", (unsigned long long)group);
	return group > 0 && group != (uint64_t)getpgrp() && access(leader, F_OK) == 0;
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

/* The device of a point of hark's at `where`, the topmost mount there, which nobody serves any more. 0, -EEXIST (something else is), -errno. */
static int find_dead(const char *where, uint32_t *ret_device)
{
	static char point[PATH_MAX];
	AUTO_MEM char *text = NULL;
	struct mount_line line;
	struct str rest;
	size_t n = 0;
	int r = fd_read_file(AT_FDCWD, "/proc/self/mountinfo", TABLE_MOST, &text, &n);

	if (r < 0)
		return r;
	rest = (struct str){text, n};
	while (mountinfo_last(&rest, &line)) {
		if (!mountinfo_unescape(line.point, point, sizeof(point)) ||
		    strcmp(point, where) != 0)
			continue;
		*ret_device = device_of(line.device);
		return str_eq_z(line.type, "autofs") && str_eq_z(line.source, source) &&
				       !is_served_by_others(line.super_options)
			       ? 0
			       : err_here(-EEXIST);
	}
	return err_here(-ENOENT);
}

/* A point that nobody serves any more, as the end of a hark-init outside of its turn leaves it. 0 or -EEXIST. */
static int remove_dead(const char *where)
{
	struct call_at c = {.q = {.size = 0}};
	uint32_t device = 0;
	int r = find_dead(where, &device);

	c.q.openmount.devid = device;
	if (r == 0)
		r = call_at(AUTOFS_DEV_IOCTL_OPENMOUNT, &c, -1, where);
	if (r == 0)
		r = autofs_detach(c.q.ioctlfd);
	if (r == 0)
		autofs_close(c.q.ioctlfd); /* goes with the process */
	return r < 0 ? -EEXIST : 0;
}

/* O_PATH alone: O_DIRECTORY would enter what may be the point of another, or a dead one. */
static int open_place(const char *where, struct statx *ret)
{
	AUTO_FD int fd = fd_open_straight(where, O_PATH | O_NOFOLLOW);

	if (fd >= 0 && statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, ret) < 0)
		return err_here(-errno);
	return take_fd(fd);
}

int autofs_lay(int mount, const char *where)
{
	struct statx own, at;
	AUTO_FD int dir = open_place(where, &at);

	if (dir < 0)
		return dir;
	if (!S_ISDIR(at.stx_mode))
		return S_ISLNK(at.stx_mode) ? -ELOOP : -ENOTDIR;
	if (at.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
		if (statx(mount, "", AT_EMPTY_PATH, STATX_MNT_ID, &own) == 0 &&
		    own.stx_mnt_id == at.stx_mnt_id)
			return 0; /* by one before us, which did not come to say so */
		if (remove_dead(where) < 0)
			return -EEXIST;
		fd_close(dir);
		dir = open_place(where, &at);
	}
	/* Walking the path may have taken a kill to end: what is left to do is without any, so that it is not done too late. */
	if (move_mount(mount, "", dir, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_here(-errno);
	return 0;
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
