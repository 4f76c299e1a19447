/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/mem.h"
#include "core/pool.h"
#include "suite.h"

enum { MANY = 300, PAGE = 4096 };
struct piece {
	uint64_t words[25];
};

static struct pool pool;

static void setup(void)
{
	pool_init(&pool, sizeof(struct piece));
}

static void teardown(void)
{
	pool_fini(&pool);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}

START_TEST(pieces_are_zero_and_apart)
{
	struct piece *p[MANY];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			p[i] = pool_get(&pool);
			ck_assert_ptr_nonnull(p[i]);
			for (unsigned k = 0; k < ARRAY_SIZE(p[i]->words); k++) {
				ck_assert_uint_eq(p[i]->words[k], 0);
				p[i]->words[k] = i + 1;
			}
		}
		for (unsigned i = 0; i < MANY; i++)
			for (unsigned k = 0; k < ARRAY_SIZE(p[i]->words); k++)
				ck_assert_uint_eq(p[i]->words[k], i + 1);
		for (unsigned i = 0; i < MANY; i++)
			pool_put(&pool, p[(i * 7) % MANY]);
		ck_assert_ptr_null(pool.blocks);
	}
	pool_put(&pool, NULL);
}
END_TEST

/* How many of the pages that the piece lies in, and those behind it up to n, are there at all. */
static unsigned resident(const void *piece, unsigned n)
{
	const char *page = (const char *)((uintptr_t)piece & ~(uintptr_t)(PAGE - 1));
	unsigned char there[MANY];
	unsigned found = 0;

	ck_assert_int_eq(mincore((void *)(uintptr_t)page, (size_t)n * PAGE, there), 0);
	for (unsigned i = 0; i < n; i++)
		found += there[i] & 1;
	return found;
}

START_TEST(what_is_zero_again_takes_no_memory)
{
	enum { PIECES = 64, PAGES = PIECES * sizeof(struct piece) / PAGE };
	struct piece *p[PIECES];

	for (unsigned i = 0; i < PIECES; i++) {
		p[i] = pool_get(&pool);
		ck_assert_ptr_nonnull(p[i]);
		p[i]->words[3] = i;
	}
	ck_assert_uint_eq(resident(p[0], PAGES), PAGES);
	pool_trim(&pool);
	ck_assert_uint_eq(resident(p[0], PAGES), PAGES);
	for (unsigned i = 1; i < PIECES; i++)
		p[i]->words[3] = 0;
	p[0]->words[3] = 5;
	pool_trim(&pool);
	ck_assert_uint_eq(resident(p[0], PAGES), 1);
	ck_assert_uint_eq(p[0]->words[3], 5);
	for (unsigned i = 0; i < PIECES; i++)
		pool_put(&pool, p[i]);
}
END_TEST

START_TEST(without_memory_there_is_none)
{
	mem_stats.fail_at = mem_stats.total_n + 1;
	ck_assert_ptr_null(pool_get(&pool));
	mem_stats.fail_at = 0;
	ck_assert_ptr_nonnull(pool_get(&pool));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pool");
	TCase *t = tcase_create("pool");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, pieces_are_zero_and_apart);
	tcase_add_test(t, what_is_zero_again_takes_no_memory);
	tcase_add_test(t, without_memory_there_is_none);
	suite_add_tcase(s, t);
	return suite_run(s);
}
