/* SPDX-License-Identifier: MIT */
/* Line 1: the text, line 2: the name of a unit. A refusal points at a '%' of the text. */
#include "units/name.h"
#include "units/specifier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct specifier_host host = {
		.arch = "x86-64", .hostname = "a.b", .machine_id = "0", .boot_id = "1"};
	struct str rest = {(const char *)data, size};
	struct arena arena = {0};
	struct str text;
	char *name;
	char *out;
	size_t at;

	if (!str_cut(&rest, '\n', &text))
		return 0;
	name = arena_dup(&arena, rest.p ? rest.p : "a@b.service", rest.p ? rest.n : 11);
	if (name && name_is_valid(name, NAME_ANY)) {
		struct specifier_context c = {.host = &host, .unit = name, .fragment = "/etc/x"};

		if (specifier_expand(&c, text, &arena, &out, &at) == -EINVAL &&
		    (at >= text.n || text.p[at] != '%'))
			__builtin_trap();
	}
	arena_fini(&arena);
	return 0;
}
