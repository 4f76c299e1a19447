/* SPDX-License-Identifier: MIT */
/*
 * devices - device units as hark-udev tells of them: each device becomes as many units as it has names. No udev in here.
 *
 * What is told is kept with the units. After the death of a manager the units are as they were, and the next enumeration puts them right.
 */
#pragma once

#include "core/hark.h"
#include "units/device_unit.h"

/*
 * devices_heard() - take in the first of some words of hark-udev: one of
 *
 *   begin                   an enumeration begins
 *   end                     it is over: what was not told since the beginning is gone
 *   gone=PATH               that device is not there any more
 *   is=PATH [KEY=VALUE]...  that device is there; name=PATH: also under that name, model=TEXT, wants=UNIT..., user-wants=UNIT...,
 *                           binds-mounts=BOOL: what is mounted from it is unmounted when it goes
 *
 * @words:   PATH is absolute; is=, gone= with the path of the device in /sys
 * @is_news: false: only count the words
 *
 * What follows from it for other units is decided when it returns. Returns how many words it was, 0: the first one is none of these.
 */
unsigned devices_heard(struct hark *h, const char *const *words, unsigned n, bool is_news);

/* The device is there, or not any more. What follows is decided by the next engine_digest(). */
void devices_post(struct hark *h, struct unit *u, enum device_found found);
/* Nobody has that name any more; the unit goes too, unless others name it. */
void devices_lose(struct hark *h, struct unit *u);

/* To be called when the configuration of u was read. */
void devices_loaded(struct hark *h, struct unit *u);
/* To be called when u or its job has changed: what hark-udev does decides whether anybody may wait for a device. */
void devices_follow(struct hark *h, const struct unit *u);
/* Look what hark-udev does: after a takeover. */
void devices_look(struct hark *h);
