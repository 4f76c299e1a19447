/* SPDX-License-Identifier: MIT */
/* The verbs that list: units, triggers, dependencies, the ledger, the ring of errors; and the table of all handlers. */
#include "ctl/serve.h"

#include <limits.h>
#include <stdio.h>

#include "activate/mounts.h"
#include "activate/time.h"
#include "core/log.h"
#include "ctl/property.h"
#include "ctl/why.h"
#include "units/path.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/timer.h"
#include "units/value.h"

/* clang-format off */
#define serve_local NULL
const serve_fn call_handlers[VERBS] = {
#define VERB(name, word, shape, access, handler, screen, help) [VERB_##name] = serve_##handler,
#include "ctl/verbs.def"
};
/* clang-format on */

/* --- list --- */

/* Without a wish of the caller's: what runs, waits for a trigger, failed or has a job. */
static bool is_shown(const struct call *c, const struct unit *u)
{
	if (c->request.options[OPT_ALL] || c->request.options[OPT_STATE])
		return true;
	if (unit_load_state(u) == LOAD_STUB && unit_is_at_rest(u))
		return false;
	return c->request.args_n > 0 || unit_coarse(u) != INACTIVE || u->work->job.id ||
	       call_is_waiting_unit(c->h, u);
}

/* What a list can do without, and what takes longest to find out. */
static void tell_life(struct call *c, struct unit *u)
{
	const struct service *s = service_of(u);
	struct why_link link;

	reply_value(&c->reply, TAG_BOOL, "waiting", call_is_waiting_unit(c->h, u));
	reply_value(&c->reply, TAG_STAMP, "since", call_wall_us(u->state_us));
	if (s && proc_pid(&s->main) > 0 && !unit_is_at_rest(u))
		reply_value(&c->reply, TAG_NUMBER, "pid", (uint64_t)proc_pid(&s->main));
	if (s)
		reply_value(&c->reply, TAG_NUMBER, "restarts", s->n_restarts);
	if (!unit_is_at_rest(u) && why_chain(&c->h->state, u->why_entry, &link, 1))
		reply_text_z(&c->reply, "started_by", cause_names[link.entry->cause]);
}

int serve_list(struct call *c)
{
	struct unit *u = call_next_unit(c, &c->at);

	if (!u)
		return CALL_DONE;
	if (!is_shown(c, u))
		return CALL_MORE;
	reply_row(&c->reply, "unit");
	reply_text_z(&c->reply, "unit", u->name);
	reply_text_z(&c->reply, "load", call_load_word(c, u));
	reply_text_z(&c->reply, "active", coarse_names[unit_coarse(u)]);
	reply_text_z(&c->reply, "sub", unit_substate(u));
	if (!c->request.options[OPT_BRIEF])
		tell_life(c, u);
	if (u->work->job.id) {
		reply_text_z(&c->reply, "job", job_type_names[u->work->job.type]);
		reply_value(&c->reply, TAG_NUMBER, "job_id", u->work->job.id);
	}
	reply_text_z(&c->reply, "description", unit_description(u));
	reply_row_end(&c->reply);
	return CALL_MORE;
}

/* --- triggers --- */

static void put_activated(struct call *c, const struct unit *u)
{
	graph_for_each(e, u, DEP_TRIGGERS)
	{
		struct unit *v = registry_unit(&c->h->reg, e->to);
		const struct service *s = v ? service_of(v) : NULL;

		if (!v)
			continue;
		reply_item(&c->reply, "activates", v->name);
		if (s && proc_pid(&s->main) > 0 && !unit_is_at_rest(v))
			reply_value(&c->reply, TAG_NUMBER, "pid", (uint64_t)proc_pid(&s->main));
	}
}

static void tell_trigger(struct call *c, struct unit *u, const char *trigger, const char *kind)
{
	const struct socket_unit *s = socket_of(u);

	reply_row(&c->reply, "trigger");
	reply_text_z(&c->reply, "trigger", trigger);
	reply_text_z(&c->reply, "trigger_kind", kind);
	reply_text_z(&c->reply, "unit", u->name);
	reply_text_z(&c->reply, "state", unit_substate(u));
	if (s)
		reply_value(&c->reply, TAG_NUMBER, "accepted", s->n_accepted);
	if (u->type == UNIT_TIMER)
		serve_put_trigger(c, u);
	put_activated(c, u);
	reply_row_end(&c->reply);
}

static void tell_timer(struct call *c, struct unit *u)
{
	for (const struct timer_event *e = u->config->own->timer->events; e; e = e->next) {
		struct sbuf text = {0};
		char span[128];

		if (e->base == TIMER_CALENDAR)
			calendar_format(&e->calendar, &text);
		else
			value_format_span(e->span_us, span, sizeof(span));
		tell_trigger(c, u, e->base == TIMER_CALENDAR && text.p ? text.p : span,
			     timer_base_names[e->base]);
		sbuf_fini(&text);
	}
}

