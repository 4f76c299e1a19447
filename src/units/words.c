/* SPDX-License-Identifier: MIT */
#include "units/words.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name_byte(char c, bool first)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (!first && c >= '0' && c <= '9');
}

bool words_env_name_is_valid(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!is_name_byte(name.p[i], i == 0))
			return false;
	return name.n > 0;
}

/* --- escapes --- */

/* c and what it stands for behind a backslash. */
static const char simple_escapes[][2] = {
	{'a', '\a'}, {'b', '\b'},  {'f', '\f'}, {'n', '\n'},  {'r', '\r'}, {'t', '\t'},
	{'v', '\v'}, {'\\', '\\'}, {'"', '"'},  {'\'', '\''}, {'s', ' '},
};

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* A sequence of exactly n digits; -1 when there are not so many. */
static int64_t number(struct str s, size_t n, int base)
{
	int64_t value = 0;

	if (s.n < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int digit = digit_value(s.p[i]);

		if (digit >= base)
			return -1;
		value = value * base + digit;
	}
	return value;
}

static size_t utf8_put(uint32_t c, char *out)
{
	/* By length: the largest character and the marker of the first byte. */
	static const struct {
		uint32_t max;
		unsigned char mark;
	} forms[] = {{0x7f, 0}, {0x7ff, 0xc0}, {0xffff, 0xe0}, {0x10ffff, 0xf0}};
	size_t n = 1;

	while (c > forms[n - 1].max)
		n++;
	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (char)(forms[n - 1].mark | c);
	return n;
}

/*
 * The escape at s, which begins behind the backslash: its bytes into out (4), their number into *ret_n.
 * Returns how many bytes of s it took, 0 when it is none. NUL cannot be part of an argument and is none.
 */
