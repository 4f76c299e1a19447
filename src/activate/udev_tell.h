/* SPDX-License-Identifier: MIT */
/*
 * udev_tell - what is to be told to the manager of devices: in order, one request at a time, once more to a new manager. No libudev in here.
 *
 * Of a device that changes faster than it can be told only the newest is kept, and that it was gone meanwhile: memory is bounded by the
 * number of devices.
 */
#pragma once

#include "activate/ask.h"
#include "core/map.h"

enum { TELL_FACTS_MAX = 8 * 1024, TELL_FACTS_MOST = 200 };

struct udev_tell {
	struct asker asker;
	struct ask watch;   /* breaks when the manager does */
	struct ask telling; /* the request on its way */
	bool is_telling;
	struct arena arena; /* its words */
	const char *words[REQUEST_ARGS];
	struct list items;        /* to be told */
	struct map by_path;       /* those of them that are about a device */
	uint32_t round;           /* of enumerations */
	void (*renew)(void *arg); /* a manager that knows nothing yet: enumerate */
	void *arg;
};

/* loop and path (of the control socket) are borrowed until udev_tell_fini(). renew is called at the first manager, and at each new one. */
void udev_tell_init(struct udev_tell *t, struct loop *loop, const char *path,
		    void (*renew)(void *arg), void *arg);
void udev_tell_fini(struct udev_tell *t);

/* Each 0 or -ENOMEM. All that is told between the two marks is all there is. */
MUST_USE int udev_tell_begin(struct udev_tell *t);
MUST_USE int udev_tell_end(struct udev_tell *t);
/* sysfs: path of the device; facts: what follows "is=PATH" in activate/devices.h, a line each, TELL_FACTS_MAX bytes at most. Borrowed. */
MUST_USE int udev_tell_is(struct udev_tell *t, const char *sysfs, const char *facts);
MUST_USE int udev_tell_gone(struct udev_tell *t, const char *sysfs);
/* Send what was told since the last time, when nothing is on its way. */
void udev_tell_flush(struct udev_tell *t);
