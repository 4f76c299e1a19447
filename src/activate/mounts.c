/* SPDX-License-Identifier: MIT */
#include "activate/mounts.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "activate/output.h"
#include "activate/paths.h"
#include "activate/proc_table.h"
#include "activate/swaps.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/mountns.h"
#include "core/remember.h"
#include "units/automount.h"
#include "units/mount_unit.h"

static const char table_path[] = "/proc/self/mountinfo";

enum {
	PAUSE_US = 50 * 1000, /* what comes within it is taken in together */
	CHANGES_MOST = 128
};

/* A mount that the kernel told of, and the unit of its place; UNIT_NONE: an automount point. */
struct seen {
	struct map_node node;
	uint64_t id;
	uint32_t unit;
};

/* Either the kernel tells of each mount (events_fd), or the table is looked at when it has changed. */
struct mounts {
	struct proc_table table;
	struct hark *hark;
	const struct mount_line *line; /* in hand: the unit of it is loaded */
	struct str whole;              /* the table while it is looked at as a whole */
	struct watch events;
	struct timer pause;
	int events_fd; /* -1: the kernel cannot, or only the machine's own manager needs it */
	uint64_t heard_us;
	struct map seen;
	bool is_point_gone; /* some automount point is no longer there */
	uint64_t parent_id; /* of the mount that was looked for last, by its id */
	char parent[UNIT_NAME_MAX + 1];
};

/* The unit's name for a place; false: it has none, being too long or of a file system that belongs to the system itself. */
static bool name_of(const struct mount_line *line, char out[UNIT_NAME_MAX + 1])
{
	char path[UNIT_NAME_MAX + 1];

	return mountinfo_text(line, line->point, path, sizeof(path)) && !mount_is_api(path) &&
	       mount_unit_name(str_of(path), out);
}

/* Not an automount point: it only waits for the mount of that place. */
static bool is_mount(const struct mount_line *line)
{
	return !str_eq_z(line->type, "autofs");
}

/* The unit of the place, loaded; NULL: none (0), or no memory. */
static struct mount_unit *unit_of(struct hark *h, const struct mount_line *line, int *ret_err)
{
	char name[UNIT_NAME_MAX + 1];
	struct unit *u;

