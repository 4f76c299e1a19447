/* SPDX-License-Identifier: MIT */
/*
 * journal - lines for journald, each with the unit it belongs to, so that `journalctl -u` and `systemctl status` find it: what services say,
 * what becomes of units, and what harkd has to say of one.
 *
 * They go to journald's own socket as words of PID 1, which journald believes of a unit whether or not its process still lives. Nothing here
 * blocks: what journald does not take now has to go elsewhere. Only of the machine's or a container's manager.
 */
#pragma once

#include "core/hark.h"
#include "core/log.h"

struct journal_line {
	struct str text;        /* without a newline */
	int priority;           /* 0 to 7, syslog(3) */
	const char *identifier; /* what the line says it is from; NULL: hark */
	pid_t pid;              /* whose it is; 0: harkd's */
};

/* False: nobody takes it now. */
bool journal_put(struct hark *h, const struct unit *u, const struct journal_line *line);
/* A line that a process of the unit has said, "<3>text" with a priority of its own. False: nobody takes it now. */
bool journal_said(struct hark *h, struct unit *u, struct str line);
/* Where lines of the log go (LogTarget=). */
enum log_target {
	LOG_TO_AUTO, /* journald those of a unit, the kernel's log the others and what journald does not take, else stderr */
	LOG_TO_JOURNAL, /* the same */
	LOG_TO_JOURNAL_OR_KMSG,
	LOG_TO_KMSG,
	LOG_TO_CONSOLE, /* stderr */
	LOG_TO_NULL,    /* errors to stderr, as always */
	LOG_TARGETS
};
extern const char *const log_target_names[LOG_TARGETS];
/* A line of the log goes where h->log_target says. False: to the kernel's log. */
bool journal_take(struct hark *h, enum log_level level, const char *text);
/* The unit has left old_state: a word about it when it has come up, ended or failed. */
void journal_changed(struct hark *h, const struct unit *u, uint8_t old_state);
