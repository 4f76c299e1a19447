/* SPDX-License-Identifier: MIT */
#include "core/tree.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/mem.h"
#include "suite.h"

enum { SOMEBODY = 12345, SOMEBODY_ELSE = 12346, SECRET = 12347 };

static char top[] = "/tmp/hark-tree-XXXXXX";
static char text[2048];

static const char *in_top(const char *name)
{
	snprintf(text, sizeof(text), "%s/%s", top, name);
	return text;
}

static void make_dir(const char *name, uid_t uid)
{
	ck_assert_int_eq(mkdir(in_top(name), 0755), 0);
	ck_assert_int_eq(chown(text, uid, uid), 0);
}

static void make_file(const char *name, uid_t uid)
{
	fd_close(fd_open(AT_FDCWD, in_top(name), O_WRONLY | O_CREAT, 0644));
	ck_assert_int_eq(chown(text, uid, uid), 0);
}

static void make_link(const char *to, const char *name, uid_t uid)
{
	ck_assert_int_eq(symlink(to, in_top(name)), 0);
	ck_assert_int_eq(lchown(text, uid, uid), 0);
}

static uid_t owner_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(in_top(name), &st), 0);
	return st.st_uid;
}

static bool is_there(const char *name)
{
	return access(in_top(name), F_OK) == 0;
}

static void setup(void)
{
	memcpy(top + sizeof(top) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(top));
	ck_assert_int_eq(chmod(top, 0755), 0);
}

static void teardown(void)
{
	ck_assert_int_eq(tree_remove(top), 0);
}

static int open_and_close(const char *path, bool make)
{
	int fd = tree_open(path, make ? 0755 : 0);

	if (fd < 0)
		return fd;
	fd_close(fd);
	return 0;
}

START_TEST(way)
{
	const char *name = NULL;
	char target[1024];
	int fd;

	ck_assert_int_eq(open_and_close("/", false), 0);
	ck_assert_int_eq(open_and_close(in_top("a/b"), false), -ENOENT);
	ck_assert_int_eq(open_and_close(in_top("a//b/"), true), 0);
	ck_assert(is_there("a/b"));
	make_file("file", getuid());
	ck_assert_int_eq(open_and_close(in_top("file/x"), true), -ENOTDIR);
	make_link("a", "relative", getuid());
	ck_assert_int_eq(open_and_close(in_top("relative/b"), false), 0);
	snprintf(target, sizeof(target), "%s", in_top("a/b"));
	make_link(target, "absolute", getuid());
	ck_assert_int_eq(open_and_close(in_top("absolute/new/one"), true), 0);
	ck_assert(is_there("a/b/new/one"));
	make_link("loop", "loop", getuid());
	ck_assert_int_eq(open_and_close(in_top("loop"), false), -ELOOP);
	fd = tree_open_parent(in_top("relative/b"), 0, &name);
	ck_assert_int_ge(fd, 0);
	ck_assert_str_eq(name, "b");
	ck_assert_int_eq(faccessat(fd, name, F_OK, 0), 0);
	fd_close(fd);
	ck_assert_int_eq(tree_open_parent("/a/", 0, &name), -EINVAL);
	ck_assert_int_eq(tree_open_parent("a", 0, &name), -EINVAL);
}
END_TEST

START_TEST(links_of_others)
{
	if (getuid() != 0)
		return;
	make_dir("root", 0);
	make_dir("root/secret", 0);
	make_dir("theirs", SOMEBODY);
	make_link("../root", "theirs/link", SOMEBODY);
	ck_assert_int_eq(open_and_close(in_top("theirs/link/secret"), false), -ELOOP);
	ck_assert_int_eq(open_and_close(in_top("theirs/link"), false), -ELOOP);
	ck_assert_int_eq(open_and_close(in_top("theirs/link/new"), true), -ELOOP);
	ck_assert(!is_there("root/new"));
	ck_assert_int_eq(tree_remove(in_top("theirs/link/secret")), -ELOOP);
	ck_assert(is_there("root/secret"));
	/* One of root's in a directory of theirs may have been moved there. */
	make_link("../root", "theirs/moved", 0);
	ck_assert_int_eq(open_and_close(in_top("theirs/moved"), false), -ELOOP);
	make_link("theirs", "ours", 0);
	ck_assert_int_eq(open_and_close(in_top("ours"), false), 0);
}
END_TEST

