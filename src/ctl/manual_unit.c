/* SPDX-License-Identifier: MIT */
#include "ctl/manual_unit.h"

#include <stdio.h>
#include <string.h>

#include "units/directive_help.h"

enum { NAME_SIZE = 80 };

static const char *const man_titles[GROUPS] = {
	[GROUP_UNIT] = "WHAT A UNIT IS AND NEEDS",
	[GROUP_CONDITION] = "CONDITIONS",
	[GROUP_INSTALL] = "WHAT ENABLES A UNIT",
	[GROUP_SERVICE] = "SERVICES",
	[GROUP_SOCKET] = "SOCKETS",
	[GROUP_MOUNT] = "MOUNTS",
	[GROUP_AUTOMOUNT] = "AUTOMOUNTS",
	[GROUP_SWAP] = "SWAPS",
	[GROUP_TIMER] = "TIMERS",
	[GROUP_PATH] = "PATHS",
	[GROUP_SCOPE] = "SCOPES",
	[GROUP_EXEC] = "HOW PROCESSES RUN",
	[GROUP_CGROUP] = "LIMITS AND SHARES",
	[GROUP_KILL] = "HOW PROCESSES END",
};

static const char man_intro[] =
	"Unit files are those of\n.BR systemd.unit (5):\n"
	"sections in brackets, settings of the form Name=value, lines that begin with # or ; are comments, a backslash at the end of a line\n"
	"joins it with the next, and an empty value forgets what the lines before have set. Files in NAME.d/*.conf are read after NAME.\n"
	".PP\nA file in /etc/units is enabled by being there: what its [Install] section names wants it, and a change counts at once.\n"
	"After that directory come /run/units and the directories of systemd; \\fBharkctl cat\\fR shows where each line of a unit comes from,\n"
	".B harkctl verify\nfinds mistakes without a running manager.\n";

/* Conditions stand in the table once, for two names. */
static const char *const condition_prefixes[] = {"Condition", "Assert", NULL};
static const char *const no_prefix[] = {"", NULL};

static const char *const *prefixes_of(unsigned group)
{
	return group == GROUP_CONDITION ? condition_prefixes : no_prefix;
}

static void print_sections(unsigned group)
{
	const char *between = "";

	for (unsigned s = 0; s < SECTIONS; s++) {
		if (!(section_groups((enum section)s) & 1u << group))
			continue;
		printf("%s[%s]", between, section_name((enum section)s));
		between = ", ";
	}
}

/* What hark makes of it, where that is not simply to do it. Nothing is said of one that is enforced. */
static void print_verdict(const struct directive *d, const char *before)
{
	static const char *const verdicts[] = {
		[INERT] = "Accepted without effect",
		[REFUSED] = "A unit that asks for it is refused",
		[LEGACY] = "Write instead",
	};

	if (d->verdict != ENFORCED)
		printf("%s%s: %s%s", before, verdicts[d->verdict], d->why,
		       d->verdict == LEGACY ? "=" : ".");
}

static void print_directive(unsigned group, unsigned k, const char *name)
{
	const struct directive *d = &directive_groups[group].rows[k];

	printf("%s= in ", name);
	print_sections(group);
	printf("\n  %s\n  for example: %s=%s", directive_help((enum directive_group)group, k), name,
	       d->example);
	print_verdict(d, "\n  ");
	printf("\n");
}

bool manual_print_directive(const char *asked)
{
	struct str word = {asked, strcspn(asked, "=")};
	char name[NAME_SIZE];
	bool is_known = false;

	for (unsigned g = 0; g < GROUPS; g++)
		for (unsigned k = 0; k < directive_groups[g].n; k++)
			for (const char *const *p = prefixes_of(g); *p; p++) {
				snprintf(name, sizeof(name), "%s%s", *p,
					 directive_groups[g].rows[k].name);
				if (!str_eq_case(word, str_of(name)))
					continue;
				print_directive(g, k, name);
				is_known = true;
			}
	return is_known;
}

/* --- man(7) --- */

void manual_print_word(const char *text)
{
	for (; *text; text++)
		if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
}

static void man_directive(unsigned group, unsigned k)
{
	const struct directive *d = &directive_groups[group].rows[k];
	const char *between = "";

	printf(".TP\n.B ");
	for (const char *const *p = prefixes_of(group); *p; p++) {
		printf("%s%s%s=", between, *p, d->name);
		between = ", ";
	}
	printf("\n");
	manual_print_word(directive_help((enum directive_group)group, k));
	printf(", as\n\\(lq");
	manual_print_word(d->example);
	printf("\\(rq.");
	print_verdict(d, "\n");
	printf("\n");
}

void manual_print_units(void)
{
	printf(".TH HARK.UNIT 5 \"\" \"hark\" \"File formats\"\n.SH NAME\n");
	printf("hark.unit \\- settings in the unit files of hark\n.SH DESCRIPTION\n%s", man_intro);
	for (unsigned g = 0; g < GROUPS; g++) {
		printf(".SH %s\nIn ", man_titles[g]);
		print_sections(g);
		printf(":\n");
		for (unsigned k = 0; k < directive_groups[g].n; k++)
			man_directive(g, k);
	}
	printf(".SH SEE ALSO\n.BR harkctl (1),\n.BR hark\\-init (8),\n.BR systemd.unit (5)\n");
}
