/* SPDX-License-Identifier: MIT */
#include "ctl/property.h"

#include <stdio.h>

#include "core/fd.h"
#include "core/graph.h"
#include "core/procs.h"
#include "core/transient.h"
#include "ctl/property_live.h"
#include "ctl/property_setting.h"
#include "units/device_unit.h"
#include "units/mount_unit.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/show.h"
#include "units/socket.h"

/* What the offset of a row counts from. A unit whose configuration lacks the part has no such property. */
enum base { OF_UNIT, OF_CONFIG, OF_SETTINGS, OF_SERVICE, OF_SOCKET, OF_EXEC, OF_KINDS };

struct view {
	struct reply *reply;
	struct hark *h;
	struct unit *u;
	bool with_empty;
	const char *bases[OF_KINDS];
};

struct property;
typedef void (*print_fn)(struct view *v, const struct property *p);

struct property {
	const char *name;
	uint32_t types; /* bit (1 << enum unit_type); ALL_TYPES */
	enum base base;
	size_t at; /* bytes; of print_commands: which list */
	print_fn print;
	const char *const *words; /* of print_word: the names of an enum */
};

enum {
	ALL_TYPES = (1 << UNIT_TYPES) - 1,
	SERVICES = 1 << UNIT_SERVICE,
	SOCKETS = 1 << UNIT_SOCKET,
	SCOPES = 1 << UNIT_SCOPE,
	SLICES = 1 << UNIT_SLICE,
	DEVICES = 1 << UNIT_DEVICE,
	MOUNTS = 1 << UNIT_MOUNT,
	SWAPS = 1 << UNIT_SWAP
};

static const void *field(const struct view *v, const struct property *p)
{
	return v->bases[p->base] + p->at;
}

static void put_text(struct view *v, const char *name, const char *text)
{
	if (v->with_empty || (text && *text))
		reply_text_z(v->reply, name, text ? text : "");
}

/* --- printers of plain fields --- */

static void print_text(struct view *v, const struct property *p)
{
	const char *text;

	memcpy(&text, field(v, p), sizeof(text));
	put_text(v, p->name, text);
}

static void print_bool(struct view *v, const struct property *p)
{
	reply_value(v->reply, TAG_BOOL, p->name, *(const bool *)field(v, p));
}

static void print_u32(struct view *v, const struct property *p)
{
	uint32_t value;

	memcpy(&value, field(v, p), sizeof(value));
	reply_value(v->reply, TAG_NUMBER, p->name, value);
}

static void print_u64(struct view *v, const struct property *p)
{
	uint64_t value;

	memcpy(&value, field(v, p), sizeof(value));
	reply_value(v->reply, TAG_NUMBER, p->name, value);
}

/* Of a struct proc_ref: 0 once the process has ended. */
static void print_live_pid(struct view *v, const struct property *p)
{
	reply_value(v->reply, TAG_NUMBER, p->name, (uint64_t)proc_pid(field(v, p)));
}

static void print_int(struct view *v, const struct property *p)
{
	int value;

	memcpy(&value, field(v, p), sizeof(value));
	reply_value(v->reply, TAG_SIGNED, p->name, (uint64_t)(int64_t)value);
}

uint64_t property_wall_us(uint64_t mono_us)
{
	return mono_us ? clock_wall_us() - clock_mono_us() + mono_us : 0;
}

/* A moment of CLOCK_MONOTONIC as wall clock time, and with "Monotonic" behind its name as it is. */
static void print_stamp(struct view *v, const struct property *p)
{
	uint64_t value;

	memcpy(&value, field(v, p), sizeof(value));
	reply_value(v->reply, TAG_STAMP, p->name, property_wall_us(value));
}

static void print_names(struct view *v, const struct property *p)
{
	const struct name_list *l;

	memcpy(&l, field(v, p), sizeof(l));
	if (!l && v->with_empty)
		reply_text_z(v->reply, p->name, "");
	for (; l; l = l->next)
		reply_item(v->reply, p->name, l->text);
}

