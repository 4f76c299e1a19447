/* SPDX-License-Identifier: MIT */
/*
 * reexec - the manager is replaced by the program on disk, on the path that a crash takes too.
 *
 * The new program is opened once and tested first: a child of PID 1 runs it with --self-test, which reads a copy of our state. Only then
 * we leave, and PID 1 starts the next manager, from the descriptor that was tested. If that one dies at once PID 1 goes back to our own
 * program, of which it keeps a descriptor too. One test at a time.
 *
 * PID 1 itself is replaced by what lies where it was started from, when that knows the layout of its table and has led a life of its own
 * beside PID 1 (trial.h): nobody is above PID 1 to take it back. Nobody has to leave: the manager finds in the table what came of it.
 */
#pragma once

#include "core/hark.h"

/* What the self-test leaves with. */
enum self_test {
	SELF_TEST_GOOD,
	SELF_TEST_LAYOUT = 10, /* it does not speak to this PID 1 */
	SELF_TEST_STATE,       /* it cannot read our state */
	SELF_TEST_UNITS,       /* it cannot read unit files */
	SELF_TEST_LIFE,        /* a hark-init: trial.h */
};

enum reexec { REEXEC_NONE, REEXEC_TESTING, REEXEC_GOOD, REEXEC_REFUSED };
enum reexec_what { REEXEC_MANAGER, REEXEC_INIT };

/* Begin to test what lies where we (or PID 1) were started from. 0, -EBUSY (a test goes on), -ENOEXEC (PID 1 is no script), -errno. */
MUST_USE int reexec_begin(struct hark *h, enum reexec_what what);
/*
 * How far it is. NONE: the other program is being tested since. REFUSED: *ret_why is a static sentence, and the next begin may try
 * again. GOOD: the manager has to go; PID 1 was asked to become the new one, and counts table->reexecs when it has.
 */
enum reexec reexec_progress(struct hark *h, enum reexec_what what, const char **ret_why);
/* A note of PID 1; true: it was about the test. */
bool reexec_on_note(struct hark *h, const struct bank_note *note);
/* The test was passed: leave, so that it takes over. */
void reexec_go(struct hark *h);

/*
 * From the start of a manager: what was tried before it and died is known (was_rolled_back), and when it has lived a while it becomes
 * the program that PID 1 starts after any death, whatever lies on disk then (is_content).
 */
void reexec_watch(struct hark *h);

/* The part of the self-test that reads a state: fd 4 is ours, or no state at all. Returns enum self_test. */
int reexec_test_state(const char *layout);
