/* SPDX-License-Identifier: MIT */
#include "fake_plan.h"
#include "suite.h"

/* --- one edge: what a job on a.service does to b.service --- */

static const struct {
	enum job_type job;
	enum dep_type dep; /* written by a.service */
	enum coarse a, b;
	enum job_type want; /* for b.service */
} pulls[] = {
	{JOB_START, DEP_REQUIRES, INACTIVE, INACTIVE, JOB_START},
	{JOB_START, DEP_BINDS_TO, INACTIVE, INACTIVE, JOB_START},
	{JOB_START, DEP_WANTS, INACTIVE, FAILED, JOB_START},
	{JOB_START, DEP_UPHOLDS, INACTIVE, INACTIVE, JOB_START},
	{JOB_START, DEP_REQUISITE, INACTIVE, INACTIVE, JOB_VERIFY},
	{JOB_START, DEP_REQUISITE, INACTIVE, ACTIVE, JOB_NONE},
	{JOB_START, DEP_REQUIRES, INACTIVE, ACTIVE, JOB_NONE},
	{JOB_START, DEP_REQUIRES, INACTIVE, ACTIVATING, JOB_START},
	{JOB_START, DEP_REQUIRES, INACTIVE, DEACTIVATING, JOB_START},
	{JOB_START, DEP_REQUIRES, ACTIVE, INACTIVE, JOB_START},
	{JOB_START, DEP_CONFLICTS, INACTIVE, ACTIVE, JOB_STOP},
	{JOB_START, DEP_CONFLICTED_BY, INACTIVE, ACTIVE, JOB_STOP},
	{JOB_START, DEP_CONFLICTS, INACTIVE, INACTIVE, JOB_NONE},
	{JOB_START, DEP_BEFORE, INACTIVE, INACTIVE, JOB_NONE},
	{JOB_START, DEP_AFTER, INACTIVE, INACTIVE, JOB_NONE},
	{JOB_START, DEP_PART_OF, INACTIVE, INACTIVE, JOB_NONE},
	{JOB_START, DEP_REQUIRED_BY, INACTIVE, INACTIVE, JOB_NONE},
	{JOB_START, DEP_ON_FAILURE, INACTIVE, INACTIVE, JOB_NONE},
	{JOB_START, DEP_TRIGGERS, INACTIVE, INACTIVE, JOB_NONE},
	{JOB_START, DEP_IN_SLICE, INACTIVE, INACTIVE, JOB_NONE},
	{JOB_STOP, DEP_REQUIRED_BY, ACTIVE, ACTIVE, JOB_STOP},
	{JOB_STOP, DEP_REQUISITE_OF, ACTIVE, ACTIVE, JOB_STOP},
	{JOB_STOP, DEP_BOUND_BY, ACTIVE, ACTIVATING, JOB_STOP},
	{JOB_STOP, DEP_CONSISTS_OF, ACTIVE, ACTIVE, JOB_STOP},
	{JOB_STOP, DEP_PROPAGATES_STOP_TO, ACTIVE, ACTIVE, JOB_STOP},
	{JOB_STOP, DEP_REQUIRED_BY, ACTIVE, INACTIVE, JOB_NONE},
	{JOB_STOP, DEP_WANTED_BY, ACTIVE, ACTIVE, JOB_NONE},
	{JOB_STOP, DEP_UPHELD_BY, ACTIVE, ACTIVE, JOB_NONE},
	{JOB_STOP, DEP_REQUIRES, ACTIVE, ACTIVE, JOB_NONE},
	{JOB_STOP, DEP_CONFLICTS, ACTIVE, ACTIVE, JOB_NONE},
	{JOB_RESTART, DEP_REQUIRED_BY, ACTIVE, ACTIVE, JOB_RESTART},
	{JOB_RESTART, DEP_BOUND_BY, ACTIVE, INACTIVE, JOB_NONE},
	{JOB_RESTART, DEP_CONSISTS_OF, ACTIVE, ACTIVE, JOB_RESTART},
	{JOB_RESTART, DEP_PROPAGATES_STOP_TO, ACTIVE, ACTIVE, JOB_RESTART},
	{JOB_RESTART, DEP_REQUIRES, ACTIVE, INACTIVE, JOB_START},
	{JOB_RESTART, DEP_CONFLICTS, ACTIVE, ACTIVE, JOB_STOP},
	{JOB_RELOAD, DEP_PROPAGATES_RELOAD_TO, ACTIVE, ACTIVE, JOB_RELOAD},
	{JOB_RELOAD, DEP_PROPAGATES_RELOAD_TO, ACTIVE, INACTIVE, JOB_NONE},
	{JOB_RELOAD, DEP_REQUIRES, ACTIVE, INACTIVE, JOB_NONE},
	{JOB_TRY_RESTART, DEP_CONSISTS_OF, ACTIVE, ACTIVE, JOB_RESTART},
	{JOB_TRY_RESTART, DEP_CONSISTS_OF, INACTIVE, ACTIVE, JOB_NONE},
	{JOB_RELOAD_OR_START, DEP_REQUIRES, INACTIVE, INACTIVE, JOB_START},
	{JOB_VERIFY, DEP_REQUIRES, ACTIVE, INACTIVE, JOB_NONE},
};

