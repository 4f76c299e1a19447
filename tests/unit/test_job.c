/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "core/job.h"
#include "core/log.h"
#include "fake_type.h"

static const struct cause by_user = {.kind = CAUSE_USER, .unit = UNIT_NONE, .entry = 7};

static int plan_for(struct job_plan *p, struct registry *r, const char *name, enum job_type type, enum job_mode mode)
{
	return job_plan_make(p, r, registry_find(r, name), type, mode, &by_user, true);
}

static enum job_type type_in(const struct job_plan *p, const struct registry *r, const char *name)
{
	const struct unit *u = registry_find(r, name);

	for (uint32_t i = 0; i < p->n; i++)
		if (p->steps[i].unit == u->id)
			return (enum job_type)p->steps[i].type;
	return JOB_NONE;
}

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

/* --- small graphs in words: "unit state|dep other|dep other;unit ..." --- */

static const struct {
	const char *word;
	enum dep_type type;
} dep_words[] = {
	{"needs", DEP_REQUIRES},   {"wants", DEP_WANTS},      {"conflicts", DEP_CONFLICTS}, {"before", DEP_BEFORE},
	{"after", DEP_AFTER},	   {"partof", DEP_PART_OF},   {"verifies", DEP_REQUISITE},  {"triggers", DEP_TRIGGERS},
	{"reloads", DEP_PROPAGATES_RELOAD_TO},
};

static struct unit *word_unit(struct registry *r, const char *word, enum coarse state, bool keeps_state)
{
	char name[64];
	struct unit *u;

	(void)snprintf(name, sizeof(name), "%s.service", word);
	u = registry_find(r, name);
	return fake_unit(r, name, u && keeps_state ? (enum coarse)u->state : state);
}

static void apply_word(struct registry *r, struct unit *u, char *word)
{
	char *space = strchr(word, ' ');

	for (size_t i = 0; space && i < ARRAY_SIZE(dep_words); i++) {
		if (strncmp(word, dep_words[i].word, (size_t)(space - word)) == 0)
			fake_dep(u, dep_words[i].type, word_unit(r, space + 1, INACTIVE, true)->name);
	}
	if (strcmp(word, "up") == 0)
		u->state = ACTIVE;
	else if (strcmp(word, "masked") == 0)
		u->config->load = LOAD_MASKED;
	else if (strcmp(word, "missing") == 0)
		u->config->load = LOAD_NOT_FOUND;
	else if (strcmp(word, "stays") == 0)
		u->config->ignore_on_isolate = true;
	else if (strcmp(word, "isolatable") == 0)
		u->config->allow_isolate = true;
	else if (strcmp(word, "nostart") == 0)
		u->config->refuse_manual_start = true;
	else if (strcmp(word, "nostop") == 0)
		u->config->refuse_manual_stop = true;
	else if (strcmp(word, "perpetual") == 0)
		u->has_perpetual = true;
	else if (strncmp(word, "job-", 4) == 0)
		for (int t = 0; t < JOB_TYPES; t++)
			if (strcmp(word + 4, job_type_names[t]) == 0)
				u->job = (struct job){.id = 1000 + u->id, .type = (uint8_t)t};
	if (strcmp(word, "forever") == 0)
		u->job.is_irreversible = true;
}

static void fake_graph(struct registry *r, const char *text)
{
	char copy[512], *units = copy, *one;

	fake_registry(r);
	(void)snprintf(copy, sizeof(copy), "%s", text);
	while ((one = strsep(&units, ";")) != NULL) {
		struct unit *u = word_unit(r, strsep(&one, "|"), INACTIVE, true);

		while (one)
			apply_word(r, u, strsep(&one, "|"));
	}
	fake_attach(r);
}

static int compare_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* "a=start b=stop", by name; or the refusal as "!number". */
static void plan_text(const struct job_plan *p, const struct registry *r, char *out, size_t size)
{
	char *word[256];
	size_t used = 0;

	out[0] = '\0';
	if (p->refusal != PLAN_OK)
		(void)snprintf(out, size, "!%d %.*s", (int)p->refusal,
			       (int)strcspn(r->units[p->culprit[0]]->name, "."), r->units[p->culprit[0]]->name);
	for (uint32_t i = 0; i < p->n; i++) {
		const char *name = r->units[p->steps[i].unit]->name;

		ck_assert_int_gt(asprintf(&word[i], "%.*s=%s", (int)strcspn(name, "."), name,
					  job_type_names[p->steps[i].type]), 0);
	}
	qsort(word, p->n, sizeof(word[0]), compare_text);
	for (uint32_t i = 0; i < p->n; i++) {
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " " : "", word[i]);
		free(word[i]);
	}
}

