/* SPDX-License-Identifier: MIT */
#include "ctl/manual.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/manual_unit.h"
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
	{"SUDO_EDITOR, VISUAL, EDITOR", "the editor of edit, the first that is set"},
	{"NO_COLOR", "when not empty: no colours"},
};

static const char intro[] =
	"asks or tells the manager of hark about its units. Without a verb it shows how the system is.";

/* --- for the terminal --- */

/* Columns of the terminal; a line longer than this is hard to read in any case. */
static unsigned columns(void)
{
	enum { MOST = 110, ELSEWHERE = 80 };
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return ELSEWHERE;
	return w.ws_col < MOST ? w.ws_col : MOST;
}

/* A word, and beside it what it means, over as many lines as it takes. */
static void print_entry(const char *left, const char *text)
{
	enum { LEFT = 30, INDENT = LEFT + 3 };
	unsigned width = columns(), at = INDENT;
	struct str rest = str_of(text), word;

	printf("  %-*s", LEFT, left);
	if (strlen(left) > LEFT)
		printf("\n%*s", INDENT - 1, "");
	while (str_word(&rest, &word)) {
		if (at + 1 + word.n > width && at > INDENT) {
			printf("\n%*s", INDENT - 1, "");
			at = INDENT;
		}
		printf(" " STR_FMT, STR_ARG(word));
		at += 1 + (unsigned)word.n;
	}
	printf("\n");
}

static void print_verb(const struct verb *v)
{
	const struct verb_alias *alias;
	char left[80];

	snprintf(left, sizeof(left), "%s %s", v->word, verb_shapes[v->shape].usage);
	print_entry(left, v->help);
	for (unsigned i = 0; (alias = verb_alias(i)); i++)
		if (alias->id == v->id) {
			snprintf(left, sizeof(left), "the same as %s%s%s", v->word,
				 alias->type ? " --type=" : "", alias->type ? alias->type : "");
			print_entry(alias->word, left);
		}
}

static void print_option(const struct option *o)
{
	char left[64];

	snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
		 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->word, o->value ? "=" : "",
		 o->value ? o->value : "");
	print_entry(left, o->help);
}

