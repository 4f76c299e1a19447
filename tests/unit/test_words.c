/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"
#include "units/words.h"

enum { COMMAND = WORDS_UNQUOTE | WORDS_CUNESCAPE };

/* All words of text with '|' behind each; "!AT" at the end for an error at that place of what was left. */
static const char *split(const char *text, unsigned flags)
{
	static char out[512];
	struct str rest = str_of(text);
	struct arena arena = {0};
	size_t n = 0;
	size_t at;
	char *word;
	int r;

	out[0] = '\0';
	while ((r = words_next(&rest, flags, &arena, &word, &at)) > 0)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s|", word);
	if (r < 0)
		snprintf(out + n, sizeof(out) - n, "!%zu", at);
	arena_fini(&arena);
	return out;
}

/* systemd.syntax(7) "Quoting", systemd.service(5) "Command lines"; the last group was told by systemd-tmpfiles 252. */
START_TEST(quoting_rules)
{
	static const struct {
		const char *text;
		unsigned flags;
		const char *words;
	} rows[] = {
		{"", COMMAND, ""},
		{" \t\r\n ", COMMAND, ""},
		{"/bin/echo one two", COMMAND, "/bin/echo|one|two|"},
		{"  a\t\tb  ", COMMAND, "a|b|"},
		{"'two words' \"two words\"", COMMAND, "two words|two words|"},
		{"\"'single' in double\" '\"double\" in single'", COMMAND,
		 "'single' in double|\"double\" in single|"},
		{"'' a \"\"", COMMAND, "|a||"},
		{"a;b ; c", COMMAND, "a;b|;|c|"},
		{"$(x) `y` *.c > /dev/null | tac &", COMMAND, "$(x)|`y`|*.c|>|/dev/null|||tac|&|"},
		{"\\a\\b\\f\\n\\r\\t\\v", COMMAND, "\a\b\f\n\r\t\v|"},
		{"a\\sb \\\\ \\\" \\'", COMMAND, "a b|\\|\"|'|"},
		{"\\x41\\101\\u00e9\\U0001F600", COMMAND, "AA\xc3\xa9\xf0\x9f\x98\x80|"},
		{"\\u0041\\u07ff\\u0800\\uffff", COMMAND, "A\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf|"},
		{"'it\\'s' \"a\\\"b\"", COMMAND, "it's|a\"b|"},
		{"'a\\x20b'", COMMAND, "a b|"},
		/* refused */
		{"a 'b c", COMMAND, "a|!1"},
		{"\"", COMMAND, "!0"},
		{"a\\q", COMMAND, "!1"},
		{"a\\ b", COMMAND, "!1"},
		{"a\\", COMMAND, "!1"},
		{"\\x4", COMMAND, "!0"},
		{"\\xzz", COMMAND, "!0"},
		{"\\x00", COMMAND, "!0"},
		{"\\000", COMMAND, "!0"},
		{"\\18a", COMMAND, "!0"},
		{"\\400", COMMAND, "!0"},
		{"\\ud800", COMMAND, "!0"},
		{"\\U00110000", COMMAND, "!0"},
		{"\\u12", COMMAND, "!0"},
		/* unknown escapes stay */
		{"a\\qb \\", COMMAND | WORDS_RELAX, "a\\qb|\\|"},
		{"a\\ b\\x2", COMMAND | WORDS_RELAX, "a\\ b\\x2|"},
		/* without one or the other */
		{"a\\x2d 'b c'", WORDS_UNQUOTE, "a\\x2d|b c|"},
		{"'a b' \\x41", 0, "'a|b'|\\x41|"},
		{"'a\\tb c'", WORDS_CUNESCAPE, "'a\tb|c'|"},
		/* quotes within a word */
		{"x'y z'", COMMAND, "xy z|"},
		{"\"a b\"c d", COMMAND, "a bc|d|"},
		{"FOO=\"a b\"'c d'", COMMAND, "FOO=a bc d|"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_str_eq(split(rows[i].text, rows[i].flags), rows[i].words);
}
END_TEST

START_TEST(places)
{
	struct str rest = STR("  ab 'c'  ");
	struct arena arena = {0};
	size_t at;
	char *word;

	ck_assert_int_eq(words_next(&rest, COMMAND, &arena, &word, &at), 1);
	ck_assert_uint_eq(at, 2);
	ck_assert_int_eq(words_next(&rest, COMMAND, &arena, &word, &at), 1);
	ck_assert_uint_eq(at, 1);
	ck_assert_int_eq(words_next(&rest, COMMAND, &arena, &word, &at), 0);
	ck_assert_int_eq(words_next(&rest, COMMAND, &arena, &word, &at), 0);
	rest = STR("a\\q");
	ck_assert_int_eq(words_next(&rest, COMMAND, &arena, &word, &at), -EINVAL);
	ck_assert_uint_eq(rest.n, 3); /* not touched: the caller may try again with other flags */
	rest = (struct str){NULL, 0};
	ck_assert_int_eq(words_next(&rest, COMMAND, &arena, &word, &at), 0);
	arena_fini(&arena);
}
END_TEST

START_TEST(every_prefix)
{
	static const char text[] =
		"/bin/x 'a b' \"c\\\"d\" \\x41\\101\\u00e9\\U0001F600 ${A} $B $$ e'f'g \\s";

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		for (unsigned flags = 0; flags < 8; flags++) {
			char *copy = malloc(cut ? cut : 1);
			struct str rest = {copy, cut};
			struct arena arena = {0};
			char *word;
			size_t at = 0;
			int r;

			memcpy(copy, text, cut);
			do {
				size_t left = rest.n;

				r = words_next(&rest, flags, &arena, &word, &at);
				ck_assert(r == 0 || r == 1 || r == -EINVAL);
				ck_assert(r != 1 || (rest.n < left && at < left));
				ck_assert(r != -EINVAL || at < left);
			} while (r > 0);
			arena_fini(&arena);
			free(copy);
		}
	}
}
END_TEST

/* A word written as \xNN throughout is read back, whatever its bytes. */
START_TEST(escaped_bytes_come_back)
{
	srandom(3);
	for (int round = 0; round < 5000; round++) {
		struct arena arena = {0};
		char text[40 * 4 + 1];
		char bytes[41] = "";
		size_t n = (size_t)random() % 40 + 1;
		struct str rest;
		char *word;
		size_t at;

		for (size_t i = 0; i < n; i++) {
			bytes[i] = (char)(random() % 255 + 1);
			snprintf(text + 4 * i, 5, random() % 2 ? "\\x%02x" : "\\%03o",
				 (unsigned char)bytes[i]);
		}
		/* Octal ends at \377, which every byte fits. */
		rest = str_of(text);
		ck_assert_int_eq(words_next(&rest, COMMAND, &arena, &word, &at), 1);
		ck_assert_str_eq(word, bytes);
		ck_assert_uint_eq(rest.n, 0);
		arena_fini(&arena);
	}
}
END_TEST

static const char *lookup(void *arg, struct str name)
{
	static const char *const vars[][2] = {
		{"ONE", "one"},       {"TWO", "'two two' too"}, {"THREE", ""},
		{"PLAIN", "two two"}, {"OPEN", "it's a"},       {"D", "$ONE"},
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		if (str_eq_z(name, vars[i][0]))
			return vars[i][1];
	return NULL;
}

START_TEST(variables)
{
	static const struct {
		const char *in[5], *out[8];
	} rows[] = {
		/* the examples of systemd.service(5) */
		{{"echo", "$ONE", "$PLAIN", "${PLAIN}"}, {"echo", "one", "two", "two", "two two"}},
		{{"/bin/echo", "${ONE}", "${TWO}", "${THREE}"},
		 {"/bin/echo", "one", "'two two' too", ""}},
		{{"/bin/echo", "$ONE", "$TWO", "$THREE"}, {"/bin/echo", "one", "two two", "too"}},
		{{"a", "$$ONE", "$$", "a$$b"}, {"a", "$ONE", "$", "a$b"}},
		{{"a", "$NONE", "${NONE}", "x${NONE}y"}, {"a", "", "xy"}},
		{{"a", "<${ONE}${ONE}>", "b$ONE", "$ONE/c"}, {"a", "<oneone>", "b$ONE", "$ONE/c"}},
		{{"a", "$", "a$", "${ONE"}, {"a", "$", "a$", "${ONE"}},
		{{"a", "$OPEN", "${D}", "$D"}, {"a", "it's", "a", "$ONE", "$ONE"}},
		{{"a", "$5", "${}", "$-"}, {"a", "$5", "", "$-"}},
		{{NULL}, {NULL}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arena arena = {0};
		const char **argv;
		uint32_t argc;
		uint32_t n = 0;

		ck_assert_int_eq(words_expand(rows[i].in, lookup, NULL, &arena, &argv, &argc), 0);
		for (; rows[i].out[n]; n++) {
			ck_assert_uint_lt(n, argc);
			ck_assert_str_eq(argv[n], rows[i].out[n]);
		}
		ck_assert_uint_eq(argc, n);
		ck_assert_ptr_null(argv[argc]);
		arena_fini(&arena);
	}
}
END_TEST

START_TEST(many_arguments)
{
	const char *argv[200] = {NULL};
	struct arena arena = {0};
	const char **out;
	uint32_t argc;

	for (size_t i = 0; i < 199; i++)
		argv[i] = "$PLAIN";
	ck_assert_int_eq(words_expand(argv, lookup, NULL, &arena, &out, &argc), 0);
	ck_assert_uint_eq(argc, 398);
	ck_assert_ptr_null(out[398]);
	arena_fini(&arena);
}
END_TEST

struct record {
	char text[512];
	int fail;
};

static int note(void *arg, struct str name, struct str value)
{
	struct record *r = arg;
	size_t n = strlen(r->text);

	snprintf(r->text + n, sizeof(r->text) - n, "%.*s=%.*s|", STR_ARG(name), STR_ARG(value));
	return r->fail;
}

START_TEST(environment_files)
{
	static const struct {
		const char *text, *out;
	} rows[] = {
		{"", ""},
		{"A=1\nB=2\n", "A=1|B=2|"},
		{"A=1", "A=1|"},
		{"A=", "A=|"},
		{"# A=1\n; B=2\n  # C\nD=3\n", "D=3|"},
		{"  A  =  x y  \n", "A=x y|"},
		{"A=x#y ;z\n", "A=x#y ;z|"},
		{"nothing\nA=1\n", "A=1|"},
		{"=x\n1A=x\nA B=x\nexport C=x\n", ""},
		{"A='it is $X \\n'\n", "A=it is $X \\n|"},
		{"A=\"a \\\" \\\\ \\$ \\` \\n\"\n", "A=a \" \\ $ ` \\n|"},
		{"A='two\nlines'\nB=x\n", "A=two\nlines|B=x|"},
		{"A=\"one\\\ntwo\"\n", "A=onetwo|"},
		{"A=one\\\n two\n", "A=one two|"},
		{"A=a\\ \\b\n", "A=a b|"},
		{"A=\"a\"'b' c\n", "A=abc|"},
		{"A=a\"b\"\n", "A=a\"b\"|"},
		{"A=\"open", "A=open|"},
		{"A='", "A=|"},
		{"A=x\\", "A=x|"},
		{"A=1\r\nB=2\r\n", "A=1|B=2|"},
		{"#c\\\nA=1\nB=2\n", "B=2|"},
		{"A=\xc3\xa9\n", "A=\xc3\xa9|"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arena arena = {0};
		struct record r = {"", 0};

		ck_assert_int_eq(words_env_file(str_of(rows[i].text), &arena, note, &r), 0);
		ck_assert_str_eq(r.text, rows[i].out);
		arena_fini(&arena);
	}
}
END_TEST

START_TEST(environment_file_errors)
{
	struct arena arena = {0};
	struct record r = {"", -ENOMEM};

	ck_assert_int_eq(words_env_file(STR("A=1\nB=2\n"), &arena, note, &r), -ENOMEM);
	ck_assert_str_eq(r.text, "A=1|");
	r = (struct record){"", 0};
	ck_assert_int_eq(words_env_file((struct str){"A=1\0002\nB=2\n", 10}, &arena, note, &r), 0);
	ck_assert_str_eq(r.text, "B=2|");
	arena_fini(&arena);
}
END_TEST

START_TEST(names)
{
	ck_assert(words_env_name_is_valid(STR("A_1")));
	ck_assert(words_env_name_is_valid(STR("_")));
	ck_assert(!words_env_name_is_valid(STR("")));
	ck_assert(!words_env_name_is_valid(STR("1A")));
	ck_assert(!words_env_name_is_valid(STR("A-B")));
	ck_assert(!words_env_name_is_valid(STR("A=")));
}
END_TEST

/* Whichever allocation fails, the answer is -ENOMEM and nothing stays behind. */
START_TEST(no_memory)
{
	static const char *const argv[] = {"a", "$PLAIN", "<${ONE}>", "$TWO", NULL};
	bool done = false;

	for (uint64_t at = 1; !done; at++) {
		struct str rest = STR("word 'and another'");
		struct record record = {"", 0};
		struct arena arena = {0};
		const char **out;
		uint32_t argc;
		size_t place;
		char *word;
		int r;

		mem_stats = (struct mem_stats){
			.live_n = mem_stats.live_n, .fail_at = at, .fail_persists = true};
		do
			r = words_next(&rest, COMMAND, &arena, &word, &place);
		while (r > 0);
		if (r == 0)
			r = words_expand(argv, lookup, NULL, &arena, &out, &argc);
		if (r == 0)
			r = words_env_file(STR("A=1\n"), &arena, note, &record);
		ck_assert(r == 0 || r == -ENOMEM);
		done = r == 0;
		arena_fini(&arena);
		ck_assert_uint_eq(mem_stats.live_n, 0);
		ck_assert_uint_lt(at, 100);
	}
	mem_stats.fail_at = 0;
}
END_TEST

int main(void)
{
	Suite *s = suite_create("words");
	TCase *tc = tcase_create("core");
	int failed;

	tcase_add_test(tc, quoting_rules);
	tcase_add_test(tc, places);
	tcase_add_test(tc, every_prefix);
	tcase_add_test(tc, escaped_bytes_come_back);
	tcase_add_test(tc, variables);
	tcase_add_test(tc, many_arguments);
	tcase_add_test(tc, environment_files);
	tcase_add_test(tc, environment_file_errors);
	tcase_add_test(tc, names);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(s, tc);
	failed = suite_run(s);
	if (!failed)
		puts("rows: E18");
	return failed != 0;
}
