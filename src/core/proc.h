/* SPDX-License-Identifier: MIT */
/*
 * proc - identity of processes: pidfds, parents, start times, command lines. Never signals by number.
 * A process that does not exist (any more) is -ESRCH.
 */
#pragma once

#include "core/base.h"

#include <sys/types.h>

/* pidfd_open(2). Descriptor or -errno (-ESRCH: no such process). */
MUST_USE int proc_pidfd(pid_t pid);
/* pidfd_send_signal(2). 0 or -errno. */
MUST_USE int proc_signal_fd(int pidfd, int sig);
/* A copy of a descriptor that the process has, by pidfd_getfd(2): also of what nobody can open, as a socket. Descriptor or -errno. */
MUST_USE int proc_take_fd(pid_t pid, int fd);
/* Parent, start time (clock ticks since boot, proc(5) stat field 22). 0 or -errno. */
MUST_USE int proc_stat(pid_t pid, pid_t *ret_ppid, uint64_t *ret_start);
/* Command line with NULs as blanks and control bytes as '?', cut to cap - 1; falls back to [comm]. 0 or -errno. */
MUST_USE int proc_cmdline(pid_t pid, char *out, size_t cap);
/* comm, cut to cap - 1. */
MUST_USE int proc_comm(pid_t pid, char *out, size_t cap);
/* Real uid. */
MUST_USE int proc_uid(pid_t pid, uid_t *ret_uid);
/* Private memory in kB (all Private_* lines of smaps_rollup). */
MUST_USE int proc_private_kb(pid_t pid, uint64_t *ret_kb);
/*
 * A signal to every process of a session but `except` (0: none), each by a pidfd with the session looked at again before sending. For
 * systems without cgroups. Returns how many were signalled or -errno (no /proc).
 */
MUST_USE int proc_signal_session(pid_t sid, int sig, pid_t except);
/* Are we in the PID namespace that the kernel made first: is PID 1 that of the machine? */
bool proc_is_in_first_namespace(void);
