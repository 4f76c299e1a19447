/* SPDX-License-Identifier: MIT */
/*
 * utab - what mount(8) was told of a mount and the kernel has no place for. libmount keeps that in /run/mount/utab, one line a mount; of it only
 * "_netdev" matters here: that what is mounted there needs the network until it is unmounted. It is written after the mount is there.
 */
#pragma once

#include "core/loop.h"
#include "core/str.h"

struct utab {
	struct watch watch;
	struct loop *loop;
	char *text; /* owned; NULL: there is none */
	size_t n;
	void (*changed)(struct utab *t); /* it was written; utab_next() goes by what it says now */
};

/* Read it and go on watching. t: zeroed, stays where it is. 0 or -errno: it is never heard of. */
MUST_USE int utab_open(struct utab *t, struct loop *loop, void (*changed)(struct utab *t));
/* Does nothing when it is not open. */
void utab_close(struct utab *t);
/*
 * The next place that was mounted with _netdev.
 *
 * @rest: utab_lines() at first
 *
 * False at the end.
 */
bool utab_next(struct str *rest, char *place, size_t cap);
struct str utab_lines(const struct utab *t);
