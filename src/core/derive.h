/* SPDX-License-Identifier: MIT */
/*
 * derive - units of which the state table tells nothing, from what runs: processes and sockets in the bank, populated cgroups.
 *
 * For a table that was lost, damaged or is of another layout. What is found counts as running (a service) or listening (a socket);
 * nothing is started, signalled or removed by that.
 */
#pragma once

#include "core/hark.h"

/* After the units that are remembered have been restored. How many were found, or -ENOMEM. */
MUST_USE int derive_units(struct hark *h);
