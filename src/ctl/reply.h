/* SPDX-License-Identifier: MIT */
/*
 * reply - the answer under construction: rows of typed fields in memory, cut into frames when they are sent.
 *
 * Writers never look at sizes: a text longer than a frame goes on in TAG_MORE fields. The first error is kept in out.err and
 * makes later additions do nothing; the sender checks it once.
 */
#pragma once

#include "ctl/verb.h"

struct reply {
	struct sbuf out; /* encoded fields */
	size_t at;       /* what lies before was sent */
};

/* Between begin and end of a row stand its fields. */
void reply_row(struct reply *r, const char *kind);
void reply_row_end(struct reply *r);
void reply_text(struct reply *r, const char *key, struct str text);
void reply_text_z(struct reply *r, const char *key, const char *text); /* NULL: nothing is added */
void reply_textf(struct reply *r, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
void reply_item(struct reply *r, const char *key, const char *text);
/* tag: TAG_NUMBER, TAG_BOOL, TAG_STAMP, TAG_SPAN, TAG_SIGNED */
void reply_value(struct reply *r, enum frame_tag tag, const char *key, uint64_t value);

/* Bytes not yet put into a frame. */
size_t reply_left(const struct reply *r);
/* Fill a begun frame with as many whole fields as fit. *ret_at: what r->at becomes once the frame was sent. */
void reply_fill(const struct reply *r, struct wire_out *frame, size_t *ret_at);
/* The frame was sent: r->at = at; memory of an empty reply is used again. */
void reply_sent(struct reply *r, size_t at);
void reply_fini(struct reply *r);
