/* SPDX-License-Identifier: MIT */
/*
 * finding - how a finding about a unit file looks: as a compiler shows it, with the line and a caret, or in one line for editors.
 *
 * Both are made from a row of kind "finding", whoever sent it: the manager, or harkctl verify.
 */
#pragma once

#include "core/diag.h"
#include "ctl/paint.h"

/* The place of a finding; file n 0: nowhere. line, col, end from 1; 0: not known. */
struct finding_place {
	struct str file;
	uint64_t line, col, end;
	struct str note; /* to stand behind the caret, or n 0 */
};

/* The row of kind "finding" that tells it. */
void finding_row(struct rows *rows, const char *unit, const struct diag *d);
/* Message, place, source line, caret and suggestion. indent: columns. */
void finding_show(struct paint *p, const struct row *row, unsigned indent);
/* " --> file:line:col" and the line with a caret below it. A file that cannot be read is only named. */
void finding_show_place(struct paint *p, const struct finding_place *place, unsigned indent);
/* "file:line:col: error: message; suggestion [U001]" */
void finding_gcc(struct paint *p, const struct row *row);
