/* SPDX-License-Identifier: MIT */
/*
 * init - what the two halves of PID 1 share: init.c (start, the manager's life, clone, the end) and bank.c (slots,
 * requests, exits). All storage is static and nothing here allocates, parses or, after the start, looks up a path.
 */
#pragma once

#include "core/bank.h"
#include "core/plan.h"

#include <sys/resource.h>
#include <sys/types.h>

/* PID 1's own descriptors, from BANK_OWN_FD on; those of the manager keep their numbers there too. */
enum {
	OWN_CHANNEL = BANK_TABLE_FD + 1,
	OWN_EPOLL,
	OWN_SIGNAL,
	OWN_NULL,
	OWN_PIPE, /* write end for a child cloned without the staging ring, until it is cloned */
};

/* What an epoll event is about: a slot's number, or one of these. */
enum { EVENT_SIGNAL = BANK_SLOTS, EVENT_CHANNEL };

struct keeper {
	struct bank_table *table;
	struct rlimit nofile; /* as it was at the start: what children get back */
	pid_t manager;	      /* 0: none */
	bool is_greeted;      /* this manager said HELLO: it can be told things */
	bool is_full;	      /* the channel took no more: wait for EPOLLOUT */
	enum { REAP_IDLE, REAP_WANTED, REAP_HELD } reap; /* HELD: a zombie not yet acknowledged ended the search */
	uint32_t held_n;      /* zombies kept until ACK */
	int signal;	      /* newest signal not yet told; 0: none */
	uint64_t gone_us;     /* when the last manager died */
	uint64_t ping_us;     /* when to do the next step of the ping; TIME_NEVER: off */
	unsigned ping_step;
};
extern struct keeper keeper;

/* A child to be: everything it reads after the clone is private memory, never the shared table. */
struct child {
	const char *plan;
	size_t plan_n;
	const int32_t *refs; /* slots; NULL: staged from stage_fd on */
	int n;		     /* descriptors to pass */
	int stage_fd;
	int report_fd; /* write end of the exec pipe */
	int cgroup_fd; /* -1: stay in ours */
};

/* Clone a child that becomes a service: its pid or -errno (then nothing has happened). */
MUST_USE pid_t init_clone(const struct child *c);
/* The end, as FINAL asks for. Returns -EPERM where it is not ours to do, else never. */
int init_final(uint32_t flags, int32_t arg);
uint64_t init_now_us(void);
int init_close_range(int first, int last, unsigned flags);
/* Give fd the number target and close the one it came under. fd < 0: errno says why. 0 or -errno. */
int init_place_fd(int fd, int target, int flags);
/* epoll_ctl(2). 0 or -errno. */
int init_watch(int op, int fd, uint32_t what, uint32_t events);

enum { PING_IDLE, PING_ASKED, PING_ABORTED, PING_KILLED };
enum { PING_EVERY_US = 30 * 1000 * 1000 };

/* --- bank.c --- */
enum bank_served { BANK_SERVED_ALL, BANK_SERVED_SOME, BANK_SERVED_EOF };
/* Perform waiting requests, at most a batch. */
enum bank_served bank_serve(void);
/* One request as received: fd (-1: none) is borrowed. Trusts no byte; plan holds q->plan_n bytes. */
void bank_handle(const struct bank_req *q, const char *plan, int fd);
/* The exec pipe or the pidfd of a slot is readable. */
void bank_event(uint32_t slot);
/* Send what could not be sent before; is_new: to a manager that was told nothing yet. */
void bank_tell_all(bool is_new);
/* Best effort: about no slot. */
bool bank_send(const struct bank_note *note);
/* Mark the children of slots that died, reap all others; at most a batch, then keeper.reap stays REAP_WANTED. */
void bank_reap(void);
