/* SPDX-License-Identifier: MIT */
#include "activate/busname.h"
#include "activate/devices.h"
#include "activate/instance.h"
#include "activate/mounts.h"
#include "activate/nodes.h"
#include "activate/notify.h"
#include "activate/output.h"
#include "activate/swaps.h"
#include "core/derive.h"
#include "core/kill.h"
#include "core/log.h"
#include "core/procs.h"
#include "core/run.h"
#include "core/spawn.h"
#include "core/transient.h"
#include "units/automount.h"
#include "units/mount_unit.h"
#include "units/path.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/timer.h"

/* --- processes and descriptors: the bank has the last word --- */

/* A process is ours when its slot holds that very token; else it is not there. */
static void restore_proc(struct hark *h, struct unit *u, enum proc_role role, uint32_t slot,
			 uint64_t token)
{
	const struct bank_table *t = h->bank.table;

	if (slot && slot <= t->slots_n && t->slot[slot - 1].token == token)
		procs_claim(h, u, role, slot - 1);
}

/* The slot of a descriptor kept under "unit/what", 0 when it holds something else. */
static uint32_t restore_fd(const struct hark *h, const struct unit *u, uint32_t slot,
			   const char *what)
{
	const struct bank_slot *b = slot ? &h->bank.table->slot[slot - 1] : NULL;
	char name[BANK_NAME];

	bank_name(name, u->name, what);
	return b && b->kind == BANK_FD &&
			       !strncmp(bank_slot_name(h->bank.table, slot - 1), name, BANK_NAME)
		       ? slot
		       : 0;
}

/* PID 1 lets go of a connection once its process has been executed. */
static uint32_t restore_connection(const struct hark *h, uint32_t slot)
{
	return slot && h->bank.table->slot[slot - 1].kind == BANK_CONN ? slot : 0;
}

/* --- services --- */

/* A copy that may be NULL; -ENOMEM in *err when there is no memory for it. */
static const char *copy_of(const char *text, int *err)
{
	const char *copy = text[0] ? mem_dup(text, strlen(text)) : NULL;

	if (text[0] && !copy)
		*err = -ENOMEM;
	return copy;
}

static int restore_text(struct hark *h, struct service *s)
{
	const struct state_text *text = state_get_text(&h->state, s->unit.state_slot);
	struct connection_name name;
	int err = 0;

	if (!text)
		return 0;
	connection_address(str_of(text->remote), &name);
	s->status_errno = text->status_errno;
	s->status_text = copy_of(text->status, &err);
	s->remote = copy_of(text->remote, &err);
	s->remote_addr = copy_of(name.addr, &err);
	s->remote_port = copy_of(name.port, &err);
	return err;
}

static void restore_facts(struct service *s, const struct state_unit *st)
{
	s->result = st->result < SERVICE_RESULTS ? st->result : RESULT_RESOURCES;
	s->reload_result = st->reload_result < SERVICE_RESULTS ? st->reload_result
							       : RESULT_RESOURCES;
	s->is_ready = st->flags & STATE_READY;
	s->is_main_known = st->flags & STATE_MAIN_KNOWN;
	s->forbid_restart = st->flags & STATE_FORBID_RESTART;
	s->main_exited_early = st->flags & STATE_EXITED_EARLY;
	s->is_reloading = st->flags & STATE_IS_RELOADING;
	s->did_exit_clean = st->flags & STATE_EXITED_CLEAN;
	s->command_at = st->command_at;
	s->main_at = st->main_at;
	s->n_restarts = st->n_restarts;
	s->next_main = st->next_main;
	s->watchdog_us = st->watchdog_every;
	s->main.code = st->exit_code;
	s->main.status = st->exit_status;
}

static int restore_socket_of(struct hark *h, struct service *s, uint32_t ref)
{
	const char *name = ref ? state_name(&h->state, ref) : NULL;
	struct unit *k = name ? registry_get(&h->reg, name) : NULL;

	s->socket_unit = k && socket_of(k) ? k->id : UNIT_NONE;
	if (s->socket_unit != UNIT_NONE)
		socket_of(k)->n_connections++;
	return name && !k ? -ENOMEM : 0;
}

