/* SPDX-License-Identifier: MIT */
/*
 * dep - building the list of dependencies of a configuration, in order, without walking it for each one. Pure.
 */
#pragma once

#include "core/unit.h"

struct dep_list {
	struct unit_config *config;
	struct dep **tail;
};

/* Continue the list of c at its end. */
void dep_list_init(struct dep_list *l, struct unit_config *c);
/* One more implicit or default dependency; name is borrowed (static, or of the configuration's arena). 0 or -ENOMEM. */
MUST_USE int dep_add(struct dep_list *l, enum dep_type type, enum dep_origin origin,
		     const char *name);
/* As dep_add() with a copy of the name. */
MUST_USE int dep_add_copy(struct dep_list *l, enum dep_type type, enum dep_origin origin,
			  const char *name);
/* Does c say so already? */
bool dep_exists(const struct unit_config *c, enum dep_type type, const char *name);

/*
 * The default dependencies of a type: an array whose rows are linked, shared by all configurations and never written to.
 * DEP_DEFAULTS(array, row number, type, name) is a row, with DEP_DEFAULTS_END for the last one.
 */
#define DEP_DEFAULTS(array, row, dep_type, unit) \
	[row] = {(struct dep *)(uintptr_t)&array[(row) + 1], unit, NULL, 0, dep_type, DEP_DEFAULT}
#define DEP_DEFAULTS_END(row, dep_type, unit) [row] = {NULL, unit, NULL, 0, dep_type, DEP_DEFAULT}
/* Put them behind the list, unless DefaultDependencies=no: nothing can be added after that. */
void dep_add_defaults(struct dep_list *l, const struct dep *defaults);
/*
 * The unit that another one starts: unit when it is written, or that with the same name and another suffix ("service"). Before= and
 * Triggers= on it. 0 or -ENOMEM.
 */
MUST_USE int dep_add_trigger(struct dep_list *l, const char *unit, const char *suffix);
/* The name of that unit, into out; empty when it would be too long. */
void dep_triggered_name(const char *name, const char *unit, const char *suffix, char *out,
			size_t cap);
/* After= and Requires= on the slice, when Slice= named one. 0 or -ENOMEM. */
MUST_USE int dep_add_slice(struct dep_list *l);