static void print_word(struct view *v, const struct property *p)
{
	put_text(v, p->name, p->words[*(const uint8_t *)field(v, p)]);
}

static void print_stdio(struct view *v, const struct property *p)
{
	const struct stdio *s = field(v, p);

	if (s->path)
		reply_textf(v->reply, p->name, "%s:%s", stdio_names[s->kind], s->path);
	else
		put_text(v, p->name, stdio_names[s->kind]);
}

/* How the main command was run last: "START-WALL START EXIT-WALL EXIT PID CODE STATUS". */
static void add_record(const struct view *v, const struct property *p, uint32_t at, struct sbuf *b)
{
	const struct service *s = service_of(v->u);
	const struct proc_ref *m = s ? &s->main : NULL;

	if (!m || !m->pid || at != s->main_at || strcmp(p->name, "ExecStart") != 0)
		return;
	sbuf_addf(b, " ; run=%llu %llu %llu %llu %d %d %d",
		  (unsigned long long)property_wall_us(s->main_start_us),
		  (unsigned long long)s->main_start_us,
		  (unsigned long long)property_wall_us(s->main_exit_us),
		  (unsigned long long)s->main_exit_us, m->pid, m->code, m->status);
}

static void print_commands(struct view *v, const struct property *p)
{
	const struct command *c = command_first(v->u->config, (unsigned)p->at);
	uint32_t at = 0;

	for (; c; c = command_next(c)) {
		struct sbuf b = {0};

		sbuf_addf(&b, "{ path=%s ; argv[]=", c->path);
		for (uint32_t i = 0; i < c->argc; i++) {
			sbuf_add_z(&b, i ? " " : "");
			show_quoted(c->argv[i], &b);
		}
		sbuf_addf(&b, " ; ignore_errors=%s", c->ignore_failure ? "yes" : "no");
		add_record(v, p, at++, &b);
		sbuf_add_z(&b, " }");
		if (!b.err)
			reply_item(v->reply, p->name, b.p);
		sbuf_fini(&b);
	}
}

/* --- printers that compute --- */

static void print_id(struct view *v, const struct property *p)
{
	put_text(v, p->name, v->u->name);
}

static void print_type_word(struct view *v, const struct property *p)
{
	put_text(v, p->name, unit_type_names[v->u->type]);
}

static void print_load(struct view *v, const struct property *p)
{
	put_text(v, p->name, load_state_names[unit_load_state(v->u)]);
}

static void print_load_error(struct view *v, const struct property *p)
{
	const struct unit_config *c = v->u->config;
	const struct diag *d = c && c->load != LOAD_LOADED ? c->diags.first : NULL;

	while (d && d->severity != DIAG_ERROR)
		d = d->next;
	put_text(v, p->name, d ? d->message : NULL);
}

static void print_active(struct view *v, const struct property *p)
{
	put_text(v, p->name, coarse_names[unit_coarse(v->u)]);
}

static void print_sub(struct view *v, const struct property *p)
{
	put_text(v, p->name, unit_substate(v->u));
}

static void print_description(struct view *v, const struct property *p)
{
	put_text(v, p->name, unit_description(v->u));
}

static void print_result(struct view *v, const struct property *p)
{
	put_text(v, p->name, v->u->ops->result ? v->u->ops->result(v->u) : "success");
}

static bool is_stale(const struct view *v)
{
	return v->u->is_changed_on_disk ||
	       (v->u->config && v->u->config->fragment && load_is_stale(&v->h->load, v->u->config));
}

static void print_transient(struct view *v, const struct property *p)
{
	reply_value(v->reply, TAG_BOOL, p->name, transient_is(v->h, v->u));
}

static void print_stale(struct view *v, const struct property *p)
{
	reply_value(v->reply, TAG_BOOL, p->name, is_stale(v));
}

