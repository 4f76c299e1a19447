/* SPDX-License-Identifier: MIT */
/*
 * expand - what stands for units on the command line of harkctl: patterns ("ssh*") are the loaded units whose names match, and
 * numbers, for verbs that look at units, are processes of them. The manager is asked; it only hears names.
 */
#pragma once

#include "ctl/client.h"
#include "ctl/screen.h"

/*
 * expand_units() - replace the arguments of a question by what they stand for.
 *
 * @path: of the control socket
 * @q: its args are afterwards in *arena, which the caller releases when it is done with the question
 *
 * Nothing is asked where no argument is a pattern or a number. Returns 0, or what harkctl is to exit with: the screen has been told why.
 */
MUST_USE int expand_units(struct screen *s, const char *path, struct question *q,
			  struct arena *arena);
