/* SPDX-License-Identifier: MIT */
/* long_call BYTES: calls LoadUnit() with a name that is so long, on the system bus; prints the name of the error it gets. */
#include <dbus/dbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	DBusError error = DBUS_ERROR_INIT;
	DBusConnection *bus = dbus_bus_get(DBUS_BUS_SYSTEM, &error);
	DBusMessage *m = dbus_message_new_method_call("org.freedesktop.systemd1",
						      "/org/freedesktop/systemd1",
						      "org.freedesktop.systemd1.Manager",
						      "LoadUnit");
	char *name = malloc(n + 1);

	if (!bus || !m || !name)
		return 1;
	memset(name, 'a', n);
	name[n] = '\0';
	if (!dbus_message_append_args(m, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID))
		return 1;
	if (dbus_connection_send_with_reply_and_block(bus, m, 10000, &error))
		return 1;
	puts(error.name);
	return 0;
}
