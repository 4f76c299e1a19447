/* SPDX-License-Identifier: MIT */
/*
 * completion - what makes a shell complete the words of harkctl, made of the tables of verbs and options. Names of units are asked
 * for when they are wanted.
 */
#pragma once

#include "ctl/client.h"
#include "ctl/screen.h"

/* The script for the shell that q->args[0] names. 0, or 2 where there is none for it. */
MUST_USE int completion_print(struct screen *s, const struct question *q);
