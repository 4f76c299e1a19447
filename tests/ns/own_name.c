/* SPDX-License-Identifier: MIT */
/*
 * own_name NAME MS [MS]: waits, then takes the name on the system bus and answers Ping until it is ended; gives the name up after the second time.
 * OWN_NAME_PATIENCE=MS: as polkit it says yes to whoever may do what, after that time.
 */
#include <dbus/dbus.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static DBusHandlerResult say_yes(DBusConnection *bus, DBusMessage *m, void *ms)
{
	dbus_bool_t yes = TRUE, no = FALSE;
	DBusMessageIter it, all, details;
	DBusMessage *reply;

	if (!dbus_message_has_member(m, "CheckAuthorization"))
		return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
	poll(NULL, 0, *(const int *)ms);
	reply = dbus_message_new_method_return(m);
	dbus_message_iter_init_append(reply, &it);
	dbus_message_iter_open_container(&it, DBUS_TYPE_STRUCT, NULL, &all);
	dbus_message_iter_append_basic(&all, DBUS_TYPE_BOOLEAN, &yes);
	dbus_message_iter_append_basic(&all, DBUS_TYPE_BOOLEAN, &no);
	dbus_message_iter_open_container(&all, DBUS_TYPE_ARRAY, "{ss}", &details);
	dbus_message_iter_close_container(&all, &details);
	dbus_message_iter_close_container(&it, &all);
	dbus_connection_send(bus, reply, NULL);
	dbus_message_unref(reply);
	return DBUS_HANDLER_RESULT_HANDLED;
}

int main(int argc, char **argv)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusConnection *bus;
	const char *patience = getenv("OWN_NAME_PATIENCE");
	int ms = patience ? atoi(patience) : 0;

	if (argc < 3)
		return 2;
	poll(NULL, 0, (int)strtol(argv[2], NULL, 10));
	bus = dbus_bus_get(DBUS_BUS_SYSTEM, &error);
	if (!bus || dbus_bus_request_name(bus, argv[1], 0, &error) < 0) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	if (patience && !dbus_connection_add_filter(bus, say_yes, &ms, NULL))
		return 1;
	if (argc > 3) {
		poll(NULL, 0, (int)strtol(argv[3], NULL, 10));
		dbus_bus_release_name(bus, argv[1], NULL);
	}
	while (dbus_connection_read_write_dispatch(bus, -1))
		continue;
	return 0;
}
