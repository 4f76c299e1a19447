/* SPDX-License-Identifier: MIT */
/*
 * asked - what clients asked for lately, in memory that PID 1 keeps: a request that comes again after the manager's death is not
 * performed again.
 *
 * A client numbers its request at random and sends the same number when it has to ask once more. A request has steps, one for each
 * unit it names. A step that installs a job is performed when the state table's transaction that it is part of was committed, so
 * nothing is between the two. A step that acts outside (a signal) is noted before and after; of the one step that a manager may
 * die in nobody knows whether it was performed, and the client is told so.
 */
#pragma once

#include "core/state.h"

enum {
	ASKED_LAYOUT = 1, /* of struct asked_ring */
	ASKED_RECORDS = 512,
};

struct asked {
	uint64_t id;     /* 0: empty */
	uint64_t commit; /* of the state table: steps from `before` on count with that one */
	uint32_t uid;
	uint32_t before;
	uint32_t progress; /* 2 * steps performed; odd: the next one acts outside, and has begun */
	uint32_t is_unknown; /* the next one had begun when a manager died */
};

struct asked_ring {
	uint32_t magic, layout;
	uint64_t next; /* place of the next record */
	struct asked record[ASKED_RECORDS];
};

struct asked_log {
	struct asked_ring *ring;
	int fd;
};

/* fd >= 0: adopt that memfd (-EBADMSG: unusable, make a new one; it stays the caller's); -1: make one. 0 or -errno. */
MUST_USE int asked_open(struct asked_log *l, int fd);
/* Decide what became of the step that the manager before died in. Before any unit is restored from the state table. */
void asked_settle(struct asked_log *l, const struct state_table *state);
/* The record of that request, a new one when it was never heard of; NULL: it has no number, or no record is kept. */
struct asked *asked_find(struct asked_log *l, uint64_t id, uint32_t uid);
/* NULL records are passed over: each step is new then. */
static inline bool asked_was_performed(const struct asked *a, uint64_t step)
{
	return a && step < a->progress / 2;
}
static inline bool asked_is_unknown(const struct asked *a, uint64_t step)
{
	return a && a->is_unknown && step == a->progress / 2;
}
/* That step, and those before it, were performed: as part of the transaction that is open. */
void asked_perform(struct asked *a, uint32_t step, const struct state_table *state);
/* That step acts outside; and has, or is passed over. */
void asked_begin_outside(struct asked *a, uint32_t step);
void asked_end_outside(struct asked *a, uint32_t step);
