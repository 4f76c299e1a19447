/* SPDX-License-Identifier: MIT */
/*
 * service - the service type: configuration, running state, and its machine as one table.
 *
 * Configuration is written by the loader. The object's counters are written by classify() (pure bookkeeping of what the
 * events told); processes are started and ended by the effects alone.
 */
#pragma once

#include "core/unit.h"
#include "units/exec_config.h"

/* WORD lists are API. */
enum service_type {
	SERVICE_SIMPLE,
	SERVICE_EXEC,
	SERVICE_FORKING,
	SERVICE_ONESHOT,
	SERVICE_DBUS,
	SERVICE_NOTIFY,
	SERVICE_NOTIFY_RELOAD,
	SERVICE_IDLE,
	SERVICE_TYPES
};
extern const char *const service_type_names[SERVICE_TYPES];

enum service_restart {
	RESTART_NO,
	RESTART_ON_SUCCESS,
	RESTART_ON_FAILURE,
	RESTART_ON_ABNORMAL,
	RESTART_ON_WATCHDOG,
	RESTART_ON_ABORT,
	RESTART_ALWAYS,
	SERVICE_RESTARTS
};
extern const char *const service_restart_names[SERVICE_RESTARTS];

enum service_result {
	RESULT_SUCCESS,
	RESULT_RESOURCES,
	RESULT_PROTOCOL,
	RESULT_TIMEOUT,
	RESULT_EXIT_CODE,
	RESULT_SIGNAL,
	RESULT_CORE_DUMP,
	RESULT_WATCHDOG,
	RESULT_START_LIMIT,
	RESULT_OOM,
	RESULT_EXEC_CONDITION,
	SERVICE_RESULTS
};
extern const char *const service_result_names[SERVICE_RESULTS];

enum exit_type { EXIT_TYPE_MAIN, EXIT_TYPE_CGROUP };

enum notify_access { NOTIFY_NONE, NOTIFY_MAIN, NOTIFY_EXEC, NOTIFY_ALL, NOTIFY_ACCESSES };
extern const char *const notify_access_names[NOTIFY_ACCESSES];

/* The command lists; the names are those of the directives. 0 is none. */
enum service_commands {
	CMD_NONE,
	CMD_CONDITION,
	CMD_PRE,
	CMD_START,
	CMD_POST,
	CMD_RELOAD,
	CMD_STOP,
	CMD_STOP_POST,
	SERVICE_COMMANDS
};
extern const char *const service_command_names[SERVICE_COMMANDS];

enum service_timeout {
	TO_NONE,
	TO_START,
	TO_STOP,
	TO_ABORT,
	TO_RUNTIME,
	TO_RESTART,
	SERVICE_TIMEOUTS
};

/* A set of exit codes (0..255) and signals (1..64). */
struct exit_set {
	uint64_t codes[4];
	uint64_t signals;
};
bool exit_set_has(const struct exit_set *s, int cld_code, int status);

struct service_config {
	uint8_t type, restart, notify_access, exit_type;
	bool type_is_set, notify_access_is_set;
	bool remain_after_exit, guess_main_pid, non_blocking, permissions_start_only,
		root_directory_start_only;
	uint64_t timeout_start_us, timeout_stop_us, timeout_abort_us, runtime_max_us, restart_us,
		watchdog_us;
	uint64_t runtime_extra_us;
	bool timeout_start_is_set, timeout_abort_is_set;
	uint8_t timeout_start_mode, timeout_stop_mode; /* 0 terminate, 1 abort, 2 kill */
	const char *pid_file, *bus_name;
	struct exit_set success, restart_prevent, restart_force;
	uint32_t fd_store_max;
	struct name_list *sockets; /* Sockets= */
	uint8_t oom_policy;        /* 0 not set, 1 continue, 2 stop, 3 kill */
	const char *usb_descriptors, *usb_strings;
};
void service_config_defaults(struct service_config *s);
/* What follows from other settings once all files are read: Type=, timeouts of a oneshot, NotifyAccess=, standard output. */
void service_settle(struct unit_config *c);

