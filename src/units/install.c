/* SPDX-License-Identifier: MIT */
#include "units/install.h"

#include <stdio.h>

#include "units/install_links.h"
#include "units/name.h"

int install_enable(struct install *in, const char *const *names, unsigned n)
{
	struct install_set s;
	int r = 0;

	set_init(&s);
	for (unsigned k = 0; r == 0 && !in->has_error && k < n; k++) {
		struct install_unit *u;

		r = links_discover(in, &s, names[k], FIND_INSTALL, &u);
	}
	if (r == 0 && !in->has_error)
		r = links_enable(in, &s, false);
	set_fini(&s);
	return r;
}

static bool check_name(struct install *in, const char *name, int *ret)
{
	if (name_is_valid(name, NAME_ANY))
		return true;
	*ret = install_tell(in, true, "\"%s\" is not the name of a unit", name);
	return false;
}

int install_disable(struct install *in, const char *const *names, unsigned n)
{
	struct install_set s;
	int r = 0;

	set_init(&s);
	for (unsigned k = 0; r == 0 && k < n; k++)
		if (check_name(in, names[k], &r))
			r = set_add(in, &s, names[k], NULL) ? 0 : -ENOMEM;
	if (r == 0 && !in->has_error)
		r = links_disable(in, &s);
	set_fini(&s);
	return r;
}

/* What to enable when the links of a name are gone: the file of a linked unit, or the name. NULL: -ENOMEM. */
static const char *lasting_name(struct install *in, const char *name)
{
	struct install_unit *u;
	const char *lasting = name;
	struct install_set s;
	int r;

	set_init(&s);
	u = set_add(in, &s, name, NULL);
	r = u ? find_unit(in, &s, u, FIND_LINKED, &u) : -ENOMEM;
	if (r == FOUND && u->mode == MODE_FILE && tree_dir_of(in->tree, u->path) < 0)
		lasting = u->path;
	set_fini(&s);
	return r < 0 ? NULL : lasting;
}

int install_reenable(struct install *in, const char *const *names, unsigned n)
{
	const char **lasting = arena_get(&in->arena, (n + 1) * sizeof(*lasting));
	int r = lasting ? 0 : -ENOMEM;

	for (unsigned k = 0; r == 0 && k < n; k++) {
		lasting[k] = strchr(names[k], '/') ? names[k] : lasting_name(in, names[k]);
		r = lasting[k] ? 0 : -ENOMEM;
	}
	for (unsigned k = 0; r == 0 && !in->has_error && k < n; k++) {
		const char *name = tree_name(names[k]);

		r = install_disable(in, &name, 1);
	}
	return r == 0 && !in->has_error ? install_enable(in, lasting, n) : r;
}

/* --- masks and links to files --- */

/* A file in a directory that counts more than the one of links, where a mask would hide nothing. NULL: none. */
static const char *above_links(struct install *in, const struct tree_dir *links, const char *name)
{
	for (const struct tree_dir *d = in->tree->dirs; d < links; d++) {
		const char *path = d->is_presence ? tree_join(in->tree, d->path, name) : NULL;

		if (path && tree_find(in->tree, path))
			return path;
	}
	return NULL;
}

int install_mask(struct install *in, const char *const *names, unsigned n)
{
	const struct tree_dir *d;
	int r = links_dir(in, &d);

	for (unsigned k = 0; r == 0 && d && k < n; k++) {
		const char *path, *above;

		if (!check_name(in, names[k], &r))
			continue;
		path = tree_join(in->tree, d->path, names[k]);
		above = above_links(in, d, names[k]);
		if (above)
			r = install_refuse(in, "exists",
					   "%s is in the way: it counts more than a link in %s",
					   above, d->path);
		else
			r = path ? links_make(in, path, "/dev/null", in->is_forced) : -ENOMEM;
	}
	return r;
}

static bool is_mask(struct install *in, const struct tree_node *n)
{
	const char *end = n ? find_end(in, n->path) : NULL;
	const struct tree_node *last = end ? tree_find(in->tree, end) : NULL;

	return end && (strcmp(end, "/dev/null") == 0 || (last && last->kind == TREE_EMPTY));
}

int install_unmask(struct install *in, const char *const *names, unsigned n)
{
	struct doomed *list = NULL;
	const struct tree_dir *d;
	int r = links_dir(in, &d);

	for (unsigned k = 0; r == 0 && d && k < n; k++) {
		const char *path = tree_join(in->tree, d->path, names[k]);
		struct tree_node *node = path ? tree_find(in->tree, path) : NULL;

		if (!check_name(in, names[k], &r) || !is_mask(in, node))
			continue;
		r = links_doom(in, &list, path);
		tree_unset(node);
	}
	return r == 0 && d ? links_remove(in, list, d) : r;
}

