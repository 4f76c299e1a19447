/* SPDX-License-Identifier: MIT */
/*
 * finish - what follows for a unit from what its files said: its slice, values that depend on others, implicit and default
 * dependencies, and whether something is missing without which it cannot be used. Each type has its own functions for that.
 */
#pragma once

#include "units/load_index.h"

/* Once all files of c were read. Sets its load state to loaded or bad. l: with an index. Returns 0 or -ENOMEM. */
MUST_USE int finish_config(const struct load *l, struct unit_config *c);
