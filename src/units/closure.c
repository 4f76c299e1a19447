/* SPDX-License-Identifier: MIT */
#include "units/closure.h"

#include "units/name.h"
#include "units/needs.h"

const char *const relation_origin_names[RELATION_ORIGINS] = {
#define ORIGIN(name, word) [RELATION_##name] = word,
	RELATION_ORIGINS_LIST(ORIGIN)
#undef ORIGIN
};

#define BIT(origin) ((uint16_t)(1u << RELATION_##origin))

static const uint16_t dep_bits[DEP_ORIGINS] = {
	[DEP_FILE] = BIT(FILE),        [DEP_SETTING] = BIT(FILE), [DEP_IMPLICIT] = BIT(IMPLICIT),
	[DEP_MOUNT] = BIT(MOUNT_FILE), [DEP_PATH] = BIT(PATH),    [DEP_DEFAULT] = BIT(DEFAULT),
};

/* --- units --- */

void closure_init(struct closure *g, struct load *l)
{
	memset(g, 0, sizeof(*g));
	g->load = l;
	g->tail = &g->first;
}

void closure_fini(struct closure *g)
{
	for (struct closure_unit *u = g->first; u; u = u->next)
		unit_config_free(u->config);
	map_fini(&g->names);
	arena_fini(&g->arena);
}

static bool unit_eq(const struct map_node *node, const void *key)
{
	return strcmp(container_of(node, const struct closure_unit, node)->name, key) == 0;
}

/* The name by which a unit is known: that of the file behind an alias; of a template its instance "i". In out, UNIT_NAME_MAX + 1 bytes. */
static const char *known_name(struct closure *g, const char *name, char *out)
{
	const char *canonical = name_is_valid(name, NAME_ANY) ? load_canonical(g->load, name)
							      : NULL;

	if (canonical)
		name = canonical;
	if (name_is_valid(name, NAME_TEMPLATE) &&
	    name_with_instance(name, STR("i"), out, UNIT_NAME_MAX + 1) == 0)
		name = out;
	return name;
}

static struct closure_unit *find(const struct closure *g, const char *name)
{
	struct map_node *node = map_find(&g->names, str_hash(str_of(name)), unit_eq, name);

	return node ? container_of(node, struct closure_unit, node) : NULL;
}

/* The unit of that name, waiting to be loaded when it is new. NULL: -ENOMEM. */
static struct closure_unit *name_unit(struct closure *g, const char *name)
{
	char buffer[UNIT_NAME_MAX + 1];
	struct closure_unit *u;

	name = known_name(g, name, buffer);
	u = find(g, name);
	if (u || map_reserve(&g->names, 1) < 0)
		return u;
	u = arena_get(&g->arena, sizeof(*u));
	if (!u)
		return NULL;
	u->name = arena_dup(&g->arena, name, strlen(name));
	if (!u->name)
		return NULL;
	map_add(&g->names, &u->node, str_hash(str_of(u->name)));
	u->next = g->pending;
	g->pending = u;
	return u;
}

/* --- loading --- */

/* Everything that needs a path lies on the root. */
static int name_root(struct closure *g, const struct unit_config *c)
{
	struct mount_need *first;
	int r = needs_paths(c, &g->arena, &first);

	return r == 0 && first && !name_unit(g, needs_root_mount) ? -ENOMEM : r;
}

/* Load what waits until nothing does. */
static int load_pending(struct closure *g)
{
	int r = 0;

	while (r == 0 && g->pending) {
		struct closure_unit *u = g->pending;

		g->pending = u->next;
		u->next = NULL;
		*g->tail = u;
		g->tail = &u->next;
		r = load_unit(g->load, u->name, &u->config);
		for (const struct dep *d = r == 0 ? u->config->deps : NULL; r == 0 && d;
		     d = d->next)
			r = name_unit(g, d->name) ? 0 : -ENOMEM;
		if (r == 0 && u->config->slice && !name_unit(g, u->config->slice))
			r = -ENOMEM;
		if (r == 0)
			r = name_root(g, u->config);
	}
	return r;
}

const struct closure_unit *closure_load(struct closure *g, const char *name)
{
	struct closure_unit *u = name_unit(g, name);

	return u && load_pending(g) == 0 ? u : NULL;
}

/* --- relations --- */

uint16_t closure_origins(uint16_t origins)
{
	uint16_t bits = 0;

	for (unsigned k = 0; k < DEP_ORIGINS; k++)
		if (origins >> k & 1)
			bits |= dep_bits[k];
	return bits;
}

struct relating {
	struct closure *g;
	const struct closure_unit *of;
	struct relation *first;
};

static struct relation *relate(struct relating *w, enum dep_type type, const char *other)
{
	struct relation **at = &w->first;

