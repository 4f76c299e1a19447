/* SPDX-License-Identifier: MIT */
#include "units/service.h"

#include <signal.h>
#include <sys/wait.h>

/* The machine's own events: what classify() makes of the raw ones. */
/* clang-format off */
#define EVENT_LIST(EVENT) \
	EVENT(START, "start") EVENT(STOP, "stop") EVENT(RELOAD, "reload") \
	EVENT(RESET, "reset") EVENT(LIMIT, "start-limit") EVENT(CTL_NEXT, "control-next") \
	EVENT(CTL_OK, "control-ok") EVENT(CTL_FAIL, "control-fail") \
	EVENT(MAIN_NEXT, "main-next") EVENT(MAIN_OK, "main-ok") \
	EVENT(MAIN_FAIL, "main-fail") EVENT(STARTED, "started") EVENT(VOID, "void") \
	EVENT(EMPTY, "empty") EVENT(TIMEOUT, "timeout") EVENT(WATCHDOG, "watchdog") \
	EVENT(SPAWN_FAIL, "spawn-fail") EVENT(STOPPING, "stopping") \
	EVENT(RELOADING, "reloading") EVENT(STAY, "remain") EVENT(END_OK, "end-ok") \
	EVENT(END_FAIL, "end-fail") EVENT(END_RESTART, "end-restart") \
	EVENT(MAIN_MOVED, "main-moved") EVENT(TIMEOUT_ABORT, "timeout-abort") EVENT(TIMEOUT_KILL, "timeout-kill")
/* clang-format on */
enum service_event {
#define EVENT(name, word) SE_##name,
	EVENT_LIST(EVENT)
#undef EVENT
		SE_EVENTS
};

static const char *const event_words[SE_EVENTS] = {
#define EVENT(name, word) word,
	EVENT_LIST(EVENT)
#undef EVENT
};

static const struct fsm_state states[SVC_STATES] = {
	[SVC_DEAD] = {"dead", INACTIVE, CMD_NONE, TO_NONE, false},
	[SVC_CONDITION] = {"condition", ACTIVATING, CMD_CONDITION, TO_START, false},
	[SVC_START_PRE] = {"start-pre", ACTIVATING, CMD_PRE, TO_START, false},
	[SVC_START] = {"start", ACTIVATING, CMD_START, TO_START, false},
	[SVC_START_POST] = {"start-post", ACTIVATING, CMD_POST, TO_START, false},
	[SVC_RUNNING] = {"running", ACTIVE, CMD_NONE, TO_RUNTIME, false},
	[SVC_EXITED] = {"exited", ACTIVE, CMD_NONE, TO_NONE, false},
	[SVC_RELOAD] = {"reload", RELOADING, CMD_RELOAD, TO_START, false},
	[SVC_STOP] = {"stop", DEACTIVATING, CMD_STOP, TO_STOP, false},
	[SVC_STOP_WATCHDOG] = {"stop-watchdog", DEACTIVATING, CMD_NONE, TO_ABORT, false},
	[SVC_STOP_SIGTERM] = {"stop-sigterm", DEACTIVATING, CMD_NONE, TO_STOP, false},
	[SVC_STOP_SIGKILL] = {"stop-sigkill", DEACTIVATING, CMD_NONE, TO_STOP, false},
	[SVC_STOP_POST] = {"stop-post", DEACTIVATING, CMD_STOP_POST, TO_STOP, false},
	[SVC_FINAL_SIGTERM] = {"final-sigterm", DEACTIVATING, CMD_NONE, TO_STOP, false},
	[SVC_FINAL_SIGKILL] = {"final-sigkill", DEACTIVATING, CMD_NONE, TO_STOP, false},
	[SVC_ENDED] = {"ended", DEACTIVATING, CMD_NONE, TO_NONE, false},
	[SVC_FAILED] = {"failed", FAILED, CMD_NONE, TO_NONE, false},
	[SVC_AUTO_RESTART] = {"auto-restart", ACTIVATING, CMD_NONE, TO_RESTART, true},
};

/*
 * How to read it: row = state, then event -> new state with the effects of going there. An empty cell: the event says nothing in that
 * state. A state with commands runs its list one by one (CTL_NEXT stays), an empty list passes at once (VOID). Every way down
 * goes stop -> stop-sigterm -> stop-sigkill -> stop-post -> final-sigterm -> final-sigkill -> ended and never back up.
 */
