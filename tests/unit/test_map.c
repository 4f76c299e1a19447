/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/map.h"
#include "core/mem.h"
#include "suite.h"

enum { KEYS = 300 };

struct item {
	unsigned key;
	bool is_in;
	struct map_node node;
};

static bool has_key(const struct map_node *node, const void *key)
{
	const unsigned *wanted = key;

	return container_of(node, struct item, node)->key == *wanted;
}

/* Few hashes for many keys, so that chains are long. */
static uint32_t hash_of(unsigned key)
{
	return map_hash_u64(key) & 0x3f;
}

/* Several entries of one key, others with their hash among them. */
START_TEST(finds_all_of_a_key)
{
	static struct item item[30];
	struct map m = {0};
	unsigned wanted = 1, n = 0;
	struct map_node *node;

	ck_assert_int_eq(map_reserve(&m, ARRAY_SIZE(item)), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(item); i++) {
		item[i].key = i % 3;
		map_add(&m, &item[i].node, 5);
	}
	for (node = map_find(&m, 5, has_key, &wanted); node;
	     node = map_find_more(node, has_key, &wanted)) {
		ck_assert_uint_eq(container_of(node, struct item, node)->key, wanted);
		n++;
	}
	ck_assert_uint_eq(n, ARRAY_SIZE(item) / 3);
	map_fini(&m);
}
END_TEST

START_TEST(behaves_like_the_model)
{
	static struct item item[KEYS];
	struct map m = {0};
	uint32_t in_n = 0;

	srand(3);
	for (int step = 0; step < 20000; step++) {
		unsigned key = (unsigned)rand() % KEYS;
		struct item *it = &item[key];
		struct map_node *found = map_find(&m, hash_of(key), has_key, &key);

		ck_assert_ptr_eq(found, it->is_in ? &it->node : NULL);
		it->key = key;
		if (it->is_in) {
			map_del(&m, &it->node);
		} else {
			ck_assert_int_eq(map_reserve(&m, 1), 0);
			map_add(&m, &it->node, hash_of(key));
		}
		it->is_in = !it->is_in;
		in_n += it->is_in ? 1U : (uint32_t)-1;
		ck_assert_uint_eq(m.n, in_n);
	}
	map_fini(&m);
	ck_assert_uint_eq(mem_stats.live_n, 0);
	ck_assert_uint_eq(check_failures(), 0);
}
END_TEST

START_TEST(walk_sees_each_once_and_allows_removal)
{
	static struct item item[KEYS];
	struct map m = {0};
	unsigned seen = 0;
	struct map_node *node;

	ck_assert_ptr_null(map_next(&m, NULL));
	ck_assert_int_eq(map_reserve(&m, KEYS), 0);
	for (unsigned i = 0; i < KEYS; i++) {
		item[i].key = i;
		map_add(&m, &item[i].node, map_hash_u64(i));
	}
	node = map_next(&m, NULL);
	while (node) {
		struct map_node *next = map_next(&m, node);
		struct item *it = container_of(node, struct item, node);

		ck_assert(!it->is_in);
		it->is_in = true;
		seen++;
		map_del(&m, node);
		node = next;
	}
	ck_assert_uint_eq(seen, KEYS);
	ck_assert_uint_eq(m.n, 0);
	map_fini(&m);
}
END_TEST

START_TEST(reserve_is_the_only_growth)
{
	static struct item item[100];
	struct map m = {0};
	uint64_t total;

	ck_assert_int_eq(map_reserve(&m, 100), 0);
	total = mem_stats.total_n;
	for (unsigned i = 0; i < 100; i++)
		map_add(&m, &item[i].node, i);
	ck_assert_uint_eq(mem_stats.total_n, total);

	/* A refused growth leaves every entry where it was. */
	mem_stats.fail_at = total + 1;
	ck_assert_int_eq(map_reserve(&m, 1000), -ENOMEM);
	ck_assert_int_eq(map_reserve(&m, UINT32_MAX), -ENOMEM);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_ptr_nonnull(map_find(&m, i, has_key, &item[i].key));
	map_fini(&m);
	map_fini(&m);
	ck_assert_uint_eq(mem_stats.live_n, 0);
}
END_TEST

START_TEST(misuse_is_noted_and_survived)
{
	struct map m = {0};
	struct item a = {0};

	map_add(&m, &a.node, 1);
	ck_assert_uint_eq(check_failures(), 1);
	ck_assert_int_eq(map_reserve(&m, 1), 0);
	map_del(&m, &a.node);
	ck_assert_uint_eq(check_failures(), 2);
	ck_assert_uint_eq(m.n, 0);
	map_fini(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("map");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, behaves_like_the_model);
	tcase_add_test(tc, finds_all_of_a_key);
	tcase_add_test(tc, walk_sees_each_once_and_allows_removal);
	tcase_add_test(tc, reserve_is_the_only_growth);
	tcase_add_test(tc, misuse_is_noted_and_survived);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
