/* SPDX-License-Identifier: MIT */
/*
 * mounts - what the machine needs before anything else can run: the API file systems and standard descriptors. Done by
 * harkd, because PID 1 opens no path. Whatever is mounted already (by an initramfs, a container's manager) stays.
 */
#pragma once

#include "core/base.h"

/*
 * mounts_prepare() - mount what is missing, then see to it that descriptors 0, 1 and 2 are open.
 *
 * Harmless at any time and without privilege to mount: does what it can. Call it first thing in main(), before any
 * descriptor is opened: a kernel that found no console starts PID 1 with 0, 1 and 2 closed.
 *
 * Returns 0, or -errno of the first file system that could not be mounted (the others were tried).
 */
MUST_USE int mounts_prepare(void);
