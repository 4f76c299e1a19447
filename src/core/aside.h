/* SPDX-License-Identifier: MIT */
/*
 * aside - a question that may have to wait for a server outside (a file system of the network, FUSE), put by a child, so that only the child waits.
 *
 * The child is a child of our parent (hark-init), which reaps it whenever it ends; one that waits is ended by an alarm, but not where the kernel
 * lets nobody go. So the number of those that have not come back is kept, and limited.
 */
#pragma once

#include "core/base.h"

enum { ASIDE_MOST = 8 };

/* Of who asks. */
struct aside {
	unsigned wait_ms;     /* at most for an answer */
	int away[ASIDE_MOST]; /* pidfds of children that have not come back */
	unsigned away_n;
};

/*
 * aside_ask() - what fn(arg) returns, which a child calls with copies of our memory and our descriptors.
 *
 * Waits a->wait_ms; half as long with each child that is away already, and not at all when there are ASIDE_MOST.
 *
 * Returns that, -ETIMEDOUT (it waits for somebody), or the -errno of the system call by which no child was made.
 */
MUST_USE int aside_ask(struct aside *a, int (*fn)(void *arg), void *arg);
