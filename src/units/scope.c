/* SPDX-License-Identifier: MIT */
#include "units/scope.h"

#include "core/job.h"
#include "units/dep.h"

enum { TIMEOUT_NONE, TIMEOUT_RUNTIME, TIMEOUT_STOP };

/* clang-format off */
#define EVENT_LIST(EVENT) \
	EVENT(START, "start") EVENT(STOP, "stop") EVENT(RESET, "reset") EVENT(ARMED, "armed") \
	EVENT(ARM_FAILED, "arm-failed") EVENT(ABANDON, "abandon") EVENT(END_OK, "end-ok") \
	EVENT(END_FAIL, "end-fail") EVENT(TIMEOUT, "timeout") EVENT(LEFT, "left")
/* clang-format on */
enum scope_event {
#define EVENT(name, word) PE_##name,
	EVENT_LIST(EVENT)
#undef EVENT
		PE_EVENTS
};

static const char *const event_words[PE_EVENTS] = {
#define EVENT(name, word) word,
	EVENT_LIST(EVENT)
#undef EVENT
};

static const struct fsm_state states[SCOPE_STATES] = {
	[SCOPE_DEAD] = {"dead", INACTIVE, 0, TIMEOUT_NONE, false},
	[SCOPE_START_CHOWN] = {"start-chown", ACTIVATING, 0, TIMEOUT_NONE, false},
	[SCOPE_RUNNING] = {"running", ACTIVE, 0, TIMEOUT_RUNTIME, false},
	[SCOPE_ABANDONED] = {"abandoned", ACTIVE, 0, TIMEOUT_NONE, false},
	[SCOPE_STOP_SIGTERM] = {"stop-sigterm", DEACTIVATING, 0, TIMEOUT_STOP, false},
	[SCOPE_STOP_SIGKILL] = {"stop-sigkill", DEACTIVATING, 0, TIMEOUT_STOP, false},
	[SCOPE_FAILED] = {"failed", FAILED, 0, TIMEOUT_NONE, false},
};

/* How to read it: as the service's (units/service.c). */
#define GO(state, effects)                               \
	{                                                \
		.go = SCOPE_##state + 1, .fx = (effects) \
	}

/* Its end has to be seen: a manager that took over may not have come to watch it yet. */
#define STOP_IT GO(STOP_SIGTERM, FX_KILL_TERM | FX_WATCH)

/* clang-format off */
static const struct fsm_cell cells[SCOPE_STATES][PE_EVENTS] = {
	[SCOPE_DEAD] = {
		[PE_START] = GO(START_CHOWN, FX_ARM),
	},
	[SCOPE_FAILED] = {
		[PE_START] = GO(START_CHOWN, FX_ARM),
		[PE_RESET] = GO(DEAD, 0),
	},
	[SCOPE_START_CHOWN] = {
		[PE_ARMED]      = GO(RUNNING, FX_WATCH),
		[PE_ARM_FAILED] = GO(FAILED, FX_FORGET),
		[PE_STOP]       = STOP_IT,
	},
	[SCOPE_RUNNING] = {
		[PE_END_OK]   = GO(DEAD, FX_FORGET),
		[PE_END_FAIL] = GO(FAILED, FX_FORGET),
		[PE_STOP]     = STOP_IT,
		[PE_TIMEOUT]  = STOP_IT,
		[PE_ABANDON]  = GO(ABANDONED, 0),
	},
	[SCOPE_ABANDONED] = {
		[PE_END_OK]   = GO(DEAD, FX_FORGET),
		[PE_END_FAIL] = GO(FAILED, FX_FORGET),
		[PE_STOP]     = STOP_IT,
	},
	[SCOPE_STOP_SIGTERM] = {
		[PE_END_OK]   = GO(DEAD, FX_FORGET),
		[PE_END_FAIL] = GO(FAILED, FX_FORGET),
		[PE_LEFT]     = GO(STOP_SIGTERM, FX_KILL_TERM),
		[PE_TIMEOUT]  = GO(STOP_SIGKILL, FX_KILL_ALL),
	},
	[SCOPE_STOP_SIGKILL] = {
		[PE_END_OK]   = GO(DEAD, FX_FORGET),
		[PE_END_FAIL] = GO(FAILED, FX_FORGET),
		[PE_TIMEOUT]  = GO(FAILED, FX_FORGET),
	},
};
/* clang-format on */

