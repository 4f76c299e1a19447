/* SPDX-License-Identifier: MIT */
#include "activate/bus_refs.h"

#include <stdio.h>

#include "activate/bus_serve.h"
#include "core/mem.h"

enum { REFS_MOST = 4096 };

struct ref {
	struct list node;
	char *unit;                      /* owned */
	char holder[BUS_HOLDER_MAX + 1]; /* ":1.7", or a connection to the private socket */
	uint32_t n;
	bool is_seen;
};

/* --- the list --- */

static void name_private(const struct bus_peer *p, char *out)
{
	snprintf(out, BUS_HOLDER_MAX + 1, "connection-%u", p->serial);
}

static void name_holder(const struct bus_call *c, char *out)
{
	if (!c->peer)
		out[0] = '\0';
	else if (!c->peer->seat)
		name_private(c->peer, out);
	else
		snprintf(out, BUS_HOLDER_MAX + 1, "%s", dbus_message_get_sender(c->message));
}

static struct ref *find(const struct bus *b, const char *unit, const char *holder)
{
	list_for_each(node, &b->refs.list) {
		struct ref *r = list_entry(node, struct ref, node);

		if (strcmp(r->holder, holder) == 0 && strcmp(r->unit, unit) == 0)
			return r;
	}
	return NULL;
}

static void drop(struct ref *r)
{
	list_del(&r->node);
	mem_put(r->unit);
	mem_put(r);
}

/* How often r is held now; that it is not any more ends it. */
static void tell(struct bus *b, struct ref *r)
{
	char text[BUS_HOLDER_MAX + 16];
	const char *const words[] = {r->unit, text};

	snprintf(text, sizeof(text), "%s=%u", r->holder, r->n);
	(void)!bus_tell(b, VERB_HOLD, words, ARRAY_SIZE(words));
	if (r->n == 0)
		drop(r);
}

static size_t count(const struct bus *b)
{
	size_t n = 0;

	list_for_each(node, &b->refs.list)
		n++;
	return n;
}

/* n times more. NULL: too many, or no memory. */
static struct ref *add(struct bus *b, struct str unit, const char *holder, uint32_t n)
{
	char *name = mem_dup(unit.p, unit.n);
	struct ref *r = name ? find(b, name, holder) : NULL;

	if (!r && name && count(b) < REFS_MOST && (r = mem_get(sizeof(*r)))) {
		snprintf(r->holder, sizeof(r->holder), "%s", holder);
		r->unit = name;
		name = NULL;
		list_add_tail(&b->refs.list, &r->node);
	}
	mem_put(name);
	if (r)
		r->n += n;
	return r;
}

bool bus_refs_add(const struct bus_call *c, const char *unit)
{
	char holder[BUS_HOLDER_MAX + 1];
	struct ref *r;

	if (!c->peer)
		return true; /* it has left */
	name_holder(c, holder);
	r = add(c->bus, str_of(unit), holder, 1);
	if (r)
		tell(c->bus, r);
	return r;
}

void bus_refs_drop(struct bus *b, const char *holder)
{
	list_for_each_safe(node, &b->refs.list) {
		struct ref *r = list_entry(node, struct ref, node);

		if (strcmp(r->holder, holder) != 0)
			continue;
		r->n = 0;
		tell(b, r);
	}
}

/* --- who is there --- */

static void on_left(struct bus_peer *p)
{
	char holder[BUS_HOLDER_MAX + 1];

	name_private(p, holder);
	bus_refs_drop(p->bus, holder);
}

void bus_refs_begin(struct bus *b)
{
	list_for_each(node, &b->refs.list) {
		struct ref *r = list_entry(node, struct ref, node);

		r->is_seen = r->holder[0] != ':';
	}
}

void bus_refs_see(struct bus *b, const char *name)
{
	list_for_each(node, &b->refs.list) {
		struct ref *r = list_entry(node, struct ref, node);

		r->is_seen = r->is_seen || strcmp(r->holder, name) == 0;
	}
}

void bus_refs_end(struct bus *b)
{
	list_for_each_safe(node, &b->refs.list) {
		struct ref *r = list_entry(node, struct ref, node);

		if (r->is_seen)
			continue;
		r->n = 0;
		tell(b, r);
	}
}

/* --- the manager --- */

/* Connections to the private socket that was ours before ended with it. */
static void adopt(struct bus *b, const struct row *row)
{
	char holder[BUS_HOLDER_MAX + 1];
	struct str text = row_text(row, "holder");
	uint32_t n = (uint32_t)row_value(row, "count");
	struct ref *r;

	if (!row_is(row, "hold") || text.n > BUS_HOLDER_MAX)
		return;
	snprintf(holder, sizeof(holder), STR_FMT, STR_ARG(text));
	r = add(b, row_text(row, "unit"), holder, n);
	if (!r || (holder[0] == ':' && r->n == n))
		return;
	if (holder[0] != ':')
		r->n -= n;
	tell(b, r);
}

static void on_learned(struct ask *a, int err UNUSED)
{
	struct bus *b = container_of(a, struct bus, refs.ask);

	b->refs.is_asking = false;
	b->refs.is_learned = true;
	for (const struct row *row = a->rows.first; row; row = row->next)
		adopt(b, row);
	rows_fini(&a->rows);
	b->refs.then(b);
}

void bus_refs_learn(struct bus *b, void (*then)(struct bus *b))
{
	struct bus_refs *s = &b->refs;

	b->on_left = on_left;
	s->then = then;
	if (s->is_learned) {
		then(b);
	} else if (!s->is_asking) {
		s->is_asking = true;
		s->ask = (struct ask){.question = {.verb = &verbs[VERB_HOLDS]}, .done = on_learned};
		ask_start(&b->asker, &s->ask);
	}
}

/* --- the methods --- */

static void finish_ref(struct bus_call *c)
{
	if (!bus_is_loaded(c))
		return;
	if (bus_refs_add(c, c->unit))
		bus_reply(c, NULL);
	else
		bus_fail(c, DBUS_ERROR_LIMITS_EXCEEDED, "too many units are held");
}

void serve_ref(struct bus_call *c)
{
	if (!bus_take_unit(c))
		return;
	c->ask.question.options[OPT_PROPERTY] = "Id,LoadState";
	bus_ask(c, VERB_SHOW, 1, finish_ref);
}

void serve_unref(struct bus_call *c)
{
	char holder[BUS_HOLDER_MAX + 1];
	struct ref *r;

	if (!bus_take_unit(c))
		return;
	name_holder(c, holder);
	r = find(c->bus, c->unit, holder);
	if (!r) {
		bus_fail(c, "NotReferenced", "Unit has not been referenced yet.");
		return;
	}
	r->n--;
	tell(c->bus, r);
	bus_reply(c, NULL);
}
