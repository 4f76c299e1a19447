/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/share.h"
#include "suite.h"

struct thing {
	const char *text;
	uint64_t number;
};

static struct share share;
static struct arena arena;

static struct thing *make(const char *text, uint64_t number)
{
	struct thing *t = share_new(sizeof(*t));

	ck_assert_ptr_nonnull(t);
	t->text = text;
	t->number = number;
	return share_settle(&share, t, &arena);
}

static void teardown(void)
{
	share_fini(&share);
	arena_fini(&arena);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}

START_TEST(equal_parts_are_one)
{
	struct thing *a = make(NULL, 1), *b = make(NULL, 1), *c = make(NULL, 2);
	struct thing *d = make("in no arena", 1);

	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_ne(a, c);
	ck_assert_ptr_ne(a, d);
	ck_assert_ptr_eq(d, make(d->text, 1));
	share_put(d);
	share_put(d);
	share_put(a);
	ck_assert_uint_eq(b->number, 1);
	share_sweep(&share); /* d goes, b and c are in use */
	ck_assert_uint_eq(share.parts.n, 2);
	ck_assert_ptr_eq(b, make(NULL, 1));
	share_put(b);
	share_fini(&share);
	ck_assert_uint_eq(b->number + c->number, 3);
	share_put(b);
	share_put(c);
	share_put(NULL);
}
END_TEST

/* The bytes may be the same, but they die with the arena of the first. */
START_TEST(what_points_into_its_arena_is_its_own)
{
	const char *text = arena_dup(&arena, "mine", 4);
	struct thing *a = make(text, 1), *b = make(text, 1);

	ck_assert_ptr_ne(a, b);
	ck_assert_uint_eq(share.parts.n, 0);
	ck_assert(arena_holds(&arena, text) && !arena_holds(&arena, &arena));
	share_put(a);
	share_put(b);
}
END_TEST

START_TEST(without_memory_nothing_is_shared)
{
	struct thing *a;
	struct thing *b;

	mem_stats.fail_at = mem_stats.total_n + 2;
	mem_stats.fail_persists = true;
	a = make(NULL, 1);
	mem_stats.fail_persists = false;
	mem_stats.fail_at = 0;
	b = make(NULL, 1);
	ck_assert_ptr_ne(a, b);
	ck_assert_uint_eq(a->number, b->number);
	share_put(a);
	share_put(b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("share");
	TCase *t = tcase_create("share");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, equal_parts_are_one);
	tcase_add_test(t, what_points_into_its_arena_is_its_own);
	tcase_add_test(t, without_memory_nothing_is_shared);
	suite_add_tcase(s, t);
	return suite_run(s);
}
