/* SPDX-License-Identifier: MIT */
#include "core/aside.h"

#include <check.h>
#include <linux/magic.h>
#include <signal.h>
#include <unistd.h>

#include "core/reach.h"
#include "suite.h"

static int told;

static int tell(void *arg)
{
	told = *(int *)arg;
	return told;
}

static int never(void *arg UNUSED)
{
	pause();
	return 0;
}

static int die(void *arg UNUSED)
{
	raise(SIGKILL);
	return 0;
}

START_TEST(what_a_child_says)
{
	struct aside a = {.wait_ms = 60000};
	int n = 42;

	ck_assert_int_eq(aside_ask(&a, tell, &n), 42);
	ck_assert_int_eq(told, 0); /* it has a memory of its own */
	n = -7;
	ck_assert_int_eq(aside_ask(&a, tell, &n), -7);
	ck_assert_int_eq(aside_ask(&a, die, NULL), -ETIMEDOUT);
}
END_TEST

START_TEST(those_that_do_not_come_back)
{
	struct aside a = {.wait_ms = 1};
	uint64_t begin_us;
	int n = 42;

	for (unsigned i = 0; i < ASIDE_MOST; i++) {
		ck_assert_uint_eq(a.away_n, i);
		ck_assert_int_eq(aside_ask(&a, never, NULL), -ETIMEDOUT);
	}
	begin_us = clock_mono_us();
	ck_assert_int_eq(aside_ask(&a, never, NULL), -ETIMEDOUT);
	ck_assert_uint_eq(a.away_n, ASIDE_MOST);
	/* An alarm ends them, and then there is room again. */
	a.wait_ms = 60000 << ASIDE_MOST;
	while (aside_ask(&a, tell, &n) != 42)
		usleep(10000);
	ck_assert_uint_lt(a.away_n, ASIDE_MOST);
	ck_assert_uint_lt(clock_mono_us() - begin_us, 60 * US_PER_SEC);
}
END_TEST

START_TEST(paths)
{
	ck_assert(reach_is_served(FUSE_SUPER_MAGIC));
	ck_assert(reach_is_served(NFS_SUPER_MAGIC));
	ck_assert(!reach_is_served(TMPFS_MAGIC));
	ck_assert(!reach_is_served(EXT4_SUPER_MAGIC));
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(reach(AT_FDCWD, "/proc/self/status"), 0);
		ck_assert_int_eq(reach(AT_FDCWD, "/proc/none"), 0);
		ck_assert_int_eq(reach(AT_FDCWD, "/"), 0);
		reach_begin();
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("aside");
	TCase *tc = tcase_create("core");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, what_a_child_says);
	tcase_add_test(tc, those_that_do_not_come_back);
	tcase_add_test(tc, paths);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
