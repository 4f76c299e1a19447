/* SPDX-License-Identifier: MIT */
/*
 * bus_value - fields of the manager's rows as D-Bus values of a wanted type.
 *
 * What the manager does not know, or knows in another form, becomes the empty value of the type: clients pass over what they do not need, a wrong
 * type is an error to them. Texts that are not UTF-8 are repaired: libdbus ends the process otherwise.
 */
#pragma once

#include <dbus/dbus.h>

#include "ctl/rows.h"

/* Make the n bytes at p, behind which stands a NUL, UTF-8 without a NUL: else they become '?'. */
void bus_repair_text(char *p, size_t n);
/* Append a text; what is not UTF-8 becomes '?'. False: no memory (so for all of these). */
bool bus_put_text(DBusMessageIter *it, struct str text);
/* Append a value of a basic type (y b n q i u x t d s o): the number, or for s and o the text. */
bool bus_put_basic(DBusMessageIter *it, int type, uint64_t number, struct str text);
/*
 * Append a value of type `signature` made of the fields `key` of row; row NULL or no such field: the empty value, which for a number is `unset`.
 */
bool bus_put_field(DBusMessageIter *it, const char *signature, const struct row *row,
		   const char *key, uint64_t unset);
/* The same inside a variant. */
bool bus_put_variant(DBusMessageIter *it, const char *signature, const struct row *row,
		     const char *key, uint64_t unset);

/* The value that it stands at, a text, which the message owns, or a number of any type; it moves on to the next. */
const char *bus_take_text(DBusMessageIter *it);
/* The same for a number. */
uint64_t bus_take_number(DBusMessageIter *it);
