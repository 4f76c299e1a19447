/* SPDX-License-Identifier: MIT */
/*
 * Planning: draft everything that the anchor pulls in, take out what cannot be and what need not be, settle what
 * contradicts itself, and merge the rest to one step a unit. Nothing here depends on the order in which units or edges
 * were made, but for the order of the steps.
 */
#include "core/job.h"

#include <stdlib.h>

#include "core/job_draft.h"
#include "core/job_order.h"

static const struct pull isolate_pull = {JOB_STOP, CAUSE_ISOLATE, true, false};
static const struct pull triggering_pull = {JOB_STOP, CAUSE_NONE, true, false};

/* Is the unit already where the job would bring it, and not about to be taken away from there? */
static bool is_redundant(const struct unit *u, enum job_type type)
{
	if (job_types_conflict(type, job_pending(u)))
		return false;
	if (type == JOB_START || type == JOB_VERIFY)
		return unit_is_active(u);
	return type == JOB_STOP && unit_is_at_rest(u);
}

/* --- taking out --- */

static int refuse(struct job_plan *p, enum job_refusal refusal, uint32_t unit, uint32_t by)
{
	p->refusal = refusal;
	p->culprit[0] = unit;
	p->culprit[1] = by;
	return (int)refusal;
}

/* Drafts of units that cannot be loaded: the plan fails when they matter, else goes without them. */
static int drop_refused(struct draft_set *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		const struct draft *d = &m->drafts[i];

		if (d->refusal == PLAN_OK)
			continue;
		if (d->matters)
			return refuse(m->plan, (enum job_refusal)d->refusal, d->unit, d->by);
		draft_kill(m, i);
	}
	draft_sweep(m);
	return 0;
}

/* Mode fail: do not stop what runs and do not change what is under way for the sake of what does not matter. */
static void drop_intrusive(struct draft_set *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		const struct draft *d = &m->drafts[i];
		const struct unit *u = m->r->units[d->unit];
		bool is_up = unit_is_active(u) || unit_coarse(u) == ACTIVATING;

		if (d->matters)
			continue;
		if ((d->type == JOB_STOP && is_up) ||
		    job_types_conflict((enum job_type)d->type, job_pending(u)))
			draft_kill(m, i);
	}
	draft_sweep(m);
}

/*
 * Units that are already where all their drafts would bring them need no job, and those who need them may go on. The
 * anchor stays: somebody asked for it and waits for the answer.
 */
static void drop_redundant(struct draft_set *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		const struct unit *u = m->r->units[m->drafts[i].unit];
		bool is_needed = false;

		if (u->plan_at != i + 1)
			continue;
		for (uint32_t d = i + 1; d != 0 && !is_needed; d = m->drafts[d - 1].sibling)
			is_needed = d == 1 ||
				    (!m->drafts[d - 1].is_dead &&
				     !is_redundant(u, (enum job_type)m->drafts[d - 1].type));
		for (uint32_t d = i + 1; d != 0 && !is_needed; d = m->drafts[d - 1].sibling)
			m->drafts[d - 1].is_dead = true;
	}
	draft_sweep(m);
	draft_mark(m);
}

/* --- contradictions --- */

/* The drafts of one unit that are alive, as far as a contradiction goes. */
struct sides {
	uint32_t stop;   /* the stop + 1, or 0 */
	bool has_others; /* something that wants the unit up */
	bool others_matter;
};

static struct sides sides_of(const struct draft_set *m, const struct unit *u)
{
	struct sides s = {0};

	for (uint32_t d = u->plan_at; d != 0; d = m->drafts[d - 1].sibling) {
		const struct draft *draft = &m->drafts[d - 1];

		if (draft->is_dead)
			continue;
		if (draft->type == JOB_STOP) {
			s.stop = d;
		} else {
			s.has_others = true;
			s.others_matter |= draft->matters;
		}
	}
	return s;
}

/* Is draft d a stop of a unit that is also wanted up? */
static bool is_contradicted(const struct draft_set *m, uint32_t d)
{
	return m->drafts[d].type == JOB_STOP && !m->drafts[d].is_dead &&
	       sides_of(m, m->r->units[m->drafts[d].unit]).has_others;
}

static bool is_conflicted(const struct draft_set *m, uint32_t d)
{
	for (uint32_t l = m->drafts[d].in; l != 0; l = m->links[l - 1].next_in)
		if (m->links[l - 1].conflicts && !m->drafts[m->links[l - 1].from].is_dead)
			return true;
	return false;
}

/*
 * The side that does not matter goes; when neither does, the unit that says Conflicts= is started and the other one is
 * not (systemd.unit(5)).
 */
static void resolve(struct draft_set *m, const struct unit *u)
{
	struct sides s = sides_of(m, u);

	if (s.stop == 0 || !s.has_others)
		return;
	if (!m->drafts[s.stop - 1].matters && (s.others_matter || !is_conflicted(m, s.stop - 1))) {
		draft_kill(m, s.stop - 1);
	} else {
		for (uint32_t d = u->plan_at; d != 0; d = m->drafts[d - 1].sibling)
			if (d != s.stop)
				draft_kill(m, d - 1);
	}
	draft_sweep(m);
}

