/* SPDX-License-Identifier: MIT */
#include "core/engine_inner.h"
#include "core/job_draft.h"

#include "core/job_order.h"
#include "core/log.h"

enum { UNITS_A_STEP = 16 }; /* half a millisecond */

/* --- jobs --- */

void engine_wake_job(struct engine *e, struct unit *u)
{
	if (u->work->job.id && !list_is_linked(&u->work->job.run_node))
		list_add_tail(&e->run_queue, &unit_work(u)->job.run_node);
}

/* A job ended: those ordered against its unit may run now. */
static void wake_neighbours(struct engine *e, const struct unit *u)
{
	for (uint32_t i = 0; i < u->edges_n; i++) {
		enum dep_type t = (enum dep_type)u->edges[i].type;

		if (t == DEP_BEFORE || t == DEP_AFTER)
			engine_wake_job(e, registry_unit(e->reg, u->edges[i].to));
	}
}

static bool is_start_like(uint8_t type)
{
	return type == JOB_START || type == JOB_VERIFY;
}

/* A start failed: the starts of those that need it fail as well, one list step at a time (no recursion). */
static void doom_dependents(struct engine *e, const struct unit *u)
{
	for (uint32_t i = 0; i < u->edges_n; i++) {
		enum dep_type t = (enum dep_type)u->edges[i].type;
		struct unit *v = registry_unit(e->reg, u->edges[i].to);

		if (t != DEP_REQUIRED_BY && t != DEP_REQUISITE_OF && t != DEP_BOUND_BY)
			continue;
		if (!v->work->job.id || !is_start_like(v->work->job.type))
			continue;
		list_del(&v->work->job.run_node);
		list_add_tail(&e->doomed, &unit_work(v)->job.run_node);
	}
}

/* Restart= has asked for its start, and that is not going to be: nothing else would ever take it out of there. */
static bool waits_in_vain(const struct unit *u)
{
	return u->ops->fsm->states[u->state].is_between_runs && !u->work->due_us[DUE_STATE];
}

void engine_finish_job(struct engine *e, struct unit *u, enum job_result result)
{
	struct job old = u->work->job;
	struct cause cause = cause_again(&old.cause);

	if (old.type == JOB_RESTART &&
	    result == JOB_RES_DONE) { /* stopped: the second half is a start */
		u->work->job.type = JOB_START;
		u->work->job.is_running = false;
		engine_touch(e, u);
		e->want_order = true;
		engine_wake_job(e, u);
		wake_neighbours(e, u);
		return;
	}
	engine_arm(e, u, DUE_JOB, TIME_NEVER);
	list_del(&u->work->job.run_node);
	memset(&u->work->job, 0, sizeof(u->work->job));
	u->last_job_result = (uint8_t)result;
	e->jobs_n--;
	engine_touch(e, u);
	engine_note(e, LEDGER_JOB_DONE, u, &cause, old.type, (uint8_t)result);
	e->ops->job_done(e->arg, u, old.id, (enum job_type)old.type, result);
	if (is_start_like(old.type) && result != JOB_RES_DONE && result != JOB_RES_SKIPPED)
		doom_dependents(e, u);
	if (unit_is_at_rest(
		    u)) /* what triggered the unit waits for this, also when a stop took the place of the start */
		engine_tell_triggers(e, u, EV_TRIGGERED_DEAD);
	wake_neighbours(e, u);
	if (waits_in_vain(u))
		engine_give(e, u, EV_STOP);
}

/* What the unit's new state means for the job that runs on it. */
static enum job_result start_result(const struct unit *u)
{
	return unit_coarse(u) == FAILED ? JOB_RES_FAILED : JOB_RES_DONE;
}

static enum job_result reload_result(const struct unit *u)
{
	bool is_good = unit_coarse(u) == ACTIVE &&
		       !(u->ops->reload_failed && u->ops->reload_failed(u));

	return is_good ? JOB_RES_DONE : JOB_RES_FAILED;
}

