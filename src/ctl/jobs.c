/* SPDX-License-Identifier: MIT */
/* The verbs that make jobs and wait for them. */
#include "ctl/serve.h"

#include <stdio.h>

#include "core/mem.h"
#include "core/proc.h"
#include "ctl/property.h"
#include "ctl/refresh.h"
#include "ctl/why.h"
#include "units/name.h"
#include "units/probe.h"
#include "units/service.h"

enum { SETTLE_US = 250 * 1000 };

struct cause call_cause(const struct call *c)
{
	struct cause cause = {.kind = CAUSE_USER, .unit = UNIT_NONE, .uid = c->uid, .pid = c->pid};

	if (c->request.options[OPT_BUS_ACTIVATION])
		return (struct cause){.kind = CAUSE_BUS_NAME, .unit = UNIT_NONE};
	if (proc_comm(c->pid, cause.text, sizeof(cause.text)) < 0)
		cause.text[0] = '\0';
	return cause;
}

/* What a verb asks of a unit. stale: a file that changed is read first, for what starts afterwards uses it. */
static const struct {
	enum job_type type;
	enum job_mode mode;
	bool reads_files;
} job_verbs[VERBS] = {
	[VERB_START] = {JOB_START, MODE_REPLACE, true},
	[VERB_TRANSIENT] = {JOB_START, MODE_REPLACE, false},
	[VERB_STOP] = {JOB_STOP, MODE_REPLACE, false},
	[VERB_RESTART] = {JOB_RESTART, MODE_REPLACE, true},
	[VERB_TRY_RESTART] = {JOB_TRY_RESTART, MODE_REPLACE, true},
	[VERB_RELOAD] = {JOB_RELOAD, MODE_REPLACE, true},
	[VERB_RELOAD_OR_RESTART] = {JOB_RELOAD_OR_START, MODE_REPLACE, true},
	[VERB_ISOLATE] = {JOB_START, MODE_ISOLATE, true},
};

/* systemctl's translation of errors, translate_bus_error_to_exit_status(). */
static const uint8_t refusal_exits[PLAN_REFUSALS] = {
	[PLAN_NOT_FOUND] = EXIT_NOT_INSTALLED,
	[PLAN_MASKED] = EXIT_FAILED,
	[PLAN_BAD] = EXIT_NOT_CONFIGURED,
	[PLAN_UNSUPPORTED] = EXIT_NOT_CONFIGURED,
	[PLAN_NO_START_MANUAL] = EXIT_NO_PERMISSION,
	[PLAN_NO_STOP_MANUAL] = EXIT_NO_PERMISSION,
	[PLAN_NO_ISOLATE] = EXIT_NO_PERMISSION,
	[PLAN_DESTRUCTIVE] = EXIT_NO_PERMISSION,
	[PLAN_CONTRADICTION] = EXIT_FAILED,
	[PLAN_NOT_APPLICABLE] = EXIT_NOT_APPLICABLE,
};

static const char *const result_words[JOB_RESULTS] = {
	[JOB_RES_DONE] = "done",
	[JOB_RES_CANCELED] = "another request replaced it, or it was cancelled",
	[JOB_RES_TIMEOUT] = "it took longer than JobTimeoutSec= or JobRunningTimeoutSec= allows",
	[JOB_RES_FAILED] = "failed",
	[JOB_RES_DEPENDENCY] = "a unit it needs could not be started",
	[JOB_RES_SKIPPED] = "a condition does not hold",
	[JOB_RES_INVALID] = "this cannot be done with a unit that does not run",
	[JOB_RES_ASSERT] = "an assertion does not hold",
	[JOB_RES_UNSUPPORTED] = "units of this type are not supported here",
};

/* --- asking --- */

static bool find_mode(struct call *c, enum job_mode *mode)
{
	const char *word = c->request.options[OPT_JOB_MODE];

	if (!word)
		return true;
	for (unsigned i = 0; i < JOB_MODES; i++)
		if (strcmp(word, job_mode_names[i]) == 0) {
			*mode = (enum job_mode)i;
			return true;
		}
	call_error(c, EXIT_USAGE, NULL, "\"%s\" is not a job mode", word);
	return false;
}

