/* SPDX-License-Identifier: MIT */
#include "units/socket.h"

#include <signal.h>
#include <sys/wait.h>

/* clang-format off */
#define EVENT_LIST(EVENT) \
	EVENT(START, "start") EVENT(STOP, "stop") EVENT(RESET, "reset") \
	EVENT(LIMIT, "start-limit") EVENT(CTL_NEXT, "control-next") \
	EVENT(CTL_OK, "control-ok") EVENT(CTL_FAIL, "control-fail") EVENT(VOID, "void") \
	EVENT(ARMED, "armed") EVENT(ARM_FAIL, "arm-fail") EVENT(TRIGGER, "trigger") \
	EVENT(BUSY, "service-runs") EVENT(IDLE, "service-rests") \
	EVENT(REFUSED, "service-refused") EVENT(TIMEOUT, "timeout") \
	EVENT(SPAWN_FAIL, "spawn-fail") EVENT(EMPTY, "empty") EVENT(END_OK, "end-ok") \
	EVENT(END_FAIL, "end-fail")
/* clang-format on */
enum socket_event {
#define EVENT(name, word) KE_##name,
	EVENT_LIST(EVENT)
#undef EVENT
		KE_EVENTS
};

static const char *const event_words[KE_EVENTS] = {
#define EVENT(name, word) word,
	EVENT_LIST(EVENT)
#undef EVENT
};

enum { TIMEOUT_NONE, TIMEOUT_COMMAND };

static const struct fsm_state states[SOCK_STATES] = {
	[SOCK_DEAD] = {"dead", INACTIVE, SCMD_NONE, TIMEOUT_NONE, false},
	[SOCK_START_PRE] = {"start-pre", ACTIVATING, SCMD_START_PRE, TIMEOUT_COMMAND, false},
	[SOCK_ARMING] = {"start-chown", ACTIVATING, SCMD_NONE, TIMEOUT_COMMAND, false},
	[SOCK_START_POST] = {"start-post", ACTIVATING, SCMD_START_POST, TIMEOUT_COMMAND, false},
	[SOCK_LISTENING] = {"listening", ACTIVE, SCMD_NONE, TIMEOUT_NONE, false},
	[SOCK_RUNNING] = {"running", ACTIVE, SCMD_NONE, TIMEOUT_NONE, false},
	[SOCK_STOP_PRE] = {"stop-pre", DEACTIVATING, SCMD_STOP_PRE, TIMEOUT_COMMAND, false},
	[SOCK_STOP_PRE_SIGTERM] = {"stop-pre-sigterm", DEACTIVATING, SCMD_NONE, TIMEOUT_COMMAND,
				   false},
	[SOCK_STOP_PRE_SIGKILL] = {"stop-pre-sigkill", DEACTIVATING, SCMD_NONE, TIMEOUT_COMMAND,
				   false},
	[SOCK_STOP_POST] = {"stop-post", DEACTIVATING, SCMD_STOP_POST, TIMEOUT_COMMAND, false},
	[SOCK_FINAL_SIGTERM] = {"final-sigterm", DEACTIVATING, SCMD_NONE, TIMEOUT_COMMAND, false},
	[SOCK_FINAL_SIGKILL] = {"final-sigkill", DEACTIVATING, SCMD_NONE, TIMEOUT_COMMAND, false},
	[SOCK_ENDED] = {"ended", DEACTIVATING, SCMD_NONE, TIMEOUT_NONE, false},
	[SOCK_FAILED] = {"failed", FAILED, SCMD_NONE, TIMEOUT_NONE, false},
};

/*
 * How to read it: as in service.c. The way up is start-pre -> arming -> start-post -> listening; listening and running alternate
 * with the life of the service; the way down is stop-pre -> stop-post -> final, and DROP closes the listeners on it.
 */
#define GO(state, effects)                              \
	{                                               \
		.go = SOCK_##state + 1, .fx = (effects) \
	}
