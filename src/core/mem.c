/* SPDX-License-Identifier: MIT */
#include "core/mem.h"

#include <stdlib.h>
#include <time.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

struct mem_stats mem_stats;

/* Bytes up to which memory given back is soon used again: malloc(3) of glibc takes it from a list of its own then, calloc(3) never does. */
enum { SMALL = 1024, WAIT_NS = 1000000 };
enum { ARENA_FIRST = 232, ARENA_LEAST = 56, ARENA_CHUNK = 2048 - 64, ARENA_ALIGN = 8 };

static bool refuse(void)
{
	mem_stats.total_n++;
	if (mem_stats.fail_at == 0)
		return false;
	return mem_stats.fail_persists ? mem_stats.total_n >= mem_stats.fail_at
				       : mem_stats.total_n == mem_stats.fail_at;
}

/* Others may give some back meanwhile. */
static bool is_worth_waiting(void)
{
	if (mem_stats.patience == 0)
		return false;
	mem_stats.patience--;
	(void)nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
	return true;
}

static void *take(void *old, size_t size)
{
	void *p;

	do
		p = refuse()       ? NULL
		    : old          ? realloc(old, size)
		    : size > SMALL ? calloc(1, size)
				   : malloc(size);
	while (!p && is_worth_waiting());
	return p;
}

void *mem_get(size_t size)
{
	void *p = take(NULL, size);

	/* Otherwise the compiler takes malloc(3) and memset(3) for a calloc(3), and makes one of them. */
	__asm__("" : "+r"(p));
	if (p && size <= SMALL)
		memset(p, 0, size);
	if (p)
		mem_stats.live_n++;
	return p;
}

void *mem_grow(void *p, size_t old, size_t size)
{
	char *q;

	if (!p)
		return mem_get(size);
	q = take(p, size);
	if (q && size > old)
		memset(q + old, 0, size - old);
	return q;
}

char *mem_dup(const void *p, size_t n)
{
	char *q = n == SIZE_MAX ? NULL : mem_get(n + 1);

	if (q && n)
		memcpy(q, p, n);
	return q;
}

void mem_put(void *p)
{
	if (p)
		mem_stats.live_n--;
	free(p);
}

void mem_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

void auto_mem_p(void *pp)
{
	void *p;

	memcpy(&p, pp, sizeof(p));
	mem_put(p);
}

struct arena_chunk {
	struct arena_chunk *next;
	size_t cap; /* bytes of data */
	char data[];
};

/*
 * The first is what a small unit needs, and what needs a little more gets little more. Then chunks grow with the arena, so that a
 * thousand small ones waste little and a big one has few.
 */
static size_t chunk_size(const struct arena *a, size_t want)
{
	size_t size = a->bytes ? a->bytes / 8 & ~(size_t)(ARENA_ALIGN - 1) : ARENA_FIRST;

	size = size < ARENA_LEAST ? ARENA_LEAST : size > ARENA_CHUNK ? ARENA_CHUNK : size;
	size = size > a->least ? size : a->least;
	return size > want ? size : want;
}

void *arena_get(struct arena *a, size_t n)
{
	size_t want = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	size_t cap = chunk_size(a, want);
	struct arena_chunk *c;
	void *p;

	if (want < n || want > SIZE_MAX / 2)
		return NULL;
	if (!a->chunks || a->cap - a->used < want) {
		if (cap > UINT32_MAX - sizeof(*c) - a->bytes)
			return NULL;
		c = mem_get(sizeof(*c) + cap);
		if (!c)
			return NULL;
		c->next = a->chunks;
		c->cap = cap;
		a->chunks = c;
		a->cap = (uint32_t)cap;
		a->used = 0;
		a->bytes += (uint32_t)(sizeof(*c) + cap);
	}
	p = a->chunks->data + a->used;
	a->used += (uint32_t)want;
	return p;
}

char *arena_dup(struct arena *a, const char *p, size_t n)
{
	char *q = n == SIZE_MAX ? NULL : arena_get(a, n + 1);

	if (q && n)
		memcpy(q, p, n);
	return q;
}

bool arena_holds(const struct arena *a, const void *p)
{
	for (const struct arena_chunk *c = a->chunks; c; c = c->next)
		if ((uintptr_t)p - (uintptr_t)c->data < c->cap)
			return true;
	return false;
}

void arena_fini(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *c = a->chunks;

		a->chunks = c->next;
		mem_put(c);
	}
	memset(a, 0, sizeof(*a));
}
