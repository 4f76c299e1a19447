/* SPDX-License-Identifier: MIT */
/*
 * canonical - a unit in one file: fragment, drop-ins and links merged, lines without effect left out, values in one spelling.
 *
 * To load what is written here gives the same unit. Specifiers stay as they are written.
 */
#pragma once

#include "core/unit.h"

/*
 * Append the text; c as it was loaded (its arena is used). A unit with more findings than are kept (diags.lost) has none: nothing
 * is appended. 0 or -ENOMEM.
 */
MUST_USE int canonical_write(struct unit_config *c, struct sbuf *out);
