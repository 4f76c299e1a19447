/* SPDX-License-Identifier: MIT */
/* The verbs that look at units one by one, and at the system as a whole. */
#include "ctl/serve.h"

#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/log.h"
#include "core/plan.h"
#include "core/proc.h"
#include "core/procs.h"
#include "ctl/property.h"
#include "ctl/property_live.h"
#include "ctl/refresh.h"
#include "ctl/why.h"
#include "units/condition.h"
#include "units/differ.h"
#include "units/service.h"
#include "units/socket.h"

enum { PROCESSES = 256, CMDLINE = 160, RUNS = 5, LACKS_ROOM = 512 };

/* --- status --- */

static void tell_process(struct call *c, const struct unit *u, pid_t pid, const char *role)
{
	char words[CMDLINE], cgroup[CGROUP_PATH];

	if (proc_cmdline(pid, words, sizeof(words)) < 0)
		return; /* gone meanwhile */
	reply_row(&c->reply, "process");
	reply_text_z(&c->reply, "unit", u->name);
	reply_value(&c->reply, TAG_NUMBER, "pid", (uint64_t)pid);
	reply_text_z(&c->reply, "role", role);
	reply_text_z(&c->reply, "command", words);
	/* In one below that of the unit, if the unit has made some or is a slice. */
	if (cgroup_of_pid(&c->h->cgroups, pid, cgroup, sizeof(cgroup)) == 0)
		reply_textf(&c->reply, "cgroup", "%s/%s", c->h->cgroups.prefix, cgroup);
	reply_row_end(&c->reply);
}

static const char *role_of(const struct service *s, pid_t pid)
{
	return !s                             ? "other"
	       : pid == proc_pid(&s->main)    ? "main"
	       : pid == proc_pid(&s->control) ? "control"
					      : "other";
}

static void tell_processes(struct call *c, struct unit *u)
{
	const struct service *s = service_of(u);
	struct cgroup_root *root = &c->h->cgroups;
	char path[CGROUP_PATH];
	pid_t pids[PROCESSES];
	int n;

	if (!procs_cgroup_in_use(c->h, u, path))
		return;
	n = root->has_cgroups ? cgroup_pids(root, path, pids, PROCESSES) : -EOPNOTSUPP;
	if (n < 0 && s) {
		if (proc_pid(&s->main) > 0)
			tell_process(c, u, proc_pid(&s->main), "main");
		if (proc_pid(&s->control) > 0)
			tell_process(c, u, proc_pid(&s->control), "control");
	}
	for (int i = 0; i < n && i < PROCESSES; i++)
		tell_process(c, u, pids[i], role_of(s, pids[i]));
}

static void put_usages(struct call *c, const struct unit *u)
{
	static const struct {
		const char *name, *file, *key;
		enum frame_tag tag;
	} files[] = {
		{"cpu", "cpu.stat", "usage_usec", TAG_SPAN},
		{"memory", "memory.current", NULL, TAG_NUMBER},
		{"tasks", "pids.current", NULL, TAG_NUMBER},
	};
	char path[CGROUP_PATH];
	uint64_t value;

	if (!c->h->cgroups.has_cgroups || !procs_cgroup_in_use(c->h, u, path))
		return;
	reply_textf(&c->reply, "cgroup", "%s/%s", c->h->cgroups.prefix, path);
	if (property_usage(c->h, u, "cgroup.freeze", NULL, &value) && value)
		reply_value(&c->reply, TAG_BOOL, "frozen", 1);
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		if (property_usage(c->h, u, files[i].file, files[i].key, &value))
			reply_value(&c->reply, files[i].tag, files[i].name, value);
}

static void put_reason(struct call *c, const struct unit *u)
{
	struct why_link link;
	enum dep_type type;
	uint32_t by, at = 0;
	enum why_reason reason = why_reason(&c->h->reg, &c->h->state, u, &by);
	const struct unit *ref;

	reply_text_z(&c->reply, "reason_kind", why_reason_names[reason]);
	if (registry_unit(&c->h->reg, by))
		reply_text_z(&c->reply, "reason_unit", registry_unit(&c->h->reg, by)->name);
	if (reason == WHY_NOT_RUNNING)
		why_down_fields(&c->reply, &c->h->reg, u);
	else if (why_chain(&c->h->state, u->why_entry, &link, 1))
		reply_text_z(&c->reply, "started_by", link.text);
	while ((ref = why_next_ref(&c->h->reg, u, &at, &type)))
		reply_item(&c->reply, "refs", ref->name);
}

