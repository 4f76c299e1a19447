/* SPDX-License-Identifier: MIT */
/*
 * calendar - calendar events of systemd.time(7): "Mon..Fri *-*-1/2 10:00 Europe/Berlin". Pure: the time and the time zone are given.
 */
#pragma once

#include "core/mem.h"
#include "core/str.h"
#include "units/zone.h"

enum { CALENDAR_YEAR_MAX = 2199 }; /* the last one in which anything happens */

enum calendar_part {
	CALENDAR_YEAR,
	CALENDAR_MONTH,
	CALENDAR_DAY,
	CALENDAR_HOUR,
	CALENDAR_MINUTE,
	CALENDAR_SECOND, /* in microseconds, with its fraction */
	CALENDAR_PARTS
};

/* from, then every step up to `to` (-1: the end of the part's range); step 0: from alone. */
struct calendar_range {
	int32_t from, to, step;
};

struct calendar_list {
	const struct calendar_range *ranges;
	uint32_t n; /* 0: every value */
};

struct calendar {
	struct calendar_list parts[CALENDAR_PARTS];
	uint8_t weekdays;     /* bits, 1 is Monday; 0: every day */
	bool counts_from_end; /* of the month: day 1 is its last one */
	bool is_utc;
	const char *zone; /* name, or NULL: the local one, but for is_utc */
};

/* Is there a time zone of that name? Asked with valid names only. */
typedef bool (*calendar_zone_fn)(void *arg, const char *name);

/*
 * calendar_parse() - read a calendar event.
 *
 * @text:     without blanks around it
 * @has_zone: answers for the system that the event is for; NULL: every name is one
 * @arena:    owns what *ret points to
 * @ret_why:  a sentence about what is wrong, static
 *
 * Returns 0, -EINVAL or -ENOMEM.
 */
MUST_USE int calendar_parse(struct str text, calendar_zone_fn has_zone, void *arg,
			    struct arena *arena, struct calendar *ret, const char **ret_why);
/* Append the normal form: "Mon..Fri *-*-01/2 10:00:00 Europe/Berlin". */
void calendar_format(const struct calendar *c, struct sbuf *out);

/*
 * calendar_next() - the first time of c that is later than after_us (microseconds since 1970 UTC).
 *
 * @zone: the one c names, or the local one; NULL: UTC
 *
 * A time that a change of the clock leaves out does not happen; one that comes twice happens the first time. Returns false when there is
 * none before the year 2200.
 */
bool calendar_next(const struct calendar *c, const struct zone *zone, uint64_t after_us,
		   uint64_t *ret_us);