static int restore_service(struct hark *h, struct service *s, const struct state_unit *st)
{
	struct unit *u = &s->unit;
	int r;

	restore_proc(h, u, ROLE_MAIN, st->main_slot, st->main_token);
	restore_facts(s, st);
	restore_proc(h, u, ROLE_CONTROL, st->control_slot, st->control_token);
	s->notify_slot = restore_fd(h, u, st->notify_slot, "notify");
	s->conn_slot = restore_connection(h, st->conn_slot);
	if (st->watchdog_us)
		engine_arm(&h->engine, u, DUE_WATCHDOG, st->watchdog_us);
	r = restore_socket_of(h, s, st->socket_unit);
	if (r == 0 && st->flags & STATE_HAS_TEXT)
		r = restore_text(h, s);
	return r;
}

/* Who is to become the main process may be a slot already, and the manager that asked for it is gone. */
static bool claim_main(struct hark *h, struct service *s)
{
	const struct bank_table *t = h->bank.table;
	char name[BANK_NAME];

	bank_name(name, s->unit.name, "main");
	for (uint32_t i = 0; i < t->high; i++) {
		const struct bank_slot *b = &t->slot[i];

		if (strncmp(bank_slot_name(t, i), name, BANK_NAME) != 0 ||
		    procs_find(h, i, b->token) || (s->next_main && b->pid != s->next_main))
			continue;
		if (procs_claim(h, &s->unit, ROLE_MAIN, i)) {
			s->next_main = 0;
			return true;
		}
	}
	return false;
}

static bool is_forking(const struct service *s)
{
	return s->unit.config->service->type == SERVICE_FORKING;
}

/* The starter has ended, and which process is the main one was not found out yet. */
static bool seeks_main(const struct service *s, uint32_t fx)
{
	return s->next_main || (is_forking(s) && s->unit.state == SVC_START && !s->control.slot &&
				!s->main.slot && !(fx & FX_SPAWN_MAIN));
}

/* Its end is known by its cgroup alone. */
static bool has_no_main(const struct service *s)
{
	return is_forking(s) && !s->main.slot && !s->is_main_known && s->unit.state > SVC_START &&
	       s->unit.state <= SVC_RELOAD;
}

/* What the manager before was waiting for and PID 1 does not tell again. Returns effects that follow. */
static uint32_t look_again(struct hark *h, struct service *s, uint32_t fx)
{
	uint8_t state = s->unit.state;

	if (seeks_main(s, fx)) {
		if (!claim_main(h, s))
			return FX_FIND_MAIN;
		engine_post_simple(&h->engine, &s->unit, EV_MAIN_PID, s->main.pid, 0, 0);
	} else if (has_no_main(s)) {
		spawn_watch_members(h, s);
	}
	if ((state == SVC_FINAL_SIGTERM || state == SVC_FINAL_SIGKILL) && !(fx & FX_KILL_FINAL))
		kill_await_empty(h, &s->unit);
	return 0;
}

/* --- sockets --- */

/* The listeners are found in the bank; a socket that cannot be had again fails as it would at its start. Returns its state. */
static uint8_t restore_socket(struct hark *h, struct socket_unit *k, const struct state_unit *st,
			      uint32_t *fx)
{
	uint8_t state = st->state;
	bool has_ports = state >= SOCK_START_POST && state <= SOCK_STOP_PRE_SIGKILL;
	char *why = NULL;

	k->result = st->result < SOCKET_RESULTS ? st->result : SRES_RESOURCES;
	k->n_accepted = st->n_accepted;
	k->command_at = st->command_at;
	k->trigger_begin_us = st->trigger_begin_us;
	k->trigger_count = st->trigger_count;
	restore_proc(h, &k->unit, ROLE_CONTROL, st->control_slot, st->control_token);
	if (has_ports && h->activators[UNIT_SOCKET]->arm(h, &k->unit, &why) < 0 &&
	    state <= SOCK_RUNNING) {
		state = SOCK_ARMING;
		*fx |= FX_ARM;
	}
	mem_put(why);
	if (state == SOCK_LISTENING)
		*fx |= FX_WATCH;
	return state;
}

/* The next time is reckoned again. Returns effects that follow. */
static uint32_t restore_timer(struct timer_unit *t, const struct state_unit *st)
{
	t->last_us = st->last_us;
	t->last_wall_us = st->last_wall_us;
	return st->state == TIMER_WAITING ? FX_WATCH : 0;
}

