/* SPDX-License-Identifier: MIT */
/* StartTransientUnit() and its like: properties become the text of a unit file, which the manager reads as it reads any. */
#include <stdio.h>

#include "activate/bus_controller.h"
#include "activate/bus_keep.h"
#include "activate/bus_refs.h"
#include "activate/bus_serve.h"
#include "activate/bus_setting.h"
#include "activate/bus_value.h"
#include "activate/bus_watch.h"
#include "core/log.h"
#include "core/mem.h"
#include "units/directive.h"

static enum section own_section(enum unit_type type)
{
	enum section own = SECTION_UNIT;

	for (unsigned s = 0; s < SECTIONS; s++)
		if (s != SECTION_UNIT && s != SECTION_INSTALL &&
		    section_fits((enum section)s, type))
			own = (enum section)s;
	return own;
}

/* An array of (name, value). False: w->wrong, or there is no memory. */
static bool write_properties(struct bus_setting *w, DBusMessageIter *array)
{
	DBusMessageIter it, pair, value;

	dbus_message_iter_recurse(array, &it);
	for (; dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_INVALID;
	     dbus_message_iter_next(&it)) {
		const char *property;

		dbus_message_iter_recurse(&it, &pair);
		property = bus_take_text(&pair);
		dbus_message_iter_recurse(&pair, &value);
		w->wrong = property;
		if (!bus_setting_write(w, property, &value))
			return false;
	}
	w->wrong = NULL;
	return true;
}

/* What is wrong ends the call. */
static void fail_property(struct bus_call *c, const char *property)
{
	bus_fail(c, DBUS_ERROR_PROPERTY_READ_ONLY, "Cannot set property %s, or unknown property.",
		 property);
}

/* Of these there can be some without a file. */
#define TYPE(type) (1u << UNIT_##type)
enum {
	TRANSIENT_TYPES = TYPE(SERVICE) | TYPE(SOCKET) | TYPE(MOUNT) | TYPE(AUTOMOUNT) |
			  TYPE(TIMER) | TYPE(PATH) | TYPE(SLICE) | TYPE(SCOPE)
};
#undef TYPE

/* Connections that came before they ended a scope were not told of; who calls is there. */
static void tell_controller(const struct bus_setting *w, const char *unit)
{
	const char *sender = dbus_message_get_sender(w->call->message);

	bus_controller_add(w->call->bus, str_of(unit), str_of(w->controller));
	if (sender && strcmp(sender, w->controller) == 0)
		(void)!bus_tell(w->call->bus, VERB_BUS_NAMES, &w->controller, 1);
}

static void put_unit(const struct bus_setting *w, const char *name, struct sbuf *out)
{
	if (w->controller && *w->controller)
		tell_controller(w, name);
	sbuf_add_z(out, name);
	sbuf_add_c(out, '\0');
	sbuf_addf(out, "[Unit]\n%s[%s]\n%s", w->lines[0].p ? w->lines[0].p : "",
		  section_name(w->own), w->lines[1].p ? w->lines[1].p : "");
	sbuf_add_c(out, '\0');
}

/* Adds name and text of a unit, each with its NUL. False: the call is over. */
static bool write_unit(struct bus_call *c, const char *name, DBusMessageIter *properties,
		       struct sbuf *out)
{
	int type = unit_type_of(name);
	struct bus_setting w = {.call = c, .own = SECTION_UNIT};
	bool is_good = type >= 0;

	if (is_good && !(TRANSIENT_TYPES >> type & 1)) {
		bus_fail(c, DBUS_ERROR_INVALID_ARGS,
			 "Unit type %s does not support transient units.", unit_type_names[type]);
		return false;
	}
	if (is_good)
		w.own = own_section((enum unit_type)type);
	is_good = is_good && write_properties(&w, properties);
	if (is_good && type == UNIT_SCOPE && !w.has_processes) {
		sbuf_fini(&w.lines[0]);
		sbuf_fini(&w.lines[1]);
		bus_fail(c, "BadUnitSetting", "%s has no processes (PIDs)", name);
		return false;
	}
	if (is_good)
		put_unit(&w, name, out);
	sbuf_fini(&w.lines[0]);
	sbuf_fini(&w.lines[1]);
	if (!is_good && w.wrong)
		fail_property(c, w.wrong);
	else if (!is_good)
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "\"%s\" is not the name of a unit", name);
	return is_good;
}

/* --- the methods --- */

/* The pieces of c->text, each ended by a NUL, as arguments. How many; 0: too many. */
static unsigned split_text(struct bus_call *c, size_t n)
{
	unsigned args = 0;

	for (size_t at = 0; at < n; at += strlen(c->text + at) + 1) {
		if (args == BUS_ARGS)
			return 0;
		c->args[args++] = c->text + at;
	}
	return args;
}