static void put_config(struct call *c, const struct unit *u)
{
	const struct unit_config *config = u->config;

	if (!config)
		return;
	reply_text_z(&c->reply, "fragment", config->fragment);
	for (const struct name_list *l = config->dropins; l; l = l->next)
		reply_item(&c->reply, "dropins", l->text);
	for (const struct name_list *l = config->unit->documentation; l; l = l->next)
		reply_item(&c->reply, "docs", l->text);
	for (const struct name_list *l = config->own->notes; l; l = l->next)
		reply_item(&c->reply, "notes", l->text);
	if (config->fragment && (u->is_changed_on_disk || load_is_stale(&c->h->load, config)))
		reply_value(&c->reply, TAG_BOOL, "changed_on_disk", 1);
}

static void put_state(struct call *c, const struct unit *u)
{
	reply_text_z(&c->reply, "unit", u->name);
	reply_text_z(&c->reply, "description", unit_description(u));
	reply_text_z(&c->reply, "type", unit_type_names[u->type]);
	reply_text_z(&c->reply, "load", load_state_names[unit_load_state(u)]);
	reply_text_z(&c->reply, "active", coarse_names[unit_coarse(u)]);
	reply_text_z(&c->reply, "sub", unit_substate(u));
	reply_value(&c->reply, TAG_BOOL, "waiting", call_is_waiting_unit(c->h, u));
	reply_value(&c->reply, TAG_STAMP, "since", call_wall_us(u->state_us));
	if (u->work->job.id)
		reply_text_z(&c->reply, "job", job_type_names[u->work->job.type]);
}

static void put_service(struct call *c, struct unit *u)
{
	const struct service *s = service_of(u);

	if (!s)
		return;
	if (proc_pid(&s->main) > 0 && !unit_is_at_rest(u))
		reply_value(&c->reply, TAG_NUMBER, "pid", (uint64_t)proc_pid(&s->main));
	reply_text_z(&c->reply, "status", s->status_text);
	if (s->status_errno)
		reply_value(&c->reply, TAG_SIGNED, "status_errno",
			    (uint64_t)(int64_t)s->status_errno);
	reply_value(&c->reply, TAG_NUMBER, "restarts", s->n_restarts);
	reply_text_z(&c->reply, "peer", s->remote);
}

static void put_listeners(struct call *c, struct unit *u)
{
	const struct socket_unit *s = socket_of(u);

	if (!s || !u->config || !u->config->socket)
		return;
	for (const struct listener *l = u->config->socket->listeners; l; l = l->next)
		reply_item(&c->reply, "listens", l->text);
	reply_value(&c->reply, TAG_NUMBER, "accepted",
		    u->config->socket->accept ? s->n_accepted : 0);
	reply_value(&c->reply, TAG_NUMBER, "connections", s->n_connections);
}

static void tell_trigger_of(struct call *c, const struct unit *u)
{
	graph_for_each(e, u, DEP_TRIGGERED_BY)
	{
		struct unit *t = registry_unit(&c->h->reg, e->to);

		if (!t)
			continue;
		reply_row(&c->reply, "trigger");
		put_state(c, t);
		put_listeners(c, t);
		serve_put_trigger(c, t);
		reply_row_end(&c->reply);
	}
}

static void tell_difference(void *arg, const struct difference *d)
{
	struct call *c = arg;

	reply_row(&c->reply, "change");
	reply_text_z(&c->reply, "directive", d->name);
	reply_text_z(&c->reply, "runs", d->old);
	reply_text_z(&c->reply, "files", d->fresh);
	reply_text_z(&c->reply, "file", d->file);
	if (d->file)
		reply_value(&c->reply, TAG_NUMBER, "line", d->line);
	reply_row_end(&c->reply);
}

/* What runs by other settings than its files have now. Files that make no unit are told of as findings. */
static void tell_changes(struct call *c, struct unit *u)
{
	const struct unit_config *ran = refresh_ran_with(c->h, u);
	struct unit_config *read = NULL, *now = u->config;

	if (unit_is_at_rest(u) || !now || (now->is_private && !c->may_change))
		return;
	if (now->fragment && (u->is_changed_on_disk || load_is_stale(&c->h->load, now)) &&
	    load_unit(&c->h->load, u->name, &read) == 0 && read->load == LOAD_LOADED)
		now = read;
	if ((ran || read) && differ(ran ? ran : u->config, now, tell_difference, c) < 0)
		log_debug("look", "%s: no memory to compare", u->name);
	unit_config_free(read);
}

