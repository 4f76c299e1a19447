/* SPDX-License-Identifier: MIT */
/* The loader, on texts and on directories made for each test. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load_files.h"
#include "suite.h"
#include "units/exec_config.h"
#include "units/load.h"
#include "units/service.h"

/* --- directories --- */

START_TEST(order_of_directories)
{
	put("low/a.service", SERVICE_TEXT("low"));
	put("low/b.service", SERVICE_TEXT("low"));
	put("high/a.service", SERVICE_TEXT("high"));
	put("low/not a unit", "x");
	put("low/c.conf", "x");
	scan();
	check_description("a.service", "high");
	check_description("b.service", "low");
	check_load("missing.service", LOAD_NOT_FOUND);
	check_load("any.slice", LOAD_LOADED);
	check_load("not a unit", LOAD_BAD);
	ck_assert_ptr_null(load_canonical(&load, "missing.service"));
	ck_assert_str_eq(load_canonical(&load, "a.service"), "a.service");
	printf("rows: D46\n");
}
END_TEST

/* Generators write before, between and behind what people and packages do. */
START_TEST(default_directories)
{
	static const char *const dirs[] = {
		"etc/units",
		"run/units",
		"etc/systemd/system.control",
		"run/systemd/generator.early",
		"etc/systemd/system",
		"run/systemd/system",
		"run/hark/generator",
		"run/systemd/generator",
		"usr/local/lib/systemd/system",
		"usr/lib/systemd/system",
		"run/systemd/generator.late",
		"usr/lib/hark/units",
	};
	char path[96], text[128];

	load_fini(&load);
	ck_assert_int_eq(load_init(&load, NULL, top), 0);
	for (unsigned k = 0; k < ARRAY_SIZE(dirs); k++)
		for (unsigned unit = 0; unit <= k; unit++) {
			snprintf(path, sizeof(path), "%s/u%u.service", dirs[k], unit);
			snprintf(text, sizeof(text), SERVICE_TEXT("from %u"), k);
			put(path, text);
		}
	scan();
	for (unsigned unit = 0; unit < ARRAY_SIZE(dirs); unit++) {
		snprintf(path, sizeof(path), "u%u.service", unit);
		snprintf(text, sizeof(text), "from %u", unit);
		check_description(path, text);
	}
}
END_TEST

/* Installed is not enabled, and nobody is restarted who does not ask for it. */
START_TEST(nothing_by_itself)
{
	struct unit_config *c;

	put("low/a.service", SERVICE_TEXT("a") "[Install]\nWantedBy=b.target\nAlias=c.service\n");
	put("low/b.target.d/1.conf", "[Unit]\nDescription=b\n");
	put("low/b.target", "[Unit]\n");
	scan();
	c = get("b.target");
	ck_assert(!has_dep(c, DEP_WANTS, "a.service"));
	unit_config_free(c);
	check_load("c.service", LOAD_NOT_FOUND);
	c = get("a.service");
	ck_assert_int_eq(c->service->restart, RESTART_NO);
	unit_config_free(c);
	printf("rows: E19\n");
}
END_TEST

START_TEST(paths_need_their_mounts)
{
	struct unit_config *c;

	put("low/a.service",
	    "[Unit]\nRequiresMountsFor=/srv/data/x\n[Service]\nExecStart=/bin/true\nStateDirectory=y\n");
	put("low/srv.mount", "[Mount]\nWhat=/dev/a\nWhere=/srv\n");
	put("low/srv-data.mount", "[Mount]\nWhat=/dev/b\nWhere=/srv/data\n");
	put("low/var.mount", "[Mount]\nWhat=/dev/c\nWhere=/var\n");
	put("low/home.mount", "[Mount]\nWhat=/dev/d\nWhere=/home\n");
	scan();
	c = get("a.service");
	ck_assert(has_dep(c, DEP_REQUIRES, "srv.mount") && has_dep(c, DEP_AFTER, "srv.mount"));
	ck_assert(has_dep(c, DEP_REQUIRES, "srv-data.mount"));
	ck_assert(has_dep(c, DEP_REQUIRES, "var.mount"));
	ck_assert(!has_dep(c, DEP_REQUIRES, "home.mount"));
	unit_config_free(c);
	c = get("srv-data.mount");
	ck_assert(has_dep(c, DEP_REQUIRES, "srv.mount"));
	ck_assert(!has_dep(c, DEP_REQUIRES, "srv-data.mount"));
	unit_config_free(c);
}
END_TEST