static const struct {
	const char *graph;
	enum job_type type; /* on a */
	enum job_mode mode;
	const char *want;
} scenes[] = {
	/* pulling goes on through what is pulled; a chain of stops likewise */
	{"a|needs b;b|wants c;c|needs d", JOB_START, MODE_REPLACE, "a=start b=start c=start d=start"},
	{"a|up;b|up|needs a;c|up|partof b;d|up|wants c", JOB_STOP, MODE_REPLACE, "a=stop b=stop c=stop"},
	/* what is up already ends the pulling */
	{"a|needs b;b|up|needs c", JOB_START, MODE_REPLACE, "a=start"},
	{"a|up|needs b", JOB_START, MODE_REPLACE, "a=start b=start"},
	/* a diamond, and a circle of requirements */
	{"a|needs b|needs c;b|needs d;c|needs d", JOB_START, MODE_REPLACE, "a=start b=start c=start d=start"},
	{"a|needs b;b|needs a", JOB_START, MODE_REPLACE, "a=start b=start"},
	/* what cannot be loaded: refused when needed, left out (with what needs it) when wanted */
	{"a|needs b;b|missing", JOB_START, MODE_REPLACE, "!1 b"},
	{"a|needs b;b|needs c;c|masked", JOB_START, MODE_REPLACE, "!2 c"},
	{"a|wants b;b|masked", JOB_START, MODE_REPLACE, "a=start"},
	{"a|wants b|needs c;b|needs d|wants e;d|missing", JOB_START, MODE_REPLACE, "a=start c=start"},
	{"a|wants b|wants e;b|needs d|wants e;d|missing", JOB_START, MODE_REPLACE, "a=start e=start"},
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
	{"a|wants c|wants b;c|conflicts b|wants d", JOB_START, MODE_REPLACE, "a=start c=start d=start"},
	{"a|needs b|conflicts b", JOB_START, MODE_REPLACE, "!8 b"},
	{"a|conflicts b;b|up;c|up|needs b", JOB_START, MODE_REPLACE, "a=start b=stop c=stop"},
	/* merging */
	{"a|needs b|verifies b", JOB_START, MODE_REPLACE, "a=start b=start"},
	{"a|up|needs b;b|up|partof a", JOB_RESTART, MODE_REPLACE, "a=restart b=restart"},
	{"a|up|reloads b;b|up|reloads c;c|up", JOB_RELOAD, MODE_REPLACE, "a=reload b=reload c=reload"},
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
	{"a|needs b;b|up|job-stop|forever", JOB_START, MODE_REPLACE_IRREVERSIBLY, "a=start b=start"},
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
	ck_assert_msg(strcmp(text, scenes[_i].want) == 0, "%s: %s, not %s", scenes[_i].graph, text, scenes[_i].want);
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
			ck_assert_int_eq(job_merge(job_merge(a, b, u), c, u), job_merge(a, job_merge(b, c, u), u));
			ck_assert_int_eq(job_merge(a, JOB_NONE, u), a);
			ck_assert(!job_types_conflict(a, b) && job_types_conflict(a, JOB_STOP));
		}
	}
	ck_assert(!job_types_conflict(JOB_STOP, JOB_STOP) && !job_types_conflict(JOB_STOP, JOB_NONE));
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
	unsigned installed_n, canceled_n;
	char text[512];
};

static void note_installed(void *arg, struct unit *u)
{
	struct log *l = arg;

	l->installed_n++;
	ck_assert_uint_ne(u->job.id, 0);
}

static void note_canceled(void *arg, struct unit *u)
{
	struct log *l = arg;

	l->canceled_n++;
	ck_assert_uint_ne(u->job.id, 0);
}

