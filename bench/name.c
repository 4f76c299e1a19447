/* SPDX-License-Identifier: MIT */
/*
 * name - the service of a bus name that is measured: as little as one can do,
 * as payload.c is. Takes the name on the system bus and answers every call with
 * nothing, until it is ended.
 *
 *   name NAME
 */
#include "bare.h"
#include "dbus.h"

#include <sys/socket.h>
#include <sys/un.h>

static struct dbus_out out;
static struct dbus_in in;

static int serve(long fd)
{
	int is_welcome = 0;
	long n;

	while ((n = call(SYS_read, fd, (long)(in.at + in.n), (long)(sizeof(in.at) - in.n))) > 0) {
		struct dbus_message m;

		in.n += (unsigned)n;
		out.n = 0;
		is_welcome = is_welcome || dbus_welcome(&in);
		while (is_welcome && dbus_next(&in, &m))
			if (m.type == DBUS_CALL)
				dbus_answer(&out, &m);
		if (out.n && call(SYS_write, fd, (long)out.at, out.n) != out.n)
			return 1;
		dbus_shift(&in);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct sockaddr_un bus = {.sun_family = AF_UNIX};
	long fd = call(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (unsigned i = 0; dbus_socket[i]; i++)
		bus.sun_path[i] = dbus_socket[i];
	if (argc < 2 || call(SYS_connect, fd, (long)&bus, sizeof(bus)) < 0)
		return 1;
	dbus_introduce(&out, argv[1]);
	if (call(SYS_write, fd, (long)out.at, out.n) != out.n)
		return 1;
	return serve(fd);
}
