/* SPDX-License-Identifier: MIT */
#include "activate/busname.h"

#include <stdio.h>

#include "core/log.h"
#include "units/load_index.h"
#include "units/scope.h"
#include "units/service.h"

#define SUFFIX ".busname"
enum { NAMES_MOST = 4096 }; /* that we know by heart */

/* A name with an owner. */
struct owned {
	struct map_node node;
	uint32_t round; /* of telling all of them, in which it was told last */
	char name[];
};

bool busname_has_bridge(const struct hark *h)
{
	const struct unit *bridge = registry_find(&h->reg, "hark-bus.service");

	return bridge && unit_is_active(bridge);
}

bool busname_has_watcher(const struct hark *h)
{
	const struct unit *bridge = registry_find(&h->reg, "hark-bus.service");

	return bridge && unit_load_state(bridge) == LOAD_LOADED && unit_coarse(bridge) != FAILED;
}

void busname_execed(struct hark *h, struct service *s)
{
	const struct service_config *c = s && s->unit.config ? s->unit.config->service : NULL;

	if (!c || c->type != SERVICE_DBUS || busname_has_watcher(h))
		return;
	s->counts_at_exec = true;
	s->unit.status_note =
		"counts as ready at its exec: there is no hark-bus to watch bus names";
}

/* --- names --- */

static bool is_called(const struct map_node *node, const void *key)
{
	return str_eq_z(*(const struct str *)key, container_of(node, struct owned, node)->name);
}

static struct owned *find(const struct hark *h, struct str name)
{
	struct map_node *node = map_find(&h->bus_names, str_hash(name), is_called, &name);

	return node ? container_of(node, struct owned, node) : NULL;
}

/* NULL: no memory, or too many. */
static struct owned *find_or_add(struct hark *h, struct str name)
{
	struct owned *o = find(h, name);

	if (!o && h->bus_names.n < NAMES_MOST && map_reserve(&h->bus_names, 1) == 0) {
		o = mem_get(sizeof(*o) + name.n + 1);
		if (o) {
			memcpy(o->name, name.p, name.n);
			map_add(&h->bus_names, &o->node, str_hash(name));
		}
	}
	if (!o)
		log_at(LOG_WARN, "the name " STR_FMT " on the bus is one too many to be kept",
		       STR_ARG(name));
	return o;
}

static void forget(struct hark *h, struct owned *o)
{
	map_del(&h->bus_names, &o->node);
	mem_put(o);
}

/* Those not told in this round. */
static void forget_others(struct hark *h)
{
	struct map_node *next, *node = map_next(&h->bus_names, NULL);

	for (; node; node = next) {
		struct owned *o = container_of(node, struct owned, node);

		next = map_next(&h->bus_names, node);
		if (o->round != h->bus_round)
			forget(h, o);
	}
}

/* --- units of names --- */

static void come(struct hark *h, struct unit *u)
{
	struct event e = {.kind = EV_NAME_OWNED, .unit = u->id};

	if (unit_is_active(u))
		return;
	e.cause = (struct cause){.kind = CAUSE_NAME, .unit = u->id, .uid = UINT32_MAX};
	engine_note_trigger(&h->engine, u, &e.cause);
	u->why_entry = e.cause.entry;
	engine_post(&h->engine, &e);
}

/* Nobody has the name any more; its unit goes too, unless others speak of it. */
static void go(struct hark *h, struct unit *u)
{
	if (!unit_is_active(u))
		return;
	engine_post_simple(&h->engine, u, EV_NAME_LOST, 0, 0, 0);
	engine_digest(&h->engine);
	engine_retire(&h->engine, u);
}

/* The unit of the name, loaded; NULL: nobody speaks of it, or it is broken. */
static struct unit *unit_of(struct hark *h, const char *name)
{
	char text[UNIT_NAME_MAX + 1];
	int n = snprintf(text, sizeof(text), "%s" SUFFIX, name);
	struct unit *u;

