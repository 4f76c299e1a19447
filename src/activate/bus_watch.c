/* SPDX-License-Identifier: MIT */
#include "activate/bus_watch.h"

#include <stdio.h>

#include "activate/bus_controller.h"
#include "activate/bus_keep.h"
#include "activate/bus_news.h"
#include "activate/bus_system.h"
#include "activate/bus_value.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/mem.h"

/* Properties that announce their changes; asked for with every change. What follows from others is not among them. */
#define FOLLOWED                                                                               \
	"ActiveState,SubState,InactiveExitTimestamp,ActiveEnterTimestamp,ActiveExitTimestamp," \
	"InactiveEnterTimestamp,Job,InvocationID,Result,MainPID,ControlPID,StatusText,"        \
	"StatusErrno,NRestarts,ReloadResult,ExecMainStartTimestamp,ExecMainExitTimestamp,"     \
	"ExecMainPID,ExecMainCode,ExecMainStatus,NConnections,NAccepted,NRefused,Controller"

enum { FIRST_OF_OURS = 0x80000000 }; /* jobs that the manager had nothing to do for */

/*
 * Changes of a unit are gathered for TELL_US. While a job of it goes on they wait for its end, of which all who wait for the unit hear anyway, but
 * for TELL_JOB_US at most.
 */
enum { TELL_US = 10 * 1000, TELL_JOB_US = 2000 * 1000 };

/* Units that were asked about and have not changed yet; names are made up easily. */
enum { ASKED_MOST = 4096 };

/* What was told of a unit last, so that only changes are sent, and what is to be told. */
struct known {
	struct map_node node;
	struct list due_node;  /* of those of which something is to be told */
	char *unit;            /* owned */
	struct rows told, now; /* one row each, or none */
	uint64_t since_us, due_us;
	bool is_asked;     /* somebody knows of it: all its changes are told */
	bool is_announced; /* by UnitNew */
	uint32_t round;    /* of looking how all units are, in which it was seen last */
};

/* Of a job (id), or of all that is known of a unit (0). */
struct held_end {
	struct list node;
	uint32_t id;
	char result[24];
	char unit[UNIT_NAME_MAX + 1];
};

struct bus_watch {
	struct bus *bus;
	struct ask ask;
	struct map jobs, units;
	struct list held; /* ends of jobs, oldest first */
	struct list due;
	struct timer tell;
	struct task release;
	uint32_t next_of_ours;
	struct ask again; /* how all units are, after a manager's death */
	const char *everything[1];
	bool is_known, is_looking;
	bool is_new; /* we, to those who have subscribed: they hear of all that failed */
	unsigned asked_n;
	uint32_t round;
	bool is_all_asked; /* more were asked about than are kept: everything is told */
};

/* --- tables --- */

static bool is_job(const struct map_node *node, const void *key)
{
	return container_of(node, struct bus_job, node)->id == *(const uint32_t *)key;
}

static bool is_unit(const struct map_node *node, const void *key)
{
	return str_eq_z(*(const struct str *)key, container_of(node, struct known, node)->unit);
}

static struct bus_job *find_job(const struct bus_watch *w, uint32_t id)
{
	struct map_node *node = map_find(&w->jobs, map_hash_u64(id), is_job, &id);

	return node ? container_of(node, struct bus_job, node) : NULL;
}

static struct known *find_known(const struct bus_watch *w, struct str unit)
{
	struct map_node *node = map_find(&w->units, str_hash(unit), is_unit, &unit);

	return node ? container_of(node, struct known, node) : NULL;
}

const struct bus_job *bus_job_find(struct bus *b, uint32_t id)
{
	return b->watch ? find_job(b->watch, id) : NULL;
}

static void free_job(struct bus_watch *w, struct bus_job *j)
{
	map_del(&w->jobs, &j->node);
	mem_put(j->unit);
	mem_put(j);
}

