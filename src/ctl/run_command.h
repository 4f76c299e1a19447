/* SPDX-License-Identifier: MIT */
/*
 * run_command - `harkctl run`: a command as a transient service, made like any other unit from the text of a file.
 */
#pragma once

#include "ctl/client.h"
#include "ctl/screen.h"

/*
 * run_command() - start q->args as a service; with --wait show its output until it has ended.
 *
 * Returns the exit status: that of the start, or with --wait that of the command (128 and the number of the signal that killed it).
 */
MUST_USE int run_command(struct screen *s, const struct question *q);
