/* SPDX-License-Identifier: MIT */
/*
 * bus_controller - scopes that somebody on the bus ends: who set Controller= is sent RequestStop() when the scope stops, in place of signals to
 * its processes.
 *
 * The manager knows which scopes have one, and waits; we know them, too, to see when one of these names leaves the bus. The manager, who is told
 * so, ends the processes itself then. After a death of ours all is learned again, and who was to be asked meanwhile is asked.
 */
#pragma once

#include "activate/bus.h"

/* Ask the manager which scopes have a controller; `then`, if any, is called when that is known. Who is to be asked is. */
void bus_controllers_learn(struct bus *b, void (*then)(struct bus *b));
/* unit is being made with that controller. */
void bus_controller_add(struct bus *b, struct str unit, struct str name);
/* What the manager tells of a unit: fields Controller and SubState. */
void bus_controller_heard(struct bus *b, struct str unit, const struct row *row);
/* Is that the name of one? */
bool bus_controller_is(const struct bus *b, const char *name);
