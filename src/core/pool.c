/* SPDX-License-Identifier: MIT */
#include "core/pool.h"

#include <sys/mman.h>

#include "core/mem.h"

enum { PIECES = 64, PAGE = 4096 }; /* of a block: a bit each; a page is at least that long */

struct pool_block {
	struct pool_block *next;
	char *pieces;  /* a mapping of its own */
	uint64_t used; /* a bit for each */
};

static size_t block_bytes(const struct pool *p)
{
	return (PIECES * p->size + PAGE - 1) & ~(size_t)(PAGE - 1);
}

void pool_init(struct pool *p, size_t size)
{
	*p = (struct pool){.size = size};
}

static void free_block(const struct pool *p, struct pool_block *b)
{
	munmap(b->pieces, block_bytes(p));
	mem_put(b);
}

void pool_fini(struct pool *p)
{
	while (p->blocks) {
		struct pool_block *b = p->blocks;

		p->blocks = b->next;
		free_block(p, b);
	}
}

static struct pool_block *new_block(const struct pool *p)
{
	struct pool_block *b = mem_get(sizeof(*b));
	void *pieces = b ? mmap(NULL, block_bytes(p), PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
			 : MAP_FAILED;

	if (pieces == MAP_FAILED) {
		mem_put(b);
		return NULL;
	}
	b->pieces = pieces;
	return b;
}

void *pool_get(struct pool *p)
{
	struct pool_block *b = p->blocks;
	int at;

	while (b && b->used == UINT64_MAX)
		b = b->next;
	if (!b) {
		b = new_block(p);
		if (!b)
			return NULL;
		b->next = p->blocks;
		p->blocks = b;
	}
	at = __builtin_ctzll(~b->used);
	b->used |= UINT64_C(1) << at;
	return b->pieces + (size_t)at * p->size;
}

void pool_put(struct pool *p, void *piece)
{
	struct pool_block **at = &p->blocks;
	struct pool_block *b;

	while (piece && (uintptr_t)piece - (uintptr_t)(*at)->pieces >= PIECES * p->size)
		at = &(*at)->next;
	if (!piece)
		return;
	b = *at;
	memset(piece, 0, p->size);
	b->used &= ~(UINT64_C(1) << (size_t)((char *)piece - b->pieces) / p->size);
	if (b->used)
		return;
	*at = b->next;
	free_block(p, b);
}

static bool is_zero(const char *page)
{
	return page[0] == 0 && memcmp(page, page + 1, PAGE - 1) == 0;
}

void pool_trim(struct pool *p)
{
	/* To look at one that is not there costs no memory: it is the kernel's page of zeroes. Where pages are longer madvise() declines. */
	for (struct pool_block *b = p->blocks; b; b = b->next)
		for (size_t at = 0; at < block_bytes(p); at += PAGE)
			if (is_zero(b->pieces + at))
				(void)madvise(b->pieces + at, PAGE, MADV_DONTNEED);
}
