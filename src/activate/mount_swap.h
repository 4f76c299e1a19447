/* SPDX-License-Identifier: MIT */
/*
 * mount_swap - swapon(2) and swapoff(2) with words for what is wrong. For hark-mount.
 */
#pragma once

#include "core/base.h"

/*
 * mount_swapon() - use a device or file as swap.
 *
 * @what:     a path
 * @options:  of fstab: discard[=once|pages], pri=N; others say nothing here
 * @priority: "" or a number, which counts more than pri=
 *
 * Returns the exit status.
 */
int mount_swapon(const char *what, const char *options, const char *priority);
/* Stop using it. Returns the exit status. */
int mount_swapoff(const char *what);
