/* SPDX-License-Identifier: MIT */
/*
 * bus_setting - a property that a client sets, as lines of a unit file: its type on D-Bus decides how it is written there.
 *
 * Descriptors that come as properties are taken over by the call, and stand in the lines as files of ours. A struct bus_setting is zeroed but for
 * `call` and `own`; the lines are given back by who reads them.
 */
#pragma once

#include "activate/bus.h"
#include "units/directive.h"

/* One unit on its way to text. */
struct bus_setting {
	struct bus_call *call;
	enum section own;       /* section of the unit's type, or SECTION_UNIT when it has none */
	struct sbuf lines[2];   /* of [Unit], of its own section */
	const char *wrong;      /* name of the property that cannot be set */
	bool has_processes;     /* PIDs of a scope */
	const char *controller; /* of a scope; borrowed from the call */
	uint64_t hard;          /* limit that was written last: a soft one is told behind it */
};

/* Adds the lines of one property. False: it cannot be set, or not to this value. */
bool bus_setting_write(struct bus_setting *w, const char *property, DBusMessageIter *value);
