/* SPDX-License-Identifier: MIT */
#include "units/canonical.h"

#include "units/lines.h"
#include "units/value.h"

/* How the lines of one directive work together, by the kind of their value. */
enum way {
	WAY_LIST,   /* each adds to those before it, or does what only the reader knows */
	WAY_FORGET, /* the same; an empty one forgets them all, and nothing else */
	WAY_LAST,   /* the last one counts */
};

static const uint8_t ways[PARSERS] = {
	[PARSER_commands] = WAY_FORGET,        [PARSER_environment] = WAY_FORGET,
	[PARSER_condition] = WAY_FORGET,       [PARSER_environment_file] = WAY_FORGET,
	[PARSER_install] = WAY_FORGET,         [PARSER_documentation] = WAY_FORGET,
	[PARSER_mounts_for] = WAY_FORGET,      [PARSER_users] = WAY_FORGET,
	[PARSER_directories] = WAY_FORGET,     [PARSER_listen] = WAY_FORGET,
	[PARSER_variables] = WAY_FORGET,       [PARSER_sockets] = WAY_FORGET,
	[PARSER_exit_set] = WAY_FORGET,        [PARSER_text] = WAY_LAST,
	[PARSER_description] = WAY_LAST,       [PARSER_path] = WAY_LAST,
	[PARSER_pid_file] = WAY_LAST,          [PARSER_user] = WAY_LAST,
	[PARSER_unit_name] = WAY_LAST,         [PARSER_slice] = WAY_LAST,
	[PARSER_exit_status] = WAY_LAST,       [PARSER_bus_name] = WAY_LAST,
	[PARSER_fd_name] = WAY_LAST,           [PARSER_interface] = WAY_LAST,
	[PARSER_working_directory] = WAY_LAST,
};

/* The row of a line by the name of today. */
static const struct directive *row_of(const struct unit_line *l)
{
	enum section section = (enum section)l->section;
	const struct directive *now = directive_renamed(l->directive, &section);

	return now ? now : l->directive;
}

/* What cannot be empty holds one value. */
static enum way way_of(const struct unit_line *l)
{
	if (!parsers[l->directive->parser].takes_empty)
		return WAY_LAST;
	return (enum way)ways[l->directive->parser];
}

static bool is_condition(const struct unit_line *l)
{
	return l->directive->parser == PARSER_condition;
}

/* Do both lines belong to the same list? An empty condition forgets all kinds of conditions, or of assertions. */
static bool is_same_list(const struct unit_line *a, const struct unit_line *b)
{
	return is_condition(a) && is_condition(b) ? a->key[0] == b->key[0] : row_of(a) == row_of(b);
}

/* An error in a list is one of its words, in another line the whole of it. A refusal has to stay one. */
static bool is_void(const struct unit_line *l)
{
	return l->is_bad && way_of(l) == WAY_LAST && !l->directive->is_strict;
}

/* Do the lines before it that belong to the same list have no effect? */
static bool settles(const struct unit_line *l)
{
	enum way way = way_of(l);

	return way == WAY_LAST ? !is_void(l) : way == WAY_FORGET && !l->value[0];
}

/* Has the line itself any effect, if none behind it takes that away? */
static bool says_something(const struct unit_line *l)
{
	bool is_empty_list = way_of(l) == WAY_FORGET || l->directive->parser == PARSER_deps;

	return !is_void(l) && (l->value[0] || !is_empty_list);
}

/* A list about which nothing counts that stands above `by`. */
struct settled {
	struct settled *next;
	const struct unit_line *by;
};

static bool is_settled(const struct settled *s, const struct unit_line *l)
{
	if (way_of(l) == WAY_LIST)
		return false;
	while (s && !is_same_list(s->by, l))
		s = s->next;
	return s;
}

/* The list the other way round. */
static struct unit_line *turned(struct unit_line *l)
{
	struct unit_line *out = NULL, *next;