void serve_put_mounted(struct call *c, const struct unit *u)
{
	struct sbuf words = {0};

	if (u->type == UNIT_MOUNT && unit_is_active(u) && mounts_describe(c->h, u, &words))
		reply_text_z(&c->reply, "mounted", words.p);
	sbuf_fini(&words);
}

/* --- timers --- */

static void put_watches(struct call *c, const struct unit *u)
{
	const struct path_config *path = u->config ? u->config->own->path : NULL;
	char text[PATH_MAX + 64];

	for (const struct path_watch *w = path ? path->watches : NULL; w; w = w->next) {
		snprintf(text, sizeof(text), "%s=%s", path_kind_names[w->kind], w->path);
		reply_item(&c->reply, "watches", text);
	}
}

void serve_put_trigger(struct call *c, struct unit *u)
{
	const struct timer_unit *t = timer_of(u);

	put_watches(c, u);
	if (!t)
		return;
	if (time_next_us(u) != TIME_NEVER)
		reply_value(&c->reply, TAG_STAMP, "next", call_wall_us(time_next_us(u)));
	if (t->last_wall_us)
		reply_value(&c->reply, TAG_STAMP, "last", t->last_wall_us);
}

/* Does this one elapse before that one? What never does comes last. */
static bool is_sooner(struct unit *a, struct unit *b)
{
	uint64_t at = time_next_us(a), bt = time_next_us(b);

	return at < bt || (at == bt && strcmp(a->name, b->name) < 0);
}

/* The timer to be told after `last` (NULL: the first), or NULL. Without --all those that elapse no more are left out. */
static struct unit *next_timer(struct call *c, struct unit *last)
{
	struct unit *found = NULL, *u;
	uint64_t at = 0;

	while ((u = call_next_unit(c, &at)))
		if (u->type == UNIT_TIMER && unit_load_state(u) == LOAD_LOADED &&
		    (unit_is_active(u) || c->request.options[OPT_ALL]) &&
		    (!last || is_sooner(last, u)) && (!found || is_sooner(u, found)))
			found = u;
	return found;
}

/* In one step: what comes next would be another thing when one elapses in between. */
int serve_timers(struct call *c)
{
	struct unit *u = NULL;

	while ((u = next_timer(c, u))) {
		reply_row(&c->reply, "timer");
		reply_text_z(&c->reply, "unit", u->name);
		reply_text_z(&c->reply, "state", unit_substate(u));
		serve_put_trigger(c, u);
		put_activated(c, u);
		reply_row_end(&c->reply);
	}
	return CALL_DONE;
}

int serve_is_system_running(struct call *c)
{
	const char *state = property_system_state(c->h);

	reply_row(&c->reply, "state");
	reply_text_z(&c->reply, "word", state);
	reply_row_end(&c->reply);
	if (strcmp(state, "running") != 0)
		call_fail(c, EXIT_FAILED);
	return CALL_DONE;
}

/* --- triggers --- */

int serve_triggers(struct call *c)
{
	struct unit *u = call_next_unit(c, &c->at);
	const struct listener *l;

	if (!u)
		return CALL_DONE;
	if (unit_load_state(u) != LOAD_LOADED)
		return CALL_MORE;
	l = u->type == UNIT_SOCKET && u->config->socket ? u->config->socket->listeners : NULL;
	for (; l; l = l->next)
		tell_trigger(c, u, l->text, listen_names[l->kind]);
	for (const struct path_watch *w = u->config->own->path ? u->config->own->path->watches
							       : NULL;
	     w; w = w->next)
		tell_trigger(c, u, w->path, path_kind_names[w->kind]);
	if (u->type == UNIT_TIMER)
		tell_timer(c, u);
	else if (u->type != UNIT_SOCKET && u->type != UNIT_PATH) {
		uint32_t at = 0;

		if (graph_next(u, DEP_TRIGGERS, &at))
			tell_trigger(c, u, u->name, unit_type_names[u->type]);
	}
	return CALL_MORE;
}

/* --- deps --- */