static void print_can_start(struct view *v, const struct property *p)
{
	const struct unit_config *c = v->u->config;

	reply_value(v->reply, TAG_BOOL, p->name,
		    c && c->load == LOAD_LOADED && !c->unit->refuse_manual_start);
}

static void print_can_stop(struct view *v, const struct property *p)
{
	const struct unit_config *c = v->u->config;

	reply_value(v->reply, TAG_BOOL, p->name,
		    c && !c->unit->refuse_manual_stop && !v->u->has_perpetual);
}

static void print_can_reload(struct view *v, const struct property *p)
{
	reply_value(v->reply, TAG_BOOL, p->name,
		    v->u->ops->can_reload && v->u->ops->can_reload(v->u));
}

static void print_condition_result(struct view *v, const struct property *p)
{
	bool was_started = v->u->condition_us || v->u->inactive_exit_us;

	reply_value(v->reply, TAG_BOOL, p->name, was_started && v->u->condition_result != 2);
}

/* A unit whose assertion does not hold has not started at all. */
static void print_assert_result(struct view *v, const struct property *p)
{
	reply_value(v->reply, TAG_BOOL, p->name,
		    (v->u->condition_us || v->u->inactive_exit_us) &&
			    v->u->last_job_result != JOB_RES_ASSERT);
}

static void print_can_freeze(struct view *v, const struct property *p)
{
	bool has_group = (SERVICES | SCOPES | SLICES) >> v->u->type & 1;

	reply_value(v->reply, TAG_BOOL, p->name,
		    has_group && v->h->cgroups.has_cgroups && unit_load_state(v->u) == LOAD_LOADED);
}

/* The kinds of directories that `clean` would take away. */
static void print_can_clean(struct view *v, const struct property *p)
{
	static const char *const words[EXEC_DIRS] = {"runtime", "state", "cache", "logs",
						     "configuration"};
	const struct unit_config *c = v->u->config;

	for (unsigned i = 0; c && c->exec && i < EXEC_DIRS; i++)
		if (c->exec->directories[i].names)
			reply_item(v->reply, p->name, words[i]);
}

/* hark-mount must not wait at the automount point that it mounts over: it stays in PID 1's group. */
static void print_same_group(struct view *v, const struct property *p)
{
	reply_value(v->reply, TAG_BOOL, p->name, mount_of(v->u) != NULL);
}

static void print_controller(struct view *v, const struct property *p)
{
	put_text(v, p->name, scope_controller(v->u));
}

static void print_restart_signal(struct view *v, const struct property *p)
{
	const struct exec_config *e = v->u->config ? v->u->config->exec : NULL;

	if (e)
		reply_value(v->reply, TAG_NUMBER, p->name,
			    (uint64_t)(e->kill.restart_signal ? e->kill.restart_signal
							      : e->kill.signal));
}

const char *const marker_names[2] = {"needs-reload", "needs-restart"};

static void print_markers(struct view *v, const struct property *p)
{
	for (unsigned i = 0; i < ARRAY_SIZE(marker_names); i++)
		if (v->u->markers >> i & 1)
			reply_item(v->reply, p->name, marker_names[i]);
}

static void print_job(struct view *v, const struct property *p)
{
	reply_value(v->reply, TAG_NUMBER, p->name, v->u->work->job.id);
}

static void print_job_type(struct view *v, const struct property *p)
{
	if (v->u->work->job.id)
		reply_text_z(v->reply, p->name, job_type_names[v->u->work->job.type]);
}

static void print_cgroup(struct view *v, const struct property *p)
{
	char path[CGROUP_PATH];

	if (!v->h->cgroups.has_cgroups || unit_is_at_rest(v->u)) {
		put_text(v, p->name, NULL);
		return;
	}
	procs_cgroup(v->u, path);
	reply_textf(v->reply, p->name, "%s%s%s", v->h->cgroups.prefix,
		    path[0] || !v->h->cgroups.prefix[0] ? "/" : "", path);
}

