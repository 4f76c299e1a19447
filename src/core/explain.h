/* SPDX-License-Identifier: MIT */
/*
 * explain - what kept a process from being set up, in words that name the line of the unit file: put together from what PID 1 tells,
 * from how the process ended, and from what hark-exec wrote into its output.
 */
#pragma once

#include "core/hark.h"
#include "units/exec_config.h"
#include "units/service.h"

/* Standard input, output or error could not be opened. Which file it was PID 1 does not say: those that there are, and the errno. */
void explain_open(const struct exec_config *x, int err, struct sbuf *why);
/*
 * explain_exit() - a process of s has ended: was it hark-exec, which could not set it up, or a command before or behind ExecStart= with which
 * the start failed?
 *
 * @code, @status: of waitid(2)
 */
void explain_exit(struct service *s, bool is_main, int code, int status);
