/* SPDX-License-Identifier: MIT */
/*
 * engine - the one queue and the one place where a unit's state changes.
 *
 * Everything learned is posted as an event. A turn digests: event -> classify -> table cell -> new state and
 * effects, until the queue is empty; then runnable jobs give their events; when all is quiet the collected effects run. Effects never run
 * while events are digested and no event is digested while effects run. The engine knows processes, sockets and files only
 * through struct engine_ops, so it runs the same under a virtual clock with faked effects.
 */
#pragma once

#include "core/job.h"
#include "core/ledger.h"

struct engine;

struct engine_ops {
	/* Give a stub its configuration. 0, > 0 not loadable (the unit has its load state), -errno. */
	int (*load)(void *arg, struct unit *u);
	/* The unit is to start from rest and is_changed_on_disk: take its files into use, if they can be. NULL: never. */
	void (*renew)(void *arg, struct unit *u);
	/* Perform the effects in fx, lowest bit first. May post events; must not call engine_request(). */
	void (*run)(void *arg, struct unit *u, uint32_t fx);
	/* Conditions (asserts false) or asserts hold? 1 or 0 with u->condition_failed set. */
	int (*condition)(void *arg, struct unit *u, bool asserts);
	/* The unit changed (state or job): tell subscribers. */
	void (*changed)(void *arg, struct unit *u, uint8_t old_state);
	/* Store what is kept of a unit for the next manager; counts when all that was touched is stored and commit is called. NULL: nothing is. */
	void (*remember)(void *arg, struct unit *u);
	void (*commit)(void *arg);
	/* What engine_arm() was asked to wait for, of that which is not the engine's own. */
	void (*elapsed)(void *arg, struct unit *u, enum unit_due which);
	/* A job ended. id: of the job. */
	void (*job_done)(void *arg, struct unit *u, uint32_t id, enum job_type type,
			 enum job_result result);
	/* Who performs what effects ask for is behind: the next ones wait a moment. NULL: never. */
	bool (*is_behind)(void *arg);
	/* Nothing is queued and no effect waits: all that was decided is done. */
	void (*quiet)(void *arg);
	/* A start limit, FailureAction= ... asks for something about the whole system. */
	void (*emergency)(void *arg, struct unit *u, enum emergency_action action);
	/* Does nobody wait for the pending effects of u? Then those of others go before them, for a millisecond. NULL: no. */
	bool (*can_wait)(void *arg, struct unit *u);
	/* The unit is about to be dropped: let go of everything that is kept for it. */
	void (*retired)(void *arg, struct unit *u);
	/* State slot of a unit for the ledger, 0: none. */
	uint32_t (*slot)(void *arg, struct unit *u);
};

struct engine {
	struct loop *loop;
	struct registry *reg;
	struct ledger *ledger;
	const struct engine_ops *ops;
	void *arg;
	struct event *queue; /* ring */
	uint32_t head, n, cap;
	struct list doomed;    /* jobs that fail because one they need failed */
	struct list run_queue; /* units with a job that may be runnable */
	struct list fx_queue;  /* units with pending effects */
	struct list fx_later;  /* those put aside, see can_wait */
	struct list retired;   /* units to be dropped when all is quiet */
	uint32_t dropped_n;    /* since memory was given back */
	struct list touched;   /* units to be stored with the next commit */
	struct task turn;
	struct timer resume; /* the next turn, when this one has done its share of effects */
	struct timer later;  /* what was put aside has waited long enough */
	struct timer rest;   /* then units with which nothing goes on any more take less memory */
	uint32_t next_job;
	uint32_t jobs_n;
	bool is_digesting, is_running_fx;
	bool is_ending; /* shutdown: nothing is started any more */
	bool want_order; /* a restart turned from stop to start: look for ordering cycles among the jobs again */
	struct job_plan
		last_plan; /* of the last engine_request(), for reporting cycles and refusals */
};

/* Everything given is borrowed for the life of the engine; arg goes to every op. 0 or -ENOMEM. */
MUST_USE int engine_init(struct engine *e, struct loop *loop, struct registry *reg,
			 struct ledger *ledger, const struct engine_ops *ops, void *arg);
/* Units and their configurations stay the registry's. */
void engine_fini(struct engine *e);

/* Queue an event; it is digested in this turn of the loop. Cannot fail (memory is got ahead; see engine_turn.c). */
void engine_post(struct engine *e, const struct event *ev);
void engine_post_simple(struct engine *e, struct unit *u, enum event_kind kind, int64_t a,
			int64_t b, int64_t c);

