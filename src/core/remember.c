/* SPDX-License-Identifier: MIT */
#include "core/remember.h"

#include "core/procs.h"
#include "units/service.h"
#include "units/socket.h"

static struct state_proc remember_proc(const struct proc_ref *p)
{
	return (struct state_proc){.slot = p->slot, .pid = p->pid, .token = p->token};
}

static void remember_service(struct hark *h, const struct service *s, struct state_unit *st)
{
	struct unit *k = registry_unit(&h->reg, s->socket_unit);

	st->result = s->result;
	st->flags |= (uint8_t)(s->is_ready * STATE_READY | s->is_main_known * STATE_MAIN_KNOWN |
			       s->forbid_restart * STATE_FORBID_RESTART);
	st->command_at = (uint8_t)s->command_at;
	st->main_at = (uint8_t)s->main_at;
	st->n_restarts = s->n_restarts;
	st->main = remember_proc(&s->main);
	st->control = remember_proc(&s->control);
	st->notify_slot = s->notify_slot;
	st->out_slot[0] = s->out_slot[0];
	st->out_slot[1] = s->out_slot[1];
	st->conn_slot = s->conn_slot;
	st->socket_unit = k ? k->state_slot : 0;
	st->watchdog_us = s->watchdog.is_armed ? s->watchdog.due_us : 0;
	st->exit_code = s->main.code;
	st->exit_status = s->main.status;
	if (s->remote)
		memcpy(st->remote, s->remote, strnlen(s->remote, sizeof(st->remote) - 1));
}

void remember_unit(struct hark *h, struct unit *u)
{
	struct state_unit st = {.state = u->state, .type = u->type, .job_type = u->job.type};

	if (!u->state_slot)
		u->state_slot = state_slot_of(&h->state, u->name);
	if (!u->state_slot)
		return;
	st.flags = u->job.is_running ? STATE_JOB_RUNNING : 0;
	st.last_job_result = u->last_job_result;
	st.state_us = u->state_us;
	st.active_enter_us = u->active_enter_us;
	st.active_exit_us = u->active_exit_us;
	st.inactive_enter_us = u->inactive_enter_us;
	st.inactive_exit_us = u->inactive_exit_us;
	st.timer_us = u->state_timer.is_armed ? u->state_timer.due_us : 0;
	st.why_entry = u->why_entry;
	st.job_entry = u->job.cause.entry;
	st.start_limit_begin_us = u->start_limit_begin_us;
	st.start_limit_count = u->start_limit_count;
	st.n_activations = u->n_activations;
	memcpy(st.invocation, u->invocation, sizeof(st.invocation));
	if (u->type == UNIT_SERVICE)
		remember_service(h, service_of(u), &st);
	if (u->type == UNIT_SOCKET) {
		st.result = socket_of(u)->result;
		st.n_accepted = socket_of(u)->n_accepted;
		st.control = remember_proc(&socket_of(u)->control);
	}
	state_put(&h->state, u->state_slot, &st);
}
