/* SPDX-License-Identifier: MIT */
/*
 * job_draft - what a plan is made from: drafts, each a unit and a job type (of one unit several at first), and links that
 * say which draft pulled in which.
 *
 * Drafts are made breadth first along the edges, each expanded once, by tables of what an edge means for a job. A draft
 * can be taken out again, with what needs it; and what nothing alive pulls in any more is swept out. All walks are linear
 * and none recurs. The drafts of a unit are found by unit->plan_at, which is 0 before and after. Used by job_plan only.
 */
#pragma once

#include "core/job.h"

/* What an edge pulls in at its other end, for one type of job at this end. JOB_NONE: nothing. */
struct pull {
	uint8_t type;   /* enum job_type, may be a collapsing one */
	uint8_t cause;  /* enum cause_kind; NONE: the cause of the plan */
	bool matters;   /* without it, what pulls it cannot be */
	bool conflicts; /* written as Conflicts= by the unit that pulls */
};

/* Indexes of drafts and links are stored + 1, so that 0 is none. */
struct draft {
	uint32_t unit;
	uint32_t sibling; /* next draft of the same unit */
	uint32_t in, out; /* first link to here, from here */
	uint32_t by;      /* unit that pulled it in first, UNIT_NONE for the anchor */
	uint8_t type;     /* START, VERIFY, STOP, RELOAD or RESTART */
	uint8_t cause;    /* enum cause_kind */
	uint8_t refusal;  /* enum job_refusal: why this cannot be */
	bool is_dead, matters, is_reached;
};

struct link {
	uint32_t from, to; /* indexes of drafts */
	uint32_t next_in, next_out;
	bool matters, conflicts;
};

struct draft_set {
	struct registry *r;
	struct job_plan *plan;
	enum job_mode mode;
	const struct cause *cause;
	struct draft *drafts; /* [0] is the anchor */
	uint32_t n, cap;
	struct link *links;
	uint32_t links_n, links_cap;
	uint32_t expanded_n;
	uint32_t *queue; /* as many as drafts */
	uint32_t queue_cap;
};

/* Why u cannot be brought up: its files. PLAN_OK when it can. */
enum job_refusal draft_refusal(const struct unit *u);
/* Does a job of that type make sense for u at all? */
bool draft_is_possible(const struct unit *u, enum job_type type);

/* The anchor: the first draft. 0 or -ENOMEM. */
MUST_USE int draft_anchor(struct draft_set *m, struct unit *u, enum job_type type);
/* Let draft `from` pull u in, if there is something to do for it that can be done. 0 or -ENOMEM. */
MUST_USE int draft_pull(struct draft_set *m, uint32_t from, struct unit *u,
			const struct pull *pull);
/* Follow the edges of all drafts not yet looked at, and of those this adds. Needed before what stands below. 0 or -ENOMEM. */
MUST_USE int draft_expand(struct draft_set *m);
/* Find out which of the living drafts the anchor needs, directly or not: `matters`. */
void draft_mark(struct draft_set *m);
/* Take out draft d, which does not matter, and all that need it: they do not matter either. */
void draft_kill(struct draft_set *m, uint32_t d);
/* Take out what the anchor does not reach any more. */
void draft_sweep(struct draft_set *m);
void draft_set_fini(struct draft_set *m);
