/* SPDX-License-Identifier: MIT */
/*
 * init - what the two halves of PID 1 share: init.c (start, the manager's life, clone, the end) and keeper.c (slots,
 * requests, exits). All storage is static and nothing here allocates, parses or looks up a path: children do.
 */
#pragma once

#include "core/bank.h"
#include "core/plan_run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* PID 1's own descriptors, from BANK_OWN_FD on; those of the manager keep their numbers there too. */
enum {
	OWN_CHANNEL = BANK_TABLE_FD + 1,
	OWN_EPOLL,
	OWN_SIGNAL,
	OWN_PIPE, /* write end for a child cloned without the staging ring, until it is cloned */
};

/* What an epoll event is about: a slot's number, or one of these. */
enum { EVENT_SIGNAL = BANK_SLOTS, EVENT_CHANNEL };

struct keeper {
	struct bank_table *table;
	struct bank_slot *slot; /* table->slot */
	struct rlimit nofile;   /* as it was at the start: what children get back */
	pid_t manager;          /* 0: none */
	bool can_tell;          /* this manager said HELLO, and the channel takes more */
	bool want_reap;         /* look for zombies in this turn */
	uint32_t held_n;        /* zombies kept until ACK */
	int signal;             /* newest signal not yet handled; 0: none */
	bool is_signal_told;    /* ... to this manager */
	uint64_t gone_us;       /* when the last manager died */
	uint64_t due_us;    /* when to start a manager (none lives) or to take the next ping step */
	unsigned ping_step; /* steps taken since it last answered */
};
extern struct keeper keeper;

enum { PING_EVERY_US = 30 * 1000 * 1000 };

/*
 * Clone a child that becomes a service: its pid or -errno (then nothing has happened). The plan follows q in memory.
 * report_fd: OWN_PIPE (full copy of the descriptor table), or the last descriptor of the stage that was filled.
 */
MUST_USE pid_t init_clone(const struct bank_req *q, int cgroup_fd, int report_fd);
/* The end, as FINAL asks for. Returns -EPERM where it is not ours to do, else never. */
int init_final(const struct bank_req *q, int fd);
uint64_t init_now_us(void);
int init_close_range(int first, int last, unsigned flags);
/* Give fd the number target and close the one it came under. fd < 0: errno says why. 0 or -errno. */
int init_place_fd(int fd, int target, int flags);
/* epoll_ctl(2). 0 or -errno. */
int init_watch(int op, int fd, uint32_t what, uint32_t events);

/* --- keeper.c --- */
enum bank_served { BANK_SERVED_ALL, BANK_SERVED_SOME, BANK_SERVED_EOF };
/* Perform waiting requests, at most a batch. */
enum bank_served bank_serve(void);
/* One request as received, q->plan_n bytes of plan behind it; fd (-1: none) is borrowed. Trusts no byte; nonsense is not answered. */
void bank_handle(const struct bank_req *q, int fd);
/* The exec pipe or the pidfd of a slot is readable. */
void bank_event(uint32_t slot);
/* Send what could not be sent before. */
void bank_tell_all(void);
/* Best effort: about no slot. */
bool bank_send(const struct bank_note *note);
/* Mark the children of slots that died, reap all others; at most a batch, then keeper.want_reap stays. */
void bank_reap(void);
