/* SPDX-License-Identifier: MIT */
/*
 * device_gate - which devices the processes of a cgroup may open and make: DevicePolicy= and DeviceAllow= as a program of
 * the kernel's (eBPF, attached to the cgroup; it goes with it). cgroup-v2.rst, "Device controller"
 */
#pragma once

#include "units/cgroup_config.h"

/* Does the unit restrict its devices at all? */
bool device_gate_is_wanted(const struct cgroup_config *g);
/*
 * device_gate_set() - let only what g allows pass, in place of what was set before.
 *
 * @dir: the cgroup, borrowed
 *
 * A node or class that this system does not have is left out. Returns 0 or -errno of bpf(2): -EPERM, -ENOSYS where the kernel
 * or our privileges have no such thing.
 */
MUST_USE int device_gate_set(const struct cgroup_config *g, int dir);
/* All devices again. */
void device_gate_drop(int dir);
