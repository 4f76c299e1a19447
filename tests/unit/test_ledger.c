/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/ledger.h"
#include "suite.h"

static struct ledger l, saved;

static uint64_t add(uint32_t parent, const char *text)
{
	struct ledger_entry e = {.kind = LEDGER_NOTE, .cause = CAUSE_USER, .parent = parent};

	return ledger_add(&l, &e, text);
}

START_TEST(entries_are_found_until_overwritten)
{
	ledger_adopt(&l);
	for (uint64_t i = 1; i <= LEDGER_ENTRIES + 3; i++)
		ck_assert_uint_eq(add((uint32_t)i - 1, "x"), i);
	ck_assert_ptr_null(ledger_get(&l, 0));
	ck_assert_ptr_null(ledger_get(&l, 3));
	ck_assert_uint_eq(ledger_get(&l, 4)->seq, 4);
	ck_assert_uint_eq(ledger_get(&l, LEDGER_ENTRIES + 3)->parent, LEDGER_ENTRIES + 2);
	ck_assert_ptr_null(ledger_get(&l, LEDGER_ENTRIES + 4));
}
END_TEST

/* Only what an outside party is called; an entry outlives its text, and never gets another's. */
START_TEST(texts_have_a_ring_of_their_own)
{
	const char longest[] = "0123456789012345678901234567890123456789012345678901234567890";
	uint64_t first, quiet;

	ledger_adopt(&l);
	first = add(0, longest);
	quiet = add(0, "");
	ck_assert_uint_eq(strlen(ledger_text(&l, ledger_get(&l, first))), LEDGER_TEXT - 1);
	ck_assert_str_eq(ledger_text(&l, ledger_get(&l, quiet)), "");
	ledger_name_peer(&l, quiet, 0, &(struct ledger_peer){"a peer", 1, 2});
	ck_assert_str_eq(ledger_text(&l, ledger_get(&l, quiet)), "a peer");
	for (unsigned i = 0; i < LEDGER_TEXTS - 1; i++)
		add(0, "x");
	ck_assert_str_eq(ledger_text(&l, ledger_get(&l, first)), "");
	ck_assert_str_eq(ledger_text(&l, ledger_get(&l, quiet)), "a peer");
	add(0, "x");
	ck_assert_str_eq(ledger_text(&l, ledger_get(&l, quiet)), "");
}
END_TEST

START_TEST(a_parent_is_older)
{
	ledger_adopt(&l);
	ck_assert_uint_eq(ledger_get(&l, add(7, "from the future"))->parent, 0);
}
END_TEST

START_TEST(an_entry_without_its_count_counts)
{
	ledger_adopt(&l);
	add(0, "a");
	add(1, "b");
	l.next = 2; /* died before the count */
	ledger_adopt(&l);
	ck_assert_str_eq(ledger_text(&l, ledger_get(&l, 2)), "b");
	ck_assert_uint_eq(add(2, "c"), 3);
}
END_TEST

/* Every walk along parents must end, every text must have its end. */
static void check_sane(void)
{
	for (uint64_t seq = 1; seq < 40; seq++) {
		const struct ledger_entry *e = ledger_get(&l, seq);

		for (unsigned steps = 0; e; e = ledger_get(&l, e->parent)) {
			ck_assert_uint_lt(steps++, 40);
			ck_assert_uint_lt(e->kind, LEDGER_KINDS);
			ck_assert_uint_lt(e->cause, CAUSE_KINDS);
			ck_assert_uint_lt(strnlen(ledger_text(&l, e), LEDGER_TEXT), LEDGER_TEXT);
		}
	}
}

enum { SPOILT = 12 };

static void restore(void)
{
	memcpy(&l, &saved, offsetof(struct ledger, ring) + SPOILT * sizeof(struct ledger_entry));
	memcpy(l.texts, saved.texts, SPOILT * sizeof(struct ledger_text));
}

static void spoil(size_t from, size_t n)
{
	for (size_t at = from; at < from + n; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			((unsigned char *)&l)[at] ^= (unsigned char)(1u << bit);
			ledger_adopt(&l);
			check_sane();
			ck_assert_uint_gt(add(1, "more"), 0);
			restore();
		}
	}
}

START_TEST(any_byte_may_be_wrong)
{
	ledger_adopt(&l);
	for (uint64_t i = 1; i < 10; i++)
		add((uint32_t)i - 1, "text");
	saved = l;
	spoil(0, offsetof(struct ledger, ring) + SPOILT * sizeof(struct ledger_entry));
	spoil(offsetof(struct ledger, texts), SPOILT * sizeof(struct ledger_text));
}
END_TEST

START_TEST(numbers_begin_anew)
{
	ledger_adopt(&l);
	ck_assert_uint_eq(add(0, "first"), 1);
	l.next = UINT32_MAX;
	ck_assert_uint_eq(add(0, "last"), UINT32_MAX);
	ck_assert_str_eq(ledger_text(&l, ledger_get(&l, UINT32_MAX)), "last");
	ck_assert_uint_eq(add(UINT32_MAX, "first again"), 1);
	ck_assert_uint_eq(ledger_get(&l, 1)->parent, 0);
	ck_assert_str_eq(ledger_text(&l, ledger_get(&l, 1)), "first again");
	ck_assert_ptr_null(ledger_get(&l, UINT32_MAX));
	ck_assert_uint_eq(add(1, "second"), 2);
	check_sane();
}
END_TEST

START_TEST(wrong_counts_begin_anew)
{
	l.next = UINT64_MAX;
	ledger_adopt(&l);
	ck_assert_uint_eq(add(0, "x"), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ledger");
	TCase *t = tcase_create("ledger");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, entries_are_found_until_overwritten);
	tcase_add_test(t, texts_have_a_ring_of_their_own);
	tcase_add_test(t, a_parent_is_older);
	tcase_add_test(t, an_entry_without_its_count_counts);
	tcase_add_test(t, any_byte_may_be_wrong);
	tcase_add_test(t, numbers_begin_anew);
	tcase_add_test(t, wrong_counts_begin_anew);
	suite_add_tcase(s, t);
	return suite_run(s);
}
