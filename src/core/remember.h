/* SPDX-License-Identifier: MIT */
/*
 * remember - what of a unit goes into the state table, so that the next manager can go on. Plain stores; cannot fail.
 *
 * Called after every change of state or job, and before a process is asked for: its slot and token are known before it can exist.
 */
#pragma once

#include "core/hark.h"

/* Store what is known of u now; a full table only means that the next manager finds it by its processes. */
void remember_unit(struct hark *h, struct unit *u);
