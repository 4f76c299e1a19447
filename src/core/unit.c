/* SPDX-License-Identifier: MIT */
#include "core/unit.h"

#include <assert.h>

#include "core/share.h"

enum { CONFIG_TEXTS = 232 }; /* bytes of names and texts that a small unit has */

const char *const unit_type_names[UNIT_TYPES] = {
#define TYPE(name, suffix) [UNIT_##name] = (suffix),
	UNIT_TYPES_LIST(TYPE)
#undef TYPE
};

const char *const load_state_names[LOAD_STATES] = {
#define LOAD(name, word) [LOAD_##name] = (word),
	LOAD_STATES_LIST(LOAD)
#undef LOAD
};

const char *const dep_names[DEP_TYPES] = {
#define DEP(a, b, wa, wb) [DEP_##a] = (wa), [DEP_##b] = (wb),
	DEPS_LIST(DEP)
#undef DEP
};

const char *const job_type_names[JOB_TYPES] = {
#define JOB(name, word) [JOB_##name] = (word),
	JOB_TYPES_LIST(JOB)
#undef JOB
};

const char *const job_result_names[JOB_RESULTS] = {
#define RESULT(name, word) [JOB_RES_##name] = (word),
	JOB_RESULTS_LIST(RESULT)
#undef RESULT
};

int unit_type_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	for (int i = 0; dot && i < UNIT_TYPES; i++)
		if (strcmp(dot + 1, unit_type_names[i]) == 0)
			return i;
	return -1;
}

static const struct unit_own nothing_own;

struct unit_own *unit_config_own(struct unit_config *c)
{
	struct unit_own *own = (struct unit_own *)(uintptr_t)c->own;

	if (own != &nothing_own)
		return own;
	own = arena_get(&c->arena, sizeof(*own));
	if (own)
		c->own = own;
	return own;
}

struct unit_config *unit_config_new(const struct unit_config *from)
{
	struct arena arena = {.least = sizeof(*from) + CONFIG_TEXTS};
	struct unit_config *c = arena_get(&arena, sizeof(*c));

	if (!c)
		return NULL;
	arena.least = 0;
	if (from)
		*c = *from;
	else
		c->unit = arena_get(&arena, sizeof(*c->unit));
	if (!c->unit) {
		arena_fini(&arena);
		return NULL;
	}
	c->arena = arena;
	c->own = &nothing_own;
	diag_init(&c->diags, &c->arena);
	return c;
}

void unit_config_free(struct unit_config *c)
{
	struct arena arena;

	if (!c)
		return;
	if (c->has_parts) {
		share_put(c->unit);
		share_put(c->exec);
		share_put(c->service);
		share_put(c->socket);
	}
	arena = c->arena; /* which holds c */
	arena_fini(&arena);
}

const char *unit_substate(const struct unit *u)
{
	return fsm_state_name(u->ops->fsm, u->state);
}

void unit_run_text(const struct unit *u, char out[UNIT_RUN_TEXT])
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < sizeof(u->invocation); i++) {
		out[2 * i] = digits[u->invocation[i] >> 4];
		out[2 * i + 1] = digits[u->invocation[i] & 15];
	}
	out[UNIT_RUN_TEXT - 1] = '\0';
}

enum load_state unit_load_state(const struct unit *u)
{
	return u->config ? u->config->load : LOAD_STUB;
}

const char *unit_description(const struct unit *u)
{
	return u->config && u->config->description ? u->config->description : u->name;
}

/* --- registry --- */

/* A name of a unit. Those of one unit form a chain that begins with its canonical name, whose entry lies behind the unit itself. */
struct name_entry {
	struct map_node node;
	struct name_entry *next; /* alias of the same unit */
	uint32_t unit;
	char name[];
};

static_assert(offsetof(struct name_entry, node) == 0, "name_eq() takes the node for the entry");

static bool name_eq(const struct map_node *n, const void *key)
{
	const struct name_entry *e = (const void *)n;

	return strcmp(e->name, key) == 0;
}

static struct name_entry *entry_behind(struct unit *u)
{
	return (void *)((char *)u + u->ops->object_size);
}

static struct name_entry *find_entry(const struct registry *r, const char *name)
{
	struct map_node *n = map_find(&r->names, str_hash(str_of(name)), name_eq, name);

	return n ? container_of(n, struct name_entry, node) : NULL;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr(":-_.\\@", c));
}

bool unit_name_check(const struct registry *r, const char *name)
{
	size_t n = strnlen(name, UNIT_NAME_MAX + 1);
	int type;

	if (n > UNIT_NAME_MAX || name[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_name_char(name[i]))
			return false;
	type = unit_type_of(name);
	return type >= 0 && r->ops[type];
}

int registry_init(struct registry *r, const struct unit_type_ops *const *types, unsigned n)
{
	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < n; i++)
		r->ops[types[i]->type] = types[i];
	pool_init(&r->works, sizeof(struct unit_work));
	return map_reserve(&r->names, 64);
}

