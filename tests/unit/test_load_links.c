/* SPDX-License-Identifier: MIT */
/* What links, names and instances mean to the loader: aliases, masks, templates, members of .wants. */
#include <check.h>

#include "load_files.h"
#include "suite.h"
#include "units/exec_config.h"

START_TEST(templates)
{
	struct unit_config *c;

	put("low/t@.service", SERVICE_TEXT("%i of %p"));
	put("low/t@own.service", SERVICE_TEXT("own"));
	put("low/t@.service.d/1.conf", "[Service]\nNice=1\n");
	put("low/t@one.service.d/2.conf", "[Service]\nNice=2\n");
	put_link("low/t@.service.wants/h@.service", "../h@.service");
	put("low/t.target", "[Unit]\n");
	put_link("low/t.target.wants/h@.service", "../h@.service");
	scan();
	check_description("t@x.service", "x of t");
	check_description("t@own.service", "own");
	c = get("t@one.service");
	ck_assert_int_eq(c->exec->nice, 2);
	ck_assert(has_dep(c, DEP_WANTS, "h@one.service"));
	unit_config_free(c);
	c = get("t.target");
	ck_assert(has_dep(c, DEP_WANTS, "h@t.service"));
	unit_config_free(c);
	c = get("t@.service");
	ck_assert_int_eq(c->load, LOAD_LOADED);
	unit_config_free(c);
}
END_TEST

/* Of an instance count the prefixes with the instance, as a template, and plain. */
START_TEST(prefixes_of_instances)
{
	static const char *const owners[] = {"a-b-c@k", "a-b-c@", "a-b-@k", "a-b-@", "a-b-", "a-"};
	struct unit_config *c;
	char path[64], text[64];

	put("low/a-b-c@.service", SERVICE_TEXT("%i"));
	for (unsigned k = 0; k < ARRAY_SIZE(owners); k++) {
		snprintf(path, sizeof(path), "low/%s.service.d/%u.conf", owners[k], k);
		snprintf(text, sizeof(text), "[Unit]\nAfter=%u.target\n", k);
		put(path, text);
	}
	put("low/a-b-c.service.d/no.conf", "[Unit]\nAfter=no.target\n");
	scan();
	c = get("a-b-c@k.service");
	for (unsigned k = 0; k < ARRAY_SIZE(owners); k++) {
		snprintf(text, sizeof(text), "%u.target", k);
		ck_assert_msg(has_dep(c, DEP_AFTER, text), "%s does not count", owners[k]);
	}
	ck_assert(!has_dep(c, DEP_AFTER, "no.target"));
	unit_config_free(c);
}
END_TEST

/* A link of an instance to its template is no file of its own; to another template it is an alias of that one's instance. */
START_TEST(links_of_instances)
{
	struct unit_config *c;

	put("low/t@.service", SERVICE_TEXT("%i of %p"));
	put_link("low/t@x.service", "t@.service");
	put_link("low/u@.service", "t@.service");
	put_link("low/u@y.service", "u@.service");
	put_link("low/v@z.service", "t@.service");
	put_link("low/far@x.service", "/elsewhere/far@.service");
	put("elsewhere/far@.service", SERVICE_TEXT("far %i"));
	scan();
	c = get("t@x.service");
	ck_assert_ptr_nonnull(strstr(c->fragment, "/low/t@.service"));
	ck_assert_str_eq(c->description, "x of t");
	unit_config_free(c);
	ck_assert_str_eq(load_canonical(&load, "u@y.service"), "t@y.service");
	ck_assert_str_eq(load_canonical(&load, "u@y.service"), "t@y.service");
	ck_assert_str_eq(load_canonical(&load, "v@z.service"), "t@z.service");
	put("low/u@y.service.d/1.conf", "[Unit]\nDescription=of the alias\n");
	scan();
	check_description("u@y.service", "of the alias");
	check_description("far@x.service", "far x");
}
END_TEST

