/* SPDX-License-Identifier: MIT */
#include "activate/time.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/log.h"
#include "units/timer.h"

enum { ZONE_FILE_MAX = 1 << 20 };

/* --- the file that remembers --- */

static bool stamp_path(const struct unit *u, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s/stamp-%s", timer_stamps_dir, u->name);

	return n > 0 && n < PATH_MAX;
}

static void touch_stamp(const struct unit *u)
{
	static const struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
	char path[PATH_MAX];
	AUTO_FD int fd = -1;

	if (!u->config->own->timer->persistent || !stamp_path(u, path))
		return;
	(void)!fd_mkdir_parents(path, false, 0755);
	fd = fd_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_NONBLOCK, 0644);
	if (fd < 0 || futimens(fd, now) < 0)
		log_at(LOG_WARN,
		       "%s: cannot note in %s that it elapsed: %s; after a boot it may elapse once too often",
		       u->name, path, strerror(fd < 0 ? -fd : errno));
}

/* 0: never. A stamp from the future says that the clock was wrong. */
static uint64_t read_stamp(const struct unit *u)
{
	uint64_t now_us = clock_wall_us(), us;
	char path[PATH_MAX];
	struct stat st;

	if (!stamp_path(u, path) || stat(path, &st) < 0)
		return 0;
	us = (uint64_t)st.st_mtim.tv_sec * US_PER_SEC + (uint64_t)st.st_mtim.tv_nsec / 1000;
	return us < now_us ? us : now_us;
}

/* --- the next time --- */

/* The last zone that was asked for. */
struct zone_cache {
	struct zone zone;
	char *bytes; /* owned */
};

static const struct zone *read_zone(void *arg, const char *name)
{
	struct zone_cache *c = arg;
	char path[PATH_MAX];
	size_t n = 0;

	mem_put(c->bytes);
	c->bytes = NULL;
	snprintf(path, sizeof(path), "%s%s", name ? "/usr/share/zoneinfo/" : "/etc/localtime",
		 name ? name : "");
	if (fd_read_file(AT_FDCWD, path, ZONE_FILE_MAX, &c->bytes, &n) < 0)
		return NULL;
	return zone_read((struct str){c->bytes, n}, &c->zone) == 0 ? &c->zone : NULL;
}

/* Up to RandomizedDelaySec=; always the same for a unit and machine with FixedRandomDelay=. */
static uint64_t random_delay(const struct hark *h, const struct unit *u)
{
	const struct timer_config *t = u->config->own->timer;
	uint64_t random = 0;

	if (!t->randomized_delay_us)
		return 0;
	if (t->fixed_random_delay)
		random = (uint64_t)str_hash(str_of(u->name)) << 32 |
			 str_hash(str_of(h->load.host.machine_id));
	else if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint64_t)str_hash(str_of(u->name)) << 32 | (uint32_t)clock_mono_us();
	return t->randomized_delay_us == TIME_NEVER ? random : random % t->randomized_delay_us;
}

static const struct unit *unit_of_timer(const struct hark *h, const struct unit *u)
{
	for (uint32_t i = 0; i < u->edges_n; i++)
		if (u->edges[i].type == DEP_TRIGGERS)
			return registry_unit(&h->reg, u->edges[i].to);
	return NULL;
}

static uint64_t reckon(struct hark *h, const struct timer_unit *t)
{
	const struct unit *unit = unit_of_timer(h, &t->unit);
	struct zone_cache cache = {.bytes = NULL};
	struct timer_facts f = {
		.now_wall_us = clock_wall_us(),
		.active_us = t->unit.inactive_exit_us,
		.startup_us = h->boot_us,
		.active_wall_us = t->active_wall_us,
		.last_us = t->last_us,
		.last_wall_us = t->last_wall_us,
		.unit_start_us = unit ? unit->inactive_exit_us : 0,
		.unit_end_us = unit ? unit->inactive_enter_us : 0,
		.delay_us = random_delay(h, &t->unit),
		.zone = read_zone,
		.zone_arg = &cache,
	};
	uint64_t next;

	/* After the other clock: what keeps us between the two makes a calendar late, not early and then due once more. */
	f.now_us = loop_now_us(&h->loop);
	next = timer_next_us(t->unit.config->own->timer, &f);
	mem_put(cache.bytes);
	return next;
}

/* --- the activator --- */