#define RUN FX_SPAWN_CONTROL

/* clang-format off */
static const struct fsm_cell cells[SOCK_STATES][KE_EVENTS] = {
	[SOCK_DEAD] = {
		[KE_START] = GO(START_PRE, RUN),
		[KE_LIMIT] = GO(FAILED, 0),
	},
	[SOCK_FAILED] = {
		[KE_START] = GO(START_PRE, RUN),
		[KE_RESET] = GO(DEAD, 0),
		[KE_LIMIT] = GO(FAILED, 0),
	},
	[SOCK_START_PRE] = {
		[KE_CTL_NEXT]   = GO(START_PRE, RUN),
		[KE_CTL_OK]     = GO(ARMING, FX_ARM),
		[KE_VOID]       = GO(ARMING, FX_ARM),
		[KE_CTL_FAIL]   = GO(STOP_POST, RUN),
		[KE_SPAWN_FAIL] = GO(STOP_POST, RUN),
		[KE_STOP]       = GO(STOP_PRE_SIGTERM, FX_KILL_TERM),
		[KE_TIMEOUT]    = GO(STOP_PRE_SIGTERM, FX_KILL_TERM),
	},
	[SOCK_ARMING] = {
		[KE_ARMED]    = GO(START_POST, RUN),
		[KE_ARM_FAIL] = GO(STOP_POST, FX_DISARM | FX_DROP | RUN),
		[KE_STOP]     = GO(STOP_POST, FX_DISARM | FX_DROP | RUN),
	},
	[SOCK_START_POST] = {
		[KE_CTL_NEXT]   = GO(START_POST, RUN),
		[KE_CTL_OK]     = GO(LISTENING, FX_WATCH),
		[KE_VOID]       = GO(LISTENING, FX_WATCH),
		[KE_CTL_FAIL]   = GO(STOP_PRE, FX_DISARM | RUN),
		[KE_SPAWN_FAIL] = GO(STOP_PRE, FX_DISARM | RUN),
		[KE_STOP]       = GO(STOP_PRE_SIGTERM, FX_DISARM | FX_KILL_TERM),
		[KE_TIMEOUT]    = GO(STOP_PRE_SIGTERM, FX_DISARM | FX_KILL_TERM),
	},
	[SOCK_LISTENING] = {
		[KE_TRIGGER]  = GO(RUNNING, FX_DISARM | FX_ACTIVATE),
		[KE_BUSY]     = GO(RUNNING, FX_DISARM),
		[KE_STOP]     = GO(STOP_PRE, FX_DISARM | RUN),
		[KE_ARM_FAIL] = GO(STOP_PRE, FX_DISARM | RUN),
	},
	[SOCK_RUNNING] = {
		[KE_IDLE]     = GO(LISTENING, FX_WATCH),
		[KE_REFUSED]  = GO(STOP_PRE, FX_DISARM | RUN),
		[KE_STOP]     = GO(STOP_PRE, FX_DISARM | RUN),
	},
	[SOCK_STOP_PRE] = {
		[KE_CTL_NEXT]   = GO(STOP_PRE, RUN),
		[KE_CTL_OK]     = GO(STOP_POST, FX_DROP | RUN),
		[KE_VOID]       = GO(STOP_POST, FX_DROP | RUN),
		[KE_CTL_FAIL]   = GO(STOP_POST, FX_DROP | RUN),
		[KE_SPAWN_FAIL] = GO(STOP_POST, FX_DROP | RUN),
		[KE_TIMEOUT]    = GO(STOP_PRE_SIGTERM, FX_KILL_TERM),
	},
	[SOCK_STOP_PRE_SIGTERM] = {
		[KE_EMPTY]   = GO(STOP_POST, FX_DROP | RUN),
		[KE_TIMEOUT] = GO(STOP_PRE_SIGKILL, FX_KILL_ALL),
	},
	[SOCK_STOP_PRE_SIGKILL] = {
		[KE_EMPTY]   = GO(STOP_POST, FX_DROP | RUN),
		[KE_TIMEOUT] = GO(STOP_POST, FX_DROP | RUN),
	},
	[SOCK_STOP_POST] = {
		[KE_CTL_NEXT]   = GO(STOP_POST, RUN),
		[KE_CTL_OK]     = GO(FINAL_SIGTERM, FX_KILL_FINAL),
		[KE_VOID]       = GO(FINAL_SIGTERM, FX_KILL_FINAL),
		[KE_CTL_FAIL]   = GO(FINAL_SIGTERM, FX_KILL_FINAL),
		[KE_SPAWN_FAIL] = GO(FINAL_SIGTERM, FX_KILL_FINAL),
		[KE_TIMEOUT]    = GO(FINAL_SIGTERM, FX_KILL_FINAL),
	},
	[SOCK_FINAL_SIGTERM] = {
		[KE_EMPTY]   = GO(ENDED, 0),
		[KE_TIMEOUT] = GO(FINAL_SIGKILL, FX_KILL_ALL),
	},
	[SOCK_FINAL_SIGKILL] = {
		[KE_EMPTY]   = GO(ENDED, 0),
		[KE_TIMEOUT] = GO(ENDED, 0),
	},
	[SOCK_ENDED] = {
		[KE_END_OK]   = GO(DEAD, FX_FORGET),
		[KE_END_FAIL] = GO(FAILED, FX_FORGET),
	},
};
/* clang-format on */

