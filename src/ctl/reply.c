/* SPDX-License-Identifier: MIT */
#include "ctl/reply.h"

enum {
	PIECE = 8 * 1024, /* most payload of a field: two always fit a frame */
	HEAD = 6,         /* u16 tag, u32 length in the buffer */
};

static void put_field(struct reply *r, enum frame_tag tag, struct str head, struct str payload)
{
	uint16_t tag16 = (uint16_t)tag;
	uint32_t n = (uint32_t)(head.n + payload.n);

	sbuf_add(&r->out, (struct str){(const char *)&tag16, sizeof(tag16)});
	sbuf_add(&r->out, (struct str){(const char *)&n, sizeof(n)});
	sbuf_add(&r->out, head);
	sbuf_add(&r->out, payload);
}

/* With the NUL, which ends the key on the wire. */
static struct str key_of(const char *key)
{
	return (struct str){key, strlen(key) + 1};
}

static void put_text(struct reply *r, enum frame_tag tag, const char *key, struct str text)
{
	size_t n = text.n < PIECE ? text.n : PIECE;

	put_field(r, tag, key_of(key), str_sub(text, 0, n));
	while (n < text.n) {
		size_t end = text.n - n < PIECE ? text.n : n + PIECE;

		put_field(r, TAG_MORE, (struct str){NULL, 0}, str_sub(text, n, end));
		n = end;
	}
}

void reply_row(struct reply *r, const char *kind)
{
	put_field(r, TAG_ROW, str_of(kind), (struct str){NULL, 0});
}

void reply_row_end(struct reply *r)
{
	put_field(r, TAG_ROW_END, (struct str){NULL, 0}, (struct str){NULL, 0});
}

void reply_text(struct reply *r, const char *key, struct str text)
{
	put_text(r, TAG_TEXT, key, text);
}

void reply_text_z(struct reply *r, const char *key, const char *text)
{
	if (text)
		put_text(r, TAG_TEXT, key, str_of(text));
}

void reply_textf(struct reply *r, const char *key, const char *fmt, ...)
{
	struct sbuf b = {0};
	va_list ap;

	va_start(ap, fmt);
	sbuf_addv(&b, fmt, ap);
	va_end(ap);
	if (b.err)
		r->out.err = b.err;
	else
		put_text(r, TAG_TEXT, key, (struct str){b.p, b.n});
	sbuf_fini(&b);
}

void reply_item(struct reply *r, const char *key, const char *text)
{
	put_text(r, TAG_ITEM, key, str_of(text));
}

void reply_value(struct reply *r, enum frame_tag tag, const char *key, uint64_t value)
{
	put_field(r, tag, key_of(key), (struct str){(const char *)&value, sizeof(value)});
}

size_t reply_left(const struct reply *r)
{
	return r->out.n - r->at;
}

void reply_fill(const struct reply *r, struct wire_out *frame, size_t *ret_at)
{
	size_t at = r->at;

	while (at < r->out.n) {
		uint16_t tag;
		uint32_t n;

		memcpy(&tag, r->out.p + at, sizeof(tag));
		memcpy(&n, r->out.p + at + sizeof(tag), sizeof(n));
		if (!wire_put(frame, tag, (struct str){r->out.p + at + HEAD, n}))
			break;
		at += HEAD + n;
	}
	*ret_at = at;
}

void reply_sent(struct reply *r, size_t at)
{
	r->at = at;
	if (at < r->out.n)
		return;
	sbuf_reset(&r->out);
	r->at = 0;
}

void reply_fini(struct reply *r)
{
	sbuf_fini(&r->out);
	r->at = 0;
}
