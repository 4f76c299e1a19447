/* SPDX-License-Identifier: MIT */
#include "core/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "activate/accept.h"
#include "activate/autofs.h"
#include "activate/busname.h"
#include "activate/devices.h"
#include "activate/mounts.h"
#include "activate/notify.h"
#include "activate/output.h"
#include "activate/stored.h"
#include "activate/swaps.h"
#include "core/explain.h"
#include "core/kill.h"
#include "core/leftovers.h"
#include "core/log.h"
#include "core/plan.h"
#include "core/procs.h"
#include "core/remember.h"
#include "core/spawn.h"
#include "core/transient.h"
#include "units/automount.h"
#include "units/builtin.h"
#include "units/condition.h"
#include "units/config.h"
#include "units/mount_unit.h"
#include "units/name.h"
#include "units/passive.h"
#include "units/service.h"
#include "units/socket.h"

/* --- effects, one function a bit --- */

static void fx_watchdog_off(struct hark *h, struct unit *u)
{
	engine_arm(&h->engine, u, DUE_WATCHDOG, TIME_NEVER);
}

static void fx_watchdog_on(struct hark *h, struct unit *u)
{
	struct service *s = service_of(u);
	uint64_t us = s->watchdog_us ? s->watchdog_us : u->config->service->watchdog_us;

	if (us && us != TIME_NEVER)
		engine_arm(&h->engine, u, DUE_WATCHDOG, time_add(loop_now_us(&h->loop), us));
}

static void fx_disarm(struct hark *h, struct unit *u)
{
	if (h->activators[u->type])
		h->activators[u->type]->disarm(h, u);
}

static void fx_drop(struct hark *h, struct unit *u)
{
	if (h->activators[u->type])
		h->activators[u->type]->drop(h, u);
}

/* Nobody shall connect to a service, or wait for its hour, that does not exist. By its name: no file is read before it is needed. */
static int find_triggered(struct hark *h, const struct unit *u, char **ret_why)
{
	char name[UNIT_NAME_MAX + 1] = "";
	struct sbuf why = {0};

	if (u->type == UNIT_SOCKET && u->config->socket->accept)
		socket_service_name(u->config, name, sizeof(name));
	graph_for_each(e, u, DEP_TRIGGERS)
	{
		const struct unit *v = registry_unit(&h->reg, e->to);

		if (v && v->type == UNIT_SERVICE && unit_load_state(v) != LOAD_LOADED)
			snprintf(name, sizeof(name), "%s", v->name);
	}
	if (name[0] == '\0' || load_canonical(&h->load, name) || builtin_unit(name))
		return 0;
	sbuf_addf(&why, "there is no unit %s for it to start", name);
	*ret_why = sbuf_take(&why);
	return -ENOENT;
}

static void fx_arm(struct hark *h, struct unit *u)
{
	const struct activator *a = h->activators[u->type];
	char *why = NULL;
	int r = find_triggered(h, u, &why);

	if (r == 0)
		r = a ? a->arm(h, u, &why) : -EOPNOTSUPP;
	if (a &&
	    r == -ENOMEM) { /* memory that is short for a moment shall not cost a boot its sockets */
		mem_put(why);
		why = NULL;
		r = a->arm(h, u, &why);
	}
	if (r == 0) {
		engine_post_simple(&h->engine, u, EV_ARMED, 0, 0, 0);
		return;
	}
	log_at(LOG_ERROR, "%s: %s; the unit is failed, others go on", u->name,
	       why ? why : strerror(-r));
	spawn_set_fail(u, 0, why);
	engine_post_simple(&h->engine, u, EV_ARM_FAILED, -r, 0, 0);
}

static void fx_watch(struct hark *h, struct unit *u)
{
	if (h->activators[u->type])
		h->activators[u->type]->watch(h, u);
}

static void fx_kill_control(struct hark *h, struct unit *u)
{
	const struct proc_ref *p = procs_ref(u, ROLE_CONTROL);

	if (p && procs_signal(h, p, SIGKILL) < 0)
		log_debug("run", "%s: control process is gone", u->name);
}

/* The instance of a connection lives once: nothing of it is kept when it has come to rest. */
static void let_instance_go(struct hark *h, struct service *s)
{
	output_close(h, &s->unit);
	notify_close(h, s);
	accept_instance_gone(h, s);
	engine_retire(&h->engine, &s->unit);
}

