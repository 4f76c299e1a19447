/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "suite.h"
#include "units/value.h"

#define S US_PER_SEC

START_TEST(booleans)
{
	static const char *const yes[] = {"1", "yes", "Y", "TRUE", "t", "on"};
	static const char *const no[] = {"0", "no", "N", "false", "F", "Off"};
	static const char *const bad[] = {"", "2", "yess", "ye", " yes"};
	bool b;

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		b = false;
		ck_assert_int_eq(value_bool(str_of(yes[i]), &b), 0);
		ck_assert(b);
		ck_assert_int_eq(value_bool(str_of(no[i]), &b), 0);
		ck_assert(!b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(value_bool(str_of(bad[i]), &b), -EINVAL);
}
END_TEST

static const struct span_row {
	const char *text;
	int r;
	uint64_t us;
} spans[] = {
	{"0", 0, 0},
	{"5", 0, 5 * S},
	{"+5", 0, 5 * S},
	{"5 +3", 0, 8 * S},
	{"5s3", 0, 8 * S},
	{"5 s", 0, 5 * S},
	{".5", 0, S / 2},
	{"3.5s", 0, 3500000},
	{"1h 2min 3.5s", 0, 3723500000},
	{"5min 20s", 0, 320 * S},
	{"5min20s", 0, 320 * S},
	{"12.34 .56", 0, 12900000},
	{"90.5min", 0, 5430 * S},
	{"2M", 0, 5259600 * S},
	{"2m", 0, 120 * S},
	{"1y 2month", 0, UINT64_C(36817200000000)},
	{"55s500ms", 0, 55500000},
	{"300ms20s 5day", 0, 432020300000},
	{"2 weeks 1 day 3 hours 4hr", 0, (15 * 86400 + 7 * 3600) * S},
	{"5us 6usec", 0, 11},
	{"5\xc2\xb5s", 0, 5},
	{"5\xce\xbcs", 0, 5},
	{"1.2ms", 0, 1200},
	{"0.0000019s", 0, 1},
	{"0.1234567890123456789999s", 0, 123456},
	{" 5 ", 0, 5 * S},
	{"infinity", 0, TIME_NEVER},
	{" infinity ", 0, TIME_NEVER},
	{"9223372036854775807us 9223372036854775807us", 0, TIME_NEVER - 1},
	{"18446744073709551614us", -ERANGE, 0},
	{"9223372036854775808us", -ERANGE, 0},
	{"18446744073709s", -ERANGE, 0},
	{"18446744073708s", 0, UINT64_C(18446744073708000000)},
	{"0.5544073860min", 0, 33264438},
	{"+.5", -EINVAL, 0},
	{"18446744073709551615us", -ERANGE, 0},
	{"18446744073709551616us", -ERANGE, 0},
	{"600000y", -ERANGE, 0},
	{"584542y 1y", -ERANGE, 0},
	{"-5", -ERANGE, 0},
	{"", -EINVAL, 0},
	{"  ", -EINVAL, 0},
	{".", -EINVAL, 0},
	{"5.", -EINVAL, 0},
	{"1.1.1", -EINVAL, 0},
	{"s", -EINVAL, 0},
	{"5 x", -EINVAL, 0},
	{"5S", -EINVAL, 0},
	{"5minx", -EINVAL, 0},
	{"infinityx", -EINVAL, 0},
	{"infinity 5", -EINVAL, 0},
	{"5 infinity", -EINVAL, 0},
};

START_TEST(time_spans)
{
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		uint64_t us = 42;
		int r = value_span(str_of(spans[i].text), S, &us);

		ck_assert_msg(r == spans[i].r, "'%s': %d", spans[i].text, r);
		ck_assert_msg(us == (r < 0 ? 42 : spans[i].us), "'%s': %llu", spans[i].text,
			      (unsigned long long)us);
	}
	{
		uint64_t us;

		ck_assert_int_eq(value_span(STR("7"), 1, &us), 0);
		ck_assert_uint_eq(us, 7);
		ck_assert_int_eq(value_span(STR("7 1ms"), US_PER_MS, &us), 0);
		ck_assert_uint_eq(us, 8000);
	}
}
END_TEST

