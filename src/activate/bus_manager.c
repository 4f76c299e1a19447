/* SPDX-License-Identifier: MIT */
#include "activate/bus_serve.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "activate/bus_value.h"
#include "activate/bus_watch.h"
#include "core/fd.h"
#include "ctl/call.h"
#include "units/name.h"
#include "units/value.h"

static const struct str none = {"", 0};

enum { INVOCATION_BYTES = 16 };

/* --- arguments --- */

/* Where the arguments behind the unit's name begin. */
static unsigned rest_at(const struct bus_call *c)
{
	return c->object.kind == BUS_OBJECT_UNIT ? 0 : 1;
}

/* --- replies --- */

static void reply_path(struct bus_call *c, const char *path)
{
	DBusMessage *reply = bus_reply_new(c);
	DBusMessageIter it;

	if (!reply)
		return;
	dbus_message_iter_init_append(reply, &it);
	bus_put_basic(&it, DBUS_TYPE_OBJECT_PATH, 0, str_of(path));
	bus_reply(c, reply);
}

static void reply_unit_path(struct bus_call *c, const char *unit)
{
	char path[BUS_PATH_MAX];

	bus_watch_asked(c, str_of(unit));
	bus_path_of_unit(unit, path);
	reply_path(c, path);
}

void bus_finish_empty(struct bus_call *c)
{
	if (!bus_fail_by_rows(c))
		bus_reply(c, NULL);
}

/* --- units --- */

static void finish_get_unit(struct bus_call *c)
{
	if (bus_is_loaded(c))
		reply_unit_path(c, c->unit);
}

void serve_get_unit(struct bus_call *c)
{
	if (!bus_watch_unit(c))
		return;
	c->ask.question.options[OPT_PROPERTY] = "Id,LoadState";
	bus_ask(c, VERB_SHOW, 1, finish_get_unit);
}

/* Any name will do: an object for a unit that is not there says so by its properties. */
void serve_load_unit(struct bus_call *c)
{
	if (!bus_take_unit(c))
		return;
	if (name_form(c->unit) == NAME_TEMPLATE)
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "%s is a template: name an instance of it",
			 c->unit);
	else
		reply_unit_path(c, c->unit);
}

static void finish_whose(struct bus_call *c)
{
	const struct row *row = c->ask.rows.first;
	struct str unit;

	if (!row || !row_is(row, "whose")) {
		bus_fail(c, "NoUnitForPID", "PID %s does not belong to any loaded unit.",
			 c->args[0]);
		return;
	}
	unit = row_text(row, "unit");
	snprintf(c->unit, sizeof(c->unit), STR_FMT, STR_ARG(unit));
	reply_unit_path(c, c->unit);
}

void serve_get_unit_by_pid(struct bus_call *c)
{
	pid_t pid = (pid_t)bus_number_argument(c, 0);

	snprintf(c->unit, sizeof(c->unit), "%d", pid ? pid : c->pid);
	c->args[0] = c->unit;
	bus_ask(c, VERB_WHOSE, 1, finish_whose);
}

/* Is the path that of the cgroup, or of one below it? All are below "/": that says nothing. */
static bool lies_in(struct str path, struct str cgroup)
{
	return cgroup.n && str_has_prefix(path, cgroup) &&
	       (path.n == cgroup.n || path.p[cgroup.n] == '/');
}

/* The nearest above it that is a unit's: what it is called itself says nothing, whoever has a unit's cgroup may make others in it. */
static void finish_by_cgroup(struct bus_call *c)
{
	struct str path = str_of(bus_text_argument(c, 0)), nearest = {NULL, 0};

	for (const struct row *row = c->ask.rows.first; row; row = row->next) {
		struct str cgroup = row_text(row, "ControlGroup"), id = row_text(row, "Id");

		if (cgroup.n <= nearest.n || !lies_in(path, cgroup))
			continue;
		nearest = cgroup;
		snprintf(c->unit, sizeof(c->unit), STR_FMT, STR_ARG(id));
	}
	if (nearest.n)
		reply_unit_path(c, c->unit);
	else
		bus_fail(c, "NoSuchUnit",
			 "Control group '%s' is not valid or not managed by this instance", path.p);
}

void serve_get_unit_by_cgroup(struct bus_call *c)
{
	if (bus_text_argument(c, 0)[0] != '/') {
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "\"%s\" is not the path of a cgroup",
			 bus_text_argument(c, 0));
		return;
	}
	c->args[0] = "*";
	c->ask.question.options[OPT_PROPERTY] = "Id,ControlGroup";
	bus_ask(c, VERB_SHOW, 1, finish_by_cgroup);
}

