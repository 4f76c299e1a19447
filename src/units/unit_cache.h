/* SPDX-License-Identifier: MIT */
/*
 * unit_cache - the unit directories and the files in them in one piece, for a start that need not open each of them.
 *
 * One file holds of each directory its listing with the texts of links, and of each unit file its text; each with the mark (inode, size,
 * times) that it had. A piece is used only while the kernel says that what it was read from still has that mark: one stat in place of
 * open, stat, read and close, or of a getdents and a readlink of each link. So the file is never needed, and what is old in it costs
 * time only. What has just changed when it is written is left out, as a second change might not show in the mark, and so are file systems that are
 * read-only: the next image may have the same marks.
 */
#pragma once

#include <sys/stat.h>
#include <time.h>

#include "core/mem.h"
#include "core/str.h"

#define UNIT_CACHE_DIR "/var/cache/hark"
#define UNIT_CACHE_NAME "units"

enum { CACHE_FILE_MAX = 64 * 1024 }; /* bytes of a unit file that is kept */

struct unit_cache {
	char *bytes; /* the file; NULL: there is none */
	size_t n;
};

/*
 * unit_cache_open() - read the file at path.
 *
 * Returns 0, -ENOMEM, -errno, or -EBADMSG: it is damaged, of another hark, or not root's alone. Then c is empty, which is as good.
 */
MUST_USE int unit_cache_open(struct unit_cache *c, const char *path);
void unit_cache_close(struct unit_cache *c);
/* What was read from `path` when it was as `now` says. False: not known. *ret is borrowed until unit_cache_close(). */
bool unit_cache_find(const struct unit_cache *c, struct str path, const struct stat *now,
		     struct str *ret);
/* The next entry of a listing: DT_* of it, its name, and the text of a link or "". False behind the last one. */
bool unit_cache_entry(struct str *listing, unsigned char *ret_kind, const char **ret_name,
		      const char **ret_link);
/*
 * unit_cache_write() - write the file DIR/NAME anew, for nobody else to read.
 *
 * @dirs:      of units, most important first; they may be missing
 * @settled_s: what has changed after this second of CLOCK_REALTIME is left out
 *
 * Returns 0, -ENOMEM or -errno.
 */
MUST_USE int unit_cache_write(char *const *dirs, unsigned dirs_n, time_t settled_s, const char *dir,
			      const char *name);
