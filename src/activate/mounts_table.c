/* SPDX-License-Identifier: MIT */
#include "activate/mounts_inside.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "activate/paths.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/mountns.h"
#include "units/automount.h"
#include "units/mount_unit.h"

enum {
	PAUSE_US = 20 * 1000, /* what comes within it is taken in together; in a storm it grows */
	PAUSE_MOST_US = 80 * 1000,
	CHANGES_MOST = 128
};

/* The unit of the place, loaded; NULL: none (0), or no memory. */
static struct mount_unit *unit_of(struct hark *h, const struct mount_line *line, int *ret_err)
{
	char name[UNIT_NAME_MAX + 1];
	struct unit *u;

	*ret_err = 0;
	if (!mounts_is_mount(line) || !mounts_name_of(line, name) ||
	    !unit_name_check(&h->reg, name))
		return NULL;
	/* Only the machine's own manager makes units of mounts that nobody asks for. */
	u = h->is_pid1 ? registry_get(&h->reg, name) : registry_find(&h->reg, name);
	if (!u) {
		*ret_err = h->is_pid1 ? -ENOMEM : 0;
		return NULL;
	}
	h->mounts->line = line;
	h->mounts->line_name = name;
	*ret_err = engine_load(&h->engine, u) < 0 ? -ENOMEM : 0;
	h->mounts->line = NULL;
	return *ret_err < 0 ? NULL : mount_of(u);
}

/* Post what is so when it is not what is known. */
static void settle(struct hark *h, struct mount_unit *m, bool is_there)
{
	struct unit *u = &m->unit;

	if (is_there && (!m->is_mounted || u->state == MNT_DEAD || u->state == MNT_FAILED))
		engine_post_simple(&h->engine, u, EV_MOUNTED, 0, 0, 0);
	if (!is_there && (m->is_mounted || u->state == MNT_MOUNTED))
		engine_post_simple(&h->engine, u, EV_UNMOUNTED, 0, 0, 0);
}

static struct mount_unit *next_unit(struct hark *h, uint32_t *at)
{
	while (*at < h->reg.n) {
		struct unit *u = registry_unit(&h->reg, (*at)++);

		if (u && u->type == UNIT_MOUNT)
			return mount_of(u);
	}
	return NULL;
}

/* --- automount points --- */

static bool same_id(const struct map_node *node, const void *key)
{
	return container_of(node, const struct seen, node)->id == *(const uint64_t *)key;
}

/* The id of the mount that fd is of, as the table has it or (of Linux 6.8 on) one that is never used again. 0: not known. */
static uint64_t id_of(int fd, bool is_unique)
{
	enum { ID_UNIQUE = 0x4000 }; /* linux/stat.h: STATX_MNT_ID_UNIQUE */
	unsigned which = is_unique ? ID_UNIQUE : STATX_MNT_ID;
	struct statx at;

	return statx(fd, "", AT_EMPTY_PATH, which, &at) == 0 && at.stx_mask & which ? at.stx_mnt_id
										    : 0;
}

/*
 * The kernel keeps a point that somebody unmounted as long as PID 1 has it open, but nobody comes to it any more: such a unit has failed.
 * table: all that is mounted; empty where the mounts are known one by one.
 */
static void check_points(struct mounts *w, struct str table)
{
	struct hark *h = w->hark;

	for (uint32_t i = 0; i < h->reg.n; i++) {
		struct unit *u = registry_unit(&h->reg, i);
		struct automount_unit *a = u ? automount_of(u) : NULL;
		struct mount_line line;
		uint64_t id;

		if (!a || !automount_is_armed(u) || !a->point_slot)
			continue;
		id = id_of(bank_fd(a->point_slot - 1), !table.n);
		if (!id || (table.n ? mounts_find_id(table, id, &line)
				    : map_find(&w->seen, map_hash_u64(id), same_id, &id) != NULL))
			continue;
		log_at(LOG_ERROR, "%s: somebody has unmounted its mount point; the unit is failed",
		       u->name);
		engine_post_simple(&h->engine, u, EV_ARM_FAILED, ENOENT, 0, 0);
	}
}

/* --- the table as a whole --- */

static void look(struct proc_table *t)
{
	struct hark *h = container_of(t, struct mounts, table)->hark;
	AUTO_MEM char *text = NULL;
	struct mount_line line;
	struct mount_unit *m;
	struct str rest;
	uint32_t at = 0;
	int r = proc_table_read(MOUNT_TABLE, &text, &rest);

	h->mounts->whole = rest;
	h->mounts->parent_id = 0; /* these ids are used again */
	/* Newest first: what lies over others at its place is what is seen there. */
	while (r == 0 && mountinfo_last(&rest, &line)) {
		m = unit_of(h, &line, &r);
		if (m)
			m->was_seen = true;
	}
	if (r == 0)
		check_points(h->mounts, h->mounts->whole);
	h->mounts->whole = (struct str){NULL, 0};
	while ((m = next_unit(h, &at))) {
		if (r == 0)
			settle(h, m, m->was_seen);
		m->was_seen = false;
	}
	paths_look_again(h);
	if (r < 0)
		proc_table_retry(t, r);
}

