/* SPDX-License-Identifier: MIT */
/*
 * machine - what a machine needs before anything else can run: API file systems, standard descriptors, the loopback interface, a
 * name and an id. Done by harkd, because PID 1 opens no path. Whatever is there already (from an initramfs, a container's manager, the manager
 * before) stays.
 */
#pragma once

#include "core/base.h"

/* Steps that can fail, each by itself. */
enum { MACHINE_LACKS = 16 };
struct machine_lack {
	const char *what; /* that the machine has to do without: a mount point, or words */
	int err;          /* positive errno */
};

/*
 * machine_prepare() - mount and set up what is missing, then see to it that descriptors 0, 1 and 2 are open.
 *
 * Does nothing but the last unless the parent is PID 1; harmless without privilege: does what it can. Call it first thing in main(),
 * before any descriptor is opened: a kernel that found no console starts PID 1 with 0, 1 and 2 closed.
 *
 * Returns how many steps failed, with what is lacking; all others were done.
 */
MUST_USE unsigned machine_prepare(struct machine_lack lacks[MACHINE_LACKS]);

/*
 * machine_share_mounts() - let what is mounted from now on be seen in the mount namespaces that are made from ours: without it whoever enters
 * an automount point in one would never get there. Once for each boot: what an administrator takes out afterwards stays out. 0 or -errno.
 */
MUST_USE int machine_share_mounts(void);

/* The kernel's log, where harkd is the manager of the machine: a descriptor, or -1. */
int machine_open_log(void);
