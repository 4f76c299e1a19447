/* SPDX-License-Identifier: MIT */
#include "core/job.h"

const char *const job_mode_names[JOB_MODES] = {
#define MODE(name, word) [MODE_##name] = (word),
	JOB_MODES_LIST(MODE)
#undef MODE
};

enum job_type job_collapse(enum job_type type, const struct unit *u)
{
	bool is_down = unit_is_at_rest(u) || unit_coarse(u) == DEACTIVATING;

	switch (type) {
	case JOB_TRY_RESTART:
		return is_down ? JOB_NONE : JOB_RESTART;
	case JOB_TRY_RELOAD:
		return is_down ? JOB_NONE : JOB_RELOAD;
	case JOB_RELOAD_OR_START:
		return is_down ? JOB_START : JOB_RELOAD;
	case JOB_NONE:
	case JOB_START:
	case JOB_VERIFY:
	case JOB_STOP:
	case JOB_RELOAD:
	case JOB_RESTART:
	case JOB_TYPES:
		break;
	}
	return type;
}

bool job_types_conflict(enum job_type a, enum job_type b)
{
	return a != JOB_NONE && b != JOB_NONE && (a == JOB_STOP) != (b == JOB_STOP);
}

enum job_type job_merge(enum job_type a, enum job_type b, const struct unit *u)
{
	if (a == b || b == JOB_NONE)
		return a;
	if (a == JOB_NONE)
		return b;
	if (a == JOB_RESTART || b == JOB_RESTART)
		return JOB_RESTART;
	/* Left are two different ones of start, verify and reload. */
	if (a != JOB_RELOAD && b != JOB_RELOAD)
		return JOB_START;
	if (a == JOB_START || b == JOB_START)
		return job_collapse(JOB_RELOAD_OR_START, u);
	return JOB_RELOAD;
}

bool job_is_runnable(const struct registry *r, const struct unit *u)
{
	const struct job *j = &u->work->job;

	if (j->id == 0)
		return false;
	if (j->ignores_order)
		return true;
	for (uint32_t i = 0; i < u->edges_n; i++) {
		const struct edge *e = &u->edges[i];
		const struct job *other;

		if ((e->type != DEP_BEFORE && e->type != DEP_AFTER) || e->is_broken)
			continue;
		other = &r->units[e->to]->work->job;
		if (other->id != 0 && !other->ignores_order &&
		    job_waits(e, (enum job_type)j->type, (enum job_type)other->type))
			return false;
	}
	return true;
}

/* --- applying --- */

/* All but the queue node, which belongs to the engine. */
static void clear(struct job *j)
{
	j->id = 0;
	j->type = j->after_stop = JOB_NONE;
	j->is_running = j->is_irreversible = j->ignores_order = j->is_counted = false;
}

static void cancel(struct unit *u, const struct job_sink *sink)
{
	sink->canceled(sink->arg, u);
	clear(&u->work->job);
}

/* What a flush or an isolation leaves no place for: the jobs of all units without a step. */
static void cancel_others(const struct job_plan *p, struct registry *r, enum job_mode mode,
			  const struct job_sink *sink)
{
	for (uint32_t i = 0; i < p->n; i++)
		r->units[p->steps[i].unit]->plan_at = i + 1;
	for (uint32_t i = 0; i < r->n; i++) {
		struct unit *u = r->units[i];

		if (!u || job_pending(u) == JOB_NONE || u->plan_at != 0 ||
		    u->work->job.is_irreversible)
			continue;
		if (mode == MODE_ISOLATE && u->config && u->config->unit->ignore_on_isolate)
			continue;
		cancel(u, sink);
	}
	for (uint32_t i = 0; i < p->n; i++)
		r->units[p->steps[i].unit]->plan_at = 0;
}