/* --- one by one --- */

static void forget(struct mounts *w, uint64_t id)
{
	struct map_node *node = map_find(&w->seen, map_hash_u64(id), same_id, &id);
	struct seen *s = node ? container_of(node, struct seen, node) : NULL;
	bool is_point = s && s->unit == UNIT_NONE;
	struct unit *u = s && !is_point ? registry_unit(&w->hark->reg, s->unit) : NULL;

	w->is_point_gone = w->is_point_gone || is_point;
	if (w->parent_id == id)
		w->parent_id = 0; /* it may come back elsewhere */
	if (!s)
		return;
	map_del(&w->seen, node);
	mem_put(s);
	if (u && mount_of(u)->mounts_n > 0)
		mount_of(u)->mounts_n--;
	if (u)
		settle(w->hark, mount_of(u), mount_of(u)->mounts_n > 0);
}

/* A mount that has come; what is gone again is passed over. 0 or -ENOMEM. */
static int note(struct mounts *w, uint64_t id)
{
	_Alignas(uint64_t) static char text[MOUNTNS_TEXT];
	struct mount_line line;
	struct mount_unit *m;
	struct seen *s;
	int r;

	if (map_find(&w->seen, map_hash_u64(id), same_id, &id))
		return 0;
	if (mountns_stat(id, text, &line) < 0) {
		w->is_point_gone = true; /* perhaps it was one */
		return 0;
	}
	m = unit_of(w->hark, &line, &r);
	if (!m && (r < 0 || mounts_is_mount(&line)))
		return r;
	s = map_reserve(&w->seen, 1) == 0 ? mem_get(sizeof(*s)) : NULL;
	if (!s)
		return err_here(-ENOMEM);
	s->id = id;
	s->unit = m ? m->unit.id : UNIT_NONE;
	map_add(&w->seen, &s->node, map_hash_u64(id));
	if (!m)
		return 0;
	m->mounts_n++;
	settle(w->hark, m, true);
	return 0;
}

static void forget_all(struct mounts *w)
{
	struct map_node *node, *next;
	struct mount_unit *m;
	uint32_t at = 0;

	for (node = map_next(&w->seen, NULL); node; node = next) {
		next = map_next(&w->seen, node);
		map_del(&w->seen, node);
		mem_put(container_of(node, struct seen, node));
	}
	while ((m = next_unit(w->hark, &at)))
		m->mounts_n = 0;
}

/* All there are. 0 or -errno. */
static int list_all(struct mounts *w)
{
	static uint64_t ids[MOUNTNS_IDS];
	struct mount_unit *m;
	uint64_t last = 0;
	uint32_t at = 0;
	int n, r = 0;

	forget_all(w);
	while (r == 0 && (n = mountns_list(&last, ids)) != 0) {
		r = n < 0 ? n : 0;
		for (int k = 0; k < n && r == 0; k++)
			r = note(w, ids[k]);
	}
	while (r == 0 && (m = next_unit(w->hark, &at)))
		settle(w->hark, m, m->mounts_n > 0);
	w->is_point_gone = true; /* perhaps */
	return r;
}

static void close_events(struct mounts *w)
{
	loop_unwatch(&w->hark->loop, &w->events);
	loop_timer_disarm(&w->hark->loop, &w->pause);
	fd_close(w->events_fd);
	w->events_fd = -1;
	forget_all(w);
}

static int open_table(struct mounts *w)
{
	int r = proc_table_open(&w->table, &w->hark->loop, MOUNT_TABLE, look);

	if (r == 0)
		proc_table_look(&w->table);
	return r;
}

/* From here on the table is looked at as a whole. */
static void give_up(struct mounts *w, int err)
{
	int r;

	close_events(w);
	r = open_table(w);
	log_at(LOG_ERROR, "the kernel does not tell of mounts: %s; %s", strerror(-err),
	       r < 0 ? "what others mount is not seen" : "their table is read instead");
}

static int take_change(struct mounts *w, const struct mount_change *c)
{
	if (c->is_lost)
		return list_all(w);
	if (c->has_gone)
		forget(w, c->id);
	return c->has_come ? note(w, c->id) : 0;
}

/* Take in all that was told. False: nothing was. */
static bool take_changes(struct mounts *w)
{
	struct mount_change changes[CHANGES_MOST];
	bool was_told = false;
	int n, r = 0;

	while (r == 0 && (n = mountns_read(w->events_fd, changes, CHANGES_MOST)) != 0) {
		was_told = true;
		r = n < 0 ? n : 0;
		for (int k = 0; k < n && r == 0; k++)
			r = take_change(w, &changes[k]);
	}
	if (r < 0)
		give_up(w, r);
	else if (w->is_point_gone)
		check_points(w, (struct str){NULL, 0});
	w->is_point_gone = false;
	if (was_told)
		paths_look_again(w->hark);
	return was_told;
}

