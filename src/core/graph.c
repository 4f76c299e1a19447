/* SPDX-License-Identifier: MIT */
#include "core/graph.h"

/* What a start of one unit may pull in. */
static const bool pulls_start[DEP_TYPES] = {
	[DEP_REQUIRES] = true, [DEP_REQUISITE] = true, [DEP_WANTS] = true,
	[DEP_BINDS_TO] = true, [DEP_UPHOLDS] = true,
};

const struct edge *graph_next(const struct unit *u, enum dep_type type, uint32_t *at)
{
	while (*at < u->edges_n) {
		const struct edge *e = &u->edges[(*at)++];

		if (e->type == type)
			return e;
	}
	return NULL;
}

bool graph_has(const struct unit *u, enum dep_type type, uint32_t to)
{
	for (uint32_t i = 0; i < u->edges_n; i++)
		if (u->edges[i].to == to && u->edges[i].type == type)
			return true;
	return false;
}

/* Room for `more` further edges; at first for no more, as most units never get another. */
static int reserve_edges(struct unit *u, uint32_t more)
{
	uint32_t cap = u->edges_cap ? u->edges_cap : more;
	struct edge *edges;

	if (more > UINT32_MAX / 4 - u->edges_n)
		return err_here(-ENOMEM);
	if (u->edges_n + more <= u->edges_cap)
		return 0;
	while (cap < u->edges_n + more)
		cap *= 2;
	edges = mem_grow(u->edges, u->edges_cap * sizeof(*edges), cap * sizeof(*edges));
	if (!edges)
		return err_here(-ENOMEM);
	u->edges = edges;
	u->edges_cap = cap;
	return 0;
}

/* The record on `u` of an edge of that type to `to`, written by u itself (own) or by the other unit. */
static struct edge *find_record(struct unit *u, enum dep_type type, uint32_t to, bool own)
{
	for (uint32_t i = 0; i < u->edges_n; i++) {
		struct edge *e = &u->edges[i];

		if (e->to == to && e->type == type && e->is_own == own)
			return e;
	}
	return NULL;
}

/*
 * Looked for on the unit that has fewer edges: everything conflicts with shutdown.target, and a target may want
 * thousands, but the other end of each such edge has few.
 */
static struct edge *find_own(struct unit *from, enum dep_type type, struct unit *to)
{
	struct edge *mirror;

	if (from->edges_n <= to->edges_n)
		return find_record(from, type, to->id, true);
	mirror = find_record(to, dep_inverse(type), from->id, false);
	return mirror ? &from->edges[mirror->mirror] : NULL;
}

/* What edge.file says: none, the fragment, or one of the drop-ins. So many drop-ins that a byte does not count them are not told apart. */
enum { FILE_NONE, FILE_FRAGMENT, FILE_DROPIN };

static uint8_t file_number(const struct unit_config *c, const char *file)
{
	unsigned n = FILE_DROPIN;

	if (!c || !file)
		return FILE_NONE;
	if (file == c->fragment)
		return FILE_FRAGMENT;
	for (const struct name_list *d = c->dropins; d && n <= UINT8_MAX; d = d->next, n++)
		if (file == d->text)
			return (uint8_t)n;
	return FILE_NONE;
}

const char *graph_file(const struct registry *r, const struct unit *u, const struct edge *e)
{
	const struct unit *writer = e->is_own ? u : registry_unit(r, e->to);
	const struct unit_config *c = writer ? writer->config : NULL;
	const struct name_list *d = c ? c->dropins : NULL;

	if (!c || e->file == FILE_NONE)
		return NULL;
	if (e->file == FILE_FRAGMENT)
		return c->fragment;
	for (unsigned n = FILE_DROPIN; d && n < e->file; n++)
		d = d->next;
	return d ? d->text : NULL;
}

static void set_source(struct edge *e, uint8_t origin, uint32_t line, uint8_t file)
{
	e->origin = origin;
	e->line = line;
	e->file = file;
}