/* How a running job ends by what became of its unit; -1: it goes on. */
static int result_of(const struct unit *u, enum coarse before)
{
	enum coarse now = unit_coarse(u);
	bool at_rest = unit_is_at_rest(u);

	switch ((enum job_type)u->work->job.type) {
	case JOB_START:
	case JOB_VERIFY:
		if (unit_is_active(u) || at_rest)
			return (int)start_result(u);
		/* Restart= tries again */
		return before == DEACTIVATING && now == ACTIVATING ? (int)JOB_RES_FAILED : -1;
	case JOB_STOP:
	case JOB_RESTART:
		/* A mount that is in use stays. */
		return at_rest                                   ? (int)JOB_RES_DONE
		       : before == DEACTIVATING && now == ACTIVE ? (int)JOB_RES_FAILED
								 : -1;
	case JOB_RELOAD:
		return now == RELOADING ? -1 : (int)reload_result(u);
	case JOB_NONE:
	case JOB_TRY_RESTART:
	case JOB_TRY_RELOAD:
	case JOB_RELOAD_OR_START:
	case JOB_TYPES:
		break;
	}
	return -1;
}

void engine_judge_job(struct engine *e, struct unit *u, enum coarse before)
{
	int result;

	if (!u->work->job.id)
		return;
	if (!u->work->job.is_running) { /* it waited for this unit to come to rest, perhaps */
		engine_wake_job(e, u);
		return;
	}
	result = result_of(u, before);
	if (result >= 0)
		engine_finish_job(e, u, (enum job_result)result);
}

/* --- how long a job may take --- */

void engine_give_up_job(struct engine *e, struct unit *u)
{
	log_at(LOG_WARN, "%s: its %s job took longer than JobTimeoutSec= allows; it is given up",
	       u->name, job_type_names[u->work->job.type]);
	if (u->config)
		e->ops->emergency(e->arg, u,
				  (enum emergency_action)u->config->unit->job_timeout_action);
	engine_finish_job(e, u, JOB_RES_TIMEOUT);
	loop_defer(e->loop, &e->turn);
}

/* JobTimeoutSec= counts from the request, JobRunningTimeoutSec= from when the job began to run; after a takeover anew. */
static void arm_job_timer(struct engine *e, struct unit *u)
{
	const struct unit_config *c = u->config;
	uint64_t due = TIME_NEVER, running = TIME_NEVER;

	if (c && c->unit->job_timeout_us)
		due = time_add(u->work->job.begin_us, c->unit->job_timeout_us);
	if (c && c->unit->job_running_timeout_us && u->work->job.is_running)
		running = time_add(loop_now_us(e->loop), c->unit->job_running_timeout_us);
	engine_arm(e, u, DUE_JOB, due < running ? due : running);
}

/* --- running jobs --- */

static bool hits_start_limit(struct engine *e, struct unit *u)
{
	const struct unit_config *c = u->config;
	uint64_t now_us = loop_now_us(e->loop);

	if (!c->unit->start_limit_interval_us || !c->unit->start_limit_burst)
		return false;
	if (!u->start_limit_begin_us ||
	    now_us - u->start_limit_begin_us > c->unit->start_limit_interval_us) {
		u->start_limit_begin_us = now_us;
		u->start_limit_count = 0;
	}
	return ++u->start_limit_count > c->unit->start_limit_burst;
}

/* The start ends before it began. A unit that waited for its next try goes to rest. */
static void refuse_start(struct engine *e, struct unit *u, enum job_result result)
{
	engine_finish_job(e, u, result);
	if (!unit_is_at_rest(u))
		engine_give(e, u, EV_STOP);
}

/* Without an order nothing has waited for the job that looks at the other unit; it may run later, or have failed already. */
static bool lacks_requisite(const struct engine *e, const struct unit *u)
{
	graph_for_each(d, u, DEP_REQUISITE)
	{
		const struct unit *v = registry_unit(e->reg, d->to);

		if (v && unit_is_at_rest(v) &&
		    (!v->work->job.id || v->work->job.type == JOB_VERIFY))
			return true;
	}
	return false;
}

