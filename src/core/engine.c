/* SPDX-License-Identifier: MIT */
#include "core/engine.h"

#include "core/log.h"

enum { QUEUE_FIRST = 256 };

/* --- the queue --- */

static bool queue_grow(struct engine *e)
{
	struct event *q = mem_get(2 * e->cap * sizeof(*q));

	if (!q)
		return false;
	for (uint32_t i = 0; i < e->n; i++)
		q[i] = e->queue[(e->head + i) % e->cap];
	mem_put(e->queue);
	e->queue = q;
	e->cap *= 2;
	e->head = 0;
	return true;
}

/*
 * One slot is got ahead: the queue grows when the last free place is taken, so a failed growth still leaves this event its place.
 * Only a second failure with a full queue loses one, and says so.
 */
void engine_post(struct engine *e, const struct event *ev)
{
	if (e->n + 1 >= e->cap && !queue_grow(e) && !CHECK(e->n < e->cap))
		return;
	e->queue[(e->head + e->n++) % e->cap] = *ev;
	loop_defer(e->loop, &e->turn);
}

void engine_post_simple(struct engine *e, struct unit *u, enum event_kind kind, int64_t a, int64_t b, int64_t c)
{
	struct event ev = {.kind = (uint8_t)kind, .unit = u->id, .a = a, .b = b, .c = c, .cause = {.unit = UNIT_NONE}};

	engine_post(e, &ev);
}

static void ask(struct engine *e, struct unit *u, enum job_type type, enum job_mode mode, const struct cause *cause,
		uint32_t teller)
{
	struct event ev = {.kind = EV_ASK, .unit = u->id, .a = type, .b = mode, .c = teller, .cause = *cause};

	engine_post(e, &ev);
}

/* --- ledger --- */

uint64_t engine_entry(const struct unit *u)
{
	return u->job.id ? u->job.cause.entry : u->why_entry;
}

static uint64_t note(struct engine *e, enum ledger_kind kind, struct unit *u, const struct cause *cause, uint8_t a, uint8_t b)
{
	struct ledger_entry entry = {.kind = (uint8_t)kind, .a = a, .b = b};
	struct unit *from;

	entry.unit = e->ops->slot(e->arg, u);
	if (cause) {
		from = registry_unit(e->reg, cause->unit);
		entry.parent = cause->entry ? cause->entry : from ? engine_entry(from) : 0;
		entry.from = from ? e->ops->slot(e->arg, from) : 0;
		entry.cause = cause->kind;
		entry.uid = cause->uid;
		entry.pid = cause->pid;
		memcpy(entry.text, cause->text, sizeof(entry.text));
		entry.text[sizeof(entry.text) - 1] = '\0';
	}
	return ledger_add(e->ledger, &entry);
}

/* --- jobs --- */

static void wake_job(struct engine *e, struct unit *u)
{
	if (u->job.id && !list_is_linked(&u->job.run_node))
		list_add_tail(&e->run_queue, &u->job.run_node);
}

/* A job ended: those ordered against its unit may run now. */
static void wake_neighbours(struct engine *e, const struct unit *u)
{
	for (uint32_t i = 0; i < u->edges_n; i++) {
		enum dep_type t = (enum dep_type)u->edges[i].type;

		if (t == DEP_BEFORE || t == DEP_AFTER)
			wake_job(e, registry_unit(e->reg, u->edges[i].to));
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
		if (!v->job.id || !is_start_like(v->job.type))
			continue;
		list_del(&v->job.run_node);
		list_add_tail(&e->doomed, &v->job.run_node);
	}
}

static void tell_triggers(struct engine *e, const struct unit *u, enum event_kind kind, int64_t a)
{
	for (uint32_t i = 0; i < u->edges_n; i++)
		if (u->edges[i].type == DEP_TRIGGERED_BY)
			engine_post_simple(e, registry_unit(e->reg, u->edges[i].to), kind, a, 0, 0);
}

