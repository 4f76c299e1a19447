/* SPDX-License-Identifier: MIT */
/*
 * install - what enable, disable, mask and their like do to the links of the unit directories.
 *
 * Every function here changes only a struct install_tree in memory (units/install_tree.h); nothing but the given reader touches
 * a file. install_apply.h writes the difference. The links are those that systemctl makes, so the two can be used side by side. In a
 * directory where presence is enablement (/etc/units, /run/units) a unit is disabled by a drop-in that empties its [Install] section, and
 * enabled by taking that drop-in away.
 */
#pragma once

#include "units/install_find.h"
#include "units/install_preset.h"

/*
 * Each plans one command. names: names of units; of enable and link also absolute paths of files. What is wrong with one of them is in the
 * notes (has_error); as far as it makes sense the others are done. 0 or -ENOMEM.
 */
MUST_USE int install_enable(struct install *in, const char *const *names, unsigned n);
MUST_USE int install_disable(struct install *in, const char *const *names, unsigned n);
/* Disable, then enable; what stays is not touched. */
MUST_USE int install_reenable(struct install *in, const char *const *names, unsigned n);
MUST_USE int install_mask(struct install *in, const char *const *names, unsigned n);
MUST_USE int install_unmask(struct install *in, const char *const *names, unsigned n);
MUST_USE int install_link(struct install *in, const char *const *names, unsigned n);
/* Away with drop-ins and overriding files of units that come with the system. */
MUST_USE int install_revert(struct install *in, const char *const *names, unsigned n);
/* n == 0: all units there are. */
MUST_USE int install_preset(struct install *in, const struct preset *p, enum preset_mode mode,
			    const char *const *names, unsigned n);
/* names[0] is the unit that gets the dependency on all the others. */
MUST_USE int install_add_dependency(struct install *in, enum dep_type type,
				    const char *const *names, unsigned n);
MUST_USE int install_set_default(struct install *in, const char *name);
