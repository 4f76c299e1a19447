/* SPDX-License-Identifier: MIT */
/*
 * activate/scope - takes the processes of scope units into their cgroups, and sees when those are empty.
 *
 * Which processes those are is said once, by PIDs=; from then on the kernel knows. Without cgroups a scope cannot be started.
 */
#pragma once

#include "core/hark.h"

extern const struct activator scope_activator;
