/* SPDX-License-Identifier: MIT */
#include "core/engine_inner.h"

/* --- what a change of one unit means for the others --- */

static void tell_triggers(struct engine *e, const struct unit *u, enum event_kind kind, int64_t a,
			  bool only_up)
{
	for (uint32_t i = 0; i < u->edges_n; i++) {
		struct unit *v = registry_unit(e->reg, u->edges[i].to);

		if (u->edges[i].type == DEP_TRIGGERED_BY && (!only_up || v->ops->hears_up))
			engine_post_simple(e, v, kind, a, 0, 0);
	}
}

void engine_tell_triggers(struct engine *e, const struct unit *u, enum event_kind kind)
{
	bool hit_limit = u->ops->result && strcmp(u->ops->result(u), "start-limit-hit") == 0;

	tell_triggers(e, u, kind, kind == EV_TRIGGERED_DEAD && hit_limit, false);
}

struct cause engine_cause_from(const struct unit *u, enum cause_kind kind)
{
	return (struct cause){.kind = (uint8_t)kind, .unit = u->id, .entry = u->why_entry};
}

/* What follows from a change of u that is told in the ledger at `entry` (0: nowhere). */
static struct cause cause_at(const struct unit *u, enum cause_kind kind, uint64_t entry)
{
	struct cause cause = engine_cause_from(u, kind);

	if (entry)
		cause.entry = entry;
	return cause;
}

static void ask_all(struct engine *e, const struct unit *u, enum dep_type dep, enum job_type type,
		    enum job_mode mode, const struct cause *cause)
{
	for (uint32_t i = 0; i < u->edges_n; i++)
		if (u->edges[i].type == dep)
			engine_ask(e, registry_unit(e->reg, u->edges[i].to), type, mode, cause, 0);
}

static bool is_needing(enum dep_type t)
{
	return t == DEP_REQUIRED_BY || t == DEP_REQUISITE_OF || t == DEP_WANTED_BY ||
	       t == DEP_BOUND_BY || t == DEP_UPHELD_BY;
}

bool engine_is_needed(const struct engine *e, const struct unit *u)
{
	for (uint32_t i = 0; i < u->edges_n; i++) {
		const struct unit *v = registry_unit(e->reg, u->edges[i].to);

		if (is_needing((enum dep_type)u->edges[i].type) &&
		    (!unit_is_at_rest(v) || v->work->job.id))
			return true;
	}
	return false;
}

/* StopWhenUnneeded= of the units that u pulled in. */
static void release_unneeded(struct engine *e, const struct unit *u, uint64_t entry)
{
	struct cause cause = cause_at(u, CAUSE_UNNEEDED, entry);

	for (uint32_t i = 0; i < u->edges_n; i++) {
		struct unit *v = registry_unit(e->reg, u->edges[i].to);

		if (!is_needing(dep_inverse((enum dep_type)u->edges[i].type)) || !v->config ||
		    !v->config->unit->stop_when_unneeded)
			continue;
		if (unit_is_active(v) && !v->work->job.id && !engine_is_needed(e, v))
			engine_ask(e, v, JOB_STOP, MODE_FAIL, &cause, 0);
	}
}

static void uphold(struct engine *e, struct unit *u)
{
	for (uint32_t i = 0; i < u->edges_n; i++) {
		struct unit *v = registry_unit(e->reg, u->edges[i].to);
		struct cause cause;

		if (u->edges[i].type != DEP_UPHELD_BY || !unit_is_active(v) || u->work->job.id)
			continue;
		cause = engine_cause_from(v, CAUSE_UPHELD);
		engine_ask(e, u, JOB_START, MODE_REPLACE, &cause, 0);
	}
}

void engine_uphold(struct engine *e, const struct unit *u)
{
	struct cause cause = engine_cause_from(u, CAUSE_UPHELD);

	for (uint32_t i = 0; i < u->edges_n && unit_is_active(u); i++) {
		struct unit *v = registry_unit(e->reg, u->edges[i].to);

		if (u->edges[i].type == DEP_UPHOLDS && unit_is_at_rest(v) && !v->work->job.id)
			engine_ask(e, v, JOB_START, MODE_REPLACE, &cause, 0);
	}
}

static void came_to_rest(struct engine *e, struct unit *u, enum coarse now, uint64_t entry)
{
	struct cause cause =
		cause_at(u, now == FAILED ? CAUSE_ON_FAILURE : CAUSE_ON_SUCCESS, entry);

	engine_tell_triggers(e, u, EV_TRIGGERED_DEAD);
	if (now == FAILED) {
		ask_all(e, u, DEP_ON_FAILURE, JOB_START,
			(enum job_mode)u->config->unit->on_failure_job_mode, &cause);
		e->ops->emergency(e->arg, u,
				  (enum emergency_action)u->config->unit->failure_action);
	} else {
		ask_all(e, u, DEP_ON_SUCCESS, JOB_START,
			(enum job_mode)u->config->unit->on_success_job_mode, &cause);
		e->ops->emergency(e->arg, u,
				  (enum emergency_action)u->config->unit->success_action);
	}
	release_unneeded(e, u, entry);
	uphold(e, u);
}

static bool is_up(enum coarse state)
{
	return state == ACTIVE || state == RELOADING;
}

static void tell_rise(struct engine *e, const struct unit *u, enum coarse before, enum coarse now)
{
	if ((before == INACTIVE || before == FAILED) && now != INACTIVE && now != FAILED)
		engine_tell_triggers(e, u, EV_TRIGGERED_ALIVE);
	if (!is_up(before) && is_up(now))
		tell_triggers(e, u, EV_TRIGGERED_ALIVE, 1, true);
}

void engine_propagate(struct engine *e, struct unit *u, enum coarse before, enum coarse now,
		      uint64_t entry)
{
	struct cause died = cause_at(u, CAUSE_DEPENDENCY_DIED, entry);
	bool was_resting = before == INACTIVE || before == FAILED;
	bool is_resting = now == INACTIVE || now == FAILED;

	tell_rise(e, u, before, now);
	if (is_up(before) && (is_resting || now == DEACTIVATING) && u->work->job.type != JOB_STOP &&
	    u->work->job.type != JOB_RESTART)
		ask_all(e, u, DEP_BOUND_BY, JOB_STOP, MODE_REPLACE, &died);
	if (!was_resting && is_resting)
		came_to_rest(e, u, now, entry);
	else if (now == FAILED && before != FAILED)
		came_to_rest(e, u, now, entry);
}
