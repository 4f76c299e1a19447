/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/loop.h"
#include "core/mem.h"
#include "suite.h"

enum { TIMERS = 400 };

static struct loop l;
static uint64_t virtual_us;
static char order[64];

static uint64_t virtual_clock(void *arg)
{
	ck_assert_ptr_eq(arg, &virtual_us);
	return virtual_us;
}

static void real(void)
{
	ck_assert_int_eq(loop_init(&l, NULL, NULL), 0);
}

static void simulated(void)
{
	virtual_us = 1000;
	ck_assert_int_eq(loop_init(&l, virtual_clock, &virtual_us), 0);
}

static void close_loop(void)
{
	loop_fini(&l);
}

static void turn(void)
{
	ck_assert_int_eq(loop_turn(&l, 0), 0);
}

static void note(char c)
{
	size_t n = strlen(order);

	ck_assert_uint_lt(n + 1, sizeof(order));
	order[n] = c;
}

/* ---- watches */

struct pair {
	struct watch w;
	int peer;
	int calls;
	uint32_t events;
	struct pair *victim;
};

static void on_pair(struct watch *w, uint32_t events)
{
	struct pair *p = container_of(w, struct pair, w);

	p->calls++;
	p->events = events;
	note('w');
	if (p->victim) {
		loop_unwatch(&l, &p->victim->w);
		fd_close(p->victim->w.fd);
		/* As after a free: touching it once more would crash. */
		p->victim->w.fn = NULL;
	}
}

static void pair_open(struct pair *p, uint32_t events)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*p = (struct pair){.w.fn = on_pair, .peer = fds[1]};
	ck_assert_int_eq(loop_watch(&l, &p->w, fds[0], events), 0);
}

static void poke(const struct pair *p)
{
	ck_assert_int_eq(write(p->peer, "x", 1), 1);
}

START_TEST(watch_and_rewatch)
{
	struct pair p;

	pair_open(&p, EPOLLIN);
	turn();
	ck_assert_int_eq(p.calls, 0);
	poke(&p);
	turn();
	turn();
	ck_assert_int_eq(p.calls, 2);
	ck_assert_uint_eq(p.events, EPOLLIN);
	ck_assert_int_eq(loop_rewatch(&l, &p.w, EPOLLOUT), 0);
	turn();
	ck_assert_uint_eq(p.events, EPOLLOUT);
	loop_unwatch(&l, &p.w);
	loop_unwatch(&l, &p.w);
	turn();
	ck_assert_int_eq(p.calls, 3);
	ck_assert_int_eq(loop_rewatch(&l, &p.w, EPOLLIN), -ENOENT);
	ck_assert_int_eq(loop_watch(&l, &p.w, p.w.fd, EPOLLIN), 0);
	ck_assert_int_eq(loop_watch(&l, &p.w, p.w.fd, EPOLLIN), -EEXIST);
	turn();
	ck_assert_int_eq(p.calls, 4);
}
END_TEST

START_TEST(silenced_watch_does_not_spin)
{
	struct pair p;
	uint64_t before_us;

	pair_open(&p, EPOLLIN);
	ck_assert_int_eq(loop_rewatch(&l, &p.w, 0), 0);
	poke(&p);
	fd_close(p.peer);
	/* The hang-up may wake us once, then the loop sleeps. */
	turn();
	before_us = clock_mono_us();
	ck_assert_int_eq(loop_turn(&l, 30 * US_PER_MS), 0);
	ck_assert_uint_ge(clock_mono_us() - before_us, 29 * US_PER_MS);
	ck_assert_int_eq(p.calls, 0);
	/* Nothing that came meanwhile is lost. */
	ck_assert_int_eq(loop_rewatch(&l, &p.w, EPOLLIN), 0);
	turn();
	ck_assert_int_eq(p.calls, 1);
	ck_assert_uint_eq(p.events & (EPOLLIN | EPOLLHUP), EPOLLIN | EPOLLHUP);
}
END_TEST

/* In the place of the C library's: how often each operation was asked for. */
static unsigned asked[EPOLL_CTL_MOD + 1];
int epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *ev)
{
	asked[op]++;
	return (int)syscall(SYS_epoll_ctl, epoll_fd, op, fd, ev);
}