static void free_known(struct bus_watch *w, struct known *k)
{
	map_del(&w->units, &k->node);
	list_del(&k->due_node);
	rows_fini(&k->told);
	rows_fini(&k->now);
	mem_put(k->unit);
	mem_put(k);
}

/* --- signals --- */

/* result NULL: JobNew */
static void tell_job(struct bus *b, uint32_t id, const char *unit, const char *result)
{
	char path[BUS_PATH_MAX];
	DBusMessageIter it;
	DBusMessage *m = bus_news_new(BUS_ROOT, BUS_MANAGER, result ? "JobRemoved" : "JobNew", &it);

	if (!m)
		return;
	bus_path_of_job(id, path);
	if (bus_put_basic(&it, DBUS_TYPE_UINT32, id, str_of("")) &&
	    bus_put_basic(&it, DBUS_TYPE_OBJECT_PATH, 0, str_of(path)) &&
	    bus_put_text(&it, str_of(unit)) && (!result || bus_put_text(&it, str_of(result))))
		bus_news_send(b, m, false);
	else
		dbus_message_unref(m);
}

static bool has_subscribers(const struct bus *b)
{
	list_for_each(node, &b->peers) {
		if (list_entry(node, struct bus_peer, node)->is_subscribed)
			return true;
	}
	return false;
}

/* signal: UnitNew or UnitRemoved */
static void tell_unit_known(struct bus *b, const char *signal, const char *unit)
{
	char path[BUS_PATH_MAX];
	DBusMessageIter it;
	DBusMessage *m = bus_news_new(BUS_ROOT, BUS_MANAGER, signal, &it);

	if (!m)
		return;
	bus_path_of_unit(unit, path);
	if (bus_put_text(&it, str_of(unit)) &&
	    bus_put_basic(&it, DBUS_TYPE_OBJECT_PATH, 0, str_of(path)))
		bus_news_send(b, m, true);
	else
		dbus_message_unref(m);
}

/* What a unit has that never did anything. */
static bool is_blank(const struct field *f)
{
	static const char *const words[] = {"inactive", "dead", "success"};
	bool is_text = f->tag == TAG_TEXT || f->tag == TAG_ITEM;

	for (size_t i = 0; is_text && i < ARRAY_SIZE(words); i++)
		if (str_eq_z(f->text, words[i]))
			return true;
	return is_text ? f->text.n == 0 : f->value == 0;
}

static bool is_same(const struct row *old, const struct row *now, const char *key)
{
	const struct field *a = old ? row_field(old, key) : NULL;
	const struct field *b = row_field(now, key);

	if (!old && b)
		return is_blank(b);
	if (!a || !b)
		return a == b;
	return a->value == b->value && str_eq(a->text, b->text);
}

static bool put_change(DBusMessageIter *dict, const struct bus_property *p, const struct row *row)
{
	DBusMessageIter entry;

	return dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
	       bus_put_text(&entry, str_of(p->name)) &&
	       bus_put_variant(&entry, p->type, row, p->name, 0) &&
	       dbus_message_iter_close_container(dict, &entry);
}

/* One message an interface of the unit that has something new. */
static void tell_changes(struct bus *b, const struct bus_object *o, const struct bus_interface *i,
			 const struct row *old, const struct row *now)
{
	char path[BUS_PATH_MAX];
	DBusMessageIter it, dict, none;
	const struct bus_property *p;
	DBusMessage *m;
	unsigned at = 0, n = 0;
	bool is_good;

	bus_path_of_unit(o->unit, path);
	m = bus_news_new(path, BUS_PROPERTIES, "PropertiesChanged", &it);
	if (!m)
		return;
	is_good = bus_put_text(&it, str_of(i->name)) &&
		  dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{sv}", &dict);
	while (is_good && (p = bus_next_property(i, &at)))
		if (p->emits == EMIT_CHANGE && row_field(now, p->name) &&
		    !is_same(old, now, p->name)) {
			is_good = put_change(&dict, p, now);
			n++;
		}
	is_good = is_good && dbus_message_iter_close_container(&it, &dict) &&
		  dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "s", &none) &&
		  dbus_message_iter_close_container(&it, &none);
	if (is_good && n)
		bus_news_send(b, m, true);
	else
		dbus_message_unref(m);
}

