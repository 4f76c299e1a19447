/* SPDX-License-Identifier: MIT */
/*
 * org.hark1: what is our own. Ask() puts any question that harkctl can put, and answers with the manager's rows, each a dictionary: why a unit runs,
 * what triggers it, what its dependencies are, what the ledger says.
 */
#include "activate/bus.h"
#include "activate/bus_serve.h"
#include "activate/bus_value.h"

/* Not those that may never end (nor --follow), or are for one program alone; what harkctl answers without the manager the manager refuses. */
static bool is_askable(const struct verb *v)
{
	static const enum verb_id others[] = {VERB_MONITOR, VERB_DEVICES, VERB_BUS_NAMES,
					      VERB_WAIT};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (v->id == others[i])
			return false;
	return true;
}

/* --- the answer --- */

static const char *signature_of(const struct field *f)
{
	switch ((int)f->tag) {
	case TAG_TEXT:
	case TAG_MORE:
		return "s";
	case TAG_ITEM:
		return "as";
	case TAG_BOOL:
		return "b";
	case TAG_SIGNED:
		return "x";
	default:
		return "t";
	}
}

/* Items of a list are fields of one key, of which the first stands for all. */
static bool is_first(const struct row *row, unsigned at)
{
	return row_field(row, row->fields[at].key) == &row->fields[at];
}

static bool put_entry(DBusMessageIter *dict, const struct row *row, const struct field *f)
{
	DBusMessageIter entry;

	return dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
	       bus_put_text(&entry, str_of(f->key)) &&
	       bus_put_variant(&entry, signature_of(f), row, f->key, 0) &&
	       dbus_message_iter_close_container(dict, &entry);
}

static bool put_row(DBusMessageIter *list, const struct row *row)
{
	const struct field kind = {.key = "row", .tag = TAG_TEXT, .text = str_of(row->kind)};
	DBusMessageIter dict, entry, v;
	bool is_good =
		dbus_message_iter_open_container(list, DBUS_TYPE_ARRAY, "{sv}", &dict) &&
		dbus_message_iter_open_container(&dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
		bus_put_text(&entry, str_of(kind.key)) &&
		dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "s", &v) &&
		bus_put_text(&v, kind.text) && dbus_message_iter_close_container(&entry, &v) &&
		dbus_message_iter_close_container(&dict, &entry);

	for (unsigned i = 0; is_good && i < row->n; i++)
		if (is_first(row, i))
			is_good = put_entry(&dict, row, &row->fields[i]);
	return is_good && dbus_message_iter_close_container(list, &dict);
}

static void finish_ask(struct bus_call *c)
{
	DBusMessage *reply = bus_reply_new(c);
	DBusMessageIter it, list;
	bool is_good;

	if (!reply)
		return;
	dbus_message_iter_init_append(reply, &it);
	is_good = bus_put_basic(&it, DBUS_TYPE_INT32, (uint32_t)c->ask.exit, str_of("")) &&
		  dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "a{sv}", &list);
	for (const struct row *row = c->ask.rows.first; row && is_good; row = row->next)
		is_good = put_row(&list, row);
	if (is_good && dbus_message_iter_close_container(&it, &list)) {
		bus_reply(c, reply);
		return;
	}
	dbus_message_unref(reply);
	bus_fail(c, DBUS_ERROR_NO_MEMORY, "memory ran out");
}

/* --- the question --- */

/* False: the call is over. */
static bool take_options(struct bus_call *c, DBusMessageIter *dict)
{
	DBusMessageIter it, entry;

	dbus_message_iter_recurse(dict, &it);
	for (; dbus_message_iter_get_arg_type(&it) == DBUS_TYPE_DICT_ENTRY;
	     dbus_message_iter_next(&it)) {
		const char *name, *value;
		enum option_id id;

		dbus_message_iter_recurse(&it, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		dbus_message_iter_next(&entry);
		dbus_message_iter_get_basic(&entry, &value);
		id = verb_option(str_of(name));
		if (id == OPTIONS || id == OPT_CALLER || id == OPT_FOLLOW) {
			bus_fail(c, DBUS_ERROR_INVALID_ARGS, "there is no option --%s", name);
			return false;
		}
		c->ask.question.options[id] = value;
	}
	return true;
}

void serve_ask(struct bus_call *c)
{
	const struct verb *verb;
	DBusMessageIter it, list;
	const char *word;
	unsigned n = 0;

	dbus_message_iter_init(c->message, &it);
	dbus_message_iter_get_basic(&it, &word);
	verb = verb_find(word);
	if (!verb || !is_askable(verb)) {
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "\"%s\" is not a question to the manager",
			 word);
		return;
	}
	dbus_message_iter_next(&it);
	dbus_message_iter_recurse(&it, &list);
	for (; dbus_message_iter_get_arg_type(&list) == DBUS_TYPE_STRING && n < BUS_ARGS;
	     dbus_message_iter_next(&list))
		dbus_message_iter_get_basic(&list, &c->args[n++]);
	dbus_message_iter_next(&it);
	if (take_options(c, &it))
		bus_ask(c, verb->id, n, finish_ask);
}