/* It is registered: the kernel has to get nothing for it, and neither have we. Also when there is no descriptor and no memory left. */
START_TEST(switching_a_watch_cannot_fail)
{
	enum { TIMES = 1000 };
	struct rlimit most;
	struct pair p;

	pair_open(&p, EPOLLIN);
	poke(&p);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &most), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, most.rlim_max}), 0);
	mem_stats.fail_at = mem_stats.total_n + 1;
	mem_stats.fail_persists = true;
	memset(asked, 0, sizeof(asked));
	for (int i = 0; i < TIMES; i++) {
		ck_assert_int_eq(loop_rewatch(&l, &p.w, 0), 0);
		turn();
		ck_assert_int_eq(p.calls, i);
		ck_assert_int_eq(loop_rewatch(&l, &p.w, EPOLLIN), 0);
		turn();
		ck_assert_int_eq(p.calls, i + 1);
		order[0] = '\0';
	}
	ck_assert_uint_eq(asked[EPOLL_CTL_ADD], 0);
	ck_assert_uint_eq(asked[EPOLL_CTL_DEL], 0);
	ck_assert_uint_eq(asked[EPOLL_CTL_MOD], 2 * TIMES);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &most),
			 0); /* whoever looks for leaks opens files */
	printf("rows: B30\n");
}
END_TEST

START_TEST(removal_within_a_batch)
{
	struct pair a;
	struct pair b;

	/* Whichever comes first removes the other. */
	pair_open(&a, EPOLLIN);
	pair_open(&b, EPOLLIN);
	a.victim = &b;
	b.victim = &a;
	poke(&a);
	poke(&b);
	turn();
	ck_assert_int_eq(a.calls + b.calls, 1);
}
END_TEST

static void close_oneself(struct watch *w, uint32_t events UNUSED)
{
	loop_unwatch(&l, w);
	fd_close(w->fd);
	w->fn = NULL;
}

START_TEST(removal_of_oneself)
{
	struct pair p;

	pair_open(&p, EPOLLIN);
	p.w.fn = close_oneself;
	poke(&p);
	turn();
	turn();
	ck_assert(!p.w.is_on);
}
END_TEST

START_TEST(regular_file_is_refused)
{
	struct watch w = {.fn = on_pair};
	AUTO_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(loop_watch(&l, &w, fd, EPOLLIN), -EPERM);
	ck_assert_int_eq(loop_watch(&l, &w, -1, EPOLLIN), -EBADF);
	ck_assert(!w.is_on);
}
END_TEST

START_TEST(more_ready_than_a_batch)
{
	static struct pair p[200];
	int rounds = 0;
	int served;

	for (int i = 0; i < 200; i++) {
		pair_open(&p[i], EPOLLIN);
		p[i].w.fn = close_oneself;
		poke(&p[i]);
	}
	do {
		turn();
		served = 0;
		for (int i = 0; i < 200; i++)
			served += !p[i].w.is_on;
	} while (served < 200 && ++rounds < 10);
	ck_assert_int_eq(served, 200);
	for (int i = 0; i < 200; i++)
		fd_close(p[i].peer);
}
END_TEST

/* ---- timers */

struct alarm {
	struct timer t;
	int calls;
	uint64_t at_us;
	uint64_t again_us;
	struct alarm *victim;
};

static void on_alarm(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, t);

	a->calls++;
	a->at_us = loop_now_us(&l);
	ck_assert(!t->is_armed);
	if (a->again_us)
		loop_timer_arm(&l, t, a->again_us);
	if (a->victim)
		loop_timer_disarm(&l, &a->victim->t);
}

/* Random arming, re-arming and disarming against a plain table. */
START_TEST(timers_behave_like_the_model)
{
	static struct alarm alarm[TIMERS];
	static uint64_t due[TIMERS];
	static int calls[TIMERS];

	srand(4);
	for (int i = 0; i < TIMERS; i++) {
		alarm[i].t.fn = on_alarm;
		due[i] = TIME_NEVER;
	}
	for (int step = 0; step < 20000; step++) {
		int i = rand() % TIMERS;

		switch (rand() % 4) {
		case 0:
		case 1:
			due[i] = virtual_us + (uint64_t)(rand() % 500);
			loop_timer_arm(&l, &alarm[i].t, due[i]);
			break;
		case 2:
			due[i] = TIME_NEVER;
			loop_timer_disarm(&l, &alarm[i].t);
			break;
		default:
			virtual_us += (uint64_t)(rand() % 20);
			turn();
			for (int j = 0; j < TIMERS; j++) {
				if (due[j] <= virtual_us) {
					calls[j]++;
					due[j] = TIME_NEVER;
				}
				ck_assert_int_eq(alarm[j].calls, calls[j]);
				ck_assert_int_eq(alarm[j].t.is_armed, due[j] != TIME_NEVER);
			}
		}
	}
}
END_TEST

static uint64_t last_us;