static void fx_forget(struct hark *h, struct unit *u)
{
	struct service *s = service_of(u);

	if (s)
		spawn_forget_pid_file(s);
	if (!unit_is_at_rest(u))
		return; /* Restart= is to follow: cgroup, pipe and notify socket are used again */
	if (u->type == UNIT_MOUNT && u->config->fragment && u->config->fragment[0] == '(')
		engine_retire(&h->engine, u); /* only the mount table said that it was there */
	leftovers_remove_cgroup(h, u);
	if (!s)
		return;
	notify_close(h, s);
	if (job_pending(u) != JOB_START) /* a restart hands the stored descriptors on */
		stored_drop_all(s);
	leftovers_remove(h, u);
	if (s->socket_unit != UNIT_NONE)
		let_instance_go(h, s);
}

enum proc_role run_spawn_role(const struct unit *u, uint32_t fx)
{
	/* Type=forking: the starter is a control process, the main one is looked for when it has ended */
	return fx == FX_SPAWN_MAIN && u->config->service &&
			       u->config->service->type != SERVICE_FORKING
		       ? ROLE_MAIN
		       : ROLE_CONTROL;
}

static void fx_spawn_main(struct hark *h, struct unit *u)
{
	spawn_command(h, u, run_spawn_role(u, FX_SPAWN_MAIN));
}

static void fx_spawn_control(struct hark *h, struct unit *u)
{
	if (u->type == UNIT_SERVICE && u->state == SVC_RELOAD && !service_command(service_of(u))) {
		/* Type=notify-reload; ReloadSignal= is SIGHUP */
		if (procs_signal(h, &service_of(u)->main, SIGHUP) < 0)
			log_debug("run", "%s: main process is gone", u->name);
		return;
	}
	spawn_command(h, u, ROLE_CONTROL);
}

static void fx_find_main(struct hark *h, struct unit *u)
{
	spawn_find_main(h, service_of(u));
}

static void (*const effects[EFFECT_BITS])(struct hark *h, struct unit *u) = {
	[FX_BIT_WATCHDOG_OFF] = fx_watchdog_off,
	[FX_BIT_DISARM] = fx_disarm,
	[FX_BIT_DROP] = fx_drop,
	[FX_BIT_KILL_CONTROL] = fx_kill_control,
	[FX_BIT_KILL_TERM] = kill_term,
	[FX_BIT_KILL_WATCHDOG] = kill_watchdog,
	[FX_BIT_KILL_ALL] = kill_all,
	[FX_BIT_KILL_FINAL] = kill_leftovers,
	[FX_BIT_FORGET] = fx_forget,
	[FX_BIT_SPAWN_MAIN] = fx_spawn_main,
	[FX_BIT_SPAWN_CONTROL] = fx_spawn_control,
	[FX_BIT_ARM] = fx_arm,
	[FX_BIT_WATCH] = fx_watch,
	[FX_BIT_WATCHDOG_ON] = fx_watchdog_on,
	[FX_BIT_FIND_MAIN] = fx_find_main,
};

static void run(void *arg, struct unit *u, uint32_t fx)
{
	for (unsigned bit = 0; bit < EFFECT_BITS; bit++) {
		if ((fx >> bit & 1) && effects[bit])
			effects[bit](arg, u);
		u->work->running_fx &= ~(1U << bit); /* done: the next manager need not */
	}
}

/* --- the other doors of the engine --- */

/* A unit of which no file tells: hark's own, or a mount or swap of the kernel's table. 0 or -errno; -ENOENT: there is none. */
static int load_without_file(struct hark *h, const char *name, struct unit_config **ret)
{
	const char *known = builtin_unit(name), *from = "(built in)";
	AUTO_MEM char *text = NULL;

	if (!known && unit_type_of(name) == UNIT_MOUNT) {
		from = "(mount table)";
		text = mounts_unit_text(h, name);
	} else if (!known && unit_type_of(name) == UNIT_SWAP) {
		from = "(swap table)";
		text = swaps_unit_text(name);
	}
	known = text ? text : known;
	return known ? load_unit_text(&h->load, name, from, str_of(known), ret) : -ENOENT;
}

int run_load(struct hark *h, const char *name, struct unit_config **ret)
{
	bool has_file = load_canonical(&h->load, name) != NULL || !name_is_valid(name, NAME_ANY);
	struct unit_config *c = NULL;
	int r = has_file ? -ENOENT : load_without_file(h, name, &c);

	if (r == -ENOENT)
		r = load_unit(&h->load, name, &c);
	if (r < 0)
		return r;
	r = mount_prepare(c, h->mount_path);
	if (r == 0 && c->own->automount)
		r = automount_prepare(c, h->mount_path);
	if (r < 0)
		unit_config_free(c);
	else
		*ret = c;
	return r;
}