/* Any prefix is read or refused within its own bytes (the copy has no byte more; the sanitizer watches). */
START_TEST(truncated_spans)
{
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		size_t n = strlen(spans[i].text);

		for (size_t cut = 0; cut <= n; cut++) {
			char *copy = malloc(cut ? cut : 1);
			uint64_t v;
			int r;

			memcpy(copy, spans[i].text, cut);
			r = value_span((struct str){copy, cut}, S, &v);
			ck_assert(r == 0 || r == -EINVAL || r == -ERANGE);
			r = value_size((struct str){copy, cut}, &v);
			ck_assert(r == 0 || r == -EINVAL || r == -ERANGE);
			free(copy);
		}
	}
}
END_TEST

/* The first "us: N" of `systemd-analyze timespan` is an independent opinion; passed over where it is not installed. */
START_TEST(spans_as_systemd_reads_and_prints_them)
{
	if (access("/usr/bin/systemd-analyze", X_OK) != 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		bool is_mu = strstr(spans[i].text, "\xce\xbc") != NULL; /* newer than 252 */
		unsigned long long us = 0;
		char human[128] = "";
		char line[256];
		char ours[128];
		bool ok = false;
		FILE *p;

		if (is_mu || spans[i].text[0] == '\0' ||
		    strlen(spans[i].text) > 21) /* it reads 63 bits only */
			continue;
		snprintf(line, sizeof(line), "systemd-analyze timespan -- '%s' 2>/dev/null",
			 spans[i].text);
		p = popen(line, "r");
		while (fgets(line, sizeof(line), p)) {
			if (strstr(line, "s: ") && sscanf(strstr(line, "s: "), "s: %llu", &us) == 1)
				ok = true;
			if (strstr(line, "Human: ") &&
			    sscanf(strstr(line, "Human: "), "Human: %127[^\n]", human) != 1)
				human[0] = '\0';
		}
		pclose(p);
		ck_assert_msg(ok == (spans[i].r == 0), "'%s'", spans[i].text);
		if (!ok)
			continue;
		ck_assert_msg(us == spans[i].us, "'%s': %llu", spans[i].text, us);
		value_format_span(us, ours, sizeof(ours));
		ck_assert_str_eq(ours, human);
	}
}
END_TEST

START_TEST(spans_are_printed)
{
	static const struct {
		uint64_t us;
		const char *text;
	} rows[] = {
		{0, "0"},
		{1, "1us"},
		{1200, "1.200ms"},
		{59999, "59.999ms"},
		{3500000, "3.500000s"},
		{90 * S, "1min 30s"},
		{62000100, "1min 2.000100s"},
		{86400 * S, "1d"},
		{UINT64_C(36817200000000), "1y 2month"},
		{TIME_NEVER, "infinity"},
	};
	char out[128];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = value_format_span(rows[i].us, out, sizeof(out));

		ck_assert_str_eq(out, rows[i].text);
		ck_assert_uint_eq(n, strlen(out));
		for (size_t cap = 0; cap <= n; cap++) {
			char *small = malloc(cap ? cap : 1);

			ck_assert_uint_lt(value_format_span(rows[i].us, small, cap), cap ? cap : 1);
			free(small);
		}
	}
}
END_TEST

START_TEST(spans_come_back)
{
	srandom(7);
	for (int i = 0; i < 10000; i++) {
		uint64_t us = ((uint64_t)random() << 33 ^ (uint64_t)random() << 12 ^
			       (uint64_t)random()) >>
			      random() % 64;
		char out[128];
		uint64_t again;

		if (us == TIME_NEVER)
			continue;
		value_format_span(us, out, sizeof(out));
		ck_assert_int_eq(value_span(str_of(out), S, &again), 0);
		ck_assert_msg(us == again, "%llu: %s", (unsigned long long)us, out);
	}
}
END_TEST

