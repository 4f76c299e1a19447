/* SPDX-License-Identifier: MIT */
#include "activate/notify.h"
#include "activate/output.h"
#include "core/log.h"
#include "core/procs.h"
#include "core/remember.h"
#include "core/run.h"
#include "units/service.h"
#include "units/socket.h"

/* The bank has the last word: a process is ours when its slot holds that very token. */
static void restore_proc(struct hark *h, struct unit *u, enum proc_role role,
			 const struct state_proc *sp, struct proc_ref *ref)
{
	const struct bank_slot *b;

	if (!sp->slot || sp->slot > h->bank.table->slots_n)
		return;
	b = &h->bank.table->slot[sp->slot - 1];
	if ((b->kind != BANK_PROC && b->kind != BANK_DEAD) || b->token != sp->token)
		return;
	if (procs_restore(h, u, role, sp->slot - 1, sp->token) < 0)
		return;
	*ref = (struct proc_ref){
		.slot = sp->slot, .pid = b->pid, .token = sp->token, .start_us = b->since_us};
}

/* PID 1 lets go of a connection once its process has been executed; the slot may not be taken for that connection then. */
static uint32_t restore_connection(const struct hark *h, uint32_t slot)
{
	const struct bank_table *t = h->bank.table;

	return slot && slot <= t->slots_n && t->slot[slot - 1].kind == BANK_CONN ? slot : 0;
}

static void restore_service(struct hark *h, struct service *s, const struct state_unit *st)
{
	const char *socket = st->socket_unit ? state_name(&h->state, st->socket_unit) : NULL;
	struct unit *k = socket ? registry_get(&h->reg, socket) : NULL;

	s->result = st->result;
	s->is_ready = st->flags & STATE_READY;
	s->is_main_known = st->flags & STATE_MAIN_KNOWN;
	s->forbid_restart = st->flags & STATE_FORBID_RESTART;
	s->command_at = st->command_at;
	s->main_at = st->main_at;
	s->n_restarts = st->n_restarts;
	s->main.code = st->exit_code;
	s->main.status = st->exit_status;
	restore_proc(h, &s->unit, ROLE_MAIN, &st->main, &s->main);
	restore_proc(h, &s->unit, ROLE_CONTROL, &st->control, &s->control);
	s->notify_slot = st->notify_slot;
	s->out_slot[0] = st->out_slot[0];
	s->out_slot[1] = st->out_slot[1];
	s->conn_slot = restore_connection(h, st->conn_slot);
	s->socket_unit = k ? k->id : UNIT_NONE;
	if (k && socket_of(k))
		socket_of(k)->n_connections++;
	if (st->remote[0])
		s->remote = mem_dup(st->remote, strnlen(st->remote, sizeof(st->remote)));
	if (s->notify_slot)
		notify_adopt(h, s);
	if (s->out_slot[0])
		output_adopt(h, s);
}

static void restore_times(struct hark *h, struct unit *u, const struct state_unit *st)
{
	u->state_us = st->state_us;
	u->active_enter_us = st->active_enter_us;
	u->active_exit_us = st->active_exit_us;
	u->inactive_enter_us = st->inactive_enter_us;
	u->inactive_exit_us = st->inactive_exit_us;
	u->why_entry = st->why_entry;
	u->start_limit_begin_us = st->start_limit_begin_us;
	u->start_limit_count = st->start_limit_count;
	u->n_activations = st->n_activations;
	u->last_job_result = st->last_job_result;
	memcpy(u->invocation, st->invocation, sizeof(u->invocation));
	engine_restore(&h->engine, u, st->state, st->timer_us);
}

/* Of the state it is in: no command is configured for it, or the process it waits for has ended. */
static bool has_nothing_to_do(struct unit *u)
{
	struct service *s = service_of(u);
	uint32_t command_at = s ? s->command_at : 0;
	bool is_so = u->ops->entered && u->ops->entered(u) == EV_NOTHING;

	if (s)
		s->command_at = command_at;
	return is_so;
}

/* What the machine does on entering the state the unit is in, by the first cell that leads there from another state. */
static uint32_t entry_effects(const struct unit *u)
{
	const struct fsm *f = u->ops->fsm;

	for (unsigned i = 0; i < f->states_n * f->events_n; i++)
		if (f->cells[i].go == u->state + 1 && i / f->events_n != u->state)
			return f->cells[i].fx & FX_ENTRY;
	return 0;
}

/* That the main process was made, and executed, is told again: which of the two was heard is not known. */
static void tell_of_main(struct hark *h, struct unit *u, const struct proc_ref *main)
{
	engine_post_simple(&h->engine, u, EV_SPAWNED, main->pid, ROLE_MAIN, 0);
	if (h->bank.table->slot[main->slot - 1].is_execed)
		engine_post_simple(&h->engine, u, EV_EXECED, main->pid, ROLE_MAIN, 0);
}

/*
 * What may have been lost between the state stored last and the death of the manager is done or told again. A process that is
 * remembered but not in the bank was never made: a slot is freed only after the state that follows from the exit was stored.
 */
