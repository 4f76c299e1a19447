/* SPDX-License-Identifier: MIT */
/*
 * bank - what PID 1 keeps for the manager, and the records by which it is asked.
 *
 * PID 1 (hark-init) holds a table of slots in a shared memfd that it alone writes and the manager maps read-only.
 * A slot is a stored descriptor (listening socket, FIFO, pipe end, state memfd ...), an accepted connection, or a child.
 * The manager chooses slot numbers; a request for a slot that already holds the same token is answered as if it
 * had just succeeded (idempotent), any other occupied slot is -EEXIST. The descriptor of slot i has the number
 * BANK_FD_BASE + i in PID 1 and, because the manager is forked from it, in the manager too.
 *
 * Requests travel on a SEQPACKET socketpair (BANK_CHANNEL_FD in the manager). Every note from PID 1 is a level, not an
 * edge: it is kept as BANK_TELL_* bits in the slot until it could be sent, EXIT until acknowledged, so a manager that
 * dies misses nothing: its successor reads the table.
 *
 * Descriptor ranges of PID 1: 0-2 console, 16.. staging (BANK_STAGES rings of BANK_STAGE_FDS), 144.. own, 192.. slots.
 * A child is cloned with CLONE_FILES, its descriptors staged below BANK_OWN_FD; its first act is
 * close_range(BANK_OWN_FD, ~0, CLOSE_RANGE_UNSHARE), then it says so on its exec pipe, and PID 1 may reuse the stage.
 */
#pragma once

#include "core/base.h"

#include <sys/socket.h>
#include <sys/types.h>

enum {
	BANK_LAYOUT = 2,    /* of struct bank_slot, bank_req, bank_note */
	BANK_SLOTS = 18432, /* most; fewer when RLIMIT_NOFILE is lower */
	BANK_STAGE_FD = 16,
	BANK_STAGE_FDS = 16, /* 0..13 service's, 14 unused, 15 exec pipe */
	BANK_STAGES = 8,
	BANK_STAGE_REFS = 14, /* most references of a staged spawn; more take a full fork */
	BANK_OWN_FD = 144,
	BANK_CHANNEL_FD = 145, /* in the manager: socket to PID 1 */
	BANK_TABLE_FD = 146,   /* in the manager: the slot table */
	BANK_FD_BASE = 192,
	BANK_REFS = 128, /* most references of one SPAWN */
	BANK_NAME = 104,
	BANK_RESERVE =
		8, /* slots at the end that only STORE may use, so a manager can always be started */
};

enum bank_kind { BANK_FREE, BANK_FD, BANK_CONN, BANK_PROC, BANK_DEAD };

enum bank_note_kind {
	BANK_NOTE_REPLY, /* err of a request on slot; SPAWN: pid; ACCEPT: peer */
	BANK_NOTE_EXECED,
	BANK_NOTE_EXECFAIL, /* step, err; -ECHILD: it died (was killed) before its exec and said nothing */
	BANK_NOTE_EXIT, /* code, status, pid; repeated to every new manager until ACK */
	BANK_NOTE_PING,
	BANK_NOTE_SIGNAL, /* PID 1 itself received signal `status`; repeated to every new manager until HEARD */
	BANK_NOTE_COUNT
};

/* What PID 1 has yet to tell about a slot, a bit for each of the first kinds of note. */
enum {
	BANK_TELL_REPLY = 1 << BANK_NOTE_REPLY,
	BANK_TELL_EXECED = 1 << BANK_NOTE_EXECED,
	BANK_TELL_EXECFAIL = 1 << BANK_NOTE_EXECFAIL,
	BANK_TELL_EXIT = 1 << BANK_NOTE_EXIT,
};

/* bank_table.crashes from which on a manager starts without the stored state, and then with as little as it can. */
enum { BANK_CRASHES_NO_STATE = 5, BANK_CRASHES_SAFE = 10 };

