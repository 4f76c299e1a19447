/* SPDX-License-Identifier: MIT */
/*
 * client - one question to the manager and its answer, over a manager that may be killed at any moment.
 *
 * When the connection breaks, a new one is tried for CLIENT_PATIENCE_US. Questions that only read are asked again; a job that was
 * already installed is waited for, not asked for twice; what must not happen twice (a signal) is reported as uncertain.
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
	bool is_endless; /* rows are forgotten once on_row has seen them */
};

/* May a question be asked again when it is not known whether it was heard? A signal or a restart must not happen twice. */
enum repeat {
	REPEAT_FREELY,
	REPEAT_AS_WAIT, /* only when the job is known to be there: then it is waited for */
	REPEAT_NEVER,
	REPEAT_GRANTED, /* that the manager went away is what was asked for */
};
enum repeat client_repeat(enum verb_id verb);
/* The request frame of a question; as_wait: its job is there and is only waited for. 0, -E2BIG. */
MUST_USE int client_encode(struct wire_out *o, const struct question *q, bool as_wait);

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
