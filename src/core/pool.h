/* SPDX-License-Identifier: MIT */
/*
 * pool - pieces of one size that are all zero most of the time.
 *
 * They lie together in pages of their own, apart from the heap, and pages in which nothing is set go back to the kernel, by pool_trim():
 * so what an object needs only while something goes on with it costs memory only then, and getting it when it is needed cannot fail.
 */
#pragma once

#include "core/base.h"

struct pool_block;

struct pool {
	struct pool_block *blocks; /* owned */
	size_t size;               /* bytes of a piece, a multiple of 8 */
};

/* An empty one. size: bytes of a piece, a multiple of 8. */
void pool_init(struct pool *p, size_t size);
/* Gives all pieces back. */
void pool_fini(struct pool *p);
/* A zeroed piece, 8-aligned, that stays where it is until pool_put(). NULL without memory. */
MUST_USE void *pool_get(struct pool *p);
/* NULL is fine. */
void pool_put(struct pool *p, void *piece);
/* Pages in which nothing is set take no memory until they are written to again. */
void pool_trim(struct pool *p);