static void print_invocation(struct view *v, const struct property *p)
{
	char text[33] = "";
	bool is_set = false;

	for (unsigned i = 0; i < sizeof(v->u->invocation); i++) {
		snprintf(text + 2 * i, sizeof(text) - 2 * i, "%02x", v->u->invocation[i]);
		is_set = is_set || v->u->invocation[i];
	}
	put_text(v, p->name, is_set ? text : NULL);
}

/* Enabled when one of the units its [Install] names pulls it in. */
static void print_file_state(struct view *v, const struct property *p)
{
	const struct unit_config *c = v->u->config;
	const struct name_list *lists[] = {c ? c->unit->wanted_by : NULL,
					   c ? c->unit->required_by : NULL};
	const char *word = !c || !c->fragment ? "" : c->has_install ? "disabled" : "static";

	if (transient_is(v->h, v->u))
		word = "transient";
	if (c && c->load == LOAD_MASKED)
		word = "masked";
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++)
		for (const struct name_list *l = lists[i]; l; l = l->next) {
			const struct unit *t = registry_find(&v->h->reg, l->text);

			if (t && graph_has(v->u, i ? DEP_REQUIRED_BY : DEP_WANTED_BY, t->id))
				word = "enabled";
		}
	put_text(v, p->name, word);
}

/* How the last `clean` of its directories ended. */
static void print_clean_result(struct view *v, const struct property *p)
{
	put_text(v, p->name, v->u->is_unclean ? "exit-code" : "success");
}

/* As the service has asked for, else as the file says. */
static void print_watchdog(struct view *v, const struct property *p)
{
	const struct service *s = service_of(v->u);
	const struct unit_config *c = v->u->config;
	uint64_t written = c && c->service ? c->service->watchdog_us : 0;

	reply_value(v->reply, TAG_SPAN, p->name, s->watchdog_us ? s->watchdog_us : written);
}

static void print_fd_name(struct view *v, const struct property *p)
{
	const struct unit_config *c = v->u->config;

	if (c && c->socket)
		put_text(v, p->name, c->socket->fd_name ? c->socket->fd_name : v->u->name);
}

static void print_exit_code(struct view *v, const struct property *p)
{
	reply_value(v->reply, TAG_NUMBER, p->name, (uint64_t)service_of(v->u)->main.code);
}

/* Id first, then the links to its file. */
static void print_all_names(struct view *v, const struct property *p)
{
	const struct load_entry *e = index_find(&v->h->load, str_of(v->u->name));

	reply_item(v->reply, p->name, v->u->name);
	for (const struct load_entry *a = e ? e->tie->aliases : NULL; a; a = a->tie->alias_next)
		reply_item(v->reply, p->name, a->name);
}

/* What is counted without Accept=yes is no connection. */
static void print_accepted(struct view *v, const struct property *p)
{
	const struct unit_config *c = v->u->config;

	reply_value(v->reply, TAG_NUMBER, p->name,
		    c && c->socket && c->socket->accept ? socket_of(v->u)->n_accepted : 0);
}

static void print_listen(struct view *v, const struct property *p)
{
	const struct listener *l = v->u->config->socket->listeners;

	for (; l; l = l->next) {
		struct sbuf b = {0};
		const char *kind = listen_names[l->kind];

		sbuf_addf(&b, "%s (%s)", l->text,
			  strncmp(kind, "Listen", 6) == 0 ? kind + 6 : kind);
		if (!b.err)
			reply_item(v->reply, p->name, b.p);
		sbuf_fini(&b);
	}
}

/* --- the table --- */

