/* SPDX-License-Identifier: MIT */
/* Needs a writable cgroup2; without it only the refusals are tested, the rest is skipped. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cgroup.h"
#include "core/fd.h"
#include "core/proc.h"
#include "suite.h"

static struct cgroup_root root;
static int inotify_fd;

/* Each test works in a cgroup of its own below the one we are in, which becomes its root. */
static void enter(void)
{
	struct cgroup_root here;
	const char *why;
	char name[64];
	char path[512];

	cgroup_init(&here, NULL, inotify_fd, &why);
	ck_assert_ptr_null(why);
	snprintf(name, sizeof(name), "hark-test-%d", (int)getpid());
	fd_close(cgroup_make(&here, name));
	snprintf(path, sizeof(path), "%s/" CGROUP_STANDARD_SLICE, here.path);
	(void)!rmdir(path); /* of a manager that runs here, it stays: it is not empty */
	snprintf(path, sizeof(path), "%s/%s", here.path, name);
	cgroup_fini(&here);
	cgroup_init(&root, path, inotify_fd, &why);
	ck_assert_ptr_null(why);
	ck_assert(root.has_cgroups);
	ck_assert_str_eq(root.path, path);
}

static void leave(void)
{
	char path[sizeof(root.path)];

	memcpy(path, root.path, sizeof(path));
	ck_assert_int_eq(cgroup_kill(&root, ""), 0);
	while (waitpid(-1, NULL, 0) > 0)
		;
	ck_assert_int_eq(cgroup_remove(&root, "s"), 0);
	ck_assert_int_eq(cgroup_remove(&root, CGROUP_STANDARD_SLICE), 0);
	cgroup_fini(&root);
	ck_assert_int_eq(rmdir(path), 0);
}

static void make(const char *path)
{
	int fd = cgroup_make(&root, path);

	ck_assert_int_ge(fd, 0);
	fd_close(fd);
}

/* A child that sleeps in the cgroup. It has libcheck's handler of SIGTERM: send others. */
static pid_t settle(const char *path)
{
	char file[128];
	char text[32];
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	ck_assert_int_gt(pid, 0);
	make(path);
	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	snprintf(text, sizeof(text), "%d", (int)pid);
	ck_assert_int_eq(fd_write_small(root.dir_fd, file, text), 0);
	return pid;
}

static void expect_killed(pid_t pid, int sig)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), sig);
}

START_TEST(make_and_remove)
{
	make("a.slice/b.slice/c.service");
	make("a.slice/b.slice/c.service");
	make("a.slice/d.service");
	ck_assert_int_eq(cgroup_is_populated(&root, "a.slice"), 0);
	ck_assert_int_eq(cgroup_remove(&root, "a.slice"), 0);
	ck_assert_int_eq(cgroup_remove(&root, "a.slice"), 0);
	ck_assert_int_eq(cgroup_is_populated(&root, "a.slice"), 0);
	ck_assert_int_eq(cgroup_kill(&root, "a.slice"), 0);
	ck_assert_int_eq(cgroup_pids(&root, "a.slice", NULL, 0), 0);
	ck_assert_int_eq(cgroup_watch(&root, "a.slice"), -ENOENT);
}
END_TEST

START_TEST(wide_trees_are_walked_whole)
{
	char path[512];

	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "w/%0*d/x", i % 2 ? 3 : 250, i);
		make(path);
	}
	ck_assert_int_eq(cgroup_remove(&root, "w"), 0);
	ck_assert_int_lt(faccessat(root.dir_fd, "w", F_OK, 0), 0);
}
END_TEST

/* As a user makes them to whom the first was delegated. */
START_TEST(however_deep_it_goes)
{
	char name[250];
	int at;

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	make("0");
	at = fd_open(root.dir_fd, "0", O_RDONLY | O_DIRECTORY, 0);
	for (int i = 0; i < 100; i++) {
		int below;

		ck_assert_int_eq(mkdirat(at, "beside", 0755), 0);
		ck_assert_int_eq(mkdirat(at, name, 0755), 0);
		below = fd_open(at, name, O_RDONLY | O_DIRECTORY, 0);
		ck_assert_int_ge(below, 0);
		fd_close(at);
		at = below;
	}
	fd_close(at);
	ck_assert_int_eq(cgroup_remove(&root, "0"), 0);
	ck_assert_int_lt(faccessat(root.dir_fd, "0", F_OK, 0), 0);
}
END_TEST

