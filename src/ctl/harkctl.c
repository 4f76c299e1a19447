/* SPDX-License-Identifier: MIT */
/* harkctl - the user's tool: one question to the manager, its answer as a table, Key=Value or JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/unit.h"
#include "ctl/called.h"
#include "ctl/cat_units.h"
#include "ctl/client.h"
#include "ctl/completion.h"
#include "ctl/dump_units.h"
#include "ctl/expand.h"
#include "ctl/manual.h"
#include "ctl/run_command.h"
#include "ctl/screen.h"
#include "ctl/unit_files.h"
#include "ctl/verify.h"

enum { EXIT_STATUS_FAILED = 1, EXIT_STATUS_USAGE = 2, EXIT_STATUS_DENIED = 4 };

struct line {
	struct question question;
	const char **args; /* in argv, from its beginning: there are never more than were read */
	const char *word;  /* of the verb as typed, NULL: none */
	bool is_command;   /* what follows belongs to the command to be run */
	struct arena arena;
};

/* Spellings of systemctl's. without a target: accepted, for they ask for what harkctl does anyway. */
static const struct {
	const char *text;
	enum option_id id; /* OPTIONS: nothing to do */
	const char *value;
} synonyms[] = {
	{"--no-block", OPT_NO_WAIT, ""}, {"--json", OPT_OUTPUT, "json"},
	{"--no-pager", OPTIONS, NULL},   {"--no-legend", OPTIONS, NULL},
	{"--system", OPTIONS, NULL},     {"--no-ask-password", OPTIONS, NULL},
	{"--plain", OPTIONS, NULL},      {"--failed", OPT_STATE, "failed"},
};

static int PRINTF_LIKE(1, 2) usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("harkctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("; harkctl help lists all verbs and options\n", stderr);
	va_end(ap);
	return -EINVAL;
}

/* --- the command line --- */

static bool take_synonym(struct line *l, const char *text)
{
	for (unsigned i = 0; i < ARRAY_SIZE(synonyms); i++) {
		if (strcmp(text, synonyms[i].text) != 0)
			continue;
		if (synonyms[i].id != OPTIONS)
			l->question.options[synonyms[i].id] = synonyms[i].value;
		return true;
	}
	return false;
}

/* Lists may be given piece by piece: "-p A -p B" is "-p A,B". What `run` gets are whole lines. */
static void give(struct line *l, enum option_id id, const char *value)
{
	const char *before = l->question.options[id];
	bool is_list = id == OPT_PROPERTY || id == OPT_TYPE || id == OPT_STATE;
	struct sbuf all = {0};

	l->question.options[id] = value;
	if (!is_list || !before)
		return;
	sbuf_addf(&all, "%s%c%s", before, id == OPT_PROPERTY ? '\n' : ',', value);
	l->question.options[id] = all.err ? value : arena_dup(&l->arena, all.p, all.n);
	sbuf_fini(&all);
}

/* --name, --name=value, --name value. Arguments used or -EINVAL. */
static int take_long(struct line *l, char **argv)
{
	struct str text = str_of(argv[0] + 2);
	size_t eq = str_index(text, '=');
	enum option_id id = verb_option(str_sub(text, 0, eq));

	if (take_synonym(l, argv[0]))
		return 1;
	if (id == OPTIONS)
		return usage("there is no option %s", argv[0]);
	if (!verb_options[id].value && eq < text.n)
		return usage("%s takes no value", argv[0]);
	if (!verb_options[id].value) {
		l->question.options[id] = "";
		return 1;
	}
	if (eq < text.n) {
		give(l, id, argv[0] + 2 + eq + 1);
		return 1;
	}
	if (!argv[1])
		return usage("%s needs a value", argv[0]);
	give(l, id, argv[1]);
	return 2;
}

static enum option_id find_letter(char letter)
{
	unsigned i = 0;

	while (i < OPTIONS && verb_options[i].letter != letter)
		i++;
	return (enum option_id)i;
}

/* -a, -aq, -oFORM, -o FORM. Arguments used or -EINVAL. */
static int take_short(struct line *l, char **argv)
{
	for (const char *at = argv[0] + 1; *at; at++) {
		enum option_id id = find_letter(*at);

		if (id == OPTIONS)
			return usage("there is no option %s", argv[0]);
		if (!verb_options[id].value) {
			l->question.options[id] = "";
			continue;
		}
		if (!at[1] && !argv[1])
			return usage("%s needs a value", argv[0]);
		give(l, id, at[1] ? at + 1 : argv[1]);
		return at[1] ? 1 : 2;
	}
	return 1;
}

static int take_word(struct line *l, const char *word)
{
	if (!l->word) {
		l->word = word;
		return 1;
	}
	l->is_command = strcmp(l->word, verbs[VERB_RUN].word) == 0 ||
			strcmp(l->word, verbs[VERB_NEW].word) == 0;
	l->args[l->question.args_n++] = word;
	return 1;
}

