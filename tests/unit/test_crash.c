/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/crash.h"
#include "suite.h"

static struct crash_log crashes;
static struct state_table state;
static struct crash c;

static void set_up(void)
{
	ck_assert_int_eq(crash_open(&crashes, -1), 0);
	ck_assert_int_eq(state_open(&state, -1), 0);
}

/* The next manager finds what the one before left with PID 1. */
static void next_life(uint32_t generation, int code, int status)
{
	struct crash_death death = {generation - 1, code, status, false};
	int fd = crashes.fd;

	if (generation > 1) {
		crash_close(&crashes);
		ck_assert_int_eq(crash_open(&crashes, fd), 0);
	}
	crash_note_death(&crashes, &death);
}

static unsigned records(void)
{
	unsigned n = 0;

	while (crash_get(&crashes, n, &c))
		n++;
	return n;
}

START_TEST(a_first_life_has_nothing_to_tell)
{
	next_life(1, 0, 0);
	ck_assert_uint_eq(records(), 0);
}
END_TEST

START_TEST(an_orderly_end_is_no_crash)
{
	next_life(1, 0, 0);
	next_life(2, CLD_EXITED, 0);
	ck_assert_uint_eq(records(), 0);
	next_life(3, CLD_EXITED, 1);
	ck_assert(crash_get(&crashes, 0, &c));
	ck_assert_uint_eq(c.kind, CRASH_EXIT);
	ck_assert_uint_eq(c.generation, 2);
}
END_TEST

START_TEST(kills_in_a_row_share_a_record)
{
	next_life(1, 0, 0);
	next_life(2, CLD_KILLED, SIGKILL);
	next_life(3, CLD_KILLED, SIGKILL);
	next_life(9, CLD_KILLED, SIGKILL); /* five died before they could tell of the one before */
	ck_assert_uint_eq(records(), 1);
	ck_assert(crash_get(&crashes, 0, &c));
	ck_assert_uint_eq(c.times, 8);
	ck_assert_uint_eq(c.generation, 8);
	next_life(10, CLD_KILLED, SIGTERM);
	ck_assert_uint_eq(records(), 2);
}
END_TEST

START_TEST(the_ring_keeps_the_newest)
{
	next_life(1, 0, 0);
	for (uint32_t g = 2; g < 2 + 3 * CRASH_RECORDS; g++)
		next_life(g, CLD_EXITED, 1);
	ck_assert_uint_ge(records(), CRASH_RECORDS - 1);
	ck_assert(crash_get(&crashes, 0, &c));
	ck_assert_uint_eq(c.number, 3 * CRASH_RECORDS);
	ck_assert(!crash_get(&crashes, CRASH_RECORDS, &c));
}
END_TEST

START_TEST(a_ring_that_was_lost_tells_the_last_death_only)
{
	next_life(1, 0, 0);
	crash_close(&crashes);
	ck_assert_int_eq(crash_open(&crashes, -1), 0);
	crash_note_death(&crashes, &(struct crash_death){41, CLD_KILLED, SIGSEGV, false});
	ck_assert_uint_eq(records(), 1);
	ck_assert(crash_get(&crashes, 0, &c));
	ck_assert_uint_eq(c.times, 1);
}
END_TEST

START_TEST(the_ledger_before_is_kept)
{
	struct ledger_entry e = {.kind = LEDGER_NOTE, .unit = state_slot_of(&state, "a.service")};

	next_life(1, 0, 0);
	for (unsigned i = 0; i < 2 * CRASH_ENTRIES; i++)
		ledger_add(&state.image->ledger, &e, "who asked");
	next_life(2, CLD_KILLED, SIGKILL);
	crash_note_ledger(&crashes, &state);
	ck_assert(crash_get(&crashes, 0, &c));
	ck_assert_uint_eq(c.entries_n, CRASH_ENTRIES);
	ck_assert_uint_eq(c.entries[CRASH_ENTRIES - 1].entry.seq, 2 * CRASH_ENTRIES);
	ck_assert_str_eq(c.entries[0].unit, "a.service");
	ck_assert_str_eq(c.entries[0].text, "who asked");
}
END_TEST

START_TEST(any_byte_may_be_wrong)
{
	unsigned char *bytes;
	unsigned n = 0;

	next_life(1, 0, 0);
	next_life(2, CLD_EXITED, 1);
	bytes = (unsigned char *)crashes.ring;
	for (size_t at = 0; at < sizeof(*crashes.ring); at++) {
		bytes[at] ^= 0xff;
		for (unsigned i = 0; crash_get(&crashes, i, &c); i++) {
			ck_assert_uint_lt(c.kind, CRASH_KINDS);
			ck_assert_uint_le(c.frames_n, CRASH_FRAMES);
			ck_assert_uint_le(c.entries_n, CRASH_ENTRIES);
			n++;
		}
		bytes[at] ^= 0xff;
	}
	ck_assert_uint_gt(n, sizeof(struct crash));
}
END_TEST

START_TEST(what_is_no_ring_is_refused)
{
	int fd = memfd_create("short", MFD_CLOEXEC);
	struct crash_log other;

	ck_assert_int_eq(crash_open(&other, fd), -EBADMSG);
	ck_assert_int_eq(ftruncate(fd, sizeof(struct crash_ring)), 0);
	ck_assert_int_eq(crash_open(&other, fd), -EBADMSG);
}
END_TEST

static void fault(int how)
{
	int zero = 0;

	if (how == SIGFPE)
		raise(SIGFPE);
	if (how == SIGABRT)
		abort();
	*(volatile int *)ptr_back((char *)&zero, (size_t)&zero - 24) = 0;
}

/* A child is the manager that dies. */
START_TEST(a_fault_is_told_by_who_dies)
{
	static const int signals[] = {SIGSEGV, SIGABRT, SIGFPE};
	int sig = signals[_i], status;
	struct sigaction old;
	pid_t pid;

	/* A sanitizer has its own handler, and no aim at telling us. */
	if (sigaction(SIGSEGV, NULL, &old) < 0 || old.sa_handler != SIG_DFL)
		return;
	next_life(1, 0, 0);
	pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
			signal(signals[i], SIG_DFL); /* libcheck's */
		crash_watch(&crashes, &state, 1);
		fault(sig);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), sig);
	next_life(2, CLD_KILLED, sig);
	ck_assert_uint_eq(records(), 1);
	ck_assert(crash_get(&crashes, 0, &c));
	ck_assert_uint_eq(c.kind, CRASH_FAULT);
	ck_assert_int_eq(c.status, sig);
	ck_assert_uint_eq(c.generation, 1);
	ck_assert_uint_gt(c.build_n, 0);
	ck_assert_uint_gt(c.frames_n, 1);
	if (sig == SIGSEGV)
		ck_assert_uint_eq(c.address, 24);
	else
		ck_assert_int_eq(c.sender, pid);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crash");
	TCase *t = tcase_create("crash");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, a_first_life_has_nothing_to_tell);
	tcase_add_test(t, an_orderly_end_is_no_crash);
	tcase_add_test(t, kills_in_a_row_share_a_record);
	tcase_add_test(t, the_ring_keeps_the_newest);
	tcase_add_test(t, a_ring_that_was_lost_tells_the_last_death_only);
	tcase_add_test(t, the_ledger_before_is_kept);
	tcase_add_test(t, any_byte_may_be_wrong);
	tcase_add_test(t, what_is_no_ring_is_refused);
	tcase_add_loop_test(t, a_fault_is_told_by_who_dies, 0, 3);
	suite_add_tcase(s, t);
	return suite_run(s);
}
