/* SPDX-License-Identifier: MIT */
/*
 * zone - civil time: dates of the Gregorian calendar, and the time zones of tzdata (RFC 8536) as functions of a file's bytes. Pure.
 *
 * A struct zone is a view of the bytes, which are the caller's and must outlive it. A NULL zone is UTC everywhere.
 */
#pragma once

#include "core/str.h"

/* Days since 1970-01-01 of a date; month 1..12, day may lie outside of the month. Years 0 to 9999. */
int64_t zone_days(int year, int month, int day);
/* The date of a number of days since 1970-01-01. */
void zone_date(int64_t days, int *ret_year, int *ret_month, int *ret_day);
/* Days of a month, 28 to 31. */
int zone_month_days(int year, int month);

enum { ZONE_NAME_MAX = 15 };

/* What a clock on the wall shows at some time: seconds east of UTC, and how that is called. */
struct zone_kind {
	int32_t offset_s;
	bool is_dst;
	char name[ZONE_NAME_MAX + 1]; /* "CET"; cut when longer */
};

/* The day of a year on which a POSIX rule changes the clock, and the second of that day, which may lie in another. */
struct zone_change {
	uint8_t form; /* 'M': month, week, weekday; 'J': 1..365, never February 29; 'n': 0..365 */
	uint8_t month, week, weekday; /* week 5: the last one; weekday 0: Sunday */
	uint16_t day;
	int32_t at_s;
};

struct zone {
	const unsigned char *times, *kinds, *table; /* of 8, 1 and 6 bytes each, big endian */
	struct str names;
	uint32_t times_n, table_n;
	/* What holds behind the last of the times. */
	bool has_rule, rule_has_dst;
	struct zone_kind standard, summer;
	struct zone_change begin, end; /* of summer */
};

/* Bytes of a file of tzdata. 0, or -EINVAL when they are none of version 2 or later. */
MUST_USE int zone_read(struct str bytes, struct zone *ret);
/* What holds at a time in seconds since 1970 UTC. */
struct zone_kind zone_at(const struct zone *z, int64_t unix_s);
/* Can a file of tzdata be called so ("Europe/Berlin")? Says nothing about whether there is one. */
bool zone_name_is_valid(struct str name);
