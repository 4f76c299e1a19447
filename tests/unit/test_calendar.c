/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "suite.h"
#include "units/calendar.h"

/* --- dates and zones --- */

START_TEST(dates_are_days)
{
	int year, month, day;

	ck_assert_int_eq(zone_days(1970, 1, 1), 0);
	ck_assert_int_eq(zone_days(2000, 3, 1), 11017);
	ck_assert_int_eq(zone_days(2024, 2, 30), zone_days(2024, 3, 1));
	for (int64_t days = -1000; days < 90000; days++) {
		zone_date(days, &year, &month, &day);
		ck_assert_int_eq(zone_days(year, month, day), days);
		ck_assert_int_le(day, zone_month_days(year, month));
	}
	ck_assert_int_eq(zone_month_days(2100, 2), 28);
	ck_assert_int_eq(zone_month_days(2000, 2), 29);
	ck_assert_int_eq(zone_month_days(2001, 12), 31);
}
END_TEST

/* A file of tzdata: change at second 1000 from "LMT" (+90 s) to "CET", then the rule. */
struct tz_file {
	char bytes[512];
	size_t n;
};

static void add(struct tz_file *f, const void *p, size_t n)
{
	memcpy(f->bytes + f->n, p, n);
	f->n += n;
}

static struct tz_file make_file(const char *rule)
{
	static const unsigned char header1[44] = "TZif2";
	unsigned char header2[44] = "TZif2";
	static const unsigned char body[] = {0,   0,   0,    0,    0,   0,   3,   0xe8, /* time */
					     1,                            /* its kind */
					     0,   0,   0,    90,   0,   0, /* LMT */
					     0,   0,   0x0e, 0x10, 0,   4, /* CET */
					     'L', 'M', 'T',  0,    'C', 'E', 'T', 0};
	struct tz_file f = {.n = 0};

	header2[35] = 1; /* times */
	header2[39] = 2; /* kinds */
	header2[43] = 8; /* bytes of names */
	add(&f, header1, sizeof(header1));
	add(&f, header2, sizeof(header2));
	add(&f, body, sizeof(body));
	add(&f, "\n", 1);
	add(&f, rule, strlen(rule));
	add(&f, "\n", 1);
	return f;
}

static const char berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";

START_TEST(zones_change)
{
	struct tz_file f = make_file(berlin);
	struct zone z;

	ck_assert_int_eq(zone_read((struct str){f.bytes, f.n}, &z), 0);
	ck_assert_int_eq(zone_at(&z, 999).offset_s, 90);
	ck_assert_str_eq(zone_at(&z, 999).name, "LMT");
	ck_assert_int_eq(zone_at(&z, 1000).offset_s, 3600);
	ck_assert_int_eq(zone_at(&z, 1616893199).offset_s, 3600); /* 2021-03-28 00:59:59 */
	ck_assert_int_eq(zone_at(&z, 1616893200).offset_s, 7200);
	ck_assert(zone_at(&z, 1616893200).is_dst);
	ck_assert_str_eq(zone_at(&z, 1616893200).name, "CEST");
	ck_assert_int_eq(zone_at(&z, 1635641999).offset_s, 7200); /* 2021-10-31 00:59:59 */
	ck_assert_int_eq(zone_at(&z, 1635642000).offset_s, 3600);
	ck_assert_int_eq(zone_at(NULL, 5).offset_s, 0);
}
END_TEST

START_TEST(rules_of_all_forms)
{
	static const struct {
		const char *rule;
		int64_t at;
		int32_t offset_s;
	} rows[] = {
		{"UTC0", 1700000000, 0},
		{"<+0330>-3:30", 1700000000, 12600},
		{"EST5EDT,M3.2.0,M11.1.0", 1615705200, -14400}, /* 2021-03-14 7:00 UTC */
		{"EST5EDT,M3.2.0,M11.1.0", 1615705199, -18000},
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", 1609459200, 39600}, /* January */
		{"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1609459200, 39600},
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1711846800, -3600}, /* 2024-03-31 1:00 UTC */
		{"A0B,J60/0,J300/0", 1709251200,
		 3600}, /* 2024-03-01: the 60th, February 29 aside */
		{"A0B,J60/0,J300/0", 1709251199, 0},
		{"A0B,59/0,300/0", 1709164800, 3600}, /* 2024-02-29: the 59th from 0 */
	};
	struct zone z;

	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		struct tz_file f = make_file(rows[k].rule);

		ck_assert_int_eq(zone_read((struct str){f.bytes, f.n}, &z), 0);
		ck_assert_msg(zone_at(&z, rows[k].at).offset_s == rows[k].offset_s, "%s at %ld",
			      rows[k].rule, (long)rows[k].at);
	}
}
END_TEST