static void finish_by_invocation(struct bus_call *c)
{
	for (const struct row *row = c->ask.rows.first; row; row = row->next)
		if (str_eq_z(row_text(row, "InvocationID"), c->args[1])) {
			struct str id = row_text(row, "Id");

			snprintf(c->unit, sizeof(c->unit), STR_FMT, STR_ARG(id));
			reply_unit_path(c, c->unit);
			return;
		}
	bus_fail(c, "NoUnitForInvocationID", "no unit runs with that id");
}

void serve_get_unit_by_invocation(struct bus_call *c)
{
	DBusMessageIter it, list;
	const unsigned char *bytes = NULL;
	int n = 0;

	dbus_message_iter_init(c->message, &it);
	dbus_message_iter_recurse(&it, &list);
	dbus_message_iter_get_fixed_array(&list, &bytes, &n);
	if (n == 0 && bus_unit_of_pid(c->pid, c->unit)) {
		reply_unit_path(c, c->unit);
		return;
	}
	if (n != INVOCATION_BYTES) {
		bus_fail(c, n ? DBUS_ERROR_INVALID_ARGS : "NoSuchUnit",
			 n ? "the id of an invocation has %d bytes, this one %d"
			   : "of %d bytes there are %d, and the caller belongs to no unit",
			 INVOCATION_BYTES, n);
		return;
	}
	for (int i = 0; i < n; i++)
		snprintf(c->unit + 2 * i, 3, "%02x", bytes[i]);
	c->args[0] = "*";
	c->args[1] = c->unit;
	c->ask.question.options[OPT_PROPERTY] = "Id,InvocationID";
	bus_ask(c, VERB_SHOW, 1, finish_by_invocation);
}

/* --- jobs --- */

/* The job that was asked for, made up where there was nothing to do; 0: it was refused, and the caller knows. */
static uint32_t take_job(struct bus_call *c)
{
	const struct row *row = c->ask.rows.first;
	uint32_t id;

	while (row && !row_is(row, "queued"))
		row = row->next;
	if (!row && bus_fail_by_rows(c))
		return 0;
	id = row ? (uint32_t)row_value(row, "job") : 0;
	return id ? id : bus_job_of_nothing(c->bus, c->unit);
}

void bus_finish_job(struct bus_call *c)
{
	uint32_t id = take_job(c);
	char path[BUS_PATH_MAX];

	if (!id)
		return;
	bus_path_of_job(id, path);
	reply_path(c, path);
}

/* Ask for the job of that verb on c->unit. */
static void ask_job(struct bus_call *c, enum verb_id verb, const char *mode,
		    void (*finish)(struct bus_call *c))
{
	c->ask.question.options[OPT_NO_WAIT] = "";
	c->ask.question.options[OPT_JOB_MODE] = mode;
	if (strcmp(mode, "isolate") == 0 && verb != VERB_START)
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "only a start can isolate");
	else if (strcmp(mode, "triggering") == 0 && verb != VERB_STOP)
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "only a stop can be of what triggers, too");
	else
		bus_ask(c, verb, 1, finish);
}

void serve_job(struct bus_call *c)
{
	unsigned at = rest_at(c);

	if (!bus_watch_unit(c))
		return;
	if (dbus_message_has_member(c->message, "StartUnitWithFlags") &&
	    bus_number_argument(c, at + 1))
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "there are no flags yet");
	else
		ask_job(c, c->method->verb, bus_text_argument(c, at), bus_finish_job);
}

/* The old unit's start is what the new one takes the place of. */
static void finish_replace(struct bus_call *c)
{
	const struct row *row = c->ask.rows.first;
	const char *old = bus_text_argument(c, 0);

	while (row &&
	       !(str_eq_z(row_text(row, "unit"), old) && str_eq_z(row_text(row, "type"), "start")))
		row = row->next;
	if (!row) {
		bus_fail(c, "NoSuchJob", "No job queued for unit %s", old);
		return;
	}
	ask_job(c, VERB_START, bus_text_argument(c, 2), bus_finish_job);
}

void serve_start_replace(struct bus_call *c)
{
	const char *name = bus_text_argument(c, 1);

	if (unit_type_of(name) < 0 || strlen(name) > UNIT_NAME_MAX) {
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "\"%s\" is not the name of a unit", name);
		return;
	}
	memcpy(c->unit, name, strlen(name) + 1);
	c->args[0] = c->unit;
	bus_watch_asked(c, str_of(name));
	bus_ask(c, VERB_JOBS, 0, finish_replace);
}

void serve_get_job(struct bus_call *c)
{
	uint32_t id = bus_job_argument(c);
	char path[BUS_PATH_MAX];

	bus_path_of_job(id, path);
	if (bus_job_find(c->bus, id))
		reply_path(c, path);
	else
		bus_fail_no_job(c);
}