static int parse_line(struct line *l, char **argv)
{
	bool only_words = false;

	while (*argv) {
		int used = 1;

		if (only_words || l->is_command || argv[0][0] != '-' || !argv[0][1])
			used = take_word(l, argv[0]);
		else if (strcmp(argv[0], "--") == 0)
			only_words = true;
		else if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
			l->word = verbs[VERB_HELP].word;
		else if (strcmp(argv[0], "--version") == 0)
			l->word = verbs[VERB_VERSION].word;
		else
			used = argv[0][1] == '-' ? take_long(l, argv) : take_short(l, argv);
		if (used < 0)
			return used;
		argv += used;
	}
	return 0;
}

/* What options mean with this verb, and as this word for it. */
static void fit_options(struct line *l)
{
	const char **options = l->question.options;
	const char *lines = options[OPT_PROPERTY];
	const struct verb_alias *alias;
	char *p;

	for (unsigned i = 0; l->word && (alias = verb_alias(i)); i++)
		if (strcmp(l->word, alias->word) == 0 && alias->type && !options[OPT_TYPE])
			options[OPT_TYPE] = alias->type;
	if (l->question.verb->id == VERB_LOGS && options[OPT_FORCE])
		options[OPT_FOLLOW] = ""; /* -f */
	if (l->question.verb->id == VERB_RUN || !lines || !strchr(lines, '\n'))
		return;
	options[OPT_PROPERTY] = p = arena_dup(&l->arena, lines, strlen(lines));
	for (; p && (p = strchr(p, '\n')); p++)
		*p = ',';
}

static int check_types(const char *types)
{
	struct str rest = str_of(types ? types : ""), one;

	while (str_cut(&rest, ',', &one)) {
		unsigned i = 0;

		while (i < UNIT_TYPES && !str_eq_z(one, unit_type_names[i]))
			i++;
		if (i == UNIT_TYPES && one.n)
			return usage("there is no type of unit " STR_FMT, STR_ARG(one));
	}
	return 0;
}

/* The verb and whether its arguments fit. */
static int check_line(struct line *l)
{
	const struct verb *v = l->word ? verb_find(l->word) : &verbs[VERB_HEALTH];
	const struct arg_shape *shape;

	if (!v && verb_suggest(l->word)) {
		fprintf(stderr, "harkctl: there is no verb %s; did you mean %s?\n", l->word,
			verb_suggest(l->word)->word);
		return -EINVAL;
	}
	if (!v)
		return usage("there is no verb %s", l->word);
	shape = &verb_shapes[v->shape];
	/* What goes to the manager has to fit its table. */
	if (shape->most == REQUEST_ARGS && l->question.args_n > REQUEST_ARGS)
		return usage("%s takes no more than %d arguments at a time", v->word, REQUEST_ARGS);
	if (l->question.args_n < shape->least || l->question.args_n > shape->most) {
		fprintf(stderr, "usage: harkctl %s %s\n", v->word, shape->usage);
		return -EINVAL;
	}
	l->question.verb = v;
	l->question.args = l->args;
	fit_options(l);
	return check_types(l->question.options[OPT_TYPE]);
}

static int find_form(const struct line *l, enum form *ret_form)
{
	static const char *const words[] = {
		[FORM_TABLE] = "table", [FORM_JSON] = "json", [FORM_KV] = "kv"};
	const char *word = l->question.options[OPT_OUTPUT];

	for (unsigned i = 0; word && i < ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i]) == 0) {
			*ret_form = (enum form)i;
			return 0;
		}
	return word ? usage("--output takes table, json or kv, not %s", word) : 0;
}

/* --- asking --- */

/* Rows of an answer without end, each in the form for programs. */
static void on_row_json(void *arg, const struct row *row)
{
	struct screen *s = arg;

	paint_json(&s->paint, row);
	screen_flush(s);
}

static void on_row_kv(void *arg, const struct row *row)
{
	struct screen *s = arg;

	paint_kv(&s->paint, row, false);
	paint_z(&s->paint, "\n");
	screen_flush(s);
}

static int explain(int err, const char *path)
{
	if (err == -ENOENT || err == -ECONNREFUSED)
		fprintf(stderr,
			"harkctl: no manager answers at %s: %s (HARK_RUN_DIR chooses another)\n",
			path, strerror(-err));
	else if (err == -ECONNRESET)
		fprintf(stderr,
			"harkctl: the manager went away; whether it did what was asked is not known\n");
	else
		fprintf(stderr, "harkctl: cannot ask the manager at %s: %s\n", path,
			strerror(-err));
	return err == -EACCES ? EXIT_STATUS_DENIED : EXIT_STATUS_FAILED;
}

static void render(struct screen *s, const struct rows *rows, enum form form)
{
	if (form == FORM_JSON)
		paint_json(&s->paint, rows->first);
	else if (form == FORM_KV)
		paint_kv(&s->paint, rows->first, false);
	else if (!screen_is_stream(s->verb->id) && rows->first)
		screens[s->verb->id](s, rows->first);
	else if (!screen_is_stream(s->verb->id))
		screens[s->verb->id](s, NULL);
	if (rows->is_short)
		sbuf_add_z(&s->errors, "harkctl: memory ran out, the answer is not complete\n");
	if (s->has_live_line)
		paint_z(&s->paint, "\n");
}

