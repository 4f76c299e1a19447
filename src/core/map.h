/* SPDX-License-Identifier: MIT */
/*
 * map - intrusive hash table. Objects carry their node; after map_reserve() for one more, map_add() cannot fail.
 * Growth happens only in map_reserve(). Keys stay with the objects: a lookup takes a hash and an equality function.
 */
#pragma once

#include "core/base.h"

struct map_node {
	struct map_node *next;
	uint32_t hash;
};

struct map {
	struct map_node **buckets;
	uint32_t n, mask; /* entries; buckets - 1 (0: none yet) */
};

typedef bool (*map_eq_fn)(const struct map_node *node, const void *key);

/* Room for `more` further entries without allocation. 0 or -ENOMEM (the map is unchanged). */
MUST_USE int map_reserve(struct map *m, uint32_t more);
void map_add(struct map *m, struct map_node *node, uint32_t hash);
struct map_node *map_find(const struct map *m, uint32_t hash, map_eq_fn eq, const void *key);
/* The next entry behind `node` with that key, for maps in which several may have one; NULL: none. */
struct map_node *map_find_more(struct map_node *node, map_eq_fn eq, const void *key);
/* The node must be in the map. */
void map_del(struct map *m, struct map_node *node);
/* Walk: pass NULL first; NULL at the end. The current node may be deleted only after fetching the next. */
struct map_node *map_next(const struct map *m, const struct map_node *node);
/* Frees the buckets; the objects are the caller's. */
void map_fini(struct map *m);
/* 64-bit integer key hash. */
uint32_t map_hash_u64(uint64_t key);
