/* SPDX-License-Identifier: MIT */
#include "ctl/manual.h"

#include <stdio.h>

#include "units/codes.h"

#ifndef HARK_VERSION
#define HARK_VERSION "0.1"
#endif

/* EXIT(status, meaning): systemctl's, which are LSB's. */
static const struct {
	int status;
	const char *meaning;
} exits[] = {
	{0, "done; of status and is-active: active; of is-failed: failed"},
	{1, "a job failed, or something else went wrong; of is-failed: not failed"},
	{2, "the command line makes no sense"},
	{3, "not applicable to that unit; of status and is-active: not running"},
	{4, "not permitted; of status and why: no such unit"},
	{5, "no such unit"},
	{6, "the unit's files have errors"},
};

static const char *const places[][2] = {
	{"HARK_RUN_DIR", "directory of the control socket, /run/hark when not set"},
	{"NO_COLOR", "when not empty: no colours"},
};

static const char intro[] =
	"asks or tells the manager of hark about its units. Without a verb it shows how the system is.";

/* --- for the terminal --- */

static void print_verb(const struct verb *v)
{
	enum verb_id id;
	const char *alias;
	char left[64];

	snprintf(left, sizeof(left), "%s %s", v->word, verb_shapes[v->shape].usage);
	printf("  %-28s %s\n", left, v->help);
	for (unsigned i = 0; (alias = verb_alias(i, &id)); i++)
		if (id == v->id)
			printf("  %-28s same as %s\n", alias, v->word);
}

static void print_option(const struct option *o)
{
	char left[64];

	snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
		 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->word, o->value ? "=" : "",
		 o->value ? o->value : "");
	printf("  %-28s %s\n", left, o->help);
}

static void print_help(void)
{
	printf("usage: harkctl [OPTION...] [VERB] [ARGUMENT...]\n\nharkctl %s\n\nVerbs:\n", intro);
	for (unsigned i = 0; i < VERBS; i++)
		print_verb(&verbs[i]);
	printf("\nOptions:\n");
	for (unsigned i = 0; i < OPTIONS; i++)
		print_option(&verb_options[i]);
	printf("\nExit status:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(exits); i++)
		printf("  %d  %s\n", exits[i].status, exits[i].meaning);
}

/* --- man(7) --- */

/* A hyphen of a word that is typed, not one of a text; and no line may begin with a dot. */
static void man_word(const char *text)
{
	for (; *text; text++)
		if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
}

static void man_verbs(void)
{
	for (unsigned i = 0; i < VERBS; i++) {
		enum verb_id id;
		const char *alias;

		printf(".TP\n.B ");
		man_word(verbs[i].word);
		for (unsigned a = 0; (alias = verb_alias(a, &id)); a++)
			if (id == verbs[i].id) {
				printf(", ");
				man_word(alias);
			}
		printf(" \\fI%s\\fR\n%s\n", verb_shapes[verbs[i].shape].usage, verbs[i].help);
	}
}

static void man_options(void)
{
	for (unsigned i = 0; i < OPTIONS; i++) {
		const struct option *o = &verb_options[i];

		printf(".TP\n.B ");
		if (o->letter)
			printf("\\-%c, ", o->letter);
		printf("\\-\\-");
		man_word(o->word);
		printf("%s\\fI%s\\fR\n%s\n", o->value ? "=" : "", o->value ? o->value : "",
		       o->help);
	}
}

static void print_man(void)
{
	printf(".\\\" made by harkctl help --man; the texts are in src/ctl/verbs.def\n");
	printf(".TH HARKCTL 1 \"\" \"hark %s\" \"User commands\"\n.SH NAME\n", HARK_VERSION);
	printf("harkctl \\- control the init and service manager hark\n.SH SYNOPSIS\n");
	printf(".B harkctl\n[\\fIOPTION\\fR...] [\\fIVERB\\fR] [\\fIARGUMENT\\fR...]\n.SH DESCRIPTION\n");
	printf(".B harkctl\n%s\n.SH VERBS\n", intro);
	man_verbs();
	printf(".SH OPTIONS\n");
	man_options();
	printf(".SH EXIT STATUS\n");
	for (unsigned i = 0; i < ARRAY_SIZE(exits); i++)
		printf(".TP\n.B %d\n%s\n", exits[i].status, exits[i].meaning);
	printf(".SH ENVIRONMENT\n");
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++)
		printf(".TP\n.B %s\n%s\n", places[i][0], places[i][1]);
	printf(".SH FILES\n.TP\n.I /run/hark/control\nthe control socket\n");
}

/* The code of a finding, in either case. */
static const struct code_info *find_code(const char *word)
{
	for (unsigned i = 0; word && i < CODES; i++)
		if (str_eq_case(str_of(word), str_of(codes[i].code)))
			return &codes[i];
	return NULL;
}

int manual_print(enum verb_id what, const char *verb, bool as_man)
{
	const struct verb *one = verb ? verb_find(verb) : NULL;
	const struct code_info *code = find_code(verb);

	if (what == VERB_VERSION) {
		printf("hark %s\n", HARK_VERSION);
	} else if (code) {
		printf("%s: %s\n%s\n", code->code, code->title, code->help);
	} else if (verb && !one) {
		fprintf(stderr, "harkctl: there is neither a verb nor a code %s\n", verb);
		return 2;
	} else if (one) {
		print_verb(one);
	} else if (as_man) {
		print_man();
	} else {
		print_help();
	}
	return 0;
}
