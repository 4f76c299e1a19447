/* SPDX-License-Identifier: MIT */
/*
 * exec_config - how a process of a unit is set up: the settings of systemd.exec(5) and systemd.kill(5) that hark
 * enforces, and command lines. Shared by services and sockets; everything lives in the arena of the configuration.
 *
 * Rare settings hang on pointers so that a thousand plain services stay small. Settings that are accepted and not
 * enforced are kept as notes of the configuration (unit_config.notes), not here.
 */
#pragma once

#include "core/unit.h"

#include <sys/resource.h>

/* One command line. argv[0] is what the process sees; path is executed. */
struct command {
	struct command *behind; /* of the unit, whatever list it is of: command_next() */
	const char *path;       /* absolute, or a bare name to be found in the fixed search path */
	const char **argv;      /* NULL-terminated, specifiers expanded, environment not yet */
	uint32_t argc;
	uint8_t list; /* of its type; 0 is none */
	const char *file;
	uint32_t line;
	bool ignore_failure;  /* '-' */
	bool no_env_expand;   /* ':' */
	bool full_privileges; /* '+' */
	bool no_setuid;       /* '!' */
};

/* The first command of one list of the unit, and the one that follows it in that list; NULL: none. */
const struct command *command_first(const struct unit_config *c, unsigned list);
const struct command *command_next(const struct command *c);

/* STDIO(name, word): API */
enum stdio_kind {
	STDIO_NULL,
	STDIO_TTY,
	STDIO_TTY_FORCE,
	STDIO_TTY_FAIL,
	STDIO_JOURNAL,
	STDIO_JOURNAL_CONSOLE,
	STDIO_KMSG,
	STDIO_KMSG_CONSOLE,
	STDIO_FILE,
	STDIO_APPEND,
	STDIO_TRUNCATE,
	STDIO_SOCKET,
	STDIO_FD,
	STDIO_INHERIT,
	STDIO_DATA,
	STDIO_KINDS
};
extern const char *const stdio_names[STDIO_KINDS];

struct stdio {
	uint8_t kind;     /* enum stdio_kind */
	const char *path; /* file, append, truncate; FileDescriptorName for fd */
};

struct limit {
	struct limit *next;
	int resource;        /* RLIMIT_* */
	uint64_t soft, hard; /* RLIM_INFINITY as UINT64_MAX */
};

enum exec_dir { DIR_RUNTIME, DIR_STATE, DIR_CACHE, DIR_LOGS, DIR_CONFIGURATION, EXEC_DIRS };
extern const char
	*const exec_dir_roots[EXEC_DIRS]; /* "/run", "/var/lib", "/var/cache", "/var/log", "/etc" */
/* Of one kind, each name once; links: "NAME:LINK", both below the root of the kind. */
struct exec_directories {
	struct name_list *names, *links;
};
extern const char *const exec_dir_env[EXEC_DIRS]; /* "RUNTIME_DIRECTORY" ... */

enum kill_mode { KILL_CONTROL_GROUP, KILL_PROCESS, KILL_MIXED, KILL_NONE, KILL_MODES };
extern const char *const kill_mode_names[KILL_MODES];

struct kill_config {
	uint8_t mode;                                              /* enum kill_mode */
	int signal, restart_signal, final_signal, watchdog_signal; /* restart_signal 0: as signal */
	bool send_hup, send_kill;
};

struct exec_config {
	struct kill_config kill;
	struct stdio in, out, err;
	bool out_is_default;      /* StandardOutput= is not set: the manager chose */
	const char *user, *group; /* NULL: not set */
	struct name_list *supplementary_groups;
	struct name_list *environment;       /* "NAME=value" in order */
	struct name_list *environment_files; /* "-/path" keeps its dash */
	struct name_list *pass_environment, *unset_environment;
	const char *working_directory; /* "~" is the user's home */
	bool working_directory_optional;
	const char *root_directory;
	struct limit *limits;
	struct exec_directories directories[EXEC_DIRS];
	uint32_t directory_mode[EXEC_DIRS];
	uint8_t runtime_directory_preserve; /* 0 no, 1 restart, 2 yes */
	uint32_t umask;
	bool has_nice, has_oom, has_ioprio, has_sched, has_timer_slack, has_affinity;
	int nice, oom_score_adjust, ioprio, sched_policy, sched_priority;
	bool sched_reset_on_fork;
	uint64_t timer_slack_ns;
	const char *affinity; /* cpu mask as bytes */
	uint32_t affinity_n;
	bool ignore_sigpipe; /* default true */
	bool no_new_privileges;
	bool has_capability_bounding, has_ambient;
	uint64_t capability_bounding, ambient_capabilities;
	bool has_securebits;
	int securebits;
	bool private_tmp, private_network;
	uint64_t personality; /* UINT64_MAX: not set */
	const char *tty_path; /* NULL: not set, exec_tty_path() */
	bool tty_reset, tty_hangup;
	const char *syslog_identifier;
	const char *pam_name, *utmp_id;
	bool same_process_group; /* as PID 1: automount points let it pass */
	const char *stdin_data;
	uint32_t stdin_data_n;
	bool strict; /* X-Hark-Strict=: a setting that cannot be enforced refuses the unit */
};
/* A process of the unit as the manager knows it: slot of the bank and token. */
struct proc_ref {
	uint32_t slot; /* + 1; 0: none */
	int32_t pid;
	uint64_t token;
	int32_t code, status; /* of the last exit; CLD_* and value */
};
/* The pipe for what the unit's processes say. */
struct output_pipe {
	uint32_t slot;              /* + 1, in the bank; 0: none now */
	struct unit_output *output; /* last lines; owned by activate/output; NULL: none */
};
/* Its pid while it lives, 0 afterwards (p->pid stays as that of the last one). */
static inline int32_t proc_pid(const struct proc_ref *p)
{
	return p->slot ? p->pid : 0;
}

static inline bool stdio_is_tty(const struct stdio *s)
{
	return s->kind == STDIO_TTY || s->kind == STDIO_TTY_FORCE || s->kind == STDIO_TTY_FAIL;
}
/* The terminal of StandardInput=tty. */
static inline const char *exec_tty_path(const struct exec_config *e)
{
	return e->tty_path ? e->tty_path : "/dev/console";
}

/* As systemd has them; outputs are inherited until exec_config_settle(). */
void exec_config_defaults(struct exec_config *e);
/* Standard output and error left to inherit follow standard input only where that is a terminal or a socket; else the journal. */
void exec_config_settle(struct exec_config *e);