static void tell_cycles(struct call *c)
{
	const struct job_cycle *cycle = c->h->engine.last_plan.cycles;

	for (; cycle; cycle = cycle->next) {
		struct sbuf text = {0};

		job_cycle_text(cycle, &c->h->reg, &text);
		reply_row(&c->reply, "cycle");
		reply_text(&c->reply, "text", (struct str){text.p, text.n});
		reply_row_end(&c->reply);
		sbuf_fini(&text);
	}
}

/* For programs: API. */
static const char *const refusal_words[PLAN_REFUSALS] = {
	[PLAN_NOT_FOUND] = "not-found",
	[PLAN_MASKED] = "masked",
	[PLAN_BAD] = "bad",
	[PLAN_NO_START_MANUAL] = "no-manual-start",
	[PLAN_NO_STOP_MANUAL] = "no-manual-stop",
	[PLAN_NO_ISOLATE] = "no-isolate",
	[PLAN_DESTRUCTIVE] = "destructive",
	[PLAN_CONTRADICTION] = "contradiction",
	[PLAN_NOT_APPLICABLE] = "not-applicable",
};

static void tell_refusal(struct call *c, const struct unit *u, enum job_refusal refusal)
{
	const struct job_plan *plan = &c->h->engine.last_plan;
	const struct unit *culprit = registry_unit(&c->h->reg, plan->culprit[0]);
	struct sbuf text = {0};

	if (refusal == PLAN_NOT_APPLICABLE && c->request.verb->id == VERB_RELOAD)
		sbuf_addf(&text, "%s has no way to reload (ExecReload=); restart does it", u->name);
	else
		job_refusal_text(plan, &c->h->reg, &text);
	reply_row(&c->reply, "error");
	reply_text_z(&c->reply, "unit", u->name);
	reply_text_z(&c->reply, "refusal", refusal_words[refusal]);
	reply_text(&c->reply, "text", (struct str){text.p, text.n});
	reply_row_end(&c->reply);
	call_fail(c, refusal_exits[refusal]);
	sbuf_fini(&text);
	culprit = culprit ? culprit : u;
	call_diags(c, culprit->name, culprit->config, DIAG_ERROR);
}

static int add_wait(struct call *c, const struct unit *u, uint32_t job, enum job_type type)
{
	struct call_wait *w;

	if (c->waits_n == c->waits_cap) {
		unsigned cap = c->waits_cap ? 2 * c->waits_cap : 4;

		w = mem_grow(c->waits, c->waits_cap * sizeof(*w), cap * sizeof(*w));
		if (!w)
			return err_here(-ENOMEM);
		c->waits = w;
		c->waits_cap = cap;
	}
	w = &c->waits[c->waits_n++];
	*w = (struct call_wait){.unit = u->id, .job = job, .type = (uint8_t)type};
	w->begin_us = w->end_us = loop_now_us(&c->h->loop);
	if (!job) { /* there was nothing to do */
		w->is_done = true;
		w->result = JOB_RES_DONE;
	}
	return 0;
}

/* harkctl that loses us knows by this row that the job exists: it need only wait for it then. */
static void tell_queued(struct call *c, const struct unit *u, uint32_t job, enum job_type type)
{
	reply_row(&c->reply, "queued");
	reply_text_z(&c->reply, "unit", u->name);
	reply_value(&c->reply, TAG_NUMBER, "job", job);
	reply_text_z(&c->reply, "type", job_type_names[type]);
	reply_row_end(&c->reply);
}