/* --- what the manager tells --- */

/* NULL: no memory. */
static struct known *know(struct bus_watch *w, struct str unit)
{
	struct known *k = find_known(w, unit);

	if (k)
		return k;
	k = map_reserve(&w->units, 1) == 0 ? mem_get(sizeof(*k)) : NULL;
	if (k)
		k->unit = mem_dup(unit.p, unit.n);
	if (!k || !k->unit) {
		mem_put(k);
		return NULL;
	}
	rows_init(&k->told);
	rows_init(&k->now);
	list_init(&k->due_node);
	map_add(&w->units, &k->node, str_hash(unit));
	return k;
}

/* Somebody may know how it was before. */
static bool is_followed(const struct bus_watch *w, const struct known *k)
{
	return k->is_asked || k->is_announced || w->is_all_asked ||
	       str_eq_z(row_text(k->now.first, "ActiveState"), "failed");
}

static void announce(struct bus_watch *w, struct known *k)
{
	if (!k->is_announced)
		tell_unit_known(w->bus, "UnitNew", k->unit);
	k->is_announced = true;
}

static void tell_interfaces(struct bus *b, const char *unit, const struct row *old,
			    const struct row *now)
{
	struct bus_object o = {.kind = BUS_OBJECT_UNIT};
	const struct bus_interface *i;
	unsigned at = 0;

	o.type = (enum unit_type)unit_type_of(unit);
	snprintf(o.unit, sizeof(o.unit), "%s", unit);
	while ((i = bus_next_interface(&o, &at)))
		tell_changes(b, &o, i, old, now);
}

void bus_watch_tell(struct bus *b, const struct row *row)
{
	char unit[UNIT_NAME_MAX + 1];
	struct str id = row_text(row, "Id");

	if (!has_subscribers(b) || id.n >= sizeof(unit))
		return;
	snprintf(unit, sizeof(unit), STR_FMT, STR_ARG(id));
	if (unit_type_of(unit) >= 0)
		tell_interfaces(b, unit, NULL, row);
}

static void tell_unit(struct bus_watch *w, struct known *k)
{
	bool has_changes = has_subscribers(w->bus) && is_followed(w, k);

	list_del(&k->due_node);
	if (has_subscribers(w->bus))
		announce(w, k);
	if (has_changes)
		tell_interfaces(w->bus, k->unit, k->told.first, k->now.first);
	rows_reset(&k->told);
	rows_copy(&k->told, k->now.first);
}

static void arm(struct bus_watch *w)
{
	uint64_t next = TIME_NEVER;

	list_for_each(node, &w->due) {
		const struct known *k = list_entry(node, struct known, due_node);

		next = k->due_us < next ? k->due_us : next;
	}
	loop_timer_arm(w->bus->loop, &w->tell, next);
}

static void on_due(struct timer *t)
{
	struct bus_watch *w = container_of(t, struct bus_watch, tell);
	uint64_t now_us = loop_now_us(w->bus->loop);

	list_for_each_safe(node, &w->due) {
		struct known *k = list_entry(node, struct known, due_node);

		if (k->due_us <= now_us)
			tell_unit(w, k);
	}
	arm(w);
}

/* Before the end of its job. */
static void tell_unit_named(struct bus_watch *w, const char *name)
{
	struct known *k = find_known(w, str_of(name));

	if (k && !list_is_empty(&k->due_node))
		tell_unit(w, k);
}

static bool is_at_rest(const struct row *row)
{
	struct str state = row_text(row, "ActiveState");

	return str_eq_z(state, "inactive") || str_eq_z(state, "failed");
}

