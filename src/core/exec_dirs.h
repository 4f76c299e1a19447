/* SPDX-License-Identifier: MIT */
/*
 * exec_dirs - the directories of a service: made, given to its user, moved where they belong (linked into hark-exec).
 *
 * Those of a user that exists for the run only lie in "private" beside the usual place, which nobody but root can enter, so
 * that whoever has the number next does not get at them; a link leads from the usual place. A directory moves when its unit
 * changes its mind about that. systemd.exec(5), DynamicUser=
 */
#pragma once

#include "core/plan.h"

/* The steps MKDIR and PRIVATE_DIR. What belonged to another user is given away with all that is in it. 0 or -errno. */
MUST_USE int exec_dirs_make(const struct plan_record *rec);
MUST_USE int exec_dirs_make_private(const struct plan_record *rec);
/* The step DIR_LINK. 0, -EEXIST (something else is there), -errno. */
MUST_USE int exec_dirs_link(const struct plan_record *rec);
