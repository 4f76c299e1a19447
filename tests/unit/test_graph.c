/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <sys/resource.h>

#include "core/log.h"
#include "fake_type.h"
#include "suite.h"

START_TEST(an_edge_is_on_both_units)
{
	struct registry r;
	struct unit *a, *b;
	const struct edge *found = NULL;

	fake_registry(&r);
	a = fake_unit(&r, "a.service", INACTIVE);
	fake_dep_from(a, DEP_AFTER, "b.service", DEP_DEFAULT);
	fake_dep(a, DEP_AFTER, "b.service");
	fake_dep(a, DEP_WANTS, "b.service");
	fake_dep(a, DEP_WANTS, "a.service");
	fake_dep(a, DEP_WANTS, "not a name");
	fake_attach(&r);
	b = registry_find(&r, "b.service");
	ck_assert_uint_eq(a->edges_n, 2);
	ck_assert(graph_has(a, DEP_AFTER, b->id) && graph_has(b, DEP_BEFORE, a->id));
	ck_assert(graph_has(b, DEP_WANTED_BY, a->id) && !graph_has(b, DEP_WANTS, a->id));
	graph_for_each(e, b, DEP_BEFORE) found = e;
	ck_assert_ptr_nonnull(found);
	ck_assert_uint_eq(found->origin, DEP_FILE);
	fake_check_mirrors(&r);

	/* The same edge, written by the other unit too, outlives the first one's. */
	b->config = fake_config();
	fake_dep(b, DEP_BEFORE, "a.service");
	ck_assert_int_eq(graph_attach(&r, b), 0);
	graph_detach(&r, a);
	ck_assert(graph_has(a, DEP_AFTER, b->id) && !graph_has(a, DEP_WANTS, b->id));
	fake_check_mirrors(&r);
	graph_detach(&r, b);
	ck_assert_uint_eq(a->edges_n + b->edges_n, 0);
	registry_drop(&r, a);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
	ck_assert_uint_eq(check_failures(), 0);
}
END_TEST

/* Both ends of an edge know the file that it was written in: the fragment or one of the drop-ins of its writer. */
START_TEST(an_edge_knows_its_file)
{
	struct name_list second = {.text = "a.d/2.conf"},
			 first = {.next = &second, .text = "a.d/1.conf"};
	const char *const files[] = {"a.service", first.text, second.text, NULL};
	static const char *const names[] = {"w.service", "x.service", "y.service", "z.service"};
	struct registry r;
	struct unit *a;

	fake_registry(&r);
	a = fake_unit(&r, "a.service", INACTIVE);
	a->config->fragment = files[0];
	a->config->dropins = &first;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		fake_dep(a, DEP_WANTS, names[i]);
		for (struct dep *d = a->config->deps; d; d = d->next)
			if (strcmp(d->name, names[i]) == 0)
				d->file = files[i];
	}
	fake_attach(&r);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct unit *to = registry_find(&r, names[i]);

		ck_assert_ptr_eq(graph_file(&r, to, &to->edges[0]), files[i]);
		ck_assert_ptr_eq(graph_file(&r, a, &a->edges[to->edges[0].mirror]), files[i]);
	}
	graph_detach(&r, a);
	registry_fini(&r);
}
END_TEST

/* A member that comes after its target, or wants no defaults, is not waited for, whichever of the two was loaded first. */
START_TEST(a_target_yields_to_its_members)
{
	for (int target_first = 0; target_first < 2; target_first++) {
		struct registry r;
		struct unit *u[4];
		static const char *const names[] = {"t.target", "plain.service", "after.service",
						    "free.service"};

		fake_registry(&r);
		for (size_t i = 0; i < ARRAY_SIZE(u); i++)
			u[i] = fake_unit(&r, names[i], INACTIVE);
		for (size_t i = 1; i < ARRAY_SIZE(u); i++) {
			u[i]->config->load = LOAD_LOADED;
			u[i]->config->unit->default_dependencies = i != 3;
			fake_dep_from(u[0], DEP_AFTER, names[i], DEP_DEFAULT);
		}
		fake_dep(u[2], DEP_AFTER, "t.target");
		for (size_t i = 0; i < ARRAY_SIZE(u); i++)
			ck_assert_int_eq(
				graph_attach(&r, u[target_first ? i : ARRAY_SIZE(u) - 1 - i]), 0);
		ck_assert(graph_has(u[0], DEP_AFTER, u[1]->id));
		ck_assert(!graph_has(u[0], DEP_AFTER, u[2]->id));
		ck_assert(graph_has(u[2], DEP_AFTER, u[0]->id));
		ck_assert(!graph_has(u[0], DEP_AFTER, u[3]->id));
		fake_check_mirrors(&r);
		for (size_t i = 0; i < ARRAY_SIZE(u); i++)
			graph_detach(&r, u[i]);
		registry_fini(&r);
	}
}
END_TEST

