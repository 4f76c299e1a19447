/* SPDX-License-Identifier: MIT */
/*
 * final - the end of the machine, when PID 1 has become hark-exec: end what still runs, let go of the disks, reboot(2).
 *
 * Nothing here allocates, and nothing waits for ever: what may block on a dead disk or server is done by a child with a deadline.
 */
#pragma once

#include "core/base.h"

enum {
	FINAL_SOFT = 0 /* in place of a command of reboot(2): the kernel stays, PID 1 begins anew */
};

/*
 * final_run() - by PID 1 only.
 *
 * @command: of reboot(2), or FINAL_SOFT
 * @words:   of FINAL_SOFT: a file with the words for hark-init, each with a NUL behind it; NULL: none
 *
 * SIGTERM, then SIGKILL to all; sync; on the machine itself (not in a container): swap off, file systems unmounted, the newest first, and
 * made read-only where something keeps them.
 * FINAL_SOFT leaves swap and what is still mounted, and executes the hark-init beside this program; where there is one below /run/nextroot that
 * becomes the root before.
 * What could not be let go of is named on standard error. Returns only when the caller is not PID 1 or the kernel refuses: exit status.
 */
int final_run(int command, const char *words);
