/* SPDX-License-Identifier: MIT */
/*
 * mount_why - what libmount does not say of a mount that the kernel refused: which option it is, which program is missing. For hark-mount.
 */
#pragma once

#include "core/str.h"

/* Add "; ..." to *out, or nothing. options: those of the file system, or NULL; err: of the system call, positive. */
void mount_why(const char *type, const char *options, int err, struct sbuf *out);