	while (*at && ((*at)->type != type || strcmp((*at)->other, other) != 0))
		at = &(*at)->next;
	if (!*at)
		*at = arena_get(&w->g->arena, sizeof(**at));
	if (!*at)
		return NULL;
	(*at)->type = (uint8_t)type;
	(*at)->other = other;
	return *at;
}

/* from says `type` about to: noted if one of them is the unit that is looked at. */
static int say(struct relating *w, const struct closure_unit *from, enum dep_type type,
	       const struct closure_unit *to, uint16_t origin)
{
	struct relation *r;

	if (from == to)
		return 0;
	if (from == w->of) {
		r = relate(w, type, to->name);
		if (!r)
			return -ENOMEM;
		r->origins |= origin;
	} else if (to == w->of && type != DEP_JOINS_NAMESPACE_OF) {
		r = relate(w, dep_inverse(type), from->name);
		if (!r)
			return -ENOMEM;
		r->destinations |= origin;
	}
	return 0;
}

/* A dependency refers to the unit as well, which keeps that from being forgotten. */
static int say_dep(struct relating *w, const struct closure_unit *from, enum dep_type type,
		   const struct closure_unit *to, uint16_t origin)
{
	int r = say(w, from, type, to, origin);

	return r == 0 ? say(w, from, DEP_REFERENCES, to, origin) : r;
}

/* The root's mount is there whether it has a file or not. */
static int say_root(struct relating *w, const struct closure_unit *u)
{
	struct closure_unit *root;
	struct mount_need *first;
	int r = needs_paths(u->config, &w->g->arena, &first);

	if (r < 0 || !first || strcmp(u->name, needs_root_mount) == 0)
		return r;
	root = name_unit(w->g, needs_root_mount);
	if (!root)
		return -ENOMEM;
	r = say_dep(w, u, DEP_AFTER, root, BIT(PATH));
	return r == 0 && root->config && root->config->fragment
		       ? say_dep(w, u, DEP_REQUIRES, root, BIT(PATH))
		       : r;
}

static int say_slice(struct relating *w, const struct closure_unit *u)
{
	bool is_slice = unit_type_of(u->name) == UNIT_SLICE;
	struct closure_unit *slice = u->config->slice ? name_unit(w->g, u->config->slice) : NULL;
	int r = 0;

	if (!slice)
		return 0;
	if (is_slice) /* its other dependencies on the slice above are in its list */
		return say_dep(w, u, DEP_IN_SLICE, slice, BIT(IMPLICIT));
	r = say_dep(w, u, DEP_REQUIRES, slice, BIT(FILE));
	if (r == 0)
		r = say_dep(w, u, DEP_AFTER, slice, BIT(FILE));
	if (r == 0)
		r = say_dep(w, u, DEP_IN_SLICE, slice, BIT(SLICE));
	return r;
}

static bool says_after(const struct unit_config *c, const char *name)
{
	for (const struct dep *d = c->deps; d; d = d->next)
		if (d->type == DEP_AFTER && strcmp(d->name, name) == 0)
			return true;
	return false;
}

/* A target is reached after its members by default: when both are loaded, both want that, and the member does not wait for it. */
static bool is_after_member(const struct closure_unit *target, const struct closure_unit *member)
{
	const struct unit_config *c = member->config;

	return c && c->load == LOAD_LOADED && c->unit->default_dependencies &&
	       !says_after(c, target->name);
}

static bool holds(const struct closure_unit *from, const struct dep *d,
		  const struct closure_unit *to)
{
	int type = unit_type_of(to->name);

	if (d->type == DEP_BEFORE && (type == UNIT_DEVICE || type == UNIT_BUSNAME))
		return false; /* nothing can delay what others make */
	if (d->origin == DEP_DEFAULT && d->type == DEP_AFTER &&
	    unit_type_of(from->name) == UNIT_TARGET)
		return is_after_member(from, to);
	if (d->origin == DEP_PATH) /* a mount that is not used is not waited for */
		return to->config &&
		       (to->config->load == LOAD_LOADED || to->config->load == LOAD_BAD);
	return true;
}

static int say_all(struct relating *w, const struct closure_unit *from)
{
	const struct unit_config *c = from->config;
	int r = 0;

	if (!c || c->load != LOAD_LOADED)
		return 0;
	for (const struct dep *d = c->deps; r == 0 && d; d = d->next) {
		struct closure_unit *to = name_unit(w->g, d->name);

		if (!to)
			r = -ENOMEM;
		else if (holds(from, d, to))
			r = say_dep(w, from, (enum dep_type)d->type, to, dep_bits[d->origin]);
	}
	if (r == 0)
		r = say_slice(w, from);
	return r == 0 ? say_root(w, from) : r;
}

int closure_relations(struct closure *g, const struct closure_unit *u, struct relation **ret_first)
{
	struct relating w = {.g = g, .of = u};
	int r = 0;

	for (const struct closure_unit *from = g->first; r == 0 && from; from = from->next)
		r = say_all(&w, from);
	*ret_first = w.first;
	return r;
}