static int open_file(const char *name, int flags)
{
	int fd = tree_open_file(in_top(name), flags, 0644);

	if (fd < 0)
		return fd;
	fd_close(fd);
	return 0;
}

START_TEST(files)
{
	AUTO_FD int held = fd_open(AT_FDCWD, "/dev/null", O_WRONLY, 0);
	char held_path[32];

	make_dir("d", getuid());
	ck_assert_int_eq(open_file("d/new", O_WRONLY), -ENOENT);
	ck_assert_int_eq(open_file("d/new", O_WRONLY | O_CREAT), 0);
	ck_assert(is_there("d/new"));
	ck_assert_int_eq(open_file("none/new", O_WRONLY | O_CREAT), -ENOENT);
	ck_assert_int_eq(open_file("d/new/x", O_WRONLY | O_CREAT), -ENOTDIR);
	make_link("d/new", "ours", getuid());
	make_link("d/dangling", "dangling", getuid());
	ck_assert_int_eq(open_file("ours", O_RDONLY), 0);
	ck_assert_int_eq(open_file("dangling", O_WRONLY | O_CREAT), 0);
	ck_assert(is_there("d/dangling"));
	ck_assert_int_eq(tree_open_file("/", O_RDONLY, 0), -EISDIR);
	ck_assert_int_eq(tree_open_file("/dev/null", O_WRONLY, 0) < 0, 0);
	/* /dev/stderr leads to such a link of the kernel's. */
	snprintf(held_path, sizeof(held_path), "/proc/self/fd/%d", held);
	ck_assert_int_eq(tree_open_file(held_path, O_WRONLY, 0) < 0, 0);
	if (getuid() != 0)
		return;
	make_file("secret", 0);
	make_dir("theirs", SOMEBODY);
	make_link("../secret", "theirs/log", SOMEBODY);
	make_link("../d", "theirs/way", SOMEBODY);
	ck_assert_int_eq(open_file("theirs/log", O_WRONLY | O_CREAT), -ELOOP);
	ck_assert_int_eq(open_file("theirs/way/other", O_WRONLY | O_CREAT), -ELOOP);
	ck_assert(!is_there("d/other"));
}
END_TEST

/* What somebody's link leads to is opened where it is his. */
START_TEST(files_of_others)
{
	char *read = NULL;
	size_t n;

	if (getuid() != 0)
		return;
	make_dir("root", 0);
	make_file("root/secret", 0);
	make_file("root/given", SOMEBODY);
	make_dir("theirs", SOMEBODY);
	make_dir("theirs/1", SOMEBODY);
	make_file("theirs/1/ours", 0);
	make_link("1", "theirs/now", SOMEBODY);
	make_link("../root", "theirs/root", SOMEBODY);
	make_link("1", "theirs/other", SOMEBODY_ELSE);
	make_link("now/ours", "theirs/twice", SOMEBODY_ELSE);
	make_link("../root", "theirs/placed", 0);
	ck_assert_int_eq(open_file("theirs/now/ours", O_RDONLY), 0);
	ck_assert_int_eq(open_file("theirs/now/new", O_WRONLY | O_CREAT), 0);
	ck_assert_int_eq(open_file("theirs/root/secret", O_RDONLY), -ELOOP);
	ck_assert_int_eq(open_file("theirs/root/new", O_WRONLY | O_CREAT), -ELOOP);
	ck_assert(!is_there("root/new"));
	ck_assert_int_eq(open_file("theirs/root/given", O_RDONLY), 0);
	ck_assert_int_eq(open_file("theirs/other/ours", O_RDONLY), -ELOOP);
	ck_assert_int_eq(open_file("theirs/twice", O_RDONLY), -ELOOP);
	ck_assert_int_eq(open_file("theirs/placed/secret", O_RDONLY), 0);
	make_link("/proc/self/fd/0", "theirs/proc", SOMEBODY);
	ck_assert_int_eq(open_file("theirs/proc", O_RDONLY), -ELOOP);
	ck_assert_int_eq(tree_unlink(in_top("theirs/root/secret")), -ELOOP);
	ck_assert_int_eq(tree_unlink(in_top("theirs/now/new")), 0);
	ck_assert_int_eq(tree_unlink(in_top("theirs/proc")), 0); /* itself */
	ck_assert_int_eq(tree_unlink("a"), -EINVAL);
	ck_assert(is_there("root/secret") && !is_there("theirs/1/new"));
	ck_assert_int_eq(tree_read_file(in_top("theirs/now/ours"), 10, &read, &n), 0);
	ck_assert_uint_eq(n, 0);
	mem_put(read);
	ck_assert_int_eq(tree_read_file(in_top("theirs/1"), 10, &read, &n), -EISDIR);
}
END_TEST