#define GO(state, effects)                             \
	{                                              \
		.go = SVC_##state + 1, .fx = (effects) \
	}
#define RUN FX_SPAWN_CONTROL
#define TERM (FX_WATCHDOG_OFF | FX_KILL_TERM)
#define KILL (FX_WATCHDOG_OFF | FX_KILL_ALL)
#define ABORT (FX_WATCHDOG_OFF | FX_KILL_WATCHDOG)
/* As TimeoutStartFailureMode= or TimeoutStopFailureMode= says. */
#define WHEN_LATE                                                                             \
	[SE_TIMEOUT] = GO(STOP_SIGTERM, TERM), [SE_TIMEOUT_ABORT] = GO(STOP_WATCHDOG, ABORT), \
	[SE_TIMEOUT_KILL] = GO(STOP_SIGKILL, KILL)

/* clang-format off */
static const struct fsm_cell cells[SVC_STATES][SE_EVENTS] = {
	[SVC_DEAD] = {
		[SE_START] = GO(CONDITION, RUN),
		[SE_LIMIT] = GO(FAILED, 0),
	},
	[SVC_FAILED] = {
		[SE_START] = GO(CONDITION, RUN),
		[SE_RESET] = GO(DEAD, 0),
		[SE_LIMIT] = GO(FAILED, 0),
	},
	[SVC_AUTO_RESTART] = {
		[SE_LIMIT]   = GO(FAILED, FX_FORGET),
		[SE_START]   = GO(CONDITION, RUN),
		[SE_STOP]    = GO(DEAD, FX_FORGET),
		[SE_TIMEOUT] = GO(AUTO_RESTART, FX_RESTART_LATER),
	},
	[SVC_CONDITION] = {
		[SE_CTL_NEXT]   = GO(CONDITION, RUN),
		[SE_CTL_OK]     = GO(START_PRE, RUN),
		[SE_VOID]       = GO(START_PRE, RUN),
		[SE_CTL_FAIL]   = GO(STOP_SIGTERM, TERM),
		[SE_STOP]       = GO(STOP_SIGTERM, TERM),
		WHEN_LATE,
		[SE_SPAWN_FAIL] = GO(STOP_POST, RUN),
	},
	[SVC_START_PRE] = {
		[SE_CTL_NEXT]   = GO(START_PRE, RUN),
		[SE_CTL_OK]     = GO(START, FX_SPAWN_MAIN),
		[SE_VOID]       = GO(START, FX_SPAWN_MAIN),
		[SE_CTL_FAIL]   = GO(STOP_SIGTERM, TERM),
		[SE_STOP]       = GO(STOP_SIGTERM, TERM),
		WHEN_LATE,
		[SE_SPAWN_FAIL] = GO(STOP_POST, RUN),
	},
	[SVC_START] = {
		[SE_STARTED]    = GO(START_POST, RUN),
		[SE_VOID]       = GO(START_POST, RUN),
		[SE_MAIN_NEXT]  = GO(START, FX_SPAWN_MAIN),
		[SE_MAIN_OK]    = GO(START_POST, RUN),
		[SE_CTL_OK]     = GO(START, FX_FIND_MAIN),
		[SE_MAIN_MOVED] = GO(START, FX_FIND_MAIN),
		[SE_CTL_FAIL]   = GO(STOP_SIGTERM, TERM),
		[SE_MAIN_FAIL]  = GO(STOP_SIGTERM, TERM),
		[SE_STOP]       = GO(STOP_SIGTERM, TERM),
		WHEN_LATE,
		[SE_WATCHDOG]   = GO(STOP_WATCHDOG, ABORT),
		[SE_SPAWN_FAIL] = GO(STOP_SIGTERM, TERM),
		[SE_STOPPING]   = GO(STOP_SIGTERM, FX_WATCHDOG_OFF),
	},
	[SVC_START_POST] = {
		[SE_MAIN_MOVED] = GO(START_POST, FX_FIND_MAIN),
		[SE_CTL_NEXT]   = GO(START_POST, RUN),
		[SE_CTL_OK]     = GO(RUNNING, FX_WATCHDOG_ON),
		[SE_VOID]       = GO(RUNNING, FX_WATCHDOG_ON),
		[SE_CTL_FAIL]   = GO(STOP_SIGTERM, TERM), /* ExecStop= is for what was started */
		[SE_SPAWN_FAIL] = GO(STOP_SIGTERM, TERM),
		[SE_STOP]       = GO(STOP_SIGTERM, TERM),
		WHEN_LATE,
		[SE_WATCHDOG]   = GO(STOP_WATCHDOG, ABORT),
	},
	[SVC_RUNNING] = {
		[SE_MAIN_MOVED] = GO(RUNNING, FX_FIND_MAIN),
		[SE_STOP]      = GO(STOP, FX_WATCHDOG_OFF | RUN),
		[SE_RELOAD]    = GO(RELOAD, RUN),
		[SE_RELOADING] = GO(RELOAD, 0),
		[SE_MAIN_OK]   = GO(STOP, FX_WATCHDOG_OFF | RUN),
		[SE_MAIN_FAIL] = GO(STOP_SIGTERM, TERM),
		[SE_STAY]      = GO(EXITED, FX_WATCHDOG_OFF),
		[SE_TIMEOUT]   = GO(STOP, FX_WATCHDOG_OFF | RUN),
		[SE_WATCHDOG]  = GO(STOP_WATCHDOG, ABORT),
		[SE_STOPPING]  = GO(STOP_SIGTERM, FX_WATCHDOG_OFF),
	},
	[SVC_EXITED] = {
		[SE_STOP]   = GO(STOP, RUN),
		[SE_RELOAD] = GO(RELOAD, RUN),
	},
	[SVC_RELOAD] = {
		[SE_MAIN_MOVED] = GO(RELOAD, FX_FIND_MAIN),
		[SE_CTL_NEXT]   = GO(RELOAD, RUN),
		[SE_CTL_OK]     = GO(RUNNING, FX_WATCHDOG_ON),
		[SE_VOID]       = GO(RUNNING, FX_WATCHDOG_ON),
		[SE_CTL_FAIL]   = GO(RUNNING, FX_WATCHDOG_ON),
		[SE_SPAWN_FAIL] = GO(RUNNING, FX_WATCHDOG_ON),
		[SE_STARTED]    = GO(RUNNING, FX_WATCHDOG_ON),
		[SE_MAIN_OK]    = GO(STOP_SIGTERM, TERM),
		[SE_MAIN_FAIL]  = GO(STOP_SIGTERM, TERM),
		[SE_STOP]       = GO(STOP_SIGTERM, TERM),
		[SE_TIMEOUT]    = GO(RUNNING, FX_KILL_CONTROL | FX_WATCHDOG_ON),
		[SE_WATCHDOG]   = GO(STOP_WATCHDOG, ABORT),
		[SE_STOPPING]   = GO(STOP_SIGTERM, FX_WATCHDOG_OFF),
	},
	[SVC_STOP] = {
		[SE_CTL_NEXT]   = GO(STOP, RUN),
		[SE_CTL_OK]     = GO(STOP_SIGTERM, TERM),
		[SE_VOID]       = GO(STOP_SIGTERM, TERM),
		[SE_CTL_FAIL]   = GO(STOP_SIGTERM, TERM),
		[SE_SPAWN_FAIL] = GO(STOP_SIGTERM, TERM),
		WHEN_LATE,
	},
	[SVC_STOP_WATCHDOG] = {
		[SE_EMPTY]   = GO(STOP_POST, RUN),
		[SE_TIMEOUT] = GO(STOP_SIGKILL, KILL),
	},
	[SVC_STOP_SIGTERM] = {
		[SE_EMPTY]   = GO(STOP_POST, RUN),
		[SE_TIMEOUT] = GO(STOP_SIGKILL, KILL),
		[SE_TIMEOUT_ABORT] = GO(STOP_WATCHDOG, ABORT),
		[SE_STOP]    = GO(STOP_SIGTERM, TERM), /* after STOPPING=1 nothing was sent yet */
	},
	[SVC_STOP_SIGKILL] = {
		[SE_EMPTY]   = GO(STOP_POST, RUN),
		[SE_TIMEOUT] = GO(STOP_POST, RUN),
	},
	[SVC_STOP_POST] = {
		[SE_TIMEOUT_KILL] = GO(FINAL_SIGKILL, KILL),
		[SE_CTL_NEXT]   = GO(STOP_POST, RUN),
		[SE_CTL_OK]     = GO(FINAL_SIGTERM, FX_KILL_FINAL),
		[SE_VOID]       = GO(FINAL_SIGTERM, FX_KILL_FINAL),
		[SE_CTL_FAIL]   = GO(FINAL_SIGTERM, FX_KILL_FINAL),
		[SE_SPAWN_FAIL] = GO(FINAL_SIGTERM, FX_KILL_FINAL),
		[SE_TIMEOUT]    = GO(FINAL_SIGTERM, FX_KILL_FINAL),
	},
	[SVC_FINAL_SIGTERM] = {
		[SE_EMPTY]   = GO(ENDED, 0),
		[SE_TIMEOUT] = GO(FINAL_SIGKILL, KILL),
	},
	[SVC_FINAL_SIGKILL] = {
		[SE_EMPTY]   = GO(ENDED, 0),
		[SE_TIMEOUT] = GO(ENDED, 0),
	},
	[SVC_ENDED] = {
		[SE_END_OK]      = GO(DEAD, FX_WATCHDOG_OFF | FX_FORGET),
		[SE_END_FAIL]    = GO(FAILED, FX_WATCHDOG_OFF | FX_FORGET),
		[SE_END_RESTART] = GO(AUTO_RESTART, FX_WATCHDOG_OFF | FX_FORGET),
	},
};
/* clang-format on */

