/* SPDX-License-Identifier: MIT */
#include "activate/swaps.h"

#include <limits.h>
#include <stdlib.h>

#include "activate/proc_table.h"
#include "core/log.h"
#include "core/mountinfo.h"
#include "units/mount_unit.h"
#include "units/name.h"
#include "units/value.h"

static const char table_path[] = "/proc/swaps";

struct swaps {
	struct proc_table table;
	struct hark *hark;
};

/* Whatever is longer cannot be the name of a unit. */
enum { PLACE_MOST = 1024 };

/* The next path in use, cut off *rest, and its priority. */
static bool next_swap(struct str *rest, char path[PLACE_MOST], int *ret_priority)
{
	struct str line, file, word;

	while (str_cut(rest, '\n', &line)) {
		if (!str_word(&line, &file) || file.p[0] != '/' ||
		    !mountinfo_unescape(file, path, PLACE_MOST))
			continue;
		while (str_word(&line, &word))
			if (value_int(word, INT_MIN, INT_MAX, ret_priority) < 0)
				*ret_priority =
					0; /* a type or a size; the last word is the number */
		return true;
	}
	return false;
}

static bool name_of(const char *path, char name[UNIT_NAME_MAX + 1])
{
	static const char suffix[] = ".swap";
	int n = name_escape(str_of(path), true, name, UNIT_NAME_MAX + 1 - sizeof(suffix));

	if (n >= 0)
		memcpy(name + n, suffix, sizeof(suffix));
	return n >= 0;
}

/* Names below /dev are links of udev's; files elsewhere are called by their name, and their file systems are left alone. */
static bool is_same(const char *what, const char *path)
{
	char real[PATH_MAX];

	if (strcmp(what, path) == 0)
		return true;
	return str_has_prefix(str_of(what), STR("/dev/")) && realpath(what, real) &&
	       strcmp(real, path) == 0;
}

/* Mark the unit as seen, and say so if it is not known. */
static void note_unit(struct hark *h, struct unit *u)
{
	struct mount_unit *m = mount_of(u);

	m->was_seen = true;
	if (!m->is_mounted || u->state == MNT_DEAD || u->state == MNT_FAILED)
		engine_post_simple(&h->engine, u, EV_MOUNTED, 0, 0, 0);
}

static struct unit *next_unit(struct hark *h, uint32_t *at)
{
	while (*at < h->reg.n) {
		struct unit *u = registry_unit(&h->reg, (*at)++);

		if (u && u->type == UNIT_SWAP && u->config)
			return u;
	}
	return NULL;
}

/* 0 or -ENOMEM */
static int take_swap(struct hark *h, const char *path)
{
	char name[UNIT_NAME_MAX + 1];
	bool is_known = false;
	uint32_t at = 0;
	struct unit *u;

	while ((u = next_unit(h, &at)))
		if (u->config->own->swap && u->config->own->swap->what &&
		    is_same(u->config->own->swap->what, path)) {
			note_unit(h, u);
			is_known = true;
		}
	/* Only the machine's own manager makes units of what nobody asks for. */
	if (is_known || !h->is_pid1 || !name_of(path, name) || !unit_name_check(&h->reg, name))
		return 0;
	u = registry_get(&h->reg, name);
	if (!u || engine_load(&h->engine, u) < 0)
		return -ENOMEM;
	note_unit(h, u);
	return 0;
}

static void look(struct proc_table *t)
{
	struct hark *h = container_of(t, struct swaps, table)->hark;
	AUTO_MEM char *text = NULL;
	char path[PLACE_MOST];
	struct str rest;
	uint32_t at = 0;
	struct unit *u;
	int priority, r = proc_table_read(table_path, &text, &rest);

	while (r == 0 && next_swap(&rest, path, &priority))
		r = take_swap(h, path);
	while ((u = next_unit(h, &at))) {
		struct mount_unit *m = mount_of(u);

		if (r == 0 && !m->was_seen && (m->is_mounted || u->state == MNT_MOUNTED))
			engine_post_simple(&h->engine, u, EV_UNMOUNTED, 0, 0, 0);
		m->was_seen = false;
	}
	if (r < 0)
		proc_table_retry(t, r);
}

int swaps_open(struct hark *h)
{
	struct swaps *s = mem_get(sizeof(*s));
	int r;

	if (!s)
		return err_here(-ENOMEM);
	s->hark = h;
	r = proc_table_open(&s->table, &h->loop, table_path, look);
	if (r < 0) {
		mem_put(s);
		return r;
	}
	h->swaps = s;
	swaps_refresh(h);
	return 0;
}

void swaps_refresh(struct hark *h)
{
	if (h->swaps)
		proc_table_look(&h->swaps->table);
}

bool swaps_priority(const struct unit *u, int *ret)
{
	AUTO_MEM char *text = NULL;
	char path[PLACE_MOST];
	struct str rest;
	int priority;

	if (!u->config->own->swap->what || proc_table_read(table_path, &text, &rest) < 0)
		return false;
	while (next_swap(&rest, path, &priority))
		if (is_same(u->config->own->swap->what, path)) {
			*ret = priority;
			return true;
		}
	return false;
}

char *swaps_unit_text(const char *name)
{
	AUTO_MEM char *text = NULL;
	char path[PLACE_MOST], own[UNIT_NAME_MAX + 1];
	struct sbuf b = {0};
	struct str rest;
	int priority;

	if (proc_table_read(table_path, &text, &rest) < 0)
		return NULL;
	while (next_swap(&rest, path, &priority))
		if (name_of(path, own) && strcmp(own, name) == 0) {
			sbuf_addf(&b, "[Unit]\nDefaultDependencies=no\n[Swap]\nWhat=%s\n", path);
			return sbuf_take(&b);
		}
	return NULL;
}
