/* SPDX-License-Identifier: MIT */
/*
 * bus_work - what a call asks for that has to wait for the disk or another namespace: done by a child of ours, so that nobody else waits for it.
 *
 * The child is a copy of us that answers the one call and ends; the answer comes back as the bytes of its message. One child after the other:
 * who changes files and then asks about them sees the change. A child outlives us: what it has begun it ends.
 */
#pragma once

#include "activate/bus.h"

/*
 * bus_work() - let a child answer the call by calling work(), now or when its turn comes.
 *
 * @after: called here when the child has ended, before the answer is sent; or NULL
 */
void bus_work(struct bus_call *c, void (*work)(struct bus_call *c), void (*after)(struct bus *b));