static void finish_job(struct engine *e, struct unit *u, enum job_result result)
{
	struct job old = u->job;

	if (old.type == JOB_RESTART && result == JOB_RES_DONE) { /* stopped: the second half is a start */
		u->job.type = JOB_START;
		u->job.is_running = false;
		wake_job(e, u);
		wake_neighbours(e, u);
		return;
	}
	loop_timer_disarm(e->loop, &u->job.timer);
	list_del(&u->job.run_node);
	memset(&u->job, 0, sizeof(u->job));
	u->last_job_result = (uint8_t)result;
	e->jobs_n--;
	note(e, LEDGER_JOB_DONE, u, &old.cause, old.type, (uint8_t)result);
	e->ops->job_done(e->arg, u, old.id, (enum job_type)old.type, result);
	if (is_start_like(old.type) && result != JOB_RES_DONE && result != JOB_RES_SKIPPED)
		doom_dependents(e, u);
	if (old.type == JOB_START && result != JOB_RES_DONE && unit_is_at_rest(u))
		tell_triggers(e, u, EV_TRIGGERED_DEAD, 0);
	wake_neighbours(e, u);
}

/* What the unit's new state means for the job that runs on it. */
static void judge_job(struct engine *e, struct unit *u, enum coarse before)
{
	enum coarse now = unit_coarse(u);
	bool at_rest = unit_is_at_rest(u);

	if (!u->job.id)
		return;
	if (!u->job.is_running) { /* it waited for this unit to come to rest, perhaps */
		wake_job(e, u);
		return;
	}
	switch ((enum job_type)u->job.type) {
	case JOB_START:
	case JOB_VERIFY:
		if (unit_is_active(u))
			finish_job(e, u, JOB_RES_DONE);
		else if (at_rest)
			finish_job(e, u, now == FAILED ? JOB_RES_FAILED : JOB_RES_DONE);
		else if (before == DEACTIVATING && now == ACTIVATING) /* failed; Restart= tries again */
			finish_job(e, u, JOB_RES_FAILED);
		break;
	case JOB_STOP:
	case JOB_RESTART:
		if (at_rest)
			finish_job(e, u, JOB_RES_DONE);
		break;
	case JOB_RELOAD:
		if (now == RELOADING)
			break;
		finish_job(e, u, now == ACTIVE && !(u->ops->reload_failed && u->ops->reload_failed(u)) ? JOB_RES_DONE
											    : JOB_RES_FAILED);
		break;
	case JOB_NONE:
	case JOB_TRY_RESTART:
	case JOB_TRY_RELOAD:
	case JOB_RELOAD_OR_START:
	case JOB_TYPES:
		break;
	}
}

/* --- what a change of one unit means for the others --- */

static struct cause cause_from(const struct unit *u, enum cause_kind kind)
{
	return (struct cause){.kind = (uint8_t)kind, .unit = u->id, .entry = u->why_entry};
}

static void ask_all(struct engine *e, const struct unit *u, enum dep_type dep, enum job_type type, enum job_mode mode,
		    enum cause_kind kind)
{
	struct cause cause = cause_from(u, kind);

	for (uint32_t i = 0; i < u->edges_n; i++)
		if (u->edges[i].type == dep)
			ask(e, registry_unit(e->reg, u->edges[i].to), type, mode, &cause, 0);
}

static bool is_needing(enum dep_type t)
{
	return t == DEP_REQUIRED_BY || t == DEP_REQUISITE_OF || t == DEP_WANTED_BY || t == DEP_BOUND_BY || t == DEP_UPHELD_BY;
}

static bool is_needed(const struct engine *e, const struct unit *u)
{
	for (uint32_t i = 0; i < u->edges_n; i++) {
		const struct unit *v = registry_unit(e->reg, u->edges[i].to);

		if (is_needing((enum dep_type)u->edges[i].type) && (!unit_is_at_rest(v) || v->job.id))
			return true;
	}
	return false;
}

/* StopWhenUnneeded= of the units that u pulled in. */
static void release_unneeded(struct engine *e, const struct unit *u)
{
	struct cause cause = cause_from(u, CAUSE_UNNEEDED);

	for (uint32_t i = 0; i < u->edges_n; i++) {
		struct unit *v = registry_unit(e->reg, u->edges[i].to);

		if (!is_needing(dep_inverse((enum dep_type)u->edges[i].type)) || !v->config || !v->config->stop_when_unneeded)
			continue;
		if (unit_is_active(v) && !v->job.id && !is_needed(e, v))
			ask(e, v, JOB_STOP, MODE_FAIL, &cause, 0);
	}
}

