/* SPDX-License-Identifier: MIT */
/*
 * rows - an answer as harkctl sees it: rows of typed fields, put together from frames. All in one arena.
 */
#pragma once

#include "core/mem.h"
#include "ctl/verb.h"

struct field {
	const char *key;
	enum frame_tag tag; /* TAG_TEXT, TAG_ITEM, TAG_NUMBER ... */
	struct str text;    /* TAG_TEXT, TAG_ITEM */
	uint64_t value;     /* the others */
};

struct row {
	struct row *next;
	const char *kind;
	struct field *fields;
	unsigned n, cap;
};

struct rows {
	struct arena arena;
	struct row *first, **last;
	struct row *open; /* not whole yet */
	bool is_short;    /* memory ran out: something is missing */
};

/* Empty; and back to empty with all memory released. */
void rows_init(struct rows *r);
void rows_fini(struct rows *r);
/* Forget all rows. */
void rows_reset(struct rows *r);
/* Take one field of a frame in. Returns the row that it completed, or NULL. Fields that make no sense are passed over. */
const struct row *rows_add(struct rows *r, uint16_t tag, struct str value);

/* The same piece by piece, for answers that no manager gives; key is static. */
void rows_begin(struct rows *r, const char *kind);
void rows_text(struct rows *r, const char *key, const char *text);
void rows_number(struct rows *r, const char *key, uint64_t value);
void rows_end(struct rows *r);
/* One more row with the same fields. */
void rows_copy(struct rows *r, const struct row *row);

/* The first field of that key, or NULL. */
const struct field *row_field(const struct row *row, const char *key);
/* Text of a field; n 0 when there is none. */
struct str row_text(const struct row *row, const char *key);
uint64_t row_value(const struct row *row, const char *key);
bool row_is(const struct row *row, const char *kind);
/* Next item of the list `key` from *at (0 first) on; false at the end. */
bool row_item(const struct row *row, const char *key, unsigned *at, struct str *ret_text);
