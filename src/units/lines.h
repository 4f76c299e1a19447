/* SPDX-License-Identifier: MIT */
/*
 * lines - the assignments in the files of a unit, each with its place, read again for tools that look at more than their outcome.
 */
#pragma once

#include "units/directive.h"

struct unit_line {
	struct unit_line *next;
	uint8_t section; /* enum section */
	const struct directive *directive;
	const char *key, *value;             /* value: continuations joined */
	struct diag_place name_at, value_at; /* borrowed paths of the configuration */
	bool is_doubtful, is_bad;            /* there is a warning, or an error, about it */
};

/*
 * lines_read() - all lines of fragment and drop-ins with a directive of their section, in the order of use.
 *
 * @c: as it was loaded, with its findings; the lines lie in its arena
 *
 * A file that cannot be read has none. Returns 0 or -ENOMEM.
 */
MUST_USE int lines_read(struct unit_config *c, struct unit_line **ret_first);
