/* SPDX-License-Identifier: MIT */
#include "core/buf.h"

void wbuf_bytes(struct wbuf *w, const void *p, size_t n)
{
	if (w->bad || n > w->cap - w->n) {
		w->bad = true;
		return;
	}
	if (n)
		memcpy(w->p + w->n, p, n);
	w->n += n;
}

void wbuf_u16(struct wbuf *w, uint16_t v)
{
	wbuf_bytes(w, &v, sizeof(v));
}

void wbuf_u32(struct wbuf *w, uint32_t v)
{
	wbuf_bytes(w, &v, sizeof(v));
}

void wbuf_u64(struct wbuf *w, uint64_t v)
{
	wbuf_bytes(w, &v, sizeof(v));
}

void wbuf_str(struct wbuf *w, struct str s)
{
	if (s.n > UINT32_MAX) {
		w->bad = true;
		return;
	}
	wbuf_u32(w, (uint32_t)s.n);
	wbuf_bytes(w, s.p, s.n);
}

const void *rbuf_bytes(struct rbuf *r, size_t n)
{
	const char *p;

	if (r->bad || n > r->n - r->at) {
		r->bad = true;
		return NULL;
	}
	/*
	 * Nothing read from nothing is still not an underrun: never answer with the owner's null
	 * pointer.
	 */
	p = r->n ? r->p + r->at : "";
	r->at += n;
	return p;
}

/* Fields are not aligned: copy. Leaves zero behind on underrun. */
static void read_number(struct rbuf *r, void *ret_value, size_t n)
{
	const void *p = rbuf_bytes(r, n);

	if (p)
		memcpy(ret_value, p, n);
}

uint16_t rbuf_u16(struct rbuf *r)
{
	uint16_t v = 0;

	read_number(r, &v, sizeof(v));
	return v;
}

uint32_t rbuf_u32(struct rbuf *r)
{
	uint32_t v = 0;

	read_number(r, &v, sizeof(v));
	return v;
}

uint64_t rbuf_u64(struct rbuf *r)
{
	uint64_t v = 0;

	read_number(r, &v, sizeof(v));
	return v;
}

struct str rbuf_str(struct rbuf *r)
{
	size_t n = rbuf_u32(r);
	const char *p = rbuf_bytes(r, n);

	return p ? (struct str){p, n} : (struct str){NULL, 0};
}
