/* SPDX-License-Identifier: MIT */
/*
 * bank - what PID 1 keeps for the manager, and the records by which it is asked.
 *
 * PID 1 (hark-init) holds a table of slots in a shared memfd that it alone writes and the manager maps read-only.
 * A slot is a stored descriptor (listening socket, FIFO, pipe end, state memfd ...), an accepted connection, or a child.
 * The manager chooses slot numbers; a request for a slot that already holds the same token is answered as if it
 * had just succeeded (idempotent), any other occupied slot is left as it is. The descriptor of slot i has the number
 * BANK_FD_BASE + i in PID 1 and, because the manager is forked from it, in the manager too.
 *
 * Requests travel on a SEQPACKET socketpair (BANK_CHANNEL_FD in the manager). What comes of them stands in the table; the
 * numbers of slots with news are in its ring `changed`, and one byte on the channel says that there are some. News
 * are levels, not edges: they stay in the slot until it is freed, so a manager that dies misses nothing.
 *
 * Descriptor ranges of PID 1: 0-2 console, 3.. where new ones appear, 16.. wide stage, 160.. stages, 416.. own, 464.. slots.
 * A child is cloned with CLONE_FILES, its descriptors dup'ed into a stage; its first act is close_range(BANK_OWN_FD, ~0,
 * CLOSE_RANGE_UNSHARE), then it says in its slot that it did. PID 1 uses the stage again when it has left our memory, see init.h.
 */
#pragma once

#include "core/plan_run.h"

#include <sys/socket.h>
#include <sys/types.h>

enum {
	BANK_LAYOUT =
		8, /* of struct bank_table, bank_req, bank_note, plans, and what PID 1 saves */
	BANK_SLOTS = 18432, /* most; fewer when RLIMIT_NOFILE is lower */
	BANK_WIDE_FD = 16,  /* the stage of what does not fit into the others or finds none free */
	BANK_STAGE_FD = 160,
	BANK_STAGES = 8,
	BANK_STAGE_FDS = 16,
	BANK_STAGE_REFS = 15, /* most references of a stage; behind them the exec pipe */
	BANK_OWN_FD = 416,
	BANK_CHANNEL_FD = 417, /* in the manager: socket to PID 1 */
	BANK_TABLE_FD = 418,   /* in the manager: the slot table */
	BANK_FD_BASE = 464,
	BANK_CHANGES = 4096,
	BANK_REFS = 128, /* most references of one SPAWN */
	BANK_NAME = 104,
	BANK_RESERVE =
		8, /* slots at the end that only STORE may use, so a manager can always be started */
	/*
	 * The slots of the manager's binary. PID 1 starts NEW, once, and forgets it; else GOOD; else what it finds by path.
	 * A manager that is content replaces GOOD by itself: a GOOD older than the last start of a NEW (tried_us) means
	 * that the new one died before that, and the old one is back.
	 */
	BANK_BINARY_NEW = 0,
	BANK_BINARY_GOOD = 1,
};

/* WAITING: for a connection, which takes its place. */
enum bank_kind { BANK_FREE, BANK_WAITING, BANK_FD, BANK_CONN, BANK_PROC, BANK_DEAD };

/* Of a child: not known yet, its program runs, or never will (said tells why; ECHILD: it was killed before). */
enum bank_exec { BANK_EXEC_PENDING, BANK_EXECED, BANK_EXEC_FAILED };

/* bank_table.crashes from which on a manager starts without the stored state, and then with as little as it can. */
enum { BANK_CRASHES_NO_STATE = 5, BANK_CRASHES_SAFE = 10 };

/* One slot of the shared table. kind is written last: what it promises is there. */
struct bank_slot {
	uint8_t kind;
	uint8_t flags; /* BANK_F_* of the request */
	uint8_t op;    /* of the request: what news of this slot answer */
	uint8_t exec;  /* PROC, DEAD: enum bank_exec */
	int32_t pid;   /* PROC, DEAD */
	uint64_t token;
	uint64_t since_us; /* clone or store, CLOCK_MONOTONIC */
	/* PROC: where the child is in its plan and what went wrong; the one thing it writes itself. */
	struct plan_report said;
	int32_t code,
		status; /* DEAD: si_code (CLD_*), si_status. FREE: code is why, a negative errno */
	uint64_t end_us;
	uint32_t donee;    /* CONN: slot + 1 of the child that shall have it alone */
	uint32_t listener; /* WAITING: slot of the listener */
};

/* Who is at the other end of a connection. */
struct bank_peer {
	struct ucred cred; /* UNIX connections; pid 0 unknown */
	uint32_t peer_n, local_n;
	struct sockaddr_storage peer, local;
};