START_TEST(sizes)
{
	static const struct {
		const char *text;
		int r;
		uint64_t bytes;
	} rows[] = {
		{"0", 0, 0},
		{"4096", 0, 4096},
		{"4096B", 0, 4096},
		{"1K", 0, 1024},
		{"1.5G", 0, UINT64_C(1610612736)},
		{"0.1K", 0, 102},
		{"1G 500M", 0, UINT64_C(1598029824)},
		{"15E", 0, UINT64_C(15) << 60},
		{"1 K", 0, 1024},
		{"infinity", 0, UINT64_MAX},
		{"16E", -ERANGE, 0},
		{"18446744073709551615", -ERANGE, 0},
		{"-1", -ERANGE, 0},
		{"1M 1G", -EINVAL, 0},
		{"1K 1K", -EINVAL, 0},
		{"1k", -EINVAL, 0},
		{"1KB", -EINVAL, 0},
		{"K", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"1 1", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t bytes = 42;
		int r = value_size(str_of(rows[i].text), &bytes);

		ck_assert_msg(r == rows[i].r, "'%s': %d", rows[i].text, r);
		ck_assert_uint_eq(bytes, r < 0 ? 42 : rows[i].bytes);
	}
}
END_TEST

START_TEST(numbers)
{
	uint32_t u = 42;
	int n = 42;

	ck_assert_int_eq(value_mode(STR("0755"), &u), 0);
	ck_assert_uint_eq(u, 0755);
	ck_assert_int_eq(value_mode(STR("7777"), &u), 0);
	ck_assert_int_eq(value_mode(STR("10000"), &u), -ERANGE);
	ck_assert_int_eq(value_mode(STR("0788"), &u), -EINVAL);
	ck_assert_uint_eq(u, 07777);
	ck_assert_int_eq(value_u32(STR("4294967295"), &u), 0);
	ck_assert_int_eq(value_u32(STR("4294967296"), &u), -ERANGE);
	ck_assert_int_eq(value_u32(STR("-1"), &u), -EINVAL);
	ck_assert_uint_eq(u, UINT32_MAX);
	ck_assert_int_eq(value_int(STR("-20"), -20, 19, &n), 0);
	ck_assert_int_eq(n, -20);
	ck_assert_int_eq(value_int(STR("20"), -20, 19, &n), -ERANGE);
	ck_assert_int_eq(value_int(STR(""), -20, 19, &n), -EINVAL);
	ck_assert_int_eq(n, -20);
}
END_TEST

START_TEST(signals)
{
	int sig;

	ck_assert_int_eq(value_signal(STR("SIGTERM"), &sig), 0);
	ck_assert_int_eq(sig, SIGTERM);
	ck_assert_int_eq(value_signal(STR("USR1"), &sig), 0);
	ck_assert_int_eq(sig, SIGUSR1);
	ck_assert_int_eq(value_signal(STR("15"), &sig), 0);
	ck_assert_int_eq(sig, 15);
	ck_assert_int_eq(value_signal(STR("RTMIN+3"), &sig), 0);
	ck_assert_int_eq(sig, SIGRTMIN + 3);
	ck_assert_int_eq(value_signal(STR("SIGRTMAX-1"), &sig), 0);
	ck_assert_int_eq(sig, SIGRTMAX - 1);
	ck_assert_int_eq(value_signal(STR("SIGRTMIN"), &sig), 0);
	ck_assert_int_eq(value_signal(STR("RTMIN+99"), &sig), -ERANGE);
	ck_assert_int_eq(value_signal(STR("RTMIN-1"), &sig), -EINVAL);
	ck_assert_int_eq(value_signal(STR("RTMIN+"), &sig), -EINVAL);
	ck_assert_int_eq(value_signal(STR("RTMIN+-1"), &sig), -EINVAL);
	ck_assert_int_eq(value_signal(STR("RTMIN+3x"), &sig), -EINVAL);
	ck_assert_int_eq(value_signal(STR("0"), &sig), -ERANGE);
	ck_assert_int_eq(value_signal(STR("65"), &sig), -ERANGE);
	ck_assert_int_eq(value_signal(STR("term"), &sig), -EINVAL);
	ck_assert_int_eq(value_signal(STR("SIG"), &sig), -EINVAL);
	ck_assert_int_eq(value_signal(STR(""), &sig), -EINVAL);
	ck_assert_str_eq(value_signal_name(0), "?");
	ck_assert_str_eq(value_signal_name(-1), "?");
	ck_assert_str_eq(value_signal_name(1000), "?");
	for (int i = 1; i <= SIGRTMAX; i++) {
		if (strcmp(value_signal_name(i), "?") == 0)
			continue;
		ck_assert_int_eq(value_signal(str_of(value_signal_name(i)), &sig), 0);
		ck_assert_int_eq(sig, i);
	}
}
END_TEST

START_TEST(limits)
{
	static const struct {
		int resource;
		const char *text;
		int r;
		uint64_t soft, hard;
	} rows[] = {
		{RLIMIT_NOFILE, "1024:4096", 0, 1024, 4096},
		{RLIMIT_NOFILE, "1024", 0, 1024, 1024},
		{RLIMIT_NOFILE, "infinity", 0, UINT64_MAX, UINT64_MAX},
		{RLIMIT_NOFILE, "5:infinity", 0, 5, UINT64_MAX},
		{RLIMIT_NOFILE, "4096:1024", -EINVAL, 0, 0},
		{RLIMIT_NOFILE, "1K", -EINVAL, 0, 0},
		{RLIMIT_NOFILE, "", -EINVAL, 0, 0},
		{RLIMIT_NOFILE, "5:", -EINVAL, 0, 0},
		{RLIMIT_NOFILE, ":5", -EINVAL, 0, 0},
		{RLIMIT_AS, "4G:16G", 0, UINT64_C(4) << 30, UINT64_C(16) << 30},
		{RLIMIT_CPU, "1min", 0, 60, 60},
		{RLIMIT_CPU, "1500ms", 0, 2, 2},
		{RLIMIT_CPU, "infinity", 0, UINT64_MAX, UINT64_MAX},
		{RLIMIT_RTTIME, "5", 0, 5, 5},
		{RLIMIT_RTTIME, "1s", 0, 1000000, 1000000},
		{RLIMIT_NICE, "+5", 0, 15, 15},
		{RLIMIT_NICE, "-5", 0, 25, 25},
		{RLIMIT_NICE, "30", 0, 30, 30},
		{RLIMIT_NICE, "41", -ERANGE, 0, 0},
		{RLIMIT_NICE, "+20", -ERANGE, 0, 0},
		{RLIMIT_NICE, "", -EINVAL, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t soft = 42;
		uint64_t hard = 43;
		int r = value_limit(str_of(rows[i].text), rows[i].resource, &soft, &hard);

		ck_assert_msg(r == rows[i].r, "'%s': %d", rows[i].text, r);
		ck_assert_uint_eq(soft, r < 0 ? 42 : rows[i].soft);
		ck_assert_uint_eq(hard, r < 0 ? 43 : rows[i].hard);
	}
}
END_TEST

START_TEST(exits)
{
	int value;
	bool is_signal;

	ck_assert_int_eq(value_exit(STR("EXEC"), &value, &is_signal), 0);
	ck_assert(value == 203 && !is_signal);
	ck_assert_int_eq(value_exit(STR("TEMPFAIL"), &value, &is_signal), 0);
	ck_assert(value == 75 && !is_signal);
	ck_assert_int_eq(value_exit(STR("EXCEPTION"), &value, &is_signal), 0);
	ck_assert(value == 255 && !is_signal);
	ck_assert_int_eq(value_exit(STR("BPF"), &value, &is_signal), 0);
	ck_assert(value == 244 && !is_signal);
	ck_assert_int_eq(value_exit(STR("15"), &value, &is_signal), 0);
	ck_assert(value == 15 && !is_signal);
	ck_assert_int_eq(value_exit(STR("SIGTERM"), &value, &is_signal), 0);
	ck_assert(value == SIGTERM && is_signal);
	ck_assert_int_eq(value_exit(STR("256"), &value, &is_signal), -ERANGE);
	ck_assert_int_eq(value_exit(STR("nothing"), &value, &is_signal), -EINVAL);
	ck_assert_int_eq(value_exit(STR(""), &value, &is_signal), -EINVAL);
}
END_TEST

START_TEST(capabilities)
{
	unsigned cap;

	ck_assert_int_eq(value_capability(STR("CAP_NET_ADMIN"), &cap), 0);
	ck_assert_uint_eq(cap, 12);
	ck_assert_int_eq(value_capability(STR("cap_checkpoint_restore"), &cap), 0);
	ck_assert_uint_eq(cap, 40);
	ck_assert_int_eq(value_capability(STR("62"), &cap), 0);
	ck_assert_int_eq(value_capability(STR("63"), &cap), -ERANGE);
	ck_assert_int_eq(value_capability(STR("net_admin"), &cap), -EINVAL);
	ck_assert_int_eq(value_capability(STR(""), &cap), -EINVAL);
}
END_TEST

START_TEST(cpu_lists)
{
	static const struct {
		const char *text;
		int r;
		unsigned char mask[2];
	} rows[] = {
		{"0-3,5 7", 0, {0xaf, 0}},
		{"8", 0, {0, 1}},
		{"15", 0, {0, 0x80}},
		{"", 0, {0, 0}},
		{" 1 , 2 ", 0, {6, 0}},
		{"16", -ERANGE, {0x55, 0x55}},
		{"1 99999999999999999999", -ERANGE, {0x55, 0x55}},
		{"0-18446744073709551615", -ERANGE, {0x55, 0x55}},
		{"3-1", -EINVAL, {0x55, 0x55}},
		{"1-", -EINVAL, {0x55, 0x55}},
		{"1 x", -EINVAL, {0x55, 0x55}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned char mask[2] = {0x55, 0x55};

		ck_assert_int_eq(value_cpus(str_of(rows[i].text), mask, sizeof(mask)), rows[i].r);
		ck_assert_mem_eq(mask, rows[i].mask, sizeof(mask));
	}
}
END_TEST

START_TEST(words_and_suggestions)
{
	static const char *const names[] = {"Type",       NULL,        "Restart",
					    "RestartSec", "ExecStart", "ExecStartPre"};
	unsigned at = 42;

	ck_assert_int_eq(value_enum(STR("Restart"), names, 6, &at), 0);
	ck_assert_uint_eq(at, 2);
	ck_assert_int_eq(value_enum(STR("restart"), names, 6, &at), -EINVAL);
	ck_assert_int_eq(value_enum(STR(""), names, 6, &at), -EINVAL);
	ck_assert_str_eq(value_suggest(STR("restart"), names, 6), "Restart");
	ck_assert_str_eq(value_suggest(STR("Restrat"), names, 6), "Restart");
	ck_assert_str_eq(value_suggest(STR("ExecStrt"), names, 6), "ExecStart");
	ck_assert_str_eq(value_suggest(STR("RestartSeconds"), names, 6), "Restart");
	ck_assert_ptr_null(value_suggest(STR("Frobnicate"), names, 6));
	ck_assert_ptr_null(value_suggest(STR(""), names, 6));
	ck_assert_ptr_null(value_suggest(STR("T"), names, 6));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("value");
	TCase *tc = tcase_create("core");
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, booleans);
	tcase_add_test(tc, time_spans);
	tcase_add_test(tc, truncated_spans);
	tcase_add_test(tc, spans_as_systemd_reads_and_prints_them);
	tcase_add_test(tc, spans_are_printed);
	tcase_add_test(tc, spans_come_back);
	tcase_add_test(tc, sizes);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, signals);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, exits);
	tcase_add_test(tc, capabilities);
	tcase_add_test(tc, cpu_lists);
	tcase_add_test(tc, words_and_suggestions);
	suite_add_tcase(s, tc);
	failed = suite_run(s);
	if (!failed)
		puts("rows: B32");
	return failed != 0;
}
