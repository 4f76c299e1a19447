/* SPDX-License-Identifier: MIT */
/*
 * To load what canonical_write() says gives the same unit: over the texts below, the inputs of tests/golden, the units of this
 * tree and of this machine, and a folder of units named by HARK_CORPUS (not called "units": presence would enable there). Compared is all that `harkctl dump` shows.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "units/canonical.h"
#include "units/dump.h"

static char top[64];

static void setup(void)
{
	strcpy(top, "/tmp/hark-canonical.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
}

static void teardown(void)
{
	ck_assert_int_eq(rmdir(top), 0);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}

static void path_of(const char *name, char out[512])
{
	snprintf(out, 512, "%s/%s", top, name);
}

static void put(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	path_of(name, path);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void drop(const char *name)
{
	char path[512];

	path_of(name, path);
	ck_assert_int_eq(unlink(path), 0);
}

/* All that is known of a unit by itself, without the paths of its files. */
static char *dump(const char *dirs, const char *name)
{
	const struct closure_unit *u;
	struct sbuf all = {0}, out = {0};
	struct str rest, line;
	struct closure g;
	struct load l;

	ck_assert_int_eq(load_init(&l, dirs, ""), 0);
	ck_assert_int_eq(load_scan(&l), 0);
	closure_init(&g, &l);
	u = closure_load(&g, name);
	ck_assert_ptr_nonnull(u);
	ck_assert_int_eq(dump_unit(&g, u, &all), 0);
	rest = (struct str){all.p, all.n};
	while (str_cut(&rest, '\n', &line))
		if (!str_has_prefix(line, STR("\tFragment Path")) &&
		    !str_has_prefix(line, STR("\tDropIn Path")) &&
		    !memmem(line.p, line.n, "destination-", strlen("destination-")))
			sbuf_addf(&out, STR_FMT "\n", STR_ARG(line));
	sbuf_fini(&all);
	closure_fini(&g);
	load_fini(&l);
	return sbuf_take(&out);
}

/* The canonical text; NULL: the unit is not one that loads. */
static char *canonical(const char *dirs, const char *name)
{
	struct unit_config *c = NULL;
	struct sbuf out = {0};
	char *text = NULL;
	struct load l;

	ck_assert_int_eq(load_init(&l, dirs, ""), 0);
	ck_assert_int_eq(load_scan(&l), 0);
	ck_assert_int_eq(load_unit(&l, name, &c), 0);
	if (c->load == LOAD_LOADED && strcmp(c->name, name) == 0) {
		ck_assert_int_eq(canonical_write(c, &out), 0);
		text = sbuf_take(&out);
	}
	unit_config_free(c);
	load_fini(&l);
	return text;
}

/* The same lines; the first that differ are told. */
static void check_same(const char *name, const char *before, const char *after)
{
	struct str a = str_of(before), b = str_of(after), x = {NULL, 0}, y = {NULL, 0};

	while (str_cut(&a, '\n', &x) && str_cut(&b, '\n', &y))
		ck_assert_msg(str_eq(x, y), "%s: " STR_FMT " becomes " STR_FMT, name,
			      STR_ARG(str_sub(x, 0, 300)), STR_ARG(str_sub(y, 0, 300)));
	ck_assert_ptr_eq(a.p, b.p);
}

/* 1 when it was compared. Other units are looked for beside it: aliases and default dependencies are made with them. */
static int check_unit_file(const char *dirs, const char *name)
{
	char both[640];
	char *text = canonical(dirs, name), *before, *after, *again;

	if (!text)
		return 0;
	put(name, text);
	snprintf(both, sizeof(both), "%s:%s", top, dirs);
	again = canonical(top, name);
	after = dump(both, name);
	before = dump(dirs, name);
	drop(name);
	/* Drop-ins are in the text already, and lists would have their items twice. */
	if (!strstr(text, ".d/"))
		check_same(name, before, after);
	ck_assert_ptr_nonnull(again);
	/* Once is enough: the comments name other files, the rest is the same. */
	ck_assert_str_eq(strstr(text, "\n\n") ? strstr(text, "\n\n") : "",
			 strstr(again, "\n\n") ? strstr(again, "\n\n") : "");
	mem_put(before);
	mem_put(after);
	mem_put(again);
	mem_put(text);
	return 1;
}

static int check_folder(const char *dir)
{
	struct dirent *d;
	DIR *folder = opendir(dir);
	int n = 0;

	while (folder && (d = readdir(folder)))
		if (d->d_name[0] != '.' && (d->d_type == DT_REG || d->d_type == DT_LNK) &&
		    unit_type_of(d->d_name) >= 0)
			n += check_unit_file(dir, d->d_name);
	if (folder)
		closedir(folder);
	return n;
}

