/* SPDX-License-Identifier: MIT */
/*
 * directive - the table of all directives (directives.def), and the one place where a line of a unit file takes effect.
 *
 * directive_apply() finds the row of an assignment, has its reader read the value, and says what is to be said: unknown
 * names with what was meant, values that cannot be used with what happens now, old names, settings that are accepted
 * without effect. Security-relevant rows are strict: their errors refuse the unit. Pure.
 */
#pragma once

#include "units/parse.h"

/* SECTION(NAME, "Name", the type whose files have it, or -1 for all, groups of rows) */
#define SECTIONS_LIST(SECTION)                                                                    \
	SECTION(UNIT, "Unit", -1, IN(UNIT) | IN(CONDITION))                                       \
	SECTION(INSTALL, "Install", -1, IN(INSTALL))                                              \
	SECTION(SERVICE, "Service", UNIT_SERVICE, IN(SERVICE) | IN(EXEC) | IN(CGROUP) | IN(KILL)) \
	SECTION(SOCKET, "Socket", UNIT_SOCKET, IN(SOCKET) | IN(EXEC) | IN(CGROUP) | IN(KILL))     \
	SECTION(MOUNT, "Mount", UNIT_MOUNT, IN(MOUNT) | IN(EXEC) | IN(CGROUP) | IN(KILL))         \
	SECTION(AUTOMOUNT, "Automount", UNIT_AUTOMOUNT, IN(AUTOMOUNT))                            \
	SECTION(SWAP, "Swap", UNIT_SWAP, IN(SWAP) | IN(EXEC) | IN(CGROUP) | IN(KILL))             \
	SECTION(TIMER, "Timer", UNIT_TIMER, IN(TIMER))                                            \
	SECTION(PATH, "Path", UNIT_PATH, IN(PATH))                                                \
	SECTION(SLICE, "Slice", UNIT_SLICE, IN(CGROUP))                                           \
	SECTION(SCOPE, "Scope", UNIT_SCOPE, IN(SCOPE) | IN(CGROUP) | IN(KILL))                    \
	SECTION(TARGET, "Target", UNIT_TARGET, 0)                                                 \
	SECTION(DEVICE, "Device", UNIT_DEVICE, 0)
enum section {
#define SECTION(name, text, type, groups) SECTION_##name,
	SECTIONS_LIST(SECTION)
#undef SECTION
		SECTIONS
};

enum directive_group {
	GROUP_UNIT,
	GROUP_CONDITION,
	GROUP_INSTALL,
	GROUP_SERVICE,
	GROUP_SOCKET,
	GROUP_MOUNT,
	GROUP_AUTOMOUNT,
	GROUP_SWAP,
	GROUP_TIMER,
	GROUP_PATH,
	GROUP_SCOPE,
	GROUP_EXEC,
	GROUP_CGROUP,
	GROUP_KILL,
	GROUPS
};

enum directive_verdict { ENFORCED, INERT, REFUSED, LEGACY };
enum directive_base {
	BASE_NONE,
	BASE_CONFIG,
	BASE_UNIT,
	BASE_EXEC,
	BASE_SERVICE,
	BASE_SOCKET,
	BASE_CGROUP,
	BASE_SANDBOX,
	BASE_TIMER,
	BASE_PATH,
	BASE_SCOPE,
	BASE_MOUNT,
	BASE_AUTOMOUNT,
	BASE_SWAP,
	DIRECTIVE_BASES
};

struct directive {
	const char *name;      /* conditions: without Condition or Assert */
	uint8_t parser;        /* enum parser_kind */
	uint8_t base;          /* enum directive_base: the struct that holds the target */
	uint8_t verdict;       /* enum directive_verdict */
	bool is_strict;        /* an invalid value refuses the unit */
	uint16_t offset, size; /* of the target, bytes */
	int num;
	const struct word_set *words;
	const char *why;  /* INERT, REFUSED: the reason; LEGACY: the newer name */
	const char *note; /* INERT: the whole sentence for the unit's status */
	const char *example;
};

/* Rows of a group. */
struct directive_rows {
	const struct directive *rows;
	unsigned n;
};
extern const struct directive_rows directive_groups[GROUPS];

/* By name ("Unit"), or -1. */
int section_find(struct str name);
const char *section_name(enum section section);
/* Groups of rows that a section has, as bits. */
unsigned section_groups(enum section section);
/* May files of that type have the section? */
bool section_fits(enum section section, enum unit_type type);
/* The row of a name in a group, or NULL. */
const struct directive *directive_in_group(enum directive_group group, struct str name);
/* The row of a name in a section ("ConditionPathExists" in [Unit]), or NULL. */
const struct directive *directive_find(enum section section, struct str name);
/* Where c holds what the row sets; NULL when it is held nowhere, or c is of a type without it. */
const void *directive_member(const struct directive *d, const struct unit_config *c);

/*
 * What a LEGACY row is called today: its row, and *section where that belongs. NULL: there is no single directive of the same meaning.
 * Rows say it as "Name", or "Name= in [Unit]".
 */
const struct directive *directive_renamed(const struct directive *d, enum section *section);

/*
 * Everything about one assignment of section `a->item->section` to a->config: a is filled but for target, num, words. What is wrong
 * becomes a finding. Returns 0 or -ENOMEM.
 */
MUST_USE int directive_apply(struct assignment *a, enum section section);
/* A finding about a section that the unit cannot have: what it may have been. */
void directive_report_section(struct assignment *a, struct str name);
/* A finding about an assignment's name: what it may have been, and where it belongs. */
void directive_report_unknown(struct assignment *a, enum section section);
