/* SPDX-License-Identifier: MIT */
#include "core/engine_inner.h"

#include "core/log.h"

/* BEHIND_US: PID 1 does not come to the end of what it was asked for in that time, and each look costs a timer and a sleep. */
enum {
	QUEUE_FIRST = 64,
	BEHIND_US = 1000,
	UNITS_A_TURN = 4,
	LATER_US = 1000,
	REST_US = 50 * 1000,
	TRIM_FROM = 2000
};
enum { AGAIN_FIRST_US = 3 * 1000, AGAIN_MOST_US = 1000 * 1000 };

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

void engine_post_simple(struct engine *e, struct unit *u, enum event_kind kind, int64_t a,
			int64_t b, int64_t c)
{
	struct event ev = {.kind = (uint8_t)kind,
			   .unit = u->id,
			   .a = a,
			   .b = b,
			   .c = c,
			   .cause = {.unit = UNIT_NONE}};

	engine_post(e, &ev);
}

void engine_ask(struct engine *e, struct unit *u, enum job_type type, enum job_mode mode,
		const struct cause *cause, uint32_t teller)
{
	struct event ev = {
		.kind = EV_ASK, .unit = u->id, .a = type, .b = mode, .c = teller, .cause = *cause};

	engine_post(e, &ev);
}

/* --- ledger --- */

uint64_t engine_entry(const struct unit *u)
{
	return u->work->job.id ? u->work->job.cause.entry : u->why_entry;
}

uint64_t engine_note(struct engine *e, enum ledger_kind kind, struct unit *u,
		     const struct cause *cause, uint8_t a, uint8_t b)
{
	struct ledger_entry entry = {.kind = (uint8_t)kind, .a = a, .b = b};
	struct unit *from;

	entry.unit = e->ops->slot(e->arg, u);
	if (cause) {
		from = registry_unit(e->reg, cause->unit);
		entry.parent = (uint32_t)(cause->entry ? cause->entry
					  : from       ? engine_entry(from)
						       : 0);
		entry.from = from ? e->ops->slot(e->arg, from) : 0;
		entry.cause = cause->kind;
		entry.uid = cause->uid;
		entry.pid = cause->pid;
	}
	return ledger_add(e->ledger, &entry, cause ? cause->text : NULL);
}

void engine_note_trigger(struct engine *e, struct unit *u, struct cause *cause)
{
	struct ledger_entry entry = {.kind = LEDGER_TRIGGER,
				     .cause = cause->kind,
				     .uid = cause->uid,
				     .pid = cause->pid,
				     .parent = (uint32_t)engine_entry(u)};

	if (!e->ledger)
		return;
	entry.unit = entry.from = e->ops->slot(e->arg, u);
	cause->entry = ledger_add(e->ledger, &entry, cause->text);
}

/* --- state --- */

static void stamp(struct unit *u, enum coarse before, enum coarse now, uint64_t now_us)
{
	bool was_up = before == ACTIVE || before == RELOADING,
	     is_up = now == ACTIVE || now == RELOADING;
	bool was_down = before == INACTIVE || before == FAILED,
	     is_down = now == INACTIVE || now == FAILED;

	if (!was_up && is_up)
		u->active_enter_us = now_us;
	if (was_up && !is_up)
		u->active_exit_us = now_us;
	if (!was_down && is_down)
		u->inactive_enter_us = now_us;
	if (was_down && !is_down)
		u->inactive_exit_us = now_us;
}

/* --- what units wait for --- */

static void on_timer(struct timer *t);

static void rearm(struct unit *u)
{
	struct unit_work *w = unit_work(u);
	uint64_t due_us = TIME_NEVER;

	for (unsigned i = 0; i < UNIT_DUES; i++)
		if (w->due_us[i] && w->due_us[i] < due_us)
			due_us = w->due_us[i];
	w->timer.fn = on_timer;
	if (w->timer.is_armed ? w->timer.due_us != due_us : due_us != TIME_NEVER)
		loop_timer_arm(w->engine->loop, &w->timer, due_us);
}

