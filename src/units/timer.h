/* SPDX-License-Identifier: MIT */
/*
 * timer - the timer type: the times that it elapses at, the unit that it starts then, what follows from them, its machine. Pure:
 * clocks are read and armed by activate/time.
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

/* --- running --- */

enum timer_state {
	TIMER_DEAD,
	TIMER_WAITING, /* for the next time */
	TIMER_RUNNING, /* the unit was started, its end is waited for */
	TIMER_ELAPSED, /* no time is left */
	TIMER_FAILED,
	TIMER_STATES
};

struct timer_unit {
	struct unit unit;
	struct timer due;
	struct hark *hark; /* that armed it */
	uint64_t
		active_wall_us; /* when it was started, as the clock was set then; 0: before this manager */
	uint64_t last_us, last_wall_us; /* when it elapsed last, on both clocks; 0: never */
	bool is_over_start_limit;
};
extern const struct fsm timer_fsm;
extern const struct unit_type_ops timer_ops;

static inline struct timer_unit *timer_of(struct unit *u)
{
	return u->type == UNIT_TIMER ? container_of(u, struct timer_unit, unit) : NULL;
}

/* What the next time depends on. Times are of CLOCK_MONOTONIC, but for *_wall_us; 0: never. */
struct timer_facts {
	uint64_t now_us, now_wall_us; /* the same instant */
	uint64_t active_us;           /* the timer was started */
	uint64_t active_wall_us; /* as the clock was set then; 0: not known, as it is set now */
	uint64_t startup_us;     /* the manager began */
	uint64_t last_us, last_wall_us;      /* it elapsed last */
	uint64_t unit_start_us, unit_end_us; /* its unit left its rest, and came to it */
	uint64_t delay_us;                   /* random: is added */
	/* The zone of a calendar, NULL: UTC. name NULL: the local one. */
	const struct zone *(*zone)(void *arg, const char *name);
	void *zone_arg;
};
/* When it elapses next, of CLOCK_MONOTONIC; perhaps in the past. TIME_NEVER: not without a change of its unit. */
uint64_t timer_next_us(const struct timer_config *t, const struct timer_facts *f);
