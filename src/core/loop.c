/* SPDX-License-Identifier: MIT */
#include "core/loop.h"

#include <limits.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/fd.h"

enum {
	LOOP_BATCH = 64,    /* descriptors of one turn; the kernel rotates, so none starves */
	LOOP_TIMERS = 1024, /* of one turn: one that re-arms itself in the past starves nobody */
};

/*
 * The pairing heap. `child` is the first child, `next` the right sibling; `prev` is the left
 * sibling, or the parent for a first child. The root has neither sibling.
 */
static struct timer *meld(struct timer *a, struct timer *b)
{
	struct timer *low;
	struct timer *high;

	if (!a || !b)
		return a ? a : b;
	low = b->due_us < a->due_us ? b : a;
	high = low == a ? b : a;
	high->prev = low;
	high->next = low->child;
	if (high->next)
		high->next->prev = high;
	low->child = high;
	low->next = low->prev = NULL;
	return low;
}

/*
 * Two passes over a list of siblings: pairs from left to right onto a stack, then the stack into
 * one tree.
 */
static struct timer *meld_siblings(struct timer *first)
{
	struct timer *stack = NULL;
	struct timer *root = NULL;

	while (first) {
		struct timer *a = first;
		struct timer *b = a->next;
		struct timer *pair;

		first = b ? b->next : NULL;
		a->next = NULL;
		if (b)
			b->next = NULL;
		pair = meld(a, b);
		pair->next = stack;
		stack = pair;
	}
	while (stack) {
		struct timer *pair = stack;

		stack = pair->next;
		pair->next = NULL;
		root = meld(root, pair);
	}
	if (root)
		root->prev = NULL;
	return root;
}

static void heap_remove(struct loop *l, struct timer *t)
{
	if (l->heap == t) {
		l->heap = meld_siblings(t->child);
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		l->heap = meld(l->heap, meld_siblings(t->child));
	}
	t->child = t->next = t->prev = NULL;
}

void loop_timer_arm(struct loop *l, struct timer *t, uint64_t due_us)
{
	if (t->is_armed && t->due_us == due_us)
		return;
	loop_timer_disarm(l, t);
	if (due_us == TIME_NEVER)
		return;
	t->due_us = due_us;
	t->is_armed = true;
	l->heap = meld(l->heap, t);
}

void loop_timer_disarm(struct loop *l, struct timer *t)
{
	if (t->is_armed)
		heap_remove(l, t);
	t->is_armed = false;
	t->due_us = TIME_NEVER;
}

/*
 * The timerfd has no watch: its epoll entry carries NULL. Edge triggered, so that it need not be
 * read.
 */
static int add_timer_fd(struct loop *l)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};

	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->timer_fd < 0)
		return err_here(-errno);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->timer_fd, &ev) < 0)
		return err_here(-errno);
	return 0;
}

int loop_init(struct loop *l, uint64_t (*clock)(void *arg), void *arg)
{
	int r;

	*l = (struct loop){
		.timer_fd = -1, .clock = clock, .clock_arg = arg, .armed_us = TIME_NEVER};
	list_init(&l->tasks);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return err_here(-errno);
	r = clock ? 0 : add_timer_fd(l);
	if (r < 0)
		loop_fini(l);
	return r;
}

void loop_fini(struct loop *l)
{
	fd_close(l->timer_fd);
	fd_close(l->epoll_fd);
	l->timer_fd = l->epoll_fd = -1;
}

uint64_t loop_now_us(const struct loop *l)
{
	return l->clock ? l->clock(l->clock_arg) : clock_mono_us();
}

/*
 * The kernel reports EPOLLERR and EPOLLHUP even for an empty mask, which would make a silenced
 * watch spin. Edge triggered it wakes us once at most. Removing it instead would make the way back
 * an allocation, which can fail.
 */
static int control(struct loop *l, int op, struct watch *w, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events ? events : (uint32_t)EPOLLET, .data.ptr = w};

	/* EPERM is an answer (a regular file is always ready), not an error to be noted. */
	if (epoll_ctl(l->epoll_fd, op, fd, &ev) == 0)
		return 0;
	if (errno == EPERM || errno == EBADF)
		return -errno;
	/* Twice: whoever cannot watch gives up what it is about, and memory may be short for a moment only. */
	return epoll_ctl(l->epoll_fd, op, fd, &ev) < 0 ? -errno : 0;
}

int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events)
{
	int r;

	if (w->is_on)
		return err_here(-EEXIST);
	r = control(l, EPOLL_CTL_ADD, w, fd, events);
	if (r < 0)
		return r;
	w->fd = fd;
	w->events = events;
	w->is_on = true;
	return 0;
}