START_TEST(one_that_is_used_stays)
{
	static const char deep[] = "0/1/2/3/4/5/6/7/8/9/a/b/c/d/e";
	pid_t pid = settle(deep);

	ck_assert_int_eq(cgroup_remove(&root, "0"), -EBUSY);
	ck_assert_int_eq(faccessat(root.dir_fd, deep, F_OK, 0), 0);
	ck_assert_int_eq(cgroup_kill(&root, "0"), 0);
	expect_killed(pid, SIGKILL);
	ck_assert_int_eq(cgroup_remove(&root, "0"), 0);
}
END_TEST

START_TEST(a_path_that_was_cut_is_refused)
{
	char path[CGROUP_PATH];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(cgroup_make(&root, path), -ENAMETOOLONG);
	ck_assert_int_eq(cgroup_kill(&root, path), -ENAMETOOLONG);
	ck_assert_int_eq(cgroup_freeze(&root, path, true), -ENAMETOOLONG);
}
END_TEST

START_TEST(members_are_found)
{
	pid_t a = settle("s/a");
	pid_t b = settle("s/a/b");
	pid_t pids[8];
	char path[64];

	ck_assert_int_eq(cgroup_pids(&root, "s", pids, 8), 2);
	ck_assert(pids[0] + pids[1] == a + b && (pids[0] == a || pids[0] == b));
	ck_assert_int_eq(cgroup_pids(&root, "s/a/b", pids, 8), 1);
	ck_assert_int_eq(pids[0], b);
	pids[1] = -7;
	ck_assert_int_eq(cgroup_pids(&root, "s", pids, 1), 2);
	ck_assert_int_eq(pids[1], -7);

	ck_assert_int_eq(cgroup_is_populated(&root, "s"), 1);
	ck_assert_int_eq(cgroup_remove(&root, "s"), -EBUSY);
	ck_assert(cgroup_has_pid(&root, "s", a));
	ck_assert(cgroup_has_pid(&root, "s/a", b));
	ck_assert(cgroup_has_pid(&root, "", b));
	ck_assert(!cgroup_has_pid(&root, "s/a/b", a));
	ck_assert(!cgroup_has_pid(&root, "s/a/b", b + 1));
	make("s/aa");
	ck_assert(!cgroup_has_pid(&root, "s/aa", a));
	ck_assert_int_eq(cgroup_of_pid(&root, b, path, sizeof(path)), 0);
	ck_assert_str_eq(path, "s/a/b");
	ck_assert_int_eq(cgroup_of_pid(&root, b, path, 5), -ENAMETOOLONG);
	ck_assert_int_eq(cgroup_of_pid(&root, getpid(), path, sizeof(path)), -ENOENT);
	ck_assert_int_eq(cgroup_of_pid(&root, -1, path, sizeof(path)), -ESRCH);
}
END_TEST

START_TEST(signals_spare_the_exception)
{
	pid_t a = settle("s/a");
	pid_t b = settle("s/b");
	pid_t c = settle("s");

	ck_assert_int_eq(cgroup_signal(&root, "s", SIGUSR1, b), 2);
	expect_killed(a, SIGUSR1);
	expect_killed(c, SIGUSR1);
	ck_assert_int_eq(kill(b, 0), 0);
	ck_assert_int_eq(cgroup_signal(&root, "s", SIGUSR2, 0), 1);
	expect_killed(b, SIGUSR2);
	ck_assert_int_eq(cgroup_signal(&root, "none", SIGTERM, 0), 0);
}
END_TEST

/* 0: by cgroup.kill where the kernel has it; 1: without. */
START_TEST(kill_reaches_all)
{
	pid_t pids[6];

	if (_i == 1)
		root.has_kill = false;
	for (int i = 0; i < 6; i++)
		pids[i] = settle(i % 2 ? "k/x" : "k/y/z");
	ck_assert_int_eq(cgroup_kill(&root, "k"), 0);
	for (int i = 0; i < 6; i++)
		expect_killed(pids[i], SIGKILL);
	ck_assert_int_eq(cgroup_is_populated(&root, "k"), 0);
	ck_assert_int_eq(cgroup_remove(&root, "k"), 0);
}
END_TEST