/* However many there are: each is found without a look at all before it. */
START_TEST(last_value_of_a_variable)
{
	enum { VARIABLES = 30000 };
	struct sbuf text = {0};
	struct unit_config *c;
	unsigned n = 0;

	sbuf_add_z(&text, "[Service]\nExecStart=/bin/true\nEnvironment=GONE=1\nEnvironment=\n");
	for (unsigned k = 0; k < 2 * VARIABLES; k++)
		sbuf_addf(&text, "Environment=V%u=%u\n", k % VARIABLES, k);
	sbuf_add_z(&text, "Environment=A=1 AB=2 A=3\n");
	ck_assert_int_eq(text.err, 0);
	put("low/a.service", text.p);
	sbuf_fini(&text);
	scan();
	c = get("a.service");
	ck_assert_int_eq(c->load, LOAD_LOADED);
	for (const struct name_list *l = c->exec->environment; l; l = l->next, n++) {
		char expected[32];

		snprintf(expected, sizeof(expected), "V%u=%u", n, VARIABLES + n);
		ck_assert_str_eq(l->text, n < VARIABLES    ? expected
					  : n == VARIABLES ? "AB=2"
							   : "A=3");
	}
	ck_assert_uint_eq(n, VARIABLES + 2);
	unit_config_free(c);
}
END_TEST

START_TEST(order_of_dropins)
{
	struct unit_config *c;

	put("low/foo-bar.service", SERVICE_TEXT("0"));
	put("low/foo-bar.service.d/20.conf", "[Service]\nSupplementaryGroups=low20\n");
	put("high/foo-bar.service.d/20.conf", "[Service]\nSupplementaryGroups=high20\n");
	put("low/foo-bar.service.d/50.conf", "[Service]\nSupplementaryGroups=low50\n");
	put("high/foo-.service.d/30.conf", "[Service]\nSupplementaryGroups=prefix30\n");
	put("low/service.d/10.conf", "[Service]\nSupplementaryGroups=type10\n");
	put("high/service.d/20.conf", "[Service]\nSupplementaryGroups=type20\n");
	put("low/foo-bar.service.d/55.conf", "[Service]\nSupplementaryGroups=hidden\n");
	put("high/foo-bar.service.d/55.conf", "");
	put("low/foo-bar.service.d/60.conf", "[Service]\nSupplementaryGroups=masked\n");
	put_link("high/foo-bar.service.d/60.conf", "/dev/null");
	put("high/foo-bar.service.d/ignored", "x\n");
	scan();
	c = get("foo-bar.service");
	{
		static const char *const order[] = {"type10", "high20", "prefix30", "low50"};
		const struct name_list *e = c->exec->supplementary_groups;
		unsigned k = 0;

		for (; e; e = e->next, k++)
			ck_assert_str_eq(e->text, order[k]);
		ck_assert_uint_eq(k, ARRAY_SIZE(order));
	}
	ck_assert_ptr_nonnull(strstr(c->dropins->text, "/low/service.d/10.conf"));
	/* A mask is shown, and that is all; an empty file hides as well. */
	{
		const struct name_list *last = c->dropins;

		while (last->next)
			last = last->next;
		ck_assert_ptr_nonnull(strstr(last->text, "/high/foo-bar.service.d/60.conf"));
	}
	ck_assert(!load_is_stale(&load, c));
	unit_config_free(c);
}
END_TEST

/* Read once for all instances that follow each other, and again when it has changed. */
START_TEST(a_template_is_read_once)
{
	const char *text;

	put("units/t@.service", "[Unit]\nDescription=one %i\n[Service]\nExecStart=/x\n");
	put("units/o@.service", "[Unit]\nDescription=other %i\n[Service]\nExecStart=/x\n");
	scan();
	check_description("t@1.service", "one 1");
	text = load.template.text.text;
	check_description("t@2.service", "one 2");
	ck_assert_ptr_eq(load.template.text.text, text);
	check_description("o@1.service", "other 1");
	check_description("t@3.service", "one 3");
	put("units/t@.service", "[Unit]\nDescription=changed %i\n[Service]\nExecStart=/x\n");
	check_description("t@4.service", "changed 4");
}
END_TEST

/* A scan looks for [Install]; the load after it need not open the file again. */
START_TEST(a_present_file_is_read_once)
{
	put("units/a.service", SERVICE_TEXT("first") "[Install]\nWantedBy=b.target\n");
	put("low/c.service", SERVICE_TEXT("low"));
	load.keeps_texts = true;
	scan();
	put("units/a.service", SERVICE_TEXT("second"));
	put("low/c.service", SERVICE_TEXT("lower"));
	check_description("a.service", "first");
	check_description("c.service", "lower");
	load_forget_texts(&load);
	check_description("a.service", "second");
	scan();
	put("units/a.service", SERVICE_TEXT("third"));
	check_description("a.service", "third");
}
END_TEST