	*ret_err = 0;
	if (!is_mount(line) || !name_of(line, name) || !unit_name_check(&h->reg, name))
		return NULL;
	/* Only the machine's own manager makes units of mounts that nobody asks for. */
	u = h->is_pid1 ? registry_get(&h->reg, name) : registry_find(&h->reg, name);
	if (!u) {
		*ret_err = h->is_pid1 ? -ENOMEM : 0;
		return NULL;
	}
	h->mounts->line = line;
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

static bool find_id(struct str table, uint64_t id, struct mount_line *ret)
{
	while (mountinfo_next(&table, ret))
		if (ret->id == id)
			return true;
	return false;
}

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
		if (!id || (table.n ? find_id(table, id, &line)
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
	int r = proc_table_read(table_path, &text, &rest);

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
	if (!m && (r < 0 || is_mount(&line)))
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
	if (!w->pause.is_armed)
		loop_unwatch(&w->hark->loop, &w->events);
	loop_timer_disarm(&w->hark->loop, &w->pause);
	fd_close(w->events_fd);
	w->events_fd = -1;
	forget_all(w);
}

static int open_table(struct mounts *w)
{
	int r = proc_table_open(&w->table, &w->hark->loop, table_path, look);

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

/* Take in all that was told. */
static void take_changes(struct mounts *w)
{
	struct mount_change changes[CHANGES_MOST];
	int n, r = 0;

	w->heard_us = loop_now_us(&w->hark->loop);
	while (r == 0 && (n = mountns_read(w->events_fd, changes, CHANGES_MOST)) != 0) {
		r = n < 0 ? n : 0;
		for (int k = 0; k < n && r == 0; k++)
			r = take_change(w, &changes[k]);
	}
	if (r < 0)
		give_up(w, r);
	else if (w->is_point_gone)
		check_points(w, (struct str){NULL, 0});
	w->is_point_gone = false;
	paths_look_again(w->hark);
}

static void on_pause_over(struct timer *t)
{
	struct mounts *w = container_of(t, struct mounts, pause);
	int r;

	take_changes(w);
	if (w->events_fd < 0)
		return;
	r = loop_watch(&w->hark->loop, &w->events, w->events_fd, EPOLLIN);
	if (r < 0)
		give_up(w, r);
}

/* A change is taken in at once; those that follow it soon are taken in together, so that a storm does not wake us for each. */
static void on_events(struct watch *watch, uint32_t events UNUSED)
{
	struct mounts *w = container_of(watch, struct mounts, events);
	uint64_t now_us = loop_now_us(&w->hark->loop);

	if (now_us - w->heard_us < PAUSE_US) {
		loop_unwatch(&w->hark->loop, watch);
		loop_timer_arm(&w->hark->loop, &w->pause, now_us + PAUSE_US);
	} else {
		take_changes(w);
	}
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

/*
 * What hark-mount said last, without its name, and what a helper of it (mount.nfs, fsck) had said last before: hark-mount only knows that
 * one failed, not why. NULL: nothing. Owned by the caller.
 */
static char *last_words(struct unit *u)
{
	static const char name[] = "hark-mount: ";
	struct str own = {NULL, 0}, helper = {NULL, 0};
	struct sbuf words = {0};
	struct output_at at = {0};

	for (; output_next(u, true, &at); at.number++)
		if (str_has_prefix(at.line, str_of(name)))
			own = str_sub(at.line, strlen(name), at.line.n);
		else if (at.line.n)
			helper = at.line;
	if (own.n)
		sbuf_addf(&words, STR_FMT, STR_ARG(own));
	if (helper.n)
		sbuf_addf(&words, "%s" STR_FMT, own.n ? "; " : "", STR_ARG(helper));
	return words.n ? sbuf_take(&words) : NULL;
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
	if (!m->fail_text)
		return;
	remember_text(h, &m->unit);
	log_at(LOG_ERROR, "%s: %s", m->unit.name, m->fail_text);
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

int mounts_open(struct hark *h)
{
	struct mounts *w = mem_get(sizeof(*w));
	int r;

	if (!w)
		return err_here(-ENOMEM);
	w->hark = h;
	h->mounts = w;
	r = open_events(w) == 0 ? 0 : open_table(w);
	if (r < 0) {
		h->mounts = NULL;
		mem_put(w);
	}
	return r;
}

/* A path or word of the table as a value of a unit file: not more than one line, and no specifier. */
static void add_value(struct sbuf *b, const char *key, const struct mount_line *line,
		      struct str value)
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
		if (is_mount(ret) && name_of(ret, own) && strcmp(own, name) == 0)
			return true;
	return false;
}

/* The unit whose line is in hand; the table need not be searched for it. */
static bool is_in_hand(const struct mount_line *line, const char *name)
{
	char own[UNIT_NAME_MAX + 1];

	return line && name_of(line, own) && strcmp(own, name) == 0;
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

	if (!name_of(line, own))
		own[0] = '\0';
	/* Several may lie at one place. */
	for (unsigned n = 0; n < LAYERS_MOST; n++) {
		uint64_t id = above.parent;
		bool is_known = line->is_plain ? mountns_stat(id, text, &above) == 0
					       : find_id(table, id, &above);

		if (!is_known || !name_of(&above, name) || str_eq_z(above.point, "/"))
			break;
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

char *mounts_unit_text(struct hark *h, const char *name)
{
	const struct mount_line *line = h->mounts ? h->mounts->line : NULL;
	struct str whole = h->mounts ? h->mounts->whole : (struct str){NULL, 0};
	AUTO_MEM char *table = NULL;
	struct mount_line found;
	struct sbuf b = {0};

	if (!is_in_hand(line, name)) {
		line = find_line(name, &table, &found) ? &found : NULL;
		whole = str_of(table);
	}
	if (!line)
		return NULL;
	sbuf_add_z(&b, "[Unit]\n");
	add_order(&b, h, line, whole);
	sbuf_add_z(&b, "[Mount]\n");
	add_value(&b, "What=", line, line->source);
	add_value(&b, "Where=", line, line->point);
	add_value(&b, "Type=", line, line->type);
	add_value(&b, "Options=", line, line->options);
	return sbuf_take(&b);
}

/* --- what the kernel tells of one --- */

/* The newest of those at a place lies over the others. 0: there is none. */
static uint64_t newest_of(const struct mounts *w, const struct unit *u)
{
	uint64_t newest = 0;

	for (struct map_node *node = map_next(&w->seen, NULL); node;
	     node = map_next(&w->seen, node)) {
		const struct seen *s = container_of(node, struct seen, node);

		if (s->unit == u->id && s->id > newest)
			newest = s->id;
	}
	return newest;
}

static void add_escaped(struct sbuf *out, const struct mount_line *line, struct str piece)
{
	static char text[MOUNTNS_TEXT];

	if (mountinfo_text(line, piece, text, sizeof(text)))
		sbuf_add_z(out, text);
}

/* "rw" only if both say so, then the others of both. */
static void add_options(struct sbuf *out, const struct mount_line *line)
{
	struct str lists[] = {line->options, line->super_options}, word;
	struct sbuf others = {0};
	bool is_read_only = false;

	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		while (str_cut(&lists[k], ',', &word)) {
			is_read_only = is_read_only || str_eq_z(word, "ro");
			if (!str_eq_z(word, "ro") && !str_eq_z(word, "rw"))
				sbuf_addf(&others, "," STR_FMT, STR_ARG(word));
		}
	sbuf_add_z(out, is_read_only ? "ro" : "rw");
	if (others.n)
		add_escaped(out, &(struct mount_line){0}, (struct str){others.p, others.n});
	sbuf_fini(&others);
}

bool mounts_fact(struct hark *h, const struct unit *u, enum mount_fact which, struct sbuf *out)
{
	_Alignas(uint64_t) static char text[MOUNTNS_TEXT], more[MOUNTNS_TEXT];
	bool is_one_by_one = h->mounts && h->mounts->events_fd >= 0;
	uint64_t id = is_one_by_one ? newest_of(h->mounts, u) : 0;
	AUTO_MEM char *table = NULL;
	struct sbuf super = {0};
	struct mount_line line;
	bool is_there = is_one_by_one ? id && mountns_stat(id, text, &line) == 0
				      : find_line(u->name, &table, &line);

	if (!is_there)
		return false;
	if (which == MOUNT_OPTIONS && is_one_by_one && mountns_super_options(id, more, &super) == 0)
		line.super_options = (struct str){super.p, super.n};
	if (which == MOUNT_OPTIONS)
		add_options(out, &line);
	else
		add_escaped(out, &line, which == MOUNT_WHAT ? line.source : line.type);
	sbuf_fini(&super);
	return !out->err;
}

void mounts_loaded(struct hark *h, struct unit *u)
{
	AUTO_MEM char *table = NULL;
	struct mount_line line;

	/* The machine's own manager has a unit for each line of the table. */
	if (!h->is_pid1 && h->mounts && find_line(u->name, &table, &line))
		engine_post_simple(&h->engine, u, EV_MOUNTED, 0, 0, 0);
}
