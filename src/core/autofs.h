/* SPDX-License-Identifier: MIT */
/*
 * autofs - the kernel's half of an automount point: a direct mount of autofs, protocol 5, and what is said over its pipe.
 *
 * Whoever enters the mount point waits in the kernel while a request lies in the pipe; the answer names the request's token. All who
 * wait at a point share one token. Processes of the process group that the point was made by are let pass. No function here waits
 * for an answer but autofs_expire(). Documentation/filesystems/autofs.rst of the kernel
 */
#pragma once

#include "core/base.h"

#include <sys/types.h>

struct autofs_request {
	bool is_expire; /* nobody used what is mounted: may it go? Else: somebody wants in */
	uint32_t token;
	pid_t pid; /* who; of an expiry who asked for it */
	uid_t uid;
};

/*
 * autofs_make() - lay an automount point over a directory.
 *
 * @where:   absolute; the last component is no symbolic link
 * @pipe:    where the kernel shall write requests; stays the caller's to close
 * @extra:   options, comma-separated, or NULL
 *
 * Returns 0, -EEXIST (something is mounted there), -ENOTDIR, -EPERM ...
 */
MUST_USE int autofs_make(const char *where, int pipe, const char *extra);
/* The point at `where` on that device, by autofs_find(), also below what is mounted over it: a descriptor for all calls below, or -errno. */
MUST_USE int autofs_open(const char *where, uint32_t device);
/*
 * autofs_find() - look for a point of hark's in the mount table.
 *
 * @pipe_ino: inode of the pipe it writes to; 0: the topmost mount there, if nobody of its process group is left or we are
 *
 * Returns 0 with its device, -ENOENT (nothing is there), -EEXIST (something else is on top), -errno.
 */
MUST_USE int autofs_find(const char *where, uint64_t pipe_ino, uint32_t *ret_device);

/* Look at the first request and leave it there: 1; 0: there is none; -EPIPE: the point is gone; -errno. */
MUST_USE int autofs_peek(int pipe, struct autofs_request *ret);
/* Take that one out: it was answered. */
void autofs_take(int pipe);
/* Let them in, or (err: a positive errno) not. 0 or -errno; -EINVAL and -ENOENT: it was answered before. */
MUST_USE int autofs_answer(int point, uint32_t token, int err);

/* Is anything mounted over the point at `where`? 1, 0 or -errno. */
MUST_USE int autofs_is_covered(int point, const char *where);
/* How long it has to be unused before autofs_expire() says so; rounded up to seconds, 0: never. 0 or -errno. */
MUST_USE int autofs_set_idle(int point, uint64_t idle_us);
/* Ask the kernel for an expiry, and wait for its answer. 0: it has gone; -EAGAIN: it is in use; -errno. */
MUST_USE int autofs_expire(int point);
/* Take a point away, by its path, that could not be opened. */
void autofs_unmake(const char *where);
/* Take the point away with all that is mounted over it. Who waits is told ENOENT; who is inside stays there. 0 or -errno. */
MUST_USE int autofs_remove(int point);
