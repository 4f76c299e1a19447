/* SPDX-License-Identifier: MIT */
#include "activate/devices.h"

#include <stdio.h>

#include "core/log.h"
#include "units/name.h"
#include "units/value.h"

#define REPORTER "hark-udev.service"

/* --- may anybody wait for a device? --- */

/* It tells, or is about to; a skipped or failed one will not, and neither will one that nothing starts. */
static bool is_reporting(const struct unit *u)
{
	return u && unit_load_state(u) == LOAD_LOADED &&
	       (!unit_is_at_rest(u) || job_pending(u) == JOB_START);
}

void devices_look(struct hark *h)
{
	bool had_udev = h->devices.is_told;

	h->devices.is_told = is_reporting(registry_find(&h->reg, REPORTER));
	if (h->devices.is_told || !had_udev)
		return;
	for (uint32_t i = 0; i < h->reg.n; i++) {
		struct unit *u = registry_unit(&h->reg, i);

		if (u && u->type == UNIT_DEVICE && job_pending(u) == JOB_START)
			engine_run_again(&h->engine, u);
	}
}

void devices_follow(struct hark *h, const struct unit *u)
{
	if (strcmp(u->name, REPORTER) == 0)
		devices_look(h);
}

void devices_loaded(struct hark *h, struct unit *u)
{
	if (u->type == UNIT_DEVICE)
		device_of(u)->source = &h->devices;
}

/* --- what is told --- */

void devices_post(struct hark *h, struct unit *u, enum device_found found)
{
	struct event e = {.kind = EV_DEVICE, .unit = u->id, .a = found};

	e.cause = (struct cause){.kind = CAUSE_DEVICE, .unit = UNIT_NONE, .uid = UINT32_MAX};
	if (found == DEVICE_FOUND && !unit_is_active(u)) {
		struct ledger_entry entry = {.kind = LEDGER_TRIGGER, .cause = CAUSE_DEVICE};

		entry.unit = h->engine.ops->slot(h->engine.arg, u);
		e.cause.entry = u->why_entry = ledger_add(h->engine.ledger, &entry, NULL);
	}
	engine_post(&h->engine, &e);
}

/* One device. Texts are borrowed; NULL: not said. */
struct told {
	const char *sysfs, *model, *wants;
	const char *every; /* what an event of it starts, each time */
	bool binds_mounts, is_event;
	const char *const *words; /* among which are its other names */
	unsigned words_n;
};

