/* SPDX-License-Identifier: MIT */
/* The configuration half of the path type: defaults, what follows, what a path unit must have. */
#include "units/dep.h"
#include "units/path.h"
#include "units/refuse.h"

const char *const path_kind_names[PATH_KINDS] = {
#define KIND(name, directive) [PATH_##name] = directive,
	PATH_KINDS_LIST(KIND)
#undef KIND
};

void path_config_defaults(struct path_config *p)
{
	*p = (struct path_config){
		.directory_mode = 0755,
		.trigger_limit_interval_us = 2 * US_PER_SEC,
		.trigger_limit_burst = 200,
	};
}

void path_unit_name(const struct unit_config *c, char *out, size_t cap)
{
	dep_triggered_name(c->name, c->own->path->unit, "service", out, cap);
}

static const struct dep default_deps[] = {
	DEP_DEFAULTS(default_deps, 0, DEP_BEFORE, "paths.target"),
	DEP_DEFAULTS(default_deps, 1, DEP_REQUIRES, "sysinit.target"),
	DEP_DEFAULTS(default_deps, 2, DEP_AFTER, "sysinit.target"),
	DEP_DEFAULTS(default_deps, 3, DEP_CONFLICTS, "shutdown.target"),
	DEP_DEFAULTS_END(4, DEP_BEFORE, "shutdown.target"),
};

int path_links(struct unit_config *c)
{
	struct dep_list l;
	int r;

	dep_list_init(&l, c);
	r = dep_add_trigger(&l, c->own->path->unit, "service");
	dep_add_defaults(&l, default_deps);
	return r;
}

void path_verify(struct unit_config *c)
{
	if (!c->own->path->watches)
		refuse_unit(c, CODE_NO_WATCH, NULL, 0,
			    "add PathExists= or PathChanged=", "the unit has no path to watch");
}
