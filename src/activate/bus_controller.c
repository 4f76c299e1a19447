/* SPDX-License-Identifier: MIT */
#include "activate/bus_controller.h"

#include "core/log.h"
#include "core/mem.h"

struct controlled {
	struct list node;
	char *unit, *name; /* owned */
	bool is_asked;
};

static void drop(struct controlled *k)
{
	list_del(&k->node);
	mem_put(k->unit);
	mem_put(k->name);
	mem_put(k);
}

static struct controlled *find(const struct bus *b, struct str unit)
{
	list_for_each(node, &b->controllers.list) {
		struct controlled *k = list_entry(node, struct controlled, node);

		if (str_eq_z(unit, k->unit))
			return k;
	}
	return NULL;
}

void bus_controller_add(struct bus *b, struct str unit, struct str name)
{
	struct controlled *k = mem_get(sizeof(*k));

	if (k) {
		k->unit = mem_dup(unit.p, unit.n);
		k->name = mem_dup(name.p, name.n);
		list_add_tail(&b->controllers.list, &k->node);
	}
	if (!k || !k->unit || !k->name) {
		log_at(LOG_WARN, "no memory: the controller of " STR_FMT " is not asked to stop it",
		       STR_ARG(unit));
		if (k)
			drop(k);
	}
}

bool bus_controller_is(const struct bus *b, const char *name)
{
	list_for_each(node, &b->controllers.list) {
		if (strcmp(list_entry(node, const struct controlled, node)->name, name) == 0)
			return true;
	}
	return false;
}

/* Our connection to the bus; NULL: there is none. */
static struct bus_peer *seat_of(const struct bus *b)
{
	list_for_each(node, &b->peers) {
		struct bus_peer *p = list_entry(node, struct bus_peer, node);

		if (p->seat && !p->is_gone)
			return p;
	}
	return NULL;
}

/* Nobody is started for it. */
static void ask_to_stop(struct bus *b, struct controlled *k)
{
	struct bus_peer *p = seat_of(b);
	char path[BUS_PATH_MAX];
	DBusMessage *m;

	bus_path_of_unit(k->unit, path);
	m = p ? dbus_message_new_signal(path, BUS_SCOPE, "RequestStop") : NULL;
	if (!m)
		return;
	dbus_message_set_auto_start(m, FALSE);
	k->is_asked = dbus_message_set_destination(m, k->name) &&
		      dbus_connection_send(p->line.conn, m, NULL);
	dbus_message_unref(m);
}

void bus_controller_heard(struct bus *b, struct str unit, const struct row *row)
{
	struct str name = row_text(row, "Controller");
	struct controlled *k = find(b, unit);

	if (!name.n) {
		if (k)
			drop(k);
		return;
	}
	if (!k) {
		bus_controller_add(b, unit, name);
		k = find(b, unit);
	}
	if (k && !k->is_asked && str_eq_z(row_text(row, "SubState"), "stop-sigterm"))
		ask_to_stop(b, k);
}

/* --- after a death of ours or of the manager --- */

static void on_learned(struct ask *a, int err UNUSED)
{
	struct bus *b = container_of(a, struct bus, controllers.ask);

	b->controllers.is_asking = false;
	for (const struct row *row = a->rows.first; row; row = row->next)
		bus_controller_heard(b, row_text(row, "Id"), row);
	rows_fini(&a->rows);
	if (b->controllers.then)
		b->controllers.then(b);
	b->controllers.then = NULL;
}

void bus_controllers_learn(struct bus *b, void (*then)(struct bus *b))
{
	struct bus_controllers *s = &b->controllers;

	if (then)
		s->then = then;
	if (s->is_asking)
		return;
	s->is_asking = true;
	s->args[0] = "*.scope";
	s->ask = (struct ask){.done = on_learned};
	s->ask.question =
		(struct question){.verb = &verbs[VERB_SHOW], .args = s->args, .args_n = 1};
	s->ask.question.options[OPT_PROPERTY] = "Id,Controller,SubState";
	ask_start(&b->asker, &s->ask);
}
