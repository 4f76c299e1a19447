/* SPDX-License-Identifier: MIT */
/*
 * scope - the scope type: processes that somebody else made, in a cgroup of their own. Its end is that the cgroup is empty.
 *
 * A scope has no command: it is told which processes are its own (PIDs=), takes them in once, and ends what is left of them by
 * KillMode= when it is stopped. Pure; the cgroup is the business of activate/scope.
 */
#pragma once

#include "core/unit.h"

struct scope_config {
	uint64_t runtime_max_us, timeout_stop_us;
	uint8_t oom_policy;     /* as of a service */
	struct name_list *pids; /* decimal numbers, taken in at the start */
	const char *controller; /* name on the bus of who is asked to stop it; or NULL */
};
/* Before any file was read. */
void scope_config_defaults(struct scope_config *s);

enum scope_state {
	SCOPE_DEAD,
	SCOPE_START_CHOWN, /* its processes are being taken in */
	SCOPE_RUNNING,
	SCOPE_ABANDONED, /* who made it no longer cares */
	SCOPE_STOP_SIGTERM,
	SCOPE_STOP_SIGKILL,
	SCOPE_FAILED,
	SCOPE_STATES
};

enum scope_result { SCOPE_SUCCESS, SCOPE_RESOURCES, SCOPE_TIMEOUT, SCOPE_RESULTS };

struct scope {
	struct unit unit;
	uint8_t result;        /* enum scope_result */
	bool is_left;          /* its controller is gone, or no longer cares */
	bool is_new;           /* it has begun since this manager lives */
	const char *fail_text; /* owned sentence: why the start failed */
};

extern const struct unit_type_ops scope_ops;

static inline struct scope *scope_of(struct unit *u)
{
	return u->type == UNIT_SCOPE ? container_of(u, struct scope, unit) : NULL;
}
/* Who has to be asked to stop u; NULL: nobody, or u is no scope. */
const char *scope_controller(struct unit *u);
/* Are its processes in its cgroup? */
static inline bool scope_has_processes(uint8_t state)
{
	return state >= SCOPE_RUNNING && state <= SCOPE_STOP_SIGKILL;
}
/* Default dependencies of systemd.scope(5). 0 or -ENOMEM. */
MUST_USE int scope_links(struct unit_config *c);