static void send_text(struct bus_call *c, struct sbuf *text, enum verb_id verb,
		      void (*finish)(struct bus_call *c))
{
	size_t n = text->n;
	unsigned args;

	c->text = sbuf_take(text);
	args = c->text ? split_text(c, n) : 0;
	if (args)
		bus_ask(c, verb, args, finish);
	else
		bus_fail(c, DBUS_ERROR_LIMITS_EXCEEDED, "this is too much for one request");
}

static bool is_queued(const struct bus_call *c)
{
	for (const struct row *row = c->ask.rows.first; row; row = row->next)
		if (row_is(row, "queued"))
			return true;
	return false;
}

/* What was given along is needed until the unit has started, or has failed to. */
static void finish_transient(struct bus_call *c)
{
	bus_keep_fds(c->bus, c->unit, c->fds, c->fds_n);
	c->fds_n = 0;
	if (c->wants_ref && is_queued(c) && !bus_refs_add(c, c->unit))
		log_at(LOG_WARN, "%s is not held for who started it: too many are", c->unit);
	bus_finish_job(c);
}

void serve_start_transient(struct bus_call *c)
{
	struct sbuf text = {0};
	DBusMessageIter it, aux, pair;
	const char *name, *mode;
	bool is_good;

	dbus_message_iter_init(c->message, &it);
	name = bus_take_text(&it);
	mode = bus_take_text(&it);
	is_good = write_unit(c, name, &it, &text);
	dbus_message_iter_next(&it);
	dbus_message_iter_recurse(&it, &aux);
	for (; is_good && dbus_message_iter_get_arg_type(&aux) != DBUS_TYPE_INVALID;
	     dbus_message_iter_next(&aux)) {
		const char *other;

		dbus_message_iter_recurse(&aux, &pair);
		other = bus_take_text(&pair);
		is_good = write_unit(c, other, &pair, &text);
	}
	if (!is_good) {
		sbuf_fini(&text);
		return;
	}
	snprintf(c->unit, sizeof(c->unit), "%s", name);
	bus_watch_asked(c, str_of(name));
	c->ask.question.options[OPT_NO_WAIT] = "";
	c->ask.question.options[OPT_JOB_MODE] = mode;
	send_text(c, &text, VERB_TRANSIENT, finish_transient);
}

/* bus_take_unit(), and `it` is at the argument behind it. */
static bool take_unit(struct bus_call *c, DBusMessageIter *it)
{
	dbus_message_iter_init(c->message, it);
	if (c->object.kind != BUS_OBJECT_UNIT)
		dbus_message_iter_next(it);
	return bus_take_unit(c);
}

static void finish_nothing_set(struct bus_call *c)
{
	if (bus_is_loaded(c))
		bus_reply(c, NULL);
}

/* Lines become arguments: the unit, then NAME=VALUE each. */
void serve_set_properties(struct bus_call *c)
{
	struct bus_setting w = {.call = c};
	struct sbuf text = {0};
	DBusMessageIter it;
	bool is_runtime;

	if (!take_unit(c, &it))
		return;
	is_runtime = bus_take_number(&it);
	w.own = own_section((enum unit_type)unit_type_of(c->unit));
	if (!write_properties(&w, &it) || w.lines[0].n) {
		fail_property(c, w.wrong ? w.wrong : "of [Unit]");
	} else if (w.lines[1].n == 0) {
		c->ask.question.options[OPT_PROPERTY] = "Id,LoadState";
		bus_ask(c, VERB_SHOW, 1, finish_nothing_set);
	} else {
		sbuf_add_z(&text, c->unit);
		sbuf_add_c(&text, '\0');
		for (size_t i = 0; i < w.lines[1].n; i++)
			sbuf_add_c(&text, w.lines[1].p[i] == '\n' ? '\0' : w.lines[1].p[i]);
		c->ask.question.options[OPT_RUNTIME] = is_runtime ? "" : NULL;
		send_text(c, &text, VERB_SET_PROPERTY, bus_finish_empty);
	}
	sbuf_fini(&w.lines[0]);
	sbuf_fini(&w.lines[1]);
}

void serve_attach(struct bus_call *c)
{
	struct sbuf text = {0};
	DBusMessageIter it, list;
	const char *below;

	if (!take_unit(c, &it))
		return;
	below = bus_take_text(&it);
	if (*below && *below != '/') {
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "\"%s\" is not the path of a cgroup", below);
		return;
	}
	sbuf_add_z(&text, c->unit);
	sbuf_add_c(&text, '\0');
	if (strcmp(below, "/") != 0 && *below)
		c->ask.question.options[OPT_BELOW] = below;
	dbus_message_iter_recurse(&it, &list);
	while (dbus_message_iter_get_arg_type(&list) != DBUS_TYPE_INVALID) {
		uint64_t pid = bus_take_number(&list);

		sbuf_addf(&text, "%u", (unsigned)(pid ? pid : (uint64_t)c->pid));
		sbuf_add_c(&text, '\0');
	}
	send_text(c, &text, VERB_ATTACH, bus_finish_empty);
}
