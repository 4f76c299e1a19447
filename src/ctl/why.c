/* SPDX-License-Identifier: MIT */
#include "ctl/why.h"

#include <signal.h>
#include <stdio.h>

#include "core/graph.h"
#include "core/procs.h"
#include "units/condition.h"
#include "units/service.h"
#include "units/value.h"

const char *const why_reason_names[WHY_REASONS] = {
#define REASON(name, word) [WHY_##name] = word,
	WHY_REASONS_LIST(REASON)
#undef REASON
};

/*
 * How to tell a cause, and what it makes of the unit. text: the sentence, its one %s is the unit it came from (or, where has_text
 * is set and there is no such unit, nothing). FOLLOW: the cause says nothing of its own, the entry before it does.
 */
enum { FOLLOW = WHY_REASONS };
static const struct {
	const char *text; /* NULL: cause_words */
	uint8_t reason;   /* enum why_reason or FOLLOW */
} tellings[CAUSE_KINDS] = {
	[CAUSE_NONE] = {"nobody knows why", WHY_EXPLICIT},
	[CAUSE_BOOT] = {NULL, WHY_EXPLICIT},
	[CAUSE_USER] = {NULL, WHY_EXPLICIT},
	[CAUSE_REQUIRED] = {"%s needs it", WHY_DEPENDENCY},
	[CAUSE_WANTED] = {"%s wants it", WHY_DEPENDENCY},
	[CAUSE_UPHELD] = {"%s upholds it", WHY_DEPENDENCY},
	[CAUSE_CONNECTION] = {"a peer connected to %s", WHY_ACTIVATED},
	[CAUSE_TRAFFIC] = {"data arrived at %s", WHY_ACTIVATED},
	[CAUSE_TRIGGER] = {"%s fired", WHY_ACTIVATED},
	[CAUSE_RESTART] = {NULL, FOLLOW},
	[CAUSE_ON_FAILURE] = {"%s failed (OnFailure=)", WHY_ACTIVATED},
	[CAUSE_ON_SUCCESS] = {"%s ended well (OnSuccess=)", WHY_ACTIVATED},
	[CAUSE_CONFLICT] = {"%s, which conflicts with it, was started", WHY_DEPENDENCY},
	[CAUSE_DEPENDENCY_STOPPED] = {"%s, which it needs, was stopped", WHY_DEPENDENCY},
	[CAUSE_DEPENDENCY_DIED] = {"%s, to which it is bound, went away", WHY_DEPENDENCY},
	[CAUSE_PART_OF] = {"it is part of %s", WHY_DEPENDENCY},
	[CAUSE_ISOLATE] = {"%s was isolated", WHY_EXPLICIT},
	[CAUSE_UNNEEDED] = {NULL, WHY_DEPENDENCY},
	[CAUSE_SHUTDOWN] = {NULL, WHY_EXPLICIT},
	[CAUSE_PROCESS] = {NULL, FOLLOW},
	[CAUSE_TIMEOUT] = {NULL, FOLLOW},
	[CAUSE_WATCHDOG] = {NULL, FOLLOW},
	[CAUSE_SIGNAL] = {NULL, WHY_EXPLICIT},
	[CAUSE_TAKEOVER] = {NULL, FOLLOW},
	[CAUSE_FILE] = {NULL, WHY_EXPLICIT},
	[CAUSE_BUS_NAME] = {NULL, WHY_ACTIVATED},
	[CAUSE_DEVICE] = {"%s appeared", WHY_ACTIVATED},
	[CAUSE_ACCESS] = {"a process entered the mount point of %s", WHY_ACTIVATED},
	[CAUSE_IDLE] = {NULL, WHY_EXPLICIT},
	[CAUSE_NAME] = {"%s got an owner", WHY_ACTIVATED},
};

/* --- the chain --- */

static const char *done_word(const struct ledger_entry *e)
{
	if (e->kind != LEDGER_JOB)
		return e->kind == LEDGER_TRIGGER ? "fired" : "changed";
	switch ((enum job_type)e->a) {
	case JOB_STOP:
		return "was stopped";
	case JOB_RELOAD:
	case JOB_TRY_RELOAD:
		return "was reloaded";
	case JOB_RESTART:
	case JOB_TRY_RESTART:
		return "was restarted";
	case JOB_NONE:
	case JOB_START:
	case JOB_VERIFY:
	case JOB_RELOAD_OR_START:
	case JOB_TYPES:
		break;
	}
	return "was started";
}