static void print_help(void)
{
	printf("usage: harkctl [OPTION...] [VERB] [ARGUMENT...]\n\nharkctl %s\n", intro);
	for (unsigned i = 0; i < VERBS; i++) {
		if (verb_group((enum verb_id)i))
			printf("\n%s:\n", verb_group((enum verb_id)i));
		print_verb(&verbs[i]);
	}
	printf("\nOptions:\n");
	for (unsigned i = 0; i < OPTIONS; i++)
		print_option(&verb_options[i]);
	printf("\nExit status:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(exits); i++)
		printf("  %d  %s\n", exits[i].status, exits[i].meaning);
	printf("\nharkctl help VERB tells more of a verb, harkctl help DIRECTIVE what a line of a unit file does.\n");
}

/* Does the help of an option, "list, show: ...", name the verb? Or is it for all verbs that change unit files? */
static bool is_option_of(const struct option *o, const struct verb *v)
{
	struct str rest = str_of(o->help), part, word;
	bool is_alike = false, does_name = false;

	while (str_cut(&rest, ';', &part)) {
		struct str verbs_of_it = str_sub(part, 0, str_index(part, ':'));

		while (verbs_of_it.n < part.n && str_cut(&verbs_of_it, ',', &word)) {
			word = str_trim(word);
			does_name = does_name || str_eq_z(word, v->word);
			is_alike = is_alike || str_eq_z(word, "enable and its like");
		}
	}
	return does_name || (is_alike && v->id > VERB_ENABLE && v->id <= VERB_LIST_UNIT_FILES);
}

static void print_one_verb(const struct verb *v)
{
	bool any = false;

	printf("usage: harkctl %s %s\n\n", v->word, verb_shapes[v->shape].usage);
	print_verb(v);
	for (unsigned i = 0; i < OPTIONS; i++) {
		if (!is_option_of(&verb_options[i], v))
			continue;
		printf("%s", any ? "" : "\nOptions of it:\n");
		any = true;
		print_option(&verb_options[i]);
	}
}

/* --- man(7) --- */

static void man_verbs(void)
{
	for (unsigned i = 0; i < VERBS; i++) {
		const struct verb_alias *alias;

		if (verb_group((enum verb_id)i))
			printf(".SS %s\n", verb_group((enum verb_id)i));
		printf(".TP\n.B ");
		manual_print_word(verbs[i].word);
		for (unsigned a = 0; (alias = verb_alias(a)); a++)
			if (alias->id == verbs[i].id) {
				printf(", ");
				manual_print_word(alias->word);
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
		manual_print_word(o->word);
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
	printf(".SH SEE ALSO\n.BR hark\\-init (8),\n.BR hark.unit (5)\n");
}

static const struct {
	const char *word, *variable, *value, *standard, *help;
} init_options[] = {
#define OPTION(member, word, variable, value, standard, help) \
	{word, variable, value, standard, help},
#include "core/options.def"
#undef OPTION
};

static const char init_intro[] =
	"is the first process, or one that any user starts. It opens no unit file and decides nothing: it starts the manager\n"
	".BR harkd ,\nand starts it again whenever it ends, keeps its sockets and its state meanwhile, and is the parent of all services.\n"
	".PP\nWhen it is not the first process it mounts nothing and reboots nothing; SIGTERM stops its units in order.\n"
	"A first word that is no option names the manager. As PID 1 the words of the kernel's command line count too.\n";

static void print_init_man(void)
{
	printf(".TH HARK\\-INIT 8 \"\" \"hark %s\" \"System administration\"\n.SH NAME\n",
	       HARK_VERSION);
	printf("hark\\-init \\- init and service manager\n.SH SYNOPSIS\n.B hark\\-init\n");
	printf("[\\fIMANAGER\\fR] [\\fIOPTION\\fR...]\n.SH DESCRIPTION\n.B hark\\-init\n%s",
	       init_intro);
	printf(".SH OPTIONS\n");
	for (unsigned i = 0; i < ARRAY_SIZE(init_options); i++) {
		printf(".TP\n.B ");
		manual_print_word(init_options[i].word);
		printf(" \\fI%s\\fR\n%s", init_options[i].value, init_options[i].help);
		if (init_options[i].standard)
			printf("; %s when not given", init_options[i].standard);
		if (init_options[i].variable)
			printf(". The environment has it as %s", init_options[i].variable);
		printf("\n");
	}
	printf(".SH SEE ALSO\n.BR harkctl (1),\n.BR hark.unit (5)\n");
}

/* The manual pages there are. */
static const struct {
	const char *name;
	void (*print)(void);
} pages[] = {
	{"harkctl", print_man}, {"hark-init", print_init_man}, {"hark.unit", manual_print_units}};

static int print_page(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		if (name && strcmp(name, pages[i].name) != 0)
			continue;
		pages[i].print();
		return 0;
	}
	fprintf(stderr, "harkctl: there is no manual page %s; there are", name);
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
		fprintf(stderr, " %s", pages[i].name);
	fprintf(stderr, "\n");
	return 2;
}

/* The code of a finding, in either case. */
static const struct code_info *find_code(const char *word)
{
	for (unsigned i = 0; word && i < CODES; i++)
		if (str_eq_case(str_of(word), str_of(codes[i].code)))
			return &codes[i];
	return NULL;
}

int manual_print(enum verb_id what, const char *word, bool as_man)
{
	const struct verb *verb = word ? verb_find(word) : NULL;
	const struct code_info *code = find_code(word);

	if (what == VERB_VERSION) {
		printf("hark %s\n", HARK_VERSION);
	} else if (as_man) {
		return print_page(word);
	} else if (!word) {
		print_help();
	} else if (verb) {
		print_one_verb(verb);
	} else if (code) {
		printf("%s: %s\n%s\n", code->code, code->title, code->help);
	} else if (!manual_print_directive(word)) {
		fprintf(stderr, "harkctl: there is no verb, no directive and no code %s\n", word);
		return 2;
	}
	return 0;
}
