/* SPDX-License-Identifier: MIT */
/* First byte: the kind, the rest its parameter. Kinds that would walk the file system at our word are left out. */
#include "units/compare.h"
#include "units/condition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct specifier_host host = {
		.arch = "x86-64", .hostname = "a.b", .kernel = "6.1.0-1"};
	struct condition c = {0};
	char *text;

	if (size == 0)
		return 0;
	text = mem_dup(data + 1, size - 1);
	if (!text)
		return 0;
	c.kind = (uint8_t)(data[0] % (condition_names_n + 1));
	c.parameter = text;
	if (c.kind == condition_names_n ||
	    !str_has_prefix(str_of(condition_names[c.kind]), STR("Path"))) {
		if (condition_test(&c, &host) > 1)
			__builtin_trap();
	}
	if (compare_versions(text, text) != 0 ||
	    compare_versions(text, "1.2~rc1") != -compare_versions("1.2~rc1", text))
		__builtin_trap();
	mem_put(text);
	return 0;
}