/* A path that links can be made to. */
static int check_file(struct install *in, const char *path, bool *ret_fits)
{
	const char *name = tree_name(path);
	const struct tree_node *node = tree_find(in->tree, path);
	struct unit_config *c = NULL;
	int r;

	*ret_fits = false;
	if (path[0] != '/' || !name_is_valid(name, NAME_ANY))
		return install_tell(in, true, "%s is not the absolute path of a unit file", path);
	if (node && node->kind == TREE_LINK)
		return install_tell(in, true, "%s is a link itself", path);
	r = in->read(in->arg, name, path, &c);
	if (r == 0 && c->load == LOAD_ERROR)
		r = install_refuse(in, "not-found", "%s cannot be read", path);
	else if (r == 0)
		*ret_fits = true;
	unit_config_free(c);
	return r;
}

int install_link(struct install *in, const char *const *names, unsigned n)
{
	const struct tree_dir *d;
	int r = links_dir(in, &d);
	bool fits;

	for (unsigned k = 0; r == 0 && d && k < n; k++) {
		const char *path;

		r = check_file(in, names[k], &fits);
		if (r < 0 || !fits || tree_dir_of(in->tree, names[k]) >= 0)
			continue;
		path = tree_join(in->tree, d->path, tree_name(names[k]));
		r = path ? links_make(in, path, names[k], in->is_forced) : -ENOMEM;
	}
	return r;
}

/* --- revert --- */

/* Drop-ins in NAME.d of d, and the directory's own node. */
static int revert_dropins(struct install *in, const struct tree_dir *d, const char *name)
{
	char dropins[UNIT_NAME_MAX + 3];
	const char *path;
	size_t n;

	snprintf(dropins, sizeof(dropins), "%s.d", name);
	path = tree_join(in->tree, d->path, dropins);
	if (!path)
		return -ENOMEM;
	n = strlen(path);
	list_for_each(node, &d->nodes) {
		struct tree_node *file = list_entry(node, struct tree_node, list_node);

		if (strncmp(file->path, path, n) == 0 && (!file->path[n] || file->path[n] == '/'))
			tree_unset(file);
	}
	return 0;
}

/* The file of a unit that comes with the system. */
static bool has_vendor_file(struct install *in, const char *name)
{
	for (unsigned k = 0; k < in->tree->dirs_n; k++) {
		const char *path = tree_join(in->tree, in->tree->dirs[k].path, name);
		const struct tree_node *n = path ? tree_find(in->tree, path) : NULL;

		if (n && (n->kind == TREE_FILE || n->kind == TREE_EMPTY) &&
		    !tree_is_config(&in->tree->dirs[k]))
			return true;
	}
	return false;
}

/* The files, or links, of that name that are the administrator's. */
static int revert_files(struct install *in, const char *name, struct doomed **list)
{
	int r = 0;

	for (unsigned k = 0; r == 0 && k < in->tree->dirs_n; k++) {
		const char *path = tree_join(in->tree, in->tree->dirs[k].path, name);
		struct tree_node *n = path ? tree_find(in->tree, path) : NULL;

		if (!n || n->kind == TREE_DIR || !tree_is_config(&in->tree->dirs[k]))
			continue;
		tree_unset(n);
		r = links_doom(in, list, path);
	}
	return r;
}

static int revert_one(struct install *in, const char *name, struct doomed **list)
{
	int r = 0;

	for (unsigned k = 0; r == 0 && k < in->tree->dirs_n; k++)
		if (tree_is_config(&in->tree->dirs[k]))
			r = revert_dropins(in, &in->tree->dirs[k], name);
	return r == 0 && has_vendor_file(in, name) ? revert_files(in, name, list) : r;
}

int install_revert(struct install *in, const char *const *names, unsigned n)
{
	struct doomed *list = NULL;
	int r = 0;

	for (unsigned k = 0; r == 0 && k < n; k++)
		if (check_name(in, names[k], &r))
			r = revert_one(in, names[k], &list);
	for (unsigned k = 0; r == 0 && k < in->tree->dirs_n; k++)
		if (tree_is_config(&in->tree->dirs[k]))
			r = links_remove(in, list, &in->tree->dirs[k]);
	return r;
}

/* --- presets --- */

struct preset_sets {
	struct install_set plus, minus;
};

static int add_instances(struct install *in, struct install_set *plus, const char *name,
			 struct str instances)
{
	char full[UNIT_NAME_MAX + 1];
	struct install_unit *u;
	struct str word;
	int r = 0;

	while (r == 0 && str_word(&instances, &word))
		if (name_with_instance(name, word, full, sizeof(full)) == 0)
			r = links_discover(in, plus, full, FIND_INSTALL, &u);
	return r;
}