/* Where both sides matter nothing can be done. Named is the conflict itself rather than a stop that follows from it. */
static int check_hopeless(struct draft_set *m, struct unit *const *units, uint32_t n)
{
	const struct draft *worst = NULL;

	for (uint32_t i = 0; i < n; i++) {
		struct sides s = sides_of(m, units[i]);
		const struct draft *stop = &m->drafts[s.stop - 1];

		if (!stop->matters || !s.others_matter)
			continue;
		if (is_conflicted(m, s.stop - 1))
			return refuse(m->plan, PLAN_CONTRADICTION, stop->unit, stop->by);
		if (!worst)
			worst = stop;
	}
	return worst ? refuse(m->plan, PLAN_CONTRADICTION, worst->unit, worst->by) : 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct unit *const *u = a;
	const struct unit *const *v = b;

	return strcmp((*u)->name, (*v)->name);
}

/*
 * One after the other in the order of names, as each may settle others. Each costs a sweep of the plan: contradictions
 * within one plan are few.
 */
static int resolve_all(struct draft_set *m)
{
	AUTO_MEM struct unit **units = NULL;
	uint32_t n = 0;
	uint32_t k = 0;
	int err;

	for (uint32_t i = 0; i < m->n; i++)
		n += is_contradicted(m, i);
	if (n == 0)
		return 0;
	units = mem_get(n * sizeof(struct unit *));
	if (!units)
		return err_here(-ENOMEM);
	for (uint32_t i = 0; i < m->n; i++)
		if (is_contradicted(m, i))
			units[k++] = m->r->units[m->drafts[i].unit];
	qsort(units, n, sizeof(struct unit *), compare_names);
	err = check_hopeless(m, units, n);
	for (uint32_t i = 0; i < n && err == 0; i++)
		resolve(m, units[i]);
	return err;
}

/* --- modes that add stops --- */

/* Is x, that may start others, going to stay up under isolation? */
static bool stays_up(const struct draft_set *m, const struct unit *x)
{
	struct sides s = sides_of(m, x);

	if (unit_is_at_rest(x))
		return false;
	return s.has_others || (s.stop == 0 && x->config && x->config->unit->ignore_on_isolate);
}

/* Has u something to stop, and is it not in the plan yet? */
static bool is_stoppable(const struct draft_set *m, const struct unit *u)
{
	struct sides s = sides_of(m, u);

	return s.stop == 0 && !s.has_others && !(unit_is_at_rest(u) && job_pending(u) == JOB_NONE);
}

static bool is_isolated_away(const struct draft_set *m, const struct unit *u)
{
	if ((u->config && u->config->unit->ignore_on_isolate) || !is_stoppable(m, u))
		return false;
	/* A service that its socket would only start again may as well stay. */
	graph_for_each(e, u, DEP_TRIGGERED_BY) if (stays_up(m, m->r->units[e->to])) return false;
	return true;
}

static int add_isolation(struct draft_set *m)
{
	int err = 0;

	for (uint32_t i = 0; i < m->r->n && err == 0; i++) {
		struct unit *u = m->r->units[i];

		if (u && is_isolated_away(m, u))
			err = draft_pull(m, 0, u, &isolate_pull);
	}
	return err;
}

/* Stop also what would start the anchor again. */
static int add_triggering(struct draft_set *m)
{
	const struct unit *anchor = m->r->units[m->drafts[0].unit];
	int err = 0;

	graph_for_each(e, anchor, DEP_TRIGGERED_BY)
	{
		struct unit *u = m->r->units[e->to];

		if (err == 0 && is_stoppable(m, u))
			err = draft_pull(m, 0, u, &triggering_pull);
	}
	return err;
}

static int add_stops(struct draft_set *m)
{
	int err = 0;

	if (m->mode == MODE_ISOLATE)
		err = add_isolation(m);
	else if (m->mode == MODE_TRIGGERING)
		err = add_triggering(m);
	if (err == 0)
		err = draft_expand(m);
	if (err == 0)
		draft_mark(m);
	return err;
}

/* --- steps --- */

static struct cause_ref cause_of(const struct draft_set *m, const struct draft *d)
{
	struct cause_ref c = cause_ref(m->cause);

	if (d->by != UNIT_NONE)
		c.unit = d->by;
	if (d->by != UNIT_NONE && d->cause != CAUSE_NONE)
		c.kind = d->cause;
	return c;
}

/* All living drafts of u as one step; type JOB_NONE when there are none. */
static struct job_step merge_drafts(const struct draft_set *m, const struct unit *u)
{
	struct job_step step = {.unit = u->id};

