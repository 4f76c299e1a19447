/* SPDX-License-Identifier: MIT */
#include "core/remember.h"

#include "core/procs.h"
#include "units/automount.h"
#include "units/mount_unit.h"
#include "units/path.h"
#include "units/scope.h"
#include "units/socket.h"
#include "units/timer.h"

static void remember_service(struct hark *h, const struct service *s, struct state_unit *st)
{
	struct unit *k = registry_unit(&h->reg, s->socket_unit);

	st->result = s->result;
	st->reload_result = s->reload_result;
	st->flags |= (uint16_t)(s->is_ready * STATE_READY | s->is_main_known * STATE_MAIN_KNOWN |
				s->forbid_restart * STATE_FORBID_RESTART |
				s->main_exited_early * STATE_EXITED_EARLY |
				s->is_reloading * STATE_IS_RELOADING |
				s->did_exit_clean * STATE_EXITED_CLEAN |
				(s->status_text || s->status_errno || s->remote) * STATE_HAS_TEXT);
	st->command_at = (uint8_t)s->command_at;
	st->main_at = (uint8_t)s->main_at;
	st->n_restarts = s->n_restarts;
	st->main_slot = (uint16_t)s->main.slot;
	st->main_token = s->main.token;
	st->next_main = s->next_main;
	st->notify_slot = (uint16_t)s->notify_slot;
	st->conn_slot = (uint16_t)s->conn_slot;
	st->socket_unit = k ? k->state_slot : 0;
	st->watchdog_us = s->unit.work->due_us[DUE_WATCHDOG];
	st->watchdog_every = s->watchdog_us;
	st->exit_code = (uint8_t)s->main.code;
	st->exit_status = s->main.status;
}

static void remember_socket(const struct socket_unit *k, struct state_unit *st)
{
	st->result = k->result;
	st->n_accepted = k->n_accepted;
	st->command_at = (uint8_t)k->command_at;
	st->trigger_begin_us = k->trigger_begin_us;
	st->trigger_count = k->trigger_count;
}

static void remember_mount(const struct mount_unit *m, struct state_unit *st)
{
	st->result = m->result;
	st->exit_code = (uint8_t)m->control.code;
	st->exit_status = m->control.status;
	st->flags |= (uint16_t)((m->fail_text != NULL) * STATE_HAS_TEXT);
}

static void remember_automount(const struct automount_unit *a, struct state_unit *st)
{
	st->result = a->result;
	st->request = a->token;
	st->exit_status = a->err;
	st->trigger_count = a->failures;
	st->trigger_begin_us = a->hold_until_us;
}

static void remember_job(const struct job *j, struct state_unit *st)
{
	st->job = j->id;
	st->job_type = j->type;
	st->job_cause = j->cause.kind;
	st->job_entry = j->cause.entry;
	st->job_begin_us = j->begin_us;
	st->flags |= (uint16_t)(j->is_running * STATE_JOB_RUNNING |
				j->is_irreversible * STATE_JOB_IRREVERSIBLE |
				j->ignores_order * STATE_JOB_UNORDERED);
}

static uint16_t flags_of(const struct unit *u)
{
	bool is_present = u->config && u->config->is_present;

	return (uint16_t)((is_present ? STATE_IS_PRESENT : 0) |
			  (u->markers & UNIT_NEEDS_RELOAD ? STATE_NEEDS_RELOAD : 0) |
			  (u->markers & UNIT_NEEDS_RESTART ? STATE_NEEDS_RESTART : 0) |
			  (u->is_cgroup_killed ? STATE_CGROUP_KILLED : 0));
}

void remember_unit(struct hark *h, struct unit *u)
{
	struct state_unit st = {.state = u->state, .type = u->type};
	const struct proc_ref *control = procs_ref(u, ROLE_CONTROL);
	const struct output_pipe *out = procs_output(u);

	if (!u->state_slot)
		u->state_slot = state_slot_of(&h->state, u->name);
	if (!u->state_slot)
		return;
	st.fx = u->work->pending_fx | u->work->running_fx | u->work->again_fx;
	st.last_job_result = u->last_job_result;
	st.state_us = u->state_us;
	st.active_enter_us = u->active_enter_us;
	st.active_exit_us = u->active_exit_us;
	st.inactive_enter_us = u->inactive_enter_us;
	st.inactive_exit_us = u->inactive_exit_us;
	st.timer_us = u->work->due_us[DUE_STATE];
	st.why_entry = u->why_entry;
	st.limit_begin_us = u->start_limit_begin_us;
	st.limit_count = u->start_limit_count;
	st.n_activations = u->n_activations;
	memcpy(st.invocation, u->invocation, sizeof(st.invocation));
	st.flags |= flags_of(u);
	if (u->work->job.id)
		remember_job(&u->work->job, &st);
	if (control) {
		st.control_slot = (uint16_t)control->slot;
		st.control_token = control->token;
	}
	if (out)
		st.out_slot = (uint16_t)out->slot;
	if (u->type == UNIT_SERVICE)
		remember_service(h, service_of(u), &st);
	if (mount_of(u))
		remember_mount(mount_of(u), &st);
	if (u->type == UNIT_SOCKET)
		remember_socket(socket_of(u), &st);
	if (u->type == UNIT_TIMER) {
		st.last_us = timer_of(u)->last_us;
		st.last_wall_us = timer_of(u)->last_wall_us;
	}
	if (u->type == UNIT_PATH) {
		st.result = path_of(u)->result;
		st.trigger_begin_us = path_of(u)->trigger_begin_us;
		st.trigger_count = path_of(u)->trigger_count;
	}
	if (u->type == UNIT_AUTOMOUNT)
		remember_automount(automount_of(u), &st);
	if (u->type == UNIT_SCOPE)
		st.result = scope_of(u)->result;
	state_put(&h->state, u->state_slot, &st);
}

void remember_text(struct hark *h, struct unit *u)
{
	const struct service *s = service_of(u);
	const char *status = s ? s->status_text : mount_of(u) ? mount_of(u)->fail_text : NULL;
	struct state_text text = {.status_errno = s ? s->status_errno : 0};

	if (!u->state_slot)
		u->state_slot = state_slot_of(&h->state, u->name);
	if (s && s->remote)
		memcpy(text.remote, s->remote, strnlen(s->remote, sizeof(text.remote) - 1));
	if (status)
		memcpy(text.status, status, strnlen(status, sizeof(text.status) - 1));
	state_put_text(&h->state, u->state_slot, &text);
	engine_touch(&h->engine, u);
}

void remember_manager(struct hark *h)
{
	struct state_manager m = {.did_boot = h->did_boot,
				  .is_ending = h->is_shutting_down,
				  .no_watchdogs = h->no_watchdogs,
				  .log_level_set = h->log_level_set,
				  .log_target = h->log_target,
				  .final_command = h->final_command,
				  .exit_code = h->exit_code,
				  .ready_us = h->ready_us,
				  .looked_us = h->looked_us};

	state_put_manager(&h->state, &m);
}
