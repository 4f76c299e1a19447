/* SPDX-License-Identifier: MIT */
/* Lists: of units, jobs and processes. */
#include <stdio.h>

#include "activate/bus_body.h"
#include "activate/bus_serve.h"
#include "activate/bus_watch.h"

static const struct str none = {"", 0};

static void put_path(struct bus_body *b, struct str unit, uint32_t job)
{
	char path[BUS_PATH_MAX] = "/", name[UNIT_NAME_MAX + 1];

	if (job) {
		bus_path_of_job(job, path);
	} else if (unit.n && unit.n <= UNIT_NAME_MAX) {
		memcpy(name, unit.p, unit.n);
		name[unit.n] = '\0';
		bus_path_of_unit(name, path);
	}
	bus_body_path(b, str_of(path));
}

typedef void (*put_row_fn)(struct bus_body *b, const struct row *row);

/* An array of structures, one for each row of that kind. */
static void reply_rows(struct bus_call *c, const char *kind, const char *element, put_row_fn put)
{
	struct bus_body body = {0};
	DBusMessage *reply;

	if (bus_fail_by_rows(c))
		return;
	reply = bus_reply_new(c);
	if (!reply)
		return;
	bus_body_begin(&body);
	for (const struct row *row = c->ask.rows.first; row; row = row->next)
		if (row_is(row, kind)) {
			bus_body_struct(&body);
			put(&body, row);
		}
	reply = bus_body_end(&body, reply, element);
	if (reply)
		bus_reply(c, reply);
	else
		bus_fail(c, DBUS_ERROR_NO_MEMORY, "memory ran out");
}

/* --- lists --- */

/* What the fields of a unit are called in an answer of the manager. */
struct unit_keys {
	const char *unit, *description, *load, *active, *sub, *job, *id;
};

static void put_unit(struct bus_body *b, const struct row *row, const struct unit_keys *k)
{
	struct str unit = row_text(row, k->unit), description = row_text(row, k->description);
	uint32_t job = (uint32_t)row_value(row, k->id);

	bus_body_text(b, unit);
	bus_body_text(b, description.n ? description : unit);
	bus_body_text(b, row_text(row, k->load));
	bus_body_text(b, row_text(row, k->active));
	bus_body_text(b, row_text(row, k->sub));
	bus_body_text(b, none);
	put_path(b, unit, 0);
	bus_body_number(b, job);
	bus_body_text(b, row_text(row, k->job));
	put_path(b, none, job);
}

static void put_listed_unit(struct bus_body *b, const struct row *row)
{
	static const struct unit_keys keys = {"unit", "description", "load",  "active",
					      "sub",  "job",         "job_id"};

	put_unit(b, row, &keys);
}

static void finish_list_units(struct bus_call *c)
{
	for (const struct row *row = c->ask.rows.first; row; row = row->next)
		if (row_is(row, "unit"))
			bus_watch_asked(c, row_text(row, "unit"));
	reply_rows(c, "unit", "(ssssssouso)", put_listed_unit);
}

/* The first n of c->args say which. */
static void list_units(struct bus_call *c, unsigned n)
{
	c->ask.question.options[OPT_ALL] = "";
	c->ask.question.options[OPT_BRIEF] = "";
	bus_ask(c, VERB_LIST, n, finish_list_units);
}

/* The states of argument n, joined for the option; "" for none. */
static bool join_states(struct bus_call *c, unsigned n)
{
	const char *states[BUS_ARGS];
	unsigned count = 0;
	size_t at = 0;

	c->unit[0] = '\0';
	if (!bus_list_argument(c, n, states, &count))
		return false;
	for (unsigned i = 0; i < count; i++) {
		int r = snprintf(c->unit + at, sizeof(c->unit) - at, "%s%s", i ? "," : "",
				 states[i]);

		if (r < 0 || (size_t)r >= sizeof(c->unit) - at)
			return false;
		at += (size_t)r;
	}
	return true;
}

void serve_list_units(struct bus_call *c)
{
	const char *types = dbus_message_get_signature(c->message);
	unsigned n = 0;
	bool is_good = (!types[0] || join_states(c, 0)) &&
		       (strcmp(types, "asas") != 0 || bus_list_argument(c, 1, c->args, &n));

	if (!is_good) {
		bus_fail(c, DBUS_ERROR_LIMITS_EXCEEDED, "too many patterns");
		return;
	}
	if (c->unit[0])
		c->ask.question.options[OPT_STATE] = c->unit;
	list_units(c, n);
}

