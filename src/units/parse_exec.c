/* SPDX-License-Identifier: MIT */
/* Readers of what a process is made of: command lines, streams, limits, scheduling; and of addresses to listen on. */
#include <sched.h>
#include <stdio.h>
#include <sys/personality.h>

#include "units/exec_config.h"
#include "units/name.h"
#include "units/parse.h"
#include "units/socket.h"
#include "units/value.h"
#include "units/words.h"

/* --- command lines --- */

/* Words of one command while it is read; the final array is as long as it must be. */
struct word_list {
	const char **words;
	uint32_t n, cap;
};

static int keep_word(struct assignment *a, struct word_list *l, const char *word)
{
	if (l->n == l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 16;
		const char **words = arena_get(a->scratch, cap * sizeof(*words));

		if (!words)
			return -ENOMEM;
		if (l->n)
			memcpy(words, l->words, l->n * sizeof(*words));
		l->words = words;
		l->cap = cap;
	}
	l->words[l->n++] = word;
	return 0;
}

static struct str skip_blanks(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = str_sub(s, 1, s.n);
	return s;
}

/* Does rest begin with the unquoted word `mark`? */
static bool is_mark(struct str rest, struct str mark)
{
	return str_has_prefix(rest, mark) &&
	       (rest.n == mark.n || rest.p[mark.n] == ' ' || rest.p[mark.n] == '\t');
}

/* Words up to the end or an unquoted ";". Specifiers are expanded after unquoting, so they cannot make new words. */
static int take_words(struct assignment *a, struct str *rest, struct word_list *l)
{
	const char *text;
	size_t word_at, at;
	char *word;
	int r;

	for (;;) {
		*rest = skip_blanks(*rest);
		if (rest->n == 0 || is_mark(*rest, STR(";")))
			return 0;
		at = parse_offset(a, *rest);
		if (is_mark(*rest, STR("\\;"))) {
			*rest = str_sub(*rest, 2, rest->n);
			r = keep_word(a, l, ";");
		} else {
			r = words_next(rest, WORDS_UNQUOTE | WORDS_CUNESCAPE, a->scratch, &word,
				       &word_at);
			if (r == -EINVAL)
				return parse_wrong(
					a, at + word_at, 0,
					"a quote is not closed or an escape is not known");
			if (r > 0)
				r = parse_expand(a, str_of(word), at, &text);
			if (r == 0)
				r = keep_word(a, l, text);
		}
		if (r < 0)
			return r;
	}
}

/* The characters in front of the program; each at most once, but for "!!". */
static struct str take_prefixes(struct str rest, struct command *c, bool *ret_has_argv0)
{
	bool has_two_marks =
		false; /* "!!": "!" where the kernel has no ambient capabilities, and all have them */

	for (; rest.n; rest = str_sub(rest, 1, rest.n)) {
		bool may_mark = !c->full_privileges && !has_two_marks;

		if (rest.p[0] == '-' && !c->ignore_failure)
			c->ignore_failure = true;
		else if (rest.p[0] == '@' && !*ret_has_argv0)
			*ret_has_argv0 = true;
		else if (rest.p[0] == ':' && !c->no_env_expand)
			c->no_env_expand = true;
		else if (rest.p[0] == '+' && may_mark && !c->no_setuid)
			c->full_privileges = true;
		else if (rest.p[0] == '!' && may_mark) {
			has_two_marks = c->no_setuid;
			c->no_setuid = !c->no_setuid;
		} else
			break;
	}
	return rest;
}

static const char *command_fault(const struct command *c, bool has_argv0)
{
	if (c->path[0] == '\0')
		return "there is no program";
	if (c->path[strlen(c->path) - 1] == '/')
		return "the program is a directory";
	if (c->path[0] == '/' ? !parse_path_clean(c->path) : strchr(c->path, '/') != NULL)
		return "the program is neither an absolute path nor a bare name";
	return has_argv0 && c->argc == 0 ? "@ needs a second word, the name that the program sees"
					 : NULL;
}

