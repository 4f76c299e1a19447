/* SPDX-License-Identifier: MIT */
/*
 * bus_mounts - tells of mounts that somebody has remounted with other options. The manager does not hear of that, having to look at every mount
 * for it; who follows units on D-Bus does, from here: the whole table is read when it has changed, as seldom as proc_table.h says.
 */
#pragma once

#include "activate/bus.h"

/* Begin to follow, for as long as the process lives. 0 or -errno. */
MUST_USE int bus_mounts_open(struct bus *b);
