/* SPDX-License-Identifier: MIT */
/*
 * mount_busy - who keeps a file system from being unmounted: processes, mounts below it, swap files and loop devices. For hark-mount.
 */
#pragma once

#include "core/str.h"

/* Add "; held by sleep (136), bash (140) and 3 more" to *out, or nothing when nobody is found. where: the mount point, not followed. */
void mount_busy(const char *where, struct sbuf *out);
