/* SPDX-License-Identifier: MIT */
/* The configuration half of the timer type: defaults, what follows, what a timer must have. */
#include "units/dep.h"
#include "units/name.h"
#include "units/refuse.h"
#include "units/timer.h"

const char *const timer_base_names[TIMER_BASES] = {
#define BASE(name, directive) [TIMER_##name] = directive,
	TIMER_BASES_LIST(BASE)
#undef BASE
};

const char timer_stamps_dir[] = "/var/lib/systemd/timers";

void timer_config_defaults(struct timer_config *t)
{
	*t = (struct timer_config){.accuracy_us = 60 * US_PER_SEC, .remain_after_elapse = true};
}

void timer_unit_name(const struct unit_config *c, char *out, size_t cap)
{
	dep_triggered_name(c->name, c->own->timer->unit, "service", out, cap);
}

static const struct dep default_deps[] = {
	DEP_DEFAULTS(default_deps, 0, DEP_BEFORE, "timers.target"),
	DEP_DEFAULTS(default_deps, 1, DEP_REQUIRES, "sysinit.target"),
	DEP_DEFAULTS(default_deps, 2, DEP_AFTER, "sysinit.target"),
	DEP_DEFAULTS(default_deps, 3, DEP_CONFLICTS, "shutdown.target"),
	DEP_DEFAULTS_END(4, DEP_BEFORE, "shutdown.target"),
};

/* Before the clock is right a calendar says nothing. */
static const struct dep calendar_deps[] = {
	DEP_DEFAULTS(calendar_deps, 0, DEP_AFTER, "time-set.target"),
	{(struct dep *)(uintptr_t)default_deps, "time-sync.target", NULL, 0, DEP_AFTER,
	 DEP_DEFAULT},
};

static bool has_calendar(const struct timer_config *t)
{
	const struct timer_event *e = t->events;

	while (e && e->base != TIMER_CALENDAR)
		e = e->next;
	return e;
}

int timer_links(struct unit_config *c)
{
	struct dep_list l;
	int r;

	dep_list_init(&l, c);
	r = dep_add_trigger(&l, c->own->timer->unit, "service");
	dep_add_defaults(&l, has_calendar(c->own->timer) ? calendar_deps : default_deps);
	return r;
}

void timer_verify(struct unit_config *c)
{
	const struct timer_config *t = c->own->timer;

	if (!t->events && !t->on_clock_change && !t->on_timezone_change)
		refuse_unit(c, CODE_NO_TIME, NULL, 0,
			    "add OnCalendar= or OnBootSec=", "the timer has no time to elapse at");
}