/* What happened while nobody looked waits in the kernel's queue, which PID 1 keeps. */
static void restore_path(struct hark *h, struct path_unit *p, const struct state_unit *st)
{
	p->result = st->result < PATH_RESULTS ? st->result : PRES_RESOURCES;
	p->trigger_begin_us = st->trigger_begin_us;
	p->trigger_count = st->trigger_count;
	if (st->state == PATH_WAITING)
		h->activators[UNIT_PATH]->watch(h, &p->unit);
}

/* Its service rests, and nothing is about to start it: of a damaged table this is not known otherwise. */
static void wake_trigger(struct hark *h, struct unit *u)
{
	if (!(u->type == UNIT_SOCKET && u->state == SOCK_RUNNING) &&
	    !(u->type == UNIT_TIMER && u->state == TIMER_RUNNING) &&
	    !(u->type == UNIT_PATH && u->state == PATH_RUNNING) &&
	    !(u->type == UNIT_AUTOMOUNT && u->state > AUTO_WAITING && automount_is_armed(u)))
		return;
	for (uint32_t i = 0; i < u->edges_n; i++) {
		const struct unit *s = registry_unit(&h->reg, u->edges[i].to);

		if (u->edges[i].type == DEP_TRIGGERS && (!unit_is_at_rest(s) || s->work->job.id))
			return;
	}
	engine_post_simple(&h->engine, u, EV_TRIGGERED_DEAD, 0, 0, 0);
}

/* --- automounts --- */

/* The point is found in the bank and with the kernel; one that is lost is made again, or fails as it would at its start. Returns its state. */
static uint8_t restore_automount(struct hark *h, struct automount_unit *a,
				 const struct state_unit *st, uint32_t *fx)
{
	char *why = NULL;

	a->result = st->result < AUTOMOUNT_RESULTS ? st->result : ARES_RESOURCES;
	a->token = st->request;
	a->err = st->exit_status;
	automount_hold_again(a, st->trigger_count, st->trigger_begin_us);
	restore_proc(h, &a->unit, ROLE_CONTROL, st->control_slot, st->control_token);
	if (st->state < AUTO_WAITING || st->state == AUTO_FAILED)
		return st->state;
	if (st->state != AUTO_LAYING)
		*fx |= FX_WATCH;
	if (h->activators[UNIT_AUTOMOUNT]->arm(h, &a->unit, &why) == 0)
		return st->state;
	mem_put(why);
	if (automount_is_going(st->state))
		return st->state;
	*fx = FX_ARM;
	return AUTO_ARMING;
}

/* --- scopes --- */

/* The kernel has its processes; returns the effects by which its end is seen. */
static uint32_t restore_scope(struct scope *s, const struct state_unit *st)
{
	s->result = st->result < SCOPE_RESULTS ? st->result : SCOPE_RESOURCES;
	return scope_has_processes(st->state) ? FX_WATCH : 0;
}

/* --- mounts --- */

/* What is mounted says the kernel. */
static int restore_mount(struct hark *h, struct mount_unit *m, const struct state_unit *st)
{
	bool has_text = st->flags & STATE_HAS_TEXT;
	const struct state_text *text = has_text ? state_get_text(&h->state, m->unit.state_slot)
						 : NULL;
	int err = 0;

	m->result = st->result < MOUNT_RESULTS ? st->result : MRES_RESOURCES;
	m->control.code = st->exit_code;
	m->control.status = st->exit_status;
	if (text)
		m->fail_text = copy_of(text->status, &err);
	restore_proc(h, &m->unit, ROLE_CONTROL, st->control_slot, st->control_token);
	return err;
}

/* --- units --- */

static void restore_unit_facts(struct unit *u, const struct state_unit *st)
{
	u->state_us = st->state_us;
	u->active_enter_us = st->active_enter_us;
	u->active_exit_us = st->active_exit_us;
	u->inactive_enter_us = st->inactive_enter_us;
	u->inactive_exit_us = st->inactive_exit_us;
	u->why_entry = st->why_entry;
	u->start_limit_begin_us = st->limit_begin_us;
	u->start_limit_count = st->limit_count;
	u->n_activations = st->n_activations;
	u->last_job_result = st->last_job_result;
	u->is_cgroup_killed = st->flags & STATE_CGROUP_KILLED;
	memcpy(u->invocation, st->invocation, sizeof(u->invocation));
	u->markers = (st->flags & STATE_NEEDS_RELOAD ? UNIT_NEEDS_RELOAD : 0) |
		     (st->flags & STATE_NEEDS_RESTART ? UNIT_NEEDS_RESTART : 0);
}

