/* SPDX-License-Identifier: MIT */
/*
 * install_apply - make a struct install_tree true on disk.
 *
 * Every path goes from its old to its new state in one rename(2) or unlink(2) and is made durable before the next is touched; what is
 * new comes before anything goes. Whoever is killed on the way leaves each path either old or new, and perhaps a file .hark-new in a unit
 * directory, which the next command takes away. Commands take turns by a lock on the directory.
 */
#pragma once

#include "units/install_tree.h"

/*
 * install_apply() - write the difference between what is and what is to be.
 *
 * @told: called after each path is done
 * @ret_path: with an error, the path that it is about
 *
 * Blocks on the disk: not for the manager. Returns 0 or -errno; what was done until then stays, and doing it again goes on.
 */
MUST_USE int install_apply(const struct install_tree *t,
			   void (*told)(void *arg, const struct tree_node *n), void *arg,
			   const char **ret_path);
