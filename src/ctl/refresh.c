/* SPDX-License-Identifier: MIT */
#include "ctl/refresh.h"

#include "core/graph.h"
#include "core/run.h"
#include "units/device_unit.h"
#include "units/mount_unit.h"
#include "units/service.h"

/* --- what was in use when a unit was started --- */

struct ran {
	struct ran *next;
	struct unit_config *config; /* owned */
	uint32_t unit;
	uint64_t mark;
};

/* Another start has another mark, and so has a mount that was remounted. */
static uint64_t start_mark(struct unit *u)
{
	const struct service *s = u->type == UNIT_SERVICE ? service_of(u) : NULL;
	uint64_t mark;

	if (s && s->main.token)
		return s->main.token;
	memcpy(&mark, u->invocation, sizeof(mark));
	return mount_of(u) ? mark + mount_of(u)->remounts_n : mark;
}

static bool holds(const struct hark *h, const struct ran *r)
{
	struct unit *u = registry_unit(&h->reg, r->unit);

	return u && !unit_is_at_rest(u) && start_mark(u) == r->mark;
}

const struct unit_config *refresh_ran_with(const struct hark *h, const struct unit *u)
{
	for (const struct ran *r = h->ran; r; r = r->next)
		if (r->unit == u->id && holds(h, r))
			return r->config;
	return NULL;
}

static void forget_ran(struct hark *h)
{
	for (struct ran **at = &h->ran; *at;) {
		struct ran *r = *at;

		if (holds(h, r)) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		unit_config_free(r->config);
		mem_put(r);
	}
}

/* The old configuration of a unit that has a new one: kept where it runs by that, else freed. */
static void let_go(struct hark *h, struct unit *u, struct unit_config **old)
{
	struct ran *r = NULL;

	forget_ran(h);
	if (*old && (*old)->load == LOAD_LOADED && !unit_is_at_rest(u) && !refresh_ran_with(h, u))
		r = mem_get(sizeof(*r));
	if (r) {
		*r = (struct ran){
			.next = h->ran, .config = *old, .unit = u->id, .mark = start_mark(u)};
		h->ran = r;
	} else {
		unit_config_free(*old);
	}
	*old = NULL;
}

/* --- one unit --- */

/* Is there something new to read? A unit without a file changes when one of its name appears. */
static bool is_changed(struct hark *h, const struct unit *u)
{
	if (unit_load_state(u) == LOAD_NOT_FOUND)
		return load_canonical(&h->load, u->name) != NULL;
	return load_is_stale(&h->load, u->config);
}

/* Nothing that runs now points into the configuration. */
static bool may_swap(const struct unit *u)
{
	enum coarse c = unit_coarse(u);

	if (u->type == UNIT_SOCKET || u->type == UNIT_PATH)
		return c == INACTIVE || c == FAILED;
	return c == INACTIVE || c == FAILED || c == ACTIVE;
}

int refresh_read(struct hark *h, struct unit *u, struct unit_config **ret_fresh)
{
	int r;

	*ret_fresh = NULL;
	if (!u->config || !is_changed(h, u)) {
		u->is_changed_on_disk = false; /* or it is as before again */
		return REFRESH_SAME;
	}
	if (!may_swap(u)) {
		u->is_changed_on_disk = true;
		return REFRESH_LATER;
	}
	r = run_load(h, u->name, ret_fresh);
	if (r < 0)
		return r;
	if ((*ret_fresh)->load == LOAD_NOT_FOUND && u->config->load == LOAD_LOADED &&
	    !unit_is_at_rest(u)) {
		/* It runs on without a file, by what it has. */
		unit_config_free(*ret_fresh);
		*ret_fresh = NULL;
		u->is_changed_on_disk = true;
		return REFRESH_LATER;
	}
	if (((*ret_fresh)->load != LOAD_BAD && (*ret_fresh)->load != LOAD_ERROR) ||
	    u->config->load != LOAD_LOADED)
		return REFRESH_DONE;
	u->is_changed_on_disk = true;
	return REFRESH_BROKEN;
}

int refresh_use(struct hark *h, struct unit *u, struct unit_config **config)
{
	struct unit_config *old = u->config;
	int r = u->type == UNIT_DEVICE ? device_dress(device_of(u), *config) : 0;

	if (r < 0)
		return r;
	u->config = *config;
	r = graph_attach(&h->reg, u);
	if (r < 0) {
		u->config = old;
		return r;
	}
	u->condition_failed = NULL; /* pointed into the old one */
	*config = old;
	return 0;
}

int refresh_unit(struct hark *h, struct unit *u, struct unit_config **ret_broken)
{
	struct unit_config *fresh;
	int r = refresh_read(h, u, &fresh);
	int err;

	if (r == REFRESH_BROKEN && ret_broken) {
		*ret_broken = fresh;
		return r;
	}
	err = r == REFRESH_DONE ? refresh_use(h, u, &fresh) : 0;
	if (r == REFRESH_DONE && err == 0) {
		u->is_changed_on_disk = false;
		let_go(h, u, &fresh); /* the old one by now */
		engine_uphold(&h->engine, u);
	}
	unit_config_free(fresh); /* refused */
	return err < 0 ? err : r;
}

/* --- several at once --- */

void refresh_set_fini(struct refresh_set *s)
{
	for (uint32_t k = 0; k < s->n; k++)
		unit_config_free(s->items[k].config);
	mem_put(s->items);
	memset(s, 0, sizeof(*s));
}

int refresh_set_add(struct hark *h, struct refresh_set *s, struct unit *u)
{
	bool was_refused = u->is_changed_on_disk;
	struct refresh_item item = {.unit = u};
	int r;

	if (s->n == s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 16;
		struct refresh_item *items =
			mem_grow(s->items, s->cap * sizeof(*items), cap * sizeof(*items));

		if (!items)
			return err_here(-ENOMEM);
		s->items = items;
		s->cap = cap;
	}
	r = refresh_read(h, u, &item.config);
	if (r < 0 || r == REFRESH_SAME)
		return r < 0 ? r : 0;
	item.how = (uint8_t)r;
	s->items[s->n++] = item;
	s->is_held |= r == REFRESH_BROKEN && !was_refused;
	return 0;
}

/* Back to what was in use before items [0, n). The edges had room for it once. */
static void roll_back(struct hark *h, struct refresh_set *s, uint32_t n)
{
	while (n-- > 0)
		if (s->items[n].how == REFRESH_DONE &&
		    refresh_use(h, s->items[n].unit, &s->items[n].config) < 0)
			s->items[n].unit->is_changed_on_disk = true;
}

int refresh_set_use(struct hark *h, struct refresh_set *s)
{
	int r = 0;

	for (uint32_t k = 0; k < s->n; k++) {
		struct refresh_item *item = &s->items[k];

		if (item->how != REFRESH_DONE)
			continue;
		if (s->is_held) {
			item->how = REFRESH_HELD;
			item->unit->is_changed_on_disk = true;
			continue;
		}
		r = refresh_use(h, item->unit, &item->config);
		if (r < 0) {
			roll_back(h, s, k);
			return r;
		}
	}
	for (uint32_t k = 0; k < s->n; k++)
		if (s->items[k].how == REFRESH_DONE) {
			s->items[k].unit->is_changed_on_disk = false;
			let_go(h, s->items[k].unit, &s->items[k].config);
			engine_uphold(&h->engine, s->items[k].unit);
		}
	return 0;
}