static void refresh_first(struct call *c, struct unit *u)
{
	struct unit_config *broken = NULL;
	int r = refresh_unit(c->h, u, &broken);

	if (r == REFRESH_SAME)
		return;
	reply_row(&c->reply, "note");
	reply_text_z(&c->reply, "unit", u->name);
	reply_text_z(
		&c->reply, "text",
		r == REFRESH_DONE ? "its files had changed and were read again"
		: r == REFRESH_BROKEN
			? "its files have changed and are broken: the old settings stay in force"
			: "its files have changed; they are read when it rests");
	reply_row_end(&c->reply);
	if (!broken)
		return;
	call_diags(c, u->name, broken, DIAG_WARNING);
	call_fail(c, EXIT_NOT_CONFIGURED);
	unit_config_free(broken);
}

/* The job itself, once all it may pull in is loaded. 0 or -errno. */
static int request(struct call *c, struct unit *u, enum job_type type, enum job_mode mode)
{
	struct cause cause = call_cause(c);
	uint32_t job = 0;
	bool is_manual = !c->request.options[OPT_BUS_ACTIVATION];
	int r;

	r = engine_request(&c->h->engine, u, type, mode, &cause, is_manual, &job);
	if (r < 0)
		return r;
	asked_perform(call_asked(c), (uint32_t)c->at, &c->h->state);
	tell_cycles(c);
	if (r > 0) {
		tell_refusal(c, u, (enum job_refusal)r);
		return 0;
	}
	tell_queued(c, u, job, type);
	return c->request.options[OPT_NO_WAIT] ? 0 : add_wait(c, u, job, type);
}

/* What cannot reload is restarted; of the two only a restart would start it, too. */
static enum job_type job_for(const struct unit *u, enum job_type type)
{
	bool can_reload = u->ops->can_reload && u->ops->can_reload(u);

	return type == JOB_RELOAD_OR_START && !can_reload ? JOB_RESTART : type;
}

/* The next step for the argument in hand, which is the last one when c->at moves on. 0 or -errno. */
static int ask(struct call *c)
{
	enum job_type type = job_verbs[c->request.verb->id].type;
	enum job_mode mode = job_verbs[c->request.verb->id].mode;
	struct unit *u = call_unit(c, c->request.args[c->at], EXIT_NOT_INSTALLED);
	bool is_first = !c->walk.ids;
	int r = 0;

	if (u && name_form(u->name) == NAME_TEMPLATE) {
		call_refuse(c, EXIT_FAILED, u->name, "template",
			    "%s is a template: name an instance of it", u->name);
	} else if (u && find_mode(c, &mode)) {
		if (is_first && job_verbs[c->request.verb->id].reads_files && !u->work->job.id)
			refresh_first(c, u);
		r = engine_gather(&c->h->engine, &c->walk, u);
		if (r > 0)
			return 0;
		r = r < 0 ? r : request(c, u, job_for(u, type), mode);
	}
	graph_walk_fini(&c->walk);
	c->at++;
	return r;
}

/* --- telling how it ended --- */

static bool is_good(const struct call_wait *w)
{
	return w->result == JOB_RES_DONE || w->result == JOB_RES_SKIPPED;
}

static bool is_start(const struct call_wait *w)
{
	return w->type != JOB_STOP && w->type != JOB_RELOAD && w->type != JOB_NONE;
}

/* The units that a failed dependency is about: those that are needed and failed. */
static void tell_culprits(struct call *c, const struct unit *u)
{
	static const enum dep_type needs[] = {DEP_REQUIRES, DEP_REQUISITE, DEP_BINDS_TO};

	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++) {
		graph_for_each(e, u, needs[i])
		{
			struct unit *v = registry_unit(&c->h->reg, e->to);

			if (!v || unit_is_active(v))
				continue;
			reply_row(&c->reply, "culprit");
			reply_text_z(&c->reply, "unit", v->name);
			reply_text_z(&c->reply, "dependency", dep_names[needs[i]]);
			reply_text_z(&c->reply, "file", graph_file(&c->h->reg, u, e));
			reply_value(&c->reply, TAG_NUMBER, "line", e->line);
			why_down_fields(&c->reply, &c->h->reg, v);
			reply_row_end(&c->reply);
			call_output(c, v, v->inactive_exit_us);
		}
	}
}