static void uphold(struct engine *e, struct unit *u)
{
	for (uint32_t i = 0; i < u->edges_n; i++) {
		struct unit *v = registry_unit(e->reg, u->edges[i].to);
		struct cause cause;

		if (u->edges[i].type != DEP_UPHELD_BY || !unit_is_active(v) || u->job.id)
			continue;
		cause = cause_from(v, CAUSE_UPHELD);
		ask(e, u, JOB_START, MODE_REPLACE, &cause, 0);
	}
}

static void came_to_rest(struct engine *e, struct unit *u, enum coarse now)
{
	bool hit_limit = u->ops->result && strcmp(u->ops->result(u), "start-limit-hit") == 0;

	tell_triggers(e, u, EV_TRIGGERED_DEAD, hit_limit);
	if (now == FAILED) {
		ask_all(e, u, DEP_ON_FAILURE, JOB_START, (enum job_mode)u->config->on_failure_job_mode, CAUSE_ON_FAILURE);
		e->ops->emergency(e->arg, u, (enum emergency_action)u->config->failure_action);
	} else {
		ask_all(e, u, DEP_ON_SUCCESS, JOB_START, (enum job_mode)u->config->on_success_job_mode, CAUSE_ON_SUCCESS);
		e->ops->emergency(e->arg, u, (enum emergency_action)u->config->success_action);
	}
	release_unneeded(e, u);
	uphold(e, u);
}

static void propagate(struct engine *e, struct unit *u, enum coarse before, enum coarse now)
{
	bool was_resting = before == INACTIVE || before == FAILED;
	bool is_resting = now == INACTIVE || now == FAILED;
	bool was_up = before == ACTIVE || before == RELOADING;

	if (was_resting && !is_resting)
		tell_triggers(e, u, EV_TRIGGERED_ALIVE, 0);
	if (was_up && (is_resting || now == DEACTIVATING) && u->job.type != JOB_STOP && u->job.type != JOB_RESTART)
		ask_all(e, u, DEP_BOUND_BY, JOB_STOP, MODE_REPLACE, CAUSE_DEPENDENCY_DIED);
	if (!was_resting && is_resting)
		came_to_rest(e, u, now);
	else if (now == FAILED && before != FAILED)
		came_to_rest(e, u, now);
}

/* --- state --- */

static void stamp(struct unit *u, enum coarse before, enum coarse now, uint64_t now_us)
{
	bool was_up = before == ACTIVE || before == RELOADING, is_up = now == ACTIVE || now == RELOADING;
	bool was_down = before == INACTIVE || before == FAILED, is_down = now == INACTIVE || now == FAILED;

	if (!was_up && is_up)
		u->active_enter_us = now_us;
	if (was_up && !is_up)
		u->active_exit_us = now_us;
	if (!was_down && is_down)
		u->inactive_enter_us = now_us;
	if (was_down && !is_down)
		u->inactive_exit_us = now_us;
}

static void on_state_timer(struct timer *t)
{
	struct unit *u = container_of(t, struct unit, state_timer);

	engine_post_simple(u->engine, u, EV_TIMEOUT, 0, 0, 0);
}

static void arm_state_timer(struct engine *e, struct unit *u)
{
	uint8_t which = u->ops->fsm->states[u->state].timeout;
	uint64_t length = which ? u->ops->timeout_us(u, which) : TIME_NEVER;

	u->state_timer.fn = on_state_timer;
	loop_timer_arm(e->loop, &u->state_timer, time_add(loop_now_us(e->loop), length));
}

void engine_restore(struct engine *e, struct unit *u, uint8_t state, uint64_t due_us)
{
	if (state >= u->ops->fsm->states_n)
		return;
	u->state = state;
	u->state_timer.fn = on_state_timer;
	loop_timer_arm(e->loop, &u->state_timer, due_us ? due_us : TIME_NEVER);
}

static void set_state(struct engine *e, struct unit *u, uint8_t state, const struct event *ev)
{
	uint8_t old = u->state;
	enum coarse before = unit_coarse(u), now;

	u->state = state;
	now = unit_coarse(u);
	u->state_us = loop_now_us(e->loop);
	stamp(u, before, now, u->state_us);
	arm_state_timer(e, u);
	if (before != now && (now == ACTIVE || now == FAILED || now == INACTIVE)) {
		struct cause cause = ev->cause;

		cause.entry = engine_entry(u);
		note(e, LEDGER_STATE, u, &cause, (uint8_t)before, (uint8_t)now);
	}
	log_debug("engine", "%s: %s -> %s on %s", u->name, u->ops->fsm->states[old].name, unit_substate(u),
		  event_names[ev->kind]);
	judge_job(e, u, before);
	if (before != now)
		propagate(e, u, before, now);
	e->ops->changed(e->arg, u, old);
}

