/* SPDX-License-Identifier: MIT */
#include "ctl/why.h"

#include <check.h>
#include <stdio.h>

#include "core/graph.h"
#include "suite.h"
#include "units/passive.h"
#include "units/service.h"
#include "units/socket.h"

static struct state_table table;
static struct registry reg;
static struct loop loop;
static struct engine engine = {.loop = &loop};

static void setup(void)
{
	static const struct unit_type_ops *const types[] = {&service_ops, &socket_ops, &target_ops};

	ck_assert_int_eq(loop_init(&loop, NULL, NULL), 0);
	ck_assert_int_eq(state_open(&table, -1), 0);
	ck_assert_int_eq(registry_init(&reg, types, ARRAY_SIZE(types)), 0);
}

static void teardown(void)
{
	state_close(&table);
	loop_fini(&loop);
}

static uint64_t add(enum ledger_kind kind, const char *unit, enum cause_kind cause,
		    const char *from, uint64_t parent, const char *text)
{
	struct ledger_entry e = {.kind = (uint8_t)kind, .cause = (uint8_t)cause, .parent = parent};

	e.unit = state_slot_of(&table, unit);
	e.from = from ? state_slot_of(&table, from) : 0;
	e.a = kind == LEDGER_JOB ? JOB_START : 0;
	return ledger_add(&table.image->ledger, &e, text);
}

static struct unit *active_unit(const char *name, uint64_t why)
{
	struct unit *u = registry_get(&reg, name);

	ck_assert_ptr_nonnull(u);
	u->why_entry = why;
	/* The engine is not here: the state is set as a takeover would. */
	for (unsigned i = 0; i < u->ops->fsm->states_n; i++)
		if (u->ops->fsm->states[i].coarse == ACTIVE) {
			engine_restore(&engine, u, (uint8_t)i, 0, 0);
			break;
		}
	ck_assert(unit_is_active(u));
	return u;
}

static void expect(uint64_t seq, unsigned n, const char *const *texts)
{
	struct why_link links[WHY_CHAIN];

	ck_assert_uint_eq(why_chain(&table, seq, links, WHY_CHAIN), n);
	for (unsigned i = 0; i < n; i++)
		ck_assert_str_eq(links[i].text, texts[i]);
}

START_TEST(from_a_peer_back_to_boot)
{
	static const char *const story[] = {
		"ssh.service was started: a peer connected to ssh.socket (10.0.0.7:51344)",
		"ssh.socket was started: sockets.target wants it",
		"sockets.target was started: multi-user.target needs it",
		"multi-user.target was started: it belongs to the boot target",
	};
	uint64_t boot = add(LEDGER_JOB, "multi-user.target", CAUSE_BOOT, NULL, 0, NULL);
	uint64_t target =
		add(LEDGER_JOB, "sockets.target", CAUSE_REQUIRED, "multi-user.target", boot, NULL);
	uint64_t socket =
		add(LEDGER_JOB, "ssh.socket", CAUSE_WANTED, "sockets.target", target, NULL);
	uint64_t state = add(LEDGER_STATE, "ssh.socket", CAUSE_NONE, NULL, socket, NULL);
	uint64_t job = add(LEDGER_JOB, "ssh.service", CAUSE_CONNECTION, "ssh.socket", state,
			   "10.0.0.7:51344");

	expect(job, 4, story);
}
END_TEST

START_TEST(a_person_is_named)
{
	struct ledger_entry e = {
		.kind = LEDGER_JOB, .cause = CAUSE_USER, .a = JOB_STOP, .uid = 1000, .pid = 77};
	static const char *const story[] = {
		"a.service was stopped: an administrator asked for it (uid 1000, harkctl pid 77)"};

	e.unit = state_slot_of(&table, "a.service");
	expect(ledger_add(&table.image->ledger, &e, "harkctl"), 1, story);
}
END_TEST

START_TEST(every_cause_can_be_told)
{
	for (unsigned cause = 0; cause < CAUSE_KINDS; cause++) {
		struct why_link link;
		uint64_t with =
			add(LEDGER_JOB, "a.service", (enum cause_kind)cause, "b.service", 0, NULL);
		uint64_t without =
			add(LEDGER_JOB, "a.service", (enum cause_kind)cause, NULL, 0, NULL);

		ck_assert_uint_eq(why_chain(&table, with, &link, 1), 1);
		ck_assert_ptr_null(strstr(link.text, "%s"));
		ck_assert_uint_eq(why_chain(&table, without, &link, 1), 1);
		ck_assert_ptr_null(strstr(link.text, "%s"));
	}
}
END_TEST

