/* SPDX-License-Identifier: MIT */
/* Readers of lists: what is wrong with one word is reported, the others count. An empty value forgets the list. */
#include <stdio.h>

#include "units/advice.h"
#include "units/condition.h"
#include "units/exec_config.h"
#include "units/name.h"
#include "units/parse.h"
#include "units/service.h"
#include "units/users.h"
#include "units/value.h"
#include "units/words.h"

/*
 * The next word of the value behind *rest, unquoted, specifiers expanded, in the arena of the configuration.
 * 1 a word, 0 the end, -ENOMEM, -EINVAL (what is wrong is noted). *ret_raw: as it stands in the value, for findings.
 */
static int take_word(struct assignment *a, struct str *rest, unsigned flags, const char **ret_text,
		     struct str *ret_raw)
{
	size_t at = parse_offset(a, *rest), word_at = 0;
	char *word;
	int r;

	if (!memchr(rest->p, '"', rest->n) && !memchr(rest->p, '\'', rest->n) &&
	    !memchr(rest->p, '\\', rest->n)) {
		if (!str_word(rest, ret_raw))
			return 0;
		r = parse_expand(a, *ret_raw, parse_offset(a, *ret_raw), ret_text);
		return r < 0 ? r : 1;
	}
	r = words_next(rest, flags, a->scratch, &word, &word_at);
	if (r == -EINVAL)
		return parse_wrong(a, at + word_at, 0,
				   "a quote is not closed or an escape is not known");
	if (r <= 0)
		return r;
	*ret_raw = str_sub(a->value, at + word_at, parse_offset(a, *rest));
	*ret_raw = str_trim(*ret_raw);
	r = parse_expand(a, str_of(word), parse_offset(a, *ret_raw), ret_text);
	return r < 0 ? r : 1;
}

void parse_word_ignored(struct assignment *a, enum code code, struct str raw, const char *what)
{
	const char *given = a->suggestion;
	char room[ADVICE_ROOM];

	if (!given)
		a->suggestion = advice_for(code, a->key, raw, room);
	parse_report(a, code, DIAG_ERROR, raw, "\"" STR_FMT "\" is not %s; %s", STR_ARG(raw), what,
		     a->is_strict ? "the unit is refused" : "the word is ignored");
	a->suggestion = given;
}

typedef bool (*word_check)(const char *word);

/* Words that pass the check are appended to the list at a->target (NULL: only checked). */
static int take_names(struct assignment *a, unsigned flags, word_check check, enum code code,
		      const char *what)
{
	struct str rest = a->value;
	struct str raw;
	const char *text;
	int r;

	a->is_off = a->value.n == 0;
	if (a->value.n == 0 && a->target)
		parse_reset(a, a->target);
	while ((r = take_word(a, &rest, flags, &text, &raw)) > 0) {
		if (!check(text))
			parse_word_ignored(a, code, raw, what);
		else if (a->target && parse_add_name(a, a->target, text) < 0)
			return -ENOMEM;
	}
	return r;
}

static bool is_dependency(const char *name)
{
	return name_is_valid(name, NAME_PLAIN | NAME_INSTANCE);
}

static bool is_installable(const char *name)
{
	return name_is_valid(name, NAME_ANY);
}

static bool is_socket(const char *name)
{
	return is_dependency(name) && unit_type_of(name) == UNIT_SOCKET;
}

static bool is_document(const char *name)
{
	static const char *const kinds[] = {"http://", "https://", "file:/", "info:", "man:"};

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
		if (str_has_prefix(str_of(name), str_of(kinds[k])))
			return true;
	return false;
}

static bool is_variable(const char *name)
{
	return words_env_name_is_valid(str_of(name));
}

static bool is_variable_or_assignment(const char *text)
{
	return words_env_name_is_valid(str_sub(str_of(text), 0, str_index(str_of(text), '=')));
}

static bool is_assignment(const char *text)
{
	return strchr(text, '=') && is_variable_or_assignment(text);
}

/* Paths of sandboxes may have '-' (missing is fine) and '+' (below the root directory) in front. */
static bool is_sandbox_path(const char *path)
{
	path += *path == '-';
	path += *path == '+';
	return parse_path_clean(path);
}

