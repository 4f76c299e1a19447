/* SPDX-License-Identifier: MIT */
/*
 * unit_tree - the unit files and links that a generator makes: gathered in memory, then brought into a directory of its own in which
 * what is right already stays untouched (whoever watches it sees changes only) and what nobody makes any more is removed.
 */
#pragma once

#include "core/mem.h"
#include "core/str.h"

struct tree_entry {
	struct tree_entry *next;
	const char *
		path; /* "x.mount", "a.target.wants/x.mount": relative, at most one directory deep */
	const char *target; /* of a link; NULL: a file */
	struct sbuf text;   /* of a file */
};

struct unit_tree {
	struct arena arena;
	struct tree_entry *first;
	bool is_short; /* of memory: the tree is not whole and is not written */
};

/* Room for the text of a file, which stays the tree's; NULL: there is one of that name already, or no memory. */
struct sbuf *unit_tree_file(struct unit_tree *t, const char *path);
/* A link "owner.wants/name" (kind "wants") to the unit file `name` of the tree, or to wherever `target` says unless it is NULL. Once is enough. */
void unit_tree_link(struct unit_tree *t, const char *owner, const char *kind, const char *name,
		    const char *target);
/* A link at that path, unless there is one already. */
void unit_tree_point(struct unit_tree *t, const char *path, const char *target);
/* Also what lies in that directory, one level deep; what is there already stays. 0 or -errno. */
MUST_USE int unit_tree_read(struct unit_tree *t, const char *dir);
/* Make dir be the tree. 0 or -errno: what was written before it stays. */
MUST_USE int unit_tree_write(struct unit_tree *t, const char *dir);
void unit_tree_fini(struct unit_tree *t);
