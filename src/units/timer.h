/* SPDX-License-Identifier: MIT */
/*
 * timer - the timer type: the times that it elapses at, the unit that it starts then, and what follows from them. Pure.
 */
#pragma once

#include "core/unit.h"
#include "units/calendar.h"

/* BASE(name, directive): what a time of a timer is counted from */
#define TIMER_BASES_LIST(BASE)                   \
	BASE(ACTIVE, "OnActiveSec")              \
	BASE(BOOT, "OnBootSec")                  \
	BASE(STARTUP, "OnStartupSec")            \
	BASE(UNIT_ACTIVE, "OnUnitActiveSec")     \
	BASE(UNIT_INACTIVE, "OnUnitInactiveSec") \
	BASE(CALENDAR, "OnCalendar")
enum timer_base {
#define BASE(name, directive) TIMER_##name,
	TIMER_BASES_LIST(BASE)
#undef BASE
		TIMER_BASES
};
extern const char *const timer_base_names[TIMER_BASES];

struct timer_event {
	struct timer_event *next;
	uint8_t base;             /* enum timer_base */
	uint64_t span_us;         /* behind the base; TIME_NEVER: does not happen */
	struct calendar calendar; /* TIMER_CALENDAR */
};

struct timer_config {
	struct timer_event *events; /* as written */
	const char *unit;           /* Unit=, or NULL: the service of the same name */
	uint64_t accuracy_us, randomized_delay_us;
	bool persistent, wake_system, remain_after_elapse, fixed_random_delay, on_clock_change,
		on_timezone_change;
};

/* Where the times of the last runs of timers with Persistent=yes are kept, as files: those of systemd, so that none is run again. */
extern const char timer_stamps_dir[];

/* Before any file was read. */
void timer_config_defaults(struct timer_config *t);
/* Name of the unit that is started, into out. */
void timer_unit_name(const struct unit_config *c, char *out, size_t cap);
/* Implicit and default dependencies of systemd.timer(5) into c->deps. 0 or -ENOMEM. */
MUST_USE int timer_links(struct unit_config *c);
/* Findings that refuse the unit: no time at all. */
void timer_verify(struct unit_config *c);
