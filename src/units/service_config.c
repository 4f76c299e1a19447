/* SPDX-License-Identifier: MIT */
/* The configuration half of the service type: defaults, words, what follows from what, what a service must have. */
#include "units/service.h"

#include <signal.h>

#include <sys/wait.h>

#include "units/dep.h"
#include "units/refuse.h"
#include "units/sandbox.h"

const char *const service_type_names[SERVICE_TYPES] = {
	[SERVICE_SIMPLE] = "simple",
	[SERVICE_EXEC] = "exec",
	[SERVICE_FORKING] = "forking",
	[SERVICE_ONESHOT] = "oneshot",
	[SERVICE_DBUS] = "dbus",
	[SERVICE_NOTIFY] = "notify",
	[SERVICE_NOTIFY_RELOAD] = "notify-reload",
	[SERVICE_IDLE] = "idle",
};

const char *const service_restart_names[SERVICE_RESTARTS] = {
	[RESTART_NO] = "no",
	[RESTART_ON_SUCCESS] = "on-success",
	[RESTART_ON_FAILURE] = "on-failure",
	[RESTART_ON_ABNORMAL] = "on-abnormal",
	[RESTART_ON_WATCHDOG] = "on-watchdog",
	[RESTART_ON_ABORT] = "on-abort",
	[RESTART_ALWAYS] = "always",
};

const char *const service_result_names[SERVICE_RESULTS] = {
	[RESULT_SUCCESS] = "success",
	[RESULT_RESOURCES] = "resources",
	[RESULT_PROTOCOL] = "protocol",
	[RESULT_TIMEOUT] = "timeout",
	[RESULT_EXIT_CODE] = "exit-code",
	[RESULT_SIGNAL] = "signal",
	[RESULT_CORE_DUMP] = "core-dump",
	[RESULT_WATCHDOG] = "watchdog",
	[RESULT_START_LIMIT] = "start-limit-hit",
	[RESULT_OOM] = "oom-kill",
	[RESULT_EXEC_CONDITION] = "exec-condition",
};

const char *const notify_access_names[NOTIFY_ACCESSES] = {
	[NOTIFY_NONE] = "none",
	[NOTIFY_MAIN] = "main",
	[NOTIFY_EXEC] = "exec",
	[NOTIFY_ALL] = "all",
};

const char *const service_command_names[SERVICE_COMMANDS] = {
	[CMD_NONE] = "",           [CMD_CONDITION] = "ExecCondition", [CMD_PRE] = "ExecStartPre",
	[CMD_START] = "ExecStart", [CMD_POST] = "ExecStartPost",      [CMD_RELOAD] = "ExecReload",
	[CMD_STOP] = "ExecStop",   [CMD_STOP_POST] = "ExecStopPost",
};

bool exit_set_has(const struct exit_set *s, int cld_code, int status)
{
	if (cld_code == CLD_EXITED)
		return status >= 0 && status < 256 && s->codes[status / 64] >> (status % 64) & 1;
	return status >= 1 && status <= 64 && s->signals >> (status - 1) & 1;
}

void service_config_defaults(struct service_config *s)
{
	*s = (struct service_config){
		.type = SERVICE_SIMPLE,
		.restart = RESTART_NO,
		.notify_access = NOTIFY_NONE,
		.guess_main_pid = true,
		.timeout_start_us = 90 * US_PER_SEC,
		.timeout_stop_us = 90 * US_PER_SEC,
		.timeout_abort_us = 90 * US_PER_SEC,
		.runtime_max_us = TIME_NEVER,
		.restart_us = 100 * US_PER_MS,
	};
}

void service_settle(struct unit_config *c)
{
	struct service_config *s = c->service;
	bool wants_notify;

	if (!s->type_is_set)
		s->type = s->bus_name                   ? SERVICE_DBUS
			  : command_first(c, CMD_START) ? SERVICE_SIMPLE
							: SERVICE_ONESHOT;
	if (s->type == SERVICE_ONESHOT && !s->timeout_start_is_set)
		s->timeout_start_us = TIME_NEVER;
	if (!s->timeout_abort_is_set)
		s->timeout_abort_us = s->timeout_stop_us;
	wants_notify = s->type == SERVICE_NOTIFY || s->type == SERVICE_NOTIFY_RELOAD ||
		       (s->watchdog_us > 0 && s->watchdog_us != TIME_NEVER) || s->fd_store_max > 0;
	if (wants_notify && s->notify_access == NOTIFY_NONE)
		s->notify_access = NOTIFY_MAIN;
	exec_config_settle(c->exec);
}

