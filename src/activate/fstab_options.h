/* SPDX-License-Identifier: MIT */
/*
 * fstab_options - the words of the fourth field of fstab that are for the manager: x-systemd.* and its older spelling comment=systemd.*,
 * noauto, nofail, bg. For hark-mount.
 */
#pragma once

#include "activate/fstab.h"

/* OPTION(name, word): those that have a value. */
#define FSTAB_VALUES_LIST(OPTION)                      \
	OPTION(AFTER, "after")                         \
	OPTION(BEFORE, "before")                       \
	OPTION(REQUIRES, "requires")                   \
	OPTION(REQUIRES_MOUNTS, "requires-mounts-for") \
	OPTION(WANTED_BY, "wanted-by")                 \
	OPTION(REQUIRED_BY, "required-by")             \
	OPTION(IDLE_TIMEOUT, "idle-timeout")           \
	OPTION(MOUNT_TIMEOUT, "mount-timeout")         \
	OPTION(DEVICE_TIMEOUT, "device-timeout")
/* ... and those that have none. */
#define FSTAB_FLAGS_LIST(OPTION)       \
	OPTION(AUTOMOUNT, "automount") \
	OPTION(MAKEFS, "makefs")       \
	OPTION(GROWFS, "growfs")       \
	OPTION(RW_ONLY, "rw-only")     \
	OPTION(DEVICE_BOUND, "device-bound")
enum fstab_option {
#define OPTION(name, word) FSTAB_##name,
	FSTAB_VALUES_LIST(OPTION) FSTAB_VALUES,
	FSTAB_BEFORE_FLAGS = FSTAB_VALUES - 1,
	FSTAB_FLAGS_LIST(OPTION)
#undef OPTION
		FSTAB_OPTIONS_N
};

struct fstab_value {
	struct fstab_value *next;
	enum fstab_option option;
	const char *text; /* without quotes, in the arena of the fstab */
	struct str piece; /* the option as it stands in the file, or p NULL */
};

struct fstab_options {
	struct fstab_value
		*values; /* in their order; each has been found good but for names of units */
	bool has[FSTAB_OPTIONS_N];
	bool is_noauto, is_nofail, is_background;
	const char *
		rest; /* as libmount gave it, without what only the manager needs to know; "" when there is none; in the arena */
};

/* What is wrong with an option is told, and the option is as if it were not there. 0 or -ENOMEM. */
MUST_USE int fstab_options(struct fstab *f, const struct fstab_line *line,
			   struct fstab_options *ret);