/* Who stands outside: a person by uid, a peer by address. */
static void add_party(struct sbuf *b, const struct ledger_entry *e, struct str text)
{
	if (e->cause == CAUSE_USER) {
		sbuf_addf(b, " (uid %u", e->uid);
		if (text.n)
			sbuf_addf(b, ", " STR_FMT, STR_ARG(text));
		if (e->pid > 0)
			sbuf_addf(b, " pid %d", e->pid);
		sbuf_add_c(b, ')');
	} else if (text.n) {
		sbuf_addf(b, " (" STR_FMT, STR_ARG(text));
		if (e->pid > 0)
			sbuf_addf(b, ", pid %d uid %u", e->pid, e->uid);
		sbuf_add_c(b, ')');
	}
}

/* The template's %s is replaced by hand: a format must be a literal. */
static void add_telling(struct sbuf *b, enum cause_kind kind, const char *from)
{
	const char *text = tellings[kind].text;
	const char *hole = text ? strstr(text, "%s") : NULL;

	if (!hole || !from) {
		sbuf_add_z(b, text && !hole ? text : cause_words[kind]);
		return;
	}
	sbuf_add(b, (struct str){text, (size_t)(hole - text)});
	sbuf_add_z(b, from);
	sbuf_add_z(b, hole + 2);
}

static void tell_link(const struct ledger *l, struct why_link *link)
{
	const struct ledger_entry *e = link->entry;
	struct sbuf b = {0};

	sbuf_addf(&b, "%s %s: ", link->unit, done_word(e));
	add_telling(&b, (enum cause_kind)e->cause, link->from);
	add_party(&b, e, str_of(ledger_text(l, e)));
	snprintf(link->text, sizeof(link->text), "%s", b.err ? link->unit : b.p);
	sbuf_fini(&b);
}

static const char *slot_name(const struct state_table *t, uint32_t slot)
{
	return slot ? state_name(t, slot) : NULL;
}

/* Changes of state follow from a job that is told already. */
static bool is_told(const struct ledger_entry *e)
{
	return (e->kind == LEDGER_JOB || e->kind == LEDGER_TRIGGER) && e->cause < CAUSE_KINDS;
}

unsigned why_chain(const struct state_table *t, uint64_t seq, struct why_link *links, unsigned max)
{
	const struct ledger *l = &t->image->ledger;
	const struct ledger_entry *e;
	unsigned n = 0;

	/* A parent is always older, whatever the memory says: so this ends. */
	for (; n < max && (e = ledger_get(l, seq)); seq = e->parent < seq ? e->parent : 0) {
		const char *unit = slot_name(t, e->unit);

		if (!is_told(e) || !unit)
			continue;
		links[n] = (struct why_link){.entry = e, .unit = unit};
		links[n].from = slot_name(t, e->from);
		tell_link(l, &links[n++]);
	}
	return n;
}

bool why_is_start(const struct ledger_entry *e)
{
	return e->kind == LEDGER_STATE && e->b == ACTIVE && e->a != RELOADING;
}

/* --- the reason --- */

const struct unit *why_next_ref(const struct registry *r, const struct unit *u, uint32_t *at,
				enum dep_type *ret_type)
{
	while (*at < u->edges_n) {
		const struct edge *e = &u->edges[(*at)++];
		const struct unit *v = registry_unit(r, e->to);

		if (e->type != DEP_REQUIRED_BY && e->type != DEP_WANTED_BY &&
		    e->type != DEP_BOUND_BY && e->type != DEP_UPHELD_BY &&
		    e->type != DEP_REQUISITE_OF)
			continue;
		if (!v || unit_is_at_rest(v))
			continue;
		*ret_type = (enum dep_type)e->type;
		return v;
	}
	return NULL;
}

/* The ledger was overwritten: what the graph says now is the best there is. */
static enum why_reason reason_by_graph(const struct registry *r, const struct unit *u,
				       uint32_t *ret_by)
{
	enum dep_type type;
	uint32_t at = 0;
	const struct unit *ref;

	graph_for_each(e, u, DEP_TRIGGERED_BY)
	{
		const struct unit *trigger = registry_unit(r, e->to);

		if (trigger && !unit_is_at_rest(trigger)) {
			*ret_by = trigger->id;
			return WHY_ACTIVATED;
		}
	}
	ref = why_next_ref(r, u, &at, &type);
	*ret_by = ref ? ref->id : UNIT_NONE;
	return ref ? WHY_DEPENDENCY : WHY_EXPLICIT;
}