/* Its job is done when ExecCondition= says no; to who asked for a start that is none. */
static enum job_result result_of(const struct call_wait *w, struct unit *u)
{
	const struct service *s = service_of(u);
	bool was_refused = s && s->result == RESULT_EXEC_CONDITION && unit_is_at_rest(u);

	return was_refused && is_start(w) && w->result == JOB_RES_DONE ? JOB_RES_SKIPPED
								       : (enum job_result)w->result;
}

static void tell_job(struct call *c, const struct call_wait *w, struct unit *u)
{
	const struct service *s = service_of(u);
	enum job_result result = result_of(w, u);

	reply_row(&c->reply, "job");
	reply_text_z(&c->reply, "unit", u->name);
	reply_text_z(&c->reply, "type", job_type_names[w->type]);
	reply_value(&c->reply, TAG_NUMBER, "job", w->job);
	reply_text_z(&c->reply, "result", job_result_names[result]);
	reply_value(&c->reply, TAG_SPAN, "took", w->end_us - w->begin_us);
	reply_text_z(&c->reply, "active", coarse_names[unit_coarse(u)]);
	reply_text_z(&c->reply, "sub", unit_substate(u));
	if (s && proc_pid(&s->main) > 0 && !unit_is_at_rest(u))
		reply_value(&c->reply, TAG_NUMBER, "pid", (uint64_t)proc_pid(&s->main));
	if (result != JOB_RES_DONE)
		reply_text_z(&c->reply, "text", result_words[result]);
	if (!is_good(w) || result == JOB_RES_SKIPPED)
		why_down_fields(&c->reply, &c->h->reg, u);
	reply_row_end(&c->reply);
}

/* It was told as started and is dead already: nobody must believe it runs. */
static void tell_died(struct call *c, const struct call_wait *w, struct unit *u)
{
	reply_row(&c->reply, "died");
	reply_text_z(&c->reply, "unit", u->name);
	reply_value(&c->reply, TAG_SPAN, "after", loop_now_us(&c->h->loop) - w->end_us);
	why_down_fields(&c->reply, &c->h->reg, u);
	reply_row_end(&c->reply);
	call_output(c, u, w->begin_us);
	call_fail(c, EXIT_FAILED);
}

static bool needs_watch(const struct call_wait *w, struct unit *u)
{
	const struct service *s = service_of(u);

	if (result_of(w, u) != JOB_RES_DONE || !w->job || !is_start(w) || !s || !u->config->service)
		return false;
	return u->config->service->type == SERVICE_SIMPLE ||
	       u->config->service->type == SERVICE_EXEC || u->config->service->type == SERVICE_IDLE;
}

static void tell_end(struct call *c, struct call_wait *w)
{
	struct unit *u = registry_unit(&c->h->reg, w->unit);

	w->is_told = true;
	if (!u)
		return;
	tell_job(c, w, u);
	w->is_watched = needs_watch(w, u);
	if (is_good(w)) {
		if (is_start(w)) /* a line that has no effect is not found out later */
			call_diags(c, u->name, u->config, DIAG_ERROR);
		return;
	}
	call_fail(c, w->result == JOB_RES_UNSUPPORTED ? EXIT_NOT_APPLICABLE : EXIT_FAILED);
	if (w->result == JOB_RES_DEPENDENCY)
		tell_culprits(c, u);
	call_diags(c, u->name, u->config, DIAG_WARNING);
	if (is_start(w))
		call_output(c, u, w->begin_us);
}

