/* SPDX-License-Identifier: MIT */
/*
 * directive_help - what each directive does, in words for people. Apart from the table of directives, so that the manager, which
 * tells nobody, need not have the texts in its memory.
 */
#pragma once

#include "units/directive.h"

/* Of row k of a group, k < directive_groups[group].n. */
const char *directive_help(enum directive_group group, unsigned k);
