/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/log.h"
#include "suite.h"

static int err_pipe[2], kmsg_pipe[2];

/* Tests run in their own process, so taking over stderr hurts nobody. */
static void enter(void)
{
	ck_assert_int_eq(pipe(err_pipe), 0);
	ck_assert_int_eq(pipe(kmsg_pipe), 0);
	ck_assert_int_eq(dup2(err_pipe[1], STDERR_FILENO), STDERR_FILENO);
	fd_close(err_pipe[1]);
	unsetenv("HARK_DEBUG");
	log_init("unit", LOG_INFO, kmsg_pipe[1]);
}

static void expect(int fd, const char *line)
{
	char text[2048];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, line);
}

START_TEST(one_line_to_one_place)
{
	errno = 5;
	log_at(LOG_WARN, "cannot %s: %d", "fly", 7);
	ck_assert_int_eq(errno, 5);
	expect(kmsg_pipe[0], "<4>hark[unit]: cannot fly: 7\n");
	/* What the kernel's log refuses. */
	log_init("unit", LOG_INFO, kmsg_pipe[0]);
	log_at(LOG_WARN, "it is %s", "full");
	log_init("unit", LOG_INFO, -1);
	log_at(LOG_WARN, "and not there");
	expect(err_pipe[0], "hark[unit]: it is full\nhark[unit]: and not there\n");
}
END_TEST

static char taken[64];

static bool take_warnings(enum log_level level, const char *text)
{
	if (level > LOG_WARN)
		return false;
	snprintf(taken, sizeof(taken), "%d %s", (int)level, text);
	return true;
}

START_TEST(what_is_taken_goes_nowhere_else)
{
	log_offer(take_warnings);
	log_at(LOG_WARN, "a warning");
	ck_assert_str_eq(taken, "1 a warning");
	log_at(LOG_INFO, "a note");
	expect(kmsg_pipe[0], "<6>hark[unit]: a note\n");
	log_at(LOG_WARN, "a\nUNIT=another.service");
	ck_assert_str_eq(taken, "1 a\\x0aUNIT=another.service");
	log_at(LOG_ERROR, "an error"); /* somebody may look at the console */
	ck_assert_str_eq(taken, "0 an error");
	expect(err_pipe[0], "hark[unit]: an error\n");
}
END_TEST

START_TEST(level_and_debug_mask)
{
	log_at(LOG_TRACE, "not seen");
	log_debug("loop", "not %s", "seen");
	setenv("HARK_DEBUG", "job,loop", 1);
	log_init("unit", LOG_WARN, -1);
	ck_assert(log_debug_on("loop") && log_debug_on("job"));
	ck_assert(!log_debug_on("jo") && !log_debug_on("engine") && !log_debug_on(""));
	log_debug("engine", "not seen");
	log_debug("loop", "seen %d", 1);
	expect(err_pipe[0], "hark[unit]: loop: seen 1\n");
	setenv("HARK_DEBUG", "all", 1);
	log_init("unit", LOG_WARN, -1);
	ck_assert(log_debug_on("engine"));
}
END_TEST

START_TEST(control_bytes_cannot_forge_lines)
{
	char out[8];

	log_init("unit", LOG_INFO, -1);
	log_at(LOG_ERROR, "a\nhark[unit]: b\x1b[2J\x7f \xc3\xa4");
	expect(err_pipe[0], "hark[unit]: a\\x0ahark[unit]: b\\x1b[2J\\x7f \xc3\xa4\n");
	ck_assert_uint_eq(log_escape(out, sizeof(out), (struct str){"a\0b\n", 4}), 6);
	ck_assert(memcmp(out, "a\\x00b", 6) == 0); /* no room for half an escape */
}
END_TEST

START_TEST(long_lines_are_cut)
{
	static char longest[5000];

	/* Lengths near the limit, plain and escaped: one record, a newline at its end. */
	for (int filler = 0; filler < 2; filler++) {
		for (size_t n = 200; n < 1100; n++) {
			char text[2048];
			ssize_t got;

			memset(longest, filler ? '\n' : 'x', n);
			longest[n] = '\0';
			log_init("unit", LOG_INFO, kmsg_pipe[1]);
			log_at(LOG_ERROR, "%s", longest);
			got = read(kmsg_pipe[0], text, sizeof(text));
			ck_assert_int_gt(got, 0);
			ck_assert_int_le(got, 976);
			ck_assert_int_eq(text[got - 1], '\n');
			log_init("unit", LOG_INFO, -1);
			log_at(LOG_ERROR, "%s", longest);
			ck_assert_int_eq(read(err_pipe[0], text, sizeof(text)), got - 3);
		}
	}
}
END_TEST

START_TEST(lost_reader_kills_nobody)
{
	log_init("unit", LOG_INFO, -1);
	fd_close(err_pipe[0]);
	log_at(LOG_ERROR, "into the void");
	fd_close(STDERR_FILENO);
	log_at(LOG_ERROR, "into nothing");
}
END_TEST

START_TEST(full_pipe_does_not_block)
{
	log_init("unit", LOG_INFO, -1);
	for (int i = 0; i < 20000; i++)
		log_at(LOG_ERROR, "line %d", i);
}
END_TEST

START_TEST(origins_newest_first)
{
	struct err_origin out[300];

	ck_assert_uint_eq(err_trace(out, 300), 0);
	ck_assert_int_eq(err_here(-ENOENT), -ENOENT);
	ck_assert_uint_eq(err_trace(out, 300), 1);
	ck_assert_int_eq(out[0].err, -ENOENT);
	ck_assert_str_eq(out[0].file, __FILE__);
	for (int i = 0; i < 1000; i++)
		(void)err_note(-i, "f", i);
	ck_assert_uint_eq(err_trace(out, 300), 256);
	for (int i = 0; i < 256; i++)
		ck_assert_int_eq(out[i].line, 999 - i);
	ck_assert_uint_eq(out[0].seq, 1001);
	ck_assert_uint_eq(err_trace(out, 2), 2);
}
END_TEST

START_TEST(failed_checks_are_counted_and_told_a_few_times)
{
	char text[8192];
	unsigned lines = 0;
	ssize_t n;

	ck_assert(CHECK(1 + 1 == 2));
	ck_assert_uint_eq(check_failures(), 0);
	for (int i = 0; i < 100; i++)
		ck_assert(!CHECK(1 + 1 == 3));
	ck_assert_uint_eq(check_failures(), 100);
	n = read(kmsg_pipe[0], text, sizeof(text));
	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	ck_assert_uint_eq(lines, 16);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, enter, NULL);
	tcase_add_test(tc, one_line_to_one_place);
	tcase_add_test(tc, what_is_taken_goes_nowhere_else);
	tcase_add_test(tc, level_and_debug_mask);
	tcase_add_test(tc, control_bytes_cannot_forge_lines);
	tcase_add_test(tc, long_lines_are_cut);
	tcase_add_test(tc, lost_reader_kills_nobody);
	tcase_add_test(tc, full_pipe_does_not_block);
	tcase_add_test(tc, origins_newest_first);
	tcase_add_test(tc, failed_checks_are_counted_and_told_a_few_times);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
