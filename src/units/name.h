/* SPDX-License-Identifier: MIT */
/*
 * name - the grammar of unit names: prefix, instance, type; escaping of paths. Pure.
 */
#pragma once

#include "core/str.h"

enum { NAME_PLAIN = 1, NAME_TEMPLATE = 2, NAME_INSTANCE = 4, NAME_ANY = 7 };

/* Is it a valid unit name of one of these forms (systemd.unit(5): characters, 255 bytes, known suffix, prefix not empty)? */
bool name_is_valid(const char *name, unsigned forms);
/* The form of a valid name. */
unsigned name_form(const char *name);
/* "foo" of "foo.service" and of "foo@bar.service"; "bar" (p NULL when there is none, n 0 for a template); "service". */
struct str name_prefix(const char *name);
struct str name_instance(const char *name);
struct str name_suffix(const char *name);
/* May a file that is called `name` be a link to the one of the unit `of`, as one more name of that? By systemd.unit(5): some types, equal ones, with the same instance. */
bool name_fits_alias(const char *name, const char *of);
/* The types of which a unit may have several names. */
bool name_may_alias(const char *name);
/* "foo@.service" of "foo@bar.service". 0, -EINVAL (not an instance), -ENAMETOOLONG. */
MUST_USE int name_template(const char *name, char *out, size_t cap);
/* "foo@INSTANCE.service" of template or instance. 0, -EINVAL, -ENAMETOOLONG. */
MUST_USE int name_with_instance(const char *name, struct str instance, char *out, size_t cap);
/* Same prefix (and instance), other type: "foo.socket" -> "foo.service". */
MUST_USE int name_with_suffix(const char *name, const char *suffix, char *out, size_t cap);
/* Escaping of systemd-escape(1): '/' becomes '-', others \xNN. Bytes written or -ENAMETOOLONG. path: leading and double slashes go, "/" is "-". */
MUST_USE int name_escape(struct str text, bool path, char *out, size_t cap);
MUST_USE int name_unescape(struct str text, bool path, char *out, size_t cap);
/* What a user typed: "ssh" -> "ssh.service", "/dev/sda" -> device, "/home" -> mount. 0, -EINVAL, -ENAMETOOLONG. */
MUST_USE int name_from_user(const char *text, char *out, size_t cap);
