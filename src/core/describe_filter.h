/* SPDX-License-Identifier: MIT */
/*
 * describe_filter - what a service may ask of the kernel, from its hardening settings to the last steps of its plan.
 */
#pragma once

#include "core/buf.h"
#include "core/unit.h"

/* Is there any filter, for which the process must have no_new_privs unless it is privileged? */
bool describe_has_filter(const struct unit_config *c);
/* Appends the filters. Nothing but EXEC may follow: whatever they forbid is forbidden from there on. */
void describe_filter(const struct unit_config *c, struct wbuf *plan);
