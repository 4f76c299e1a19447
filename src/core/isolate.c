/* SPDX-License-Identifier: MIT */
#include "core/isolate.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fd.h"

static int sys(long result)
{
	return result < 0 ? -errno : 0;
}

/* A network of one's own has a loopback, and it is down. */
static int raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : sys(ioctl(fd, SIOCSIFFLAGS, &request));
}

int isolate_new(int flags)
{
	int r = sys(unshare(flags));

	if (r == 0 && flags & CLONE_NEWNET)
		r = raise_loopback();
	if (r < 0)
		return r;
	return flags & CLONE_NEWNS ? sys(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL)) : 0;
}

int isolate_join(const char *path, int kind)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : sys(setns(fd, kind));
}

/* --- users --- */

static int put_map(pid_t of, const char *kind, unsigned id)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%d/%s_map", (int)of, kind);
	if (id == 0)
		snprintf(text, sizeof(text), "0 0 1\n");
	else
		snprintf(text, sizeof(text), "0 0 1\n%u %u 1\n", id, id);
	return fd_write_small(AT_FDCWD, path, text);
}

/* In a process that has stayed outside: only from there may others than oneself be mapped. */
static int write_maps(pid_t of, uid_t uid, gid_t gid)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)of);
	r = fd_write_small(AT_FDCWD, path, "deny");
	if (r == 0)
		r = put_map(of, "gid", gid);
	return r == 0 ? put_map(of, "uid", uid) : r;
}

/* Who is not root may map itself alone. */
static int map_self(uid_t uid, gid_t gid)
{
	char text[64];
	int r = sys(unshare(CLONE_NEWUSER));

	if (r == 0)
		r = fd_write_small(AT_FDCWD, "/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1\n", gid, gid);
	if (r == 0)
		r = fd_write_small(AT_FDCWD, "/proc/self/gid_map", text);
	snprintf(text, sizeof(text), "%u %u 1\n", uid, uid);
	return r == 0 ? fd_write_small(AT_FDCWD, "/proc/self/uid_map", text) : r;
}

/* The helper waits for a byte, which tells that there is the namespace, and its exit status is an errno. */
int isolate_users(uid_t uid, gid_t gid)
{
	int pipe_fds[2], r, status = 0;
	pid_t parent = getpid(), helper;
	char byte = 0;

	if (geteuid() != 0)
		return map_self(uid, gid);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	helper = fork();
	if (helper == 0) {
		close(pipe_fds[1]);
		_exit(read(pipe_fds[0], &byte, 1) == 1 ? -write_maps(parent, uid, gid) : ECANCELED);
	}
	r = helper < 0 ? -errno : sys(unshare(CLONE_NEWUSER));
	if (r == 0 && write(pipe_fds[1], &byte, 1) != 1)
		r = -EIO;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	if (helper > 0 && waitpid(helper, &status, 0) == helper && r == 0)
		r = WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
	return r;
}

/* --- files --- */

/* A directory that only root can enter, and in it the one that all may write to: nobody gets at it but through a mount. */
static int make_private(int parent, const char *name)
{
	AUTO_FD int dir = -1;
	struct stat st;

	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return -EPERM; /* somebody was faster */
	if (mkdirat(dir, "tmp", 01777) < 0)
		return errno == EEXIST ? 0 : -errno;
	return sys(fchmodat(dir, "tmp", 01777, 0));
}

int isolate_tmp(const char *name)
{
	static const char *const places[] = {"/tmp", "/var/tmp"};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(places); i++) {
		AUTO_FD int dir = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		r = dir < 0 ? -errno : make_private(dir, name);
	}
	return r;
}
