/* SPDX-License-Identifier: MIT */
#include "core/map.h"

#include "core/mem.h"

enum { MAP_FIRST = 8 };
#define MAP_LAST (UINT32_C(1) << 30)

static void insert(struct map *m, struct map_node *node)
{
	struct map_node **bucket = &m->buckets[node->hash & m->mask];

	node->next = *bucket;
	*bucket = node;
	m->n++;
}

static struct map_node *first_from(const struct map *m, uint64_t bucket)
{
	if (!m->buckets)
		return NULL;
	for (; bucket <= m->mask; bucket++)
		if (m->buckets[bucket])
			return m->buckets[bucket];
	return NULL;
}

int map_reserve(struct map *m, uint32_t more)
{
	uint64_t want = (uint64_t)m->n + more;
	uint64_t size = m->buckets ? (uint64_t)m->mask + 1 : MAP_FIRST;
	struct map old = *m;
	struct map grown = {0};
	struct map_node *node;

	if (m->buckets && want <= size)
		return 0;
	if (want > MAP_LAST)
		return err_here(-ENOMEM);
	while (size < want)
		size *= 2;
	grown.buckets = mem_get(size * sizeof(struct map_node *));
	grown.mask = (uint32_t)(size - 1);
	if (!grown.buckets)
		return err_here(-ENOMEM);
	node = map_next(&old, NULL);
	while (node) {
		struct map_node *next = map_next(&old, node);

		insert(&grown, node);
		node = next;
	}
	*m = grown;
	map_fini(&old);
	return 0;
}

void map_add(struct map *m, struct map_node *node, uint32_t hash)
{
	if (!CHECK(m->buckets != NULL))
		return;
	node->hash = hash;
	insert(m, node);
}

struct map_node *map_find(const struct map *m, uint32_t hash, map_eq_fn eq, const void *key)
{
	struct map_node *node = m->buckets ? m->buckets[hash & m->mask] : NULL;

	while (node && (node->hash != hash || !eq(node, key)))
		node = node->next;
	return node;
}

struct map_node *map_find_more(struct map_node *node, map_eq_fn eq, const void *key)
{
	uint32_t hash = node->hash;

	do
		node = node->next;
	while (node && (node->hash != hash || !eq(node, key)));
	return node;
}

void map_del(struct map *m, struct map_node *node)
{
	struct map_node **link = &m->buckets[node->hash & m->mask];

	while (*link && *link != node)
		link = &(*link)->next;
	if (!CHECK(*link == node))
		return;
	*link = node->next;
	node->next = NULL;
	m->n--;
}

struct map_node *map_next(const struct map *m, const struct map_node *node)
{
	if (!node)
		return first_from(m, 0);
	return node->next ? node->next : first_from(m, (uint64_t)(node->hash & m->mask) + 1);
}

void map_fini(struct map *m)
{
	mem_put(m->buckets);
	*m = (struct map){0};
}

/* Finaliser of MurmurHash3: every input bit reaches the low bits, by which the bucket is chosen. */
uint32_t map_hash_u64(uint64_t key)
{
	key ^= key >> 33;
	key *= UINT64_C(0xff51afd7ed558ccd);
	key ^= key >> 33;
	key *= UINT64_C(0xc4ceb9fe1a85ec53);
	key ^= key >> 33;
	return (uint32_t)key;
}
