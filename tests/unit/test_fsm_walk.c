/* SPDX-License-Identifier: MIT */
/*
 * Walks every cell of the machines of service, socket, mount, swap, automount, timer and path: what must hold of any of them, without naming a single transition.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"
#include "units/automount.h"
#include "units/mount_unit.h"
#include "units/passive.h"
#include "units/path.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/timer.h"

/* end: what the state that only looks how a run has ended sees when it has failed */
static const struct {
	const struct fsm *fsm;
	const char *end;
} machines[] = {{&service_fsm, "end-fail"}, {&socket_fsm, "end-fail"},   {&mount_fsm, "is-failed"},
		{&swap_fsm, "is-failed"},   {&automount_fsm, "timeout"}, {&timer_fsm, NULL},
		{&path_fsm, NULL}};
/* Only these have states on the way; the others watch something in their states. */
enum { WITH_PROCESSES = 5, MACHINES = 7 };

static const struct fsm_cell *at(const struct fsm *f, unsigned state, unsigned event)
{
	return &f->cells[state * f->events_n + event];
}

static bool is_rest(const struct fsm *f, unsigned state)
{
	return f->states[state].coarse == INACTIVE || f->states[state].coarse == FAILED;
}

static unsigned event_by_name(const struct fsm *f, const char *name)
{
	unsigned e = 0;

	while (e < f->events_n && strcmp(f->events[e], name) != 0)
		e++;
	ck_assert_msg(e < f->events_n, "%s has no event %s", f->type, name);
	return e;
}

START_TEST(every_name_is_there)
{
	const struct fsm *f = machines[_i].fsm;

	for (unsigned s = 0; s < f->states_n; s++)
		ck_assert_ptr_nonnull(f->states[s].name);
	for (unsigned e = 0; e < f->events_n; e++)
		ck_assert_ptr_nonnull(f->events[e]);
}
END_TEST

START_TEST(every_cell_points_into_the_table)
{
	const struct fsm *f = machines[_i].fsm;

	for (unsigned s = 0; s < f->states_n; s++)
		for (unsigned e = 0; e < f->events_n; e++) {
			ck_assert_uint_le(at(f, s, e)->go, f->states_n);
			ck_assert_msg(at(f, s, e)->go || !at(f, s, e)->fx,
				      "%s/%s: effects without a state", f->states[s].name,
				      f->events[e]);
		}
}
END_TEST

/* What is watched in a state is let go when that is left. */
START_TEST(a_watch_ends_with_the_wait)
{
	const struct fsm *f = machines[_i].fsm;
	bool watches[64] = {false};

	for (unsigned s = 0; s < f->states_n; s++)
		for (unsigned e = 0; e < f->events_n; e++)
			if (at(f, s, e)->go && at(f, s, e)->fx & FX_WATCH)
				watches[at(f, s, e)->go - 1] = true;
	for (unsigned s = 0; s < f->states_n; s++)
		for (unsigned e = 0; watches[s] && e < f->events_n; e++) {
			const struct fsm_cell *c = at(f, s, e);

			ck_assert_msg(!c->go || c->go - 1u == s || c->fx & FX_DISARM,
				      "%s: %s on %s goes on watching", f->type, f->states[s].name,
				      f->events[e]);
		}
}
END_TEST

START_TEST(every_state_is_reachable_and_can_be_left)
{
	const struct fsm *f = machines[_i].fsm;
	bool reached[64] = {[0] = true};

	for (unsigned round = 0; round < f->states_n; round++)
		for (unsigned s = 0; s < f->states_n; s++)
			for (unsigned e = 0; reached[s] && e < f->events_n; e++)
				if (at(f, s, e)->go)
					reached[at(f, s, e)->go - 1] = true;
	for (unsigned s = 0; s < f->states_n; s++) {
		bool leaves = false;

		ck_assert_msg(reached[s], "%s: %s is never reached", f->type, f->states[s].name);
		for (unsigned e = 0; e < f->events_n; e++)
			leaves |= at(f, s, e)->go && at(f, s, e)->go - 1u != s;
		ck_assert_msg(leaves, "%s: %s is never left", f->type, f->states[s].name);
	}
}
END_TEST

/* A state on the way (activating, deactivating) is bounded by a timeout that leaves it, or passes at once by itself. */
START_TEST(every_transient_state_is_bounded)
{
	const struct fsm *f = machines[_i].fsm;
	unsigned timeout = event_by_name(f, "timeout");

	for (unsigned s = 0; s < f->states_n; s++) {
		enum coarse c = f->states[s].coarse;

		if ((c != ACTIVATING && c != DEACTIVATING) ||
		    strcmp(f->states[s].name, "ended") == 0)
			continue;
		ck_assert_msg(f->states[s].timeout, "%s: %s has no timeout", f->type,
			      f->states[s].name);
		if (strcmp(f->states[s].name, "start-chown") !=
		    0) /* arming blocks on nothing: it is answered in the same turn */
			ck_assert_msg(at(f, s, timeout)->go, "%s: %s ignores its timeout", f->type,
				      f->states[s].name);
	}
}
END_TEST

