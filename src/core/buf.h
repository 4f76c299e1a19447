/* SPDX-License-Identifier: MIT */
/*
 * buf - bounded cursors over memory somebody else owns: a writer that notes overflow, a reader that notes underrun.
 *
 * Used for everything that crosses a process boundary (wire, plan, state). Neither ever touches a byte outside its
 * bounds; the caller checks `bad` once at the end. Numbers are in host order: both ends are on one machine.
 */
#pragma once

#include "core/str.h"

struct wbuf {
	char *p;
	size_t n, cap;
	bool bad; /* something did not fit */
};

struct rbuf {
	const char *p;
	size_t n;  /* bytes in all */
	size_t at; /* next byte */
	bool bad;  /* something was missing */
};

/* Append n bytes, or a number; nothing (and bad) when it does not fit. */
void wbuf_bytes(struct wbuf *w, const void *p, size_t n);
/* As wbuf_bytes(), unaligned. */
void wbuf_u16(struct wbuf *w, uint16_t v);
/* As wbuf_bytes(), unaligned. */
void wbuf_u32(struct wbuf *w, uint32_t v);
/* As wbuf_bytes(), unaligned. */
void wbuf_u64(struct wbuf *w, uint64_t v);
/* u32 length, then the bytes. */
void wbuf_str(struct wbuf *w, struct str s);

/* n bytes in place, or NULL (and bad). */
const void *rbuf_bytes(struct rbuf *r, size_t n);
uint16_t rbuf_u16(struct rbuf *r);
uint32_t rbuf_u32(struct rbuf *r);
uint64_t rbuf_u64(struct rbuf *r);
struct str rbuf_str(struct rbuf *r);
static inline size_t rbuf_left(const struct rbuf *r)
{
	return r->bad ? 0 : r->n - r->at;
}
