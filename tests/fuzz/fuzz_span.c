/* SPDX-License-Identifier: MIT */
/* Single values: whatever is accepted as a time span is printed and read back as the same time. */
#include "units/value.h"

#include <signal.h>
#include <sys/resource.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	unsigned char mask[16];
	uint64_t us;
	uint64_t again;
	uint64_t hard;
	char out[128];
	bool flag;
	int n;

	if (value_span(text, US_PER_SEC, &us) == 0) {
		value_format_span(us, out, sizeof(out));
		if (value_span(str_of(out), US_PER_SEC, &again) < 0 || us != again)
			__builtin_trap();
	}
	for (int resource = 0; resource < (int)RLIM_NLIMITS; resource++)
		if (value_limit(text, resource, &us, &hard) == 0 && us > hard)
			__builtin_trap();
	if (value_signal(text, &n) == 0 && value_signal(str_of(value_signal_name(n)), &n) < 0 &&
	    n > 31 && n >= SIGRTMIN)
		__builtin_trap();
	(void)!value_exit(text, &n, &flag);
	(void)!value_cpus(text, mask, sizeof(mask));
	(void)!value_size(text, &us);
	return 0;
}
