/* SPDX-License-Identifier: MIT */
#include "core/plan.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>

enum { ROOM = 16 * 1024 };

static char bytes[ROOM];

static struct wbuf fresh(void)
{
	return (struct wbuf){.p = bytes, .cap = sizeof(bytes)};
}

/* Every step once, in the shape its row asks for, EXEC last. */
static size_t write_all(void)
{
	struct wbuf w = fresh();
	uint64_t words[4] = {1, 2, 3, 4};

	for (unsigned step = PLAN_END + 1; step < PLAN_STEP_COUNT; step++) {
		const struct plan_step_info *info = plan_step_info(step);

		if (step != PLAN_EXEC)
			plan_put(&w, (enum plan_step)step, words, info->words_n,
				 info->tail == PLAN_NONE || step == PLAN_GROUPS ? STR("")
										: STR("some text"));
	}
	plan_put_str(&w, PLAN_EXEC, STR("/bin/true"));
	ck_assert(!w.bad);
	return w.n;
}

START_TEST(round_trip)
{
	size_t n = write_all(), at = 0;
	struct plan_record rec;
	unsigned step = PLAN_END;

	ck_assert_int_eq(plan_check(bytes, n), 0);
	while (plan_next(bytes, n, &at, &rec) > 0) {
		const struct plan_step_info *info = plan_step_info(rec.step);

		step = step + 1 == PLAN_EXEC ? step + 2 : step + 1;
		if (rec.step == PLAN_EXEC)
			break;
		ck_assert_uint_eq(rec.step, step);
		for (unsigned i = 0; i < info->words_n; i++)
			ck_assert_uint_eq(rec.w[i], i + 1);
		if (info->tail != PLAN_NONE && rec.step != PLAN_GROUPS)
			ck_assert_int_eq(memcmp(rec.text, "some text", 9), 0);
	}
	ck_assert_uint_eq(rec.step, PLAN_EXEC);
	ck_assert_str_eq(rec.text, "/bin/true");
	ck_assert_uint_eq(at, n);
}
END_TEST

START_TEST(truncations_are_refused)
{
	size_t n = write_all();

	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(plan_check(bytes, cut), -EBADMSG);
}
END_TEST

/* Any single bit turned over is either still a plan or refused: nothing is read beyond n (run under sanitizers). */
START_TEST(bit_flips_are_survived)
{
	size_t n = write_all();
	char *copy = malloc(n);

	ck_assert_ptr_nonnull(copy);
	for (size_t bit = 0; bit < n * 8; bit++) {
		memcpy(copy, bytes, n);
		copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
		ck_assert(plan_check(copy, n) == 0 || plan_check(copy, n) == -EBADMSG);
		(void)plan_place(copy, n);
	}
	free(copy);
}
END_TEST

START_TEST(exec_must_be_last)
{
	struct wbuf w = fresh();

	plan_put_str(&w, PLAN_ARG, STR("true"));
	ck_assert_int_eq(plan_check(bytes, w.n), -EBADMSG);
	plan_put_str(&w, PLAN_EXEC, STR("/bin/true"));
	ck_assert_int_eq(plan_check(bytes, w.n), 0);
	plan_put_u64(&w, PLAN_UMASK, 022);
	ck_assert_int_eq(plan_check(bytes, w.n), -EBADMSG);
}
END_TEST

START_TEST(table_is_whole)
{
	for (unsigned step = PLAN_END + 1; step < PLAN_STEP_COUNT; step++) {
		const struct plan_step_info *info = plan_step_info(step);

		ck_assert(info->name && info->name[0] && info->help);
		ck_assert(step == PLAN_SETTLE ||
			  (info->exit_code >= 200 && info->exit_code <= 255));
		ck_assert_uint_le(info->words_n, 4);
	}
	ck_assert_str_eq(plan_step_info(PLAN_STEP_COUNT)->name, "?");
	ck_assert_str_eq(plan_step_info(PLAN_EXEC)->name, "EXEC");
}
END_TEST

START_TEST(who_can_run_it)
{
	struct wbuf w = fresh();

	plan_put_u64(&w, PLAN_UMASK, 022);
	for (unsigned i = 0; i < PLAN_ARGS_INLINE; i++)
		plan_put_str(&w, PLAN_ARG, STR("x"));
	ck_assert_int_eq(plan_place(bytes, w.n), PLAN_ANYWHERE);
	plan_put_u64(&w, PLAN_UID, 1);
	plan_put_u64(&w, PLAN_UMASK, 022);
	ck_assert_int_eq(plan_place(bytes, w.n), PLAN_APART);
	plan_put_str(&w, PLAN_ARG, STR("one too many"));
	ck_assert_int_eq(plan_place(bytes, w.n), PLAN_EXEC_ONLY);
	w = fresh();
	plan_put(&w, PLAN_PRIVATE_TMP, NULL, 0, STR("x"));
	plan_put_u64(&w, PLAN_UID, 1);
	ck_assert_int_eq(plan_place(bytes, w.n), PLAN_EXEC_ONLY);
	ck_assert_int_eq(plan_place(bytes, PLAN_INLINE + 1), PLAN_EXEC_ONLY);
}
END_TEST

START_TEST(overflow_and_misuse_show)
{
	struct wbuf w = {.p = bytes, .cap = 10};

	plan_put_str(&w, PLAN_ARG, STR("does not fit"));
	ck_assert(w.bad);
	w = fresh();
	plan_put_u64(&w, PLAN_RLIMIT, 1); /* wants three words */
	ck_assert(w.bad);
}
END_TEST

/* Given as 64-bit words, run as the kernel's gid_t: nothing but these groups, or the writer says so. */
START_TEST(groups_are_gids)
{
	static const uint64_t given[] = {5, 100000, 4294967294};
	struct wbuf w = fresh();
	struct plan_record rec;
	size_t at = 0;

	plan_put(&w, PLAN_GROUPS, NULL, 0, (struct str){(const char *)given, sizeof(given)});
	ck_assert(!w.bad);
	ck_assert_int_eq(plan_next(bytes, w.n, &at, &rec), 1);
	ck_assert_uint_eq(rec.text_n, ARRAY_SIZE(given) * sizeof(gid_t));
	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		gid_t gid;

		memcpy(&gid, rec.text + i * sizeof(gid), sizeof(gid));
		ck_assert_uint_eq(gid, given[i]);
	}
	plan_put(&w, PLAN_GROUPS, NULL, 0, (struct str){(const char *)given, sizeof(given) - 1});
	ck_assert(w.bad);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan");
	TCase *t = tcase_create("plan");

	tcase_add_test(t, round_trip);
	tcase_add_test(t, truncations_are_refused);
	tcase_add_test(t, bit_flips_are_survived);
	tcase_add_test(t, exec_must_be_last);
	tcase_add_test(t, table_is_whole);
	tcase_add_test(t, who_can_run_it);
	tcase_add_test(t, overflow_and_misuse_show);
	tcase_add_test(t, groups_are_gids);
	suite_add_tcase(s, t);
	return suite_run(s);
}