static void take_unit(struct bus_watch *w, struct str unit, const struct row *row)
{
	struct known *k = unit.n <= UNIT_NAME_MAX ? know(w, unit) : NULL;
	bool has_job = row_value(row, "Job") != 0;

	if (!k || unit_type_of(k->unit) < 0)
		return;
	if (k->is_asked && !k->now.first) {
		w->asked_n--;
		if (has_subscribers(w->bus))
			announce(w, k);
	}
	rows_reset(&k->now);
	rows_copy(&k->now, row);
	if (!has_job && is_at_rest(row))
		bus_keep_drop(w->bus, k->unit);
	if (list_is_empty(&k->due_node)) {
		k->since_us = loop_now_us(w->bus->loop);
		list_add_tail(&w->due, &k->due_node);
	}
	k->due_us = k->since_us + (has_job ? TELL_JOB_US : TELL_US);
	arm(w);
}

void bus_watch_asked(const struct bus_call *c, struct str unit)
{
	struct bus_watch *w = c->bus->watch;
	struct known *k;

	/* Signals go to those on a bus, and to who has subscribed. */
	if (!w || !c->peer || !(c->peer->seat || c->peer->is_subscribed) || w->is_all_asked)
		return;
	k = unit.n <= UNIT_NAME_MAX && w->asked_n < ASKED_MOST ? know(w, unit) : NULL;
	if (!k) {
		w->is_all_asked = true;
	} else if (!k->is_asked) {
		k->is_asked = true;
		w->asked_n += !k->now.first;
	}
}

bool bus_watch_unit(struct bus_call *c)
{
	if (!bus_take_unit(c))
		return false;
	bus_watch_asked(c, str_of(c->unit));
	return true;
}

static void remove_unit(struct bus_watch *w, struct str unit)
{
	struct known *k = find_known(w, unit);

	if (!k)
		return;
	bus_keep_drop(w->bus, k->unit);
	if (!list_is_empty(&k->due_node))
		tell_unit(w, k);
	if ((k->is_announced || k->is_asked) && has_subscribers(w->bus))
		tell_unit_known(w->bus, "UnitRemoved", k->unit);
	w->asked_n -= k->is_asked && !k->now.first;
	free_known(w, k);
}

static void take_job(struct bus_watch *w, const struct row *row)
{
	uint32_t id = (uint32_t)row_value(row, "job");
	struct str unit = row_text(row, "unit"), type = row_text(row, "type");
	struct bus_job *j = id ? find_job(w, id) : NULL;
	bool is_new = id && !j, is_running = str_eq_z(row_text(row, "state"), "running");

	if (is_new) {
		j = map_reserve(&w->jobs, 1) == 0 ? mem_get(sizeof(*j)) : NULL;
		if (j)
			j->unit = mem_dup(unit.p, unit.n);
		if (!j || !j->unit) {
			mem_put(j);
			return;
		}
		j->id = id;
		map_add(&w->jobs, &j->node, map_hash_u64(id));
	}
	if (!j)
		return;
	snprintf(j->type, sizeof(j->type), STR_FMT, STR_ARG(type));
	if (is_new)
		tell_job(w->bus, id, j->unit, NULL);
	else if (is_running && !j->is_running && has_subscribers(w->bus))
		bus_news_job_runs(w->bus, id);
	j->is_running = is_running;
}

static void hold_end(struct bus_watch *w, uint32_t id, struct str unit, struct str result)
{
	struct held_end *e = mem_get(sizeof(*e));

	if (!e)
		return;
	e->id = id;
	snprintf(e->unit, sizeof(e->unit), STR_FMT, STR_ARG(unit));
	snprintf(e->result, sizeof(e->result), STR_FMT, STR_ARG(result));
	list_add_tail(&w->held, &e->node);
	loop_defer(w->bus->loop, &w->release);
}

