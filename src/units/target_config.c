/* SPDX-License-Identifier: MIT */
/* The configuration half of targets. */
#include "units/dep.h"
#include "units/passive.h"

static const struct dep default_deps[] = {
	DEP_DEFAULTS(default_deps, 0, DEP_CONFLICTS, "shutdown.target"),
	DEP_DEFAULTS_END(1, DEP_BEFORE, "shutdown.target"),
};

/* Dependencies that make a unit a member of the target, which is reached after its members. */
static bool is_member(const struct dep *d)
{
	return d->type == DEP_WANTS || d->type == DEP_REQUIRES || d->type == DEP_REQUISITE ||
	       d->type == DEP_BINDS_TO || d->type == DEP_UPHOLDS || d->type == DEP_CONSISTS_OF;
}

int target_links(struct unit_config *c)
{
	const struct dep *d = c->deps;
	const struct dep *last = NULL;
	bool has_before = false;
	struct dep_list l;
	int r = 0;

	dep_list_init(&l, c);
	for (; d; d = d->next) {
		has_before |= d->type == DEP_BEFORE;
		last = d;
	}
	/* Only what the files say: the list grows behind `last` meanwhile. A target that wants to be reached first says so. */
	for (d = c->unit->default_dependencies ? c->deps : NULL; r == 0 && d;
	     d = d == last ? NULL : d->next)
		if (is_member(d) && !(has_before && dep_exists(c, DEP_BEFORE, d->name)))
			r = dep_add(&l, DEP_AFTER, DEP_DEFAULT, d->name);
	if (strcmp(c->name, "shutdown.target") != 0)
		dep_add_defaults(&l, default_deps);
	return r;
}
