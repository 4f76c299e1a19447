/* SPDX-License-Identifier: MIT */
/*
 * refresh - take a changed unit file into use while the unit lives.
 *
 * The new configuration replaces the old one as a whole or not at all: a broken file leaves the old one in force. A unit that
 * is between two states, or a socket that is listening, keeps its configuration until it rests (its kernel objects and
 * running commands point into it).
 */
#pragma once

#include "core/hark.h"

enum refresh {
	REFRESH_SAME,   /* the files have not changed */
	REFRESH_DONE,   /* the new configuration is in use */
	REFRESH_BROKEN, /* the new files do not make a unit: the old configuration stays */
	REFRESH_LATER,  /* not now: see above; is_changed_on_disk is set */
	REFRESH_HELD, /* fine, but another of the same change is broken: the old configuration stays */
};

/*
 * refresh_unit() - only this unit; the index of files must be fresh (load_scan).
 *
 * @ret_broken: NULL, or with REFRESH_BROKEN gets the configuration that was refused, for its findings; unit_config_free() it
 *
 * Returns enum refresh or -ENOMEM (nothing changed).
 */
MUST_USE int refresh_unit(struct hark *h, struct unit *u, struct unit_config **ret_broken);
/*
 * The two halves of it. refresh_read() gives what refresh_unit() would put in use (REFRESH_DONE) or has refused (REFRESH_BROKEN) in
 * *ret_fresh, else NULL. refresh_use() exchanges *config with the one in use: 0, or -ENOMEM and nothing has changed.
 */
MUST_USE int refresh_read(struct hark *h, struct unit *u, struct unit_config **ret_fresh);
MUST_USE int refresh_use(struct hark *h, struct unit *u, struct unit_config **config);

/*
 * With what settings the unit was started when its files have changed and been read again since, or NULL: with those
 * that it has. Borrowed until the next refresh. Known to the manager that read them only.
 */
const struct unit_config *refresh_ran_with(const struct hark *h, const struct unit *u);

/* One unit of a change, and what became of it. */
struct refresh_item {
	struct unit *unit;
	struct unit_config *config; /* to come; once in use: the old one; owned */
	uint8_t how;                /* enum refresh */
};

/*
 * Units that are taken into use together or not at all. One that breaks holds back the others of that change; one that was refused before
 * and is broken still does not hold back what comes later.
 */
struct refresh_set {
	struct refresh_item *items;
	uint32_t n, cap;
	bool is_held;
};
/* Read u and note it unless it is the same. 0 or -ENOMEM. */
MUST_USE int refresh_set_add(struct hark *h, struct refresh_set *s, struct unit *u);
/* All of them. 0, or -ENOMEM and everything is as before. */
MUST_USE int refresh_set_use(struct hark *h, struct refresh_set *s);
void refresh_set_fini(struct refresh_set *s);
