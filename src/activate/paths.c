/* SPDX-License-Identifier: MIT */
#include "activate/paths.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/log.h"
#include "core/reach.h"
#include "units/glob.h"
#include "units/path.h"
#include "units/probe.h"

enum {
	EVENTS_BYTES = 4096,
	/* It is no longer what the path leads to, or may be looked into now. */
	SELF = IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB,
	/* The deepest directory that is there. */
	WAY = SELF | IN_CREATE | IN_MOVED_TO,
	CHANGED = WAY | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM,
	LOST = IN_IGNORED | IN_UNMOUNT, /* told of any watch */
};

/* Of the path itself. */
static const uint32_t end_masks[PATH_KINDS] = {
	[PATH_EXISTS] = SELF,     [PATH_EXISTS_GLOB] = SELF,
	[PATH_CHANGED] = CHANGED, [PATH_MODIFIED] = CHANGED | IN_MODIFY,
	[PATH_NOT_EMPTY] = WAY,
};

/* One thing in the file system that is watched for one path of a unit. */
struct path_spot {
	const struct path_watch *watch; /* of the unit's configuration */
	const char *path;               /* in the arena of struct search, while it lasts */
	struct str name;                /* which entry is awaited in it; empty: any */
	uint32_t mask;                  /* what of it matters; the kernel may tell more */
	int wd;
	bool is_end;  /* the path itself; else on the way to it */
	bool is_link; /* a symbolic link, not what it leads to */
};

/* --- watches that units share --- */

static uint32_t mask_of(const struct path_spot *spots, uint32_t n, int wd)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < n; i++)
		mask |= spots[i].wd == wd ? spots[i].mask : 0;
	return mask;
}

/* What all units but one want to hear of a watch; 0: nobody wants it. */
static uint32_t mask_of_others(struct hark *h, const struct path_unit *except, int wd)
{
	uint32_t mask = 0;

	list_for_each(node, &h->watched_paths) {
		const struct path_unit *p = container_of(node, struct path_unit, node);

		if (p != except)
			mask |= mask_of(p->spots, p->spots_n, wd);
	}
	return mask;
}

/* Give up watches of a unit, but for those that it or another has among its present ones. */
static void put_spots(struct hark *h, const struct path_unit *p, struct path_spot *spots,
		      uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!mask_of(p->spots, p->spots_n, spots[i].wd) &&
		    !mask_of_others(h, p, spots[i].wd))
			(void)inotify_rm_watch(h->path_watch.fd, spots[i].wd);
	mem_put(spots);
}

/* --- the way to a path --- */

struct search {
	struct hark *h;
	struct path_unit *unit;
	struct path_spot *spots; /* owned */
	uint32_t n, cap;
	struct arena arena;
};

static bool is_not_there(int err)
{
	return err == ENOENT || err == ENOTDIR || err == EACCES || err == ELOOP ||
	       err == ENAMETOOLONG;
}

static struct path_spot *new_spot(struct search *s)
{
	if (s->n == s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 8;
		struct path_spot *spots =
			mem_grow(s->spots, s->cap * sizeof(*spots), cap * sizeof(*spots));

		if (!spots)
			return NULL;
		s->spots = spots;
		s->cap = cap;
	}
	return &s->spots[s->n];
}

/* 1 it is watched, 0 it is not there (for us), -errno. */
static int watch_one(struct search *s, const struct path_spot *like)
{
	struct path_spot *spot = new_spot(s);
	int wd;

	if (!spot)
		return err_here(-ENOMEM);
	wd = inotify_add_watch(s->h->path_watch.fd, like->path,
			       like->mask | IN_MASK_ADD | (like->is_link ? IN_DONT_FOLLOW : 0));
	if (wd < 0)
		return is_not_there(errno) ? 0 : err_here(-errno);
	*spot = *like;
	spot->wd = wd;
	s->n++;
	return 1;
}

/* A link on the way, too: it may be made to lead elsewhere. */
static int watch_link(struct search *s, struct path_spot like)
{
	struct stat st;

	if (lstat(like.path, &st) < 0 || !S_ISLNK(st.st_mode))
		return 0;
	like.mask = SELF;
	like.is_link = true;
	like.is_end = false;
	return watch_one(s, &like);
}

