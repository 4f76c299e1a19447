/* SPDX-License-Identifier: MIT */
/*
 * manual - help and manual page of harkctl, both made from verbs.def: there is no other place where verbs and options are told.
 */
#pragma once

#include "ctl/verb.h"

/* Print version or help to standard output; verb: NULL, or help for that verb only; as_man: in man(7) form. Returns an exit status. */
int manual_print(enum verb_id what, const char *verb, bool as_man);
