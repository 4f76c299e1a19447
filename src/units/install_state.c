/* SPDX-License-Identifier: MIT */
#include "units/install_state.h"

#include "units/name.h"

/* clang-format off */
const char *const install_state_names[INSTALL_STATES] = {
#define STATE(name, word, good) [INSTALL_##name] = (word),
	INSTALL_STATES_LIST(STATE)
#undef STATE
};
/* clang-format on */

bool install_state_is_good(enum install_state s)
{
	static const bool good[INSTALL_STATES] = {
#define STATE(name, word, is_good) [INSTALL_##name] = (is_good),
		INSTALL_STATES_LIST(STATE)
#undef STATE
	};

	return good[s];
}

/* What the search for links to one unit has seen. */
struct seen {
	bool is_enabled_runtime, is_enabled_elsewhere;
	bool is_linked, is_linked_runtime; /* links of the unit's own name to its file */
};

/* A name that enabling the unit would make a link of. */
static bool is_known_name(const struct install_unit *u, const char *name)
{
	char full[UNIT_NAME_MAX + 1];

	if (strcmp(name, u->name) == 0)
		return true;
	for (const struct name_list *a = u->config->unit->alias; a; a = a->next)
		if (strcmp(a->text, name) == 0)
			return true;
	return u->config->unit->default_instance && name_form(u->name) == NAME_TEMPLATE &&
	       name_with_instance(u->name, str_of(u->config->unit->default_instance), full,
				  sizeof(full)) == 0 &&
	       strcmp(full, name) == 0;
}

/*
 * A link to the unit, or with its name. by_install: only one that enabling it would make. is_below: the directory is less important than
 * that of the unit's file, so that a link of its own name there is hidden. *ret_same_name: such a link is no other name. Who wants an instance
 * wants what the template makes; one that is linked from elsewhere is a file of its own.
 */
static bool has_link(const struct install_unit *u, const struct tree_dir *d, bool by_install,
		     bool is_below, bool *ret_same_name)
{
	char template[UNIT_NAME_MAX + 1];

	list_for_each(node, &d->nodes) {
		const struct tree_node *n = list_entry(node, struct tree_node, list_node);
		bool leads_here, has_name;

		if (n->kind != TREE_LINK)
			continue;
		leads_here =
			strcmp(tree_name(n->target), u->name) == 0 ||
			(n->is_side &&
			 name_template(tree_name(n->target), template, sizeof(template)) == 0 &&
			 strcmp(template, u->name) == 0);
		has_name = (n->is_side || !is_below) && strcmp(n->name, u->name) == 0;
		if (has_name && leads_here && !n->is_side)
			*ret_same_name = true;
		else if ((has_name || leads_here) && (!by_install || is_known_name(u, n->name)))
			return true;
	}
	return false;
}

/* The state that links give, or INSTALL_STATES. */
static enum install_state state_by_links(const struct install *in, const struct install_unit *u,
					 bool by_install)
{
	int own = tree_dir_of(in->tree, u->path);
	int links = tree_links_dir(in->tree, false);
	struct seen seen = {0};

	for (int k = 0; k < in->tree->dirs_n; k++) {
		const struct tree_dir *d = &in->tree->dirs[k];
		bool same_name = false;

		if (d->same_as != k)
			continue;
		if (has_link(u, d, by_install, own >= 0 && k > own, &same_name)) {
			if (k == links)
				return INSTALL_ENABLED;
			seen.is_enabled_runtime |= d->is_runtime;
			seen.is_enabled_elsewhere |= !d->is_runtime;
		}
		seen.is_linked |= same_name && k == links;
		seen.is_linked_runtime |= same_name && d->is_runtime;
	}
	if (seen.is_enabled_runtime)
		return INSTALL_ENABLED_RUNTIME;
	if (seen.is_enabled_elsewhere && name_form(u->name) == NAME_INSTANCE)
		return INSTALL_STATIC;
	return seen.is_linked           ? INSTALL_LINKED
	       : seen.is_linked_runtime ? INSTALL_LINKED_RUNTIME
					: INSTALL_STATES;
}

/* Would enabling it make a link? */
static bool has_rules(const struct unit_config *c)
{
	return c->unit->wanted_by || c->unit->required_by || c->unit->upheld_by ||
	       (c->unit->alias && name_may_alias(c->name));
}

/* Where presence is enablement. */
static bool is_present(const struct install *in, const struct install_unit *u)
{
	int k = tree_dir_of(in->tree, u->path);

	return k >= 0 && in->tree->dirs[k].is_presence && has_rules(u->config);
}

/* By the drop-in of `disable`. */
static bool is_banned(const struct install *in, const char *name)
{
	for (unsigned k = 0; k < in->tree->dirs_n; k++) {
		const char *path = in->tree->dirs[k].is_presence
					   ? find_ban(in, &in->tree->dirs[k], name)
					   : NULL;

		if (path && tree_find(in->tree, path))
			return true;
	}
	return false;
}

static enum install_state state_of_file(struct install *in, const struct install_unit *u,
					const char *name)
{
	int k = tree_dir_of(in->tree, u->path);
	const struct tree_dir *d = k >= 0 ? &in->tree->dirs[k] : NULL;
	enum install_state state;

	if (strcmp(name, tree_name(u->path)) != 0 && name_form(u->name) != NAME_INSTANCE)
		return INSTALL_ALIAS;
	if (d && d->is_generated)
		return INSTALL_GENERATED;
	if (is_present(in, u) && name_form(name) != NAME_INSTANCE)
		return d->is_runtime ? INSTALL_ENABLED_RUNTIME : INSTALL_ENABLED;
	state = state_by_links(in, u, true);
	if (state != INSTALL_STATES)
		return state;
	if (state_by_links(in, u, false) != INSTALL_STATES)
		return INSTALL_INDIRECT;
	if (has_rules(u->config) || is_banned(in, u->name))
		return INSTALL_DISABLED;
	return u->config->unit->also ? INSTALL_INDIRECT : INSTALL_STATIC;
}

int install_state(struct install *in, const char *name, enum install_state *ret_state)
{
	struct install_unit *u;
	struct install_set s;
	int r;

	set_init(&s);
	u = set_add(in, &s, name, NULL);
	r = u ? find_unit(in, &s, u, FIND_INSTALL | FIND_LINKED, &u) : -ENOMEM;
	if (r == FOUND_NOTHING)
		*ret_state = INSTALL_NOT_FOUND;
	else if (r > 0)
		*ret_state = INSTALL_BAD;
	else if (r == 0 && u->mode == MODE_MASKED) {
		int k = u->path ? tree_dir_of(in->tree, u->path) : -1;

		*ret_state = k >= 0 && in->tree->dirs[k].is_runtime ? INSTALL_MASKED_RUNTIME
								    : INSTALL_MASKED;
	} else if (r == 0)
		*ret_state = state_of_file(in, u, name);
	set_fini(&s);
	return r < 0 ? r : 0;
}

int install_get_default(struct install *in, const char **ret_name)
{
	struct install_unit *u;
	struct install_set s;
	int r;

	*ret_name = NULL;
	set_init(&s);
	u = set_add(in, &s, "default.target", NULL);
	r = u ? find_unit(in, &s, u, FIND_LINKED, &u) : -ENOMEM;
	if (r == FOUND)
		*ret_name = u->name;
	set_fini(&s);
	return r < 0 ? r : 0;
}
