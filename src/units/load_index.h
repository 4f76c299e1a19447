/* SPDX-License-Identifier: MIT */
/*
 * load_index - what lies in the unit directories: names, links, drop-ins.
 *
 * load_read fills it, load and others ask it. Everything lives in the arena of struct load. Once others may look at it an index changes by load_renew() alone, and by names of instances that are added.
 */
#pragma once

#include "core/share.h"
#include "core/unit.h"
#include "units/load_text.h"
#include "units/specifier.h"

/* A file in a directory where presence is enablement. */
struct load_present {
	struct load_present *next;
	struct load_entry *entry;
	struct load_text
		text; /* as the scan has read it; without one it is read when it is needed */
};

struct load {
	char **dirs; /* search path, most important first; owned */
	unsigned dirs_n;
	uint64_t lax_dirs; /* bit k: everybody may write dirs[k], of the first 64 */
	char *root;        /* prefix for offline use, "" normally */
	struct specifier_host host;
	bool skips_unreadable; /* load_read() */
	bool links_only;       /* presence enables nothing: as other loaders have it */
	bool in_container;     /* hark itself */
	bool has_prefixes; /* some NAME-.d, NAME-.wants ... is there, which is for all whose names begin so */
	bool has_types;      /* ... or service.d and its like, which is for all of a type */
	bool has_strays;     /* some link leads to a name that no directory has */
	uint32_t renewals_n; /* load_renew() since the last scan */
	bool keeps_texts; /* what a scan reads serves the loads that follow, until load_forget_texts() */
	struct unit_cache cache; /* until load_forget_texts(); empty when there is none */
	int *dir_fds; /* of dirs, -1: none; until load_forget_texts(), owned. NULL: they are not kept open */
	struct map names;             /* struct load_entry */
	struct arena arena;           /* of the index */
	struct load_present *present; /* of the last scan */
	struct arena present_arena;   /* of them and their texts */
	struct load_template template;
	struct share parts; /* of the configurations it has made */
};

/* One file of NAME.d, or one link of NAME.wants and its like. */
struct load_part {
	struct load_part *next;
	const char *name;  /* "10-limits.conf"; of links "a.service", the name of an entry */
	const char *owner; /* NAME */
	const char *
		file; /* links that [Install] of a file in a units directory makes: that file; else NULL */
	uint16_t dir; /* index in load.dirs */
	uint8_t type; /* links: enum dep_type */
	bool is_dropin, is_masked;
	bool is_lax; /* everybody may write the directory it lies in */
};

/* What links between unit files make of a name; few have any. */
struct load_tie {
	const char *alias_of; /* the file is a link to that name */
	bool is_broken;       /* ... which leads to no unit whose name this could be */
	const char *target;   /* path behind a link with an absolute target, as written */
	struct load_entry *aliases, *alias_next;
};

/* Of each name, also of those that only links mention: kept small. */
struct load_entry {
	struct map_node node;
	const struct load_tie *tie;   /* never NULL */
	struct load_present *present; /* NULL: none, or forgotten */
	struct load_part *parts;      /* drop-ins and links */
	uint16_t dir;                 /* of the most important file */
	bool has_file, is_masked;
	bool is_of_template; /* a link of an instance to its template: not a file of its own */
	bool does_install;   /* its presence makes links */
	char name[];
};

/* Parts in the order in which they take effect. */
struct load_parts {
	const struct load_part **parts;
	uint32_t n, cap;
};

/* The search path when nothing else is said: /etc/units, /run/units, /etc/systemd/system ... /usr/lib/hark/units. */
extern const char load_default_dirs[];
/* dirs: "A:B:C" or NULL for the default. 0 or -ENOMEM. */
MUST_USE int load_init(struct load *l, const char *dirs, const char *root);
void load_fini(struct load *l);
/* One more directory, the least important. Before the index is read. Its place in dirs, or -ENOMEM. */
MUST_USE int load_add_dir(struct load *l, const char *path);
/* There is a file of that name now, in directory `dir` of l->dirs; and no longer. 0 or -ENOMEM. */
MUST_USE int load_add_file(struct load *l, const char *name, unsigned dir);
void load_forget_file(struct load *l, const char *name, unsigned dir);
/* Canonical name when `name` is an alias (symlink), itself when a file of that name (or its template) is known, NULL when nothing is, or a link to no unit. */
const char *load_canonical(struct load *l, const char *name);
/* Every name with a file, in no order: for listing. Returns false at the end; *at starts at NULL. */
bool load_next_name(const struct load *l, const void **at, const char **ret_name);

/* What was kept of the last scan goes, and later scans keep nothing. */
void load_forget_texts(struct load *l);

/* May everybody write that directory of the search path? */
bool index_is_lax(const struct load *l, unsigned dir);
/* Forget names and arena. */
void index_drop(struct load *l);
/* Is presence in that directory of the search path enablement? */
bool index_is_presence(const char *dir);
/* Resolve aliases, once everything is added. 0 or -ENOMEM. */
MUST_USE int index_finish(struct load *l);
/* load_canonical() */
const char *index_canonical(struct load *l, const char *name);
struct load_entry *index_find(const struct load *l, struct str name);
/* The entry of a name, made when it is new. NULL: -ENOMEM. */
struct load_entry *index_get(struct load *l, struct str name);
/* What links make of the name, to be written to. NULL: -ENOMEM. */
struct load_tie *index_tie(struct load *l, struct load_entry *e);
/* name is one more name of the unit `of`, unless there is a file of that name. 0 or -ENOMEM. */
MUST_USE int index_add_alias(struct load *l, const char *name, const char *of);
/* One more part of an entry, which is its owner; its name is kept by the index. 0 or -ENOMEM. */
MUST_USE int index_add_part(struct load *l, struct load_entry *e, struct load_part part);
/* Parts of the entry that come from [Install] of `file`, or (NULL) from directories beside the unit, are forgotten. Were there any? */
bool index_drop_parts(struct load_entry *e, const char *file);
/* As if NAME.wants had a link to `member`. file: where that comes from. 0 or -ENOMEM. */
MUST_USE int index_add_link(struct load *l, const char *owner, enum dep_type type,
			    const char *member, const char *file, uint16_t dir);
/*
 * Drop-ins (links: members of .wants and its like) of a canonical name: of itself, its aliases, its template, its prefixes and its
 * type. Of files with the same name the most important counts. Masks among drop-ins are given too: they are to be shown, not read. Memory is scratch's. 0 or -ENOMEM.
 */
MUST_USE int index_parts(const struct load *l, const char *name, bool links, struct arena *scratch,
			 struct load_parts *ret_parts);
/* Path of an entry's file, and of a part of NAME.d; in arena. NULL: -ENOMEM. */
const char *index_path(const struct load *l, const struct load_entry *e, struct arena *arena);
const char *index_part_path(const struct load *l, const struct load_part *p, struct arena *arena);
