/* SPDX-License-Identifier: MIT */
#include "units/passive.h"

#include "units/dep.h"

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

/* --- names on the bus --- */

enum name_event { NE_LOST, NE_OWNED, NAME_EVENTS };

static const char *const name_event_words[NAME_EVENTS] = {
	[NE_LOST] = "lost",
	[NE_OWNED] = "owned",
};

static const struct fsm_state name_states[PASSIVE_STATES] = {
	[PASSIVE_DEAD] = {.name = "dead", .coarse = INACTIVE},
	[PASSIVE_ACTIVE] = {.name = "owned", .coarse = ACTIVE},
};

/* Each time somebody takes the name it pulls in what it wants. */
static const struct fsm_cell name_cells[PASSIVE_STATES][NAME_EVENTS] = {
	[PASSIVE_DEAD] = {[NE_OWNED] = {.go = PASSIVE_ACTIVE + 1, .fx = FX_PULL}},
	[PASSIVE_ACTIVE] = {[NE_LOST] = {.go = PASSIVE_DEAD + 1}},
};

static const struct fsm name_fsm = {
	.type = "busname",
	.states_n = PASSIVE_STATES,
	.events_n = NAME_EVENTS,
	.states = name_states,
	.events = name_event_words,
	.cells = &name_cells[0][0],
};

static int classify_name(struct unit *u UNUSED, const struct event *e)
{
	return e->kind == EV_NAME_OWNED  ? (int)NE_OWNED
	       : e->kind == EV_NAME_LOST ? (int)NE_LOST
					 : -1;
}

int busname_links(struct unit_config *c)
{
	struct dep_list l;
	int r;

	dep_list_init(&l, c);
	r = dep_add(&l, DEP_WANTS, DEP_IMPLICIT, "hark-bus.service");
	return r == 0 ? dep_add(&l, DEP_AFTER, DEP_IMPLICIT, "hark-bus.service") : r;
}

#define PASSIVE(t, machine)                                                         \
	{                                                                           \
		.type = (t), .object_size = sizeof(struct unit), .fsm = &(machine), \
		.classify = classify,                                               \
	}
const struct unit_type_ops target_ops = PASSIVE(UNIT_TARGET, passive_fsm);
const struct unit_type_ops slice_ops = PASSIVE(UNIT_SLICE, slice_fsm);
const struct unit_type_ops busname_ops = {
	.type = UNIT_BUSNAME,
	.object_size = sizeof(struct unit),
	.fsm = &name_fsm,
	.classify = classify_name,
	.is_outside = true,
};
