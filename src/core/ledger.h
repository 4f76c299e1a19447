/* SPDX-License-Identifier: MIT */
/*
 * ledger - the ring of what happened and why: every job, every change of a unit's visible state, every trigger, with the
 * entry it follows from. Lives in shared memory that PID 1 keeps, so `why` answers across a crash of the manager.
 *
 * Units are named by their slot in the state table (state.h), which outlives the manager; entries are fixed-size and
 * checksummed by their sequence number; writing one cannot fail. After four billion entries the numbers begin anew, and who asks for
 * one from before is told that it was overwritten. Few entries have a text (of the outside party), so the
 * texts have a smaller ring of their own.
 */
#pragma once

#include "core/cause.h"

enum { LEDGER_ENTRIES = 4096, LEDGER_TEXTS = 512, LEDGER_TEXT = 48 };

/* ENTRY(name, word): API */
#define LEDGER_KINDS_LIST(ENTRY)    \
	ENTRY(NONE, "none")         \
	ENTRY(JOB, "job")           \
	ENTRY(JOB_DONE, "job-done") \
	ENTRY(STATE, "state")       \
	ENTRY(TRIGGER, "trigger")   \
	ENTRY(PROCESS, "process")   \
	ENTRY(EXIT, "exit")         \
	ENTRY(NOTE, "note")
enum ledger_kind {
#define ENTRY(name, word) LEDGER_##name,
	LEDGER_KINDS_LIST(ENTRY)
#undef ENTRY
		LEDGER_KINDS
};
extern const char *const ledger_kind_names[LEDGER_KINDS];

struct ledger_entry {
	uint32_t seq;    /* from 1; an entry is valid when seq % LEDGER_ENTRIES is its place */
	uint32_t parent; /* seq it follows from, 0 none */
	uint64_t wall_us;
	uint32_t unit, from; /* state slots + 1, 0 none */
	uint32_t uid;
	int32_t pid;
	uint8_t kind;  /* enum ledger_kind */
	uint8_t cause; /* enum cause_kind */
	uint8_t a,
		b; /* JOB: type, mode; JOB_DONE: type, result; STATE: old and new coarse; EXIT: code, status */
	uint32_t text; /* where its text is, + 1; 0: it has none */
};

struct ledger_text {
	uint64_t seq; /* of the entry it belongs to */
	char text[LEDGER_TEXT];
};

struct ledger {
	uint64_t next;       /* sequence of the next entry, at most 2^32: then they begin anew */
	uint32_t texts_next; /* how many were written */
	uint32_t reserved;
	struct ledger_entry ring[LEDGER_ENTRIES];
	struct ledger_text texts[LEDGER_TEXTS];
};

/* Takes zeroed or inherited memory into use: entries that do not add up are cleared. */
void ledger_adopt(struct ledger *l);
/* Append; the given entry's seq, time and text are set here. text: cut to fit; NULL or "": none. Returns the sequence number. */
uint64_t ledger_add(struct ledger *l, const struct ledger_entry *entry, const char *text);
/* An entry of another ledger, under the number and with the time that it had there. next is the caller's to set. text: as above. */
void ledger_take(struct ledger *l, const struct ledger_entry *entry, const char *text);
/* The entry with that number, or NULL when it was overwritten. */
const struct ledger_entry *ledger_get(const struct ledger *l, uint64_t seq);
/* The text of an entry of the ledger; "" when it has none, or has it no longer. */
const char *ledger_text(const struct ledger *l, const struct ledger_entry *entry);

struct ledger_peer {
	const char *text; /* cut to fit */
	uint32_t uid;
	int32_t pid;
};
/*
 * What was learnt later of the outside party: written into that entry if it is still there and, unless parent is 0, follows from
 * that parent.
 */
void ledger_name_peer(struct ledger *l, uint64_t seq, uint64_t parent,
		      const struct ledger_peer *peer);