START_TEST(a_loop_in_bad_memory_ends)
{
	uint64_t a = add(LEDGER_JOB, "a.service", CAUSE_NONE, NULL, 0, NULL);
	struct why_link links[WHY_CHAIN];

	table.image->ledger.ring[a % LEDGER_ENTRIES].parent = a;
	ck_assert_uint_eq(why_chain(&table, a, links, WHY_CHAIN), 1);
	ck_assert_uint_eq(why_chain(&table, 99999, links, WHY_CHAIN), 0);
}
END_TEST

static const struct {
	enum cause_kind cause;
	enum why_reason expected;
} reasons[] = {
	{CAUSE_USER, WHY_EXPLICIT},        {CAUSE_BOOT, WHY_EXPLICIT},
	{CAUSE_CONNECTION, WHY_ACTIVATED}, {CAUSE_TRAFFIC, WHY_ACTIVATED},
	{CAUSE_TRIGGER, WHY_ACTIVATED},    {CAUSE_REQUIRED, WHY_DEPENDENCY},
	{CAUSE_WANTED, WHY_DEPENDENCY},    {CAUSE_UPHELD, WHY_DEPENDENCY},
};

/* B34: exactly one reason, also after the unit restarted itself. */
START_TEST(exactly_one_reason)
{
	uint64_t first = add(LEDGER_JOB, "a.service", reasons[_i].cause, "b.socket", 0, NULL);
	uint64_t again = add(LEDGER_JOB, "a.service", CAUSE_RESTART, "a.service", first, NULL);
	struct unit *from = active_unit("b.socket", 0);
	struct unit *u = active_unit("a.service", first);
	uint32_t by;

	ck_assert_uint_eq(why_reason(&reg, &table, u, &by), reasons[_i].expected);
	u->why_entry = again;
	ck_assert_uint_eq(why_reason(&reg, &table, u, &by), reasons[_i].expected);
	ck_assert_uint_eq(by, from->id);
}
END_TEST

START_TEST(at_rest_there_is_no_reason)
{
	struct unit *u = registry_get(&reg, "a.service");
	uint32_t by;

	ck_assert_uint_eq(why_reason(&reg, &table, u, &by), WHY_NOT_RUNNING);
	ck_assert_uint_eq(by, UNIT_NONE);
}
END_TEST

START_TEST(an_overwritten_ledger_leaves_the_graph)
{
	struct unit *u = active_unit("a.service", 4711);
	struct unit *user = active_unit("b.service", 0);
	struct unit *trigger = active_unit("a.socket", 0);
	enum dep_type type;
	uint32_t by, at = 0;

	ck_assert_uint_eq(why_reason(&reg, &table, u, &by), WHY_EXPLICIT);
	ck_assert_int_eq(graph_add(&reg, user, DEP_REQUIRES, u, NULL), 0);
	ck_assert_uint_eq(why_reason(&reg, &table, u, &by), WHY_DEPENDENCY);
	ck_assert_uint_eq(by, user->id);
	ck_assert_ptr_eq(why_next_ref(&reg, u, &at, &type), user);
	ck_assert_uint_eq(type, DEP_REQUIRED_BY);
	ck_assert_ptr_null(why_next_ref(&reg, u, &at, &type));
	ck_assert_int_eq(graph_add(&reg, trigger, DEP_TRIGGERS, u, NULL), 0);
	ck_assert_uint_eq(why_reason(&reg, &table, u, &by), WHY_ACTIVATED);
	ck_assert_uint_eq(by, trigger->id);
}
END_TEST

START_TEST(why_it_does_not_run)
{
	struct unit *u = registry_get(&reg, "a.service");
	struct sbuf text = {0};
	const char *file;
	uint32_t line;

	why_down(&reg, u, &text, &file, &line);
	ck_assert_str_eq(text.p, "it was never asked for");
	ck_assert_ptr_null(file);
	sbuf_fini(&text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("why");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, from_a_peer_back_to_boot);
	tcase_add_test(tc, a_person_is_named);
	tcase_add_test(tc, every_cause_can_be_told);
	tcase_add_test(tc, a_loop_in_bad_memory_ends);
	tcase_add_loop_test(tc, exactly_one_reason, 0, (int)ARRAY_SIZE(reasons));
	tcase_add_test(tc, at_rest_there_is_no_reason);
	tcase_add_test(tc, an_overwritten_ledger_leaves_the_graph);
	tcase_add_test(tc, why_it_does_not_run);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
