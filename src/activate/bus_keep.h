/* SPDX-License-Identifier: MIT */
/*
 * bus_keep - descriptors that a client gave along with a unit: kept for as long as the unit runs, whose processes open them by our name for them
 * (/proc/PID/fd), the last of them when it ends (ExecStopPost=).
 */
#pragma once

#include "activate/bus.h"

/* Keep these descriptors, which are ours now, until bus_keep_drop(). */
void bus_keep_fds(struct bus *b, const char *unit, const int *fds, unsigned n);
/* The unit is at rest, or never was anything else. */
void bus_keep_drop(struct bus *b, const char *unit);
/* Drop all. */
void bus_keep_fini(struct bus *b);
