/* SPDX-License-Identifier: MIT */
#include "activate/bus_path.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>

START_TEST(names_come_back)
{
	static const char *const names[] = {"ssh.service",
					    "a@b-c.socket",
					    "9lives.mount",
					    "-.slice",
					    "dev-disk-by\\x2duuid.device",
					    "_.target",
					    "\xc3\xa9.path"};
	char path[BUS_PATH_MAX], name[UNIT_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bus_path_of_unit(names[i], path);
		ck_assert(bus_unit_of_path(path, name));
		ck_assert_str_eq(name, names[i]);
	}
	bus_path_of_unit("9a_b.service", path);
	ck_assert_str_eq(path, BUS_ROOT "/unit/_39a_5fb_2eservice");
}
END_TEST

START_TEST(the_longest_fits)
{
	char path[BUS_PATH_MAX], name[UNIT_NAME_MAX + 1], back[UNIT_NAME_MAX + 1];

	memset(name, '.', UNIT_NAME_MAX);
	name[UNIT_NAME_MAX] = '\0';
	bus_path_of_unit(name, path);
	ck_assert(bus_unit_of_path(path, back));
	ck_assert_str_eq(name, back);
}
END_TEST

START_TEST(others_are_refused)
{
	static const char *const paths[] = {"/",
					    BUS_ROOT,
					    BUS_ROOT "/unit",
					    BUS_ROOT "/unit/",
					    BUS_ROOT "/unit/a_",
					    BUS_ROOT "/unit/a_2",
					    BUS_ROOT "/unit/a_2E",
					    BUS_ROOT "/unit/a_00",
					    BUS_ROOT "/job/x"};
	char name[UNIT_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		ck_assert_msg(!bus_unit_of_path(paths[i], name), "%s", paths[i]);
		ck_assert_uint_eq(bus_job_of_path(paths[i]), 0);
	}
	ck_assert_uint_eq(bus_job_of_path(BUS_ROOT "/job/17"), 17);
	ck_assert_uint_eq(bus_job_of_path(BUS_ROOT "/job/99999999999"), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bus_path");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, names_come_back);
	tcase_add_test(tc, the_longest_fits);
	tcase_add_test(tc, others_are_refused);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
