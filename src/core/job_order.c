/* SPDX-License-Identifier: MIT */
#include "core/job_order.h"

#define NO_VERTEX UINT32_MAX
/* Edge records looked at in search of shortest cycles before the search stops being exact: tens of milliseconds. */
#define SEARCH_BUDGET UINT64_C(4000000)

/* A unit with a job. An arc v -> w says that the job of v must be done before that of w. */
struct vertex {
	uint32_t unit;
	uint32_t at;         /* cursor over its edges */
	uint32_t parent;     /* of the depth-first walk */
	uint32_t index, low; /* Tarjan's numbers; index 0: not seen */
	uint32_t component;  /* number of the cyclic component, in this round */
	uint32_t dist;       /* arcs to the start of a search + 1; 0: not seen */
	uint8_t type;        /* enum job_type */
	bool matters, on_stack;
};

/* A record that was marked broken, for undoing. */
struct mark {
	uint32_t unit, at;
};

struct order {
	struct registry *r;
	struct job_plan *plan;
	struct job_cycle **last;
	struct vertex *vertices;
	uint32_t n, cap;
	uint32_t *suspects, *members, *queue; /* n each, in one block */
	uint32_t suspects_n, members_n, queue_n;
	uint32_t next_index, components_n;
	struct mark *marks;
	uint32_t marks_n, marks_cap;
	uint64_t spent;
};

static bool is_ordering(const struct edge *e)
{
	return (e->type == DEP_BEFORE || e->type == DEP_AFTER) && !e->is_broken;
}

static struct unit *unit_of(const struct order *o, uint32_t v)
{
	return o->r->units[o->vertices[v].unit];
}

/* --- collecting --- */

static int add_vertex(struct order *o, struct unit *u, enum job_type type, bool matters)
{
	if (o->n == o->cap) {
		uint32_t cap = o->cap ? o->cap * 2 : o->plan->n;
		struct vertex *all =
			mem_grow(o->vertices, o->cap * sizeof(*all), cap * sizeof(*all));

		if (!all)
			return err_here(-ENOMEM);
		o->vertices = all;
		o->cap = cap;
	}
	o->vertices[o->n++] =
		(struct vertex){.unit = u->id, .type = (uint8_t)type, .matters = matters};
	u->plan_at = o->n;
	return 0;
}

static int add_installed(struct order *o, const struct unit *from)
{
	int err = 0;

	for (uint32_t i = 0; i < from->edges_n && err == 0; i++) {
		struct unit *u = o->r->units[from->edges[i].to];

		if (is_ordering(&from->edges[i]) && u->plan_at == 0 && job_pending(u) != JOB_NONE &&
		    !u->work->job.ignores_order)
			err = add_vertex(o, u, job_pending(u), false);
	}
	return err;
}

static int collect(struct order *o, enum job_mode mode)
{
	int err = 0;

	for (uint32_t i = 0; i < o->plan->n && err == 0; i++) {
		const struct job_step *step = &o->plan->steps[i];
		struct unit *u = o->r->units[step->unit];
		enum job_type type = (enum job_type)step->type;

		if (!job_types_conflict(type, job_pending(u)))
			type = job_merge(job_pending(u), type, u);
		err = add_vertex(o, u, type, step->matters);
	}
	for (uint32_t i = 0; i < o->n && err == 0 && mode != MODE_FLUSH; i++)
		err = add_installed(o, unit_of(o, i));
	if (err < 0)
		return err;
	o->suspects = mem_get((size_t)o->n * 3 * sizeof(uint32_t));
	if (!o->suspects)
		return err_here(-ENOMEM);
	o->members = o->suspects + o->n;
	o->queue = o->members + o->n;
	return 0;
}

/* --- arcs --- */

