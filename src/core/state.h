/* SPDX-License-Identifier: MIT */
/*
 * state - what a new manager must know about units and cannot learn from kernel, bank or files: a table in a memfd that PID 1 keeps.
 *
 * One slot per unit that was ever more than loaded. A slot has two copies, each with a sequence number and a checksum; a store
 * writes the older copy, so that whatever instant the manager dies one copy is whole. Storing is plain memory writes and cannot
 * fail. Names stand in an append-only area of the same memory. The ledger lies behind the table.
 */
#pragma once

#include "core/ledger.h"
#include "core/unit.h"

/* Names lie in rooms of whole STATE_ROOMs, so that the name of a released slot gives its place to another. */
enum {
	STATE_LAYOUT = 1,
	STATE_SLOTS = 32768,
	STATE_NAMES = 4 * 1024 * 1024,
	STATE_ROOM = 64,
	STATE_ROOMS = 4
};

struct state_proc {
	uint32_t slot; /* of the bank + 1 */
	int32_t pid;
	uint64_t token;
};

/* What is remembered of a unit. Zero bytes mean: at rest, nothing known. */
struct state_unit {
	uint8_t state, type, result, job_type;
	uint8_t flags; /* STATE_* */
	uint8_t command_at, main_at, last_job_result;
	uint32_t n_restarts, n_accepted;
	struct state_proc main, control;
	uint32_t notify_slot, out_slot[2], conn_slot; /* bank slots + 1 */
	uint32_t socket_unit;                         /* state slot + 1 of the Accept=yes socket */
	uint64_t state_us, active_enter_us, active_exit_us, inactive_enter_us, inactive_exit_us;
	uint64_t timer_us, watchdog_us; /* deadlines, 0 none */
	uint64_t why_entry, job_entry;
	uint64_t start_limit_begin_us;
	uint32_t start_limit_count, n_activations;
	uint8_t invocation[16];
	int32_t exit_code, exit_status;
	char remote[56];
};
enum { STATE_READY = 1, STATE_MAIN_KNOWN = 2, STATE_FORBID_RESTART = 4, STATE_JOB_RUNNING = 8 };

struct state_copy {
	uint32_t seq, sum; /* sum: of name, seq and u; seq 0: never written */
	struct state_unit u;
};

struct state_slot {
	uint32_t name;       /* offset in names, 0 free */
	uint32_t generation; /* how often it was released */
	struct state_copy copy[2];
};

struct state_image {
	uint32_t magic, layout;
	uint32_t slots_n; /* slots ever used */
	uint32_t names_n; /* bytes of names used; offset 0 is never a name */
	struct state_slot slot[STATE_SLOTS];
	char names[STATE_NAMES];
	struct ledger ledger;
};

struct state_node;

struct state_table {
	struct state_image *image;
	int fd;
	bool was_adopted;                         /* inherited from an earlier manager */
	struct map names;                         /* name -> slot, in this process only */
	struct arena arena;                       /* of the map's nodes */
	struct state_node *released[STATE_ROOMS]; /* by the room their names have */
};

/* fd >= 0: adopt that memfd (checks size, magic, layout; -EBADMSG: unusable, make a new one); -1: make one. 0 or -errno. */
MUST_USE int state_open(struct state_table *t, int fd);
void state_close(struct state_table *t);
/*
 * A slot is referred to by its index + 1 in the low 16 bits and its generation above: what the ledger says of a unit that is gone
 * is never taken for another that has its slot now.
 */
/* Reference of a name, new when unknown; 0 when the table is full or memory is short. */
uint32_t state_slot_of(struct state_table *t, const char *name);
/* Reference of a name, 0 when unknown. */
uint32_t state_find(const struct state_table *t, const char *name);
/* Reference of the slot at that index (from 0), 0 when it holds no unit. */
uint32_t state_at(const struct state_table *t, uint32_t index);
/* Forget the unit: its slot and the room of its name are free for another. */
void state_release(struct state_table *t, uint32_t slot);
/* The name of a reference, NULL when that unit is gone. */
const char *state_name(const struct state_table *t, uint32_t slot);
/* Store; cannot fail. */
void state_put(struct state_table *t, uint32_t slot, const struct state_unit *u);
/* The newest whole copy. 0, or -ENOENT when none is. */
MUST_USE int state_get(const struct state_table *t, uint32_t slot, struct state_unit *ret);