const struct fsm service_fsm = {
	.type = "service",
	.states_n = SVC_STATES,
	.events_n = SE_EVENTS,
	.states = states,
	.events = event_words,
	.cells = &cells[0][0],
};

static const struct service_config *config_of(const struct service *s)
{
	return s->unit.config->service;
}

const struct command *service_command(const struct service *s)
{
	uint8_t list = states[s->unit.state].commands;
	uint32_t at = list == CMD_START ? s->main_at : s->command_at;
	const struct command *cmd = command_first(s->unit.config, list);

	while (cmd && at--)
		cmd = command_next(cmd);
	return cmd;
}

/* The first failure of a run names its result. */
static void note_result(struct service *s, enum service_result r)
{
	if (s->result == RESULT_SUCCESS)
		s->result = (uint8_t)r;
}

/* A new run begins: what the last one left is wiped. */
static int on_start(struct service *s)
{
	s->n_restarts = s->unit.state == SVC_AUTO_RESTART ? s->n_restarts + 1 : 0;
	s->result = s->reload_result = RESULT_SUCCESS;
	s->main_at = 0;
	s->is_ready = s->is_reloading = s->main_exited_early = false;
	s->forbid_restart = s->did_exit_clean = s->is_main_known = false;
	s->fail_step_exit = 0;
	s->next_main = s->status_errno = 0;
	s->main.code = s->main.status = s->control.code = s->control.status = 0;
	return SE_START;
}