/* A link that leads to a unit which cannot have its name is no unit, and is not taken for a file of its own. */
START_TEST(links_that_do_not_fit)
{
	put("low/s.service", SERVICE_TEXT("s"));
	put("low/s.socket", "[Socket]\nListenStream=/run/s\n");
	put("low/t@.service", SERVICE_TEXT("%i"));
	put_link("low/type.service", "s.socket");
	put_link("low/type.socket", "s.service");
	put_link("low/plain.service", "t@.service");
	put_link("low/one.service", "t@one.service");
	put_link("low/u@x.service", "t@y.service");
	put_link("low/v@x.service", "s.service");
	put_link("low/w@.service", "s.service");
	put_link("low/a-b.slice", "c.slice");
	put("low/c.slice", "[Unit]\nDescription=c\n");
	put_link("low/far.service",
		 "/elsewhere/far.socket"); /* no name of a unit here: a file like any */
	put("elsewhere/far.socket", SERVICE_TEXT("far"));
	scan();
	check_load("type.service", LOAD_ERROR);
	check_load("type.socket", LOAD_ERROR);
	check_load("plain.service", LOAD_ERROR);
	check_load("one.service", LOAD_ERROR);
	check_load("u@x.service", LOAD_ERROR);
	check_load("v@x.service", LOAD_ERROR);
	check_load("a-b.slice", LOAD_ERROR);
	check_description("s.service", "s");
	check_description("t@one.service", "one");
	check_description("far.service", "far");
}
END_TEST

/* A long way leads to the one unit at its end, with all of its names; a circle to none. */
START_TEST(chains_of_links)
{
	struct unit_config *c;
	char path[64], target[64];

	put("low/a20.service", SERVICE_TEXT("end"));
	for (unsigned k = 0; k < 20; k++) {
		snprintf(path, sizeof(path), "low/a%u.service", k);
		snprintf(target, sizeof(target), "a%u.service", k + 1);
		put_link(path, target);
		snprintf(path, sizeof(path), "low/ring%u.service", k);
		snprintf(target, sizeof(target), "ring%u.service", (k + 1) % 20);
		put_link(path, target);
	}
	put("low/a3.service.d/1.conf", "[Unit]\nAfter=three.service\n");
	scan();
	for (unsigned k = 0; k < 20; k++) {
		snprintf(path, sizeof(path), "a%u.service", k);
		ck_assert_str_eq(load_canonical(&load, path), "a20.service");
		snprintf(path, sizeof(path), "ring%u.service", k);
		ck_assert_ptr_null(load_canonical(&load, path));
		check_load(path, LOAD_ERROR);
	}
	c = get("a5.service");
	ck_assert_str_eq(c->name, "a20.service");
	ck_assert(has_dep(c, DEP_AFTER, "three.service"));
	unit_config_free(c);
}
END_TEST

/* Links to nothing, as an image that is filled from outside has them; and files without a byte among what is wanted. */
START_TEST(masks_of_all_forms)
{
	struct unit_config *c;

	put_link("low/far.service", "../../../../dev/null");
	put("low/x.target", "[Unit]\n");
	put_link("low/x.target.wants/a.service", "../../../../dev/null");
	put("low/x.target.wants/b.service", "");
	put("low/x.target.wants/c.service", "is no link");
	scan();
	check_load("far.service", LOAD_MASKED);
	c = get("x.target");
	ck_assert(!has_dep(c, DEP_WANTS, "a.service"));
	ck_assert(!has_dep(c, DEP_WANTS, "b.service"));
	ck_assert(has_dep(c, DEP_WANTS, "c.service"));
	unit_config_free(c);
}
END_TEST

START_TEST(masks)
{
	put("low/a.service", SERVICE_TEXT("low"));
	put_link("high/a.service", "/dev/null");
	put("low/b.service", SERVICE_TEXT("low"));
	put("high/b.service", "");
	put("low/t@.service", SERVICE_TEXT("t"));
	put_link("high/t@x.service", "/dev/null");
	scan();
	check_load("a.service", LOAD_MASKED);
	check_load("b.service", LOAD_MASKED);
	check_load("t@x.service", LOAD_MASKED);
	check_load("t@y.service", LOAD_LOADED);
}
END_TEST

