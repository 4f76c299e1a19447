/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/mem.h"
#include "core/str.h"
#include "suite.h"

static void ck_str(struct str s, const char *expected)
{
	ck_assert_msg(str_eq_z(s, expected), "'" STR_FMT "' is not '%s'", STR_ARG(s), expected);
}

START_TEST(compare)
{
	struct str none = {0};

	ck_assert(str_eq(none, STR("")));
	ck_assert(str_eq(STR("ab"), str_of("ab")));
	ck_assert(!str_eq(STR("ab"), STR("aB")));
	ck_assert(!str_eq(STR("ab"), STR("abc")));
	ck_assert(str_eq_case(STR("YeS"), STR("yEs")));
	ck_assert(!str_eq_case(STR("yes"), STR("ye")));
	ck_assert(!str_eq_case(STR("@"), STR("`")));
	ck_assert_int_lt(str_cmp(STR("ab"), STR("abc")), 0);
	ck_assert_int_gt(str_cmp(STR("b"), STR("abc")), 0);
	ck_assert_int_eq(str_cmp(none, STR("")), 0);
	ck_assert(str_has_prefix(STR("abc"), STR("ab")));
	ck_assert(!str_has_prefix(STR("a"), STR("ab")));
	ck_assert(str_has_suffix(STR("a.service"), STR(".service")));
	ck_assert(!str_has_suffix(STR("service"), STR(".service")));
	ck_assert(str_has_suffix(none, none));
}
END_TEST

START_TEST(pieces)
{
	struct str none = {0};

	ck_str(str_trim(STR(" \t a b\r\n")), "a b");
	ck_str(str_trim(STR("  ")), "");
	ck_str(str_trim(none), "");
	ck_assert_uint_eq(str_index(STR("a=b=c"), '='), 1);
	ck_assert_uint_eq(str_rindex(STR("a=b=c"), '='), 3);
	ck_assert_uint_eq(str_index(STR("abc"), '='), 3);
	ck_assert_uint_eq(str_rindex(none, '='), 0);
	ck_str(str_sub(STR("abcdef"), 2, 4), "cd");
	ck_str(str_sub(STR("abc"), 2, 99), "c");
	ck_str(str_sub(STR("abc"), 9, 99), "");
	ck_str(str_sub(STR("abc"), 2, 1), "");
}
END_TEST

START_TEST(cut_gives_empty_pieces)
{
	static const char *const expected[] = {"a", "", "b", ""};
	struct str rest = STR("a::b:");
	struct str empty = STR("");
	struct str piece;
	size_t n = 0;

	while (str_cut(&rest, ':', &piece)) {
		ck_assert_uint_lt(n, ARRAY_SIZE(expected));
		ck_str(piece, expected[n++]);
	}
	ck_assert_uint_eq(n, ARRAY_SIZE(expected));
	ck_assert(str_cut(&empty, ':', &piece));
	ck_assert(!str_cut(&empty, ':', &piece));
}
END_TEST

START_TEST(words_skip_blanks)
{
	struct str rest = STR("  one\ttwo \n three ");
	struct str word;

	ck_assert(str_word(&rest, &word));
	ck_str(word, "one");
	ck_assert(str_word(&rest, &word));
	ck_str(word, "two");
	ck_assert(str_word(&rest, &word));
	ck_str(word, "three");
	ck_assert(!str_word(&rest, &word));
}
END_TEST

START_TEST(numbers)
{
	static const struct {
		const char *text;
		int r;
		int64_t value;
	} row[] = {
		{"0", 0, 0},
		{"-7", 0, -7},
		{"+7", 0, 7},
		{"9223372036854775807", 0, INT64_MAX},
		{"9223372036854775808", -ERANGE, 0},
		{"-9223372036854775808", 0, INT64_MIN},
		{"-9223372036854775809", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"-", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"0x1", -EINVAL, 0},
		{"99999999999999999999x", -EINVAL, 0},
	};
	uint64_t u;
	uint32_t o;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		int64_t v = 0;

		ck_assert_int_eq(str_to_i64(str_of(row[i].text), &v), row[i].r);
		ck_assert_int_eq(v, row[i].value);
	}
	ck_assert_int_eq(str_to_u64(STR("18446744073709551615"), &u), 0);
	ck_assert_uint_eq(u, UINT64_MAX);
	ck_assert_int_eq(str_to_u64(STR("18446744073709551616"), &u), -ERANGE);
	ck_assert_int_eq(str_to_u64(STR("-1"), &u), -EINVAL);
	ck_assert_int_eq(str_to_octal(STR("0755"), &o), 0);
	ck_assert_uint_eq(o, 0755);
	ck_assert_int_eq(str_to_octal(STR("08"), &o), -EINVAL);
	ck_assert_int_eq(str_to_octal(STR("37777777777"), &o), 0);
	ck_assert_int_eq(str_to_octal(STR("40000000000"), &o), -ERANGE);
}
END_TEST

START_TEST(numbers_survive_a_round_trip)
{
	char text[32];

	srand(2);
	for (int i = 0; i < 10000; i++) {
		uint64_t v = ((uint64_t)rand() << 33 ^ (uint64_t)rand()) >> (rand() % 64);
		int64_t back_i;
		uint64_t back_u;

		snprintf(text, sizeof(text), "%" PRIu64, v);
		ck_assert_int_eq(str_to_u64(str_of(text), &back_u), 0);
		ck_assert_uint_eq(back_u, v);
		snprintf(text, sizeof(text), "%" PRId64, (int64_t)v);
		ck_assert_int_eq(str_to_i64(str_of(text), &back_i), 0);
		ck_assert_int_eq(back_i, (int64_t)v);
	}
}
END_TEST