/* Both units have room. The same edge again only counts when it is written with more force than before. */
static void add_edge(struct unit *from, enum dep_type type, struct unit *to,
		     const struct dep *source)
{
	uint8_t origin = source ? source->origin : DEP_IMPLICIT;
	uint32_t line = source ? source->line : 0;
	uint8_t file = file_number(from->config, source ? source->file : NULL);
	struct edge *e = find_own(from, type, to);
	struct edge *mirror;

	if (e && e->origin <= origin)
		return;
	if (e) {
		mirror = &to->edges[e->mirror];
	} else {
		e = &from->edges[from->edges_n];
		mirror = &to->edges[to->edges_n];
		*e = (struct edge){
			.to = to->id, .type = (uint8_t)type, .is_own = true, .mirror = to->edges_n};
		*mirror = (struct edge){.to = from->id,
					.type = (uint8_t)dep_inverse(type),
					.mirror = from->edges_n};
		from->edges_n++;
		to->edges_n++;
	}
	set_source(e, origin, line, file);
	set_source(mirror, origin, line, file);
}

int graph_add(struct registry *r, struct unit *from, enum dep_type type, struct unit *to,
	      const struct dep *source)
{
	int err;

	(void)r;
	/* To itself a dependency says nothing: it would be met, or forbid every start. */
	if (from == to)
		return 0;
	err = reserve_edges(from, 1);
	if (err == 0)
		err = reserve_edges(to, 1);
	if (err == 0)
		add_edge(from, type, to, source);
	return err;
}

/* Fill the hole with the last record, and tell that one's mirror where it went. */
static void remove_record(struct registry *r, struct unit *u, uint32_t at)
{
	const struct edge *last = &u->edges[--u->edges_n];

	if (at == u->edges_n)
		return;
	u->edges[at] = *last;
	r->units[last->to]->edges[last->mirror].mirror = at;
}

void graph_detach(struct registry *r, struct unit *u)
{
	/* Backwards: the record that fills a hole has been looked at already. */
	for (uint32_t i = u->edges_n; i-- > 0;) {
		const struct edge e = u->edges[i];

		if (!e.is_own)
			continue;
		remove_record(r, r->units[e.to], e.mirror);
		remove_record(r, u, i);
	}
}

/* Forget the stubs that were made since the registry had n units; nobody refers to them yet. */
static void drop_new_stubs(struct registry *r, uint32_t n)
{
	for (uint32_t i = n; i < r->n; i++)
		registry_drop(r, r->units[i]);
	r->n = n;
}

/* The units that the configuration names (stubs are made), in the order of deps; NULL for a name that cannot be one. */
static int resolve_deps(struct registry *r, const struct unit_config *c, struct unit **to)
{
	uint32_t i = 0;

	for (const struct dep *d = c->deps; d; d = d->next, i++) {
		to[i] = registry_get(r, d->name);
		if (!to[i] && unit_name_check(r, d->name))
			return err_here(-ENOMEM);
	}
	return 0;
}

/* Room for one edge more on each of to[0..n), which may name a unit several times, and for n on u. */
static int reserve_all(struct unit *u, struct unit *const *to, uint32_t n)
{
	int err = reserve_edges(u, n);

	for (uint32_t i = 0; i < n; i++)
		if (to[i])
			to[i]->plan_at++;
	for (uint32_t i = 0; i < n; i++) {
		if (!to[i])
			continue;
		if (err == 0)
			err = reserve_edges(to[i], to[i]->plan_at);
		to[i]->plan_at = 0;
	}
	return err;
}

static bool comes_after_itself(struct unit *member, const struct unit *target)
{
	const struct unit_config *c = member->config;

	return c && c->load == LOAD_LOADED &&
	       (!c->unit->default_dependencies || find_record(member, DEP_AFTER, target->id, true));
}

/*
 * A target is reached after its members by default; not after those that want no defaults, or say that they come after the target.
 * Which unit was loaded first does not matter: both look.
 */
static void yield_defaults(struct registry *r, struct unit *u)
{
	for (uint32_t i = u->edges_n; i-- > 0;) {
		const struct edge e = u->edges[i];
		struct unit *other = r->units[e.to];
		struct unit *target = e.type == DEP_AFTER && e.is_own ? u : other;
		struct unit *member = target == u ? other : u;
		bool is_membership = e.origin == DEP_DEFAULT && target->type == UNIT_TARGET &&
				     e.type == (target == u ? DEP_AFTER : DEP_BEFORE) &&
				     e.is_own == (target == u);

		if (!is_membership || !comes_after_itself(member, target))
			continue;
		remove_record(r, other, e.mirror);
		remove_record(r, u, i);
	}
}