START_TEST(aliases)
{
	struct unit_config *c;

	put("low/real.service", SERVICE_TEXT("real"));
	put_link("high/alias.service", "../low/real.service");
	put_link("high/second.service", "alias.service");
	put_link("high/loop.service", "pool.service");
	put_link("high/pool.service", "loop.service");
	put_link("high/linked.service", "/elsewhere/linked.service");
	put("elsewhere/linked.service", SERVICE_TEXT("linked"));
	put_link("high/gone.service", "/nowhere/other.service");
	put("low/getty@.service", SERVICE_TEXT("on %i"));
	put_link("low/autovt@.service", "getty@.service");
	put("low/alias.service.d/x.conf", "[Service]\nNice=3\n");
	put_link("low/alias.service.wants/w.service", "../w.service");
	scan();
	ck_assert_str_eq(load_canonical(&load, "alias.service"), "real.service");
	ck_assert_str_eq(load_canonical(&load, "second.service"), "real.service");
	ck_assert_str_eq(load_canonical(&load, "autovt@tty1.service"), "getty@tty1.service");
	c = get("alias.service");
	ck_assert_str_eq(c->name, "real.service");
	ck_assert_int_eq(c->exec->nice, 3);
	ck_assert(has_dep(c, DEP_WANTS, "w.service"));
	unit_config_free(c);
	check_description("autovt@tty1.service", "on tty1");
	check_description("linked.service", "linked");
	check_load("gone.service", LOAD_ERROR);
	check_load("loop.service", LOAD_ERROR);
}
END_TEST

START_TEST(links)
{
	struct unit_config *c;

	put("low/x.target", "[Unit]\nDescription=x\nWants=written.service\nBefore=late.service\n");
	put_link("low/x.target.wants/a.service", "../a.service");
	put_link("low/x.target.requires/b.service", "../b.service");
	put_link("high/x.target.upholds/c.service", "../c.service");
	put_link("low/x.target.wants/d.service", "../d.service");
	put_link("high/x.target.wants/d.service", "/dev/null");
	put_link("high/x.target.wants/late.service", "../late.service");
	scan();
	c = get("x.target");
	ck_assert(has_dep(c, DEP_WANTS, "a.service") && has_dep(c, DEP_AFTER, "a.service"));
	ck_assert(has_dep(c, DEP_REQUIRES, "b.service") && has_dep(c, DEP_UPHOLDS, "c.service"));
	ck_assert(has_dep(c, DEP_AFTER, "written.service") && !has_dep(c, DEP_WANTS, "d.service"));
	ck_assert(has_dep(c, DEP_WANTS, "late.service") && !has_dep(c, DEP_AFTER, "late.service"));
	ck_assert(has_dep(c, DEP_CONFLICTS, "shutdown.target"));
	unit_config_free(c);
}
END_TEST

/* A unit that is built in is wanted and changed like any other. */
START_TEST(text_with_links)
{
	struct unit_config *c = NULL;

	put_link("low/x.target.wants/a.service", "../a.service");
	put("low/x.target.d/1.conf", "[Unit]\nAllowIsolate=yes\n");
	scan();
	ck_assert_int_eq(load_unit_text(&load, "x.target", "(built in)", STR("[Unit]\n"), &c), 0);
	ck_assert_int_eq(c->load, LOAD_LOADED);
	ck_assert(has_dep(c, DEP_WANTS, "a.service") && has_dep(c, DEP_AFTER, "a.service"));
	ck_assert(c->unit->allow_isolate && !load_is_stale(&load, c));
	unit_config_free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("load_links");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, templates);
	tcase_add_test(tc, prefixes_of_instances);
	tcase_add_test(tc, links_of_instances);
	tcase_add_test(tc, links_that_do_not_fit);
	tcase_add_test(tc, chains_of_links);
	tcase_add_test(tc, masks_of_all_forms);
	tcase_add_test(tc, masks);
	tcase_add_test(tc, aliases);
	tcase_add_test(tc, links);
	tcase_add_test(tc, text_with_links);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
