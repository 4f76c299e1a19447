/* SPDX-License-Identifier: MIT */
/*
 * install_links - the means of the commands of install.h: make the links of sets of units, take links away.
 *
 * All change the tree of a struct install only. 0 or -ENOMEM each; what else is wrong is told (install_tell).
 */
#pragma once

#include "units/install_find.h"

/* Names of units, and paths of links, whose links are to go. */
struct doomed {
	struct doomed *next;
	const char *word;
};

/* The directory that links go to; NULL (and told) when there is none. */
MUST_USE int links_dir(struct install *in, const struct tree_dir **ret_dir);
/* A link; what is there already stays when it means the same, and goes when is_forced. */
MUST_USE int links_make(struct install *in, const char *path, const char *target, bool is_forced);
/* The unit that a name or path means, fit to be enabled; what: FIND_*. *ret NULL: told why not. */
MUST_USE int links_discover(struct install *in, struct install_set *s, const char *name,
			    unsigned what, struct install_unit **ret);
/* Enable all of a set and what Also= adds to it. is_preset: entries that only an instance could have are passed over. */
MUST_USE int links_enable(struct install *in, struct install_set *s, bool is_preset);
/* Disable all of a set, and what Also= adds to it. */
MUST_USE int links_disable(struct install *in, struct install_set *s);
/* owner wants or requires u. */
MUST_USE int links_add(struct install *in, enum dep_type type, const struct install_unit *owner,
		       const struct install_unit *u);
/* Add to the list; word is borrowed. */
MUST_USE int links_doom(struct install *in, struct doomed **list, const char *word);
/* Take away the links of directory d that the list dooms, and links to those. */
MUST_USE int links_remove(struct install *in, struct doomed *list, const struct tree_dir *d);
