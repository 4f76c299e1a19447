/* SPDX-License-Identifier: MIT */
#include "units/device_unit.h"

#include "units/dep.h"
#include "units/name.h"
#include "units/probe.h"

/* --- configuration --- */

bool device_name(const char *path, char *out)
{
	static const char suffix[] = ".device";
	int n = name_escape(str_of(path), true, out, UNIT_NAME_MAX + 1 - (sizeof(suffix) - 1));

	if (n < 0)
		return false;
	memcpy(out + n, suffix, sizeof(suffix));
	return true;
}

/* JobTimeoutSec= alone is how long to wait for the device as well, be it more or less than what is usual. */
int device_settle(struct unit_config *c)
{
	if (c->unit->job_running_timeout_us == DEVICE_WAIT_US &&
	    c->unit->job_timeout_us != TIME_NEVER)
		c->unit->job_running_timeout_us = c->unit->job_timeout_us;
	return 0;
}

bool device_next_wanted(const struct device_unit *d, struct str *rest, char *out)
{
	char place[UNIT_NAME_MAX + 1], name[UNIT_NAME_MAX + 1];
	int n = name_escape(str_of(d->sysfs), true, place, sizeof(place));
	struct str word;

	while (str_word(rest, &word)) {
		if (word.n > UNIT_NAME_MAX)
			continue;
		memcpy(name, word.p, word.n);
		name[word.n] = '\0';
		if (!name_is_valid(name, NAME_ANY))
			continue;
		if (name_form(name) != NAME_TEMPLATE) {
			memcpy(out, name, word.n + 1);
			return true;
		}
		if (n > 0 && name_with_instance(name, (struct str){place, (size_t)n}, out,
						UNIT_NAME_MAX + 1) == 0)
			return true;
	}
	return false;
}

int device_dress(const struct device_unit *d, struct unit_config *c)
{
	const char *const lists[] = {d->wants, d->every};
	char name[UNIT_NAME_MAX + 1];
	struct dep_list deps;
	int r = 0;

	dep_list_init(&deps, c);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (struct str rest = str_of(lists[i]);
		     r == 0 && device_next_wanted(d, &rest, name);)
			r = dep_add_copy(&deps, DEP_WANTS, DEP_SETTING, name);
	if (r == 0 && d->model && !c->description) {
		c->description = arena_dup(&c->arena, d->model, strlen(d->model));
		r = c->description ? 0 : -ENOMEM;
	}
	return r;
}

/* --- the machine --- */

enum device_event { DE_GONE, DE_FOUND, DEVICE_EVENTS };

static const char *const event_words[DEVICE_EVENTS] = {
	[DE_GONE] = "gone",
	[DE_FOUND] = "found",
};

static const struct fsm_state states[DEVICE_STATES] = {
	[DEVICE_DEAD] = {.name = "dead", .coarse = INACTIVE},
	[DEVICE_PLUGGED] = {.name = "plugged", .coarse = ACTIVE},
};

/* How to read it: each event names the state that it leads to; each time the device is found it pulls in what it wants. */
#define GO(state, effects)                                \
	{                                                 \
		.go = DEVICE_##state + 1, .fx = (effects) \
	}
static const struct fsm_cell cells[DEVICE_STATES][DEVICE_EVENTS] = {
	[DEVICE_DEAD] = {[DE_FOUND] = GO(PLUGGED, FX_PULL)},
	[DEVICE_PLUGGED] = {[DE_GONE] = GO(DEAD, 0)},
};

static const struct fsm device_fsm = {
	.type = "device",
	.states_n = DEVICE_STATES,
	.events_n = DEVICE_EVENTS,
	.states = states,
	.events = event_words,
	.cells = &cells[0][0],
};

static int classify(struct unit *u UNUSED, const struct event *e)
{
	if (e->kind != EV_DEVICE)
		return -1;
	return e->a == DEVICE_FOUND ? (int)DE_FOUND : (int)DE_GONE;
}

bool device_path(const struct unit *u, char *out, size_t cap)
{
	return name_unescape(name_prefix(u->name), true, out, cap) >= 0 &&
	       (str_has_prefix(str_of(out), STR("/dev/")) ||
		str_has_prefix(str_of(out), STR("/sys/")));
}

/* Where nobody tells of devices the node is all there is to go by; where it cannot appear either, the wait would be in vain. */
static int can_start(struct unit *u)
{
	struct device_source *s = device_of(u)->source;
	char path[UNIT_NAME_MAX + 2];

	if (s && s->is_told)
		return 0;
	if (!s || !device_path(u, path, sizeof(path)) || (!s->can_appear && !probe_exists(path)))
		return JOB_RES_UNSUPPORTED;
	s->await(s);
	return 0;
}

static void fini(struct unit *u)
{
	struct device_unit *d = device_of(u);

	if (d->sysfs)
		map_del(&d->source->by_place, &d->place);
	mem_put(d->sysfs);
	mem_put(d->model);
	mem_put(d->wants);
	mem_put(d->every);
}

const struct unit_type_ops device_ops = {
	.type = UNIT_DEVICE,
	.object_size = sizeof(struct device_unit),
	.fsm = &device_fsm,
	.classify = classify,
	.can_start = can_start,
	.is_outside = true,
	.fini = fini,
};