static bool has_next_command(const struct service *s)
{
	const struct command *cmd = service_command(s);

	return cmd && command_next(cmd);
}

static bool nobody_left(const struct service *s)
{
	return !s->main.slot && !s->control.slot;
}

/* In the states that wait for processes to end, only "main and control are gone" counts. */
static bool is_killing(uint8_t state)
{
	return state == SVC_STOP_WATCHDOG || state == SVC_STOP_SIGTERM ||
	       state == SVC_STOP_SIGKILL || state == SVC_FINAL_SIGTERM ||
	       state == SVC_FINAL_SIGKILL;
}

static int control_exited(struct service *s)
{
	const struct command *cmd = service_command(s);
	uint8_t state = s->unit.state;
	bool ok = service_exit_is_clean(config_of(s), s->control.code, s->control.status, false) ||
		  (cmd && cmd->ignore_failure);

	if (is_killing(state))
		return nobody_left(s) && state < SVC_FINAL_SIGTERM ? SE_EMPTY : -1;
	if (ok && has_next_command(s) && state != SVC_START) {
		s->command_at++;
		return SE_CTL_NEXT;
	}
	if (ok)
		return SE_CTL_OK;
	if (state == SVC_RELOAD) {
		s->reload_result = (uint8_t)service_result_of(s->control.code);
		return SE_CTL_FAIL;
	}
	/* ExecCondition=: 1 to 254 skips the unit without failing it (systemd.service(5)) */
	if (state == SVC_CONDITION && s->control.code == CLD_EXITED && s->control.status < 255)
		note_result(s, RESULT_EXEC_CONDITION);
	else
		note_result(s, service_result_of(s->control.code));
	return SE_CTL_FAIL;
}