START_TEST(broken_zone_files)
{
	struct tz_file f = make_file(berlin);
	static const char *const rules[] = {"C",
					    "CET",
					    "CET-1CEST",
					    "CET-1CEST,M13.1.0,M1.1.0",
					    "CET-1CEST,M3.5.0",
					    "CET-1CEST,J0,J5",
					    "<CET-1",
					    "CET-1CEST,M3.5.0,M10.5.0/3x",
					    "CET-200"};
	struct zone z;

	for (size_t n = 0; n < f.n - sizeof(berlin) - 1; n++)
		ck_assert_int_eq(zone_read((struct str){f.bytes, n}, &z), -EINVAL);
	for (size_t k = 0; k < ARRAY_SIZE(rules); k++) {
		f = make_file(rules[k]);
		ck_assert_int_eq(zone_read((struct str){f.bytes, f.n}, &z), -EINVAL);
	}
	f = make_file("");
	ck_assert_int_eq(zone_read((struct str){f.bytes, f.n}, &z), 0);
	ck_assert_int_eq(zone_at(&z, 1 << 30).offset_s, 3600);
	f.bytes[44 + 44 + 8] = 7; /* a kind that is not there */
	ck_assert_int_eq(zone_read((struct str){f.bytes, f.n}, &z), -EINVAL);
	ck_assert(zone_name_is_valid(STR("America/Argentina/Buenos_Aires")));
	ck_assert(!zone_name_is_valid(STR("../etc/passwd")));
	ck_assert(!zone_name_is_valid(STR("/UTC")));
	ck_assert(!zone_name_is_valid(STR("Europe//Berlin")));
	ck_assert(!zone_name_is_valid(STR("Europe/")));
	ck_assert(!zone_name_is_valid(STR("")));
}
END_TEST

/* --- expressions --- */

static bool knows(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "Europe/Berlin") == 0;
}

/* The normal form, or "-" and the reason. Owned by the caller. */
static char *normal(const char *text)
{
	struct arena arena = {0};
	struct sbuf out = {0};
	struct calendar c;
	const char *why = NULL;

	if (calendar_parse(str_of(text), knows, NULL, &arena, &c, &why) == 0)
		calendar_format(&c, &out);
	else
		sbuf_addf(&out, "- %s", why);
	arena_fini(&arena);
	return sbuf_take(&out);
}

START_TEST(normal_forms)
{
	static const char *const rows[][2] = {
		{"minutely", "*-*-* *:*:00"},
		{"Hourly", "*-*-* *:00:00"},
		{"weekly", "Mon *-*-* 00:00:00"},
		{"quarterly", "*-01,04,07,10-01 00:00:00"},
		{"semi-annually UTC", "*-01,07-01 00:00:00 UTC"},
		{"daily Europe/Berlin", "*-*-* 00:00:00 Europe/Berlin"},
		{"10:00", "*-*-* 10:00:00"},
		{"1-2", "*-01-02 00:00:00"},
		{"Sat,Thu,Mon-Wed,Sat-Sun", "Mon..Thu,Sat,Sun *-*-* 00:00:00"},
		{"mon..sunday", "*-*-* 00:00:00"},
		{"Mon, ", "Mon *-*-* 00:00:00"},
		{"5..5/3:0", "*-*-* 05:00:00"},
		{"5..9/3:0", "*-*-* 05..08/3:00:00"},
		{"3,2,1,2:0", "*-*-* 01,02,03:00:00"},
		{"*:*:0..59.5/1.5", "*-*-* *:*:00..58.500000/1.500000"},
		{"*:*:0.1234567", "*-*-* *:*:00.123457"},
		{"*:*:0/1", "*-*-* *:*:*"},
		{"69-1~1", "2069-01~01 00:00:00"},
		{"70..71-2~3/2", "1970..1971-02~03/2 00:00:00"},
		{"*~*", "*-*-* 00:00:00"},
		{"@1234567890", "2009-02-13 23:31:30 UTC"},
		{"Mon @1", "Mon 1970-01-01 00:00:01 UTC"},
	};

	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		char *form = normal(rows[k][0]);
		char *again = normal(form);

		ck_assert_str_eq(form, rows[k][1]);
		ck_assert_str_eq(again, form);
		mem_put(form);
		mem_put(again);
	}
}
END_TEST

