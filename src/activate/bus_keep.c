/* SPDX-License-Identifier: MIT */
#include "activate/bus_keep.h"

#include <stdio.h>

#include "core/fd.h"
#include "core/mem.h"

struct kept {
	struct list node;
	int fds[3];
	unsigned n;
	char unit[UNIT_NAME_MAX + 1];
};

static void free_kept(struct kept *k)
{
	while (k->n > 0)
		fd_close(k->fds[--k->n]);
	list_del(&k->node);
	mem_put(k);
}

void bus_keep_fds(struct bus *b, const char *unit, const int *fds, unsigned n)
{
	struct kept *k = n ? mem_get(sizeof(*k)) : NULL;

	if (!k) {
		while (n > 0)
			fd_close(fds[--n]);
		return;
	}
	snprintf(k->unit, sizeof(k->unit), "%s", unit);
	for (k->n = 0; k->n < n && k->n < ARRAY_SIZE(k->fds); k->n++)
		k->fds[k->n] = fds[k->n];
	list_add_tail(&b->kept, &k->node);
}

void bus_keep_drop(struct bus *b, const char *unit)
{
	list_for_each_safe(node, &b->kept) {
		struct kept *k = list_entry(node, struct kept, node);

		if (strcmp(k->unit, unit) == 0)
			free_kept(k);
	}
}

void bus_keep_fini(struct bus *b)
{
	while (!list_is_empty(&b->kept))
		free_kept(list_entry(b->kept.next, struct kept, node));
}
