/* SPDX-License-Identifier: MIT */
#include "core/state.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bank.h"
#include "core/crashpoint.h"
#include "core/fd.h"
#include "core/job.h"

enum {
	STATE_FIRST = 0x74737266,
};
/* The manager's own slot: no unit has a name without a suffix. */
#define STATE_MANAGER "hark"

struct state_node {
	struct map_node node; /* of a released one: the next of those */
	uint32_t slot;        /* index + 1 */
	uint32_t name;        /* offset in the names of the image */
};

struct state_key {
	const struct state_table *table;
	const char *name;
};

static char *node_name(const struct state_table *t, const struct map_node *node)
{
	return t->image->names +
	       container_of((struct map_node *)(uintptr_t)node, struct state_node, node)->name;
}

static bool has_name(const struct map_node *node, const void *key)
{
	const struct state_key *k = key;

	return !strcmp(node_name(k->table, node), k->name);
}

/* --- what a copy must carry to be believed --- */

/* The name is part of it: a copy never speaks for another unit. */
static uint32_t sum_of(const char *name, const struct state_copy *c, size_t body_n)
{
	return (uint32_t)form_sum(form_sum(c->stamp, name, strlen(name)), &c->u, body_n);
}

/* Of n bytes, the sum in front included. */
static uint32_t text_sum(const char *name, const void *text, size_t n)
{
	enum { SUM = sizeof(uint32_t) };

	return (uint32_t)form_sum(form_sum(FORM_MAGIC, name, strlen(name)),
				  (const char *)text + SUM, n - SUM);
}

enum copy_kind { COPY_NONE, COPY_VALID, COPY_OPEN, COPY_DAMAGED };

/* A transaction that was not committed counts as nothing, however far it came; all else must be whole. */
static enum copy_kind kind_of(uint64_t committed, const char *name, const struct state_copy *c,
			      size_t body_n)
{
	if (c->stamp == 0)
		return COPY_NONE;
	if (form_seq(c->stamp) == form_seq(committed) + 1)
		return COPY_OPEN;
	return form_seq(c->stamp) && form_seq(c->stamp) <= form_seq(committed) &&
			       c->sum == sum_of(name, c, body_n)
		       ? COPY_VALID
		       : COPY_DAMAGED;
}

