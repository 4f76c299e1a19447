/* SPDX-License-Identifier: MIT */
#include "ctl/expand.h"

enum { STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_UNKNOWN = 4, STATUS_NO_UNIT = 5 };

/* The answers of the manager, and where their words go. */
struct expansion {
	struct screen *screen;
	const char *path;
	const struct question *question;
	struct arena *arena;
	const char **words;
	unsigned n;
	int status;
};

static bool is_pattern(const char *word)
{
	return word[strcspn(word, "*?[")] != '\0';
}

static bool is_number(const char *word)
{
	return word[0] && word[strspn(word, "0123456789")] == '\0';
}

static bool takes_numbers(const struct verb *v)
{
	return v->id == VERB_STATUS || v->id == VERB_WHY || v->id == VERB_LOGS;
}

static bool is_name(const struct question *q, const char *word)
{
	return !is_pattern(word) && !(takes_numbers(q->verb) && is_number(word));
}

static void add(struct expansion *e, const char *word, size_t n)
{
	if (e->n == REQUEST_ARGS) {
		sbuf_addf(&e->screen->errors,
			  "harkctl: more than %d units are meant, which is too many at a time\n",
			  REQUEST_ARGS);
		e->status = STATUS_USAGE;
		return;
	}
	e->words[e->n] = arena_dup(e->arena, word, n);
	if (e->words[e->n])
		e->n++;
	else
		e->status = STATUS_FAILED;
}

/* Units that answer: those whose names match, or that one to which the process belongs. */
static void ask(struct expansion *e, const char *word, struct rows *rows)
{
	bool is_process = is_number(word);
	struct question q = {
		.verb = &verbs[is_process ? VERB_WHOSE : VERB_LIST], .args = &word, .args_n = 1};
	unsigned before = e->n;
	int status = 0, r;

	q.options[OPT_ALL] = is_process ? NULL : e->question->options[OPT_ALL];
	r = client_ask(e->path, &q, rows, &status);
	if (r < 0) {
		e->status = r; /* the question itself is going to say why */
		return;
	}
	for (const struct row *row = rows->first; row && !e->status; row = row->next) {
		if (row_is(row, "error"))
			screen_common(e->screen, row);
		else if (is_process || str_eq_z(row_text(row, "load"), "loaded"))
			add(e, row_text(row, "unit").p, row_text(row, "unit").n);
	}
	if (e->n > before || e->status)
		return;
	e->status = e->question->verb->access == ACCESS_READ ? STATUS_UNKNOWN : STATUS_NO_UNIT;
	if (!is_process)
		sbuf_addf(&e->screen->errors, "harkctl: no unit that is loaded matches %s\n", word);
}

int expand_units(struct screen *s, const char *path, struct question *q, struct arena *arena)
{
	struct expansion e = {.screen = s, .path = path, .question = q, .arena = arena};
	unsigned names = 0;

	if (verb_shapes[q->verb->shape].what != ARG_UNIT)
		return 0;
	while (names < q->args_n && is_name(q, q->args[names]))
		names++;
	if (names == q->args_n)
		return 0;
	e.words = arena_get(arena, REQUEST_ARGS * sizeof(*e.words));
	if (!e.words)
		return STATUS_FAILED;
	for (unsigned i = 0; i < q->args_n && !e.status; i++) {
		struct rows rows;

		rows_init(&rows);
		if (is_name(q, q->args[i]))
			add(&e, q->args[i], strlen(q->args[i]));
		else
			ask(&e, q->args[i], &rows);
		rows_fini(&rows);
	}
	if (!e.status && e.n > verb_shapes[q->verb->shape].most) {
		sbuf_addf(&s->errors, "harkctl: %u units match, %s takes one\n", e.n,
			  q->verb->word);
		e.status = STATUS_USAGE;
	}
	if (e.status < 0) /* no manager answers: so be told the usual way */
		return 0;
	q->args = e.words;
	q->args_n = e.n;
	return e.status;
}
