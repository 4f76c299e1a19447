/* SPDX-License-Identifier: MIT */
/* The configuration half of slices. */
#include <stdio.h>

#include "core/cgroup.h"
#include "units/dep.h"
#include "units/name.h"
#include "units/passive.h"
#include "units/refuse.h"

static const struct dep default_deps[] = {
	DEP_DEFAULTS(default_deps, 0, DEP_CONFLICTS, "shutdown.target"),
	DEP_DEFAULTS_END(1, DEP_BEFORE, "shutdown.target"),
};

/* Slices that are always there. */
static const struct builtin_slice {
	const char *name, *description;
} builtin_slices[] = {
	{"-.slice", "Root Slice"},
	{CGROUP_STANDARD_SLICE, "System Slice"},
};

static int settle_builtin(struct unit_config *c, const struct builtin_slice *slice)
{
	c->is_perpetual = true;
	c->unit->default_dependencies = false;
	if (!c->description)
		c->description = slice->description;
	if (!c->unit->documentation)
		c->unit->documentation = arena_get(&c->arena, sizeof(*c->unit->documentation));
	else
		return 0;
	if (!c->unit->documentation)
		return -ENOMEM;
	c->unit->documentation->text = "man:systemd.special(7)";
	return 0;
}

/* "Slice /a/b" of a-b.slice. */
static int describe(struct unit_config *c)
{
	char path[UNIT_NAME_MAX + 2], text[UNIT_NAME_MAX + 16];
	int n = name_unescape(name_prefix(c->name), true, path, sizeof(path));

	if (n < 0)
		return 0;
	n = snprintf(text, sizeof(text), "Slice %.*s", n, path);
	c->description = arena_dup(&c->arena, text, (size_t)n);
	return c->description ? 0 : -ENOMEM;
}

/* The slice above: a.slice of a-b.slice, the root of a.slice, NULL of the root itself. */
static int set_parent(struct unit_config *c)
{
	struct str prefix = name_prefix(c->name);
	size_t dash = str_rindex(prefix, '-');
	char name[UNIT_NAME_MAX + 1];
	int n;

	c->slice = NULL;
	if (str_eq_z(prefix, "-"))
		return 0;
	if (dash == prefix.n) {
		c->slice = "-.slice";
		return 0;
	}
	n = snprintf(name, sizeof(name), STR_FMT ".slice", STR_ARG(str_sub(prefix, 0, dash)));
	c->slice = arena_dup(&c->arena, name, (size_t)n);
	return c->slice ? 0 : -ENOMEM;
}

int slice_settle(struct unit_config *c)
{
	int r = set_parent(c);

	for (size_t k = 0; r == 0 && k < ARRAY_SIZE(builtin_slices); k++)
		if (strcmp(c->name, builtin_slices[k].name) == 0)
			r = settle_builtin(c, &builtin_slices[k]);
	return r == 0 && !c->description ? describe(c) : r;
}

int slice_links(struct unit_config *c)
{
	struct dep_list l;
	int r = 0;

	dep_list_init(&l, c);
	if (c->slice)
		r = dep_add(&l, DEP_REQUIRES, DEP_IMPLICIT, c->slice);
	if (r == 0 && c->slice)
		r = dep_add(&l, DEP_AFTER, DEP_IMPLICIT, c->slice);
	dep_add_defaults(&l, default_deps);
	return r;
}

void slice_verify(struct unit_config *c)
{
	struct str prefix = name_prefix(c->name);
	bool is_root = str_eq_z(prefix, "-");

	if (!name_is_valid(c->name, NAME_PLAIN) ||
	    (!is_root && (memmem(prefix.p, prefix.n, "--", 2) || prefix.p[0] == '-' ||
			  prefix.p[prefix.n - 1] == '-')))
		refuse_unit(c, CODE_BAD_SLICE_NAME, NULL, 0, NULL,
			    "each dash in the name of a slice stands between two of its folders");
}
