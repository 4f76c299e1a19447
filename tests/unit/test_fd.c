/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/mem.h"
#include "suite.h"

static char dir[] = "/tmp/hark-test-fd-XXXXXX";
static int dir_fd;

static void enter(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir_fd, 0);
	ck_assert_int_eq(fchdir(dir_fd), 0);
}

static void leave(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
	fd_close(dir_fd);
}

static void write_file(const char *name, const char *p, size_t n)
{
	AUTO_FD int fd = fd_open(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_all(fd, p, n), 0);
}

START_TEST(open_and_close)
{
	int fd = fd_open(dir_fd, ".", O_RDONLY, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	errno = 77;
	fd_close(fd);
	fd_close(fd);
	fd_close(-1);
	ck_assert_int_eq(errno, 77);
	ck_assert_int_eq(fd_open(dir_fd, "none", O_RDONLY, 0), -ENOENT);
}
END_TEST

START_TEST(read_file_of_every_size)
{
	static char bytes[20000];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	for (size_t n = 0; n <= sizeof(bytes); n = n * 3 + 1) {
		AUTO_MEM char *text = NULL;
		size_t got = 99;

		write_file("f", bytes, n);
		ck_assert_int_eq(fd_read_file(dir_fd, "f", n, &text, &got), 0);
		ck_assert_uint_eq(got, n);
		ck_assert_mem_eq(text, bytes, n);
		ck_assert_int_eq(text[n], 0);
		if (n > 0) {
			AUTO_MEM char *none = NULL;

			ck_assert_int_eq(fd_read_file(dir_fd, "f", n - 1, &none, &got), -EFBIG);
		}
	}
}
END_TEST

START_TEST(read_file_refuses_what_is_no_file)
{
	AUTO_MEM char *text = NULL;
	size_t n;

	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_int_eq(fd_read_file(dir_fd, "fifo", 10, &text, &n), -ENXIO);
	ck_assert_int_eq(fd_read_file(dir_fd, "/dev/zero", 10, &text, &n), -ENXIO);
	ck_assert_int_eq(fd_read_file(dir_fd, ".", 10, &text, &n), -EISDIR);
	ck_assert_int_eq(fd_read_file(dir_fd, "none", 10, &text, &n), -ENOENT);
	/* procfs claims a size of 0. */
	ck_assert_int_eq(fd_read_file(dir_fd, "/proc/self/maps", 1 << 20, &text, &n), 0);
	ck_assert_uint_gt(n, 100);
	mem_put(take_ptr(text));
	ck_assert_int_eq(fd_read_file(dir_fd, "/proc/self/maps", 100, &text, &n), -EFBIG);
	ck_assert_ptr_null(text);
}
END_TEST

START_TEST(read_file_without_memory)
{
	static char bytes[20000];
	char *text = NULL;
	size_t n;

	write_file("f", bytes, sizeof(bytes));
	for (uint64_t at = 1; at < 3; at++) {
		int r;

		mem_stats = (struct mem_stats){.fail_at = at};
		r = fd_read_file(dir_fd, "/proc/self/maps", 1 << 20, &text, &n);
		if (r == 0)
			mem_put(take_ptr(text));
		ck_assert_int_eq(r, mem_stats.total_n >= at ? -ENOMEM : 0);
		ck_assert_uint_eq(mem_stats.live_n, 0);
	}
}
END_TEST

START_TEST(small_files)
{
	char text[8];

	write_file("f", "0123456789", 10);
	ck_assert_int_eq(fd_read_small(dir_fd, "f", text, sizeof(text)), 7);
	ck_assert_str_eq(text, "0123456");
	ck_assert_int_eq(fd_read_small(dir_fd, "f", text, 1), 0);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(fd_read_small(dir_fd, "f", text, 0), -EINVAL);
	ck_assert_int_eq(fd_read_small(dir_fd, "none", text, sizeof(text)), -ENOENT);
	ck_assert_int_eq(fd_write_small(dir_fd, "f", "ab"), 0);
	ck_assert_int_eq(fd_read_small(dir_fd, "f", text, 4), 3);
	ck_assert_str_eq(text, "ab2");
	ck_assert_int_eq(fd_write_small(dir_fd, "none", "x"), -ENOENT);
	ck_assert_int_eq(fd_write_small(dir_fd, "/dev/full", "x"), -ENOSPC);
}
END_TEST

/* Below a root no link leads out: what is absolute begins there, and ".." ends there. */
START_TEST(open_below_a_root)
{
	char text[8];
	int fd;

	ck_assert_int_eq(mkdir("root", 0755), 0);
	write_file("root/file", "in", 2);
	write_file("out", "out", 3);
	ck_assert_int_eq(symlink("/file", "root/in"), 0);
	ck_assert_int_eq(symlink("/etc/passwd", "root/away"), 0);
	ck_assert_int_eq(symlink("../out", "root/up"), 0);
	fd = fd_open_below("root", "/in", O_RDONLY);
	if (fd == -ENOSYS || fd == -EPERM)
		return; /* a container may forbid the call */
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_read(fd, text, sizeof(text)), 2);
	fd_close(fd);
	fd = fd_open_below("root", "/file", O_PATH);
	ck_assert_int_ge(fd, 0);
	fd_close(fd);
	ck_assert_int_eq(fd_open_below("root", "/away", O_PATH), -ENOENT);
	ck_assert_int_eq(fd_open_below("root", "/up", O_PATH), -ENOENT);
	ck_assert_int_eq(fd_open_below("nowhere", "/file", O_PATH), -ENOENT);
	fd = fd_open_below("", "/dev/null", O_RDONLY);
	ck_assert_int_ge(fd, 0);
	fd_close(fd);
}
END_TEST

