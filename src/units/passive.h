/* SPDX-License-Identifier: MIT */
/*
 * passive - unit types without processes of their own: target, slice, device, path ... as far as they only have a state.
 *
 * Types whose activator is not built yet load, are listed, and refuse to start with a plain word (JOB_RES_UNSUPPORTED).
 */
#pragma once

#include "core/unit.h"

enum passive_state { PASSIVE_DEAD, PASSIVE_ACTIVE, PASSIVE_STATES };

extern const struct unit_type_ops target_ops, slice_ops;
/* Types that nothing drives yet: they load, and refuse to start. */
extern const struct unit_type_ops no_busname_ops;

/* Default dependencies of systemd.target(5) into c->deps. 0 or -ENOMEM. */
MUST_USE int target_links(struct unit_config *c);
/* The slice above, and a description. 0 or -ENOMEM. */
MUST_USE int slice_settle(struct unit_config *c);
/* Implicit and default dependencies of systemd.slice(5). 0 or -ENOMEM. */
MUST_USE int slice_links(struct unit_config *c);
/* A finding that refuses the unit: dashes in its name with nothing between. */
void slice_verify(struct unit_config *c);