/* What a unit was given along, after a job that failed to start it or has ended it. */
static void drop_kept(struct bus_watch *w, const struct held_end *e)
{
	const struct known *k = find_known(w, str_of(e->unit));

	if (strcmp(e->result, "done") != 0 || !k || !k->now.first || is_at_rest(k->now.first))
		bus_keep_drop(w->bus, e->unit);
}

static void release(struct task *t)
{
	struct bus_watch *w = container_of(t, struct bus_watch, release);

	while (w->bus->jobs_asked == 0 && !list_is_empty(&w->held)) {
		struct held_end *e = list_entry(list_pop(&w->held), struct held_end, node);
		struct bus_job *j = e->id ? find_job(w, e->id) : NULL;

		if (!e->id) {
			remove_unit(w, str_of(e->unit));
			mem_put(e);
			continue;
		}
		if (!j) /* it came and went between two looks */
			tell_job(w->bus, e->id, e->unit, NULL);
		tell_unit_named(w, e->unit);
		tell_job(w->bus, e->id, e->unit, e->result);
		drop_kept(w, e);
		if (j)
			free_job(w, j);
		mem_put(e);
	}
}

static void on_job_known(struct bus *b)
{
	loop_defer(b->loop, &b->watch->release);
}

uint32_t bus_job_of_nothing(struct bus *b, const char *unit)
{
	uint32_t id = FIRST_OF_OURS | b->watch->next_of_ours++;

	hold_end(b->watch, id, str_of(unit), STR("done"));
	return id;
}

/* --- what has happened while no manager lived --- */

static const struct row *row_of_unit(const struct rows *rows, const char *unit)
{
	for (const struct row *row = rows->first; row; row = row->next)
		if (str_eq_z(row_text(row, "Id"), unit))
			return row;
	return NULL;
}

/* The job is over; how it went shows in the state of the unit. */
static const char *result_by_state(const struct bus_job *j, const struct row *row)
{
	struct str state = row_text(row, "ActiveState");
	bool is_stop = strcmp(j->type, "stop") == 0;
	bool is_up = str_eq_z(state, "active") || str_eq_z(state, "reloading");

	if (!is_stop && str_eq_z(state, "failed"))
		return "failed";
	return is_stop != is_up ? "done" : "canceled";
}

/* Of units that were never told of nobody knows how they were; that one has failed somebody may wait for. */
static void compare_all(struct bus_watch *w, const struct rows *rows)
{
	w->round++;
	for (const struct row *row = rows->first; row; row = row->next) {
		struct str unit = row_text(row, "Id");
		bool is_news = w->is_all_asked ||
			       (w->is_new && str_eq_z(row_text(row, "ActiveState"), "failed"));
		struct known *k = is_news ? know(w, unit) : find_known(w, unit);

		if (!k)
			continue;
		k->round = w->round;
		take_unit(w, unit, row);
	}
}

static void on_looked(struct ask *a, int err)
{
	struct bus_watch *w = container_of(a, struct bus_watch, again);

	w->is_looking = false;
	if (err == 0)
		compare_all(w, &a->rows);
	w->is_new = false;
	for (struct map_node *n = map_next(&w->jobs, NULL); n && err == 0;
	     n = map_next(&w->jobs, n)) {
		const struct bus_job *j = container_of(n, struct bus_job, node);
		const struct row *row = row_of_unit(&a->rows, j->unit);

		if (!row || (uint32_t)row_value(row, "Job") != j->id)
			hold_end(w, j->id, str_of(j->unit),
				 str_of(row ? result_by_state(j, row) : "canceled"));
	}
	for (struct map_node *n = map_next(&w->units, NULL); n && err == 0;
	     n = map_next(&w->units, n)) {
		const struct known *k = container_of(n, struct known, node);

		if (k->now.first && k->round != w->round)
			hold_end(w, 0, str_of(k->unit), STR(""));
	}
	rows_fini(&a->rows);
}

