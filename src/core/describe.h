/* SPDX-License-Identifier: MIT */
/*
 * describe - from a unit's settings to the plan of one process: the steps, the environment, the arguments, the descriptors.
 *
 * Reads files that the settings name (environment files, /etc/passwd) but changes nothing. What it cannot do (a name only NSS
 * knows, namespaces) becomes a step for hark-exec. Failures come as an errno plus the systemd.exec(5) exit code of the step.
 */
#pragma once

#include "core/hark.h"
#include "units/service.h"

struct process {
	struct wbuf plan;        /* written into memory of the caller */
	int32_t refs[BANK_REFS]; /* bank slots for descriptors 0, 1, 2, 3 ...; -1: /dev/null */
	uint32_t refs_n;
	bool needs_exec; /* through hark-exec */
};

struct describe_in {
	struct unit *unit;
	const struct exec_config *exec;
	const struct command *command;
	enum proc_role role;
	const char *cgroup;        /* of the unit, relative to the root of ours */
	const char *notify_socket; /* NULL: none */
	uint64_t watchdog_us;      /* 0: none */
	int out_slot;              /* bank slot of the output pipe, -1 none */
	int lent_slots[3]; /* of what standard input, output, error are for this start; -1 none */
	int conn_slot;     /* accepted connection, -1 none */
	const int32_t *fd_slots; /* LISTEN_FDS: sockets, then stored descriptors */
	const char *const *fd_names;
	unsigned fds_n, sockets_n;    /* of them the sockets */
	const char *const *extra_env; /* "NAME=value", NULL-terminated; or NULL */
	int main_pid;                 /* MAINPID, 0 none */
	uid_t dynamic_uid; /* of DynamicUser=, which is its gid, too; 0: the user is one that lasts */
};

/*
 * describe() - fill *out for one process. *ret_exit: exit code that stands for the failure (200..245; 0 when none
 * does: result resources), *ret_why: owned sentence with file:line, or NULL. 0 or -errno.
 */
MUST_USE int describe(struct hark *h, const struct describe_in *in, struct process *out,
		      uint8_t *ret_exit, char **ret_why);
/* A directory of RuntimeDirectory= or its like. */
struct unit_directory {
	char path[1024];
	char link[1024]; /* where it is looked for, when it lies in "private"; else "" */
};
/* name: of exec_directories.names. 0, -ENAMETOOLONG. */
MUST_USE int describe_directory(const struct hark *h, const struct unit *u, enum exec_dir kind,
				const char *name, struct unit_directory *ret);
/* Where the credentials of a unit lie while it runs. */
enum { CREDENTIALS_ROOM = 600 };
void describe_credentials_place(const struct hark *h, const struct unit *u,
				char out[CREDENTIALS_ROOM]);
