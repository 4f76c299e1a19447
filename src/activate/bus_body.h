/* SPDX-License-Identifier: MIT */
/*
 * bus_body - the body of a message that is one long array of structures, put together without libdbus.
 *
 * For each value that is appended libdbus looks at the signature and moves the end of the message: 150 units take it half a millisecond. Here the
 * values go behind each other in one buffer (D-Bus specification, "Marshaling"), and libdbus checks them once, when the message is made of them.
 * A body is zeroed before bus_body_begin() and given back by bus_body_end(). Memory that runs out is told at the end.
 */
#pragma once

#include <dbus/dbus.h>

#include "core/str.h"

struct bus_body {
	struct sbuf bytes;
};

/* The array begins; so far it has no structures. */
void bus_body_begin(struct bus_body *b);
/* The next structure; its values follow. */
void bus_body_struct(struct bus_body *b);
/* Append a string; what is not UTF-8 becomes '?'. */
void bus_body_text(struct bus_body *b, struct str text);
/* Append an object path, which is a valid one. */
void bus_body_path(struct bus_body *b, struct str path);
/* Append a `u`. */
void bus_body_number(struct bus_body *b, uint32_t number);
/*
 * bus_body_end() - the message of this head and body.
 *
 * @head: a message without a body; given back
 * @element: signature of the structures
 *
 * Returns a message that was not sent yet, or NULL: no memory, or more than a message may hold.
 */
DBusMessage *bus_body_end(struct bus_body *b, DBusMessage *head, const char *element);
