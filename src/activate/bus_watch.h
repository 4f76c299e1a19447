/* SPDX-License-Identifier: MIT */
/*
 * bus_watch - what is told unasked: JobNew, JobRemoved, UnitNew, PropertiesChanged. Follows the manager's `monitor`.
 *
 * Only what changed is sent, and only to who wants it: a private connection hears of jobs, and of units once it called Subscribe(). The end of a
 * job is held back while a call's job is not known to its caller yet: the reply comes first.
 *
 * A unit appears (UnitNew) as it is once its first changes have settled, and only what changes after that is a change. Of a unit that somebody
 * has asked about before, and of one that has failed, everything is told.
 */
#pragma once

#include "activate/bus.h"

struct bus_job {
	struct map_node node;
	uint32_t id;
	char *unit; /* owned */
	char type[24];
	bool is_running;
};

/* Begin to follow. 0 or -ENOMEM. */
MUST_USE int bus_watch_open(struct bus *b);
void bus_watch_close(struct bus *b);
/* The caller of c has asked about the unit, and has been told how it is or will look: its changes matter from now on. */
void bus_watch_asked(const struct bus_call *c, struct str unit);
/* bus_take_unit(), and who names a unit has asked about it. */
bool bus_watch_unit(struct bus_call *c);
/* What the manager does not tell unasked has changed, of the unit that `Id` of the row names: its other fields are told. */
void bus_watch_tell(struct bus *b, const struct row *row);
/* A job that is not over; NULL: unknown. */
const struct bus_job *bus_job_find(struct bus *b, uint32_t id);
/* The manager had nothing to do for this job-less request: tell the caller, after its reply, that job `id` of ours is done. */
uint32_t bus_job_of_nothing(struct bus *b, const char *unit);
