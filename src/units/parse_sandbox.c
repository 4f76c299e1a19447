/* SPDX-License-Identifier: MIT */
/* Readers of hardening, images and what else few units set. Lists are kept as texts of one form (sandbox.h). */
#include <stdio.h>

#include "units/amount.h"
#include "units/parse.h"
#include "units/sandbox.h"
#include "units/value.h"
#include "units/words.h"

enum { SYSCALL_WORD = 128 }; /* room for a name with an errno */

/* --- lists of words --- */

/* Words that pass the check (NULL: all) are appended to the target's list. */
static int take_words(struct assignment *a, struct str rest, bool (*check)(struct str word),
		      const char *what)
{
	struct str raw;
	const char *text;
	int r = 0;

	while (r == 0 && str_word(&rest, &raw)) {
		if (check && !check(raw)) {
			parse_word_ignored(a, CODE_BAD_FILTER, raw, what);
			continue;
		}
		r = parse_expand(a, raw, parse_offset(a, raw), &text);
		if (r == 0)
			r = parse_add_name(a, a->target, text);
	}
	return r;
}

/*
 * A list that "~" in front makes one of exceptions: *is_denied tells. The first line decides; in a later one with the
 * other sign the words are taken away again.
 */
static int take_filter(struct assignment *a, bool *has, bool *is_denied,
		       bool (*check)(struct str word), const char *what)
{
	struct name_list **list = a->target;
	bool is_inverted = a->value.n && a->value.p[0] == '~';
	struct str rest = str_sub(a->value, is_inverted, a->value.n);
	struct str word;

	a->is_off = a->value.n == 0;
	if (a->value.n == 0) {
		parse_reset(a, a->target);
		*has = false;
		return 0;
	}
	if (!*has)
		*is_denied = is_inverted;
	*has = true;
	if (*is_denied == is_inverted)
		return take_words(a, rest, check, what);
	a->list_head = NULL;
	while (str_word(&rest, &word))
		for (struct name_list **at = list; *at;)
			if (str_eq_z(word, (*at)->text))
				*at = (*at)->next;
			else
				at = &(*at)->next;
	return 0;
}

static bool is_family(struct str name)
{
	return str_has_prefix(name, STR("AF_")) && name.n > 3;
}

int parse_families(struct assignment *a)
{
	struct sandbox *s = a->config->own->sandbox;

	if (!str_eq(a->value, STR("none")))
		return take_filter(a, &s->has_families, &s->families_are_denied, is_family,
				   "an address family");
	parse_reset(a, a->target);
	s->has_families = true;
	s->families_are_denied = false;
	return 0;
}

static bool has_only(struct str text, const char *allowed)
{
	for (size_t k = 0; k < text.n; k++)
		if (!text.p[k] || !strchr(allowed, text.p[k]))
			return false;
	return text.n > 0;
}