static void begin_pause(struct mounts *w, uint64_t us)
{
	struct loop *l = &w->hark->loop;

	w->pause_us = us < PAUSE_MOST_US ? us : PAUSE_MOST_US;
	loop_timer_arm(l, &w->pause, loop_now_us(l) + w->pause_us);
}

/*
 * A change is taken in at once; those that follow are taken in together, one pause after the other, until one goes by without any: a storm
 * does not wake us for each.
 */
static void on_events(struct watch *watch, uint32_t events UNUSED)
{
	struct mounts *w = container_of(watch, struct mounts, events);

	loop_unwatch(&w->hark->loop, watch);
	begin_pause(w, PAUSE_US);
	take_changes(w);
}

static void on_pause_over(struct timer *t)
{
	struct mounts *w = container_of(t, struct mounts, pause);
	struct loop *l = &w->hark->loop;
	int r;

	begin_pause(w, 2 * w->pause_us);
	if (take_changes(w) || w->events_fd < 0)
		return;
	loop_timer_disarm(l, t);
	r = loop_watch(l, &w->events, w->events_fd, EPOLLIN);
	if (r < 0)
		give_up(w, r);
}

static int open_events(struct mounts *w)
{
	int r = w->hark->is_pid1 ? bank_lasting(&w->hark->bank, "mounts", mountns_watch)
				 : -EOPNOTSUPP;

	w->events_fd = r < 0 ? -1 : r;
	if (r < 0)
		return r;
	w->events.fn = on_events;
	w->pause.fn = on_pause_over;
	r = loop_watch(&w->hark->loop, &w->events, w->events_fd, EPOLLIN);
	if (r == 0)
		r = list_all(w);
	if (r < 0)
		close_events(w);
	return r;
}

void mounts_refresh(struct hark *h)
{
	if (h->mounts && h->mounts->events_fd >= 0)
		take_changes(h->mounts);
	else if (h->mounts)
		proc_table_look(&h->mounts->table);
}

void mounts_compare(struct hark *h)
{
	struct mount_unit *m;
	uint32_t at = 0;

	if (h->mounts)
		h->mounts->is_point_gone = true; /* perhaps, while no manager lived */
	mounts_refresh(h);
	while (h->mounts && h->mounts->events_fd >= 0 && (m = next_unit(h, &at)))
		settle(h, m, m->mounts_n > 0);
}

/* --- what mount(8) was told beside --- */

/* A unit of the table's line, of which more is known now. What is about to change keeps what it has. */
static void read_again(struct hark *h, struct unit *u)
{
	struct unit_config *old = u->config;
	enum coarse c = unit_coarse(u);
	int r;

	if (c != ACTIVE && c != INACTIVE && c != FAILED)
		return;
	u->config = NULL;
	r = engine_load(&h->engine, u);
	h->mounts->parent_id = 0; /* as the whole table has it */
	if (r < 0) {
		log_at(LOG_ERROR, "%s: it is not known to need the network: %s", u->name,
		       strerror(-r));
		unit_config_free(u->config);
		u->config = old;
		return;
	}
	u->condition_failed = NULL; /* pointed into the old one */
	unit_config_free(old);
}

static void on_utab(struct utab *t)
{
	struct hark *h = container_of(t, struct mounts, utab)->hark;
	char place[UNIT_NAME_MAX + 1], name[UNIT_NAME_MAX + 1];
	struct str rest = utab_lines(t);

	while (utab_next(&rest, place, sizeof(place))) {
		struct unit *u = mount_unit_name(str_of(place), name) ? registry_find(&h->reg, name)
								      : NULL;

		if (u && u->config && !unit_config_has_file(u->config) && u->config->own->mount &&
		    u->config->own->mount->where && !mount_is_network(u->config->own->mount))
			read_again(h, u);
	}
}

int mounts_open(struct hark *h)
{
	struct mounts *w = mem_get(sizeof(*w));
	int r;

	if (!w)
		return err_here(-ENOMEM);
	w->hark = h;
	h->mounts = w;
	r = h->is_pid1 ? utab_open(&w->utab, &h->loop, on_utab) : 0;
	if (r < 0)
		log_at(LOG_WARN, "what mount(8) is told beside (_netdev) is not heard: %s",
		       strerror(-r));
	r = open_events(w) == 0 ? 0 : open_table(w);
	if (r < 0) {
		utab_close(&w->utab);
		h->mounts = NULL;
		mem_put(w);
	}
	return r;
}

void mounts_loaded(struct hark *h, struct unit *u)
{
	AUTO_MEM char *table = NULL;
	struct mount_line line;

	/* The machine's own manager has a unit for each line of the table. */
	if (!h->is_pid1 && h->mounts && mounts_find_line(u->name, &table, &line))
		engine_post_simple(&h->engine, u, EV_MOUNTED, 0, 0, 0);
}
