/* SPDX-License-Identifier: MIT */
/*
 * client - one question to the manager and its answer, over a manager that may be killed at any moment.
 *
 * When the connection breaks, a new one is tried for CLIENT_PATIENCE_US and the question asked again, with the number it
 * had: the manager does not perform a second time what it has performed (core/asked).
 */
#pragma once

#include "ctl/rows.h"

enum { CLIENT_PATIENCE_US = 5 * 1000 * 1000 };

struct question {
	const struct verb *verb;
	const char *const *args;
	unsigned args_n;
	const char *options[OPTIONS];                     /* NULL: not given; "" for a switch */
	void (*on_row)(void *arg, const struct row *row); /* as each row is whole; may be NULL */
	void *arg;
	/* The same when it is asked again: the manager performs it once. client_ask() sets its own. */
	uint64_t id;
	bool is_endless; /* rows are forgotten once on_row has seen them */
};

/* A number for a question. */
uint64_t client_number(void);
/* The request frame of a question. 0, -E2BIG. */
MUST_USE int client_encode(struct wire_out *o, const struct question *q);
/* One frame of its answer: rows go to on_row and into rows, which were set up by the caller. True at the last frame. */
bool client_take(const struct question *q, struct wire_in *in, struct rows *rows, int *ret_exit);
/* That the manager goes away is what the verb asks for: not to be asked again. */
bool client_is_ending(enum verb_id id);

/* Path of the control socket: in $HARK_RUN_DIR, or /run/hark. */
void client_path(char *path, size_t cap);
/*
 * client_ask() - ask and collect the answer.
 *
 * @path: of the control socket
 * @ret_exit: exit status the manager gave
 *
 * Blocks until the answer is complete. Returns 0, -ENOENT or -ECONNREFUSED (no manager), -EACCES, -E2BIG (the question does not fit a
 * frame), -ECONNRESET (the manager went away and it is not known what became of the request), -EBADMSG.
 */
MUST_USE int client_ask(const char *path, const struct question *q, struct rows *rows,
			int *ret_exit);