static enum copy_kind slot_kind(const struct state_table *t, const struct state_slot *s)
{
	return kind_of(t->image->committed, t->image->names + s->name, &s->copy, sizeof(s->copy.u));
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

static int add_node(struct state_table *t, uint32_t slot, uint32_t name)
{
	struct state_node *n = arena_get(&t->arena, sizeof(*n));

	if (!n || map_reserve(&t->names, 1) < 0)
		return -ENOMEM;
	n->slot = slot;
	n->name = name;
	map_add(&t->names, &n->node, str_hash(str_of(t->image->names + name)));
	return 0;
}

/* The name at that offset when it is one, else NULL. */
static const char *checked_name(const char *names, uint32_t names_n, uint32_t at)
{
	const char *name;
	size_t most;

	if (at == 0 || at >= names_n)
		return NULL;
	name = names + at;
	most = names_n - at;
	return *name && strnlen(name, most) < most && strlen(name) <= UNIT_NAME_MAX ? name : NULL;
}

static int adopt_slot(struct state_table *t, uint32_t slot)
{
	struct state_slot *s = &t->image->slot[slot - 1];
	const char *name = checked_name(t->image->names, t->image->names_n, s->name);

	if (name && !state_find(t, name))
		return add_node(t, slot, s->name);
	t->damaged_n += s->name != 0;
	s->name = 0;
	return 0;
}

static uint32_t undo_sum(const struct state_undo *undo)
{
	return (uint32_t)form_sum(undo->stamp, &undo->slot, sizeof(undo->slot));
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
	uint64_t open = form_stamp(form_seq(t->image->committed) + 1);
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
		s->copy.stamp = s->copy.first == STATE_FIRST ? 0 : FORM_MAGIC;
	t->damaged_n += slot_kind(t, s) == COPY_DAMAGED;
}

/* An image of our own form, mapped. */
static int adopt(struct state_table *t)
{
	struct state_image *m = t->image;

	if (m->slots_n > STATE_SLOTS || m->names_n == 0 || m->names_n > STATE_NAMES)
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
	return 0;
}

static unsigned rooms_of(size_t n)
{
	return (unsigned)((n + STATE_ROOM - 1) / STATE_ROOM);
}

/* --- an image of another form: everything that counts in it goes into a new one --- */

struct foreign {
	struct form_reading reading;
	uint64_t committed;
	uint32_t slots_n, names_n;
	uint32_t undo_n; /* of the transaction that has no commit */
};

static const void *foreign_at(const struct foreign *f, size_t at)
{
	return f->reading.image + at;
}

static size_t copy_size(const struct foreign *f)
{
	return FORM_COPY_HEAD + f->reading.form->body_n;
}

static const struct state_undo *foreign_undo(const struct foreign *f, uint32_t i)
{
	return foreign_at(f, f->reading.form->undo_at + i * (FORM_UNDO_HEAD + copy_size(f)));
}

static void count_undo(struct foreign *f)
{
	uint64_t open = form_stamp(form_seq(f->committed) + 1);

	while (f->undo_n < f->reading.form->slots_n && foreign_undo(f, f->undo_n)->stamp == open)
		f->undo_n++;
}

/* What counts of a slot, which is in the undo area when the transaction that overwrote it has no commit. NULL: nothing. */
static const struct state_copy *what_counts(const struct foreign *f, const struct state_slot *s,
					    uint32_t slot)
{
	if (form_seq(s->copy.stamp) != form_seq(f->committed) + 1)
		return s->copy.stamp ? &s->copy : NULL;
	for (uint32_t i = 0; i < f->undo_n; i++) {
		const struct state_undo *undo = foreign_undo(f, i);

		if (undo->slot == slot + 1 && undo->sum == undo_sum(undo))
			return &undo->copy;
	}
	return s->copy.first == STATE_FIRST ? NULL : &s->copy;
}

/* One that is damaged, or says what is not known here, stands in the new image as damaged. */
static void take_copy(struct state_table *t, const struct foreign *f, struct state_slot *to,
		      const struct state_copy *from)
{
	const char *name = t->image->names + to->name;
	bool is_manager = !strcmp(name, STATE_MANAGER);
	struct state_copy *c = &to->copy;

	c->stamp = FORM_MAGIC; /* anything but the number of a transaction */
	if (kind_of(f->committed, name, from, f->reading.form->body_n) != COPY_VALID ||
	    !form_take(&f->reading, is_manager ? FORM_MANAGER : FORM_UNIT, &from->u, &c->u))
		return;
	c->stamp = from->stamp;
	c->sum = sum_of(name, c, sizeof(c->u));
}

static void take_text(struct state_table *t, const struct foreign *f, uint32_t slot)
{
	const struct state_form *form = f->reading.form;
	const char *name = t->image->names + t->image->slot[slot].name;
	const uint32_t *from = foreign_at(f, form->text_at + (size_t)slot * form->text_n);
	struct state_text *to = &t->image->text[slot];

	if (*from != text_sum(name, from, form->text_n) ||
	    !form_take(&f->reading, FORM_TEXT, from, to))
		return;
	to->remote[sizeof(to->remote) - 1] = to->status[sizeof(to->status) - 1] = '\0';
	to->sum = text_sum(name, to, sizeof(*to));
}

/* Slots keep their places and generations: the ledger and other units refer to them. */
static void take_slot(struct state_table *t, const struct foreign *f, uint32_t slot)
{
	const struct state_form *form = f->reading.form;
	const struct state_slot *from =
		foreign_at(f, form->slot_at + slot * (FORM_SLOT_HEAD + copy_size(f)));
	const char *name = checked_name(foreign_at(f, form->names_at), f->names_n, from->name);
	const struct state_copy *copy = what_counts(f, from, slot);
	struct state_image *m = t->image;
	struct state_slot *to = &m->slot[slot];
	size_t room = name ? (size_t)rooms_of(strlen(name) + 1) * STATE_ROOM : 0;

	to->generation = from->generation;
	if (!name || room > STATE_NAMES - m->names_n)
		return;
	memcpy(m->names + m->names_n, name, strlen(name) + 1);
	to->name = m->names_n;
	m->names_n += (uint32_t)room;
	if (copy)
		take_copy(t, f, to, copy);
	take_text(t, f, slot);
}

/* The text of an entry, "" when it has none. */
static const char *take_remark(const struct foreign *f, const struct ledger_entry *e,
			       struct ledger_text *ret)
{
	const struct state_form *form = f->reading.form;
	size_t at = form->remarks_at + (e->text - (size_t)1) * form->record[FORM_REMARK].size;