static int load(void *arg, struct unit *u)
{
	struct hark *h = arg;
	struct unit_config *c;
	int r = run_load(h, u->name, &c);

	if (r < 0)
		return r;
	config_log(c, DIAG_WARNING);
	u->config = c;
	if (u->type == UNIT_SLICE && c->is_perpetual && !u->has_perpetual) {
		u->has_perpetual = true;
		engine_restore(&h->engine, u, PASSIVE_ACTIVE, 0, FX_ARM);
	}
	devices_loaded(h, u);
	busname_loaded(h, u);
	if (u->type == UNIT_MOUNT)
		mounts_loaded(h, u);
	if (u->type == UNIT_AUTOMOUNT)
		automount_of(u)->reg = &h->reg;
	if (u->type == UNIT_SERVICE)
		service_of(u)->socket_unit = service_of(u)->conn_slot ? service_of(u)->socket_unit
								      : UNIT_NONE;
	return 0;
}

static int condition(void *arg, struct unit *u, bool asserts)
{
	struct hark *h = arg;
	const struct condition *failed = NULL;
	int holds =
		condition_test_all(u->config->unit->conditions, asserts, &h->load.host, &failed);

	u->condition_us = loop_now_us(&h->loop);
	u->condition_result = holds ? 1 : 2;
	u->condition_failed = failed;
	if (!holds && failed)
		log_at(asserts ? LOG_ERROR : LOG_INFO,
		       "%s: not started: %s%s=%s%s does not hold (%s:%u)", u->name,
		       asserts ? "Assert" : "Condition", condition_names[failed->kind],
		       failed->is_negated ? "!" : "", failed->parameter,
		       failed->file ? failed->file : "?", failed->line);
	return holds;
}

static void retired(void *arg, struct unit *u)
{
	struct hark *h = arg;
	struct service *s = service_of(u);

	leftovers_retire(h, u);
	state_release(&h->state, u->state_slot);
	transient_forget(h, u);
	if (s)
		stored_drop_all(s);
}

static uint32_t slot(void *arg, struct unit *u)
{
	struct hark *h = arg;

	if (!u->state_slot)
		u->state_slot = state_slot_of(&h->state, u->name);
	return u->state_slot;
}

/* Several at a time: each would cost a system call. Without entropy yet: still unlike the last one. */
static void new_invocation(struct hark *h, struct unit *u)
{
	if (!h->ids_n && getrandom(h->ids, sizeof(h->ids), GRND_NONBLOCK) == sizeof(h->ids))
		h->ids_n = ARRAY_SIZE(h->ids);
	if (h->ids_n)
		memcpy(u->invocation, h->ids[--h->ids_n], sizeof(u->invocation));
	else
		memcpy(u->invocation, &u->why_entry, sizeof(u->why_entry));
}

static void changed(void *arg, struct unit *u, uint8_t old_state)
{
	struct hark *h = arg;
	const struct fsm_state *states = u->ops->fsm->states;
	bool was_at_rest = states[old_state].coarse == INACTIVE ||
			   states[old_state].coarse == FAILED;

	transient_rested(h, u);
	if (u->work->pending_fx & FX_FORGET) /* the next start may be digested before that is run */
		procs_disown(h, u);
	if (was_at_rest && !unit_is_at_rest(u))
		new_invocation(h, u);
	if (u->state != old_state && unit_coarse(u) == FAILED)
		log_at(LOG_ERROR, "%s: failed (%s)", u->name,
		       u->ops->result ? u->ops->result(u) : "?");
}

static void remember(void *arg, struct unit *u)
{
	remember_unit(arg, u);
}

static void commit(void *arg)
{
	state_commit(&((struct hark *)arg)->state);
}

static void job_done(void *arg UNUSED, struct unit *u, uint32_t id UNUSED, enum job_type type,
		     enum job_result result)
{
	log_debug("run", "%s: %s job: %s", u->name, job_type_names[type], job_result_names[result]);
	if (result == JOB_RES_DEPENDENCY)
		log_at(LOG_ERROR, "%s: not started: a unit it needs failed", u->name);
}

static bool is_behind(void *arg)
{
	struct hark *h = arg;

	return bank_is_behind(&h->bank);
}

