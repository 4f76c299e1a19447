/* SPDX-License-Identifier: MIT */
#include "units/directive_help.h"

#define BEGIN(group) static const char *const help_##group[] = {
#define D(directive, reader, target, aux, what, strict, reason, sample, text) text,
#define END(group) \
	}          \
	;
#include "units/directives.def"
#undef BEGIN
#undef D
#undef END

static const char *const *const helps[GROUPS] = {
#define BEGIN(group) [GROUP_##group] = help_##group,
#define D(directive, reader, target, aux, what, strict, reason, sample, text)
#define END(group)
#include "units/directives.def"
};

const char *directive_help(enum directive_group group, unsigned k)
{
	return helps[group][k];
}
