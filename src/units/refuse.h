/* SPDX-License-Identifier: MIT */
/*
 * refuse - the finding that a unit as a whole cannot be used.
 */
#pragma once

#include "core/unit.h"
#include "units/codes.h"

/*
 * file, line: the place; NULL and 0 for the unit's main file as a whole. suggestion: copied, or NULL. text: static, without an end
 * ("; the unit is refused" is added).
 */
void refuse_unit(struct unit_config *c, enum code code, const char *file, uint32_t line,
		 const char *suggestion, const char *text);