START_TEST(write_all_reports_the_error)
{
	AUTO_FD int full = fd_open(dir_fd, "/dev/full", O_WRONLY, 0);

	ck_assert_int_eq(fd_write_all(full, "x", 1), -ENOSPC);
	ck_assert_int_eq(fd_write_all(-1, "x", 1), -EBADF);
	ck_assert_int_eq(fd_write_all(-1, "x", 0), 0);
	ck_assert_int_eq((int)fd_read(-1, (char[1]){0}, 1), -EBADF);
}
END_TEST

START_TEST(what_others_put_there)
{
	struct stat st;
	char text[8];

	write_file("f", "17\n", 3);
	ck_assert_int_eq(fd_read_foreign("f", text, sizeof(text), &st), 3);
	ck_assert_str_eq(text, "17\n");
	ck_assert_uint_eq(st.st_uid, getuid());
	ck_assert_int_eq(symlink("f", "link"), 0);
	ck_assert_int_eq(symlink("/dev/null", "device"), 0);
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_int_eq(mkdir("directory", 0700), 0);
	ck_assert_int_eq(fd_read_foreign("link", text, sizeof(text), &st), -ENXIO);
	ck_assert_int_eq(fd_read_foreign("device", text, sizeof(text), &st), -ENXIO);
	ck_assert_int_eq(fd_read_foreign("fifo", text, sizeof(text), &st), -ENXIO);
	ck_assert_int_eq(fd_read_foreign("directory", text, sizeof(text), &st), -ENXIO);
	ck_assert_int_eq(fd_read_foreign("none", text, sizeof(text), &st), -ENOENT);
}
END_TEST

START_TEST(mkdir_parents)
{
	static char long_path[PATH_MAX + 1];
	struct stat st;

	umask(022);
	ck_assert_int_eq(fd_mkdir_parents("a/b//c/", true, 0700), 0);
	ck_assert_int_eq(stat("a/b/c", &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	ck_assert_int_eq(stat("a/b", &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0755);
	ck_assert_int_eq(fd_mkdir_parents("a/b/c", true, 0700), 0);
	ck_assert_int_eq(fd_mkdir_parents("d/e/file", false, 0), 0);
	ck_assert_int_eq(stat("d/e", &st), 0);
	ck_assert_int_lt(stat("d/e/file", &st), 0);
	ck_assert_int_eq(fd_mkdir_parents("/", true, 0755), 0);
	write_file("plain", "", 0);
	ck_assert_int_eq(fd_mkdir_parents("plain", true, 0755), -ENOTDIR);
	ck_assert_int_eq(fd_mkdir_parents("plain/x/y", false, 0), -ENOTDIR);
	memset(long_path, 'x', PATH_MAX);
	ck_assert_int_eq(fd_mkdir_parents(long_path, true, 0755), -ENAMETOOLONG);
}
END_TEST

START_TEST(clocks)
{
	uint64_t a = clock_mono_us();

	ck_assert_uint_ge(clock_mono_us(), a);
	ck_assert_uint_le(clock_wall_us() / US_PER_SEC - (uint64_t)time(NULL) + 1, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fd");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, enter, leave);
	tcase_add_test(tc, open_and_close);
	tcase_add_test(tc, read_file_of_every_size);
	tcase_add_test(tc, read_file_refuses_what_is_no_file);
	tcase_add_test(tc, read_file_without_memory);
	tcase_add_test(tc, small_files);
	tcase_add_test(tc, open_below_a_root);
	tcase_add_test(tc, write_all_reports_the_error);
	tcase_add_test(tc, what_others_put_there);
	tcase_add_test(tc, mkdir_parents);
	tcase_add_test(tc, clocks);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
