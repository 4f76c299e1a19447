/* SPDX-License-Identifier: MIT */
#include "ctl/verb.h"

#include <check.h>
#include <stdlib.h>

#include "ctl/call.h"
#include "ctl/rows.h"
#include "ctl/screen.h"
#include "suite.h"

static struct wire_out out;
static struct wire_in in;

static void receive(void)
{
	memcpy(in.bytes, out.bytes, out.w.n);
	ck_assert_int_eq(wire_parse(&in, out.w.n), 0);
}

static int decode(struct request *q, const char **why)
{
	receive();
	return request_decode(&in, q, why);
}

START_TEST(every_verb_is_whole)
{
	for (unsigned i = 0; i < VERBS; i++) {
		const struct verb *v = &verbs[i];
		bool makes_text = i == VERB_HELP || i == VERB_VERSION || i == VERB_COMPLETION ||
				  i == VERB_DUMP || i == VERB_NEW || i == VERB_RUN ||
				  i == VERB_VERIFY;
		bool is_local = makes_text || (i >= VERB_EDIT && i <= VERB_LIST_UNIT_FILES);

		ck_assert_uint_eq(v->id, i);
		ck_assert_uint_gt(strlen(v->help), 10);
		ck_assert_ptr_eq(verb_find(v->word), v);
		ck_assert(is_local == !call_handlers[i]);
		ck_assert(makes_text == !screens[i]);
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(verbs[k].word, v->word);
	}
}
END_TEST

START_TEST(every_alias_leads_to_its_verb)
{
	const struct verb_alias *alias;
	unsigned i = 0;

	for (; (alias = verb_alias(i)); i++)
		ck_assert_ptr_eq(verb_find(alias->word), &verbs[alias->id]);
	ck_assert_uint_gt(i, 3);
	ck_assert_ptr_null(verb_find("frobnicate"));
	ck_assert_str_eq(verb_suggest("statsu")->word, "status");
	ck_assert_ptr_null(verb_suggest("frobnicate"));
}
END_TEST

START_TEST(every_option_is_whole)
{
	for (unsigned i = 0; i < OPTIONS; i++) {
		ck_assert_uint_eq(verb_option(str_of(verb_options[i].word)), i);
		ck_assert_uint_gt(strlen(verb_options[i].help), 5);
		for (unsigned k = 0; k < i && verb_options[i].letter; k++)
			ck_assert_int_ne(verb_options[k].letter, verb_options[i].letter);
	}
	ck_assert_uint_eq(verb_option(STR("nothing")), OPTIONS);
}
END_TEST

START_TEST(a_request_is_taken_apart)
{
	struct request q;
	const char *why;

	wire_begin(&out, FRAME_REQUEST, 7);
	ck_assert(wire_put(&out, TAG_VERB, STR("kill")));
	ck_assert(wire_put(&out, TAG_OPTION, STR("signal=HUP")));
	ck_assert(wire_put(&out, TAG_ARG, STR("a.service")));
	ck_assert(wire_put(&out, TAG_OPTION, STR("quiet")));
	ck_assert(wire_put(&out, TAG_ARG, STR("")));
	ck_assert_int_eq(decode(&q, &why), 0);
	ck_assert_uint_eq(q.verb->id, VERB_KILL);
	ck_assert_uint_eq(q.args_n, 2);
	ck_assert_str_eq(q.args[0], "a.service");
	ck_assert_str_eq(q.args[1], "");
	ck_assert_str_eq(q.options[OPT_SIGNAL], "HUP");
	ck_assert_str_eq(q.options[OPT_QUIET], "");
	ck_assert_ptr_null(q.options[OPT_ALL]);
	request_fini(&q);
}
END_TEST

static const struct {
	uint16_t kind;
	uint16_t tags[3];
	const char *values[3];
	size_t lengths[3]; /* 0: strlen */
	int expected;
} mistakes[] = {
	{FRAME_PAGE, {TAG_VERB}, {"list"}, {0}, -EBADMSG},
	{FRAME_REQUEST, {TAG_ARG}, {"list"}, {0}, -EBADMSG},
	{FRAME_REQUEST, {TAG_VERB, TAG_VERB}, {"list", "list"}, {0}, -EBADMSG},
	{FRAME_REQUEST, {TAG_VERB, TAG_ARG}, {"why", "a\0b"}, {0, 3}, -EBADMSG},
	{FRAME_REQUEST, {TAG_VERB}, {"frobnicate"}, {0}, -EINVAL},
	{FRAME_REQUEST, {TAG_VERB}, {"start"}, {0}, -EINVAL},
	{FRAME_REQUEST, {TAG_VERB, TAG_ARG}, {"jobs", "x"}, {0}, -EINVAL},
	{FRAME_REQUEST, {TAG_VERB, TAG_ARG}, {"cancel", "x"}, {0}, -EINVAL},
	{FRAME_REQUEST, {TAG_VERB, TAG_OPTION}, {"list", "nothing"}, {0}, -EINVAL},
	{FRAME_REQUEST, {TAG_VERB, TAG_OPTION}, {"list", "type"}, {0}, -EINVAL},
};

START_TEST(mistakes_are_told_apart)
{
	struct request q;
	const char *why;

	wire_begin(&out, mistakes[_i].kind, 1);
	for (unsigned k = 0; k < 3 && mistakes[_i].values[k]; k++) {
		size_t n = mistakes[_i].lengths[k] ? mistakes[_i].lengths[k]
						   : strlen(mistakes[_i].values[k]);

		ck_assert(wire_put(&out, mistakes[_i].tags[k],
				   (struct str){mistakes[_i].values[k], n}));
	}
	ck_assert_int_eq(decode(&q, &why), mistakes[_i].expected);
	ck_assert((why != NULL) == (mistakes[_i].expected == -EINVAL));
}
END_TEST

