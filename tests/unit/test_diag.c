/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "core/diag.h"
#include "suite.h"

static char *render(const struct diag *d)
{
	struct sbuf b = {0};

	diag_render(d, &b);
	return sbuf_take(&b);
}

START_TEST(renders_one_line)
{
	static const struct {
		struct diag_place place;
		const char *suggestion, *want;
	} rows[] = {
		{{"a.service", 3, 5, 9},
		 "did you mean Exec?",
		 "a.service:3:5: error[U001]: bad 7; did you mean Exec?"},
		{{"a.service", 3, 0, 0}, NULL, "a.service:3: error[U001]: bad 7"},
		{{"a.service", 0, 0, 0}, NULL, "a.service: error[U001]: bad 7"},
		{{NULL, 0, 0, 0}, NULL, "error[U001]: bad 7"},
	};
	struct arena arena = {0};
	struct diag_list l;
	const struct diag *d;

	diag_init(&l, &arena);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		diag_add(&l, "U001", DIAG_ERROR, i == 2, rows[i].place, rows[i].suggestion,
			 "bad %d", 7);
	d = l.first;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++, d = d->next) {
		AUTO_MEM char *text = render(d);

		ck_assert_str_eq(text, rows[i].want);
		ck_assert(d->is_fatal == (i == 2));
	}
	ck_assert_ptr_null(d);
	ck_assert_uint_eq(l.n[DIAG_ERROR], ARRAY_SIZE(rows));
	ck_assert(l.has_fatal && !l.lost);
	arena_fini(&arena);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

START_TEST(remembers_what_it_could_not_keep)
{
	struct arena arena = {0};
	struct diag_list l;

	diag_init(&l, &arena);
	mem_stats.fail_at = 1;
	mem_stats.fail_persists = true;
	diag_add(&l, "U001", DIAG_ERROR, true, (struct diag_place){"x", 1, 1, 1}, "s", "text");
	mem_stats.fail_at = 0;
	ck_assert(l.lost && l.has_fatal);
	ck_assert_ptr_null(l.first);
	ck_assert_uint_eq(l.n[DIAG_ERROR], 1);
	arena_fini(&arena);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("diag");
	TCase *t = tcase_create("all");

	tcase_add_test(t, renders_one_line);
	tcase_add_test(t, remembers_what_it_could_not_keep);
	suite_add_tcase(s, t);
	return suite_run(s);
}
