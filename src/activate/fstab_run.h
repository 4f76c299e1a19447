/* SPDX-License-Identifier: MIT */
/*
 * fstab_run - the generator: from the file to the directory of units. For hark-mount.
 */
#pragma once

#include "core/base.h"

/*
 * fstab_run() - make the directory what fstab says.
 *
 * @path:      of fstab; that it is not there means that it is empty
 * @dir:       belongs to the generator alone; made when it is not there
 * @device_us: how long a device that the boot can do without is waited for when its line does not say; TIME_NEVER: as any device
 *
 * Lines that are wrong are told of and left out. Returns the exit status: 0, 1 (some were wrong), 2 (nothing was changed).
 */
int fstab_run(const char *path, const char *dir, uint64_t device_us);
