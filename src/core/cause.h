/* SPDX-License-Identifier: MIT */
/*
 * cause - why something happened, in a fixed-size record that can live in shared memory.
 *
 * A cause names its kind, the unit (if any) from which it came, the outside party (pid, uid, address text), and the
 * ledger entry it follows from. A chain of entries back to boot, an administrator or a peer answers `harkctl why`.
 */
#pragma once

#include "core/base.h"

/* CAUSE(name, words for people: "because ...") */
#define CAUSES(CAUSE)                                                    \
	CAUSE(NONE, "unknown")                                           \
	CAUSE(BOOT, "it belongs to the boot target")                     \
	CAUSE(USER, "an administrator asked for it")                     \
	CAUSE(REQUIRED, "a unit that needs it was started")              \
	CAUSE(WANTED, "a unit that wants it was started")                \
	CAUSE(UPHELD, "a running unit upholds it")                       \
	CAUSE(CONNECTION, "a peer connected")                            \
	CAUSE(TRAFFIC, "data arrived")                                   \
	CAUSE(TRIGGER, "a trigger fired")                                \
	CAUSE(RESTART, "its Restart= policy")                            \
	CAUSE(ON_FAILURE, "another unit failed (OnFailure=)")            \
	CAUSE(ON_SUCCESS, "another unit ended well (OnSuccess=)")        \
	CAUSE(CONFLICT, "a unit that conflicts with it was started")     \
	CAUSE(DEPENDENCY_STOPPED, "a unit it needs was stopped")         \
	CAUSE(DEPENDENCY_DIED, "a unit it is bound to went away")        \
	CAUSE(PART_OF, "a unit it is part of was stopped or restarted")  \
	CAUSE(ISOLATE, "another unit was isolated")                      \
	CAUSE(UNNEEDED, "nothing needs it any more (StopWhenUnneeded=)") \
	CAUSE(SHUTDOWN, "the system goes down")                          \
	CAUSE(PROCESS, "its own process did it")                         \
	CAUSE(TIMEOUT, "a timeout ran out")                              \
	CAUSE(WATCHDOG, "its watchdog was not served in time")           \
	CAUSE(SIGNAL, "hark-init received a signal")                     \
	CAUSE(TAKEOVER, "it was found running by a new manager")         \
	CAUSE(FILE, "its unit file changed")                             \
	CAUSE(BUS_NAME, "its bus name was called")                       \
	CAUSE(DEVICE, "a device appeared")                               \
	CAUSE(ACCESS, "a process entered its mount point")               \
	CAUSE(IDLE, "nobody used it for TimeoutIdleSec=")                \
	CAUSE(NAME, "a name on the bus got an owner")

enum cause_kind {
#define CAUSE(name, words) CAUSE_##name,
	CAUSES(CAUSE)
#undef CAUSE
		CAUSE_KINDS
};

struct cause {
	uint8_t kind;  /* enum cause_kind */
	uint32_t unit; /* id of the unit it came from, UNIT_NONE */
	uint32_t uid;
	int32_t pid;    /* of the outside party, 0 unknown */
	uint64_t entry; /* ledger sequence it follows from, 0 none */
	char text[48];  /* peer address, command of the peer, signal name ... */
};

/* What a job keeps of its cause; pid and text are in the ledger. */
struct cause_ref {
	uint64_t entry;
	uint32_t unit, uid;
	uint8_t kind;
};
static inline struct cause_ref cause_ref(const struct cause *c)
{
	return (struct cause_ref){c->entry, c->unit, c->uid, c->kind};
}
static inline struct cause cause_again(const struct cause_ref *r)
{
	return (struct cause){.kind = r->kind, .unit = r->unit, .uid = r->uid, .entry = r->entry};
}

extern const char *const cause_words[CAUSE_KINDS];
extern const char *const cause_names[CAUSE_KINDS]; /* "connection", "on-failure" ...: API */
