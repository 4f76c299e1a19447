/* SPDX-License-Identifier: MIT */
/*
 * describe_env - the environment of one process while it is put together: later settings of a name replace earlier ones.
 *
 * Texts live in the arena given. The first failure (-ENOMEM) is kept in err; everything after it does nothing.
 */
#pragma once

#include "core/mem.h"
#include "core/str.h"
#include "units/exec_config.h"

struct env_item {
	const char *text; /* "NAME=value" */
	bool is_pid;      /* "NAME=": the child appends its own pid */
};

struct env {
	struct arena *arena;
	struct env_item *items;
	uint32_t n, cap;
	int err;
};

/* "NAME=value", copied. What is no assignment to a valid name is passed over. */
void env_put(struct env *e, const char *assignment);
/* value may be NULL: nothing is set. */
void env_set(struct env *e, const char *name, const char *value);
void env_setf(struct env *e, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
void env_set_pid(struct env *e, const char *name);
/* By NAME, or only when it has that value: "NAME=value". UnsetEnvironment=. */
void env_unset(struct env *e, const char *what);
/* Value or NULL; words_env_fn. arg: struct env *. A value that only the child knows reads as NULL. */
const char *env_get(void *arg, struct str name);
/* PassEnvironment=, Environment=, EnvironmentFile= and UnsetEnvironment=, in that order. 0, -ENOMEM, or -errno of
 * *ret_file (borrowed), a file that cannot be read. */
MUST_USE int env_configured(struct env *e, const struct exec_config *c,
			    const struct name_list **ret_file);
/* What every service gets: PATH, the language of the system, in a session also its own variables. 0 or -ENOMEM. */
MUST_USE int env_base(struct env *e, bool is_session);
