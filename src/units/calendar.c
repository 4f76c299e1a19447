/* SPDX-License-Identifier: MIT */
#include "units/calendar.h"

#include <stdlib.h>

enum { RANGES_MAX = 240, DAY_S = 86400, SECOND_US = US_PER_SEC };

/* What a part may be, how wide it is printed, and what a range without a step counts by. */
static const struct part_info {
	int32_t min, max, unit;
	int width;
} parts[CALENDAR_PARTS] = {
	[CALENDAR_YEAR] = {1970, CALENDAR_YEAR_MAX, 1, 4},
	[CALENDAR_MONTH] = {1, 12, 1, 2},
	[CALENDAR_DAY] = {1, 31, 1, 2},
	[CALENDAR_HOUR] = {0, 23, 1, 2},
	[CALENDAR_MINUTE] = {0, 59, 1, 2},
	[CALENDAR_SECOND] = {0, 60 * SECOND_US - 1, SECOND_US, 2},
};

static const char *const weekday_names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
					    "Friday", "Saturday", "Sunday"};
enum { WEEKDAYS = ARRAY_SIZE(weekday_names), SHORT_NAME = 3, ALL_WEEKDAYS = (1 << WEEKDAYS) - 1 };

/* Words that stand for whole expressions. */
static const struct shorthand {
	const char *word, *text;
} shorthands[] = {
	{"minutely", "*:*"},         {"hourly", "*:0"},
	{"daily", "*-*-*"},          {"weekly", "Mon"},
	{"monthly", "*-*-1"},        {"quarterly", "*-1,4,7,10-1"},
	{"semiannually", "*-1,7-1"}, {"semi-annually", "*-1,7-1"},
	{"biannually", "*-1,7-1"},   {"bi-annually", "*-1,7-1"},
	{"yearly", "*-1-1"},         {"annually", "*-1-1"},
	{"anually", "*-1-1"},
};

/* One parse on its way. */
struct reader {
	struct str rest;
	struct arena *arena;
	struct calendar *c;
	const char *why;
};

static int wrong(struct reader *r, const char *why)
{
	r->why = why;
	return -EINVAL;
}

static char peek(const struct reader *r)
{
	return r->rest.n > 0 ? r->rest.p[0] : '\0';
}

static void skip(struct reader *r, size_t n)
{
	r->rest = str_sub(r->rest, n, r->rest.n);
}

static bool take(struct reader *r, struct str token)
{
	if (!str_has_prefix(r->rest, token))
		return false;
	skip(r, token.n);
	return true;
}

static void skip_blanks(struct reader *r)
{
	while (peek(r) == ' ')
		skip(r, 1);
}

/* Between two pieces of an expression, or behind the last one. */
static bool at_gap(const struct reader *r)
{
	return r->rest.n == 0 || peek(r) == ' ';
}

/* --- numbers and lists --- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Six digits of a fraction in microseconds, rounded by the seventh. */
static int32_t read_fraction(struct reader *r)
{
	int32_t value = 0;
	int digits = 0;

	for (; is_digit(peek(r)); skip(r, 1), digits++) {
		if (digits < 6)
			value = value * 10 + (peek(r) - '0');
		else if (digits == 6 && peek(r) >= '5')
			value++;
	}
	for (; digits < 6; digits++)
		value *= 10;
	return value;
}

/* A number in the unit of the part; seconds may have a fraction. */
static int read_number(struct reader *r, enum calendar_part part, int32_t *ret)
{
	int64_t value = 0;

	if (!is_digit(peek(r)))
		return wrong(r, "a number is missing");
	for (; is_digit(peek(r)); skip(r, 1)) {
		value = value * 10 + (peek(r) - '0');
		if (value * parts[part].unit > INT32_MAX)
			return wrong(r, "a number is too large");
	}
	value *= parts[part].unit;
	/* Two dots are a range. */
	if (part == CALENDAR_SECOND && peek(r) == '.' && !str_has_prefix(r->rest, STR(".."))) {
		skip(r, 1);
		if (!is_digit(peek(r)))
			return wrong(r, "a fraction needs digits");
		value += read_fraction(r);
	}
	if (value > INT32_MAX)
		return wrong(r, "a number is too large");
	*ret = (int32_t)value;
	return 0;
}

