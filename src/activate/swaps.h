/* SPDX-License-Identifier: MIT */
/*
 * swaps - the kernel's table of swap space as swap units: what is in use there, whoever began it, is an active unit. proc_swaps(5)
 *
 * The kernel names a device by its own name; a unit of another name of it (/dev/disk/by-uuid/...) is the one that is active when there is one.
 */
#pragma once

#include "core/hark.h"

/* Look at the table and go on watching it. 0 or -errno (there is no /proc). */
MUST_USE int swaps_open(struct hark *h);
/* Look again now: somebody has changed it. */
void swaps_refresh(struct hark *h);
/* The priority that the kernel gave it; false: it is not in use. */
bool swaps_priority(const struct unit *u, int *ret);
/* Text of a unit for what is used under that name and has no file, or NULL. Owned by the caller. */
char *swaps_unit_text(const char *name);