/* name goes to one of the sets, as its rule wants. */
static int apply_rule(struct install *in, const struct preset *p, struct preset_sets *sets,
		      const char *name)
{
	struct install_unit *u;
	struct str instances;

	if (!preset_wants(p, name, &instances))
		return set_add(in, &sets->minus, name, NULL) ? 0 : -ENOMEM;
	if (instances.n)
		return add_instances(in, &sets->plus, name, instances);
	return links_discover(in, &sets->plus, name, FIND_INSTALL, &u);
}

static int prepare(struct install *in, const struct preset *p, struct preset_sets *sets,
		   const char *name)
{
	struct install_unit *u;
	struct install_set scratch;
	int r;

	if (set_find(&sets->plus, name) || set_find(&sets->minus, name))
		return 0;
	set_init(&scratch);
	u = set_add(in, &scratch, name, NULL);
	r = u ? find_unit(in, &scratch, u, FIND_LINKED, &u) : -ENOMEM;
	if (r > 0)
		r = install_missing(in, name, (enum install_found)r);
	else if (r == 0 &&
		 strcmp(u->name, name) == 0) /* else it is a name of a unit that has its own rule */
		r = apply_rule(in, p, sets, name);
	set_fini(&scratch);
	return r;
}

/* Masked and broken ones are left alone without a word. */
static int prepare_quietly(struct install *in, const struct preset *p, struct preset_sets *sets,
			   const char *name)
{
	struct install_note **last = in->last_note;
	bool had_error = in->has_error;
	int r = prepare(in, p, sets, name);

	in->has_error = had_error;
	in->last_note = last;
	*last = NULL;
	return r;
}

static int prepare_all(struct install *in, const struct preset *p, struct preset_sets *sets)
{
	int r = 0;

	for (unsigned k = 0; r == 0 && k < in->tree->dirs_n; k++)
		list_for_each(node, &in->tree->dirs[k].nodes) {
			const struct tree_node *n = list_entry(node, struct tree_node, list_node);

			if (r == 0 && !n->is_side && n->kind != TREE_DIR && n->kind != TREE_NONE &&
			    name_is_valid(n->name, NAME_ANY))
				r = prepare_quietly(in, p, sets, n->name);
		}
	return r;
}

int install_preset(struct install *in, const struct preset *p, enum preset_mode mode,
		   const char *const *names, unsigned n)
{
	struct preset_sets sets;
	int r = 0;

	set_init(&sets.plus);
	set_init(&sets.minus);
	for (unsigned k = 0; r == 0 && !in->has_error && k < n; k++)
		r = prepare(in, p, &sets, names[k]);
	if (n == 0)
		r = prepare_all(in, p, &sets);
	if (r == 0 && !in->has_error && mode != PRESET_ENABLE_ONLY)
		r = links_disable(in, &sets.minus);
	if (r == 0 && !in->has_error && mode != PRESET_DISABLE_ONLY)
		r = links_enable(in, &sets.plus, true);
	set_fini(&sets.plus);
	set_fini(&sets.minus);
	return r;
}

/* --- single links --- */

int install_add_dependency(struct install *in, enum dep_type type, const char *const *names,
			   unsigned n)
{
	struct install_unit *owner = NULL, *u = NULL;
	const struct tree_dir *d;
	struct install_set owners, members;
	int r = links_dir(in, &d);

	set_init(&owners);
	set_init(&members);
	if (r == 0 && d)
		r = links_discover(in, &owners, names[0], 0, &owner);
	for (unsigned k = 1; r == 0 && owner && !in->has_error && k < n; k++)
		r = links_discover(in, &members, names[k], 0, &u);
	u = in->has_error ? NULL : members.first;
	for (; r == 0 && owner && u; u = u->next)
		if (u->mode == MODE_FILE)
			r = links_add(in, type, owner, u);
	set_fini(&owners);
	set_fini(&members);
	return r;
}

int install_set_default(struct install *in, const char *name)
{
	struct install_unit *u = NULL;
	const struct tree_dir *d;
	struct install_set s;
	const char *path;
	int r = links_dir(in, &d);

	if (r < 0 || !d)
		return r;
	if (unit_type_of(name) != UNIT_TARGET || strcmp(name, "default.target") == 0)
		return install_tell(
			in, true,
			"%s cannot be the default: a target other than default.target can", name);
	set_init(&s);
	path = tree_join(in->tree, d->path, "default.target");
	r = path ? links_discover(in, &s, name, 0, &u) : -ENOMEM;
	if (r == 0 && u)
		r = links_make(in, path, u->path, true);
	set_fini(&s);
	return r;
}