static const struct dep default_deps[] = {
	DEP_DEFAULTS(default_deps, 0, DEP_REQUIRES, "sysinit.target"),
	DEP_DEFAULTS(default_deps, 1, DEP_AFTER, "sysinit.target"),
	DEP_DEFAULTS(default_deps, 2, DEP_AFTER, "basic.target"),
	DEP_DEFAULTS(default_deps, 3, DEP_CONFLICTS, "shutdown.target"),
	DEP_DEFAULTS_END(4, DEP_BEFORE, "shutdown.target"),
};

int service_links(struct unit_config *c)
{
	struct dep_list l;
	int r = 0;

	dep_list_init(&l, c);
	if (c->service->type == SERVICE_DBUS) {
		r = dep_add(&l, DEP_REQUIRES, DEP_SETTING, "dbus.socket");
		if (r == 0)
			r = dep_add(&l, DEP_AFTER, DEP_SETTING, "dbus.socket");
	}
	for (const struct name_list *n = c->service->sockets; r == 0 && n; n = n->next) {
		r = dep_add(&l, DEP_WANTS, DEP_SETTING, n->text);
		if (r == 0)
			r = dep_add(&l, DEP_AFTER, DEP_SETTING, n->text);
		if (r == 0)
			r = dep_add(&l, DEP_TRIGGERED_BY, DEP_SETTING, n->text);
	}
	if (r == 0)
		r = dep_add_slice(&l);
	if (r == 0)
		r = exec_links(&l);
	dep_add_defaults(&l, default_deps);
	return r;
}

static bool exit_set_is_empty(const struct exit_set *s)
{
	return (s->codes[0] | s->codes[1] | s->codes[2] | s->codes[3] | s->signals) == 0;
}

/* At the line of a command, or of the unit as a whole. */
static void refuse(struct unit_config *c, enum code code, const struct command *at,
		   const char *suggestion, const char *text)
{
	refuse_unit(c, code, at ? at->file : NULL, at ? at->line : 0, suggestion, text);
}

static void verify_commands(struct unit_config *c)
{
	const struct service_config *s = c->service;
	const struct command *start = command_first(c, CMD_START);

	if (!start && s->type != SERVICE_ONESHOT)
		refuse(c, CODE_NOTHING_TO_RUN, NULL, "add ExecStart=",
		       "there is no ExecStart=, which only Type=oneshot can do without");
	else if (!start && !command_first(c, CMD_STOP) && c->unit->success_action == ACTION_NONE)
		refuse(c, CODE_NOTHING_TO_RUN, NULL, "add ExecStart=",
		       "there is neither ExecStart= nor ExecStop= nor SuccessAction=");
	else if (!start && !s->remain_after_exit && c->unit->success_action == ACTION_NONE)
		refuse(c, CODE_NOTHING_TO_RUN, NULL, "add RemainAfterExit=yes",
		       "there is no ExecStart=, and RemainAfterExit=yes is not set");
	else if (start && command_next(start) && s->type != SERVICE_ONESHOT)
		refuse(c, CODE_TOO_MANY_COMMANDS, command_next(start),
		       "an empty ExecStart= forgets those before it",
		       "more than one ExecStart= is for Type=oneshot only");
}

void service_verify(struct unit_config *c)
{
	const struct service_config *s = c->service;
	bool is_oneshot = s->type == SERVICE_ONESHOT;

	verify_commands(c);
	if (is_oneshot && (s->restart == RESTART_ALWAYS || s->restart == RESTART_ON_SUCCESS))
		refuse(c, CODE_RESTART_OF_ONESHOT, NULL, "use Restart=on-failure",
		       "a oneshot service cannot have Restart=always or on-success");
	if (is_oneshot && !exit_set_is_empty(&s->restart_force))
		refuse(c, CODE_RESTART_OF_ONESHOT, NULL, NULL,
		       "a oneshot service cannot have RestartForceExitStatus=");
	if (s->type == SERVICE_DBUS && !s->bus_name)
		refuse(c, CODE_NO_BUS_NAME, NULL, "add BusName=", "Type=dbus needs a BusName=");
	if (s->exit_type && (is_oneshot || s->type == SERVICE_FORKING))
		refuse(c, CODE_EXIT_TYPE, NULL, NULL,
		       "ExitType=cgroup cannot be used with this Type=");
}

