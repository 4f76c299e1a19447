/* SPDX-License-Identifier: MIT */
/*
 * closure - a unit and every unit that it leads to, loaded without a manager, and how two of them are related.
 *
 * Relations are what configurations say and what follows from them, seen from both sides: a dependency of one is the
 * inverse dependency of the other. Beside the dependencies of configurations they have those that a manager knows
 * without writing them down: of every unit on its slice, and on the mounts that its paths lie on.
 */
#pragma once

#include "units/load.h"

/* ORIGIN(name, word): where a relation comes from, in the words of systemd's own dump */
#define RELATION_ORIGINS_LIST(ORIGIN)    \
	ORIGIN(FILE, "file")             \
	ORIGIN(IMPLICIT, "implicit")     \
	ORIGIN(DEFAULT, "default")       \
	ORIGIN(PATH, "path")             \
	ORIGIN(MOUNT_FILE, "mount-file") \
	ORIGIN(SLICE, "slice-property")
enum relation_origin {
#define ORIGIN(name, word) RELATION_##name,
	RELATION_ORIGINS_LIST(ORIGIN)
#undef ORIGIN
		RELATION_ORIGINS
};
extern const char *const relation_origin_names[RELATION_ORIGINS];

struct closure_unit {
	struct map_node node;
	struct closure_unit *next;
	const char *name;           /* canonical */
	struct unit_config *config; /* owned; NULL until it is loaded */
};

struct closure {
	struct load *load; /* borrowed */
	struct arena arena;
	struct map names;
	struct closure_unit *first; /* in the order of loading */
	struct closure_unit **tail;
	struct closure_unit *pending; /* a stack: what was named last is loaded first */
};

struct relation {
	struct relation *next;
	const char *other; /* canonical name */
	uint8_t type;      /* enum dep_type */
	/* bits 1 << enum relation_origin: said by the unit itself, and by the other one */
	uint16_t origins, destinations;
};

/* Empty; l is borrowed and has an index. */
void closure_init(struct closure *g, struct load *l);
/* Its units and everything in its arena are gone. */
void closure_fini(struct closure *g);
/* Load the unit of that name (an alias is followed, a template stands for its instance "i") and everything it leads to. NULL: -ENOMEM. */
const struct closure_unit *closure_load(struct closure *g, const char *name);
/* The relations of a loaded unit, in the arena of g. 0 or -ENOMEM. */
MUST_USE int closure_relations(struct closure *g, const struct closure_unit *u,
			       struct relation **ret_first);
/* Bits 1 << enum relation_origin for bits 1 << enum dep_origin. */
uint16_t closure_origins(uint16_t origins);
