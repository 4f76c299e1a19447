/* SPDX-License-Identifier: MIT */
/*
 * mount_unit - the machine of mount and swap units. The work is done by the program hark-mount, one process a change; what is mounted (or
 * used as swap) is what the kernel says (EV_MOUNTED, EV_UNMOUNTED), whoever did it.
 */
#pragma once

#include "units/exec_config.h"
#include "units/mount.h"

enum mount_state {
	MNT_DEAD,
	MNT_MOUNTING,
	MNT_MOUNTED,
	MNT_REMOUNTING,
	MNT_UNMOUNTING,
	MNT_MOUNTING_SIGTERM,
	MNT_MOUNTING_SIGKILL,
	MNT_UNMOUNTING_SIGTERM,
	MNT_UNMOUNTING_SIGKILL,
	MNT_ENDED, /* the process has ended: what is so now? */
	MNT_FAILED,
	MNT_STATES
};

/* Command lists of the configuration, made by mount_prepare(); of a swap: swapon, swapoff, none. */
enum mount_commands { MCMD_NONE, MCMD_MOUNT, MCMD_UNMOUNT, MCMD_REMOUNT };

/* RESULT(name, word): API */
#define MOUNT_RESULTS_LIST(RESULT)             \
	RESULT(SUCCESS, "success")             \
	RESULT(RESOURCES, "resources")         \
	RESULT(TIMEOUT, "timeout")             \
	RESULT(EXIT_CODE, "exit-code")         \
	RESULT(SIGNAL, "signal")               \
	RESULT(CORE_DUMP, "core-dump")         \
	RESULT(START_LIMIT, "start-limit-hit") \
	RESULT(PROTOCOL, "protocol")
enum mount_result {
#define RESULT(name, word) MRES_##name,
	MOUNT_RESULTS_LIST(RESULT)
#undef RESULT
		MOUNT_RESULTS
};

struct mount_unit {
	struct unit unit;
	struct proc_ref control;
	struct output_pipe out; /* of hark-mount; open while it runs */
	const char *fail_text;  /* owned: what hark-mount said last about a failure; or NULL */
	uint8_t result;         /* enum mount_result */
	bool is_mounted;        /* as the kernel said last */
	bool was_seen;          /* scratch of a look at the mount table */
	uint32_t remounts_n;    /* that were done: since then it is as its file said at the time */
	uint32_t mounts_n;      /* that lie over each other there, where the kernel tells of each */
};

extern const struct fsm mount_fsm, swap_fsm;
extern const struct unit_type_ops mount_ops, swap_ops;

static inline struct mount_unit *mount_of(struct unit *u)
{
	bool is_one = u->type == UNIT_MOUNT || u->type == UNIT_SWAP;

	return is_one ? container_of(u, struct mount_unit, unit) : NULL;
}

/* The command lists of a mount or swap, in its arena: program is hark-mount's path, borrowed. 0 or -ENOMEM. */
MUST_USE int mount_prepare(struct unit_config *c, const char *program);

enum { MOUNT_WORDS = 8 };
/* One more command of hark-mount for c, of that list, in its arena; the words, themselves borrowed, end with NULL. NULL: no memory. */
struct command *mount_command(struct unit_config *c, unsigned list, const char *program,
			      const char *const words[MOUNT_WORDS]);
/* "0755" in the arena of c, or NULL. */
const char *mount_mode(struct unit_config *c, uint32_t mode);
