/* SPDX-License-Identifier: MIT */
/*
 * ask - questions to the manager from a program with a loop: many at once, over a few connections, over a manager that dies.
 *
 * Slow ones never take all connections: the others are answered meanwhile.
 *
 * What broke with its connection is asked again, with its number: the manager performs it once (ctl/client.h). A missing manager is waited
 * for CLIENT_PATIENCE_US, except by an endless question, which waits for ever.
 */
#pragma once

#include "core/loop.h"
#include "ctl/client.h"

struct ask;
/* The answer is whole (err 0, a->rows and a->exit are set) or will not come (-errno). The ask may be freed in it. */
typedef void (*ask_fn)(struct ask *a, int err);

struct ask {
	struct list node;
	struct question question; /* what it points to lives until done */
	struct rows rows;
	int exit; /* of the answer: enum call_exit */
	ask_fn done;
	bool is_slow; /* its answer comes when something has happened, perhaps in minutes */
	struct ask_line *line; /* that carries it; NULL: it waits for one */
};

struct asker {
	struct loop *loop;
	const char *path; /* of the control socket; borrowed */
	struct list waiting, lines;
	unsigned lines_n, slow_n; /* slow_n: of them those with a slow one */
	struct timer retry;
	uint64_t until_us; /* when to give up on a missing manager; 0: it is not missing */
};

/* loop and path are borrowed until asker_fini(). Cannot fail: connections are made when they are needed. */
void asker_init(struct asker *k, struct loop *loop, const char *path);
/* Asks still going on are dropped without a word. */
void asker_fini(struct asker *k);
/* Begin. a->question and a->done are set; the rest is zeroed here, but for is_slow and a number that the question has already. Never calls done at once. */
void ask_start(struct asker *k, struct ask *a);
/* No word of it any more, and its rows are freed. */
void ask_cancel(struct ask *a);
