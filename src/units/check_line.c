/* SPDX-License-Identifier: MIT */
/* Single lines that are valid and surely mean something else, and settings that have no effect beside others. */
#include "units/check.h"

#include <stdio.h>

#include "core/filter.h"
#include "units/exec_config.h"
#include "units/name.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/value.h"

/* The part of a value as a place. Exact unless the value goes on over several lines. */
static struct diag_place part_of(const struct unit_line *l, size_t at, size_t n)
{
	struct diag_place place = l->value_at;

	place.col += (uint32_t)at;
	place.end_col = place.col + (uint32_t)n;
	return place;
}

static bool is_command(const struct unit_line *l)
{
	return l->directive->parser == PARSER_commands;
}

/* A value that goes on behind " # " or " ; ", and is not a command's, where a quote may hold it. */
static void check_comment(struct check *k, const struct unit_line *l)
{
	const char *at = strstr(l->value, " # ");

	if (!at || l->is_doubtful || strchr(l->value, '\'') || strchr(l->value, '"'))
		return;
	check_report(k, CODE_INLINE_COMMENT, part_of(l, (size_t)(at - l->value) + 1, 1),
		     "a comment has a line of its own",
		     "there are no comments behind values: the rest is part of the value");
}

/* --- shell syntax --- */

/* Does a word of a command line look like what only a shell understands? */
static bool is_shell_word(struct str word)
{
	static const char *const words[] = {"|",  "||", "&&",   "&",  ">",    ">>",  "<",
					    "<<", "&>", "2>&1", "2>", "1>&2", "2>>", "|&"};
	static const char *const prefixes[] = {">/", ">>/", "2>/", "2>>/", "&>/", "</"};

	for (unsigned k = 0; k < ARRAY_SIZE(words); k++)
		if (str_eq_z(word, words[k]))
			return true;
	for (unsigned k = 0; k < ARRAY_SIZE(prefixes); k++)
		if (str_has_prefix(word, str_of(prefixes[k])))
			return true;
	return word.p[0] == '`' || str_has_prefix(word, STR("$("));
}

/* Next word that stands outside of quotes; false at the end. */
static bool next_plain_word(struct str *rest, struct str *ret_word)
{
	struct str word;
	char quote = '\0';

	while (str_word(rest, &word)) {
		bool was_open = quote != '\0';

		for (size_t k = 0; k < word.n; k++) {
			char c = word.p[k];

			if (quote ? c == quote : c == '\'' || c == '"')
				quote = quote ? '\0' : c;
		}
		*ret_word = word;
		if (!was_open && !quote)
			return true;
	}
	return false;
}

static void check_shell(struct check *k, const struct unit_line *l)
{
	struct str rest = str_of(l->value), word;

	while (next_plain_word(&rest, &word)) {
		if (!is_shell_word(word))
			continue;
		check_report(k, CODE_SHELL_SYNTAX, part_of(l, (size_t)(word.p - l->value), word.n),
			     "run it with /bin/sh -c '...'",
			     "\"" STR_FMT "\" is passed to the program: no shell reads this line",
			     STR_ARG(word));
		return;
	}
}

/* --- filters --- */

/* Names of calls and groups that nobody knows are passed over when a service starts, as in systemd: a filter of fewer. */
static void check_calls(struct check *k, const struct unit_line *l)
{
	bool is_inverted = l->value[0] == '~';
	struct str rest = str_of(l->value + is_inverted), word;
	const char *groups[64], *alike;
	char hint[64];
	unsigned n = 0;

	while (n < ARRAY_SIZE(groups) && (groups[n] = filter_group(n)))
		n++;
	while (str_word(&rest, &word)) {
		struct str name = str_sub(word, 0, str_index(word, ':'));

		if (filter_knows(name))
			continue;
		alike = name.p[0] == '@' ? value_suggest(name, groups, n) : NULL;
		if (alike)
			snprintf(hint, sizeof(hint), "did you mean \"%s\"?", alike);
		check_report(k, CODE_UNKNOWN_CALL, part_of(l, (size_t)(word.p - l->value), name.n),
			     alike ? hint : NULL,
			     "no %s is called \"" STR_FMT "\"; it has no effect",
			     name.p[0] == '@' ? "group of system calls" : "system call",
			     STR_ARG(str_sub(name, 0, 100)));
	}
}

/* --- conditions --- */

static bool is_bool(struct str text)
{
	bool value;

	return value_bool(text, &value) == 0;
}

static bool is_capability(struct str text)
{
	unsigned value;

	return value_capability(text, &value) == 0;
}

/* "[operator]NUMBER" */
static bool is_amount(struct str text)
{
	uint64_t bytes;

	while (text.n && strchr("<>=!", text.p[0]))
		text = str_sub(text, 1, text.n);
	return value_size(str_trim(text), &bytes) == 0;
}

static const struct grammar {
	const char *kind;
	bool (*is_good)(struct str text);
	const char *noun;
} grammars[] = {
	{"ACPower", is_bool, "yes or no"},
	{"FirstBoot", is_bool, "yes or no"},
	{"Capability", is_capability, "a capability"},
	{"CPUs", is_amount, "a number, perhaps behind an operator"},
	{"Memory", is_amount, "a size, perhaps behind an operator"},
};