static void tell_dependency(struct call *c, const struct unit *u, const struct edge *e)
{
	static const char *const origins[DEP_ORIGINS] = {
		[DEP_FILE] = "file",   [DEP_SETTING] = "setting", [DEP_IMPLICIT] = "implicit",
		[DEP_MOUNT] = "mount", [DEP_PATH] = "path",       [DEP_DEFAULT] = "default"};
	const struct unit *v = registry_unit(&c->h->reg, e->to);
	const char *file = graph_file(&c->h->reg, u, e);

	if (!v)
		return;
	reply_row(&c->reply, "dependency");
	reply_text_z(&c->reply, "type", dep_names[e->type]);
	reply_text_z(&c->reply, "unit", v->name);
	reply_text_z(&c->reply, "active", coarse_names[unit_coarse(v)]);
	reply_text_z(&c->reply, "load", load_state_names[unit_load_state(v)]);
	reply_value(&c->reply, TAG_BOOL, "waiting", call_is_waiting_unit(c->h, v));
	reply_text_z(&c->reply, "origin", origins[e->origin]);
	reply_text_z(&c->reply, "file", file);
	if (file)
		reply_value(&c->reply, TAG_NUMBER, "line", e->line);
	if (e->is_broken)
		reply_value(&c->reply, TAG_BOOL, "dropped", 1);
	reply_row_end(&c->reply);
}

/* Forward types are the even ones (DEPS_LIST); "After" is the inverse of "Before" but is what people write. */
static bool is_asked_direction(const struct edge *e, bool reverse)
{
	bool is_forward = e->type % 2 == 0;

	if (e->type == DEP_BEFORE || e->type == DEP_AFTER)
		is_forward = !is_forward;
	return is_forward != reverse;
}

int serve_deps(struct call *c)
{
	struct unit *u = call_unit(c, c->request.args[0], EXIT_NO_SUCH_UNIT);
	bool reverse = c->request.options[OPT_REVERSE] != NULL;

	if (!u)
		return CALL_DONE;
	if (c->sub == 0) {
		c->sub = 1;
		reply_row(&c->reply, "unit");
		reply_text_z(&c->reply, "unit", u->name);
		reply_text_z(&c->reply, "active", coarse_names[unit_coarse(u)]);
		reply_row_end(&c->reply);
	}
	while (c->at < u->edges_n) {
		const struct edge *e = &u->edges[c->at++];

		if (!is_asked_direction(e, reverse))
			continue;
		tell_dependency(c, u, e);
		return CALL_MORE;
	}
	return CALL_DONE;
}

/* --- ledger --- */

static bool is_entry_wanted(struct call *c, const char *unit)
{
	char name[UNIT_NAME_MAX + 1];

	for (unsigned i = 0; i < c->request.args_n; i++)
		if (strcmp(c->request.args[i], unit) == 0 ||
		    (call_known_unit(c, c->request.args[i], name) && strcmp(name, unit) == 0))
			return true;
	return c->request.args_n == 0;
}

static void put_details(struct call *c, const struct ledger_entry *e)
{
	switch ((enum ledger_kind)e->kind) {
	case LEDGER_JOB:
		reply_text_z(&c->reply, "what", e->a < JOB_TYPES ? job_type_names[e->a] : "?");
		return;
	case LEDGER_JOB_DONE:
		reply_textf(&c->reply, "what", "%s: %s",
			    e->a < JOB_TYPES ? job_type_names[e->a] : "?",
			    e->b < JOB_RESULTS ? job_result_names[e->b] : "?");
		return;
	case LEDGER_STATE:
		reply_textf(&c->reply, "what", "%s -> %s",
			    e->a < COARSES ? coarse_names[e->a] : "?",
			    e->b < COARSES ? coarse_names[e->b] : "?");
		return;
	case LEDGER_EXIT:
		reply_textf(&c->reply, "what", "code %u status %u", e->a, e->b);
		return;
	case LEDGER_NONE:
	case LEDGER_TRIGGER:
	case LEDGER_PROCESS:
	case LEDGER_NOTE:
	case LEDGER_KINDS:
		return;
	}
}

void serve_entry(struct call *c, const struct ledger_entry *e, const char *unit, const char *text,
		 uint64_t crash)
{
	reply_row(&c->reply, "entry");
	if (crash)
		reply_value(&c->reply, TAG_NUMBER, "crash", crash);
	reply_value(&c->reply, TAG_NUMBER, "entry", e->seq);
	if (e->parent)
		reply_value(&c->reply, TAG_NUMBER, "follows", e->parent);
	reply_value(&c->reply, TAG_STAMP, "time", e->wall_us);
	reply_text_z(&c->reply, "unit", unit);
	reply_text_z(&c->reply, "entry_kind",
		     e->kind < LEDGER_KINDS ? ledger_kind_names[e->kind] : "?");
	put_details(c, e);
	reply_text_z(&c->reply, "cause", e->cause < CAUSE_KINDS ? cause_names[e->cause] : "?");
	if (e->from)
		reply_text_z(&c->reply, "from", state_name(&c->h->state, e->from));
	if (e->cause == CAUSE_USER)
		reply_value(&c->reply, TAG_NUMBER, "uid", e->uid);
	if (e->pid)
		reply_value(&c->reply, TAG_SIGNED, "pid", (uint64_t)(int64_t)e->pid);
	reply_text_z(&c->reply, "text", text);
	reply_row_end(&c->reply);
}