static int main_verdict(struct service *s)
{
	const struct service_config *c = config_of(s);

	if (!s->did_exit_clean)
		return SE_MAIN_FAIL;
	if (s->unit.state == SVC_RUNNING && c->remain_after_exit)
		return SE_STAY;
	return SE_MAIN_OK;
}

static bool ends_with_cgroup(const struct service *s)
{
	return config_of(s)->exit_type == EXIT_TYPE_CGROUP;
}

/* ExitType=cgroup: it is a service whose main process is not known from now on, and ends when its cgroup is empty. */
static int outlive_main(struct service *s)
{
	s->is_main_known = s->main_exited_early = false;
	return SE_MAIN_MOVED;
}

/* The end of a oneshot's command is its start; anybody else is gone before it was ready. */
static int main_exited_starting(struct service *s, bool ok)
{
	if (config_of(s)->type != SERVICE_ONESHOT) {
		note_result(s, RESULT_PROTOCOL);
		return SE_MAIN_FAIL;
	}
	if (!ok || !has_next_command(s))
		return ok ? SE_MAIN_OK : SE_MAIN_FAIL;
	s->main_at++;
	return SE_MAIN_NEXT;
}

static int main_exited(struct service *s)
{
	const struct service_config *c = config_of(s);
	const struct command *cmd = s->unit.state == SVC_START
					    ? service_command(s)
					    : command_first(s->unit.config, CMD_START);
	uint8_t state = s->unit.state;
	bool ok = service_exit_is_clean(c, s->main.code, s->main.status,
					c->type != SERVICE_ONESHOT) ||
		  (cmd && cmd->ignore_failure);

	s->did_exit_clean = ok;
	if (!ok)
		note_result(s, service_result_of(s->main.code));
	if (is_killing(state))
		return nobody_left(s) && state < SVC_FINAL_SIGTERM ? SE_EMPTY : -1;
	if (state == SVC_START)
		return main_exited_starting(s, ok);
	if (state == SVC_RUNNING && ends_with_cgroup(s))
		return outlive_main(s);
	if (state == SVC_RUNNING || (state == SVC_RELOAD && !ends_with_cgroup(s)))
		return main_verdict(s);
	s->main_exited_early = true; /* a command still runs: looked at on entering running */
	return -1;
}

static void record_exit(struct proc_ref *p, const struct event *e)
{
	p->slot = 0;
	p->code = (int32_t)e->a;
	p->status = (int32_t)e->b;
}

static int on_exited(struct service *s, const struct event *e)
{
	if (e->c == ROLE_MAIN) {
		record_exit(&s->main, e);
		return main_exited(s);
	}
	if (e->c == ROLE_CONTROL) {
		record_exit(&s->control, e);
		return control_exited(s);
	}
	return -1;
}

static int on_spawned(struct service *s, const struct event *e)
{
	uint8_t type = config_of(s)->type;

	if (e->b != ROLE_MAIN)
		return -1;
	s->is_main_known = true;
	return s->unit.state == SVC_START && (type == SERVICE_SIMPLE || type == SERVICE_IDLE)
		       ? SE_STARTED
		       : -1;
}

static int on_execed(struct service *s, const struct event *e)
{
	uint8_t type = config_of(s)->type;

	return s->unit.state == SVC_START && e->b == ROLE_MAIN &&
			       (type == SERVICE_EXEC || s->counts_at_exec)
		       ? SE_STARTED
		       : -1;
}

static int on_ready(struct service *s)
{
	uint8_t type = config_of(s)->type;

	s->is_ready = true;
	if (s->unit.state == SVC_RELOAD && s->is_reloading) {
		s->is_reloading = false;
		return SE_STARTED;
	}
	return s->unit.state == SVC_START &&
			       (type == SERVICE_NOTIFY || type == SERVICE_NOTIFY_RELOAD)
		       ? SE_STARTED
		       : -1;
}

static int on_name_owned(struct service *s)
{
	s->is_ready = true;
	return s->unit.state == SVC_START ? SE_STARTED : -1;
}

/* A service without its name serves nobody: it stops, and may be started again as Restart= says. */
static int on_name_lost(struct service *s)
{
	return s->unit.state == SVC_RUNNING ? SE_STOP : -1;
}

