/* SPDX-License-Identifier: MIT */
/*
 * mounts_inside - what the files of mounts share: what is known of the table, and how a line of it is about a unit.
 */
#pragma once

#include "activate/mounts.h"
#include "activate/proc_table.h"
#include "activate/utab.h"
#include "core/loop.h"
#include "core/mountinfo.h"

#define MOUNT_TABLE "/proc/self/mountinfo"

/* A mount that the kernel told of, and the unit of its place; UNIT_NONE: an automount point. */
struct seen {
	struct map_node node;
	uint64_t id;
	uint32_t unit;
};

/* Either the kernel tells of each mount (events_fd), or the table is looked at when it has changed. */
struct mounts {
	struct proc_table table;
	struct utab utab;
	struct hark *hark;
	/* In hand: the unit of it is loaded, and the table need not be searched for it. */
	const struct mount_line *line;
	const char *line_name;
	struct str whole; /* the table while it is looked at as a whole */
	struct watch events;
	struct timer pause;
	uint64_t pause_us;
	int events_fd; /* -1: the kernel cannot, or only the machine's own manager needs it */
	struct map seen;
	bool is_point_gone; /* some automount point is no longer there */
	uint64_t parent_id; /* of the mount that was looked for last, by its id */
	char parent[UNIT_NAME_MAX + 1];
};

/* The unit's name for a place; false: it has none, being too long or of a file system that belongs to the system itself. */
bool mounts_name_of(const struct mount_line *line, char out[UNIT_NAME_MAX + 1]);
/* Not an automount point: it only waits for the mount of that place. */
bool mounts_is_mount(const struct mount_line *line);
/* The line of that id in the text of a table. */
bool mounts_find_id(struct str table, uint64_t id, struct mount_line *ret);
/* The mount that is seen at the place of that name, if any; *text is where its pieces lie, owned by the caller. */
bool mounts_find_line(const char *name, char **text, struct mount_line *ret);
