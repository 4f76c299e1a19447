/* SPDX-License-Identifier: MIT */
/*
 * isolate - namespaces for this very process: new ones, those of others, and what belongs to them (linked into hark-exec).
 */
#pragma once

#include "core/base.h"

#include <sys/types.h>

/*
 * Namespaces of one's own, CLONE_NEW*: a network with a loopback that is up; mounts of the system still arrive, none go out.
 * 0 or -errno of unshare(2).
 */
MUST_USE int isolate_new(int flags);
/*
 * A user namespace in which root, this user and this group are themselves and all others nobody. setgroups(2) is over.
 * 0 or -errno: -EPERM, -ENOSPC where none may be made.
 */
MUST_USE int isolate_users(uid_t uid, gid_t gid);
/* The namespace of that kind (CLONE_NEW*) that a file stands for. 0 or -errno. */
MUST_USE int isolate_join(const char *path, int kind);
/* Make the directory of that name in /tmp and /var/tmp, for root only, and in it "tmp", for all. 0 or -errno. */
MUST_USE int isolate_tmp(const char *name);
