/* SPDX-License-Identifier: MIT */
/* own_name NAME MS [MS]: waits, then takes the name on the system bus and answers Ping until it is ended; gives the name up after the second time. */
#include <dbus/dbus.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusConnection *bus;

	if (argc < 3)
		return 2;
	poll(NULL, 0, (int)strtol(argv[2], NULL, 10));
	bus = dbus_bus_get(DBUS_BUS_SYSTEM, &error);
	if (!bus || dbus_bus_request_name(bus, argv[1], 0, &error) < 0) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	if (argc > 3) {
		poll(NULL, 0, (int)strtol(argv[3], NULL, 10));
		dbus_bus_release_name(bus, argv[1], NULL);
	}
	while (dbus_connection_read_write_dispatch(bus, -1))
		continue;
	return 0;
}
