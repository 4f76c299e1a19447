/* SPDX-License-Identifier: MIT */
#include "units/differ.h"

#include "units/exec_config.h"
#include "units/lines.h"
#include "units/show.h"
#include "units/socket.h"

struct comparing {
	const struct unit_config *old, *fresh;
	const struct unit_line *lines; /* of fresh */
	difference_fn fn;
	void *arg;
	struct sbuf old_text, fresh_text;
};

/* --- values as text --- */

static void separate(struct sbuf *out, const char *by)
{
	sbuf_add_z(out, out->n ? by : "");
}

static void write_command(const struct command *c, struct sbuf *out)
{
	separate(out, " ; ");
	sbuf_addf(out, "%s%s%s%s", c->ignore_failure ? "-" : "", c->no_env_expand ? ":" : "",
		  c->full_privileges ? "+" : "", c->no_setuid ? "!" : "");
	for (uint32_t k = 0; k < c->argc; k++) {
		sbuf_add_z(out, k ? " " : "");
		show_quoted(k ? c->argv[k] : c->path, out);
	}
}

static void write_commands(const struct directive *d, const void *member, struct sbuf *out)
{
	for (const struct command *c = *(struct command *const *)member; c; c = c->behind)
		if (c->list == d->num)
			write_command(c, out);
}

static void write_listeners(const struct directive *d, const void *member, struct sbuf *out)
{
	for (const struct listener *l = *(struct listener *const *)member; l; l = l->next)
		if (l->kind == d->num) {
			separate(out, " ");
			sbuf_add_z(out, l->text);
		}
}

static void write_stdio(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	const struct stdio *s = member;

	if (s->kind < STDIO_KINDS && stdio_names[s->kind])
		sbuf_addf(out, "%s%s%s", stdio_names[s->kind], s->path ? ":" : "",
			  s->path ? s->path : "");
}

/* One side of a limit. */
static void write_bound(uint64_t value, struct sbuf *out)
{
	if (value == UINT64_MAX)
		sbuf_add_z(out, "infinity");
	else
		sbuf_addf(out, "%llu", (unsigned long long)value);
}

static void write_limits(const struct directive *d, const void *member, struct sbuf *out)
{
	for (const struct limit *l = *(struct limit *const *)member; l; l = l->next) {
		if (l->resource != d->num)
			continue;
		write_bound(l->soft, out);
		sbuf_add_z(out, ":");
		write_bound(l->hard, out);
	}
}

/* Of those that come from files: what follows from other settings is shown by these. */
static void write_deps(const struct directive *d, const void *member, struct sbuf *out)
{
	for (const struct dep *dep = *(struct dep *const *)member; dep; dep = dep->next)
		if (dep->type == d->num && dep->origin == DEP_FILE) {
			separate(out, " ");
			sbuf_add_z(out, dep->name);
		}
}

static void write_directory(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	const char *path = *(const char *const *)member;

	sbuf_add_z(out, path ? path : "");
}

static void write_capabilities(const struct directive *d UNUSED, const void *member,
			       struct sbuf *out)
{
	show_capabilities(*(const uint64_t *)member, out);
}

static void write_namespaces(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	show_namespaces(*(const uint8_t *)member, out);
}

/* What show.h has no text for. */
static void (*const writers[PARSERS])(const struct directive *d, const void *member,
				      struct sbuf *out) = {
	[PARSER_commands] = write_commands,
	[PARSER_listen] = write_listeners,
	[PARSER_stdio] = write_stdio,
	[PARSER_limit] = write_limits,
	[PARSER_deps] = write_deps,
	[PARSER_working_directory] = write_directory,
	[PARSER_capabilities] = write_capabilities,
	[PARSER_namespaces] = write_namespaces,
};

static void write_value(const struct directive *d, const struct unit_config *c, struct sbuf *out)
{
	const void *member = directive_member(d, c);

	sbuf_reset(out);
	if (member && writers[d->parser])
		writers[d->parser](d, member, out);
	else
		show_value(d, c, out);
}

/* --- comparing --- */

/* The last line of the newer files that speaks of it, by its name of today. */
static const struct unit_line *line_of(const struct comparing *x, const struct directive *d)
{
	const struct unit_line *found = NULL;

	for (const struct unit_line *l = x->lines; l; l = l->next) {
		enum section section = (enum section)l->section;
		const struct directive *now = directive_renamed(l->directive, &section);

		if ((now ? now : l->directive) == d && !l->is_bad)
			found = l;
	}
	return found;
}

static void compare(struct comparing *x, const struct directive *d)
{
	struct difference found = {.name = d->name};
	const struct unit_line *line;

	write_value(d, x->old, &x->old_text);
	write_value(d, x->fresh, &x->fresh_text);
	if (x->old_text.n == x->fresh_text.n &&
	    (x->old_text.n == 0 || memcmp(x->old_text.p, x->fresh_text.p, x->old_text.n) == 0))
		return;
	found.old = x->old_text.n ? x->old_text.p : "";
	found.fresh = x->fresh_text.n ? x->fresh_text.p : "";
	line = line_of(x, d);
	if (line) {
		found.file = line->name_at.file;
		found.line = line->name_at.line;
	}
	x->fn(x->arg, &found);
}

int differ(const struct unit_config *old, struct unit_config *fresh, difference_fn fn, void *arg)
{
	struct comparing x = {.old = old, .fresh = fresh, .fn = fn, .arg = arg};
	int type = unit_type_of(fresh->name);
	struct unit_line *lines;
	unsigned groups = 0;
	int r = lines_read(fresh, &lines);

	if (r < 0)
		return r;
	x.lines = lines;
	for (unsigned s = 0; s < SECTIONS; s++)
		if (type >= 0 && section_fits((enum section)s, (enum unit_type)type))
			groups |= section_groups((enum section)s);
	for (unsigned g = 0; g < GROUPS; g++)
		for (unsigned k = 0; groups >> g & 1 && k < directive_groups[g].n; k++)
			if (directive_groups[g].rows[k].verdict != LEGACY && g != GROUP_CONDITION)
				compare(&x, &directive_groups[g].rows[k]);
	sbuf_fini(&x.old_text);
	sbuf_fini(&x.fresh_text);
	return 0;
}
