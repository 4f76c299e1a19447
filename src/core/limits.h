/* SPDX-License-Identifier: MIT */
/*
 * limits - what a unit's cgroup may have of memory, processors, tasks and I/O: its settings written to the attribute files
 * of cgroup v2, and the controllers that these need turned on above it. Kernel: Documentation/admin-guide/cgroup-v2.rst
 */
#pragma once

#include "core/hark.h"

/*
 * limits_apply() - for a unit whose cgroup exists, before a process is in it.
 *
 * @path: of the cgroup, relative to the root of ours
 * @dir:  the cgroup itself, borrowed
 *
 * The slices that it lies in get theirs with it. What this machine cannot do is told once in the log and stays in the
 * unit's status; the unit runs all the same. True where its memory is limited or counted: the OOM killer of the cgroup may come,
 * and ends all processes that share memory with the one it takes.
 */
bool limits_apply(struct hark *h, struct unit *u, const char *path, int dir);
