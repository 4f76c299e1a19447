/* SPDX-License-Identifier: MIT */
/* org.freedesktop.DBus.Properties, Introspectable and Peer: what every object offers. */
#include "activate/bus_serve.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "activate/bus_value.h"
#include "activate/bus_watch.h"
#include "core/fd.h"
#include "units/install_preset.h"

/* interface and property of Get, Set and GetAll; property NULL: all. False: the call is over. */
static bool read_wish(struct bus_call *c, const char **interface, const char **property)
{
	bool is_all = dbus_message_has_member(c->message, "GetAll");
	DBusMessageIter it;

	if (!dbus_message_has_signature(c->message, is_all ? "s" : "ss")) {
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "these are not the arguments it takes");
		return false;
	}
	dbus_message_iter_init(c->message, &it);
	dbus_message_iter_get_basic(&it, interface);
	if (!is_all) {
		dbus_message_iter_next(&it);
		dbus_message_iter_get_basic(&it, property);
	}
	return true;
}

static const struct row *properties_row(const struct bus_call *c)
{
	const struct row *row = c->ask.rows.first;

	while (row && !row_is(row, "properties"))
		row = row->next;
	return row;
}

/* --- jobs: known here, the manager is not asked --- */

static bool put_job_property(DBusMessageIter *it, const struct bus_job *j,
			     const struct bus_property *p)
{
	char path[BUS_PATH_MAX];
	DBusMessageIter v, s;
	bool is_good = dbus_message_iter_open_container(it, DBUS_TYPE_VARIANT, p->type, &v);

	if (strcmp(p->name, "Id") == 0) {
		is_good = is_good && bus_put_basic(&v, DBUS_TYPE_UINT32, j->id, str_of(""));
	} else if (strcmp(p->name, "Unit") == 0) {
		bus_path_of_unit(j->unit, path);
		is_good = is_good &&
			  dbus_message_iter_open_container(&v, DBUS_TYPE_STRUCT, NULL, &s) &&
			  bus_put_text(&s, str_of(j->unit)) &&
			  bus_put_basic(&s, DBUS_TYPE_OBJECT_PATH, 0, str_of(path)) &&
			  dbus_message_iter_close_container(&v, &s);
	} else {
		bool is_type = strcmp(p->name, "JobType") == 0;

		is_good = is_good && bus_put_text(&v, str_of(is_type         ? j->type
							     : j->is_running ? "running"
									     : "waiting"));
	}
	return is_good && dbus_message_iter_close_container(it, &v);
}

/* What the preset files want, which the manager does not read. */
static bool put_preset(DBusMessageIter *it, const struct bus_call *c)
{
	bool has_file = row_text(properties_row(c), "FragmentPath").n > 0;
	struct str instances;
	struct preset preset;
	DBusMessageIter v;
	const char *word = "";
	bool is_good;

	preset_init(&preset);
	if (has_file && preset_read(&preset, "") == 0)
		word = preset_wants(&preset, c->object.unit, &instances) ? "enabled" : "disabled";
	is_good = dbus_message_iter_open_container(it, DBUS_TYPE_VARIANT, "s", &v) &&
		  bus_put_text(&v, str_of(word)) && dbus_message_iter_close_container(it, &v);
	preset_fini(&preset);
	return is_good;
}

/* --- the answers --- */

static bool put_value(DBusMessageIter *it, const struct bus_call *c, const struct bus_property *p)
{
	const struct bus_job *j =
		c->object.kind == BUS_OBJECT_JOB ? bus_job_find(c->bus, c->object.job) : NULL;

	if (j)
		return put_job_property(it, j, p);
	if (strcmp(p->name, "UnitFilePreset") == 0 && properties_row(c))
		return put_preset(it, c);
	return bus_put_variant(it, p->type, properties_row(c), p->name, p->unset);
}

static void finish_get(struct bus_call *c)
{
	const struct bus_property *p = bus_find_property(&c->object, c->args[1], c->args[2]);
	DBusMessage *reply = bus_reply_new(c);
	DBusMessageIter it;

	if (!reply)
		return;
	dbus_message_iter_init_append(reply, &it);
	if (put_value(&it, c, p)) {
		bus_reply(c, reply);
		return;
	}
	dbus_message_unref(reply);
	bus_fail(c, DBUS_ERROR_NO_MEMORY, "memory ran out");
}