static void restore_job(struct hark *h, struct unit *u, const struct state_unit *st)
{
	struct job job = {
		.id = st->job,
		.type = st->job_type,
		.is_running = st->flags & STATE_JOB_RUNNING,
		.is_irreversible = st->flags & STATE_JOB_IRREVERSIBLE,
		.ignores_order = st->flags & STATE_JOB_UNORDERED,
		.begin_us = st->job_begin_us,
		.cause = {.kind = st->job_cause, .unit = UNIT_NONE, .entry = st->job_entry},
	};

	if (job.id && job.type != JOB_NONE)
		engine_restore_job(&h->engine, u, &job);
}

/*
 * Effects that have to be done (again). A spawn was done if its process is in the bank; a process that is remembered and not there
 * was never made, because a slot is given up only after the state that follows from the exit was committed.
 */
static uint32_t effects_left(struct unit *u, const struct state_unit *st)
{
	static const uint32_t spawns[] = {FX_SPAWN_MAIN, FX_SPAWN_CONTROL};
	bool runs_commands = u->ops->fsm->states[st->state].commands != 0;
	uint32_t fx = st->fx;

	for (unsigned i = 0; i < ARRAY_SIZE(spawns); i++) {
		enum proc_role role = run_spawn_role(u, spawns[i]);
		const struct proc_ref *p = procs_ref(u, role);
		bool was_asked = (role == ROLE_MAIN ? st->main_slot : st->control_slot) != 0;
		bool is_due = (st->state == SVC_START && u->type == UNIT_SERVICE) ==
			      (spawns[i] == FX_SPAWN_MAIN);

		if (p && p->slot)
			fx &= ~spawns[i];
		else if (p && was_asked && is_due && runs_commands)
			fx |= spawns[i];
	}
	return fx;
}

/* Of the state it is in: no command is configured for it any more, or the process it waits for is not there. */
static bool has_nothing_to_do(struct unit *u)
{
	struct service *s = service_of(u);
	struct socket_unit *k = socket_of(u);
	uint32_t *command_at = s ? &s->command_at : k ? &k->command_at : NULL;
	uint32_t at = command_at ? *command_at : 0;
	bool is_so = u->ops->entered && u->ops->entered(u) == EV_NOTHING;

	if (command_at)
		*command_at = at;
	return is_so;
}

/* That the main process was made, and executed, is told again: which of the two was heard is not known. */
static void tell_of_main(struct hark *h, struct unit *u)
{
	const struct proc_ref *main = procs_ref(u, ROLE_MAIN);

	if (!main || !main->slot)
		return;
	engine_post_simple(&h->engine, u, EV_SPAWNED, main->pid, ROLE_MAIN, 0);
	busname_execed(h, service_of(u));
	if (h->bank.table->slot[main->slot - 1].exec == BANK_EXECED)
		engine_post_simple(&h->engine, u, EV_EXECED, main->pid, ROLE_MAIN, 0);
}

/* 0 or -errno; can be tried again. */
static int hear_again(struct hark *h, struct unit *u)
{
	int r = u->type == UNIT_SERVICE ? notify_adopt(h, service_of(u)) : 0;

	return r == 0 && procs_output(u) ? output_adopt(h, u) : r;
}

/* 0 or -ENOMEM */
static int restore_processes(struct hark *h, struct unit *u, const struct state_unit *st)
{
	int r = 0;

	if (u->type == UNIT_SERVICE)
		r = restore_service(h, service_of(u), st);
	if (mount_of(u))
		r = restore_mount(h, mount_of(u), st);
	if (r < 0)
		return r;
	if (procs_output(u))
		procs_output(u)->slot = restore_fd(h, u, st->out_slot, "out");
	r = hear_again(h, u);
	if (r < 0 && r != -ENOMEM)
		r = hear_again(h, u);
	if (r == 0 || r == -ENOMEM)
		return r;
	/* It is known and watched all the same: a unit that is taken for another would be started beside it. */
	log_at(LOG_ERROR, "%s: what it says is not heard until it is started again: %s", u->name,
	       strerror(-r));
	return 0;
}

