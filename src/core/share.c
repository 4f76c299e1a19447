/* SPDX-License-Identifier: MIT */
#include "core/share.h"

struct part {
	struct map_node node;
	uint32_t owners; /* the share itself is one of those it remembers */
	uint32_t size;
	_Alignas(max_align_t) char data[];
};

static struct part *part_of(void *data)
{
	return container_of((char *)data, struct part, data);
}

static bool is_equal(const struct map_node *node, const void *key)
{
	const struct part *a = container_of(node, const struct part, node), *b = key;

	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/* Every pointer of a part is aligned, so that it is one of its words. A number that looks like one costs the sharing and no more. */
static bool points_into(const struct part *p, const struct arena *own)
{
	for (size_t at = 0; at + sizeof(void *) <= p->size; at += sizeof(void *)) {
		const void *word;

		memcpy(&word, p->data + at, sizeof(word));
		if (arena_holds(own, word))
			return true;
	}
	return false;
}

/* Of its words: whether the rest is equal too is seen when two are compared. */
static uint32_t hash_of(const struct part *p)
{
	uint64_t sum = p->size, word;

	for (size_t at = 0; at + sizeof(word) <= p->size; at += sizeof(word)) {
		memcpy(&word, p->data + at, sizeof(word));
		sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 32;
	}
	return (uint32_t)sum;
}

void *share_new(size_t size)
{
	struct part *p = size > UINT32_MAX ? NULL : mem_get(sizeof(*p) + size);

	if (!p)
		return NULL;
	p->owners = 1;
	p->size = (uint32_t)size;
	return p->data;
}

void *share_settle(struct share *s, void *part, const struct arena *own)
{
	struct part *p = part_of(part);
	uint32_t hash = hash_of(p);
	struct map_node *node = map_find(&s->parts, hash, is_equal, p);

	if (node) {
		share_put(part);
		p = container_of(node, struct part, node);
	} else if (points_into(p, own) || map_reserve(&s->parts, 1) < 0) {
		return part;
	} else {
		map_add(&s->parts, &p->node, hash);
	}
	p->owners++;
	return p->data;
}

void share_put(void *part)
{
	if (part && --part_of(part)->owners == 0)
		mem_put(part_of(part));
}

static void forget(struct share *s, uint32_t most_owners)
{
	struct map_node *next;

	for (struct map_node *node = map_next(&s->parts, NULL); node; node = next) {
		struct part *p = container_of(node, struct part, node);

		next = map_next(&s->parts, node);
		if (p->owners > most_owners)
			continue;
		map_del(&s->parts, node);
		share_put(p->data);
	}
}

void share_sweep(struct share *s)
{
	forget(s, 1);
}

void share_fini(struct share *s)
{
	forget(s, UINT32_MAX);
	map_fini(&s->parts);
}
