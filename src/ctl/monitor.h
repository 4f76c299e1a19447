/* SPDX-License-Identifier: MIT */
/*
 * monitor - the changes of units and the ends of jobs for a caller that stays: told in their order, a unit that changes again
 * before it was told is told once, with what it is then.
 *
 * Bounded: a reader that is MONITOR_MOST notes behind gets the row "lost" and has to ask for everything again.
 */
#pragma once

#include "core/hark.h"

enum { MONITOR_MOST = 65536 };

struct monitor_note {
	uint32_t unit; /* id; UNIT_NONE: it is known no more */
	uint32_t job;  /* 0: the unit changed, or is gone */
	uint8_t type, result;
	char *name; /* owned: of a unit that is known no more */
};

struct monitor {
	struct monitor_note *notes; /* owned */
	uint32_t at, n, cap;
	bool is_lost;
	uint8_t news; /* to be told: bits 1 << enum manager_news */
};

/* Cannot fail: what there is no memory for is lost, and that is noted. */
void monitor_changed(struct monitor *m, const struct unit *u);
void monitor_job_done(struct monitor *m, const struct unit *u, uint32_t job, enum job_type type,
		      enum job_result result);
/* The manager forgets the unit: what is still to be told of it is told with its name, and that it is gone. */
void monitor_gone(struct monitor *m, const struct unit *u);
/* The oldest note, taken out; ret->name is the caller's. False when there is none. */
bool monitor_take(struct monitor *m, struct monitor_note *ret);
void monitor_free(struct monitor *m);
