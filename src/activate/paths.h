/* SPDX-License-Identifier: MIT */
/*
 * activate/paths - looks at the file system for path units: one inotify instance for all of them, which PID 1 keeps.
 *
 * Each directory on the way to a path is watched for going away, the deepest one that is there for the next part of the path to
 * appear, and the path itself for what its directive is about; when the way changes the watches move along. What happens while no
 * manager lives waits in the kernel's queue, and a new manager gets the same watches back when it asks for them again. inotify(7).
 * Changes of the files while the unit runs are its own doing and count for nothing, but for what still holds when it has ended.
 */
#pragma once

#include "core/hark.h"

extern const struct activator path_activator;
/* Find the inotify instance in the bank or make one. 0 or -errno: then path units fail when they are started. */
MUST_USE int paths_open(struct hark *h);
/* Something was mounted or unmounted, of which inotify tells nothing: look at what is watched again. */
void paths_look_again(struct hark *h);
/*
 * paths_cited() - the path that such a text of a trigger's entry in the ledger is about.
 *
 * @u: any unit
 * @cited: the text, cut in front when the path was too long for it
 * @arena: where a path that matches PathExistsGlob= is put: the first that is there now; NULL: the pattern itself will do
 *
 * Returns NULL when u is no path unit or watches no such path (any more).
 */
const char *paths_cited(struct unit *u, const char *cited, struct arena *arena);