/* u's own records are what its configuration says, each once. */
static void check_written(const struct registry *r, const struct unit *u)
{
	uint32_t own_n = 0, written_n = 0;

	for (uint32_t k = 0; k < u->edges_n; k++)
		own_n += u->edges[k].is_own;
	for (const struct dep *d = u->config->deps; d; d = d->next) {
		const struct dep *again = d->next;

		if (strcmp(d->name, u->name) == 0)
			continue;
		ck_assert(graph_has(u, (enum dep_type)d->type, registry_find(r, d->name)->id));
		while (again && (again->type != d->type || strcmp(again->name, d->name) != 0))
			again = again->next;
		written_n += !again;
	}
	ck_assert_uint_eq(own_n, written_n);
}

/* Attaching and detaching at random keeps exactly the edges that are written. */
START_TEST(random_reloads_keep_edges_exact)
{
	enum { N = 12 };
	struct registry r;
	struct unit *u[N];
	char name[N][32];

	srand(5);
	fake_registry(&r);
	for (int i = 0; i < N; i++) {
		(void)snprintf(name[i], sizeof(name[i]), "u%d.service", i);
		u[i] = fake_unit(&r, name[i], INACTIVE);
	}
	for (int round = 0; round < 2000; round++) {
		struct unit *x = u[rand() % N];
		int n = rand() % 8;

		unit_config_free(x->config);
		x->config = fake_config();
		while (n-- > 0)
			fake_dep(x, (enum dep_type)(rand() % DEP_TYPES), name[rand() % N]);
		ck_assert_int_eq(graph_attach(&r, x), 0);
		fake_check_mirrors(&r);
		for (int i = 0; i < N; i++)
			check_written(&r, u[i]);
	}
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

START_TEST(attach_without_memory_changes_nothing)
{
	for (unsigned n = 1; n < 500; n++) {
		struct registry r;
		struct unit *a;
		uint64_t before;
		int err;

		fake_registry(&r);
		a = fake_unit(&r, "a.service", INACTIVE);
		fake_dep(a, DEP_REQUIRES, "old.service");
		fake_attach(&r);
		for (int i = 0; i < 70; i++) {
			char name[32];

			(void)snprintf(name, sizeof(name), "n%d.service", i);
			fake_dep(a, DEP_WANTS, name);
			fake_dep(a, DEP_AFTER, name);
		}
		before = fake_digest(&r);
		mem_stats.total_n = 0;
		mem_stats.fail_at = n;
		err = graph_attach(&r, a);
		mem_stats.fail_at = 0;
		if (err < 0) {
			ck_assert_int_eq(err, -ENOMEM);
			ck_assert_uint_eq(fake_digest(&r), before);
		}
		fake_check_mirrors(&r);
		registry_fini(&r);
		ck_assert_uint_eq(mem_stats.live_n, 0);
		if (err == 0) {
			ck_assert_uint_gt(n, 100);
			return;
		}
	}
	ck_abort_msg("never succeeded");
}
END_TEST

struct loader {
	struct registry *r;
	unsigned n, loaded, fail_at;
};

/* Unit number i wants i + 1 and requires 2i. */
static int load(void *arg, struct unit *u)
{
	struct loader *l = arg;
	unsigned i = (unsigned)strtoul(u->name + 1, NULL, 10);
	char name[32];

	if (++l->loaded == l->fail_at)
		return -EIO;
	if (i % 10 == 9)
		return 1;
	u->config = fake_config();
	for (unsigned k = 0; k < 2; k++) {
		unsigned to = k ? 2 * i : i + 1;

		if (to >= l->n)
			continue;
		(void)snprintf(name, sizeof(name), "u%u.service", to);
		fake_dep(u, k ? DEP_REQUIRES : DEP_WANTS, name);
	}
	return graph_attach(l->r, u);
}

START_TEST(closure_loads_each_once)
{
	struct registry r;
	struct loader l = {.r = &r, .n = 1000};
	uint32_t n;

	fake_registry(&r);
	ck_assert_int_eq(graph_closure(&r, registry_get(&r, "u1.service"), load, &l), 0);
	n = l.loaded;
	ck_assert_uint_eq(n, r.n);
	for (uint32_t i = 0; i < r.n; i++)
		if (!r.units[i]->config)
			l.loaded--; /* those that cannot be loaded are tried again, and only those */
	ck_assert_int_eq(graph_closure(&r, registry_get(&r, "u1.service"), load, &l), 0);
	ck_assert_uint_eq(l.loaded, n);
	registry_fini(&r);

	fake_registry(&r);
	l.loaded = 0;
	l.fail_at = 5;
	ck_assert_int_eq(graph_closure(&r, registry_get(&r, "u1.service"), load, &l), -EIO);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

/* Two walks in turns: each step loads a few, and in the end all is there. */
START_TEST(walks_rest_between_steps)
{
	struct registry r;
	struct loader l = {.r = &r, .n = 1000};
	const struct graph_loader loader = {.load = load, .arg = &l, .at_most = 7};
	struct graph_walk w[2] = {0};
	unsigned before, steps = 0;
	int more[2] = {1, 1};

	fake_registry(&r);
	for (; more[0] || more[1]; steps++) {
		int i = more[steps % 2] ? steps % 2 : !(steps % 2);

		before = l.loaded;
		more[i] = graph_walk(&w[i], &r, registry_get(&r, i ? "u500.service" : "u1.service"),
				     &loader);
		ck_assert_int_ge(more[i], 0);
		ck_assert_uint_le(l.loaded - before, 7);
	}
	for (uint32_t i = 0; i < r.n; i++)
		ck_assert(!r.units[i] || r.units[i]->config ||
			  strtoul(r.units[i]->name + 1, NULL, 10) % 10 == 9);
	ck_assert_uint_gt(steps, l.n / 10 / 7);
	graph_walk_fini(&w[0]);
	graph_walk_fini(&w[1]);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

static int load_next(void *arg, struct unit *u)
{
	struct loader *l = arg;
	unsigned i = (unsigned)strtoul(u->name + 1, NULL, 10);
	char name[32];

	l->loaded++;
	u->config = fake_config();
	(void)snprintf(name, sizeof(name), "u%u.service", i + 1);
	if (i + 1 < l->n)
		fake_dep(u, DEP_REQUIRES, name);
	return graph_attach(l->r, u);
}

/* Runs in libcheck's child, so the limit is of this test only. */
START_TEST(closure_of_a_long_chain)
{
	struct rlimit small = {128 * 1024, 128 * 1024};
	struct registry r;
	struct loader l = {.r = &r, .n = 100000};

	ck_assert_int_eq(setrlimit(RLIMIT_STACK, &small), 0);
	fake_registry(&r);
	ck_assert_int_eq(graph_closure(&r, registry_get(&r, "u0.service"), load_next, &l), 0);
	ck_assert_uint_eq(l.loaded, l.n);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

/* All conflict with one, which is what shutdown.target is for; and it is detached again. */
START_TEST(a_hub_is_linear)
{
	struct registry r;
	char name[32];

	fake_registry(&r);
	for (unsigned i = 0; i < 50000; i++) {
		(void)snprintf(name, sizeof(name), "u%u.service", i);
		fake_dep(fake_unit(&r, name, INACTIVE), DEP_CONFLICTS, "shutdown.target");
	}
	fake_attach(&r);
	ck_assert_uint_eq(registry_find(&r, "shutdown.target")->edges_n, 50000);
	for (uint32_t i = 0; i < r.n; i++)
		graph_detach(&r, r.units[i]);
	ck_assert_uint_eq(registry_find(&r, "shutdown.target")->edges_n, 0);
	registry_fini(&r);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("graph");
	TCase *t = tcase_create("all");
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, an_edge_is_on_both_units);
	tcase_add_test(t, a_target_yields_to_its_members);
	tcase_add_test(t, random_reloads_keep_edges_exact);
	tcase_add_test(t, attach_without_memory_changes_nothing);
	tcase_add_test(t, closure_loads_each_once);
	tcase_add_test(t, an_edge_knows_its_file);
	tcase_add_test(t, walks_rest_between_steps);
	tcase_add_test(t, closure_of_a_long_chain);
	tcase_add_test(t, a_hub_is_linear);
	suite_add_tcase(s, t);
	failed = suite_run(s);
	if (!failed)
		puts("rows: B47");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