static void apply(struct registry *r, const char *name, enum job_type type, enum job_mode mode, struct log *l)
{
	static uint32_t next_id;
	struct job_sink sink = {note_installed, note_canceled, l, &next_id, 42};
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
	ck_assert_uint_eq(b->job.begin_us, 42);
	ck_assert_uint_eq(b->job.cause.kind, CAUSE_REQUIRED);
	id = b->job.id;
	apply(&r, "b.service", JOB_START, MODE_REPLACE, &l);
	ck_assert_uint_eq(l.installed_n + l.canceled_n, 0);
	ck_assert_uint_eq(b->job.id, id);
	b->job.is_running = true;
	b->state = ACTIVATING;
	apply(&r, "b.service", JOB_RESTART, MODE_REPLACE, &l);
	ck_assert(b->job.type == JOB_RESTART && !b->job.is_running && b->job.id == id);
	ck_assert_uint_eq(b->job.after_stop, JOB_START);
	apply(&r, "b.service", JOB_STOP, MODE_REPLACE_IRREVERSIBLY, &l);
	ck_assert_uint_eq(l.canceled_n, 2); /* a needs b, so its start goes too */
	ck_assert(b->job.type == JOB_STOP && b->job.is_irreversible && b->job.id != id);
	ck_assert_uint_eq(a->job.type, JOB_STOP);
	a->job = b->job = (struct job){0};
	a->state = b->state = INACTIVE;
	apply(&r, "a.service", JOB_START, MODE_FLUSH, &l);
	ck_assert_uint_eq(l.canceled_n, 1); /* c, but not d */
	ck_assert_uint_ne(registry_find(&r, "d.service")->job.id, 0);
	b->state = ACTIVE;
	b->job = (struct job){.id = 9, .type = JOB_RELOAD, .is_running = true};
	apply(&r, "b.service", JOB_RELOAD, MODE_IGNORE_DEPENDENCIES, &l);
	ck_assert(l.installed_n == 1 && !b->job.is_running && b->job.ignores_order && b->job.id == 9);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
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
	a->job = (struct job){.id = orders[_i].a != JOB_NONE, .type = (uint8_t)orders[_i].a};
	b->job = (struct job){.id = orders[_i].b != JOB_NONE, .type = (uint8_t)orders[_i].b};
	ck_assert(job_is_runnable(&r, a) == orders[_i].a_runs);
	ck_assert(job_is_runnable(&r, b) == orders[_i].b_runs);
	a->job.ignores_order = true;
	ck_assert(job_is_runnable(&r, a) == (orders[_i].a != JOB_NONE));
	ck_assert(job_is_runnable(&r, b) == (orders[_i].b != JOB_NONE));
	a->job.ignores_order = false;
	a->edges[0].is_broken = b->edges[0].is_broken = true;
	ck_assert(job_is_runnable(&r, a) == (orders[_i].a != JOB_NONE));
	registry_fini(&r);
}
END_TEST

/* --- properties of random graphs --- */

enum { N = 12, LINKS = 26 };

struct recipe {
	struct {
		int from, to;
		enum dep_type type;
		enum dep_origin origin;
	} link[LINKS];
	enum coarse state[N];
};

static struct recipe random_recipe(void)
{
	static const enum dep_type types[] = {DEP_REQUIRES, DEP_WANTS,  DEP_BINDS_TO, DEP_CONFLICTS, DEP_BEFORE,
					      DEP_AFTER,    DEP_BEFORE, DEP_AFTER,    DEP_PART_OF,   DEP_UPHOLDS,
					      DEP_REQUIRES, DEP_WANTS};
	static const enum coarse states[] = {INACTIVE, INACTIVE, INACTIVE, ACTIVE, FAILED, ACTIVATING};
	struct recipe x;

	for (int i = 0; i < LINKS; i++) {
		x.link[i].from = rand() % N;
		x.link[i].to = rand() % N;
		x.link[i].type = types[(size_t)rand() % ARRAY_SIZE(types)];
		x.link[i].origin = (enum dep_origin)(rand() % DEP_ORIGINS);
	}
	for (int i = 0; i < N; i++)
		x.state[i] = states[(size_t)rand() % ARRAY_SIZE(states)];
	return x;
}

/* The same graph, made in another order for another shift. */
static void build(struct registry *r, const struct recipe *x, int shift)
{
	char name[16];

	fake_registry(r);
	for (int i = 0; i < N; i++) {
		int k = (i * 5 + shift) % N;

		(void)snprintf(name, sizeof(name), "u%02d.service", k);
		(void)fake_unit(r, name, x->state[k]);
	}
	for (int i = 0; i < LINKS; i++) {
		int k = (i * 7 + shift) % LINKS;
		struct unit *u;

		(void)snprintf(name, sizeof(name), "u%02d.service", x->link[k].from);
		u = registry_find(r, name);
		(void)snprintf(name, sizeof(name), "u%02d.service", x->link[k].to);
		fake_dep_from(u, x->link[k].type, name, x->link[k].origin);
	}
	fake_attach(r);
}

