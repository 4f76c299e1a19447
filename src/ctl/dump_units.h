/* SPDX-License-Identifier: MIT */
/*
 * dump_units - `harkctl dump`: units loaded without a manager, everything that is known about them printed line by line.
 */
#pragma once

#include "ctl/client.h"
#include "ctl/screen.h"

/*
 * dump_units() - the lines go to the buffers of the screen.
 *
 * q->args: names of units, a template stands for its instance "i". Reads below --root and in the directories of --unit-path.
 *
 * Returns the exit status: 0, 1 no memory, 5 one of the units has no file.
 */
MUST_USE int dump_units(struct screen *s, const struct question *q);