int loop_rewatch(struct loop *l, struct watch *w, uint32_t events)
{
	int r;

	if (!w->is_on)
		return err_here(-ENOENT);
	if (w->events == events)
		return 0;
	r = control(l, EPOLL_CTL_MOD, w, w->fd, events);
	if (r < 0)
		return err_here(r);
	w->events = events;
	return 0;
}

void loop_unwatch(struct loop *l, struct watch *w)
{
	if (!w->is_on)
		return;
	(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->is_on = false;
	for (int i = 0; i < l->batch_n; i++)
		if (l->batch[i] == w)
			l->batch[i] = NULL;
}

void loop_defer(struct loop *l, struct task *t)
{
	if (!list_is_linked(&t->node))
		list_add_tail(&l->tasks, &t->node);
}

void loop_undefer(struct task *t)
{
	list_del(&t->node);
}

/*
 * Never set back: a start that is through has switched its timeout off again, and the next has a later one. At worst
 * there is one wake-up for nothing, and then the timer is set to what is due.
 */
static int arm_timer_fd(struct loop *l, uint64_t due_us)
{
	/* A due time of 0, which would switch the timer off, never gets here: it has passed. */
	struct itimerspec spec = {.it_value = {.tv_sec = (time_t)(due_us / US_PER_SEC),
					       .tv_nsec = (long)(due_us % US_PER_SEC * 1000)}};

	if (due_us >= l->armed_us)
		return 0;
	if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
		return err_here(-errno);
	l->armed_us = due_us;
	return 0;
}

/*
 * How long epoll may sleep, in its own unit; rounded up, or a wait below 1 ms would become a busy
 * loop.
 */
static int epoll_timeout(uint64_t wait_us)
{
	if (wait_us == TIME_NEVER)
		return -1;
	if (wait_us > (uint64_t)INT_MAX * US_PER_MS)
		return INT_MAX;
	return (int)((wait_us + US_PER_MS - 1) / US_PER_MS);
}

/*
 * Sets the timerfd when it has to wake us; changes *wait_us to 0 when there is something to do at
 * once.
 */
static int prepare(struct loop *l, uint64_t *wait_us)
{
	uint64_t due_us = l->heap ? l->heap->due_us : TIME_NEVER;

	if (!list_is_empty(&l->tasks))
		*wait_us = 0;
	/* Virtual time does not pass while we sleep: whoever drives it must get the turn back. */
	if (due_us != TIME_NEVER && (l->clock || due_us <= loop_now_us(l)))
		*wait_us = 0;
	if (l->clock || *wait_us == 0)
		return 0;
	return arm_timer_fd(l, due_us);
}

static int dispatch_watches(struct loop *l, int timeout)
{
	struct epoll_event ev[LOOP_BATCH];
	struct watch *batch[LOOP_BATCH];
	int n = epoll_wait(l->epoll_fd, ev, LOOP_BATCH, timeout);

	if (n < 0)
		return errno == EINTR ? 0 : err_here(-errno);
	for (int i = 0; i < n; i++) {
		batch[i] = ev[i].data.ptr;
		if (!batch[i])
			l->armed_us = TIME_NEVER; /* it has fired, so it is off */
	}
	l->batch = batch;
	l->batch_n = n;
	for (int i = 0; i < n; i++) {
		struct watch *w = batch[i];
		uint32_t mask = w && w->events ? w->events | EPOLLERR | EPOLLHUP : 0;

		/* An earlier callback may have removed the watch or asked for less. */
		if (ev[i].events & mask)
			w->fn(w, ev[i].events & mask);
	}
	l->batch = NULL;
	l->batch_n = 0;
	return 0;
}

static void dispatch_timers(struct loop *l)
{
	uint64_t now_us;

	if (!l->heap)
		return;
	now_us = loop_now_us(l);
	for (int i = 0; i < LOOP_TIMERS && l->heap && l->heap->due_us <= now_us; i++) {
		struct timer *t = l->heap;

		loop_timer_disarm(l, t);
		t->fn(t);
	}
}

static void dispatch_tasks(struct loop *l)
{
	struct list *node;

	while ((node = list_pop(&l->tasks))) {
		struct task *t = list_entry(node, struct task, node);

		t->fn(t);
	}
}

int loop_turn(struct loop *l, uint64_t max_wait_us)
{
	int r = prepare(l, &max_wait_us);

	if (r < 0)
		return r;
	r = dispatch_watches(l, epoll_timeout(max_wait_us));
	if (r < 0)
		return r;
	dispatch_timers(l);
	dispatch_tasks(l);
	return 0;
}

int loop_run(struct loop *l)
{
	while (!l->want_exit) {
		int r = loop_turn(l, TIME_NEVER);

		if (r < 0)
			return r;
	}
	return l->exit_code;
}

void loop_exit(struct loop *l, int code)
{
	l->want_exit = true;
	l->exit_code = code;
}