/* Silence comes to rest: with nothing but timeouts a stop ends in a state of rest, and never turns back. */
START_TEST(a_stop_ends_by_timeouts_alone)
{
	const struct fsm *f = machines[_i].fsm;
	unsigned timeout = event_by_name(f, "timeout"), stop = event_by_name(f, "stop"),
		 end = event_by_name(f, machines[_i].end);

	for (unsigned s = 0; s < f->states_n; s++) {
		unsigned now = s, steps = 0;

		if (f->states[s].coarse != ACTIVE && f->states[s].coarse != ACTIVATING)
			continue;
		ck_assert_msg(at(f, s, stop)->go, "%s: %s cannot be stopped", f->type,
			      f->states[s].name);
		now = at(f, s, stop)->go - 1u;
		while (!is_rest(f, now) && steps++ < f->states_n) {
			const struct fsm_cell *c = at(f, now, timeout)->go ? at(f, now, timeout)
									   : at(f, now, end);

			ck_assert_msg(c->go, "%s: stuck in %s", f->type, f->states[now].name);
			ck_assert_msg(c->go - 1u > now || is_rest(f, c->go - 1u),
				      "%s: %s goes back to %s", f->type, f->states[now].name,
				      f->states[c->go - 1].name);
			now = c->go - 1u;
		}
		ck_assert(is_rest(f, now));
	}
}
END_TEST

/* No event but a start leads from a state on the way down to one on the way up. */
START_TEST(a_stop_only_moves_forward)
{
	const struct fsm *f = machines[_i].fsm;

	for (unsigned s = 0; s < f->states_n; s++)
		for (unsigned e = 0; f->states[s].coarse == DEACTIVATING && e < f->events_n; e++) {
			const struct fsm_cell *c = at(f, s, e);
			enum coarse to = c->go ? f->states[c->go - 1].coarse : DEACTIVATING;

			/* What cannot be unmounted stays mounted: the kernel says so. */
			if (strcmp(f->events[e], "is-there") == 0)
				continue;

			ck_assert_msg(to == DEACTIVATING || to == INACTIVE || to == FAILED ||
					      f->states[c->go - 1].is_between_runs,
				      "%s: %s on %s goes up to %s", f->type, f->states[s].name,
				      f->events[e], f->states[c->go - 1].name);
		}
}
END_TEST

/* Whoever enters a state with commands asks for the first of them; whoever has none does not. */
START_TEST(commands_run_where_the_state_says_so)
{
	const struct fsm *f = machines[_i].fsm;
	unsigned reload = 0;

	for (unsigned e = 0; e < f->events_n; e++)
		if (strcmp(f->events[e], "reloading") == 0)
			reload = e;
	for (unsigned s = 0; s < f->states_n; s++)
		for (unsigned e = 0; e < f->events_n; e++) {
			const struct fsm_cell *c = at(f, s, e);
			bool spawns = c->fx & (FX_SPAWN_MAIN | FX_SPAWN_CONTROL);

			if (!c->go || (reload && e == reload))
				continue;
			if (f->states[c->go - 1].commands == 0)
				ck_assert_msg(!spawns, "%s: %s on %s spawns for nothing", f->type,
					      f->states[s].name, f->events[e]);
			else if (c->go - 1u != s)
				ck_assert_msg(spawns, "%s: %s on %s forgets the commands", f->type,
					      f->states[s].name, f->events[e]);
		}
}
END_TEST

/* Can somebody come to the point? */
static bool is_open(unsigned s)
{
	return (s >= AUTO_WAITING && s <= AUTO_EXPIRING) || automount_is_going((uint8_t)s);
}

/*
 * Somebody may wait at an automount point in any state that has it. WATCH is what answers: a state that waits for the mount is
 * bounded, and each way out of it that keeps the point answers, and each that does not takes the point away, by which the kernel does, or is
 * the way out on which all are refused.
 */
START_TEST(nobody_waits_at_an_automount_point_for_ever)
{
	const struct fsm *f = &automount_fsm;
	unsigned timeout = event_by_name(f, "timeout");

	for (unsigned s = AUTO_WAITING; s < AUTO_STATES; s++) {
		bool is_bounded = at(f, s, timeout)->go && f->states[s].timeout;

		if (!is_open(s))
			continue;
		ck_assert_msg(is_bounded || s == AUTO_WAITING, "%s has no end", f->states[s].name);
		for (unsigned e = 0; e < f->events_n; e++) {
			const struct fsm_cell *c = at(f, s, e);
			unsigned to = c->go - 1u;
			bool goes_on = c->go && is_open(to);
			bool waits_on = to == AUTO_MOUNTING || to == AUTO_LEAVING ||
					to == AUTO_ASKING || to == AUTO_EXPIRING;

			if (!c->go)
				continue;
			ck_assert_msg(!goes_on || waits_on || c->fx & FX_WATCH,
				      "%s on %s: nobody is answered", f->states[s].name,
				      f->events[e]);
			ck_assert_msg(goes_on || c->fx & FX_DROP, "%s on %s: the point stays",
				      f->states[s].name, f->events[e]);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsm_walk");
	TCase *t = tcase_create("walk");
	int failed, n = WITH_PROCESSES;

	tcase_add_loop_test(t, every_name_is_there, 0, MACHINES);
	tcase_add_loop_test(t, every_cell_points_into_the_table, 0, MACHINES);
	tcase_add_loop_test(t, every_state_is_reachable_and_can_be_left, 0, MACHINES);
	tcase_add_loop_test(t, a_watch_ends_with_the_wait, WITH_PROCESSES, MACHINES);
	tcase_add_loop_test(t, every_transient_state_is_bounded, 0, n);
	tcase_add_loop_test(t, a_stop_ends_by_timeouts_alone, 0, n);
	tcase_add_loop_test(t, a_stop_only_moves_forward, 0, n);
	tcase_add_loop_test(t, commands_run_where_the_state_says_so, 0, n);
	tcase_add_test(t, nobody_waits_at_an_automount_point_for_ever);
	suite_add_tcase(s, t);
	failed = suite_run(s);
	printf("rows: A6 B16\n");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
