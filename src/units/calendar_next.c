/* SPDX-License-Identifier: MIT */
/* The time that a calendar event comes next: a search over the parts of what a clock on the wall shows. */
#include "units/calendar.h"

enum { DAY_S = 86400, WEEKDAYS = 7, SECOND_US = US_PER_SEC };

/* What the clock on the wall shows while the next time is looked for. Lower parts than the one that is looked at are at their least. */
struct search {
	const struct calendar *c;
	const struct zone *zone;
	int64_t offset_s; /* that held last: decides about times that come twice */
	int v[CALENDAR_PARTS];
};

static void reset_below(struct search *s, enum calendar_part part)
{
	for (unsigned k = part + 1; k < CALENDAR_PARTS; k++)
		s->v[k] = k <= CALENDAR_DAY ? 1 : 0;
}

/*
 * The time in seconds UTC of a local one in the same count. One that comes twice is that with the offset that held last, one that is
 * left out is moved on by as much as the clock is.
 */
static int64_t to_utc(const struct zone *z, int64_t local_s, int64_t last_offset_s)
{
	int64_t early = local_s - last_offset_s, late;
	int64_t offset = zone_at(z, early).offset_s;

	if (offset == last_offset_s)
		return early;
	late = local_s - offset;
	if (zone_at(z, late).offset_s == offset)
		return late;
	return late > early ? late : early;
}

static int64_t search_time(struct search *s)
{
	int month = s->v[CALENDAR_MONTH] - 1; /* one too many, behind the last */
	int64_t days =
		zone_days(s->v[CALENDAR_YEAR] + month / 12, month % 12 + 1, s->v[CALENDAR_DAY]);
	int64_t local = days * DAY_S + s->v[CALENDAR_HOUR] * 3600 + s->v[CALENDAR_MINUTE] * 60 +
			s->v[CALENDAR_SECOND] / SECOND_US;
	int64_t time = to_utc(s->zone, local, s->offset_s);

	s->offset_s = local - time;
	return time;
}

/* Show a time; the fraction of the second stays. */
static void search_show(struct search *s, int64_t time_s, int v[CALENDAR_PARTS])
{
	int64_t local = time_s + zone_at(s->zone, time_s).offset_s;
	int64_t days = local / DAY_S - (local % DAY_S < 0);
	int in_day = (int)(local - days * DAY_S);

	zone_date(days, &v[CALENDAR_YEAR], &v[CALENDAR_MONTH], &v[CALENDAR_DAY]);
	v[CALENDAR_HOUR] = in_day / 3600;
	v[CALENDAR_MINUTE] = in_day / 60 % 60;
	v[CALENDAR_SECOND] = in_day % 60 * SECOND_US + s->v[CALENDAR_SECOND] % SECOND_US;
}

/* Does the clock ever show this? If not, it shows something later in its place. */
static bool search_is_real(struct search *s)
{
	int shown[CALENDAR_PARTS];

	search_show(s, search_time(s), shown);
	return memcmp(shown, s->v, sizeof(shown)) == 0;
}

/* The last value that a part has now. */
static int last_value(const struct search *s, enum calendar_part part)
{
	static const int last[CALENDAR_PARTS] = {
		[CALENDAR_YEAR] = CALENDAR_YEAR_MAX,
		[CALENDAR_MONTH] = 12,
		[CALENDAR_HOUR] = 23,
		[CALENDAR_MINUTE] = 59,
		[CALENDAR_SECOND] = 60 * SECOND_US - 1,
	};

	return part == CALENDAR_DAY ? zone_month_days(s->v[CALENDAR_YEAR], s->v[CALENDAR_MONTH])
				    : last[part];
}

/* The first value of the list that is not below the present one, or -1. */
static int first_value(const struct search *s, enum calendar_part part)
{
	const struct calendar_list *list = &s->c->parts[part];
	bool is_mirrored = part == CALENDAR_DAY && s->c->counts_from_end;
	int now = s->v[part], last = last_value(s, part);
	int best = last + 1;

	for (uint32_t k = 0; k < list->n; k++) {
		struct calendar_range range = list->ranges[k];
		int64_t value;

		if (is_mirrored) {
			int from = last + 1 - range.from, to = last + 1 - range.to;

			range.from = range.to < 0 ? from : to;
			range.to = range.to < 0 ? -1 : from;
		}
		value = range.from;
		if (value < now && range.step == 0)
			continue;
		if (value < now)
			value += (now - value + (int64_t)range.step - 1) / range.step * range.step;
		if (value < best && (value <= range.to || range.to < 0))
			best = (int)value;
	}
	if (list->n == 0)
		best = now;
	return best <= last ? best : -1;
}

static bool is_wanted_weekday(const struct search *s)
{
	int64_t days = zone_days(s->v[CALENDAR_YEAR], s->v[CALENDAR_MONTH], s->v[CALENDAR_DAY]);

	/* 1970-01-01 was a Thursday. */
	return s->c->weekdays == 0 || (s->c->weekdays & 1u << (days + 3) % WEEKDAYS);
}

/* What became of one pass over the parts. */
enum pass { PASS_AGAIN, PASS_FOUND, PASS_NEVER };

/* Set the first part that does not fit to what it can be, or count the part above it up. */
static enum pass search_pass(struct search *s)
{
	for (unsigned k = 0; k < CALENDAR_PARTS; k++) {
		enum calendar_part part = (enum calendar_part)k;
		int value = first_value(s, part);

		if (value < 0 && part == CALENDAR_YEAR)
			return PASS_NEVER;
		if (value > s->v[part])
			reset_below(s, part);
		if (value >= 0)
			s->v[part] = value;
		else
			part--;
		if (value >= 0 && !search_is_real(s))
			return PASS_AGAIN;
		if (value >= 0 && (part != CALENDAR_DAY || is_wanted_weekday(s)))
			continue;
		s->v[part]++;
		reset_below(s, part);
		return PASS_AGAIN;
	}
	return PASS_FOUND;
}

bool calendar_next(const struct calendar *c, const struct zone *zone, uint64_t after_us,
		   uint64_t *ret_us)
{
	enum { PASSES_MAX = 1000 }; /* more: it never happens, as a leap day before 1970 */
	struct search s = {.c = c, .zone = c->is_utc ? NULL : zone};
	uint64_t from_us = after_us + 1;
	int64_t time = (int64_t)(from_us / US_PER_SEC);
	enum pass pass = PASS_AGAIN;

	if (after_us >= INT64_MAX)
		return false;
	s.offset_s = zone_at(s.zone, time).offset_s;
	s.v[CALENDAR_SECOND] = (int)(from_us % US_PER_SEC);
	for (unsigned k = 0; pass == PASS_AGAIN && k < PASSES_MAX; k++) {
		search_show(&s, time, s.v);
		pass = search_pass(&s);
		time = search_time(&s);
	}
	*ret_us = (uint64_t)time * US_PER_SEC + (uint64_t)(s.v[CALENDAR_SECOND] % SECOND_US);
	return pass == PASS_FOUND;
}
