/* SPDX-License-Identifier: MIT */
/*
 * manual - help and manual pages, both made from the tables: there is no other place where verbs, options and directives are told.
 */
#pragma once

#include "ctl/verb.h"

/*
 * Print version or help to standard output. word: NULL, or the verb, directive or code that help is wanted for. as_man: the
 * manual page of that name ("harkctl" when NULL), in man(7) form. Returns an exit status.
 */
int manual_print(enum verb_id what, const char *word, bool as_man);
