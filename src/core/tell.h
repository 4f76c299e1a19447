/* SPDX-License-Identifier: MIT */
/*
 * tell - variables by which one process of a service learns how its run came about and how it ends (systemd.exec(5)): SERVICE_RESULT,
 * EXIT_CODE, EXIT_STATUS, MONITOR_... and TRIGGER_.... They follow from the state and the ledger, so they are the same after a takeover.
 */
#pragma once

#include <limits.h>

#include "core/hark.h"
#include "units/service.h"

enum { TELL_MOST = 12, TELL_ROOM = PATH_MAX + 4096 };

struct tell {
	char text[TELL_ROOM];
	size_t used;
	const char *at[TELL_MOST + 1]; /* "NAME=value", NULL-terminated */
	unsigned n;
};

/* What the next process of s is to be told, in place of what is in e. */
void tell_service(struct hark *h, const struct service *s, struct tell *e);
