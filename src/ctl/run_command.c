/* SPDX-License-Identifier: MIT */
#include "ctl/run_command.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "units/directive.h"
#include "units/name.h"

enum { STATUS_OK, STATUS_FAILED, STATUS_USAGE, SIGNAL_STATUS = 128 };

/* --- the text of the unit --- */

static bool is_plain(const char *word)
{
	return word[0] && word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					    "0123456789/._-+:=,")] == '\0';
}

/* A word of a command line that is read as it is: quoted where it has to be, without specifiers and variables. */
static void add_word(struct sbuf *b, const char *word)
{
	if (is_plain(word)) {
		sbuf_add_z(b, word);
		return;
	}
	sbuf_add_c(b, '"');
	for (const char *p = word; *p; p++)
		if (*p == '"' || *p == '\\')
			sbuf_addf(b, "\\%c", *p);
		else if (*p == '%' || *p == '$')
			sbuf_addf(b, "%c%c", *p, *p);
		else if ((unsigned char)*p < ' ')
			sbuf_addf(b, "\\x%02x", (unsigned char)*p);
		else
			sbuf_add_c(b, *p);
	sbuf_add_c(b, '"');
}

/* Names of commands are looked for by hark; a path is one of here. */
static void add_command(struct sbuf *b, const char *const *args, unsigned n)
{
	char path[PATH_MAX];
	bool is_path = strchr(args[0], '/') && realpath(args[0], path);

	sbuf_add_z(b, "ExecStart=");
	add_word(b, is_path ? path : args[0]);
	for (unsigned i = 1; i < n; i++) {
		sbuf_add_c(b, ' ');
		add_word(b, args[i]);
	}
	sbuf_add_c(b, '\n');
}

static bool is_of_unit(struct str assignment)
{
	struct str name = str_sub(assignment, 0, str_index(assignment, '='));

	return directive_in_group(GROUP_UNIT, name) || str_has_prefix(name, STR("Condition")) ||
	       str_has_prefix(name, STR("Assert"));
}

/* The -p of the command line, each in a line, that belong to [Unit] or not. */
static void add_settings(struct sbuf *b, const char *settings, bool of_unit)
{
	struct str rest = str_of(settings ? settings : ""), one;

	while (str_cut(&rest, '\n', &one))
		if (one.n && is_of_unit(one) == of_unit)
			sbuf_addf(b, STR_FMT "\n", STR_ARG(one));
}

/* What people read: the word in one line. */
static void add_plain(struct sbuf *b, const char *word)
{
	for (const char *p = word; *p; p++)
		if (*p == '%')
			sbuf_add_z(b, "%%");
		else
			sbuf_add_c(b, (unsigned char)*p < ' ' || *p == '\\' ? ' ' : *p);
}

static void write_text(struct sbuf *b, const struct question *q)
{
	sbuf_add_z(b, "[Unit]\nDescription=");
	for (unsigned i = 0; i < q->args_n; i++) {
		sbuf_add_z(b, i ? " " : "");
		add_plain(b, q->args[i]);
	}
	sbuf_add_c(b, '\n');
	add_settings(b, q->options[OPT_PROPERTY], true);
	sbuf_add_z(b, "[Service]\nType=exec\n");
	add_command(b, q->args, q->args_n);
	add_settings(b, q->options[OPT_PROPERTY], false);
}

/* --- asking --- */

struct asking {
	struct screen *screen;
	char path[256]; /* of the control socket */
	struct rows rows;
};

/* One question whose rows, if `verb` shows any, are shown as they come. The exit status. */
static int ask(struct asking *a, struct question *q)
{
	int status = STATUS_FAILED;
	int r;

	a->screen->verb = q->verb;
	rows_reset(&a->rows);
	r = client_ask(a->path, q, &a->rows, &status);
	if (r < 0)
		sbuf_addf(&a->screen->errors, "harkctl: the manager at %s does not answer: %s\n",
			  a->path, strerror(-r));
	return r < 0 ? STATUS_FAILED : status;
}

