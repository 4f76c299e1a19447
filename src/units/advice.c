/* SPDX-License-Identifier: MIT */
#include "units/advice.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN = 80 }; /* bytes of a value that are repeated */

struct slip {
	struct str key, bad;
	char *room;
};
typedef const char *(*adviser_fn)(const struct slip *s);

static const char *PRINTF_LIKE(2, 3) say(const struct slip *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->room, ADVICE_ROOM, fmt, ap);
	va_end(ap);
	return s->room;
}

static const char *mean(const struct slip *s, const char *before, struct str text,
			const char *after)
{
	return text.n > SHOWN
		       ? NULL
		       : say(s, "did you mean \"%s" STR_FMT "%s\"?", before, STR_ARG(text), after);
}

/* --- what values are made of --- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct str number_at(struct str s)
{
	size_t n = 0;

	while (n < s.n && is_digit(s.p[n]))
		n++;
	return str_sub(s, 0, n);
}

static bool is_number(struct str s)
{
	return s.n > 0 && number_at(s).n == s.n;
}

/* Rows of words that people write, and those that are meant; key NULL: of any directive. */
struct meant {
	const char *key, *written, *meant;
};

static const char *look_up(const struct slip *s, const struct meant *rows, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		if ((!rows[k].key || str_eq_z(s->key, rows[k].key)) &&
		    str_eq_case(s->bad, str_of(rows[k].written)))
			return mean(s, "", str_of(rows[k].meant), "");
	return NULL;
}

/* --- one adviser a kind --- */

/* "512 MB" and "1GiB" are 512M and 1G. */
static const char *advise_size(const struct slip *s)
{
	struct str n = number_at(s->bad), unit = str_trim(str_sub(s->bad, n.n, s->bad.n));
	char letter[2] = "";

	if (n.n == 0 || unit.n == 0 || unit.n > 3 || (unit.p[unit.n - 1] | 0x20) != 'b')
		return NULL;
	if (unit.n > 1) /* to upper case */
		letter[0] = (char)(unit.p[0] & ~0x20);
	return !letter[0] || strchr("KMGTPE", letter[0]) ? mean(s, "", n, letter) : NULL;
}

static const char *advise_number(const struct slip *s)
{
	bool is_part = str_eq_z(s->key, "CPUQuota") || str_has_suffix(s->key, STR("Limit"));

	return is_part && is_number(s->bad) ? mean(s, "", s->bad, "%") : NULL;
}

static const char *advise_span(const struct slip *s)
{
	size_t comma = str_index(s->bad, ',');

	if (comma < s->bad.n && is_number(str_sub(s->bad, 0, comma)))
		return "the parts of a number are separated by a point: 1.5";
	return str_eq_z(s->bad, "-1") ? "did you mean \"infinity\"?" : NULL;
}

static const char *advise_word(const struct slip *s)
{
	static const struct meant rows[] = {
		{"Restart", "yes", "always"},
		{"Restart", "true", "always"},
		{"Restart", "1", "always"},
		{"Restart", "on", "always"},
		{"Type", "daemon", "forking"},
		{"Type", "one-shot", "oneshot"},
		{"KillMode", "group", "control-group"},
	};

	return look_up(s, rows, ARRAY_SIZE(rows));
}

static const char *advise_path(const struct slip *s)
{
	if (s->bad.p[0] == '"' || s->bad.p[0] == '\'')
		return "a path is written without quotes";
	if (s->bad.p[0] == '.' || s->bad.p[0] == '~')
		return "write the whole path, from /";
	return is_letter(s->bad.p[0]) ? mean(s, "/", s->bad, "") : NULL;
}

static const char *advise_limit(const struct slip *s)
{
	return str_eq_z(s->bad, "unlimited") || str_eq_z(s->bad, "-1")
		       ? "did you mean \"infinity\"?"
		       : NULL;
}

static const char *advise_stream(const struct slip *s)
{
	static const struct meant rows[] = {
		{NULL, "/dev/null", "null"}, {NULL, "none", "null"},
		{NULL, "stdout", "inherit"}, {NULL, "stderr", "inherit"},
		{NULL, "console", "tty"},    {NULL, "/dev/console", "tty"},
	};
	const char *meant = look_up(s, rows, ARRAY_SIZE(rows));

	if (meant || s->bad.p[0] != '/')
		return meant;
	return mean(s, str_eq_z(s->key, "StandardInput") ? "file:" : "append:", s->bad, "");
}