/* A second name of a file may have been given by whoever may write the directory. */
START_TEST(names_of_others)
{
	char secret[1024];

	if (getuid() != 0)
		return;
	make_file("secret", 0);
	make_dir("theirs", SOMEBODY);
	make_dir("ours", 0);
	make_dir("all", 0);
	ck_assert_int_eq(chmod(in_top("all"), 01777), 0);
	snprintf(secret, sizeof(secret), "%s", in_top("secret"));
	ck_assert_int_eq(truncate(secret, 5), 0);
	ck_assert_int_eq(link(secret, in_top("theirs/x")), 0);
	ck_assert_int_eq(link(secret, in_top("ours/x")), 0);
	ck_assert_int_eq(link(secret, in_top("all/x")), 0);
	ck_assert_int_eq(open_file("theirs/x", O_RDONLY), -EMLINK);
	ck_assert_int_eq(open_file("all/x", O_RDONLY), -EMLINK);
	ck_assert_int_eq(open_file("theirs/x", O_WRONLY | O_TRUNC), -EMLINK);
	ck_assert_str_eq(tree_strerror(-ENOENT), strerror(ENOENT));
	ck_assert_str_ne(tree_strerror(-EMLINK), strerror(EMLINK));
	ck_assert_int_eq(open_file("ours/x", O_WRONLY), 0);
	ck_assert_int_eq(access(secret, F_OK), 0);
	ck_assert_int_eq(open_file("ours/x", O_WRONLY | O_TRUNC), 0);
	ck_assert_int_eq(chown(secret, SOMEBODY, SOMEBODY), 0);
	ck_assert_int_eq(open_file("theirs/x", O_RDONLY), 0);
}
END_TEST

static int give(const char *name)
{
	int fd = tree_open(in_top(name), 0), r;

	ck_assert_int_ge(fd, 0);
	r = tree_give(fd, SOMEBODY_ELSE, SOMEBODY_ELSE);
	fd_close(fd);
	return r;
}

START_TEST(given)
{
	char from[1024];

	if (getuid() != 0)
		return;
	make_file("secret", SECRET);
	make_dir("outside", SECRET);
	make_dir("state", SOMEBODY);
	make_dir("state/sub", SOMEBODY);
	make_file("state/sub/file", SOMEBODY);
	make_file("state/roots", 0);
	make_link("../outside", "state/link", SOMEBODY);
	snprintf(from, sizeof(from), "%s", in_top("secret"));
	ck_assert_int_eq(link(from, in_top("state/stolen")), 0);
	snprintf(from, sizeof(from), "%s", in_top("state/sub/file"));
	ck_assert_int_eq(link(from, in_top("state/own")), 0);
	ck_assert_int_eq(give("state"), 0);
	ck_assert_uint_eq(owner_of("state"), SOMEBODY);
	ck_assert_uint_eq(owner_of("state/sub"), SOMEBODY_ELSE);
	ck_assert_uint_eq(owner_of("state/sub/file"), SOMEBODY_ELSE);
	ck_assert_uint_eq(owner_of("state/roots"), SOMEBODY_ELSE);
	ck_assert_uint_eq(owner_of("state/link"), SOMEBODY_ELSE);
	ck_assert_uint_eq(owner_of("outside"), SECRET);
	ck_assert_uint_eq(owner_of("secret"), SECRET);
}
END_TEST

