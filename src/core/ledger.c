/* SPDX-License-Identifier: MIT */
#include "core/ledger.h"

#include <assert.h>

#include "core/fd.h"

/* The last number: behind it they begin anew. */
#define SEQ_MOST UINT32_MAX

const char *const ledger_kind_names[LEDGER_KINDS] = {
#define ENTRY(name, word) word,
	LEDGER_KINDS_LIST(ENTRY)
#undef ENTRY
};

static struct ledger_entry *place(struct ledger *l, uint64_t seq)
{
	return &l->ring[seq % LEDGER_ENTRIES];
}

static bool adds_up(const struct ledger_entry *e, uint64_t seq)
{
	/* A parent is always older, so a walk along parents ends. */
	return e->seq == seq && e->parent < seq && e->kind < LEDGER_KINDS &&
	       e->cause < CAUSE_KINDS && e->text <= LEDGER_TEXTS;
}

void ledger_adopt(struct ledger *l)
{
	uint64_t seq;

	if (l->next == 0 || l->next > SEQ_MOST) {
		/* The ring stays unread: in fresh memory every look would cost a page. */
		l->next = 1;
		return;
	}
	/* The last manager died between the entry and the count? */
	if (adds_up(place(l, l->next), l->next))
		l->next++;
	seq = l->next > LEDGER_ENTRIES ? l->next - LEDGER_ENTRIES : 1;
	for (; seq < l->next; seq++)
		if (!adds_up(place(l, seq), seq))
			*place(l, seq) = (struct ledger_entry){0};
}

/* Leave the text for the entry of that number; where it is, + 1, or 0. A death in the middle leaves none. */
static uint32_t add_text(struct ledger *l, uint64_t seq, const char *text)
{
	uint32_t at = l->texts_next % LEDGER_TEXTS;
	struct ledger_text *t = &l->texts[at];
	size_t n = text ? strnlen(text, LEDGER_TEXT - 1) : 0;

	if (!n)
		return 0;
	l->texts_next = at + 1;
	__atomic_store_n(&t->seq, 0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memcpy(t->text, text, n);
	memset(t->text + n, 0, LEDGER_TEXT - n);
	__atomic_store_n(&t->seq, seq, __ATOMIC_RELEASE);
	return at + 1;
}

uint64_t ledger_add(struct ledger *l, const struct ledger_entry *entry, const char *text)
{
	uint64_t seq = l->next <= SEQ_MOST ? l->next : 1;
	struct ledger_entry *e = place(l, seq);

	/* The old number goes first and the new one comes last: at no instant does a half-written entry count. */
	__atomic_store_n(&e->seq, 0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memcpy((char *)e + sizeof(e->seq), (const char *)entry + sizeof(e->seq),
	       sizeof(*e) - sizeof(e->seq));
	e->parent = entry->parent < seq ? entry->parent : 0;
	e->text = add_text(l, seq, text);
	e->wall_us = clock_wall_us();
	__atomic_store_n(&e->seq, (uint32_t)seq, __ATOMIC_RELEASE);
	__atomic_store_n(&l->next, seq + 1, __ATOMIC_RELEASE);
	return seq;
}

void ledger_take(struct ledger *l, const struct ledger_entry *entry, const char *text)
{
	struct ledger_entry *e = place(l, entry->seq);

	/* Of a longer ring the newer of two that have the same place. */
	if (entry->seq <= e->seq)
		return;
	*e = *entry;
	e->text = add_text(l, entry->seq, text);
}

const struct ledger_entry *ledger_get(const struct ledger *l, uint64_t seq)
{
	const struct ledger_entry *e = &l->ring[seq % LEDGER_ENTRIES];

	static_assert(offsetof(struct ledger_entry, seq) == 0,
		      "ledger_add() copies what follows the number");
	return seq && seq < l->next && e->seq == seq ? e : NULL;
}

const char *ledger_text(const struct ledger *l, const struct ledger_entry *entry)
{
	const struct ledger_text *t = entry->text ? &l->texts[(entry->text - 1) % LEDGER_TEXTS]
						  : NULL;

	return t && t->seq == entry->seq && memchr(t->text, '\0', LEDGER_TEXT) ? t->text : "";
}

void ledger_name_peer(struct ledger *l, uint64_t seq, uint64_t parent,
		      const struct ledger_peer *peer)
{
	struct ledger_entry *e = &l->ring[seq % LEDGER_ENTRIES];

	if (!seq || e->seq != seq || (parent && e->parent != parent))
		return;
	e->uid = peer->uid;
	e->pid = peer->pid;
	e->text = add_text(l, seq, peer->text);
}