START_TEST(every_dependency_pulls_what_it_says)
{
	struct registry r;
	struct job_plan p;
	struct unit *a;

	fake_registry(&r);
	a = fake_unit(&r, "a.service", pulls[_i].a);
	(void)fake_unit(&r, "b.service", pulls[_i].b);
	fake_dep(a, pulls[_i].dep, "b.service");
	fake_attach(&r);
	ck_assert_int_eq(plan_for(&p, &r, "a.service", pulls[_i].job, MODE_REPLACE), 0);
	ck_assert_msg(type_in(&p, &r, "b.service") == pulls[_i].want, "%s by %s= gave %s",
		      job_type_names[pulls[_i].job], dep_names[pulls[_i].dep],
		      job_type_names[type_in(&p, &r, "b.service")]);
	for (uint32_t i = 0; i < p.n; i++) {
		ck_assert(p.steps[i].is_anchor == (p.steps[i].unit == a->id));
		ck_assert_uint_eq(p.steps[i].cause.unit, p.steps[i].is_anchor ? UNIT_NONE : a->id);
		ck_assert_uint_eq(p.steps[i].cause.entry, by_user.entry);
	}
	job_plan_fini(&p);
	fake_check_mirrors(&r);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

/* --- scenes --- */

static const struct {
	const char *graph;
	enum job_type type; /* on a */
	enum job_mode mode;
	const char *want;
} scenes[] = {
	/* pulling goes on through what is pulled; a chain of stops likewise */
	{"a|needs b;b|wants c;c|needs d", JOB_START, MODE_REPLACE,
	 "a=start b=start c=start d=start"},
	{"a|up;b|up|needs a;c|up|partof b;d|up|wants c", JOB_STOP, MODE_REPLACE,
	 "a=stop b=stop c=stop"},
	/* what is up already ends the pulling */
	{"a|needs b;b|up|needs c", JOB_START, MODE_REPLACE, "a=start"},
	{"a|up|needs b", JOB_START, MODE_REPLACE, "a=start b=start"},
	/* a diamond, and a circle of requirements */
	{"a|needs b|needs c;b|needs d;c|needs d", JOB_START, MODE_REPLACE,
	 "a=start b=start c=start d=start"},
	{"a|needs b;b|needs a", JOB_START, MODE_REPLACE, "a=start b=start"},
	/* what cannot be loaded: refused when needed, left out (with what needs it) when wanted */
	{"a|needs b;b|missing", JOB_START, MODE_REPLACE, "!1 b"},
	{"a|needs b;b|needs c;c|masked", JOB_START, MODE_REPLACE, "!2 c"},
	{"a|wants b;b|masked", JOB_START, MODE_REPLACE, "a=start"},
	{"a|wants b|needs c;b|needs d|wants e;d|missing", JOB_START, MODE_REPLACE,
	 "a=start c=start"},
	{"a|wants b|wants e;b|needs d|wants e;d|missing", JOB_START, MODE_REPLACE,
	 "a=start e=start"},
	{"a|masked", JOB_START, MODE_REPLACE, "!2 a"},
	{"a|missing", JOB_STOP, MODE_REPLACE, "!1 a"},
	{"a|missing|up", JOB_STOP, MODE_REPLACE, "a=stop"},
	{"a|nostart", JOB_START, MODE_REPLACE, "!4 a"},
	{"a|up|nostart", JOB_RESTART, MODE_REPLACE, "!4 a"},
	{"a|up|nostop", JOB_STOP, MODE_REPLACE, "!5 a"},
	{"a|needs b;b|nostart", JOB_START, MODE_REPLACE, "a=start b=start"},
	{"a|up|perpetual", JOB_STOP, MODE_REPLACE, "!9 a"},
	{"a|conflicts b;b|up|perpetual", JOB_START, MODE_REPLACE, "a=start"},
	/* contradictions */
	{"a|needs b|needs c;b|conflicts c", JOB_START, MODE_REPLACE, "!8 c"},
	{"a|needs b|wants c;b|conflicts c", JOB_START, MODE_REPLACE, "a=start b=start"},
	{"a|needs b|wants c;b|conflicts c;c|up", JOB_START, MODE_REPLACE, "a=start b=start c=stop"},
	{"a|wants b|needs c;b|conflicts c|needs d", JOB_START, MODE_REPLACE, "a=start c=start"},
	{"a|wants b|wants c;b|conflicts c", JOB_START, MODE_REPLACE, "a=start b=start"},
	{"a|wants c|wants b;c|conflicts b|wants d", JOB_START, MODE_REPLACE,
	 "a=start c=start d=start"},
	{"a|needs b|conflicts b", JOB_START, MODE_REPLACE, "!8 b"},
	{"a|conflicts b;b|up;c|up|needs b", JOB_START, MODE_REPLACE, "a=start b=stop c=stop"},
	/* merging */
	{"a|needs b|verifies b", JOB_START, MODE_REPLACE, "a=start b=start"},
	{"a|up|needs b;b|up|partof a", JOB_RESTART, MODE_REPLACE, "a=restart b=restart"},
	{"a|up|reloads b;b|up|reloads c;c|up", JOB_RELOAD, MODE_REPLACE,
	 "a=reload b=reload c=reload"},
	/* modes */
	{"a|needs b|conflicts c;c|up", JOB_START, MODE_IGNORE_DEPENDENCIES, "a=start"},
	{"a|needs b|conflicts c;c|up", JOB_START, MODE_IGNORE_REQUIREMENTS, "a=start"},
	{"a|isolatable|needs b;c|up;d|up|stays;e;b|up", JOB_START, MODE_ISOLATE, "a=start c=stop"},
	{"a|isolatable;c|job-start", JOB_START, MODE_ISOLATE, "a=start c=stop"},
	{"a|isolatable|needs s;s|up|triggers x;x|up;t|up|triggers y;y|up", JOB_START, MODE_ISOLATE,
	 "a=start t=stop y=stop"},
	{"a;c|up", JOB_START, MODE_ISOLATE, "!6 a"},
	{"a|isolatable|up", JOB_STOP, MODE_ISOLATE, "!9 a"},
	{"a|up;s|up|triggers a;t|triggers a", JOB_STOP, MODE_TRIGGERING, "a=stop s=stop"},
	{"a;s|up|triggers a", JOB_START, MODE_TRIGGERING, "!9 a"},
	/* fail: spare what runs when it can be spared, refuse to undo jobs */
	{"a|wants b;b|conflicts c;c|up", JOB_START, MODE_FAIL, "a=start"},
	{"a|wants b;b|conflicts c;c|up", JOB_START, MODE_REPLACE, "a=start b=start c=stop"},
	{"a|conflicts c;c|up", JOB_START, MODE_FAIL, "a=start c=stop"},
	{"a|needs b;b|up|job-stop", JOB_START, MODE_FAIL, "!7 b"},
	{"a|needs b;b|up|job-stop", JOB_START, MODE_REPLACE, "a=start b=start"},
	{"a|wants b;b|up|job-stop", JOB_START, MODE_FAIL, "a=start"},
	/* irreversible jobs */
	{"a|needs b;b|up|job-stop|forever", JOB_START, MODE_REPLACE, "!7 b"},
	{"a|needs b;b|up|job-stop|forever", JOB_START, MODE_REPLACE_IRREVERSIBLY,
	 "a=start b=start"},
	{"a|job-start|forever", JOB_START, MODE_REPLACE, "a=start"},
	/* nothing to do */
	{"a", JOB_TRY_RESTART, MODE_REPLACE, ""},
	{"a", JOB_STOP, MODE_REPLACE, "a=stop"},
	{"stiff|up;a|up|reloads stiff", JOB_RELOAD, MODE_REPLACE, "a=reload"},
};

START_TEST(scenes_are_planned_by_the_rules)
{
	struct registry r;
	struct job_plan p;
	char text[512];
	struct sbuf why = {0};
	int got;

	fake_graph(&r, scenes[_i].graph);
	got = plan_for(&p, &r, "a.service", scenes[_i].type, scenes[_i].mode);
	ck_assert_int_eq(got, (int)p.refusal);
	plan_text(&p, &r, text, sizeof(text));
	ck_assert_msg(strcmp(text, scenes[_i].want) == 0, "%s: %s, not %s", scenes[_i].graph, text,
		      scenes[_i].want);
	if (got > 0) {
		job_refusal_text(&p, &r, &why);
		ck_assert_uint_gt(why.n, strlen(r.units[p.culprit[0]]->name) + 5);
		sbuf_fini(&why);
	}
	job_plan_fini(&p);
	fake_check_mirrors(&r);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

/* --- merging, collapsing --- */

START_TEST(merge_is_symmetric_and_associative)
{
	static const enum job_type up[] = {JOB_START, JOB_VERIFY, JOB_RELOAD, JOB_RESTART};
	struct registry r;
	struct unit *u;

	fake_registry(&r);
	u = fake_unit(&r, "a.service", INACTIVE);
	for (int state = 0; state < COARSES; state++) {
		u->state = (uint8_t)state;
		for (size_t i = 0; i < 64; i++) {
			enum job_type a = up[i & 3], b = up[(i >> 2) & 3], c = up[i >> 4];

			ck_assert_int_eq(job_merge(a, b, u), job_merge(b, a, u));
			ck_assert_int_eq(job_merge(job_merge(a, b, u), c, u),
					 job_merge(a, job_merge(b, c, u), u));
			ck_assert_int_eq(job_merge(a, JOB_NONE, u), a);
			ck_assert(!job_types_conflict(a, b) && job_types_conflict(a, JOB_STOP));
		}
	}
	ck_assert(!job_types_conflict(JOB_STOP, JOB_STOP) &&
		  !job_types_conflict(JOB_STOP, JOB_NONE));
	u->state = ACTIVE;
	ck_assert_int_eq(job_merge(JOB_START, JOB_RELOAD, u), JOB_RELOAD);
	u->state = INACTIVE;
	ck_assert_int_eq(job_merge(JOB_START, JOB_RELOAD, u), JOB_START);
	ck_assert_int_eq(job_merge(JOB_VERIFY, JOB_RELOAD, u), JOB_RELOAD);
	registry_fini(&r);
}
END_TEST

/* --- applying and running --- */

struct log {
	unsigned installed_n, amended_n, canceled_n;
	char text[512];
};

static void note_installed(void *arg, struct unit *u)
{
	struct log *l = arg;

	l->installed_n++;
	ck_assert_uint_ne(u->work->job.id, 0);
}

static void note_amended(void *arg, struct unit *u)
{
	struct log *l = arg;

	l->amended_n++;
	ck_assert_uint_ne(u->work->job.id, 0);
}

static void note_canceled(void *arg, struct unit *u)
{
	struct log *l = arg;

	l->canceled_n++;
	ck_assert_uint_ne(u->work->job.id, 0);
}

static void apply(struct registry *r, const char *name, enum job_type type, enum job_mode mode,
		  struct log *l)
{
	static uint32_t next_id;
	struct job_sink sink = {note_installed, note_amended, note_canceled, l, &next_id, 42};
	struct job_plan p;

	*l = (struct log){0};
	ck_assert_int_eq(plan_for(&p, r, name, type, mode), 0);
	job_plan_apply(&p, r, mode, &sink);
	job_plan_fini(&p);
}

START_TEST(installs_merges_and_replaces)
{
	struct registry r;
	struct unit *a, *b;
	struct log l;
	uint32_t id;

	fake_graph(&r, "a|needs b;b;c|job-start;d|job-start|forever");
	a = registry_find(&r, "a.service");
	b = registry_find(&r, "b.service");
	apply(&r, "a.service", JOB_START, MODE_REPLACE, &l);
	ck_assert_uint_eq(l.installed_n, 2);
	ck_assert_uint_eq(b->work->job.begin_us, 42);
	ck_assert_uint_eq(b->work->job.cause.kind, CAUSE_REQUIRED);
	id = b->work->job.id;
	apply(&r, "b.service", JOB_START, MODE_REPLACE, &l);
	ck_assert_uint_eq(l.installed_n + l.canceled_n, 0);
	ck_assert_uint_eq(b->work->job.id, id);
	b->work->job.is_running = true;
	b->state = ACTIVATING;
	apply(&r, "b.service", JOB_RESTART, MODE_REPLACE, &l);
	ck_assert(b->work->job.type == JOB_RESTART && !b->work->job.is_running &&
		  b->work->job.id == id);
	ck_assert_uint_eq(b->work->job.after_stop, JOB_START);
	apply(&r, "b.service", JOB_STOP, MODE_REPLACE_IRREVERSIBLY, &l);
	ck_assert_uint_eq(l.canceled_n, 2); /* a needs b, so its start goes too */
	ck_assert(b->work->job.type == JOB_STOP && b->work->job.is_irreversible &&
		  b->work->job.id != id);
	ck_assert_uint_eq(a->work->job.type, JOB_STOP);
	a->work->job = b->work->job = (struct job){0};
	a->state = b->state = INACTIVE;
	apply(&r, "a.service", JOB_START, MODE_FLUSH, &l);
	ck_assert_uint_eq(l.canceled_n, 1); /* c, but not d */
	ck_assert_uint_ne(registry_find(&r, "d.service")->work->job.id, 0);
	b->state = ACTIVE;
	b->work->job = (struct job){.id = 9, .type = JOB_RELOAD, .is_running = true};
	apply(&r, "b.service", JOB_RELOAD, MODE_IGNORE_DEPENDENCIES, &l);
	ck_assert(l.installed_n == 1 && !b->work->job.is_running && b->work->job.ignores_order &&
		  b->work->job.id == 9);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

START_TEST(order_may_be_ignored_later)
{
	struct registry r;
	struct unit *a, *b;
	struct log l;

	fake_graph(&r, "a|job-start;b|after a|job-start");
	a = registry_find(&r, "a.service");
	b = registry_find(&r, "b.service");
	ck_assert(!job_is_runnable(&r, b));
	apply(&r, "a.service", JOB_START, MODE_IGNORE_DEPENDENCIES, &l);
	ck_assert(l.amended_n == 1 && l.installed_n == 0 && job_is_runnable(&r, b));
	a->work->job.ignores_order = false;
	a->work->job.is_running = true;
	apply(&r, "a.service", JOB_START, MODE_IGNORE_DEPENDENCIES, &l);
	ck_assert(!job_is_runnable(&r, b));
	apply(&r, "a.service", JOB_START, MODE_REPLACE_IRREVERSIBLY, &l);
	ck_assert(l.amended_n == 1 && a->work->job.is_irreversible);
	registry_fini(&r);
}
END_TEST

/* a.service Before=b.service: who may run first, by the types of both jobs. */
static const struct {
	enum job_type a, b;
	bool a_runs, b_runs;
} orders[] = {
	{JOB_START, JOB_START, true, false},   {JOB_STOP, JOB_STOP, false, true},
	{JOB_START, JOB_STOP, false, true},    {JOB_STOP, JOB_START, true, false},
	{JOB_RESTART, JOB_START, true, false}, {JOB_START, JOB_RESTART, false, true},
	{JOB_RELOAD, JOB_START, true, false},  {JOB_VERIFY, JOB_RESTART, false, true},
	{JOB_NONE, JOB_START, false, true},    {JOB_START, JOB_NONE, true, false},
};

START_TEST(order_of_two)
{
	struct registry r;
	struct unit *a, *b;

	fake_graph(&r, "a|before b;b");
	a = registry_find(&r, "a.service");
	b = registry_find(&r, "b.service");
	a->work->job = (struct job){.id = orders[_i].a != JOB_NONE, .type = (uint8_t)orders[_i].a};
	b->work->job = (struct job){.id = orders[_i].b != JOB_NONE, .type = (uint8_t)orders[_i].b};
	ck_assert(job_is_runnable(&r, a) == orders[_i].a_runs);
	ck_assert(job_is_runnable(&r, b) == orders[_i].b_runs);
	a->work->job.ignores_order = true;
	ck_assert(job_is_runnable(&r, a) == (orders[_i].a != JOB_NONE));
	ck_assert(job_is_runnable(&r, b) == (orders[_i].b != JOB_NONE));
	a->work->job.ignores_order = false;
	a->edges[0].is_broken = b->edges[0].is_broken = true;
	ck_assert(job_is_runnable(&r, a) == (orders[_i].a != JOB_NONE));
	registry_fini(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("job");
	TCase *t = tcase_create("all");
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, every_dependency_pulls_what_it_says, 0, ARRAY_SIZE(pulls));
	tcase_add_loop_test(t, scenes_are_planned_by_the_rules, 0, ARRAY_SIZE(scenes));
	tcase_add_test(t, merge_is_symmetric_and_associative);
	tcase_add_test(t, installs_merges_and_replaces);
	tcase_add_test(t, order_may_be_ignored_later);
	tcase_add_loop_test(t, order_of_two, 0, ARRAY_SIZE(orders));
	suite_add_tcase(s, t);
	failed = suite_run(s);
	if (!failed)
		puts("rows: A8 D54 E21");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
