/* SPDX-License-Identifier: MIT */
#include "core/tell.h"

#include <signal.h>
#include <stdio.h>

#include "activate/paths.h"
#include "units/service.h"
#include "units/timer.h"
#include "units/value.h"

static PRINTF_LIKE(2, 3) void add(struct tell *e, const char *fmt, ...)
{
	va_list ap;
	size_t room = TELL_ROOM - e->used;
	int n;

	if (!CHECK(e->n < TELL_MOST))
		return;
	va_start(ap, fmt);
	n = vsnprintf(e->text + e->used, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		return;
	e->at[e->n] = e->text + e->used;
	e->at[++e->n] = NULL;
	e->used += (size_t)n + 1;
}

/* How the main process of s ended (systemd.exec(5)). */
static void add_exit(struct tell *e, const char *prefix, const struct service *s)
{
	static const char *const codes[] = {
		[CLD_EXITED] = "exited", [CLD_KILLED] = "killed", [CLD_DUMPED] = "dumped"};
	const char *name = value_signal_name(s->main.status);

	if (s->main.code < CLD_EXITED || s->main.code > CLD_DUMPED)
		return;
	add(e, "%sEXIT_CODE=%s", prefix, codes[s->main.code]);
	if (s->main.code == CLD_EXITED)
		add(e, "%sEXIT_STATUS=%d", prefix, s->main.status);
	else
		add(e, "%sEXIT_STATUS=%s", prefix,
		    name + (str_has_prefix(str_of(name), STR("SIG")) ? 3 : 0));
}

/* The one service that names u in OnFailure= or OnSuccess= and ended so; NULL when there is none, or are several. */
static const struct service *monitored_by(const struct hark *h, const struct unit *u)
{
	static const struct {
		enum dep_type dep;
		enum coarse end;
	} kinds[] = {{DEP_ON_FAILURE_OF, FAILED}, {DEP_ON_SUCCESS_OF, INACTIVE}};
	const struct service *found = NULL;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		graph_for_each(e, u, kinds[k].dep)
		{
			struct unit *v = registry_unit(&h->reg, e->to);

			if (!v || !service_of(v) || unit_coarse(v) != kinds[k].end ||
			    !service_of(v)->main.code)
				continue;
			if (found)
				return NULL;
			found = service_of(v);
		}
	}
	return found;
}

/* ExecStop= and ExecStopPost= about the run that ends; who is started by another's end about that. */
static void tell_results(const struct hark *h, const struct service *s, struct tell *e)
{
	uint8_t state = s->unit.state;
	const struct service *other = monitored_by(h, &s->unit);
	char run[UNIT_RUN_TEXT];

	if (state == SVC_STOP || state == SVC_STOP_POST)
		add(e, "SERVICE_RESULT=%s", service_result_names[s->result]);
	if (state == SVC_STOP_POST)
		add_exit(e, "", s);
	if (!other)
		return;
	add(e, "MONITOR_UNIT=%s", other->unit.name);
	add(e, "MONITOR_SERVICE_RESULT=%s", service_result_names[other->result]);
	unit_run_text(&other->unit, run);
	add(e, "MONITOR_INVOCATION_ID=%s", run);
	add_exit(e, "MONITOR_", other);
}

/* --- who triggered it --- */

/* The entry by which a trigger began the present activation, or NULL. */
static const struct ledger_entry *trigger_of(const struct hark *h, const struct unit *u)
{
	const struct ledger_entry *e = ledger_get(&h->state.image->ledger, u->why_entry);

	return e && e->cause == CAUSE_TRIGGER ? e : NULL;
}

/* What the trigger says of itself: the entry is its own, or that of the job that followed. */
static const char *trigger_text(const struct hark *h, const struct ledger_entry *e)
{
	const struct ledger *l = &h->state.image->ledger;
	const struct ledger_entry *own = e->kind == LEDGER_TRIGGER ? e : ledger_get(l, e->parent);

	return own ? ledger_text(l, own) : "";
}

static void tell_trigger(struct hark *h, const struct unit *u, struct tell *e)
{
	const struct ledger_entry *by = trigger_of(h, u);
	const char *name = by && by->from ? state_name(&h->state, by->from) : NULL;
	struct unit *trigger = name ? registry_find(&h->reg, name) : NULL;
	const struct timer_unit *timer = trigger ? timer_of(trigger) : NULL;
	struct arena arena = {0};
	const char *path;

	if (!trigger)
		return;
	add(e, "TRIGGER_UNIT=%s", name);
	if (timer && timer->last_us) {
		add(e, "TRIGGER_TIMER_REALTIME_USEC=%llu", (unsigned long long)timer->last_wall_us);
		add(e, "TRIGGER_TIMER_MONOTONIC_USEC=%llu", (unsigned long long)timer->last_us);
	}
	/* What ends allocates nothing. */
	path = paths_cited(trigger, trigger_text(h, by),
			   unit_coarse(u) == DEACTIVATING ? NULL : &arena);
	if (path)
		add(e, "TRIGGER_PATH=%s", path);
	arena_fini(&arena);
}

void tell_service(struct hark *h, const struct service *s, struct tell *e)
{
	e->n = 0;
	e->used = 0;
	e->at[0] = NULL;
	tell_results(h, s, e);
	tell_trigger(h, &s->unit, e);
}
