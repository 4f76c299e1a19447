/* SPDX-License-Identifier: MIT */
/*
 * run_command - a command as a service: `harkctl run` makes a transient one, from the text of a file like any other unit; `harkctl new` prints the file
 * of one that lasts.
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
/* The shortest useful unit file, for the service that q->args[0] names and the command behind it. 0, or 2 where that is no name of a service. */
MUST_USE int new_unit(struct screen *s, const struct question *q);