void engine_arm(struct engine *e, struct unit *u, enum unit_due which, uint64_t due_us)
{
	u->work->engine = e;
	u->work->due_us[which] = due_us == TIME_NEVER ? 0 : due_us;
	rearm(u);
}

/* Effects wait for their turn in the queue. */
static void collect(struct engine *e, struct unit *u, uint32_t fx)
{
	u->work->pending_fx |= fx & ~(uint32_t)FX_REQUESTS;
	if (u->work->pending_fx && !list_is_linked(&u->work->fx_node))
		list_add_tail(&e->fx_queue, &unit_work(u)->fx_node);
}

uint64_t engine_next_try_us(const struct engine *e, const struct unit *u)
{
	uint64_t lasted_us = loop_now_us(e->loop) - u->state_us, wait_us = AGAIN_FIRST_US;

	while (wait_us <= lasted_us && wait_us < AGAIN_MOST_US)
		wait_us *= 2;
	if (wait_us <= lasted_us)
		wait_us += ((lasted_us - wait_us) / AGAIN_MOST_US + 1) * AGAIN_MOST_US;
	return u->state_us + wait_us;
}

void engine_try_again(struct engine *e, struct unit *u, uint32_t fx)
{
	u->work->again_fx |= fx;
	engine_arm(e, u, DUE_AGAIN, engine_next_try_us(e, u));
	engine_touch(e, u);
}

static void do_again(struct engine *e, struct unit *u)
{
	collect(e, u, u->work->again_fx);
	u->work->again_fx = 0;
	loop_defer(e->loop, &e->turn);
}

static void on_due(struct engine *e, struct unit *u, enum unit_due which)
{
	if (which == DUE_STATE)
		engine_post_simple(e, u, EV_TIMEOUT, (int64_t)u->state_us, 0, 0);
	else if (which == DUE_JOB)
		engine_give_up_job(e, u);
	else if (which == DUE_AGAIN)
		do_again(e, u);
	else
		e->ops->elapsed(e->arg, u, which);
}

static void on_timer(struct timer *t)
{
	struct unit *u = container_of(t, struct unit_work, timer)->unit;
	uint64_t now_us = loop_now_us(u->work->engine->loop);

	for (unsigned i = 0; i < UNIT_DUES; i++) {
		if (!u->work->due_us[i] || u->work->due_us[i] > now_us)
			continue;
		u->work->due_us[i] = 0;
		on_due(u->work->engine, u, (enum unit_due)i);
	}
	rearm(u);
}

/* --- what is stored --- */

void engine_touch(struct engine *e, struct unit *u)
{
	if (!list_is_linked(&u->work->touch_node))
		list_add_tail(&e->touched, &unit_work(u)->touch_node);
}

void engine_commit(struct engine *e)
{
	struct list *node;

	CHECK(!e->is_digesting);
	while ((node = list_pop(&e->touched)))
		if (e->ops->remember)
			e->ops->remember(e->arg,
					 container_of(node, struct unit_work, touch_node)->unit);
	if (e->ops->commit)
		e->ops->commit(e->arg);
}

uint64_t engine_state_due_us(const struct engine *e, const struct unit *u, uint8_t state)
{
	uint8_t which = u->ops->fsm->states[state].timeout;

	return time_add(loop_now_us(e->loop), which ? u->ops->timeout_us(u, which) : TIME_NEVER);
}

static void arm_state_timer(struct engine *e, struct unit *u)
{
	engine_arm(e, u, DUE_STATE, engine_state_due_us(e, u, u->state));
}

