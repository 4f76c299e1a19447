/* SPDX-License-Identifier: MIT */
/*
 * mount_place - the place of a mount before anything is mounted there. For hark-mount.
 */
#pragma once

#include "core/base.h"

/*
 * mount_place() - make what is missing there.
 *
 * @bound: what is bound there, or NULL; over a file only a file can be
 * @mode:  of directories that have to be made, octal
 *
 * That something lies there already, which would be hidden, is told on standard error. Returns 0, or -ELOOP, told as well: the path goes
 * through a symbolic link, so that the mount would be at a place of another unit. Whether it could be made shows when something is mounted.
 */
MUST_USE int mount_place(const char *where, const char *bound, const char *mode);
/* Could others than root put something else in the way to it between two looks? */
bool mount_place_may_move(const char *where);
