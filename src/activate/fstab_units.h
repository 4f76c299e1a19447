/* SPDX-License-Identifier: MIT */
/*
 * fstab_units - the lines of fstab as mount, automount and swap units: systemd.mount(5), "FSTAB". For hark-mount.
 *
 * The units are those that systemd's generator makes; where they differ is in docs/fstab.md.
 */
#pragma once

#include "activate/fstab.h"
#include "activate/unit_tree.h"

struct fstab_world {
	const char *const *
		unit_dirs; /* where the units live that are used when they are there, NULL behind the last */
	uint64_t
		device_us; /* how long a device is waited for when its line says nothing; TIME_NEVER: as any device */
	bool in_container; /* swap is not ours */
	bool has_devices;  /* /sys can be written: somebody tells of devices */
	bool is_locked; /* nobody could enter an emergency shell: what is missing does not lead there */
};

/* All lines into the tree; what is wrong with them is told. */
void fstab_units(struct fstab *f, const struct fstab_world *w, struct unit_tree *tree);