START_TEST(refused_expressions)
{
	static const char *const rows[] = {
		"",
		" ",
		"UTC",
		"daily  UTC",
		"secondly",
		"Mon..",
		"Fri..Mon",
		"Mon.Tue",
		"Mon,,Tue",
		"Mon..Tue..Wed",
		"Mon-1-1",
		"Tues",
		"10",
		"10:",
		"10:0:0:0",
		"24:0",
		"23:60",
		"12:0:60",
		"*/2:0",
		"1,*:0",
		"1/0:0",
		"6..5:0",
		"1..2..3:0",
		"5..6/99999999999:0",
		"*:*:0/100",
		"*:*:1..1",
		"*:0.5:0",
		"1~*~1",
		"*-*~0",
		"*-*~29",
		"*-*~1/1",
		"1969-1-1",
		"2200-1-1",
		"13-1",
		"1-32",
		"1-1-1-1",
		"1 -1",
		"+1-1",
		"@",
		"@-1",
		"@1.5",
		"@5 10:00",
		"daily Europe/Nowhere",
		"daily ../x",
		"daily europe/berlin",
		"1-1 x",
		"10:00 10:00",
	};

	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		char *form = normal(rows[k]);

		ck_assert_msg(form[0] == '-' && strlen(form) > 4, "\"%s\" was read as %s", rows[k],
			      form);
		mem_put(form);
	}
}
END_TEST

START_TEST(long_lists)
{
	struct sbuf text = {0};
	char *form;

	for (int k = 0; k < 240; k++)
		sbuf_addf(&text, "%s%d", k ? "," : "", k % 24);
	sbuf_add_z(&text, ":0");
	form = normal(text.p);
	ck_assert_int_ne(form[0], '-');
	mem_put(form);
	sbuf_reset(&text);
	for (int k = 0; k < 241; k++)
		sbuf_addf(&text, "%s1", k ? "," : "");
	sbuf_add_z(&text, ":0");
	form = normal(text.p);
	ck_assert_int_eq(form[0], '-');
	mem_put(form);
	sbuf_fini(&text);
}
END_TEST

/* --- the next time --- */

#define DAY UINT64_C(86400)
#define T2021 UINT64_C(1609459200) /* 2021-01-01, a Friday */

static const struct next_row {
	const char *text;
	uint64_t after_s, next_s; /* next_s 0: never */
} next_rows[] = {
	{"*-*-* *:*:*", T2021, T2021 + 1},
	{"10:30", T2021, T2021 + 37800},
	{"10:30", T2021 + 37800, T2021 + DAY + 37800},
	{"Mon", T2021, T2021 + 3 * DAY},
	{"*-02~01", T2021, T2021 + 58 * DAY},
	{"*-2-29", T2021, 1709164800},
	{"*-*-31", T2021 + 31 * DAY, T2021 + 89 * DAY},
	{"*-*-1/9", 1861574400, 1861920000}, /* 2028-12-28: the next is January 1 */
	{"*:*:0/7", T2021 + 56, T2021 + 60},
	{"2020-1-1", T2021, 0},
	{"*-2-30", T2021, 0},
	{"2199-12-31 23:59:59", T2021, 7258118399},
	{"2199-12-31 23:59:59", 7258118399, 0},
};

