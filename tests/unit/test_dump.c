/* SPDX-License-Identifier: MIT */
/* The dump of units: every key comes from the tables, and lines follow from files that are written here. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"
#include "units/dump.h"

static char top[64];
static struct load load;
static struct closure closure;

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void setup(void)
{
	strcpy(top, "/tmp/hark-dump-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	ck_assert_int_eq(load_init(&load, top, NULL), 0);
}

static void teardown(void)
{
	char command[128];

	load_fini(&load);
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	ck_assert_int_eq(system(command), 0);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}

/* The dump of a unit; owned. */
static char *dump(const char *name)
{
	const struct closure_unit *u;
	struct sbuf text = {0};

	ck_assert_int_eq(load_scan(&load), 0);
	closure_init(&closure, &load);
	u = closure_load(&closure, name);
	ck_assert_ptr_nonnull(u);
	ck_assert_int_eq(dump_unit(&closure, u, &text), 0);
	closure_fini(&closure);
	return sbuf_take(&text);
}

static void expect(const char *name, const char *const *lines)
{
	char *text = dump(name);

	for (; *lines; lines++) {
		char line[256];

		snprintf(line, sizeof(line), "\t%s\n", *lines);
		ck_assert_msg(strstr(text, line), "no \"%s\" in:\n%s", *lines, text);
	}
	mem_put(text);
}

START_TEST(values_and_defaults)
{
	static const char *const lines[] = {
		"Description: A",
		"Unit Load State: loaded",
		"Type: simple",
		"Restart: on-failure",
		"RestartSec: 1min 2s",
		"KillSignal: SIGINT",
		"RestartKillSignal: SIGINT",
		"UMask: 0077",
		"Environment: A=1 2",
		"Environment: B=3",
		"LimitNOFILE: 2048",
		"LimitNOFILESoft: 1024",
		"StandardOutput: inherit",
		"Slice: system.slice",
		"ConditionPathExists: |!/x untested",
		"\tCommand Line: /bin/sh -c \"echo \\$HOME 'x'\"",
		NULL,
	};

	put("a.service", "[Unit]\nDescription=A\nConditionPathExists=|!/x\n[Service]\n"
			 "ExecStart=/bin/sh -c \"echo $HOME 'x'\"\nRestart=on-failure\n"
			 "RestartSec=62\nKillSignal=INT\nUMask=0077\n"
			 "Environment=\"A=1 2\" B=3\nLimitNOFILE=1024:2048\n");
	expect("a.service", lines);
}
END_TEST

START_TEST(relations_are_seen_from_both_sides)
{
	static const char *const of_a[] = {
		"Wants: b.service (origin-file)",
		"After: b.service (origin-file)",
		"After: sysinit.target (origin-default)",
		"InSlice: system.slice (origin-slice-property)",
		"After: var-lib.mount (origin-path)",
		"Requires: var-lib.mount (origin-path)",
		"RequiresMountsFor: /var/lib/x/y (origin-file)",
		NULL,
	};
	static const char *const of_b[] = {
		"Alias: c.service",
		"Requires: a.service (origin-file)",
		"WantedBy: a.service (destination-file)",
		"Before: a.service (origin-file destination-file)",
		"ReferencedBy: a.service (destination-file)",
		NULL,
	};
	char link[128];

	put("a.service", "[Unit]\nWants=c.service\nAfter=b.service\n"
			 "RequiresMountsFor=/var/lib/x/y\n[Service]\nExecStart=/bin/true\n");
	put("b.service", "[Unit]\nRequires=a.service\nBefore=a.service\n"
			 "[Service]\nExecStart=/bin/true\n");
	put("var-lib.mount", "[Mount]\nWhat=/dev/x\nWhere=/var/lib\n");
	snprintf(link, sizeof(link), "%s/c.service", top);
	ck_assert_int_eq(symlink("b.service", link), 0);
	expect("b.service", of_b);
	put("b.service", "[Service]\nExecStart=/bin/true\n");
	expect("a.service", of_a);
}
END_TEST

START_TEST(every_key_has_its_directive)
{
	ck_assert_ptr_null(dump_key_without_value());
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dump");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, values_and_defaults);
	tcase_add_test(tc, relations_are_seen_from_both_sides);
	tcase_add_test(tc, every_key_has_its_directive);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