static const struct fsm scope_fsm = {
	.type = "scope",
	.states_n = SCOPE_STATES,
	.events_n = PE_EVENTS,
	.states = states,
	.events = event_words,
	.cells = &cells[0][0],
};

static int on_start(struct scope *s)
{
	s->result = SCOPE_SUCCESS;
	s->is_left = false;
	s->is_new = true;
	return PE_START;
}

static int leave(struct scope *s, int event)
{
	s->is_left = true;
	return event;
}

static int fail(struct scope *s, enum scope_result result, int event)
{
	if (s->result == SCOPE_SUCCESS)
		s->result = (uint8_t)result;
	return event;
}

static int classify(struct unit *u, const struct event *e)
{
	struct scope *s = scope_of(u);

	switch ((enum event_kind)e->kind) {
	case EV_START:
		return on_start(s);
	case EV_STOP:
		return PE_STOP;
	case EV_RESET:
		return PE_RESET;
	case EV_ARMED:
		return PE_ARMED;
	case EV_ARM_FAILED:
		return fail(s, SCOPE_RESOURCES, PE_ARM_FAILED);
	case EV_ABANDON:
		return leave(s, PE_ABANDON);
	case EV_NAME_LOST:
		return leave(s, PE_LEFT);
	case EV_EMPTY:
		return s->result == SCOPE_SUCCESS ? PE_END_OK : PE_END_FAIL;
	case EV_TIMEOUT:
		return fail(s, SCOPE_TIMEOUT, PE_TIMEOUT);
	case EV_NONE:
	case EV_RELOAD:
	case EV_START_LIMIT:
	case EV_ASK:
	case EV_SPAWNED:
	case EV_SPAWN_FAILED:
	case EV_EXECED:
	case EV_EXITED:
	case EV_READY:
	case EV_RELOADING:
	case EV_STOPPING:
	case EV_MAIN_PID:
	case EV_EXTEND:
	case EV_WATCHDOG:
	case EV_TRIGGER:
	case EV_TRIGGERED_ALIVE:
	case EV_TRIGGERED_DEAD:
	case EV_NAME_OWNED:
	case EV_MOUNTED:
	case EV_UNMOUNTED:
	case EV_NOTHING:
	case EV_DEVICE:
	case EVENT_KINDS:
		break;
	}
	return -1;
}

const char *scope_controller(struct unit *u)
{
	const struct scope *s = scope_of(u);

	return s && u->config && !s->is_left ? u->config->own->scope->controller : NULL;
}

/* Once only: by another time the numbers of its processes may be those of others. */
static int can_start(struct unit *u)
{
	return u->inactive_exit_us && unit_is_at_rest(u) ? JOB_RES_UNSUPPORTED : 0;
}

static const char *result_word(const struct unit *u)
{
	static const char *const words[SCOPE_RESULTS] = {
		[SCOPE_SUCCESS] = "success",
		[SCOPE_RESOURCES] = "resources",
		[SCOPE_TIMEOUT] = "timeout",
	};

	return words[container_of(u, const struct scope, unit)->result];
}

static void reset(struct unit *u)
{
	scope_of(u)->result = SCOPE_SUCCESS;
}

static uint64_t timeout_us(const struct unit *u, uint8_t which)
{
	const struct scope_config *c = u->config->own->scope;

	return which == TIMEOUT_STOP ? c->timeout_stop_us : c->runtime_max_us;
}

static void fini(struct unit *u)
{
	mem_put((void *)(uintptr_t)scope_of(u)->fail_text);
}

const struct unit_type_ops scope_ops = {
	.type = UNIT_SCOPE,
	.object_size = sizeof(struct scope),
	.fsm = &scope_fsm,
	.classify = classify,
	.can_start = can_start,
	.result = result_word,
	.reset = reset,
	.timeout_us = timeout_us,
	.fini = fini,
};

/* --- configuration --- */

void scope_config_defaults(struct scope_config *s)
{
	*s = (struct scope_config){.runtime_max_us = TIME_NEVER,
				   .timeout_stop_us = 90 * US_PER_SEC};
}

static const struct dep default_deps[] = {
	DEP_DEFAULTS(default_deps, 0, DEP_CONFLICTS, "shutdown.target"),
	DEP_DEFAULTS_END(1, DEP_BEFORE, "shutdown.target"),
};

int scope_links(struct unit_config *c)
{
	struct dep_list l;
	int r;

	dep_list_init(&l, c);
	r = dep_add_slice(&l);
	dep_add_defaults(&l, default_deps);
	return r;
}