static bool put_properties(DBusMessageIter *dict, const struct bus_call *c, const char *name)
{
	const struct bus_interface *i;
	unsigned at = 0;
	bool is_good = true;

	while (is_good && (i = bus_next_interface(&c->object, &at))) {
		const struct bus_property *p;
		unsigned p_at = 0;

		if (*name && strcmp(name, i->name) != 0)
			continue;
		while (is_good && (p = bus_next_property(i, &p_at))) {
			DBusMessageIter entry;

			is_good = dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL,
								   &entry) &&
				  bus_put_text(&entry, str_of(p->name)) &&
				  put_value(&entry, c, p) &&
				  dbus_message_iter_close_container(dict, &entry);
		}
	}
	return is_good;
}

static void finish_get_all(struct bus_call *c)
{
	DBusMessage *reply = bus_reply_new(c);
	DBusMessageIter it, dict;

	if (!reply)
		return;
	dbus_message_iter_init_append(reply, &it);
	if (dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{sv}", &dict) &&
	    put_properties(&dict, c, c->args[1]) && dbus_message_iter_close_container(&it, &dict)) {
		bus_reply(c, reply);
		return;
	}
	dbus_message_unref(reply);
	bus_fail(c, DBUS_ERROR_NO_MEMORY, "memory ran out");
}

/* --- the questions --- */

static void look_up(struct bus_call *c, void (*finish)(struct bus_call *c))
{
	bool is_unit = c->object.kind == BUS_OBJECT_UNIT;

	if (c->object.kind == BUS_OBJECT_JOB) {
		if (bus_job_find(c->bus, c->object.job))
			finish(c);
		else
			bus_fail_no_job(c);
		return;
	}
	if (is_unit)
		bus_watch_asked(c, str_of(c->object.unit));
	c->ask.question.options[OPT_ALL] = "";
	c->args[0] = c->object.unit;
	bus_ask(c, VERB_SHOW, is_unit, finish);
}

/* interface, property and a value, which is a text or a switch. False: the call is over. */
static bool read_value(struct bus_call *c, const char **interface, const char **name,
		       struct sbuf *ret)
{
	DBusMessageIter it, value;

	if (strcmp(dbus_message_get_signature(c->message), "ssv") != 0) {
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "these are not the arguments it takes");
		return false;
	}
	dbus_message_iter_init(c->message, &it);
	*interface = bus_take_text(&it);
	*name = bus_take_text(&it);
	dbus_message_iter_recurse(&it, &value);
	if (dbus_message_iter_get_arg_type(&value) == DBUS_TYPE_STRING)
		sbuf_addf(ret, "%s=%s", *name, bus_take_text(&value));
	else if (dbus_message_iter_get_arg_type(&value) == DBUS_TYPE_BOOLEAN)
		sbuf_addf(ret, "%s=%s", *name, bus_take_number(&value) ? "yes" : "no");
	return true;
}

/* Only the manager has some, and only root may. */
static void set_property(struct bus_call *c)
{
	const char *interface = "", *name = "";
	const struct bus_property *p;
	struct sbuf text = {0};

	if (!read_value(c, &interface, &name, &text))
		return;
	p = bus_find_property(&c->object, interface, name);
	c->text = sbuf_take(&text);
	if (!p) {
		bus_fail(c, DBUS_ERROR_UNKNOWN_PROPERTY, "Unknown property or interface.");
	} else if (p->emits != EMIT_WRITABLE) {
		bus_fail(c, DBUS_ERROR_PROPERTY_READ_ONLY, "Property '%s' is not writable.", name);
	} else if (c->uid != 0 && c->uid != getuid()) {
		bus_fail(c, DBUS_ERROR_ACCESS_DENIED, "only root may set %s", name);
	} else if (!c->text) {
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "%s is of another type", name);
	} else {
		c->args[0] = c->text;
		bus_ask(c, VERB_CONFIGURE, 1, bus_finish_empty);
	}
}

/* These have no properties. */
static bool is_standard(const char *interface)
{
	return strcmp(interface, BUS_PROPERTIES) == 0 || strcmp(interface, BUS_PEER) == 0 ||
	       strcmp(interface, BUS_INTROSPECTABLE) == 0;
}

