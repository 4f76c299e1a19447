/* SPDX-License-Identifier: MIT */
/*
 * job_order - makes the order of a plan acyclic, by dropping ordering edges and never a job.
 *
 * Looked at are the steps of the plan and the jobs already installed that ordering edges lead to from there. Of each
 * cycle found the shortest is noted in the plan, and its weakest edge is marked broken on both units: a default one
 * before an implicit one before one that somebody wrote; then one of a unit that the anchor can do without; then the
 * last by name. Components are found in linear time. Shortest cycles are exact until a fixed amount of work is spent,
 * which takes knots of thousands of units; from then on they are short, and still cycles.
 */
#pragma once

#include "core/job.h"

/*
 * job_order_break() - find and break every ordering cycle that p would be caught in.
 *
 * @mode: under flush the installed jobs do not count, as they are about to go
 *
 * Uses plan_at of units, which must be 0 before and is 0 after. Returns 0, or -ENOMEM with no edge changed.
 */
MUST_USE int job_order_break(struct job_plan *p, struct registry *r, enum job_mode mode);