static uint64_t next_s(const char *text, const struct zone *zone, uint64_t after_s)
{
	struct arena arena = {0};
	struct calendar c;
	const char *why = "";
	uint64_t us = 0;

	ck_assert_msg(calendar_parse(str_of(text), NULL, NULL, &arena, &c, &why) == 0, "%s: %s",
		      text, why);
	if (!calendar_next(&c, zone, after_s * US_PER_SEC, &us))
		us = 0;
	arena_fini(&arena);
	return us / US_PER_SEC;
}

START_TEST(next_times)
{
	for (size_t k = 0; k < ARRAY_SIZE(next_rows); k++)
		ck_assert_msg(next_s(next_rows[k].text, NULL, next_rows[k].after_s) ==
				      next_rows[k].next_s,
			      "%s after %lu", next_rows[k].text,
			      (unsigned long)next_rows[k].after_s);
}
END_TEST

START_TEST(changes_of_the_clock)
{
	struct tz_file f = make_file(berlin);
	struct zone z;

	ck_assert_int_eq(zone_read((struct str){f.bytes, f.n}, &z), 0);
	/* 2021-03-27 12:00 UTC: 2:30 is left out on the 28th. */
	ck_assert_uint_eq(next_s("2:30", &z, 1616846400), 1616977800);
	ck_assert_uint_eq(next_s("3:00", &z, 1616846400), 1616893200);
	/* 2021-10-30 12:00 UTC: 2:30 comes twice on the 31st and happens once. */
	ck_assert_uint_eq(next_s("2:30", &z, 1635595200), 1635640200);
	ck_assert_uint_eq(next_s("2:30", &z, 1635640200), 1635730200);
	/* The second 2:15 is not behind 2:30. */
	ck_assert_uint_eq(next_s("*:0/30", &z, 1635642900), 1635643800);
	/* A zone of its own is the caller's to find, UTC is not. */
	ck_assert_uint_eq(next_s("0:0 UTC", &z, T2021), T2021 + DAY);
	ck_assert_uint_eq(next_s("0:0", &z, T2021), T2021 + DAY - 3600);
}
END_TEST

START_TEST(always_later)
{
	static const char *const texts[] = {"*:*:0/0.3", "*:0/20", "*-*-1/3 1..3:0/10", "Sun 2:30",
					    "*-*~1 2:59:59.5"};
	struct tz_file f = make_file(berlin);
	struct arena arena = {0};
	const char *why;
	struct calendar c;
	struct zone z;

	ck_assert_int_eq(zone_read((struct str){f.bytes, f.n}, &z), 0);
	for (size_t k = 0; k < ARRAY_SIZE(texts); k++) {
		uint64_t now = 1635595200 * US_PER_SEC, next;

		ck_assert_int_eq(calendar_parse(str_of(texts[k]), NULL, NULL, &arena, &c, &why), 0);
		for (int n = 0; n < 300 && calendar_next(&c, &z, now, &next); n++, now = next) {
			uint64_t same;

			ck_assert_uint_gt(next, now);
			/* Nothing lies between. */
			ck_assert(calendar_next(&c, &z, next - 1, &same));
			ck_assert_uint_eq(same, next);
		}
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(memory_runs_out)
{
	static const char text[] = "Mon 2020..2030/2,2040-1,2,3-4 5:6:7 Europe/Berlin";
	const char *why;
	struct calendar c;
	int r = -ENOMEM;

	for (uint64_t n = 1; r == -ENOMEM; n++) {
		struct arena arena = {0};

		mem_stats.fail_at = mem_stats.total_n + n;
		r = calendar_parse(STR(text), NULL, NULL, &arena, &c, &why);
		mem_stats.fail_at = 0;
		arena_fini(&arena);
	}
	ck_assert_int_eq(r, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("calendar");
	TCase *t = tcase_create("calendar");

	tcase_add_test(t, dates_are_days);
	tcase_add_test(t, zones_change);
	tcase_add_test(t, rules_of_all_forms);
	tcase_add_test(t, broken_zone_files);
	tcase_add_test(t, normal_forms);
	tcase_add_test(t, refused_expressions);
	tcase_add_test(t, long_lists);
	tcase_add_test(t, next_times);
	tcase_add_test(t, changes_of_the_clock);
	tcase_add_test(t, always_later);
	tcase_add_test(t, memory_runs_out);
	suite_add_tcase(s, t);
	return suite_run(s);
}
