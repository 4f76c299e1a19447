/* SPDX-License-Identifier: MIT */
/*
 * dynamic_user - users that exist while a unit runs: DynamicUser=. systemd.exec(5)
 *
 * A name gets the first free number of 61184..65519 from the one on that it hashes to, so in the usual case always the same one.
 * Who has which stands in files below the run directory, not in the manager: `UID` holds the name and is the lock, `NAME` is a link
 * to the number. Two units that name the same user have the same one. For everybody else's look-ups a record of each lies in
 * /run/userdb, where nss-systemd (nsswitch.conf, "systemd") reads it without asking anybody. nss-systemd(8)
 */
#pragma once

#include "core/hark.h"

enum { DYNAMIC_UID_FIRST = 61184, DYNAMIC_UID_LAST = 65519 };

/* Does the unit want one? Not where its user stands in /etc/passwd: then that is its user. */
bool dynamic_user_is_wanted(const struct unit *u);
/* The number of the unit's user, taken if it is not there yet. 0, -EBUSY (all are taken), -errno. */
MUST_USE int dynamic_user_take(const struct hark *h, const struct unit *u, uid_t *ret);
/* The unit is at rest: its user goes, unless another unit that runs has it, too. The number it had, 0: none. */
uid_t dynamic_user_give_back(const struct hark *h, const struct unit *u);