/* Swaps a directory in the tree with a link out of it until it is ended; both stand ready side by side. */
static pid_t start_swapping(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (chdir(in_top("state")) < 0 || setgid(SOMEBODY) < 0 || setuid(SOMEBODY) < 0)
		_exit(1);
	for (;;)
		if (renameat2(AT_FDCWD, "dir", AT_FDCWD, "link", RENAME_EXCHANGE) < 0)
			_exit(2);
}

/* What a service may do while root gives its directory to somebody. */
START_TEST(given_while_it_is_swapped)
{
	pid_t pid;

	if (getuid() != 0)
		return;
	make_dir("outside", SECRET);
	make_file("outside/secret", SECRET);
	make_dir("state", SOMEBODY);
	ck_assert_int_eq(chmod(text, 0777), 0);
	make_dir("state/dir", SOMEBODY);
	make_file("state/dir/file", SOMEBODY);
	make_link("../outside", "state/link", SOMEBODY);
	pid = start_swapping();
	ck_assert_int_gt(pid, 0);
	for (unsigned i = 0; i < 3000; i++)
		ck_assert_int_eq(give("state"), 0);
	ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_uint_eq(owner_of("outside"), SECRET);
	ck_assert_uint_eq(owner_of("outside/secret"), SECRET);
}
END_TEST

/* Makes "deep/d/d/d...". */
static void make_deep(unsigned levels)
{
	int at = fd_open(AT_FDCWD, top, O_RDONLY | O_DIRECTORY, 0);

	for (unsigned i = 0; i < levels; i++) {
		const char *name = i ? "d" : "deep";
		int next;

		ck_assert_int_eq(mkdirat(at, name, 0755), 0);
		next = fd_open(at, name, O_RDONLY | O_DIRECTORY, 0);
		fd_close(fd_open(next, "file", O_WRONLY | O_CREAT, 0644));
		fd_close(at);
		at = next;
	}
	fd_close(at);
}

START_TEST(removed)
{
	make_dir("kept", getuid());
	make_file("kept/file", getuid());
	make_deep(100);
	make_link("../kept", "deep/link", getuid());
	ck_assert_int_eq(tree_remove(in_top("deep")), 0);
	ck_assert(!is_there("deep"));
	ck_assert(is_there("kept/file"));
	ck_assert_int_eq(tree_remove(in_top("deep")), -ENOENT);
	make_link("kept", "last", getuid());
	ck_assert_int_lt(tree_remove(in_top("last")), 0);
	ck_assert(is_there("kept/file"));
	ck_assert_int_eq(unlink(in_top("last")), 0);
}
END_TEST

START_TEST(too_deep)
{
	make_deep(140);
	ck_assert_int_eq(tree_remove(in_top("deep")), -ELOOP);
	ck_assert(is_there("deep/d/d"));
	/* the rest, from below */
	snprintf(text, sizeof(text), "%s/deep", top);
	for (unsigned i = 0; i < 100; i++)
		strcat(text, "/d");
	ck_assert_int_eq(tree_remove(text), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tree");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, way);
	tcase_add_test(tc, links_of_others);
	tcase_add_test(tc, files);
	tcase_add_test(tc, files_of_others);
	tcase_add_test(tc, names_of_others);
	tcase_add_test(tc, given);
	tcase_add_test(tc, given_while_it_is_swapped);
	tcase_add_test(tc, removed);
	tcase_add_test(tc, too_deep);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