/* "5", "5..9", "5/2", "5..9/2" */
static int read_range(struct reader *r, enum calendar_part part, struct calendar_range *ret)
{
	struct calendar_range range = {.to = -1};
	int err = read_number(r, part, &range.from);

	if (err == 0 && take(r, STR(".."))) {
		range.step = parts[part].unit;
		err = read_number(r, part, &range.to);
	}
	if (err < 0)
		return err;
	if (take(r, STR("/"))) {
		err = read_number(r, part, &range.step);
		if (err == 0 && range.step == 0)
			err = wrong(r, "a step of nothing would never end");
	} else if (part == CALENDAR_SECOND && range.to >= 0 && range.to - range.from < range.step) {
		err = wrong(r, "a range of less than a second needs a step");
	}
	*ret = range;
	return err;
}

/* "*", or ranges with commas between them. */
static int read_list(struct reader *r, enum calendar_part part, struct calendar_list *ret)
{
	static const struct calendar_range every_second = {0, -1, SECOND_US};
	struct calendar_range *ranges;
	uint32_t n = 1;
	int err = 0;

	if (take(r, STR("*"))) {
		*ret = part == CALENDAR_SECOND ? (struct calendar_list){&every_second, 1}
					       : (struct calendar_list){NULL, 0};
		return 0;
	}
	for (size_t k = 0; k < r->rest.n && (is_digit(r->rest.p[k]) || strchr("./,", r->rest.p[k]));
	     k++)
		n += r->rest.p[k] == ',';
	if (n > RANGES_MAX)
		return wrong(r, "there are too many values in one list");
	ranges = arena_get(r->arena, n * sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	*ret = (struct calendar_list){ranges, 0};
	do
		err = read_range(r, part, &ranges[ret->n++]);
	while (err == 0 && take(r, STR(",")));
	return err;
}

/* --- weekdays, date, time --- */

/* The number of the weekday whose name begins the rest, or -1. */
static int read_weekday(struct reader *r)
{
	for (int day = 0; day < WEEKDAYS; day++) {
		struct str name = str_of(weekday_names[day]);

		for (size_t n = name.n; n >= SHORT_NAME; n = n == name.n ? SHORT_NAME : 0) {
			if (!str_eq_case(str_sub(r->rest, 0, n), str_sub(name, 0, n)))
				continue;
			skip(r, n);
			return at_gap(r) || strchr("-.,", peek(r)) ? day : -1;
		}
	}
	return -1;
}

/* What stands behind a weekday: "..", "-" (a range begins: *ret is true), ",", or a gap. */
static int read_weekday_separator(struct reader *r, bool in_range, bool *ret)
{
	*ret = !in_range && (take(r, STR("..")) || take(r, STR("-")));
	if (*ret && at_gap(r))
		return wrong(r, "the end of a range of weekdays is missing");
	if (!*ret && !at_gap(r) && !take(r, STR(",")))
		return wrong(r, "weekdays are separated by commas or \"..\"");
	return 0;
}

/* "Mon", "Mon..Fri,Sun", "Mon-Fri,"; nothing at all means every day. */
static int read_weekdays(struct reader *r)
{
	char first = peek(r);
	bool in_range = false;
	int begin = -1;
	int err = 0;

	if (!((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z')))
		return 0;
	do {
		int day = read_weekday(r);

		if (day < 0)
			return wrong(r, "this is no weekday, and no word for a whole event");
		if (!in_range)
			begin = day;
		if (begin > day)
			return wrong(r, "a range of weekdays goes forward from Monday to Sunday");
		for (; begin <= day; begin++)
			r->c->weekdays |= (uint8_t)(1u << begin);
		begin = day;
		err = read_weekday_separator(r, in_range, &in_range);
	} while (err == 0 && !at_gap(r));
	skip_blanks(r);
	return err;
}

/* The digits behind @: seconds since 1970. */
static int read_timestamp(struct reader *r)
{
	struct calendar_range *values = arena_get(r->arena, CALENDAR_PARTS * sizeof(*values));
	int year, month, day;
	uint64_t seconds;
	int32_t in_day;

	if (!values)
		return -ENOMEM;
	r->rest = str_trim(r->rest);
	take(r, STR("+"));
	if (str_to_u64(r->rest, &seconds) < 0 || seconds > INT64_MAX / 2)
		return wrong(r, "behind @ there is a number of seconds since 1970");
	/* Anything later is beyond the last year anyway. */
	if (seconds / DAY_S > INT32_MAX / 2)
		seconds = (uint64_t)DAY_S * (INT32_MAX / 2);
	zone_date((int64_t)(seconds / DAY_S), &year, &month, &day);
	in_day = (int32_t)(seconds % DAY_S);
	const int32_t given[CALENDAR_PARTS] = {
		year, month, day, in_day / 3600, in_day / 60 % 60, in_day % 60 * SECOND_US};
	for (unsigned k = 0; k < CALENDAR_PARTS; k++) {
		values[k] = (struct calendar_range){given[k], -1, 0};
		r->c->parts[k] = (struct calendar_list){&values[k], 1};
	}
	r->c->is_utc = true;
	r->c->zone = NULL;
	r->rest = STR("");
	return 0;
}

/* '-' or '~' before the day. */
static int read_separator(struct reader *r)
{
	r->c->counts_from_end = take(r, STR("~"));
	return r->c->counts_from_end || take(r, STR("-"))
		       ? 0
		       : wrong(r, "the parts of a date are separated by -, those of a time by :");
}

/* "month-day", "year-month-day", with ~ before a day that counts from the end. Nothing is read when a time comes first. */
static int read_date(struct reader *r)
{
	struct calendar_list lists[3];
	struct str begin = r->rest;
	unsigned n = 1;
	int err;

	if (r->rest.n == 0)
		return 0;
	err = read_list(r, CALENDAR_YEAR, &lists[0]);
	if (err == 0 && (r->rest.n == 0 || peek(r) == ':')) {
		r->rest = begin;
		return 0;
	}
	for (; err == 0 && n < ARRAY_SIZE(lists) && !(n > 1 && at_gap(r)); n++) {
		if (r->c->counts_from_end)
			return wrong(r, "~ stands before the day, which ends a date");
		err = read_separator(r);
		if (err == 0)
			err = read_list(r, CALENDAR_DAY, &lists[n]);
	}
	if (err < 0)
		return err;
	if (!at_gap(r))
		return wrong(r, "a date has a year, a month and a day");
	for (unsigned k = 0; k < n; k++)
		r->c->parts[CALENDAR_DAY + 1 - n + k] = lists[k];
	skip_blanks(r);
	return 0;
}

/* "hour:minute" or "hour:minute:second"; nothing means midnight. */
static int read_time(struct reader *r)
{
	static const struct calendar_range zero = {0, -1, 0};
	bool is_given = r->rest.n > 0;
	int err = 0;

	for (unsigned k = CALENDAR_HOUR; k < CALENDAR_PARTS; k++)
		r->c->parts[k] = (struct calendar_list){&zero, 1};
	for (unsigned k = CALENDAR_HOUR; err == 0 && is_given && k < CALENDAR_PARTS; k++) {
		if (k == CALENDAR_SECOND && r->rest.n == 0)
			break;
		if (k > CALENDAR_HOUR && !take(r, STR(":")))
			return wrong(r, "the parts of a time are separated by :");
		err = read_list(r, (enum calendar_part)k, &r->c->parts[k]);
	}
	if (err == 0 && r->rest.n > 0)
		err = wrong(r, "nothing can follow the time but the name of a time zone");
	return err;
}

/* --- the normal form --- */

/* Years of two digits are those from 1970 to 2069. */
static int32_t full_year(int32_t year)
{
	if (year < 0 || year >= 100)
		return year;
	return year + (year < 70 ? 2000 : 1900);
}

static int compare_ranges(const void *a, const void *b)
{
	const struct calendar_range *x = a;
	const struct calendar_range *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return (x->step > y->step) - (x->step < y->step);
}

/* Let the end of a range be its last value, or the range a single value when it has no other. */
static void normalise_range(struct calendar_range *range, enum calendar_part part)
{
	if (part == CALENDAR_YEAR) {
		range->from = full_year(range->from);
		range->to = full_year(range->to);
	}
	if (range->to > range->from)
		range->to -= (range->to - range->from) % range->step;
	if (range->to == range->from) {
		range->to = -1;
		range->step = 0;
	}
}

/* Why a range cannot be that of a part, or NULL. */
static const char *check_range(const struct calendar_range *range, enum calendar_part part,
			       bool counts_from_end)
{
	/* The month with the fewest days has a 28th last one. */
	int32_t max = part == CALENDAR_DAY && counts_from_end ? 28 : parts[part].max;
	int64_t second = (int64_t)range->from + range->step;

	if (range->from < parts[part].min || range->from > max || range->to > max)
		return "a number is outside of what there is of days, hours ...";
	if (range->to >= 0 && second > range->to)
		return "a range ends before it begins";
	if (range->to < 0 && range->step > 0 &&
	    (part == CALENDAR_DAY && counts_from_end ? range->from - range->step < 1
						     : second > max))
		return "the step is so large that it is never taken";
	return NULL;
}

static int normalise_list(struct reader *r, enum calendar_part part)
{
	struct calendar_list *list = &r->c->parts[part];
	uint32_t kept = 0;
	struct calendar_range *ranges = arena_get(r->arena, list->n * sizeof(*ranges) + 1);

	if (!ranges)
		return -ENOMEM;
	for (uint32_t k = 0; k < list->n; k++) {
		ranges[k] = list->ranges[k];
		normalise_range(&ranges[k], part);
		r->why = check_range(&ranges[k], part, r->c->counts_from_end);
		if (r->why)
			return -EINVAL;
	}
	qsort(ranges, list->n, sizeof(*ranges), compare_ranges);
	for (uint32_t k = 0; k < list->n; k++)
		if (kept == 0 || compare_ranges(&ranges[kept - 1], &ranges[k]) != 0)
			ranges[kept++] = ranges[k];
	*list = (struct calendar_list){ranges, kept};
	return 0;
}

static int normalise(struct reader *r)
{
	int err = 0;

	if (r->c->weekdays == ALL_WEEKDAYS)
		r->c->weekdays = 0;
	if (r->c->parts[CALENDAR_DAY].n == 0)
		r->c->counts_from_end = false;
	for (unsigned k = 0; err == 0 && k < CALENDAR_PARTS; k++)
		err = normalise_list(r, (enum calendar_part)k);
	return err;
}

/* --- the whole --- */

/* The name of a time zone is the last word; it begins with a letter, which no date or time has. */
static int cut_zone(struct reader *r, calendar_zone_fn has_zone, void *arg)
{
	size_t gap = str_rindex(r->rest, ' ');
	struct str word = gap < r->rest.n ? str_sub(r->rest, gap + 1, r->rest.n) : STR("");
	bool is_word = word.n > 0 && strchr("*@~0123456789", word.p[0]) == NULL;

	if (!is_word)
		return 0;
	r->c->is_utc = str_eq_case(word, STR("UTC"));
	if (!r->c->is_utc) {
		r->c->zone = arena_dup(r->arena, word.p, word.n);
		if (!r->c->zone)
			return -ENOMEM;
		if (!zone_name_is_valid(word) || (has_zone && !has_zone(arg, r->c->zone)))
			return wrong(r, "the last word is no time zone");
	}
	r->rest = str_sub(r->rest, 0, gap);
	return 0;
}

/* The expression that a word stands for. */
static void expand_shorthand(struct reader *r)
{
	for (size_t k = 0; k < ARRAY_SIZE(shorthands); k++) {
		if (str_eq_case(r->rest, str_of(shorthands[k].word))) {
			r->rest = str_of(shorthands[k].text);
			return;
		}
	}
}

int calendar_parse(struct str text, calendar_zone_fn has_zone, void *arg, struct arena *arena,
		   struct calendar *ret, const char **ret_why)
{
	struct calendar c = {0};
	struct reader r = {.rest = text, .arena = arena, .c = &c};
	int err = cut_zone(&r, has_zone, arg);

	if (err == 0 && r.rest.n == 0)
		err = wrong(&r, "there is no date and no time");
	expand_shorthand(&r);
	if (err == 0)
		err = read_weekdays(&r);
	if (err == 0 && take(&r, STR("@")))
		err = read_timestamp(&r);
	else if (err == 0) {
		err = read_date(&r);
		if (err == 0)
			err = read_time(&r);
	}
	if (err == 0)
		err = normalise(&r);
	if (err == 0)
		*ret = c;
	else
		*ret_why = r.why;
	return err;
}

/* --- printing --- */

static void format_value(struct sbuf *out, enum calendar_part part, int32_t value, int width)
{
	int32_t unit = parts[part].unit;

	sbuf_addf(out, "%0*d", width, value / unit);
	if (value % unit > 0)
		sbuf_addf(out, ".%06d", value % unit);
}

static void format_ranges(struct sbuf *out, enum calendar_part part,
			  const struct calendar_list *list)
{
	for (const struct calendar_range *range = list->ranges; range < list->ranges + list->n;
	     range++) {
		sbuf_add_z(out, range > list->ranges ? "," : "");
		format_value(out, part, range->from, parts[part].width);
		if (range->to >= 0) {
			sbuf_add_z(out, "..");
			format_value(out, part, range->to, parts[part].width);
		}
		if (range->step > 0 && !(range->to >= 0 && range->step == parts[part].unit)) {
			sbuf_add_c(out, '/');
			format_value(out, part, range->step, 1);
		}
	}
}

/* Whatever else such a list has is not printed. */
static bool has_every_second(const struct calendar_list *list)
{
	for (uint32_t k = 0; k < list->n; k++)
		if (list->ranges[k].from == 0 && list->ranges[k].to < 0 &&
		    list->ranges[k].step == SECOND_US)
			return true;
	return false;
}

static void format_list(struct sbuf *out, enum calendar_part part, const struct calendar_list *list)
{
	if (list->n == 0 || (part == CALENDAR_SECOND && has_every_second(list)))
		sbuf_add_c(out, '*');
	else
		format_ranges(out, part, list);
}

/* Three days in a row and more are a range. */
static void format_weekdays(struct sbuf *out, unsigned weekdays)
{
	const char *gap = "";

	for (int day = 0; day < WEEKDAYS; day++) {
		int end = day;

		if (!(weekdays & 1u << day))
			continue;
		while (weekdays & 1u << (end + 1))
			end++;
		sbuf_addf(out, "%s%.*s", gap, SHORT_NAME, weekday_names[day]);
		if (end > day + 1) {
			sbuf_addf(out, "..%.*s", SHORT_NAME, weekday_names[end]);
			day = end;
		}
		gap = ",";
	}
	if (weekdays)
		sbuf_add_c(out, ' ');
}

void calendar_format(const struct calendar *c, struct sbuf *out)
{
	static const char separators[CALENDAR_PARTS] = {'-', '-', ' ', ':', ':', '\0'};

	format_weekdays(out, c->weekdays);
	for (unsigned k = 0; k < CALENDAR_PARTS; k++) {
		format_list(out, (enum calendar_part)k, &c->parts[k]);
		if (k == CALENDAR_MONTH && c->counts_from_end)
			sbuf_add_c(out, '~');
		else if (separators[k])
			sbuf_add_c(out, separators[k]);
	}
	if (c->is_utc)
		sbuf_add_z(out, " UTC");
	else if (c->zone)
		sbuf_addf(out, " %s", c->zone);
}
