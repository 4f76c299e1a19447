/* SPDX-License-Identifier: MIT */
/*
 * bank_client - the manager's half of the bank: requests to PID 1, notes from it, and the map of free slots.
 *
 * Requests are pipelined: no call waits for an answer; what comes of it arrives as a note. A descriptor that
 * was stored is available at once in this process under bank_fd(slot). Slots are taken here (the manager is the only one who does).
 */
#pragma once

#include "core/bank.h"
#include "core/buf.h"
#include "core/loop.h"

struct bank {
	struct watch watch;
	struct loop *loop;
	const struct bank_table *table;
	uint64_t *taken; /* bitmap of slots in use as this process sees it */
	uint32_t search; /* where the next free slot is looked for */
	void (*on_note)(struct bank *b, const struct bank_note *note);
	void (*on_gone)(struct bank *b); /* PID 1's end closed: only when it died */
	uint64_t next_token;
};

/* Map the table, watch the channel, send HELLO. Slots the table shows in use are taken. 0 or -errno (-ENOTCONN: not started by hark-init). */
MUST_USE int bank_open(struct bank *b, struct loop *loop);
void bank_close(struct bank *b);
static inline int bank_fd(uint32_t slot)
{
	return BANK_FD_BASE + (int)slot;
}
/* "unit/what", cut to fit: what a slot is called. */
void bank_name(char out[BANK_NAME], const char *unit, const char *what);
/* Is the slot in use as this process sees it? The table still shows what PID 1 has not come to drop yet. */
bool bank_has(const struct bank *b, uint32_t slot);
/* A free slot number, now taken, or -ENOSPC. Give it back with bank_release() only if nothing was stored there. */
MUST_USE int bank_take(struct bank *b);
void bank_release(struct bank *b, uint32_t slot);
/* A token never used before in this system (CLOCK_MONOTONIC mixed with a counter). */
uint64_t bank_token(struct bank *b);

/*
 * Each sends one request; 0, -EPIPE (PID 1 gone), -EMSGSIZE. fd stays the caller's; the slot number in this process is made a
 * duplicate of it. name: "unit/what", cut to fit.
 */
MUST_USE int bank_store(struct bank *b, uint32_t slot, uint64_t token, const char *name, int fd,
			bool listen, int backlog);
MUST_USE int bank_replace(struct bank *b, uint32_t slot, uint64_t token, const char *name, int fd);
/* What an earlier manager left under that name: its slot, or -1. */
int bank_find(const struct bank *b, const char *name);
/* Leave fd under that name, in place of what is in slot old (-1: nothing). 0, -ENOSPC or as bank_store(). */
MUST_USE int bank_keep(struct bank *b, int old, const char *name, int fd);
/* Closes here and there, frees the slot. */
MUST_USE int bank_drop(struct bank *b, uint32_t slot);
MUST_USE int bank_accept(struct bank *b, uint32_t slot, uint64_t token, uint32_t listen_slot);
struct bank_spawn {
	uint32_t slot;
	uint64_t token;
	const char *name;
	int cgroup_fd;  /* -1: none */
	uint32_t flags; /* BANK_F_DONATE, BANK_F_EXECED */
	const int32_t *refs;
	uint32_t refs_n;
	struct str plan; /* at most PLAN_INLINE bytes */
};
MUST_USE int bank_spawn(struct bank *b, const struct bank_spawn *s);
MUST_USE int bank_signal(struct bank *b, uint32_t slot, uint64_t token, int sig);
MUST_USE int bank_adopt(struct bank *b, uint32_t slot, uint64_t token, const char *name, pid_t pid);
MUST_USE int bank_ack(struct bank *b, uint32_t slot, uint64_t token);
MUST_USE int bank_heard(struct bank *b, int sig);
MUST_USE int bank_final(struct bank *b, int arg, bool is_exit);
