/* SPDX-License-Identifier: MIT */
/* First byte: the kind of listener, the rest its text. What is accepted can be bound, and is read the same again. */
#include "core/mem.h"
#include "core/str.h"
#include "units/socket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool can_be_bound(const struct listener *l)
{
	sa_family_t family = l->addr.sa.sa_family;

	if (l->addr_n == 0)
		return l->kind == LISTEN_NETLINK || (l->path && l->path[0] == '/');
	return l->addr_n <= sizeof(l->addr) &&
	       (family == AF_UNIX || family == AF_INET || family == AF_INET6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct listener l = {0}, again;
	const char *why = "";

	if (size == 0)
		return 0;
	l.kind = data[0] % LISTEN_KINDS;
	l.text = arena_dup(&arena, (const char *)data + 1, size - 1);
	again = l;
	if (socket_parse_listener(&l, &arena, &why) < 0) {
		if (!why[0])
			__builtin_trap();
	} else if (!can_be_bound(&l) || socket_parse_listener(&again, &arena, &why) < 0 ||
		   memcmp(&l.addr, &again.addr, sizeof(l.addr)) != 0) {
		__builtin_trap();
	}
	arena_fini(&arena);
	return 0;
}
