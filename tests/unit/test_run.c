/* SPDX-License-Identifier: MIT */
/* What the engine's news make of the manager's own knowledge, while no effect is run. */
#include "core/run.h"

#include "core/procs.h"
#include "suite.h"
#include "units/service.h"

enum { SLOT = 7, TOKEN = 5 };

static struct hark hark;
static struct bank_seen seen[SLOT + 1];
static struct ledger ledger;
static struct engine_ops ops;
static uint64_t now_us;

static uint64_t clock_now(void *arg)
{
	return *(uint64_t *)arg;
}

/* PID 1 has too much to do already: all effects wait. */
static bool is_behind(void *arg UNUSED)
{
	return true;
}

static uint32_t no_slot(void *arg UNUSED, struct unit *u UNUSED)
{
	return 0;
}

static void setup(void)
{
	static const struct unit_type_ops *const types[] = {&service_ops};

	now_us = US_PER_SEC;
	ops = (struct engine_ops){.load = run_ops.load,
				  .changed = run_ops.changed,
				  .job_done = run_ops.job_done,
				  .emergency = run_ops.emergency,
				  .is_behind = is_behind,
				  .slot = no_slot};
	ck_assert_int_eq(loop_init(&hark.loop, clock_now, &now_us), 0);
	ck_assert_int_eq(registry_init(&hark.reg, types, ARRAY_SIZE(types)), 0);
	ck_assert_int_eq(load_init(&hark.load, "/nonexistent", ""), 0);
	ck_assert_int_eq(engine_init(&hark.engine, &hark.loop, &hark.reg, &ledger, &ops, &hark), 0);
	hark.bank.seen = seen;
}

/* It had its SIGKILL and is not gone. Its restart is asked for, and its time is up: the start is under way before anything else is done. */
START_TEST(who_outlives_his_run_is_of_no_other)
{
	struct cause cause = {.kind = CAUSE_USER, .unit = UNIT_NONE};
	struct unit *u = registry_get(&hark.reg, "stuck.service");
	struct service *s = service_of(u);

	ck_assert_int_eq(load_unit_text(&hark.load, u->name, "/test/unit",
					STR("[Unit]\nDefaultDependencies=no\n"
					    "[Service]\nExecStart=/bin/true\n"),
					&u->config),
			 0);
	engine_restore(&hark.engine, u, SVC_FINAL_SIGKILL, now_us + US_PER_SEC, 0);
	s->main = (struct proc_ref){.slot = SLOT + 1, .token = TOKEN, .pid = 42};
	seen[SLOT] = (struct bank_seen){.token = TOKEN, .user = {.unit = u->id, .role = ROLE_MAIN}};
	ck_assert_int_eq(
		engine_request(&hark.engine, u, JOB_RESTART, MODE_REPLACE, &cause, true, NULL), 0);
	ck_assert_int_eq(loop_turn(&hark.loop, 0), 0);
	ck_assert_str_eq(unit_substate(u), "final-sigkill");
	now_us += 2 * US_PER_SEC;
	ck_assert_int_eq(loop_turn(&hark.loop, 0), 0);
	ck_assert_str_eq(unit_substate(u), "start");
	ck_assert_uint_eq(s->main.slot, 0);
	ck_assert_uint_eq(procs_find(&hark, SLOT, TOKEN)->unit, UNIT_NONE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("run");
	TCase *t = tcase_create("run");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, who_outlives_his_run_is_of_no_other);
	suite_add_tcase(s, t);
	return suite_run(s);
}