/* Rewriting a file where presence is enablement changes the index only by its [Install]. */
START_TEST(a_changed_install_is_seen)
{
	static const struct {
		const char *text;
		bool is_stale;
	} rows[] = {
		{SERVICE_TEXT("b") "[Install]\nWantedBy=b.target\nWantedBy=c.target\n", false},
		{SERVICE_TEXT("a") "[Install]\nWantedBy=b.target\n", true},
		{SERVICE_TEXT("a") "[Install]\nRequiredBy=b.target\nWantedBy=c.target\n", true},
		{SERVICE_TEXT("a") "[Install]\nWantedBy=b.target c.target\nAlias=x.service\n",
		 true},
		{"", true},
	};
	struct unit_config *c;

	put("units/a.service", SERVICE_TEXT("a") "[Install]\nWantedBy=b.target c.target\n");
	scan();
	c = get("a.service");
	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		put("units/a.service", rows[k].text);
		ck_assert(load_install_is_stale(&load, c) == rows[k].is_stale);
	}
	unit_config_free(c);
}
END_TEST

START_TEST(presence_is_enablement)
{
	struct unit_config *c;

	put("low/x.target", "[Unit]\nDescription=x\n");
	put("units/a.service",
	    SERVICE_TEXT("a") "[Install]\nWantedBy=x.target\nAlias=nick.service\n");
	put("units/b.service", SERVICE_TEXT("b") "[Install]\nRequiredBy=x.target\n");
	put("units/off.service", SERVICE_TEXT("off") "[Install]\nWantedBy=x.target\n");
	put("units/off.service.d/disabled.conf", "[Install]\nWantedBy=\n");
	put("units/t@.service",
	    SERVICE_TEXT("t") "[Install]\nWantedBy=x.target\nDefaultInstance=one\n");
	put("low/elsewhere.service", SERVICE_TEXT("e") "[Install]\nWantedBy=x.target\n");
	put_link("units/linked.service", "/opt/linked.service");
	put("opt/linked.service", SERVICE_TEXT("l") "[Install]\nWantedBy=x.target\n");
	scan();
	c = get("x.target");
	ck_assert(has_dep(c, DEP_WANTS, "a.service") && has_dep(c, DEP_REQUIRES, "b.service"));
	ck_assert(has_dep(c, DEP_WANTS, "t@one.service") &&
		  has_dep(c, DEP_WANTS, "linked.service"));
	ck_assert(!has_dep(c, DEP_WANTS, "off.service") &&
		  !has_dep(c, DEP_WANTS, "elsewhere.service"));
	unit_config_free(c);
	ck_assert_str_eq(load_canonical(&load, "nick.service"), "a.service");
}
END_TEST

START_TEST(staleness)
{
	struct unit_config *c;

	put("low/a.service", SERVICE_TEXT("a"));
	scan();
	c = get("a.service");
	ck_assert(!load_is_stale(&load, c));
	put("low/a.service.d/x.conf", "[Service]\nNice=1\n");
	scan();
	ck_assert(load_is_stale(&load, c));
	unit_config_free(c);
	c = get("a.service");
	ck_assert(!load_is_stale(&load, c));
	put("low/a.service", SERVICE_TEXT("another"));
	ck_assert(load_is_stale(&load, c));
	unit_config_free(c);
}
END_TEST

START_TEST(unreadable_files)
{
	char path[128];
	const void *at = NULL;
	const char *name;
	unsigned n = 0;

	put("low/a.service", SERVICE_TEXT("a"));
	snprintf(path, sizeof(path), "%s/low/fifo.service", top);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/low/dir.service", top);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	scan();
	check_load("fifo.service", LOAD_ERROR);
	check_load("dir.service", LOAD_NOT_FOUND);
	while (load_next_name(&load, &at, &name))
		n++;
	ck_assert_uint_eq(n, 2);
}
END_TEST

/* --- torture --- */

static const char rich[] =
	"[Unit]\nDescription=A %n \\\n# comment\n  B\nAfter=a.service b.service\nRequiresMountsFor=/a /b\n"
	"ConditionPathExists=|!/x\nDocumentation=man:a(1)\n[Service]\nType=notify\nExecStartPre=-/bin/a \"b c\" $D\n"
	"ExecStart=/bin/true %i ${X} 'q' ; \nEnvironment=A=1 'B=2'\nLimitNOFILE=1:2\nSupplementaryGroups=a b\n"
	"CPUAffinity=0-3\nStandardInputText=x\\ny\nStandardInputData=aGFyaw==\nRuntimeDirectory=a b/c\n"
	"SuccessExitStatus=3 TERM\nProtectSystem=full\nBogus=1\nRestart=alway\nBusName=a.b\nSockets=x.socket\n"
	"[Install]\nWantedBy=x.target\nAlias=y.service\n";