/* A simple service counts as started at once; so look at it a moment longer. CALL_DONE or CALL_WAIT. */
static int watch_started(struct call *c)
{
	uint64_t now = loop_now_us(&c->h->loop);
	bool any = false;

	c->due_us = TIME_NEVER;
	for (unsigned i = 0; i < c->waits_n; i++) {
		struct call_wait *w = &c->waits[i];
		struct unit *u = registry_unit(&c->h->reg, w->unit);
		uint64_t due = time_add(w->end_us, SETTLE_US);

		if (!w->is_watched)
			continue;
		if (!u || u->work->job.id || now >= due) {
			w->is_watched = false;
		} else if (!unit_is_active(u)) {
			w->is_watched = false;
			if (!service_of(u)->did_exit_clean)
				tell_died(c, w, u);
		} else {
			any = true;
			c->due_us = due < c->due_us ? due : c->due_us;
		}
	}
	return any ? CALL_WAIT : CALL_DONE;
}

/* Tell what ended; CALL_WAIT while something has not. */
static int wait_jobs(struct call *c)
{
	bool is_waiting = false;

	for (unsigned i = 0; i < c->waits_n; i++) {
		struct call_wait *w = &c->waits[i];

		if (w->is_done && !w->is_told) {
			tell_end(c, w);
			return CALL_MORE;
		}
		is_waiting = is_waiting || !w->is_done;
	}
	return is_waiting ? CALL_WAIT : watch_started(c);
}

/* Its present job, or how the last one ended. NULL: a unit that nobody knows has nothing to wait for. */
static int await(struct call *c, const struct unit *u, enum job_type type)
{
	int r = u ? add_wait(c, u, u->work->job.id, type) : 0;

	if (u && !u->work->job.id && r == 0 && u->last_job_result != JOB_RES_DONE)
		c->waits[c->waits_n - 1].result = u->last_job_result;
	return r;
}

/* The manager before us installed that job and died. */
static int ask_again(struct call *c)
{
	enum job_type type = job_verbs[c->request.verb->id].type;
	char name[UNIT_NAME_MAX + 1];
	struct unit *u = call_known_unit(c, c->request.args[c->at++], name);

	if (u)
		tell_queued(c, u, u->work->job.id, type);
	return c->request.options[OPT_NO_WAIT] ? 0 : await(c, u, type);
}

int serve_job(struct call *c)
{
	int r;

	if (c->at == c->request.args_n)
		return wait_jobs(c);
	r = asked_was_performed(call_asked(c), c->at) ? ask_again(c) : ask(c);
	return r < 0 ? r : CALL_MORE;
}

int serve_wait(struct call *c)
{
	char name[UNIT_NAME_MAX + 1];
	struct unit *u;
	int r;

	if (c->at == c->request.args_n)
		return wait_jobs(c);
	u = call_known_unit(c, c->request.args[c->at++], name);
	r = await(c, u, u ? (enum job_type)u->work->job.type : JOB_NONE);
	return r < 0 ? r : CALL_MORE;
}

int serve_jobs(struct call *c)
{
	const struct registry *reg = &c->h->reg;

	while (c->at < reg->n) {
		const struct unit *u = reg->units[c->at++];

		if (!u || !u->work->job.id)
			continue;
		reply_row(&c->reply, "job");
		reply_value(&c->reply, TAG_NUMBER, "job", u->work->job.id);
		reply_text_z(&c->reply, "unit", u->name);
		reply_text_z(&c->reply, "type", job_type_names[u->work->job.type]);
		reply_text_z(&c->reply, "state", u->work->job.is_running ? "running" : "waiting");
		reply_value(&c->reply, TAG_STAMP, "since", call_wall_us(u->work->job.begin_us));
		reply_text_z(&c->reply, "because", cause_words[u->work->job.cause.kind]);
		why_blocker_fields(&c->reply, reg, u);
		reply_row_end(&c->reply);
		return CALL_MORE;
	}
	return CALL_DONE;
}

/* --- monitor --- */

static void tell_changed(struct call *c, struct unit *u)
{
	const char *only = c->request.options[OPT_PROPERTY];

	reply_row(&c->reply, "changed");
	reply_text_z(&c->reply, "unit", u->name);
	if (u->work->job.id) {
		reply_value(&c->reply, TAG_NUMBER, "job", u->work->job.id);
		reply_text_z(&c->reply, "type", job_type_names[u->work->job.type]);
		reply_text_z(&c->reply, "state", u->work->job.is_running ? "running" : "waiting");
	}
	property_unit(&c->reply, c->h, u, only ? only : "ActiveState,SubState", false,
		      c->may_change);
	reply_row_end(&c->reply);
}