static void set_state(struct engine *e, struct unit *u, uint8_t state, const struct event *ev)
{
	uint8_t old = u->state;
	enum coarse before = unit_coarse(u), now;
	uint64_t entry = 0;

	u->state = state;
	now = unit_coarse(u);
	u->state_us = loop_now_us(e->loop);
	stamp(u, before, now, u->state_us);
	arm_state_timer(e, u);
	if (u->work->again_fx) {
		u->work->again_fx = 0;
		engine_arm(e, u, DUE_AGAIN, TIME_NEVER);
	}
	if (before != now && (now == ACTIVE || now == FAILED || now == INACTIVE)) {
		struct cause cause = ev->cause;

		cause.entry = engine_entry(u);
		entry = engine_note(e, LEDGER_STATE, u, &cause, (uint8_t)before, (uint8_t)now);
	}
	log_debug("engine", "%s: %s -> %s on %s", u->name, u->ops->fsm->states[old].name,
		  unit_substate(u), event_names[ev->kind]);
	engine_judge_job(e, u, before);
	if (before != now)
		engine_propagate(e, u, before, now, entry);
	e->ops->changed(e->arg, u, old);
}

void engine_restore(struct engine *e, struct unit *u, uint8_t state, uint64_t due_us, uint32_t fx)
{
	if (state >= u->ops->fsm->states_n)
		return;
	u->state = state;
	engine_arm(e, u, DUE_STATE, due_us);
	collect(e, u, fx);
	loop_defer(e->loop, &e->turn);
}

/* To each unit that u points at by an edge of that type: a job. */
static void ask_jobs(struct engine *e, const struct unit *u, enum dep_type type, enum job_type job,
		     const struct cause *cause, uint32_t teller)
{
	for (uint32_t i = 0; i < u->edges_n; i++)
		if (u->edges[i].type == type)
			engine_ask(e, registry_unit(e->reg, u->edges[i].to), job, MODE_REPLACE,
				   cause, teller);
}

/* Effects that are really requests for jobs. */
static void answer_requests(struct engine *e, struct unit *u, uint32_t fx, const struct event *ev)
{
	struct cause cause = ev->cause;

	if (fx & FX_RESTART_LATER) {
		cause = engine_cause_from(u, CAUSE_RESTART);
		engine_ask(e, u, JOB_START, MODE_REPLACE, &cause, 0);
	}
	cause.unit = u->id;
	if (fx & FX_ACTIVATE)
		ask_jobs(e, u, DEP_TRIGGERS, JOB_START, &cause, u->id + 1);
	if (fx & FX_DEACTIVATE)
		ask_jobs(e, u, DEP_TRIGGERS, JOB_STOP, &cause, 0);
	if (!(fx & FX_PULL))
		return;
	ask_jobs(e, u, DEP_REQUIRES, JOB_START, &cause, 0);
	ask_jobs(e, u, DEP_BINDS_TO, JOB_START, &cause, 0);
	ask_jobs(e, u, DEP_WANTS, JOB_START, &cause, 0);
}

/* One event: classify, look the cell up, go. True when entering the state has itself an event to follow (left in *ev). */
static bool step(struct engine *e, struct unit *u, struct event *ev)
{
	int event = u->ops->classify(u, ev);
	const struct fsm_cell *cell = event < 0 ? NULL
						: fsm_cell(u->ops->fsm, u->state, (unsigned)event);
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
	u->work->pending_fx &= ~(uint32_t)FX_ENTRY;
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

	if (u->work->due_us[DUE_STATE] && due > u->work->due_us[DUE_STATE])
		engine_arm(e, u, DUE_STATE, due);
}

static void answer_ask(struct engine *e, struct unit *u, const struct event *ev)
{
	struct unit *teller = ev->c ? registry_unit(e->reg, (uint32_t)ev->c - 1) : NULL;
	int r = engine_request(e, u, (enum job_type)ev->a, (enum job_mode)ev->b, &ev->cause, false,
			       NULL);

	if (r == -ENOMEM) /* a client would ask again; who else asks does not */
		r = engine_request(e, u, (enum job_type)ev->a, (enum job_mode)ev->b, &ev->cause,
				   false, NULL);
	if (r == 0)
		return;
	if (r < 0)
		log_at(LOG_ERROR, "%s: cannot %s it: %s; nothing else is affected", u->name,
		       job_type_names[ev->a], strerror(-r));
	if (teller)
		engine_post_simple(e, teller, EV_TRIGGERED_DEAD, 1, 0, 0);
}