/* The other end when record e of v is an arc: forward, v goes first; else, v waits. */
static uint32_t arc_end(const struct order *o, uint32_t v, const struct edge *e, bool is_forward)
{
	const struct unit *u;
	enum job_type mine;
	enum job_type other;

	if (!is_ordering(e))
		return NO_VERTEX;
	u = o->r->units[e->to];
	if (u->plan_at == 0)
		return NO_VERTEX;
	mine = (enum job_type)o->vertices[v].type;
	other = (enum job_type)o->vertices[u->plan_at - 1].type;
	return job_waits(e, mine, other) == is_forward ? NO_VERTEX : u->plan_at - 1;
}

/* --- cyclic components: Tarjan's algorithm, with its stack in the vertices --- */

static void enter_vertex(struct order *o, uint32_t v, uint32_t parent)
{
	struct vertex *x = &o->vertices[v];

	x->at = 0;
	x->parent = parent;
	x->index = x->low = ++o->next_index;
	x->on_stack = true;
	o->queue[o->queue_n++] = v;
}

/* All arcs of v were followed. When it heads a component of several, those are members. */
static void leave_vertex(struct order *o, uint32_t v)
{
	struct vertex *x = &o->vertices[v];
	uint32_t first = o->queue_n;
	uint32_t w;
	bool is_cyclic;

	if (x->parent != NO_VERTEX && x->low < o->vertices[x->parent].low)
		o->vertices[x->parent].low = x->low;
	if (x->low != x->index)
		return;
	do {
		w = o->queue[--first];
		o->vertices[w].on_stack = false;
		o->vertices[w].component = o->components_n;
	} while (w != v);
	is_cyclic = o->queue_n - first > 1;
	if (is_cyclic) {
		memcpy(o->members + o->members_n, o->queue + first,
		       (o->queue_n - first) * sizeof(*o->queue));
		o->members_n += o->queue_n - first;
		o->components_n++;
	} else {
		x->component = NO_VERTEX;
	}
	o->queue_n = first;
}

static void walk_from(struct order *o, uint32_t root)
{
	uint32_t v = root;

	enter_vertex(o, v, NO_VERTEX);
	while (v != NO_VERTEX) {
		struct vertex *x = &o->vertices[v];
		const struct unit *u = unit_of(o, v);
		uint32_t w;

		if (x->at == u->edges_n) {
			leave_vertex(o, v);
			v = x->parent;
			continue;
		}
		w = arc_end(o, v, &u->edges[x->at++], true);
		if (w == NO_VERTEX)
			continue;
		if (o->vertices[w].index == 0) {
			enter_vertex(o, w, v);
			v = w;
		} else if (o->vertices[w].on_stack && o->vertices[w].index < x->low) {
			x->low = o->vertices[w].index;
		}
	}
}

/* Suspects in, members of cyclic components out, one component after the other. Who is no suspect keeps an index. */
static void find_components(struct order *o)
{
	o->next_index = o->components_n = o->members_n = o->queue_n = 0;
	for (uint32_t i = 0; i < o->suspects_n; i++)
		o->vertices[o->suspects[i]].index = 0;
	for (uint32_t i = 0; i < o->suspects_n; i++)
		if (o->vertices[o->suspects[i]].index == 0)
			walk_from(o, o->suspects[i]);
}

/* --- the shortest cycle of a component --- */

/* Does the arc by record e of v stay within v's component? Then its end, else NO_VERTEX. */
static uint32_t inner_arc(struct order *o, uint32_t v, const struct edge *e, bool is_forward)
{
	uint32_t w = arc_end(o, v, e, is_forward);

	o->spent++;
	return w != NO_VERTEX && o->vertices[w].component == o->vertices[v].component ? w
										      : NO_VERTEX;
}

static void forget_distances(struct order *o)
{
	for (uint32_t i = 0; i < o->queue_n; i++)
		o->vertices[o->queue[i]].dist = 0;
	o->queue_n = 0;
}

/*
 * Breadth first against the arcs from `start`: afterwards dist - 1 is the way to start in arcs. Returns the length of the
 * shortest cycle through start when it is at most `limit`, else 0.
 */
