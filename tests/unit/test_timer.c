/* SPDX-License-Identifier: MIT */
/* Timers without clocks: when they elapse next, and what their machine does. */
#include <check.h>
#include <stdlib.h>

#include "suite.h"
#include "units/load.h"
#include "units/timer.h"

#define S US_PER_SEC
#define DAY_S UINT64_C(86400)
#define WALL (1609459200 * S) /* 2021-01-01 00:00 UTC, a Friday */

static struct load load;

static void setup(void)
{
	ck_assert_int_eq(load_init(&load, "/nonexistent", ""), 0);
}

static void teardown(void)
{
	load_fini(&load);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}

static const struct zone *no_zone(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

/* The machine has run for 1000 s, the timer is 100 s old, nothing else ever happened. */
static struct timer_facts facts(void)
{
	return (struct timer_facts){.now_us = 1000 * S,
				    .now_wall_us = WALL,
				    .active_us = 900 * S,
				    .startup_us = 50 * S,
				    .zone = no_zone};
}

/* In seconds of the monotonic clock; TIME_NEVER as it is. */
static uint64_t next_s(const char *lines, const struct timer_facts *f)
{
	struct sbuf text = {0};
	struct unit_config *c = NULL;
	uint64_t due;

	sbuf_addf(&text, "[Timer]\n%s\n", lines);
	ck_assert_int_eq(load_unit_text(&load, "a.timer", "t", str_of(text.p), &c), 0);
	ck_assert_int_eq(c->load, LOAD_LOADED);
	due = timer_next_us(c->own->timer, f);
	unit_config_free(c);
	sbuf_fini(&text);
	return due == TIME_NEVER ? due : due / S;
}

START_TEST(monotonic_bases)
{
	struct timer_facts f = facts();

	ck_assert_uint_eq(next_s("OnActiveSec=200", &f), 1100);
	ck_assert_uint_eq(next_s("OnBootSec=2000", &f), 2000);
	ck_assert_uint_eq(next_s("OnStartupSec=2000", &f), 2050);
	ck_assert_uint_eq(next_s("OnUnitActiveSec=10", &f), TIME_NEVER);
	ck_assert_uint_eq(next_s("OnUnitInactiveSec=10\nOnBootSec=3000", &f), 3000);
	ck_assert_uint_eq(next_s("OnBootSec=infinity", &f), TIME_NEVER);
	f.unit_start_us = 995 * S;
	f.unit_end_us = 998 * S;
	ck_assert_uint_eq(next_s("OnUnitActiveSec=10", &f), 1005);
	ck_assert_uint_eq(next_s("OnUnitInactiveSec=10", &f), 1008);
	ck_assert_uint_eq(next_s("OnUnitInactiveSec=10\nOnUnitActiveSec=10", &f), 1005);
	f.last_us = 999 * S;
	ck_assert_uint_eq(next_s("OnUnitActiveSec=10", &f), 1009);
}
END_TEST

START_TEST(what_comes_once_comes_once)
{
	struct timer_facts f = facts();

	/* Missed when it was started: at once. Done: never again, but what is to come still comes. */
	ck_assert_uint_eq(next_s("OnBootSec=10", &f), 10);
	f.last_us = 950 * S;
	ck_assert_uint_eq(next_s("OnBootSec=10", &f), TIME_NEVER);
	ck_assert_uint_eq(next_s("OnActiveSec=10", &f), TIME_NEVER);
	ck_assert_uint_eq(next_s("OnBootSec=10\nOnBootSec=1010", &f), 1010);
}
END_TEST

START_TEST(calendars)
{
	struct timer_facts f = facts();

	ck_assert_uint_eq(next_s("OnCalendar=00:10", &f), 1600);
	ck_assert_uint_eq(next_s("OnCalendar=Mon\nOnBootSec=5000", &f), 5000);
	ck_assert_uint_eq(next_s("OnCalendar=2020-1-1", &f), TIME_NEVER);
	/* Missed since the timer was started: now. */
	ck_assert_uint_eq(next_s("OnCalendar=23:59", &f), 1000);
	/* The clock was set forward, over the time: now. It was set back: the time is still to come. */
	f.active_wall_us = WALL - 3600 * S;
	ck_assert_uint_eq(next_s("OnCalendar=23:10", &f), 1000);
	f.active_wall_us = WALL + 3600 * S;
	ck_assert_uint_eq(next_s("OnCalendar=00:10", &f), 1600);
	/* Missed while the machine was off, as the stamp says: now. Done a moment ago: tomorrow. */
	f.last_wall_us = WALL - 3 * DAY_S * S;
	ck_assert_uint_eq(next_s("OnCalendar=daily", &f), 1000);
	f.last_wall_us = WALL;
	ck_assert_uint_eq(next_s("OnCalendar=daily", &f), 1000 + DAY_S);
	f.delay_us = 7 * S;
	ck_assert_uint_eq(next_s("OnCalendar=daily", &f), 1007 + DAY_S);
}
END_TEST

/* The state that follows, or that it was in. *fx: what is to be done. */
static uint8_t after(struct unit *u, uint8_t state, enum event_kind kind, uint32_t *fx)
{
	struct event e = {.kind = (uint8_t)kind};
	int event = timer_ops.classify(u, &e);
	const struct fsm_cell *cell = event < 0 ? NULL
						: fsm_cell(timer_ops.fsm, state, (unsigned)event);

	*fx = cell ? cell->fx : 0;
	return cell ? (uint8_t)(cell->go - 1) : state;
}

START_TEST(the_machine)
{
	struct timer_config config = {.remain_after_elapse = true};
	struct unit_own own = {.timer = &config};
	struct unit_config c = {.own = &own};
	struct timer_unit t = {.unit = {.type = UNIT_TIMER, .config = &c}};
	uint32_t fx;

	ck_assert_int_eq(after(&t.unit, TIMER_DEAD, EV_START, &fx), TIMER_WAITING);
	ck_assert_uint_eq(fx, FX_ARM | FX_WATCH);
	ck_assert_int_eq(after(&t.unit, TIMER_WAITING, EV_TRIGGER, &fx), TIMER_RUNNING);
	ck_assert_uint_eq(fx, FX_DISARM | FX_ACTIVATE);
	ck_assert_int_eq(after(&t.unit, TIMER_RUNNING, EV_TRIGGER, &fx), TIMER_RUNNING);
	ck_assert_uint_eq(fx, 0);
	ck_assert_int_eq(after(&t.unit, TIMER_RUNNING, EV_TRIGGERED_DEAD, &fx), TIMER_WAITING);
	ck_assert_uint_eq(fx, FX_WATCH);
	ck_assert_int_eq(after(&t.unit, TIMER_WAITING, EV_NOTHING, &fx), TIMER_ELAPSED);
	ck_assert_int_eq(after(&t.unit, TIMER_ELAPSED, EV_TRIGGERED_ALIVE, &fx), TIMER_WAITING);
	ck_assert_int_eq(after(&t.unit, TIMER_DEAD, EV_TRIGGERED_ALIVE, &fx), TIMER_DEAD);
	config.remain_after_elapse = false;
	ck_assert_int_eq(after(&t.unit, TIMER_WAITING, EV_NOTHING, &fx), TIMER_DEAD);
	ck_assert_int_eq(after(&t.unit, TIMER_DEAD, EV_START_LIMIT, &fx), TIMER_FAILED);
	ck_assert_str_eq(timer_ops.result(&t.unit), "start-limit-hit");
	for (uint8_t state = TIMER_WAITING; state <= TIMER_ELAPSED; state++) {
		ck_assert_int_eq(after(&t.unit, state, EV_STOP, &fx), TIMER_DEAD);
		ck_assert_uint_eq(fx, FX_DISARM);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("timer");
	TCase *t = tcase_create("timer");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, monotonic_bases);
	tcase_add_test(t, what_comes_once_comes_once);
	tcase_add_test(t, calendars);
	tcase_add_test(t, the_machine);
	suite_add_tcase(s, t);
	return suite_run(s);
}