/* Run the effects that were put aside now. Were there any? Not to be called from engine_ops.run. */
bool engine_run_later(struct engine *e);

/* A trigger's entry in the ledger, from which what follows goes on: cause->entry. */
void engine_note_trigger(struct engine *e, struct unit *u, struct cause *cause);

/*
 * engine_gather() - load the next few units of the closure of u, so that a request on it has less to do at once.
 *
 * @walk: zeroed at first, and to be freed with graph_walk_fini() in every case; u must stay meanwhile
 *
 * Nothing is decided before engine_request(), which loads what is still missing. Returns 0 (all loaded), 1 (there is more), -errno.
 */
MUST_USE int engine_gather(struct engine *e, struct graph_walk *walk, struct unit *u);
/*
 * engine_request() - load the closure, plan and install a job on u.
 *
 * manual: a person asked. Returns 0 (ret_job, may be NULL: id of the anchor's job, 0 when there was nothing to do), > 0 enum job_refusal with
 * e->last_plan saying about what, -errno. Must not be called from engine_ops.run.
 */
MUST_USE int engine_request(struct engine *e, struct unit *u, enum job_type type,
			    enum job_mode mode, const struct cause *cause, bool manual,
			    uint32_t *ret_job);
/*
 * engine_examine() - plan a start of u and install nothing: e->last_plan says which ordering cycles it would meet.
 *
 * Their dropped edges are marked as if it had been asked for. Returns as engine_request().
 */
MUST_USE int engine_examine(struct engine *e, struct unit *u);
/* The cycles that the last plan met, for the log. */
void engine_log_cycles(const struct engine *e);
/* Make sure a unit is loaded and its edges attached. 0, > 0 not loadable, -errno. */
MUST_USE int engine_load(struct engine *e, struct unit *u);
/* Load what the loaded units pull in: after a takeover requests go the ways they would have gone before. 0 or -errno. */
MUST_USE int engine_load_pulled(struct engine *e);
/* Is there a unit that runs, or is to, and needs u in whatever way? */
bool engine_is_needed(const struct engine *e, const struct unit *u);
/* u runs by new files: what it upholds now and rests is started. */
void engine_uphold(struct engine *e, const struct unit *u);
/* Cancel a waiting or running job (result CANCELED). */
void engine_cancel(struct engine *e, struct unit *u);
/* What the type says of a start (can_start) has changed: the job of u, if it has one, is run as if for the first time. */
void engine_run_again(struct engine *e, struct unit *u);
/* reset-failed. */
void engine_reset(struct engine *e, struct unit *u);
/* Digest what is queued and run jobs, now; the effects follow in the loop's own time. All that was decided is committed then. */
void engine_digest(struct engine *e);
/* Has it anything to do in this turn of the loop? */
bool engine_is_due(const struct engine *e);
/* What is kept of u has changed otherwise than by an event: it is stored with the next commit. */
void engine_touch(struct engine *e, struct unit *u);
/* Store what was touched and commit. Not while events are digested: what follows from them is not decided yet. */
void engine_commit(struct engine *e);
/* Wait until that time (CLOCK_MONOTONIC), in place of what was waited for before; TIME_NEVER or 0: no longer. Cannot fail. */
void engine_arm(struct engine *e, struct unit *u, enum unit_due which, uint64_t due_us);
/* Effects could not be done for want of what others give back: they are run again at engine_next_try_us(), unless the state changes before. */
void engine_try_again(struct engine *e, struct unit *u, uint32_t fx);
/* 3, 6, 12 ... ms behind the beginning of the state, then each second: what a new manager tries in between changes nothing of that. */
uint64_t engine_next_try_us(const struct engine *e, const struct unit *u);
/* Drop the unit when all is quiet, if it rests then without a job and nobody refers to it. */
void engine_retire(struct engine *e, struct unit *u);
/* The ledger entry of what is going on with u: its job, else its last activation. For chaining causes. */
uint64_t engine_entry(const struct unit *u);
/* When that state would time out, were it entered now. TIME_NEVER: it does not. */
uint64_t engine_state_due_us(const struct engine *e, const struct unit *u, uint8_t state);
/*
 * engine_restore() - put a unit back to where an earlier manager left it, without consequences: the only other door to u->state.
 *
 * @due_us: of the timer of its state, 0 none
 * @fx:     effects that were decided and may not have been done: they are done (again) in the next turn
 */
void engine_restore(struct engine *e, struct unit *u, uint8_t state, uint64_t due_us, uint32_t fx);
/* The same for its job: id, type, flags, begin_us and cause are taken from *job. */
void engine_restore_job(struct engine *e, struct unit *u, const struct job *job);
