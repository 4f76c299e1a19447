/* SPDX-License-Identifier: MIT */
/*
 * final - the end of the machine, when PID 1 has become hark-exec: end what still runs, let go of the disks, reboot(2).
 *
 * Nothing here allocates, and nothing waits for ever: what may block on a dead disk or server is done by a child with a deadline.
 */
#pragma once

#include "core/base.h"

/*
 * final_run() - by PID 1 only.
 *
 * @command: of reboot(2)
 *
 * SIGTERM, then SIGKILL to all; sync; on the machine itself (not in a container): swap off, file systems unmounted, the newest first, and
 * made read-only where something keeps them.
 * What could not be let go of is named on standard error. Returns only when the caller is not PID 1 or the kernel refuses: exit status.
 */
int final_run(int command);
