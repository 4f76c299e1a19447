/* SPDX-License-Identifier: MIT */
/* A line of the mount table as a unit: its name, and the text of a unit that has no file. */
#include "activate/mounts_inside.h"
#include "core/mem.h"
#include "core/mountns.h"
#include "units/mount.h"

bool mounts_name_of(const struct mount_line *line, char out[UNIT_NAME_MAX + 1])
{
	char path[UNIT_NAME_MAX + 1];

	return mountinfo_text(line, line->point, path, sizeof(path)) && !mount_is_api(path) &&
	       mount_unit_name(str_of(path), out);
}

bool mounts_is_mount(const struct mount_line *line)
{
	return !str_eq_z(line->type, "autofs");
}

bool mounts_find_id(struct str table, uint64_t id, struct mount_line *ret)
{
	while (mountinfo_next(&table, ret))
		if (ret->id == id)
			return true;
	return false;
}

bool mounts_find_line(const char *name, char **text, struct mount_line *ret)
{
	char own[UNIT_NAME_MAX + 1];
	struct str rest;

	if (proc_table_read(MOUNT_TABLE, text, &rest) < 0)
		return false;
	while (mountinfo_last(&rest, ret))
		if (mounts_is_mount(ret) && mounts_name_of(ret, own) && strcmp(own, name) == 0)
			return true;
	return false;
}

/* A path or word of the table as a value of a unit file, and more behind it: not more than one line, and no specifier. */
static void add_value(struct sbuf *b, const char *key, const struct mount_line *line,
		      struct str value, const char *more)
{
	static char text[4096];

	if (!line->is_plain) {
		if (!mountinfo_unescape(value, text, sizeof(text)))
			return;
		value = str_of(text);
	}
	sbuf_add_z(b, key);
	for (size_t k = 0; k < value.n; k++) {
		if (value.p[k] == '%')
			sbuf_add_c(b, '%');
		sbuf_add_c(b, value.p[k] == '\n' ? ' ' : value.p[k]);
	}
	sbuf_add_z(b, more);
	sbuf_add_c(b, '\n');
}

/*
 * The unit of the mount that this one lies on; "": the root, or one without a unit. table: of which the line is, if it is of one. True: the
 * same is so for all that lie on that mount.
 */
static bool find_parent(const struct mount_line *line, struct str table,
			char name[UNIT_NAME_MAX + 1])
{
	_Alignas(uint64_t) static char text[MOUNTNS_TEXT];
	enum { LAYERS_MOST = 64 };
	char own[UNIT_NAME_MAX + 1];
	struct mount_line above = *line;

	if (!mounts_name_of(line, own))
		own[0] = '\0';
	/* Several may lie at one place. */
	for (unsigned n = 0; n < LAYERS_MOST; n++) {
		uint64_t id = above.parent;
		bool is_known = line->is_plain ? mountns_stat(id, text, &above) == 0
					       : mounts_find_id(table, id, &above);

		if (!is_known)
			break;
		if (!mounts_name_of(&above, name) || str_eq_z(above.point, "/"))
			name[0] = '\0';
		if (strcmp(name, own) != 0)
			return n == 0;
	}
	name[0] = '\0';
	return false;
}

/*
 * Others mount for themselves: only the machine's own manager unmounts it at the end, before what it lies on and after all that began when
 * local file systems were there.
 */
static void add_order(struct sbuf *b, struct hark *h, const struct mount_line *line,
		      struct str table)
{
	struct mounts *w = h->mounts;

	if (!h->is_pid1 || !w) {
		sbuf_add_z(b, "DefaultDependencies=no\n");
		return;
	}
	/* Most mounts of a storm lie on the same one. */
	if (w->parent_id != line->parent)
		w->parent_id = find_parent(line, table, w->parent) ? line->parent : 0;
	if (w->parent[0])
		sbuf_addf(b, "After=%s\n", w->parent);
}

/* Was mount(8) told so? */
static bool needs_network(const struct mounts *w, const char *name)
{
	char place[UNIT_NAME_MAX + 1], own[UNIT_NAME_MAX + 1];
	struct str rest = utab_lines(&w->utab);

	while (utab_next(&rest, place, sizeof(place)))
		if (mount_unit_name(str_of(place), own) && strcmp(own, name) == 0)
			return true;
	return false;
}

char *mounts_unit_text(struct hark *h, const char *name)
{
	const struct mounts *w = h->mounts;
	const struct mount_line *line = w && w->line && strcmp(w->line_name, name) == 0 ? w->line
											: NULL;
	struct str whole = w ? w->whole : (struct str){NULL, 0};
	AUTO_MEM char *table = NULL;
	struct mount_line found;
	struct sbuf b = {0};

	if (!line) {
		line = mounts_find_line(name, &table, &found) ? &found : NULL;
		whole = str_of(table);
	}
	if (!line)
		return NULL;
	sbuf_add_z(&b, "[Unit]\n");
	add_order(&b, h, line, whole);
	sbuf_add_z(&b, "[Mount]\n");
	add_value(&b, "What=", line, line->source, "");
	add_value(&b, "Where=", line, line->point, "");
	add_value(&b, "Type=", line, line->type, "");
	add_value(&b, "Options=", line, line->options,
		  w && needs_network(w, name) ? ",_netdev" : "");
	return sbuf_take(&b);
}
