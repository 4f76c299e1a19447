/* SPDX-License-Identifier: MIT */
/*
 * bank_client - the manager's half of the bank: requests to PID 1, notes of what changed, and the map of free slots.
 *
 * Requests are pipelined: no call waits for an answer; what comes of it is told by a note. A descriptor that
 * was stored is available at once in this process under bank_fd(slot). Slots are taken here (the manager is the only one who does).
 */
#pragma once

#include "core/bank.h"
#include "core/buf.h"
#include "core/loop.h"

enum bank_note_kind {
	BANK_NOTE_REPLY, /* err of a request on slot; SPAWN, ADOPT: pid; ACCEPT: peer. Success of STORE and AWAIT is not told */
	BANK_NOTE_EXECED,
	BANK_NOTE_EXECFAIL, /* step, err; -ECHILD: it died (was killed) before its exec and said nothing */
	BANK_NOTE_EXIT, /* code, status, pid; repeated to every new manager until ACK */
	BANK_NOTE_SIGNAL, /* PID 1 itself received signal `status`; repeated to every new manager until HEARD */
	BANK_NOTE_COUNT
};

/* What changed in a slot, made from the table. */
struct bank_note {
	uint32_t kind, op;
	uint32_t slot;
	int32_t err; /* negative errno or 0 */
	uint64_t token;
	int32_t pid, code, status;
	uint32_t step;
	uint64_t end_us;
	uid_t peer_uid;
	pid_t peer_pid; /* UNIX connections; 0 unknown */
	uint32_t peer_n, local_n;
	struct sockaddr_storage peer, local;
};

/* For whom a slot was taken, in words of the taker (procs.h); zeroed: nobody says. */
struct bank_user {
	uint32_t unit;
	uint8_t role, commands;
};

/* What this process has asked of a slot, which of its news it was told, and for whom. */
struct bank_seen {
	uint64_t token;
	struct bank_user user;
	uint8_t told; /* a bit for each kind of note */
};

enum { BANK_ACKS = 16 };

struct bank {
	struct watch watch;
	struct loop *loop;
	const struct bank_table *table;
	uint64_t *taken; /* bitmap of slots in use as this process sees it */
	uint32_t taken_n;
	struct bank_seen *seen;
	uint32_t changed_n;      /* news of the table looked at so far */
	uint32_t signals, pings; /* heard so far */
	uint32_t search;         /* where the next free slot is looked for */
	struct task send_acks;   /* for the exits in the slots of acks */
	uint32_t acks[BANK_ACKS], acks_n;
	void (*on_note)(struct bank *b, const struct bank_note *note);
	void (*on_gone)(struct bank *b); /* PID 1's end closed: only when it died */
	uint64_t next_token;
};

/* Map the table and watch the channel. Slots the table shows in use are taken. 0 or -errno (-ENOTCONN: not started by hark-init). */
MUST_USE int bank_open(struct bank *b, struct loop *loop);
void bank_close(struct bank *b);
/* "unit/what": what a slot is called. What does not fit ends in a hash of the whole. */
void bank_name(char out[BANK_NAME], const char *unit, const char *what);
/* Is the slot in use as this process sees it? The table still shows what PID 1 has not come to drop yet. */
bool bank_has(const struct bank *b, uint32_t slot);
/* That name as the table has it; "" of a free slot. */
static inline const char *bank_slot_name(const struct bank_table *t, uint32_t slot)
{
	return t->slot[slot].kind == BANK_FREE ? "" : t->name[slot];
}
/* Are there n free slots? */
bool bank_has_room(const struct bank *b, uint32_t n);
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
MUST_USE int bank_find(const struct bank *b, const char *name);
/* Leave fd under that name, in place of what is in slot old (-1: nothing). The slot, -ENOSPC or as bank_store(). */
MUST_USE int bank_keep(struct bank *b, int old, const char *name, int fd);
/*
 * bank_lasting() - what watches files or mounts, and outlives the manager.
 *
 * @make: makes one (a descriptor or -errno) when none was left under that name
 *
 * To take one down the kernel waits until nobody can be looking at it any more, some 10 ms, and PID 1 would hear of the manager's death only
 * after that. What happens meanwhile waits in it; who watches again is given the same numbers for the same files. The descriptor
 * stays open. Returns it or -errno.
 */
MUST_USE int bank_lasting(struct bank *b, const char *name, int (*make)(void));
/* Closes here and there, frees the slot. */
MUST_USE int bank_drop(struct bank *b, uint32_t slot);
/*
 * What was dropped is open with PID 1, and its address in use, until it comes to that; so is what it was to store before. Waits
 * until it has done all that it was asked, a second at most. Did it?
 */
bool bank_settle(const struct bank *b);
/* Has PID 1 so much to do that what is not urgent should be asked for later? It has news when it got on. */
bool bank_is_behind(const struct bank *b);
/* bank_await(): as soon as somebody comes; only the last one asked of a listener counts. bank_accept() of the same slot and token ends the waiting. */
MUST_USE int bank_accept(struct bank *b, uint32_t slot, uint64_t token, uint32_t listen_slot);
MUST_USE int bank_await(struct bank *b, uint32_t slot, uint64_t token, uint32_t listen_slot);
struct bank_spawn {
	uint32_t slot;
	uint64_t token;
	const char *name;
	int cgroup_fd;  /* -1: none */
	uint32_t flags; /* BANK_F_DONATE, BANK_F_EXECED, BANK_F_APART */
	const int32_t *refs;
	uint32_t refs_n;
	struct str plan; /* at most PLAN_INLINE bytes */
};
MUST_USE int bank_spawn(struct bank *b, const struct bank_spawn *s);
MUST_USE int bank_signal(struct bank *b, uint32_t slot, uint64_t token, int sig);
MUST_USE int bank_adopt(struct bank *b, uint32_t slot, uint64_t token, const char *name, pid_t pid);
/*
 * The exit in the slot was handled, and the slot is given back. It is sent behind what the loop still has to do in this turn: often that is to ask for
 * the next process, which should not wait for PID 1 to bury this one.
 */
MUST_USE int bank_ack(struct bank *b, uint32_t slot, uint64_t token);
/* A manager that is silent for so long is asked, and ended when it is silent as long again. Whole seconds, rounded up. -ERANGE: none, or too many. */
MUST_USE int bank_ping_every(struct bank *b, uint64_t every_us);
MUST_USE int bank_heard(struct bank *b, int sig);
/* exec_path: hark-exec, which PID 1 becomes for the end of the machine; not looked at when it only exits. words: for it, see final.h. */
MUST_USE int bank_final(struct bank *b, int arg, bool is_exit, const char *exec_path,
			const char *words);

/*
 * The manager's own binary, see bank.h. bank_keep_binary(): this process is content, PID 1 shall start it from fd from now on.
 * bank_try_binary(): the next manager is started from fd, once. Neither takes fd. Has the binary that was tried last died
 * before it was content, so that the one before is back? 0, or as the others.
 */
MUST_USE int bank_keep_binary(struct bank *b, int fd);
MUST_USE int bank_try_binary(struct bank *b, int fd);
bool bank_was_rolled_back(const struct bank *b);
/*
 * PID 1 becomes the program in fd (hark-init, executable, `--layout` exits with BANK_LAYOUT). The result stands in the
 * table: reexecs counts one more, reexec_err is 0 or why it is still the old one.
 */
MUST_USE int bank_reexec(struct bank *b, int fd);