static size_t unescape(struct str s, char *out, size_t *ret_n)
{
	static const struct {
		char letter;
		uint8_t skip, digits, base; /* bytes before the digits, how many, in which base */
		bool is_unicode;
	} numeric[] = {
		{'x', 1, 2, 16, false}, {'u', 1, 4, 16, true}, {'U', 1, 8, 16, true},
		{'0', 0, 3, 8, false},  {'1', 0, 3, 8, false}, {'2', 0, 3, 8, false},
		{'3', 0, 3, 8, false},
	};

	if (s.n == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(simple_escapes); i++) {
		if (s.p[0] == simple_escapes[i][0]) {
			out[0] = simple_escapes[i][1];
			*ret_n = 1;
			return 1;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(numeric); i++) {
		int64_t c;

		if (s.p[0] != numeric[i].letter)
			continue;
		c = number(str_sub(s, numeric[i].skip, s.n), numeric[i].digits, numeric[i].base);
		if (c <= 0 || c > 0x10ffff || (numeric[i].is_unicode && c >= 0xd800 && c <= 0xdfff))
			return 0;
		out[0] = (char)c;
		*ret_n = numeric[i].is_unicode ? utf8_put((uint32_t)c, out) : 1;
		return (size_t)numeric[i].skip + numeric[i].digits;
	}
	return 0;
}

/* --- words --- */

/* What the walk over a word has come to. */
struct walk {
	size_t at;       /* next byte of the text */
	size_t quote_at; /* where the open quote stands */
	char quote;      /* 0: none is open */
};

/*
 * The escape at w->at: its bytes into out (4) and their number into *ret_n. An unknown one is an error, or stays as it is
 * with the byte it was to protect: "\ " does not end a word.
 */
static int step_escape(struct str s, unsigned flags, struct walk *w, char *out, size_t *ret_n)
{
	size_t taken = unescape(str_sub(s, w->at + 1, s.n), out, ret_n);

	if (taken == 0) {
		if (!(flags & WORDS_RELAX))
			return err_here(-EINVAL);
		taken = w->at + 1 < s.n ? 1 : 0;
		memcpy(out, s.p + w->at, 1 + taken);
		*ret_n = 1 + taken;
	}
	w->at += 1 + taken;
	return 0;
}

/* One byte, quote or escape further. */
static int step(struct str s, unsigned flags, struct walk *w, char *out, size_t *ret_n)
{
	char c = s.p[w->at];

	*ret_n = 0;
	if (w->quote && c == w->quote) {
		w->quote = 0;
	} else if ((flags & WORDS_UNQUOTE) && !w->quote && (c == '"' || c == '\'')) {
		w->quote = c;
		w->quote_at = w->at;
	} else if ((flags & WORDS_CUNESCAPE) && c == '\\') {
		return step_escape(s, flags, w, out, ret_n);
	} else {
		out[0] = c;
		*ret_n = 1;
	}
	w->at++;
	return 0;
}

/* How many bytes from s.p[at] on are themselves, whatever came before: nearly all there are. */
static size_t plain(struct str s, size_t at)
{
	size_t n = 0;

	while (at + n < s.n && (unsigned char)s.p[at + n] > ' ' && s.p[at + n] != '\\' &&
	       s.p[at + n] != '"' && s.p[at + n] != '\'')
		n++;
	return n;
}

/*
 * Walk over one word from s.p[*i] on. out: where its bytes go, NULL to only count them. Returns 0, or -EINVAL with *i at
 * what is wrong. Counting and writing are the same walk, so they cannot disagree.
 */
static int walk_word(struct str s, unsigned flags, size_t *i, char *out, size_t *ret_n)
{
	struct walk w = {.at = *i};
	size_t n = 0;
	int r = 0;

	while (r == 0 && w.at < s.n && (w.quote || !is_blank(s.p[w.at]))) {
		size_t bytes_n = plain(s, w.at);
		const char *from = s.p + w.at;
		char bytes[4];

		w.at += bytes_n;
		if (!bytes_n) {
			r = step(s, flags, &w, bytes, &bytes_n);
			from = bytes;
		}
		if (r == 0 && out)
			memcpy(out + n, from, bytes_n);
		n += r == 0 ? bytes_n : 0;
	}
	if (r == 0 && w.quote) {
		w.at = w.quote_at;
		r = err_here(-EINVAL);
	}
	*i = w.at;
	if (r == 0)
		*ret_n = n;
	return r;
}

int words_next(struct str *rest, unsigned flags, struct arena *arena, char **ret_word,
	       size_t *ret_at)
{
	size_t from = 0, at;
	size_t end;
	size_t n;
	char *word;
	int r;

	while (from < rest->n && is_blank(rest->p[from]))
		from++;
	if (from == rest->n) {
		*rest = str_sub(*rest, from, from);
		return 0;
	}
	end = at = from;
	r = walk_word(*rest, flags, &end, NULL, &n);
	if (r < 0) {
		*ret_at = end;
		return r;
	}
	word = arena_get(arena, n + 1);
	if (!word)
		return err_here(-ENOMEM);
	if (n == end - from) /* no byte fell out: none stands for another */
		memcpy(word, rest->p + from, n);
	else
		(void)walk_word(*rest, flags, &at, word, &n);
	*rest = str_sub(*rest, end, rest->n);
	*ret_word = word;
	*ret_at = from;
	return 1;
}

/* --- variables --- */

/* What the '$' at s.p[0] begins: how many bytes it is, and the text it stands for. A '$' that means nothing is itself. */
static size_t variable(struct str s, words_env_fn env, void *arg, struct str *ret_text)
{
	size_t close = str_index(s, '}');

	*ret_text = STR("$");
	if (s.n >= 2 && s.p[1] == '$')
		return 2;
	if (s.n < 2 || s.p[1] != '{' || close == s.n)
		return 1;
	*ret_text = str_of(env(arg, str_sub(s, 2, close)));
	return close + 1;
}

/* One word with its ${NAME} and $$ replaced. NULL: no memory. */
static char *expand_inside(struct str word, words_env_fn env, void *arg, struct arena *arena)
{
	struct sbuf text = {0};
	char *p;

	while (word.n > 0) {
		size_t plain = str_index(word, '$');
		struct str value;

		sbuf_add(&text, str_sub(word, 0, plain));
		word = str_sub(word, plain, word.n);
		if (word.n == 0)
			break;
		word = str_sub(word, variable(word, env, arg, &value), word.n);
		sbuf_add(&text, value);
	}
	p = text.err ? NULL : arena_dup(arena, text.p, text.n);
	sbuf_fini(&text);
	return p;
}

/* Is it "$NAME" as a word of its own? */
static bool is_splice(struct str word)
{
	return word.n > 1 && word.p[0] == '$' && words_env_name_is_valid(str_sub(word, 1, word.n));
}

/* argv under construction; grown by doubling in the arena, which forgets nothing but is short-lived at exec time. */
struct argv {
	struct arena *arena;
	const char **p;
	uint32_t n, cap;
};

static int argv_add(struct argv *a, const char *word)
{
	if (!word)
		return err_here(-ENOMEM);
	if (a->n + 1 >= a->cap) {
		uint32_t cap = a->cap ? a->cap * 2 : 16;
		const char **p = arena_get(a->arena, cap * sizeof(*p));

		if (!p)
			return err_here(-ENOMEM);
		if (a->n)
			memcpy(p, a->p, a->n * sizeof(*p));
		a->p = p;
		a->cap = cap;
	}
	a->p[a->n++] = word;
	return 0;
}

/* The words of a value; quotes count, and one that never ends is taken as it stands rather than losing the start. */
static int argv_splice(struct argv *a, struct str value)
{
	for (;;) {
		size_t at;
		char *word;
		int r = words_next(&value, WORDS_UNQUOTE, a->arena, &word, &at);

		if (r == -EINVAL)
			r = words_next(&value, 0, a->arena, &word, &at);
		if (r <= 0)
			return r;
		r = argv_add(a, word);
		if (r < 0)
			return r;
	}
}

int words_expand(const char *const *argv, words_env_fn env, void *arg, struct arena *arena,
		 const char ***ret_argv, uint32_t *ret_argc)
{
	struct argv a = {.arena = arena};

	for (size_t i = 0; argv[i]; i++) {
		struct str word = str_of(argv[i]);
		int r;

		if (is_splice(word))
			r = argv_splice(&a, str_of(env(arg, str_sub(word, 1, word.n))));
		else
			r = argv_add(&a, expand_inside(word, env, arg, arena));
		if (r < 0)
			return r;
	}
	if (!a.p) { /* an empty argv is NULL-terminated, too */
		a.p = arena_get(arena, sizeof(*a.p));
		if (!a.p)
			return err_here(-ENOMEM);
	}
	*ret_argv = a.p;
	*ret_argc = a.n;
	return 0;
}

/* --- environment files --- */

/*
 * The format is the shell's, cut down, and read by a machine: for a state and a class of byte the table says which state
 * follows and what happens to the byte. Blanks at the end of a key or an unquoted value do not count, but those between its
 * words do: MAYBE adds a byte without making it the last that counts.
 */
enum env_state {
	ENV_LINE,
	ENV_COMMENT,
	ENV_COMMENT_ESC,
	ENV_KEY,
	/* from here on there is a value: */ ENV_BEFORE,
	ENV_VALUE,
	ENV_ESCAPE,
	ENV_SINGLE,
	ENV_DOUBLE,
	ENV_DOUBLE_ESC,
	ENV_STATES
};
enum env_class {
	IS_OTHER,
	IS_BLANK,
	IS_NEWLINE,
	IS_HASH,
	IS_EQUAL,
	IS_SINGLE,
	IS_DOUBLE,
	IS_BACKSLASH,
	IS_SPECIAL /* ` $ */,
	ENV_CLASSES
};
enum env_action { SKIP, KEEP, MAYBE, KEEP_BOTH /* the backslash, too */, EMIT, FORGET };

struct env_cell {
	uint8_t next, action;
};

/* clang-format off */
#define ALL(s, a) {ENV_##s, a}, {ENV_##s, a}, {ENV_##s, a}, {ENV_##s, a}, {ENV_##s, a}, {ENV_##s, a}, {ENV_##s, a}, \
	{ENV_##s, a}, {ENV_##s, a}
#define C(s, a) {ENV_##s, a}
static const struct env_cell env_table[ENV_STATES][ENV_CLASSES] = {
	/*		     other	       blank		 newline	  #;		    =		      '			"		  \		      `$ */
	[ENV_LINE] = {	     C(KEY, KEEP),     C(LINE, SKIP),	 C(LINE, SKIP),	  C(COMMENT, SKIP), C(BEFORE, SKIP), C(KEY, KEEP),	C(KEY, KEEP),	  C(KEY, KEEP),	      C(KEY, KEEP)},
	[ENV_COMMENT] = {    C(COMMENT, SKIP), C(COMMENT, SKIP), C(LINE, SKIP),	  C(COMMENT, SKIP), C(COMMENT, SKIP), C(COMMENT, SKIP), C(COMMENT, SKIP), C(COMMENT_ESC, SKIP), C(COMMENT, SKIP)},
	[ENV_KEY] = {	     C(KEY, KEEP),     C(KEY, MAYBE),	 C(LINE, FORGET), C(KEY, KEEP),	    C(BEFORE, SKIP), C(KEY, KEEP),	C(KEY, KEEP),	  C(KEY, KEEP),	      C(KEY, KEEP)},
	[ENV_BEFORE] = {     C(VALUE, KEEP),   C(BEFORE, SKIP),	 C(LINE, EMIT),	  C(VALUE, KEEP),   C(VALUE, KEEP),   C(SINGLE, SKIP),	C(DOUBLE, SKIP),  C(ESCAPE, SKIP),    C(VALUE, KEEP)},
	[ENV_VALUE] = {	     C(VALUE, KEEP),   C(VALUE, MAYBE),	 C(LINE, EMIT),	  C(VALUE, KEEP),   C(VALUE, KEEP),   C(VALUE, KEEP),	C(VALUE, KEEP),	  C(ESCAPE, SKIP),    C(VALUE, KEEP)},
	[ENV_ESCAPE] = {     C(VALUE, KEEP),   C(VALUE, KEEP),	 C(VALUE, SKIP),  C(VALUE, KEEP),   C(VALUE, KEEP),   C(VALUE, KEEP),	C(VALUE, KEEP),	  C(VALUE, KEEP),     C(VALUE, KEEP)},
	[ENV_SINGLE] = {     C(SINGLE, KEEP),  C(SINGLE, KEEP),	 C(SINGLE, KEEP), C(SINGLE, KEEP),  C(SINGLE, KEEP),  C(BEFORE, SKIP),	C(SINGLE, KEEP),  C(SINGLE, KEEP),    C(SINGLE, KEEP)},
	[ENV_DOUBLE] = {     C(DOUBLE, KEEP),  C(DOUBLE, KEEP),	 C(DOUBLE, KEEP), C(DOUBLE, KEEP),  C(DOUBLE, KEEP),  C(DOUBLE, KEEP),	C(BEFORE, SKIP),  C(DOUBLE_ESC, SKIP), C(DOUBLE, KEEP)},
	[ENV_DOUBLE_ESC] = { C(DOUBLE, KEEP_BOTH), C(DOUBLE, KEEP_BOTH), C(DOUBLE, SKIP), C(DOUBLE, KEEP_BOTH), C(DOUBLE, KEEP_BOTH), C(DOUBLE, KEEP_BOTH), C(DOUBLE, KEEP), C(DOUBLE, KEEP), C(DOUBLE, KEEP)},
	[ENV_COMMENT_ESC] = { ALL(COMMENT, SKIP)},
};
#undef C
#undef ALL
/* clang-format on */

/* One text that grows, and how much of it counts. */
struct env_text {
	char *p;
	size_t n, kept;
};

static void env_keep(struct env_text *t, char c)
{
	t->p[t->n++] = c;
	t->kept = t->n;
}

static enum env_class env_class_of(char c)
{
	static const struct {
		char c;
		uint8_t class;
	} classes[] = {
		{' ', IS_BLANK},  {'\t', IS_BLANK},     {'\n', IS_NEWLINE}, {'\r', IS_NEWLINE},
		{'#', IS_HASH},   {';', IS_HASH},       {'=', IS_EQUAL},    {'\'', IS_SINGLE},
		{'"', IS_DOUBLE}, {'\\', IS_BACKSLASH}, {'`', IS_SPECIAL},  {'$', IS_SPECIAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i].c == c)
			return classes[i].class;
	return IS_OTHER;
}

/* A name no environment can hold, or a NUL, makes the assignment void, as in systemd; the others count. */
static int env_emit(struct env_text *key, struct env_text *value,
		    int (*set)(void *, struct str, struct str), void *arg)
{
	struct str name = {key->p, key->kept};
	struct str text = {value->p, value->kept};
	int r = 0;

	if (words_env_name_is_valid(name) && str_index(text, '\0') == text.n)
		r = set(arg, name, text);
	key->n = key->kept = value->n = value->kept = 0;
	return r;
}

static void env_apply(enum env_action action, struct env_text *t, char c)
{
	switch (action) {
	case MAYBE:
		t->p[t->n++] = c;
		break;
	case KEEP_BOTH:
		env_keep(t, '\\');
		env_keep(t, c);
		break;
	case KEEP:
		env_keep(t, c);
		break;
	case FORGET:
		t->n = t->kept = 0;
		break;
	case SKIP:
	case EMIT:
		break;
	}
}

int words_env_file(struct str text, struct arena *arena,
		   int (*set)(void *arg, struct str name, struct str value), void *arg)
{
	/* Nothing grows: a key or value is never longer than the text; \ and c of KEEP_BOTH were two bytes before, too. */
	struct env_text key = {.p = arena_get(arena, text.n + 1)};
	struct env_text value = {.p = arena_get(arena, text.n + 1)};
	enum env_state state = ENV_LINE;
	int r = 0;

	if (!key.p || !value.p)
		return err_here(-ENOMEM);
	for (size_t i = 0; i < text.n && r == 0; i++) {
		struct env_cell cell = env_table[state][env_class_of(text.p[i])];

		env_apply(cell.action, state == ENV_LINE || state == ENV_KEY ? &key : &value,
			  text.p[i]);
		if (cell.action == EMIT)
			r = env_emit(&key, &value, set, arg);
		state = cell.next;
	}
	/* The last line needs no end, nor does a quote in it. */
	if (r == 0 && state >= ENV_BEFORE)
		r = env_emit(&key, &value, set, arg);
	return r;
}