/* All that is told now; how often it was told of wd. */
static unsigned read_changes(int wd)
{
	unsigned n = 0;
	int r;

	while ((r = cgroup_next_change(&root)) != -EAGAIN) {
		ck_assert_int_eq(r, wd);
		n++;
	}
	return n;
}

/* The kernel tells late: of the beginning, too, that there is somebody. */
START_TEST(emptiness_is_noticed)
{
	pid_t pid = settle("s/n");
	int wd = cgroup_watch(&root, "s/n");
	struct pollfd ready = {.fd = root.inotify_fd, .events = POLLIN};

	ck_assert_int_ge(wd, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	do {
		ck_assert_int_eq(poll(&ready, 1, 20000), 1);
		ck_assert_uint_ge(read_changes(wd), 1);
	} while (cgroup_is_populated(&root, "s/n") != 0);
	cgroup_unwatch(&root, wd);
	ck_assert_uint_ge(read_changes(wd), 1); /* the farewell of the kernel */
}
END_TEST

START_TEST(long_paths_are_refused)
{
	char path[1200];

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(cgroup_make(&root, path), -ENAMETOOLONG);
	ck_assert_int_eq(cgroup_is_populated(&root, path), -ENAMETOOLONG);
	ck_assert_int_eq(cgroup_kill(&root, path), -ENAMETOOLONG);
	ck_assert_int_eq(cgroup_remove(&root, path), -ENAMETOOLONG);
	ck_assert_int_eq(cgroup_watch(&root, path), -ENAMETOOLONG);
}
END_TEST

START_TEST(unusable_directories_say_why)
{
	static const char *const dirs[] = {"/tmp", "/none", "/proc/self/exe"};
	struct cgroup_root r;
	char path[8];

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		const char *why = NULL;

		cgroup_init(&r, dirs[i], inotify_fd, &why);
		ck_assert_ptr_nonnull(why);
		ck_assert(!r.has_cgroups);
		ck_assert_int_eq(r.dir_fd, -1);
	}
	ck_assert_int_eq(cgroup_make(&r, "a"), -EOPNOTSUPP);
	ck_assert_int_eq(cgroup_is_populated(&r, "a"), -EOPNOTSUPP);
	ck_assert_int_eq(cgroup_pids(&r, "a", NULL, 0), -EOPNOTSUPP);
	ck_assert_int_eq(cgroup_kill(&r, "a"), -EOPNOTSUPP);
	ck_assert_int_eq(cgroup_signal(&r, "a", SIGTERM, 0), -EOPNOTSUPP);
	ck_assert_int_eq(cgroup_of_pid(&r, 1, path, sizeof(path)), -EOPNOTSUPP);
	ck_assert(!cgroup_has_pid(&r, "a", 1));
	ck_assert_int_eq(cgroup_watch(&r, "a"), -EOPNOTSUPP);
	ck_assert_int_eq(cgroup_next_change(&r), -EAGAIN);
	ck_assert_int_eq(cgroup_remove(&r, "a"), -EOPNOTSUPP);
	cgroup_unwatch(&r, 1);
	cgroup_fini(&r);
}
END_TEST

static bool is_writable(void)
{
	struct cgroup_root r;
	const char *why;

	cgroup_init(&r, NULL, inotify_fd, &why);
	cgroup_fini(&r);
	if (why)
		printf("skip: %s\n", why);
	return !why;
}

static void add_real_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, enter, leave);
	tcase_add_test(tc, make_and_remove);
	tcase_add_test(tc, wide_trees_are_walked_whole);
	tcase_add_test(tc, however_deep_it_goes);
	tcase_add_test(tc, one_that_is_used_stays);
	tcase_add_test(tc, a_path_that_was_cut_is_refused);
	tcase_add_test(tc, members_are_found);
	tcase_add_test(tc, signals_spare_the_exception);
	tcase_add_loop_test(tc, kill_reaches_all, 0, 2);
	tcase_add_test(tc, emptiness_is_noticed);
	tcase_add_test(tc, long_paths_are_refused);
	tcase_set_timeout(tc, 30);
}

int main(void)
{
	Suite *s = suite_create("cgroup");
	TCase *refused = tcase_create("refused");
	TCase *tc = tcase_create("real");

	inotify_fd = fd_inotify();
	tcase_add_test(refused, unusable_directories_say_why);
	if (is_writable())
		add_real_tests(tc);
	suite_add_tcase(s, refused);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