/* Also one that rests: others may be bound to it. 0 or -errno. */
static int restore_unit(struct hark *h, struct unit *u, uint32_t slot, const struct state_unit *st)
{
	uint8_t state = st->state;
	uint32_t fx = 0;
	int r = engine_load(&h->engine, u);

	if (r < 0)
		return r;
	if (st->type != u->type || state >= u->ops->fsm->states_n)
		return err_here(-EBADMSG);
	u->state_slot = slot;
	u->config->is_present |= unit_load_state(u) == LOAD_NOT_FOUND &&
				 st->flags & STATE_IS_PRESENT;
	restore_unit_facts(u, st);
	r = restore_processes(h, u, st);
	if (r < 0)
		return r;
	if (u->type == UNIT_SOCKET)
		state = restore_socket(h, socket_of(u), st, &fx);
	if (u->type == UNIT_TIMER)
		fx |= restore_timer(timer_of(u), st);
	if (u->type == UNIT_PATH)
		restore_path(h, path_of(u), st);
	if (u->type == UNIT_SCOPE)
		fx |= restore_scope(scope_of(u), st);
	if (u->type == UNIT_AUTOMOUNT)
		state = restore_automount(h, automount_of(u), st, &fx);
	fx |= effects_left(u, st);
	engine_restore(&h->engine, u, state, st->timer_us, 0);
	if (u->type == UNIT_SERVICE)
		fx |= look_again(h, service_of(u), fx);
	engine_restore(&h->engine, u, state, st->timer_us, fx);
	tell_of_main(h, u);
	if (!fx && has_nothing_to_do(u))
		engine_post_simple(&h->engine, u, EV_NOTHING, 0, 0, 0);
	restore_job(h, u, st);
	return 0;
}

/* How many were not at rest, or -ENOMEM. */
static int restore_units(struct hark *h)
{
	int n = 0;

	for (uint32_t i = 0; i < h->state.image->slots_n; i++) {
		uint32_t slot = state_at(&h->state, i);
		const char *name = state_name(&h->state, slot);
		bool is_unit = name && unit_name_check(&h->reg, name);
		struct unit *u = is_unit ? registry_get(&h->reg, name) : NULL;
		struct state_unit st;
		int r = u ? state_get(&h->state, slot, &st) : is_unit ? -ENOMEM : -ENOENT;

		if (r == 0)
			r = restore_unit(h, u, slot, &st);
		if (r == -ENOMEM)
			return r;
		if (r == 0)
			n += st.state != 0;
		else if (r != -ENOENT)
			log_at(LOG_ERROR,
			       "%s: what was remembered of it cannot be used (%s); going by its processes and sockets",
			       name, strerror(-r));
		if (r == -EBADMSG)
			state_release(&h->state, slot);
	}
	return n;
}

static void restore_manager(struct hark *h)
{
	struct state_manager m;

	if (state_get_manager(&h->state, &m) < 0) {
		h->did_boot |= h->state.damaged_n > 0;
		return;
	}
	h->did_boot = m.did_boot;
	h->ready_us = m.ready_us;
	h->looked_us = m.looked_us;
	h->no_watchdogs = m.no_watchdogs;
	h->log_level_set = m.log_level_set;
	h->log_target = m.log_target;
	if (m.log_level_set)
		log_set_level((enum log_level)(m.log_level_set - 1));
	if (!m.is_ending)
		return;
	h->is_shutting_down = h->engine.is_ending = true;
	h->final_command = m.final_command;
	h->exit_code = m.exit_code;
}

int run_takeover(struct hark *h)
{
	int n, derived;

	restore_manager(h);
	n = restore_units(h);
	derived = n < 0 ? n : derive_units(h);
	if (derived < 0 || engine_load_pulled(&h->engine) < 0)
		return err_here(-ENOMEM);
	transient_recall(h);
	for (uint32_t id = 0; id < h->reg.n; id++) {
		struct unit *u = registry_unit(&h->reg, id);

		if (!u)
			continue;
		wake_trigger(h, u);
		transient_rested(h, u);
	}
	devices_look(h);
	nodes_take_over(h);
	mounts_compare(h);
	swaps_refresh(h);
	log_at(LOG_INFO, "took over %d units from the manager before (life %u)", n,
	       h->bank.table->generation);
	if (derived)
		log_at(LOG_WARN,
		       "%d units were found running of which nothing was remembered; their jobs and counters are lost",
		       derived);
	run_shutdown_check(h);
	return 0;
}
