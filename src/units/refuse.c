/* SPDX-License-Identifier: MIT */
#include "units/refuse.h"

void refuse_unit(struct unit_config *c, enum code code, const char *file, uint32_t line,
		 const char *suggestion, const char *text)
{
	struct diag_place place = {file ? file : c->fragment, line, 0, 0};

	diag_add(&c->diags, codes[code].code, DIAG_ERROR, true, place, suggestion,
		 "%s; the unit is refused", text);
	c->diags.has_fatal = true;
}