/* All that the first bytes of the path lead to: several with wildcards. How many, or -errno. */
static int watch_level(struct search *s, const struct path_watch *w, size_t bytes, struct str name)
{
	struct name_list single = {0}, *found = &single;
	struct path_spot like = {.watch = w, .name = name, .is_end = !w->path[bytes]};
	int n = 0, r = 0;

	single.text = arena_dup(&s->arena, w->path, bytes ? bytes : 1);
	if (!single.text)
		return err_here(-ENOMEM);
	if (glob_is_pattern(single.text) && w->kind == PATH_EXISTS_GLOB)
		r = glob_find(single.text, false, &s->arena, &found);
	like.is_end |= !w->path[1];
	like.mask = like.is_end ? end_masks[w->kind] : WAY;
	for (; r >= 0 && found; found = found->next) {
		like.path = found->text;
		r = watch_link(s, like);
		if (r >= 0)
			r = watch_one(s, &like);
		n += r > 0;
	}
	return r < 0 ? r : n;
}

/* The part that begins behind a slash. */
static struct str part_at(const char *path, size_t slash)
{
	struct str rest = str_of(path + slash + 1);

	return str_sub(rest, 0, str_index(rest, '/'));
}

/* Watch the way to a path as far as it is there. 0 or -errno. */
static int watch_way(struct search *s, const struct path_watch *w)
{
	size_t slash = 0;
	uint32_t level = s->n; /* where the spots of the last one begin */
	int r = reach(AT_FDCWD, w->path);

	if (r < 0)
		return r;
	for (;;) {
		struct str part = part_at(w->path, slash);
		/* From the first wildcard on there may be several, and more to come. */
		bool is_wild = w->kind == PATH_EXISTS_GLOB &&
			       strcspn(w->path, "*?[") < slash + 1 + part.n;
		uint32_t here = s->n;
		int n = watch_level(s, w, slash, is_wild ? (struct str){0} : part);

		if (n <= 0)
			return n;
		/* What is there tells itself when it goes. */
		for (uint32_t i = level; i < here; i++)
			if (s->spots[i].name.n)
				s->spots[i].mask = SELF;
		level = here;
		if (!w->path[slash] || part.n == 0)
			return 0;
		slash += 1 + part.n;
	}
}

/* The kernel is to tell what is wanted now and no more. */
static void narrow(struct search *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const struct path_spot *spot = &s->spots[i];
		uint32_t mask = mask_of(s->spots, s->n, spot->wd) |
				mask_of_others(s->h, s->unit, spot->wd);

		(void)inotify_add_watch(s->h->path_watch.fd, spot->path,
					mask | (spot->is_link ? IN_DONT_FOLLOW : 0));
	}
}

/* --- what holds --- */

/* A name that somebody is still writing under, or has put aside. */
static bool is_passing(const char *name)
{
	return name[0] == '.' || name[strlen(name) - 1] == '~';
}

static bool stop_at_entry(void *arg UNUSED, const char *name)
{
	return !is_passing(name);
}

static bool does_hold(const struct path_watch *w)
{
	struct name_list *found = NULL;
	struct arena arena = {0};
	bool is_so = false;

	switch ((enum path_kind)w->kind) {
	case PATH_EXISTS:
		is_so = probe_exists(w->path);
		break;
	case PATH_EXISTS_GLOB:
		is_so = glob_find(w->path, true, &arena, &found) == 0 && found;
		arena_fini(&arena);
		break;
	case PATH_NOT_EMPTY:
		is_so = probe_each_entry(w->path, stop_at_entry, NULL) > 0;
		break;
	case PATH_CHANGED:
	case PATH_MODIFIED:
	case PATH_KINDS:
		break;
	}
	return is_so;
}

static bool is_there(const struct path_spot *spots, uint32_t n, const struct path_watch *w)
{
	for (uint32_t i = 0; i < n; i++)
		if (spots[i].watch == w && spots[i].is_end)
			return true;
	return false;
}

/* --- the activator --- */

static void disarm(struct hark *h, struct unit *u)
{
	struct path_unit *p = path_of(u);
	struct path_spot *spots = take_ptr(p->spots);
	uint32_t n = p->spots_n;

	p->spots_n = 0;
	list_del(&p->node);
	put_spots(h, p, spots, n);
}