	for (uint32_t i = u->plan_at; i != 0; i = m->drafts[i - 1].sibling) {
		const struct draft *d = &m->drafts[i - 1];

		if (d->is_dead)
			continue;
		if (step.type == JOB_NONE || i == 1 || (d->matters && !step.matters))
			step.cause = cause_of(m, d);
		step.type = (uint8_t)job_merge((enum job_type)step.type, (enum job_type)d->type, u);
		step.is_anchor |= i == 1;
		step.matters |= d->matters;
	}
	return step;
}

static int make_steps(struct draft_set *m)
{
	struct job_plan *p = m->plan;

	p->steps = mem_get(m->n * sizeof(*p->steps));
	if (!p->steps)
		return err_here(-ENOMEM);
	p->cap = m->n;
	for (uint32_t i = 0; i < m->n; i++) {
		const struct unit *u = m->r->units[m->drafts[i].unit];
		struct job_step step;

		if (u->plan_at != i + 1)
			continue;
		step = merge_drafts(m, u);
		if (step.type != JOB_NONE &&
		    (step.is_anchor || !is_redundant(u, (enum job_type)step.type)))
			p->steps[p->n++] = step;
	}
	return 0;
}

/* Would a pending job be undone that must not be? */
static int check_destructive(struct draft_set *m)
{
	for (uint32_t i = 0; i < m->plan->n; i++) {
		const struct job_step *step = &m->plan->steps[i];
		const struct unit *u = m->r->units[step->unit];
		bool is_kept = m->mode == MODE_FAIL || (u->work->job.is_irreversible &&
							m->mode != MODE_REPLACE_IRREVERSIBLY);

		if (is_kept && job_types_conflict((enum job_type)step->type, job_pending(u)))
			return refuse(m->plan, PLAN_DESTRUCTIVE, step->unit, step->cause.unit);
	}
	return 0;
}

/* --- the whole --- */

/* What the files of the anchor say against it. */
static enum job_refusal check_config(const struct unit *u, enum job_type type, bool manual)
{
	const struct unit_config *c = u->config;
	enum job_refusal refusal = draft_refusal(u);

	/* What has no file can be stopped all the same, when it runs. */
	if (refusal != PLAN_OK &&
	    (type != JOB_STOP || (refusal == PLAN_NOT_FOUND && unit_is_at_rest(u))))
		return refusal;
	if (!c)
		return PLAN_OK;
	if (manual && c->unit->refuse_manual_start && (type == JOB_START || type == JOB_RESTART))
		return PLAN_NO_START_MANUAL;
	if (manual && c->unit->refuse_manual_stop && (type == JOB_STOP || type == JOB_RESTART))
		return PLAN_NO_STOP_MANUAL;
	return PLAN_OK;
}

static enum job_refusal check_anchor(const struct unit *u, enum job_type type, enum job_mode mode,
				     bool manual)
{
	enum job_refusal refusal;

	if (mode == MODE_ISOLATE && type != JOB_START)
		return PLAN_NOT_APPLICABLE;
	if (mode == MODE_TRIGGERING && type != JOB_STOP)
		return PLAN_NOT_APPLICABLE;
	if (!draft_is_possible(u, type))
		return PLAN_NOT_APPLICABLE;
	refusal = check_config(u, type, manual);
	if (refusal == PLAN_OK && mode == MODE_ISOLATE && manual && !u->config->unit->allow_isolate)
		refusal = PLAN_NO_ISOLATE;
	return refusal;
}

/* Draft everything and take out what cannot or need not be. */
static int make_drafts(struct draft_set *m, struct unit *anchor, enum job_type type)
{
	int err = draft_anchor(m, anchor, type);

	if (m->mode == MODE_IGNORE_DEPENDENCIES || m->mode == MODE_IGNORE_REQUIREMENTS)
		m->expanded_n = m->n;
	if (err == 0)
		err = draft_expand(m);
	if (err != 0)
		return err;
	draft_mark(m);
	err = drop_refused(m);
	if (err == 0)
		err = add_stops(m);
	if (err != 0)
		return err;
	if (m->mode == MODE_FAIL)
		drop_intrusive(m);
	drop_redundant(m);
	return resolve_all(m);
}

int job_plan_make(struct job_plan *p, struct registry *r, struct unit *anchor, enum job_type type,
		  enum job_mode mode, const struct cause *cause, bool manual)
{
	struct draft_set m = {.r = r, .plan = p, .mode = mode, .cause = cause};
	enum job_refusal refusal;
	int err;

	*p = (struct job_plan){.culprit = {UNIT_NONE, UNIT_NONE}};
	type = job_collapse(type, anchor);
	if (type == JOB_NONE)
		return 0;
	refusal = check_anchor(anchor, type, mode, manual);
	if (refusal != PLAN_OK)
		return refuse(p, refusal, anchor->id, UNIT_NONE);
	err = make_drafts(&m, anchor, type);
	if (err == 0)
		err = make_steps(&m);
	draft_set_fini(&m);
	if (err == 0)
		err = check_destructive(&m);
	if (err == 0)
		err = job_order_break(p, r, mode);
	if (err != 0)
		p->n = 0;
	return err;
}
