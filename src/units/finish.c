/* SPDX-License-Identifier: MIT */
#include "units/finish.h"

#include <stdio.h>

#include "core/cgroup.h"
#include "units/device_unit.h"
#include "units/mount.h"
#include "units/name.h"
#include "units/needs.h"
#include "units/passive.h"
#include "units/path.h"
#include "units/sandbox.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/timer.h"

/* The slice of an instance, named like its template, or none when that would be too long. 0 or -ENOMEM. */
static int set_template_slice(struct unit_config *c)
{
	char escaped[UNIT_NAME_MAX + 1], name[2 * UNIT_NAME_MAX];
	int n;

	if (name_escape(name_prefix(c->name), false, escaped, sizeof(escaped)) < 0)
		return 0;
	n = snprintf(name, sizeof(name), "system-%s.slice", escaped);
	if (n < 0 || !name_is_valid(name, NAME_PLAIN))
		return 0;
	c->slice = arena_dup(&c->arena, name, (size_t)n);
	return c->slice ? 0 : -ENOMEM;
}

/* "system.slice", or for instances a slice of their own below it, as systemd has it. */
static int set_slice(struct unit_config *c)
{
	if (c->slice || !c->exec)
		return 0;
	c->slice = CGROUP_STANDARD_SLICE;
	return c->instance ? set_template_slice(c) : 0;
}

static int settle_service(struct unit_config *c)
{
	service_settle(c);
	return 0;
}

static int settle_socket(struct unit_config *c)
{
	socket_settle(c);
	return 0;
}

/* By type: values that follow from others, dependencies that follow, what is missing. NULL: nothing. */
static const struct finish {
	int (*settle)(struct unit_config *c);
	int (*links)(struct unit_config *c);
	void (*verify)(struct unit_config *c);
} finishes[UNIT_TYPES] = {
	[UNIT_SERVICE] = {settle_service, service_links, service_verify},
	[UNIT_SOCKET] = {settle_socket, socket_links, socket_verify},
	[UNIT_TARGET] = {NULL, target_links, NULL},
	[UNIT_DEVICE] = {device_settle, NULL, NULL},
	[UNIT_MOUNT] = {mount_settle, mount_links, mount_verify},
	[UNIT_AUTOMOUNT] = {automount_settle, automount_links, automount_verify},
	[UNIT_SWAP] = {swap_settle, swap_links, swap_verify},
	[UNIT_TIMER] = {NULL, timer_links, timer_verify},
	[UNIT_PATH] = {NULL, path_links, path_verify},
	[UNIT_SLICE] = {slice_settle, slice_links, slice_verify},
	[UNIT_SCOPE] = {NULL, scope_links, NULL},
	[UNIT_BUSNAME] = {device_settle, busname_links, NULL},
};

static struct str variable_name(const char *assignment)
{
	struct str s = str_of(assignment);

	return str_sub(s, 0, str_index(s, '='));
}

/* The place of that variable in a table of a power of two of places, not all of them taken. */
static struct name_list **variable_place(struct name_list **table, size_t places, const char *text)
{
	struct str name = variable_name(text);
	size_t at = str_hash(name) & (places - 1);

	while (table[at] && !str_eq(variable_name(table[at]->text), name))
		at = (at + 1) & (places - 1);
	return &table[at];
}

/* Of a variable that is assigned more than once the last value counts. 0 or -ENOMEM. */
static int drop_overridden(struct name_list **first)
{
	AUTO_MEM struct name_list **table = NULL;
	size_t n = 0, places = 4;

	for (const struct name_list *l = *first; l; l = l->next)
		n++;
	while (places < 2 * n)
		places *= 2;
	table = n > 1 ? mem_get(places * sizeof(*table)) : NULL;
	if (!table)
		return n > 1 ? -ENOMEM : 0;
	for (struct name_list *l = *first; l; l = l->next)
		*variable_place(table, places, l->text) = l;
	for (struct name_list **at = first; *at;)
		if (*variable_place(table, places, (*at)->text) == *at)
			at = &(*at)->next;
		else
			*at = (*at)->next;
	return 0;
}

/* A slice with a file, or that of a template, is depended on; any other is made when its cgroup is. */
static void find_slice(const struct load *l, struct unit_config *c)
{
	const struct load_entry *slice = c->slice ? index_find(l, str_of(c->slice)) : NULL;

	if ((slice && slice->has_file) || c->instance)
		c->slice_is_set = true;
}

int finish_config(const struct load *l, struct unit_config *c)
{
	static const struct finish nothing;
	int type = unit_type_of(c->name);
	const struct finish *f = type >= 0 ? &finishes[type] : &nothing;
	int r = set_slice(c);

	if (r == 0 && c->exec)
		r = drop_overridden(&c->exec->environment);
	if (r == 0)
		r = sandbox_settle(c);
	if (c->own->swap)
		c->own->swap->in_container = l->in_container;
	if (r == 0 && f->settle)
		r = f->settle(c);
	find_slice(l, c);
	if (r == 0)
		r = needs_links(l, c);
	if (r == 0 && f->links)
		r = f->links(c);
	/* What a refused unit lacks beside is often what its broken line should have said. */
	if (r == 0 && f->verify && !c->diags.has_fatal)
		f->verify(c);
	c->load = c->diags.has_fatal ? LOAD_BAD : LOAD_LOADED;
	return r;
}
