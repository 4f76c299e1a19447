/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "core/unit.h"
#include "suite.h"
#include "units/name.h"

START_TEST(validity)
{
	static const struct {
		const char *name;
		unsigned form; /* 0: not valid */
	} rows[] = {
		{"a.service", NAME_PLAIN},
		{"a-b_c:d\\x2d.socket", NAME_PLAIN},
		{"a.b.c.target", NAME_PLAIN},
		{"-.mount", NAME_PLAIN},
		{"a@.service", NAME_TEMPLATE},
		{"a@b.service", NAME_INSTANCE},
		{"a@b@c.service", NAME_INSTANCE},
		{"a@@.service", NAME_INSTANCE},
		{"", 0},
		{".service", 0},
		{"@.service", 0},
		{"@a.service", 0},
		{"a", 0},
		{"a.", 0},
		{"a.frob", 0},
		{"a b.service", 0},
		{"a/b.service", 0},
		{"a\n.service", 0},
		{"\xc3\xa9.service", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_msg(name_is_valid(rows[i].name, NAME_ANY) == (rows[i].form != 0), "%s",
			      rows[i].name);
		if (!rows[i].form)
			continue;
		ck_assert_uint_eq(name_form(rows[i].name), rows[i].form);
		ck_assert(name_is_valid(rows[i].name, rows[i].form));
		ck_assert(!name_is_valid(rows[i].name, NAME_ANY & ~rows[i].form));
	}
}
END_TEST

START_TEST(length)
{
	char name[UNIT_NAME_MAX + 2];
	char out[UNIT_NAME_MAX + 1];

	memset(name, 'a', sizeof(name));
	strcpy(name + UNIT_NAME_MAX - 8, ".service");
	ck_assert(name_is_valid(name, NAME_ANY));
	ck_assert_int_eq(name_with_suffix(name, "socket", out, sizeof(out)), 0);
	ck_assert_int_eq(name_with_suffix(name, "automount", out, sizeof(out)), -ENAMETOOLONG);
	memset(name, 'a', sizeof(name));
	strcpy(name + UNIT_NAME_MAX - 7, ".service");
	ck_assert(!name_is_valid(name, NAME_ANY));
}
END_TEST

START_TEST(parts)
{
	char out[64];

	ck_assert(str_eq_z(name_prefix("a.b.service"), "a.b"));
	ck_assert(str_eq_z(name_prefix("a@b@c.service"), "a"));
	ck_assert(str_eq_z(name_instance("a@b@c.d.service"), "b@c.d"));
	ck_assert_ptr_null(name_instance("a.service").p);
	ck_assert_ptr_nonnull(name_instance("a@.service").p);
	ck_assert_uint_eq(name_instance("a@.service").n, 0);
	ck_assert(str_eq_z(name_suffix("a.b.service"), "service"));
	ck_assert_int_eq(name_template("a@b.service", out, sizeof(out)), 0);
	ck_assert_str_eq(out, "a@.service");
	ck_assert_int_eq(name_template("a.service", out, sizeof(out)), -EINVAL);
	ck_assert_int_eq(name_template("a@.service", out, sizeof(out)), -EINVAL);
	ck_assert_int_eq(name_with_instance("a@.service", STR("x"), out, sizeof(out)), 0);
	ck_assert_str_eq(out, "a@x.service");
	ck_assert_int_eq(name_with_instance("a@b.service", STR("y"), out, sizeof(out)), 0);
	ck_assert_str_eq(out, "a@y.service");
	ck_assert_int_eq(name_with_instance("a.service", STR("y"), out, sizeof(out)), -EINVAL);
	ck_assert_int_eq(name_with_instance("a@.service", STR("y z"), out, sizeof(out)), -EINVAL);
	ck_assert_int_eq(name_with_instance("a@.service", STR("y"), out, 11), -ENAMETOOLONG);
	ck_assert_int_eq(name_with_instance("a@.service", STR("y"), out, 12), 0);
	ck_assert_int_eq(name_with_suffix("a@b.socket", "service", out, sizeof(out)), 0);
	ck_assert_str_eq(out, "a@b.service");
}
END_TEST

/* What systemd-escape 252 prints. */
START_TEST(escaping)
{
	static const struct {
		const char *text;
		bool path;
		const char *escaped; /* NULL: refused */
		bool back;           /* unescapes to the same text */
	} rows[] = {
		{"", false, "", true},
		{".a-b@c/d \xc3\xa9\\", false, "\\x2ea\\x2db\\x40c-d\\x20\\xc3\\xa9\\x5c", true},
		{"a.b", false, "a.b", true},
		{"/", true, "-", true},
		{"", true, "-", false},
		{"/foo/./bar//", true, "foo-bar", false},
		{"/foo/.bar", true, "foo-.bar", true},
		{"/.x", true, "\\x2ex", true},
		{"/a-b/c", true, "a\\x2db-c", true},
		{"a/b", true, "a-b", false},
		{"/a/../b", true, NULL, false},
	};
	char out[256];
	char again[256];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = name_escape(str_of(rows[i].text), rows[i].path, out, sizeof(out));

		if (!rows[i].escaped) {
			ck_assert_int_eq(r, -EINVAL);
			continue;
		}
		ck_assert_str_eq(out, rows[i].escaped);
		ck_assert_int_eq(r, (int)strlen(out));
		if (!rows[i].back)
			continue;
		ck_assert_int_ge(name_unescape(str_of(out), rows[i].path, again, sizeof(again)), 0);
		ck_assert_str_eq(again, rows[i].text);
	}
}
END_TEST

