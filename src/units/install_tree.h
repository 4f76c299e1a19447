/* SPDX-License-Identifier: MIT */
/*
 * install_tree - every file, link and drop-in directory of the unit directories, as they are and as they are to be.
 *
 * Read once from disk (or made up by a test), then changed in memory only. What is to be done on disk is the difference: a link that is
 * taken away and made again is no change, so no moment exists in which it is missing. Paths are those below the root.
 */
#pragma once

#include <limits.h>

#include "core/list.h"
#include "core/map.h"
#include "core/mem.h"
#include "core/unit.h"

enum tree_kind {
	TREE_NONE,
	TREE_FILE,
	TREE_EMPTY /* a file without a byte: a mask */,
	TREE_LINK,
	TREE_DIR
};

/* What stands at one path. */
struct tree_node {
	struct map_node map_node;
	struct list list_node; /* of its search directory */
	const char *path;
	const char *name;       /* last part of path */
	const char *target;     /* of a link: its text, to be */
	const char *old_target; /* ... as it is */
	const char *text;       /* of a file that is to be written */
	uint8_t kind, old_kind; /* to be, as it is: enum tree_kind */
	uint8_t dir;            /* index of the search directory */
	bool is_side;           /* lies in a .wants, .d ... of that directory */
};

enum { TREE_DIRS_MAX = 32 };

/* One directory of the search path. */
struct tree_dir {
	const char *path;
	struct list nodes;
	uint8_t same_as; /* the first directory that is the very same one (merged /usr), or its own index */
	bool is_runtime; /* below /run */
	bool is_generated;
	bool is_control;  /* drop-ins that a manager wrote for itself */
	bool is_presence; /* presence is enablement there */
};

struct install_tree {
	struct arena arena;
	struct map nodes;
	struct tree_dir dirs[TREE_DIRS_MAX];
	uint8_t dirs_n;
	const char *root;    /* borrowed, "" normally */
	char text[PATH_MAX]; /* for a path or the text of a link in hand */
};

/* dirs: the search path, most important first; borrowed. 0, -ENOMEM, -E2BIG. */
MUST_USE int tree_init(struct install_tree *t, char *const *dirs, unsigned dirs_n,
		       const char *root);
void tree_fini(struct install_tree *t);
/* Read the directories. Missing ones are empty. 0, -ENOMEM or the -errno of one that cannot be read. */
MUST_USE int tree_read(struct install_tree *t);
/* Note what is on disk; for tree_read() and tests. target: of a link, else NULL. 0 or -ENOMEM. */
MUST_USE int tree_note(struct install_tree *t, const char *path, enum tree_kind kind,
		       const char *target);

/* What is to stand there, or NULL when nothing is. */
struct tree_node *tree_find(const struct install_tree *t, const char *path);
/* "DIR/NAME", in the tree's arena; NULL: -ENOMEM. */
const char *tree_join(struct install_tree *t, const char *dir, const char *name);
/* The last part of a path. */
const char *tree_name(const char *path);
/* Index of the search directory in which path lies, directly or deeper, or -1. Of the same directory under two paths: the first. */
MUST_USE int tree_dir_of(const struct install_tree *t, const char *path);
/*
 * Where a link at `path` with that text leads: absolute, without "." and "..", and by the first of several paths of one search
 * directory. In the tree's arena. NULL: -ENOMEM.
 */
const char *tree_resolve(struct install_tree *t, const char *path, const char *target);

/* The directory that links are written to, persistent or below /run; -1: none. */
int tree_links_dir(const struct install_tree *t, bool is_runtime);
/* Is it for the administrator, not for packages? */
bool tree_is_config(const struct tree_dir *d);

/* Change what is to be. target and text are copied; path may be new. 0 or -ENOMEM. */
MUST_USE int tree_set_link(struct install_tree *t, const char *path, const char *target);
MUST_USE int tree_set_file(struct install_tree *t, const char *path, const char *text);
void tree_unset(struct tree_node *n);
