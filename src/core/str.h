/* SPDX-License-Identifier: MIT */
/*
 * str - borrowed string views (struct str) and a growing text buffer (struct sbuf).
 *
 * A view does not own its bytes and need not end in NUL. A text buffer keeps the first error: after a failed
 * allocation further additions do nothing and sbuf_take() returns NULL, so a caller checks once, at the end.
 */
#pragma once

#include "core/base.h"

#include <stdarg.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){(lit), sizeof(lit) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_of(const char *z)
{
	return (struct str){z, z ? strlen(z) : 0};
}

/* Same bytes. Empty and NULL views are equal. */
bool str_eq(struct str a, struct str b);
/* The same against a NUL-terminated string. */
bool str_eq_z(struct str a, const char *z);
/* ASCII case folded. */
bool str_eq_case(struct str a, struct str b);
int str_cmp(struct str a, struct str b);
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
/* White space of unit files: space, tab, newline, carriage return. */
struct str str_trim(struct str s);
/* Index of c, or s.n. */
size_t str_index(struct str s, char c);
size_t str_rindex(struct str s, char c);
static inline struct str str_sub(struct str s, size_t from, size_t to)
{
	to = to < s.n ? to : s.n;
	from = from < to ? from : to;
	/* No arithmetic on the null pointer of an empty view: undefined even for 0. */
	return (struct str){from ? s.p + from : s.p, to - from};
}
/* Cut the text before the first `sep` off *rest; false when *rest is used up (rest->p NULL). Empty pieces are given. */
bool str_cut(struct str *rest, char sep, struct str *ret_piece);
/* Next word separated by blanks; false at the end. No quoting. */
bool str_word(struct str *rest, struct str *ret_word);
/* The whole token in base 10; a sign is allowed for i64 only. str_to_octal: digits 0-7. 0, -EINVAL, -ERANGE. */
MUST_USE int str_to_u64(struct str s, uint64_t *ret_value);
MUST_USE int str_to_i64(struct str s, int64_t *ret_value);
MUST_USE int str_to_octal(struct str s, uint32_t *ret_value);
/*
 * str_append() - put s behind the n bytes of text in out.
 *
 * As much as fits into cap bytes (at least 1), always with a NUL. Returns the length it would have, as snprintf(3) does, which
 * takes ten times as long: less than cap when nothing was cut off.
 */
size_t str_append(char *out, size_t cap, size_t n, struct str s);

/*
 * str_mix() - mix n bytes into a sum.
 *
 * A chain of invertible steps over 64-bit words: a change of any one word always shows, several but for one in 2^32 of the low
 * half. Eight times faster than a table-driven CRC. What it gives is part of the form of the state (state_form.h).
 */
uint64_t str_mix(uint64_t sum, const void *bytes, size_t n);
uint32_t str_hash(struct str s);
/* Damerau-Levenshtein distance of short names (<= 63 bytes), or UINT_MAX when longer or above limit. */
unsigned str_distance(struct str a, struct str b, unsigned limit);

struct sbuf {
	char *p; /* NUL-terminated when n > 0 */
	size_t n, cap;
	int err; /* 0 or the first -ENOMEM */
};

/* Append the bytes of a view; s must not point into b. */
void sbuf_add(struct sbuf *b, struct str s);
/* Append a NUL-terminated string. */
void sbuf_add_z(struct sbuf *b, const char *z);
/* Append one byte. */
void sbuf_add_c(struct sbuf *b, char c);
/* Append as printf(3) would; the locale is never set, so digits are plain. */
void sbuf_addf(struct sbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* As sbuf_addf(); ap is used up. */
void sbuf_addv(struct sbuf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* The text as an owned NUL-terminated string (mem_put it) or NULL after an error; the buffer is empty again. */
MUST_USE char *sbuf_take(struct sbuf *b);
void sbuf_fini(struct sbuf *b);
/* Forget the text, keep the memory and clear the error. */
void sbuf_reset(struct sbuf *b);
