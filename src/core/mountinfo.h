/* SPDX-License-Identifier: MIT */
/*
 * mountinfo - lines of /proc/PID/mountinfo, one at a time, from text that the caller has read. No allocation, no system call.
 */
#pragma once

#include "core/str.h"

/* Pieces of the text, as escaped there: blanks, newlines and backslashes are \ooo. proc_pid_mountinfo(5) */
struct mount_line {
	uint64_t id, parent;
	struct str device;               /* "major:minor" */
	struct str root, point, options; /* root: which part of the file system is seen */
	struct str type, source, super_options;
	bool is_plain; /* from elsewhere: nothing is escaped */
};

/* The next line that can be read, cut off *text; false at the end. Others are skipped. */
bool mountinfo_next(struct str *text, struct mount_line *ret_line);
/* As mountinfo_next(), from the end. */
bool mountinfo_last(struct str *text, struct mount_line *ret_line);
/* A piece of the line without its escapes; as mountinfo_unescape(). */
bool mountinfo_text(const struct mount_line *line, struct str piece, char *out, size_t cap);
/* A piece without its escapes, NUL-terminated. False when out has no room for it. */
bool mountinfo_unescape(struct str piece, char *out, size_t cap);
