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
};

/*
 * refresh_unit() - only this unit; the index of files must be fresh (load_scan).
 *
 * @ret_broken: NULL, or with REFRESH_BROKEN gets the configuration that was refused, for its findings; unit_config_free() it
 *
 * Returns enum refresh or -ENOMEM (nothing changed).
 */
MUST_USE int refresh_unit(struct hark *h, struct unit *u, struct unit_config **ret_broken);
