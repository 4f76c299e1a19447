/* SPDX-License-Identifier: MIT */
#include "units/zone.h"

#include <stdio.h>

enum { DAY_S = 86400, HOUR_S = 3600, MINUTE_S = 60 };

/* --- dates --- */

/* Counted in years that begin in March, so that the day that may be missing is the last one. */
enum { DAYS_400_YEARS = 146097, DAYS_TO_1970 = 719468 };

int64_t zone_days(int year, int month, int day)
{
	int64_t y = month > 2 ? year : (int64_t)year - 1;
	int64_t era = y / 400, in_era = y % 400;
	int64_t month_start = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;

	return era * DAYS_400_YEARS + in_era * 365 + in_era / 4 - in_era / 100 + month_start + day -
	       1 - DAYS_TO_1970;
}

void zone_date(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t shifted = days + DAYS_TO_1970;
	int64_t era = shifted / DAYS_400_YEARS;
	int64_t day = shifted % DAYS_400_YEARS;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t in_year = day - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * in_year + 2) / 153; /* 0: March */

	*ret_day = (int)(in_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = (int)(era * 400 + year + (*ret_month <= 2));
}

int zone_month_days(int year, int month)
{
	int next = month == 12 ? 1 : month + 1;

	return (int)(zone_days(month == 12 ? year + 1 : year, next, 1) - zone_days(year, month, 1));
}

/* --- the rule at the end of a file: "CET-1CEST,M3.5.0,M10.5.0/3" --- */

static bool cut_char(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_sub(*s, 1, s->n);
	return true;
}

static int cut_number(struct str *s, int max, int *ret)
{
	int value = 0;
	size_t n = 0;

	for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
		value = value * 10 + (s->p[n] - '0');
		if (value > max)
			return -EINVAL;
	}
	*s = str_sub(*s, n, s->n);
	*ret = value;
	return n > 0 ? 0 : -EINVAL;
}

/* "-3", "5:30", "02:00:00" in seconds. */
static int cut_clock(struct str *s, int32_t *ret_s)
{
	int sign = cut_char(s, '-') ? -1 : 1;
	int hours = 0, minutes = 0, seconds = 0;
	int r;

	if (sign > 0)
		cut_char(s, '+');
	r = cut_number(s, 167, &hours);
	if (r == 0 && cut_char(s, ':'))
		r = cut_number(s, 59, &minutes);
	if (r == 0 && cut_char(s, ':'))
		r = cut_number(s, 59, &seconds);
	*ret_s = sign * (hours * HOUR_S + minutes * MINUTE_S + seconds);
	return r;
}

/* "CET" or "<+0330>" */
static int cut_kind_name(struct str *s, char out[ZONE_NAME_MAX + 1])
{
	bool is_quoted = cut_char(s, '<');
	size_t n = 0;

	while (n < s->n && (is_quoted ? s->p[n] != '>' : !strchr("+-,0123456789", s->p[n])))
		n++;
	snprintf(out, ZONE_NAME_MAX + 1, STR_FMT, STR_ARG(str_sub(*s, 0, n)));
	*s = str_sub(*s, n, s->n);
	return n > 0 && (!is_quoted || cut_char(s, '>')) ? 0 : -EINVAL;
}

/* "3.5.0": month, week, weekday. */
static int cut_month_day(struct str *s, struct zone_change *c)
{
	static const int max[] = {12, 5, 6};
	int values[ARRAY_SIZE(max)];

	for (unsigned k = 0; k < ARRAY_SIZE(max); k++)
		if ((k > 0 && !cut_char(s, '.')) || cut_number(s, max[k], &values[k]) < 0)
			return -EINVAL;
	c->month = (uint8_t)values[0];
	c->week = (uint8_t)values[1];
	c->weekday = (uint8_t)values[2];
	return c->month > 0 && c->week > 0 ? 0 : -EINVAL;
}