static int take_command(struct assignment *a, struct str *rest)
{
	struct word_list words = {0};
	struct command c = {
		.list = (uint8_t)a->num, .file = a->file, .line = a->item ? a->item->line : 0};
	struct command *copy;
	bool has_argv0 = false;
	size_t at;
	const char *fault;
	int r;

	*rest = take_prefixes(skip_blanks(*rest), &c, &has_argv0);
	at = parse_offset(a, *rest);
	if (skip_blanks(*rest).n < rest->n)
		return parse_wrong(a, at, 1, "the program follows its prefixes without a blank");
	r = take_words(a, rest, &words);
	if (r < 0)
		return r;
	c.path = words.n ? words.words[0] : "";
	c.argc = words.n ? words.n - has_argv0 : 0;
	fault = command_fault(&c, has_argv0);
	if (fault)
		return parse_wrong(a, at, parse_offset(a, *rest) - at, fault);
	c.argv = arena_get(a->arena, (c.argc + 1) * sizeof(*c.argv));
	if (!c.argv)
		return -ENOMEM;
	memcpy(c.argv, words.words + has_argv0, c.argc * sizeof(*c.argv));
	copy = parse_append(a, a->target, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = c;
	return 0;
}

/* Take those of one list away. */
static void reset_commands(struct assignment *a)
{
	struct command **at = &a->config->commands;

	while (*at)
		if ((*at)->list == a->num)
			*at = (*at)->behind;
		else
			at = &(*at)->behind;
	a->list_head = NULL;
}

int parse_commands(struct assignment *a)
{
	struct str rest = a->value;
	int r = 0;

	if (rest.n == 0)
		reset_commands(a);
	while (r == 0 && rest.n > 0) {
		r = take_command(a, &rest);
		if (r == 0 && rest.n > 0)
			rest = skip_blanks(str_sub(rest, 1, rest.n)); /* the ";" */
	}
	return r;
}

/* --- directories, limits, scheduling --- */

int parse_working_directory(struct assignment *a)
{
	struct exec_config *e = a->config->exec;
	bool is_optional = a->value.n && a->value.p[0] == '-';
	struct str text = str_sub(a->value, is_optional, a->value.n);
	const char *path = NULL;
	int r = text.n ? parse_expand(a, text, is_optional, &path) : 0;

	if (r < 0)
		return r;
	if (path ? !parse_path_clean(path) && strcmp(path, "~") != 0 : is_optional)
		return -EINVAL;
	e->working_directory = path;
	e->working_directory_optional = is_optional;
	return 0;
}

int parse_limit(struct assignment *a)
{
	struct limit *l = a->config->exec->limits;
	uint64_t soft, hard;
	int r = value_limit(a->value, a->num, &soft, &hard);

	if (r < 0)
		return r;
	while (l && l->resource != a->num)
		l = l->next;
	if (!l)
		l = parse_append(a, &a->config->exec->limits, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->resource = a->num;
	l->soft = soft;
	l->hard = hard;
	return 0;
}

int parse_nice(struct assignment *a)
{
	int r = value_int(a->value, -20, 19, &a->config->exec->nice);

	if (r == 0)
		a->config->exec->has_nice = true;
	return r;
}

int parse_oom_score(struct assignment *a)
{
	int r = value_int(a->value, -1000, 1000, &a->config->exec->oom_score_adjust);

	if (r == 0)
		a->config->exec->has_oom = true;
	return r;
}

/* ioprio_set(2): class << 13 | level. */
enum { IO_CLASS_SHIFT = 13, IO_CLASS_BEST_EFFORT = 2, IO_LEVEL_DEFAULT = 4 };

int parse_io_class(struct assignment *a)
{
	static const char *const names[] = {"none", "realtime", "best-effort", "idle",
					    "0",    "1",        "2",           "3"};
	struct exec_config *e = a->config->exec;
	unsigned value;
	int level = e->has_ioprio ? e->ioprio & ((1 << IO_CLASS_SHIFT) - 1) : IO_LEVEL_DEFAULT;

	if (a->value.n == 0) {
		e->has_ioprio = false;
		return 0;
	}
	if (value_enum(a->value, names, ARRAY_SIZE(names), &value) < 0)
		return -EINVAL;
	e->ioprio = (int)(value % 4) << IO_CLASS_SHIFT | level;
	e->has_ioprio = true;
	return 0;
}

int parse_io_priority(struct assignment *a)
{
	struct exec_config *e = a->config->exec;
	int io_class = e->has_ioprio ? e->ioprio >> IO_CLASS_SHIFT : IO_CLASS_BEST_EFFORT;
	int level;

	if (a->value.n == 0) {
		e->has_ioprio = false;
		return 0;
	}
	if (value_int(a->value, 0, 7, &level) < 0)
		return -EINVAL;
	e->ioprio = io_class << IO_CLASS_SHIFT | level;
	e->has_ioprio = true;
	return 0;
}

int parse_cpu_policy(struct assignment *a)
{
	static const char *const names[] = {"other", "batch", "idle", "fifo", "rr"};
	static const int numbers[] = {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_FIFO, SCHED_RR};
	struct exec_config *e = a->config->exec;
	unsigned value;
	int lowest;

	if (value_enum(a->value, names, ARRAY_SIZE(names), &value) < 0)
		return -EINVAL;
	lowest = value >= 3; /* the real-time policies begin at 1, the others have 0 only */
	e->sched_policy = numbers[value];
	if (lowest == 0 || e->sched_priority < lowest)
		e->sched_priority = lowest;
	e->has_sched = true;
	return 0;
}

int parse_cpu_priority(struct assignment *a)
{
	int r = value_int(a->value, 0, 99, &a->config->exec->sched_priority);

	if (r == 0)
		a->config->exec->has_sched = true;
	return r;
}

int parse_cpu_affinity(struct assignment *a)
{
	enum { MASK_BYTES = 1024 / 8 };
	struct exec_config *e = a->config->exec;
	unsigned char mask[MASK_BYTES] = {0};
	uint32_t n = MASK_BYTES;

	e->has_affinity = a->value.n > 0;
	if (a->value.n == 0 || str_eq(a->value, STR("numa"))) {
		e->has_affinity = false;
		e->affinity = NULL;
		e->affinity_n = 0;
		return 0;
	}
	if (value_cpus(a->value, mask, sizeof(mask)) < 0)
		return -EINVAL;
	/* Several lines add up. */
	for (uint32_t k = 0; k < e->affinity_n; k++)
		mask[k] |= (unsigned char)e->affinity[k];
	while (n > 0 && mask[n - 1] == 0)
		n--;
	e->affinity = arena_dup(a->arena, (const char *)mask, n);
	e->affinity_n = e->affinity ? n : 0;
	return e->affinity ? 0 : -ENOMEM;
}

int parse_nanoseconds(struct assignment *a)
{
	struct exec_config *e = a->config->exec;
	struct str number = a->value;
	uint64_t value;
	int r;

	/* The kernel counts the slack in ns; a plain number and "ns" are that, anything else a span. */
	if (str_has_suffix(number, STR("ns")))
		number = str_trim(str_sub(number, 0, number.n - 2));
	r = str_to_u64(number, &value);
	if (r < 0) {
		r = value_span(a->value, 1, &value);
		if (r == 0 && value > UINT64_MAX / 1000)
			r = -ERANGE;
		if (r == 0)
			value *= 1000;
	}
	if (r == 0) {
		e->timer_slack_ns = value;
		e->has_timer_slack = true;
	}
	return r;
}

int parse_personality(struct assignment *a)
{
	static const char *const names[] = {"x86",   "x86-64",   "arm64", "arm",
					    "ppc64", "ppc64-le", "s390x", "riscv64"};
	unsigned value;

	if (value_enum(a->value, names, ARRAY_SIZE(names), &value) < 0)
		return -EINVAL;
	a->config->exec->personality = value == 0 ? PER_LINUX32 : PER_LINUX;
	return 0;
}

/* --- streams --- */

struct stdio_word {
	const char *word;
	uint8_t kind; /* enum stdio_kind */
	bool input, output;
	const char *now; /* newer spelling */
};

static const struct stdio_word stdio_words[] = {
	{"null", STDIO_NULL, true, true, NULL},
	{"tty", STDIO_TTY, true, true, NULL},
	{"tty-force", STDIO_TTY_FORCE, true, false, NULL},
	{"tty-fail", STDIO_TTY_FAIL, true, false, NULL},
	{"socket", STDIO_SOCKET, true, true, NULL},
	{"data", STDIO_DATA, true, false, NULL},
	{"inherit", STDIO_INHERIT, false, true, NULL},
	{"journal", STDIO_JOURNAL, false, true, NULL},
	{"journal+console", STDIO_JOURNAL_CONSOLE, false, true, NULL},
	{"kmsg", STDIO_KMSG, false, true, NULL},
	{"kmsg+console", STDIO_KMSG_CONSOLE, false, true, NULL},
	{"syslog", STDIO_JOURNAL, false, true, "journal"},
	{"syslog+console", STDIO_JOURNAL_CONSOLE, false, true, "journal+console"},
};

static const struct stdio_word stdio_forms[] = {
	{"fd:", STDIO_FD, true, true, NULL},
	{"file:", STDIO_FILE, true, true, NULL},
	{"append:", STDIO_APPEND, false, true, NULL},
	{"truncate:", STDIO_TRUNCATE, false, true, NULL},
};

static bool stdio_fits(const struct assignment *a, const struct stdio_word *w)
{
	return a->num ? w->output : w->input;
}

/* "file:/path" and the like, "fd:name". */
static int take_stdio_form(struct assignment *a, const struct stdio_word *w, struct stdio *out)
{
	size_t at = strlen(w->word);
	const char *text;
	int r = parse_expand(a, str_sub(a->value, at, a->value.n), at, &text);

	if (r < 0)
		return r;
	if (w->kind != STDIO_FD && !parse_path_clean(text))
		return parse_wrong(a, at, 0, "an absolute path is needed");
	*out = (struct stdio){w->kind, text};
	return 0;
}

/* num: 0 input, 1 output. */
int parse_stdio(struct assignment *a)
{
	struct stdio *out = a->target;

	for (unsigned k = 0; k < ARRAY_SIZE(stdio_forms); k++)
		if (stdio_fits(a, &stdio_forms[k]) &&
		    str_has_prefix(a->value, str_of(stdio_forms[k].word)))
			return take_stdio_form(a, &stdio_forms[k], out);
	for (unsigned k = 0; k < ARRAY_SIZE(stdio_words); k++) {
		const struct stdio_word *w = &stdio_words[k];

		if (!stdio_fits(a, w) || !str_eq_z(a->value, w->word))
			continue;
		if (w->now)
			parse_report(a, CODE_OLD_VALUE, DIAG_NOTE, PARSE_WHOLE,
				     "\"%s\" is the old spelling of \"%s\" and taken as that",
				     w->word, w->now);
		*out = (struct stdio){w->kind, NULL};
		return 0;
	}
	if (!str_eq(a->value, STR("fd")))
		return -EINVAL;
	*out = (struct stdio){STDIO_FD,
			      a->num ? (a->key.p[8] == 'E' ? "stderr" : "stdout") : "stdin"};
	return 0;
}

/* The buffer behind n bytes: the next power of two, so that many lines are not copied for each one. */
static size_t stdin_room(size_t n)
{
	size_t room = 64;

	while (room < n)
		room *= 2;
	return n ? room : 0;
}

static int add_stdin(struct assignment *a, const char *data, size_t n, bool with_newline)
{
	struct exec_config *e = a->config->exec;
	size_t old = e->stdin_data_n;
	size_t all = old + n + with_newline;
	char *text = (char *)(uintptr_t)e->stdin_data; /* ours, in the arena */

	if (all > UINT32_MAX / 2)
		return -EINVAL;
	if (all > stdin_room(old)) {
		text = arena_get(a->arena, stdin_room(all));
		if (!text)
			return -ENOMEM;
		if (old)
			memcpy(text, e->stdin_data, old);
	}
	if (n)
		memcpy(text + old, data, n);
	if (with_newline)
		text[all - 1] = '\n';
	e->stdin_data = text;
	e->stdin_data_n = (uint32_t)all;
	return 0;
}

static void reset_stdin(struct assignment *a)
{
	a->config->exec->stdin_data = NULL;
	a->config->exec->stdin_data_n = 0;
}

int parse_unescaped(struct assignment *a, struct str value, const char **ret_text)
{
	struct sbuf quoted = {0};
	struct str rest;
	char *word = NULL;
	char *all;
	size_t at = 0;
	int r;

	sbuf_add_c(&quoted, '"');
	for (size_t k = 0; k < value.n; k++) {
		if (value.p[k] == '"')
			sbuf_add_c(&quoted, '\\');
		if (value.p[k] == '\\' && k + 1 < value.n)
			sbuf_add_c(&quoted, value.p[k++]);
		sbuf_add_c(&quoted, value.p[k]);
	}
	sbuf_add_c(&quoted, '"');
	all = sbuf_take(&quoted);
	if (!all)
		return -ENOMEM;
	rest = str_of(all);
	r = words_next(&rest, WORDS_UNQUOTE | WORDS_CUNESCAPE, a->scratch, &word, &at);
	mem_put(all);
	if (r == -EINVAL)
		return parse_wrong(a, 0, 0, "an escape is not known");
	return r > 0 ? parse_expand(a, str_of(word), 0, ret_text) : r;
}

/* A newline behind each line. */
int parse_stdin_text(struct assignment *a)
{
	const char *text = NULL;
	int r;

	if (a->value.n == 0) {
		reset_stdin(a);
		return 0;
	}
	r = parse_unescaped(a, a->value, &text);
	return r < 0 ? r : add_stdin(a, text, strlen(text), true);
}

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

int parse_stdin_data(struct assignment *a)
{
	char *out = arena_get(a->scratch, a->value.n + 1);
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0, digits = 0;

	if (!out)
		return -ENOMEM;
	if (a->value.n == 0) {
		reset_stdin(a);
		return 0;
	}
	for (size_t k = 0; k < a->value.n; k++) {
		char c = a->value.p[k];
		int digit = base64_digit(c);

		if (c == ' ' || c == '\t')
			continue;
		digits++;
		if (c == '=')
			continue;
		if (digit < 0)
			return parse_wrong(a, k, 1, NULL);
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (char)(bits >> have & 0xff);
		}
	}
	return digits % 4 ? -EINVAL : add_stdin(a, out, n, false);
}

/* --- sockets --- */

int parse_listen(struct assignment *a)
{
	struct socket_config *s = a->config->socket;
	struct listener l = {
		.kind = (uint8_t)a->num, .file = a->file, .line = a->item ? a->item->line : 0};
	struct listener *copy;
	const char *why = NULL;
	int r;

	if (a->value.n == 0) {
		parse_reset(a, &s->listeners);
		return 0;
	}
	r = parse_expand(a, a->value, 0, &l.text);
	if (r < 0)
		return r;
	if (l.kind != LISTEN_SPECIAL)
		l.text = parse_path_now(l.text);
	r = socket_parse_listener(&l, a->arena, &why);
	if (r == -EINVAL)
		return parse_wrong(a, 0, 0, why);
	if (r < 0)
		return r;
	copy = parse_append(a, &s->listeners, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = l;
	return 0;
}