/* What it waited for came in the same turn, before it: the state that it is in now has its time yet. */
static bool is_outlived(const struct unit *u, const struct event *ev)
{
	return ev->kind == EV_TIMEOUT && ev->a != (int64_t)u->state_us;
}

static void digest(struct engine *e, struct event *ev)
{
	struct unit *u = registry_unit(e->reg, ev->unit);

	if (!u)
		return;
	engine_touch(e, u); /* counters of the object may change without its state */
	if (ev->kind == EV_ASK)
		answer_ask(e, u, ev);
	else if (ev->kind == EV_EXTEND)
		extend_timer(e, u, (uint64_t)ev->a);
	else if (u->config && !is_outlived(u, ev))
		while (step(e, u, ev))
			;
}

void engine_give(struct engine *e, struct unit *u, enum event_kind kind)
{
	struct event ev = {
		.kind = (uint8_t)kind, .unit = u->id, .cause = cause_again(&u->work->job.cause)};

	digest(e, &ev);
}

/* --- the turn --- */

static bool digest_all(struct engine *e)
{
	bool any = e->n > 0;

	CHECK(!e->is_running_fx);
	while (e->n) {
		struct event ev = e->queue[e->head];

		e->head = (e->head + 1) % e->cap;
		e->n--;
		digest(e, &ev);
	}
	return any;
}

static struct unit *next_of(struct list *queue)
{
	struct list *node = list_pop(queue);

	return node ? container_of(node, struct unit_work, fx_node)->unit : NULL;
}

/* The next unit with effects that cannot wait, or NULL. */
static struct unit *next_urgent(struct engine *e)
{
	struct unit *u;

	while ((u = next_of(&e->fx_queue)) && e->ops->can_wait && e->ops->can_wait(e->arg, u))
		list_add_tail(&e->fx_later, &unit_work(u)->fx_node);
	return u;
}

/* Those of u, and what follows from them. */
static void run_effects(struct engine *e, struct unit *u)
{
	uint32_t fx = u->work->running_fx = u->work->pending_fx;

	u->work->pending_fx = 0;
	CHECK(!e->is_digesting); /* law 4 of docs/ARCHITECTURE.md, and below its other half */
	e->is_running_fx = true;
	e->ops->run(e->arg, u, fx);
	e->is_running_fx = false;
	u->work->running_fx = 0;
	engine_touch(e, u);
	engine_digest(e);
}

/* Of the next unit that was put aside, to the end; false when there is none. */
static bool run_later(struct engine *e)
{
	struct unit *u = next_of(&e->fx_later);

	if (!u)
		return false;
	do {
		list_del(&unit_work(u)->fx_node);
		run_effects(e, u);
	} while (u->work->pending_fx);
	return true;
}

bool engine_run_later(struct engine *e)
{
	bool any = false;

	while (run_later(e))
		any = true;
	return any;
}

void engine_retire(struct engine *e, struct unit *u)
{
	if (!list_is_linked(&u->work->retire_node))
		list_add_tail(&e->retired, &unit_work(u)->retire_node);
	loop_defer(e->loop, &e->turn);
}

static void drop_retired(struct engine *e)
{
	struct list *node;

	while ((node = list_pop(&e->retired))) {
		struct unit *u = container_of(node, struct unit_work, retire_node)->unit;

		if (!unit_is_at_rest(u) || u->work->job.id || u->work->pending_fx)
			continue;
		graph_detach(e->reg, u);
		if (u->edges_n) { /* somebody names it: it stays, with its own edges */
			if (graph_attach(e->reg, u) < 0)
				log_at(LOG_ERROR,
				       "%s: no memory for its dependencies; they are lost until the next reload",
				       u->name);
			continue;
		}
		loop_timer_disarm(e->loop, &u->work->timer);
		list_del(&u->work->touch_node);
		e->ops->retired(e->arg, u);
		registry_drop(e->reg, u);
		e->dropped_n++;
	}
	/* Many have gone, devices for example: the machine gets their memory. */
	if (e->dropped_n >= TRIM_FROM) {
		e->dropped_n = 0;
		mem_trim();
	}
}

