/* SPDX-License-Identifier: MIT */
/*
 * event - what happened, with its cause: the only way anything learned reaches a unit (engine_post()).
 */
#pragma once

#include "core/cause.h"

/* EVENT(name, meaning of a, b) */
#define EVENTS(EVENT)                                                                            \
	EVENT(NONE, "")                                                                          \
	EVENT(START, "job: start")                                                               \
	EVENT(STOP, "job: stop")                                                                 \
	EVENT(RELOAD, "job: reload")                                                             \
	EVENT(RESET, "reset-failed")                                                             \
	EVENT(START_LIMIT, "started too often: the start is refused")                            \
	EVENT(ASK,                                                                               \
	      "engine: request a job; a: type, b: mode, c: unit to tell when it is refused + 1") \
	EVENT(SPAWNED, "the command just asked for runs; a: pid, b: role")                       \
	EVENT(SPAWN_FAILED, "no process came to be; a: errno, b: role, c: plan step")            \
	EVENT(EXECED, "the exec of the command succeeded; b: role")                              \
	EVENT(EXITED, "a: CLD_* code, b: status, c: role")                                       \
	EVENT(READY, "READY=1")                                                                  \
	EVENT(RELOADING, "RELOADING=1")                                                          \
	EVENT(STOPPING, "STOPPING=1")                                                            \
	EVENT(MAIN_PID, "MAINPID=, or the pid file was read; a: pid")                            \
	EVENT(EXTEND, "EXTEND_TIMEOUT_USEC=; a: microseconds")                                   \
	EVENT(EMPTY, "no process is left in the cgroup")                                         \
	EVENT(TIMEOUT, "the timer of the state ran out; a: when that was entered")               \
	EVENT(WATCHDOG, "the watchdog ran out, or WATCHDOG=trigger")                             \
	EVENT(ARMED, "an activator watches now")                                                 \
	EVENT(ARM_FAILED, "a: errno")                                                            \
	EVENT(TRIGGER, "an activator fired; of an automount a: token, b: 1 it wants to unmount") \
	EVENT(TRIGGERED_ALIVE,                                                                   \
	      "the unit this one triggers left its rest; a: 1 it is up (types with hears_up)")   \
	EVENT(TRIGGERED_DEAD, "the unit this one triggers came to rest; a: 1 it failed")         \
	EVENT(NAME_OWNED, "its bus name has an owner")                                           \
	EVENT(MOUNTED, "the kernel shows something mounted there")                               \
	EVENT(UNMOUNTED, "nothing is mounted there any more")                                    \
	EVENT(ABANDON, "whoever made its processes no longer cares for them")                    \
	EVENT(DEVICE, "a device came or went away; a: enum device_found")                        \
	EVENT(NAME_LOST, "its bus name has no owner any more")                                   \
	EVENT(NOTHING, "internal: the state just entered has nothing to do")

enum event_kind {
#define EVENT(name, meaning) EV_##name,
	EVENTS(EVENT)
#undef EVENT
		EVENT_KINDS
};

/* Which of a unit's processes an event speaks of. */
enum proc_role { ROLE_NONE, ROLE_MAIN, ROLE_CONTROL, ROLE_OTHER, PROC_ROLES };

struct event {
	uint8_t kind;  /* enum event_kind */
	uint32_t unit; /* id */
	int64_t a, b, c;
	struct cause cause;
};
extern const char *const event_names[EVENT_KINDS];
