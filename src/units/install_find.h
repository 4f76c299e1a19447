/* SPDX-License-Identifier: MIT */
/*
 * install_find - the ground that install.h stands on: which file a name means, through links, templates and masks, and what its
 * [Install] section says.
 */
#pragma once

#include "units/install_tree.h"

/*
 * Reads the [Install] section of the file at path (below the root) and the drop-ins of `name`. The configuration is the caller's. Its
 * load state is LOAD_LOADED, LOAD_MASKED (an empty file) or LOAD_ERROR (it cannot be read). 0 or -ENOMEM.
 */
typedef int (*install_read_fn)(void *arg, const char *name, const char *path,
			       struct unit_config **ret_config);

/* Something to tell, in order. */
struct install_note {
	struct install_note *next;
	bool is_error;
	const char *text;
};

struct install {
	struct install_tree *tree;
	install_read_fn read;
	void *arg;
	bool is_runtime; /* links go below /run */
	bool is_forced;  /* replace what is in the way */
	struct arena arena;
	struct install_note *notes, **last_note;
	bool has_error;
	bool has_section; /* a unit that was enabled, or Also= of it, says something in its [Install] section */
	const char *
		refusal; /* word of the first error that programs tell apart: not-found, masked, exists; else NULL */
};

/* tree, read and arg are borrowed. */
void install_init(struct install *in, struct install_tree *tree, install_read_fn read, void *arg);
void install_fini(struct install *in);
/* Tell something. 0 or -ENOMEM. */
int install_tell(struct install *in, bool is_error, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same for an error that programs tell apart; refusal: its word, static. */
int install_refuse(struct install *in, const char *refusal, const char *fmt, ...) PRINTF_LIKE(3, 4);

enum install_mode {
	MODE_UNKNOWN,
	MODE_FILE,
	MODE_ALIAS,  /* a link to another unit of the search path */
	MODE_LINKED, /* a link to a file outside of it */
	MODE_MASKED,
};

/* One unit that a command is about. */
struct install_unit {
	struct install_unit *next;
	const char *name;
	const char *path;           /* NULL: not found yet */
	const char *link_target;    /* MODE_ALIAS, MODE_LINKED: where it leads */
	struct unit_config *config; /* its [Install] section; owned; NULL: not read */
	uint8_t mode;               /* enum install_mode */
	bool is_auxiliary;          /* came in by Also= */
	bool is_searched;
};

/* Units in the order in which they came in; each name once. */
struct install_set {
	struct install_unit *first, **last;
};

enum install_found {
	FOUND = 0,
	FOUND_NOTHING,     /* there is no such file */
	FOUND_BROKEN_LINK, /* a link to a unit that is not there */
	FOUND_LOOP,        /* links that lead nowhere, or to themselves */
	FOUND_MISFIT,      /* a link to a name that it cannot stand for */
	FOUND_UNREADABLE,
	FOUND_NO_NAME,
	FOUND_LINKED, /* by a link that somebody made, and that was not asked to count */
	FOUND_KINDS
};
extern const char *const install_found_words[FOUND_KINDS];
/* Tell that the file of `name` was not found so. 0 or -ENOMEM. */
int install_missing(struct install *in, const char *name, enum install_found how);

/* Empty; and back to empty. */
void set_init(struct install_set *s);
void set_fini(struct install_set *s);
/* NULL: not in it. */
struct install_unit *set_find(const struct install_set *s, const char *name);
/* The unit of that name, added when it is new. path: of its file, or NULL to search. NULL: -ENOMEM. */
struct install_unit *set_add(struct install *in, struct install_set *s, const char *name,
			     const char *path);

enum {
	FIND_INSTALL = 1, /* read the [Install] sections on the way; Also= adds to the set */
	FIND_LINKED = 2,  /* follow also links of the directories that commands write to */
};

/*
 * find_unit() - search the file of *u, follow links; *ret is the unit at their end, which is added to the set when it has another name.
 *
 * @what: FIND_* added up
 *
 * Returns enum install_found or -ENOMEM.
 */
MUST_USE int find_unit(struct install *in, struct install_set *s, struct install_unit *u,
		       unsigned what, struct install_unit **ret);
/* May a link of that name stand for `of`? FOUND, FOUND_LOOP (the same name), FOUND_MISFIT. */
enum install_found find_alias_fits(const char *name, const char *of);
/* Where links in the tree lead from an absolute path in the end. NULL: -ENOMEM, or a loop. */
const char *find_end(struct install *in, const char *path);
/* Path of the drop-in that disables a unit in directory d, where presence is enablement. NULL: -ENOMEM. */
const char *find_ban(const struct install *in, const struct tree_dir *d, const char *name);
