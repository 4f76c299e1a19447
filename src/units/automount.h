/* SPDX-License-Identifier: MIT */
/*
 * automount - the machine of automount units. The mount point is the kernel's and its requests are answered by activate/autofs; here
 * is what a request means: whoever comes starts the mount unit and waits for it, and hears why when it cannot be had.
 */
#pragma once

#include "core/loop.h"
#include "units/exec_config.h"
#include "units/mount.h"

/* The state table has these numbers: new ones come last. */
enum automount_state {
	AUTO_DEAD,
	AUTO_ARMING,   /* a point is made, which lies nowhere yet */
	AUTO_WAITING,  /* for somebody to come; nothing is mounted */
	AUTO_MOUNTING, /* somebody came, and waits for the mount unit */
	AUTO_RUNNING,  /* mounted */
	AUTO_LEAVING,  /* somebody came while the mount goes: it has to be gone first */
	AUTO_ASKING,   /* hark-mount asks the kernel whether nobody uses it */
	AUTO_EXPIRING, /* nobody does: it is unmounted */
	AUTO_FAILED,
	AUTO_LAYING,     /* hark-mount lays it over its directory */
	AUTO_ABANDONING, /* it is stopped: a process of its that lays or asks has to be gone */
	AUTO_REMOVING,   /* hark-mount takes the point away, and what is mounted over it */
	AUTO_STATES
};

/* Command lists of an automount's configuration, made by automount_prepare(). */
enum automount_commands { ACMD_NONE, ACMD_LAY, ACMD_EXPIRE, ACMD_REMOVE };

/* RESULT(name, word): API */
#define AUTOMOUNT_RESULTS_LIST(RESULT)         \
	RESULT(SUCCESS, "success")             \
	RESULT(RESOURCES, "resources")         \
	RESULT(START_LIMIT, "start-limit-hit") \
	RESULT(UNMOUNTED, "unmounted")
enum automount_result {
#define RESULT(name, word) ARES_##name,
	AUTOMOUNT_RESULTS_LIST(RESULT)
#undef RESULT
		AUTOMOUNT_RESULTS
};
extern const char *const automount_result_names[AUTOMOUNT_RESULTS];

struct automount_unit {
	struct unit unit;
	struct proc_ref
		control; /* hark-mount while it lays, asks or removes, and a little longer */
	const struct registry *reg; /* where its mount unit is found */
	uint8_t result;             /* enum automount_result */
	uint32_t token;             /* of the request for which the mount unit was asked last */
	int32_t err;                /* how that ended: errno for whoever waits, 0: not yet */
	/* After a failure everybody is refused for a while. */
	uint32_t failures; /* in a row */
	uint64_t hold_until_us;
	/* Of activate/autofs. */
	struct watch watch;
	pid_t let_in;        /* the last one, since it was mounted; 0: nobody, or not known */
	uint64_t cut_off_us; /* until when one that cannot be let in is not told of */
	struct hark *hark;
	uint32_t pipe_slot, point_slot; /* of the bank, + 1; 0: none */
	uint32_t mount_slot;            /* until it is known to lie where it should */
	bool was_looked_for;            /* in what an earlier manager left there */
	const char *fail_text;          /* owned sentence: why it could not be armed */
};

extern const struct fsm automount_fsm;
extern const struct unit_type_ops automount_ops;

static inline struct automount_unit *automount_of(struct unit *u)
{
	return u->type == UNIT_AUTOMOUNT ? container_of(u, struct automount_unit, unit) : NULL;
}

/* Has it its mount point? */
static inline bool automount_is_armed(const struct unit *u)
{
	return u->state >= AUTO_WAITING && u->state <= AUTO_EXPIRING;
}

/* Is it on its way out? Whoever comes is refused. */
static inline bool automount_is_going(uint8_t state)
{
	return state == AUTO_ABANDONING || state == AUTO_REMOVING;
}

/* Its mount unit, or NULL. */
struct unit *automount_mount(const struct automount_unit *a);
/* What whoever waits for that mount unit, which rests, is told: a positive errno. */
int automount_errno(const struct registry *reg, const struct unit *mount);
/* Somebody was refused (a->err): the next one is as well, for a time that doubles with each failure in a row. */
void automount_hold(struct automount_unit *a, uint64_t now_us);
/* As a manager before had it. */
void automount_hold_again(struct automount_unit *a, uint32_t failures, uint64_t until_us);
/* The command lines that lay a point, ask for an expiry and take the point away, in its arena: program is hark-mount's path, borrowed. 0 or -ENOMEM. */
MUST_USE int automount_prepare(struct unit_config *c, const char *program);
