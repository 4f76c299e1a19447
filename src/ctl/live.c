/* SPDX-License-Identifier: MIT */
#include "ctl/live.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "activate/busname.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/reach.h"
#include "core/remember.h"
#include "units/config.h"
#include "units/load_renew.h"
#include "units/name.h"

enum {
	NAMES_MAX = 4096, /* of one change that are remembered one by one */
	EVENTS_BYTES = 4096,
	EXAMINED_MOST = 64, /* units of one change that are looked at for ordering cycles */
	MASK = IN_CREATE | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE |
	       IN_ONLYDIR,
	PARENT_MASK = IN_CREATE | IN_MOVED_TO | IN_ONLYDIR,
};

enum { LIVE_DIRS_MOST = 64 };

/* A watched directory. */
struct live_dir {
	struct map_node node;
	int wd;
	uint16_t rank;     /* of the search directory that it is, lies in, or would lie in */
	bool is_parent;    /* of a search directory that is not there */
	const char *owner; /* "x.service" for x.service.d and the like; NULL: a search directory */
};

/* A name that something has happened to. */
struct live_name {
	struct live_name *next;
	const char *name;
	bool is_present; /* it lies where presence is enablement */
	bool was_known;  /* and was a unit before */
	bool has_sides;  /* x.service.d, x.service.wants or their like, or something in them */
};

struct live {
	struct hark *h;
	struct watch watch;
	struct timer settle;
	int fd;
	struct map dirs;
	struct arena arena; /* of dirs */
	struct arena names_arena;
	char path[PATH_MAX]; /* in hand */
	struct live_name *names;
	unsigned names_n;
	uint64_t first_us; /* when the change began, 0: nothing is to be done by itself */
	uint64_t read_us;  /* clock_file_us(): of all that happened before the names are noted */
	bool want_scan;    /* more has come or gone than names that are noted */
	bool want_all;     /* what has changed is not known */
	bool is_missing[LIVE_DIRS_MOST]; /* by rank: the search directory was not there */
};

/* --- what is watched --- */

static bool dir_eq(const struct map_node *node, const void *key)
{
	return container_of(node, const struct live_dir, node)->wd == *(const int *)key;
}

static struct live_dir *find_dir(const struct live *l, int wd)
{
	struct map_node *node = map_find(&l->dirs, map_hash_u64((uint64_t)wd), dir_eq, &wd);

	return node ? container_of(node, struct live_dir, node) : NULL;
}

/* Path of a search directory, or of something in it; valid until the next call. */
static char *path_in(struct live *l, uint16_t rank, const char *name)
{
	snprintf(l->path, sizeof(l->path), "%s%s%s%s", l->h->load.root, l->h->load.dirs[rank],
		 *name ? "/" : "", name);
	return l->path;
}

/* 0, -ENOENT and its like, -ENOSPC (too many watches), -ENOMEM */
static int add_watch(struct live *l, const char *path, uint32_t mask, struct live_dir dir)
{
	struct live_dir *d;
	int r = map_reserve(&l->dirs, 1);

	if (r < 0)
		return r;
	r = reach(AT_FDCWD, path);
	if (r < 0)
		return r;
	dir.wd = inotify_add_watch(l->fd, path, mask);
	if (dir.wd < 0)
		return -errno;
	if (find_dir(l, dir.wd))
		return 0;
	d = arena_get(&l->arena, sizeof(*d));
	if (d)
		*d = dir;
	if (d && dir.owner)
		d->owner = arena_dup(&l->arena, dir.owner, strlen(dir.owner));
	if (!d || (dir.owner && !d->owner))
		return -ENOMEM;
	map_add(&l->dirs, &d->node, map_hash_u64((uint64_t)dir.wd));
	return 0;
}

static struct str owner_of(const char *name)
{
	static const char *const suffixes[] = {".d", ".wants", ".requires", ".upholds"};
	struct str s = str_of(name);

	for (unsigned k = 0; k < ARRAY_SIZE(suffixes); k++)
		if (str_has_suffix(s, str_of(suffixes[k])))
			return str_sub(s, 0, s.n - strlen(suffixes[k]));
	return (struct str){NULL, 0};
}