#define UNIT_FIELD(m) OF_UNIT, offsetof(struct unit, m)
#define CONFIG_FIELD(m) OF_CONFIG, offsetof(struct unit_config, m)
#define COMMANDS(list) OF_CONFIG, (list)
#define SETTINGS_FIELD(m) OF_SETTINGS, offsetof(struct unit_settings, m)
#define SERVICE_OBJECT(m) OF_UNIT, offsetof(struct service, m)
#define SOCKET_OBJECT(m) OF_UNIT, offsetof(struct socket_unit, m)
#define SOCKET_FIELD(m) OF_SOCKET, offsetof(struct socket_config, m)
#define EXEC_FIELD(m) OF_EXEC, offsetof(struct exec_config, m)
#define WHOLE OF_UNIT, 0
enum { EXECS = SERVICES | SOCKETS | MOUNTS | SWAPS };

/* clang-format off */
static const struct property properties[] = {
	{ "Id", ALL_TYPES, WHOLE, print_id, NULL },
	{ "Names", ALL_TYPES, WHOLE, print_all_names, NULL },
	{ "UnitType", ALL_TYPES, WHOLE, print_type_word, NULL },
	{ "Description", ALL_TYPES, WHOLE, print_description, NULL },
	{ "LoadState", ALL_TYPES, WHOLE, print_load, NULL },
	{ "LoadError", ALL_TYPES, WHOLE, print_load_error, NULL },
	{ "ActiveState", ALL_TYPES, WHOLE, print_active, NULL },
	{ "SubState", ALL_TYPES, WHOLE, print_sub, NULL },
	{ "FragmentPath", ALL_TYPES, CONFIG_FIELD(fragment), print_text, NULL },
	{ "DropInPaths", ALL_TYPES, CONFIG_FIELD(dropins), print_names, NULL },
	{ "UnitFileState", ALL_TYPES, WHOLE, print_file_state, NULL },
	{ "Transient", ALL_TYPES, WHOLE, print_transient, NULL },
	{ "NeedDaemonReload", ALL_TYPES, WHOLE, print_stale, NULL },
	{ "Markers", ALL_TYPES, WHOLE, print_markers, NULL },
	{ "Job", ALL_TYPES, WHOLE, print_job, NULL },
	{ "JobType", ALL_TYPES, WHOLE, print_job_type, NULL },
	{ "InvocationID", ALL_TYPES, WHOLE, print_invocation, NULL },
	{ "CanStart", ALL_TYPES, WHOLE, print_can_start, NULL },
	{ "CanStop", ALL_TYPES, WHOLE, print_can_stop, NULL },
	{ "CanReload", ALL_TYPES, WHOLE, print_can_reload, NULL },
	{ "CanIsolate", ALL_TYPES, SETTINGS_FIELD(allow_isolate), print_bool, NULL },
	{ "StateChangeTimestamp", ALL_TYPES, UNIT_FIELD(state_us), print_stamp, NULL },
	{ "StateChangeTimestampMonotonic", ALL_TYPES, UNIT_FIELD(state_us), print_u64, NULL },
	{ "InactiveExitTimestamp", ALL_TYPES, UNIT_FIELD(inactive_exit_us), print_stamp, NULL },
	{ "InactiveExitTimestampMonotonic", ALL_TYPES, UNIT_FIELD(inactive_exit_us), print_u64, NULL },
	{ "ActiveEnterTimestamp", ALL_TYPES, UNIT_FIELD(active_enter_us), print_stamp, NULL },
	{ "ActiveEnterTimestampMonotonic", ALL_TYPES, UNIT_FIELD(active_enter_us), print_u64, NULL },
	{ "ActiveExitTimestamp", ALL_TYPES, UNIT_FIELD(active_exit_us), print_stamp, NULL },
	{ "ActiveExitTimestampMonotonic", ALL_TYPES, UNIT_FIELD(active_exit_us), print_u64, NULL },
	{ "InactiveEnterTimestamp", ALL_TYPES, UNIT_FIELD(inactive_enter_us), print_stamp, NULL },
	{ "InactiveEnterTimestampMonotonic", ALL_TYPES, UNIT_FIELD(inactive_enter_us), print_u64, NULL },
	{ "ConditionResult", ALL_TYPES, WHOLE, print_condition_result, NULL },
	{ "Result", ALL_TYPES, WHOLE, print_result, NULL },
	{ "NActivations", ALL_TYPES, UNIT_FIELD(n_activations), print_u32, NULL },
	{ "AssertResult", ALL_TYPES, WHOLE, print_assert_result, NULL },
	{ "Perpetual", ALL_TYPES, UNIT_FIELD(has_perpetual), print_bool, NULL },
	{ "CanFreeze", ALL_TYPES, WHOLE, print_can_freeze, NULL },
	{ "CanClean", SERVICES | SOCKETS, WHOLE, print_can_clean, NULL },
	{ "CleanResult", EXECS, WHOLE, print_clean_result, NULL },
	{ "FileDescriptorName", SOCKETS, WHOLE, print_fd_name, NULL },
	{ "ControlGroup", EXECS | SCOPES | SLICES, WHOLE, print_cgroup, NULL },

	{ "Controller", SCOPES, WHOLE, print_controller, NULL },
	{ "SysFSPath", DEVICES, OF_UNIT, offsetof(struct device_unit, sysfs), print_text, NULL },
	{ "NFileDescriptorStore", SERVICES, SERVICE_OBJECT(fd_store_n), print_u32, NULL },
	{ "MainPID", SERVICES, SERVICE_OBJECT(main), print_live_pid, NULL },
	{ "ControlPID", SERVICES, SERVICE_OBJECT(control), print_live_pid, NULL },
	{ "StatusText", SERVICES, SERVICE_OBJECT(status_text), print_text, NULL },
	{ "StatusErrno", SERVICES, SERVICE_OBJECT(status_errno), print_int, NULL },
	{ "WatchdogUSec", SERVICES, WHOLE, print_watchdog, NULL },
	{ "NRestarts", SERVICES, SERVICE_OBJECT(n_restarts), print_u32, NULL },
	{ "ReloadResult", SERVICES, SERVICE_OBJECT(reload_result), print_word, service_result_names },
	{ "ExecMainStartTimestamp", SERVICES, SERVICE_OBJECT(main_start_us), print_stamp, NULL },
	{ "ExecMainStartTimestampMonotonic", SERVICES, SERVICE_OBJECT(main_start_us), print_u64, NULL },
	{ "ExecMainExitTimestamp", SERVICES, SERVICE_OBJECT(main_exit_us), print_stamp, NULL },
	{ "ExecMainExitTimestampMonotonic", SERVICES, SERVICE_OBJECT(main_exit_us), print_u64, NULL },
	{ "ExecMainPID", SERVICES, SERVICE_OBJECT(main.pid), print_int, NULL },
	{ "ExecMainCode", SERVICES, WHOLE, print_exit_code, NULL },
	{ "ExecMainStatus", SERVICES, SERVICE_OBJECT(main.status), print_int, NULL },
	{ "RemoteAddress", SERVICES, SERVICE_OBJECT(remote), print_text, NULL },
	{ "ExecCondition", SERVICES, COMMANDS(CMD_CONDITION), print_commands, NULL },
	{ "ExecStartPre", SERVICES, COMMANDS(CMD_PRE), print_commands, NULL },
	{ "ExecStart", SERVICES, COMMANDS(CMD_START), print_commands, NULL },
	{ "ExecStartPost", SERVICES, COMMANDS(CMD_POST), print_commands, NULL },
	{ "ExecReload", SERVICES, COMMANDS(CMD_RELOAD), print_commands, NULL },
	{ "ExecStop", SERVICES, COMMANDS(CMD_STOP), print_commands, NULL },
	{ "ExecStopPost", SERVICES, COMMANDS(CMD_STOP_POST), print_commands, NULL },

	{ "Listen", SOCKETS, SOCKET_FIELD(listeners), print_listen, NULL },
	{ "NAccepted", SOCKETS, WHOLE, print_accepted, NULL },
	{ "NConnections", SOCKETS, SOCKET_OBJECT(n_connections), print_u32, NULL },
	{ "NRefused", SOCKETS, SOCKET_OBJECT(n_refused), print_u32, NULL },

	{ "ExecMount", MOUNTS, COMMANDS(MCMD_MOUNT), print_commands, NULL },
	{ "ExecUnmount", MOUNTS, COMMANDS(MCMD_UNMOUNT), print_commands, NULL },
	{ "ExecRemount", MOUNTS, COMMANDS(MCMD_REMOUNT), print_commands, NULL },
	{ "ExecActivate", SWAPS, COMMANDS(MCMD_MOUNT), print_commands, NULL },
	{ "ExecDeactivate", SWAPS, COMMANDS(MCMD_UNMOUNT), print_commands, NULL },

	{ "WorkingDirectory", EXECS, EXEC_FIELD(working_directory), print_text, NULL },
	{ "SameProcessGroup", EXECS, WHOLE, print_same_group, NULL },
	{ "RestartKillSignal", EXECS | SCOPES, WHOLE, print_restart_signal, NULL },
	{ "StandardInput", EXECS, EXEC_FIELD(in), print_stdio, NULL },
	{ "StandardOutput", EXECS, EXEC_FIELD(out), print_stdio, NULL },
	{ "StandardError", EXECS, EXEC_FIELD(err), print_stdio, NULL },
};
/* clang-format on */

