/* SPDX-License-Identifier: MIT */
#include "units/dep.h"

#include <stdio.h>

#include "units/name.h"

void dep_list_init(struct dep_list *l, struct unit_config *c)
{
	*l = (struct dep_list){.config = c, .tail = &c->deps};
	while (*l->tail)
		l->tail = &(*l->tail)->next;
}

int dep_add(struct dep_list *l, enum dep_type type, enum dep_origin origin, const char *name)
{
	struct dep *d = arena_get(&l->config->arena, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->name = name;
	d->type = (uint8_t)type;
	d->origin = (uint8_t)origin;
	*l->tail = d;
	l->tail = &d->next;
	return 0;
}

int dep_add_copy(struct dep_list *l, enum dep_type type, enum dep_origin origin, const char *name)
{
	const char *copy = arena_dup(&l->config->arena, name, strlen(name));

	return copy ? dep_add(l, type, origin, copy) : -ENOMEM;
}

bool dep_exists(const struct unit_config *c, enum dep_type type, const char *name)
{
	for (const struct dep *d = c->deps; d; d = d->next)
		if (d->type == type && strcmp(d->name, name) == 0)
			return true;
	return false;
}

void dep_add_defaults(struct dep_list *l, const struct dep *defaults)
{
	/* Configurations are not changed once they are loaded, so a thousand of them can end in the same rows. */
	if (l->config->unit->default_dependencies)
		*l->tail = (struct dep *)(uintptr_t)defaults;
	l->tail = NULL;
}

int dep_add_slice(struct dep_list *l)
{
	int r = 0;

	if (l->config->slice_is_set)
		r = dep_add(l, DEP_REQUIRES, DEP_SETTING, l->config->slice);
	if (r == 0 && l->config->slice_is_set)
		r = dep_add(l, DEP_AFTER, DEP_SETTING, l->config->slice);
	return r;
}

void dep_triggered_name(const char *name, const char *unit, const char *suffix, char *out,
			size_t cap)
{
	int n = unit ? snprintf(out, cap, "%s", unit) : name_with_suffix(name, suffix, out, cap);

	if (cap && (n < 0 || (size_t)n >= cap))
		out[0] = '\0';
}

int dep_add_trigger(struct dep_list *l, const char *unit, const char *suffix)
{
	enum dep_origin origin = unit ? DEP_SETTING : DEP_IMPLICIT;
	char name[UNIT_NAME_MAX + 1];
	int r;

	dep_triggered_name(l->config->name, unit, suffix, name, sizeof(name));
	if (name[0] == '\0')
		return 0;
	r = dep_add_copy(l, DEP_BEFORE, origin, name);
	return r == 0 ? dep_add_copy(l, DEP_TRIGGERS, origin, name) : r;
}
