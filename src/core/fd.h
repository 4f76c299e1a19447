/* SPDX-License-Identifier: MIT */
/*
 * fd - system call wrappers for descriptors: EINTR handled, CLOEXEC always, errors as -errno.
 */
#pragma once

#include "core/str.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Closes; -1 is fine; errno is kept. */
void fd_close(int fd);
/* openat(2) with O_CLOEXEC | O_NOCTTY added. Returns the descriptor or -errno. */
MUST_USE int fd_open(int dir, const char *path, int flags, mode_t mode);
/* The same of an absolute path as those see it whose root is `root` ("": ours): no link leads out. */
MUST_USE int fd_open_below(const char *root, const char *path, int flags);
/* An absolute path without a link in it, -ELOOP where there is one: what is found is there, whoever changes things on the way meanwhile. */
MUST_USE int fd_open_straight(const char *path, int flags);
/* A directory to read, or NULL with errno; closedir(3) it. */
MUST_USE DIR *fd_opendir(int at, const char *path);
/* A regular file of at most max bytes, to be read, and its status. Opened O_NONBLOCK so that a FIFO cannot hang us. The
 * descriptor, -EFBIG, -EISDIR, -ENXIO for anything not regular (procfs and cgroupfs are fine), errno. */
MUST_USE int fd_open_file(int dir, const char *path, size_t max, struct stat *ret);
/* The whole of such a file into owned memory (mem_put), NUL behind. 0 or what fd_open_file() says. */
MUST_USE int fd_read_file(int dir, const char *path, size_t max, char **ret_text, size_t *ret_n);
/* The same of one that is open, O_NONBLOCK; it stays the caller's. */
MUST_USE int fd_read_all(int fd, size_t max, char **ret_text, size_t *ret_n);
/* Up to cap - 1 bytes, NUL behind. Bytes read or -errno. */
MUST_USE ssize_t fd_read_small(int dir, const char *path, char *out, size_t cap);
/* The same of a regular file where somebody else may put what he likes: neither is a link followed nor a device opened, which alone would be to do
 * something. *ret: of the file. -ENXIO for anything not regular. */
MUST_USE ssize_t fd_read_foreign(const char *path, char *out, size_t cap, struct stat *ret);
/* One write of a short string to an existing file (cgroupfs, procfs). 0 or -errno. */
MUST_USE int fd_write_small(int dir, const char *path, const char *text);
MUST_USE ssize_t fd_read(int fd, void *p, size_t n);
/* All n bytes, or -errno. */
MUST_USE int fd_write_all(int fd, const void *p, size_t n);
/* The file `name` of a directory gets that text, mode 0644: whoever looks finds the old one or the new one whole. Not durable. 0 or -errno. */
MUST_USE int fd_replace_file(const char *dir, const char *name, struct str text);
/* mkdir of every missing parent of path with mode 0755, and of path itself with `mode` when last is true; the umask
 * applies. 0, -ENOTDIR (something else is there), -errno. */
MUST_USE int fd_mkdir_parents(const char *path, bool last, mode_t mode);
/* An inotify instance, close-on-exec and non-blocking, or -errno. */
MUST_USE int fd_inotify(void);
/* Microseconds of CLOCK_REALTIME. */
uint64_t clock_wall_us(void);
/* CLOCK_REALTIME as the kernel stamps files with it (inode_set_ctime_current): up to a tick behind. */
uint64_t clock_file_us(void);
/*
 * fd_memory() - memory that others may map too, read and write, of a size that nobody can change (a cut-off page would be SIGBUS).
 *
 * @fd: such memory made before (borrowed), or -1 to make it, all zeros
 *
 * Returns the descriptor, -EBADMSG (fd is something else), -errno. fd_unmap() gives *ret_map back.
 */
MUST_USE int fd_memory(const char *name, size_t n, int fd, void **ret_map);
void fd_unmap(void *map, size_t n);
