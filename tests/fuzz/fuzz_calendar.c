/* SPDX-License-Identifier: MIT */
/* Calendar events: the normal form of what is accepted reads back as itself, and the next time lies ahead. The rest is a zone file. */
#include "units/calendar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str text, const struct zone *zone)
{
	struct arena arena = {0};
	struct sbuf form = {0}, again = {0};
	struct calendar c;
	const char *why = NULL;
	uint64_t us = UINT64_C(1700000000000000), next;

	if (calendar_parse(text, NULL, NULL, &arena, &c, &why) < 0) {
		if (!why)
			__builtin_trap();
	} else {
		for (int n = 0; n < 3 && calendar_next(&c, zone, us, &next); n++, us = next)
			if (next <= us)
				__builtin_trap();
		calendar_format(&c, &form);
		if (calendar_parse(str_of(form.p), NULL, NULL, &arena, &c, &why) < 0)
			__builtin_trap();
		calendar_format(&c, &again);
		if (strcmp(form.p, again.p) != 0)
			__builtin_trap();
	}
	sbuf_fini(&form);
	sbuf_fini(&again);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	size_t line = str_index(text, '\n');
	struct zone zone;

	check(str_sub(text, 0, line), NULL);
	if (line < size && zone_read(str_sub(text, line + 1, size), &zone) == 0) {
		for (int64_t at = -86400; at < INT64_C(8000000000); at = at * 3 + 400000)
			(void)zone_at(&zone, at);
	}
	return 0;
}