void engine_digest(struct engine *e)
{
	e->is_digesting = true;
	while (digest_all(e) || engine_run_jobs(e))
		;
	e->is_digesting = false;
	engine_commit(e);
	if (!list_is_empty(&e->fx_queue))
		loop_defer(e->loop, &e->turn);
	else if (e->ops->quiet)
		e->ops->quiet(e->arg);
}

bool engine_is_due(const struct engine *e)
{
	return list_is_linked(&e->turn.node);
}

/*
 * What the loop calls. A boot has a thousand spawns to do: after a few the loop looks at its descriptors again, so that clients and
 * exits do not wait for all of them. A few, because a socket that is woken and the spawn of its service are two.
 */
static void turn(struct task *t)
{
	struct engine *e = container_of(t, struct engine, turn);
	bool is_behind = false;
	struct unit *u;
	unsigned n = 0;

	engine_digest(e);
	for (; n < UNITS_A_TURN && !list_is_empty(&e->fx_queue); n++) {
		is_behind = e->ops->is_behind && e->ops->is_behind(e->arg);
		u = is_behind ? NULL : next_urgent(e);
		if (!u)
			break;
		run_effects(e, u);
	}
	/* As many have let others go before them. */
	for (; n && run_later(e); n--)
		continue;
	if (!list_is_empty(&e->fx_later) && !e->later.is_armed)
		loop_timer_arm(e->loop, &e->later, loop_now_us(e->loop) + LATER_US);
	/* Once nothing has happened for that long: it looks at every unit, and what it gives back would be taken again. */
	loop_timer_arm(e->loop, &e->rest, loop_now_us(e->loop) + REST_US);
	if (list_is_empty(&e->fx_queue)) {
		drop_retired(e);
		return;
	}
	loop_undefer(&e->turn);
	loop_timer_arm(e->loop, &e->resume,
		       loop_now_us(e->loop) +
			       (is_behind ? BEHIND_US : 0)); /* or when it has news */
}

static void resume(struct timer *t)
{
	struct engine *e = container_of(t, struct engine, resume);

	loop_defer(e->loop, &e->turn);
}

static void later(struct timer *t)
{
	engine_run_later(container_of(t, struct engine, later));
}

static void rest(struct timer *t)
{
	registry_rest(container_of(t, struct engine, rest)->reg);
}

int engine_init(struct engine *e, struct loop *loop, struct registry *reg, struct ledger *ledger,
		const struct engine_ops *ops, void *arg)
{
	*e = (struct engine){.loop = loop,
			     .reg = reg,
			     .ledger = ledger,
			     .ops = ops,
			     .arg = arg,
			     .cap = QUEUE_FIRST,
			     .next_job = 1,
			     .turn = {.fn = turn},
			     .resume = {.fn = resume},
			     .later = {.fn = later},
			     .rest = {.fn = rest}};
	list_init(&e->run_queue);
	list_init(&e->fx_queue);
	list_init(&e->fx_later);
	list_init(&e->retired);
	list_init(&e->touched);
	list_init(&e->doomed);
	e->queue = mem_get(e->cap * sizeof(*e->queue));
	return e->queue ? 0 : -ENOMEM;
}

void engine_fini(struct engine *e)
{
	loop_undefer(&e->turn);
	loop_timer_disarm(e->loop, &e->resume);
	loop_timer_disarm(e->loop, &e->later);
	loop_timer_disarm(e->loop, &e->rest);
	job_plan_fini(&e->last_plan);
	mem_put(e->queue);
	e->queue = NULL;
}
