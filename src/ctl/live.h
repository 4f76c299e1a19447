/* SPDX-License-Identifier: MIT */
/*
 * live - the unit directories while the manager runs: inotify says what has changed, and a change is taken as one transaction.
 *
 * Where presence is enablement (/etc/units, /run/units) a change counts by itself once the directory has been quiet for a moment: what
 * appears is started when a running target wants it, what is gone is stopped and forgotten. Elsewhere a change waits for a reload; a unit
 * whose file is gone runs on. A lost event (queue overflow) means that everything is looked at again.
 */
#pragma once

#include "core/hark.h"
#include "ctl/refresh.h"

enum {
	LIVE_SETTLE_US = 150 * 1000,  /* of quiet */
	LIVE_PATIENCE_US = 800 * 1000 /* of changes that do not end */
};

/* Watch; without inotify a reload looks at every file. 0 or -ENOMEM. */
MUST_USE int live_open(struct hark *h);

/* Told of each unit that has changed. config: the refused one with REFRESH_BROKEN, else the one in use. */
typedef void (*live_told_fn)(void *arg, struct unit *u, enum refresh how,
			     const struct unit_config *config);
/*
 * live_reload() - take what has changed into use, now and in every directory.
 *
 * @told: NULL: it is logged
 *
 * Returns 0, or -ENOMEM and everything is as before.
 */
MUST_USE int live_reload(struct hark *h, live_told_fn told, void *arg);
/* At the beginning: what went from a presence directory while no manager lived is stopped, what came there is started. */
void live_look_back(struct hark *h);
/* One unit that rests is to be started: take its files into use; what is wrong with them is logged. */
void live_renew(struct hark *h, struct unit *u);
/* A unit's state or job has changed: perhaps what waited for it can be taken into use. */
void live_changed(struct hark *h, const struct unit *u);
