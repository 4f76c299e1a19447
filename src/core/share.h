/* SPDX-License-Identifier: MIT */
/*
 * share - equal parts of many objects, kept once.
 *
 * A thousand plain services say the same about how they are run. A part is made for one object, filled in, and then settled:
 * an equal one that is there already takes its place. A part that points into the arena of its own object means nothing to another
 * and stays its own. Parts are counted and never change once settled.
 */
#pragma once

#include "core/map.h"
#include "core/mem.h"

struct share {
	struct map parts;
};

/* size: bytes. A zeroed part with one owner, or NULL without memory. */
MUST_USE void *share_new(size_t size);
/*
 * share_settle() - let an equal part take the place of this one, which is gone then, or remember it for those to come.
 *
 * @own: arena of the object that the part belongs to
 *
 * Returns the part to use. Without memory it is the same one, as good as before.
 */
MUST_USE void *share_settle(struct share *s, void *part, const struct arena *own);
/* Give up one ownership; NULL is fine. */
void share_put(void *part);
/* Forget the parts that nobody uses any more. */
void share_sweep(struct share *s);
/* Forget all parts; those in use live on with their owners. */
void share_fini(struct share *s);
