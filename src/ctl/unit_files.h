/* SPDX-License-Identifier: MIT */
/*
 * unit_files - enable, disable, mask and their like: harkctl makes the links itself, as the user who calls it, and then tells a running
 * manager. With --root, or where no manager answers, there is nobody to tell.
 */
#pragma once

#include "ctl/client.h"
#include "ctl/screen.h"

/*
 * unit_files() - answer one of those verbs; what there is to say goes to the buffers of the screen.
 *
 * Returns the exit status: 0, 1 something went wrong (is-enabled: none of them is), 2 a bad option.
 */
MUST_USE int unit_files(struct screen *s, const struct question *q);
