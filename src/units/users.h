/* SPDX-License-Identifier: MIT */
/*
 * users - names of users and groups from /etc/passwd and /etc/group, read directly: no NSS in the manager (a lookup
 * may block on a daemon that hark has yet to start). A name not found here is resolved by hark-exec in the child.
 */
#pragma once

#include "core/mem.h"
#include "core/str.h"

#include <sys/types.h>

struct user_entry {
	uid_t uid;
	gid_t gid;
	const char *name, *home, *shell; /* in the arena given */
};
/* A uid or gid in decimal. All ones, in 32 bits or in 16, mean "no change" to the kernel and are nobody's. */
MUST_USE bool users_read_id(struct str s, uint32_t *ret);
/* name or number. 0, -ESRCH (not in the file; a number without entry gives uid, gid = uid, home "/"), -errno of reading. */
MUST_USE int users_find(const char *root, const char *name, struct arena *arena,
			struct user_entry *ret);
MUST_USE int users_group(const char *root, const char *name, gid_t *ret_gid);
/* Name of a group; 0, -ESRCH, -ENAMETOOLONG or -errno. */
MUST_USE int users_group_name(const char *root, gid_t gid, char *out, size_t cap);
/* Groups that list the user, at most max, the primary one not included. Returns how many or -errno. */
MUST_USE int users_groups_of(const char *root, const char *user, gid_t *gids, int max);
/* Most alike name in the file, for "did you mean", or NULL. */
const char *users_suggest(const char *root, const char *name, struct arena *arena);
