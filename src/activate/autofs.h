/* SPDX-License-Identifier: MIT */
/*
 * activate/autofs - makes the mount points of automount units, and answers who enters one.
 *
 * The pipe and the mount point's descriptor are in the bank; a request is looked at in the pipe and taken out only when it was answered,
 * so it waits for the next manager when this one dies. An answer is never a guess: READY is said when the kernel shows something mounted
 * over the point, an error when the mount unit rests and will not come up. No path is walked here, which a file system on the way could
 * hold: a point is made lying nowhere, and hark-mount lays it over its directory.
 */
#pragma once

#include "core/hark.h"
#include "units/automount.h"

extern const struct activator autofs_activator;

/* hark-mount has ended for that unit with code and status of waitid(2): keep why no point could be laid. */
void autofs_ended(struct automount_unit *a, int code, int status);
/* In safe mode: whoever enters a mount point that is in the bank is refused, so that nobody waits for what is not going to happen. */
void autofs_refuse_all(struct hark *h);