static void on_due(struct timer *timer)
{
	struct timer_unit *t = container_of(timer, struct timer_unit, due);
	struct hark *h = t->hark;
	struct event e = {.kind = EV_TRIGGER,
			  .unit = t->unit.id,
			  .cause = {.kind = CAUSE_TRIGGER, .unit = t->unit.id, .uid = UINT32_MAX}};

	t->last_us = loop_now_us(&h->loop);
	t->last_wall_us = clock_wall_us();
	touch_stamp(&t->unit);
	engine_touch(&h->engine, &t->unit);
	engine_post(&h->engine, &e);
}

static int arm(struct hark *h UNUSED, struct unit *u, char **ret_why UNUSED)
{
	struct timer_unit *t = timer_of(u);

	/* What the clock jumps over is made up for. */
	t->active_wall_us = clock_wall_us();
	if (!u->config->own->timer->persistent)
		return 0;
	t->last_wall_us = read_stamp(u);
	if (!t->last_wall_us)
		touch_stamp(u);
	return 0;
}

static void watch(struct hark *h, struct unit *u)
{
	struct timer_unit *t = timer_of(u);
	uint64_t due = reckon(h, t);

	t->hark = h;
	t->due.fn = on_due;
	loop_timer_arm(&h->loop, &t->due, due);
	if (due == TIME_NEVER && !u->config->own->timer->on_clock_change &&
	    !u->config->own->timer->on_timezone_change)
		engine_post_simple(&h->engine, u, EV_NOTHING, 0, 0, 0);
}

static void disarm(struct hark *h, struct unit *u)
{
	loop_timer_disarm(&h->loop, &timer_of(u)->due);
}

const struct activator time_activator = {
	.type = UNIT_TIMER,
	.arm = arm,
	.watch = watch,
	.disarm = disarm,
};

uint64_t time_next_us(struct unit *u)
{
	const struct timer_unit *t = timer_of(u);

	return t->due.is_armed ? t->due.due_us : TIME_NEVER;
}

/* --- steps of the clock --- */

static int arm_step_watch(int fd)
{
	/* Far away: it is there to be cancelled. */
	static const struct itimerspec never = {.it_value = {.tv_sec = INT32_MAX}};

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0
		       ? err_here(-errno)
		       : 0;
}

/* Timers that wait reckon anew; those that wait for just this elapse. */
static void reckon_all(struct hark *h, bool is_zone)
{
	for (uint32_t i = 0; i < h->reg.n; i++) {
		struct unit *u = registry_unit(&h->reg, i);

		if (!u || u->type != UNIT_TIMER || u->state != TIMER_WAITING)
			continue;
		if (is_zone ? u->config->own->timer->on_timezone_change
			    : u->config->own->timer->on_clock_change)
			on_due(&timer_of(u)->due);
		else
			watch(h, u);
	}
}

static void on_step(struct watch *w, uint32_t events UNUSED)
{
	struct hark *h = container_of(w, struct hark, clock_watch);
	uint64_t n;

	(void)!read(w->fd, &n, sizeof(n));
	if (arm_step_watch(w->fd) < 0)
		loop_unwatch(&h->loop, w);
	reckon_all(h, false);
}

/* --- another zone --- */

static void on_zone(struct watch *w, uint32_t events UNUSED)
{
	struct hark *h = container_of(w, struct hark, zone_watch);
	union {
		struct inotify_event event;
		char bytes[4096];
	} buffer;
	const struct inotify_event *e;
	bool is_changed = false;
	ssize_t n = fd_read(w->fd, buffer.bytes, sizeof(buffer.bytes));

	for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(*e) + e->len)) {
		e = (const struct inotify_event *)(const void *)(buffer.bytes + at);
		if (e->mask & IN_Q_OVERFLOW || (e->len && strcmp(e->name, "localtime") == 0))
			is_changed = true;
	}
	if (is_changed)
		reckon_all(h, true);
}

/* It is a link, which is replaced: so its directory is watched. */
static int open_zone_watch(struct hark *h)
{
	int fd = bank_lasting(&h->bank, "zone", fd_inotify);

	if (fd < 0)
		return fd;
	if (inotify_add_watch(fd, "/etc", IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
		return err_here(-errno);
	h->zone_watch.fn = on_zone;
	return loop_watch(&h->loop, &h->zone_watch, fd, EPOLLIN);
}

int time_open(struct hark *h)
{
	AUTO_FD int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	int r = fd < 0 ? err_here(-errno) : arm_step_watch(fd);

	h->clock_watch.fn = on_step;
	if (r == 0)
		r = loop_watch(&h->loop, &h->clock_watch, fd, EPOLLIN);
	if (r == 0) {
		take_fd(fd);
		r = open_zone_watch(h);
	}
	return r;
}
