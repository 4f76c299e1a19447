/* SPDX-License-Identifier: MIT */
#include "core/str.h"

#include <limits.h>
#include <stdio.h>

#include "core/mem.h"

enum { SBUF_FIRST = 64, DISTANCE_MAX = 63 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The <ctype.h> functions follow the locale; unit files do not. */
static char lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c;
}

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eq_z(struct str a, const char *z)
{
	/* Most are compared with the words of a table, which begin otherwise: their length is not needed. */
	return (!a.n || !z || a.p[0] == z[0]) && str_eq(a, str_of(z));
}

bool str_eq_case(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	return r ? r : (a.n > b.n) - (a.n < b.n);
}

bool str_has_prefix(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_sub(s, 0, prefix.n), prefix);
}

bool str_has_suffix(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_sub(s, s.n - suffix.n, s.n), suffix);
}

struct str str_trim(struct str s)
{
	size_t from = 0;
	size_t to = s.n;

	while (from < to && is_blank(s.p[from]))
		from++;
	while (to > from && is_blank(s.p[to - 1]))
		to--;
	return str_sub(s, from, to);
}

size_t str_index(struct str s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

size_t str_rindex(struct str s, char c)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

bool str_cut(struct str *rest, char sep, struct str *ret_piece)
{
	size_t at = str_index(*rest, sep);

	if (!rest->p)
		return false;
	*ret_piece = str_sub(*rest, 0, at);
	*rest = at < rest->n ? str_sub(*rest, at + 1, rest->n) : (struct str){NULL, 0};
	return true;
}

bool str_word(struct str *rest, struct str *ret_word)
{
	size_t end = 0;

	while (rest->n && is_blank(rest->p[0]))
		*rest = str_sub(*rest, 1, rest->n);
	while (end < rest->n && !is_blank(rest->p[end]))
		end++;
	if (end == 0)
		return false;
	*ret_word = str_sub(*rest, 0, end);
	*rest = str_sub(*rest, end, rest->n);
	return true;
}

static int parse_digits(struct str s, unsigned base, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	bool is_over = false;

	if (s.n == 0)
		return -EINVAL;
	/* Read on after an overflow: a token with a letter in it is malformed, not too large. */
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';

		if (digit >= base)
			return -EINVAL;
		if (value > (max - digit) / base)
			is_over = true;
		else
			value = value * base + digit;
	}
	if (is_over)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int str_to_u64(struct str s, uint64_t *ret_value)
{
	return parse_digits(s, 10, UINT64_MAX, ret_value);
}

int str_to_i64(struct str s, int64_t *ret_value)
{
	bool is_minus = s.n && s.p[0] == '-';
	bool has_sign = is_minus || (s.n && s.p[0] == '+');
	uint64_t max = (uint64_t)INT64_MAX + (is_minus ? 1 : 0);
	uint64_t value;
	int r = parse_digits(str_sub(s, has_sign ? 1 : 0, s.n), 10, max, &value);

	if (r == 0)
		*ret_value = (int64_t)(is_minus ? 0 - value : value);
	return r;
}

int str_to_octal(struct str s, uint32_t *ret_value)
{
	uint64_t value;
	int r = parse_digits(s, 8, UINT32_MAX, &value);

	if (r == 0)
		*ret_value = (uint32_t)value;
	return r;
}

size_t str_append(char *out, size_t cap, size_t n, struct str s)
{
	size_t at = n < cap ? n : cap - 1, room = cap - 1 - at;

	if (s.n)
		memcpy(out + at, s.p, s.n < room ? s.n : room);
	out[s.n < room ? at + s.n : cap - 1] = '\0';
	return n + s.n;
}

/* FNV-1a. */
uint64_t str_mix(uint64_t sum, const void *bytes, size_t n)
{
	const char *p = bytes;

	for (size_t at = 0; at < n; at += sizeof(uint64_t)) {
		size_t left = n - at;
		uint64_t word = 0;

		memcpy(&word, p + at, left < sizeof(word) ? left : sizeof(word));
		sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 32;
	}
	return sum;
}

uint32_t str_hash(struct str s)
{
	return (uint32_t)str_mix(s.n, s.p, s.n);
}

/*
 * Optimal string alignment: no part of the text is edited twice. Three rows of the table are
 * enough.
 */
unsigned str_distance(struct str a, struct str b, unsigned limit)
{
	unsigned rows[3][DISTANCE_MAX + 1];
	unsigned *before = rows[0];
	unsigned *above = rows[1];
	unsigned *row = rows[2];

	if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
		return UINT_MAX;
	for (unsigned j = 0; j <= b.n; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *spare = before;

		before = above;
		above = row;
		row = spare;
		row[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			unsigned cost = a.p[i - 1] != b.p[j - 1];
			unsigned best = above[j - 1] + cost;

			best = above[j] + 1 < best ? above[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
	}
	return row[b.n] <= limit ? row[b.n] : UINT_MAX;
}

/* Room for n more bytes and the NUL. */
static bool reserve(struct sbuf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : SBUF_FIRST;
	char *p;

	if (b->err)
		return false;
	if (n < b->cap - b->n)
		return true;
	/* Sizes beyond half of the address space are refused, so the doubling cannot wrap. */
	if (n > SIZE_MAX / 4 - b->n) {
		b->err = -ENOMEM;
		return false;
	}
	while (cap - b->n <= n)
		cap *= 2;
	p = mem_grow(b->p, b->cap, cap);
	if (!p) {
		b->err = -ENOMEM;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void sbuf_add(struct sbuf *b, struct str s)
{
	if (s.n == 0 || !reserve(b, s.n))
		return;
	memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
	b->p[b->n] = '\0';
}

void sbuf_add_z(struct sbuf *b, const char *z)
{
	sbuf_add(b, str_of(z));
}

void sbuf_add_c(struct sbuf *b, char c)
{
	sbuf_add(b, (struct str){&c, 1});
}

void sbuf_addf(struct sbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sbuf_addv(b, fmt, ap);
	va_end(ap);
}

void sbuf_addv(struct sbuf *b, const char *fmt, va_list ap)
{
	size_t room = b->err ? 0 : b->cap - b->n;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(room ? b->p + b->n : NULL, room, fmt, ap);
	if (n < 0 && !b->err)
		b->err = -ENOMEM;
	if (n > 0 && reserve(b, (size_t)n)) {
		if ((size_t)n >= room)
			vsnprintf(b->p + b->n, b->cap - b->n, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
}

char *sbuf_take(struct sbuf *b)
{
	char *text = NULL;

	if (!b->err)
		text = b->n ? take_ptr(b->p) : mem_dup("", 0);
	sbuf_fini(b);
	return text;
}

void sbuf_fini(struct sbuf *b)
{
	mem_put(b->p);
	*b = (struct sbuf){0};
}

void sbuf_reset(struct sbuf *b)
{
	b->n = 0;
	b->err = 0;
}