static int cut_day(struct str *s, struct zone_change *c)
{
	int day = 0;
	int r;

	c->form = cut_char(s, 'M') ? 'M' : cut_char(s, 'J') ? 'J' : 'n';
	if (c->form == 'M')
		return cut_month_day(s, c);
	r = cut_number(s, 365, &day);
	c->day = (uint16_t)day;
	return r == 0 && c->form == 'J' && day == 0 ? -EINVAL : r;
}

static int cut_change(struct str *s, struct zone_change *c)
{
	if (!cut_char(s, ',') || cut_day(s, c) < 0)
		return -EINVAL;
	c->at_s = 2 * HOUR_S;
	return cut_char(s, '/') ? cut_clock(s, &c->at_s) : 0;
}

/* The signs of POSIX are those of what is added to get UTC. */
static int read_rule(struct str s, struct zone *z)
{
	int r = cut_kind_name(&s, z->standard.name);

	if (r == 0)
		r = cut_clock(&s, &z->standard.offset_s);
	z->standard.offset_s = -z->standard.offset_s;
	if (r < 0 || s.n == 0)
		return r;
	z->rule_has_dst = z->summer.is_dst = true;
	r = cut_kind_name(&s, z->summer.name);
	z->summer.offset_s = -(z->standard.offset_s + HOUR_S);
	if (r == 0 && s.n > 0 && s.p[0] != ',')
		r = cut_clock(&s, &z->summer.offset_s);
	z->summer.offset_s = -z->summer.offset_s;
	if (r == 0)
		r = cut_change(&s, &z->begin);
	if (r == 0)
		r = cut_change(&s, &z->end);
	return r == 0 && s.n > 0 ? -EINVAL : r;
}

/* Seconds since 1970 of local midnight (as if it were UTC) of the day of a change, plus its second. */
static int64_t change_time(const struct zone_change *c, int year)
{
	int64_t day;

	if (c->form == 'M') {
		int64_t first = zone_days(year, c->month, 1);
		int64_t weekday = (first + 4) % 7; /* 1970-01-01 was a Thursday, Sunday is 0 */

		day = first + (c->weekday - weekday + 7) % 7 + 7 * (c->week - 1);
		if (day >= first + zone_month_days(year, c->month))
			day -= 7;
	} else {
		bool skips = c->form == 'J' && c->day >= 60 && zone_month_days(year, 2) == 29;

		day = zone_days(year, 1, 1) + c->day - (c->form == 'J') + skips;
	}
	return day * DAY_S + c->at_s;
}

static struct zone_kind rule_at(const struct zone *z, int64_t unix_s)
{
	int64_t begin, end;
	int year, month, day;
	bool is_summer;

	if (!z->rule_has_dst)
		return z->standard;
	zone_date(unix_s / DAY_S - (unix_s % DAY_S < 0), &year, &month, &day);
	begin = change_time(&z->begin, year) - z->standard.offset_s;
	end = change_time(&z->end, year) - z->summer.offset_s;
	is_summer = begin < end ? unix_s >= begin && unix_s < end : unix_s >= begin || unix_s < end;
	return is_summer ? z->summer : z->standard;
}

/* --- the file --- */

enum { HEADER_BYTES = 44, KIND_BYTES = 6 };

static uint64_t big_endian(const unsigned char *p, unsigned n)
{
	uint64_t value = 0;

	for (unsigned k = 0; k < n; k++)
		value = value << 8 | p[k];
	return value;
}

/* The six counts of a header, in its order. */
struct counts {
	uint64_t is_utc, is_standard, leaps, times, kinds, names;
};

