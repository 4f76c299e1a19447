/* SPDX-License-Identifier: MIT */
#include "fake_plan.h"
#include "suite.h"

#include <sys/resource.h>
#include <time.h>

/* --- properties of random graphs --- */

enum { N = 12, LINKS = 34 };

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
	static const enum dep_type types[] = {DEP_REQUIRES,  DEP_WANTS,    DEP_BINDS_TO,
					      DEP_CONFLICTS, DEP_BEFORE,   DEP_AFTER,
					      DEP_BEFORE,    DEP_AFTER,    DEP_PART_OF,
					      DEP_UPHOLDS,   DEP_REQUIRES, DEP_WANTS,
					      DEP_BEFORE,    DEP_AFTER,    DEP_REQUIRES};
	static const enum coarse states[] = {INACTIVE, INACTIVE, INACTIVE,
					     ACTIVE,   FAILED,   ACTIVATING};
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
	char name[32];

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
				ck_assert(job == JOB_START ||
					  (job == JOB_NONE && unit_is_active(v)));
			if (starts && type == DEP_CONFLICTS)
				ck_assert(job == JOB_STOP ||
					  (job == JOB_NONE && unit_is_at_rest(v)));
			if (stops && (type == DEP_REQUIRED_BY || type == DEP_BOUND_BY ||
				      type == DEP_CONSISTS_OF))
				ck_assert(job == JOB_STOP ||
					  (job == JOB_NONE && unit_is_at_rest(v)));
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
		r->units[p->steps[i].unit]->work->job =
			(struct job){.id = i + 1, .type = p->steps[i].type};
	while (has_moved) {
		has_moved = false;
		for (uint32_t i = 0; i < p->n; i++) {
			struct unit *u = r->units[p->steps[i].unit];

			if (!job_is_runnable(r, u))
				continue;
			u->work->job.id = 0;
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
	for (int round = 0; round < 300; round++) {
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
			plan_text(&p, &r, text, sizeof(text));
			if (shift == 0)
				memcpy(first, text, sizeof(first));
			ck_assert_str_eq(text, first);
			dropped[1] = 0;
			for (const struct job_cycle *c = p.cycles; c; c = c->next)
				dropped[1] =
					dropped[1] * 31 +
					str_hash(str_of(r.units[c->edges[c->dropped].from]->name)) +
					7 * str_hash(str_of(
						    r.units[c->edges[c->dropped].edge.to]->name));
			if (shift > 0)
				ck_assert(dropped[0] == dropped[1]);
			dropped[0] = dropped[1];
			job_plan_fini(&p);
			registry_fini(&r);
		}
	}
	ck_assert_uint_gt(planned, 200);
	ck_assert_uint_gt(broken, 8);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

/* The same without one kind of dependency: those that order, or those that say who is needed and who is in the way. */
static struct recipe without(const struct recipe *x, bool order)
{
	struct recipe y = *x;

	for (int i = 0; i < LINKS; i++)
		if ((x->link[i].type == DEP_BEFORE || x->link[i].type == DEP_AFTER) == order)
			y.link[i].to = y.link[i].from; /* says nothing */
	return y;
}

/* Who is needed does not depend on the order, nobody is ordered because he is needed, and nobody is needed because he is ordered. */
START_TEST(order_and_need_are_two_things)
{
	unsigned planned = 0;

	srand(5);
	for (int round = 0; round < 1000; round++) {
		struct recipe x = random_recipe(),
			      forms[] = {x, without(&x, true), without(&x, false)};
		enum job_type type = rand() % 4 ? JOB_START : JOB_STOP;
		char text[ARRAY_SIZE(forms)][1024], alone[64];

		for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
			struct registry r;
			struct job_plan p;

			build(&r, &forms[i], 0);
			planned += plan_for(&p, &r, "u00.service", type, MODE_REPLACE) == 0;
			plan_text(&p, &r, text[i], sizeof(text[i]));
			for (uint32_t k = 0; k < p.n; k++)
				r.units[p.steps[k].unit]->work->job =
					(struct job){.id = k + 1, .type = p.steps[k].type};
			for (uint32_t k = 0; i == 1 && k < p.n; k++)
				ck_assert(job_is_runnable(&r, r.units[p.steps[k].unit]));
			job_plan_fini(&p);
			registry_fini(&r);
		}
		ck_assert_str_eq(text[0], text[1]);
		(void)snprintf(alone, sizeof(alone), "u00=%s", job_type_names[type]);
		ck_assert_str_eq(text[2], alone);
	}
	ck_assert_uint_gt(planned, 2000);
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
	for (int round = 0; round < 1500; round++) {
		int arcs = 8 + rand() % 14;
		bool arc[N][N] = {{false}};
		struct registry r;
		struct job_plan p;
		char name[32];
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
				ck_assert_uint_eq(c->edges[i].edge.to,
						  c->edges[(i + 1) % c->n].from);
			}
		}
		ck_assert_uint_eq(got, want);
		cyclic += want > 0;
		check_runs(&p, &r);
		job_plan_fini(&p);
		registry_fini(&r);
	}
	ck_assert_uint_gt(cyclic, 300);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

START_TEST(the_weakest_edge_goes)
{
	static const struct {
		enum dep_origin origin[3];
		const char *spared; /* wanted only, not required; or NULL */
		uint32_t want;      /* unit at which the dropped edge begins */
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
		char name[32], next[32];

		(void)snprintf(name, sizeof(name), "u%d.service", i);
		(void)snprintf(next, sizeof(next), "u%d.service", (i + 1) % 3);
		fake_dep_from(fake_unit(&r, name, INACTIVE), DEP_BEFORE, next, rows[_i].origin[i]);
		if (i > 0)
			fake_dep(r.units[0],
				 rows[_i].spared && strcmp(rows[_i].spared, name) == 0
					 ? DEP_WANTS
					 : DEP_REQUIRES,
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

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
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

/* libcheck runs each test in a child, so the limit holds for this one only. */
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
	printf("plan of a %s of 100000: %.0f ms\n", _i ? "ring" : "chain",
	       (seconds() - begin) * 1e3);
	ck_assert_uint_eq(p.n, 100000);
	ck_assert(_i == 0 ? !p.cycles : p.cycles->n == 100000 && !p.cycles->next);
	job_plan_fini(&p);
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
			(void)snprintf(name, sizeof(name), "u%d.service",
				       (i / WIDTH + 1) * WIDTH + k);
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
	printf("plan of a target of 5000: %.1f ms, of 50000: %.1f ms\n", took[0] * 1e3,
	       took[1] * 1e3);
	ck_assert(took[1] < took[0] * 40);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("job_order");
	TCase *t = tcase_create("all");
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, random_plans_are_sound, 0, 4);
	tcase_add_test(t, order_and_need_are_two_things);
	tcase_add_test(t, shortest_cycles_agree_with_brute_force);
	tcase_add_loop_test(t, the_weakest_edge_goes, 0, 4);
	tcase_add_test(t, installed_jobs_count);
	tcase_add_test(t, planning_without_memory_changes_nothing);
	tcase_add_loop_test(t, a_chain_of_100000_needs_no_stack, 0, 2);
	tcase_add_test(t, diamonds_start_each_once);
	tcase_add_test(t, planning_is_linear);
	suite_add_tcase(s, t);
	failed = suite_run(s);
	if (!failed)
		puts("rows: B47 B48 D+13");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