/* A name without its type. */
static const char *advise_unit(const struct slip *s)
{
	static const char *const targets[] = {"network",   "network-online", "multi-user",
					      "graphical", "basic",          "sysinit",
					      "default",   "local-fs",       "remote-fs",
					      "timers",    "sockets"};
	char last = s->bad.p[s->bad.n - 1];

	if (last == ',' || last == ';')
		return "names are separated by blanks";
	if (str_index(s->bad, '.') < s->bad.n)
		return NULL;
	for (unsigned k = 0; k < ARRAY_SIZE(targets); k++)
		if (str_eq_z(s->bad, targets[k]))
			return mean(s, "", s->bad, ".target");
	return mean(s, "", s->bad, ".service");
}

static const char *advise_assignment(const struct slip *s)
{
	if (!str_eq_z(s->key, "Environment"))
		return NULL;
	if (str_eq_z(s->bad, "export") || str_eq_z(s->bad, "set"))
		return "no shell reads this: write NAME=value alone";
	if (s->bad.p[0] == '#')
		return "a comment has a line of its own";
	if (str_eq_z(s->bad, "="))
		return "there are no blanks around the = of a variable";
	if (str_index(s->bad, '=') < s->bad.n)
		return "names have letters, digits and _, and do not begin with a digit";
	return "a value with blanks is quoted together with its name: \"NAME=two words\"";
}

static const char *advise_command(const struct slip *s)
{
	if (str_eq_z(s->bad, "\\"))
		return "a line goes on only when the backslash is its very last character";
	if (s->bad.p[0] == '.' || s->bad.p[0] == '~')
		return "write the whole path, from /";
	return NULL;
}

/* Five words of digits and stars are a line of cron's. */
static const char *advise_cron(const struct slip *s)
{
	struct str rest = s->bad, words[6], word;
	unsigned n = 0;

	while (n < ARRAY_SIZE(words) && str_word(&rest, &word)) {
		words[n++] = word;
		for (size_t k = 0; k < word.n; k++)
			if (!is_digit(word.p[k]) && !strchr("*/,-", word.p[k]))
				return NULL;
	}
	if (n != 5)
		return NULL;
	if (is_number(words[0]) && is_number(words[1]) && str_eq_z(words[2], "*") &&
	    str_eq_z(words[3], "*") && str_eq_z(words[4], "*"))
		return say(s,
			   "that is a line of cron's; did you mean \"*-*-* %s" STR_FMT ":%s" STR_FMT
			   "\"?",
			   words[1].n > 1 ? "" : "0", STR_ARG(words[1]), words[0].n > 1 ? "" : "0",
			   STR_ARG(words[0]));
	return "that is a line of cron's; here the date comes first: *-*-* 05:00";
}

static const char *advise_calendar(const struct slip *s)
{
	static const struct meant rows[] = {
		{NULL, "every minute", "minutely"}, {NULL, "every hour", "hourly"},
		{NULL, "every day", "daily"},       {NULL, "every week", "weekly"},
		{NULL, "every month", "monthly"},   {NULL, "every year", "yearly"},
		{NULL, "@hourly", "hourly"},        {NULL, "@daily", "daily"},
		{NULL, "@midnight", "daily"},       {NULL, "@weekly", "weekly"},
		{NULL, "@monthly", "monthly"},      {NULL, "@yearly", "yearly"},
	};
	const char *meant = look_up(s, rows, ARRAY_SIZE(rows));

	if (!meant)
		meant = advise_cron(s);
	for (size_t k = 1; !meant && k + 1 < s->bad.n; k++)
		if (is_digit(s->bad.p[k - 1]) && (s->bad.p[k] | 0x20) != 'e' &&
		    strchr("apAP", s->bad.p[k]) && (s->bad.p[k + 1] | 0x20) == 'm')
			meant = "hours go from 0 to 23: 9pm is 21:00";
	return meant;
}

