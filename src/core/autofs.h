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
 * autofs_make() - an automount point that lies nowhere yet. No path is walked.
 *
 * @pipe:      where the kernel shall write requests; stays the caller's to close
 * @extra:     options, comma-separated, or NULL
 * @ret_point: the point, for all calls below
 *
 * Returns the mount, for autofs_lay(), both the caller's to close; -ENODEV (no such file system), -EPERM, -EINVAL (an option) ...
 */
MUST_USE int autofs_make(int pipe, const char *extra, int *ret_point);
/*
 * autofs_lay() - lay it over a directory. Walks the path, which takes as long as the file systems on the way let it: for a process that may wait.
 *
 * @where: absolute; the last component is no symbolic link. A point there that nobody serves any more is taken away first.
 *
 * Returns 0 (also when it lies there already), -EEXIST (something is mounted there), -ENOTDIR, -ELOOP (it is a symbolic link), -errno.
 */
MUST_USE int autofs_lay(int mount, const char *where);

/* Look at the first request and leave it there: 1; 0: there is none; -EPIPE: the point is gone; -errno. */
MUST_USE int autofs_peek(int pipe, struct autofs_request *ret);
/* Take that one out: it was answered. */
void autofs_take(int pipe);
/* Let them in, or (err: a positive errno) not. 0 or -errno; -EINVAL and -ENOENT: it was answered before. */
MUST_USE int autofs_answer(int point, uint32_t token, int err);

/* Is anything mounted over the point? 1, 0 or -errno. */
MUST_USE int autofs_is_covered(int point);
/* How long it has to be unused before autofs_expire() says so; rounded up to seconds, 0: never. 0 or -errno. */
MUST_USE int autofs_set_idle(int point, uint64_t idle_us);
/* Ask the kernel for an expiry, and wait for its answer. 0: it has gone; -EAGAIN: it is in use; -errno. */
MUST_USE int autofs_expire(int point);
/*
 * Take the point away with all that is mounted over it; who is inside stays there. What is mounted may have to be written back first: for a
 * process that may wait, unless nothing is. Nobody can come any more. 0 (also when it lies nowhere) or -errno.
 */
MUST_USE int autofs_detach(int point);
/* Who waits there is told ENOENT, and so is whoever comes where it still lies. */
void autofs_close(int point);
