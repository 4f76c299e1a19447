/* SPDX-License-Identifier: MIT */
/*
 * ini - tokenizer of unit files: sections and assignments, each with its exact place. Pure.
 *
 * A cursor over a text in memory; every ini_next() gives one item. Keys and values are views of the text, or of
 * the arena when a value goes on over several lines (comment lines between them are passed over, as in systemd). It knows nothing
 * about directives: what is wrong with a line is an item of its own kind, and the next call goes on behind it.
 */
#pragma once

#include "core/mem.h"
#include "core/str.h"

enum { INI_LINE_MAX = 1024 * 1024 }; /* bytes of one line, its continuations counted */

enum ini_kind {
	INI_END,
	INI_SECTION,    /* section */
	INI_ASSIGNMENT, /* section, key, value */
	INI_BAD_HEADER, /* "[" without "]": what follows belongs to no section */
	INI_NO_EQUALS,  /* neither header, comment nor assignment */
	INI_NO_KEY,     /* "=value" */
	INI_NO_SECTION, /* an assignment before the first header */
	INI_NUL,        /* a NUL byte in the line */
	INI_TOO_LONG,   /* more than INI_LINE_MAX */
	INI_KINDS
};

struct ini {
	struct str text;
	struct arena *arena; /* takes joined lines */
	bool is_plain;       /* neither NUL nor anything but ASCII in it */
	size_t at;           /* next byte */
	uint32_t line;       /* lines read so far */
	struct str section;  /* p NULL: none yet */
};

struct ini_item {
	struct str section, key, value; /* trimmed */
	uint32_t line, col, end_col;    /* of the key, or of the whole line's text; from 1 */
	bool is_utf8;                   /* false: the line holds bytes that are not UTF-8 */
	size_t start;                   /* offset of the first physical line in the text */
	size_t value_at;                /* offset of the value in the logical line */
};

/* text is borrowed while the cursor and its items live. A byte order mark at its beginning is passed over. */
void ini_init(struct ini *i, struct str text, struct arena *arena);
/* The next item: enum ini_kind, or -ENOMEM. */
MUST_USE int ini_next(struct ini *i, struct ini_item *ret_item);
/* Line and column (from 1) of byte `at` of the item's value, also when the value was joined from several lines. */
void ini_locate(const struct ini *i, const struct ini_item *item, size_t at, uint32_t *ret_line,
		uint32_t *ret_col);
