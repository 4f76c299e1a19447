/* SPDX-License-Identifier: MIT */
/* Any text as a unit file of the type that its first byte says: a configuration with findings, and nothing left over. */
#include "units/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"a@b.service", "a.socket", "a.target", "a.mount",
					    "a.timer",     "a.slice",  "a.swap",   "a@.service"};
	static struct load load;
	size_t live;
	struct unit_config *c = NULL;

	if (!load.dirs && load_init(&load, "/nonexistent", "") < 0)
		__builtin_trap();
	live = mem_stats.live_n;
	if (size == 0)
		return 0;
	if (load_unit_text(&load, names[data[0] % ARRAY_SIZE(names)], "fuzz",
			   (struct str){(const char *)data + 1, size - 1}, &c) == 0) {
		if (c->load != LOAD_LOADED && c->load != LOAD_BAD)
			__builtin_trap();
		unit_config_free(c);
	}
	share_fini(&load.parts); /* what it has kept for the next one */
	if (mem_stats.live_n != live)
		__builtin_trap();
	return 0;
}