static void start_from_rest(struct engine *e, struct unit *u)
{
	enum emergency_action action = (enum emergency_action)u->config->unit->start_limit_action;
	int r = u->ops->can_start ? u->ops->can_start(u) : 0;

	if (draft_refusal(u) != PLAN_OK)
		refuse_start(e, u, JOB_RES_INVALID);
	else if (r > 0)
		refuse_start(e, u, (enum job_result)r);
	else if (lacks_requisite(e, u))
		refuse_start(e, u, JOB_RES_DEPENDENCY);
	else if (u->config->unit->conditions && !e->ops->condition(e->arg, u, false))
		refuse_start(e, u, JOB_RES_SKIPPED);
	else if (u->config->unit->conditions && !e->ops->condition(e->arg, u, true))
		refuse_start(e, u, JOB_RES_ASSERT);
	else if (hits_start_limit(e, u)) {
		engine_give(e, u, EV_START_LIMIT);
		if (u->work->job.id)
			engine_finish_job(e, u, JOB_RES_FAILED);
		e->ops->emergency(e->arg, u, action);
	} else {
		if (u->work->job.cause.kind != CAUSE_RESTART)
			u->why_entry = u->work->job.cause.entry;
		u->n_activations++;
		engine_give(e, u, EV_START);
	}
}

static void run_start(struct engine *e, struct unit *u)
{
	enum coarse now = unit_coarse(u);

	if (unit_is_active(u))
		engine_finish_job(e, u, JOB_RES_DONE);
	else if (now == DEACTIVATING)
		u->work->job.is_running = false; /* woken when it has come to rest */
	else if (now != ACTIVATING || u->ops->fsm->states[u->state].is_between_runs)
		start_from_rest(e, u);
	/* else it is under way: the job ends with what is going on */
}

static void run_verify(struct engine *e, struct unit *u)
{
	if (unit_is_active(u))
		engine_finish_job(e, u, JOB_RES_DONE);
	else if (unit_coarse(u) != ACTIVATING)
		engine_finish_job(e, u, JOB_RES_FAILED);
}

static void run_stop(struct engine *e, struct unit *u)
{
	if (unit_is_at_rest(u))
		engine_finish_job(e, u, JOB_RES_DONE);
	else
		engine_give(e, u, EV_STOP);
}

static void run_reload(struct engine *e, struct unit *u)
{
	enum coarse now = unit_coarse(u);

	if (now != ACTIVE && now != RELOADING)
		engine_finish_job(e, u, JOB_RES_FAILED);
	else if (!u->ops->can_reload || !u->ops->can_reload(u))
		engine_finish_job(e, u, JOB_RES_UNSUPPORTED);
	else
		engine_give(e, u, EV_RELOAD);
}

/* A unit that is to start from rest takes new files into use, also between the halves of a restart. */
static void renew(struct engine *e, struct unit *u)
{
	if (u->is_changed_on_disk && e->ops->renew && !u->work->job.is_running &&
	    u->work->job.type == JOB_START && unit_is_at_rest(u))
		e->ops->renew(e->arg, u);
}

static void run_job(struct engine *e, struct unit *u)
{
	renew(e, u);
	if (u->work->job.is_running || !job_is_runnable(e->reg, u))
		return; /* woken again when one that is ordered before it ends */
	u->work->job.is_running = true;
	arm_job_timer(e, u);
	engine_touch(e, u);
	if (!u->config) { /* a stop of something never loaded */
		engine_finish_job(e, u,
				  u->work->job.type == JOB_STOP ? JOB_RES_DONE : JOB_RES_INVALID);
		return;
	}
	switch ((enum job_type)u->work->job.type) {
	case JOB_START:
		run_start(e, u);
		break;
	case JOB_VERIFY:
		run_verify(e, u);
		break;
	case JOB_STOP:
	case JOB_RESTART:
		run_stop(e, u);
		break;
	case JOB_RELOAD:
		run_reload(e, u);
		break;
	case JOB_NONE:
	case JOB_TRY_RESTART:
	case JOB_TRY_RELOAD:
	case JOB_RELOAD_OR_START:
	case JOB_TYPES:
		CHECK(false); /* these collapse before they are installed */
		break;
	}
}

/* --- requests --- */

