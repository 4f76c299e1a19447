/* SPDX-License-Identifier: MIT */
#include "core/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"

enum { READ_FIRST = 4096 };

void fd_close(int fd)
{
	int saved = errno;

	/*
	 * No retry after EINTR: Linux has released the number by then, another may own it. close(2)
	 */
	if (fd >= 0)
		close(fd);
	errno = saved;
}

void auto_fd_p(int *fd)
{
	fd_close(*fd);
}

int fd_open(int dir, const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = openat(dir, path, flags | O_CLOEXEC | O_NOCTTY, mode);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

static int open_resolved(int dir, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		/* Unlike open(2) it refuses flags that have no effect. */
		.flags = (unsigned)(flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY)),
		.resolve = resolve,
	};
	long r;

	do
		r = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	while (r < 0 && (errno == EINTR || errno == EAGAIN));
	return r < 0 ? -errno : (int)r;
}

int fd_open_below(const char *root, const char *path, int flags)
{
	AUTO_FD int dir = -1;
	int r;

	if (!*root)
		return fd_open(AT_FDCWD, path, flags, 0);
	dir = fd_open(AT_FDCWD, root, O_PATH | O_DIRECTORY, 0);
	if (dir < 0)
		return dir;
	r = open_resolved(dir, path, flags, RESOLVE_IN_ROOT);
	return r < 0 ? err_here(r) : r;
}

int fd_open_straight(const char *path, int flags)
{
	return open_resolved(AT_FDCWD, path, flags, RESOLVE_NO_SYMLINKS);
}