static void check_condition(struct check *k, const struct unit_line *l)
{
	struct str text = str_of(l->value);

	while (text.n && strchr("|! \t", text.p[0]))
		text = str_sub(text, 1, text.n);
	for (unsigned n = 0; n < ARRAY_SIZE(grammars) && text.n; n++)
		if (strcmp(l->directive->name, grammars[n].kind) == 0 && !grammars[n].is_good(text))
			check_report(k, CODE_NO_CONDITION,
				     part_of(l, (size_t)(text.p - l->value), text.n), NULL,
				     "\"" STR_FMT "\" is not %s: the condition never holds",
				     STR_ARG(str_sub(text, 0, 100)), grammars[n].noun);
}

/* --- values that work and hurt --- */

static const struct risk {
	const char *key, *value, *why, *suggestion;
} risks[] = {
	{"KillMode", "none", "processes are left behind when the unit stops, beyond all control",
	 "use mixed or control-group"},
	{"SendSIGKILL", "no", "a process that does not end blocks the unit for ever", NULL},
	{"User", "nobody", "all who use this user can reach each other's files and processes",
	 "use a user of its own"},
	{"SocketMode", "0777", "everybody may connect, and replace the file", "use 0666"},
	{"UMask", "0000", "everybody may write the files that the service makes", NULL},
};

static void check_risk(struct check *k, const struct unit_line *l)
{
	for (unsigned n = 0; n < ARRAY_SIZE(risks); n++)
		if (strcmp(l->key, risks[n].key) == 0 && strcmp(l->value, risks[n].value) == 0)
			check_report(k, CODE_RISKY, l->value_at, risks[n].suggestion, "%s=%s: %s",
				     l->key, l->value, risks[n].why);
}

static void check_old_path(struct check *k, const struct unit_line *l)
{
	static const char old[] = "/var/run/";
	char suggestion[256];

	if (strncmp(l->value, old, strlen(old)) != 0 || is_command(l))
		return;
	snprintf(suggestion, sizeof(suggestion), "write %s", l->value + strlen("/var"));
	check_report(k, CODE_OLD_PATH, part_of(l, 0, strlen("/var/run")), suggestion,
		     "/var/run is the old place of /run");
}

/* --- lines without effect --- */

/* Of directives that hold one value the last line counts; twice in one file is hardly meant. */
static void check_override(struct check *k, const struct unit_line *l)
{
	if (parsers[l->directive->parser].takes_empty || l->is_doubtful)
		return;
	for (const struct unit_line *later = l->next; later; later = later->next) {
		if (later->directive != l->directive || later->is_doubtful ||
		    strcmp(later->name_at.file, l->name_at.file) != 0)
			continue;
		check_report(k, CODE_OVERRIDDEN, l->name_at, NULL,
			     "%s= is set again in line %u; this line has no effect", l->key,
			     later->name_at.line);
		return;
	}
}

static bool never_restarts(const struct unit_config *c)
{
	static const struct exit_set none;

	return c->service && c->service->restart == RESTART_NO &&
	       memcmp(&c->service->restart_force, &none, sizeof(none)) == 0;
}

static bool is_not_forking(const struct unit_config *c)
{
	return c->service && c->service->type != SERVICE_FORKING;
}

static bool is_oneshot(const struct unit_config *c)
{
	return c->service && c->service->type == SERVICE_ONESHOT;
}

static bool accepts_not(const struct unit_config *c)
{
	return c->socket && !c->socket->accept;
}

static bool is_no_template(const struct unit_config *c)
{
	return name_form(c->name) != NAME_TEMPLATE;
}

static const struct useless {
	const char *key;
	bool (*is_useless)(const struct unit_config *c);
	const char *why;
} useless[] = {
	{"RestartSec", never_restarts, "Restart=no"},
	{"GuessMainPID", is_not_forking, "a Type= other than forking"},
	{"RuntimeMaxSec", is_oneshot, "Type=oneshot"},
	{"MaxConnections", accepts_not, "Accept=no"},
	{"MaxConnectionsPerSource", accepts_not, "Accept=no"},
	{"DefaultInstance", is_no_template, "a unit that is no template"},
};

static void check_useless(struct check *k)
{
	for (unsigned n = 0; n < ARRAY_SIZE(useless); n++) {
		const struct unit_line *l = check_find(k, useless[n].key);

		if (l && !l->is_doubtful && useless[n].is_useless(k->config))
			check_report(k, CODE_USELESS, l->name_at, NULL, "%s= has no effect with %s",
				     l->key, useless[n].why);
	}
}

static void check_main(struct check *k)
{
	const struct service_config *s = k->config->service;
	const struct unit_line *l = check_find(k, "Type");

	if (s && l && s->type == SERVICE_FORKING && !s->pid_file)
		check_report(k, CODE_GUESSED_MAIN, l->value_at, "add PIDFile=",
			     "Type=forking without PIDFile=: the main process is guessed");
}

void check_lines(struct check *k)
{
	for (const struct unit_line *l = k->lines; l; l = l->next) {
		check_comment(k, l);
		check_risk(k, l);
		check_old_path(k, l);
		check_override(k, l);
		if (is_command(l))
			check_shell(k, l);
		if (l->directive->parser == PARSER_syscalls && !l->is_doubtful)
			check_calls(k, l);
		if (l->directive->parser == PARSER_condition && !strchr(l->value, '%'))
			check_condition(k, l);
	}
	check_useless(k);
	check_main(k);
}
