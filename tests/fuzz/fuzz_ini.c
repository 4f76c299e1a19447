/* SPDX-License-Identifier: MIT */
/* Any text: items end, lie within the text or the arena, and each has a place in the text. */
#include "units/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct ini_item item;
	uint32_t line, col, last = 0;
	struct ini ini;
	int kind;

	ini_init(&ini, (struct str){(const char *)data, size}, &arena);
	while ((kind = ini_next(&ini, &item)) > INI_END) {
		if (item.line <= last || item.line > size ||
		    (kind == INI_ASSIGNMENT && item.key.n == 0))
			__builtin_trap();
		last = item.line;
		for (size_t at = 0; kind == INI_ASSIGNMENT && at < item.value.n;
		     at += item.value.n / 7 + 1) {
			ini_locate(&ini, &item, at, &line, &col);
			if (line < item.line || line > ini.line || col == 0 || col > size)
				__builtin_trap();
		}
	}
	arena_fini(&arena);
	return 0;
}