const struct fsm socket_fsm = {
	.type = "socket",
	.states_n = SOCK_STATES,
	.events_n = KE_EVENTS,
	.states = states,
	.events = event_words,
	.cells = &cells[0][0],
};

static void note_result(struct socket_unit *k, enum socket_result r)
{
	if (k->result == SRES_SUCCESS)
		k->result = (uint8_t)r;
}

static const struct command *command_of(const struct socket_unit *k)
{
	const struct command *cmd = command_first(k->unit.config, states[k->unit.state].commands);

	for (uint32_t at = k->command_at; cmd && at; at--)
		cmd = command_next(cmd);
	return cmd;
}

static bool is_killing(uint8_t state)
{
	return state == SOCK_STOP_PRE_SIGTERM || state == SOCK_STOP_PRE_SIGKILL ||
	       state == SOCK_FINAL_SIGTERM || state == SOCK_FINAL_SIGKILL;
}

static int next_command(struct socket_unit *k, const struct command *cmd)
{
	if (!cmd || !command_next(cmd))
		return KE_CTL_OK;
	k->command_at++;
	return KE_CTL_NEXT;
}

static int on_exited(struct socket_unit *k, const struct event *e)
{
	const struct command *cmd = command_of(k);
	bool ok = (e->a == CLD_EXITED && e->b == 0) || (cmd && cmd->ignore_failure);

	if (e->c != ROLE_CONTROL)
		return -1;
	k->control.slot = 0;
	k->control.code = (int32_t)e->a;
	k->control.status = (int32_t)e->b;
	if (is_killing(k->unit.state))
		return k->unit.state < SOCK_FINAL_SIGTERM ? KE_EMPTY : -1;
	if (ok)
		return next_command(k, cmd);
	note_result(k, e->a == CLD_EXITED   ? SRES_EXIT_CODE
		       : e->a == CLD_DUMPED ? SRES_CORE_DUMP
					    : SRES_SIGNAL);
	return KE_CTL_FAIL;
}

static int on_spawn_failed(struct socket_unit *k)
{
	const struct command *cmd = command_of(k);

	k->control.slot = 0;
	if (cmd && cmd->ignore_failure)
		return next_command(k, cmd);
	note_result(k, SRES_RESOURCES);
	return KE_SPAWN_FAIL;
}

static int on_rest_of_service(struct socket_unit *k, const struct event *e)
{
	if (k->unit.config->socket->accept)
		return -1;
	if (e->a == 0)
		return KE_IDLE;
	note_result(k, SRES_SERVICE_START_LIMIT);
	return KE_REFUSED;
}