static int load_one(void *arg, struct unit *u)
{
	struct engine *e = arg;
	int r;

	if (u->config)
		return 0;
	r = e->ops->load(e->arg, u);
	if (r < 0)
		return r;
	r = graph_attach(e->reg, u);
	if (r < 0)
		return r;
	return u->config->load == LOAD_LOADED ? 0 : 1;
}

int engine_load(struct engine *e, struct unit *u)
{
	return load_one(e, u);
}

int engine_load_pulled(struct engine *e)
{
	return graph_close(e->reg, load_one, e);
}

int engine_gather(struct engine *e, struct graph_walk *walk, struct unit *u)
{
	const struct graph_loader loader = {.load = load_one, .arg = e, .at_most = UNITS_A_STEP};

	return graph_walk(walk, e->reg, u, &loader);
}

/* The engine knows of the job from here on: it counts, times out, and runs when its order allows. */
static void take_job(struct engine *e, struct unit *u)
{
	e->jobs_n += !u->work->job.is_counted; /* a merged one is counted already */
	u->work->job.is_counted = true;
	arm_job_timer(e, u);
	engine_wake_job(e, u);
}

void engine_restore_job(struct engine *e, struct unit *u, const struct job *job)
{
	u->work->job = (struct job){.id = job->id,
				    .type = job->type,
				    .is_running = job->is_running,
				    .is_irreversible = job->is_irreversible,
				    .ignores_order = job->ignores_order,
				    .after_stop = job->type == JOB_RESTART ? JOB_START : JOB_NONE,
				    .begin_us = job->begin_us,
				    .cause = job->cause};
	if (e->next_job < job->id)
		e->next_job = job->id;
	e->want_order = true; /* which edges the plan dropped to break a cycle is not remembered */
	take_job(e, u);
	loop_defer(e->loop, &e->turn);
}

/* A request whose plan is being applied. */
struct asking {
	struct engine *e;
	const struct cause *cause;
};

static void on_installed(void *arg, struct unit *u)
{
	const struct asking *a = arg;
	struct engine *e = a->e;
	struct cause cause = cause_again(&u->work->job.cause);

	cause.pid = a->cause->pid;
	if (cause.kind == a->cause->kind)
		memcpy(cause.text, a->cause->text, sizeof(cause.text));
	u->work->job.cause.entry = engine_note(e, LEDGER_JOB, u, &cause, u->work->job.type, 0);
	take_job(e, u);
	wake_neighbours(e, u); /* the order between two jobs depends on their types */
	engine_touch(e, u);
	e->ops->changed(e->arg, u, u->state);
}

static void on_amended(void *arg, struct unit *u)
{
	struct engine *e = ((const struct asking *)arg)->e;

	wake_neighbours(e, u); /* nobody waits for a job without order */
	engine_touch(e, u);
}

/* The job is about to be overwritten by another: whoever waits for it hears so. */
static void on_canceled(void *arg, struct unit *u)
{
	struct engine *e = ((const struct asking *)arg)->e;

	engine_arm(e, u, DUE_JOB, TIME_NEVER);
	list_del(&u->work->job.run_node);
	e->jobs_n--;
	engine_touch(e, u);
	wake_neighbours(e, u);
	e->ops->job_done(e->arg, u, u->work->job.id, (enum job_type)u->work->job.type,
			 JOB_RES_CANCELED);
}

/* Into e->last_plan. As engine_request() returns. */
static int make_plan(struct engine *e, struct unit *u, enum job_type type, enum job_mode mode,
		     const struct cause *cause, bool manual)
{
	int r = graph_closure(e->reg, u, load_one, e);

	CHECK(!e->is_running_fx);
	if (r < 0)
		return r;
	job_plan_fini(&e->last_plan);
	if (e->is_ending && type != JOB_STOP) {
		e->last_plan = (struct job_plan){.refusal = PLAN_DESTRUCTIVE,
						 .culprit = {u->id, UNIT_NONE}};
		return PLAN_DESTRUCTIVE;
	}
	return job_plan_make(&e->last_plan, e->reg, u, type, mode, cause, manual);
}

