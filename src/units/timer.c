/* SPDX-License-Identifier: MIT */
#include "units/timer.h"

/* --- the next time --- */

/* The next time of a calendar on the monotonic clock; one that was missed is now. */
static uint64_t calendar_due(const struct calendar *c, const struct timer_facts *f)
{
	const struct zone *zone = c->is_utc ? NULL : f->zone(f->zone_arg, c->zone);
	uint64_t since_active = f->now_us - f->active_us;
	uint64_t base = f->last_wall_us     ? f->last_wall_us
			: f->active_wall_us ? f->active_wall_us
			: f->active_us      ? f->now_wall_us - since_active
					    : f->now_wall_us;
	uint64_t next;

	/* A clock that was set back: what it had not come to yet is to come. */
	if (!f->last_wall_us && base > f->now_wall_us)
		base = f->now_wall_us;

	if (!calendar_next(c, zone, base, &next))
		return TIME_NEVER;
	return next > f->now_wall_us ? time_add(f->now_us, next - f->now_wall_us) : f->now_us;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t event_due(const struct timer_event *e, const struct timer_facts *f)
{
	uint64_t base = 0;
	uint64_t due;

	switch ((enum timer_base)e->base) {
	case TIMER_CALENDAR:
		return calendar_due(&e->calendar, f);
	case TIMER_UNIT_ACTIVE:
		base = later(f->unit_start_us, f->last_us);
		return base ? time_add(base, e->span_us) : TIME_NEVER;
	case TIMER_UNIT_INACTIVE:
		base = later(f->unit_end_us, f->last_us);
		return base ? time_add(base, e->span_us) : TIME_NEVER;
	case TIMER_ACTIVE:
		base = f->active_us ? f->active_us : f->now_us;
		break;
	case TIMER_STARTUP:
		base = f->startup_us;
		break;
	case TIMER_BOOT:
	case TIMER_BASES:
		break;
	}
	due = time_add(base, e->span_us);
	/* These come once. */
	return f->last_us && due < f->now_us ? TIME_NEVER : due;
}

uint64_t timer_next_us(const struct timer_config *t, const struct timer_facts *f)
{
	uint64_t first = TIME_NEVER;

	for (const struct timer_event *e = t->events; e; e = e->next) {
		uint64_t due = event_due(e, f);

		if (due < first)
			first = due;
	}
	return time_add(first, f->delay_us);
}

/* --- the machine --- */

enum timer_fsm_event {
	TE_START,
	TE_STOP,
	TE_RESET,
	TE_LIMIT,
	TE_TRIGGER,
	TE_CHANGE,
	TE_REST,
	TE_SPENT,
	TE_GONE,
	TIMER_FSM_EVENTS
};

static const char *const event_words[TIMER_FSM_EVENTS] = {
	[TE_START] = "start",
	[TE_STOP] = "stop",
	[TE_RESET] = "reset",
	[TE_LIMIT] = "start-limit",
	[TE_TRIGGER] = "trigger",
	[TE_CHANGE] = "unit-changes",
	[TE_REST] = "unit-rests",
	[TE_SPENT] = "no-time-left",
	[TE_GONE] = "no-time-left-and-not-kept",
};

static const struct fsm_state states[TIMER_STATES] = {
	[TIMER_DEAD] = {.name = "dead", .coarse = INACTIVE},
	[TIMER_WAITING] = {.name = "waiting", .coarse = ACTIVE},
	[TIMER_RUNNING] = {.name = "running", .coarse = ACTIVE},
	[TIMER_ELAPSED] = {.name = "elapsed", .coarse = ACTIVE},
	[TIMER_FAILED] = {.name = "failed", .coarse = FAILED},
};

/* How to read it: waiting and running alternate with the life of the unit; any change of the unit may give a new time. */
#define GO(state, effects)                               \
	{                                                \
		.go = TIMER_##state + 1, .fx = (effects) \
	}
static const struct fsm_cell cells[TIMER_STATES][TIMER_FSM_EVENTS] = {
	[TIMER_DEAD] =
		{
			[TE_START] = GO(WAITING, FX_ARM | FX_WATCH),
			[TE_LIMIT] = GO(FAILED, 0),
		},
	[TIMER_FAILED] =
		{
			[TE_START] = GO(WAITING, FX_ARM | FX_WATCH),
			[TE_RESET] = GO(DEAD, 0),
			[TE_LIMIT] = GO(FAILED, 0),
		},
	[TIMER_WAITING] =
		{
			[TE_TRIGGER] = GO(RUNNING, FX_DISARM | FX_ACTIVATE),
			[TE_CHANGE] = GO(WAITING, FX_WATCH),
			[TE_REST] = GO(WAITING, FX_WATCH),
			[TE_SPENT] = GO(ELAPSED, FX_DISARM),
			[TE_GONE] = GO(DEAD, FX_DISARM),
			[TE_STOP] = GO(DEAD, FX_DISARM),
		},
	[TIMER_RUNNING] =
		{
			[TE_REST] = GO(WAITING, FX_WATCH),
			[TE_STOP] = GO(DEAD, FX_DISARM),
		},
	[TIMER_ELAPSED] =
		{
			[TE_CHANGE] = GO(WAITING, FX_WATCH),
			[TE_REST] = GO(WAITING, FX_WATCH),
			[TE_STOP] = GO(DEAD, FX_DISARM),
		},
};

const struct fsm timer_fsm = {
	.type = "timer",
	.states_n = TIMER_STATES,
	.events_n = TIMER_FSM_EVENTS,
	.states = states,
	.events = event_words,
	.cells = &cells[0][0],
};

static int classify(struct unit *u, const struct event *e)
{
	struct timer_unit *t = timer_of(u);

	if (e->kind == EV_START || e->kind == EV_START_LIMIT)
		t->is_over_start_limit = e->kind == EV_START_LIMIT;
	/* clang-format off */
	static const int8_t events[EVENT_KINDS] = {
		[EV_START] = TE_START + 1, [EV_STOP] = TE_STOP + 1, [EV_RESET] = TE_RESET + 1,
		[EV_START_LIMIT] = TE_LIMIT + 1, [EV_TRIGGER] = TE_TRIGGER + 1,
		[EV_TRIGGERED_ALIVE] = TE_CHANGE + 1, [EV_TRIGGERED_DEAD] = TE_REST + 1,
		[EV_NOTHING] = TE_SPENT + 1,
	};
	/* clang-format on */
	if (e->kind == EV_NOTHING && !u->config->own->timer->remain_after_elapse)
		return TE_GONE;
	return events[e->kind] - 1;
}

static const char *result_word(const struct unit *u)
{
	return container_of(u, const struct timer_unit, unit)->is_over_start_limit
		       ? "start-limit-hit"
		       : "success";
}

static void reset(struct unit *u)
{
	timer_of(u)->is_over_start_limit = false;
}

const struct unit_type_ops timer_ops = {
	.type = UNIT_TIMER,
	.object_size = sizeof(struct timer_unit),
	.fsm = &timer_fsm,
	.classify = classify,
	.result = result_word,
	.reset = reset,
};