/* SIGHUP, INT, TERM and PIPE are a clean end for what runs until told to stop (systemd.service(5), SuccessExitStatus=). */
bool service_exit_is_clean(const struct service_config *c, int code, int status, bool is_daemon)
{
	if (code == CLD_EXITED && status == 0)
		return true;
	if (is_daemon && (code == CLD_KILLED || code == CLD_DUMPED) &&
	    (status == SIGHUP || status == SIGINT || status == SIGTERM || status == SIGPIPE))
		return true;
	return exit_set_has(&c->success, code, status);
}

uint64_t service_timeout_us(const struct unit *u, uint8_t which)
{
	const struct service_config *c = u->config->service;

	switch ((enum service_timeout)which) {
	case TO_START:
		/* a oneshot may take for ever unless it says otherwise (systemd.service(5), TimeoutStartSec=) */
		return c->type == SERVICE_ONESHOT && !c->timeout_start_is_set ? TIME_NEVER
									      : c->timeout_start_us;
	case TO_STOP:
		return c->timeout_stop_us;
	case TO_ABORT:
		return c->timeout_abort_is_set ? c->timeout_abort_us : c->timeout_stop_us;
	case TO_RUNTIME:
		return c->runtime_max_us;
	case TO_RESTART:
		return c->restart_us;
	case TO_NONE:
	case SERVICE_TIMEOUTS:
		break;
	}
	return TIME_NEVER;
}

enum service_result service_result_of(int code)
{
	return code == CLD_EXITED   ? RESULT_EXIT_CODE
	       : code == CLD_DUMPED ? RESULT_CORE_DUMP
				    : RESULT_SIGNAL;
}

bool service_wants_restart(const struct service *s)
{
	static const uint8_t policy[SERVICE_RESTARTS][SERVICE_RESULTS] = {
		[RESTART_ON_SUCCESS] = {[RESULT_SUCCESS] = 1},
		[RESTART_ON_FAILURE] = {[RESULT_RESOURCES] = 1,
					[RESULT_PROTOCOL] = 1,
					[RESULT_TIMEOUT] = 1,
					[RESULT_EXIT_CODE] = 1,
					[RESULT_SIGNAL] = 1,
					[RESULT_CORE_DUMP] = 1,
					[RESULT_WATCHDOG] = 1,
					[RESULT_OOM] = 1},
		[RESTART_ON_ABNORMAL] = {[RESULT_TIMEOUT] = 1,
					 [RESULT_SIGNAL] = 1,
					 [RESULT_CORE_DUMP] = 1,
					 [RESULT_WATCHDOG] = 1,
					 [RESULT_OOM] = 1},
		[RESTART_ON_WATCHDOG] = {[RESULT_WATCHDOG] = 1},
		[RESTART_ON_ABORT] =
			{[RESULT_SIGNAL] = 1, [RESULT_CORE_DUMP] = 1, [RESULT_OOM] = 1},
		[RESTART_ALWAYS] = {[RESULT_SUCCESS] = 1,
				    [RESULT_RESOURCES] = 1,
				    [RESULT_PROTOCOL] = 1,
				    [RESULT_TIMEOUT] = 1,
				    [RESULT_EXIT_CODE] = 1,
				    [RESULT_SIGNAL] = 1,
				    [RESULT_CORE_DUMP] = 1,
				    [RESULT_WATCHDOG] = 1,
				    [RESULT_OOM] = 1},
	};
	const struct service_config *c = s->unit.config->service;

	if (s->forbid_restart || s->result == RESULT_START_LIMIT ||
	    s->result == RESULT_EXEC_CONDITION)
		return false;
	if (exit_set_has(&c->restart_prevent, s->main.code, s->main.status))
		return false;
	if (exit_set_has(&c->restart_force, s->main.code, s->main.status))
		return true;
	return policy[c->restart][s->result];
}
