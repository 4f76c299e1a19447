/* SPDX-License-Identifier: MIT */
#include "units/builtin.h"

#include "core/base.h"

static const struct {
	const char *name, *text;
} builtin[] = {
#include "builtin_units.inc" /* made by CMake from units/ */
};

const char *builtin_unit(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
		if (strcmp(builtin[i].name, name) == 0)
			return builtin[i].text;
	return NULL;
}
