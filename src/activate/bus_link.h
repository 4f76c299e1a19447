/* SPDX-License-Identifier: MIT */
/*
 * bus_link - libdbus in our loop: descriptors, timeouts, dispatching. Knows nothing of what is said.
 *
 * libdbus may have two watches (reading, writing) for one descriptor; they share one of the loop's. Messages are dispatched by a task,
 * some a turn, never from within libdbus' own callbacks.
 */
#pragma once

#include <dbus/dbus.h>

#include "core/loop.h"

struct bus_link {
	struct loop *loop;
	struct list ports; /* descriptors, of all connections and the server */
};

/* One connection: link_open() to bus_link_close(). */
struct bus_line {
	struct bus_link *link;
	DBusConnection *conn; /* a reference of ours */
	struct task dispatch;
};

/* loop is borrowed. */
void bus_link_init(struct bus_link *k, struct loop *loop);
/* The server's descriptors go to the loop. 0 or -ENOMEM. */
MUST_USE int bus_link_serve(struct bus_link *k, DBusServer *server);
/* Take the connection in, with a reference of its own. 0 or -ENOMEM. */
MUST_USE int bus_link_open(struct bus_link *k, struct bus_line *line, DBusConnection *conn);
/* The answer to a question, which the caller gives back; NULL: an error, or none came. */
DBusMessage *bus_take_answer(DBusPendingCall *pending);
/* Close the connection and give the reference back. Not from within a message handler: the line is still in use there. */
void bus_link_close(struct bus_line *line);
