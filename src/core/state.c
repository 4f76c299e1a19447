/* SPDX-License-Identifier: MIT */
#include "core/state.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bank.h"
#include "core/crashpoint.h"
#include "core/fd.h"
#include "core/job.h"

enum {
	STATE_MAGIC = 0x6b726168,
	STATE_SEALS = F_SEAL_SHRINK | F_SEAL_GROW,
	STATE_FIRST = 0x74737266,
	STAMP_CHECK = 16, /* low bits of a stamp */
	STAMP_MASK = (1 << STAMP_CHECK) - 1
};
/* The manager's own slot: no unit has a name without a suffix. */
#define STATE_MANAGER "hark"

struct state_node {
	struct map_node node;
	uint32_t slot;           /* index + 1 */
	char *name;              /* in the image */
	struct state_node *next; /* among the released */
};

struct state_key {
	const char *name;
};

static bool has_name(const struct map_node *node, const void *key)
{
	const struct state_key *k = key;

	return !strcmp(
		container_of((struct map_node *)(uintptr_t)node, struct state_node, node)->name,
		k->name);
}

/* --- what a copy must carry to be believed --- */

/*
 * A chain of invertible steps over 64-bit words: a change of any one word always shows, torn copies but for one in 2^32. Eight
 * times faster than a table-driven CRC, and each change of a unit's state pays for one.
 */
static uint64_t mix(uint64_t sum, const void *bytes, size_t n)
{
	const char *p = bytes;

	for (size_t at = 0; at < n; at += sizeof(uint64_t)) {
		size_t left = n - at;
		uint64_t word = 0;

		memcpy(&word, p + at, left < sizeof(word) ? left : sizeof(word));
		sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 32;
	}
	return sum;
}

/* A transaction's number with 16 bits that check it: one word, so that it is stored whole. */
static uint64_t stamp_of(uint64_t seq)
{
	return seq << STAMP_CHECK | (mix(STATE_MAGIC, &seq, sizeof(seq)) & STAMP_MASK);
}

/* The number, 0 when the word is not one. */
static uint64_t seq_of(uint64_t stamp)
{
	uint64_t seq = stamp >> STAMP_CHECK;

	return stamp_of(seq) == stamp ? seq : 0;
}

/* The name is part of it: a copy never speaks for another unit. */
static uint32_t sum_of(const char *name, const struct state_copy *c)
{
	return (uint32_t)mix(mix(c->stamp, name, strlen(name)), &c->u, sizeof(c->u));
}

enum copy_kind { COPY_NONE, COPY_VALID, COPY_OPEN, COPY_DAMAGED };

/* A transaction that was not committed counts as nothing, however far it came; all else must be whole. */
static enum copy_kind kind_of(const struct state_table *t, const char *name,
			      const struct state_copy *c)
{
	if (c->stamp == 0)
		return COPY_NONE;
	if (seq_of(c->stamp) == seq_of(t->image->committed) + 1)
		return COPY_OPEN;
	return seq_of(c->stamp) && seq_of(c->stamp) <= seq_of(t->image->committed) &&
			       c->sum == sum_of(name, c)
		       ? COPY_VALID
		       : COPY_DAMAGED;
}

static enum copy_kind slot_kind(const struct state_table *t, const struct state_slot *s)
{
	return kind_of(t, t->image->names + s->name, &s->copy);
}

/* A checksum is no signature: what indexes a table later must be in its range. */
static bool is_sane(const struct state_unit *u)
{
	const uint16_t slots[] = {u->main_slot, u->control_slot, u->notify_slot, u->out_slot,
				  u->conn_slot};

	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		if (slots[i] > BANK_SLOTS)
			return false;
	return u->type < UNIT_TYPES && u->job_type < JOB_TYPES && u->job_cause < CAUSE_KINDS &&
	       u->last_job_result < JOB_RESULTS;
}

/* --- taking an image into use --- */

static int add_node(struct state_table *t, uint32_t slot, char *name)
{
	struct state_node *n = arena_get(&t->arena, sizeof(*n));

	if (!n || map_reserve(&t->names, 1) < 0)
		return -ENOMEM;
	n->slot = slot;
	n->name = name;
	map_add(&t->names, &n->node, str_hash(str_of(name)));
	return 0;
}

/* The name at that offset when it is one, else NULL. */
static char *checked_name(struct state_image *m, uint32_t at)
{
	char *name;
	size_t most;

	if (at == 0 || at >= m->names_n)
		return NULL;
	name = m->names + at;
	most = m->names_n - at;
	return *name && strnlen(name, most) < most && strlen(name) <= UNIT_NAME_MAX ? name : NULL;
}

