/* SPDX-License-Identifier: MIT */
/* The table of directives as lines of "section<tab>name<tab>verdict<tab>why<tab>help", for compat.py. */
#include <stdio.h>

#include "units/directive_help.h"

static const char *const verdicts[] = {
	[ENFORCED] = "enforced", [INERT] = "inert", [REFUSED] = "refused", [LEGACY] = "old name"};

static void print_row(const char *section, const char *prefix, const struct directive *d,
		      const char *help)
{
	printf("%s\t%s%s\t%s\t%s\t%s\n", section, prefix, d->name, verdicts[d->verdict], d->why,
	       help);
}

int main(void)
{
	for (unsigned s = 0; s < SECTIONS; s++)
		for (unsigned g = 0; g < GROUPS; g++)
			for (unsigned k = 0;
			     section_groups((enum section)s) & 1u << g && k < directive_groups[g].n;
			     k++) {
				const struct directive *d = &directive_groups[g].rows[k];
				const char *name = section_name((enum section)s);
				const char *help = directive_help((enum directive_group)g, k);

				print_row(name, g == GROUP_CONDITION ? "Condition" : "", d, help);
				if (g == GROUP_CONDITION)
					print_row(name, "Assert", d, help);
			}
	return 0;
}
