/* SPDX-License-Identifier: MIT */
#include "units/lines.h"

#include <fcntl.h>

#include "core/fd.h"
#include "units/builtin.h"

enum { FILE_MAX = 4 * 1024 * 1024 };

struct reading {
	struct unit_config *config;
	struct unit_line **end;
};

/* The worst that was said about a line; DIAG_NOTE also when nothing was. */
static enum diag_severity worst_of(const struct unit_config *c, const char *file, uint32_t line)
{
	enum diag_severity worst = DIAG_NOTE;

	for (const struct diag *d = c->diags.first; d; d = d->next)
		if (d->line == line && d->file && strcmp(d->file, file) == 0 && d->severity > worst)
			worst = d->severity;
	return worst;
}

static int add_line(struct reading *r, const struct ini *ini, const struct ini_item *item,
		    const char *file)
{
	struct arena *arena = &r->config->arena;
	int section = section_find(item->section), type = unit_type_of(r->config->name);
	const struct directive *d = NULL;
	struct unit_line *l;

	if (section >= 0 && type >= 0 && section_fits((enum section)section, (enum unit_type)type))
		d = directive_find((enum section)section, item->key);
	if (!d)
		return 0;
	l = arena_get(arena, sizeof(*l));
	if (!l)
		return -ENOMEM;
	*l = (struct unit_line){
		.section = (uint8_t)section,
		.directive = d,
		.key = arena_dup(arena, item->key.p, item->key.n),
		.value = arena_dup(arena, item->value.p, item->value.n),
		.name_at = {file, item->line, item->col, item->end_col},
		.value_at = {.file = file},
	};
	if (!l->key || !l->value)
		return -ENOMEM;
	for (uint32_t line = item->line; line <= ini->line; line++) {
		enum diag_severity worst = worst_of(r->config, file, line);

		l->is_doubtful |= worst > DIAG_NOTE;
		l->is_bad |= worst == DIAG_ERROR;
	}
	ini_locate(ini, item, 0, &l->value_at.line, &l->value_at.col);
	l->value_at.end_col = l->value_at.col + (uint32_t)item->value.n;
	*r->end = l;
	r->end = &l->next;
	return 0;
}

static int add_text(struct reading *r, const char *file, struct str text)
{
	struct ini_item item;
	struct ini ini;
	int kind, err = 0;

	ini_init(&ini, text, &r->config->arena);
	while (err == 0 && (kind = ini_next(&ini, &item)) != INI_END) {
		if (kind < 0)
			return kind;
		if (kind == INI_ASSIGNMENT)
			err = add_line(r, &ini, &item, file);
	}
	return err;
}

/* A file that cannot be read was told of when it was loaded. */
static int add_file(struct reading *r, const char *file)
{
	AUTO_MEM char *text = NULL;
	size_t n = 0;
	int err = fd_read_file(AT_FDCWD, file, FILE_MAX, &text, &n);

	if (err < 0)
		return err == -ENOMEM ? err : 0;
	return add_text(r, file, (struct str){text, n});
}

int lines_read(struct unit_config *c, struct unit_line **ret_first)
{
	struct reading r = {c, ret_first};
	int err = 0;

	*ret_first = NULL;
	if (c->fragment && c->fragment[0] == '(' && builtin_unit(c->name))
		err = add_text(&r, c->fragment, str_of(builtin_unit(c->name)));
	else if (c->fragment)
		err = add_file(&r, c->fragment);
	for (const struct name_list *d = c->dropins; err == 0 && d; d = d->next)
		err = add_file(&r, d->text);
	return err;
}