/* What stands behind `key` in word, or NULL. */
static const char *value_of(const char *word, const char *key)
{
	size_t n = strlen(key);

	return strncmp(word, key, n) == 0 ? word + n : NULL;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* *text becomes a copy of value. 0 or -ENOMEM. */
static int set_text(char **text, const char *value)
{
	char *copy = value ? mem_dup(value, strlen(value)) : NULL;

	if (value && !copy)
		return err_here(-ENOMEM);
	mem_put(*text);
	*text = copy;
	return 0;
}

/* --- the units of a device --- */

static bool is_place(const struct map_node *node, const void *sysfs)
{
	return strcmp(container_of(node, struct device_unit, place)->sysfs, sysfs) == 0;
}

/* The units of the device that are there: the first, and the one behind `node`. NULL at the end. */
static struct map_node *first_unit(const struct hark *h, const char *sysfs)
{
	return map_find(&h->devices.by_place, str_hash(str_of(sysfs)), is_place, sysfs);
}
static struct map_node *next_unit(struct map_node *node, const char *sysfs)
{
	return map_find_more(node, is_place, sysfs);
}

static void leave_place(struct device_unit *d)
{
	if (d->sysfs)
		map_del(&d->source->by_place, &d->place);
	mem_put(d->sysfs);
	d->sysfs = NULL;
}

/* It is a name of that device from now on. 0 or -ENOMEM. */
static int set_place(struct device_unit *d, const char *sysfs)
{
	char *copy = NULL;

	if (is_same(d->sysfs, sysfs))
		return 0;
	if (map_reserve(&d->source->by_place, 1) == 0)
		copy = mem_dup(sysfs, strlen(sysfs));
	if (!copy)
		return err_here(-ENOMEM);
	leave_place(d);
	d->sysfs = copy;
	map_add(&d->source->by_place, &d->place, str_hash(str_of(sysfs)));
	return 0;
}

/* Mounts say that their stop follows that of their device; whether the end of the device is one, the device says. */
static void stop_mounts(struct hark *h, const struct unit *u)
{
	struct cause cause = {.kind = CAUSE_DEPENDENCY_DIED,
			      .unit = u->id,
			      .entry = u->why_entry,
			      .uid = UINT32_MAX};

	for (uint32_t i = 0; i < u->edges_n; i++) {
		struct unit *v = registry_unit(&h->reg, u->edges[i].to);

		if (u->edges[i].type == DEP_PROPAGATES_STOP_TO && !unit_is_at_rest(v) &&
		    engine_request(&h->engine, v, JOB_STOP, MODE_REPLACE, &cause, false, NULL) != 0)
			log_at(LOG_WARN, "%s: %s, which is on it, cannot be stopped", u->name,
			       v->name);
	}
}

/* What came with it goes with it, unless somebody else needs it. */
static void stop_every(struct hark *h, const struct unit *u, const struct device_unit *d)
{
	struct cause cause = {
		.kind = CAUSE_UNNEEDED, .unit = u->id, .entry = u->why_entry, .uid = UINT32_MAX};
	struct str rest = str_of(d->every);
	char name[UNIT_NAME_MAX + 1];

	while (device_next_wanted(d, &rest, name)) {
		struct unit *v = registry_find(&h->reg, name);

		if (v && !unit_is_at_rest(v) && !engine_is_needed(&h->engine, v) &&
		    engine_request(&h->engine, v, JOB_STOP, MODE_REPLACE, &cause, false, NULL) != 0)
			log_at(LOG_WARN, "%s: %s, which came with it, cannot be stopped", u->name,
			       v->name);
	}
}

void devices_lose(struct hark *h, struct unit *u)
{
	if (device_of(u)->binds_mounts)
		stop_mounts(h, u);
	devices_post(h, u, DEVICE_GONE);
	engine_digest(&h->engine);
	stop_every(h, u, device_of(u));
	leave_place(device_of(u));
	engine_retire(&h->engine, u);
}

/* Read its configuration again, with what is told now. 0 or -errno: it has the old one. */
static int dress_again(struct hark *h, struct device_unit *d)
{
	struct unit_config *old = d->unit.config, *fresh = NULL;
	int r = load_unit(&h->load, d->unit.name, &fresh);

	if (r == 0)
		r = device_dress(d, fresh);
	if (r == 0) {
		d->unit.config = fresh;
		r = graph_attach(&h->reg, &d->unit);
	}
	if (r < 0) {
		d->unit.config = old;
		unit_config_free(fresh);
		return r;
	}
	unit_config_free(old);
	return 0;
}

static void start_wanted(struct hark *h, const struct device_unit *d, struct unit *u)
{
	struct cause cause = {.kind = CAUSE_DEVICE,
			      .unit = d->unit.id,
			      .entry = d->unit.why_entry,
			      .uid = UINT32_MAX};

	if (engine_request(&h->engine, u, JOB_START, MODE_REPLACE, &cause, false, NULL) != 0)
		log_at(LOG_WARN, "%s: %s, which it asks for, cannot be started", d->unit.name,
		       u->name);
}

/* It was there before and asks for more now. */
static void pull_new(struct hark *h, const struct device_unit *d, const char *old_wants)
{
	struct str rest = str_of(d->wants);
	struct device_unit old = {.sysfs = d->sysfs};
	char name[UNIT_NAME_MAX + 1], other[UNIT_NAME_MAX + 1];

	while (device_next_wanted(d, &rest, name)) {
		struct str before = str_of(old_wants);
		struct unit *u = registry_find(&h->reg, name);
		bool is_old = false;

		while (!is_old && device_next_wanted(&old, &before, other))
			is_old = strcmp(name, other) == 0;
		if (u && !is_old)
			start_wanted(h, d, u);
	}
}

/* It has changed. */
static void pull_every(struct hark *h, const struct device_unit *d)
{
	struct str rest = str_of(d->every);
	char name[UNIT_NAME_MAX + 1];

	while (device_next_wanted(d, &rest, name)) {
		struct unit *u = registry_get(&h->reg, name);

		if (u)
			start_wanted(h, d, u);
	}
}

/* 0 or -ENOMEM */
static int keep_facts(struct device_unit *d, const struct told *t, const char *wants,
		      const char *every)
{
	int r = set_place(d, t->sysfs);

	if (r == 0)
		r = set_text(&d->model, t->model);
	if (r == 0)
		r = set_text(&d->wants, wants);
	return r == 0 ? set_text(&d->every, every) : r;
}

/* is_first: the unit that the others follow. */
static int take_facts(struct hark *h, struct device_unit *d, const struct told *t, bool is_first)
{
	AUTO_MEM char *old_wants = d->wants;
	const char *wants = !is_first ? NULL : t->wants ? t->wants : "";
	const char *every = is_first ? t->every : NULL;
	bool was_told = d->sysfs && unit_is_active(&d->unit);
	bool is_new = !is_same(d->wants, wants) || !is_same(d->every, every) ||
		      !is_same(d->model, t->model);
	int r;

	d->wants = NULL;
	r = keep_facts(d, t, wants, every);
	if (r == 0 && is_new)
		r = dress_again(h, d);
	if (r < 0 || !was_told)
		return r;
	if (is_new)
		pull_new(h, d, old_wants);
	if (t->is_event)
		pull_every(h, d);
	return 0;
}

/* The device is there under that name. is_first: it is that of the unit that the others follow. */
static void find(struct hark *h, const struct told *t, const char *path, bool is_first)
{
	char name[UNIT_NAME_MAX + 1];
	struct unit *u = device_name(path, name) ? registry_get(&h->reg, name) : NULL;
	int r = !u || u->type != UNIT_DEVICE ? -ENAMETOOLONG : engine_load(&h->engine, u);

	if (r >= 0 && unit_load_state(u) == LOAD_LOADED)
		r = take_facts(h, device_of(u), t, is_first);
	if (r < 0) {
		log_at(LOG_WARN, "%s: no unit is made of this name of a device: %s", path,
		       strerror(-r));
		return;
	}
	device_of(u)->round = h->device_round;
	device_of(u)->binds_mounts = t->binds_mounts;
	device_of(u)->by_node = false;
	devices_post(h, u, DEVICE_FOUND);
}

static bool is_named(const struct told *t, const struct unit *u)
{
	char name[UNIT_NAME_MAX + 1];

	if (device_name(t->sysfs, name) && strcmp(name, u->name) == 0)
		return true;
	for (unsigned i = 0; i < t->words_n; i++) {
		const char *path = value_of(t->words[i], "name=");

		if (path && device_name(path, name) && strcmp(name, u->name) == 0)
			return true;
	}
	return false;
}

/* Units of the device under names that it has no more; t NULL: all of them. */
static void lose_names(struct hark *h, const char *sysfs, const struct told *t)
{
	struct map_node *node = first_unit(h, sysfs), *next;

	for (; node; node = next) {
		struct unit *u = &container_of(node, struct device_unit, place)->unit;

		next = next_unit(node, sysfs);
		if (unit_is_active(u) && !(t && is_named(t, u)))
			devices_lose(h, u);
	}
}

static void lose_untold(struct hark *h)
{
	for (uint32_t i = 0; i < h->reg.n; i++) {
		struct unit *u = registry_unit(&h->reg, i);

		if (u && u->type == UNIT_DEVICE && unit_is_active(u) &&
		    device_of(u)->round != h->device_round)
			devices_lose(h, u);
	}
}

static void take_device(struct hark *h, struct told *t)
{
	const char *wants_key = h->is_user ? "user-wants=" : "wants=";
	const char *every_key = h->is_user ? "user-every=" : "every=";

	for (unsigned i = 0; i < t->words_n; i++) {
		const char *model = value_of(t->words[i], "model=");
		const char *wants = value_of(t->words[i], wants_key);
		const char *every = value_of(t->words[i], every_key);
		const char *binds = value_of(t->words[i], "binds-mounts=");

		if (binds && value_bool(str_of(binds), &t->binds_mounts) < 0)
			log_at(LOG_WARN,
			       "%s: SYSTEMD_MOUNT_DEVICE_BOUND is \"%s\", neither yes nor no; ignored",
			       t->sysfs, binds);
		t->model = model ? model : t->model;
		t->wants = wants ? wants : t->wants;
		t->every = every ? every : t->every;
		t->is_event = t->is_event || value_of(t->words[i], "event=");
	}
	lose_names(h, t->sysfs, t);
	find(h, t, t->sysfs, true);
	for (unsigned i = 0; i < t->words_n; i++) {
		const char *path = value_of(t->words[i], "name=");

		if (path)
			find(h, t, path, false);
	}
}

static bool is_fact(const char *word)
{
	static const char *const keys[] = {"name=",  "model=",      "wants=", "user-wants=",
					   "every=", "user-every=", "event=", "binds-mounts="};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (value_of(word, keys[i]))
			return true;
	return false;
}

unsigned devices_heard(struct hark *h, const char *const *words, unsigned n, bool is_news)
{
	struct told t = {.sysfs = value_of(words[0], "is="), .words = words + 1};
	const char *gone = value_of(words[0], "gone=");
	bool is_begin = strcmp(words[0], "begin") == 0, is_end = strcmp(words[0], "end") == 0;

	while (t.sysfs && 1 + t.words_n < n && is_fact(t.words[t.words_n]))
		t.words_n++;
	if (!t.sysfs && !gone && !is_begin && !is_end)
		return 0;
	if (!is_news)
		return 1 + t.words_n;
	if (is_begin)
		h->device_round++;
	else if (is_end)
		lose_untold(h);
	else if (gone)
		lose_names(h, gone, NULL);
	else
		take_device(h, &t);
	engine_digest(&h->engine);
	return 1 + t.words_n;
}
