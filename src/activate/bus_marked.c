/* SPDX-License-Identifier: MIT */
/* EnqueueMarkedJobs(): the manager is asked which units are marked, then for their restarts, then for their reloads. */
#include "activate/bus_serve.h"

#include "activate/bus.h"
#include "activate/bus_value.h"

/* Those with `marker` and without `unless` (NULL: any) as arguments, in c->text. How many. */
static unsigned take_marked(struct bus_call *c, const char *marker, const char *unless)
{
	struct sbuf names = {0};
	unsigned n = 0, args = 0;

	for (const struct row *row = c->ask.rows.first; row && n < BUS_ARGS; row = row->next) {
		struct str item;
		bool has_marker = false, has_other = false;

		for (unsigned at = 0; row_item(row, "Markers", &at, &item);) {
			has_marker |= str_eq_z(item, marker);
			has_other |= unless && str_eq_z(item, unless);
		}
		if (!has_marker || has_other)
			continue;
		sbuf_add(&names, row_text(row, "Id"));
		sbuf_add_c(&names, '\0');
		n++;
	}
	mem_put(c->text);
	c->text = n ? sbuf_take(&names) : NULL;
	for (const char *p = c->text; p && args < n; p += strlen(p) + 1)
		c->args[args++] = p;
	sbuf_fini(&names);
	return args;
}

/* The jobs that were made, as paths that end in a NUL each. */
static void collect(struct bus_call *c)
{
	for (const struct row *row = c->ask.rows.first; row; row = row->next) {
		uint32_t id = row_is(row, "queued") ? (uint32_t)row_value(row, "job") : 0;
		char path[BUS_PATH_MAX];

		if (!id)
			continue;
		bus_path_of_job(id, path);
		sbuf_add_z(&c->told, path);
		sbuf_add_c(&c->told, '\0');
	}
}

static void finish_reloads(struct bus_call *c)
{
	DBusMessage *reply = bus_reply_new(c);
	DBusMessageIter it, list;

	if (!reply)
		return;
	collect(c);
	dbus_message_iter_init_append(reply, &it);
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "o", &list);
	for (size_t at = 0; at < c->told.n; at += strlen(c->told.p + at) + 1)
		bus_put_basic(&list, DBUS_TYPE_OBJECT_PATH, 0, str_of(c->told.p + at));
	dbus_message_iter_close_container(&it, &list);
	bus_reply(c, reply);
}

static void ask_jobs(struct bus_call *c, enum verb_id verb, unsigned n,
		     void (*finish)(struct bus_call *c))
{
	c->ask.question.options[OPT_NO_WAIT] = "";
	c->ask.question.options[OPT_PROPERTY] = NULL;
	bus_ask(c, verb, n, finish);
}

/* A unit that is restarted is reloaded by that. */
static void ask_reloads(struct bus_call *c)
{
	unsigned n = take_marked(c, "needs-reload", "needs-restart");

	if (n) {
		ask_jobs(c, VERB_RELOAD, n, finish_reloads);
	} else {
		rows_reset(&c->ask.rows);
		finish_reloads(c);
	}
}

static void ask_who_reloads(struct bus_call *c);

static void finish_restarts(struct bus_call *c)
{
	collect(c);
	ask_who_reloads(c);
}

static void ask_restarts(struct bus_call *c)
{
	unsigned n = take_marked(c, "needs-restart", NULL);

	if (!n) {
		ask_reloads(c);
		return;
	}
	ask_jobs(c, VERB_TRY_RESTART, n, finish_restarts);
}

static void ask_marked(struct bus_call *c, void (*finish)(struct bus_call *c))
{
	c->args[0] = "*";
	c->ask.question.options[OPT_NO_WAIT] = NULL;
	c->ask.question.options[OPT_PROPERTY] = "Id,Markers";
	bus_ask(c, VERB_SHOW, 1, finish);
}

static void ask_who_reloads(struct bus_call *c)
{
	ask_marked(c, ask_reloads);
}

void serve_enqueue_marked(struct bus_call *c)
{
	ask_marked(c, ask_restarts);
}
