/* SPDX-License-Identifier: MIT */
/*
 * differ - what is different between two configurations of one unit, directive by directive, with the place where the
 * newer one says it: the answer to "what will change when I restart it?".
 *
 * Values are compared as text, as they took effect. Settings without a text (calendar events, watched paths, conditions)
 * are not compared: they do not shape what runs.
 */
#pragma once

#include "units/directive.h"

struct difference {
	const char *name;        /* of the directive */
	const char *old, *fresh; /* values; "" where it is not set */
	const char *file;        /* of the newer configuration, NULL: it says nothing of it */
	uint32_t line;
};
typedef void (*difference_fn)(void *arg, const struct difference *d);

/* Calls fn for each. fresh: as it was loaded, its arena is used. 0 or -ENOMEM. */
MUST_USE int differ(const struct unit_config *old, struct unit_config *fresh, difference_fn fn,
		    void *arg);
