/* SPDX-License-Identifier: MIT */
/*
 * load_renew - the index learns what has become of one name, without reading all directories again.
 *
 * Only where that is simple: an ordinary name whose file, before and after, is a regular one that no alias leads to. Whatever links,
 * masks, templates and prefixes are about is told to need a scan, so that there is one reading of each of these. What a name
 * leaves behind stays in the arena of the index; after many renewals a scan is due for that reason too. It agrees with a scan in all
 * that can be asked of an index (tests/unit/test_load_renew.c).
 */
#pragma once

#include "units/load.h"

enum load_renewed { LOAD_RENEWED, LOAD_NEEDS_SCAN };
/* A unit to whose parts [Install] of that name adds something, or did. */
typedef void (*load_owner_fn)(void *arg, const char *owner);

/*
 * load_renew() - look again for the file of `name`.
 *
 * @has_sides: for its *.d, *.wants and their like, too
 * @owner:     called for each unit that is affected beside `name` itself, perhaps twice; it may not change the index
 *
 * Returns LOAD_RENEWED, LOAD_NEEDS_SCAN or -errno; but for the first the index may lack what belongs to the name until the next scan,
 * which the caller does now.
 */
MUST_USE int load_renew(struct load *l, const char *name, bool has_sides, load_owner_fn owner,
			void *arg);
/* The rank of the most important directory with a regular file of that name. -ENOENT: none has; -EAGAIN: something else lies there. */
MUST_USE int load_find_file(const struct load *l, const char *name);