static void collect(struct engine *e, struct unit *u, uint32_t fx)
{
	u->pending_fx |= fx & ~(uint32_t)FX_REQUESTS;
	if (u->pending_fx && !list_is_linked(&u->fx_node))
		list_add_tail(&e->fx_queue, &u->fx_node);
}

void engine_resume(struct engine *e, struct unit *u, uint32_t fx)
{
	collect(e, u, fx);
	loop_defer(e->loop, &e->turn);
}

/* Effects that are really requests for jobs. */
static void answer_requests(struct engine *e, struct unit *u, uint32_t fx, const struct event *ev)
{
	struct cause cause = ev->cause;

	if (fx & FX_RESTART_LATER) {
		cause = cause_from(u, CAUSE_RESTART);
		ask(e, u, JOB_START, MODE_REPLACE, &cause, 0);
	}
	if (!(fx & FX_ACTIVATE))
		return;
	cause.unit = u->id;
	for (uint32_t i = 0; i < u->edges_n; i++)
		if (u->edges[i].type == DEP_TRIGGERS)
			ask(e, registry_unit(e->reg, u->edges[i].to), JOB_START, MODE_REPLACE, &cause, u->id + 1);
}

/* One event: classify, look the cell up, go. True when entering the state has itself an event to follow (left in *ev). */
static bool step(struct engine *e, struct unit *u, struct event *ev)
{
	int event = u->ops->classify(u, ev);
	const struct fsm_cell *cell = event < 0 ? NULL : fsm_cell(u->ops->fsm, u->state, (unsigned)event);
	uint8_t state;
	enum event_kind follow;

	if (!cell)
		return false;
	state = (uint8_t)(cell->go - 1);
	if (state == u->state) {
		collect(e, u, cell->fx);
		answer_requests(e, u, cell->fx, ev);
		return false;
	}
	u->pending_fx &= ~(uint32_t)FX_ENTRY;
	collect(e, u, cell->fx);
	set_state(e, u, state, ev);
	answer_requests(e, u, cell->fx, ev);
	follow = u->ops->entered ? u->ops->entered(u) : EV_NONE;
	ev->kind = (uint8_t)follow;
	return follow != EV_NONE;
}

static void extend_timer(struct engine *e, struct unit *u, uint64_t us)
{
	uint64_t due = time_add(loop_now_us(e->loop), us);

	if (u->state_timer.is_armed && due > u->state_timer.due_us)
		loop_timer_arm(e->loop, &u->state_timer, due);
}

static void answer_ask(struct engine *e, struct unit *u, const struct event *ev)
{
	struct unit *teller = ev->c ? registry_unit(e->reg, (uint32_t)ev->c - 1) : NULL;
	int r = engine_request(e, u, (enum job_type)ev->a, (enum job_mode)ev->b, &ev->cause, false, NULL);

	if (r == 0)
		return;
	if (r < 0)
		log_at(LOG_ERROR, "%s: cannot %s it: %s; nothing else is affected", u->name, job_type_names[ev->a], strerror(-r));
	if (teller)
		engine_post_simple(e, teller, EV_TRIGGERED_DEAD, 1, 0, 0);
}

static void digest(struct engine *e, struct event *ev)
{
	struct unit *u = registry_unit(e->reg, ev->unit);

	if (!u)
		return;
	if (ev->kind == EV_ASK)
		answer_ask(e, u, ev);
	else if (ev->kind == EV_EXTEND)
		extend_timer(e, u, (uint64_t)ev->a);
	else if (u->config)
		while (step(e, u, ev))
			;
}

/* --- running jobs --- */

static bool hits_start_limit(struct engine *e, struct unit *u)
{
	const struct unit_config *c = u->config;
	uint64_t now_us = loop_now_us(e->loop);

	if (!c->start_limit_interval_us || !c->start_limit_burst)
		return false;
	if (!u->start_limit_begin_us || now_us - u->start_limit_begin_us > c->start_limit_interval_us) {
		u->start_limit_begin_us = now_us;
		u->start_limit_count = 0;
	}
	return ++u->start_limit_count > c->start_limit_burst;
}

