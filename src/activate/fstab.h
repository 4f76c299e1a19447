/* SPDX-License-Identifier: MIT */
/*
 * fstab - the lines of fstab(5) as libmount understands them, each with its place in the file, and what is wrong with them, told on
 * standard error as a compiler would: file:line:column, the line, a caret. For hark-mount.
 */
#pragma once

#include <libmount.h>

#include "core/diag.h"
#include "core/mem.h"

enum fstab_field {
	FSTAB_WHAT,
	FSTAB_WHERE,
	FSTAB_TYPE,
	FSTAB_OPTIONS,
	FSTAB_FREQ,
	FSTAB_PASS,
	FSTAB_FIELDS
};

struct fstab_line {
	struct fstab_line *next;
	unsigned number;                /* from 1 */
	struct str text;                /* as it stands there */
	struct str field[FSTAB_FIELDS]; /* pieces of it; n 0: not there */
	/* without its escapes, in the arena; "" for what is not there */
	const char *what, *where, *type, *options;
	int pass;
	bool is_bad; /* while it is read */
};

struct fstab {
	const char *path;
	struct arena arena;
	struct fstab_line *
		lines; /* in their order; those that cannot be read were told of and are not there */
	unsigned told[DIAG_SEVERITIES];
};

/* 0; -errno: the file cannot be read as a whole (-EIO: libmount has lost lines). */
MUST_USE int fstab_read(struct fstab *f, const char *path);
void fstab_fini(struct fstab *f);
/* A finding at a piece of the line's text (p NULL: the whole line). */
void fstab_tell(struct fstab *f, const struct fstab_line *line, struct str piece,
		enum diag_severity severity, const char *fmt, ...) PRINTF_LIKE(5, 6);
