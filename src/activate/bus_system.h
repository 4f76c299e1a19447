/* SPDX-License-Identifier: MIT */
/*
 * bus_system - our seat on the system bus: the name org.freedesktop.systemd1, who its callers are, owners of names for Type=dbus, and activation
 * on behalf of the bus.
 *
 * hark holds the bus' own socket and starts the bus, so nothing here may wait for it: we connect once the bus says it runs, every question
 * to it is answered later. A bus that goes away is tried again when it is back.
 */
#pragma once

#include "activate/bus.h"

/* address: where the bus is found; run_dir: where we keep what outlives us. Both borrowed. 0 or -ENOMEM. */
MUST_USE int bus_system_open(struct bus *b, const char *address, const char *run_dir);
void bus_system_close(struct bus *b);
/* The manager says that the unit of the bus is active (or is not), or a new manager has come. */
void bus_system_heard(struct bus *b, const struct row *row);
void bus_system_new_manager(struct bus *b);
