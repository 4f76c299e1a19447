/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "core/asked.h"
#include "core/fd.h"
#include "suite.h"

static struct asked_log asked;
static struct state_table state;

static void set_up(void)
{
	ck_assert_int_eq(asked_open(&asked, -1), 0);
	ck_assert_int_eq(state_open(&state, -1), 0);
}

static void store(const char *name)
{
	struct state_unit u = {.state = 1};

	state_put(&state, state_slot_of(&state, name), &u);
}

/* The manager dies; what is found by the next. */
static struct asked *next_life(uint64_t id)
{
	int fd = asked.fd;

	fd_unmap(asked.ring, sizeof(*asked.ring));
	ck_assert_int_eq(asked_open(&asked, fd), 0);
	asked_settle(&asked, &state);
	return asked_find(&asked, id, 0);
}

START_TEST(a_step_counts_with_its_commit)
{
	struct asked *a = asked_find(&asked, 7, 0);

	ck_assert(!asked_was_performed(a, 0));
	store("a.service");
	asked_perform(a, 0, &state);
	a = next_life(7);
	ck_assert(!asked_was_performed(a, 0));
	store("a.service");
	asked_perform(a, 0, &state);
	state_commit(&state);
	store("b.service");
	asked_perform(a, 1, &state);
	asked_perform(a, 2, &state);
	a = next_life(7);
	ck_assert(asked_was_performed(a, 0));
	ck_assert(!asked_was_performed(a, 1));
}
END_TEST

START_TEST(requests_are_told_apart)
{
	struct asked *a = asked_find(&asked, 7, 0);

	asked_end_outside(a, 0);
	ck_assert(asked_was_performed(asked_find(&asked, 7, 0), 0));
	ck_assert(!asked_was_performed(asked_find(&asked, 7, 1000), 0));
	ck_assert(!asked_was_performed(asked_find(&asked, 8, 0), 0));
	ck_assert_ptr_null(asked_find(&asked, 0, 0));
	for (uint64_t id = 100; id < 100 + ASKED_RECORDS; id++)
		ck_assert_ptr_nonnull(asked_find(&asked, id, 0));
	ck_assert(!asked_was_performed(asked_find(&asked, 7, 0), 0)); /* too long ago */
}
END_TEST

START_TEST(a_step_outside_may_be_unknown)
{
	struct asked *a = asked_find(&asked, 7, 0);

	asked_begin_outside(a, 0);
	asked_end_outside(a, 0);
	asked_begin_outside(a, 1);
	a = next_life(7);
	ck_assert(asked_was_performed(a, 0) && !asked_is_unknown(a, 0));
	ck_assert(!asked_was_performed(a, 1) && asked_is_unknown(a, 1));
	asked_end_outside(a, 1);
	a = next_life(7);
	ck_assert(asked_was_performed(a, 1) && !asked_is_unknown(a, 2));
}
END_TEST

START_TEST(what_is_no_ring_is_refused)
{
	struct asked_log other;

	ck_assert_int_eq(asked_open(&other, state.fd), -EBADMSG);
	asked.ring->layout++;
	ck_assert_int_eq(asked_open(&other, asked.fd), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("asked");
	TCase *t = tcase_create("asked");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, a_step_counts_with_its_commit);
	tcase_add_test(t, requests_are_told_apart);
	tcase_add_test(t, a_step_outside_may_be_unknown);
	tcase_add_test(t, what_is_no_ring_is_refused);
	suite_add_tcase(s, t);
	return suite_run(s);
}