static void fail(struct hark *h, struct path_unit *p, int err)
{
	struct sbuf why = {0};

	sbuf_addf(&why, "its paths cannot be watched: %s%s", strerror(-err),
		  err == -ENOSPC ? " (sysctl fs.inotify.max_user_watches)" : "");
	log_at(LOG_ERROR, "%s: %s; the unit is failed, others go on", p->unit.name,
	       why.p ? why.p : "?");
	mem_put((void *)(uintptr_t)p->fail_text);
	p->fail_text = sbuf_take(&why);
	engine_post_simple(&h->engine, &p->unit, EV_ARM_FAILED, -err, 0, 0);
}

/* The end of a long path says more than its beginning. */
static void cite(char *out, size_t cap, const char *path)
{
	size_t n = strlen(path);

	if (n < cap)
		memcpy(out, path, n + 1);
	else
		snprintf(out, cap, "...%s", path + n - (cap - 4));
}

const char *paths_cited(struct unit *u, const char *cited, struct arena *arena)
{
	const struct path_watch *w = path_of(u) ? u->config->own->path->watches : NULL;
	struct name_list *found = NULL;
	char text[LEDGER_TEXT];

	for (; w; w = w->next) {
		cite(text, sizeof(text), w->path);
		if (strcmp(text, cited) != 0)
			continue;
		if (w->kind == PATH_EXISTS_GLOB && arena &&
		    glob_find(w->path, true, arena, &found) == 0 && found)
			return found->text;
		return w->path;
	}
	return NULL;
}

static void trigger(struct hark *h, struct path_unit *p, const struct path_watch *w)
{
	const struct path_config *c = p->unit.config->own->path;
	struct event e = {
		.kind = EV_TRIGGER,
		.unit = p->unit.id,
		.cause = {.kind = CAUSE_TRIGGER, .unit = p->unit.id, .uid = UINT32_MAX},
	};

	if (job_pending(&p->unit) == JOB_STOP)
		return; /* it starts nothing any more; if it stays after all, the next change counts */
	disarm(h, &p->unit);
	if (limit_is_over(&p->trigger_begin_us, &p->trigger_count, loop_now_us(&h->loop),
			  c->trigger_limit_interval_us, c->trigger_limit_burst)) {
		log_at(LOG_ERROR,
		       "%s: triggered more than %u times in %llu ms (TriggerLimitBurst=); the unit is failed",
		       p->unit.name, c->trigger_limit_burst,
		       (unsigned long long)(c->trigger_limit_interval_us / US_PER_MS));
		p->result = PRES_TRIGGER_LIMIT;
		engine_post_simple(&h->engine, &p->unit, EV_ARM_FAILED, ECANCELED, 0, 0);
		return;
	}
	cite(e.cause.text, LEDGER_TEXT, w->path);
	engine_note_trigger(&h->engine, &p->unit, &e.cause);
	engine_post(&h->engine, &e);
}

/* Watch what is there now. is_anew: nothing was watched, so a path that is there has not just come. */
static void look(struct hark *h, struct path_unit *p, bool is_anew)
{
	const struct path_watch *first = p->unit.config->own->path->watches, *fired = NULL;
	struct search s = {.h = h, .unit = p};
	struct path_spot *old = p->spots;
	uint32_t old_n = p->spots_n;
	int r = h->path_watch.is_on ? 0 : -ENOTSUP;

	for (const struct path_watch *w = first; r == 0 && w; w = w->next)
		r = watch_way(&s, w);
	if (r == 0)
		narrow(&s);
	arena_fini(&s.arena);
	p->spots = s.spots;
	p->spots_n = s.n;
	if (!list_is_linked(&p->node))
		list_add_tail(&h->watched_paths, &p->node);
	for (const struct path_watch *w = first; r == 0 && w && !fired; w = w->next)
		if (path_is_level(w->kind)
			    ? does_hold(w)
			    : !is_anew && is_there(old, old_n, w) != is_there(s.spots, s.n, w))
			fired = w;
	put_spots(h, p, old, old_n);
	if (r < 0) {
		disarm(h, &p->unit);
		fail(h, p, r);
	} else if (fired) {
		trigger(h, p, fired);
	}
}