DIR *fd_opendir(int at, const char *path)
{
	AUTO_FD int fd = fd_open(at, path, O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (fd < 0)
		errno = -fd;
	if (dir)
		(void)take_fd(fd);
	return dir;
}

ssize_t fd_read(int fd, void *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

int fd_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t put = write(fd, at, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

/* Sizes of procfs files are 0 and others may grow while we read: only the end of file counts. */
static int read_to_end(int fd, size_t first, size_t max, char **ret_text, size_t *ret_n)
{
	AUTO_MEM char *text = NULL;
	size_t cap = 0;
	size_t n = 0;

	for (;;) {
		ssize_t got;

		if (cap - n < 2) {
			size_t want = cap ? cap * 2 : first;
			char *grown = mem_grow(text, cap, want);

			if (!grown)
				return err_here(-ENOMEM);
			text = grown;
			cap = want;
		}
		got = fd_read(fd, text + n, cap - n - 1);
		if (got < 0)
			return (int)got;
		if (got == 0)
			break;
		n += (size_t)got;
		if (n > max)
			return -EFBIG;
	}
	text[n] = '\0';
	*ret_text = take_ptr(text);
	*ret_n = n;
	return 0;
}

/* Is it a regular file of at most max bytes? 0 or -errno. */
static int look_at(int fd, size_t max, struct stat *ret)
{
	if (fstat(fd, ret) < 0)
		return err_here(-errno);
	if (!S_ISREG(ret->st_mode))
		return S_ISDIR(ret->st_mode) ? -EISDIR : -ENXIO;
	return (uint64_t)ret->st_size > max ? -EFBIG : 0;
}

int fd_open_file(int dir, const char *path, size_t max, struct stat *ret)
{
	AUTO_FD int fd = fd_open(dir, path, O_RDONLY | O_NONBLOCK, 0);
	int r = fd < 0 ? fd : look_at(fd, max, ret);

	return r < 0 ? r : take_fd(fd);
}

int fd_read_all(int fd, size_t max, char **ret_text, size_t *ret_n)
{
	struct stat st;
	int r = look_at(fd, max, &st);

	if (r < 0)
		return r;
	return read_to_end(fd, st.st_size ? (size_t)st.st_size + 2 : READ_FIRST, max, ret_text,
			   ret_n);
}

int fd_read_file(int dir, const char *path, size_t max, char **ret_text, size_t *ret_n)
{
	AUTO_FD int fd = fd_open(dir, path, O_RDONLY | O_NONBLOCK, 0);

	return fd < 0 ? fd : fd_read_all(fd, max, ret_text, ret_n);
}

ssize_t fd_read_small(int dir, const char *path, char *out, size_t cap)
{
	AUTO_FD int fd = fd_open(dir, path, O_RDONLY | O_NONBLOCK, 0);
	ssize_t got;

	if (fd < 0)
		return fd;
	if (cap == 0)
		return err_here(-EINVAL);
	got = fd_read(fd, out, cap - 1);
	if (got >= 0)
		out[got] = '\0';
	return got;
}

ssize_t fd_read_foreign(const char *path, char *out, size_t cap, struct stat *ret)
{
	AUTO_FD int fd = fd_open(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0);
	char again[32];

	if (fd < 0)
		return fd;
	if (fstat(fd, ret) < 0)
		return err_here(-errno);
	if (!S_ISREG(ret->st_mode))
		return -ENXIO;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
	return fd_read_small(AT_FDCWD, again, out, cap);
}

int fd_write_small(int dir, const char *path, const char *text)
{
	AUTO_FD int fd = fd_open(dir, path, O_WRONLY, 0);
	size_t n = strlen(text);
	ssize_t put;

	if (fd < 0)
		return fd;
	do
		put = write(fd, text, n);
	while (put < 0 && errno == EINTR);
	if (put < 0)
		return -errno;
	return (size_t)put == n ? 0 : err_here(-EIO);
}

static int make_last(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* One name for all, which is taken over from whoever died with it; not the name of a unit. */
#define UNFINISHED "unfinished"

int fd_replace_file(const char *dir_path, const char *name, struct str text)
{
	AUTO_FD int dir = fd_open(AT_FDCWD, dir_path, O_RDONLY | O_DIRECTORY, 0), fd = -1;
	int r;

	if (dir < 0)
		return dir;
	fd = fd_open(dir, UNFINISHED, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return fd;
	r = fd_write_all(fd, text.p, text.n);
	if (r == 0 && renameat(dir, UNFINISHED, dir, name) < 0)
		r = err_here(-errno);
	if (r < 0)
		(void)unlinkat(dir, UNFINISHED, 0); /* the next one truncates it */
	return r;
}

int fd_mkdir_parents(const char *path, bool last, mode_t mode)
{
	char part[PATH_MAX];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, n + 1);
	while (n > 1 && part[n - 1] == '/')
		part[--n] = '\0';
	for (size_t i = 1; i < n; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		/* Something else than a directory in the way shows as ENOTDIR one step later. */
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
		part[i] = '/';
	}
	return last ? make_last(part, mode) : 0;
}

int fd_inotify(void)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	return fd < 0 ? err_here(-errno) : fd;
}

uint64_t clock_wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

uint64_t clock_file_us(void)
{
	return clock_us(CLOCK_REALTIME_COARSE);
}

/* --- shared memory --- */

static int make_memory(const char *name, size_t n)
{
	AUTO_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)n) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return err_here(-errno);
	return take_fd(fd);
}

/* What somebody else has made. 0, -EBADMSG, -errno. */
static int check_memory(int fd, size_t n)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if ((seals < 0 && errno != EINVAL) || fstat(fd, &st) < 0)
		return err_here(-errno);
	return seals < 0 || !(seals & F_SEAL_SHRINK) || st.st_size != (off_t)n ? err_here(-EBADMSG)
									       : 0;
}

int fd_memory(const char *name, size_t n, int fd, void **ret_map)
{
	AUTO_FD int made = fd < 0 ? make_memory(name, n) : -1;
	int r = fd < 0 ? made : check_memory(fd, n);
	void *map;

	if (r < 0)
		return r;
	fd = fd < 0 ? made : fd;
	map = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return err_here(-errno);
	*ret_map = map;
	take_fd(made);
	return fd;
}

void fd_unmap(void *map, size_t n)
{
	if (map)
		munmap(map, n);
}
