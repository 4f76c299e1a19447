/* SPDX-License-Identifier: MIT */
/*
 * polkit MS UNIT: answers in polkit's place on the system bus, MS milliseconds after it was asked: whatever is to be done with UNIT ("-": any) is allowed.
 * Prints what it is asked: the action, the unit and the verb.
 */
#include <dbus/dbus.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ((sa{sv}) action {ss} ...) */
static dbus_bool_t is_allowed(DBusMessage *m, const char *unit)
{
	const char *action, *key, *value;
	dbus_bool_t found = strcmp(unit, "-") == 0;
	DBusMessageIter it, details, entry;

	dbus_message_iter_init(m, &it);
	dbus_message_iter_next(&it);
	dbus_message_iter_get_basic(&it, &action);
	printf("%s", action + strlen("org.freedesktop.systemd1."));
	dbus_message_iter_next(&it);
	dbus_message_iter_recurse(&it, &details);
	for (; dbus_message_iter_get_arg_type(&details) == DBUS_TYPE_DICT_ENTRY;
	     dbus_message_iter_next(&details)) {
		dbus_message_iter_recurse(&details, &entry);
		dbus_message_iter_get_basic(&entry, &key);
		dbus_message_iter_next(&entry);
		dbus_message_iter_get_basic(&entry, &value);
		printf(" %s=%s", key, value);
		found = found || (strcmp(key, "unit") == 0 && strcmp(value, unit) == 0);
	}
	puts("");
	return found;
}

static void answer(DBusConnection *bus, DBusMessage *m, dbus_bool_t yes)
{
	DBusMessage *reply = dbus_message_new_method_return(m);
	dbus_bool_t no = FALSE;
	DBusMessageIter it, s, none;

	dbus_message_iter_init_append(reply, &it);
	dbus_message_iter_open_container(&it, DBUS_TYPE_STRUCT, NULL, &s);
	dbus_message_iter_append_basic(&s, DBUS_TYPE_BOOLEAN, &yes);
	dbus_message_iter_append_basic(&s, DBUS_TYPE_BOOLEAN, &no);
	dbus_message_iter_open_container(&s, DBUS_TYPE_ARRAY, "{ss}", &none);
	dbus_message_iter_close_container(&s, &none);
	dbus_message_iter_close_container(&it, &s);
	dbus_connection_send(bus, reply, NULL);
	dbus_message_unref(reply);
}

int main(int argc, char **argv)
{
	DBusConnection *bus = dbus_bus_get(DBUS_BUS_SYSTEM, NULL);
	DBusMessage *m;

	if (argc < 3 || !bus ||
	    dbus_bus_request_name(bus, "org.freedesktop.PolicyKit1", 0, NULL) < 0)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (dbus_connection_read_write(bus, -1))
		while ((m = dbus_connection_pop_message(bus))) {
			if (dbus_message_is_method_call(m, "org.freedesktop.PolicyKit1.Authority",
							"CheckAuthorization")) {
				dbus_bool_t yes = is_allowed(m, argv[2]);

				poll(NULL, 0, (int)strtol(argv[1], NULL, 10));
				answer(bus, m, yes);
			}
			dbus_message_unref(m);
		}
	return 0;
}