static void install(const struct job_step *step, struct unit *u, enum job_mode mode,
		    const struct job_sink *sink)
{
	enum job_type type = (enum job_type)step->type;
	bool is_firm = mode == MODE_REPLACE_IRREVERSIBLY,
	     is_free = mode == MODE_IGNORE_DEPENDENCIES, is_kept;
	enum job_type before;
	struct job *j = &u->work->job;

	if (job_types_conflict(job_pending(u), type))
		cancel(u, sink);
	before = job_pending(u);
	if (before == JOB_NONE)
		clear(j);
	type = job_merge(before, type, u);
	/* What is there does it all; but a reload that runs may have read the old files, so it is done again. */
	is_kept = type == before && !(j->is_running && type == JOB_RELOAD);
	j->is_irreversible |= is_firm;
	/* Who waits for one that runs goes on waiting. */
	j->ignores_order |= is_free && !(is_kept && j->is_running);
	if (is_kept) {
		if (is_firm || is_free)
			sink->amended(sink->arg, u);
		return;
	}
	if (before == JOB_NONE) {
		if (++*sink->next_id == 0)
			++*sink->next_id;
		j->id = *sink->next_id;
		j->begin_us = sink->now_us;
	}
	j->type = (uint8_t)type;
	j->is_running = false;
	j->after_stop = type == JOB_RESTART ? JOB_START : JOB_NONE;
	j->cause = step->cause;
	sink->installed(sink->arg, u);
}

void job_plan_apply(struct job_plan *p, struct registry *r, enum job_mode mode,
		    const struct job_sink *sink)
{
	if (mode == MODE_FLUSH || mode == MODE_ISOLATE)
		cancel_others(p, r, mode, sink);
	for (uint32_t i = 0; i < p->n; i++)
		install(&p->steps[i], r->units[p->steps[i].unit], mode, sink);
}

void job_plan_forget_steps(struct job_plan *p)
{
	mem_put(p->steps);
	p->steps = NULL;
	p->n = p->cap = 0;
}

void job_plan_fini(struct job_plan *p)
{
	job_plan_forget_steps(p);
	arena_fini(&p->arena);
	*p = (struct job_plan){0};
}

/* --- words --- */

static const char *name_of(const struct registry *r, uint32_t id)
{
	const struct unit *u = registry_unit(r, id);

	return u ? u->name : "?";
}

void job_refusal_text(const struct job_plan *p, const struct registry *r, struct sbuf *out)
{
	static const char *const sentences[PLAN_REFUSALS] = {
		[PLAN_OK] = "can be done",
		[PLAN_NOT_FOUND] = "has no unit file",
		[PLAN_MASKED] = "is masked",
		[PLAN_BAD] = "has a unit file that cannot be used",
		[PLAN_UNSUPPORTED] = "asks for protection that this hark cannot give",
		[PLAN_NO_START_MANUAL] = "may be started by dependencies only (RefuseManualStart=)",
		[PLAN_NO_STOP_MANUAL] = "may be stopped by dependencies only (RefuseManualStop=)",
		[PLAN_NO_ISOLATE] = "may not be isolated (AllowIsolate=)",
		[PLAN_DESTRUCTIVE] = "has a pending job that would be undone",
		[PLAN_CONTRADICTION] = "would have to be both running and stopped",
		[PLAN_NOT_APPLICABLE] = "cannot do that",
	};

	sbuf_addf(out, "%s %s", name_of(r, p->culprit[0]), sentences[p->refusal]);
	if (p->culprit[1] != UNIT_NONE && p->culprit[1] != p->culprit[0])
		sbuf_addf(out, " (asked for by %s)", name_of(r, p->culprit[1]));
}

void job_cycle_text(const struct job_cycle *c, const struct registry *r, struct sbuf *out)
{
	for (uint32_t i = 0; i < c->n; i++) {
		const struct edge *e = &c->edges[i].edge;
		/* As its author wrote it, which may be the unit at the other end. */
		uint32_t writer = e->is_own ? c->edges[i].from : e->to;
		uint32_t other = e->is_own ? e->to : c->edges[i].from;
		enum dep_type type = (enum dep_type)e->type;
		const struct unit *from = registry_unit(r, c->edges[i].from);
		const char *file = from ? graph_file(r, from, e) : NULL;

		sbuf_addf(out, "%s: %s=%s", name_of(r, writer),
			  dep_names[e->is_own ? type : dep_inverse(type)], name_of(r, other));
		if (file)
			sbuf_addf(out, " (%s:%u)", file, e->line);
		else if (e->origin == DEP_DEFAULT)
			sbuf_add_z(out, " (default dependency)");
		sbuf_add_z(out, i == c->dropped ? " [dropped]\n" : "\n");
	}
}