static void on_sorted(struct timer *t UNUSED)
{
	struct alarm *a = container_of(t, struct alarm, t);

	ck_assert_uint_ge(a->again_us, last_us);
	last_us = a->again_us;
	a->calls++;
}

START_TEST(timers_fire_in_order)
{
	static struct alarm alarm[TIMERS];

	srand(5);
	for (int i = 0; i < TIMERS; i++) {
		alarm[i].t.fn = on_sorted;
		alarm[i].again_us = virtual_us + (uint64_t)(rand() % 1000);
		loop_timer_arm(&l, &alarm[i].t, alarm[i].again_us);
	}
	virtual_us += 1000;
	turn();
	for (int i = 0; i < TIMERS; i++)
		ck_assert_int_eq(alarm[i].calls, 1);
	ck_assert_ptr_null(l.heap);
}
END_TEST

START_TEST(timer_removes_its_neighbour)
{
	struct alarm b = {.t.fn = on_alarm};
	struct alarm a = {.t.fn = on_alarm, .victim = &b};

	loop_timer_arm(&l, &a.t, virtual_us);
	loop_timer_arm(&l, &b.t, virtual_us + 1);
	virtual_us += 5;
	turn();
	ck_assert_int_eq(a.calls, 1);
	ck_assert_int_eq(b.calls, 0);
	loop_timer_arm(&l, &a.t, TIME_NEVER);
	ck_assert(!a.t.is_armed);
}
END_TEST

START_TEST(timer_in_the_past_starves_nobody)
{
	struct alarm a = {.t.fn = on_alarm, .again_us = 1};
	struct pair p;

	pair_open(&p, EPOLLIN);
	poke(&p);
	loop_timer_arm(&l, &a.t, 1);
	turn();
	turn();
	ck_assert_int_gt(a.calls, 1);
	ck_assert_int_eq(p.calls, 2);
	loop_timer_disarm(&l, &a.t);
}
END_TEST

START_TEST(virtual_time_never_sleeps)
{
	struct alarm a = {.t.fn = on_alarm};
	uint64_t before_us = clock_mono_us();

	loop_timer_arm(&l, &a.t, virtual_us + 3600 * US_PER_SEC);
	ck_assert_int_eq(loop_turn(&l, TIME_NEVER), 0);
	ck_assert_int_eq(a.calls, 0);
	virtual_us += 3600 * US_PER_SEC;
	ck_assert_int_eq(loop_turn(&l, TIME_NEVER), 0);
	ck_assert_int_eq(a.calls, 1);
	ck_assert_uint_lt(clock_mono_us() - before_us, US_PER_SEC);
}
END_TEST

/* Two timers, neither early. Was the first on time? */
static bool try_timers(void)
{
	struct alarm first = {.t.fn = on_alarm};
	struct alarm second = {.t.fn = on_alarm};
	uint64_t start_us = loop_now_us(&l);

	loop_timer_arm(&l, &second.t, start_us + 20 * US_PER_MS);
	loop_timer_arm(&l, &first.t, start_us + 10 * US_PER_MS);
	while (!second.calls)
		ck_assert_int_eq(loop_turn(&l, TIME_NEVER), 0);
	ck_assert_int_eq(first.calls, 1);
	ck_assert_uint_ge(first.at_us, start_us + 10 * US_PER_MS);
	ck_assert_uint_ge(second.at_us, start_us + 20 * US_PER_MS);
	return first.at_us < start_us + 19 * US_PER_MS;
}

START_TEST(real_timers_are_on_time)
{
	uint64_t start_us;
	unsigned tries = 0;

	/* A busy machine may keep us from the processor for longer. */
	while (!try_timers())
		ck_assert_uint_lt(++tries, 100);
	/* Nothing armed: the wait ends by its own limit. */
	start_us = loop_now_us(&l);
	ck_assert_int_eq(loop_turn(&l, 5 * US_PER_MS), 0);
	ck_assert_uint_ge(loop_now_us(&l), start_us + 5 * US_PER_MS);
}
END_TEST

/* What is switched off stays set, so that a later one needs no system call; the wake-up for nothing does no harm. False: it was due before we looked. */
static bool try_switched_off(struct alarm *near, struct alarm *far)
{
	uint64_t now_us = loop_now_us(&l);

	near->calls = far->calls = 0;
	loop_timer_arm(&l, &near->t, now_us + 20 * US_PER_MS);
	ck_assert_int_eq(loop_turn(&l, 1), 0);
	loop_timer_disarm(&l, &near->t);
	loop_timer_arm(&l, &far->t, now_us + 40 * US_PER_MS);
	ck_assert_int_eq(loop_turn(&l, 1), 0);
	if (loop_now_us(&l) >= now_us + 20 * US_PER_MS)
		return false;
	ck_assert_uint_eq(l.armed_us, now_us + 20 * US_PER_MS);
	while (!far->calls)
		ck_assert_int_eq(loop_turn(&l, TIME_NEVER), 0);
	ck_assert_int_eq(near->calls, 0);
	ck_assert_uint_ge(far->at_us, now_us + 40 * US_PER_MS);
	return true;
}