enum service_state {
	SVC_DEAD,
	SVC_CONDITION,
	SVC_START_PRE,
	SVC_START,
	SVC_START_POST,
	SVC_RUNNING,
	SVC_EXITED,
	SVC_RELOAD,
	SVC_STOP,
	SVC_STOP_WATCHDOG,
	SVC_STOP_SIGTERM,
	SVC_STOP_SIGKILL,
	SVC_STOP_POST,
	SVC_FINAL_SIGTERM,
	SVC_FINAL_SIGKILL,
	SVC_ENDED,
	SVC_FAILED,
	SVC_AUTO_RESTART,
	SVC_STATES
};

struct service {
	struct unit unit;
	struct proc_ref main, control;
	uint64_t main_start_us, main_exit_us;
	uint32_t command_at;           /* index in the list of the present state */
	uint32_t main_at;              /* oneshot: index in ExecStart= */
	uint8_t result, reload_result; /* enum service_result */
	uint8_t fail_step_exit;        /* exit code of the step that failed, 0 none */
	bool is_ready : 1;             /* READY=1 (or its stand-in) was seen in this start */
	bool is_main_known : 1;
	bool counts_at_exec : 1;    /* Type=dbus where nobody watches bus names */
	bool main_exited_early : 1; /* during start-post: to be looked at on entering running */
	bool forbid_restart : 1;    /* stopped on request */
	bool want_restart : 1;      /* the run that ends is to be followed by another */
	bool is_reloading : 1;      /* RELOADING=1 seen */
	bool did_exit_clean : 1;
	uint32_t pid_retry_us; /* how long to wait for the pid file, which may be written late */
	uint32_t n_restarts;
	pid_t next_main; /* named by MAINPID=, not ours to watch before the old one has ended */
	int status_errno;
	uint32_t fd_store_n;
	uint32_t notify_slot;       /* + 1 */
	const char *status_text;    /* STATUS=, owned */
	uint64_t watchdog_us;       /* WATCHDOG_USEC= override, 0: configured */
	struct notify_port *notify; /* the watched socket; owned by activate/stored */
	struct output_pipe out;
	uint32_t conn_slot; /* + 1: accepted connection of an Accept=yes instance, until donated */
	uint32_t socket_unit; /* the Accept=yes socket this instance belongs to, or UNIT_NONE */
	const char *remote;   /* "10.0.0.7:51344" of the connection, owned; or NULL */
	const char *remote_addr, *remote_port; /* owned */
	struct stored_fd *fd_store;            /* owned by activate/stored */
	const char *fail_text; /* owned sentence: why the last start failed, with file:line */
};

extern const struct fsm service_fsm;
extern const struct unit_type_ops service_ops;

static inline struct service *service_of(struct unit *u)
{
	return u->type == UNIT_SERVICE ? container_of(u, struct service, unit) : NULL;
}
/* Its main process is another one since that time. s: NULL is fine. */
static inline void service_main_begins(struct service *s, uint64_t now_us)
{
	if (!s)
		return;
	s->main_start_us = now_us;
	s->main_exit_us = 0;
}
/* The list of commands the present state runs, and the command whose turn it is (NULL: none left). */
const struct command *service_command(const struct service *s);
/* Was this exit a clean one for that service (SuccessExitStatus= counted)? */
bool service_exit_is_clean(const struct service_config *c, int cld_code, int status,
			   bool is_daemon);
/* How long a state that is bounded by that may take; TIME_NEVER: it is not bounded. */
uint64_t service_timeout_us(const struct unit *u, uint8_t which);
/* What a run that ended by such an exit (CLD_*), not a clean one, has come to. */
enum service_result service_result_of(int code);
/* Pure: would Restart= start it again after this run? */
bool service_wants_restart(const struct service *s);
/* Implicit and default dependencies of systemd.service(5) into c->deps; c->arena is used. 0 or -ENOMEM. */
MUST_USE int service_links(struct unit_config *c);
/* What a service must have (something to run ...): adds findings, may mark the configuration BAD. */
void service_verify(struct unit_config *c);
