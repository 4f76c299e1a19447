/* SPDX-License-Identifier: MIT */
/* A request as a hostile client sends it, and the same bytes as an answer of a hostile manager. */
#include "ctl/rows.h"
#include "ctl/verb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_in in;
	struct request q;
	struct rows rows;
	struct str value;
	uint16_t tag;
	const char *why;

	if (size > sizeof(in.bytes))
		return 0;
	memcpy(in.bytes, data, size);
	if (wire_parse(&in, size) < 0)
		return 0;
	if (request_decode(&in, &q, &why) == 0)
		request_fini(&q);
	if (wire_parse(&in, size) < 0)
		return 0;
	rows_init(&rows);
	while (wire_next(&in, &tag, &value)) {
		const struct row *row = rows_add(&rows, tag, value);
		unsigned at = 0;
		struct str item;

		while (row && row_item(row, "a", &at, &item))
			continue;
	}
	rows_fini(&rows);
	return 0;
}
