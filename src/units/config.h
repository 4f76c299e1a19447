/* SPDX-License-Identifier: MIT */
/*
 * config - a configuration before its files were read: everything a unit of that type has, with the default values.
 */
#pragma once

#include "core/share.h"
#include "core/unit.h"

/* name: any text; without a known suffix the configuration has the common part only. Owned by the caller (unit_config_free). NULL: -ENOMEM. */
MUST_USE struct unit_config *config_new(const char *name);
/* All files are read: what is equal to others is shared with them from now on, and nothing of it changes any more. */
void config_settle(struct unit_config *c, struct share *share);
/* Log what was found in its files that is at least so severe. Without memory some is not said. */
void config_log(const struct unit_config *c, enum diag_severity least);
/* Does a unit of this type exist only when there is a file? Slices do without. */
bool config_needs_file(const char *name);
