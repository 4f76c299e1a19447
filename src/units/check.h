/* SPDX-License-Identifier: MIT */
/*
 * check - what is wrong with a unit that loads: settings that surely mean something else, what they name and is not there, what this
 * kernel cannot do. For tools: it reads the unit's files again.
 *
 * Everything that is looked at lies below the root of the loader; a fact that cannot be read there is not claimed.
 */
#pragma once

#include "units/lines.h"
#include "units/world.h"

struct check {
	const struct world *world;
	struct unit_config *config; /* findings are added to it */
	struct arena *arena;        /* of the configuration */
	struct unit_line *lines;
};

/* All checks of a unit that was loaded. 0 or -ENOMEM. */
MUST_USE int check_unit(const struct world *w, struct unit_config *c);

/* The last line with that key, or NULL. */
const struct unit_line *check_find(const struct check *k, const char *key);
/* A finding at a place; suggestion may be NULL. */
void check_report(struct check *k, enum code code, struct diag_place at, const char *suggestion,
		  const char *fmt, ...) PRINTF_LIKE(5, 6);

/* --- the parts: check_line.c is about single lines, check_host.c about what they name --- */
void check_lines(struct check *k);
MUST_USE int check_host(struct check *k);