int engine_request(struct engine *e, struct unit *u, enum job_type type, enum job_mode mode,
		   const struct cause *cause, bool manual, uint32_t *ret_job)
{
	struct asking asking = {e, cause};
	struct job_sink sink = {
		.installed = on_installed,
		.amended = on_amended,
		.canceled = on_canceled,
		.arg = &asking,
		.next_id = &e->next_job,
		.now_us = loop_now_us(e->loop),
	};
	int r = make_plan(e, u, type, mode, cause, manual);

	if (r != 0)
		return r;
	job_plan_apply(&e->last_plan, e->reg, mode, &sink);
	for (uint32_t i = 0; i < e->last_plan.n;
	     i++) { /* one that was there may have been told not to wait */
		struct unit *v = registry_unit(e->reg, e->last_plan.steps[i].unit);

		engine_touch(e, v);
		engine_wake_job(e, v);
	}
	job_plan_forget_steps(&e->last_plan);
	loop_defer(e->loop, &e->turn);
	if (ret_job)
		*ret_job = u->work->job.id;
	return 0;
}

int engine_examine(struct engine *e, struct unit *u)
{
	const struct cause nobody = {0};
	int r = make_plan(e, u, JOB_START, MODE_REPLACE, &nobody, false);

	job_plan_forget_steps(&e->last_plan);
	return r;
}

void engine_log_cycles(const struct engine *e)
{
	struct sbuf text = {0};
	struct str rest, line;

	for (const struct job_cycle *c = e->last_plan.cycles; c; c = c->next) {
		sbuf_reset(&text);
		job_cycle_text(c, e->reg, &text);
		log_at(LOG_WARN, "an ordering cycle, broken by dropping one of its edges");
		rest = (struct str){text.p, text.p ? text.n : 0};
		while (str_cut(&rest, '\n', &line))
			if (line.n)
				log_at(LOG_WARN, STR_FMT, STR_ARG(line));
	}
	sbuf_fini(&text);
}

void engine_cancel(struct engine *e, struct unit *u)
{
	if (u->work->job.id)
		engine_finish_job(e, u, JOB_RES_CANCELED);
	loop_defer(e->loop, &e->turn);
}

void engine_run_again(struct engine *e, struct unit *u)
{
	u->work->job.is_running = false;
	engine_wake_job(e, u);
	loop_defer(e->loop, &e->turn);
}

void engine_reset(struct engine *e, struct unit *u)
{
	if (u->ops->reset)
		u->ops->reset(u);
	u->start_limit_begin_us = 0;
	u->start_limit_count = 0;
	engine_touch(e, u);
	engine_post_simple(e, u, EV_RESET, 0, 0, 0);
}

/*
 * Two units ordered both ways agree while one of them stops, and block each other when its restart has turned into a start: what
 * the plan could not see is looked for again among the jobs that are there.
 */
static void order_again(struct engine *e)
{
	struct job_plan p = {.n = 0};

	e->want_order = false;
	p.steps = mem_get((e->jobs_n + 1) * sizeof(*p.steps));
	for (uint32_t i = 0; p.steps && i < e->reg->n && p.n < e->jobs_n; i++) {
		struct unit *u = e->reg->units[i];

		if (u && u->work->job.id)
			p.steps[p.n++] = (struct job_step){
				.unit = u->id, .type = u->work->job.type, .matters = true};
	}
	if (p.steps && job_order_break(&p, e->reg, MODE_REPLACE) < 0)
		log_at(LOG_ERROR,
		       "no memory to look for ordering cycles; jobs may wait for their timeouts");
	for (uint32_t i = 0; i < p.n && p.cycles; i++)
		engine_wake_job(e, registry_unit(e->reg, p.steps[i].unit));
	job_plan_fini(&p);
}

bool engine_run_jobs(struct engine *e)
{
	struct list *node;
	bool any = false;

	while ((node = list_pop(&e->doomed))) {
		engine_finish_job(e, container_of(node, struct unit_work, job.run_node)->unit,
				  JOB_RES_DEPENDENCY);
		any = true;
	}
	if (e->want_order)
		order_again(e);
	while ((node = list_pop(&e->run_queue))) {
		run_job(e, container_of(node, struct unit_work, job.run_node)->unit);
		any = true;
	}
	return any;
}
