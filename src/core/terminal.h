/* SPDX-License-Identifier: MIT */
/*
 * terminal - the terminal of a service: taken as the controlling one, and made fit for use before that (linked into hark-exec).
 */
#pragma once

#include "core/plan.h"

enum terminal_flag {
	TERMINAL_HANGUP = 1, /* whoever has it open has it no more */
	TERMINAL_RESET = 2,  /* modes as after power on */
	TERMINAL_CLEAR =
		4, /* of a virtual console: nothing is left of what was shown, also in its scrollback */
};

/* The step TTY: open it onto descriptor 0 and make it ours; waits while it is somebody else's, if not told otherwise. 0 or -errno. */
MUST_USE int terminal_take(const struct plan_record *rec);
/* The step TTY_RESET. What is no terminal, or not there, is left alone. 0 or -errno of opening it. */
MUST_USE int terminal_reset(const struct plan_record *rec);
