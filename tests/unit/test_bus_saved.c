/* SPDX-License-Identifier: MIT */
#include "activate/bus_saved.h"
#include "suite.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/list.h"
#include "core/mem.h"

static char dir[] = "/tmp/hark-test-saved-XXXXXX", path[64];
static const char *so; /* what put_all() says */

static void put_all(const struct bus_saved *f UNUSED, struct sbuf *text)
{
	sbuf_add_z(text, so);
}

static struct bus_saved fresh(void)
{
	return (struct bus_saved){.run_dir = dir, .put_all = put_all, .fd = -1};
}

static void enter(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/" BUS_SAVED, dir);
}

static void leave(void)
{
	(void)!unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void is_saved(const char *expected)
{
	struct bus_saved next = fresh();
	struct str lines = {0};
	AUTO_MEM char *text = bus_saved_read(&next, &lines);

	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(lines.n, strlen(expected));
	ck_assert_int_eq(memcmp(lines.p, expected, lines.n), 0);
}

static ino_t inode(void)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_ino;
}

START_TEST(lines_are_added_to_what_is_so)
{
	struct bus_saved f = fresh();
	struct str lines;
	ino_t first;

	ck_assert_ptr_null(bus_saved_read(&f, &lines));
	so = "subscribed\na 1\n";
	bus_saved_add(&f, "a 1\n"); /* there is no file yet: all of it */
	is_saved("subscribed\na 1\n");
	first = inode();
	bus_saved_add(&f, "a 2\n");
	bus_saved_add(&f, "done 1\n");
	is_saved("subscribed\na 1\na 2\ndone 1\n");
	ck_assert_uint_eq(inode(), first);
	so = "a 2\n";
	bus_saved_renew(&f);
	bus_saved_add(&f, "a 3\n"); /* to the new one */
	is_saved("a 2\na 3\n");
	bus_saved_close(&f);
}
END_TEST

START_TEST(it_does_not_grow_for_ever)
{
	struct bus_saved f = fresh();
	struct stat st;

	so = "so\n";
	for (int i = 0; i < 10000; i++) {
		bus_saved_add(&f, "twenty bytes a line\n");
		if (i % 100 == 0) {
			ck_assert_int_eq(stat(path, &st), 0);
			ck_assert_int_le(st.st_size, 70000);
		}
	}
	bus_saved_close(&f);
}
END_TEST

START_TEST(a_line_cut_short_does_not_count)
{
	struct bus_saved f = fresh();

	so = "a 1\n";
	bus_saved_renew(&f);
	ck_assert_int_eq(fd_write_all(f.fd, "a 2\na 3", 7), 0);
	is_saved("a 1\na 2\n");
	bus_saved_close(&f);
	f = fresh(); /* who comes next writes it anew before it adds */
	so = "a 1\na 2\na 4\n";
	bus_saved_add(&f, "a 4\n");
	is_saved("a 1\na 2\na 4\n");
	bus_saved_close(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bus_saved");
	TCase *t = tcase_create("bus_saved");

	tcase_add_unchecked_fixture(t, enter, leave);
	tcase_add_test(t, lines_are_added_to_what_is_so);
	tcase_add_test(t, a_line_cut_short_does_not_count);
	tcase_add_test(t, it_does_not_grow_for_ever);
	suite_add_tcase(s, t);
	return suite_run(s);
}
