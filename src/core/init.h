/* SPDX-License-Identifier: MIT */
/*
 * init - what the two halves of PID 1 share: init.c (start, the manager's life, clone, the end) and keeper.c (slots,
 * requests, exits). All storage is static and nothing here allocates, parses or looks up a path: children do.
 */
#pragma once

#include "core/bank.h"
#include "core/plan_run.h"
#include "core/raw.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Every new descriptor appears here before it gets its place, and nothing stays. */
enum { LANDING_FD = STDERR_FILENO + 1 };
/* PID 1's own descriptors, from BANK_OWN_FD on; those of the manager keep their numbers there too. */
enum {
	OWN_CHANNEL = BANK_TABLE_FD + 1,
	OWN_EPOLL,
	OWN_SIGNAL,
	OWN_SELF, /* our binary, to be executed again */
};
/*
 * So many descriptors find room in the table from the start, some 1500 slots. A table that a child has too cannot grow before the
 * kernel has seen every processor at rest (RCU, in expand_fdtable()): PID 1 stood still for 10 ms in the midst of a boot.
 */
enum { FD_ROOM = 2048 };

/* What an epoll event is about: a slot's number, or one of these. */
enum { EVENT_SIGNAL = BANK_SLOTS, EVENT_CHANNEL };

/* A request as received. It stays until it is done: the life after a fault does it again. */
struct in_hand {
	uint32_t tries;
	bool is_ours; /* PID 1 asks itself: somebody came to a listener that a slot waits for */
	/* With room for one descriptor: what else is passed the kernel closes. */
	union {
		struct cmsghdr head;
		struct {
			char head[CMSG_LEN(0)];
			int fd;
		} one;
	} passed;
	struct bank_req req; /* op NONE: none */
	_Alignas(8) char plan[PLAN_INLINE];
};

enum { SEAT_STACK = 1536, PAGE = 4096 };
/*
 * Where a request is received. The child that it asks for runs here, in our memory: on this stack, from this plan, and each
 * seat has a stage of descriptors. All are its own until the kernel says, in `is_inside`, that the child has left our memory by
 * its exec or death. Whoever overruns the stack meets its own pointers first. With a plan of 1 kB a seat is one page.
 */
struct seat {
	_Alignas(PAGE) int32_t is_inside;
	int first; /* descriptor of its stage */
	char *argv[PLAN_ARGS_INLINE + 1], *envp[PLAN_ARGS_INLINE + 1];
	_Alignas(16) char stack[SEAT_STACK];
	struct in_hand in;
};
_Static_assert(offsetof(struct seat, in.plan) + 1024 <= PAGE, "most plans fit into the page");
/* Behind those with stages one that is always free: its children get a copy of our memory and of all descriptors. */
extern struct seat seats[BANK_STAGES + 1];
extern struct seat *seat;   /* that of the request in hand */
extern uint32_t seats_used; /* a bit for each that has a child or its descriptors */

/* Tell the manager at the end of this turn of the loop, or (what does not help it much to know) of the next. */
enum news { NEWS_NONE, NEWS_LATER, NEWS_NOW };

/*
 * All that PID 1 knows beside the table: written behind it when PID 1 executes itself, and read back. Any step may be the
 * last before that, so what is done is noted in an order in which doing it again does no harm.
 */
struct keeper {
	struct rlimit nofile; /* as it was at the start: what children get back */
	pid_t manager;        /* 0: none */
	enum news news;       /* the manager is yet to be told that something changed */
	bool want_reap;       /* look for zombies in this turn */
	bool is_upgrading; /* REEXEC is in hand; until it is done OWN_SELF is the binary before */
	bool needs_pids;   /* a clone failed: no zombie is kept */
	uint32_t faults;   /* since the last whole turn of the loop */
	uint32_t held_n;   /* zombies kept until ACK */
	uint64_t gone_us;  /* when the last manager died */
	uint64_t
		ping_us; /* a manager that is silent for that long is asked, and has as long to answer */
	uint64_t due_us;    /* when to start a manager (none lives) or to take the next ping step */
	unsigned ping_step; /* steps taken since it last answered */
	struct in_hand in;  /* what is in hand, for the next life */
};
extern struct keeper keeper;
extern struct bank_table *bank; /* shared with the manager */

/* Clone a child that becomes a service, as the request in hand says, its pid in table->child: that or -errno (then nothing has happened). */
MUST_USE pid_t init_spawn(int cgroup_fd);
/* REEXEC: -errno, or 0 in the new life. */
int init_reexec(const struct bank_req *q, int fd);
/* The end, as FINAL asks for. Returns -EPERM where it is not ours to do, else never. */
int init_final(const struct bank_req *q, int fd);
/* Have epoll tell of fd, in this way from now on. 0 or -errno. */
int init_watch(int fd, uint32_t what, uint32_t events);

/* --- keeper.c --- */
enum bank_served { BANK_SERVED_ALL, BANK_SERVED_SOME, BANK_SERVED_EOF };
/* Perform waiting requests, at most a batch. */
enum bank_served bank_serve(void);
/* Perform the request in hand. Trusts no byte; nonsense is not answered. */
void bank_handle(void);
/* The exec pipe or the pidfd of a slot is readable, or the listener that it waits for. */
void bank_event(uint32_t slot);
/* Tell the manager that there are news. */
void bank_ring(void);
void bank_free(uint32_t slot);
/* In a new life of PID 1: finish what was in hand, and look after every child. */
void bank_resume(void);
/* Free the seats that children have left. In how many microseconds to look again; TIME_NEVER: none is in use. */
uint64_t bank_sweep(void);
/* Mark the children of slots that died, reap all others; at most a batch, then keeper.want_reap stays. */
void bank_reap(void);
