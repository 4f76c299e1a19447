/* SPDX-License-Identifier: MIT */
/*
 * crash - how managers died: a ring of records in memory that PID 1 keeps, so that the next manager can tell.
 *
 * A manager that faults, or that PID 1 aborts because it hangs, writes its own record on the way down (crash_watch):
 * nothing there allocates, locks or calls what may not be called from a signal handler. What left no record of its own is put
 * down by the next manager with what PID 1 saw of it. Deaths by a signal from outside that follow each other share a record.
 * The ring is apart from the state table: what ended one manager may lie there, and a later one may start without it.
 */
#pragma once

#include "core/state.h"

enum {
	CRASH_LAYOUT = 3, /* of struct crash_ring */
	CRASH_RECORDS = 16,
	CRASH_FRAMES = 32,
	CRASH_ENTRIES = 6,
	CRASH_BUILD = 20, /* bytes of a build id, SHA-1 */
	CRASH_UNIT = 64,
};

/* KIND(name, word): API */
#define CRASH_KINDS_LIST(KIND) \
	KIND(NONE, "none")     \
	KIND(FAULT, "fault")   \
	KIND(HANG, "hang")     \
	KIND(KILLED, "killed") \
	KIND(EXIT, "exit")
enum crash_kind {
#define KIND(name, word) CRASH_##name,
	CRASH_KINDS_LIST(KIND)
#undef KIND
		CRASH_KINDS
};
extern const char *const crash_kind_names[CRASH_KINDS];

/* One of the last things the ledger said before. */
struct crash_entry {
	struct ledger_entry entry;
	char text[LEDGER_TEXT];
	char unit[CRASH_UNIT]; /* cut to fit */
};

struct crash {
	uint64_t number;     /* from 1; 0: empty, or not whole */
	uint64_t wall_us;    /* of the death, or (killed) of when it was found out */
	uint64_t lived_us;   /* 0: not known */
	uint32_t generation; /* which life it was, the last of them where they share a record */
	uint32_t times;
	uint32_t kind;       /* enum crash_kind */
	int32_t status;      /* signal, or exit status */
	int32_t sender;      /* process that sent the signal, 0: none did, or not known */
	uint32_t is_scanned; /* the frames are what looks like return addresses on the stack */
	uint64_t address;    /* FAULT: what was touched */
	uint64_t
		image_n; /* bytes of our own code and data: a frame below it is an offset from the load address */
	uint32_t frames_n, entries_n, build_n;
	uint8_t build[CRASH_BUILD];
	uint64_t frames[CRASH_FRAMES];             /* innermost first */
	struct crash_entry entries[CRASH_ENTRIES]; /* oldest first */
};

struct crash_ring {
	uint32_t magic, layout;
	uint32_t generation; /* lives up to this one are accounted for */
	uint32_t reserved;
	uint64_t next; /* number of the next record */
	struct crash record[CRASH_RECORDS];
};

struct crash_log {
	struct crash_ring *ring; /* NULL: none is kept */
	int fd;
	bool is_new;
};

/* fd >= 0: adopt that memfd (-EBADMSG: unusable, make a new one; it stays the caller's); -1: make one. 0 or -errno. */
MUST_USE int crash_open(struct crash_log *l, int fd);
void crash_close(struct crash_log *l);

/* The life before, as PID 1 saw it end. */
struct crash_death {
	uint32_t generation;
	int32_t code, status; /* of waitid(2) */
	bool is_hang;         /* it did not answer: PID 1 ended it */
};
/* Put down what became of the lives since the last call. Before crash_watch(). */
void crash_note_death(struct crash_log *l, const struct crash_death *last);
/* What that life said last in the ledger, unless it told itself. Nothing may have been added since. */
void crash_note_ledger(struct crash_log *l, const struct state_table *state);

/*
 * crash_watch() - from now on a fault of this process leaves a record.
 *
 * @state: may be opened later; it and the log must stay where they are
 * @generation: of this life
 *
 * A handler that is there already (a sanitizer's) is left alone. The signal then does what it always does: ends us, with a core.
 */
void crash_watch(struct crash_log *l, const struct state_table *state, uint32_t generation);

/* Copies the at-th newest record, made safe to read. False: there is none. */
MUST_USE bool crash_get(const struct crash_log *l, unsigned at, struct crash *ret);
