/* SPDX-License-Identifier: MIT */
/* Lines of timers, paths, mounts, automounts, swaps and slices. */
#include "units/dump_line.h"
#include "units/mount.h"
#include "units/path.h"
#include "units/timer.h"
#include "units/value.h"

/* Of types that have no directives of their own. */
void dump_state(struct dumping *d)
{
	int type = unit_type_of(d->unit->name);

	if (type == UNIT_TARGET)
		dump_line(d, "Target State", "dead");
	else if (type == UNIT_SLICE)
		dump_line(d, "Slice State", "dead");
}

/* --- mounts --- */

static void dump_or_na(struct dumping *d, const char *key, const char *text)
{
	dump_line(d, key, "%s", text ? text : "n/a");
}

void dump_mount_source(struct dumping *d)
{
	const struct mount_config *m = d->config->own->mount;

	dump_or_na(d, "What", m->what);
	dump_or_na(d, "File System Type", m->type);
	dump_or_na(d, "Options", m->options);
}

void dump_mount_extrinsic(struct dumping *d)
{
	dump_line(d, "Extrinsic", "%s",
		  mount_is_extrinsic(d->config->own->mount->where) ? "yes" : "no");
}

void dump_automount_options(struct dumping *d)
{
	const char *options = d->config->own->automount->extra_options;

	dump_line(d, "ExtraOptions", "%s", options ? options : "(null)");
}

void dump_swap_source(struct dumping *d)
{
	const struct swap_config *s = d->config->own->swap;

	dump_line(d, "Priority", "%d", s->priority);
	dump_line(d, "Options", "%s", s->options ? s->options : "");
}

/* --- timers and paths: what was written last comes first --- */

static void dump_triggered(struct dumping *d, const char *name)
{
	dump_line(d, "Unit", "%s", name);
}

void dump_timer_unit(struct dumping *d)
{
	char name[UNIT_NAME_MAX + 1];

	timer_unit_name(d->config, name, sizeof(name));
	dump_triggered(d, name);
}

void dump_path_unit(struct dumping *d)
{
	char name[UNIT_NAME_MAX + 1];

	path_unit_name(d->config, name, sizeof(name));
	dump_triggered(d, name);
}

static void dump_event(struct dumping *d, const struct timer_event *e)
{
	struct sbuf text = {0};
	char span[128];

	if (e->base == TIMER_CALENDAR)
		calendar_format(&e->calendar, &text);
	else
		sbuf_add(&text,
			 (struct str){span, value_format_span(e->span_us, span, sizeof(span))});
	if (text.err)
		d->err = text.err;
	else
		dump_line(d, timer_base_names[e->base], "%s", text.p ? text.p : "");
	sbuf_fini(&text);
}

void dump_timer_events(struct dumping *d)
{
	const struct timer_event *end = NULL;

	while (d->config->own->timer->events != end) {
		const struct timer_event *e = d->config->own->timer->events;

		while (e->next != end)
			e = e->next;
		dump_event(d, e);
		end = e;
	}
}

void dump_path_watches(struct dumping *d)
{
	const struct path_watch *end = NULL;

	while (d->config->own->path->watches != end) {
		const struct path_watch *w = d->config->own->path->watches;

		while (w->next != end)
			w = w->next;
		dump_line(d, path_kind_names[w->kind], "%s", w->path);
		end = w;
	}
}