int graph_attach(struct registry *r, struct unit *u)
{
	const struct dep *d = u->config ? u->config->deps : NULL;
	uint32_t units_n = r->n;
	uint32_t n = 0;
	AUTO_MEM struct unit **to = NULL;
	int err;

	for (const struct dep *each = d; each; each = each->next)
		n++;
	if (n > 0) {
		to = mem_get(n * sizeof(struct unit *));
		if (!to)
			return err_here(-ENOMEM);
		err = resolve_deps(r, u->config, to);
		if (err == 0)
			err = reserve_all(u, to, n);
		if (err < 0) {
			drop_new_stubs(r, units_n);
			return err;
		}
	}
	graph_detach(r, u);
	for (uint32_t i = 0; i < n; i++, d = d->next)
		if (to[i] && to[i] != u)
			add_edge(u, (enum dep_type)d->type, to[i], d);
	yield_defaults(r, u);
	return 0;
}

static int queue_unit(struct registry *r, struct graph_walk *w, struct unit *u)
{
	if (u->visit == r->visit)
		return 0;
	if (w->n == w->cap) {
		uint32_t cap = w->cap ? w->cap * 2 : 64;
		uint32_t *ids = mem_grow(w->ids, w->cap * sizeof(*ids), cap * sizeof(*ids));

		if (!ids)
			return err_here(-ENOMEM);
		w->ids = ids;
		w->cap = cap;
	}
	u->visit = r->visit;
	w->ids[w->n++] = u->id;
	return 0;
}

static int queue_pulled(struct registry *r, struct graph_walk *w, const struct unit *u)
{
	int err = 0;

	for (uint32_t i = 0; i < u->edges_n && err == 0; i++)
		if (pulls_start[u->edges[i].type])
			err = queue_unit(r, w, r->units[u->edges[i].to]);
	return err;
}

/* From here on no unit carries the number r->visit. */
static void new_visit(struct registry *r)
{
	if (++r->visit != 0)
		return;
	for (uint32_t i = 0; i < r->n; i++)
		if (r->units[i])
			r->units[i]->visit = 0;
	r->visit = 1;
}

int graph_walk(struct graph_walk *w, struct registry *r, struct unit *anchor,
	       const struct graph_loader *loader)
{
	uint32_t loaded = 0;
	int err = 0;

	/* Another walk has passed since: what is loaded by now is soon walked over again. */
	if (!w->ids || w->visit != r->visit) {
		new_visit(r);
		w->visit = r->visit;
		w->n = w->at = 0;
		err = queue_unit(r, w, anchor);
	}
	for (; w->at < w->n && err >= 0; w->at++) {
		struct unit *u = r->units[w->ids[w->at]];

		if (!u) /* dropped since the last step */
			continue;
		if (!u->config && loaded++ == loader->at_most)
			return 1;
		/* Loading attaches edges, perhaps to u itself, and always with the loaded unit at one end. */
		if (!u->config)
			err = loader->load(loader->arg, u);
		if (err >= 0)
			err = queue_pulled(r, w, u);
	}
	return err < 0 ? err : 0;
}

void graph_walk_fini(struct graph_walk *w)
{
	mem_put(w->ids);
	*w = (struct graph_walk){0};
}

int graph_close(struct registry *r, int (*load)(void *arg, struct unit *u), void *arg)
{
	struct graph_loader loader = {.load = load, .arg = arg, .at_most = UINT32_MAX};
	struct graph_walk w = {0};
	int err = 0;

	new_visit(r);
	w.visit = r->visit;
	for (uint32_t i = 0; i < r->n && err == 0; i++)
		if (r->units[i] && r->units[i]->config)
			err = queue_unit(r, &w, r->units[i]);
	if (err == 0 && w.n)
		err = graph_walk(&w, r, NULL, &loader);
	graph_walk_fini(&w);
	return err;
}

int graph_closure(struct registry *r, struct unit *anchor, int (*load)(void *arg, struct unit *u),
		  void *arg)
{
	struct graph_loader loader = {.load = load, .arg = arg, .at_most = UINT32_MAX};
	struct graph_walk w = {0};
	int err = graph_walk(&w, r, anchor, &loader);

	graph_walk_fini(&w);
	return err;
}
