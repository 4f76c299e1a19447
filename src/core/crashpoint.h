/* SPDX-License-Identifier: MIT */
/*
 * crashpoint - where the manager can be made to die for a test: behind every act with a consequence outside of its own memory.
 *
 * Those are the records to PID 1 and from it, the stores into the state table, acts on cgroups, paths, notify sockets and automount
 * points, and the frames of the control socket. Each calls crashpoint(); after HARK_CRASH_AT of them this process sends itself SIGKILL, so what a
 * test sees is what any kill -9 at that instant leaves. Not set, a call costs one comparison.
 */
#pragma once

#include "core/base.h"

extern uint32_t crashpoint_left; /* until the end; 0: never */

/*
 * crashpoint_set() - read HARK_CRASH_AT, "N" or "N,N...".
 *
 * @spec: after how many acts the first manager dies, the second and so on; 0 in the list and what is not in it: never. NULL: never
 * @life: which manager this is, from 1
 */
void crashpoint_set(const char *spec, uint32_t life);
void crashpoint_die(void);

static inline void crashpoint(void)
{
	if (crashpoint_left && --crashpoint_left == 0)
		crashpoint_die();
}