void serve_cancel_job(struct bus_call *c)
{
	uint32_t id = bus_job_argument(c);

	if (!bus_job_find(c->bus, id)) {
		bus_fail_no_job(c);
		return;
	}
	snprintf(c->unit, sizeof(c->unit), "%u", id);
	c->args[0] = c->unit;
	bus_ask(c, VERB_CANCEL, 1, bus_finish_empty);
}

/* --- changes --- */

/* That there is nothing to signal is an error, with "-fail" or without. */
static const char *whom_of(const char *word)
{
	static const struct {
		const char *word, *whom;
	} words[] = {
		{"", "all"},
		{"all-fail", "all"},
		{"main-fail", "main"},
		{"control-fail", "control"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i].word) == 0)
			return words[i].whom;
	return word;
}

void serve_kill(struct bus_call *c)
{
	unsigned at = rest_at(c);
	size_t n;

	if (!bus_watch_unit(c))
		return;
	n = strlen(c->unit) + 1;
	c->ask.question.options[OPT_KILL_WHOM] = whom_of(bus_text_argument(c, at));
	if (n + 12 > sizeof(c->unit)) {
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "the name is too long");
		return;
	}
	snprintf(c->unit + n, sizeof(c->unit) - n, "%u", (uint32_t)bus_number_argument(c, at + 1));
	c->ask.question.options[OPT_SIGNAL] = c->unit + n;
	bus_ask(c, VERB_KILL, 1, bus_finish_empty);
}

/* Methods that are a verb of the manager's, about the unit where there is one. */
void serve_change(struct bus_call *c)
{
	bool is_about_unit = c->object.kind == BUS_OBJECT_UNIT || *c->method->in;

	if (!is_about_unit || bus_watch_unit(c))
		bus_ask(c, c->method->verb, is_about_unit, bus_finish_empty);
}

/* A broken file is told in the log and keeps its unit as it was; the others are read: that is no failure to those who ask here. */
static void finish_reload(struct bus_call *c)
{
	if (c->ask.exit == EXIT_NOT_CONFIGURED)
		bus_reply(c, NULL);
	else
		bus_finish_empty(c);
}

void serve_reload(struct bus_call *c)
{
	bus_ask(c, VERB_RELOAD_CONFIG, 0, finish_reload);
}

/* --- variables --- */

/* Both lists of UnsetAndSetEnvironment(), or the one of the others, as arguments. */
void serve_environment(struct bus_call *c)
{
	bool is_set = c->method->verb == VERB_SET_ENVIRONMENT;
	bool is_both = strchr(c->method->in, ',');
	unsigned n = 0, names_n = 0;
	bool is_good = bus_list_argument(c, 0, c->args, &n);

	if (is_both) {
		names_n = n;
		is_good = is_good && bus_list_argument(c, 1, c->args, &n);
	}
	if (!is_good) {
		bus_fail(c, DBUS_ERROR_LIMITS_EXCEEDED, "more than %d variables at once", BUS_ARGS);
		return;
	}
	for (unsigned i = 0; is_set && i < n; i++)
		if ((i >= names_n) != (strchr(c->args[i], '=') != NULL)) {
			bus_fail(c, DBUS_ERROR_INVALID_ARGS, "\"%s\" is not %s", c->args[i],
				 i < names_n ? "the name of a variable" : "NAME=VALUE");
			return;
		}
	if (n == 0)
		bus_reply(c, NULL);
	else
		bus_ask(c, c->method->verb, n, bus_finish_empty);
}

/* --- directories --- */

void serve_clean(struct bus_call *c)
{
	const char *kinds[BUS_ARGS];
	struct sbuf what = {0};
	unsigned n = 0;

	if (!bus_watch_unit(c))
		return;
	if (!bus_list_argument(c, rest_at(c), kinds, &n)) {
		bus_fail(c, DBUS_ERROR_LIMITS_EXCEEDED, "too many kinds");
		return;
	}
	if (n == 0) {
		bus_fail(c, "NothingToClean", "it names no kinds of directories");
		return;
	}
	for (unsigned i = 0; i < n; i++)
		sbuf_addf(&what, "%s%s", i ? "," : "", kinds[i]);
	c->text = sbuf_take(&what);
	if (c->text)
		c->ask.question.options[OPT_WHAT] = c->text;
	bus_ask(c, VERB_CLEAN, 1, bus_finish_empty);
}

/* --- all jobs --- */