static void free_unit(struct registry *r, struct unit *u)
{
	struct name_entry *next;

	map_del(&r->names, &entry_behind(u)->node);
	for (struct name_entry *e = entry_behind(u)->next; e; e = next) {
		next = e->next;
		map_del(&r->names, &e->node);
		mem_put(e);
	}
	r->units[u->id] = NULL;
	if (u->ops->fini)
		u->ops->fini(u);
	unit_config_free(u->config);
	mem_put(u->edges);
	pool_put(&r->works, u->work);
	mem_put(u);
}

void registry_fini(struct registry *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->units[i])
			free_unit(r, r->units[i]);
	mem_put(r->units);
	pool_fini(&r->works);
	map_fini(&r->names);
	memset(r, 0, sizeof(*r));
}

static bool is_resting(const struct unit_work *w)
{
	return !w->job.id && !w->timer.is_armed && !w->pending_fx && !w->running_fx &&
	       !list_is_linked(&w->fx_node) && !list_is_linked(&w->retire_node) &&
	       !list_is_linked(&w->touch_node);
}

void registry_rest(struct registry *r)
{
	for (uint32_t i = 0; i < r->n; i++) {
		struct unit_work *w = r->units[i] ? r->units[i]->work : NULL;

		/* Only what is set is cleared: writing zeroes takes a page as writing anything does. */
		if (w && w->unit && is_resting(w))
			memset(w, 0, sizeof(*w));
	}
	pool_trim(&r->works);
}

void registry_drop(struct registry *r, struct unit *u)
{
	if (CHECK(u->edges_n == 0) && CHECK(unit_is_at_rest(u)) && CHECK(u->work->job.id == 0))
		free_unit(r, u);
}

/* An entry that is not yet in the map, with room for it there, behind so many bytes: the beginning of both. */
static void *new_entry(struct registry *r, size_t at, const char *name)
{
	size_t n = strlen(name);
	char *p;

	if (r->names.n >= UNITS_MAX || map_reserve(&r->names, 1) < 0)
		return NULL;
	p = mem_get(at + offsetof(struct name_entry, name) + n + 1);
	if (p)
		memcpy(p + at + offsetof(struct name_entry, name), name, n);
	return p;
}

static int reserve_id(struct registry *r)
{
	uint32_t cap = r->cap ? r->cap * 2 : 64;
	struct unit **units;

	if (r->n < r->cap)
		return 0;
	if (r->cap > UINT32_MAX / 4)
		return err_here(-ENOSPC);
	units = mem_grow(r->units, r->cap * sizeof(struct unit *), cap * sizeof(struct unit *));
	if (!units)
		return err_here(-ENOMEM);
	r->units = units;
	r->cap = cap;
	return 0;
}

/* A stub; the name has been checked. */
static struct unit *new_unit(struct registry *r, const char *name)
{
	const struct unit_type_ops *ops = r->ops[unit_type_of(name)];
	struct name_entry *e;
	struct unit *u;

	if (reserve_id(r) < 0)
		return NULL;
	u = new_entry(r, ops->object_size, name);
	if (u)
		u->work = pool_get(&r->works);
	if (!u || !u->work) {
		mem_put(u);
		return NULL;
	}
	u->type = (uint8_t)ops->type;
	u->ops = ops;
	e = entry_behind(u);
	u->id = e->unit = r->n++;
	u->name = e->name;
	r->units[u->id] = u;
	map_add(&r->names, &e->node, str_hash(str_of(name)));
	return u;
}

struct unit *registry_find(const struct registry *r, const char *name)
{
	const struct name_entry *e = find_entry(r, name);

	return e ? r->units[e->unit] : NULL;
}

/* Let `name` stand for the unit `canonical` too; NULL without memory, and nothing changed. */
static struct unit *get_by_alias(struct registry *r, const char *name, const char *canonical)
{
	struct unit *u = registry_find(r, canonical);
	struct name_entry *alias;
	struct name_entry *first;

	/* Room for both names at once: a unit that was made must get its alias. */
	if (map_reserve(&r->names, 2) < 0)
		return NULL;
	alias = new_entry(r, 0, name);
	if (!alias)
		return NULL;
	if (!u)
		u = new_unit(r, canonical);
	if (!u) {
		mem_put(alias);
		return NULL;
	}
	first = entry_behind(u);
	alias->unit = u->id;
	alias->next = first->next;
	first->next = alias;
	map_add(&r->names, &alias->node, str_hash(str_of(name)));
	return u;
}

struct unit *registry_get(struct registry *r, const char *name)
{
	struct unit *u = registry_find(r, name);
	const char *canonical = NULL;

	if (u || !unit_name_check(r, name))
		return u;
	if (r->canonical)
		canonical = r->canonical(r->canonical_arg, name);
	/* An alias is of the same type, by the rules of unit files; one that says otherwise is not followed. */
	if (!canonical || strcmp(canonical, name) == 0 || !unit_name_check(r, canonical) ||
	    unit_type_of(canonical) != unit_type_of(name))
		return new_unit(r, name);
	return get_by_alias(r, name, canonical);
}
