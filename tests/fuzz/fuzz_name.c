/* SPDX-License-Identifier: MIT */
/* Names: what is escaped comes back; what a user typed is a valid name or refused. */
#include "core/mem.h"
#include "units/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	char escaped[1024];
	char again[1024];
	char out[256];
	char *z;
	int n;

	for (int path = 0; path < 2; path++) {
		(void)!name_unescape(text, path, again, sizeof(again));
		n = name_escape(text, path, escaped, sizeof(escaped));
		if (n < 0 || memchr(data, 0, size))
			continue;
		n = name_unescape((struct str){escaped, (size_t)n}, path, again, sizeof(again));
		if (n < 0 || (!path && !str_eq((struct str){again, (size_t)n}, text)))
			__builtin_trap();
	}
	z = mem_dup(data, size);
	if (z && name_from_user(z, out, sizeof(out)) == 0 && !name_is_valid(out, NAME_ANY))
		__builtin_trap();
	if (z && name_is_valid(z, NAME_ANY) && name_prefix(z).n == 0)
		__builtin_trap();
	mem_put(z);
	return 0;
}