static void give(struct engine *e, struct unit *u, enum event_kind kind)
{
	struct event ev = {.kind = (uint8_t)kind, .unit = u->id, .cause = u->job.cause};

	digest(e, &ev);
}

/* The start ends before it began. A unit that waited for its next try goes to rest. */
static void refuse_start(struct engine *e, struct unit *u, enum job_result result)
{
	finish_job(e, u, result);
	if (!unit_is_at_rest(u))
		give(e, u, EV_STOP);
}

static void start_from_rest(struct engine *e, struct unit *u)
{
	enum emergency_action action = (enum emergency_action)u->config->start_limit_action;
	int r = u->ops->can_start ? u->ops->can_start(u) : 0;

	if (u->config->load != LOAD_LOADED)
		refuse_start(e, u, JOB_RES_INVALID);
	else if (r > 0)
		refuse_start(e, u, (enum job_result)r);
	else if (u->config->conditions && !e->ops->condition(e->arg, u, false))
		refuse_start(e, u, JOB_RES_SKIPPED);
	else if (u->config->conditions && !e->ops->condition(e->arg, u, true))
		refuse_start(e, u, JOB_RES_ASSERT);
	else if (hits_start_limit(e, u)) {
		give(e, u, EV_START_LIMIT);
		if (u->job.id)
			finish_job(e, u, JOB_RES_FAILED);
		e->ops->emergency(e->arg, u, action);
	} else {
		if (u->job.cause.kind != CAUSE_RESTART)
			u->why_entry = u->job.cause.entry;
		u->n_activations++;
		give(e, u, EV_START);
	}
}

static void run_start(struct engine *e, struct unit *u)
{
	enum coarse now = unit_coarse(u);

	if (unit_is_active(u))
		finish_job(e, u, JOB_RES_DONE);
	else if (now == DEACTIVATING)
		u->job.is_running = false; /* woken when it has come to rest */
	else if (now != ACTIVATING || u->ops->fsm->states[u->state].is_between_runs)
		start_from_rest(e, u);
	/* else it is under way: the job ends with what is going on */
}

static void run_verify(struct engine *e, struct unit *u)
{
	if (unit_is_active(u))
		finish_job(e, u, JOB_RES_DONE);
	else if (unit_coarse(u) != ACTIVATING)
		finish_job(e, u, JOB_RES_FAILED);
}

static void run_stop(struct engine *e, struct unit *u)
{
	if (unit_is_at_rest(u))
		finish_job(e, u, JOB_RES_DONE);
	else
		give(e, u, EV_STOP);
}

static void run_reload(struct engine *e, struct unit *u)
{
	enum coarse now = unit_coarse(u);

	if (now != ACTIVE && now != RELOADING)
		finish_job(e, u, JOB_RES_FAILED);
	else if (!u->ops->can_reload || !u->ops->can_reload(u))
		finish_job(e, u, JOB_RES_UNSUPPORTED);
	else
		give(e, u, EV_RELOAD);
}

static void run_job(struct engine *e, struct unit *u)
{
	if (u->job.is_running || !job_is_runnable(e->reg, u))
		return; /* woken again when one that is ordered before it ends */
	u->job.is_running = true;
	if (!u->config) { /* a stop of something never loaded */
		finish_job(e, u, u->job.type == JOB_STOP ? JOB_RES_DONE : JOB_RES_INVALID);
		return;
	}
	switch ((enum job_type)u->job.type) {
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
		CHECK(!"a collapsing job type was installed");
		break;
	}
}

/* --- requests --- */

