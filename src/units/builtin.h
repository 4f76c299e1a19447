/* SPDX-License-Identifier: MIT */
/*
 * builtin - the units that must exist for any other to make sense: the targets of systemd.special(7) and shutdown.target.
 *
 * Their texts are the files of the folder units/, built into harkd; a file of the same name anywhere in the search path comes first.
 */
#pragma once

/* Text of that unit, or NULL. */
const char *builtin_unit(const char *name);