static void go_on(struct hark *h, struct unit *u)
{
	const struct fsm_state *state = &u->ops->fsm->states[u->state];
	struct proc_ref *main = procs_ref(u, ROLE_MAIN), *control = procs_ref(u, ROLE_CONTROL);
	bool has_process = (main && main->slot) || (control && control->slot);

	if (main && main->slot)
		tell_of_main(h, u, main);
	/* What is to run runs again when it never came to be; what is to die is signalled again, which does no harm. */
	if (has_nothing_to_do(u))
		engine_post_simple(&h->engine, u, EV_NOTHING, 0, 0, 0);
	else if (state->commands ? !has_process : state->coarse == DEACTIVATING && has_process)
		engine_resume(&h->engine, u, entry_effects(u));
	else if (state->coarse == DEACTIVATING && !state->commands)
		engine_post_simple(&h->engine, u, EV_EMPTY, 0, 0, 0);
}

/* The listeners are found in the bank; a socket that cannot be had again fails as it would at its start. */
static void restore_socket(struct hark *h, struct socket_unit *k, const struct state_unit *st)
{
	struct unit *u = &k->unit;
	bool has_ports = u->state >= SOCK_ARMING && u->state <= SOCK_STOP_PRE_SIGKILL;
	char *why = NULL;

	k->result = st->result;
	k->n_accepted = st->n_accepted;
	restore_proc(h, u, ROLE_CONTROL, &st->control, &k->control);
	if (u->state == SOCK_START_POST && !k->control.slot)
		engine_restore(&h->engine, u, SOCK_ARMING, 0);
	if (has_ports && u->state != SOCK_ARMING &&
	    h->activators[UNIT_SOCKET]->arm(h, u, &why) < 0 && u->state <= SOCK_RUNNING)
		engine_restore(&h->engine, u, SOCK_ARMING, 0);
	mem_put(why);
	if (u->state == SOCK_ARMING)
		engine_resume(&h->engine, u, FX_ARM);
	if (u->state == SOCK_LISTENING)
		engine_resume(&h->engine, u, FX_WATCH);
}

/* The service came to rest, or its start was never asked for, and the socket did not hear of it. */
static void wake_socket(struct hark *h, struct unit *u)
{
	if (u->type != UNIT_SOCKET || u->state != SOCK_RUNNING)
		return;
	for (uint32_t i = 0; i < u->edges_n; i++) {
		const struct unit *s = registry_unit(&h->reg, u->edges[i].to);

		if (u->edges[i].type == DEP_TRIGGERS && (!unit_is_at_rest(s) || s->job.id))
			return;
	}
	engine_post_simple(&h->engine, u, EV_TRIGGERED_DEAD, 0, 0, 0);
}

/* The unit as it was, without consequences. False when it cannot be loaded. */
static bool restore_unit(struct hark *h, uint32_t slot, const struct state_unit *st)
{
	const char *name = state_name(&h->state, slot);
	struct unit *u = name ? registry_get(&h->reg, name) : NULL;

	if (!u || engine_load(&h->engine, u) < 0)
		return false;
	u->state_slot = slot;
	restore_times(h, u, st);
	if (u->type == UNIT_SERVICE)
		restore_service(h, service_of(u), st);
	if (u->type == UNIT_SOCKET)
		restore_socket(h, socket_of(u), st);
	return true;
}

/* Every job of the transaction is remembered with its own unit, so each comes back alone. */
static void restore_job(struct hark *h, struct unit *u, const struct state_unit *st)
{
	struct cause cause = {.kind = CAUSE_TAKEOVER, .unit = UNIT_NONE, .entry = st->job_entry};
	int r = st->job_type == JOB_NONE
			? 0
			: engine_request(&h->engine, u, (enum job_type)st->job_type,
					 MODE_IGNORE_REQUIREMENTS, &cause, false, NULL);

	if (r < 0)
		log_at(LOG_ERROR, "%s: its %s job is lost: %s", u->name,
		       job_type_names[st->job_type], strerror(-r));
}

/* What may have been lost on the way, the unit's job and its connection. */
static bool resume_unit(struct hark *h, uint32_t slot, const struct state_unit *st)
{
	struct unit *u = registry_find(&h->reg, state_name(&h->state, slot));
	struct service *s = u ? service_of(u) : NULL;

	if (!u)
		return false;
	go_on(h, u);
	restore_job(h, u, st);
	if (s && st->conn_slot && !s->conn_slot)
		remember_unit(h, u); /* the slot may be another connection's from now on */
	return true;
}

/* Calls visit for every unit of the table that was not at rest; how many times it said true. */
static uint32_t each_unit(struct hark *h,
			  bool (*visit)(struct hark *h, uint32_t slot, const struct state_unit *st))
{
	struct state_unit st;
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->state.image->slots_n; i++) {
		uint32_t slot = state_at(&h->state, i);

		if (state_get(&h->state, slot, &st) == 0 &&
		    (st.state != 0 || st.job_type != JOB_NONE))
			n += visit(h, slot, &st);
	}
	return n;
}

/*
 * All units stand where they stood before any goes on: a job looks at its neighbours. Nothing is stored in the first pass, so the
 * second reads of each unit what the first has read.
 */
void run_takeover(struct hark *h)
{
	uint32_t n = each_unit(h, restore_unit);

	each_unit(h, resume_unit);
	for (uint32_t id = 0; id < h->reg.n; id++)
		if (registry_unit(&h->reg, id))
			wake_socket(h, registry_unit(&h->reg, id));
	log_at(LOG_INFO, "took over %u units from the manager before (life %u)", n,
	       h->bank.table->generation);
}