START_TEST(texts)
{
	static const struct {
		const char *name, *text, *canonical;
	} cases[] = {
		{"a.service",
		 "[Service]\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/true \\\n# c\n  x\n"
		 "[Unit]\nAfter=x.target\nAfter=\nDescription=a\nDescription=b\nBindTo=y.service\n"
		 "ConditionPathExists=/a\nConditionPathExists=\nAssertPathExists=/b\n"
		 "[Service]\nStartLimitInterval=90\nRestart=alway\nRestart=on-failure\nRestart=bad\n"
		 "RemainAfterExit=1\nTimeoutSec=5\nTimeoutStartSec=6\nTimeoutSec=7\nUMask=22\n",
		 "\n\n[Unit]\nAfter=x.target\nDescription=b\nBindsTo=y.service\nAssertPathExists=/b\n"
		 "StartLimitIntervalSec=1min 30s\n\n[Service]\nExecStart=/bin/true    x\n"
		 "Restart=on-failure\nRemainAfterExit=yes\nTimeoutStartSec=6\nTimeoutSec=7\n"
		 "UMask=0022\n"},
		{"b.service",
		 "[Service]\nExecStart=/bin/true\nCapabilityBoundingSet=CAP_CHOWN\nCapabilityBoundingSet=\n"
		 "SystemCallFilter=~@mount\nEnvironment=A=1\nEnvironment=\nEnvironment=\"B=2 3\"\n",
		 "\n\n[Service]\nExecStart=/bin/true\nCapabilityBoundingSet=CAP_CHOWN\n"
		 "CapabilityBoundingSet=\nSystemCallFilter=~@mount\nEnvironment=\"B=2 3\"\n"},
	};
	char dir[96];

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		char *text;

		put(cases[k].name, cases[k].text);
		text = canonical(top, cases[k].name);
		ck_assert_str_eq(strstr(text, "\n\n"), cases[k].canonical);
		mem_put(text);
		snprintf(dir, sizeof(dir), "%s/in", top);
		ck_assert_int_eq(mkdir(dir, 0755), 0);
		drop(cases[k].name);
		strcat(top, "/in");
		put(cases[k].name, cases[k].text);
		*strrchr(top, '/') = '\0';
		ck_assert_int_eq(check_folder(dir), 1);
		strcat(top, "/in");
		drop(cases[k].name);
		*strrchr(top, '/') = '\0';
		ck_assert_int_eq(rmdir(dir), 0);
	}
}
END_TEST

/* What drop-ins and links say is in the one file, without them beside it. */
START_TEST(parts_are_merged)
{
	static const char *const files[][2] = {
		{"a.service", "[Service]\nExecStart=/bin/a\nEnvironment=A=1\nNice=3\n"},
		{"a.service.d/1.conf",
		 "[Service]\nExecStart=\nExecStart=/bin/b %n\nEnvironment=B=2\n"},
		{"service.d/2.conf", "[Unit]\nAfter=all.target\n[Service]\nNice=4\n"},
		{"a.service.requires/b.service", "\n"},
	};
	char path[600], command[600], *merged, *before, *after;

	for (unsigned k = 0; k < ARRAY_SIZE(files); k++) {
		snprintf(command, sizeof(command), "mkdir -p $(dirname %s/in/%s)", top,
			 files[k][0]);
		ck_assert_int_eq(system(command), 0);
		snprintf(path, sizeof(path), "in/%s", files[k][0]);
		put(path, files[k][1]);
	}
	snprintf(path, sizeof(path), "%s/in", top);
	merged = canonical(path, "a.service");
	before = dump(path, "a.service");
	put("a.service", merged);
	after = dump(top, "a.service");
	check_same("a.service", before, after);
	ck_assert_ptr_nonnull(strstr(after, "Command Line: /bin/b a.service"));
	ck_assert_ptr_nonnull(strstr(after, "Requires: b.service"));
	ck_assert_ptr_null(strstr(merged, "Nice=3"));
	snprintf(command, sizeof(command), "rm -r %s/in %s/a.service", top, top);
	ck_assert_int_eq(system(command), 0);
	mem_put(merged);
	mem_put(before);
	mem_put(after);
}
END_TEST

/* Time goes with the lines, not with their square. */
START_TEST(many_lines)
{
	enum { LINES = 100000 };
	struct sbuf text = {0};
	char *whole;

	sbuf_add_z(&text, "[Service]\nType=oneshot\nExecStart=/bin/true\n");
	for (unsigned k = 0; k < LINES; k++)
		sbuf_addf(&text, "Environment=A=%u\n%s", k, k == LINES / 2 ? "Environment=\n" : "");
	ck_assert_int_eq(text.err, 0);
	put("long.service", text.p);
	whole = canonical(top, "long.service");
	ck_assert_ptr_nonnull(strstr(whole, "A=99999"));
	ck_assert_ptr_null(strstr(whole, "A=50000"));
	drop("long.service");
	mem_put(whole);
	sbuf_fini(&text);
}
END_TEST

START_TEST(units_of_ours)
{
	static const char golden[] = HARK_SOURCE_DIR "/tests/golden";
	char dir[512];
	struct dirent *d;
	DIR *folder = opendir(golden);
	int n = 0;

	while (folder && (d = readdir(folder))) {
		snprintf(dir, sizeof(dir), "%s/%s/lib", golden, d->d_name);
		n += d->d_name[0] == '.' ? 0 : check_folder(dir);
	}
	if (folder) {
		closedir(folder);
		ck_assert_int_gt(n, 50);
		ck_assert_int_gt(check_folder(HARK_SOURCE_DIR "/units"), 20);
		ck_assert_int_gt(check_folder(HARK_SOURCE_DIR "/tests/oracle/grammar"), 20);
	}
}
END_TEST

START_TEST(units_of_others)
{
	int n = check_folder("/lib/systemd/system") + check_folder("/usr/lib/hark/units");

	if (getenv("HARK_CORPUS"))
		n += check_folder(getenv("HARK_CORPUS"));
	printf("%d units of this machine\nrows: D+4\n", n);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("canonical");
	TCase *tc = tcase_create("all"), *quick = tcase_create("quick");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, texts);
	tcase_add_test(tc, parts_are_merged);
	tcase_add_test(tc, units_of_ours);
	tcase_add_test(tc, units_of_others);
	suite_add_tcase(s, tc);
	tcase_set_timeout(quick, 20);
	tcase_add_checked_fixture(quick, setup, teardown);
	tcase_add_test(quick, many_lines);
	suite_add_tcase(s, quick);
	return suite_run(s);
}
