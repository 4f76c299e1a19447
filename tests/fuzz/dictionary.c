/* SPDX-License-Identifier: MIT */
/* Prints a dictionary for libFuzzer: sections, and each directive with a value that can be read. */
#include <stdio.h>

#include "units/directive.h"

/* A word in the syntax of dictionaries. */
static void print_word(const char *before, const char *word, const char *behind)
{
	printf("\"%s", before);
	for (; *word; word++)
		if (*word == '"' || *word == '\\')
			printf("\\x%02x", (unsigned char)*word);
		else
			putchar(*word);
	printf("%s\"\n", behind);
}

int main(void)
{
	for (unsigned k = 0; k < SECTIONS; k++)
		print_word("[", section_name((enum section)k), "]\\x0a");
	for (unsigned g = 0; g < GROUPS; g++)
		for (unsigned k = 0; k < directive_groups[g].n; k++) {
			const struct directive *d = &directive_groups[g].rows[k];

			print_word(g == GROUP_CONDITION ? "Condition" : "", d->name, "=");
			print_word("", d->example, "\\x0a");
		}
	return 0;
}
