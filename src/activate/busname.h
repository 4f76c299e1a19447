/* SPDX-License-Identifier: MIT */
/*
 * busname - names on the system bus as the manager sees them: what hark-bus tells of their owners. No D-Bus in here.
 *
 * Owned names are known by heart, not remembered: hark-bus tells a new manager all of them. Services of Type=dbus hear of their name, and so
 * does the unit of a name ("org.bluez.busname"), which is made only where a file, a link or another unit speaks of it. The scope whose controller
 * it is hears that it is gone.
 */
#pragma once

#include "core/hark.h"

struct service;

/* Can somebody tell us of names: is hark-bus a unit that can run? */
bool busname_has_watcher(const struct hark *h);
/*
 * To be called when the main process of s is known to be executed, before the service hears of it. Where nobody can tell us of names,
 * Type=dbus counts as started now, and a note says so. s may be NULL.
 */
void busname_execed(struct hark *h, struct service *s);
/* Does hark-bus run, so that somebody on the bus can be asked? */
bool busname_has_bridge(const struct hark *h);
/*
 * busname_heard() - take in one word of hark-bus: one of
 *
 *   NAME    it has an owner: services of Type=dbus that wait for it are ready
 *   -NAME   it has none any more: those that run stop
 *   begin   all names are told from here on
 *   end     all were told: what was not has no owner any more
 *   gone    there is no bus: no name is there, but services go on until the next one tells
 *
 * What follows for other units is decided when it returns.
 */
void busname_heard(struct hark *h, struct str word);
/* To be called when the configuration of u was read. */
void busname_loaded(struct hark *h, struct unit *u);
/* To be called when files or links of units have come: owned names that they speak of. */
void busname_look(struct hark *h);