static int on_main_pid(struct service *s, const struct event *e)
{
	if (e->a > 0 && e->a != s->main.pid) { /* MAINPID=: it counts once it is ours to watch */
		s->next_main = (pid_t)e->a;
		return SE_MAIN_MOVED;
	}
	s->is_main_known = e->a > 0;
	return s->unit.state == SVC_START && config_of(s)->type == SERVICE_FORKING &&
			       !s->control.slot
		       ? SE_STARTED
		       : -1;
}

/* The cgroup is empty. With a known main process its exit said more already. */
static int on_empty(struct service *s)
{
	uint8_t state = s->unit.state;

	if (is_killing(state))
		return nobody_left(s) ? SE_EMPTY : -1;
	if (!nobody_left(s))
		return -1;
	if (state == SVC_START && config_of(s)->type == SERVICE_FORKING) {
		note_result(s, RESULT_PROTOCOL);
		return SE_MAIN_FAIL;
	}
	if (state == SVC_RUNNING && !s->is_main_known) {
		s->did_exit_clean = s->result == RESULT_SUCCESS;
		return main_verdict(s);
	}
	return -1;
}

/* The event of how the unit wants that to end which takes too long, where this state has an answer to it. */
static int late_event(const struct service *s)
{
	static const int events[] = {SE_TIMEOUT, SE_TIMEOUT_ABORT, SE_TIMEOUT_KILL};
	bool is_start = states[s->unit.state].coarse == ACTIVATING;
	int wanted = events[is_start ? config_of(s)->timeout_start_mode
				     : config_of(s)->timeout_stop_mode];

	return cells[s->unit.state][wanted].go ? wanted : SE_TIMEOUT;
}

static int on_timeout(struct service *s)
{
	if (s->unit.state == SVC_RELOAD)
		s->reload_result = RESULT_TIMEOUT;
	else if (s->unit.state != SVC_AUTO_RESTART)
		note_result(s, RESULT_TIMEOUT);
	return late_event(s);
}

/* The state just entered has nothing to wait for. */
static int on_nothing(struct service *s)
{
	if (s->unit.state == SVC_ENDED) {
		if (service_wants_restart(s))
			return SE_END_RESTART;
		return s->result == RESULT_SUCCESS || s->result == RESULT_EXEC_CONDITION
			       ? SE_END_OK
			       : SE_END_FAIL;
	}
	if (s->unit.state != SVC_RUNNING)
		return is_killing(s->unit.state) ? SE_EMPTY : SE_VOID;
	if (ends_with_cgroup(s))
		return outlive_main(s);
	if (config_of(s)->type == SERVICE_ONESHOT || !s->main_exited_early)
		s->did_exit_clean = true;
	s->main_exited_early = false;
	return main_verdict(s);
}

static int on_spawn_failed(struct service *s, const struct event *e)
{
	struct proc_ref *p = e->b == ROLE_MAIN ? &s->main : &s->control;
	const struct command *cmd = service_command(s);

	p->slot = 0;
	if (s->unit.state == SVC_RELOAD) {
		s->reload_result = RESULT_RESOURCES;
		return SE_SPAWN_FAIL;
	}
	if (cmd && cmd->ignore_failure && s->unit.state != SVC_START) {
		if (!command_next(cmd))
			return SE_CTL_OK;
		s->command_at++;
		return SE_CTL_NEXT;
	}
	note_result(s, RESULT_RESOURCES);
	if (!is_killing(s->unit.state))
		return SE_SPAWN_FAIL;
	return nobody_left(s) && s->unit.state < SVC_FINAL_SIGTERM ? SE_EMPTY : -1;
}

