/* SPDX-License-Identifier: MIT */
#include "activate/bus_body.h"
#include "activate/bus_value.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>

static const struct row_of_test {
	struct str text;
	const char *path;
	uint32_t number;
} rows[] = {
	{STR(""), "/", 0},
	{STR("a"), "/a/b", 1},
	{STR("caf\xc3\xa9"), "/a_2e", UINT32_MAX},
	{STR("not \xff UTF-8 \xc3\xa9"), "/long/enough/to/be/odd", 77},
	{STR("with\0nul"), "/x", 3},
	{STR("exactly8"), "/1234567", 4},
};

static DBusMessage *new_head(void)
{
	DBusMessage *m = dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);

	ck_assert(m && dbus_message_set_reply_serial(m, 7) &&
		  dbus_message_set_destination(m, ":1.23"));
	return m;
}

static DBusMessage *by_libdbus(size_t n)
{
	DBusMessage *m = new_head();
	DBusMessageIter it, list, s;

	dbus_message_iter_init_append(m, &it);
	ck_assert(dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "(sous)", &list));
	for (size_t i = 0; i < n; i++)
		ck_assert(dbus_message_iter_open_container(&list, DBUS_TYPE_STRUCT, NULL, &s) &&
			  bus_put_text(&s, rows[i].text) &&
			  bus_put_basic(&s, DBUS_TYPE_OBJECT_PATH, 0, str_of(rows[i].path)) &&
			  bus_put_basic(&s, DBUS_TYPE_UINT32, rows[i].number, STR("")) &&
			  bus_put_text(&s, rows[i].text) &&
			  dbus_message_iter_close_container(&list, &s));
	ck_assert(dbus_message_iter_close_container(&it, &list));
	return m;
}

static DBusMessage *by_hand(size_t n)
{
	struct bus_body b = {0};

	bus_body_begin(&b);
	for (size_t i = 0; i < n; i++) {
		bus_body_struct(&b);
		bus_body_text(&b, rows[i].text);
		bus_body_path(&b, str_of(rows[i].path));
		bus_body_number(&b, rows[i].number);
		bus_body_text(&b, rows[i].text);
	}
	return bus_body_end(&b, new_head(), "(sous)");
}

START_TEST(it_is_the_message_that_libdbus_makes)
{
	for (size_t n = 0; n <= ARRAY_SIZE(rows); n++) {
		DBusMessage *both[] = {by_libdbus(n), by_hand(n)};
		char *bytes[2];
		int len[2];

		ck_assert_ptr_nonnull(both[1]);
		ck_assert_uint_eq(dbus_message_get_serial(both[1]), 0);
		for (size_t i = 0; i < 2; i++) {
			dbus_message_set_serial(both[i], 9);
			ck_assert(dbus_message_marshal(both[i], &bytes[i], &len[i]));
			dbus_message_unref(both[i]);
		}
		ck_assert_int_eq(len[0], len[1]);
		ck_assert_mem_eq(bytes[0], bytes[1], (size_t)len[0]);
		dbus_free(bytes[0]);
		dbus_free(bytes[1]);
	}
}
END_TEST

/* What cannot be sent is no message, and libdbus does not end the process over it. */
START_TEST(a_bad_path_is_told)
{
	struct bus_body b = {0};

	bus_body_begin(&b);
	bus_body_struct(&b);
	bus_body_path(&b, STR("no path"));
	ck_assert_ptr_null(bus_body_end(&b, new_head(), "(o)"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bus_body");
	TCase *tc = tcase_create("core");

	setenv("DBUS_FATAL_WARNINGS", "0", 1);
	tcase_add_test(tc, it_is_the_message_that_libdbus_makes);
	tcase_add_test(tc, a_bad_path_is_told);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