static int adopt_slot(struct state_table *t, uint32_t slot)
{
	struct state_slot *s = &t->image->slot[slot - 1];
	char *name = checked_name(t->image, s->name);

	if (name && !state_find(t, name))
		return add_node(t, slot, name);
	t->damaged_n += s->name != 0;
	s->name = 0;
	return 0;
}

static uint32_t undo_sum(const struct state_undo *undo)
{
	return (uint32_t)mix(undo->stamp, &undo->slot, sizeof(undo->slot));
}

/* Of the transaction that has no commit: the slot that this stood in, if it was overwritten. */
static struct state_slot *undoes(const struct state_table *t, const struct state_undo *undo)
{
	struct state_slot *s = undo->slot && undo->slot <= t->image->slots_n
				       ? &t->image->slot[undo->slot - 1]
				       : NULL;

	return undo->sum == undo_sum(undo) && s && s->name && slot_kind(t, s) == COPY_OPEN &&
			       s->copy.first != STATE_FIRST
		       ? s
		       : NULL;
}

/* The slot stays one that is to be undone until it is whole. */
static void put_back(struct state_slot *s, const struct state_undo *undo)
{
	s->copy.u = undo->copy.u;
	s->copy.sum = undo->copy.sum;
	__atomic_store_n(&s->copy.stamp, undo->copy.stamp, __ATOMIC_RELEASE);
}

/* Can be done again from the beginning if we die in it. */
static void undo_all(struct state_table *t)
{
	struct state_undo *undo = t->image->undo;
	uint64_t open = stamp_of(seq_of(t->image->committed) + 1);
	uint32_t n = 0;

	for (; n < STATE_SLOTS && undo[n].stamp == open; n++)
		if (undoes(t, &undo[n]))
			put_back(undoes(t, &undo[n]), &undo[n]);
	/* The next transaction has the same number, and writes here again. */
	for (uint32_t i = 0; i < n; i++)
		undo[i].stamp = 0;
}

/* What was begun and never committed must not be taken for the next transaction, which will have the same number. */
static void settle(struct state_table *t, struct state_slot *s)
{
	if (!s->name)
		return;
	/* Overwritten, and what it was is not to be had: anything but the number of a transaction. */
	if (slot_kind(t, s) == COPY_OPEN)
		s->copy.stamp = s->copy.first == STATE_FIRST ? 0 : STATE_MAGIC;
	t->damaged_n += slot_kind(t, s) == COPY_DAMAGED;
}

static int adopt(struct state_table *t)
{
	struct state_image *m = t->image;

	if (m->magic != STATE_MAGIC || m->layout != STATE_LAYOUT || m->slots_n > STATE_SLOTS ||
	    m->names_n == 0 || m->names_n > STATE_NAMES || !seq_of(m->committed))
		return err_here(-EBADMSG);
	for (uint32_t slot = 1; slot <= m->slots_n; slot++) {
		int r = adopt_slot(t, slot);

		if (r < 0)
			return r;
	}
	undo_all(t);
	for (uint32_t slot = 0; slot < m->slots_n; slot++)
		settle(t, &m->slot[slot]);
	if (m->slots_n < STATE_SLOTS && m->slot[m->slots_n].name)
		t->damaged_n++; /* there were more */
	t->was_adopted = true;
	return 0;
}

static int make_image(void)
{
	AUTO_FD int fd = memfd_create("hark-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	/* Sealed in size: a mapped page that somebody cut off would end the manager with SIGBUS. */
	if (fd < 0 || ftruncate(fd, sizeof(struct state_image)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, STATE_SEALS) < 0)
		return err_here(-errno);
	return take_fd(fd);
}

static int check_image(int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) < 0 ||
	    st.st_size != sizeof(struct state_image))
		return err_here(-EBADMSG);
	return 0;
}

int state_open(struct state_table *t, int fd)
{
	int r = fd >= 0 ? check_image(fd) : make_image();
	bool is_new = fd < 0;
	void *map;

	*t = (struct state_table){.fd = is_new ? r : fd};
	if (r < 0)
		goto failed;
	map = mmap(NULL, sizeof(struct state_image), PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);
	if (map == MAP_FAILED) {
		r = err_here(-errno);
		goto failed;
	}
	t->image = map;
	if (is_new) {
		t->image->layout = STATE_LAYOUT;
		t->image->names_n = 1;
		t->image->committed = stamp_of(1);
		t->image->magic = STATE_MAGIC;
	} else {
		r = adopt(t);
	}
	if (r < 0)
		goto failed;
	ledger_adopt(&t->image->ledger);
	return 0;
failed:
	if (!is_new)
		t->fd = -1; /* stays the caller's */
	state_close(t);
	return r;
}