static void finish_clear(struct bus_call *c)
{
	struct sbuf numbers = {0};
	unsigned n = 0;

	for (const struct row *row = c->ask.rows.first; row; row = row->next)
		if (row_is(row, "job") && n < BUS_ARGS) {
			sbuf_addf(&numbers, "%u", (unsigned)row_value(row, "job"));
			sbuf_add_c(&numbers, '\0');
			n++;
		}
	c->text = sbuf_take(&numbers);
	if (!c->text || n == 0) {
		bus_reply(c, NULL);
		return;
	}
	for (unsigned i = 0, at = 0; i < n; i++, at += (unsigned)strlen(c->text + at) + 1)
		c->args[i] = c->text + at;
	bus_ask(c, VERB_CANCEL, n, bus_finish_empty);
}

void serve_clear_jobs(struct bus_call *c)
{
	bus_ask(c, VERB_JOBS, 0, finish_clear);
}

/* --- a job by the name of its type --- */

static const struct {
	const char *type;
	enum verb_id verb;
} job_verbs[] = {
	{"start", VERB_START},
	{"stop", VERB_STOP},
	{"reload", VERB_RELOAD},
	{"restart", VERB_RESTART},
	{"try-restart", VERB_TRY_RESTART},
	{"reload-or-restart", VERB_RELOAD_OR_RESTART},
	{"reload-or-try-restart", VERB_RELOAD_OR_RESTART},
};

static void finish_enqueue(struct bus_call *c)
{
	struct str type = {c->args[1], strlen(c->args[1])};
	char job[BUS_PATH_MAX], unit[BUS_PATH_MAX];
	uint32_t id = take_job(c);
	DBusMessageIter it, list;
	DBusMessage *reply;

	if (!id)
		return;
	reply = bus_reply_new(c);
	if (!reply)
		return;
	bus_path_of_job(id, job);
	bus_path_of_unit(c->unit, unit);
	dbus_message_iter_init_append(reply, &it);
	/* What else came into the queue is told by signals, not here. */
	if (bus_put_basic(&it, DBUS_TYPE_UINT32, id, none) &&
	    bus_put_basic(&it, DBUS_TYPE_OBJECT_PATH, 0, str_of(job)) &&
	    bus_put_text(&it, str_of(c->unit)) &&
	    bus_put_basic(&it, DBUS_TYPE_OBJECT_PATH, 0, str_of(unit)) && bus_put_text(&it, type) &&
	    dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "(uosos)", &list) &&
	    dbus_message_iter_close_container(&it, &list)) {
		bus_reply(c, reply);
		return;
	}
	dbus_message_unref(reply);
	bus_fail(c, DBUS_ERROR_NO_MEMORY, "memory ran out");
}

void serve_enqueue(struct bus_call *c)
{
	unsigned at = rest_at(c);

	if (!bus_watch_unit(c))
		return;
	c->args[1] = bus_text_argument(c, at);
	for (size_t i = 0; i < ARRAY_SIZE(job_verbs); i++)
		if (strcmp(c->args[1], job_verbs[i].type) == 0) {
			ask_job(c, job_verbs[i].verb, bus_text_argument(c, at + 1), finish_enqueue);
			return;
		}
	bus_fail(c, DBUS_ERROR_INVALID_ARGS, "\"%s\" is not a type of job", c->args[1]);
}

void serve_nothing(struct bus_call *c)
{
	bus_reply(c, NULL);
}

/* What is shown at boot and at the end is what the kernel's command line said. */
void serve_show_status(struct bus_call *c)
{
	static const char *const words[] = {"", "auto", "error", "temporary"};
	const char *mode = bus_text_argument(c, 0);
	bool is_on, is_word = value_bool(str_of(mode), &is_on) == 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		is_word = is_word || strcmp(mode, words[i]) == 0;
	if (is_word)
		bus_reply(c, NULL);
	else
		bus_fail(c, DBUS_ERROR_INVALID_ARGS,
			 "\"%s\": it takes yes, no, auto, error or temporary", mode);
}

void serve_exit_code(struct bus_call *c)
{
	snprintf(c->unit, sizeof(c->unit), "ExitCode=%u",
		 (unsigned)(uint8_t)bus_number_argument(c, 0));
	c->args[0] = c->unit;
	bus_ask(c, VERB_CONFIGURE, 1, bus_finish_empty);
}

static void subscribe(struct bus_call *c, bool wants)
{
	bool was = c->peer && c->peer->is_subscribed;

	if (c->peer && c->peer->seat)
		was = c->peer->seat->subscribe(c, wants);
	else if (c->peer)
		c->peer->is_subscribed = wants;
	if (was || wants)
		bus_reply(c, NULL);
	else
		bus_fail(c, "NotSubscribed", "Client is not subscribed.");
}

void serve_subscribe(struct bus_call *c)
{
	subscribe(c, true);
}

void serve_unsubscribe(struct bus_call *c)
{
	subscribe(c, false);
}
