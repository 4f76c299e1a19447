/* SPDX-License-Identifier: MIT */
#include "units/dump.h"

#include <stdio.h>

#include "units/condition.h"
#include "units/directive.h"
#include "units/dump_line.h"
#include "units/name.h"
#include "units/needs.h"
#include "units/show.h"
#include "units/value.h"

/* --- the table --- */

enum dump_way { WAY_VALUE, WAY_EACH, WAY_JOIN, WAY_FIXED, WAY_MADE };

struct dump_row {
	const char *key;
	uint8_t way;      /* enum dump_way */
	const char *name; /* of the directive */
	const char
		*text; /* VALUE: no line when the value is so, NULL: always one; FIXED: the text */
	void (*make)(struct dumping *d);
};

#define SHOW(directive) {#directive, WAY_VALUE, #directive, NULL, NULL},
#define AS(directive, key, unless) {key, WAY_VALUE, #directive, unless, NULL},
#define EACH(directive, key) {key, WAY_EACH, #directive, NULL, NULL},
#define JOIN(directive) {#directive, WAY_JOIN, #directive, NULL, NULL},
#define FIXED(key, text) {key, WAY_FIXED, NULL, text, NULL},
#define MADE(function) {NULL, WAY_MADE, NULL, NULL, dump_##function},
#define BEGIN(group) static const struct dump_row rows_##group[] = {
#define END(group) \
	}          \
	;
#include "units/dump.def"

/* The groups are those of directives, and one that only loaded units have. */
enum { GROUP_LOADED = GROUPS, DUMP_GROUPS };

static const struct dump_group {
	const struct dump_row *rows;
	unsigned n;
} groups[DUMP_GROUPS] = {
#define SHOW(directive)
#define AS(directive, key, unless)
#define EACH(directive, key)
#define JOIN(directive)
#define FIXED(key, text)
#define MADE(function)
#define BEGIN(group) [GROUP_##group] = {rows_##group, ARRAY_SIZE(rows_##group)},
#define END(group)
#include "units/dump.def"
};

/* --- lines --- */

void dump_key(struct dumping *d, const char *key)
{
	sbuf_addf(d->out, "\t%s: ", key);
}

void dump_line(struct dumping *d, const char *key, const char *fmt, ...)
{
	va_list ap;

	dump_key(d, key);
	va_start(ap, fmt);
	sbuf_addv(d->out, fmt, ap);
	va_end(ap);
	sbuf_add_c(d->out, '\n');
}

/* Settings in seconds are shown without what is below one, but for those that are less. */
static bool is_span(const struct directive *at)
{
	return at->parser == PARSER_span || at->parser == PARSER_span_or_never ||
	       at->parser == PARSER_start_timeout;
}

static void dump_value(struct dumping *d, const struct dump_row *row, const struct directive *at)
{
	struct sbuf text = {0};

	if (is_span(at))
		show_seconds(*(const uint64_t *)directive_member(at, d->config), &text);
	else
		show_value(at, d->config, &text);
	if (text.err)
		d->err = text.err;
	else if (!row->text || strcmp(text.p ? text.p : "", row->text) != 0)
		dump_line(d, row->key, "%s", text.p ? text.p : "");
	sbuf_fini(&text);
}

static void dump_row(struct dumping *d, const struct dump_row *row, const struct directive *at)
{
	const struct name_list *items = at ? show_items(at, d->config) : NULL;

	switch ((enum dump_way)row->way) {
	case WAY_VALUE:
		if (directive_member(at, d->config))
			dump_value(d, row, at);
		return;
	case WAY_EACH:
		for (; items; items = items->next)
			dump_line(d, row->key, "%s", items->text);
		return;
	case WAY_JOIN:
		if (items)
			dump_value(d, row, at);
		return;
	case WAY_FIXED:
		dump_line(d, row->key, "%s", row->text);
		return;
	case WAY_MADE:
		row->make(d);
		return;
	}
}

/* The directive of a row, NULL when it has none. */
static const struct directive *directive_of(unsigned group, const struct dump_row *row)
{
	enum directive_group of = group == GROUP_LOADED ? GROUP_UNIT : (enum directive_group)group;

	return row->name ? directive_in_group(of, str_of(row->name)) : NULL;
}

static void dump_group(struct dumping *d, unsigned group)
{
	for (unsigned k = 0; k < groups[group].n; k++) {
		const struct dump_row *row = &groups[group].rows[k];

		dump_row(d, row, directive_of(group, row));
	}
}

const char *dump_key_without_value(void)
{
	for (unsigned g = 0; g < DUMP_GROUPS; g++)
		for (unsigned k = 0; k < groups[g].n; k++) {
			const struct dump_row *row = &groups[g].rows[k];
			const struct directive *at = directive_of(g, row);

			if (row->name &&
			    (!at || !at->base || !show_knows((enum parser_kind)at->parser)))
				return row->name;
		}
	return NULL;
}