void state_close(struct state_table *t)
{
	if (t->image)
		munmap(t->image, sizeof(*t->image));
	fd_close(t->fd > 0 ? t->fd : -1); /* a zeroed table has none */
	map_fini(&t->names);
	arena_fini(&t->arena);
	*t = (struct state_table){.fd = -1};
}

/* --- slots --- */

enum { SLOT_BITS = 16, SLOT_MASK = (1 << SLOT_BITS) - 1 };

static struct state_slot *slot_at(const struct state_table *t, uint32_t ref)
{
	uint32_t slot = ref & SLOT_MASK;
	struct state_slot *s = slot && slot <= t->image->slots_n ? &t->image->slot[slot - 1] : NULL;

	return s && s->name && (s->generation & SLOT_MASK) == ref >> SLOT_BITS ? s : NULL;
}

uint32_t state_at(const struct state_table *t, uint32_t index)
{
	const struct state_slot *s = &t->image->slot[index];

	return index < t->image->slots_n && s->name ? (index + 1) | s->generation << SLOT_BITS : 0;
}

uint32_t state_find(const struct state_table *t, const char *name)
{
	struct state_key key = {name};
	struct map_node *n = map_find(&t->names, str_hash(str_of(name)), has_name, &key);

	return n ? state_at(t, container_of(n, struct state_node, node)->slot - 1) : 0;
}

static unsigned rooms_of(size_t n)
{
	return (unsigned)((n + STATE_ROOM - 1) / STATE_ROOM);
}

/* A released slot whose name has the same room is taken again: nothing grows with the number of units that came and went. */
static uint32_t reuse(struct state_table *t, const char *name, size_t n)
{
	struct state_node **list = &t->released[rooms_of(n) - 1], *node = *list;
	struct state_slot *s;

	if (!node || map_reserve(&t->names, 1) < 0)
		return 0;
	*list = node->next;
	s = &t->image->slot[node->slot - 1];
	memcpy(node->name, name, n);
	map_add(&t->names, &node->node, str_hash(str_of(name)));
	__atomic_store_n(&s->name, (uint32_t)(node->name - t->image->names), __ATOMIC_RELEASE);
	return state_at(t, node->slot - 1);
}

uint32_t state_slot_of(struct state_table *t, const char *name)
{
	struct state_image *m = t->image;
	uint32_t slot = state_find(t, name), at = m->names_n;
	size_t n = strlen(name) + 1, room = (size_t)rooms_of(n) * STATE_ROOM;

	if (slot || n == 1 || n - 1 > UNIT_NAME_MAX)
		return slot;
	slot = reuse(t, name, n);
	if (slot || m->slots_n >= STATE_SLOTS || room > STATE_NAMES - at)
		return slot;
	/* The name is whole before a slot refers to it, and the slot before it is counted. */
	memcpy(m->names + at, name, n);
	if (add_node(t, m->slots_n + 1, m->names + at) < 0)
		return 0;
	__atomic_store_n(&m->names_n, at + (uint32_t)room, __ATOMIC_RELEASE);
	m->slot[m->slots_n] = (struct state_slot){.name = at};
	__atomic_store_n(&m->slots_n, m->slots_n + 1, __ATOMIC_RELEASE);
	crashpoint();
	return m->slots_n;
}

void state_release(struct state_table *t, uint32_t ref)
{
	struct state_slot *s = slot_at(t, ref);
	struct state_key key = {s ? t->image->names + s->name : ""};
	struct map_node *n = map_find(&t->names, str_hash(str_of(key.name)), has_name, &key);
	struct state_node *node;

	if (!s || !n)
		return;
	node = container_of(n, struct state_node, node);
	map_del(&t->names, n);
	__atomic_store_n(&s->name, 0,
			 __ATOMIC_RELEASE); /* from here on it is nobody's, whatever stands in it */
	crashpoint();
	s->generation++;
	memset(&s->copy, 0, sizeof(s->copy));
	node->next = t->released[rooms_of(strlen(node->name) + 1) - 1];
	t->released[rooms_of(strlen(node->name) + 1) - 1] = node;
}

