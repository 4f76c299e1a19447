/* SPDX-License-Identifier: MIT */
/*
 * path - the path type: the paths that are watched, the unit that is started when one of them changes, and what follows. Pure.
 */
#pragma once

#include "core/unit.h"

/* KIND(name, directive): what is waited for */
#define PATH_KINDS_LIST(KIND)               \
	KIND(EXISTS, "PathExists")          \
	KIND(EXISTS_GLOB, "PathExistsGlob") \
	KIND(CHANGED, "PathChanged")        \
	KIND(MODIFIED, "PathModified")      \
	KIND(NOT_EMPTY, "DirectoryNotEmpty")
enum path_kind {
#define KIND(name, directive) PATH_##name,
	PATH_KINDS_LIST(KIND)
#undef KIND
		PATH_KINDS
};
extern const char *const path_kind_names[PATH_KINDS];

struct path_watch {
	struct path_watch *next;
	const char *path; /* absolute */
	uint8_t kind;     /* enum path_kind */
};

struct path_config {
	struct path_watch *watches; /* as written */
	const char *unit;           /* Unit=, or NULL: the service of the same name */
	bool make_directory;
	uint32_t directory_mode;
	uint64_t trigger_limit_interval_us;
	uint32_t trigger_limit_burst;
};

/* Before any file was read. */
void path_config_defaults(struct path_config *p);
/* Name of the unit that is started, into out. */
void path_unit_name(const struct unit_config *c, char *out, size_t cap);
/* Implicit and default dependencies of systemd.path(5) into c->deps. 0 or -ENOMEM. */
MUST_USE int path_links(struct unit_config *c);
/* Findings that refuse the unit: no path at all. */
void path_verify(struct unit_config *c);
