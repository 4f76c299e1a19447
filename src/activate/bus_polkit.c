/* SPDX-License-Identifier: MIT */
#include "activate/bus_polkit.h"

#define POLKIT "org.freedesktop.PolicyKit1"

/* Calls of one user that wait for polkit, and the bytes of each: libdbus reads nothing more while 63 MB of messages are in use. */
enum { WAITING_MOST = 16, BYTES_MOST = 256 * 1024 };

static unsigned count_waiting(const struct bus_call *c)
{
	unsigned n = 0;

	list_for_each(node, &c->bus->calls) {
		const struct bus_call *other = list_entry(node, struct bus_call, node);

		n += other->is_authorizing && other->uid == c->uid;
	}
	return n;
}

/* libdbus tells how long a message is only by writing it out. */
static bool is_short(DBusMessage *m)
{
	char *bytes = NULL;
	int n = 0;

	if (!dbus_message_marshal(m, &bytes, &n))
		return false;
	dbus_free(bytes);
	return n <= BYTES_MOST;
}

/* ("system-bus-name", {"name": sender}): who calls, by the name on the bus. */
static bool put_subject(DBusMessageIter *it, const char *sender)
{
	const char *kind = "system-bus-name", *key = "name";
	DBusMessageIter subject, dict, entry, v;

	return dbus_message_iter_open_container(it, DBUS_TYPE_STRUCT, NULL, &subject) &&
	       dbus_message_iter_append_basic(&subject, DBUS_TYPE_STRING, &kind) &&
	       dbus_message_iter_open_container(&subject, DBUS_TYPE_ARRAY, "{sv}", &dict) &&
	       dbus_message_iter_open_container(&dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
	       dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key) &&
	       dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "s", &v) &&
	       dbus_message_iter_append_basic(&v, DBUS_TYPE_STRING, &sender) &&
	       dbus_message_iter_close_container(&entry, &v) &&
	       dbus_message_iter_close_container(&dict, &entry) &&
	       dbus_message_iter_close_container(&subject, &dict) &&
	       dbus_message_iter_close_container(it, &subject);
}

static bool put_detail(DBusMessageIter *details, const char *key, const char *value)
{
	DBusMessageIter entry;

	return dbus_message_iter_open_container(details, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
	       dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key) &&
	       dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &value) &&
	       dbus_message_iter_close_container(details, &entry);
}

/* What is to be done, and with which unit, for rules that ask: action.lookup("unit"). Words of ours are those of systemctl. */
static bool put_details(DBusMessageIter *it, const struct bus_call *c)
{
	const struct bus_method *m = c->method;
	bool is_object = c->object.kind == BUS_OBJECT_UNIT, is_good;
	bool has_unit = is_object || strncmp(m->in, "name:s", 6) == 0;
	enum verb_id verb = m->verb == VERB_TRANSIENT ? VERB_START : m->verb;
	DBusMessageIter details;

	is_good = dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "{ss}", &details);
	if (is_good && has_unit && m->access == BUS_UNITS)
		is_good = put_detail(&details, "unit",
				     is_object ? c->object.unit : bus_text_argument(c, 0)) &&
			  (verb == VERBS || put_detail(&details, "verb", verbs[verb].word));
	return is_good && dbus_message_iter_close_container(it, &details);
}

/* NULL: no memory. */
static DBusMessage *new_check(struct bus_call *c, const char *action)
{
	DBusMessage *m = dbus_message_new_method_call(POLKIT,
						      "/org/freedesktop/PolicyKit1/Authority",
						      POLKIT ".Authority", "CheckAuthorization");
	/* May it ask for a password? */
	dbus_uint32_t flags = dbus_message_get_allow_interactive_authorization(c->message) != 0;
	const char *none = "";
	DBusMessageIter it;

	if (!m)
		return NULL;
	dbus_message_iter_init_append(m, &it);
	if (put_subject(&it, dbus_message_get_sender(c->message)) &&
	    dbus_message_iter_append_basic(&it, DBUS_TYPE_STRING, &action) && put_details(&it, c) &&
	    dbus_message_iter_append_basic(&it, DBUS_TYPE_UINT32, &flags) &&
	    dbus_message_iter_append_basic(&it, DBUS_TYPE_STRING, &none))
		return m;
	dbus_message_unref(m);
	return NULL;
}

/* (is authorized, could be by a password, details). Where there is no polkit, only root may. */
static void on_checked(DBusPendingCall *pending, void *data)
{
	struct bus_call *c = data;
	DBusMessage *reply = bus_take_answer(pending);
	dbus_bool_t is_authorized = FALSE, is_challenge = FALSE;
	DBusMessageIter it, s;

	c->is_authorizing = false;
	if (reply && dbus_message_has_signature(reply, "(bba{ss})")) {
		dbus_message_iter_init(reply, &it);
		dbus_message_iter_recurse(&it, &s);
		dbus_message_iter_get_basic(&s, &is_authorized);
		dbus_message_iter_next(&s);
		dbus_message_iter_get_basic(&s, &is_challenge);
	}
	if (reply)
		dbus_message_unref(reply);
	if (is_authorized) {
		c->is_authorized = true;
		c->go_on(c);
	} else if (is_challenge) {
		bus_fail(c, DBUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
			 "this needs a password, or another user");
	} else {
		bus_fail(c, DBUS_ERROR_ACCESS_DENIED, "only root may call %s",
			 dbus_message_get_member(c->message));
	}
}

void bus_polkit_authorize(struct bus_call *c, const char *action, void (*go_on)(struct bus_call *c))
{
	DBusConnection *conn = c->peer->line.conn;
	DBusPendingCall *pending = NULL;
	DBusMessage *m;

	if (count_waiting(c) >= WAITING_MOST || !is_short(c->message)) {
		bus_fail(c, DBUS_ERROR_LIMITS_EXCEEDED,
			 "this is too long, or too much of yours waits for polkit");
		return;
	}
	m = new_check(c, action);
	c->go_on = go_on;
	c->is_authorizing = true;
	if (!m || !dbus_connection_send_with_reply(conn, m, &pending, DBUS_TIMEOUT_INFINITE) ||
	    !pending || !dbus_pending_call_set_notify(pending, on_checked, c, NULL))
		bus_fail(c, DBUS_ERROR_ACCESS_DENIED,
			 "nobody could be asked whether it is allowed");
	if (pending)
		dbus_pending_call_unref(pending);
	if (m)
		dbus_message_unref(m);
}