static int load_one(void *arg, struct unit *u)
{
	struct engine *e = arg;
	int r;

	u->engine = e;
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

static void on_job_timer(struct timer *t)
{
	struct unit *u = container_of(t, struct unit, job.timer);
	struct engine *e = u->engine;

	log_at(LOG_WARN, "%s: its %s job took longer than JobTimeoutSec= allows; it is given up", u->name,
	       job_type_names[u->job.type]);
	if (u->config)
		e->ops->emergency(e->arg, u, (enum emergency_action)u->config->job_timeout_action);
	finish_job(e, u, JOB_RES_TIMEOUT);
	loop_defer(e->loop, &e->turn);
}

static void on_installed(void *arg, struct unit *u)
{
	struct engine *e = arg;

	u->engine = e;
	e->jobs_n++;
	u->job.cause.entry = note(e, LEDGER_JOB, u, &u->job.cause, u->job.type, 0);
	u->job.timer.fn = on_job_timer;
	if (u->config && u->config->job_timeout_us && u->config->job_timeout_us != TIME_NEVER)
		loop_timer_arm(e->loop, &u->job.timer, time_add(u->job.begin_us, u->config->job_timeout_us));
	wake_job(e, u);
	e->ops->changed(e->arg, u, u->state);
}

/* The job is about to be overwritten by another: whoever waits for it hears so. */
static void on_canceled(void *arg, struct unit *u)
{
	struct engine *e = arg;

	loop_timer_disarm(e->loop, &u->job.timer);
	list_del(&u->job.run_node);
	e->jobs_n--;
	e->ops->job_done(e->arg, u, u->job.id, (enum job_type)u->job.type, JOB_RES_CANCELED);
}

int engine_request(struct engine *e, struct unit *u, enum job_type type, enum job_mode mode, const struct cause *cause,
		   bool manual, uint32_t *ret_job)
{
	struct job_sink sink = {
		.installed = on_installed,
		.canceled = on_canceled,
		.arg = e,
		.next_id = &e->next_job,
		.now_us = loop_now_us(e->loop),
	};
	int r = graph_closure(e->reg, u, load_one, e);

	CHECK(!e->is_running_fx);
	if (r < 0)
		return r;
	job_plan_fini(&e->last_plan);
	r = job_plan_make(&e->last_plan, e->reg, u, type, mode, cause, manual);
	if (r != 0)
		return r;
	job_plan_apply(&e->last_plan, e->reg, mode, &sink);
	loop_defer(e->loop, &e->turn);
	if (ret_job)
		*ret_job = u->job.id;
	return 0;
}

void engine_cancel(struct engine *e, struct unit *u)
{
	if (u->job.id)
		finish_job(e, u, JOB_RES_CANCELED);
	loop_defer(e->loop, &e->turn);
}

void engine_reset(struct engine *e, struct unit *u)
{
	if (u->ops->reset)
		u->ops->reset(u);
	u->start_limit_begin_us = 0;
	u->start_limit_count = 0;
	engine_post_simple(e, u, EV_RESET, 0, 0, 0);
}

/* --- the turn --- */

static bool digest_all(struct engine *e)
{
	bool any = e->n > 0;

	e->is_digesting = true;
	while (e->n) {
		struct event ev = e->queue[e->head];

		e->head = (e->head + 1) % e->cap;
		e->n--;
		digest(e, &ev);
	}
	e->is_digesting = false;
	return any;
}

static bool run_jobs(struct engine *e)
{
	struct list *node;
	bool any = false;

	while ((node = list_pop(&e->doomed))) {
		finish_job(e, container_of(node, struct unit, job.run_node), JOB_RES_DEPENDENCY);
		any = true;
	}
	while ((node = list_pop(&e->run_queue))) {
		run_job(e, container_of(node, struct unit, job.run_node));
		any = true;
	}
	return any;
}

static bool run_effects(struct engine *e)
{
	struct list *node;
	bool any = false;

	e->is_running_fx = true;
	while ((node = list_pop(&e->fx_queue))) {
		struct unit *u = container_of(node, struct unit, fx_node);
		uint32_t fx = u->pending_fx;

		u->pending_fx = 0;
		e->ops->run(e->arg, u, fx);
		any = true;
	}
	e->is_running_fx = false;
	return any;
}

void engine_settle(struct engine *e)
{
	do {
		while (digest_all(e) || run_jobs(e))
			;
	} while (run_effects(e));
}

static void turn(struct task *t)
{
	engine_settle(container_of(t, struct engine, turn));
}

int engine_init(struct engine *e, struct loop *loop, struct registry *reg, struct ledger *ledger,
		const struct engine_ops *ops, void *arg)
{
	*e = (struct engine){.loop = loop, .reg = reg, .ledger = ledger, .ops = ops, .arg = arg, .cap = QUEUE_FIRST,
			     .next_job = 1, .turn = {.fn = turn}};
	list_init(&e->run_queue);
	list_init(&e->fx_queue);
	list_init(&e->doomed);
	e->queue = mem_get(e->cap * sizeof(*e->queue));
	return e->queue ? 0 : -ENOMEM;
}

void engine_fini(struct engine *e)
{
	loop_undefer(&e->turn);
	job_plan_fini(&e->last_plan);
	mem_put(e->queue);
	e->queue = NULL;
}