START_TEST(kernel_timer_follows_the_earliest)
{
	struct alarm far = {.t.fn = on_alarm};
	struct alarm near = {.t.fn = on_alarm};
	uint64_t now_us = loop_now_us(&l);
	unsigned tries = 0;

	loop_timer_arm(&l, &far.t, now_us + 100 * US_PER_SEC);
	ck_assert_int_eq(loop_turn(&l, 1), 0);
	ck_assert_uint_eq(l.armed_us, far.t.due_us);
	loop_timer_arm(&l, &near.t, now_us + 50 * US_PER_SEC);
	ck_assert_int_eq(loop_turn(&l, 1), 0);
	ck_assert_uint_eq(l.armed_us, near.t.due_us);
	while (!try_switched_off(&near, &far))
		ck_assert_uint_lt(++tries, 100);
	far.calls = 0;
	/* Beyond what time_t holds in nanoseconds: accepted, never due. */
	loop_timer_arm(&l, &far.t, TIME_NEVER - 1);
	ck_assert_int_eq(loop_turn(&l, 1), 0);
	ck_assert_int_eq(far.calls, 0);
}
END_TEST

/* ---- tasks and the whole */

static struct task task_a, task_b;

static void on_task_b(struct task *t UNUSED)
{
	note('b');
}

static void on_task_a(struct task *t UNUSED)
{
	note('a');
	loop_defer(&l, &task_b);
}

static void on_ordered(struct timer *t UNUSED)
{
	note('t');
}

START_TEST(order_of_a_turn)
{
	struct timer t = {.fn = on_ordered};
	struct pair p;

	pair_open(&p, EPOLLIN);
	task_a.fn = on_task_a;
	task_b.fn = on_task_b;
	loop_defer(&l, &task_a);
	loop_defer(&l, &task_a);
	loop_timer_arm(&l, &t, 1);
	poke(&p);
	turn();
	ck_assert_str_eq(order, "wtab");
	loop_defer(&l, &task_b);
	loop_undefer(&task_b);
	loop_undefer(&task_b);
	loop_unwatch(&l, &p.w);
	turn();
	ck_assert_str_eq(order, "wtab");
}
END_TEST

static void on_exit_timer(struct timer *t UNUSED)
{
	loop_exit(&l, 42);
}

START_TEST(run_until_exit)
{
	struct timer t = {.fn = on_exit_timer};

	loop_timer_arm(&l, &t, loop_now_us(&l) + 1000);
	ck_assert_int_eq(loop_run(&l), 42);
}
END_TEST

START_TEST(errors_come_back)
{
	loop_fini(&l);
	ck_assert_int_eq(loop_turn(&l, 0), -EBADF);
	ck_assert_int_eq(loop_run(&l), -EBADF);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("loop");
	TCase *tc = tcase_create("real");
	TCase *sim = tcase_create("simulated");

	tcase_add_checked_fixture(tc, real, close_loop);
	tcase_add_test(tc, watch_and_rewatch);
	tcase_add_test(tc, silenced_watch_does_not_spin);
	tcase_add_test(tc, switching_a_watch_cannot_fail);
	tcase_add_test(tc, removal_within_a_batch);
	tcase_add_test(tc, removal_of_oneself);
	tcase_add_test(tc, regular_file_is_refused);
	tcase_add_test(tc, more_ready_than_a_batch);
	tcase_add_test(tc, real_timers_are_on_time);
	tcase_add_test(tc, kernel_timer_follows_the_earliest);
	tcase_add_test(tc, timer_in_the_past_starves_nobody);
	tcase_add_test(tc, order_of_a_turn);
	tcase_add_test(tc, run_until_exit);
	tcase_add_test(tc, errors_come_back);
	tcase_add_checked_fixture(sim, simulated, close_loop);
	tcase_add_test(sim, timers_behave_like_the_model);
	tcase_add_test(sim, timers_fire_in_order);
	tcase_add_test(sim, timer_removes_its_neighbour);
	tcase_add_test(sim, virtual_time_never_sleeps);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, sim);
	return suite_run(s);
}