START_TEST(broken_escapes)
{
	static const char *const broken[] = {"\\",    "\\x",   "\\x2",   "\\y20",
					     "\\xg0", "\\x0g", "a\\x00", "\\n"};
	static const char *const bad_paths[] = {"", "-a", "a-", "a--b", "a-.-b", "..-a", "."};
	char out[64];

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		ck_assert_int_eq(name_unescape(str_of(broken[i]), false, out, sizeof(out)),
				 -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(bad_paths); i++)
		ck_assert_int_eq(name_unescape(str_of(bad_paths[i]), true, out, sizeof(out)),
				 -EINVAL);
	ck_assert_int_eq(name_unescape(STR("abc"), false, out, 3), -ENAMETOOLONG);
	ck_assert_int_eq(name_unescape(STR("abc"), false, out, 4), 3);
	ck_assert_int_eq(name_unescape(STR("abc"), false, out, 0), -ENAMETOOLONG);
	ck_assert_int_eq(name_escape(STR("abc"), false, out, 0), -ENAMETOOLONG);
	ck_assert_int_eq(name_escape(STR("a@"), false, out, 5), -ENAMETOOLONG);
	ck_assert_int_eq(name_escape(STR("a@"), false, out, 6), 5);
}
END_TEST

START_TEST(random_bytes_come_back)
{
	srandom(1);
	for (int round = 0; round < 5000; round++) {
		size_t n = (size_t)random() % 40;
		char text[40];
		char escaped[256];
		char again[64];
		int r;

		for (size_t i = 0; i < n; i++)
			text[i] = (char)(random() % 255 + 1);
		r = name_escape((struct str){text, n}, false, escaped, sizeof(escaped));
		ck_assert_int_ge(r, 0);
		ck_assert_uint_eq(
			strspn(escaped,
			       "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\"),
			(size_t)r);
		r = name_unescape((struct str){escaped, (size_t)r}, false, again, sizeof(again));
		ck_assert_int_eq(r, (int)n);
		ck_assert_mem_eq(again, text, n);
	}
}
END_TEST

START_TEST(typed_by_users)
{
	static const struct {
		const char *text, *name; /* NULL: refused */
	} rows[] = {
		{"ssh", "ssh.service"},
		{"ssh.socket", "ssh.socket"},
		{"ssh.frob", "ssh.frob.service"},
		{"a@b", "a@b.service"},
		{"a@.service", "a@.service"},
		{"/dev/sda", "dev-sda.device"},
		{"/sys/a-b", "sys-a\\x2db.device"},
		{"/home", "home.mount"},
		{"/", "-.mount"},
		{"/var/lib/x y/", "var-lib-x\\x20y.mount"},
		{"a b", "a\\x20b.service"},
		{"a/b", "a-b.service"},
		{"", NULL},
		{".service", NULL},
		{"@", NULL},
		{"/a/../b", NULL},
	};
	char out[UNIT_NAME_MAX + 1];
	char huge[400];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = name_from_user(rows[i].text, out, sizeof(out));

		if (rows[i].name) {
			ck_assert_int_eq(r, 0);
			ck_assert_str_eq(out, rows[i].name);
		} else {
			ck_assert_int_eq(r, -EINVAL);
		}
	}
	memset(huge, 'a', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	ck_assert_int_eq(name_from_user(huge, out, sizeof(out)), -ENAMETOOLONG);
	huge[0] = '/';
	ck_assert_int_eq(name_from_user(huge, out, sizeof(out)), -ENAMETOOLONG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("name");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, validity);
	tcase_add_test(tc, length);
	tcase_add_test(tc, parts);
	tcase_add_test(tc, escaping);
	tcase_add_test(tc, broken_escapes);
	tcase_add_test(tc, random_bytes_come_back);
	tcase_add_test(tc, typed_by_users);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
