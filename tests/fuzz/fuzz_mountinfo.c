/* SPDX-License-Identifier: MIT */
/* The kernel's mount table: no line makes the reader look outside its text, and no piece outgrows its room. */
#include "core/mountinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size};
	struct mount_line m;
	char out[64];

	while (mountinfo_next(&rest, &m)) {
		if (mountinfo_unescape(m.point, out, sizeof(out)) && str_of(out).n > m.point.n)
			__builtin_trap();
		if (m.super_options.p < (const char *)data ||
		    m.super_options.p + m.super_options.n > (const char *)data + size)
			__builtin_trap();
	}
	return 0;
}
