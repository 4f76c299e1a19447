/* SPDX-License-Identifier: MIT */
/*
 * manual_unit - what may be written in unit files, told from the table of directives: one of them for the terminal, or all as a
 * manual page.
 */
#pragma once

#include <stdbool.h>

/* Print what the directive `name` does, wherever it may stand; in any case, "=" behind it or not. False: there is none. */
bool manual_print_directive(const char *name);
/* Print hark.unit(5) in man(7) form. */
void manual_print_units(void);
/* Print a word of man(7) that is typed as it stands: its hyphens are no dashes. */
void manual_print_word(const char *text);
