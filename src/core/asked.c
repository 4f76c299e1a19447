/* SPDX-License-Identifier: MIT */
#include "core/asked.h"

#include "core/fd.h"

enum { ASKED_MAGIC = 0x6b736168 };

int asked_open(struct asked_log *l, int fd)
{
	void *map = NULL;
	int r = fd_memory("hark-asked", sizeof(struct asked_ring), fd, &map);

	*l = (struct asked_log){.fd = -1};
	if (r < 0)
		return r;
	*l = (struct asked_log){.ring = map, .fd = r};
	if (fd < 0) {
		l->ring->magic = ASKED_MAGIC;
		l->ring->layout = ASKED_LAYOUT;
	}
	if (l->ring->magic == ASKED_MAGIC && l->ring->layout == ASKED_LAYOUT)
		return 0;
	fd_unmap(map, sizeof(struct asked_ring));
	*l = (struct asked_log){.fd = -1};
	return err_here(-EBADMSG);
}

static void settle(struct asked *a, const struct state_table *state)
{
	uint32_t steps = a->progress / 2;

	a->is_unknown |= a->progress % 2;
	if (steps > a->before && a->commit >= state_next_commit(state))
		steps = a->before;
	a->progress = 2 * steps;
	a->before = steps;
}

/* The records that were ever used: what lies behind them is untouched, and takes no memory. */
static unsigned used_n(const struct asked_log *l)
{
	if (!l->ring)
		return 0;
	return l->ring->next < ASKED_RECORDS ? (unsigned)l->ring->next : ASKED_RECORDS;
}

void asked_settle(struct asked_log *l, const struct state_table *state)
{
	for (unsigned i = 0; i < used_n(l); i++)
		settle(&l->ring->record[i], state);
}

struct asked *asked_find(struct asked_log *l, uint64_t id, uint32_t uid)
{
	struct asked *a;

	if (!id || !l->ring)
		return NULL;
	for (unsigned i = 0; i < used_n(l); i++) {
		a = &l->ring->record[i];
		if (a->id == id && a->uid == uid)
			return a;
	}
	a = &l->ring->record[l->ring->next++ % ASKED_RECORDS];
	*a = (struct asked){.uid = uid};
	__atomic_store_n(&a->id, id, __ATOMIC_RELEASE);
	return a;
}

static void set_progress(struct asked *a, uint32_t progress)
{
	__atomic_store_n(&a->progress, progress, __ATOMIC_RELEASE);
}

void asked_perform(struct asked *a, uint32_t step, const struct state_table *state)
{
	if (!a)
		return;
	if (a->commit != state_next_commit(state)) {
		/* In this order: at no instant does more count than was performed. */
		__atomic_store_n(&a->before, a->progress / 2, __ATOMIC_RELEASE);
		__atomic_store_n(&a->commit, state_next_commit(state), __ATOMIC_RELEASE);
	}
	set_progress(a, 2 * (step + 1));
}

void asked_begin_outside(struct asked *a, uint32_t step)
{
	if (a)
		set_progress(a, 2 * step + 1);
}

void asked_end_outside(struct asked *a, uint32_t step)
{
	if (!a)
		return;
	a->before = step + 1;
	a->is_unknown = false;
	set_progress(a, 2 * (step + 1));
}