START_TEST(too_many_arguments)
{
	struct request q;
	const char *why;

	wire_begin(&out, FRAME_REQUEST, 1);
	ck_assert(wire_put(&out, TAG_VERB, STR("status")));
	for (unsigned i = 0; i <= REQUEST_ARGS; i++)
		ck_assert(wire_put(&out, TAG_ARG, STR("a")));
	ck_assert_int_eq(decode(&q, &why), -EINVAL);
}
END_TEST

/* What was put into a reply comes out of the frames as the same rows, however long a text is. */
START_TEST(rows_survive_the_wire)
{
	struct reply reply = {0};
	struct rows rows;
	unsigned frames = 0, complete = 0;
	char big[40000];
	struct str item;
	unsigned at = 0;

	memset(big, 'x', sizeof(big));
	rows_init(&rows);
	reply_row(&reply, "unit");
	reply_text_z(&reply, "unit", "a.service");
	reply_text_z(&reply, "nothing", NULL);
	reply_value(&reply, TAG_SPAN, "took", 12);
	reply_text(&reply, "big", (struct str){big, sizeof(big)});
	reply_item(&reply, "after", "b.service");
	reply_item(&reply, "after", "c.service");
	reply_textf(&reply, "pid", "%d", 42);
	reply_row_end(&reply);
	ck_assert_int_eq(reply.out.err, 0);
	while (reply_left(&reply)) {
		struct str value;
		uint16_t tag;
		size_t sent;

		wire_begin(&out, FRAME_PAGE, 1);
		reply_fill(&reply, &out, &sent);
		ck_assert_uint_gt(sent, reply.at);
		reply_sent(&reply, sent);
		receive();
		frames++;
		while (wire_next(&in, &tag, &value))
			complete += rows_add(&rows, tag, value) != NULL;
	}
	ck_assert_uint_gt(frames, 2);
	ck_assert_uint_eq(complete, 1);
	ck_assert(row_is(rows.first, "unit"));
	ck_assert(str_eq_z(row_text(rows.first, "unit"), "a.service"));
	ck_assert_ptr_null(row_field(rows.first, "nothing"));
	ck_assert_uint_eq(row_value(rows.first, "took"), 12);
	ck_assert(str_eq(row_text(rows.first, "big"), (struct str){big, sizeof(big)}));
	ck_assert(row_item(rows.first, "after", &at, &item) && str_eq_z(item, "b.service"));
	ck_assert(row_item(rows.first, "after", &at, &item) && str_eq_z(item, "c.service"));
	ck_assert(!row_item(rows.first, "after", &at, &item));
	rows_fini(&rows);
	reply_fini(&reply);
}
END_TEST

START_TEST(foreign_bytes_are_escaped)
{
	struct paint p = {0};
	struct rows rows;

	paint_text(&p, STR("a\033[31mb\x7f\xc2\x9b\xff\tä"));
	ck_assert_str_eq(p.out.p, "a\\x1b[31mb\\x7f\\xc2\\x9b\\xff ä");
	paint_fini(&p);

	rows_init(&rows);
	rows_add(&rows, TAG_ROW, STR("line"));
	rows_add(&rows, TAG_TEXT, (struct str){"text\0q\"\\\n\xff", 10});
	rows_add(&rows, TAG_ROW_END, STR(""));
	p = (struct paint){0};
	paint_json(&p, rows.first);
	ck_assert_str_eq(p.out.p, "[{\"row\":\"line\",\"text\":\"q\\\"\\\\\\u000a\\ufffd\"}]\n");
	paint_fini(&p);
	rows_fini(&rows);
}
END_TEST

START_TEST(properties_are_spelled_as_systemd_spells_them)
{
	uint64_t yes = 1, span = 90 * US_PER_SEC;
	char field[32];
	struct paint p = {0};
	struct rows rows;

	rows_init(&rows);
	rows_add(&rows, TAG_ROW, STR("properties"));
	memcpy(field, "Accept\0", 7);
	memcpy(field + 7, &yes, sizeof(yes));
	rows_add(&rows, TAG_BOOL, (struct str){field, 7 + sizeof(yes)});
	memcpy(field, "WaitUSec\0", 9);
	memcpy(field + 9, &span, sizeof(span));
	rows_add(&rows, TAG_SPAN, (struct str){field, 9 + sizeof(span)});
	rows_add(&rows, TAG_ITEM, (struct str){"After\0a", 7});
	rows_add(&rows, TAG_ITEM, (struct str){"After\0b", 7});
	rows_add(&rows, TAG_ITEM, (struct str){"Listen\0x (Stream)", 17});
	rows_add(&rows, TAG_ITEM, (struct str){"Listen\0y (Stream)", 17});
	rows_add(&rows, TAG_ROW_END, STR(""));
	paint_kv(&p, rows.first, false);
	ck_assert_str_eq(p.out.p, "Accept=yes\nWaitUSec=1min 30s\nAfter=a b\n"
				  "Listen=x (Stream)\nListen=y (Stream)\n");
	paint_fini(&p);
	rows_fini(&rows);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verb");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, every_verb_is_whole);
	tcase_add_test(tc, every_alias_leads_to_its_verb);
	tcase_add_test(tc, every_option_is_whole);
	tcase_add_test(tc, a_request_is_taken_apart);
	tcase_add_loop_test(tc, mistakes_are_told_apart, 0, (int)ARRAY_SIZE(mistakes));
	tcase_add_test(tc, too_many_arguments);
	tcase_add_test(tc, rows_survive_the_wire);
	tcase_add_test(tc, foreign_bytes_are_escaped);
	tcase_add_test(tc, properties_are_spelled_as_systemd_spells_them);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
