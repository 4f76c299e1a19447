/* SPDX-License-Identifier: MIT */
/*
 * dump - everything that is known about a unit before it ever ran, a line for each thing: `harkctl dump`.
 *
 * The keys and the spelling of values are those of systemd's own dump, so that two loaders can be compared line by line. dump.def
 * is the list of keys; how a value is written follows from the row of its directive.
 */
#pragma once

#include "units/closure.h"

/* Append "Unit NAME" and a line, led by a tab, for each key. 0 or -ENOMEM. */
MUST_USE int dump_unit(struct closure *g, const struct closure_unit *u, struct sbuf *out);
/* For tests: a key whose directive does not exist or cannot be written, or NULL. */
const char *dump_key_without_value(void);
