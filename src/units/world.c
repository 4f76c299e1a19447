/* SPDX-License-Identifier: MIT */
#include "units/world.h"

#include "core/job.h"
#include "units/builtin.h"
#include "units/codes.h"
#include "units/name.h"
#include "units/passive.h"

static const char *canonical(void *arg, const char *name)
{
	const struct world *w = arg;

	return load_canonical(w->load, name);
}

int world_init(struct world *w, struct load *load)
{
	const struct unit_type_ops *types[UNIT_TYPES];
	int r;

	w->load = load;
	for (unsigned type = 0; type < UNIT_TYPES; type++) {
		w->ops[type] = target_ops;
		w->ops[type].type = (enum unit_type)type;
		types[type] = &w->ops[type];
	}
	r = registry_init(&w->registry, types, UNIT_TYPES);
	w->registry.canonical = canonical;
	w->registry.canonical_arg = w;
	return r;
}

void world_fini(struct world *w)
{
	registry_fini(&w->registry);
}

static int read_unit(struct world *w, const char *name, struct unit_config **ret_config)
{
	const char *text = builtin_unit(name);
	int r = load_unit(w->load, name, ret_config);

	if (r < 0 || (*ret_config)->load != LOAD_NOT_FOUND || !text)
		return r;
	unit_config_free(*ret_config);
	*ret_config = NULL;
	return load_unit_text(w->load, name, "(built in)", str_of(text), ret_config);
}

static int load_one(void *arg, struct unit *u)
{
	int r = u->config ? 0 : read_unit(arg, u->name, &u->config);

	if (r < 0)
		return r;
	r = graph_attach(&((struct world *)arg)->registry, u);
	if (r < 0)
		return r;
	return u->config->load == LOAD_LOADED ? 0 : 1;
}

int world_unit(struct world *w, const char *name, struct unit **ret_unit)
{
	struct unit *u = registry_get(&w->registry, name);
	int r;

	if (!u)
		return -ENOMEM;
	r = u->config ? 0 : load_one(w, u);
	if (r < 0)
		return r;
	*ret_unit = u;
	return 0;
}

bool world_has(const struct world *w, const char *name)
{
	static const bool needs_file[UNIT_TYPES] = {
		[UNIT_SERVICE] = true, [UNIT_SOCKET] = true, [UNIT_TARGET] = true,
		[UNIT_TIMER] = true,   [UNIT_PATH] = true,   [UNIT_AUTOMOUNT] = true,
	};
	int type = unit_type_of(name);

	return type < 0 || !needs_file[type] || load_canonical(w->load, name) || builtin_unit(name);
}

/* --- cycles --- */

/* The unit whose line the edge is, and the edge in its words. */
static const struct unit *describe_edge(const struct world *w, const struct job_cycle *cycle,
					uint32_t at, struct sbuf *out)
{
	const struct edge *e = &cycle->edges[at].edge;
	const struct unit *from = registry_unit(&w->registry, cycle->edges[at].from);
	const struct unit *to = registry_unit(&w->registry, e->to);
	enum dep_type type = (enum dep_type)e->type;
	const struct unit *writer = e->is_own ? from : to;
	const char *file = graph_file(&w->registry, from, e);

	sbuf_addf(out, "%s %s=%s", writer->name, dep_names[e->is_own ? type : dep_inverse(type)],
		  e->is_own ? to->name : from->name);
	if (file && at != cycle->dropped)
		sbuf_addf(out, " (%s:%u)", file, e->line);
	return writer;
}

static int report_cycle(const struct world *w, struct unit *u, const struct job_cycle *cycle)
{
	const struct edge *dropped = &cycle->edges[cycle->dropped].edge;
	const struct unit *from = registry_unit(&w->registry, cycle->edges[cycle->dropped].from);
	struct sbuf all = {0}, weakest = {0};
	int err;

	for (uint32_t k = 1; k < cycle->n; k++) {
		sbuf_add_z(&all, k > 1 ? ", " : "");
		describe_edge(w, cycle, (cycle->dropped + k) % cycle->n, &all);
	}
	describe_edge(w, cycle, cycle->dropped, &weakest);
	err = all.err ? all.err : weakest.err;
	if (err == 0)
		diag_add(&u->config->diags, codes[CODE_ORDERING_CYCLE].code, DIAG_WARNING, false,
			 (struct diag_place){graph_file(&w->registry, from, dropped), dropped->line,
					     0, 0},
			 "take one of them out",
			 "ordering cycle: %s closes the ring of %s; it is dropped", weakest.p,
			 all.p ? all.p : weakest.p);
	sbuf_fini(&all);
	sbuf_fini(&weakest);
	return err;
}

/* A default that a line says the opposite of: the line is what was meant. */
static bool is_answered(const struct job_cycle *cycle)
{
	return cycle->n == 2 && cycle->edges[cycle->dropped].edge.origin == DEP_DEFAULT;
}

int world_find_cycles(struct world *w, struct unit *u)
{
	const struct cause cause = {0};
	struct job_plan plan = {0};
	int r = graph_closure(&w->registry, u, load_one, w);

	if (r == 0)
		r = job_plan_make(&plan, &w->registry, u, JOB_START, MODE_REPLACE, &cause, false);
	for (const struct job_cycle *c = plan.cycles; r >= 0 && c; c = c->next)
		r = is_answered(c) ? 0 : report_cycle(w, u, c);
	job_plan_fini(&plan);
	return r < 0 ? r : 0;
}
