/* SPDX-License-Identifier: MIT */
/*
 * list - intrusive doubly linked ring. The object carries its node, so adding and removing allocate nothing and
 * cannot fail. A zeroed node is "not on a list"; list_del() of such a node does nothing.
 */
#pragma once

#include "core/base.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(head)          \
	{                        \
		&(head), &(head) \
	}

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return !head->next || head->next == head;
}

static inline bool list_is_linked(const struct list *node)
{
	return node->next != NULL;
}

static inline void list_add_tail(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_add_head(struct list *head, struct list *node)
{
	list_add_tail(head->next, node);
}

static inline void list_del(struct list *node)
{
	if (!node->next)
		return;
	node->next->prev = node->prev;
	node->prev->next = node->next;
	node->next = node->prev = NULL;
}

/* Take the first node off, or NULL. */
static inline struct list *list_pop(struct list *head)
{
	struct list *node = list_is_empty(head) ? NULL : head->next;

	if (node)
		list_del(node);
	return node;
}

#define list_for_each(pos, head) \
	for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
/* Safe against removal of pos itself. */
#define list_for_each_safe(pos, head)                                                 \
	for (struct list *pos = (head)->next, *pos##_next = pos->next; pos != (head); \
	     pos = pos##_next, pos##_next = pos->next)
#define list_entry(node, type, member) container_of(node, type, member)