struct bank_table {
	uint32_t layout;
	int32_t pid;          /* PID 1's own: here in every layout, as are the two below */
	uint32_t saved_n;     /* bytes of its private state, see REEXEC */
	uint32_t refused;     /* layout of a binary that could not read this; 0: none */
	uint32_t lives;       /* of PID 1: 1 and one more for each fault or REEXEC */
	uint32_t faults;      /* of its own that it survived */
	int32_t fault_signal; /* the newest of them */
	uint32_t reexecs;     /* REEXEC requests done or refused */
	int32_t reexec_err;   /* of the newest: 0 or negative errno */
	uint32_t slots_n;     /* usable slots */
	uint32_t high;        /* no slot at or above this index was ever used */
	uint32_t generation;  /* managers started so far */
	uint32_t crashes;     /* consecutive deaths that count (see architecture) */
	int32_t last_code, last_status; /* of the last manager */
	uint32_t last_hang;             /* ... did not answer, and PID 1 ended it */
	uint32_t is_pid1;               /* hark-init is a real PID 1 and may reboot */
	uint32_t signals;               /* received by PID 1 itself so far */
	uint32_t pings;                 /* asked so far; any request is an answer */
	uint64_t signal_set; /* those of them that no manager handled, see HEARD: bit n - 1 is n */
	uint64_t start_us;   /* when hark-init started, CLOCK_MONOTONIC */
	uint64_t orphans;    /* reaped so far, not children of units */
	uint64_t spawned;    /* children cloned so far */
	uint64_t handled;    /* requests so far */
	uint64_t manager_us; /* start of the running manager */
	uint64_t tried_us;   /* when a NEW binary was last started; 0: never */
	uint32_t changed_n;  /* entries ever made in changed; too far behind: look at all slots */
	uint32_t changed[BANK_CHANGES];
	int32_t child[BANK_SLOTS]; /* pids not yet reaped, written by clone itself; 0: none */
	struct bank_slot slot[BANK_SLOTS];
	/* "unit/what", NUL-terminated: for people and for rebuilding without state. Of a free slot it means nothing. */
	char name[BANK_SLOTS][BANK_NAME];
	struct bank_peer peer[BANK_SLOTS]; /* CONN */
};

/* OP(name, what) from the manager to PID 1. */
#define BANK_OPS(OP)                                                                                       \
	OP(NONE, "nothing")                                                                                \
	OP(STORE,                                                                                          \
	   "keep the passed descriptor in slot; BANK_F_LISTEN: listen(2) with backlog arg first")          \
	OP(REPLACE, "as STORE, but the slot may be occupied: swaps atomically")                            \
	OP(DROP, "close and free slot (FD, CONN)")                                                         \
	OP(ACCEPT,                                                                                         \
	   "accept4(2) on slot refs[0] into slot, with the peer in the table; slot may be one that waits") \
	OP(AWAIT,                                                                                          \
	   "ACCEPT when somebody comes, of which alone is told; the last one asked of a listener counts")  \
	OP(SPAWN,                                                                                          \
	   "clone a child into slot: refs onto 0,1,2 ..., fd 0 of the record is the cgroup (if F_CGROUP)") \
	OP(SIGNAL, "send signal arg to the child in slot, by pidfd")                                       \
	OP(ADOPT, "watch the process with pid arg, a child of ours by re-parenting, in slot")              \
	OP(ACK, "the exit in slot was handled: reap and free")                                             \
	OP(PONG,                                                                                           \
	   "answer to a ping (as every request is); arg: from now on as many seconds between pings")       \
	OP(HEARD, "signal arg was handled; it was told when token signals had been received")              \
	OP(REEXEC,                                                                                         \
	   "become the passed binary of hark-init, keeping everything; the result in reexec_err")          \
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
	BANK_F_DONATE =
		4, /* SPAWN: free the CONN slots among refs soon after the exec, which is told then */
	BANK_F_EXECED =
		8, /* SPAWN: tell when the exec has succeeded; without it only failure is told */
	BANK_F_EXIT = 16,  /* FINAL: arg is an exit status, not a reboot command */
	BANK_F_APART = 32, /* SPAWN: the child shall not run its plan in the memory of PID 1 */
};

/* The descriptor of a slot, in PID 1 and in the manager. */
static inline int bank_fd(uint32_t slot)
{
	return BANK_FD_BASE + (int)slot;
}

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

/* What is passed as descriptor i is passed as the one before it, too: it is staged once. */
static inline bool bank_is_again(const struct bank_req *q, int i)
{
	return i > 0 && q->refs[i] == q->refs[i - 1];
}
