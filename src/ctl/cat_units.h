/* SPDX-License-Identifier: MIT */
/*
 * cat_units - `harkctl cat --canonical`: units as one file each, merged and normalised, without a manager.
 */
#pragma once

#include "ctl/client.h"
#include "ctl/screen.h"

/*
 * cat_units() - the texts go to the buffers of the screen.
 *
 * q->args: names of units. Reads below --root and in the directories of --unit-path.
 *
 * Returns the exit status: 0, 1 no memory, 5 one of the units has no file, 6 one of them is refused.
 */
MUST_USE int cat_units(struct screen *s, const struct question *q);
