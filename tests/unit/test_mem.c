/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "core/mem.h"
#include "suite.h"

static void reset(void)
{
	mem_stats = (struct mem_stats){0};
}

START_TEST(get_is_zeroed_and_counted)
{
	char *p = mem_get(100);

	ck_assert_ptr_nonnull(p);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(p[i], 0);
	ck_assert_uint_eq(mem_stats.live_n, 1);
	mem_put(p);
	mem_put(NULL);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

START_TEST(grow_keeps_and_zeroes)
{
	char *p = mem_grow(NULL, 0, 8);

	ck_assert_ptr_nonnull(p);
	memset(p, 'x', 8);
	p = mem_grow(p, 8, 64);
	ck_assert_ptr_nonnull(p);
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(p[i], i < 8 ? 'x' : 0);
	ck_assert_uint_eq(mem_stats.live_n, 1);
	mem_put(p);
}
END_TEST

START_TEST(failure_hits_one_or_all)
{
	mem_stats.fail_at = 2;
	AUTO_MEM char *one = mem_get(1);
	AUTO_MEM char *two = mem_get(1);
	AUTO_MEM char *three = mem_get(1);

	ck_assert(one && !two && three);
	mem_stats.fail_at = mem_stats.total_n + 1;
	mem_stats.fail_persists = true;
	ck_assert_ptr_null(mem_get(1));
	ck_assert_ptr_null(mem_dup("a", 1));
	/* A refused grow leaves the old memory alone. */
	one[0] = 'k';
	ck_assert_ptr_null(mem_grow(one, 1, 2));
	ck_assert_int_eq(one[0], 'k');
}
END_TEST

START_TEST(dup_ends_in_nul)
{
	AUTO_MEM char *p = mem_dup("a\0b", 3);
	AUTO_MEM char *empty = mem_dup(NULL, 0);

	ck_assert_mem_eq(p, "a\0b\0", 4);
	ck_assert_str_eq(empty, "");
	ck_assert_ptr_null(mem_dup("", SIZE_MAX));
}
END_TEST

START_TEST(arena_pieces_are_apart_and_aligned)
{
	struct arena a = {0};
	char *piece[500];
	size_t size[500];

	srand(1);
	for (int i = 0; i < 500; i++) {
		size[i] = (size_t)(rand() % (i % 50 ? 40 : 5000)) + 1;
		piece[i] = arena_get(&a, size[i]);
		ck_assert_ptr_nonnull(piece[i]);
		ck_assert_uint_eq((uintptr_t)piece[i] % 8, 0);
		for (size_t j = 0; j < size[i]; j++)
			ck_assert_int_eq(piece[i][j], 0);
		memset(piece[i], i & 0x7f, size[i]);
	}
	for (int i = 0; i < 500; i++)
		for (size_t j = 0; j < size[i]; j++)
			ck_assert_int_eq(piece[i][j], i & 0x7f);
	ck_assert_str_eq(arena_dup(&a, "text!", 4), "text");
	ck_assert_uint_gt(a.bytes, 0);
	arena_fini(&a);
	ck_assert_uint_eq(mem_stats.live_n, 0);
	ck_assert_uint_eq(a.bytes, 0);
}
END_TEST

START_TEST(arena_fails_cleanly)
{
	struct arena a = {0};

	ck_assert_ptr_null(arena_get(&a, SIZE_MAX));
	ck_assert_ptr_null(arena_get(&a, SIZE_MAX / 2 + 9));
	ck_assert_ptr_null(arena_dup(&a, "", SIZE_MAX));
	mem_stats.fail_at = 1;
	ck_assert_ptr_null(arena_get(&a, 10));
	ck_assert_ptr_nonnull(arena_get(&a, 10));
	arena_fini(&a);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mem");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, reset, NULL);
	tcase_add_test(tc, get_is_zeroed_and_counted);
	tcase_add_test(tc, grow_keeps_and_zeroes);
	tcase_add_test(tc, failure_hits_one_or_all);
	tcase_add_test(tc, dup_ends_in_nul);
	tcase_add_test(tc, arena_pieces_are_apart_and_aligned);
	tcase_add_test(tc, arena_fails_cleanly);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
