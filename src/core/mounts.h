/* SPDX-License-Identifier: MIT */
/*
 * mounts - the API file systems of a machine that has just booted: /proc, /sys, /dev, /run, the cgroups. Done by the first
 * manager of a real PID 1, before anything else; what is mounted already (initrd, container) is never shadowed.
 */
#pragma once

#include "core/base.h"

/* Mount what is missing. 0, or -errno of the last one that failed; the others are mounted all the same. */
MUST_USE int mounts_prepare(void);