/* x.service.d and the like in a search directory. */
static int watch_side(struct live *l, uint16_t rank, const char *name)
{
	char owner[NAME_MAX + 1];
	struct str s = owner_of(name);
	int r;

	if (s.n == 0)
		return 0;
	snprintf(owner, sizeof(owner), STR_FMT, STR_ARG(s));
	r = add_watch(l, path_in(l, rank, name), MASK,
		      (struct live_dir){.rank = rank, .owner = owner});
	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

/* A search directory that is not there yet: the one above tells when it comes. */
static int watch_parent(struct live *l, uint16_t rank)
{
	char *path = path_in(l, rank, "");
	char *slash;
	int r;

	slash = strrchr(path, '/');
	if (!slash || slash == path || !index_is_presence(l->h->load.dirs[rank]))
		return 0;
	*slash = '\0';
	r = add_watch(l, path, PARENT_MASK, (struct live_dir){.rank = rank, .is_parent = true});
	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

static int watch_dir(struct live *l, uint16_t rank)
{
	DIR *dir;
	int r;

	r = add_watch(l, path_in(l, rank, ""), MASK, (struct live_dir){.rank = rank});
	if (rank < LIVE_DIRS_MOST)
		l->is_missing[rank] = r == -ENOENT || r == -ENOTDIR;
	if (r == -ENOENT || r == -ENOTDIR)
		return watch_parent(l, rank);
	dir = r == 0 ? fd_opendir(AT_FDCWD, path_in(l, rank, "")) : NULL;
	if (r == 0 && !dir)
		r = -errno;
	for (const struct dirent *d; r == 0 && dir && (d = readdir(dir));)
		if (d->d_type != DT_REG && d->d_name[0] != '.')
			r = watch_side(l, rank, d->d_name);
	if (dir)
		closedir(dir);
	return r;
}

static void watch_all(struct live *l)
{
	int r = 0;

	for (uint16_t k = 0; r == 0 && k < l->h->load.dirs_n; k++)
		r = watch_dir(l, k);
	if (r == 0)
		return;
	l->want_all = true;
	log_at(LOG_WARN,
	       "not all unit directories can be watched: %s; harkctl reload-config looks at every file",
	       strerror(-r));
}

/* --- what happens --- */

static void arm(struct live *l, uint64_t wait_us)
{
	uint64_t now = loop_now_us(&l->h->loop), due;

	if (!l->first_us)
		l->first_us = now;
	due = time_add(now, wait_us);
	if (due > time_add(l->first_us, LIVE_PATIENCE_US))
		due = time_add(l->first_us, LIVE_PATIENCE_US);
	loop_timer_arm(&l->h->loop, &l->settle, due);
}

static void note_name(struct live *l, const char *name, bool is_present, bool has_sides)
{
	const struct unit *u = registry_find(&l->h->reg, name);
	struct live_name *n = l->names;

	while (n && strcmp(n->name, name) != 0)
		n = n->next;
	if (n) {
		n->is_present |= is_present;
		n->has_sides |= has_sides;
		return;
	}
	n = l->names_n < NAMES_MAX ? arena_get(&l->names_arena, sizeof(*n)) : NULL;
	if (n)
		n->name = arena_dup(&l->names_arena, name, strlen(name));
	if (!n || !n->name) {
		l->want_all = l->want_scan = true;
		return;
	}
	n->is_present = is_present;
	n->has_sides = has_sides;
	n->was_known = u && u->config && u->config->load == LOAD_LOADED && u->config->fragment;
	n->next = l->names;
	l->names = n;
	l->names_n++;
}

static void on_entry(struct live *l, const struct live_dir *d, const struct inotify_event *e)
{
	bool is_present = index_is_presence(l->h->load.dirs[d->rank]);
	struct str side = owner_of(e->name);
	char name[NAME_MAX + 1];

	if (e->name[0] == '.')
		return;
	if (d->owner)
		snprintf(name, sizeof(name), "%s", d->owner);
	else if (side.n)
		snprintf(name, sizeof(name), STR_FMT, STR_ARG(side));
	else
		snprintf(name, sizeof(name), "%s", e->name);
	if (!d->owner && side.n && watch_side(l, d->rank, e->name) < 0)
		l->want_all = true;
	if (!d->owner && !side.n && !name_is_valid(e->name, NAME_ANY))
		return; /* an editor's own files */
	note_name(l, name, is_present, d->owner || side.n);
	if (is_present)
		arm(l, LIVE_SETTLE_US);
}

static void on_event(struct live *l, const struct inotify_event *e)
{
	struct live_dir *d = find_dir(l, e->wd);
	const char *base;

	if (e->mask & IN_Q_OVERFLOW) {
		l->want_all = l->want_scan = true;
		watch_all(l);
		arm(l, LIVE_SETTLE_US);
	}
	if (!d)
		return;
	if (e->mask & IN_IGNORED) {
		map_del(&l->dirs, &d->node);
		l->want_scan = true;
		if (!d->owner && !d->is_parent && watch_dir(l, d->rank) < 0)
			l->want_all = true;
		return;
	}
	if (!e->len) {
		l->want_scan |= e->mask & IN_ATTRIB; /* who may write it, say */
		return;
	}
	if (!d->is_parent) {
		on_entry(l, d, e);
		return;
	}
	base = strrchr(l->h->load.dirs[d->rank], '/') + 1;
	if (strcmp(e->name, base) != 0)
		return;
	l->want_all = l->want_scan = true;
	if (watch_dir(l, d->rank) < 0)
		log_at(LOG_WARN, "%s cannot be watched", l->h->load.dirs[d->rank]);
	arm(l, LIVE_SETTLE_US);
}

static void on_events(struct watch *w, uint32_t events UNUSED)
{
	struct live *l = container_of(w, struct live, watch);
	_Alignas(struct inotify_event) char bytes[EVENTS_BYTES];
	ssize_t n;

	l->read_us = clock_file_us();
	while ((n = fd_read(l->fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(bytes + at);

			on_event(l, e);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
}

/* --- one transaction --- */

/* Has something happened to the files that this unit is made of? Cheap; the files themselves are compared later. */
static bool is_touched(const struct live *l, const struct unit *u)
{
	if (l->want_scan || l->want_all || u->is_changed_on_disk)
		return true;
	for (const struct live_name *n = l->names; n; n = n->next)
		if (strcmp(n->name, u->name) == 0 || name_form(n->name) == NAME_TEMPLATE)
			return true;
	return false;
}

/* lstat(2) of such a path; false: there is nothing, or its file system does not answer. */
static bool look_at(const char *path, struct stat *ret)
{
	return reach(AT_FDCWD, path) == 0 && lstat(path, ret) == 0;
}

/* Has the name a file of its own, which nothing in a more important directory hides, a mask, say? */
static bool has_own_file(struct live *l, const struct load_entry *entry, const char *name)
{
	struct stat st;
	uint16_t k = 0;

	if (!entry || !entry->has_file || entry->tie->alias_of || entry->is_masked)
		return false;
	while (k < entry->dir && !look_at(path_in(l, k, name), &st))
		k++;
	return k == entry->dir;
}

/*
 * Whatever editors do to write a file: is there a regular one again where the index has one, and nothing of that name in a directory
 * above, with the same [Install] where presence is enablement? Then the index holds.
 */
static bool is_rewritten(struct live *l, const struct live_name *n)
{
	const struct load_entry *entry = index_find(&l->h->load, str_of(n->name));
	const struct unit *u = registry_find(&l->h->reg, n->name);
	const char *path;
	struct stat st;

	if (!has_own_file(l, entry, n->name))
		return false;
	path = path_in(l, entry->dir, n->name);
	if (load_find_file(&l->h->load, n->name) != entry->dir || !look_at(path, &st) ||
	    st.st_size == 0)
		return false;
	if (!index_is_presence(l->h->load.dirs[entry->dir]))
		return true;
	/* What a configuration of now says of itself is what the index was told. */
	return u && u->config && u->config->load == LOAD_LOADED && !u->is_changed_on_disk &&
	       u->config->fragment && strcmp(u->config->fragment, path) == 0 &&
	       !load_install_is_stale(&l->h->load, u->config);
}

/* A unit to which a noted name adds something, or did. */
static void on_owner(void *arg, const char *owner)
{
	note_name(arg, owner, false, false);
}

/* The index as it must be now: 0 or -errno, then it is as before, or what is noted is looked at again the next time. */
static int renew_index(struct live *l)
{
	/* Owners are noted before the first, and need no look themselves. */
	for (const struct live_name *n = l->names; n && !l->want_scan && !l->want_all;
	     n = n->next) {
		bool is_same = !n->has_sides && is_rewritten(l, n);

		l->want_scan = !is_same && load_renew(&l->h->load, n->name, n->has_sides, on_owner,
						      l) != LOAD_RENEWED;
	}
	return l->want_scan || l->want_all ? load_scan(&l->h->load) : 0;
}

static int collect(struct live *l, struct refresh_set *s)
{
	const struct registry *reg = &l->h->reg;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < reg->n; i++) {
		struct unit *u = reg->units[i];

		if (u && u->config && is_touched(l, u))
			r = refresh_set_add(l->h, s, u);
	}
	return r;
}

static void forget_names(struct live *l)
{
	arena_fini(&l->names_arena);
	l->names = NULL;
	l->names_n = 0;
	l->first_us = 0;
	l->want_scan = false;
	l->want_all = l->fd < 0;
}

static void request(struct live *l, struct unit *u, enum job_type type)
{
	struct cause cause = {.kind = CAUSE_FILE, .unit = u->id};
	int r;

	if (l->h->is_shutting_down)
		return;
	r = engine_request(&l->h->engine, u, type, MODE_REPLACE, &cause, false, NULL);
	if (r >= 0)
		engine_log_cycles(&l->h->engine);
	if (r != 0)
		log_at(LOG_ERROR, "%s: its file has %s, but the %s job is refused: %s", u->name,
		       type == JOB_START ? "come" : "gone", job_type_names[type],
		       r < 0 ? strerror(-r) : "see harkctl status");
}

/* What was read from a presence directory and is not there any more. */
static void stop_gone(struct live *l)
{
	const struct registry *reg = &l->h->reg;

	for (uint32_t i = 0; i < reg->n; i++) {
		struct unit *u = reg->units[i];

		if (u && u->config && u->config->is_present && !unit_is_at_rest(u) &&
		    u->work->job.type != JOB_STOP && !load_canonical(&l->h->load, u->name))
			request(l, u, JOB_STOP);
	}
}

/* Forgotten once it rests. */
static void drop_gone(struct live *l)
{
	const struct registry *reg = &l->h->reg;

	for (uint32_t i = 0; i < reg->n; i++) {
		struct unit *u = reg->units[i];

		if (u && u->config && u->config->load == LOAD_NOT_FOUND && unit_is_at_rest(u) &&
		    !load_canonical(&l->h->load, u->name))
			engine_retire(&l->h->engine, u);
	}
}

static bool is_wanted_now(struct live *l, const struct unit_config *c)
{
	const struct name_list *const lists[] = {c->unit->wanted_by, c->unit->required_by,
						 c->unit->upheld_by};

	for (unsigned k = 0; k < ARRAY_SIZE(lists); k++)
		for (const struct name_list *n = lists[k]; n; n = n->next) {
			const struct unit *u = registry_find(&l->h->reg, n->text);

			if (u && (unit_is_active(u) || u->work->job.type == JOB_START))
				return true;
		}
	return false;
}

/* A unit that has come to a presence directory and that somebody who runs wants. */
static void start_new(struct live *l, const struct live_name *n)
{
	const struct load_entry *e = index_find(&l->h->load, str_of(n->name));
	struct unit *u;

	if (!n->is_present || n->was_known || !e || !e->has_file || e->tie->alias_of ||
	    e->is_masked || name_form(n->name) == NAME_TEMPLATE)
		return;
	u = registry_get(&l->h->reg, n->name);
	if (!u || engine_load(&l->h->engine, u) != 0 || u->config->load != LOAD_LOADED)
		return;
	if (unit_is_at_rest(u) && !u->work->job.id && is_wanted_now(l, u->config))
		request(l, u, JOB_START);
}

/* Has the file of e come, or changed, since changes were last taken into use? */
static bool came_since(struct live *l, const struct load_entry *e)
{
	struct stat st;

	return look_at(path_in(l, e->dir, e->name), &st) &&
	       timespec_us(&st.st_ctim) >= l->h->looked_us;
}

/* Events were lost, or heard by a manager that died: what has come, and of which nothing is remembered, is new. */
static void start_unknown(struct live *l)
{
	const void *at = NULL;
	const char *name;

	while (l->h->looked_us && load_next_name(&l->h->load, &at, &name)) {
		const struct load_entry *e = index_find(&l->h->load, str_of(name));
		const struct unit *u = registry_find(&l->h->reg, name);
		struct live_name n = {.name = name, .is_present = true};

		if (e && !(u && u->state_slot) && index_is_presence(l->h->load.dirs[e->dir]) &&
		    came_since(l, e))
			start_new(l, &n);
	}
}

/* What has come was started: the next manager need not look for it. */
static void note_look(struct live *l)
{
	l->h->looked_us = l->read_us;
	remember_manager(l->h);
}

/* Ordering cycles are told when their files come, not only when somebody starts what they hold up. */
static void examine(struct live *l)
{
	unsigned most = EXAMINED_MOST;

	for (const struct live_name *n = l->names; n && most && !l->h->is_shutting_down;
	     n = n->next) {
		struct unit *u = registry_find(&l->h->reg, n->name);

		if (!u || u->work->job.id || !unit_is_at_rest(u) ||
		    unit_load_state(u) != LOAD_LOADED)
			continue;
		most--;
		if (engine_examine(&l->h->engine, u) >= 0)
			engine_log_cycles(&l->h->engine);
	}
}

static int apply(struct live *l, live_told_fn told, void *arg)
{
	struct refresh_set s = {0};
	int r = renew_index(l);

	if (r == 0)
		r = collect(l, &s);
	if (r == 0)
		r = refresh_set_use(l->h, &s);
	for (uint32_t k = 0; r == 0 && k < s.n; k++) {
		const struct refresh_item *item = &s.items[k];

		told(arg, item->unit, (enum refresh)item->how,
		     item->how == REFRESH_BROKEN ? item->config : item->unit->config);
	}
	refresh_set_fini(&s);
	if (r < 0)
		return r;
	drop_gone(l);
	stop_gone(l);
	for (const struct live_name *n = l->names; n; n = n->next)
		start_new(l, n);
	if (l->want_all && l->fd >= 0)
		start_unknown(l);
	note_look(l);
	examine(l);
	busname_look(l->h);
	forget_names(l);
	if (l->h->on_news)
		l->h->on_news(l->h, NEWS_RELOADED);
	return 0;
}

static void log_one(void *arg UNUSED, struct unit *u, enum refresh how,
		    const struct unit_config *config)
{
	switch (how) {
	case REFRESH_SAME:
		return;
	case REFRESH_DONE:
		log_at(LOG_INFO, "%s: its files have changed and were read again", u->name);
		break;
	case REFRESH_LATER:
		log_at(LOG_INFO, "%s: its files have changed; they are read when it rests",
		       u->name);
		return;
	case REFRESH_HELD:
		log_at(LOG_WARN, "%s: its files have changed; they wait for the broken ones",
		       u->name);
		return;
	case REFRESH_BROKEN:
		log_at(LOG_ERROR, "%s: its new files are broken; the old settings stay in force",
		       u->name);
		break;
	}
	config_log(config, DIAG_WARNING);
}

static void on_settled(struct timer *t)
{
	struct live *l = container_of(t, struct live, settle);
	int r = apply(l, log_one, NULL);

	if (r < 0) {
		log_at(LOG_ERROR, "changed unit files cannot be read: %s; trying again",
		       strerror(-r));
		l->first_us = 0;
		arm(l, LIVE_PATIENCE_US);
	}
}

/* Search directories that were not there when they were to be watched, and now are. */
static void find_missing(struct live *l)
{
	for (uint16_t k = 0; k < l->h->load.dirs_n && k < LIVE_DIRS_MOST; k++) {
		if (!l->is_missing[k] || access(path_in(l, k, ""), F_OK) < 0)
			continue;
		l->want_all = l->want_scan = true;
		if (watch_dir(l, k) < 0)
			log_at(LOG_WARN, "%s cannot be watched", l->h->load.dirs[k]);
	}
}

void live_look_back(struct hark *h)
{
	stop_gone(h->live);
	start_unknown(h->live);
	note_look(h->live);
}

int live_reload(struct hark *h, live_told_fn told, void *arg)
{
	struct live *l = h->live;

	find_missing(l);
	if (l->fd >= 0)
		on_events(&l->watch, 0); /* what was written before the question counts */
	loop_timer_disarm(&h->loop, &l->settle);
	return apply(l, told ? told : log_one, arg);
}

void live_renew(struct hark *h, struct unit *u)
{
	struct unit_config *broken = NULL;
	int r = refresh_unit(h, u, &broken);

	if (r < 0)
		log_at(LOG_ERROR, "%s: its changed files cannot be read: %s", u->name,
		       strerror(-r));
	else
		log_one(NULL, u, (enum refresh)r, broken ? broken : u->config);
	unit_config_free(broken);
}

void live_changed(struct hark *h, const struct unit *u)
{
	struct live *l = h->live;

	if (l && u->is_changed_on_disk && unit_is_at_rest(u) && !u->work->job.id)
		arm(l, 0);
}

/* --- beginning and end --- */

int live_open(struct hark *h)
{
	struct live *l = mem_get(sizeof(*l));

	if (!l)
		return err_here(-ENOMEM);
	h->live = l;
	l->h = h;
	l->watch.fn = on_events;
	l->settle.fn = on_settled;
	l->settle.due_us = TIME_NEVER;
	l->read_us = clock_file_us();
	l->fd = bank_lasting(&h->bank, "units", fd_inotify);
	if (l->fd >= 0 && loop_watch(&h->loop, &l->watch, l->fd, EPOLLIN) < 0)
		l->fd = -1;
	if (l->fd >= 0)
		watch_all(l);
	else
		log_at(LOG_WARN, "unit directories cannot be watched: %s", strerror(errno));
	l->want_all = l->fd < 0;
	return 0;
}