static int on_nothing(const struct socket_unit *k)
{
	if (k->unit.state == SOCK_ENDED)
		return k->result == SRES_SUCCESS ? KE_END_OK : KE_END_FAIL;
	return is_killing(k->unit.state) ? KE_EMPTY : KE_VOID;
}

static int classify(struct unit *u, const struct event *e)
{
	struct socket_unit *k = socket_of(u);

	switch ((enum event_kind)e->kind) {
	case EV_START:
		k->result = SRES_SUCCESS;
		return KE_START;
	case EV_STOP:
		return KE_STOP;
	case EV_RESET:
		return KE_RESET;
	case EV_START_LIMIT:
		k->result = SRES_START_LIMIT;
		return KE_LIMIT;
	case EV_EXITED:
		return on_exited(k, e);
	case EV_SPAWN_FAILED:
		return on_spawn_failed(k);
	case EV_EMPTY:
		return is_killing(u->state) && !k->control.slot ? KE_EMPTY : -1;
	case EV_TIMEOUT:
		note_result(k, SRES_TIMEOUT);
		return KE_TIMEOUT;
	case EV_ARMED:
		return KE_ARMED;
	case EV_ARM_FAILED:
		note_result(k, SRES_RESOURCES);
		return KE_ARM_FAIL;
	case EV_TRIGGER:
		return KE_TRIGGER;
	case EV_TRIGGERED_ALIVE:
		return k->unit.config->socket->accept ? -1 : KE_BUSY;
	case EV_TRIGGERED_DEAD:
		return on_rest_of_service(k, e);
	case EV_NOTHING:
		return on_nothing(k);
	case EV_NONE:
	case EV_ASK:
	case EV_RELOAD:
	case EV_SPAWNED:
	case EV_EXECED:
	case EV_READY:
	case EV_NAME_OWNED:
	case EV_ABANDON:
	case EV_DEVICE:
	case EV_NAME_LOST:
	case EV_RELOADING:
	case EV_STOPPING:
	case EV_MAIN_PID:
	case EV_EXTEND:
	case EV_WATCHDOG:
	case EV_MOUNTED:
	case EV_UNMOUNTED:
	case EVENT_KINDS:
		break;
	}
	return -1;
}

static enum event_kind entered(struct unit *u)
{
	struct socket_unit *k = socket_of(u);

	k->command_at = 0;
	if (states[u->state].commands)
		return command_of(k) ? EV_NONE : EV_NOTHING;
	if (u->state == SOCK_STOP_PRE_SIGTERM || u->state == SOCK_STOP_PRE_SIGKILL)
		return k->control.slot ? EV_NONE : EV_NOTHING;
	if (u->state ==
	    SOCK_FINAL_SIGTERM) /* a socket without commands never had a process to look for */
		return k->control.token ? EV_NONE : EV_NOTHING;
	return u->state == SOCK_ENDED ? EV_NOTHING : EV_NONE;
}

static const char *result_word(const struct unit *u)
{
	return socket_result_names[container_of(u, const struct socket_unit, unit)->result];
}

static void reset(struct unit *u)
{
	socket_of(u)->result = SRES_SUCCESS;
}

static uint64_t timeout_us(const struct unit *u, uint8_t which)
{
	return which == TIMEOUT_COMMAND ? u->config->socket->timeout_us : TIME_NEVER;
}

static void fini(struct unit *u)
{
	mem_put((void *)(uintptr_t)socket_of(u)->fail_text);
}

const struct unit_type_ops socket_ops = {
	.type = UNIT_SOCKET,
	.object_size = sizeof(struct socket_unit),
	.fsm = &socket_fsm,
	.classify = classify,
	.entered = entered,
	.result = result_word,
	.reset = reset,
	.timeout_us = timeout_us,
	.fini = fini,
};
