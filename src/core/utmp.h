/* SPDX-License-Identifier: MIT */
/*
 * utmp - who is logged in where: a record of /run/utmp for a service with UtmpIdentifier=, and a line of /var/log/wtmp for its
 * beginning and end. utmp(5). Where a system has no such files nothing is written.
 */
#pragma once

#include "core/base.h"

#include <sys/types.h>

/* UtmpMode=: as a getty makes it, as login does, and as a session of somebody. */
enum utmp_mode { UTMP_INIT, UTMP_LOGIN, UTMP_USER };

struct utmp_entry {
	const char *id;   /* UtmpIdentifier=; of a longer one its end counts */
	const char *line; /* "tty1" */
	const char *user; /* of UTMP_USER */
	enum utmp_mode mode;
	pid_t pid;
};

/* It begins: the record of its id is made, or becomes its own. Waits a moment for others who write. */
void utmp_begin(const struct utmp_entry *e);
/* It has ended: its record, if it still has one, is that of the dead. Waits for nobody. */
void utmp_end(const char *id, pid_t pid);