/* The section that only units of that type have, or -1. */
static int section_of(const char *name)
{
	int type = unit_type_of(name);

	for (int k = SECTION_INSTALL + 1; type >= 0 && k < SECTIONS; k++)
		if (section_fits((enum section)k, (enum unit_type)type))
			return k;
	return -1;
}

int dump_unit(struct closure *g, const struct closure_unit *u, struct sbuf *out)
{
	struct dumping d = {.closure = g, .unit = u, .config = u->config, .out = out};
	int section = section_of(u->name);
	unsigned own = section < 0 ? 0 : section_groups((enum section)section);

	sbuf_addf(out, "Unit %s\n", u->name);
	dump_group(&d, GROUP_UNIT);
	if (u->config->load == LOAD_LOADED)
		dump_group(&d, GROUP_LOADED);
	for (unsigned k = 0; u->config->load == LOAD_LOADED && k < GROUPS; k++)
		if (own & 1u << k)
			dump_group(&d, k);
	return out->err ? out->err : d.err;
}

/* --- of every unit --- */

/* The aliases of a template are templates: those of its instances have their instance. */
void dump_aliases(struct dumping *d)
{
	char name[UNIT_NAME_MAX + 1];
	const struct load_entry *e = index_find(d->closure->load, str_of(d->unit->name));

	for (const struct load_entry *a = e ? e->tie->aliases : NULL; a; a = a->tie->alias_next)
		dump_line(d, "Alias", "%s", a->name);
	if (!d->config->instance || name_template(d->unit->name, name, sizeof(name)) < 0)
		return;
	e = index_find(d->closure->load, str_of(name));
	for (const struct load_entry *a = e ? e->tie->aliases : NULL; a; a = a->tie->alias_next)
		if (name_with_instance(a->name, str_of(d->config->instance), name, sizeof(name)) ==
		    0)
			dump_line(d, "Alias", "%s", name);
}

void dump_identity(struct dumping *d)
{
	const struct unit_config *c = d->config;

	dump_line(d, "Description", "%s", c->description ? c->description : d->unit->name);
	dump_line(d, "Instance", "%s", c->instance ? c->instance : "n/a");
	dump_line(d, "Unit Load State", "%s", load_state_names[c->load]);
	dump_line(d, "Unit Active State", "inactive");
	dump_line(d, "Perpetual", "%s", c->is_perpetual ? "yes" : "no");
}

/* The one time span of all units that is told to the last digit. */
void dump_job_timeout(struct dumping *d)
{
	char text[128];

	if (d->config->unit->job_timeout_us == TIME_NEVER)
		return;
	value_format_span(d->config->unit->job_timeout_us, text, sizeof(text));
	dump_line(d, "Job Timeout", "%s", text);
}

void dump_slice(struct dumping *d)
{
	if (d->config->exec || unit_type_of(d->unit->name) == UNIT_SLICE)
		dump_line(d, "Slice", "%s", d->config->slice ? d->config->slice : "n/a");
}

void dump_files(struct dumping *d)
{
	if (d->config->fragment)
		dump_line(d, "Fragment Path", "%s", d->config->fragment);
	if (d->config->unit->source_path)
		dump_line(d, "Source Path", "%s", d->config->unit->source_path);
	for (const struct name_list *n = d->config->dropins; n; n = n->next)
		dump_line(d, "DropIn Path", "%s", n->text);
}

void dump_conditions(struct dumping *d)
{
	for (const struct condition *c = d->config->unit->conditions; c; c = c->next)
		sbuf_addf(d->out, "\t%s%s: %s%s%s untested\n",
			  c->is_assert ? "Assert" : "Condition", condition_names[c->kind],
			  c->is_trigger ? "|" : "", c->is_negated ? "!" : "", c->parameter);
}

static void add_origins(struct dumping *d, const char *side, uint16_t bits, bool *is_first)
{
	for (unsigned k = 0; k < RELATION_ORIGINS; k++) {
		if (!(bits >> k & 1))
			continue;
		sbuf_addf(d->out, "%s%s-%s", *is_first ? "" : " ", side, relation_origin_names[k]);
		*is_first = false;
	}
}

static void dump_related(struct dumping *d, const char *key, const char *other, uint16_t origins,
			 uint16_t destinations)
{
	bool is_first = true;

	dump_key(d, key);
	sbuf_addf(d->out, "%s (", other);
	add_origins(d, "origin", origins, &is_first);
	add_origins(d, "destination", destinations, &is_first);
	sbuf_add_z(d->out, ")\n");
}

void dump_relations(struct dumping *d)
{
	struct relation *r;

	d->err = closure_relations(d->closure, d->unit, &r);
	for (r = d->err ? NULL : r; r; r = r->next)
		if (r->type != DEP_REFERENCES) /* every dependency is one */
			dump_related(d, dep_names[r->type], r->other, r->origins, r->destinations);
}

void dump_mounts(struct dumping *d)
{
	struct mount_need *n;

	d->err = needs_paths(d->config, &d->closure->arena, &n);
	for (n = d->err ? NULL : n; n; n = n->next)
		dump_related(d, "RequiresMountsFor", n->path, closure_origins(n->origins), 0);
}
