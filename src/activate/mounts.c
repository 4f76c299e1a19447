/* SPDX-License-Identifier: MIT */
#include "activate/mounts.h"

#include "activate/output.h"
#include "activate/proc_table.h"
#include "activate/swaps.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/mountinfo.h"
#include "units/mount_unit.h"

static const char table_path[] = "/proc/self/mountinfo";

struct mounts {
	struct proc_table table;
	struct hark *hark;
	const struct mount_line *line; /* in hand during a look: the unit of it is loaded */
};

/* The unit's name for a place; false: it is too long to have one. */
static bool name_of(struct str point, char out[UNIT_NAME_MAX + 1])
{
	char path[UNIT_NAME_MAX + 1];

	return mountinfo_unescape(point, path, sizeof(path)) && mount_unit_name(str_of(path), out);
}

/* 0 or -ENOMEM */
static int take_line(struct hark *h, const struct mount_line *line)
{
	char name[UNIT_NAME_MAX + 1];
	struct unit *u;
	struct mount_unit *m;
	int r;

	if (!name_of(line->point, name) || !unit_name_check(&h->reg, name))
		return 0;
	/* Only the machine's own manager makes units of mounts that nobody asks for. */
	u = h->is_pid1 ? registry_get(&h->reg, name) : registry_find(&h->reg, name);
	if (!u)
		return h->is_pid1 ? -ENOMEM : 0;
	h->mounts->line = line;
	r = engine_load(&h->engine, u);
	h->mounts->line = NULL;
	if (r < 0)
		return -ENOMEM;
	m = mount_of(u);
	if (m->was_seen) /* what it lies over */
		return 0;
	m->was_seen = true;
	if (!m->is_mounted || u->state == MNT_DEAD || u->state == MNT_FAILED)
		engine_post_simple(&h->engine, u, EV_MOUNTED, 0, 0, 0);
	return 0;
}

static void look(struct proc_table *t)
{
	struct hark *h = container_of(t, struct mounts, table)->hark;
	AUTO_MEM char *text = NULL;
	struct mount_line line;
	struct str rest;
	int r = proc_table_read(table_path, &text, &rest);

	/* Newest first: what lies over others at its place is what is seen there. */
	while (r == 0 && mountinfo_last(&rest, &line))
		r = take_line(h, &line);
	for (uint32_t i = 0; i < h->reg.n; i++) {
		struct unit *u = registry_unit(&h->reg, i);
		struct mount_unit *m = u && u->type == UNIT_MOUNT ? mount_of(u) : NULL;

		if (!m)
			continue;
		if (r == 0 && !m->was_seen && (m->is_mounted || u->state == MNT_MOUNTED))
			engine_post_simple(&h->engine, u, EV_UNMOUNTED, 0, 0, 0);
		m->was_seen = false;
	}
	if (r < 0)
		proc_table_retry(t, r);
}

/* The last thing said, without the name of who says it, or NULL. Owned by the caller. */
static char *last_words(struct unit *u)
{
	struct str line, last = {NULL, 0};
	uint64_t wall_us;
	unsigned at = 0;

	while (output_line(u, &at, &line, &wall_us))
		if (line.n)
			last = line;
	if (str_has_prefix(last, STR("hark-mount: ")))
		last = str_sub(last, strlen("hark-mount: "), last.n);
	return last.n ? mem_dup(last.p, last.n) : NULL;
}

void mounts_ended(struct hark *h, struct mount_unit *m, bool is_good)
{
	if (m->unit.type == UNIT_SWAP)
		swaps_refresh(h);
	else
		mounts_refresh(h);
	output_end(h, &m->unit);
	mem_put((void *)(uintptr_t)m->fail_text);
	m->fail_text = is_good ? NULL : last_words(&m->unit);
	if (m->fail_text)
		log_at(LOG_ERROR, "%s: %s", m->unit.name, m->fail_text);
}

void mounts_refresh(struct hark *h)
{
	if (h->mounts)
		proc_table_look(&h->mounts->table);
}

int mounts_open(struct hark *h)
{
	struct mounts *w = mem_get(sizeof(*w));
	int r;

	if (!w)
		return err_here(-ENOMEM);
	w->hark = h;
	r = proc_table_open(&w->table, &h->loop, table_path, look);
	if (r < 0) {
		mem_put(w);
		return r;
	}
	h->mounts = w;
	mounts_refresh(h);
	return 0;
}

static void add_value(struct sbuf *b, const char *key, struct str value)
{
	char text[4096];

	if (!mountinfo_unescape(value, text, sizeof(text)))
		return;
	sbuf_addf(b, "%s=", key);
	for (const char *p = text; *p; p++) {
		if (*p == '%') /* no specifier */
			sbuf_add_c(b, '%');
		sbuf_add_c(b, *p == '\n' ? ' ' : *p);
	}
	sbuf_add_c(b, '\n');
}

/* The mount that is seen at the place of that name, if any; *text is where its pieces lie, owned by the caller. */
static bool find_line(const char *name, char **text, struct mount_line *ret)
{
	char own[UNIT_NAME_MAX + 1];
	struct str rest;

	if (proc_table_read(table_path, text, &rest) < 0)
		return false;
	while (mountinfo_last(&rest, ret))
		if (name_of(ret->point, own) && strcmp(own, name) == 0)
			return true;
	return false;
}

/* The unit whose line is in hand; the table need not be searched for it. */
static bool is_in_hand(const struct mount_line *line, const char *name)
{
	char own[UNIT_NAME_MAX + 1];

	return line && name_of(line->point, own) && strcmp(own, name) == 0;
}

char *mounts_unit_text(struct hark *h, const char *name)
{
	const struct mount_line *line = h->mounts ? h->mounts->line : NULL;
	AUTO_MEM char *table = NULL;
	struct mount_line found;
	struct sbuf b = {0};

	if (!is_in_hand(line, name))
		line = find_line(name, &table, &found) ? &found : NULL;
	if (!line)
		return NULL;
	sbuf_add_z(&b, "[Unit]\nDefaultDependencies=no\n[Mount]\n");
	add_value(&b, "What", line->source);
	add_value(&b, "Where", line->point);
	add_value(&b, "Type", line->type);
	add_value(&b, "Options", line->options);
	return sbuf_take(&b);
}

void mounts_loaded(struct hark *h, struct unit *u)
{
	AUTO_MEM char *table = NULL;
	struct mount_line line;

	/* The machine's own manager has a unit for each line of the table. */
	if (!h->is_pid1 && h->mounts && find_line(u->name, &table, &line))
		engine_post_simple(&h->engine, u, EV_MOUNTED, 0, 0, 0);
}
