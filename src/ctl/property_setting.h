/* SPDX-License-Identifier: MIT */
/*
 * property_setting - what the files of a unit say, as properties: one for each directive whose value is kept, by its row in directives.def.
 *
 * The name is that of the directive, with USec where it says Sec, and a few exceptions; the kind of its reader says what type it has on the wire.
 * Numbers that are not set, texts and lists that are empty have no field.
 */
#pragma once

#include "ctl/reply.h"
#include "units/directive.h"

/* The fields of c, a configuration of that type. only: "Name,Name" or NULL for all; with_empty: also texts and lists that are empty. */
void property_settings(struct reply *r, const struct unit_config *c, enum unit_type type,
		       const char *only, bool with_empty);
/* Is there such a property for some type? For tests. */
bool property_is_setting(const char *name);