enum why_reason why_reason(const struct registry *r, const struct state_table *t,
			   const struct unit *u, uint32_t *ret_by)
{
	struct why_link links[WHY_CHAIN];
	unsigned n;

	*ret_by = UNIT_NONE;
	if (unit_is_at_rest(u))
		return WHY_NOT_RUNNING;
	n = why_chain(t, u->why_entry, links, WHY_CHAIN);
	for (unsigned i = 0; i < n; i++) {
		uint8_t reason = tellings[links[i].entry->cause].reason;
		const struct unit *from;

		/* A restart of the unit itself is no reason; one of another unit is where the chain left us. */
		if (reason == FOLLOW && strcmp(links[i].unit, u->name) == 0)
			continue;
		from = links[i].from ? registry_find(r, links[i].from) : NULL;
		*ret_by = from ? from->id : UNIT_NONE;
		return reason == FOLLOW ? WHY_EXPLICIT : (enum why_reason)reason;
	}
	return reason_by_graph(r, u, ret_by);
}

/* --- why it does not run --- */

const char *why_exit_words(const struct proc_ref *p, char *out, size_t cap)
{
	const char *word = value_setup_name(p->status);

	if (p->code == CLD_EXITED)
		snprintf(out, cap, "exit status %d%s%s", p->status, word ? "/" : "",
			 word ? word : "");
	else
		snprintf(out, cap, "killed by %s%s", value_signal_name(p->status),
			 p->code == CLD_DUMPED ? " (core dumped)" : "");
	return out;
}

/* What the words of Result= mean to people; those not here are told by how the process ended. */
static const struct {
	const char *result, *words;
} result_tellings[] = {
	{"resources", "something it needs could not be had"},
	{"protocol", "it ended without having said that it is ready"},
	{"timeout", "it took longer than its timeout allows"}, /* of what is no service */
	{"unmounted", "somebody took its mount point away"},
	{"watchdog", "it did not serve its watchdog in time"},
	{"start-limit-hit", "it was started too often in too short a time (StartLimitBurst=)"},
	{"trigger-limit-hit", "it fired too often in too short a time (TriggerLimitBurst=)"},
	{"unit-start-limit-hit", "its unit was started too often in too short a time"},
	{"service-start-limit-hit", "its service was started too often in too short a time"},
	{"oom-kill", "the kernel ended it for want of memory"},
	{"exec-condition", "its ExecCondition= said no"},
};

/* What was waited for in vain, and how long. */
static void add_timeout(struct sbuf *b, const struct service *s)
{
	const struct unit *u = &s->unit;
	const struct service_config *c = u->config->service;
	bool was_up = u->active_enter_us >= u->inactive_exit_us && u->active_enter_us;
	uint64_t ran_us = u->active_exit_us - u->active_enter_us;
	const char *what = "its start did not end in time", *name = "TimeoutStartSec";
	uint64_t limit = c->timeout_start_us;
	char span[64];

	if (was_up && c->runtime_max_us != TIME_NEVER && ran_us >= c->runtime_max_us) {
		what = "it ran longer than it may";
		name = "RuntimeMaxSec";
		limit = c->runtime_max_us;
	} else if (was_up) {
		what = "it did not end in time when it was stopped";
		name = "TimeoutStopSec";
		limit = c->timeout_stop_us;
	} else if (c->type == SERVICE_NOTIFY || c->type == SERVICE_NOTIFY_RELOAD) {
		what = "it did not say in time that it is ready";
	} else if (c->type == SERVICE_DBUS) {
		what = "it did not take its name on the bus in time";
	} else if (c->type == SERVICE_FORKING && c->pid_file) {
		what = "its PIDFile= did not come in time";
	}
	value_format_span(limit, span, sizeof(span));
	sbuf_addf(b, "%s (%s=%s)", what, name, span);
}

static void add_result(struct sbuf *b, const struct unit *u, const char *result)
{
	const struct service *s = u->type == UNIT_SERVICE ? container_of(u, struct service, unit)
							  : NULL;
	const struct proc_ref *control = procs_ref((struct unit *)(uintptr_t)u, ROLE_CONTROL);
	char words[64];

	if (s && u->config && u->config->service && strcmp(result, "timeout") == 0) {
		add_timeout(b, s);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(result_tellings); i++)
		if (strcmp(result, result_tellings[i].result) == 0) {
			sbuf_add_z(b, result_tellings[i].words);
			if (s && s->main.code && strcmp(result, "start-limit-hit") == 0)
				sbuf_addf(b, "; the last time: %s",
					  why_exit_words(&s->main, words, sizeof(words)));
			return;
		}
	if (s && s->main.code)
		sbuf_add_z(b, why_exit_words(&s->main, words, sizeof(words)));
	else if (control && control->code)
		sbuf_addf(b, "a helper command: %s", why_exit_words(control, words, sizeof(words)));
	else
		sbuf_addf(b, "%s", result);
}

