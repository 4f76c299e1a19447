/* SPDX-License-Identifier: MIT */
/*
 * load_read - the unit directories are read into the index.
 *
 * Each directory is read once; a file is looked at further only when it is a link, or when its presence is enablement. A directory that is
 * not there has no units; of one that is there and cannot be read nobody knows, so that its units are not forgotten.
 */
#pragma once

#include "units/load_index.h"

/*
 * load_read() - read all directories of l into its empty index, and the files that are present in some.
 *
 * @l:  with skips_unreadable what cannot be read counts as not there
 *
 * Returns 0, -ENOMEM or the -errno of what cannot be read.
 */
MUST_USE int load_read(struct load *l);
/* Those beside one unit alone: *.d, *.wants and its like of that name, in all directories. As load_read(). */
MUST_USE int load_read_sides(struct load *l, const char *owner);
