/* SPDX-License-Identifier: MIT */
#include "units/codes.h"

const struct code_info codes[CODES] = {
#define CODE(code, name, title, help) [CODE_##name] = {#code, title, help},
#include "units/codes.def"
#undef CODE
};
