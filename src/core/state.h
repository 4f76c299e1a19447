/* SPDX-License-Identifier: MIT */
/*
 * state - what a new manager must know about units and cannot learn from kernel, bank or files: a table in a memfd that PID 1 keeps.
 *
 * One slot per unit that was ever more than loaded, with the number of the transaction that wrote it and a checksum. state_put()
 * leaves what is there in the undo area before it overwrites it; state_commit() makes everything put since the last one valid, with
 * one store of one word. A successor puts back what a transaction overwrote that has no commit: so at whatever instant the manager
 * dies, all units are found as they were at the last one. The undo area is used from its beginning by each transaction, and takes
 * as much memory as the largest of them.
 * Storing is plain memory writes and cannot fail. Names stand in an append-only area of the same memory, texts in another. The ledger
 * lies behind the table.
 */
#pragma once

#include "core/state_record.h"

enum {
	STATE_LAYOUT = 6, /* of what every form agrees on; all else the form tells */
	STATE_SLOTS = 32768,
	STATE_NAMES = 4 * 1024 * 1024,
	STATE_ROOMS = 256 / STATE_ROOM
};

struct state_copy {
	uint64_t stamp; /* number of the transaction, and a check of it; 0: never written */
	uint32_t sum;   /* of name, stamp and what is remembered */
	uint32_t first; /* STATE_FIRST: the transaction of the stamp found nothing to undo here */
	union {
		struct state_unit u;
		struct state_manager m;
	};
};

struct state_slot {
	uint32_t name;       /* offset in names, 0 free */
	uint32_t generation; /* how often it was released */
	struct state_copy copy;
};

/* What stood in a slot before the transaction of the stamp. */
struct state_undo {
	uint64_t stamp;
	uint32_t slot; /* index + 1 */
	uint32_t sum;  /* of the two above */
	struct state_copy copy;
};

struct state_image {
	uint32_t magic, layout;
	uint32_t slots_n;   /* slots ever used */
	uint32_t names_n;   /* bytes of names used; offset 0 is never a name */
	uint64_t committed; /* stamp of the last transaction that counts */
	uint64_t form_sum;
	struct state_form form;
	struct state_slot slot[STATE_SLOTS];
	char names[STATE_NAMES];
	struct ledger ledger;
	struct state_text text[STATE_SLOTS];
	struct state_undo undo[STATE_SLOTS];
};

struct state_table {
	struct state_image *image;
	int fd;
	bool was_adopted;                       /* inherited from an earlier manager */
	bool is_new_form;                       /* ... of another form, and is a copy in ours */
	bool is_open;                           /* something was put and not committed */
	uint32_t undo_n;                        /* slots that were overwritten since */
	uint32_t damaged_n;                     /* slots found damaged when it was adopted */
	struct map names;                       /* name -> slot, in this process only */
	struct arena arena;                     /* of the map's nodes */
	struct map_node *released[STATE_ROOMS]; /* by the room their names have */
};

/*
 * state_open() - take an image into use.
 *
 * @fd: -1: make one; else that of an earlier manager, which is mapped. When its form is not ours everything that we know is copied into
 *      a new one (is_new_form; t->fd is the new one) and fd stays the caller's.
 *
 * Returns 0, -EBADMSG (unusable, make a new one), -ENOMEM, -errno; in case of an error fd stays the caller's.
 */
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
/* Store, valid with the next commit; cannot fail. */
void state_put(struct state_table *t, uint32_t slot, const struct state_unit *u);
/* All that was put counts from here on. */
void state_commit(struct state_table *t);
/* The number that the next commit has; greater than that of any before. */
uint64_t state_next_commit(const struct state_table *t);
/* What counts of a unit that nothing was put of since the last commit. 0, -ENOENT (nothing is known of it), or -EBADMSG (it was damaged, and may have been anything). */
MUST_USE int state_get(const struct state_table *t, uint32_t slot, struct state_unit *ret);

/* The manager's own, with the same transactions. 0 or -ENOENT. */
void state_put_manager(struct state_table *t, const struct state_manager *m);
MUST_USE int state_get_manager(const struct state_table *t, struct state_manager *ret);

/* The words of a unit: counted at once, cut to fit. sum is set here. */
void state_put_text(struct state_table *t, uint32_t slot, struct state_text *text);
/* NULL when there are none, or a death tore them. */
const struct state_text *state_get_text(const struct state_table *t, uint32_t slot);