static int classify(struct unit *u, const struct event *e)
{
	struct service *s = service_of(u);

	switch ((enum event_kind)e->kind) {
	case EV_START:
		return on_start(s);
	case EV_STOP:
		s->forbid_restart = true;
		return SE_STOP;
	case EV_RELOAD:
		s->reload_result = RESULT_SUCCESS;
		return SE_RELOAD;
	case EV_RESET:
		return SE_RESET;
	case EV_START_LIMIT:
		s->result = RESULT_START_LIMIT;
		return SE_LIMIT;
	case EV_SPAWNED:
		return on_spawned(s, e);
	case EV_SPAWN_FAILED:
		return on_spawn_failed(s, e);
	case EV_EXECED:
		return on_execed(s, e);
	case EV_EXITED:
		return on_exited(s, e);
	case EV_READY:
		return on_ready(s);
	case EV_NAME_OWNED:
		return on_name_owned(s);
	case EV_NAME_LOST:
		return on_name_lost(s);
	case EV_RELOADING:
		s->is_reloading = true;
		return SE_RELOADING;
	case EV_STOPPING:
		return SE_STOPPING;
	case EV_MAIN_PID:
		return on_main_pid(s, e);
	case EV_EMPTY:
		return on_empty(s);
	case EV_TIMEOUT:
		return on_timeout(s);
	case EV_WATCHDOG:
		note_result(s, RESULT_WATCHDOG);
		return SE_WATCHDOG;
	case EV_NOTHING:
		return on_nothing(s);
	case EV_NONE:
	case EV_ASK:
	case EV_EXTEND:
	case EV_ABANDON:
	case EV_ARMED:
	case EV_ARM_FAILED:
	case EV_TRIGGER:
	case EV_TRIGGERED_ALIVE:
	case EV_TRIGGERED_DEAD:
	case EV_MOUNTED:
	case EV_UNMOUNTED:
	case EV_DEVICE:
	case EVENT_KINDS:
		break;
	}
	return -1;
}

static enum event_kind entered(struct unit *u)
{
	struct service *s = service_of(u);
	const struct service_config *c = config_of(s);

	s->command_at = 0;
	switch ((enum service_state)u->state) {
	case SVC_CONDITION:
	case SVC_START_PRE:
	case SVC_START:
	case SVC_START_POST:
	case SVC_STOP:
	case SVC_STOP_POST:
		return service_command(s) ? EV_NONE : EV_NOTHING;
	case SVC_RELOAD:
		/* Type=notify-reload: the signal asks, READY=1 answers */
		return s->is_reloading || service_command(s) || c->type == SERVICE_NOTIFY_RELOAD
			       ? EV_NONE
			       : EV_NOTHING;
	case SVC_RUNNING:
		if (c->type == SERVICE_ONESHOT || s->main_exited_early)
			return EV_NOTHING;
		return (s->is_main_known || ends_with_cgroup(s)) && !s->main.slot ? EV_NOTHING
										  : EV_NONE;
	case SVC_STOP_WATCHDOG:
	case SVC_STOP_SIGTERM:
	case SVC_STOP_SIGKILL:
		return nobody_left(s) ? EV_NOTHING : EV_NONE;
	case SVC_ENDED:
		return EV_NOTHING;
	case SVC_DEAD:
	case SVC_EXITED:
	case SVC_FINAL_SIGTERM:
	case SVC_FINAL_SIGKILL:
	case SVC_FAILED:
	case SVC_AUTO_RESTART:
	case SVC_STATES:
		break;
	}
	return EV_NONE;
}

static bool can_reload(const struct unit *u)
{
	const struct service_config *c = u->config ? u->config->service : NULL;

	return c && (command_first(u->config, CMD_RELOAD) || c->type == SERVICE_NOTIFY_RELOAD);
}

static bool reload_failed(const struct unit *u)
{
	return container_of(u, const struct service, unit)->reload_result != RESULT_SUCCESS;
}

static const char *result_word(const struct unit *u)
{
	return service_result_names[container_of(u, const struct service, unit)->result];
}

static void reset(struct unit *u)
{
	service_of(u)->result = RESULT_SUCCESS;
	service_of(u)->n_restarts = 0;
}

static void fini(struct unit *u)
{
	struct service *s = service_of(u);

	mem_put((void *)(uintptr_t)s->status_text);
	mem_put((void *)(uintptr_t)s->fail_text);
	mem_put((void *)(uintptr_t)s->remote);
	mem_put((void *)(uintptr_t)s->remote_addr);
	mem_put((void *)(uintptr_t)s->remote_port);
}

const struct unit_type_ops service_ops = {
	.type = UNIT_SERVICE,
	.object_size = sizeof(struct service),
	.fsm = &service_fsm,
	.classify = classify,
	.entered = entered,
	.can_reload = can_reload,
	.reload_failed = reload_failed,
	.result = result_word,
	.reset = reset,
	.timeout_us = service_timeout_us,
	.fini = fini,
};
