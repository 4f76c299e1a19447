/* SPDX-License-Identifier: MIT */
/*
 * graph - typed edges between units. Pure: no system call, no clock.
 *
 * An edge is stored on both units, the inverse on the other one, as plain index arrays (a unit has few). Attaching a
 * configuration turns its dependencies by name into edges and creates stubs for names not seen before.
 */
#pragma once

#include "core/unit.h"

/* Replace what u wrote before by what its configuration says now. All memory is got first: 0, or -ENOMEM and nothing changed. */
MUST_USE int graph_attach(struct registry *r, struct unit *u);
/* Take away the edges u itself wrote (and their inverses). */
void graph_detach(struct registry *r, struct unit *u);
/* Add one edge both ways (used for the edges of running instances ...). 0 or -ENOMEM. */
MUST_USE int graph_add(struct registry *r, struct unit *from, enum dep_type type, struct unit *to,
		       const struct dep *source);
bool graph_has(const struct unit *u, enum dep_type type, uint32_t to);

/* Path of the file in which an edge of u was written, NULL when it follows from something else. Borrowed from a configuration. */
const char *graph_file(const struct registry *r, const struct unit *u, const struct edge *e);
/* Walk: the next edge of that type at or after *at; NULL at the end. */
const struct edge *graph_next(const struct unit *u, enum dep_type type, uint32_t *at);
#define graph_for_each(e, u, type)                                           \
	for (uint32_t e##_at = 0; e##_at != UINT32_MAX; e##_at = UINT32_MAX) \
		for (const struct edge *e; (e = graph_next((u), (type), &e##_at)) != NULL;)

/* Gives a stub its configuration: 0, > 0 (not loadable, go on) or -errno. */
struct graph_loader {
	int (*load)(void *arg, struct unit *u);
	void *arg;
	uint32_t at_most; /* stubs of one step */
};
/* A walk over the closure of units that a start of one unit may pull in; zeroed at its beginning. */
struct graph_walk {
	uint32_t visit;
	uint32_t *ids; /* owned; as far as seen */
	uint32_t n, cap, at;
};
/*
 * graph_walk() - take the next step over the closure of `anchor` (Requires, Requisite, Wants, BindsTo, Upholds), loading every stub on the
 * way. Without recursion. Between two steps units may be loaded, attached and dropped, and others may walk; anchor must stay.
 *
 * Returns 0 (all of it is loaded), 1 (there is more), -errno.
 */
MUST_USE int graph_walk(struct graph_walk *w, struct registry *r, struct unit *anchor,
			const struct graph_loader *loader);
void graph_walk_fini(struct graph_walk *w);
/* Load what the loaded units pull in, and what that pulls in. 0 or -errno. */
MUST_USE int graph_close(struct registry *r, int (*load)(void *arg, struct unit *u), void *arg);
/* The whole walk at once: 0 or -errno. */
MUST_USE int graph_closure(struct registry *r, struct unit *anchor,
			   int (*load)(void *arg, struct unit *u), void *arg);