static int read_header(struct str bytes, struct counts *ret)
{
	const unsigned char *p = (const unsigned char *)bytes.p;

	if (bytes.n < HEADER_BYTES || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
		return -EINVAL;
	*ret = (struct counts){big_endian(p + 20, 4), big_endian(p + 24, 4), big_endian(p + 28, 4),
			       big_endian(p + 32, 4), big_endian(p + 36, 4), big_endian(p + 40, 4)};
	return 0;
}

/* Bytes behind a header; time_bytes: 4 in the first block, 8 in the second. Counts have 32 bits: no overflow. */
static uint64_t block_bytes(const struct counts *c, unsigned time_bytes)
{
	return c->times * (time_bytes + 1) + c->kinds * KIND_BYTES + c->names +
	       c->leaps * (time_bytes + 4) + c->is_standard + c->is_utc;
}

static bool indexes_are_good(const struct zone *z)
{
	if (z->table_n == 0)
		return false;
	for (uint32_t k = 0; k < z->times_n; k++)
		if (z->kinds[k] >= z->table_n)
			return false;
	for (uint32_t k = 0; k < z->table_n; k++)
		if (z->table[k * KIND_BYTES + 5] >= z->names.n)
			return false;
	return true;
}

int zone_read(struct str bytes, struct zone *ret)
{
	struct zone z = {0};
	struct counts c;
	uint64_t skip;

	if (read_header(bytes, &c) < 0)
		return err_here(-EINVAL);
	skip = HEADER_BYTES + block_bytes(&c, 4);
	if (skip > bytes.n || read_header(str_sub(bytes, skip, bytes.n), &c) < 0)
		return err_here(-EINVAL);
	bytes = str_sub(bytes, skip + HEADER_BYTES, bytes.n);
	skip = block_bytes(&c, 8);
	if (skip > bytes.n)
		return err_here(-EINVAL);
	z.times_n = (uint32_t)c.times;
	z.table_n = (uint32_t)c.kinds;
	z.times = (const unsigned char *)bytes.p;
	z.kinds = z.times + c.times * 8;
	z.table = z.kinds + c.times;
	z.names = (struct str){(const char *)z.table + c.kinds * KIND_BYTES, c.names};
	if (!indexes_are_good(&z))
		return err_here(-EINVAL);
	bytes = str_sub(bytes, skip, bytes.n);
	if (cut_char(&bytes, '\n') && str_index(bytes, '\n') > 0) {
		if (read_rule(str_sub(bytes, 0, str_index(bytes, '\n')), &z) < 0)
			return err_here(-EINVAL);
		z.has_rule = true;
	}
	*ret = z;
	return 0;
}

static struct zone_kind table_kind(const struct zone *z, unsigned row)
{
	const unsigned char *p = z->table + row * KIND_BYTES;
	struct zone_kind kind = {.offset_s = (int32_t)(uint32_t)big_endian(p, 4), .is_dst = p[4]};
	struct str name = str_sub(z->names, p[5], z->names.n);

	name = str_sub(name, 0, str_index(name, '\0'));
	snprintf(kind.name, sizeof(kind.name), STR_FMT, STR_ARG(name));
	return kind;
}

/* What held before the first change: the first kind that is not summer time. */
static unsigned first_row(const struct zone *z)
{
	for (unsigned k = 0; k < z->table_n; k++)
		if (!z->table[k * KIND_BYTES + 4])
			return k;
	return 0;
}

struct zone_kind zone_at(const struct zone *z, int64_t unix_s)
{
	uint32_t low = 0, high;

	if (!z)
		return (struct zone_kind){.name = "UTC"};
	high = z->times_n;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if ((int64_t)big_endian(z->times + (size_t)mid * 8, 8) <= unix_s)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == z->times_n && z->has_rule)
		return rule_at(z, unix_s);
	return table_kind(z, low == 0 ? first_row(z) : z->kinds[low - 1]);
}

bool zone_name_is_valid(struct str name)
{
	char last = '/';

	for (size_t k = 0; k < name.n; k++) {
		char c = name.p[k];
		bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			       (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '+';

		if (!is_word && (c != '/' || last == '/'))
			return false;
		last = c;
	}
	return last != '/' && name.n < 256;
}
