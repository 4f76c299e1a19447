/* SPDX-License-Identifier: MIT */
/*
 * passive - unit types that only have a state: targets, slices, names on the bus.
 *
 * A name on the bus ("org.bluez.busname") is up while it has an owner; no job makes one, a start waits until somebody has it. What there is, is
 * told by activate/busname.
 */
#pragma once

#include "core/unit.h"

enum passive_state { PASSIVE_DEAD, PASSIVE_ACTIVE, PASSIVE_STATES };

extern const struct unit_type_ops target_ops, slice_ops, busname_ops;

/* Default dependencies of systemd.target(5) into c->deps. 0 or -ENOMEM. */
MUST_USE int target_links(struct unit_config *c);
/* The slice above, and a description. 0 or -ENOMEM. */
MUST_USE int slice_settle(struct unit_config *c);
/* Implicit and default dependencies of systemd.slice(5). 0 or -ENOMEM. */
MUST_USE int slice_links(struct unit_config *c);
/* A name is waited for with the help of hark-bus. 0 or -ENOMEM. */
MUST_USE int busname_links(struct unit_config *c);
/* A finding that refuses the unit: dashes in its name with nothing between. */
void slice_verify(struct unit_config *c);
