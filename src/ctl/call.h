/* SPDX-License-Identifier: MIT */
/*
 * call - one request being answered: what was asked, by whom, the rows so far, a cursor, and the jobs it waits for.
 *
 * A handler (serve_*) is called again and again until it says CALL_DONE. Each call adds the rows of one more thing (a unit, a
 * step), so that a long answer never sits in memory as a whole and a slow reader costs one page. It never blocks: to wait
 * for a job it returns CALL_WAIT and is called again when the job ended, the deadline passed or a unit it watches changed.
 */
#pragma once

#include "core/hark.h"
#include "ctl/monitor.h"
#include "ctl/reply.h"

/* What a handler returns besides -errno (the connection is closed). */
enum call_step { CALL_DONE, CALL_MORE, CALL_WAIT };

/* Exit statuses of harkctl: systemctl's, which are LSB's. */
enum call_exit {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_APPLICABLE = 3, /* also: status of a unit that does not run */
	EXIT_NOT_RUNNING = 3,
	EXIT_NO_PERMISSION = 4,
	EXIT_NO_SUCH_UNIT = 4, /* of status */
	EXIT_NOT_INSTALLED = 5,
	EXIT_NOT_CONFIGURED = 6,
};

/* A job that the call waits for. */
struct call_wait {
	uint32_t unit, job;
	uint8_t type, result; /* enum job_type, job_result */
	bool is_done, is_told;
	bool is_watched; /* started; looked at until the end of the call */
	uint64_t begin_us, end_us;
};

struct call {
	struct hark *h;
	struct request request;
	struct reply reply;
	uid_t uid;
	pid_t pid;
	bool may_change;
	int fd; /* borrowed: its connection; -1: it is asked for somebody who is not on the line */
	struct asked *asked; /* what is known of this request from an earlier life; NULL: nothing */
	int exit;            /* enum call_exit; the first that is not 0 stays */
	uint64_t at, sub;    /* cursors of the handler */
	struct graph_walk walk;  /* over what the job in hand may pull in */
	struct call_wait *waits; /* owned */
	unsigned waits_n, waits_cap;
	struct monitor *monitor; /* owned; of `monitor` */
	struct call_tail *tails; /* owned; of `logs` */
	unsigned tails_n;
	uint64_t due_us; /* call again then; TIME_NEVER */
};

typedef int (*serve_fn)(struct call *c);
extern const serve_fn call_handlers[VERBS]; /* NULL: answered by harkctl alone */

/* The record of its request; NULL when there is none (any more). */
struct asked *call_asked(const struct call *c);
/* Releases everything; the call is zeroed. */
void call_fini(struct call *c);
/* Sets the exit status unless an earlier failure has. */
void call_fail(struct call *c, int exit_code);
/* Adds a row "error" and sets the exit status. unit may be NULL. */
void call_error(struct call *c, int exit_code, const char *unit, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* The same with a word that programs can tell it by (API). */
void call_refuse(struct call *c, int exit_code, const char *unit, const char *refusal,
		 const char *fmt, ...) PRINTF_LIKE(5, 6);
/*
 * The unit a user's word names, loaded. NULL: an error row says why, with "did you mean"; exit_code is what that means for the verb.
 * A caller who may only read does not make the manager create instances.
 */
struct unit *call_unit(struct call *c, const char *word, int exit_code);
/* Same, but what is not in memory is NULL without a word. name: buffer of UNIT_NAME_MAX + 1, gets the full name. */
struct unit *call_known_unit(struct call *c, const char *word, char *name);
/* The wall clock time of a moment of CLOCK_MONOTONIC, 0 stays 0. */
uint64_t call_wall_us(uint64_t mono_us);
/* Is the unit one of those that the patterns and --type are about? */
bool call_means(const struct call *c, const struct unit *u);
/* Its load state; of a unit that nobody has needed yet, what it would be. */
const char *call_load_word(const struct call *c, const struct unit *u);
/* Next unit of the registry from cursor *at on that is meant, and is as --state wants it; NULL at the end. */
struct unit *call_next_unit(struct call *c, uint64_t *at);
/* May the caller read what services write? Root and the members of systemd-journal and adm may, as they may read the journal. */
bool call_may_read(const struct call *c);
/* The rows of findings about the unit's files, and of the output lines since then (of CLOCK_MONOTONIC; 0: all that are kept). */
void call_diags(struct call *c, const char *unit, const struct unit_config *config,
		unsigned least_severity);
/* ... nothing for who may not read them. */
void call_output(struct call *c, struct unit *u, uint64_t since_us);
/* The row of one such line. lost: how many before it were forgotten untold. */
void call_line(struct call *c, const struct unit *u, struct str line, uint64_t wall_us,
	       uint64_t lost);
/* Is it not running while something that would start it is armed? */
bool call_is_waiting_unit(const struct hark *h, const struct unit *u);