/* Nobody forgets the units of a directory that is there and cannot be read: here no descriptor is left. */
START_TEST(unreadable_directories)
{
	struct rlimit full;
	int r;

	put("low/a.service", SERVICE_TEXT("a"));
	put("low/a.service.d/x.conf", "[Unit]\nDescription=x\n");
	scan();
	for (rlim_t spare = 0;; spare++) {
		ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &full), 0);
		r = open("/", O_RDONLY | O_CLOEXEC);
		close(r);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE,
					   &(struct rlimit){(rlim_t)r + spare, full.rlim_max}),
				 0);
		r = load_scan(&load);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &full), 0);
		check_description("a.service", "x");
		if (r == 0)
			break;
		ck_assert_int_eq(r, -EMFILE);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, full.rlim_max}), 0);
	load.skips_unreadable = true;
	r = load_scan(&load);
	load.skips_unreadable = false;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &full), 0);
	ck_assert_int_eq(r, 0);
	check_load("a.service", LOAD_NOT_FOUND);
}
END_TEST

START_TEST(cut_off_at_every_byte)
{
	for (size_t n = 0; n < sizeof(rich); n++) {
		char *copy = malloc(n ? n : 1);
		struct unit_config *c = NULL;

		memcpy(copy, rich, n);
		ck_assert_int_eq(
			load_unit_text(&load, "a@i.service", "t", (struct str){copy, n}, &c), 0);
		unit_config_free(c);
		free(copy);
	}
}
END_TEST

START_TEST(every_allocation_fails_once)
{
	size_t live;

	put("low/a.service", rich);
	put("low/a.service.d/1.conf", "[Service]\nNice=1\n");
	put_link("low/a.service.wants/b.service", "../b.service");
	put_link("low/alias.service", "a.service");
	put("units/u.service",
	    SERVICE_TEXT("u") "[Install]\nWantedBy=a.service\nAlias=v.service\n");
	scan();
	live = mem_stats.live_n;
	for (unsigned k = 1, done = 0; !done; k++) {
		struct unit_config *c = NULL;
		int r;

		mem_stats.fail_at = mem_stats.total_n + k;
		r = load_unit(&load, "alias.service", &c);
		done = mem_stats.total_n < mem_stats.fail_at;
		mem_stats.fail_at = 0;
		ck_assert(r == 0 || r == -ENOMEM);
		/* Only findings may be lost, never what a line says. */
		if (r == 0)
			ck_assert(has_dep(c, DEP_AFTER, "b.service") && c->exec->nice == 1);
		if (r == 0)
			unit_config_free(c);
		ck_assert_uint_eq(mem_stats.live_n, live);
	}
	for (unsigned k = 1, done = 0; !done; k++) {
		int r;

		mem_stats.fail_at = mem_stats.total_n + k;
		r = load_scan(&load);
		done = mem_stats.total_n < mem_stats.fail_at;
		mem_stats.fail_at = 0;
		ck_assert(r == 0 || r == -ENOMEM);
		check_load("a.service", LOAD_LOADED);
	}
	for (unsigned k = 1; k < 8; k++) {
		struct load l;

		mem_stats.fail_at = mem_stats.total_n + k;
		if (load_init(&l, "/a:/b", "/r") == 0)
			load_fini(&l);
		mem_stats.fail_at = 0;
	}
}
END_TEST

/* Every unit file of this machine: no directive is unknown. */
START_TEST(units_of_this_machine)
{
	struct load here;
	const void *at = NULL;
	const char *name;

	ck_assert_int_eq(load_init(&here, "/usr/lib/systemd/system:/lib/systemd/system", ""), 0);
	ck_assert_int_eq(load_scan(&here), 0);
	while (load_next_name(&here, &at, &name)) {
		struct unit_config *c = NULL;

		ck_assert_int_eq(load_unit(&here, name, &c), 0);
		for (const struct diag *d = c->diags.first; d; d = d->next)
			ck_assert_msg(strcmp(d->code, "U001") != 0, "%s: %s", name, d->message);
		unit_config_free(c);
	}
	load_fini(&here);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("load");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, order_of_directories);
	tcase_add_test(tc, default_directories);
	tcase_add_test(tc, nothing_by_itself);
	tcase_add_test(tc, paths_need_their_mounts);
	tcase_add_test(tc, last_value_of_a_variable);
	tcase_add_test(tc, order_of_dropins);
	tcase_add_test(tc, a_template_is_read_once);
	tcase_add_test(tc, a_present_file_is_read_once);
	tcase_add_test(tc, a_changed_install_is_seen);
	tcase_add_test(tc, presence_is_enablement);
	tcase_add_test(tc, staleness);
	tcase_add_test(tc, unreadable_files);
	tcase_add_test(tc, unreadable_directories);
	tcase_add_test(tc, cut_off_at_every_byte);
	tcase_add_test(tc, every_allocation_fails_once);
	tcase_add_test(tc, units_of_this_machine);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
