/* SPDX-License-Identifier: MIT */
/*
 * engine_inner - the inner doors between the engine's three files; nobody else includes this.
 *
 * engine_turn.c: queue, turn, states. engine_job.c: how jobs are installed, run and ended. engine_follow.c: what the change of one
 * unit means for its neighbours.
 */
#pragma once

#include "core/engine.h"

/* Queue a request for a job. teller: id + 1 of the unit that is told when it is refused, 0 nobody. */
void engine_ask(struct engine *e, struct unit *u, enum job_type type, enum job_mode mode,
		const struct cause *cause, uint32_t teller);
/* Write a ledger entry about u; returns its number. */
uint64_t engine_note(struct engine *e, enum ledger_kind kind, struct unit *u,
		     const struct cause *cause, uint8_t a, uint8_t b);
/* Digest an event now, with the cause of the unit's job. */
void engine_give(struct engine *e, struct unit *u, enum event_kind kind);

/* Look at the job of u again in this turn, if it has one. */
void engine_wake_job(struct engine *e, struct unit *u);
void engine_finish_job(struct engine *e, struct unit *u, enum job_result result);
/* What the unit's new state means for the job that runs on it. */
void engine_judge_job(struct engine *e, struct unit *u, enum coarse before);
/* The job of u took longer than it may. */
void engine_give_up_job(struct engine *e, struct unit *u);
/* End doomed jobs, run those that may; false when there was nothing to do. */
bool engine_run_jobs(struct engine *e);

/* A cause that names u and what is going on with it. */
struct cause engine_cause_from(const struct unit *u, enum cause_kind kind);
/* Tell every unit that triggers u that it left its rest or came to it (and then, whether by its start limit). */
void engine_tell_triggers(struct engine *e, const struct unit *u, enum event_kind kind);
/* The visible state of u changed: requests to its neighbours. entry: where the ledger tells it, 0: nowhere. */
void engine_propagate(struct engine *e, struct unit *u, enum coarse before, enum coarse now,
		      uint64_t entry);
