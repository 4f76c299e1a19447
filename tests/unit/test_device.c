/* SPDX-License-Identifier: MIT */
#include "units/device_unit.h"

#include <check.h>
#include <stdio.h>

#include "suite.h"
#include "units/config.h"

static const char *wanted(const struct device_unit *d)
{
	static char all[4 * UNIT_NAME_MAX];
	char name[UNIT_NAME_MAX + 1];
	struct str rest = str_of(d->wants);
	size_t n = 0;

	all[0] = '\0';
	while (device_next_wanted(d, &rest, name))
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s ", name);
	return all;
}

static char sysfs[] = "/sys/devices/virtual/net/hk0";

START_TEST(test_wanted)
{
	char wants[] = "  a.service place@.service b@x.target no-suffix bad/name.service ";
	char many[3 * UNIT_NAME_MAX];
	struct device_unit d = {.sysfs = sysfs, .wants = wants};

	ck_assert_str_eq(wanted(&d),
			 "a.service place@sys-devices-virtual-net-hk0.service b@x.target ");
	memset(many, 'x', sizeof(many));
	snprintf(many + 2 * UNIT_NAME_MAX, UNIT_NAME_MAX, " z.service");
	d.wants = many;
	ck_assert_str_eq(wanted(&d), "z.service ");
	d.wants = NULL;
	ck_assert_str_eq(wanted(&d), "");
}
END_TEST

START_TEST(test_dress)
{
	char wants[] = "a.service b.service", model[] = "A disk";
	struct device_unit d = {.sysfs = sysfs, .wants = wants, .model = model};
	struct unit_config *c = config_new("dev-sda.device");

	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(device_dress(&d, c), 0);
	ck_assert_str_eq(c->description, "A disk");
	ck_assert_str_eq(c->deps->name, "a.service");
	ck_assert_str_eq(c->deps->next->name, "b.service");
	ck_assert_int_eq(c->deps->type, DEP_WANTS);
	unit_config_free(c);
}
END_TEST

START_TEST(test_patience)
{
	struct unit_config *c = config_new("dev-sda.device");

	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(device_settle(c), 0);
	ck_assert_uint_eq(c->unit->job_running_timeout_us, DEVICE_WAIT_US);
	c->unit->job_timeout_us = 300 * US_PER_SEC;
	ck_assert_int_eq(device_settle(c), 0);
	ck_assert_uint_eq(c->unit->job_running_timeout_us, 300 * US_PER_SEC);
	unit_config_free(c);
}
END_TEST

static unsigned awaited_n;

static void await(struct device_source *s)
{
	(void)s;
	awaited_n++;
}

START_TEST(test_start)
{
	struct device_source source = {.await = await};
	struct device_unit d = {.unit = {.type = UNIT_DEVICE, .name = "dev-not-there.device"}};

	ck_assert_int_eq(device_ops.can_start(&d.unit), JOB_RES_UNSUPPORTED);
	d.source = &source;
	ck_assert_int_eq(device_ops.can_start(&d.unit), JOB_RES_UNSUPPORTED);
	source.is_told = true;
	ck_assert_int_eq(device_ops.can_start(&d.unit), 0);
	ck_assert_uint_eq(awaited_n, 0);
	/* Nobody tells: its node is there, or may come. */
	source.is_told = false;
	d.unit.name = "dev-null.device";
	ck_assert_int_eq(device_ops.can_start(&d.unit), 0);
	d.unit.name = "dev-not-there.device";
	source.can_appear = true;
	ck_assert_int_eq(device_ops.can_start(&d.unit), 0);
	ck_assert_uint_eq(awaited_n, 2);
	d.unit.name = "no-path.device";
	ck_assert_int_eq(device_ops.can_start(&d.unit), JOB_RES_UNSUPPORTED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("device");
	TCase *t = tcase_create("device");

	suite_add_tcase(s, t);
	tcase_add_test(t, test_wanted);
	tcase_add_test(t, test_dress);
	tcase_add_test(t, test_patience);
	tcase_add_test(t, test_start);
	return suite_run(s);
}
