/* SPDX-License-Identifier: MIT */
/*
 * activate/slice - the cgroup of a slice: made, with its limits, when the slice starts. It goes when all that was in it has ended.
 */
#pragma once

#include "core/hark.h"

extern const struct activator slice_activator;
