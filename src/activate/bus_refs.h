/* SPDX-License-Identifier: MIT */
/*
 * bus_refs - units that clients want to stay, so that they can be asked how they ended (RefUnit(), AddRef).
 *
 * A client may hold a unit several times over; when it leaves, all it held is let go. What is held the manager knows (its verb `hold`), and the
 * next one: after a death of ours it is learned from there.
 */
#pragma once

#include "activate/bus.h"

/* Learn from the manager what is held, once; `then` is called when that is known, now or later. */
void bus_refs_learn(struct bus *b, void (*then)(struct bus *b));
/* The caller of c holds the unit once more. False: too many, or no memory. */
bool bus_refs_add(const struct bus_call *c, const char *unit);
/* That name on the bus is no more. */
void bus_refs_drop(struct bus *b, const char *holder);
/* All names on the bus are told, between begin and end: who is not among them holds nothing. */
void bus_refs_begin(struct bus *b);
void bus_refs_see(struct bus *b, const char *name);
void bus_refs_end(struct bus *b);
