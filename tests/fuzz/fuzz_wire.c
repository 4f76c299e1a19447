/* SPDX-License-Identifier: MIT */
/* Any packet: refused, or made of fields that lie within it. */
#include "core/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_in in;
	uint16_t tag;
	struct str value;
	size_t used = 8;

	if (size > sizeof(in.bytes))
		return 0;
	memcpy(in.bytes, data, size);
	if (wire_parse(&in, size) < 0)
		return 0;
	while (wire_next(&in, &tag, &value)) {
		if (value.p != in.bytes + used + 8)
			__builtin_trap();
		used += 8 + value.n;
	}
	/* A frame that was accepted adds up, field by field, to its last byte. */
	if (used != size)
		__builtin_trap();
	return 0;
}
