/* SPDX-License-Identifier: MIT */
/*
 * path - the path type: the paths that are watched, the unit that is started when one of them changes, what follows, its machine.
 * Pure: activate/paths looks at the file system.
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
/* Does it start the unit as long as it holds? The others do when something changes. */
static inline bool path_is_level(uint8_t kind)
{
	return kind == PATH_EXISTS || kind == PATH_EXISTS_GLOB || kind == PATH_NOT_EMPTY;
}

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

/* --- running --- */

enum path_state {
	PATH_DEAD,
	PATH_WAITING, /* for the file system */
	PATH_RUNNING, /* its unit runs, nothing is watched */
	PATH_FAILED,
	PATH_STATES
};

/* RESULT(name, word): API */
#define PATH_RESULTS_LIST(RESULT)                        \
	RESULT(SUCCESS, "success")                       \
	RESULT(RESOURCES, "resources")                   \
	RESULT(START_LIMIT, "start-limit-hit")           \
	RESULT(UNIT_START_LIMIT, "unit-start-limit-hit") \
	RESULT(TRIGGER_LIMIT, "trigger-limit-hit")
enum path_result {
#define RESULT(name, word) PRES_##name,
	PATH_RESULTS_LIST(RESULT)
#undef RESULT
		PATH_RESULTS
};

struct path_spot; /* activate/paths */

struct path_unit {
	struct unit unit;
	struct list node;        /* among those that are watched */
	struct path_spot *spots; /* owned: what is watched for it in the file system */
	uint32_t spots_n;
	const struct path_watch *fired; /* what was just seen; borrowed from the configuration */
	bool want_look;                 /* something on the way to a path changed */
	uint8_t result;                 /* enum path_result */
	const char *fail_text;          /* owned sentence: why it cannot watch */
	uint64_t trigger_begin_us;
	uint32_t trigger_count;
};
extern const struct fsm path_fsm;
extern const struct unit_type_ops path_ops;

static inline struct path_unit *path_of(struct unit *u)
{
	return u->type == UNIT_PATH ? container_of(u, struct path_unit, unit) : NULL;
}