static void quiet(void *arg)
{
	run_shutdown_check(arg);
}

static void elapsed(void *arg, struct unit *u, enum unit_due which)
{
	struct hark *h = arg;

	if (which == DUE_PID_FILE) {
		spawn_look_for_pid_file(h, service_of(u));
		return;
	}
	if (h->no_watchdogs)
		return;
	log_at(LOG_WARN, "%s: its watchdog was not served in time", u->name);
	engine_post_simple(&h->engine, u, EV_WATCHDOG, 0, 0, 0);
}

/* What FailureAction=exit and SuccessAction=exit leave with: as the unit says, else as its main process ended, else as somebody has set. */
static int status_to_leave(const struct hark *h, struct unit *u)
{
	const struct service *s = service_of(u);
	bool has_failed = unit_coarse(u) == FAILED;
	int status = has_failed ? u->config->unit->failure_exit_status
				: u->config->unit->success_exit_status;

	if (status < 0 && s && s->main.code == CLD_EXITED)
		status = s->main.status;
	return status >= 0 ? status : has_failed ? 255 : h->exit_code;
}

static void emergency(void *arg, struct unit *u, enum emergency_action action)
{
	static const int commands[EMERGENCY_ACTIONS] = {
		[ACTION_REBOOT] = 0x01234567,
		[ACTION_REBOOT_FORCE] = 0x01234567,
		[ACTION_REBOOT_IMMEDIATE] = 0x01234567,
		[ACTION_POWEROFF] = 0x4321fedc,
		[ACTION_POWEROFF_FORCE] = 0x4321fedc,
		[ACTION_POWEROFF_IMMEDIATE] = 0x4321fedc,
		[ACTION_EXIT] = -1,
		[ACTION_EXIT_FORCE] = -1,
	};
	struct cause cause = {.kind = CAUSE_ON_FAILURE, .unit = u->id, .entry = engine_entry(u)};

	if (action == ACTION_NONE || action >= EMERGENCY_ACTIONS)
		return;
	log_at(LOG_ERROR, "%s: its configuration asks for the end of the system now", u->name);
	if (run_shutdown(arg, commands[action], status_to_leave(arg, u), &cause) < 0)
		log_at(LOG_ERROR, "the end of the system cannot be planned; going on");
}

const struct engine_ops run_ops = {
	.load = load,
	.run = run,
	.condition = condition,
	.changed = changed,
	.remember = remember,
	.commit = commit,
	.is_behind = is_behind,
	.quiet = quiet,
	.can_wait = kill_can_wait,
	.elapsed = elapsed,
	.job_done = job_done,
	.emergency = emergency,
	.retired = retired,
	.slot = slot,
};

/* --- what PID 1 tells --- */

static void note_process(struct hark *h, struct unit *u, enum ledger_kind kind,
			 const struct bank_note *n)
{
	struct ledger_entry entry = {.kind = (uint8_t)kind,
				     .cause = CAUSE_PROCESS,
				     .parent = (uint32_t)engine_entry(u),
				     .pid = n->pid};

	entry.unit = slot(h, u);
	entry.a = (uint8_t)n->code;
	entry.b = (uint8_t)n->status;
	ledger_add(&h->state.image->ledger, &entry, NULL);
}

static void on_spawn_reply(struct hark *h, enum proc_role role, struct unit *u,
			   const struct bank_note *n)
{
	struct proc_ref *ref = u ? procs_ref(u, role) : NULL;

	if (n->err < 0) {
		procs_del(h, n->slot);
		if (!u || spawn_later(h, u, role, n->err))
			return;
		log_at(LOG_ERROR, "%s: no process could be made: %s", u->name, strerror(-n->err));
		engine_post_simple(&h->engine, u, EV_SPAWN_FAILED, -n->err, role, 0);
		return;
	}
	if (!ref)
		return;
	ref->pid = n->pid;
	u->waits_for_process = false;
	note_process(h, u, LEDGER_PROCESS, n);
	engine_post_simple(&h->engine, u, EV_SPAWNED, n->pid, role, 0);
}

/* A child of the main process becomes ours when that ends; when it is gone by then, nobody saw how. */
static void next_main_missed(struct hark *h, struct service *s)
{
	if (s->main.slot)
		return;
	s->next_main = 0;
	engine_post_simple(&h->engine, &s->unit, EV_EXITED, CLD_EXITED, 0, ROLE_MAIN);
}

