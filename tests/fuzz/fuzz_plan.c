/* SPDX-License-Identifier: MIT */
/* Any bytes as a plan: the check, the walk and the question who can run it never read outside them. */
#include "core/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *bytes = (const char *)data;
	struct plan_record rec;
	size_t at = 0, sum = 0;

	while (plan_next(bytes, n, &at, &rec) > 0)
		for (size_t i = 0; i < rec.text_n; i++)
			sum += (unsigned char)rec.text[i];
	if (plan_exit_code(n ? data[0] : 0) < 200)
		__builtin_trap();
	if (plan_check(bytes, n) == 0 && at != n)
		__builtin_trap();
	return plan_place(bytes, n) == PLAN_EXEC_ONLY && sum == SIZE_MAX;
}
