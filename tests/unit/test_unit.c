/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "core/log.h"
#include "fake_type.h"
#include "suite.h"

START_TEST(checks_names)
{
	static const struct {
		const char *name;
		bool ok;
	} rows[] = {
		{"a.service", true},
		{"a@b.service", true},
		{"dev-sda\\x2d1.service", true},
		{"a:b_c.socket", true},
		{"a", false},
		{"", false},
		{".service", false},
		{"a b.service", false},
		{"a/b.service", false},
		{"a.mount", false},
		{"a.services", false},
		{"a.service.", false},
		{"\xc3\xa4.service", false},
	};
	struct registry r;
	char name[300];

	fake_registry(&r);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_msg((registry_get(&r, rows[i].name) != NULL) == rows[i].ok, "%s",
			      rows[i].name);
	memset(name, 'x', sizeof(name));
	memcpy(name + 247, ".service", 9);
	ck_assert_ptr_nonnull(registry_get(&r, name));
	memset(name, 'x', sizeof(name));
	memcpy(name + 248, ".service", 9);
	ck_assert_ptr_null(registry_get(&r, name));
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

static const char *canonical(void *arg, const char *name)
{
	ck_assert_str_eq(arg, "arg");
	if (strcmp(name, "alias.service") == 0 || strcmp(name, "other.service") == 0)
		return "real.service";
	return strcmp(name, "odd.service") == 0 ? "real.socket" : NULL;
}

START_TEST(follows_aliases)
{
	static char arg[] = "arg";
	struct registry r;
	struct unit *u;
	uint32_t id;

	fake_registry(&r);
	r.canonical = canonical;
	r.canonical_arg = arg;
	u = registry_get(&r, "alias.service");
	ck_assert_str_eq(u->name, "real.service");
	ck_assert_ptr_eq(registry_get(&r, "other.service"), u);
	ck_assert_ptr_eq(registry_find(&r, "real.service"), u);
	ck_assert_ptr_eq(registry_find(&r, "alias.service"), u);
	ck_assert_str_eq(registry_get(&r, "odd.service")->name, "odd.service");
	id = u->id;
	registry_drop(&r, u);
	ck_assert_ptr_null(registry_find(&r, "alias.service"));
	ck_assert_ptr_null(registry_find(&r, "real.service"));
	ck_assert_ptr_null(registry_unit(&r, id));
	ck_assert_uint_ne(registry_get(&r, "real.service")->id, id);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
	ck_assert_uint_eq(check_failures(), 0);
}
END_TEST

START_TEST(stays_whole_without_memory)
{
	static char arg[] = "arg";

	for (unsigned n = 1; n < 200; n++) {
		struct registry r = {0};
		struct unit *u = NULL;

		mem_stats.total_n = 0;
		mem_stats.fail_at = n;
		if (registry_init(&r, fake_types, ARRAY_SIZE(fake_types)) == 0) {
			r.canonical = canonical;
			r.canonical_arg = arg;
			u = registry_get(&r, "alias.service");
		}
		mem_stats.fail_at = 0;
		if (!u)
			ck_assert_uint_eq(r.n, 0);
		registry_fini(&r);
		ck_assert_uint_eq(mem_stats.live_n, 0);
		if (u)
			return;
	}
	ck_abort_msg("never succeeded");
}
END_TEST

START_TEST(speaks_of_units)
{
	struct registry r;
	struct unit *u;

	fake_registry(&r);
	u = registry_get(&r, "a.service");
	ck_assert_int_eq(unit_load_state(u), LOAD_STUB);
	ck_assert_str_eq(unit_description(u), "a.service");
	ck_assert_str_eq(unit_substate(u), "dead");
	fake_unit(&r, "a.service", ACTIVE)->config->description = "words";
	ck_assert_str_eq(unit_description(u), "words");
	ck_assert(unit_is_active(u) && !unit_is_at_rest(u));
	ck_assert_int_eq(unit_type_of("a.b.swap"), UNIT_SWAP);
	registry_fini(&r);
}
END_TEST

static void on_timer(struct timer *t UNUSED)
{
}

START_TEST(what_rests_is_forgotten)
{
	struct registry r;
	struct loop loop;
	struct list queue;
	struct unit_work *idle, *jobs, *armed, *queued;

	fake_registry(&r);
	list_init(&queue);
	ck_assert_int_eq(loop_init(&loop, NULL, NULL), 0);
	idle = unit_work(registry_get(&r, "idle.service"));
	jobs = unit_work(registry_get(&r, "jobs.service"));
	armed = unit_work(registry_get(&r, "armed.service"));
	queued = unit_work(registry_get(&r, "queued.service"));
	idle->job.begin_us = 7;
	jobs->job.id = 1;
	armed->timer.fn = on_timer;
	loop_timer_arm(&loop, &armed->timer, 1);
	list_add_tail(&queue, &queued->fx_node);
	registry_rest(&r);
	ck_assert_uint_eq(idle->job.begin_us, 0);
	ck_assert_ptr_null(idle->unit);
	ck_assert_ptr_nonnull(jobs->unit);
	ck_assert_ptr_nonnull(queued->unit);
	ck_assert(armed->unit && armed->timer.is_armed);
	loop_timer_disarm(&loop, &armed->timer);
	loop_fini(&loop);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

START_TEST(many_names_are_quick)
{
	struct registry r;
	char name[32];

	fake_registry(&r);
	for (unsigned i = 0; i < 100000; i++) {
		(void)snprintf(name, sizeof(name), "u%u.service", i);
		ck_assert_uint_eq(registry_get(&r, name)->id, i);
	}
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("unit");
	TCase *t = tcase_create("all");

	tcase_add_test(t, checks_names);
	tcase_add_test(t, follows_aliases);
	tcase_add_test(t, stays_whole_without_memory);
	tcase_add_test(t, speaks_of_units);
	tcase_add_test(t, what_rests_is_forgotten);
	tcase_add_test(t, many_names_are_quick);
	suite_add_tcase(s, t);
	return suite_run(s);
}