const char *state_name(const struct state_table *t, uint32_t ref)
{
	const struct state_slot *s = slot_at(t, ref);

	return s ? t->image->names + s->name : NULL;
}

/* Before a slot is overwritten for the first time in a transaction. There is one place for each slot. */
static void keep_undo(struct state_table *t, const struct state_slot *s, uint64_t open)
{
	struct state_undo *undo = &t->image->undo[t->undo_n++ % STATE_SLOTS];
	struct state_undo fresh = {.stamp = open, .slot = (uint32_t)(s - t->image->slot) + 1};

	undo->slot = fresh.slot;
	undo->sum = undo_sum(&fresh);
	undo->copy = s->copy;
	__atomic_store_n(&undo->stamp, open, __ATOMIC_RELEASE);
}

static void put(struct state_table *t, const char *name, struct state_slot *s,
		struct state_copy *fresh)
{
	struct state_copy *to = &s->copy;
	uint64_t open = stamp_of(seq_of(t->image->committed) + 1);

	fresh->stamp = open;
	fresh->sum = sum_of(name, fresh);
	if (to->stamp == open)
		fresh->first = to->first;
	else if (to->stamp == 0)
		fresh->first = STATE_FIRST;
	else
		keep_undo(t, s, open);
	/* From here on it belongs to this transaction; death may find it half written. */
	to->first = fresh->first;
	__atomic_store_n(&to->stamp, open, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	to->sum = fresh->sum;
	memcpy(&to->u, &fresh->u, sizeof(to->u));
	t->is_open = true;
	crashpoint();
}

void state_put(struct state_table *t, uint32_t slot, const struct state_unit *u)
{
	const char *name = state_name(t, slot);
	struct state_copy fresh = {.u = *u};

	if (name)
		put(t, name, slot_at(t, slot), &fresh);
}

uint64_t state_next_commit(const struct state_table *t)
{
	return seq_of(t->image->committed) + 1;
}

void state_commit(struct state_table *t)
{
	if (!t->is_open)
		return;
	t->is_open = false;
	t->undo_n = 0;
	__atomic_store_n(&t->image->committed, stamp_of(seq_of(t->image->committed) + 1),
			 __ATOMIC_RELEASE);
	crashpoint();
}

int state_get(const struct state_table *t, uint32_t slot, struct state_unit *ret)
{
	const char *name = state_name(t, slot);
	const struct state_slot *s = slot_at(t, slot);
	enum copy_kind kind = name ? slot_kind(t, s) : COPY_NONE;

	if (kind == COPY_DAMAGED || (kind == COPY_VALID && !is_sane(&s->copy.u)))
		return -EBADMSG;
	if (kind != COPY_VALID)
		return -ENOENT;
	*ret = s->copy.u;
	return 0;
}

void state_put_manager(struct state_table *t, const struct state_manager *m)
{
	uint32_t slot = state_slot_of(t, STATE_MANAGER);
	struct state_copy fresh = {.u = {.state = 0}};

	fresh.m = *m;
	if (slot)
		put(t, STATE_MANAGER, slot_at(t, slot), &fresh);
}

int state_get_manager(const struct state_table *t, struct state_manager *ret)
{
	uint32_t slot = state_find(t, STATE_MANAGER);
	const struct state_slot *s = slot ? slot_at(t, slot) : NULL;

	if (!s || slot_kind(t, s) != COPY_VALID)
		return -ENOENT;
	*ret = s->copy.m;
	return 0;
}

/* --- texts --- */

static uint32_t text_sum(const char *name, const struct state_text *text)
{
	return (uint32_t)mix(mix(STATE_MAGIC, name, strlen(name)), &text->status_errno,
			     sizeof(*text) - offsetof(struct state_text, status_errno));
}

void state_put_text(struct state_table *t, uint32_t slot, struct state_text *text)
{
	const char *name = state_name(t, slot);

	if (!name)
		return;
	text->remote[sizeof(text->remote) - 1] = text->status[sizeof(text->status) - 1] = '\0';
	text->sum = text_sum(name, text);
	t->image->text[(slot & SLOT_MASK) - 1] = *text;
	crashpoint();
}

const struct state_text *state_get_text(const struct state_table *t, uint32_t slot)
{
	const char *name = state_name(t, slot);
	const struct state_text *text = name ? &t->image->text[(slot & SLOT_MASK) - 1] : NULL;

	return text && text->sum == text_sum(name, text) ? text : NULL;
}