/* "name", "@group", with ":errno" or ":kill" behind. */
static bool is_syscall(struct str name)
{
	return has_only(str_sub(name, name.p[0] == '@', name.n),
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:");
}

/* A group may hold what is taken away again: such words stay in the list as "~word", behind those that they are taken from. */
static int take_exceptions(struct assignment *a, struct str rest)
{
	char text[SYSCALL_WORD];
	const char *copy;
	struct str word;
	int r = 0;

	while (r == 0 && str_word(&rest, &word)) {
		if (!is_syscall(word) || word.n >= sizeof(text) - 1)
			continue;
		snprintf(text, sizeof(text), "~" STR_FMT, STR_ARG(word));
		copy = arena_dup(a->arena, text, word.n + 1);
		r = copy ? parse_add_name(a, a->target, copy) : -ENOMEM;
	}
	return r;
}

int parse_syscalls(struct assignment *a)
{
	struct sandbox *s = a->config->own->sandbox;
	bool is_inverted = a->value.n && a->value.p[0] == '~', is_later = s->has_syscalls;
	int r;
	bool is_logged = a->target == &s->logged_syscalls;
	bool has = is_logged && s->logged_syscalls, is_denied = false;

	if (is_logged)
		return take_filter(a, &has, &is_denied, is_syscall, "a system call");
	r = take_filter(a, &s->has_syscalls, &s->syscalls_are_denied, is_syscall, "a system call");
	if (r == 0 && a->value.n && is_later && s->syscalls_are_denied != is_inverted)
		r = take_exceptions(a, str_sub(a->value, is_inverted, a->value.n));
	return r;
}

static bool is_architecture(struct str name)
{
	return has_only(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
}

int parse_architectures(struct assignment *a)
{
	a->is_off = a->value.n == 0;
	if (a->value.n == 0)
		parse_reset(a, a->target);
	return take_words(a, a->value, is_architecture, "an architecture");
}

/* Words without quotes, taken as they are. */
int parse_words(struct assignment *a)
{
	a->is_off = a->value.n == 0;
	if (a->value.n == 0)
		parse_reset(a, a->target);
	return take_words(a, a->value, NULL, "");
}

/* "yes", "no", or namespaces that may be made; "~": those that may not. */
int parse_namespaces(struct assignment *a)
{
	uint8_t *allowed = a->target;
	bool is_inverted = a->value.n && a->value.p[0] == '~';
	struct str rest = str_sub(a->value, is_inverted, a->value.n);
	uint8_t old = *allowed, set = 0;
	struct str word;
	unsigned at;
	bool value;

	if (value_bool(a->value, &value) == 0 || a->value.n == 0) {
		a->is_off = a->value.n == 0 || !value;
		*allowed = a->is_off ? NAMESPACES_ALL : 0;
		return 0;
	}
	while (str_word(&rest, &word))
		if (value_enum(word, namespace_names, NAMESPACES, &at) == 0)
			set |= (uint8_t)(1u << at);
		else if (!str_eq(word, STR("time")))
			parse_word_ignored(a, CODE_BAD_FILTER, word, "a namespace");
	if (is_inverted)
		*allowed = old & (uint8_t)~set;
	else
		*allowed = old == NAMESPACES_ALL ? set : old | set;
	return 0;
}

/* --- paths --- */

/* "-/from:/to:option" as "-/from:/to:rbind". */
static int take_bind(struct assignment *a, const char *text)
{
	bool is_optional = text[0] == '-';
	struct str rest = str_of(text + is_optional);
	struct str from, to, option = STR("rbind");
	struct sbuf out = {0};
	const char *copy;

	if (!str_cut(&rest, ':', &from))
		return -EINVAL;
	if (!str_cut(&rest, ':', &to) || to.n == 0)
		to = from;
	(void)str_cut(&rest, ':', &option);
	if (from.n == 0 || from.p[0] != '/' || to.p[0] != '/' ||
	    (!str_eq(option, STR("rbind")) && !str_eq(option, STR("norbind"))))
		return -EINVAL;
	sbuf_addf(&out, "%s" STR_FMT ":" STR_FMT ":" STR_FMT, is_optional ? "-" : "", STR_ARG(from),
		  STR_ARG(to), STR_ARG(option));
	copy = out.p ? arena_dup(a->arena, out.p, out.n) : NULL;
	sbuf_fini(&out);
	return copy ? parse_add_name(a, a->target, copy) : -ENOMEM;
}

static int take_tmpfs(struct assignment *a, const char *text)
{
	return text[0] == '/' ? parse_add_name(a, a->target, text) : -EINVAL;
}

/* Quoted words with specifiers, each taken by fn. */
static int take_each(struct assignment *a, int (*fn)(struct assignment *a, const char *text),
		     const char *what)
{
	struct str rest = a->value, raw;
	const char *text;
	char *word;
	size_t at = 0, from = 0;
	int r;

	a->is_off = a->value.n == 0;
	if (a->value.n == 0)
		parse_reset(a, a->target);
	while ((r = words_next(&rest, WORDS_UNQUOTE, a->scratch, &word, &at)) > 0) {
		raw = str_sub(a->value, from + at, parse_offset(a, rest));
		from = parse_offset(a, rest);
		r = parse_expand(a, str_of(word), 0, &text);
		if (r == 0)
			r = fn(a, text);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			parse_word_ignored(a, CODE_BAD_PATH, raw, what);
	}
	return r;
}

int parse_binds(struct assignment *a)
{
	return take_each(a, take_bind, "SOURCE[:DESTINATION[:rbind]]");
}

int parse_tmpfs(struct assignment *a)
{
	return take_each(a, take_tmpfs, "an absolute path, perhaps with options");
}

/* Directories with colons between them; several lines add up. */
int parse_search_path(struct assignment *a)
{
	struct str rest = a->value;
	struct str dir;
	const char *text;
	int r = 0;

	if (a->value.n == 0)
		parse_reset(a, a->target);
	while (r == 0 && str_cut(&rest, ':', &dir)) {
		if (dir.n == 0)
			continue;
		r = parse_expand(a, dir, parse_offset(a, dir), &text);
		if (r == 0 && !parse_path_clean(text))
			parse_word_ignored(a, CODE_BAD_PATH, dir, "an absolute path");
		else if (r == 0)
			r = parse_add_name(a, a->target, text);
	}
	return r;
}

/* --- numbers --- */

int parse_mount_api(struct assignment *a)
{
	a->config->own->sandbox->mount_api_is_set = true;
	return parse_bool(a);
}

int parse_syscall_errno(struct assignment *a)
{
	int number = 0;
	int r = 0;

	if (a->value.n > 0 && !str_eq(a->value, STR("kill")))
		r = amount_errno(a->value, &number);
	if (r == 0)
		*(int *)a->target = number;
	return r;
}

/* core(5): a mask of kinds of mappings, in hexadecimal or as words; several lines add up. */
int parse_coredump_filter(struct assignment *a)
{
	enum { DEFAULT_KINDS = 0x33 };
	static const char *const names[] = {
		"private-anonymous",  "shared-anonymous", "private-file-backed",
		"shared-file-backed", "elf-headers",      "private-huge",
		"shared-huge",        "private-dax",      "shared-dax",
	};
	struct sandbox *s = a->config->own->sandbox;
	struct str rest = a->value;
	struct str word;
	uint64_t mask = 0, number;
	unsigned at;

	while (str_word(&rest, &word)) {
		if (str_eq(word, STR("default")))
			mask |= DEFAULT_KINDS;
		else if (str_eq(word, STR("all")))
			mask |= UINT32_MAX;
		else if (value_enum(word, names, ARRAY_SIZE(names), &at) == 0)
			mask |= UINT64_C(1) << at;
		else if (amount_hex(word, &number) == 0)
			mask |= number;
		else
			return parse_wrong(a, parse_offset(a, word), word.n, NULL);
	}
	s->coredump_filter = a->value.n ? s->coredump_filter | mask : 0;
	s->has_coredump_filter = a->value.n > 0;
	return 0;
}

int parse_log_level_max(struct assignment *a)
{
	int r = a->value.n ? parse_word(a) : 0;

	if (r == 0)
		a->config->own->sandbox->has_log_level_max = a->value.n > 0;
	return r;
}

int parse_numa_policy(struct assignment *a)
{
	int r = a->value.n ? parse_word(a) : 0;

	if (r == 0)
		a->config->own->sandbox->has_numa_policy = a->value.n > 0;
	return r;
}

/* --- credentials --- */

/* The name of a file and of a descriptor: no slash, no colon, no control character. */
static bool is_credential(struct str name)
{
	for (size_t k = 0; k < name.n; k++)
		if ((unsigned char)name.p[k] <= ' ' || name.p[k] == '/' || name.p[k] == 0x7f)
			return false;
	return name.n > 0 && name.n < 256 && name.p[0] != '.';
}

static int keep_credential(struct assignment *a, struct str id, const char *rest)
{
	struct sbuf text = {0};
	const char *name, *copy;
	int r = parse_expand(a, id, 0, &name);

	if (r < 0)
		return r;
	if (!is_credential(str_of(name)))
		return parse_wrong(a, 0, id.n, "a credential has the name of a file");
	sbuf_addf(&text, "%s:%s", name, rest);
	copy = text.p ? arena_dup(a->arena, text.p, text.n) : NULL;
	sbuf_fini(&text);
	return copy ? parse_add_name(a, a->target, copy) : -ENOMEM;
}

/* "NAME", which is looked for in the stores, or "NAME:SOURCE". */
int parse_load_credential(struct assignment *a)
{
	struct str rest = a->value, id;
	const char *source = "";
	int r = 0;

	a->is_off = a->value.n == 0;
	if (a->value.n == 0) {
		parse_reset(a, a->target);
		return 0;
	}
	if (str_cut(&rest, ':', &id) && rest.p)
		r = parse_expand(a, rest, parse_offset(a, rest), &source);
	if (r == 0 && source[0] == '/' && !parse_path_clean(source))
		return parse_wrong(a, id.n + 1, rest.n, NULL);
	return r < 0 ? r : keep_credential(a, id, source);
}

int parse_set_credential(struct assignment *a)
{
	size_t colon = str_index(a->value, ':');
	const char *text = NULL;
	int r;

	a->is_off = a->value.n == 0;
	if (a->value.n == 0) {
		parse_reset(a, a->target);
		return 0;
	}
	if (colon == a->value.n)
		return parse_wrong(a, 0, a->value.n, "there is no colon behind the name");
	r = parse_unescaped(a, str_sub(a->value, colon + 1, a->value.n), &text);
	return r < 0 ? r : keep_credential(a, str_sub(a->value, 0, colon), text);
}
