/* SPDX-License-Identifier: MIT */
/*
 * plan_run - run a plan inside the child (linked into hark-init and hark-exec; no heap, no stdio, raw system calls).
 */
#pragma once

#include "core/plan.h"

struct plan_report {
	uint32_t step; /* enum plan_step */
	int32_t err;   /* errno; 0: this step is about to be taken */
};

struct plan_space {
	char **argv, **envp; /* room for args_max + 1 pointers each */
	unsigned args_max;
	unsigned argc, envc, pids_n; /* in use, 0 at first; a hook may add to envp */
	struct plan_report *said;    /* its step is set to PLAN_EXEC just before the exec */
	char pid_env[4][64];         /* texts of ENV_PID */
};

/* A hook for the steps marked PLAN_EXEC_ONLY: 0 or -errno. NULL in PID 1's child: such a step fails with -ENOSYS. */
typedef int (*plan_extra_fn)(const struct plan_record *record, struct plan_space *space);

/*
 * plan_run() - the steps one after the other, and exec.
 *
 * @bytes, @n: the plan, checked here record by record
 * @space:     zeroed but for argv, envp, args_max and said
 *
 * Returns only on failure, with what failed; the caller reports it and leaves with the step's exit code.
 */
struct plan_report plan_run(const char *bytes, size_t n, struct plan_space *space,
			    plan_extra_fn extra);
