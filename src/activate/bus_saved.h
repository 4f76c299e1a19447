/* SPDX-License-Identifier: MIT */
/*
 * bus_saved - what outlives hark-bus: a file of the run dir, line by line. What is added is one write(2), for somebody waits meanwhile; now and
 * then the file is written anew, without what no longer matters.
 */
#pragma once

#include "core/buf.h"

#define BUS_SAVED "bus"

struct bus_saved {
	const char *run_dir; /* borrowed */
	/* The lines that are so, one behind the other. */
	void (*put_all)(const struct bus_saved *f, struct sbuf *text);
	int fd;            /* to append to; -1: to be written anew */
	size_t appended_n; /* bytes since it was */
};

/* Write it anew. What goes wrong is in the log. */
void bus_saved_renew(struct bus_saved *f);
/* Add a line (with its end) that put_all() puts, too. */
void bus_saved_add(struct bus_saved *f, const char *line);
/* All lines that were written to their end, owned by the caller; NULL: there are none. */
char *bus_saved_read(const struct bus_saved *f, struct str *ret_lines);
void bus_saved_close(struct bus_saved *f);
