/* SPDX-License-Identifier: MIT */
/*
 * called - harkctl under the names that other systems have for its verbs: init, telinit, halt, poweroff, reboot and shutdown. As links to it they
 * serve a machine where systemd's are not installed.
 */
#pragma once

#include "core/base.h"

enum { CALLED_WORDS = 8 };

/*
 * called_as() - what is asked for, in harkctl's own words.
 *
 * @argv:     the command line
 * @ret_argv: when 1 is returned: the words instead, with NULL behind them; some are static, some argv's
 *
 * "init" as the first process becomes hark-init. What is to be done at once (reboot -f) is done here.
 *
 * Returns 1 (ask in these words), 0 (harkctl under its own name), or -1 when all is done: *ret_status is the exit status.
 */
MUST_USE int called_as(char **argv, const char *ret_argv[CALLED_WORDS], int *ret_status);
