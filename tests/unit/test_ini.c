/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"
#include "units/ini.h"

static const char *const kind_names[INI_KINDS] = {
	[INI_END] = "end",
	[INI_SECTION] = "section",
	[INI_ASSIGNMENT] = "set",
	[INI_BAD_HEADER] = "bad-header",
	[INI_NO_EQUALS] = "no-equals",
	[INI_NO_KEY] = "no-key",
	[INI_NO_SECTION] = "no-section",
	[INI_NUL] = "nul",
	[INI_TOO_LONG] = "too-long",
};

/* All items of a text in words: "kind line:col [section] key=value@line:col;" */
static char *dump(struct str text)
{
	struct arena arena = {0};
	struct sbuf out = {0};
	struct ini_item item;
	struct ini ini;
	uint32_t line, col;
	int kind;

	ini_init(&ini, text, &arena);
	while ((kind = ini_next(&ini, &item)) > INI_END) {
		sbuf_addf(&out, "%s %u:%u", kind_names[kind], item.line, item.col);
		if (kind == INI_SECTION)
			sbuf_addf(&out, " " STR_FMT, STR_ARG(item.section));
		if (kind == INI_ASSIGNMENT) {
			ini_locate(&ini, &item, 0, &line, &col);
			sbuf_addf(&out, " " STR_FMT "." STR_FMT "=" STR_FMT "@%u:%u%s",
				  STR_ARG(item.section), STR_ARG(item.key), STR_ARG(item.value),
				  line, col, item.is_utf8 ? "" : "!");
		}
		sbuf_add_c(&out, ';');
	}
	arena_fini(&arena);
	sbuf_add_c(&out, '\n');
	return sbuf_take(&out);
}

static const struct {
	struct str text;
	const char *golden;
} goldens[] = {
	{STR(""), ""},
	{STR("\n\n  \n# a\n; b\n"), ""},
	{STR("[A]\nk=v\n"), "section 1:1 A;set 2:1 A.k=v@2:3;"},
	{STR("[A]\nk=v"), "section 1:1 A;set 2:1 A.k=v@2:3;"},
	{STR("\xef\xbb\xbf[A]\r\n k = v w \r\n"), "section 1:1 A;set 2:2 A.k=v w@2:6;"},
	{STR("[A]\nk=a \\\n   b \\\n# comment\n; another\n\tc\nl=d\n"),
	 "section 1:1 A;set 2:1 A.k=a     b  \tc@2:3;set 7:1 A.l=d@7:3;"},
	{STR("[A]\nk=a\\\\\nl=b\n"), "section 1:1 A;set 2:1 A.k=a\\\\@2:3;set 3:1 A.l=b@3:3;"},
	{STR("[A]\nk=a\\"), "section 1:1 A;set 2:1 A.k=a@2:3;"},
	{STR("[A]\nk=\\\n  b\n"), "section 1:1 A;set 2:1 A.k=b@3:3;"},
	{STR("[A]\nk=a\\\n\nl=b\n"), "section 1:1 A;set 2:1 A.k=a@2:3;set 4:1 A.l=b@4:3;"},
	{STR("[A]\n\\\n\nl=b\n"), "section 1:1 A;set 4:1 A.l=b@4:3;"},
	{STR("[A]\nk=\n"), "section 1:1 A;set 2:1 A.k=@2:3;"},
	{STR("[A]\nk=a=b # c\n"), "section 1:1 A;set 2:1 A.k=a=b # c@2:3;"},
	{STR("k=v\n[A\nl=w\n"), "no-section 1:1;bad-header 2:1;no-section 3:1;"},
	{STR("[A]\nhello\n=v\n"), "section 1:1 A;no-equals 2:1;no-key 3:1;"},
	{STR("[A]\nk=a\0b\nl=c\n"), "section 1:1 A;nul 2:1;set 3:1 A.l=c@3:3;"},
	{STR("[A]\nk=\xff\nl=\xc3\xa4\nm=\xc0\x80\n"),
	 "section 1:1 A;set 2:1 A.k=\xff@2:3!;set 3:1 A.l=\xc3\xa4@3:3;set 4:1 A.m=\xc0\x80@4:3!;"},
};

START_TEST(golden)
{
	char *text = dump(goldens[_i].text);

	ck_assert_ptr_nonnull(text);
	text[strlen(text) - 1] = '\0';
	ck_assert_str_eq(text, goldens[_i].golden);
	mem_put(text);
}
END_TEST

START_TEST(places_in_joined_values)
{
	struct arena arena = {0};
	struct ini_item item;
	struct ini ini;
	uint32_t line, col;

	ini_init(&ini, STR("[A]\nk=ab \\\n# no\n  cd\n"), &arena);
	ck_assert_int_eq(ini_next(&ini, &item), INI_SECTION);
	ck_assert_int_eq(ini_next(&ini, &item), INI_ASSIGNMENT);
	ck_assert(str_eq_z(item.value, "ab    cd"));
	ini_locate(&ini, &item, 1, &line, &col);
	ck_assert_uint_eq(line, 2);
	ck_assert_uint_eq(col, 4);
	ini_locate(&ini, &item, 6, &line, &col);
	ck_assert_uint_eq(line, 4);
	ck_assert_uint_eq(col, 3);
	arena_fini(&arena);
}
END_TEST

START_TEST(too_long_a_line)
{
	size_t n = INI_LINE_MAX + 16;
	char *text = malloc(n);
	char *out;

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', n);
	memcpy(text, "[A]\nk=", 6);
	memcpy(text + n - 5, "\nl=w\n", 5);
	/* once as one line, once of two that are joined */
	for (int joined = 0; joined < 2; joined++) {
		if (joined)
			memcpy(text + 100, "\\\n", 2);
		out = dump((struct str){text, n});
		ck_assert_ptr_nonnull(out);
		if (!joined)
			ck_assert_str_eq(out, "section 1:1 A;too-long 2:1;set 3:1 A.l=w@3:3;\n");
		mem_put(out);
	}
	free(text);
}
END_TEST

START_TEST(cut_off_anywhere)
{
	for (size_t k = 0; k < ARRAY_SIZE(goldens); k++)
		for (size_t n = 0; n <= goldens[k].text.n; n++) {
			char *copy = malloc(n ? n : 1);
			char *out;

			memcpy(copy, goldens[k].text.p, n);
			out = dump((struct str){copy, n});
			ck_assert_ptr_nonnull(out);
			mem_put(out);
			free(copy);
		}
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

START_TEST(without_memory)
{
	struct arena arena = {0};
	struct ini_item item;
	struct ini ini;

	ini_init(&ini, STR("[A]\nk=a\\\nb\n"), &arena);
	ck_assert_int_eq(ini_next(&ini, &item), INI_SECTION);
	mem_stats.fail_at = mem_stats.total_n + 1;
	ck_assert_int_eq(ini_next(&ini, &item), -ENOMEM);
	mem_stats.fail_at = 0;
	arena_fini(&arena);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ini");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, golden, 0, (int)ARRAY_SIZE(goldens));
	tcase_add_test(tc, places_in_joined_values);
	tcase_add_test(tc, too_long_a_line);
	tcase_add_test(tc, cut_off_anywhere);
	tcase_add_test(tc, without_memory);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
