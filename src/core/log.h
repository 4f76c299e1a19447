/* SPDX-License-Identifier: MIT */
/*
 * log - one line per event, to stderr or (when told so) /dev/kmsg; and the ring of error origins.
 *
 * Log once, at the place that decides what to do about it. Base and kernel modules never log. Lines carry
 * "hark[NAME]:" as set by log_init(). Nothing here allocates or blocks: a full kmsg or a closed stderr loses the line.
 * HARK_DEBUG=module,module (or "all") turns on log_debug() for the named modules.
 */
#pragma once

#include "core/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_NOTE, LOG_INFO, LOG_TRACE, LOG_LEVELS };

/* name: borrowed for ever. kmsg_fd: a descriptor of /dev/kmsg that lines go to, and to stderr only what it refuses; or -1. */
void log_init(const char *name, enum log_level max, int kmsg_fd);
/* The most that is logged from now on; HARK_DEBUG asks for more. */
void log_limit(enum log_level max);
/* Text of others without control characters: they stand as \xNN. Bytes written, at most cap; no NUL. */
size_t log_escape(char *out, size_t cap, struct str text);
/* Lines are offered to it first, without control characters; those that it takes (true) go nowhere else, but errors to stderr. It must not log. */
typedef bool (*log_taker_fn)(enum log_level level, const char *text);
void log_offer(log_taker_fn taker);
/* To stderr, if it takes it at once. */
void log_stderr(const char *p, size_t n);
/* What somebody asks for instead: lines of this level and above are told from now on; LOG_TRACE: those of every module, too (as HARK_DEBUG=all). */
void log_set_level(enum log_level max);
enum log_level log_get_level(void);
void log_at(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool log_debug_on(const char *module);
#define log_debug(module, ...)                                      \
	do {                                                        \
		if (log_debug_on(module))                           \
			log_at(LOG_TRACE, module ": " __VA_ARGS__); \
	} while (0)

struct err_origin {
	const char *file;
	int line, err; /* err 0: a CHECK() that failed */
	uint64_t seq;  /* 0: empty */
};
/* The ring of the last origins, newest first; returns how many were copied into out (at most max). */
unsigned err_trace(struct err_origin *out, unsigned max);
/* How many CHECK()s have failed in this process. */
unsigned check_failures(void);