	if (n < 0 || (size_t)n >= sizeof(text))
		return NULL;
	u = registry_find(&h->reg, text);
	if (!u && index_find(&h->load, str_of(text)))
		u = registry_get(&h->reg, text);
	if (!u || u->type != UNIT_BUSNAME || engine_load(&h->engine, u) < 0 ||
	    unit_load_state(u) != LOAD_LOADED)
		return NULL;
	return u;
}

/* What a .busname unit is about. */
static struct str name_in(const struct unit *u)
{
	struct str name = str_of(u->name);

	return str_sub(name, 0, name.n - strlen(SUFFIX));
}

void busname_loaded(struct hark *h, struct unit *u)
{
	if (u->type == UNIT_BUSNAME && find(h, name_in(u)))
		come(h, u);
}

void busname_look(struct hark *h)
{
	for (struct map_node *n = map_next(&h->bus_names, NULL); n;
	     n = map_next(&h->bus_names, n)) {
		struct unit *u = unit_of(h, container_of(n, struct owned, node)->name);

		if (u)
			come(h, u);
	}
}

/* --- what is told --- */

/* The name of which u hears as what it is: of a service of Type=dbus, of the controller of a scope. NULL: none. */
static const char *name_of(struct unit *u)
{
	const struct service_config *c = u && u->config ? u->config->service : NULL;

	if (c)
		return c->type == SERVICE_DBUS ? c->bus_name : NULL;
	return u ? scope_controller(u) : NULL;
}

static void post(struct hark *h, struct str name, enum event_kind kind)
{
	for (uint32_t i = 0; i < h->reg.n; i++) {
		struct unit *u = registry_unit(&h->reg, i);
		const char *its = name_of(u);

		if (its && str_eq_z(name, its))
			engine_post_simple(&h->engine, u, kind, 0, 0, 0);
	}
}

static void gain(struct hark *h, struct str name)
{
	struct owned *o = find_or_add(h, name);
	struct unit *u = o ? unit_of(h, o->name) : NULL;

	if (o)
		o->round = h->bus_round;
	if (u)
		come(h, u);
	post(h, name, EV_NAME_OWNED);
}

static void lose(struct hark *h, struct str name)
{
	struct owned *o = find(h, name);
	struct unit *u = o ? unit_of(h, o->name) : NULL;

	if (o)
		forget(h, o);
	if (u)
		go(h, u);
	post(h, name, EV_NAME_LOST);
}

/* Was the name not told in this round? A scope that has begun meanwhile may be younger than the list of names that is told. */
static bool is_missing(const struct hark *h, struct unit *u, struct str name)
{
	const struct owned *o = find(h, name);
	const struct scope *s = scope_of(u);

	return o ? o->round != h->bus_round : !s || !s->is_new;
}

/* Units whose name was not told are without it. */
static void lose_missing(struct hark *h, bool with_services)
{
	for (uint32_t i = 0; i < h->reg.n; i++) {
		struct unit *u = registry_unit(&h->reg, i);
		const struct service *s = u ? service_of(u) : NULL;
		const char *its = name_of(u);

		if (u && u->type == UNIT_BUSNAME && is_missing(h, u, name_in(u)))
			go(h, u);
		else if (its && is_missing(h, u, str_of(its)) &&
			 (!s || (with_services && s->is_ready)))
			engine_post_simple(&h->engine, u, EV_NAME_LOST, 0, 0, 0);
	}
}

/* All names that there are have been told. */
static void end_round(struct hark *h, bool with_services)
{
	lose_missing(h, with_services);
	forget_others(h);
}

void busname_heard(struct hark *h, struct str word)
{
	if (str_eq_z(word, "begin")) {
		h->bus_round++;
	} else if (str_eq_z(word, "end")) {
		if (h->bus_round) /* who came to be the manager in the middle of it hears all of them again */
			end_round(h, true);
	} else if (str_eq_z(word, "gone")) {
		h->bus_round++;
		end_round(h, false);
	} else if (str_has_prefix(word, STR("-"))) {
		lose(h, str_sub(word, 1, word.n));
	} else if (word.n) {
		gain(h, word);
	}
	engine_digest(&h->engine);
}
