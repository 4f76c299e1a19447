/* SPDX-License-Identifier: MIT */
#include "units/passive.h"

enum passive_event { PE_START, PE_STOP, PASSIVE_EVENTS };

static const char *const event_words[PASSIVE_EVENTS] = {[PE_START] = "start", [PE_STOP] = "stop"};

static const struct fsm_state states[PASSIVE_STATES] = {
	[PASSIVE_DEAD] = {.name = "dead", .coarse = INACTIVE},
	[PASSIVE_ACTIVE] = {.name = "active", .coarse = ACTIVE},
};

static const struct fsm_cell cells[PASSIVE_STATES][PASSIVE_EVENTS] = {
	[PASSIVE_DEAD] = {[PE_START] = {.go = PASSIVE_ACTIVE + 1}},
	[PASSIVE_ACTIVE] = {[PE_STOP] = {.go = PASSIVE_DEAD + 1}},
};

/* A slice has a cgroup, which outlives those of all units in it: they require it. */
static const struct fsm_cell slice_cells[PASSIVE_STATES][PASSIVE_EVENTS] = {
	[PASSIVE_DEAD] = {[PE_START] = {.go = PASSIVE_ACTIVE + 1, .fx = FX_ARM}},
	[PASSIVE_ACTIVE] = {[PE_STOP] = {.go = PASSIVE_DEAD + 1, .fx = FX_FORGET}},
};

static const struct fsm passive_fsm = {
	.type = "passive",
	.states_n = PASSIVE_STATES,
	.events_n = PASSIVE_EVENTS,
	.states = states,
	.events = event_words,
	.cells = &cells[0][0],
};

static const struct fsm slice_fsm = {
	.type = "slice",
	.states_n = PASSIVE_STATES,
	.events_n = PASSIVE_EVENTS,
	.states = states,
	.events = event_words,
	.cells = &slice_cells[0][0],
};

static int classify(struct unit *u UNUSED, const struct event *e)
{
	return e->kind == EV_START ? (int)PE_START : e->kind == EV_STOP ? (int)PE_STOP : -1;
}

static int refuse_start(struct unit *u UNUSED)
{
	return JOB_RES_UNSUPPORTED;
}

#define PASSIVE(t, machine)                                                         \
	{                                                                           \
		.type = (t), .object_size = sizeof(struct unit), .fsm = &(machine), \
		.classify = classify,                                               \
	}
#define UNSUPPORTED(t)                                                                \
	{                                                                             \
		.type = (t), .object_size = sizeof(struct unit), .fsm = &passive_fsm, \
		.classify = classify, .can_start = refuse_start,                      \
	}

const struct unit_type_ops target_ops = PASSIVE(UNIT_TARGET, passive_fsm);
const struct unit_type_ops slice_ops = PASSIVE(UNIT_SLICE, slice_fsm);
const struct unit_type_ops no_busname_ops = UNSUPPORTED(UNIT_BUSNAME);
