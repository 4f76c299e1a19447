/* SPDX-License-Identifier: MIT */
/*
 * needs - the paths that a unit works with, and the mounts that they lie on: RequiresMountsFor= and what is as if it were said.
 */
#pragma once

#include "units/load_index.h"

/* A path that a unit needs. */
struct mount_need {
	struct mount_need *next;
	const char *path;
	uint16_t origins; /* bits 1 << enum dep_origin */
};

/* The unit of the root's mount, which is there without a file. */
extern const char needs_root_mount[];

/* All paths that a configuration needs, in arena. 0 or -ENOMEM. */
MUST_USE int needs_paths(const struct unit_config *c, struct arena *arena,
			 struct mount_need **ret_first);
/* After= and Requires= on the mount units that have files and lie on the way to the paths of c, but for the root's. 0 or -ENOMEM. */
MUST_USE int needs_links(const struct load *l, struct unit_config *c);