/* Dependencies are properties too: one for each type, in the order of DEPS_LIST. */
static void print_dependencies(struct view *v, const char *only)
{
	for (unsigned t = 0; t < DEP_TYPES; t++) {
		bool any = false;

		if (!property_is_wanted(only, dep_names[t]))
			continue;
		graph_for_each(e, v->u, (enum dep_type)t)
		{
			const struct unit *other = registry_unit(&v->h->reg, e->to);

			if (!other)
				continue;
			reply_item(v->reply, dep_names[t], other->name);
			any = true;
		}
		if (!any && v->with_empty)
			reply_text_z(v->reply, dep_names[t], "");
	}
}

static bool has_property(const struct view *v, const struct property *p, bool is_secret)
{
	return p->types & (1u << v->u->type) && v->bases[p->base] &&
	       !(is_secret && p->print == print_commands);
}

void property_unit(struct reply *r, struct hark *h, struct unit *u, const char *only,
		   bool with_empty, bool may_read)
{
	const struct unit_config *c = u->config;
	bool is_secret = c && c->is_private && !may_read;
	struct view v = {.reply = r, .h = h, .u = u, .with_empty = with_empty || only};

	v.bases[OF_UNIT] = (const char *)u;
	v.bases[OF_CONFIG] = (const char *)c;
	v.bases[OF_SETTINGS] = c ? (const char *)c->unit : NULL;
	v.bases[OF_SERVICE] = c ? (const char *)c->service : NULL;
	v.bases[OF_SOCKET] = c ? (const char *)c->socket : NULL;
	v.bases[OF_EXEC] = c ? (const char *)c->exec : NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(properties); i++) {
		const struct property *p = &properties[i];

		if (has_property(&v, p, is_secret) && property_is_wanted(only, p->name))
			p->print(&v, p);
	}
	if (c && !is_secret)
		property_settings(r, c, (enum unit_type)u->type, only, v.with_empty);
	property_live(r, h, u, only);
	print_dependencies(&v, only);
}

unsigned property_count(void)
{
	return ARRAY_SIZE(properties) + DEP_TYPES;
}

const char *property_name(unsigned at)
{
	return at < ARRAY_SIZE(properties) ? properties[at].name
					   : dep_names[at - ARRAY_SIZE(properties)];
}