/* Of this run: an attribute of its cgroup that hark-exec writes. Others may, too: nothing of it is to move a cursor. */
static bool find_lacks(struct call *c, const struct unit *u, char *out, size_t cap)
{
	char below[CGROUP_PATH], path[CGROUP_PATH + sizeof(c->h->cgroups.path)];
	char run[UNIT_RUN_TEXT];
	ssize_t got;

	if (!c->h->cgroups.has_cgroups || unit_is_at_rest(u))
		return false;
	procs_cgroup(u, below);
	snprintf(path, sizeof(path), "%s/%s", c->h->cgroups.path, below);
	got = getxattr(path, PLAN_LACKS_ATTRIBUTE, out, cap - 1);
	unit_run_text(u, run);
	if (got < UNIT_RUN_TEXT || strncmp(out, run, UNIT_RUN_TEXT - 1) != 0)
		return false;
	memmove(out, out + UNIT_RUN_TEXT, (size_t)got - UNIT_RUN_TEXT);
	out[got - UNIT_RUN_TEXT] = '\0';
	for (char *p = out; *p; p++)
		*p = (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p;
	return true;
}

static void tell_note(struct call *c, struct unit *u)
{
	char lacks[LACKS_ROOM];

	if (u->work->again_fx)
		reply_text_z(&c->reply, "status_note",
			     "waits until a process can be made, see the log");
	else if (!u->status_note && find_lacks(c, u, lacks, sizeof(lacks)))
		reply_textf(&c->reply, "status_note", "runs without %s", lacks);
	else
		reply_text_z(&c->reply, "status_note", u->status_note);
}

/* What its file says and does not hold, for it would close an ordering cycle. Was there anything? */
static bool tell_dropped(struct call *c, const struct unit *u)
{
	bool any = false;

	for (uint32_t i = 0; i < u->edges_n; i++) {
		const struct edge *e = &u->edges[i];
		const struct unit *other = registry_unit(&c->h->reg, e->to);
		const char *file = graph_file(&c->h->reg, u, e);

		if (!e->is_broken || !e->is_own || !other)
			continue;
		any = true;
		reply_row(&c->reply, "dropped");
		reply_text_z(&c->reply, "unit", u->name);
		reply_text_z(&c->reply, "directive", dep_names[e->type]);
		reply_text_z(&c->reply, "other", other->name);
		reply_text_z(&c->reply, "file", file);
		if (file)
			reply_value(&c->reply, TAG_NUMBER, "line", e->line);
		reply_row_end(&c->reply);
	}
	return any;
}

static void tell_unit(struct call *c, struct unit *u)
{
	reply_row(&c->reply, "unit");
	put_state(c, u);
	tell_note(c, u);
	put_service(c, u);
	put_listeners(c, u);
	serve_put_trigger(c, u);
	serve_put_mounted(c, u);
	put_reason(c, u);
	put_config(c, u);
	put_usages(c, u);
	graph_for_each(e, u, DEP_TRIGGERS)
	{
		if (registry_unit(&c->h->reg, e->to))
			reply_item(&c->reply, "triggers", registry_unit(&c->h->reg, e->to)->name);
	}
	reply_row_end(&c->reply);
	(void)tell_dropped(c, u);
	tell_changes(c, u);
	tell_processes(c, u);
	tell_trigger_of(c, u);
	call_diags(c, u->name, u->config, DIAG_WARNING);
	call_output(c, u, 0);
}

int serve_status(struct call *c)
{
	struct unit *u;

	if (c->request.args_n == 0)
		return serve_health(c);
	if (c->at == c->request.args_n)
		return CALL_DONE;
	u = call_unit(c, c->request.args[c->at++], EXIT_NO_SUCH_UNIT);
	if (!u)
		return CALL_MORE;
	tell_unit(c, u);
	if (!unit_is_active(u))
		call_fail(c, EXIT_NOT_RUNNING);
	return CALL_MORE;
}

/* --- health --- */

static void put_counts(struct call *c)
{
	const struct registry *r = &c->h->reg;
	uint64_t running = 0, waiting = 0, failed = 0, n = 0;

	for (uint32_t i = 0; i < r->n; i++) {
		const struct unit *u = r->units[i];

		if (!u || unit_load_state(u) == LOAD_STUB)
			continue;
		n++;
		running += unit_is_active(u);
		failed += unit_coarse(u) == FAILED;
		waiting += call_is_waiting_unit(c->h, u);
	}
	reply_value(&c->reply, TAG_NUMBER, "units", n);
	reply_value(&c->reply, TAG_NUMBER, "active", running);
	reply_value(&c->reply, TAG_NUMBER, "waiting", waiting);
	reply_value(&c->reply, TAG_NUMBER, "failed", failed);
	reply_value(&c->reply, TAG_NUMBER, "jobs", c->h->engine.jobs_n);
}

/* Deaths by our own fault; one that somebody killed is no news. */
static void put_last_crash(struct call *c)
{
	struct crash crash;
	unsigned at = 0;

	while (crash_get(&c->h->crashes, at, &crash) && crash.kind == CRASH_KILLED)
		at++;
	if (!crash_get(&c->h->crashes, at, &crash))
		return;
	reply_value(&c->reply, TAG_NUMBER, "crash", crash.number);
	reply_value(&c->reply, TAG_STAMP, "crash_time", crash.wall_us);
}

/* How much goes on without a manager that knows it. */
static void put_safe_mode(struct call *c)
{
	const struct bank_table *table = c->h->bank.table;
	uint64_t kept[BANK_DEAD + 1] = {0};

	if (!c->h->is_safe)
		return;
	for (uint32_t i = 0; i < table->high; i++)
		kept[table->slot[i].kind <= BANK_DEAD ? table->slot[i].kind : BANK_FREE]++;
	reply_value(&c->reply, TAG_BOOL, "safe_mode", 1);
	reply_value(&c->reply, TAG_NUMBER, "crashes", table->crashes);
	reply_value(&c->reply, TAG_NUMBER, "kept_processes", kept[BANK_PROC]);
	reply_value(&c->reply, TAG_NUMBER, "kept_descriptors", kept[BANK_FD]);
}

static void tell_health(struct call *c)
{
	const struct bank_table *table = c->h->bank.table;
	char host[65] = "";
	uint64_t began = table ? table->start_us : c->h->boot_us;

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	reply_row(&c->reply, "health");
	reply_text_z(&c->reply, "host", host);
	reply_text_z(&c->reply, "state", property_system_state(c->h));
	reply_value(&c->reply, TAG_SPAN, "up", loop_now_us(&c->h->loop) - began);
	if (c->h->ready_us > began)
		reply_value(&c->reply, TAG_SPAN, "boot", c->h->ready_us - began);
	reply_value(&c->reply, TAG_NUMBER, "manager_pid", (uint64_t)getpid());
	reply_value(&c->reply, TAG_NUMBER, "init_pid", (uint64_t)getppid());
	if (table) {
		reply_value(&c->reply, TAG_NUMBER, "generation", table->generation);
		reply_value(&c->reply, TAG_NUMBER, "spawned", table->spawned);
	}
	put_last_crash(c);
	put_safe_mode(c);
	put_counts(c);
	reply_row_end(&c->reply);
}

/* First the whole, then a row for everything a person should look at. */
int serve_health(struct call *c)
{
	const struct registry *r = &c->h->reg;

	if (c->sub == 0) {
		c->sub = 1;
		tell_health(c);
		return CALL_MORE;
	}
	while (c->at < r->n) {
		struct unit *u = r->units[c->at++];
		const struct service *s = u ? service_of(u) : NULL;
		bool is_failed = u && unit_coarse(u) == FAILED;
		bool was_told = u && tell_dropped(c, u);

		if (!is_failed && !(s && s->n_restarts && !unit_is_at_rest(u)) &&
		    !(u && u->is_changed_on_disk)) {
			if (was_told)
				return CALL_MORE;
			continue;
		}
		reply_row(&c->reply, is_failed ? "failed" : "note");
		put_state(c, u);
		put_service(c, u);
		why_down_fields(&c->reply, &c->h->reg, u);
		if (u->is_changed_on_disk)
			reply_value(&c->reply, TAG_BOOL, "changed_on_disk", 1);
		reply_row_end(&c->reply);
		return CALL_MORE;
	}
	return CALL_DONE;
}

/* --- is-active, is-failed --- */

int serve_is_state(struct call *c)
{
	bool wants_failed = c->request.verb->id == VERB_IS_FAILED;
	char name[UNIT_NAME_MAX + 1];
	const struct unit *u;

	if (c->at == c->request.args_n) {
		if (!c->sub)
			c->exit = wants_failed ? EXIT_FAILED : EXIT_NOT_RUNNING;
		return CALL_DONE;
	}
	u = call_known_unit(c, c->request.args[c->at++], name);
	if (u && (wants_failed ? unit_coarse(u) == FAILED : unit_is_active(u)))
		c->sub = 1;
	reply_row(&c->reply, "state");
	reply_text_z(&c->reply, "unit", name);
	reply_text_z(&c->reply, "word", u ? coarse_names[unit_coarse(u)] : coarse_names[INACTIVE]);
	reply_row_end(&c->reply);
	return CALL_MORE;
}

/* --- cat, show --- */

int serve_cat(struct call *c)
{
	struct unit *u;

	if (c->at == c->request.args_n)
		return CALL_DONE;
	u = call_unit(c, c->request.args[c->at++], EXIT_FAILED);
	if (!u)
		return CALL_MORE;
	reply_row(&c->reply, "files");
	reply_text_z(&c->reply, "unit", u->name);
	put_config(c, u);
	reply_row_end(&c->reply);
	return CALL_MORE;
}

static void tell_unknown(struct call *c, const char *name)
{
	reply_text_z(&c->reply, "Id", name);
	reply_text_z(&c->reply, "LoadState", load_state_names[LOAD_NOT_FOUND]);
	reply_text_z(&c->reply, "ActiveState", coarse_names[INACTIVE]);
	reply_text_z(&c->reply, "SubState", "dead");
}

/* Like systemctl, show of a unit that does not exist says so in its properties and is no error. */
static struct unit *unit_to_show(struct call *c, const char *word, char *name)
{
	struct unit *u = call_known_unit(c, word, name);
	bool is_plain = c->may_change || !strchr(name, '@');

	if (!u && is_plain && load_canonical(&c->h->load, name))
		u = registry_get(&c->h->reg, name);
	if (u && engine_load(&c->h->engine, u) < 0)
		u = NULL;
	return u;
}

/* Patterns stand for all units of that name that are loaded. */
static int show_matching(struct call *c)
{
	const char *only = c->request.options[OPT_PROPERTY];
	struct unit *u = call_next_unit(c, &c->at);

	if (!u)
		return CALL_DONE;
	reply_row(&c->reply, "properties");
	property_unit(&c->reply, c->h, u, only, c->request.options[OPT_ALL], c->may_change);
	reply_row_end(&c->reply);
	return CALL_MORE;
}

int serve_show(struct call *c)
{
	const char *only = c->request.options[OPT_PROPERTY];
	char name[UNIT_NAME_MAX + 1] = "";
	struct unit *u;

	if (c->request.args_n && strpbrk(c->request.args[0], "*?["))
		return show_matching(c);
	if (c->at > 0 && c->at >= c->request.args_n)
		return CALL_DONE;
	reply_row(&c->reply, "properties");
	if (c->request.args_n == 0) {
		property_manager(&c->reply, c->h, only);
	} else {
		u = unit_to_show(c, c->request.args[c->at], name);
		if (u)
			property_unit(&c->reply, c->h, u, only, c->request.options[OPT_ALL],
				      c->may_change);
		else
			tell_unknown(c, name);
	}
	reply_row_end(&c->reply);
	c->at++;
	return CALL_MORE;
}

/* --- why, why-not --- */

static void tell_chain(struct call *c, const struct unit *u, uint64_t seq)
{
	struct why_link links[WHY_CHAIN];
	unsigned n = why_chain(&c->h->state, seq, links, WHY_CHAIN);

	for (unsigned i = 0; i < n; i++) {
		reply_row(&c->reply, "because");
		reply_text_z(&c->reply, "unit", u->name);
		reply_value(&c->reply, TAG_NUMBER, "depth", i);
		reply_value(&c->reply, TAG_NUMBER, "entry", links[i].entry->seq);
		reply_value(&c->reply, TAG_STAMP, "time", links[i].entry->wall_us);
		reply_text_z(&c->reply, "subject", links[i].unit);
		reply_text_z(&c->reply, "cause", cause_names[links[i].entry->cause]);
		reply_text_z(&c->reply, "text", links[i].text);
		reply_row_end(&c->reply);
	}
}

/* By name: a unit that has rested since before a takeover has not asked for its slot yet. */
static bool is_about(const struct call *c, const struct ledger_entry *e, const struct unit *u)
{
	const char *name = e->unit ? state_name(&c->h->state, e->unit) : NULL;

	return name && strcmp(name, u->name) == 0;
}

/* The newest ledger entry by which the unit came to rest, or 0. */
static uint64_t find_end(const struct call *c, const struct unit *u)
{
	const struct ledger *l = &c->h->state.image->ledger;

	for (uint64_t seq = l->next; seq > 1; seq--) {
		const struct ledger_entry *e = ledger_get(l, seq - 1);

		if (!e)
			return 0; /* overwritten from here on */
		if (e->kind == LEDGER_STATE && (e->b == INACTIVE || e->b == FAILED) &&
		    is_about(c, e, u))
			return e->seq;
	}
	return 0;
}

/* Does the chain that begins at seq end with the start that this run came from? */
static bool is_in_chain(const struct call *c, uint64_t seq, const struct ledger_entry *run)
{
	struct why_link links[1], of_run[1];

	return why_chain(&c->h->state, seq, links, 1) &&
	       why_chain(&c->h->state, run->parent, of_run, 1) && links[0].entry == of_run[0].entry;
}

/* Earlier runs: the newest few that the ledger still knows; the one that the chain from seq tells is left out. */
static void tell_runs(struct call *c, const struct unit *u, uint64_t seq_told)
{
	const struct ledger *l = &c->h->state.image->ledger;
	bool is_first = true;
	unsigned n = 0;

	for (uint64_t seq = l->next; seq > 1 && n < RUNS; seq--) {
		const struct ledger_entry *e = ledger_get(l, seq - 1);
		struct why_link link;

		if (!e || !why_is_start(e) || !is_about(c, e, u))
			continue;
		if (is_first && (!unit_is_at_rest(u) || is_in_chain(c, seq_told, e))) {
			is_first = false;
			continue;
		}
		is_first = false;
		n++;
		reply_row(&c->reply, "before");
		reply_text_z(&c->reply, "unit", u->name);
		reply_value(&c->reply, TAG_STAMP, "time", e->wall_us);
		if (why_chain(&c->h->state, e->parent, &link, 1))
			reply_text_z(&c->reply, "text", link.text);
		reply_row_end(&c->reply);
	}
}

/* What would start it: triggers and the units that want it, with whether they could do so now. */
static void put_starters(struct call *c, const struct unit *u)
{
	static const enum dep_type types[] = {DEP_TRIGGERED_BY, DEP_WANTED_BY, DEP_REQUIRED_BY,
					      DEP_BOUND_BY, DEP_UPHELD_BY};
	char text[UNIT_NAME_MAX + 64];

	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		graph_for_each(e, u, types[i])
		{
			const struct unit *v = registry_unit(&c->h->reg, e->to);

			if (!v)
				continue;
			snprintf(text, sizeof(text), "%s (%s%s)", v->name, dep_names[types[i]],
				 i == 0 && unit_is_active(v) ? ", armed" : "");
			reply_item(&c->reply, "starters", text);
		}
	}
}

