/* SPDX-License-Identifier: MIT */
#include "units/check.h"

#include <stdio.h>

#include "units/name.h"

void check_report(struct check *k, enum code code, struct diag_place at, const char *suggestion,
		  const char *fmt, ...)
{
	struct sbuf text = {0};
	va_list ap;

	va_start(ap, fmt);
	sbuf_addv(&text, fmt, ap);
	va_end(ap);
	if (text.p)
		diag_add(&k->config->diags, codes[code].code,
			 codes[code].code[0] == 'N' ? DIAG_NOTE : DIAG_WARNING, false, at,
			 suggestion, "%s", text.p);
	else
		k->config->diags.lost = true;
	sbuf_fini(&text);
}

const struct unit_line *check_find(const struct check *k, const char *key)
{
	const struct unit_line *found = NULL;

	for (const struct unit_line *l = k->lines; l; l = l->next)
		if (strcmp(l->key, key) == 0)
			found = l;
	return found;
}

/* --- dependencies --- */

enum weight { WEIGHT_NONE, WEIGHT_SOFT, WEIGHT_HARD };

/* What it means when the other unit is not there. */
static const uint8_t weights[DEP_TYPES] = {
	[DEP_REQUIRES] = WEIGHT_HARD,   [DEP_REQUISITE] = WEIGHT_HARD,
	[DEP_BINDS_TO] = WEIGHT_HARD,   [DEP_TRIGGERS] = WEIGHT_HARD,
	[DEP_ON_FAILURE] = WEIGHT_HARD, [DEP_ON_SUCCESS] = WEIGHT_HARD,
	[DEP_WANTS] = WEIGHT_SOFT,      [DEP_UPHOLDS] = WEIGHT_SOFT,
};

static struct diag_place place_of(const struct check *k, const struct dep *d)
{
	return (struct diag_place){d->file ? d->file : k->config->fragment, d->line, 0, 0};
}

/* The unit whose name is most like it and of the same type, or NULL. */
static const char *find_alike(const struct check *k, const char *name)
{
	enum { LIMIT = 2, SHORTEST = 4 }; /* bytes: every short name is like every other */
	unsigned best = LIMIT + 1;
	const char *found = NULL, *other;
	const void *at = NULL;

	while (name_prefix(name).n >= SHORTEST && load_next_name(k->world->load, &at, &other)) {
		unsigned distance = str_distance(str_of(name), str_of(other), LIMIT);

		if (unit_type_of(other) != unit_type_of(name) || distance > best ||
		    strcmp(other, k->config->name) == 0 ||
		    (distance == best && (!found || strcmp(other, found) > 0)))
			continue;
		best = distance;
		found = other;
	}
	return found;
}

static void check_target(struct check *k, const struct dep *d)
{
	bool is_hard = weights[d->type] == WEIGHT_HARD;
	char hint[UNIT_NAME_MAX + 32];
	const char *alike;

	if (weights[d->type] == WEIGHT_NONE || d->origin == DEP_DEFAULT ||
	    world_has(k->world, d->name))
		return;
	alike = find_alike(k, d->name);
	if (alike)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", alike);
	if (d->type == DEP_TRIGGERS)
		check_report(k, CODE_NO_SUCH_UNIT, place_of(k, d), alike ? hint : NULL,
			     "there is no %s, which this unit is to start", d->name);
	else if (is_hard)
		check_report(k, CODE_NO_SUCH_UNIT, place_of(k, d), alike ? hint : NULL,
			     "%s=%s: there is no such unit%s", dep_names[d->type], d->name,
			     d->type <= DEP_BINDS_TO ? "; a start will fail" : "");
	else
		check_report(k, CODE_NO_WANTED_UNIT, place_of(k, d), alike ? hint : NULL,
			     "%s=%s: there is no such unit; nothing is started for it",
			     dep_names[d->type], d->name);
}

static bool is_ordered(const struct unit_config *c, const char *name)
{
	return dep_exists(c, DEP_AFTER, name) || dep_exists(c, DEP_BEFORE, name);
}

static bool is_requirement(const struct dep *d)
{
	return d->type == DEP_REQUIRES || d->type == DEP_BINDS_TO || d->type == DEP_REQUISITE;
}

/* Does the other unit write the order? */
static bool is_ordered_by(const struct check *k, const char *name)
{
	const struct unit *u = registry_find(&k->world->registry, name);

	return u && u->config && is_ordered(u->config, k->config->name);
}

static void check_dep(struct check *k, const struct dep *d)
{
	const struct unit_config *c = k->config;
	int type = unit_type_of(d->name);

	if (strcmp(d->name, c->name) == 0)
		check_report(k, CODE_SELF, place_of(k, d), NULL,
			     "%s=%s names the unit itself; it has no effect", dep_names[d->type],
			     d->name);
	else if (is_requirement(d) && dep_exists(c, DEP_CONFLICTS, d->name))
		check_report(k, CODE_CONTRADICTION, place_of(k, d), NULL,
			     "%s is required and conflicted with: this unit cannot be started",
			     d->name);
	else if (is_requirement(d) && d->type != DEP_REQUISITE && type == UNIT_SERVICE &&
		 world_has(k->world, d->name) && !is_ordered(c, d->name) &&
		 !is_ordered_by(k, d->name))
		check_report(k, CODE_NO_ORDER, place_of(k, d), "add After= if it has to wait",
			     "%s=%s without After=: both are started at the same time",
			     dep_names[d->type], d->name);
}

static void check_deps(struct check *k)
{
	for (const struct dep *d = k->config->deps; d; d = d->next) {
		check_target(k, d);
		if (d->file)
			check_dep(k, d);
	}
}

/* --- [Install] --- */

/* A unit that is enabled for one that is not there is started by nothing. */
static void check_wanted_by(struct check *k, const struct unit_line *l)
{
	struct str rest = str_of(l->value), word;
	struct diag_place at = l->value_at;
	char name[UNIT_NAME_MAX + 1], hint[UNIT_NAME_MAX + 32];
	const char *alike;

	while (str_word(&rest, &word)) {
		if (word.n > UNIT_NAME_MAX || str_index(word, '%') < word.n)
			continue;
		snprintf(name, sizeof(name), STR_FMT, STR_ARG(word));
		if (!name_is_valid(name, NAME_PLAIN | NAME_INSTANCE) || world_has(k->world, name))
			continue;
		alike = find_alike(k, name);
		if (alike)
			snprintf(hint, sizeof(hint), "did you mean \"%s\"?", alike);
		at.col = l->value_at.col + (uint32_t)(word.p - l->value);
		at.end_col = at.col + (uint32_t)word.n;
		check_report(k, CODE_NO_WANTED_UNIT, at, alike ? hint : NULL,
			     "%s=%s: there is no such unit; %s", l->key, name,
			     strcmp(l->key, "Also") == 0
				     ? "it cannot be enabled along with this one"
				     : "to enable this one for it starts nothing");
	}
}

static void check_install(struct check *k)
{
	for (const struct unit_line *l = k->lines; l; l = l->next)
		if (l->directive->parser == PARSER_install && strcmp(l->key, "Alias") != 0 &&
		    !l->is_doubtful)
			check_wanted_by(k, l);
}

int check_unit(const struct world *w, struct unit_config *c)
{
	struct check k = {.world = w, .config = c, .arena = &c->arena};
	int r;

	if (c->load != LOAD_LOADED && c->load != LOAD_BAD)
		return 0;
	r = lines_read(c, &k.lines);
	if (r == 0) {
		check_lines(&k);
		check_deps(&k);
		check_install(&k);
		r = check_host(&k);
	}
	return r;
}
