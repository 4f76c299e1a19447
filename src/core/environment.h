/* SPDX-License-Identifier: MIT */
/*
 * environment - the variables that every service gets: the base ones (describe_env.h), those of DefaultEnvironment= in system.conf (of a session:
 * user.conf) and its drop-ins, and those that were set at run time.
 *
 * What was set lies in a file of the run directory, so that it outlives the manager and ends with the boot. h->environment is all together,
 * what was set last above the rest.
 */
#pragma once

#include "core/hark.h"

/* Read the files, again after a reload, and make h->environment. A file that cannot be read counts as empty, with a word in the log. 0 or -ENOMEM. */
MUST_USE int environment_open(struct hark *h);
/*
 * environment_change() - set or take away variables, all or none.
 *
 * @words: "NAME=VALUE" is set; "NAME" is taken away
 * @is_unset: every word is taken away: "NAME=VALUE" when it has that value
 * @ret_bad: with -EINVAL the word that names no variable
 *
 * The file is whole at every moment; services that run keep what they have. Returns 0, -EINVAL, -ENOMEM or the -errno of the file.
 */
MUST_USE int environment_change(struct hark *h, const char *const *words, unsigned n, bool is_unset,
				const char **ret_bad);