/* The main process of a forking service is ours now, or it is not there. */
static void on_adopt_reply(struct hark *h, struct unit *u, const struct bank_note *n)
{
	struct service *s = u ? service_of(u) : NULL;

	if (s && n->err == 0) {
		struct bank_user *old =
			s->main.slot ? procs_find(h, s->main.slot - 1, s->main.token) : NULL;

		/* MAINPID= moved on: the old one is an ordinary member now */
		if (old && s->main.token != n->token)
			old->unit = UNIT_NONE;
		s->main = (struct proc_ref){.slot = n->slot + 1, .token = n->token, .pid = n->pid};
		service_main_begins(s, loop_now_us(&h->loop));
		s->next_main = 0;
	}
	if (s && n->err < 0 && s->next_main)
		next_main_missed(h, s);
	else if (s && (n->err == 0 || !s->is_main_known))
		engine_post_simple(&h->engine, u, EV_MAIN_PID, n->err == 0 ? n->pid : 0, 0, 0);
	if (n->err < 0)
		procs_del(h, n->slot);
}

static void on_reply(struct hark *h, const struct bank_note *n)
{
	const struct bank_user *p = n->op == BANK_SPAWN || n->op == BANK_ADOPT
					    ? procs_find(h, n->slot, n->token)
					    : NULL;
	struct unit *u = p ? registry_unit(&h->reg, p->unit) : NULL;

	if (n->op == BANK_ACCEPT || n->op == BANK_AWAIT)
		accept_answered(h, n);
	else if (p && n->op == BANK_SPAWN)
		on_spawn_reply(h, (enum proc_role)p->role, u, n);
	else if (p)
		on_adopt_reply(h, u, n);
	else if (n->err < 0 && n->op != BANK_SIGNAL && n->op != BANK_ACK)
		log_at(LOG_ERROR, "PID 1 could not keep slot %u: %s", n->slot, strerror(-n->err));
}

/* The connection is the child's now; PID 1 has let go of it. */
static void connection_donated(struct hark *h, struct service *s)
{
	uint32_t slot;

	if (!s || !s->conn_slot)
		return;
	slot = s->conn_slot - 1;
	s->conn_slot = 0;
	engine_touch(&h->engine, &s->unit);
	engine_digest(&h->engine); /* committed before the slot can be another's */
	bank_release(&h->bank, slot);
}

static void on_execed(struct hark *h, const struct bank_note *n)
{
	const struct bank_user *p = procs_find(h, n->slot, n->token);
	struct unit *u = p ? registry_unit(&h->reg, p->unit) : NULL;

	if (!u)
		return;
	connection_donated(h, service_of(u));
	busname_execed(h, service_of(u));
	engine_post_simple(&h->engine, u, EV_EXECED, n->pid, p->role, 0);
}

static const struct command *command_run(struct unit *u, const struct bank_user *p)
{
	return u->type == UNIT_SERVICE ? command_first(u->config, p->commands) : NULL;
}

static void on_execfail(struct hark *h, const struct bank_note *n)
{
	const struct bank_user *p = procs_find(h, n->slot, n->token);
	struct unit *u = p ? registry_unit(&h->reg, p->unit) : NULL;
	const struct plan_step_info *step = plan_step_info(n->step);
	const struct command *cmd;
	struct sbuf why = {0};

	if (!u || !u->config)
		return;
	if (abs(n->err) == ECHILD && unit_coarse(u) == DEACTIVATING)
		return; /* our own signal was faster than its exec */
	cmd = command_run(u, p);
	if (cmd)
		sbuf_addf(&why, "%s:%u: ", cmd->file ? cmd->file : u->name, cmd->line);
	if (n->step == PLAN_EXEC && cmd)
		sbuf_addf(&why, "cannot execute \"%s\": %s", cmd->path, strerror(abs(n->err)));
	else if (n->step == PLAN_CHDIR && u->config->exec && u->config->exec->working_directory)
		sbuf_addf(&why, "cannot enter \"%s\" (WorkingDirectory=): %s",
			  u->config->exec->working_directory, strerror(abs(n->err)));
	else if (n->step == PLAN_OPEN)
		explain_open(u->config->exec, abs(n->err), &why);
	else
		sbuf_addf(&why, "setting up the process failed at step %s: %s", step->name,
			  strerror(abs(n->err)));
	log_at(LOG_ERROR, "%s: %s", u->name, why.p ? why.p : "?");
	spawn_set_fail(u, (uint8_t)step->exit_code, sbuf_take(&why));
}

