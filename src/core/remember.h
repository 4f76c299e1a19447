/* SPDX-License-Identifier: MIT */
/*
 * remember - what of a unit goes into the state table, so that the next manager can go on. Plain stores; cannot fail.
 *
 * Called by the engine with every commit, and before a process is asked for: its slot and token are known before it can exist.
 */
#pragma once

#include "core/hark.h"
#include "units/service.h"

/* Store what is known of u now; a full table only means that the next manager finds it by its processes. */
void remember_unit(struct hark *h, struct unit *u);
/* Store the words of a service (STATUS=, ERRNO=, the peer of its connection) or of hark-mount about a mount or swap. */
void remember_text(struct hark *h, struct unit *u);
/* Store what concerns the manager itself; the caller commits. */
void remember_manager(struct hark *h);
