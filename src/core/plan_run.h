/* SPDX-License-Identifier: MIT */
/*
 * plan_run - run a plan inside the child (linked into hark-init and hark-exec; no heap, no stdio, raw system calls).
 */
#pragma once

#include "core/plan.h"

struct plan_report {
	uint32_t step; /* enum plan_step */
	int32_t err;   /* errno */
};

struct plan_space {
	char **argv, **envp; /* room for args_max + 1 pointers each */
	unsigned args_max;
	unsigned argc, envc, pids_n; /* in use; a hook may add to envp */
	char pid_env[4][64]; /* texts of ENV_PID */
};

/* A hook for the steps marked PLAN_EXEC_ONLY: 0 or -errno. NULL in PID 1's child: such a step fails with -ENOSYS. */
typedef int (*plan_extra_fn)(const struct plan_record *record, struct plan_space *space);

/*
 * plan_run() - take the steps one after the other and exec. Returns only on failure, with *ret_report filled;
 * the caller reports it and leaves with the step's exit code. n: bytes of the plan, checked here record by record.
 */
void plan_run(const char *bytes, size_t n, struct plan_space *space, plan_extra_fn extra, struct plan_report *ret_report);
/* What the process leaves with when this step failed, systemd.exec(5). */
int plan_exit_code(unsigned step);
/* setsid(2), default dispositions for all signals, empty mask: what every child does first. */
void plan_fresh_process(void);
