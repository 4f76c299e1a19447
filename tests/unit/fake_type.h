/* SPDX-License-Identifier: MIT */
/*
 * fake_type - unit types without behaviour, and a graph in a few words, for tests of the model.
 *
 * The state of a fake unit is its coarse state. Configurations are made by fake_dep() one dependency at a time and turned
 * into edges by fake_attach(). Every failure is a failed check of the running test.
 */
#pragma once

#include <check.h>
#include <stdio.h>

#include "core/graph.h"

static const struct fsm_state fake_states[COARSES] = {
	[INACTIVE] = {.name = "dead", .coarse = INACTIVE},
	[ACTIVE] = {.name = "running", .coarse = ACTIVE},
	[RELOADING] = {.name = "reload", .coarse = RELOADING},
	[FAILED] = {.name = "failed", .coarse = FAILED},
	[ACTIVATING] = {.name = "start", .coarse = ACTIVATING},
	[DEACTIVATING] = {.name = "stop", .coarse = DEACTIVATING},
};
static const struct fsm fake_fsm = {.type = "fake", .states_n = COARSES, .states = fake_states};

static inline bool fake_can_reload(const struct unit *u)
{
	return strncmp(u->name, "stiff", 5) != 0;
}

#define FAKE(which)                                                                    \
	{                                                                              \
		.type = (which), .object_size = sizeof(struct unit), .fsm = &fake_fsm, \
		.can_reload = fake_can_reload                                          \
	}
static const struct unit_type_ops fake_service = FAKE(UNIT_SERVICE);
static const struct unit_type_ops fake_socket = FAKE(UNIT_SOCKET);
static const struct unit_type_ops fake_target = FAKE(UNIT_TARGET);
static const struct unit_type_ops *const fake_types[] = {&fake_service, &fake_socket, &fake_target};

static inline void fake_registry(struct registry *r)
{
	ck_assert_int_eq(registry_init(r, fake_types, ARRAY_SIZE(fake_types)), 0);
}

static inline struct unit_config *fake_config(void)
{
	struct unit_config *c = unit_config_new(NULL);

	ck_assert_ptr_nonnull(c);
	c->load = LOAD_LOADED;
	return c;
}

/* A loaded unit in that state. */
static inline struct unit *fake_unit(struct registry *r, const char *name, enum coarse state)
{
	struct unit *u = registry_get(r, name);

	ck_assert_ptr_nonnull(u);
	if (!u->config)
		u->config = fake_config();
	u->state = (uint8_t)state;
	return u;
}

static inline void fake_dep_from(struct unit *u, enum dep_type type, const char *to,
				 enum dep_origin origin)
{
	struct dep *d = arena_get(&u->config->arena, sizeof(*d));

	ck_assert_ptr_nonnull(d);
	d->name = arena_dup(&u->config->arena, to, strlen(to));
	d->type = (uint8_t)type;
	d->origin = (uint8_t)origin;
	d->next = u->config->deps;
	u->config->deps = d;
}

static inline void fake_dep(struct unit *u, enum dep_type type, const char *to)
{
	fake_dep_from(u, type, to, DEP_FILE);
}

static inline void fake_attach(struct registry *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->units[i] && r->units[i]->config)
			ck_assert_int_eq(graph_attach(r, r->units[i]), 0);
}

/* Every record has its inverse, and each knows where the other is. */
static inline void fake_check_mirrors(const struct registry *r)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const struct unit *u = r->units[i];

		for (uint32_t k = 0; u && k < u->edges_n; k++) {
			const struct edge *e = &u->edges[k],
					  *m = &r->units[e->to]->edges[e->mirror];

			ck_assert_uint_eq(m->to, u->id);
			ck_assert_uint_eq(m->mirror, k);
			ck_assert_uint_eq(m->type, dep_inverse((enum dep_type)e->type));
			ck_assert_uint_eq(m->origin, e->origin);
			ck_assert(m->is_own != e->is_own);
			ck_assert(m->is_broken == e->is_broken);
		}
		if (u)
			ck_assert_uint_eq(u->plan_at, 0);
	}
}

/* Sum over everything that a failed operation must not change. */
static inline uint64_t fake_digest(const struct registry *r)
{
	uint64_t h = r->n;

	for (uint32_t i = 0; i < r->n; i++) {
		const struct unit *u = r->units[i];

		if (!u)
			continue;
		h = h * 31 + u->edges_n + u->work->job.id * 7 + u->work->job.type + u->plan_at;
		for (uint32_t k = 0; k < u->edges_n; k++)
			h = h * 31 + u->edges[k].to * 64 + u->edges[k].type * 2U +
			    u->edges[k].is_broken;
	}
	return h;
}
