/* SPDX-License-Identifier: MIT */
/*
 * property - what is known about a unit as systemd's properties: one table of rows {name, types, kind, where}. Pure but for the clock.
 *
 * Values keep their type on the wire (stamp, span, number, list); harkctl prints them in systemd's spelling.
 */
#pragma once

#include "core/hark.h"
#include "ctl/reply.h"

/*
 * property_unit() - the fields of one open row.
 *
 * @only: "Name,Name" or NULL for all
 * @with_empty: also properties that have no value
 * @may_read: also what its files say, where not everybody may read them
 */
void property_unit(struct reply *r, struct hark *h, struct unit *u, const char *only,
		   bool with_empty, bool may_read);
void property_manager(struct reply *r, struct hark *h, const char *only);
/* "running", "degraded", "starting", "stopping": the word of is-system-running. */
/* The bits of unit.markers. */
extern const char *const marker_names[2];
/* LogLevel= as it is in force. */
const char *property_log_level(void);
/* LogTarget=, the same. */
const char *property_log_target(const struct hark *h);
/* The wall clock time of a moment of CLOCK_MONOTONIC, 0 stays 0. */
uint64_t property_wall_us(uint64_t mono_us);
/* When PID 1 began (CLOCK_MONOTONIC). */
uint64_t property_began_us(const struct hark *h);
const char *property_system_state(const struct hark *h);
/* Number of known properties, and their names, for tests and completion. */
unsigned property_count(void);
const char *property_name(unsigned at);