/* The end of main or control; unless MAINPID= has named another main process, which is then looked for. */
static void tell_exit(struct hark *h, struct unit *u, struct proc_ref *ref,
		      const struct bank_note *n)
{
	struct service *s = service_of(u);
	bool is_main = s && ref == &s->main;

	if (is_main && !s->next_main && unit_is_active(u))
		s->next_main = spawn_next_main(h, s);
	if (is_main && s->next_main) {
		ref->slot = 0;
		spawn_find_main(h, s);
		return;
	}
	if (s)
		explain_exit(s, is_main, n->code, n->status);
	if (is_main)
		s->main_exit_us = loop_now_us(&h->loop);
	engine_post_simple(&h->engine, u, EV_EXITED, n->code, n->status,
			   is_main ? ROLE_MAIN : ROLE_CONTROL);
}

/* It waits for its cgroup to be empty, which may have been told while this process was not known to be dead. No effect is yet to look. */
static bool is_last_end(struct unit *u)
{
	const struct fsm_state *state = &u->ops->fsm->states[u->state];
	const struct proc_ref *main = procs_ref(u, ROLE_MAIN),
			      *control = procs_ref(u, ROLE_CONTROL);

	return state->coarse == DEACTIVATING && !state->commands && !(main && main->slot) &&
	       !(control && control->slot) && !(u->work->pending_fx & FX_KILL_FINAL);
}

/*
 * What a process said before it died is digested first (READY=1, then the exit); the exit is acknowledged only when all that
 * follows from it is stored, so that a manager that dies here hears of it again.
 */
static void on_exit_note(struct hark *h, const struct bank_note *n)
{
	const struct bank_user *p = procs_find(h, n->slot, n->token);
	struct unit *u = p ? registry_unit(&h->reg, p->unit) : NULL;
	struct service *s = u ? service_of(u) : NULL;

	if (s && s->notify_slot)
		notify_drain(h, s);
	if (u)
		output_drain(h, u);
	if (u) {
		struct proc_ref *ref = procs_ref(u, (enum proc_role)p->role);

		note_process(h, u, LEDGER_EXIT, n);
		engine_digest(&h->engine); /* MAINPID= may be among what it said */
		if (mount_of(u))
			mounts_ended(h, mount_of(u), n->code == CLD_EXITED && n->status == 0);
		if (automount_of(u))
			autofs_ended(automount_of(u), n->code, n->status);
		if (ref && ref->token == n->token)
			tell_exit(h, u, ref, n);
		engine_digest(&h->engine);
		if (is_last_end(u))
			kill_await_empty(h, u);
	}
	if (bank_ack(&h->bank, n->slot, n->token) < 0)
		log_at(LOG_ERROR, "PID 1 does not take an acknowledgement");
	procs_forget(h, n->slot);
}

void run_on_note(struct bank *b, const struct bank_note *n)
{
	struct hark *h = container_of(b, struct hark, bank);

	switch ((enum bank_note_kind)n->kind) {
	case BANK_NOTE_REPLY:
		on_reply(h, n);
		break;
	case BANK_NOTE_EXECED:
		on_execed(h, n);
		break;
	case BANK_NOTE_EXECFAIL:
		on_execfail(h, n);
		break;
	case BANK_NOTE_EXIT:
		on_exit_note(h, n);
		break;
	case BANK_NOTE_SIGNAL:
		run_on_signal(h, n->status);
		engine_digest(&h->engine); /* stored before it is no longer repeated */
		if (bank_heard(&h->bank, n->status) < 0)
			log_at(LOG_ERROR, "PID 1 does not hear that its signal was handled");
		break;
	case BANK_NOTE_COUNT:
		break;
	}
}

void run_on_cgroup(struct watch *w, uint32_t events UNUSED)
{
	struct hark *h = container_of(w, struct hark, cgroup_watch);
	char path[CGROUP_PATH];

	for (int wd; (wd = cgroup_next_change(&h->cgroups)) >= 0;)
		for (uint32_t i = 0; i < h->reg.n; i++) {
			struct unit *u = h->reg.units[i];

			if (!u || u->events_wd != wd + 1)
				continue;
			procs_cgroup(u, path);
			if (cgroup_is_populated(&h->cgroups, path) <= 0)
				engine_post_simple(&h->engine, u, EV_EMPTY, 0, 0, 0);
		}
}