static void watch(struct hark *h, struct unit *u)
{
	look(h, path_of(u), true);
}

static int arm(struct hark *h UNUSED, struct unit *u, char **ret_why UNUSED)
{
	const struct path_config *c = u->config->own->path;
	mode_t mask = umask(0);

	for (const struct path_watch *w = c->watches; c->make_directory && w; w = w->next) {
		bool is_made = w->kind != PATH_EXISTS && w->kind != PATH_EXISTS_GLOB;
		int r = is_made ? reach(AT_FDCWD, w->path) : 0;

		if (is_made && r == 0)
			r = fd_mkdir_parents(w->path, true, c->directory_mode);
		if (r < 0)
			log_at(LOG_WARN, "%s: cannot make the directory %s: %s; going on", u->name,
			       w->path, strerror(-r));
	}
	umask(mask);
	return 0;
}

const struct activator path_activator = {
	.type = UNIT_PATH,
	.arm = arm,
	.watch = watch,
	.disarm = disarm,
};

/* --- what the kernel tells --- */

static void note_event(struct path_unit *p, const struct inotify_event *e)
{
	for (uint32_t i = 0; i < p->spots_n; i++) {
		const struct path_spot *spot = &p->spots[i];
		bool is_named = e->len && spot->name.n && !spot->is_end;

		if (spot->wd != e->wd || !(e->mask & (spot->mask | LOST)) ||
		    (is_named && !str_eq_z(spot->name, e->name)))
			continue;
		if (spot->is_end && e->mask & spot->mask && !path_is_level(spot->watch->kind))
			p->fired = spot->watch;
		p->want_look = true;
	}
}

/* Events were lost: whatever waits for a change has perhaps seen it. */
static void note_loss(struct path_unit *p)
{
	p->want_look = true;
	for (const struct path_watch *w = p->unit.config->own->path->watches; w; w = w->next)
		if (!path_is_level(w->kind))
			p->fired = w;
}

static void note(struct hark *h, const struct inotify_event *e)
{
	bool is_ours = false;

	list_for_each(node, &h->watched_paths) {
		struct path_unit *p = container_of(node, struct path_unit, node);

		if (e->mask & IN_Q_OVERFLOW)
			note_loss(p);
		else
			note_event(p, e);
		is_ours |= mask_of(p->spots, p->spots_n, e->wd) != 0;
	}
	/* Of a unit that the manager before watched for and that is gone. */
	if (!is_ours && !(e->mask & (IN_IGNORED | IN_Q_OVERFLOW)))
		(void)inotify_rm_watch(h->path_watch.fd, e->wd);
}

/* What was noted of each unit, once. */
static void act(struct hark *h)
{
	list_for_each_safe(node, &h->watched_paths) {
		struct path_unit *p = container_of(node, struct path_unit, node);
		const struct path_watch *fired = p->fired;
		bool want_look = p->want_look;

		p->fired = NULL;
		p->want_look = false;
		if (fired)
			trigger(h, p, fired);
		else if (want_look)
			look(h, p, false);
	}
}

static void on_readable(struct watch *watch, uint32_t events UNUSED)
{
	struct hark *h = container_of(watch, struct hark, path_watch);
	_Alignas(struct inotify_event) char bytes[EVENTS_BYTES];
	ssize_t n = fd_read(watch->fd, bytes, sizeof(bytes));

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const void *)(bytes + at);

		note(h, e);
		at += (ssize_t)(sizeof(*e) + e->len);
	}
	act(h);
	engine_digest(&h->engine); /* stored: the kernel does not tell it again */
}

void paths_look_again(struct hark *h)
{
	list_for_each(node, &h->watched_paths)
		container_of(node, struct path_unit, node)->want_look = true;
	act(h);
}

int paths_open(struct hark *h)
{
	int fd = bank_lasting(&h->bank, "paths", fd_inotify);

	list_init(&h->watched_paths);
	h->path_watch.fn = on_readable;
	return fd < 0 ? fd : loop_watch(&h->loop, &h->path_watch, fd, EPOLLIN);
}
