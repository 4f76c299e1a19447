/* SPDX-License-Identifier: MIT */
#include "activate/nodes.h"

#include <sys/epoll.h>
#include <sys/inotify.h>

#include "activate/devices.h"
#include "core/fd.h"
#include "units/device_unit.h"
#include "units/probe.h"

enum {
	AWAITED_EVERY_US = 50 * 1000, /* what inotify does not tell of */
	FOUND_EVERY_US = 1000 * 1000,
	EVENTS_BYTES = 4096,
	WATCH_TRIES = 3, /* while directories come and go on the way */
	NODE_EVENTS = IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
};

/* --- watching --- */

static void on_events(struct watch *w, uint32_t events);

static bool begin_watch(struct hark *h)
{
	AUTO_FD int fd = -1;

	if (h->nodes_watch.is_on)
		return true;
	fd = fd_inotify();
	h->nodes_watch.fn = on_events;
	if (fd < 0 || loop_watch(&h->loop, &h->nodes_watch, fd, EPOLLIN) < 0)
		return false;
	(void)take_fd(fd);
	return true;
}

static void end_watch(struct hark *h)
{
	int fd = h->nodes_watch.fd;

	if (!h->nodes_watch.is_on)
		return;
	loop_unwatch(&h->loop, &h->nodes_watch);
	fd_close(fd);
}

/* Watches the deepest directory on the way that is there, and cuts the way behind it, with NULs for slashes. False: none can be watched. */
static bool watch_deepest(int fd, char *way)
{
	for (char *slash = strrchr(way, '/'); slash && slash != way; slash = strrchr(way, '/')) {
		*slash = '\0';
		if (inotify_add_watch(fd, way, NODE_EVENTS) >= 0)
			return true;
		if (errno != ENOENT && errno != ENOTDIR)
			return false;
	}
	return false;
}

/* Will inotify tell when the node comes or goes? Watching a directory that is watched changes nothing. */
static bool is_watched(struct hark *h, const char *path)
{
	char way[UNIT_NAME_MAX + 2];

	if (!str_has_prefix(str_of(path), STR("/dev/")) || !begin_watch(h))
		return false;
	for (unsigned i = 0; i < WATCH_TRIES; i++) {
		memcpy(way, path, strlen(path) + 1);
		if (!watch_deepest(h->nodes_watch.fd, way))
			return false;
		/* What comes next on the way: was it made before the directory was watched? */
		way[strlen(way)] = '/';
		if (strcmp(way, path) == 0 || !probe_exists(way))
			return true;
	}
	return false;
}

/* --- looking --- */

static bool is_awaited(const struct unit *u)
{
	return !unit_is_active(u) && job_pending(u) == JOB_START;
}

/* Also what waits for its order: it may be there by then. Returns when to look again, UINT64_MAX: not before something is told. */
static uint64_t look_at(struct hark *h, struct device_unit *d, const char *path)
{
	struct unit *u = &d->unit;
	bool is_told_of = is_watched(h, path); /* first: else what happens in between is missed */
	bool is_there = probe_exists(path);

	if (!is_there && !is_awaited(u)) {
		d->by_node = false;
		devices_lose(h, u);
		return UINT64_MAX;
	}
	if (is_there && is_awaited(u)) {
		d->by_node = true;
		devices_post(h, u, DEVICE_FOUND);
	}
	if (is_told_of)
		return UINT64_MAX;
	return is_there ? FOUND_EVERY_US : AWAITED_EVERY_US;
}

static void look(struct hark *h)
{
	char path[UNIT_NAME_MAX + 2];
	uint64_t again_us = UINT64_MAX;
	bool is_needed = false;

	for (uint32_t i = 0; i < h->reg.n && !h->devices.is_told; i++) {
		struct unit *u = registry_unit(&h->reg, i);
		struct device_unit *d = u ? device_of(u) : NULL;
		uint64_t us;

		if (!d || !(is_awaited(u) || (d->by_node && unit_is_active(u))) ||
		    !device_path(u, path, sizeof(path)))
			continue;
		us = look_at(h, d, path);
		again_us = us < again_us ? us : again_us;
		is_needed = true;
	}
	if (again_us != UINT64_MAX)
		loop_timer_arm(&h->loop, &h->nodes_timer, loop_now_us(&h->loop) + again_us);
	if (!is_needed)
		end_watch(h);
}

static void on_timer(struct timer *t)
{
	look(container_of(t, struct hark, nodes_timer));
}

/* Which node it was does not matter: all are looked at. */
static void on_events(struct watch *w, uint32_t events UNUSED)
{
	char bytes[EVENTS_BYTES];

	if (fd_read(w->fd, bytes, sizeof(bytes)) > 0)
		look(container_of(w, struct hark, nodes_watch));
}

/* The caller is in the midst of something else. */
static void await(struct device_source *s)
{
	struct hark *h = container_of(s, struct hark, devices);

	loop_timer_arm(&h->loop, &h->nodes_timer, loop_now_us(&h->loop));
}

void nodes_open(struct hark *h)
{
	h->devices.can_appear = h->is_pid1 && !h->load.in_container;
	h->devices.await = await;
	h->nodes_timer.fn = on_timer;
}

/* Who was told of is not known any more. An alias need not be a file; but what is called a node and has none is gone. */
void nodes_take_over(struct hark *h)
{
	char path[UNIT_NAME_MAX + 2];

	for (uint32_t i = 0; i < h->reg.n && !h->devices.is_told; i++) {
		struct unit *u = registry_unit(&h->reg, i);
		struct device_unit *d = u ? device_of(u) : NULL;

		if (d && unit_is_active(u) && device_path(u, path, sizeof(path)))
			d->by_node = str_has_prefix(str_of(path), STR("/dev/")) ||
				     probe_exists(path);
	}
	look(h);
}