static uint32_t measure(struct order *o, uint32_t start, uint32_t limit)
{
	o->vertices[start].dist = 1;
	o->queue[o->queue_n++] = start;
	for (uint32_t i = 0; i < o->queue_n; i++) {
		uint32_t v = o->queue[i];
		uint32_t dist = o->vertices[v].dist;
		const struct unit *u = unit_of(o, v);

		if (dist > limit)
			break;
		for (uint32_t k = 0; k < u->edges_n; k++) {
			uint32_t w = inner_arc(o, v, &u->edges[k], false);

			if (w == start)
				return dist;
			if (w == NO_VERTEX || o->vertices[w].dist != 0)
				continue;
			o->vertices[w].dist = dist + 1;
			o->queue[o->queue_n++] = w;
		}
	}
	return 0;
}

static bool is_named_before(const struct order *o, uint32_t v, uint32_t w)
{
	return strcmp(unit_of(o, v)->name, unit_of(o, w)->name) < 0;
}

/* Of all members on a cycle of the least length, the first by name; the length goes to ret_length. */
static uint32_t find_start(struct order *o, const uint32_t *members, uint32_t n,
			   uint32_t *ret_length)
{
	uint32_t best = members[0];
	uint32_t length;

	for (uint32_t i = 1; i < n; i++)
		if (is_named_before(o, members[i], best))
			best = members[i];
	length = measure(o, best, n);
	forget_distances(o);
	for (uint32_t i = 0; i < n && o->spent < SEARCH_BUDGET; i++) {
		uint32_t found = measure(o, members[i], length);

		forget_distances(o);
		if (found != 0 && (found < length || is_named_before(o, members[i], best))) {
			best = members[i];
			length = found;
		}
	}
	*ret_length = length;
	return best;
}

/* The next vertex on a shortest way to the start: one that is `dist` away, the first by name. */
static uint32_t step_closer(struct order *o, uint32_t v, uint32_t dist)
{
	const struct unit *u = unit_of(o, v);
	uint32_t best = NO_VERTEX;

	for (uint32_t k = 0; k < u->edges_n; k++) {
		uint32_t w = inner_arc(o, v, &u->edges[k], true);

		if (w == NO_VERTEX || o->vertices[w].dist != dist)
			continue;
		if (best == NO_VERTEX || is_named_before(o, w, best))
			best = w;
	}
	return best;
}

/* Of the records that make the arc v -> w, the one with most force. */
static const struct edge *strongest(const struct order *o, uint32_t v, uint32_t w)
{
	const struct unit *u = unit_of(o, v);
	const struct edge *best = NULL;

	for (uint32_t k = 0; k < u->edges_n; k++) {
		const struct edge *e = &u->edges[k];

		if (arc_end(o, v, e, true) == w &&
		    (!best || e->origin < best->origin ||
		     (e->origin == best->origin && e->is_own && !best->is_own)))
			best = e;
	}
	return best;
}

/* --- breaking --- */

static uint32_t vertex_of(const struct order *o, uint32_t unit)
{
	return o->r->units[unit]->plan_at - 1;
}

/* Is edge a of the cycle rather dropped than b? */
static bool is_weaker(const struct order *o, const struct job_cycle *c, uint32_t a, uint32_t b)
{
	uint32_t from[2] = {vertex_of(o, c->edges[a].from), vertex_of(o, c->edges[b].from)};
	uint32_t to[2] = {vertex_of(o, c->edges[a].edge.to), vertex_of(o, c->edges[b].edge.to)};
	bool can_spare[2];

	if (c->edges[a].edge.origin != c->edges[b].edge.origin)
		return c->edges[a].edge.origin > c->edges[b].edge.origin;
	for (int i = 0; i < 2; i++)
		can_spare[i] = !o->vertices[from[i]].matters || !o->vertices[to[i]].matters;
	if (can_spare[0] != can_spare[1])
		return can_spare[0];
	/* Each unit begins one edge of a cycle only, so this never ties. */
	return is_named_before(o, from[1], from[0]);
}

