/* SPDX-License-Identifier: MIT */
/*
 * bus_news - signals: how one is made and sent, and those of the manager as a whole.
 */
#pragma once

#include "activate/bus.h"

/* An empty signal and where its values go; NULL: no memory. */
DBusMessage *bus_news_new(const char *path, const char *interface, const char *name,
			  DBusMessageIter *it);
/* Send m, which is given back, to every connection; subscribers_only: to those that asked to be told of units. */
void bus_news_send(struct bus *b, DBusMessage *m, bool subscribers_only);

/* A job that waited has begun. */
void bus_news_job_runs(struct bus *b, uint32_t id);
/* Files or links of units have changed. */
void bus_news_files_changed(struct bus *b);
/* They are being read again, or no longer. What was told already is not told a second time. */
void bus_news_reloading(struct bus *b, bool is_reloading);
/* The boot is over; row: what the manager says of it. */
void bus_news_booted(struct bus *b, const struct row *row);