static void tell_end_of_job(struct call *c, const char *unit, const struct monitor_note *note)
{
	reply_row(&c->reply, "job");
	reply_text_z(&c->reply, "unit", unit);
	reply_value(&c->reply, TAG_NUMBER, "job", note->job);
	reply_text_z(&c->reply, "type", job_type_names[note->type]);
	reply_text_z(&c->reply, "result", job_result_names[note->result]);
	reply_row_end(&c->reply);
}

static void tell_gone(struct call *c, const char *unit)
{
	reply_row(&c->reply, "gone");
	reply_text_z(&c->reply, "unit", unit);
	reply_row_end(&c->reply);
}

static bool take_news(struct monitor *m, enum manager_news news)
{
	bool is_there = m->news >> news & 1;

	m->news &= (uint8_t) ~(1u << news);
	return is_there;
}

/* After all that has happened to units. */
static int tell_news(struct call *c)
{
	struct monitor *m = c->monitor;

	if (take_news(m, NEWS_RELOADED)) {
		reply_row(&c->reply, "reloaded");
	} else if (take_news(m, NEWS_BOOTED)) {
		reply_row(&c->reply, "booted");
		reply_value(&c->reply, TAG_NUMBER, "began", property_began_us(c->h));
		reply_value(&c->reply, TAG_NUMBER, "finished", c->h->ready_us);
		reply_value(&c->reply, TAG_BOOL, "container", probe_container() != NULL);
	} else {
		return CALL_WAIT;
	}
	reply_row_end(&c->reply);
	return CALL_MORE;
}

int serve_monitor(struct call *c)
{
	struct monitor_note note;
	struct unit *u;

	if (!c->monitor) {
		c->monitor = mem_get(sizeof(*c->monitor));
		if (!c->monitor)
			return err_here(-ENOMEM);
		reply_row(&c->reply, "ready"); /* what changes from here on is told */
		reply_row_end(&c->reply);
		return CALL_MORE;
	}
	if (c->monitor->is_lost) {
		c->monitor->is_lost = false;
		reply_row(&c->reply, "lost");
		reply_row_end(&c->reply);
		return CALL_MORE;
	}
	if (take_news(c->monitor, NEWS_RELOADING)) {
		reply_row(&c->reply, "reloading");
		reply_row_end(&c->reply);
		return CALL_MORE;
	}
	if (!monitor_take(c->monitor, &note))
		return tell_news(c);
	u = note.unit == UNIT_NONE ? NULL : registry_unit(&c->h->reg, note.unit);
	if (note.job && (u || note.name))
		tell_end_of_job(c, u ? u->name : note.name, &note);
	else if (u)
		tell_changed(c, u);
	else if (note.name)
		tell_gone(c, note.name);
	mem_put(note.name);
	return CALL_MORE;
}

int serve_cancel(struct call *c)
{
	struct asked *asked = call_asked(c);
	uint32_t step = (uint32_t)c->at;
	uint64_t id = 0;
	struct unit *found = NULL;

	if (c->at == c->request.args_n)
		return CALL_DONE;
	if (str_to_u64(str_of(c->request.args[c->at++]), &id) < 0 ||
	    asked_was_performed(asked, step))
		return CALL_MORE;
	for (uint32_t i = 0; id && i < c->h->reg.n && !found; i++) {
		struct unit *u = c->h->reg.units[i];

		found = u && u->work->job.id == id ? u : NULL;
	}
	if (found)
		engine_cancel(&c->h->engine, found);
	else
		call_error(c, EXIT_FAILED, NULL, "there is no job %llu", (unsigned long long)id);
	asked_perform(asked, step, &c->h->state);
	return CALL_MORE;
}