static int note_mark(struct order *o, uint32_t unit, uint32_t at)
{
	if (o->marks_n == o->marks_cap) {
		uint32_t cap = o->marks_cap ? o->marks_cap * 2 : 16;
		struct mark *marks =
			mem_grow(o->marks, o->marks_cap * sizeof(*marks), cap * sizeof(*marks));

		if (!marks)
			return err_here(-ENOMEM);
		o->marks = marks;
		o->marks_cap = cap;
	}
	o->marks[o->marks_n++] = (struct mark){unit, at};
	return 0;
}

static void set_broken(struct order *o, const struct mark *m, bool is_broken)
{
	struct edge *e = &o->r->units[m->unit]->edges[m->at];

	e->is_broken = is_broken;
	o->r->units[e->to]->edges[e->mirror].is_broken = is_broken;
}

/* Mark every record that makes the arc v -> w: both units may have written it. */
static int break_arc(struct order *o, uint32_t v, uint32_t w)
{
	const struct unit *u = unit_of(o, v);

	for (uint32_t k = 0; k < u->edges_n; k++) {
		int err;

		if (arc_end(o, v, &u->edges[k], true) != w)
			continue;
		err = note_mark(o, u->id, k);
		if (err < 0)
			return err;
		set_broken(o, &o->marks[o->marks_n - 1], true);
	}
	return 0;
}

/* Note the shortest cycle of a component in the plan, and break it. */
static int break_component(struct order *o, const uint32_t *members, uint32_t n)
{
	uint32_t length;
	uint32_t v = find_start(o, members, n, &length);
	struct job_cycle *c = arena_get(&o->plan->arena, sizeof(*c) + length * sizeof(c->edges[0]));

	if (!c)
		return err_here(-ENOMEM);
	(void)measure(o, v, length);
	for (uint32_t i = 0; i < length; i++) {
		/* From the start itself the way leads to whoever is length - 1 away; the last arc ends there. */
		uint32_t w = step_closer(o, v, length - i);
		const struct edge *e = w == NO_VERTEX ? NULL : strongest(o, v, w);

		if (!CHECK(e))
			return err_here(-ENOTRECOVERABLE);
		c->edges[i].from = o->vertices[v].unit;
		c->edges[i].edge = *e;
		v = w;
	}
	forget_distances(o);
	c->n = length;
	for (uint32_t i = 1; i < length; i++)
		if (is_weaker(o, c, i, c->dropped))
			c->dropped = i;
	*o->last = c;
	o->last = &c->next;
	return break_arc(o, vertex_of(o, c->edges[c->dropped].from),
			 vertex_of(o, c->edges[c->dropped].edge.to));
}

static int break_all(struct order *o)
{
	int err = 0;

	for (o->suspects_n = 0; o->suspects_n < o->n; o->suspects_n++)
		o->suspects[o->suspects_n] = o->suspects_n;
	while (o->suspects_n > 0 && err == 0) {
		find_components(o);
		for (uint32_t i = 0, end; i < o->members_n && err == 0; i = end) {
			uint32_t component = o->vertices[o->members[i]].component;

			for (end = i; end < o->members_n; end++)
				if (o->vertices[o->members[end]].component != component)
					break;
			err = break_component(o, o->members + i, end - i);
		}
		/* Other cycles may be left, but only in those components. */
		memcpy(o->suspects, o->members, o->members_n * sizeof(*o->members));
		o->suspects_n = o->members_n;
	}
	return err;
}

int job_order_break(struct job_plan *p, struct registry *r, enum job_mode mode)
{
	struct order o = {.r = r, .plan = p, .last = &p->cycles};
	int err;

	if (p->n == 0 || mode == MODE_IGNORE_DEPENDENCIES)
		return 0;
	err = collect(&o, mode);
	if (err == 0)
		err = break_all(&o);
	for (uint32_t i = 0; i < o.marks_n && err < 0; i++)
		set_broken(&o, &o.marks[i], false);
	for (uint32_t i = 0; i < o.n; i++)
		unit_of(&o, i)->plan_at = 0;
	mem_put(o.marks);
	mem_put(o.suspects);
	mem_put(o.vertices);
	return err;
}