/* A new manager tells from now on; what changed before is found by asking for everything. */
static void look_again(struct bus_watch *w)
{
	if (!w->is_looking) {
		w->everything[0] = "*";
		w->again = (struct ask){.done = on_looked};
		w->again.question = (struct question){
			.verb = &verbs[VERB_SHOW], .args = w->everything, .args_n = 1};
		w->again.question.options[OPT_PROPERTY] = "Id," FOLLOWED;
		w->is_looking = true;
		ask_start(&w->bus->asker, &w->again);
	}
}

static void on_missed(struct bus *b)
{
	b->watch->is_new = true;
	look_again(b->watch);
}

static void on_row(void *arg, const struct row *row)
{
	struct bus_watch *w = arg;

	if (row_is(row, "changed")) {
		take_job(w, row);
		take_unit(w, row_text(row, "unit"), row);
		bus_controller_heard(w->bus, row_text(row, "unit"), row);
		bus_system_heard(w->bus, row);
	} else if (row_is(row, "ready")) {
		bus_system_new_manager(w->bus);
		bus_news_reloading(w->bus, false); /* what the one before had begun */
		if (w->is_known)
			look_again(w);
		w->is_known = true;
	} else if (row_is(row, "job")) {
		hold_end(w, (uint32_t)row_value(row, "job"), row_text(row, "unit"),
			 row_text(row, "result"));
	} else if (row_is(row, "reloading")) {
		bus_news_reloading(w->bus, true);
	} else if (row_is(row, "reloaded")) {
		bus_news_reloading(w->bus, true); /* it may have been read without a request */
		bus_news_reloading(w->bus, false);
	} else if (row_is(row, "booted")) {
		bus_news_booted(w->bus, row);
	} else if (row_is(row, "gone")) {
		hold_end(w, 0, row_text(row, "unit"), STR(""));
		bus_controller_heard(w->bus, row_text(row, "unit"), row);
	} else if (row_is(row, "lost")) {
		log_at(LOG_WARN, "some changes of units were not told on D-Bus: too slow");
	}
}

static void begin(struct bus_watch *w);

/* An endless answer has ended all the same. */
static void on_end(struct ask *a, int err UNUSED)
{
	begin(container_of(a, struct bus_watch, ask));
}

static void begin(struct bus_watch *w)
{
	w->ask = (struct ask){.done = on_end};
	w->ask.question = (struct question){
		.verb = &verbs[VERB_MONITOR], .on_row = on_row, .arg = w, .is_endless = true};
	w->ask.question.options[OPT_PROPERTY] = FOLLOWED;
	ask_start(&w->bus->asker, &w->ask);
}

int bus_watch_open(struct bus *b)
{
	struct bus_watch *w = mem_get(sizeof(*w));

	if (!w)
		return err_here(-ENOMEM);
	w->bus = b;
	w->release.fn = release;
	list_init(&w->held);
	list_init(&w->due);
	w->tell.fn = on_due;
	b->watch = w;
	b->on_job_known = on_job_known;
	b->on_missed = on_missed;
	begin(w);
	return 0;
}

void bus_watch_close(struct bus *b)
{
	struct bus_watch *w = b->watch;
	struct map_node *node;

	if (!w)
		return;
	b->watch = NULL;
	b->on_job_known = NULL;
	b->on_missed = NULL;
	loop_undefer(&w->release);
	loop_timer_disarm(b->loop, &w->tell);
	while (!list_is_empty(&w->held))
		mem_put(list_entry(list_pop(&w->held), struct held_end, node));
	while ((node = map_next(&w->jobs, NULL)))
		free_job(w, container_of(node, struct bus_job, node));
	while ((node = map_next(&w->units, NULL)))
		free_known(w, container_of(node, struct known, node));
	map_fini(&w->jobs);
	map_fini(&w->units);
	mem_put(w);
}