static void tell_load(const struct unit *u, struct sbuf *text)
{
	static const char *const words[LOAD_STATES] = {
		[LOAD_STUB] = "it was never asked for",
		[LOAD_NOT_FOUND] = "there is no file for it",
		[LOAD_BAD] = "its files have errors that refuse it",
		[LOAD_ERROR] = "its files cannot be read",
		[LOAD_MASKED] = "it is masked",
	};
	const char *word = words[unit_load_state(u)];

	if (word)
		sbuf_add_z(text, word);
}

static void tell_condition(const struct condition *c, struct sbuf *text)
{
	sbuf_addf(text, "%s failed: %s%s=%s%s", c->is_assert ? "assertion" : "condition",
		  c->is_assert ? "Assert" : "Condition", condition_names[c->kind],
		  c->is_negated ? "!" : "", c->parameter);
}

/* The first unit whose failure kept u from being started, or NULL. */
static const struct unit *find_culprit(const struct registry *r, const struct unit *u)
{
	static const enum dep_type needs[] = {DEP_REQUIRES, DEP_BINDS_TO, DEP_REQUISITE};

	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
		graph_for_each(e, u, needs[i])
		{
			const struct unit *v = registry_unit(r, e->to);

			if (v && !unit_is_active(v))
				return v;
		}
	return NULL;
}

/* It rests and nothing went wrong: how it ended when nobody stopped it, or what kept it from being started. */
static void tell_rest(const struct registry *r, const struct unit *u, struct sbuf *text)
{
	const struct service *s = u->type == UNIT_SERVICE ? container_of(u, struct service, unit)
							  : NULL;
	const struct unit *culprit = NULL;
	char words[64];

	if (u->last_job_result == JOB_RES_DEPENDENCY)
		culprit = find_culprit(r, u);
	if (culprit)
		sbuf_addf(text, "%s, which it needs, could not be started", culprit->name);
	else if (s && s->main.code && !s->forbid_restart && u->inactive_enter_us)
		sbuf_addf(text, "it ended: %s", why_exit_words(&s->main, words, sizeof(words)));
}

void why_down(const struct registry *r, const struct unit *u, struct sbuf *text,
	      const char **ret_file, uint32_t *ret_line)
{
	const char *result = u->ops->result ? u->ops->result(u) : "success";
	const char **failure = procs_fail_text((struct unit *)(uintptr_t)u);

	*ret_file = NULL;
	*ret_line = 0;
	if (u->config && u->config->own->refusals) {
		sbuf_addf(text, "it asks for %s=, which this hark cannot do",
			  u->config->own->refusals->text);
		return;
	}
	if (unit_load_state(u) != LOAD_LOADED) {
		tell_load(u, text);
	} else if (u->condition_result == 2 && u->condition_failed && unit_is_at_rest(u)) {
		tell_condition(u->condition_failed, text);
		*ret_file = u->condition_failed->file;
		*ret_line = u->condition_failed->line;
	} else if (failure && *failure && strcmp(result, "success") != 0) {
		sbuf_add_z(text, *failure);
	} else if (strcmp(result, "success") != 0) {
		add_result(text, u, result);
	} else if (unit_is_at_rest(u)) {
		tell_rest(r, u, text);
	}
}

void why_down_fields(struct reply *reply, const struct registry *r, const struct unit *u)
{
	struct sbuf text = {0};
	const char *file;
	uint32_t line;

	why_down(r, u, &text, &file, &line);
	if (text.n)
		reply_text(reply, "reason", (struct str){text.p, text.n});
	sbuf_fini(&text);
	if (file) {
		reply_text_z(reply, "file", file);
		reply_value(reply, TAG_NUMBER, "line", line);
	}
	if (u->ops->result)
		reply_text_z(reply, "unit_result", u->ops->result(u));
}

void why_blocker_fields(struct reply *reply, const struct registry *r, const struct unit *u)
{
	char number[16];
	bool is_first = true;

	for (uint32_t i = 0;
	     i < u->edges_n && !u->work->job.is_running && !u->work->job.ignores_order; i++) {
		const struct edge *e = &u->edges[i];
		const struct unit *v = registry_unit(r, e->to);

		if ((e->type != DEP_AFTER && e->type != DEP_BEFORE) || e->is_broken || !v ||
		    !v->work->job.id || !job_waits(e, job_pending(u), job_pending(v)))
			continue;
		if (is_first)
			reply_text_z(reply, "waits_for", v->name);
		is_first = false;
		snprintf(number, sizeof(number), "%u", v->work->job.id);
		reply_item(reply, "after", number);
	}
}
