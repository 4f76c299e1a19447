/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "core/list.h"
#include "suite.h"

struct item {
	int value;
	struct list node;
};

static int sum(struct list *head)
{
	int total = 0;

	list_for_each(pos, head)
		total = total * 10 + list_entry(pos, struct item, node)->value;
	return total;
}

START_TEST(order_of_adding)
{
	struct list head = LIST_INIT(head);
	struct item a = {.value = 1};
	struct item b = {.value = 2};
	struct item c = {.value = 3};

	ck_assert(list_is_empty(&head));
	list_add_tail(&head, &b.node);
	list_add_tail(&head, &c.node);
	list_add_head(&head, &a.node);
	ck_assert_int_eq(sum(&head), 123);
	list_del(&b.node);
	ck_assert_int_eq(sum(&head), 13);
	ck_assert(!list_is_linked(&b.node));
	ck_assert(list_is_linked(&a.node));
}
END_TEST

START_TEST(zeroed_means_not_linked)
{
	struct list head = {0};
	struct item a = {0};

	ck_assert(list_is_empty(&head));
	ck_assert(!list_is_linked(&a.node));
	list_del(&a.node);
	list_del(&a.node);
	list_init(&head);
	ck_assert_ptr_null(list_pop(&head));
}
END_TEST

START_TEST(pop_takes_the_first)
{
	struct list head = LIST_INIT(head);
	struct item items[5] = {0};

	for (int i = 0; i < 5; i++)
		list_add_tail(&head, &items[i].node);
	for (int i = 0; i < 5; i++) {
		ck_assert_ptr_eq(list_pop(&head), &items[i].node);
		ck_assert(!list_is_linked(&items[i].node));
	}
	ck_assert(list_is_empty(&head));
}
END_TEST

START_TEST(safe_walk_allows_removal)
{
	struct list head = LIST_INIT(head);
	struct item items[6] = {0};

	for (int i = 0; i < 6; i++) {
		items[i].value = i;
		list_add_tail(&head, &items[i].node);
	}
	list_for_each_safe(pos, &head)
		if (list_entry(pos, struct item, node)->value % 2)
			list_del(pos);
	ck_assert_int_eq(sum(&head), 24);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("list");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, order_of_adding);
	tcase_add_test(tc, zeroed_means_not_linked);
	tcase_add_test(tc, pop_takes_the_first);
	tcase_add_test(tc, safe_walk_allows_removal);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
