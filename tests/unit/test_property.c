/* SPDX-License-Identifier: MIT */
#include "ctl/property.h"

#include <check.h>
#include <stdio.h>

#include "core/graph.h"
#include "ctl/property_live.h"
#include "ctl/property_setting.h"
#include "ctl/rows.h"
#include "suite.h"
#include "units/automount.h"
#include "units/device_unit.h"
#include "units/mount_unit.h"
#include "units/passive.h"
#include "units/path.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/timer.h"

static struct hark hark;
static struct rows rows;

static void setup(void)
{
	static const struct unit_type_ops *const types[] = {
		&service_ops, &socket_ops,    &target_ops, &slice_ops, &mount_ops, &timer_ops,
		&device_ops,  &automount_ops, &swap_ops,   &path_ops,  &scope_ops, &busname_ops,
	};

	ck_assert_int_eq(registry_init(&hark.reg, types, ARRAY_SIZE(types)), 0);
	ck_assert_int_eq(load_init(&hark.load, "/nonexistent", ""), 0);
	rows_init(&rows);
}

static struct unit *make(const char *name, const char *text)
{
	struct unit *u = registry_get(&hark.reg, name);

	ck_assert_ptr_nonnull(u);
	ck_assert_int_eq(load_unit_text(&hark.load, name, "/test/unit", str_of(text), &u->config),
			 0);
	ck_assert_int_eq(graph_attach(&hark.reg, u), 0);
	return u;
}

static const struct row *print(struct unit *u, const char *only, bool with_empty)
{
	static struct wire_out out;
	static struct wire_in in;
	struct reply reply = {0};
	struct str value;
	uint16_t tag;
	size_t at;

	rows_reset(&rows);
	reply_row(&reply, "properties");
	if (u)
		property_unit(&reply, &hark, u, only, with_empty, false);
	else
		property_manager(&reply, &hark, only);
	reply_row_end(&reply);
	ck_assert_int_eq(reply.out.err, 0);
	while (reply_left(&reply)) {
		wire_begin(&out, FRAME_PAGE, 1);
		reply_fill(&reply, &out, &at);
		reply_sent(&reply, at);
		memcpy(in.bytes, out.bytes, out.w.n);
		ck_assert_int_eq(wire_parse(&in, out.w.n), 0);
		while (wire_next(&in, &tag, &value))
			rows_add(&rows, tag, value);
	}
	reply_fini(&reply);
	ck_assert_ptr_nonnull(rows.first);
	return rows.first;
}

START_TEST(names_are_unique)
{
	const char *name;

	for (unsigned i = 0; i < property_count(); i++) {
		ck_assert_msg(!property_is_setting(property_name(i)), "%s is told twice",
			      property_name(i));
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(property_name(i), property_name(k));
		for (unsigned k = 0; (name = property_live_name(k)); k++)
			ck_assert_str_ne(property_name(i), name);
	}
}
END_TEST

/* A list has an item a field; of all else there is one. */
static void check_told_once(const struct row *row)
{
	for (unsigned i = 0; i < row->n; i++)
		for (unsigned k = 0; k < i; k++)
			if (strcmp(row->fields[i].key, row->fields[k].key) == 0)
				ck_assert_int_eq(row->fields[k].tag, TAG_ITEM);
}

/* Every row for every type, as a stub, as loaded, and with an empty value wherever one may be. */
START_TEST(every_type_prints)
{
	char name[64];
	struct unit *u;

	snprintf(name, sizeof(name), "stub.%s", unit_type_names[_i]);
	u = registry_get(&hark.reg, name);
	ck_assert_ptr_nonnull(u);
	ck_assert(str_eq_z(row_text(print(u, NULL, true), "LoadState"), "stub"));
	snprintf(name, sizeof(name), "full.%s", unit_type_names[_i]);
	u = make(name, "[Unit]\nDescription=all of it\n");
	ck_assert(str_eq_z(row_text(print(u, NULL, false), "Description"), "all of it"));
	ck_assert(str_eq_z(row_text(print(u, NULL, true), "Id"), name));
	check_told_once(print(u, NULL, true));
}
END_TEST

START_TEST(a_service_in_full)
{
	struct unit *u = make("a.service",
			      "[Unit]\nAfter=b.service\nRequires=b.service\n"
			      "[Service]\nType=exec\nRestart=on-failure\nTimeoutStopSec=7\n"
			      "ExecStart=/bin/true one two\nUser=root\nUMask=0027\n");
	const struct row *row = print(u, NULL, false);
	struct str item;
	unsigned at = 0;

	ck_assert(str_eq_z(row_text(row, "Type"), "exec"));
	ck_assert(str_eq_z(row_text(row, "Restart"), "on-failure"));
	ck_assert(str_eq_z(row_text(row, "ActiveState"), "inactive"));
	ck_assert(str_eq_z(row_text(row, "SubState"), "dead"));
	ck_assert(str_eq_z(row_text(row, "UMask"), "0027"));
	ck_assert(str_eq_z(row_text(row, "User"), "root"));
	ck_assert_uint_eq(row_value(row, "TimeoutStopUSec"), 7 * US_PER_SEC);
	ck_assert(row_item(row, "Requires", &at, &item) && str_eq_z(item, "b.service"));
	ck_assert(str_eq_z(row_text(row, "ExecStart"),
			   "{ path=/bin/true ; argv[]=/bin/true one two ; ignore_errors=no }"));
	ck_assert_ptr_null(row_field(row, "Accept"));
}
END_TEST

START_TEST(a_socket_in_full)
{
	struct unit *u = make("a.socket",
			      "[Socket]\nListenStream=/run/a\nListenDatagram=127.0.0.1:7\n"
			      "Accept=no\nBacklog=9\n");
	const struct row *row = print(u, NULL, false);
	struct str item;
	unsigned at = 0;

	ck_assert(row_item(row, "Listen", &at, &item) && str_eq_z(item, "/run/a (Stream)"));
	ck_assert(row_item(row, "Listen", &at, &item) && str_eq_z(item, "127.0.0.1:7 (Datagram)"));
	ck_assert_uint_eq(row_value(row, "Backlog"), 9);
	ck_assert_ptr_null(row_field(row, "Restart"));
}
END_TEST

START_TEST(only_what_was_asked_for)
{
	struct unit *u = make("a.target", "[Unit]\nDescription=x\n");
	const struct row *row = print(u, "Id,StatusText,Description", false);

	ck_assert_uint_eq(row->n, 2);
	ck_assert(str_eq_z(row_text(row, "Description"), "x"));
}
END_TEST

START_TEST(the_manager_prints)
{
	ck_assert(str_eq_z(row_text(print(NULL, NULL, false), "SystemState"), "starting"));
	hark.ready_us = 1;
	ck_assert_str_eq(property_system_state(&hark), "running");
	hark.is_shutting_down = true;
	ck_assert_str_eq(property_system_state(&hark), "stopping");
	ck_assert_uint_eq(print(NULL, "Version", false)->n, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("property");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, names_are_unique);
	tcase_add_loop_test(tc, every_type_prints, 0, UNIT_TYPES);
	tcase_add_test(tc, a_service_in_full);
	tcase_add_test(tc, a_socket_in_full);
	tcase_add_test(tc, only_what_was_asked_for);
	tcase_add_test(tc, the_manager_prints);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
