/* SPDX-License-Identifier: MIT */
/*
 * transient - units whose file the manager wrote itself, at somebody's request: kept in one directory below /run, so that the next
 * manager finds them, and removed when the unit is forgotten.
 *
 * Such a unit is forgotten TRANSIENT_KEEP_US after it has come to rest (one that failed: after reset-failed, unless CollectMode= says
 * otherwise), so that whoever started it can still ask how it ended. While somebody holds it it stays; it goes when the last holder lets go.
 * Who holds what stands in a file of the run dir, so that it outlives all of us.
 */
#pragma once

#include "core/hark.h"

enum { TRANSIENT_KEEP_US = 5 * 1000 * 1000, TRANSIENT_HOLDS_MOST = 8192, HOLDER_MAX = 63 };

/* Somebody wants the unit to stay, n times over. */
struct hold {
	struct list node;
	uint32_t unit; /* id */
	uint32_t n;
	char holder[HOLDER_MAX + 1];
};

/* Let h->load look there too. 0 or -errno. */
MUST_USE int transient_open(struct hark *h);
/* Was its file written by transient_write()? */
bool transient_is(const struct hark *h, const struct unit *u);
/*
 * transient_write() - write the file of a unit and make it known to the loader; the unit itself is not touched.
 *
 * @name: a valid name of a unit that has no file, or whose file was written here
 *
 * Returns 0, -errno: there is no such file then.
 */
MUST_USE int transient_write(struct hark *h, const char *name, struct str text);
/* The file goes, if it was written here. */
void transient_remove(struct hark *h, const char *name);
/* Holder wants u to stay n times over, 0: no longer. 0, -EINVAL (the word is too long), -E2BIG, -ENOMEM. */
MUST_USE int transient_hold(struct hark *h, struct unit *u, struct str holder, uint32_t n);
/* After a takeover: what was held before; all units are known. */
void transient_recall(struct hark *h);
/* The unit is dropped, with all that was written or said of it. */
void transient_forget(struct hark *h, const struct unit *u);
/* The unit's state has changed: see to it that it is forgotten in time. */
void transient_rested(struct hark *h, const struct unit *u);
