/* SPDX-License-Identifier: MIT */
/*
 * Every code of codes.def has a folder tests/golden/CODE: a small system (lib/ has its units) and what harkctl verify says
 * about it in each form: text, json, gcc. HARK_WRITE_GOLDEN=1 writes these files anew.
 */
#include <assert.h>
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "ctl/verify.h"
#include "suite.h"
#include "units/codes.h"
#include "units/ini.h"

#define GOLDEN HARK_SOURCE_DIR "/tests/golden"

static_assert(CODES >= 60, "the language of findings is no smaller");

static const char *const forms[] = {"text", "json", "gcc"};

static char *read_all(const char *path)
{
	char *text = NULL;
	size_t n;

	return fd_read_file(AT_FDCWD, path, 1 << 20, &text, &n) == 0 ? text : NULL;
}

static void write_all(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

/* The one input that is too large to be kept. */
static void make_long_line(void)
{
	char dir[] = "/tmp/hark-golden.XXXXXX";
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(mkdir("lib", 0755), 0);
	f = fopen("lib/a.service", "we");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "[Service]\nExecStart=/bin/true %*s\n", INI_LINE_MAX, "x");
	fclose(f);
}

static void remove_long_line(void)
{
	char dir[64];

	ck_assert_ptr_nonnull(getcwd(dir, sizeof(dir)));
	ck_assert_int_eq(unlink("lib/a.service"), 0);
	ck_assert_int_eq(rmdir("lib"), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* What is said about the system in the present directory; args: names, one a line, or NULL. Owned by the caller. */
static char *verify(const char *form, char *args)
{
	const char *words[16];
	struct question q = {.verb = &verbs[VERB_VERIFY], .args = words};
	struct screen s = {.verb = q.verb};

	for (char *word = args ? strtok(args, "\n") : NULL; word; word = strtok(NULL, "\n"))
		words[q.args_n++] = word;
	q.options[OPT_ROOT] = ".";
	q.options[OPT_UNIT_PATH] = "/lib";
	q.options[OPT_OUTPUT] = form;
	ck_assert_int_ne(verify_units(&s, &q), 1);
	ck_assert_uint_eq(s.errors.n, 0);
	return sbuf_take(&s.paint.out);
}

START_TEST(every_code_has_its_golden_files)
{
	const char *code = codes[_i].code;
	bool is_long = _i == CODE_LINE_TOO_LONG;
	char path[512];

	snprintf(path, sizeof(path), GOLDEN "/%s", code);
	if (is_long)
		make_long_line();
	else
		ck_assert_msg(chdir(path) == 0, "%s has no folder in tests/golden", code);
	for (unsigned k = 0; k < ARRAY_SIZE(forms); k++) {
		char *args = read_all("args");
		char *said = verify(forms[k], args);
		char *golden;

		snprintf(path, sizeof(path), GOLDEN "/%s/%s", code, forms[k]);
		if (getenv("HARK_WRITE_GOLDEN"))
			write_all(path, said);
		golden = read_all(path);
		ck_assert_msg(golden, "%s is missing", path);
		ck_assert_msg(strstr(said, code), "%s is not said: %s", code, said);
		ck_assert_str_eq(said, golden);
		mem_put(golden);
		mem_put(said);
		mem_put(args);
	}
	if (is_long)
		remove_long_line();
}
END_TEST

/* Short of memory it says so, or what it always says; nothing is left over. */
START_TEST(every_allocation_fails_once)
{
	struct question q = {.verb = &verbs[VERB_VERIFY]};
	size_t live = mem_stats.live_n;
	uint64_t first, all;

	ck_assert_int_eq(chdir(GOLDEN "/W112"), 0);
	q.options[OPT_ROOT] = ".";
	q.options[OPT_UNIT_PATH] = "/lib";
	first = mem_stats.total_n;
	mem_put(verify("text", NULL));
	all = mem_stats.total_n - first;
	ck_assert_uint_gt(all, 20);
	for (uint64_t at = 1; at <= all; at++) {
		struct screen s = {.verb = q.verb};
		int status;

		mem_stats.fail_at = mem_stats.total_n + at;
		status = verify_units(&s, &q);
		mem_stats.fail_at = 0;
		ck_assert_msg(status == 0 || status == 1, "allocation %llu: %d",
			      (unsigned long long)at, status);
		paint_fini(&s.paint);
		sbuf_fini(&s.errors);
		ck_assert_uint_eq(mem_stats.live_n, live);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("golden");
	TCase *t = tcase_create("golden");

	/* Another user may not be let into the checkout. */
	if (access(GOLDEN, X_OK) == 0) {
		tcase_add_loop_test(t, every_code_has_its_golden_files, 0, CODES);
		tcase_add_test(t, every_allocation_fails_once);
	}
	suite_add_tcase(s, t);
	return suite_run(s);
}