/* The next entry that is asked for; NULL: that was all. at: sequence to tell next, 0 before the first step; sub: the end as it was then. */
static const struct ledger_entry *next_entry(struct call *c, const char **ret_unit)
{
	const struct ledger *l = &c->h->state.image->ledger;
	uint64_t lines = LEDGER_ENTRIES;

	if (c->at == 0) {
		if (c->request.verb->id == VERB_LEDGER && c->request.options[OPT_LINES] &&
		    str_to_u64(str_of(c->request.options[OPT_LINES]), &lines) < 0)
			call_error(c, EXIT_USAGE, NULL, "--lines takes a number");
		c->sub = l->next;
		c->at = l->next > lines ? l->next - lines : 1;
	}
	while (c->at < c->sub) {
		const struct ledger_entry *e = ledger_get(l, c->at++);
		const char *unit = e && e->unit ? state_name(&c->h->state, e->unit) : "";

		if (!e || !unit || !is_entry_wanted(c, unit))
			continue;
		*ret_unit = unit;
		return e;
	}
	return NULL;
}

int serve_ledger(struct call *c)
{
	const char *unit;
	const struct ledger_entry *e = next_entry(c, &unit);

	if (!e)
		return CALL_DONE;
	serve_entry(c, e, unit, ledger_text(&c->h->state.image->ledger, e), 0);
	return CALL_MORE;
}

/* --- history --- */

/* Of the process whose start this entry tells; NULL: it has not ended, or nobody saw it. */
static const struct ledger_entry *end_of(const struct ledger *l, const struct ledger_entry *start)
{
	for (uint64_t seq = start->seq + 1; seq < l->next; seq++) {
		const struct ledger_entry *e = ledger_get(l, seq);

		if (!e || e->pid != start->pid || e->unit != start->unit)
			continue;
		if (e->kind == LEDGER_EXIT)
			return e;
		if (e->kind == LEDGER_PROCESS) /* another one of that number */
			return NULL;
	}
	return NULL;
}

static void put_end(struct call *c, const char *unit, const struct ledger_entry *start)
{
	const struct ledger_entry *end = end_of(&c->h->state.image->ledger, start);
	struct unit *u = registry_find(&c->h->reg, unit);
	struct service *s = u && u->type == UNIT_SERVICE ? service_of(u) : NULL;
	char words[64];

	if (end) {
		struct proc_ref how = {.code = end->a, .status = end->b};

		reply_value(&c->reply, TAG_STAMP, "ended", end->wall_us);
		reply_text_z(&c->reply, "how", why_exit_words(&how, words, sizeof(words)));
		reply_value(&c->reply, TAG_NUMBER, "code", end->a);
		reply_value(&c->reply, TAG_NUMBER, "status", end->b);
	} else if (s && ((s->main.slot && s->main.pid == start->pid) ||
			 (s->control.slot && s->control.pid == start->pid))) {
		reply_text_z(&c->reply, "how", "running");
	}
}

int serve_history(struct call *c)
{
	const struct ledger_entry *e;
	const char *unit;

	while ((e = next_entry(c, &unit)) && e->kind != LEDGER_PROCESS)
		;
	if (!e)
		return CALL_DONE;
	reply_row(&c->reply, "process");
	reply_text_z(&c->reply, "unit", unit);
	reply_value(&c->reply, TAG_SIGNED, "pid", (uint64_t)(int64_t)e->pid);
	reply_value(&c->reply, TAG_STAMP, "started", e->wall_us);
	put_end(c, unit, e);
	reply_row_end(&c->reply);
	return CALL_MORE;
}

/* --- trace --- */

int serve_trace(struct call *c)
{
	struct err_origin ring[64];
	unsigned n = err_trace(ring, ARRAY_SIZE(ring));

	for (unsigned i = 0; i < n; i++) {
		reply_row(&c->reply, "error_origin");
		reply_value(&c->reply, TAG_NUMBER, "number", ring[i].seq);
		reply_text_z(&c->reply, "file", ring[i].file);
		reply_value(&c->reply, TAG_NUMBER, "line", (uint64_t)ring[i].line);
		reply_value(&c->reply, TAG_SIGNED, "errno", (uint64_t)(int64_t)ring[i].err);
		reply_text_z(&c->reply, "text",
			     ring[i].err ? strerror(-ring[i].err) : "a check failed");
		reply_row_end(&c->reply);
	}
	return CALL_DONE;
}
