/* SPDX-License-Identifier: MIT */
/*
 * verify - `harkctl verify`: units are loaded without a manager, and everything that is to be said about them is shown.
 *
 * Hermetic: nothing is read but what lies below --root and in the unit directories. Deterministic: findings come file by file, line by
 * line.
 */
#pragma once

#include "ctl/client.h"
#include "ctl/screen.h"

/*
 * verify_units() - the answer goes to the buffers of the screen.
 *
 * q->args: unit names, or paths of files, also of drop-ins; none: every unit of the unit directories. With --root a path is one below it.
 *
 * Returns the exit status: 0 no error (--strict: and no warning), 6 there are some, 5 no such unit or file, 2 a bad option, 1 no memory.
 */
MUST_USE int verify_units(struct screen *s, const struct question *q);
