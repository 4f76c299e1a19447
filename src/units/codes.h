/* SPDX-License-Identifier: MIT */
/*
 * codes - the stable codes of findings about unit files with their titles and help texts (`harkctl help CODE`).
 */
#pragma once

#include "core/base.h"

enum code {
#define CODE(code, name, title, help) CODE_##name,
#include "units/codes.def"
#undef CODE
	CODES
};

struct code_info {
	const char *code, *title, *help;
};
extern const struct code_info codes[CODES];