START_TEST(distance)
{
	char longest[65];

	memset(longest, 'a', sizeof(longest));
	ck_assert_uint_eq(str_distance(STR(""), STR(""), 9), 0);
	ck_assert_uint_eq(str_distance(STR(""), STR("abc"), 9), 3);
	ck_assert_uint_eq(str_distance(STR("abc"), STR(""), 9), 3);
	ck_assert_uint_eq(str_distance(STR("kitten"), STR("sitting"), 9), 3);
	ck_assert_uint_eq(str_distance(STR("ExecStrat"), STR("ExecStart"), 9), 1);
	ck_assert_uint_eq(str_distance(STR("ca"), STR("abc"), 9), 3);
	ck_assert_uint_eq(str_distance(STR("kitten"), STR("sitting"), 2), UINT_MAX);
	ck_assert_uint_eq(str_distance((struct str){longest, 63}, STR(""), 63), 63);
	ck_assert_uint_eq(str_distance((struct str){longest, 64}, STR(""), 99), UINT_MAX);
	ck_assert_uint_eq(str_distance(STR(""), (struct str){longest, 64}, 99), UINT_MAX);
}
END_TEST

START_TEST(hash_tells_apart)
{
	/* Names that differ in one place, in length, by what follows a common word. */
	static const char *const names[] = {"",
					    "a",
					    "b",
					    "a.service",
					    "a.socket",
					    "s10.service",
					    "s1.service",
					    "s01.service",
					    "12345678",
					    "123456789",
					    "1234567812345678",
					    "87654321",
					    "12345678\1"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_uint_ne(str_hash(str_of(names[i])), str_hash(str_of(names[k])));
	/* Zero bytes count, though the last word is filled up with them. */
	ck_assert_uint_ne(str_hash((struct str){"a\0", 2}), str_hash(STR("a")));
}
END_TEST

START_TEST(sbuf_builds)
{
	struct sbuf b = {0};
	AUTO_MEM char *text = NULL;
	AUTO_MEM char *empty = NULL;

	for (int i = 0; i < 1000; i++) {
		sbuf_add_c(&b, 'a');
		sbuf_add_z(&b, "bc");
		sbuf_add(&b, STR("d"));
		sbuf_addf(&b, "%03d", i);
	}
	ck_assert_uint_eq(b.n, 7000);
	ck_assert_uint_eq(strlen(b.p), 7000);
	text = sbuf_take(&b);
	ck_assert_mem_eq(text + 6993, "abcd999", 8);
	empty = sbuf_take(&b);
	ck_assert_str_eq(empty, "");
	sbuf_addf(&b, "%s", "");
	sbuf_add_z(&b, "x");
	sbuf_reset(&b);
	sbuf_add_z(&b, "y");
	ck_assert_str_eq(b.p, "y");
	sbuf_fini(&b);
	ck_assert_uint_eq(mem_stats.live_n, 2);
}
END_TEST

START_TEST(sbuf_keeps_the_first_error)
{
	/* Whichever allocation fails, nothing leaks and the text is never half there. */
	for (uint64_t at = 1; at < 8; at++) {
		struct sbuf b = {0};
		char *text;

		mem_stats = (struct mem_stats){.fail_at = at};
		for (int i = 0; i < 200; i++)
			sbuf_addf(&b, "number %d,", i);
		text = sbuf_take(&b);
		ck_assert_int_eq(text == NULL, mem_stats.total_n >= at);
		mem_put(text);
		ck_assert_uint_eq(mem_stats.live_n, 0);
		ck_assert_int_eq(b.err, 0);
	}
}
END_TEST

START_TEST(append_counts_what_it_cuts)
{
	char out[6] = "xxxxx";
	size_t n = str_append(out, sizeof(out), 0, STR("abc"));

	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(out, "abc");
	ck_assert_uint_eq(str_append(out, sizeof(out), n, (struct str){0}), 3);
	ck_assert_str_eq(out, "abc");
	n = str_append(out, sizeof(out), n, STR("de"));
	ck_assert_uint_eq(n, 5);
	ck_assert_str_eq(out, "abcde");
	ck_assert_uint_eq(str_append(out, sizeof(out), 3, STR("xyz")), 6);
	ck_assert_str_eq(out, "abcxy");
	ck_assert_uint_eq(str_append(out, sizeof(out), 6, STR("more")), 10);
	ck_assert_str_eq(out, "abcxy");
	ck_assert_uint_eq(str_append(out, 1, 0, STR("a")), 1);
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(sbuf_refuses_absurd_sizes)
{
	struct sbuf b = {0};

	sbuf_add(&b, (struct str){"x", SIZE_MAX / 2});
	ck_assert_int_eq(b.err, -ENOMEM);
	sbuf_add_z(&b, "more");
	ck_assert_uint_eq(b.n, 0);
	sbuf_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("str");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, compare);
	tcase_add_test(tc, pieces);
	tcase_add_test(tc, cut_gives_empty_pieces);
	tcase_add_test(tc, words_skip_blanks);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, numbers_survive_a_round_trip);
	tcase_add_test(tc, distance);
	tcase_add_test(tc, hash_tells_apart);
	tcase_add_test(tc, append_counts_what_it_cuts);
	tcase_add_test(tc, sbuf_builds);
	tcase_add_test(tc, sbuf_keeps_the_first_error);
	tcase_add_test(tc, sbuf_refuses_absurd_sizes);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
