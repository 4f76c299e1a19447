/* SPDX-License-Identifier: MIT */
/*
 * world - the units of a system as their files say, linked with each other, without running any: for tools.
 *
 * A unit is loaded when it is asked for, with everything its start would pull in. It belongs to the world until world_fini(); findings
 * may be added to its configuration.
 */
#pragma once

#include "units/load.h"

struct world {
	struct load *load;
	struct registry registry;
	struct unit_type_ops
		ops[UNIT_TYPES]; /* types without behaviour: nothing is ever started here */
};

/* load: scanned, borrowed. 0 or -ENOMEM. */
MUST_USE int world_init(struct world *w, struct load *load);
void world_fini(struct world *w);
/* The unit of that name, loaded. 0 or -ENOMEM; what cannot be a unit has a configuration that says so and is in *ret_unit too. */
MUST_USE int world_unit(struct world *w, const char *name, struct unit **ret_unit);
/* Is there a unit of that name, in a file or built in, or one that needs no file (slice, device, mount ...)? */
bool world_has(const struct world *w, const char *name);
/*
 * Adds a finding to u for each ordering cycle that its start meets; each cycle is told once in a world. 0 or -ENOMEM.
 */
MUST_USE int world_find_cycles(struct world *w, struct unit *u);