/* User and group names: what Debian's adduser and systemd's relaxed rule have in common, or a number, which must be one that somebody can have. */
static bool is_user(const char *name)
{
	size_t n = strlen(name);
	uint32_t id;

	if (n > 0 && strspn(name, "0123456789") == n)
		return (name[0] != '0' || n == 1) && users_read_id(str_of(name), &id);
	if (n == 0 || n > 255 || strchr("-+.", name[0]) || strpbrk(name, " \t\n:/,"))
		return false;
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p == 127)
			return false;
	return true;
}

/* --- dependencies and [Install] --- */

/*
 * A template among the names means its instance of the same name as this unit: its own instance, else its prefix. Name in the arena,
 * itself when it is no template, NULL: -ENOMEM.
 */
static const char *fill_template(struct assignment *a, const char *name)
{
	const struct unit_config *c = a->config;
	struct str instance = c->instance ? str_of(c->instance) : name_prefix(a->spec.unit);
	char full[UNIT_NAME_MAX + 1];

	if (!name_is_valid(name, NAME_TEMPLATE) ||
	    name_with_instance(name, instance, full, sizeof(full)) < 0)
		return name;
	return arena_dup(a->arena, full, strlen(full));
}

/* An empty value resets nothing here, which surprises people. */
static void report_no_reset(struct assignment *a)
{
	parse_report(a, CODE_NO_RESET, DIAG_WARNING, PARSE_WHOLE,
		     STR_FMT "= with nothing forgets nothing: dependencies can only be added",
		     STR_ARG(a->key));
}

int parse_deps(struct assignment *a)
{
	struct str rest = a->value;
	struct str raw;
	const char *name;
	struct dep *d;
	int r;

	if (a->value.n == 0)
		report_no_reset(a);
	while ((r = take_word(a, &rest, 0, &name, &raw)) > 0) {
		name = fill_template(a, name);
		if (!name)
			return -ENOMEM;
		if (!is_dependency(name)) {
			parse_word_ignored(a, CODE_BAD_UNIT_NAME, raw, "the name of a unit");
			continue;
		}
		d = parse_append(a, &a->config->deps, sizeof(*d));
		if (!d)
			return -ENOMEM;
		*d = (struct dep){
			NULL,    name, a->file, a->item ? a->item->line : 0, (uint8_t)a->num,
			DEP_FILE};
	}
	return r;
}

int parse_install(struct assignment *a)
{
	a->config->has_install = true;
	return take_names(a, WORDS_UNQUOTE, is_installable, CODE_BAD_UNIT_NAME,
			  "the name of a unit");
}

int parse_sockets(struct assignment *a)
{
	return take_names(a, WORDS_UNQUOTE, is_socket, CODE_BAD_UNIT_NAME,
			  "the name of a socket unit");
}

int parse_documentation(struct assignment *a)
{
	return take_names(a, WORDS_UNQUOTE, is_document, CODE_BAD_TEXT,
			  "a document (http://, https://, file:/, info: or man:)");
}

int parse_mounts_for(struct assignment *a)
{
	return take_names(a, WORDS_UNQUOTE, parse_path_clean, CODE_BAD_PATH, "an absolute path");
}

int parse_paths(struct assignment *a)
{
	return take_names(a, WORDS_UNQUOTE, is_sandbox_path, CODE_BAD_PATH, "an absolute path");
}

/* An empty line forgets all conditions (or all assertions), whatever their kind. */
static void reset_conditions(struct assignment *a, bool is_assert)
{
	struct condition **at = &a->config->unit->conditions;

	a->list_head = NULL;
	while (*at)
		if ((*at)->is_assert == is_assert)
			*at = (*at)->next;
		else
			at = &(*at)->next;
}

/* Condition kinds whose parameter is a path. */
static bool is_path_kind(const char *name)
{
	return strncmp(name, "Path", 4) == 0 || strncmp(name, "File", 4) == 0 ||
	       strcmp(name, "DirectoryNotEmpty") == 0 || strcmp(name, "NeedsUpdate") == 0;
}

