/* SPDX-License-Identifier: MIT */
/*
 * tree - directories in which others than root may change things while root works there: nothing is done through a link that they could have put
 * in the way, and nothing by a path whose parts they could swap in between.
 */
#pragma once

#include "core/base.h"

#include <sys/types.h>

/*
 * tree_open() - the directory at an absolute path.
 *
 * @make: the mode of what is missing and made, the umask applies; 0: nothing is made
 *
 * A symbolic link on the way is followed where it and the directory it lies in are root's (for who is not root himself: any).
 *
 * Returns a descriptor to read it by; -ELOOP: there is a link of somebody else's, or too many; -ENOTDIR, -ENAMETOOLONG, errno.
 */
MUST_USE int tree_open(const char *path, mode_t make);
/* The same of the directory in which the last name of path lies; *ret_name: that name, in path. -EINVAL: it has none. */
MUST_USE int tree_open_parent(const char *path, mode_t make, const char **ret_name);
/*
 * tree_open_file() - a file for somebody else, open(2).
 *
 * Links of others are followed, too, but only to what is theirs: the file, or the directory it lies in, belongs to whom they belong to. And a file
 * that has other names is opened where nobody else could have given it this one.
 *
 * Returns the descriptor, -ELOOP: as above, or it would be somebody else's; -EMLINK: it has other names; errno.
 */
MUST_USE int tree_open_file(const char *path, int flags, mode_t mode);
/* What is wrong, for people; err: -errno of one of these. */
const char *tree_strerror(int err);
/* What fd_read_file() does, of such a file. */
MUST_USE int tree_read_file(const char *path, size_t max, char **ret_text, size_t *ret_n);
/* unlink(2), under the same condition. 0 or -errno. */
MUST_USE int tree_unlink(const char *path);
/*
 * tree_give() - change the owner of all that is in a directory, not of itself, and not of other file systems.
 *
 * A file that has other names, too, and does not belong to the owner of its directory stays as it is: somebody may have linked it there to get it.
 *
 * Returns 0, -ELOOP (more than 128 levels deep), -errno.
 */
MUST_USE int tree_give(int fd, uid_t uid, gid_t gid);
/* Remove a directory with everything in it, not following links, not crossing file systems, at most 128 levels deep. 0 or -errno. */
MUST_USE int tree_remove(const char *path);
/* The same in steps of at most `most` entries; 1: there is more of it. */
MUST_USE int tree_remove_some(const char *path, unsigned most);