static void put_keepers(struct call *c, struct unit *u)
{
	const struct unit_config *config = u->config;

	if (config && config->service)
		reply_text_z(&c->reply, "restart", service_restart_names[config->service->restart]);
	if (config && config->unit->stop_when_unneeded)
		reply_value(&c->reply, TAG_BOOL, "stop_when_unneeded", 1);
}

/* The ledger entry to tell of: of the start that it waits for, of its end, or of its present run. */
static uint64_t entry_to_tell(const struct call *c, const struct unit *u)
{
	uint64_t end;

	if (!unit_is_at_rest(u))
		return u->why_entry;
	if (job_pending(u) == JOB_START)
		return u->work->job.cause.entry;
	end = find_end(c, u);
	return end ? end : u->why_entry;
}

int serve_why(struct call *c)
{
	struct unit *u;

	if (c->request.options[OPT_STARTED_BY])
		return serve_started(c);
	if (c->at == c->request.args_n)
		return CALL_DONE;
	u = call_unit(c, c->request.args[c->at++], EXIT_NO_SUCH_UNIT);
	if (!u)
		return CALL_MORE;
	reply_row(&c->reply, "why");
	put_state(c, u);
	put_reason(c, u);
	put_service(c, u);
	put_keepers(c, u);
	put_starters(c, u);
	reply_value(&c->reply, TAG_NUMBER, "activations", u->n_activations);
	reply_row_end(&c->reply);
	tell_chain(c, u, entry_to_tell(c, u));
	tell_runs(c, u, entry_to_tell(c, u));
	if (unit_is_at_rest(u))
		call_diags(c, u->name, u->config, DIAG_ERROR);
	return CALL_MORE;
}