/* Verbs that harkctl answers itself. */
typedef int (*local_fn)(struct screen *s, const struct question *q);
static const local_fn locals[VERBS] = {
	[VERB_VERIFY] = verify_units,
	[VERB_DUMP] = dump_units,
	[VERB_ENABLE] = unit_files,
	[VERB_DISABLE] = unit_files,
	[VERB_REENABLE] = unit_files,
	[VERB_PRESET] = unit_files,
	[VERB_PRESET_ALL] = unit_files,
	[VERB_MASK] = unit_files,
	[VERB_UNMASK] = unit_files,
	[VERB_LINK] = unit_files,
	[VERB_REVERT] = unit_files,
	[VERB_ADD_WANTS] = unit_files,
	[VERB_ADD_REQUIRES] = unit_files,
	[VERB_SET_DEFAULT] = unit_files,
	[VERB_GET_DEFAULT] = unit_files,
	[VERB_IS_ENABLED] = unit_files,
	[VERB_LIST_UNIT_FILES] = unit_files,
	[VERB_EDIT] = unit_files,
	[VERB_RUN] = run_command,
	[VERB_NEW] = new_unit,
	[VERB_COMPLETION] = completion_print,
};

/* What answers without a manager, or NULL. */
static local_fn local_of(const struct question *q)
{
	if (q->verb->id == VERB_CAT && q->options[OPT_CANONICAL])
		return cat_units;
	return locals[q->verb->id];
}

/* form: for the verbs that have a screen; the others make their text themselves. */
static int answer(const struct line *l, local_fn fn, enum form form)
{
	struct screen screen = {.verb = l->question.verb};
	int status;

	rows_init(&screen.own);
	paint_init(&screen.paint, l->question.options[OPT_FULL]);
	status = fn(&screen, &l->question);
	if (screens[screen.verb->id] && !l->question.options[OPT_QUIET])
		render(&screen, &screen.own, form);
	screen_flush(&screen);
	rows_fini(&screen.own);
	paint_fini(&screen.paint);
	sbuf_fini(&screen.errors);
	return status;
}

static int ask(struct line *l, enum form form)
{
	bool is_quiet = l->question.options[OPT_QUIET];
	struct screen screen = {.verb = l->question.verb};
	struct rows rows;
	char path[256];
	int status = 0;
	int r;

	rows_init(&rows);
	paint_init(&screen.paint,
		   l->question.options[OPT_FULL] || l->question.verb->id == VERB_SHOW);
	screen.is_value_only = l->question.options[OPT_VALUE];
	l->question.is_endless =
		l->question.verb->id == VERB_MONITOR ||
		(l->question.verb->id == VERB_LOGS && l->question.options[OPT_FOLLOW]);
	l->question.arg = &screen;
	if (l->question.is_endless && form != FORM_TABLE)
		l->question.on_row = form == FORM_JSON ? on_row_json : on_row_kv;
	else if (form == FORM_TABLE && !is_quiet && screen_is_stream(l->question.verb->id))
		l->question.on_row = screen_row;
	client_path(path, sizeof(path));
	status = expand_units(&screen, path, &l->question, &l->arena);
	screen.has_several = l->question.args_n > 1;
	r = status ? 0 : client_ask(path, &l->question, &rows, &status);
	if (r < 0) {
		status = explain(r, path);
	} else if (!is_quiet) {
		render(&screen, &rows, form);
		screen_flush(&screen);
	}
	paint_fini(&screen.paint);
	sbuf_fini(&screen.errors);
	rows_fini(&rows);
	return status;
}

static int perform(struct line *l, char **argv)
{
	enum form form = FORM_TABLE;
	local_fn local;

	if (parse_line(l, argv) < 0 || check_line(l) < 0)
		return EXIT_STATUS_USAGE;
	if (l->question.verb->id == VERB_HELP || l->question.verb->id == VERB_VERSION)
		return manual_print(l->question.verb->id, l->question.args_n ? l->args[0] : NULL,
				    l->question.options[OPT_MAN]);
	local = local_of(&l->question);
	if (screens[l->question.verb->id] && find_form(l, &form) < 0)
		return EXIT_STATUS_USAGE;
	return local ? answer(l, local, form) : ask(l, form);
}

int main(UNUSED int argc, char **argv)
{
	const char *words[CALLED_WORDS];
	struct line line = {.args = (const char **)(uintptr_t)argv};
	int status = 0, called = called_as(argv, words, &status);

	if (called > 0) {
		argv = (char **)(uintptr_t)words;
		line.args = words;
	}
	if (called >= 0)
		status = perform(&line, argv + 1);
	arena_fini(&line.arena);
	return status;
}
