/* SPDX-License-Identifier: MIT */
#include "units/path.h"

enum path_fsm_event {
	PE_START,
	PE_STOP,
	PE_RESET,
	PE_LIMIT,
	PE_TRIGGER,
	PE_BUSY,
	PE_REST,
	PE_REFUSED,
	PATH_FSM_EVENTS
};

static const char *const event_words[PATH_FSM_EVENTS] = {
	[PE_START] = "start",     [PE_STOP] = "stop",
	[PE_RESET] = "reset",     [PE_LIMIT] = "start-limit",
	[PE_TRIGGER] = "trigger", [PE_BUSY] = "unit-starts",
	[PE_REST] = "unit-rests", [PE_REFUSED] = "cannot-go-on",
};

static const struct fsm_state states[PATH_STATES] = {
	[PATH_DEAD] = {.name = "dead", .coarse = INACTIVE},
	[PATH_WAITING] = {.name = "waiting", .coarse = ACTIVE},
	[PATH_RUNNING] = {.name = "running", .coarse = ACTIVE},
	[PATH_FAILED] = {.name = "failed", .coarse = FAILED},
};

/* How to read it: waiting and running alternate with the life of the unit; what happens to the files while it runs is its own doing. */
#define GO(state, effects)                              \
	{                                               \
		.go = PATH_##state + 1, .fx = (effects) \
	}
static const struct fsm_cell cells[PATH_STATES][PATH_FSM_EVENTS] = {
	[PATH_DEAD] =
		{
			[PE_START] = GO(WAITING, FX_ARM | FX_WATCH),
			[PE_LIMIT] = GO(FAILED, 0),
		},
	[PATH_FAILED] =
		{
			[PE_START] = GO(WAITING, FX_ARM | FX_WATCH),
			[PE_RESET] = GO(DEAD, 0),
			[PE_LIMIT] = GO(FAILED, 0),
		},
	[PATH_WAITING] =
		{
			[PE_TRIGGER] = GO(RUNNING, FX_DISARM | FX_ACTIVATE),
			[PE_BUSY] = GO(RUNNING, FX_DISARM),
			[PE_REFUSED] = GO(FAILED, FX_DISARM),
			[PE_STOP] = GO(DEAD, FX_DISARM),
		},
	[PATH_RUNNING] =
		{
			[PE_REST] = GO(WAITING, FX_WATCH),
			[PE_REFUSED] = GO(FAILED, 0),
			[PE_STOP] = GO(DEAD, 0),
		},
};

const struct fsm path_fsm = {
	.type = "path",
	.states_n = PATH_STATES,
	.events_n = PATH_FSM_EVENTS,
	.states = states,
	.events = event_words,
	.cells = &cells[0][0],
};

static const char *const result_names[PATH_RESULTS] = {
#define RESULT(name, word) [PRES_##name] = word,
	PATH_RESULTS_LIST(RESULT)
#undef RESULT
};

/* The first thing that went wrong is what it failed of. */
static void note_result(struct path_unit *p, enum path_result r)
{
	if (p->result == PRES_SUCCESS)
		p->result = (uint8_t)r;
}

static int classify(struct unit *u, const struct event *e)
{
	struct path_unit *p = path_of(u);
	/* clang-format off */
	static const int8_t events[EVENT_KINDS] = {
		[EV_START] = PE_START + 1, [EV_STOP] = PE_STOP + 1, [EV_RESET] = PE_RESET + 1,
		[EV_START_LIMIT] = PE_LIMIT + 1, [EV_TRIGGER] = PE_TRIGGER + 1,
		[EV_TRIGGERED_ALIVE] = PE_BUSY + 1, [EV_TRIGGERED_DEAD] = PE_REST + 1,
		[EV_ARM_FAILED] = PE_REFUSED + 1,
	};
	/* clang-format on */
	bool is_limit = e->kind == EV_TRIGGERED_DEAD && e->a != 0;

	if (e->kind == EV_START)
		p->result = PRES_SUCCESS;
	else if (e->kind == EV_START_LIMIT)
		p->result = PRES_START_LIMIT;
	else if (is_limit && !unit_is_at_rest(u))
		note_result(p, PRES_UNIT_START_LIMIT);
	else if (e->kind == EV_ARM_FAILED)
		note_result(p, PRES_RESOURCES);
	return is_limit ? (int)PE_REFUSED : events[e->kind] - 1;
}

static const char *result_word(const struct unit *u)
{
	return result_names[container_of(u, const struct path_unit, unit)->result];
}

static void reset(struct unit *u)
{
	path_of(u)->result = PRES_SUCCESS;
}

static void fini(struct unit *u)
{
	struct path_unit *p = path_of(u);

	list_del(&p->node);
	mem_put(p->spots);
	mem_put((void *)(uintptr_t)p->fail_text);
}

const struct unit_type_ops path_ops = {
	.type = UNIT_PATH,
	.object_size = sizeof(struct path_unit),
	.fsm = &path_fsm,
	.classify = classify,
	.result = result_word,
	.reset = reset,
	.fini = fini,
};