static void serve_properties(struct bus_call *c)
{
	const char *interface = "", *property = NULL;

	if (dbus_message_has_member(c->message, "Set")) {
		set_property(c);
		return;
	}
	if (!read_wish(c, &interface, &property))
		return;
	c->args[1] = interface;
	c->args[2] = property;
	if (!property && *interface && !is_standard(interface) &&
	    !bus_find_interface(&c->object, interface)) {
		bus_fail(c, DBUS_ERROR_UNKNOWN_INTERFACE, "%s has no interface %s",
			 dbus_message_get_path(c->message), interface);
	} else if (!property) {
		look_up(c, finish_get_all);
	} else if (!*interface || !bus_find_property(&c->object, interface, property)) {
		bus_fail(c, DBUS_ERROR_UNKNOWN_PROPERTY, "Unknown property or interface.");
	} else {
		if (c->object.kind != BUS_OBJECT_JOB)
			c->ask.question.options[OPT_PROPERTY] = property;
		look_up(c, finish_get);
	}
}

/* --- introspection --- */

enum { CHILDREN_MOST = 4096 };

static void reply_xml(struct bus_call *c, const char *const *children)
{
	DBusMessage *reply = bus_reply_new(c);
	struct sbuf xml = {0};
	DBusMessageIter it;

	if (!reply)
		return;
	bus_introspect(&c->object, children, &xml);
	dbus_message_iter_init_append(reply, &it);
	bus_put_text(&it, (struct str){xml.p, xml.n});
	sbuf_fini(&xml);
	bus_reply(c, reply);
}

/* The units below /unit. */
static void finish_children(struct bus_call *c)
{
	static const char *children[CHILDREN_MOST + 1];
	unsigned n = 0;

	for (const struct row *row = c->ask.rows.first; row && n < CHILDREN_MOST; row = row->next) {
		struct str unit = row_text(row, "unit");
		char path[BUS_PATH_MAX], *copy;

		if (!row_is(row, "unit"))
			continue;
		bus_path_of_unit(unit.p, path);
		copy = arena_dup(&c->ask.rows.arena, strrchr(path, '/') + 1,
				 strlen(strrchr(path, '/') + 1));
		if (copy)
			children[n++] = copy;
	}
	children[n] = NULL;
	reply_xml(c, children);
}

static void serve_introspect(struct bus_call *c)
{
	static const char whole[] = BUS_ROOT;
	static const char *const of_root[] = {"unit", "job", NULL};
	const char *path = dbus_message_get_path(c->message);
	size_t n = strlen(path);
	char next[64];
	const char *const children[] = {next, NULL};

	if (c->object.kind != BUS_OBJECT_ABOVE) {
		reply_xml(c, c->object.kind == BUS_OBJECT_MANAGER ? of_root : NULL);
	} else if (strcmp(path, BUS_ROOT "/unit") == 0) {
		c->ask.question.options[OPT_ALL] = "";
		bus_ask(c, VERB_LIST, 0, finish_children);
	} else if (n >= sizeof(whole) - 1) {
		reply_xml(c, NULL);
	} else {
		const char *rest = whole + (n == 1 ? 1 : n + 1);

		snprintf(next, sizeof(next), "%.*s", (int)strcspn(rest, "/"), rest);
		reply_xml(c, children);
	}
}

static void serve_machine_id(struct bus_call *c)
{
	char id[64];
	DBusMessage *reply;
	DBusMessageIter it;

	if (fd_read_small(AT_FDCWD, "/etc/machine-id", id, sizeof(id)) <= 0) {
		bus_fail(c, DBUS_ERROR_FILE_NOT_FOUND, "the machine has no id");
		return;
	}
	reply = bus_reply_new(c);
	if (!reply)
		return;
	dbus_message_iter_init_append(reply, &it);
	bus_put_text(&it, str_trim(str_of(id)));
	bus_reply(c, reply);
}

static bool is_call(const struct bus_call *c, const char *interface, const char *member)
{
	const char *given = dbus_message_get_interface(c->message);

	return dbus_message_has_member(c->message, member) &&
	       (!given || strcmp(given, interface) == 0);
}

bool serve_standard(struct bus_call *c)
{
	static const struct {
		const char *interface, *member;
		void (*serve)(struct bus_call *c);
	} known[] = {
		{BUS_PROPERTIES, "Get", serve_properties},
		{BUS_PROPERTIES, "GetAll", serve_properties},
		{BUS_PROPERTIES, "Set", serve_properties},
		{BUS_INTROSPECTABLE, "Introspect", serve_introspect},
		{BUS_PEER, "Ping", serve_nothing},
		{BUS_PEER, "GetMachineId", serve_machine_id},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (is_call(c, known[i].interface, known[i].member) &&
		    (c->object.kind != BUS_OBJECT_NONE ||
		     strcmp(known[i].interface, BUS_PEER) == 0)) {
			known[i].serve(c);
			return true;
		}
	return false;
}