static void put_shown_unit(struct bus_body *b, const struct row *row)
{
	static const struct unit_keys keys = {.unit = "Id",
					      .description = "Description",
					      .load = "LoadState",
					      .active = "ActiveState",
					      .sub = "SubState",
					      .job = "JobType",
					      .id = "Job"};

	put_unit(b, row, &keys);
}

static void finish_list_by_names(struct bus_call *c)
{
	for (const struct row *row = c->ask.rows.first; row; row = row->next)
		bus_watch_asked(c, row_text(row, "Id"));
	reply_rows(c, "properties", "(ssssssouso)", put_shown_unit);
}

/* Each name has a line, also one that no unit has. */
void serve_list_units_by_names(struct bus_call *c)
{
	unsigned n = 0;

	if (!bus_list_argument(c, 0, c->args, &n)) {
		bus_fail(c, DBUS_ERROR_LIMITS_EXCEEDED, "too many names");
		return;
	}
	if (n == 0) { /* to `show` nothing is the manager itself */
		reply_rows(c, "properties", "(ssssssouso)", put_shown_unit);
		return;
	}
	c->ask.question.options[OPT_PROPERTY] =
		"Id,Description,LoadState,ActiveState,SubState,Job,JobType";
	bus_ask(c, VERB_SHOW, n, finish_list_by_names);
}

static void put_listed_job(struct bus_body *b, const struct row *row)
{
	uint32_t job = (uint32_t)row_value(row, "job");
	struct str unit = row_text(row, "unit");

	bus_body_number(b, job);
	bus_body_text(b, unit);
	bus_body_text(b, row_text(row, "type"));
	bus_body_text(b, row_text(row, "state"));
	put_path(b, none, job);
	put_path(b, unit, 0);
}

static void finish_list_jobs(struct bus_call *c)
{
	reply_rows(c, "job", "(usssoo)", put_listed_job);
}

void serve_list_jobs(struct bus_call *c)
{
	bus_ask(c, VERB_JOBS, 0, finish_list_jobs);
}

/* Does the job of the row wait for job `id`, a number as text? */
static bool waits_for(const struct row *row, const char *id)
{
	unsigned at = 0;
	struct str item;

	while (row && row_item(row, "after", &at, &item))
		if (str_eq_z(item, id))
			return true;
	return false;
}

/* Rows of other jobs than those wanted become rows of nothing. */
static void finish_waiting(struct bus_call *c)
{
	bool is_after = str_has_suffix(str_of(c->method->name), STR("After"));
	const struct row *mine = c->ask.rows.first;
	uint32_t id = bus_job_argument(c);
	char number[16];

	while (mine && row_value(mine, "job") != id)
		mine = mine->next;
	if (!mine) {
		bus_fail_no_job(c);
		return;
	}
	for (struct row *row = c->ask.rows.first; row; row = row->next) {
		snprintf(number, sizeof(number), "%u", (unsigned)row_value(row, "job"));
		if (is_after ? !waits_for(row, c->args[0]) : !waits_for(mine, number))
			row->kind = "";
	}
	reply_rows(c, "job", "(usssoo)", put_listed_job);
}

/* After: those that wait for the job; Before: those that it waits for. */
void serve_get_waiting(struct bus_call *c)
{
	snprintf(c->unit, sizeof(c->unit), "%u", bus_job_argument(c));
	c->args[0] = c->unit;
	bus_ask(c, VERB_JOBS, 0, finish_waiting);
}

static void put_process(struct bus_body *b, const struct row *row)
{
	bus_body_text(b, row_text(row, "cgroup"));
	bus_body_number(b, (uint32_t)row_value(row, "pid"));
	bus_body_text(b, row_text(row, "command"));
}

static void finish_processes(struct bus_call *c)
{
	reply_rows(c, "process", "(sus)", put_process);
}

void serve_get_processes(struct bus_call *c)
{
	if (bus_watch_unit(c))
		bus_ask(c, VERB_STATUS, 1, finish_processes);
}
