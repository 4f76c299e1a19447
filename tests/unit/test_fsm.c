/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "core/event.h"
#include "core/fsm.h"
#include "suite.h"

enum { OFF, ON, STATES };
enum { UP, DOWN, MACHINE_EVENTS };

static const struct fsm_state states[STATES] = {{.name = "dead"},
						{.name = "running", .coarse = ACTIVE}};
static const char *const events[MACHINE_EVENTS] = {"up", "down"};
static const struct fsm_cell cells[STATES][MACHINE_EVENTS] = {
	[OFF] = {[UP] = {ON + 1, FX_SPAWN_MAIN}},
	[ON] = {[DOWN] = {OFF + 1, FX_KILL_TERM}},
};
static const struct fsm machine = {"lamp", STATES, MACHINE_EVENTS, states, events, &cells[0][0]};

START_TEST(looks_up_cells_and_names)
{
	ck_assert_uint_eq(fsm_cell(&machine, OFF, UP)->go, ON + 1);
	ck_assert_uint_eq(fsm_cell(&machine, ON, DOWN)->fx, FX_KILL_TERM);
	ck_assert_ptr_null(fsm_cell(&machine, OFF, DOWN));
	ck_assert_ptr_null(fsm_cell(&machine, ON, UP));
	ck_assert_str_eq(fsm_state_name(&machine, ON), "running");
	ck_assert_str_eq(fsm_state_name(&machine, STATES), "?");
	ck_assert_int_eq(fsm_state_by_name(&machine, "running"), ON);
	ck_assert_int_eq(fsm_state_by_name(&machine, "runnin"), -1);
}
END_TEST

static void check_table(const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		ck_assert_ptr_nonnull(names[i]);
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(names[i], names[k]);
	}
}

START_TEST(every_name_is_there_once)
{
	check_table(coarse_names, COARSES);
	check_table(effect_names, EFFECT_BITS);
	check_table(event_names, EVENT_KINDS);
	check_table(cause_names, CAUSE_KINDS);
	check_table(cause_words, CAUSE_KINDS);
	ck_assert_str_eq(cause_names[CAUSE_ON_FAILURE], "on-failure");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsm");
	TCase *t = tcase_create("all");

	tcase_add_test(t, looks_up_cells_and_names);
	tcase_add_test(t, every_name_is_there_once);
	suite_add_tcase(s, t);
	return suite_run(s);
}
