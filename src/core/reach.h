/* SPDX-License-Identifier: MIT */
/*
 * reach - may one go to a path without waiting for a server that does not answer?
 *
 * The manager goes nowhere without having asked: no open(2), stat(2) or inotify_add_watch(2) of a path that a unit file names, and of none that
 * leads to a unit file, takes longer than a child has been seen to take for it (aside.h). A server that dies just then is not found by that.
 * Where nothing is mounted that a server answers for, and on the way over the root file system alone, there is nothing to ask, and it costs next
 * to nothing.
 */
#pragma once

#include "core/base.h"

#include <fcntl.h> /* AT_FDCWD */

/* From now on it is asked; in a process that never called this every path is near. */
void reach_begin(void);
/*
 * reach() - may one go there now?
 *
 * @dir: what a relative path begins at, or AT_FDCWD
 *
 * A file of a server's is opened and a byte of it read to learn that. Nothing is mounted for it.
 *
 * Returns 0, also when there is nothing of that name, or -ETIMEDOUT: whose file system it is does not answer.
 */
MUST_USE int reach(int dir, const char *path);
/* Is a file system of that type (f_type of statfs(2)) one that a server answers for, whom close(2) may wait for, too? */
bool reach_is_served(long type);
