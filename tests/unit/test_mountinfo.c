/* SPDX-License-Identifier: MIT */
#include "core/mountinfo.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char TEXT[] =
	"22 28 0:21 / /sys rw,nosuid,nodev - sysfs sysfs rw\n"
	"nonsense\n"
	"36 22 0:31 /a /mnt/two\\040words rw,relatime shared:1 master:2 - ext4 /dev/vda\\0111 ro,x=1\n"
	"37 22 0:31 / /cut rw,relatime shared:1\n"
	"x 22 0:31 / /no-number rw - ext4 /dev/a rw\n"
	"38 36 0:32 / /last rw - tmpfs tmpfs rw";

START_TEST(reads_whole_lines_only)
{
	struct str rest = {TEXT, sizeof(TEXT) - 1};
	struct mount_line m;

	ck_assert(mountinfo_next(&rest, &m));
	ck_assert(m.id == 22 && m.parent == 28 && str_eq_z(m.type, "sysfs"));
	ck_assert(mountinfo_next(&rest, &m));
	ck_assert(m.id == 36 && str_eq_z(m.root, "/a") && str_eq_z(m.type, "ext4"));
	ck_assert(str_eq_z(m.options, "rw,relatime") && str_eq_z(m.super_options, "ro,x=1"));
	ck_assert(mountinfo_next(&rest, &m));
	ck_assert(m.id == 38 && str_eq_z(m.point, "/last"));
	ck_assert(!mountinfo_next(&rest, &m));
}
END_TEST

START_TEST(reads_from_the_end_as_well)
{
	struct str rest = {TEXT, sizeof(TEXT) - 1};
	struct mount_line m;

	ck_assert(mountinfo_last(&rest, &m) && m.id == 38);
	ck_assert(mountinfo_last(&rest, &m) && m.id == 36);
	ck_assert(mountinfo_last(&rest, &m) && m.id == 22);
	ck_assert(!mountinfo_last(&rest, &m));
	rest = STR("\n\n");
	ck_assert(!mountinfo_last(&rest, &m));
}
END_TEST

START_TEST(escapes_are_octal)
{
	static const struct {
		const char *from, *to; /* NULL: no room for it */
	} cases[] = {
		{"/a\\040b", "/a b"}, {"/\\134", "/\\"},      {"\\04", "\\04"},   {"\\", "\\"},
		{"\\09x", "\\09x"},   {"1234567", "1234567"}, {"12345678", NULL}, {"", ""},
	};
	char out[8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool fits = mountinfo_unescape(str_of(cases[i].from), out, sizeof(out));

		ck_assert_int_eq(fits, cases[i].to != NULL);
		if (fits)
			ck_assert_str_eq(out, cases[i].to);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mountinfo");
	TCase *t = tcase_create("lines");

	tcase_add_test(t, reads_whole_lines_only);
	tcase_add_test(t, reads_from_the_end_as_well);
	tcase_add_test(t, escapes_are_octal);
	suite_add_tcase(s, t);
	return suite_run(s);
}
