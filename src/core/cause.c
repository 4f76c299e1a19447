/* SPDX-License-Identifier: MIT */
#include "core/cause.h"

#include <assert.h>

const char *const cause_words[CAUSE_KINDS] = {
#define CAUSE(name, words) [CAUSE_##name] = (words),
	CAUSES(CAUSE)
#undef CAUSE
};

const char *const cause_names[] = {
	[CAUSE_NONE] = "none",
	[CAUSE_BOOT] = "boot",
	[CAUSE_USER] = "user",
	[CAUSE_REQUIRED] = "required",
	[CAUSE_WANTED] = "wanted",
	[CAUSE_UPHELD] = "upheld",
	[CAUSE_CONNECTION] = "connection",
	[CAUSE_TRAFFIC] = "traffic",
	[CAUSE_TRIGGER] = "trigger",
	[CAUSE_RESTART] = "restart",
	[CAUSE_ON_FAILURE] = "on-failure",
	[CAUSE_ON_SUCCESS] = "on-success",
	[CAUSE_CONFLICT] = "conflict",
	[CAUSE_DEPENDENCY_STOPPED] = "dependency-stopped",
	[CAUSE_DEPENDENCY_DIED] = "dependency-died",
	[CAUSE_PART_OF] = "part-of",
	[CAUSE_ISOLATE] = "isolate",
	[CAUSE_UNNEEDED] = "unneeded",
	[CAUSE_SHUTDOWN] = "shutdown",
	[CAUSE_PROCESS] = "process",
	[CAUSE_TIMEOUT] = "timeout",
	[CAUSE_WATCHDOG] = "watchdog",
	[CAUSE_SIGNAL] = "signal",
	[CAUSE_TAKEOVER] = "takeover",
	[CAUSE_FILE] = "file",
	[CAUSE_BUS_NAME] = "bus-name",
	[CAUSE_DEVICE] = "device",
	[CAUSE_ACCESS] = "access",
	[CAUSE_IDLE] = "idle",
	[CAUSE_NAME] = "name",
};
static_assert(ARRAY_SIZE(cause_names) == CAUSE_KINDS, "every cause has a name");
