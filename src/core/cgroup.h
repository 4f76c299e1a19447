/* SPDX-License-Identifier: MIT */
/*
 * cgroup - the v2 hierarchy below one root: make, open, list, kill, empty?, remove.
 *
 * The root is found once: --cgroup-root, else the cgroup2 mount (/sys/fs/cgroup, or /sys/fs/cgroup/unified on hybrid
 * systems, by /proc/self/mountinfo) plus our own cgroup from /proc/self/cgroup. Where nothing can be written,
 * has_cgroups is false and callers fall back to sessions and process groups. Paths are relative to the root, e.g.
 * "system.slice/ssh.service"; "" is the root itself. Without cgroups all calls give -EOPNOTSUPP. What lies more than
 * 11 levels below a path is not looked at by the calls that walk. cgroups(7).
 */
#pragma once

#include "core/loop.h"

#include <sys/types.h>

/* Room for the longest path with its NUL. One that fills it was cut, and every call refuses it with -ENAMETOOLONG. */
enum { CGROUP_PATH = 1024 };
/* What lies in no other lies here; its cgroup is there as soon as cgroup_init() has returned. */
#define CGROUP_STANDARD_SLICE "system.slice"

struct cgroup_root {
	bool has_cgroups;
	bool has_kill;    /* cgroup.kill, Linux 5.14 */
	int dir_fd;       /* the root, or -1 */
	char path[256];   /* absolute */
	char prefix[256]; /* the root as /proc/PID/cgroup names it, "" for "/" */
	int inotify_fd;   /* cgroup.events of leftovers; the caller's */
};

/* dir: NULL to detect. Always returns a usable root; *ret_why says in plain words why there are no cgroups (or NULL). */
void cgroup_init(struct cgroup_root *r, const char *dir, int inotify_fd, const char **ret_why);
void cgroup_fini(struct cgroup_root *r);
/* mkdir -p; returns an O_DIRECTORY|O_CLOEXEC descriptor owned by the caller or -errno. */
MUST_USE int cgroup_make(struct cgroup_root *r, const char *path);
/* Makes an empty one where all above it is there. Whoever needs it makes it anyway, so nothing is told. */
void cgroup_prepare(struct cgroup_root *r, const char *path);
/* 1 populated, 0 empty or gone, -errno. One pread of cgroup.events. */
MUST_USE int cgroup_is_populated(struct cgroup_root *r, const char *path);
/* Every pid in the cgroup and below, in no order; at most max are stored, returns how many there are, or -errno. */
MUST_USE int cgroup_pids(struct cgroup_root *r, const char *path, pid_t *pids, int max);
/* Calls fn with the name (the last part of the path) of every cgroup below the root in which processes are. 0 or -errno. */
MUST_USE int cgroup_each_populated(struct cgroup_root *r, void (*fn)(void *arg, const char *name),
				   void *arg);
/* Move a process in. 0, -ESRCH (it is gone), -errno. */
MUST_USE int cgroup_take_in(struct cgroup_root *r, const char *path, pid_t pid);
/* SIGKILL to all by cgroup.kill; without it, per process by pidfd with membership looked at again. 0 or -errno. */
MUST_USE int cgroup_kill(struct cgroup_root *r, const char *path);
/* A signal to all members but `except` (0: none), by pidfd with the membership looked at again before sending.
 * Returns how many were signalled or -errno. */
MUST_USE int cgroup_signal(struct cgroup_root *r, const char *path, int sig, pid_t except);
/* Suspend all processes in and below it, or let them go on; the kernel takes its time (cgroup.events). 0 or -errno. */
MUST_USE int cgroup_freeze(struct cgroup_root *r, const char *path, bool is_frozen);
/* Is the process in that cgroup or below? By /proc/PID/cgroup. */
bool cgroup_has_pid(struct cgroup_root *r, const char *path, pid_t pid);
/* Path (relative to the root) of the cgroup of a process. 0, -ENOENT outside of the root, -errno. */
MUST_USE int cgroup_of_pid(struct cgroup_root *r, pid_t pid, char *out, size_t cap);
/* Notice when it becomes empty: adds an inotify watch on cgroup.events; returns the watch descriptor or -errno. */
MUST_USE int cgroup_watch(struct cgroup_root *r, const char *path);
void cgroup_unwatch(struct cgroup_root *r, int wd);
/* Next wd that changed (read from inotify_fd); one that was unwatched or whose cgroup went away comes once more.
 * -EAGAIN: no more; -EOVERFLOW: changes were lost, look at all again. */
MUST_USE int cgroup_next_change(struct cgroup_root *r);
/* rmdir depth first; -EBUSY when something lives there, -EINVAL for the root. Gone already is 0. */
MUST_USE int cgroup_remove(struct cgroup_root *r, const char *path);
