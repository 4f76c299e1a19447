/* SPDX-License-Identifier: MIT */
/*
 * controller UNIT NAME [idle]: makes the scope UNIT with a process that no signal but SIGKILL ends, on the system bus, and is who is asked to stop it: as NAME,
 * or with "-" as the connection that it is. Prints "started", then "asked" at each RequestStop(), and ends the process then; "idle": does not, and has a process that SIGTERM ends.
 */
#include <dbus/dbus.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put_property(DBusMessageIter *list, const char *name, const char *type,
			 const void *value)
{
	DBusMessageIter pair, variant, numbers;

	dbus_message_iter_open_container(list, DBUS_TYPE_STRUCT, NULL, &pair);
	dbus_message_iter_append_basic(&pair, DBUS_TYPE_STRING, &name);
	dbus_message_iter_open_container(&pair, DBUS_TYPE_VARIANT, type, &variant);
	if (type[0] == 'a') {
		dbus_message_iter_open_container(&variant, DBUS_TYPE_ARRAY, type + 1, &numbers);
		dbus_message_iter_append_basic(&numbers, type[1], value);
		dbus_message_iter_close_container(&variant, &numbers);
	} else {
		dbus_message_iter_append_basic(&variant, type[0], value);
	}
	dbus_message_iter_close_container(&pair, &variant);
	dbus_message_iter_close_container(list, &pair);
}

static int start(DBusConnection *bus, const char *unit, const char *name, pid_t pid)
{
	DBusMessage *m = dbus_message_new_method_call("org.freedesktop.systemd1",
						      "/org/freedesktop/systemd1",
						      "org.freedesktop.systemd1.Manager",
						      "StartTransientUnit");
	dbus_uint32_t number = (dbus_uint32_t)pid;
	DBusError error = DBUS_ERROR_INIT;
	DBusMessageIter it, list, none;
	const char *mode = "fail";

	dbus_message_iter_init_append(m, &it);
	dbus_message_iter_append_basic(&it, DBUS_TYPE_STRING, &unit);
	dbus_message_iter_append_basic(&it, DBUS_TYPE_STRING, &mode);
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "(sv)", &list);
	put_property(&list, "PIDs", "au", &number);
	put_property(&list, "Controller", "s", &name);
	dbus_message_iter_close_container(&it, &list);
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "(sa(sv))", &none);
	dbus_message_iter_close_container(&it, &none);
	if (!dbus_connection_send_with_reply_and_block(bus, m, 10000, &error)) {
		printf("%s: %s\n", error.name, error.message);
		return 1;
	}
	puts("started");
	return 0;
}

int main(int argc, char **argv)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusConnection *bus = dbus_bus_get(DBUS_BUS_SYSTEM, &error);
	const char *name;
	DBusMessage *m;
	pid_t pid;

	if (argc < 3 || !bus)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGCHLD, SIG_IGN);
	name = strcmp(argv[2], "-") == 0 ? dbus_bus_get_unique_name(bus) : argv[2];
	if (name == argv[2] && dbus_bus_request_name(bus, name, 0, &error) < 0)
		return 2;
	pid = fork();
	if (pid == 0) {
		for (int fd = 3; fd < 64; fd++)
			close(fd); /* the connection ends with us */
		signal(SIGTERM, argc < 4 ? SIG_IGN : SIG_DFL);
		for (;;)
			pause();
	}
	if (start(bus, argv[1], name, pid) != 0)
		return 1;
	while (dbus_connection_read_write(bus, -1))
		while ((m = dbus_connection_pop_message(bus))) {
			if (dbus_message_is_signal(m, "org.freedesktop.systemd1.Scope",
						   "RequestStop")) {
				puts("asked");
				if (argc < 4)
					kill(pid, SIGKILL);
			}
			dbus_message_unref(m);
		}
	return 0;
}
