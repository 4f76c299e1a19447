/* SPDX-License-Identifier: MIT */
/*
 * trial - the manager of a hark-init that is not PID 1 yet.
 *
 * Before a new hark-init takes the place of the running one (reexec.h) it is started as a child, with harkd --try-init as its manager: it has
 * to execute itself in place, as the real one is about to, then start a process, tell of its end, and end when it is asked to. One that
 * hangs in any turn of its loop does not come that far, and is killed by whoever waits for it.
 */
#pragma once

#include "core/base.h"

/* program: path of that hark-init. Our exit status, if hark-init lets us get there; it ends itself with an enum self_test. */
int trial_run(const char *program);
