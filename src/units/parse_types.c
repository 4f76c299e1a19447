/* SPDX-License-Identifier: MIT */
/* Readers of values that only timers, paths and swaps have. */
#include "units/mount.h"
#include "units/name.h"
#include "units/parse.h"
#include "units/path.h"
#include "units/timer.h"
#include "units/value.h"

/* One more time of the timer; an empty line forgets all of them, also those of other kinds. NULL without memory. */
static struct timer_event *add_event(struct assignment *a, enum timer_base base)
{
	struct timer_event *e = parse_append(a, a->target, sizeof(*e));

	if (e)
		e->base = (uint8_t)base;
	return e;
}

/* num: the enum timer_base. */
int parse_timer_span(struct assignment *a)
{
	struct timer_event *e;
	uint64_t span_us;
	int r;

	if (a->value.n == 0) {
		parse_reset(a, a->target);
		return 0;
	}
	r = value_span(a->value, US_PER_SEC, &span_us);
	if (r < 0)
		return r;
	e = add_event(a, (enum timer_base)a->num);
	if (!e)
		return -ENOMEM;
	e->span_us = span_us;
	return 0;
}

int parse_timer_calendar(struct assignment *a)
{
	const char *text = NULL;
	const char *why = NULL;
	struct timer_event *e;
	struct calendar calendar;
	int r;

	if (a->value.n == 0) {
		parse_reset(a, a->target);
		return 0;
	}
	r = parse_expand(a, a->value, 0, &text);
	if (r == 0)
		r = calendar_parse(str_of(text), a->has_zone, a->zone_arg, a->arena, &calendar,
				   &why);
	if (r == -EINVAL && why)
		return parse_wrong(a, 0, a->value.n, why);
	if (r < 0)
		return r;
	e = add_event(a, TIMER_CALENDAR);
	if (!e)
		return -ENOMEM;
	e->calendar = calendar;
	return 0;
}

/* One unit is started, the first that is named. */
int parse_trigger_unit(struct assignment *a)
{
	const char *name = NULL;
	int r = parse_expand(a, a->value, 0, &name);

	if (r < 0)
		return r;
	if (!name_is_valid(name, NAME_PLAIN | NAME_INSTANCE))
		return -EINVAL;
	if (*(const char **)a->target)
		return parse_wrong(a, 0, a->value.n, "another unit is started already");
	*(const char **)a->target = name;
	return 0;
}

/* num: the enum path_kind. An empty line forgets all paths, also those of other kinds. */
int parse_path_watch(struct assignment *a)
{
	const char *path = NULL;
	struct path_watch *w;
	int r;

	if (a->value.n == 0) {
		parse_reset(a, a->target);
		return 0;
	}
	r = parse_expand(a, a->value, 0, &path);
	if (r < 0)
		return r;
	if (!parse_path_clean(path))
		return -EINVAL;
	w = parse_append(a, a->target, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->path = path;
	w->kind = (uint8_t)a->num;
	return 0;
}

int parse_swap_priority(struct assignment *a)
{
	int r = value_int(a->value, -1, 32767, a->target);

	if (r == 0)
		a->config->own->swap->priority_is_set = true;
	return r;
}
