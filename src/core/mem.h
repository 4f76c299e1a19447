/* SPDX-License-Identifier: MIT */
/*
 * mem - the one door to the heap, and the arena.
 *
 * Everything that allocates in harkd, harkctl and hark-exec comes through here, so a test can let any single
 * allocation fail (mem_fail_at) and can count what is still alive. Memory from mem_get() and mem_grow() is zeroed.
 * An arena serves one loaded unit file: many small pieces, freed at once.
 */
#pragma once

#include "core/base.h"

struct mem_stats {
	size_t live_n;      /* allocations not yet put back */
	uint64_t total_n;   /* allocations made since the start */
	uint64_t fail_at;   /* this allocation number fails; 0: none */
	bool fail_persists; /* ... and every later one */
	unsigned
		patience; /* so often an allocation that fails is tried again, 1 ms later: for who can do nothing without */
};
extern struct mem_stats mem_stats;

/* size: bytes, > 0. Returns zeroed memory owned by the caller, or NULL. */
MUST_USE void *mem_get(size_t size);
/* Grow (or shrink) p from old to size bytes; new bytes are zeroed. NULL on failure: p stays valid. */
MUST_USE void *mem_grow(void *p, size_t old, size_t size);
/* Copy of n bytes at p with a NUL behind them. NULL on failure. */
MUST_USE char *mem_dup(const void *p, size_t n);
/* Give back; NULL is fine. */
void mem_put(void *p);
/* What is given back and lies between what is not goes to the kernel, page by page; takes milliseconds where that is much. */
void mem_trim(void);

struct arena_chunk;
struct arena {
	struct arena_chunk *chunks;
	uint32_t used, cap; /* of the newest chunk, bytes */
	uint32_t bytes;     /* total taken from the heap, at most 4 GiB */
	uint32_t least;     /* of a chunk, bytes; for an arena known to become large */
};

/* Zeroed, 8-aligned piece of n bytes that lives as long as the arena. NULL on failure. */
MUST_USE void *arena_get(struct arena *a, size_t n);
/* Copy of n bytes plus NUL in the arena. NULL on failure. */
MUST_USE char *arena_dup(struct arena *a, const char *p, size_t n);
/* Does p point to a piece of the arena? */
bool arena_holds(const struct arena *a, const void *p);
/* Free everything; the arena is empty and usable again. */
void arena_fini(struct arena *a);
