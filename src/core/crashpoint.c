/* SPDX-License-Identifier: MIT */
#include "core/crashpoint.h"

#include <signal.h>
#include <unistd.h>

#include "core/proc.h"
#include "core/str.h"

uint32_t crashpoint_left;

void crashpoint_set(const char *spec, uint32_t life)
{
	struct str rest = str_of(spec ? spec : ""), part = {NULL, 0};
	uint64_t n = 0;

	while (life && str_cut(&rest, ',', &part))
		life--;
	crashpoint_left = !life && str_to_u64(part, &n) == 0 && n <= UINT32_MAX ? (uint32_t)n : 0;
}

void crashpoint_die(void)
{
	int self = proc_pidfd(getpid());

	if (self < 0 || proc_signal_fd(self, SIGKILL) < 0)
		__builtin_trap(); /* no descriptor left: another sudden end */
}
