/* SPDX-License-Identifier: MIT */
/*
 * dump_line - the inside of dump: what the makers of lines get, and the makers that dump.def names.
 *
 * A maker adds the lines that follow from more than one directive, or whose spelling is not that of the directive.
 */
#pragma once

#include "units/closure.h"

struct dumping {
	struct closure *closure;
	const struct closure_unit *unit;
	const struct unit_config *config;
	struct sbuf *out;
	int err; /* 0 or -ENOMEM */
};

/* "\tKEY: text". */
void dump_line(struct dumping *d, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The head of a line of several pieces, which the caller adds to d->out with a newline at the end. */
void dump_key(struct dumping *d, const char *key);

#define SHOW(directive)
#define AS(directive, key, unless)
#define EACH(directive, key)
#define JOIN(directive)
#define FIXED(key, text)
#define MADE(function) void dump_##function(struct dumping *d);
#define BEGIN(group)
#define END(group)
#include "units/dump.def"