/* "|!PARAMETER", with blanks between them only where the parameter is no path: as systemd reads it. */
int parse_condition(struct assignment *a)
{
	bool is_assert = a->key.p[0] == 'A';
	struct condition *c;
	struct str text = a->value;
	bool is_trigger, is_negated, is_path;
	const char *parameter;
	int kind = condition_kind(
		str_sub(a->key, is_assert ? strlen("Assert") : strlen("Condition"), a->key.n));
	int r;

	if (text.n == 0) {
		reset_conditions(a, is_assert);
		return 0;
	}
	if (kind < 0)
		return -EINVAL;
	is_path = is_path_kind(condition_names[kind]);
	is_trigger = text.p[0] == '|';
	text = str_sub(text, is_trigger, text.n);
	text = is_path ? text : str_trim(text);
	is_negated = text.n && text.p[0] == '!';
	text = str_sub(text, is_negated, text.n);
	text = is_path ? text : str_trim(text);
	if (text.n == 0)
		return -EINVAL;
	r = parse_expand(a, text, parse_offset(a, text), &parameter);
	if (r < 0)
		return r;
	if (is_path && !parse_path_clean(parameter))
		return parse_wrong(a, parse_offset(a, text), text.n, "an absolute path is needed");
	c = parse_append(a, &a->config->unit->conditions, sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (struct condition){NULL,          parameter, a->file,    a->item ? a->item->line : 0,
				(uint8_t)kind, is_assert, is_trigger, is_negated};
	return 0;
}

/* --- identity and environment --- */

int parse_user(struct assignment *a)
{
	const char *name = NULL;
	int r = a->value.n ? parse_expand(a, a->value, 0, &name) : 0;

	if (r == 0 && name && !is_user(name))
		return -EINVAL;
	if (r == 0)
		*(const char **)a->target = name;
	return r;
}

int parse_users(struct assignment *a)
{
	return take_names(a, WORDS_UNQUOTE, is_user, CODE_BAD_USER, "a group");
}

static bool is_pid(const char *text)
{
	uint64_t pid = 0;

	return str_to_u64(str_of(text), &pid) == 0 && pid > 0 && pid <= INT32_MAX;
}

int parse_pids(struct assignment *a)
{
	return take_names(a, 0, is_pid, CODE_BAD_NUMBER, "the number of a process");
}

int parse_environment(struct assignment *a)
{
	return take_names(a, WORDS_UNQUOTE | WORDS_CUNESCAPE, is_assignment, CODE_BAD_ENVIRONMENT,
			  "NAME=value");
}

int parse_variables(struct assignment *a)
{
	return take_names(a, WORDS_UNQUOTE | WORDS_CUNESCAPE,
			  a->num ? is_variable_or_assignment : is_variable, CODE_BAD_ENVIRONMENT,
			  "the name of a variable");
}

int parse_environment_file(struct assignment *a)
{
	const char *path;
	int r;

	if (a->value.n == 0) {
		parse_reset(a, a->target);
		return 0;
	}
	r = parse_expand(a, a->value, 0, &path);
	if (r < 0)
		return r;
	if (!parse_path_clean(path + (path[0] == '-')))
		return -EINVAL;
	return parse_add_name(a, a->target, path);
}

/* What is called so is made by hark itself, for users that exist for a run only. */
static bool is_reserved(const char *name)
{
	return str_has_prefix(str_of(name), STR("private")) && (!name[7] || name[7] == '/');
}

static bool has_name(const struct name_list *l, const char *name)
{
	while (l && strcmp(l->text, name) != 0)
		l = l->next;
	return l;
}

/* "NAME" or "NAME:LINK", which lies in an arena. 0, -EINVAL (nothing is taken), -ENOMEM. */
static int take_directory(struct assignment *a, char *name)
{
	struct exec_directories *d = a->target;
	char *link = strchr(name, ':');
	struct sbuf both = {0};
	int r = 0;

	if (link)
		*link++ = '\0';
	if (!parse_path_below(name) || is_reserved(name) ||
	    (link && (!parse_path_below(link) || strchr(link, ':') || !a->num)))
		return -EINVAL;
	if (!has_name(d->names, name))
		r = parse_add_name(a, &d->names, name);
	if (r < 0 || !link)
		return r;
	sbuf_addf(&both, "%s:%s", name, link);
	link = both.err ? NULL : arena_dup(a->arena, both.p, both.n);
	sbuf_fini(&both);
	return link ? parse_add_name(a, &d->links, link) : -ENOMEM;
}

int parse_directories(struct assignment *a)
{
	struct exec_directories *d = a->target;
	struct str rest = a->value, raw;
	const char *text;
	int r;

	a->is_off = a->value.n == 0;
	if (a->is_off) {
		parse_reset(a, &d->names);
		parse_reset(a, &d->links);
	}
	while ((r = take_word(a, &rest, WORDS_UNQUOTE, &text, &raw)) > 0) {
		r = take_directory(a, (char *)(uintptr_t)text);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			parse_word_ignored(
				a, CODE_BAD_DIRECTORY, raw,
				a->num ? "a relative directory name without \"..\", or NAME:LINK"
				       : "a relative directory name without \"..\"");
	}
	return r;
}

int parse_exit_set(struct assignment *a)
{
	struct exit_set *set = a->target;
	struct str rest = a->value;
	struct str raw;
	bool is_signal;
	int value;

	if (a->value.n == 0)
		*set = (struct exit_set){0};
	while (str_word(&rest, &raw)) {
		if (value_exit(raw, &value, &is_signal) < 0)
			parse_word_ignored(a, CODE_BAD_EXIT_STATUS, raw,
					   "an exit code or a signal");
		else if (is_signal)
			set->signals |= UINT64_C(1) << (value - 1);
		else
			set->codes[value / 64] |= UINT64_C(1) << (value % 64);
	}
	return 0;
}

/* --- privileges --- */

static void report_capability(struct assignment *a, struct str raw)
{
	const char *alike = value_suggest_capability(raw);
	char hint[64];

	if (alike && snprintf(hint, sizeof(hint), "did you mean \"%s\"?", alike) > 0)
		a->suggestion = hint;
	for (char *p = hint + strlen("did you mean"); alike && *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	parse_word_ignored(a, CODE_BAD_CAPABILITY, raw, "a capability");
	a->suggestion = NULL;
}

static int take_capabilities(struct assignment *a, struct str text, uint64_t *ret_set)
{
	struct str raw;
	unsigned capability;
	bool is_bad = false;

	*ret_set = 0;
	while (str_word(&text, &raw))
		if (value_capability(raw, &capability) < 0) {
			report_capability(a, raw);
			is_bad = true;
		} else {
			*ret_set |= UINT64_C(1) << capability;
		}
	return is_bad ? -EINVAL : 0;
}

/* The first assignment replaces the default, later ones add; "~" takes away. num: 0 bounding set, 1 ambient set. */
int parse_capabilities(struct assignment *a)
{
	struct exec_config *e = a->config->exec;
	bool *has = a->num ? &e->has_ambient : &e->has_capability_bounding;
	uint64_t *set = a->num ? &e->ambient_capabilities : &e->capability_bounding;
	bool is_inverted = a->value.n && a->value.p[0] == '~';
	uint64_t old = *has ? *set : 0;
	uint64_t sum;

	if (take_capabilities(a, str_sub(a->value, is_inverted, a->value.n), &sum) < 0)
		return 0; /* each word was reported and refuses the unit */
	if (sum == 0 || !*has || old == 0)
		*set = is_inverted ? ~sum : sum;
	else
		*set = is_inverted ? old & ~sum : old | sum;
	*has = true;
	return 0;
}

int parse_secure_bits(struct assignment *a)
{
	struct exec_config *e = a->config->exec;
	struct str rest = a->value;
	struct str raw;
	unsigned bit;

	e->has_securebits = a->value.n > 0;
	if (a->value.n == 0)
		e->securebits = 0;
	while (str_word(&rest, &raw))
		if (value_enum(raw, words_secure_bits.names, words_secure_bits.n, &bit) < 0)
			parse_word_ignored(a, CODE_BAD_FILTER, raw, "a secure bit");
		else
			e->securebits |= 1 << bit;
	return 0;
}
