/* SPDX-License-Identifier: MIT */
/*
 * loop - epoll, one timerfd, deferred tasks, an injectable clock. Single threaded.
 *
 * Every node is owned and embedded by the caller: registering a timer or a task allocates nothing and cannot fail
 * (timers form an intrusive pairing heap); registering a descriptor is one epoll_ctl. A watch, timer or task may be
 * removed from within any callback, its own included. Order of one turn: ready descriptors, due timers, then tasks
 * until none is left (tasks added by tasks run in the same turn).
 */
#pragma once

#include "core/list.h"

struct loop;
struct watch;
struct timer;
struct task;

typedef void (*watch_fn)(struct watch *w, uint32_t events);
typedef void (*timer_fn)(struct timer *t);
typedef void (*task_fn)(struct task *t);

struct watch {
	int fd;          /* valid while registered */
	uint32_t events; /* EPOLLIN ...; 0: registered but silent */
	watch_fn fn;
	bool is_on;
};

struct timer {
	uint64_t due_us; /* CLOCK_MONOTONIC; TIME_NEVER when not armed */
	timer_fn fn;
	struct timer *child, *next, *prev; /* pairing heap */
	bool is_armed;
};

struct task {
	struct list node;
	task_fn fn;
};

struct loop {
	int epoll_fd, timer_fd;
	uint64_t (*clock)(void *arg); /* injectable; default clock_mono_us */
	void *clock_arg;
	uint64_t armed_us; /* what timer_fd is set to, at most what is due; TIME_NEVER: off */
	struct timer *heap;
	struct list tasks;
	struct watch **batch; /* ready list being dispatched: entries are cleared on removal */
	int batch_n;
	bool want_exit;
	int exit_code;
};

/* 0 or -errno. clock: NULL for the real one; with one, loop_run never sleeps past it (used by simulation). */
MUST_USE int loop_init(struct loop *l, uint64_t (*clock)(void *arg), void *arg);
void loop_fini(struct loop *l);
uint64_t loop_now_us(const struct loop *l);

/* Start watching; w->fn must be set. 0, -EEXIST (already on), -ENOMEM, -ENOSPC, -EPERM (regular file) ... */
MUST_USE int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events);
/* Change the event mask of a registered watch; 0 silences it. 0 or -errno. */
MUST_USE int loop_rewatch(struct loop *l, struct watch *w, uint32_t events);
/* Stop watching; does nothing when not registered. Must be called before the descriptor is closed. */
void loop_unwatch(struct loop *l, struct watch *w);

/* (Re-)arm at an absolute time; TIME_NEVER disarms. t->fn must be set. Cannot fail. */
void loop_timer_arm(struct loop *l, struct timer *t, uint64_t due_us);
void loop_timer_disarm(struct loop *l, struct timer *t);

/* Run fn in this turn, after descriptors and timers; adding twice is adding once. Cannot fail. */
void loop_defer(struct loop *l, struct task *t);
void loop_undefer(struct task *t);

/* One turn; waits at most max_wait_us, rounded up to 1 ms (0: poll, TIME_NEVER: as long as it takes). With a custom
 * clock it does not wait while a timer is armed: the owner of the clock has to advance it. At most 64 descriptors and
 * 1024 timers are served, the rest in the next turn. 0 or -errno of epoll. */
MUST_USE int loop_turn(struct loop *l, uint64_t max_wait_us);
/* Until loop_exit(); returns the exit code or -errno. */
MUST_USE int loop_run(struct loop *l);
void loop_exit(struct loop *l, int code);
