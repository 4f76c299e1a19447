/* SPDX-License-Identifier: MIT */
#include "units/exec_config.h"

#include <signal.h>

const char *const stdio_names[STDIO_KINDS] = {
	[STDIO_NULL] = "null",
	[STDIO_TTY] = "tty",
	[STDIO_TTY_FORCE] = "tty-force",
	[STDIO_TTY_FAIL] = "tty-fail",
	[STDIO_JOURNAL] = "journal",
	[STDIO_JOURNAL_CONSOLE] = "journal+console",
	[STDIO_KMSG] = "kmsg",
	[STDIO_KMSG_CONSOLE] = "kmsg+console",
	[STDIO_FILE] = "file",
	[STDIO_APPEND] = "append",
	[STDIO_TRUNCATE] = "truncate",
	[STDIO_SOCKET] = "socket",
	[STDIO_FD] = "fd",
	[STDIO_INHERIT] = "inherit",
	[STDIO_DATA] = "data",
};

const char *const exec_dir_roots[EXEC_DIRS] = {
	[DIR_RUNTIME] = "/run",  [DIR_STATE] = "/var/lib",     [DIR_CACHE] = "/var/cache",
	[DIR_LOGS] = "/var/log", [DIR_CONFIGURATION] = "/etc",
};

const char *const exec_dir_env[EXEC_DIRS] = {
	[DIR_RUNTIME] = "RUNTIME_DIRECTORY",
	[DIR_STATE] = "STATE_DIRECTORY",
	[DIR_CACHE] = "CACHE_DIRECTORY",
	[DIR_LOGS] = "LOGS_DIRECTORY",
	[DIR_CONFIGURATION] = "CONFIGURATION_DIRECTORY",
};

const char *const kill_mode_names[KILL_MODES] = {
	[KILL_CONTROL_GROUP] = "control-group",
	[KILL_PROCESS] = "process",
	[KILL_MIXED] = "mixed",
	[KILL_NONE] = "none",
};

/* From there on along the commands of a unit. */
static const struct command *of_list(const struct command *c, unsigned list)
{
	while (c && c->list != list)
		c = c->behind;
	return c;
}

const struct command *command_first(const struct unit_config *c, unsigned list)
{
	return of_list(c->commands, list);
}

const struct command *command_next(const struct command *c)
{
	return of_list(c->behind, c->list);
}

void exec_config_defaults(struct exec_config *e)
{
	*e = (struct exec_config){
		.kill = {.mode = KILL_CONTROL_GROUP,
			 .signal = SIGTERM,
			 .final_signal = SIGKILL,
			 .watchdog_signal = SIGABRT,
			 .send_kill = true},
		.in = {STDIO_NULL, NULL},
		.out = {STDIO_INHERIT, NULL},
		.err = {STDIO_INHERIT, NULL},
		.umask = 0022,
		.ignore_sigpipe = true,
		.personality = UINT64_MAX,
	};
	for (unsigned k = 0; k < EXEC_DIRS; k++)
		e->directory_mode[k] = 0755;
}

void exec_config_settle(struct exec_config *e)
{
	if (e->in.kind == STDIO_NULL && e->stdin_data_n > 0)
		e->in.kind = STDIO_DATA;
	if (e->in.kind == STDIO_TTY || e->in.kind == STDIO_TTY_FORCE ||
	    e->in.kind == STDIO_TTY_FAIL || e->in.kind == STDIO_SOCKET || e->in.kind == STDIO_FD)
		return;
	e->out_is_default = e->out.kind == STDIO_INHERIT;
	if (e->out_is_default)
		e->out.kind = STDIO_JOURNAL;
}
