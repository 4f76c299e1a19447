/* SPDX-License-Identifier: MIT */
/*
 * paint - how things look: one output buffer, colours with a meaning, escaping of foreign bytes, times, tables; and the forms for
 * programs, JSON and Key=Value, made from the same rows.
 *
 * Colour only on a terminal without NO_COLOR, and never alone: a sign and a word say the same. Bytes that a service wrote
 * never reach the terminal as control codes.
 */
#pragma once

#include "ctl/rows.h"

enum form { FORM_TABLE, FORM_JSON, FORM_KV };
enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_DIM, TONE_BOLD, TONES };

struct paint {
	struct sbuf out;
	bool has_color, has_utf8, is_terminal;
	unsigned width;  /* columns; 0: do not cut lines */
	size_t line_at;  /* where the present line begins in out */
	uint64_t now_us; /* wall clock */
};

/* Looks at descriptor 1 and the environment. full: never cut lines. */
void paint_init(struct paint *p, bool full);
void paint_fini(struct paint *p);
/* Write what there is and empty the buffer. */
void paint_flush(struct paint *p);

/* Our own words. */
void paint_z(struct paint *p, const char *text);
void paintf(struct paint *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Foreign words: control bytes and broken UTF-8 become \xNN. */
void paint_text(struct paint *p, struct str text);
/* Columns that paint_text() takes for it. */
size_t paint_columns(struct str text);
void paint_tone(struct paint *p, enum tone tone, const char *text);
/* End of line; cuts it to the width of the terminal. */
void paint_end(struct paint *p);

/* One sign for a state, coloured: running, waiting, failed, in between, at rest. */
void paint_sign(struct paint *p, struct str active, bool is_waiting);
/* "├─", "└─", "│ " or their ASCII forms. */
const char *paint_branch(const struct paint *p, bool is_last);
/* "3 h 12 min", "85 ms"; at most two units. */
void paint_span(struct paint *p, uint64_t us);
/* "10:41:07.113", with the date when it is not today. */
void paint_clock(struct paint *p, uint64_t wall_us);
/* How long it is until then. */
void paint_until(struct paint *p, uint64_t wall_us);
/* How long ago it was. */
void paint_ago(struct paint *p, uint64_t wall_us);

/* A table: rows of one kind, one column per key. */
struct column {
	const char *title;
	const char *key;
	/* NULL: the field in the form of its type */
	void (*cell)(struct paint *p, const struct row *row);
	bool is_right;
};
void paint_table(struct paint *p, const struct row *rows, const char *kind,
		 const struct column *columns, unsigned n);
/* A field as people read it. */
void paint_field(struct paint *p, const struct row *row, const char *key);

/* All rows as one JSON array of objects, each with its kind as "row". */
void paint_json(struct paint *p, const struct row *rows);
/* Key=Value lines in systemd's spelling, a blank line between rows; values: without "Key=". */
void paint_kv(struct paint *p, const struct row *rows, bool values_only);