/* Each start has its requirements up or started, and its conflicts down or stopped; each stop its dependents. */
static void check_closed(const struct job_plan *p, const struct registry *r)
{
	for (uint32_t i = 0; i < p->n; i++) {
		const struct unit *u = r->units[p->steps[i].unit];
		bool starts = p->steps[i].type == JOB_START, stops = p->steps[i].type == JOB_STOP;

		for (uint32_t k = 0; k < u->edges_n; k++) {
			const struct unit *v = r->units[u->edges[k].to];
			enum dep_type type = (enum dep_type)u->edges[k].type;
			enum job_type job = type_in(p, r, v->name);

			if (starts && (type == DEP_REQUIRES || type == DEP_BINDS_TO))
				ck_assert(job == JOB_START || (job == JOB_NONE && unit_is_active(v)));
			if (starts && type == DEP_CONFLICTS)
				ck_assert(job == JOB_STOP || (job == JOB_NONE && unit_is_at_rest(v)));
			if (stops && (type == DEP_REQUIRED_BY || type == DEP_BOUND_BY || type == DEP_CONSISTS_OF))
				ck_assert(job == JOB_STOP || (job == JOB_NONE && unit_is_at_rest(v)));
		}
		for (uint32_t k = 0; k < i; k++)
			ck_assert_uint_ne(p->steps[i].unit, p->steps[k].unit);
	}
}

/* Run the jobs as they become runnable: all of them get their turn, so what is left of the order has no cycle. */
static void check_runs(struct job_plan *p, struct registry *r)
{
	uint32_t left = p->n;
	bool has_moved = true;

	for (uint32_t i = 0; i < p->n; i++)
		r->units[p->steps[i].unit]->job = (struct job){.id = i + 1, .type = p->steps[i].type};
	while (has_moved) {
		has_moved = false;
		for (uint32_t i = 0; i < p->n; i++) {
			struct unit *u = r->units[p->steps[i].unit];

			if (!job_is_runnable(r, u))
				continue;
			u->job.id = 0;
			has_moved = true;
			left--;
		}
	}
	ck_assert_uint_eq(left, 0);
}