	for (; l; l = next) {
		next = l->next;
		l->next = out;
		out = l;
	}
	return out;
}

/* Takes out the lines that have no effect on the outcome. 0 or -ENOMEM. */
static int drop_idle(struct unit_line **lines, struct arena *arena)
{
	struct unit_line *last = turned(*lines), **at = &last;
	struct settled *settled = NULL, *s;
	const struct unit_line *l;

	while ((l = *at)) {
		bool had_effect = !is_settled(settled, l);

		if (had_effect && settles(l)) {
			s = arena_get(arena, sizeof(*s));
			if (!s)
				return -ENOMEM;
			*s = (struct settled){settled, l};
			settled = s;
		}
		if (had_effect && says_something(l))
			at = &(*at)->next;
		else
			*at = l->next;
	}
	*lines = turned(last);
	return 0;
}

/* --- names and values --- */

/* The section and the name by which a line is known today. */
static enum section rename_line(const struct unit_line *l, const char **ret_key)
{
	enum section section = (enum section)l->section;
	const struct directive *now = directive_renamed(l->directive, &section);

	*ret_key = now ? now->name : l->key;
	return section;
}

static void write_value(const struct unit_line *l, struct sbuf *out)
{
	struct str value = str_of(l->value);
	char text[128];
	uint32_t mode;
	uint64_t us;
	bool flag;

	if (l->directive->parser == PARSER_bool && value_bool(value, &flag) == 0) {
		sbuf_add_z(out, flag ? "yes" : "no");
	} else if (l->directive->parser == PARSER_mode && value_mode(value, &mode) == 0) {
		sbuf_addf(out, "%04o", mode);
	} else if (l->directive->parser == PARSER_span && value_span(value, US_PER_SEC, &us) == 0) {
		value_format_span(us, text, sizeof(text));
		sbuf_add_z(out, text);
	} else {
		sbuf_add(out, value);
	}
}

/* --- the file --- */

static void write_links(const struct unit_config *c, struct sbuf *out)
{
	for (const struct dep *d = c->deps; d; d = d->next)
		if (d->origin == DEP_FILE && !d->file)
			sbuf_addf(out, "%s=%s\n", dep_names[d->type], d->name);
}

static void write_section(const struct unit_config *c, const struct unit_line *lines,
			  enum section section, struct sbuf *out)
{
	struct sbuf body = {0};

	for (const struct unit_line *l = lines; l; l = l->next) {
		const char *key;

		if (rename_line(l, &key) != section)
			continue;
		sbuf_addf(&body, "%s=", key);
		write_value(l, &body);
		sbuf_add_c(&body, '\n');
	}
	if (section == SECTION_UNIT)
		write_links(c, &body);
	if (body.n)
		sbuf_addf(out, "\n[%s]\n%s", section_name(section), body.p);
	out->err = out->err ? out->err : body.err;
	sbuf_fini(&body);
}

int canonical_write(struct unit_config *c, struct sbuf *out)
{
	struct unit_line *lines;
	int r;

	/* Of the lines without a finding some are bad then, and nobody knows which. */
	if (c->diags.lost)
		return 0;
	r = lines_read(c, &lines);
	if (r == 0)
		r = drop_idle(&lines, &c->arena);
	if (r < 0)
		return r;
	sbuf_addf(out, "# %s\n", c->name);
	if (c->fragment)
		sbuf_addf(out, "# %s\n", c->fragment);
	for (const struct name_list *d = c->dropins; d; d = d->next)
		sbuf_addf(out, "# %s\n", d->text);
	write_section(c, lines, SECTION_UNIT, out);
	for (unsigned section = 0; section < SECTIONS; section++)
		if (section != SECTION_UNIT && section != SECTION_INSTALL)
			write_section(c, lines, (enum section)section, out);
	write_section(c, lines, SECTION_INSTALL, out);
	return out->err;
}
