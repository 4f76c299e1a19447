/* SPDX-License-Identifier: MIT */
/*
 * glob - the paths that match a pattern of *, ? and [].
 *
 * Not glob(3): it allocates behind our back and opens automount points. Breadth first: the next component is looked for in every
 * folder the last one has given. A component without a wildcard needs no reading; a leading dot is matched by a dot only.
 */
#pragma once

#include "core/unit.h"

/* Is there a wildcard in it? */
bool glob_is_pattern(const char *path);
/*
 * glob_find() - the existing paths that match, sorted by name.
 *
 * @pattern: absolute
 * @is_one_enough: the first one found is all that is asked for
 * @arena: that of the answer
 *
 * Returns 0 (*ret NULL: none), -EINVAL for a relative pattern, -ENOMEM.
 */
MUST_USE int glob_find(const char *pattern, bool is_one_enough, struct arena *arena,
		       struct name_list **ret);