static const char *advise_address(const struct slip *s)
{
	size_t first = str_index(s->bad, ':'), last = str_rindex(s->bad, ':'), hex = 0;

	while (hex < s->bad.n && strchr("0123456789abcdefABCDEF:", s->bad.p[hex]))
		hex++;
	if (str_has_prefix(s->key, STR("Listen")) && is_letter(s->bad.p[0]) &&
	    str_index(s->bad, '/') < s->bad.n)
		return mean(s, "/", s->bad, "");
	if (first != last && hex == s->bad.n && s->bad.n <= SHOWN)
		return say(s, "did you mean \"[" STR_FMT "]" STR_FMT "\"?",
			   STR_ARG(str_sub(s->bad, 0, last)),
			   STR_ARG(str_sub(s->bad, last, s->bad.n)));
	return NULL;
}

/* A folder that is named with the place where those of its kind lie anyway. */
static const char *advise_directory(const struct slip *s)
{
	static const struct {
		const char *key, *place;
	} rows[] = {
		{"StateDirectory", "/var/lib/"}, {"CacheDirectory", "/var/cache/"},
		{"LogsDirectory", "/var/log/"},  {"ConfigurationDirectory", "/etc/"},
		{"RuntimeDirectory", "/run/"},   {"RuntimeDirectory", "/var/run/"},
	};

	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++)
		if (str_eq_z(s->key, rows[k].key) && str_has_prefix(s->bad, str_of(rows[k].place)))
			return mean(s, "", str_sub(s->bad, strlen(rows[k].place), s->bad.n), "");
	return NULL;
}

static const char *advise_capability(const struct slip *s)
{
	for (size_t k = 0; k < s->bad.n; k++)
		if (!is_letter(s->bad.p[k]) && s->bad.p[k] != '_')
			return NULL;
	return str_has_prefix(s->bad, STR("CAP_")) ? NULL : mean(s, "CAP_", s->bad, "");
}

/* A line that is neither comment nor assignment. */
static const char *advise_line(const struct slip *s)
{
	size_t name = 0;

	if (str_has_prefix(s->bad, STR("//")) || str_has_prefix(s->bad, STR("--")))
		return "comments begin with # or ;";
	while (name < s->bad.n && is_letter(s->bad.p[name]))
		name++;
	if (name > 0 && name < s->bad.n && s->bad.p[name] == ':')
		return say(s, "did you mean \"" STR_FMT "=\"?",
			   STR_ARG(str_sub(s->bad, 0, name < SHOWN ? name : SHOWN)));
	return NULL;
}

static const adviser_fn advisers[CODES] = {
	[CODE_BAD_SIZE] = advise_size,
	[CODE_BAD_NUMBER] = advise_number,
	[CODE_BAD_SPAN] = advise_span,
	[CODE_BAD_WORD] = advise_word,
	[CODE_BAD_PATH] = advise_path,
	[CODE_BAD_LIMIT] = advise_limit,
	[CODE_BAD_STDIO] = advise_stream,
	[CODE_BAD_UNIT_NAME] = advise_unit,
	[CODE_BAD_ENVIRONMENT] = advise_assignment,
	[CODE_BAD_COMMAND] = advise_command,
	[CODE_BAD_CALENDAR] = advise_calendar,
	[CODE_BAD_ADDRESS] = advise_address,
	[CODE_BAD_DIRECTORY] = advise_directory,
	[CODE_BAD_CAPABILITY] = advise_capability,
	[CODE_NO_EQUALS] = advise_line,
};

const char *advice_for(enum code code, struct str key, struct str bad, char *room)
{
	struct slip s = {key, bad, room};

	return bad.n && advisers[code] ? advisers[code](&s) : NULL;
}

const char *advice_program(const char *name)
{
	static const struct {
		const char *name, *advice;
	} rows[] = {
		{"cd", "use WorkingDirectory="},
		{"export", "use Environment="},
		{"sudo", "use User="},
		{"su", "use User="},
		{"source", "no shell reads this: use EnvironmentFile=, or /bin/sh -c '...'"},
		{".", "no shell reads this: use EnvironmentFile=, or /bin/sh -c '...'"},
		{"umask", "use UMask="},
		{"ulimit", "use LimitNOFILE= and its like"},
		{"exec", "leave it out: no shell is between"},
	};

	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++)
		if (strcmp(name, rows[k].name) == 0)
			return rows[k].advice;
	return strchr(name, '=') ? "use Environment= for variables" : NULL;
}