/* One slot of the shared table. Written by PID 1 only. */
struct bank_slot {
	uint8_t kind;
	uint8_t tell; /* BANK_TELL_* not yet sent; EXIT is set again for each new manager until ACK */
	uint8_t flags;     /* BANK_F_* of the request */
	uint8_t is_execed; /* PROC: the exec succeeded, as far as the child could say */
	int32_t pid;       /* PROC, DEAD */
	uint64_t token;
	uint64_t since_us; /* clone or store, CLOCK_MONOTONIC */
	int32_t code;      /* DEAD: si_code (CLD_*) */
	int32_t status;    /* DEAD: si_status */
	uint32_t fail_step;
	int32_t fail_err;
	uint64_t end_us;
	char name
		[BANK_NAME]; /* "unit/what"; NUL-terminated, for people and for rebuilding without state */
};

struct bank_table {
	uint32_t layout;
	uint32_t slots_n;               /* usable slots */
	uint32_t high;                  /* no slot at or above this index was ever used */
	uint32_t generation;            /* managers started so far */
	uint32_t crashes;               /* consecutive deaths that count (see architecture) */
	int32_t last_code, last_status; /* of the last manager */
	uint32_t is_pid1;               /* hark-init is a real PID 1 and may reboot */
	uint64_t start_us;              /* when hark-init started, CLOCK_MONOTONIC */
	uint64_t orphans;               /* reaped so far, not children of units */
	uint64_t spawned;               /* children cloned so far */
	uint64_t manager_us;            /* start of the running manager */
	uint64_t reserved[6];
	struct bank_slot slot[BANK_SLOTS];
};

/* OP(name, what) from the manager to PID 1. */
#define BANK_OPS(OP)                                                                                       \
	OP(HELLO,                                                                                          \
	   "I am here, layout in arg; PID 1 sends a note for every slot that has something to tell")       \
	OP(STORE,                                                                                          \
	   "keep the passed descriptor in slot; BANK_F_LISTEN: listen(2) with backlog arg first")          \
	OP(REPLACE, "as STORE, but the slot may be occupied: swaps atomically")                            \
	OP(DROP, "close and free slot (FD, CONN)")                                                         \
	OP(ACCEPT,                                                                                         \
	   "accept4(2) on slot refs[0] into slot; the note carries peer address and credentials")          \
	OP(SPAWN,                                                                                          \
	   "clone a child into slot: refs onto 0,1,2 ..., fd 0 of the record is the cgroup (if F_CGROUP)") \
	OP(SIGNAL, "send signal arg to the child in slot, by pidfd")                                       \
	OP(ADOPT, "watch the process with pid arg, a child of ours by re-parenting, in slot")              \
	OP(ACK, "the exit in slot was handled: reap and free")                                             \
	OP(PONG, "answer to PING (as every request is)")                                                   \
	OP(HEARD, "the signal arg, which PID 1 received and told, was handled")                            \
	OP(FINAL,                                                                                          \
	   "arg: exit status (F_EXIT) or reboot(2) command; passed: hark-exec, which PID 1 becomes for the end")

enum bank_op {
#define OP(name, what) BANK_##name,
	BANK_OPS(OP)
#undef OP
		BANK_OP_COUNT
};

enum {
	BANK_F_LISTEN = 1, /* STORE: listen(2) as one operation with the storing */
	BANK_F_CGROUP = 2, /* SPAWN: a cgroup directory descriptor is passed */
	BANK_F_DONATE = 4, /* SPAWN: free the CONN slots among refs once the exec has succeeded */
	BANK_F_EXECED = 8, /* SPAWN: tell when the exec has succeeded */
	BANK_F_EXIT = 16,  /* FINAL: arg is an exit status, not a reboot command */
};

/* A request: this header, then plan_n bytes of plan (SPAWN only). One packet. */
struct bank_req {
	uint32_t op;
	uint32_t slot;
	uint64_t token;
	uint32_t flags;
	int32_t arg;
	uint32_t plan_n;
	uint32_t refs_n;
	int32_t refs[BANK_REFS]; /* slot numbers; -1: /dev/null */
	char name[BANK_NAME];
};

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
