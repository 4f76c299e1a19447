/* SPDX-License-Identifier: MIT */
#include "core/state.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bank.h"
#include "core/fd.h"
#include "core/job.h"

enum { STATE_MAGIC = 0x6b726168, STATE_SEALS = F_SEAL_SHRINK | F_SEAL_GROW };

struct state_node {
	struct map_node node;
	uint32_t slot; /* + 1 */
	const char *name; /* in the image */
};

struct state_key {
	const char *name;
};

static bool has_name(const struct map_node *node, const void *key)
{
	const struct state_key *k = key;

	return !strcmp(container_of((struct map_node *)(uintptr_t)node, struct state_node, node)->name, k->name);
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

/* The name is part of it: a copy never speaks for another unit. */
static uint32_t sum_of(const char *name, const struct state_copy *c)
{
	return (uint32_t)mix(mix(c->seq, name, strlen(name)), &c->u, sizeof(c->u));
}

static bool is_whole(const char *name, const struct state_copy *c)
{
	return c->seq != 0 && c->sum == sum_of(name, c);
}

/* Later by the circle of 32-bit numbers. */
static bool is_newer(const struct state_copy *a, const struct state_copy *b)
{
	return (int32_t)(a->seq - b->seq) > 0;
}

static const struct state_copy *newest(const char *name, const struct state_slot *s)
{
	bool whole[2] = {is_whole(name, &s->copy[0]), is_whole(name, &s->copy[1])};

	if (whole[0] && whole[1])
		return is_newer(&s->copy[1], &s->copy[0]) ? &s->copy[1] : &s->copy[0];
	return whole[0] ? &s->copy[0] : whole[1] ? &s->copy[1] : NULL;
}

/* A checksum is no signature: what indexes a table later must be in its range. */
static bool is_sane(const struct state_unit *u)
{
	const uint32_t slots[] = {u->main.slot, u->control.slot, u->notify_slot, u->out_slot[0], u->out_slot[1],
				  u->conn_slot};

	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		if (slots[i] > BANK_SLOTS)
			return false;
	return u->type < UNIT_TYPES && u->job_type < JOB_TYPES && u->last_job_result < JOB_RESULTS &&
	       u->socket_unit <= STATE_SLOTS && memchr(u->remote, '\0', sizeof(u->remote));
}

/* --- taking an image into use --- */

static int add_node(struct state_table *t, uint32_t slot, const char *name)
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
static const char *checked_name(const struct state_image *m, uint32_t at)
{
	const char *name = m->names + at;
	size_t most;

	if (at == 0 || at >= m->names_n)
		return NULL;
	most = m->names_n - at;
	return *name && strnlen(name, most) < most && strlen(name) <= UNIT_NAME_MAX ? name : NULL;
}

static int adopt_slot(struct state_table *t, uint32_t slot)
{
	struct state_slot *s = &t->image->slot[slot - 1];
	const char *name = checked_name(t->image, s->name);

	if (name && !state_find(t, name))
		return add_node(t, slot, name);
	s->name = 0;
	return 0;
}

static int adopt(struct state_table *t)
{
	struct state_image *m = t->image;

	if (m->magic != STATE_MAGIC || m->layout != STATE_LAYOUT || m->slots_n > STATE_SLOTS || m->names_n == 0 ||
	    m->names_n > STATE_NAMES)
		return err_here(-EBADMSG);
	for (uint32_t slot = 1; slot <= m->slots_n; slot++) {
		int r = adopt_slot(t, slot);

		if (r < 0)
			return r;
	}
	t->was_adopted = true;
	return 0;
}

static int make_image(void)
{
	AUTO_FD int fd = memfd_create("hark-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	/* Sealed in size: a mapped page that somebody cut off would end the manager with SIGBUS. */
	if (fd < 0 || ftruncate(fd, sizeof(struct state_image)) < 0 || fcntl(fd, F_ADD_SEALS, STATE_SEALS) < 0)
		return err_here(-errno);
	return take_fd(fd);
}

static int check_image(int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) < 0 || st.st_size != sizeof(struct state_image))
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

uint32_t state_find(const struct state_table *t, const char *name)
{
	struct state_key key = {name};
	struct map_node *n = map_find(&t->names, str_hash(str_of(name)), has_name, &key);

	return n ? container_of(n, struct state_node, node)->slot : 0;
}

uint32_t state_slot_of(struct state_table *t, const char *name)
{
	struct state_image *m = t->image;
	uint32_t slot = state_find(t, name), at = m->names_n;
	size_t n = strlen(name) + 1;

	if (slot)
		return slot;
	if (m->slots_n >= STATE_SLOTS || n - 1 > UNIT_NAME_MAX || n > STATE_NAMES - at || n == 1)
		return 0;
	/* The name is whole before a slot refers to it, and the slot before it is counted. */
	memcpy(m->names + at, name, n);
	if (add_node(t, m->slots_n + 1, m->names + at) < 0)
		return 0;
	__atomic_store_n(&m->names_n, at + (uint32_t)n, __ATOMIC_RELEASE);
	m->slot[m->slots_n] = (struct state_slot){.name = at};
	__atomic_store_n(&m->slots_n, m->slots_n + 1, __ATOMIC_RELEASE);
	return m->slots_n;
}

const char *state_name(const struct state_table *t, uint32_t slot)
{
	const struct state_image *m = t->image;

	if (slot == 0 || slot > m->slots_n || m->slot[slot - 1].name == 0)
		return NULL;
	return m->names + m->slot[slot - 1].name;
}

void state_put(struct state_table *t, uint32_t slot, const struct state_unit *u)
{
	const char *name = state_name(t, slot);
	struct state_slot *s;
	const struct state_copy *last;
	struct state_copy *to, fresh = {.seq = 1, .u = *u};

	if (!name)
		return;
	s = &t->image->slot[slot - 1];
	last = newest(name, s);
	to = last == &s->copy[0] ? &s->copy[1] : &s->copy[0];
	if (last)
		fresh.seq = last->seq + 1 ? last->seq + 1 : 1;
	fresh.sum = sum_of(name, &fresh);
	memcpy(to, &fresh, sizeof(fresh)); /* wherever we die in this, the other copy is whole or this one is */
}

int state_get(const struct state_table *t, uint32_t slot, struct state_unit *ret)
{
	const char *name = state_name(t, slot);
	const struct state_copy *c = name ? newest(name, &t->image->slot[slot - 1]) : NULL;

	if (!c || !is_sane(&c->u))
		return -ENOENT;
	*ret = c->u;
	return 0;
}
