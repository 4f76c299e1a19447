/* SPDX-License-Identifier: MIT */
/*
 * job - from "start x" to an ordered, consistent set of jobs. Pure: a function of the graph and the units' states.
 *
 * Rules are systemd's (systemd.unit(5), systemctl(1) --job-mode): requirement edges pull jobs in, conflicts pull stops
 * in, a job that contradicts one of the same plan is dropped when nothing in the plan requires it, else the plan is
 * refused. An ordering cycle is broken by dropping an ordering edge (default before implicit before written), never a job.
 * Planning takes all memory; applying a plan cannot fail.
 */
#pragma once

#include "core/graph.h"

/* MODE(name, word): API */
#define JOB_MODES_LIST(MODE)                               \
	MODE(REPLACE, "replace")                           \
	MODE(FAIL, "fail")                                 \
	MODE(ISOLATE, "isolate")                           \
	MODE(FLUSH, "flush")                               \
	MODE(IGNORE_DEPENDENCIES, "ignore-dependencies")   \
	MODE(IGNORE_REQUIREMENTS, "ignore-requirements")   \
	MODE(REPLACE_IRREVERSIBLY, "replace-irreversibly") \
	MODE(TRIGGERING, "triggering")
enum job_mode {
#define MODE(name, word) MODE_##name,
	JOB_MODES_LIST(MODE)
#undef MODE
		JOB_MODES
};
extern const char *const job_mode_names[JOB_MODES];

struct job_step {
	uint32_t unit;
	uint8_t type; /* enum job_type */
	bool is_anchor;
	bool matters;           /* required by the anchor, directly or not */
	struct cause_ref cause; /* REQUIRED by unit x, CONFLICT with x ... */
};

/* An ordering cycle that was met: the shortest one, as the edges in order, and the one that was dropped. */
struct job_cycle {
	struct job_cycle *next;
	uint32_t n;
	uint32_t dropped; /* index in edges */
	struct {
		uint32_t from;
		struct edge edge;
	} edges[];
};

enum job_refusal {
	PLAN_OK,
	PLAN_NOT_FOUND,
	PLAN_MASKED,
	PLAN_BAD,
	PLAN_NO_START_MANUAL,
	PLAN_NO_STOP_MANUAL,
	PLAN_NO_ISOLATE,
	PLAN_DESTRUCTIVE,
	PLAN_CONTRADICTION,
	PLAN_NOT_APPLICABLE,
	PLAN_UNSUPPORTED,
	PLAN_REFUSALS
};

struct job_plan {
	struct arena arena; /* cycles */
	struct job_step *steps;
	uint32_t n, cap;
	struct job_cycle *cycles;
	enum job_refusal refusal;
	uint32_t culprit[2]; /* units the refusal is about */
};

/*
 * job_plan_make() - plan `type` on anchor under mode; manual: asked for by a person (RefuseManualStart= counts).
 *
 * Everything the closure names must be loaded. Returns 0 with the plan filled, > 0 the refusal (enum job_refusal, plan->culprit set),
 * -ENOMEM. The graph changes only by is_broken of dropped edges. Free with job_plan_fini() in every case.
 */
MUST_USE int job_plan_make(struct job_plan *p, struct registry *r, struct unit *anchor,
			   enum job_type type, enum job_mode mode, const struct cause *cause,
			   bool manual);
void job_plan_fini(struct job_plan *p);
/* The plan is applied: what is left of it is what it says of cycles. */
void job_plan_forget_steps(struct job_plan *p);
/*
 * Install the plan: writes unit->job of every step, merging with or replacing what is there. Calls installed(unit) for each new
 * or changed job, amended(unit) for each that stays but may not be undone or need not wait any more, canceled(unit, job) for each
 * that was replaced, before it is overwritten. Cannot fail.
 */
struct job_sink {
	void (*installed)(void *arg, struct unit *u);
	void (*amended)(void *arg, struct unit *u);
	void (*canceled)(void *arg, struct unit *u);
	void *arg;
	uint32_t *next_id;
	uint64_t now_us;
};
void job_plan_apply(struct job_plan *p, struct registry *r, enum job_mode mode,
		    const struct job_sink *sink);
/*
 * An ordering edge e of one unit with a job of type mine leads to a unit with a job of type other: must mine wait? What
 * is started in some order is stopped in the inverse one, and a stop goes before the start of what is ordered around it.
 */
static inline bool job_waits(const struct edge *e, enum job_type mine, enum job_type other)
{
	enum job_type later = e->type == DEP_BEFORE ? other : mine;
	bool is_inverse = later == JOB_STOP || later == JOB_RESTART;

	return (e->type == DEP_BEFORE) == is_inverse;
}
/* The type of the installed job, JOB_NONE without one. */
static inline enum job_type job_pending(const struct unit *u)
{
	return u->work->job.id != 0 ? (enum job_type)u->work->job.type : JOB_NONE;
}
/* Can no single job of a unit do both? (a stop and anything else; JOB_NONE agrees with all) */
bool job_types_conflict(enum job_type a, enum job_type b);
/* The one type that does what both do, in the present state; a and b collapsed and not in conflict. */
enum job_type job_merge(enum job_type a, enum job_type b, const struct unit *u);
/* May the waiting job of u run now, i.e. has every unit ordered before it no job that must come first? */
bool job_is_runnable(const struct registry *r, const struct unit *u);
/* The type a collapsing job type becomes in the present state; JOB_NONE: nothing to do. */
enum job_type job_collapse(enum job_type type, const struct unit *u);
/* Human sentence of a refusal, e.g. "cups.service is masked". */
void job_refusal_text(const struct job_plan *p, const struct registry *r, struct sbuf *out);
/* "a.service:3 After=b.service -> ...", one edge a line with file:line. */
void job_cycle_text(const struct job_cycle *c, const struct registry *r, struct sbuf *out);