static int start(struct asking *a, const struct question *q, const char *name, const char *text)
{
	const char *args[] = {name, text};
	struct question make = {
		.verb = &verbs[VERB_TRANSIENT], .args = args, .args_n = 2, .arg = a->screen};

	make.on_row = q->options[OPT_QUIET] || q->options[OPT_WAIT] ? NULL : screen_row;
	make.options[OPT_NO_WAIT] = q->options[OPT_WAIT] ? "" : q->options[OPT_NO_WAIT];
	return ask(a, &make);
}

/* What it writes, until it has ended; then how it ended, as a shell tells it. */
static int wait_for(struct asking *a, const char *name)
{
	struct question follow = {.verb = &verbs[VERB_LOGS],
				  .args = &name,
				  .args_n = 1,
				  .arg = a->screen,
				  .on_row = screen_row,
				  .is_endless = true};
	struct question show = {.verb = &verbs[VERB_SHOW], .args = &name, .args_n = 1};
	struct question state = {.verb = &verbs[VERB_STATUS], .args = &name, .args_n = 1};
	uint64_t code, status;

	follow.options[OPT_FOLLOW] = follow.options[OPT_WAIT] = "";
	a->screen->is_value_only = true;
	if (ask(a, &follow) != STATUS_OK)
		return STATUS_FAILED;
	if (ask(a, &show) != STATUS_OK || !a->rows.first)
		return STATUS_FAILED;
	code = row_value(a->rows.first, "ExecMainCode");
	status = row_value(a->rows.first, "ExecMainStatus");
	if (str_eq_z(row_text(a->rows.first, "Result"), "success"))
		return (int)status;
	(void)!ask(a, &state);
	if (a->rows.first && row_text(a->rows.first, "reason").n)
		sbuf_addf(&a->screen->errors, "harkctl: %s: " STR_FMT "\n", name,
			  STR_ARG(row_text(a->rows.first, "reason")));
	if (!code)
		return STATUS_FAILED;
	return (int)status + (code == CLD_EXITED ? 0 : SIGNAL_STATUS);
}

/* What a service is called that was given this name. False: none can be. */
static bool name_service(struct screen *s, const char *given, char name[UNIT_NAME_MAX + 1])
{
	if (name_from_user(given, name, UNIT_NAME_MAX + 1) == 0 &&
	    str_has_suffix(str_of(name), STR(".service")))
		return true;
	sbuf_addf(&s->errors, "harkctl: \"%s\" is not a name for a service\n", given);
	return false;
}

int new_unit(struct screen *s, const struct question *q)
{
	char name[UNIT_NAME_MAX + 1];

	if (!name_service(s, q->args[0], name))
		return STATUS_USAGE;
	sbuf_addf(&s->paint.out, "# /etc/units/%s\n[Service]\n", name);
	add_command(&s->paint.out, q->args + 1, q->args_n - 1);
	sbuf_add_z(&s->paint.out, "Restart=on-failure\n");
	s->paint.line_at = s->paint.out.n;
	return STATUS_OK;
}

int run_command(struct screen *s, const struct question *q)
{
	struct asking a = {.screen = s};
	char given[64], name[UNIT_NAME_MAX + 1];
	struct sbuf text = {0};
	int status = STATUS_USAGE;

	client_path(a.path, sizeof(a.path));
	snprintf(given, sizeof(given), "run-%d.service", getpid());
	write_text(&text, q);
	rows_init(&a.rows);
	if (text.err) {
		sbuf_add_z(&s->errors, "harkctl: memory ran out\n");
	} else if (name_service(s, q->options[OPT_UNIT] ? q->options[OPT_UNIT] : given, name)) {
		status = start(&a, q, name, text.p);
		for (const struct row *row = a.rows.first; row && q->options[OPT_WAIT];
		     row = row->next)
			(void)screen_common(s, row);
		if (status == STATUS_OK && q->options[OPT_WAIT])
			status = wait_for(&a, name);
	}
	rows_fini(&a.rows);
	sbuf_fini(&text);
	return status;
}