START_TEST(random_plans_are_sound)
{
	unsigned planned = 0, broken = 0;

	srand((unsigned)_i + 1);
	for (int round = 0; round < 400; round++) {
		struct recipe x = random_recipe();
		enum job_type type = rand() % 4 ? JOB_START : JOB_STOP;
		char first[1024], text[1024];
		uint64_t dropped[2] = {0, 0};

		for (int shift = 0; shift < 4; shift++) {
			struct registry r;
			struct job_plan p;

			build(&r, &x, shift);
			if (plan_for(&p, &r, "u00.service", type, MODE_REPLACE) == 0) {
				planned++;
				broken += p.cycles != NULL;
				check_closed(&p, &r);
				check_runs(&p, &r);
			}
			fake_check_mirrors(&r);
			if (p.refusal == PLAN_OK || shift == 0)
				plan_text(&p, &r, text, sizeof(text));
			if (shift == 0)
				memcpy(first, text, sizeof(first));
			ck_assert_str_eq(text, first);
			dropped[1] = 0;
			for (const struct job_cycle *c = p.cycles; c; c = c->next)
				dropped[1] = dropped[1] * 31 + str_hash(str_of(r.units[c->edges[c->dropped].from]->name)) +
					     7 * str_hash(str_of(r.units[c->edges[c->dropped].edge.to]->name));
			if (shift > 0)
				ck_assert(dropped[0] == dropped[1]);
			dropped[0] = dropped[1];
			job_plan_fini(&p);
			registry_fini(&r);
		}
	}
	ck_assert_uint_gt(planned, 300);
	ck_assert_uint_gt(broken, 20);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

/* --- cycles --- */

/* Length of the shortest cycle, by Floyd and Warshall; 0 without. */
static unsigned shortest(bool arc[N][N])
{
	unsigned d[N][N], best = 0;

	for (int i = 0; i < N; i++)
		for (int k = 0; k < N; k++)
			d[i][k] = arc[i][k] ? 1 : 1000;
	for (int m = 0; m < N; m++)
		for (int i = 0; i < N; i++)
			for (int k = 0; k < N; k++)
				if (d[i][m] + d[m][k] < d[i][k])
					d[i][k] = d[i][m] + d[m][k];
	for (int i = 0; i < N; i++)
		if (d[i][i] < 1000 && (best == 0 || d[i][i] < best))
			best = d[i][i];
	return best;
}

START_TEST(shortest_cycles_agree_with_brute_force)
{
	unsigned cyclic = 0;

	srand(11);
	for (int round = 0; round < 3000; round++) {
		int arcs = 8 + rand() % 14;
		bool arc[N][N] = {{false}};
		struct registry r;
		struct job_plan p;
		char name[16];
		unsigned want, got = 0;

		fake_registry(&r);
		for (int i = 0; i < N; i++) {
			(void)snprintf(name, sizeof(name), "u%02d.service", i);
			(void)fake_unit(&r, name, INACTIVE);
			if (i > 0)
				fake_dep(r.units[0], DEP_REQUIRES, name);
		}
		while (arcs-- > 0) {
			int from = rand() % N, to = rand() % N;

			if (from == to)
				continue;
			arc[from][to] = true;
			if (rand() % 2)
				fake_dep(r.units[from], DEP_BEFORE, r.units[to]->name);
			else
				fake_dep(r.units[to], DEP_AFTER, r.units[from]->name);
		}
		fake_attach(&r);
		ck_assert_int_eq(plan_for(&p, &r, "u00.service", JOB_START, MODE_REPLACE), 0);
		want = shortest(arc);
		for (const struct job_cycle *c = p.cycles; c; c = c->next) {
			got = got == 0 || c->n < got ? c->n : got;
			for (uint32_t i = 0; i < c->n; i++) {
				ck_assert(arc[c->edges[i].from][c->edges[i].edge.to]);
				ck_assert_uint_eq(c->edges[i].edge.to, c->edges[(i + 1) % c->n].from);
			}
		}
		ck_assert_uint_eq(got, want);
		cyclic += want > 0;
		check_runs(&p, &r);
		job_plan_fini(&p);
		registry_fini(&r);
	}
	ck_assert_uint_gt(cyclic, 500);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

START_TEST(the_weakest_edge_goes)
{
	static const struct {
		enum dep_origin origin[3];
		const char *spared; /* wanted only, not required; or NULL */
		uint32_t want;	    /* unit at which the dropped edge begins */
	} rows[] = {
		{{DEP_FILE, DEP_DEFAULT, DEP_IMPLICIT}, NULL, 1},
		{{DEP_IMPLICIT, DEP_FILE, DEP_FILE}, NULL, 0},
		{{DEP_FILE, DEP_FILE, DEP_FILE}, NULL, 2},
		{{DEP_FILE, DEP_FILE, DEP_FILE}, "u1.service", 1},
	};
	struct registry r;
	struct job_plan p;
	struct sbuf text = {0};

	fake_registry(&r);
	for (int i = 0; i < 3; i++) {
		char name[16], next[16];

		(void)snprintf(name, sizeof(name), "u%d.service", i);
		(void)snprintf(next, sizeof(next), "u%d.service", (i + 1) % 3);
		fake_dep_from(fake_unit(&r, name, INACTIVE), DEP_BEFORE, next, rows[_i].origin[i]);
		if (i > 0)
			fake_dep(r.units[0], rows[_i].spared && strcmp(rows[_i].spared, name) == 0 ? DEP_WANTS : DEP_REQUIRES,
				 name);
	}
	/* A weaker copy written by the other unit does not make the edge weaker, and is broken along with it. */
	fake_dep_from(r.units[0], DEP_AFTER, "u2.service", DEP_DEFAULT);
	fake_attach(&r);
	ck_assert_int_eq(plan_for(&p, &r, "u0.service", JOB_START, MODE_REPLACE), 0);
	ck_assert_uint_eq(p.n, 3);
	ck_assert_ptr_nonnull(p.cycles);
	ck_assert_ptr_null(p.cycles->next);
	ck_assert_uint_eq(p.cycles->n, 3);
	ck_assert_uint_eq(p.cycles->edges[p.cycles->dropped].from, rows[_i].want);
	job_cycle_text(p.cycles, &r, &text);
	ck_assert_ptr_nonnull(strstr(text.p, "[dropped]"));
	ck_assert_ptr_nonnull(strstr(text.p, "u0.service: Before=u1.service"));
	sbuf_fini(&text);
	fake_check_mirrors(&r);
	check_runs(&p, &r);
	job_plan_fini(&p);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

/* A job that waits already closes the cycle. */
START_TEST(installed_jobs_count)
{
	struct registry r;
	struct job_plan p;

	fake_graph(&r, "a|after b;b|after c|job-start;c|after a|job-start");
	ck_assert_int_eq(plan_for(&p, &r, "a.service", JOB_START, MODE_IGNORE_DEPENDENCIES), 0);
	ck_assert_ptr_null(p.cycles);
	job_plan_fini(&p);
	ck_assert_int_eq(plan_for(&p, &r, "a.service", JOB_START, MODE_FLUSH), 0);
	ck_assert_ptr_null(p.cycles);
	job_plan_fini(&p);
	ck_assert_int_eq(plan_for(&p, &r, "a.service", JOB_START, MODE_REPLACE), 0);
	ck_assert_ptr_nonnull(p.cycles);
	ck_assert_uint_eq(p.n, 1);
	job_plan_fini(&p);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

/* --- memory --- */

START_TEST(planning_without_memory_changes_nothing)
{
	static const char *const graph =
		"a|needs b|wants c|conflicts x|wants y|wants z;b|after c|needs d;c|after d;d|after b|needs e;"
		"e|after f|needs f;f|after e;x|up;w|up|needs x;y|conflicts z;g|job-start|after a";
	bool is_done = false;

	for (unsigned n = 1; !is_done; n++) {
		struct registry r;
		struct job_plan p;
		uint64_t before;
		size_t live;
		int err;

		fake_graph(&r, graph);
		before = fake_digest(&r);
		live = mem_stats.live_n;
		mem_stats.total_n = 0;
		mem_stats.fail_at = n;
		err = plan_for(&p, &r, "a.service", JOB_START, MODE_REPLACE);
		mem_stats.fail_at = 0;
		is_done = err == 0;
		if (is_done) {
			ck_assert_uint_gt(n, 8);
			ck_assert_ptr_nonnull(p.cycles);
		} else {
			ck_assert_int_eq(err, -ENOMEM);
			ck_assert_uint_eq(fake_digest(&r), before);
		}
		job_plan_fini(&p);
		ck_assert_uint_eq(mem_stats.live_n, live);
		fake_check_mirrors(&r);
		registry_fini(&r);
	}
}
END_TEST

/* --- size --- */

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Each requires the next and comes after it; the last closes the ring of the order when is_ring. */
static void build_chain(struct registry *r, unsigned n, bool is_ring)
{
	char name[32], next[32];

	fake_registry(r);
	for (unsigned i = 0; i < n; i++) {
		struct unit *u;

		(void)snprintf(name, sizeof(name), "u%u.service", i);
		(void)snprintf(next, sizeof(next), "u%u.service", (i + 1) % n);
		u = fake_unit(r, name, INACTIVE);
		if (i + 1 < n)
			fake_dep(u, DEP_REQUIRES, next);
		if (i + 1 < n || is_ring)
			fake_dep(u, DEP_AFTER, next);
	}
	fake_attach(r);
}

/* libcheck runs each test in a child, so the limit holds for this one only. The stack was small from here on. */
START_TEST(a_chain_of_100000_needs_no_stack)
{
	struct rlimit small = {128 * 1024, 128 * 1024};
	struct registry r;
	struct job_plan p;
	double begin;

	ck_assert_int_eq(setrlimit(RLIMIT_STACK, &small), 0);
	build_chain(&r, 100000, _i == 1);
	begin = seconds();
	ck_assert_int_eq(plan_for(&p, &r, "u0.service", JOB_START, MODE_REPLACE), 0);
	printf("plan of a %s of 100000: %.0f ms\n", _i ? "ring" : "chain", (seconds() - begin) * 1e3);
	ck_assert_uint_eq(p.n, 100000);
	ck_assert(_i == 0 ? !p.cycles : p.cycles->n == 100000 && !p.cycles->next);
	job_plan_fini(&p);
	r.units[99999]->state = ACTIVE;
	for (uint32_t i = 0; i < r.n; i++)
		r.units[i]->state = ACTIVE;
	ck_assert_int_eq(plan_for(&p, &r, "u99999.service", JOB_STOP, MODE_REPLACE), 0);
	ck_assert_uint_eq(p.n, 100000);
	job_plan_fini(&p);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

/* Layers of units, each of which requires all of the layer below: 50 layers of 20, 19,600 edges, 1,000 steps. */
START_TEST(diamonds_start_each_once)
{
	enum { LAYERS = 50, WIDTH = 20 };
	char name[32];
	struct registry r;
	struct job_plan p;

	fake_registry(&r);
	for (int i = 0; i < LAYERS * WIDTH; i++) {
		struct unit *u;

		(void)snprintf(name, sizeof(name), "u%d.service", i);
		u = fake_unit(&r, name, INACTIVE);
		for (int k = 0; i / WIDTH + 1 < LAYERS && k < WIDTH; k++) {
			(void)snprintf(name, sizeof(name), "u%d.service", (i / WIDTH + 1) * WIDTH + k);
			fake_dep(u, DEP_REQUIRES, name);
			fake_dep(u, DEP_AFTER, name);
		}
	}
	fake_attach(&r);
	ck_assert_int_eq(plan_for(&p, &r, "u0.service", JOB_START, MODE_REPLACE), 0);
	ck_assert_uint_eq(p.n, (LAYERS - 1) * WIDTH + 1);
	for (uint32_t i = 0; i < p.n; i++) {
		struct unit *u = r.units[p.steps[i].unit];

		ck_assert_uint_eq(u->visit, 0);
		u->visit = 1;
	}
	ck_assert_ptr_null(p.cycles);
	job_plan_fini(&p);
	registry_fini(&r);
}
END_TEST

/* Ten times the units may take ten times as long, and with the noise of a busy machine forty, but not a hundred. */
START_TEST(planning_is_linear)
{
	double took[2];

	for (int k = 0; k < 2; k++) {
		unsigned n = k ? 50000 : 5000;
		struct registry r;
		struct job_plan p;
		char name[32];
		struct unit *all;

		fake_registry(&r);
		all = fake_unit(&r, "all.target", INACTIVE);
		for (unsigned i = 0; i < n; i++) {
			struct unit *u;

			(void)snprintf(name, sizeof(name), "u%u.service", i);
			u = fake_unit(&r, name, INACTIVE);
			fake_dep(all, DEP_WANTS, name);
			fake_dep(all, DEP_AFTER, name);
			fake_dep(u, DEP_CONFLICTS, "shutdown.target");
			fake_dep(u, DEP_BEFORE, "shutdown.target");
		}
		(void)fake_unit(&r, "shutdown.target", INACTIVE);
		fake_attach(&r);
		took[k] = seconds();
		ck_assert_int_eq(plan_for(&p, &r, "all.target", JOB_START, MODE_REPLACE), 0);
		took[k] = seconds() - took[k];
		ck_assert_uint_eq(p.n, n + 1);
		job_plan_fini(&p);
		registry_fini(&r);
	}
	printf("plan of a target of 5000: %.1f ms, of 50000: %.1f ms\n", took[0] * 1e3, took[1] * 1e3);
	ck_assert(took[1] < took[0] * 40);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("job");
	TCase *t = tcase_create("all");
	SRunner *run;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, every_dependency_pulls_what_it_says, 0, ARRAY_SIZE(pulls));
	tcase_add_loop_test(t, scenes_are_planned_by_the_rules, 0, ARRAY_SIZE(scenes));
	tcase_add_test(t, merge_is_symmetric_and_associative);
	tcase_add_test(t, installs_merges_and_replaces);
	tcase_add_loop_test(t, order_of_two, 0, ARRAY_SIZE(orders));
	tcase_add_loop_test(t, random_plans_are_sound, 0, 4);
	tcase_add_test(t, shortest_cycles_agree_with_brute_force);
	tcase_add_loop_test(t, the_weakest_edge_goes, 0, 4);
	tcase_add_test(t, installed_jobs_count);
	tcase_add_test(t, planning_without_memory_changes_nothing);
	tcase_add_loop_test(t, a_chain_of_100000_needs_no_stack, 0, 2);
	tcase_add_test(t, diamonds_start_each_once);
	tcase_add_test(t, planning_is_linear);
	suite_add_tcase(s, t);
	run = srunner_create(s);
	srunner_run_all(run, CK_ENV);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	if (!failed)
		puts("rows: A8 B47 B48 D54 E21");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