	if (!e->text || e->text > form->remarks_n ||
	    !form_take(&f->reading, FORM_REMARK, foreign_at(f, at), ret) || ret->seq != e->seq)
		return "";
	ret->text[sizeof(ret->text) - 1] = '\0';
	return ret->text;
}

static void take_ledger(struct state_table *t, const struct foreign *f)
{
	const struct state_form *form = f->reading.form;
	const uint64_t *next = foreign_at(f, form->ring_at - FORM_RING_HEAD);
	struct ledger *l = &t->image->ledger;

	l->next = *next;
	for (uint32_t i = 0; i < form->ring_n; i++) {
		size_t at = form->ring_at + (size_t)i * form->record[FORM_ENTRY].size;
		struct ledger_text text;
		struct ledger_entry e;

		if (form_take(&f->reading, FORM_ENTRY, foreign_at(f, at), &e))
			ledger_take(l, &e, take_remark(f, &e, &text));
	}
}

/* t has a new image. */
static int take_all(struct state_table *t, struct foreign *f)
{
	struct state_image *m = t->image;

	count_undo(f);
	m->committed = f->committed;
	m->slots_n = f->slots_n < STATE_SLOTS ? f->slots_n : STATE_SLOTS;
	for (uint32_t slot = 0; slot < m->slots_n; slot++)
		take_slot(t, f, slot);
	take_ledger(t, f);
	t->is_new_form = true;
	return adopt(t);
}

/* --- opening --- */

/* Where the parts of our image lie, and what their records are. */
static void make_form(struct state_form *f)
{
	static_assert(offsetof(struct state_slot, copy) == FORM_SLOT_HEAD &&
			      offsetof(struct state_undo, copy) == FORM_UNDO_HEAD &&
			      offsetof(struct state_copy, u) == FORM_COPY_HEAD &&
			      offsetof(struct ledger, ring) == FORM_RING_HEAD,
		      "what every form agrees on");

	f->image_n = sizeof(struct state_image);
	f->slot_at = offsetof(struct state_image, slot);
	f->slots_n = STATE_SLOTS;
	f->body_n = sizeof(((struct state_copy *)0)->u);
	f->names_at = offsetof(struct state_image, names);
	f->names_n = STATE_NAMES;
	f->ring_at = offsetof(struct state_image, ledger.ring);
	f->ring_n = LEDGER_ENTRIES;
	f->remarks_at = offsetof(struct state_image, ledger.texts);
	f->remarks_n = LEDGER_TEXTS;
	f->undo_at = offsetof(struct state_image, undo);
	f->text_at = offsetof(struct state_image, text);
	f->text_n = sizeof(struct state_text);
	state_record_form(f);
}

static int make_image(struct state_table *t)
{
	void *map;
	int fd = fd_memory("hark-state", sizeof(struct state_image), -1, &map);

	if (fd < 0)
		return fd;
	t->fd = fd;
	t->image = map;
	t->image->layout = STATE_LAYOUT;
	t->image->names_n = 1;
	t->image->committed = form_stamp(1);
	make_form(&t->image->form);
	t->image->form_sum = form_sum_of(&t->image->form, sizeof(t->image->form));
	t->image->magic = FORM_MAGIC;
	return 0;
}

/* The mapped image of n bytes that somebody left. */
static int adopt_any(struct state_table *t, struct state_image *theirs, size_t n, int fd)
{
	struct foreign f = {.committed = theirs->committed,
			    .slots_n = theirs->slots_n,
			    .names_n = theirs->names_n};
	size_t form_at = offsetof(struct state_image, form);
	AUTO_MEM struct state_form *ours = mem_get(sizeof(*ours));
	uint64_t sum;
	int r;

	if (!ours)
		return -ENOMEM;
	if (theirs->magic != FORM_MAGIC || theirs->layout != STATE_LAYOUT || !form_seq(f.committed))
		return err_here(-EBADMSG);
	make_form(ours);
	sum = form_sum_of(ours, sizeof(*ours));
	/* A wrong byte in the form or in its sum is none in the units. */
	if (n == sizeof(*theirs) &&
	    (theirs->form_sum == sum || !memcmp(&theirs->form, ours, sizeof(*ours)))) {
		theirs->form = *ours;
		theirs->form_sum = sum;
		t->image = theirs;
		t->fd = fd;
		return adopt(t);
	}
	if (!theirs->form_sum || theirs->form_sum != form_sum_of(&theirs->form, n - form_at))
		return err_here(-EBADMSG);
	r = form_read(&f.reading, (const char *)theirs, n, form_at, ours);
	if (r < 0)
		return err_here(r);
	if (f.slots_n > f.reading.form->slots_n || f.names_n > f.reading.form->names_n)
		return err_here(-EBADMSG);
	r = make_image(t);
	return r < 0 ? r : take_all(t, &f);
}

static int map_theirs(int fd, size_t *ret_n, void **ret_map)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if ((seals < 0 && errno != EINVAL) || fstat(fd, &st) < 0)
		return err_here(-errno);
	/* Sealed in size: a mapped page that somebody cut off would end the manager with SIGBUS. */
	if (seals < 0 || !(seals & F_SEAL_SHRINK) ||
	    st.st_size < (off_t)offsetof(struct state_image, slot) || st.st_size > UINT32_MAX)
		return err_here(-EBADMSG);
	*ret_n = (size_t)st.st_size;
	*ret_map = mmap(NULL, *ret_n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return *ret_map == MAP_FAILED ? err_here(-errno) : 0;
}

int state_open(struct state_table *t, int fd)
{
	void *theirs = NULL;
	size_t n = 0;
	int r = fd >= 0 ? map_theirs(fd, &n, &theirs) : 0;

	*t = (struct state_table){.fd = -1};
	if (r < 0)
		return r;
	r = theirs ? adopt_any(t, theirs, n, fd) : make_image(t);
	if (theirs && t->image != theirs)
		munmap(theirs, n);
	if (r == 0) {
		t->was_adopted = fd >= 0;
		ledger_adopt(&t->image->ledger);
		return 0;
	}
	if (t->fd == fd)
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
	struct state_key key = {t, name};
	struct map_node *n = map_find(&t->names, str_hash(str_of(name)), has_name, &key);

	return n ? state_at(t, container_of(n, struct state_node, node)->slot - 1) : 0;
}

/* A released slot whose name has the same room is taken again: nothing grows with the number of units that came and went. */
static uint32_t reuse(struct state_table *t, const char *name, size_t n)
{
	struct map_node **list = &t->released[rooms_of(n) - 1], *first = *list;
	struct state_node *node;
	struct state_slot *s;

	if (!first || map_reserve(&t->names, 1) < 0)
		return 0;
	*list = first->next;
	node = container_of(first, struct state_node, node);
	s = &t->image->slot[node->slot - 1];
	memcpy(node_name(t, first), name, n);
	map_add(&t->names, first, str_hash(str_of(name)));
	__atomic_store_n(&s->name, node->name, __ATOMIC_RELEASE);
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
	if (add_node(t, m->slots_n + 1, at) < 0)
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
	struct state_key key = {t, s ? t->image->names + s->name : ""};
	struct map_node *n = map_find(&t->names, str_hash(str_of(key.name)), has_name, &key);
	struct map_node **list;

	if (!s || !n)
		return;
	map_del(&t->names, n);
	__atomic_store_n(&s->name, 0,
			 __ATOMIC_RELEASE); /* from here on it is nobody's, whatever stands in it */
	crashpoint();
	s->generation++;
	memset(&s->copy, 0, sizeof(s->copy));
	list = &t->released[rooms_of(strlen(node_name(t, n)) + 1) - 1];
	n->next = *list;
	*list = n;
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
	uint64_t open = form_stamp(form_seq(t->image->committed) + 1);

	fresh->stamp = open;
	fresh->sum = sum_of(name, fresh, sizeof(fresh->u));
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
	return form_seq(t->image->committed) + 1;
}

void state_commit(struct state_table *t)
{
	if (!t->is_open)
		return;
	t->is_open = false;
	t->undo_n = 0;
	__atomic_store_n(&t->image->committed, form_stamp(form_seq(t->image->committed) + 1),
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

void state_put_text(struct state_table *t, uint32_t slot, struct state_text *text)
{
	const char *name = state_name(t, slot);

	if (!name)
		return;
	text->remote[sizeof(text->remote) - 1] = text->status[sizeof(text->status) - 1] = '\0';
	text->sum = text_sum(name, text, sizeof(*text));
	t->image->text[(slot & SLOT_MASK) - 1] = *text;
	crashpoint();
}

const struct state_text *state_get_text(const struct state_table *t, uint32_t slot)
{
	const char *name = state_name(t, slot);
	const struct state_text *text = name ? &t->image->text[(slot & SLOT_MASK) - 1] : NULL;

	return text && text->sum == text_sum(name, text, sizeof(*text)) ? text : NULL;
}
