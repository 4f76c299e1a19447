/* SPDX-License-Identifier: MIT */
/*
 * proc_table - a table of the kernel in /proc that says when it has changed (mountinfo, swaps): looked at as a whole, and as seldom as
 * keeps the cost of looking below a fiftieth of a processor, however long the table is and however often it changes.
 */
#pragma once

#include "core/loop.h"
#include "core/str.h"

enum { PROC_TABLE_EVERY_US = 20 * 1000, PROC_TABLE_SHARE = 50 };

struct proc_table {
	struct watch watch;
	struct timer again;
	struct loop *loop;
	const char *path;
	void (*look)(struct proc_table *t); /* read it, see what is new */
	int fd;
	uint64_t next_us; /* not before */
};

/* t: zeroed, stays where it is; path: static. Watches, does not look yet. 0 or -errno (there is no /proc). */
MUST_USE int proc_table_open(struct proc_table *t, struct loop *loop, const char *path,
			     void (*look)(struct proc_table *t));
/* Look now. */
void proc_table_look(struct proc_table *t);
/* It could not be read: look again in a second. */
void proc_table_retry(struct proc_table *t, int err);
/* The whole of it; *ret_text is the caller's, *ret views it. 0 or -errno. */
MUST_USE int proc_table_read(const char *path, char **ret_text, struct str *ret);
