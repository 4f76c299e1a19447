/* SPDX-License-Identifier: MIT */
/* Any datagram: refused, or taken apart into keys and values that lie within it and hold what the grammar allows. */
#include "activate/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(void *arg, struct str key, struct str value)
{
	const struct str *all = arg;

	if (!key.n || memchr(key.p, '=', key.n) || memchr(key.p, '\n', key.n) ||
	    (value.n && memchr(value.p, '\n', value.n)))
		__builtin_trap();
	if (key.p < all->p || value.p + value.n > all->p + all->n)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str all = {(const char *)data, size};

	if (notify_parse(all, check, &all) != 0)
		return 0;
	return 0;
}
