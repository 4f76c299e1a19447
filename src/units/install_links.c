/* SPDX-License-Identifier: MIT */
#include "units/install_links.h"

#include <stdio.h>

#include "units/name.h"

/* The text of the drop-in that disables a unit where presence is enablement. */
static const char ban_text[] = "# written by `harkctl disable`; `harkctl enable` takes it away\n"
			       "[Install]\nAlias=\nWantedBy=\nRequiredBy=\nUpheldBy=\n";

/* --- places --- */

int links_dir(struct install *in, const struct tree_dir **ret_dir)
{
	int k = tree_links_dir(in->tree, in->is_runtime);

	*ret_dir = k >= 0 ? &in->tree->dirs[k] : NULL;
	return *ret_dir ? 0
			: install_tell(in, true,
				       "the search path has no directory that links may go to");
}

/* The search directory of u when its presence there enables it; NULL otherwise. */
static const struct tree_dir *presence_of(const struct install *in, const struct install_unit *u)
{
	int k = u->path ? tree_dir_of(in->tree, u->path) : -1;

	return k >= 0 && in->tree->dirs[k].is_presence && name_form(u->name) != NAME_INSTANCE
		       ? &in->tree->dirs[k]
		       : NULL;
}

/* Where `disable` writes for such a unit: with --runtime below /run. */
static const struct tree_dir *ban_dir(const struct install *in, const struct tree_dir *d)
{
	for (unsigned k = 0; in->is_runtime && k < in->tree->dirs_n; k++)
		if (in->tree->dirs[k].is_presence && in->tree->dirs[k].is_runtime)
			return &in->tree->dirs[k];
	return d;
}

/* What the reader found wrong in an [Install] section, once. */
static int note_findings(struct install *in, const struct install_unit *u)
{
	struct sbuf line = {0};
	int r = 0;

	for (const struct diag *d = u->config ? u->config->diags.first : NULL; r == 0 && d;
	     d = d->next) {
		if (d->severity != DIAG_ERROR)
			continue;
		sbuf_reset(&line);
		diag_render(d, &line);
		r = line.p ? install_tell(in, true, "%s", line.p) : -ENOMEM;
	}
	sbuf_fini(&line);
	return r;
}

/* --- making links --- */

/* Does the link at n mean what a link to `target` would: the same file, or that name anywhere in the search path? */
static bool leads_to(struct install *in, const struct tree_node *n, const char *target)
{
	const char *first = tree_resolve(in->tree, n->path, n->target);
	const char *here = find_end(in, n->path);
	const char *there = find_end(in, target);

	if (here && there && strcmp(here, there) == 0)
		return true;
	return first && strcmp(tree_name(first), tree_name(target)) == 0 &&
	       tree_dir_of(in->tree, first) >= 0 && tree_dir_of(in->tree, target) >= 0;
}

int links_make(struct install *in, const char *path, const char *target, bool is_forced)
{
	const struct tree_node *n = tree_find(in->tree, path);

	if (n && n->kind == TREE_LINK && leads_to(in, n, target))
		return 0;
	if (n && n->kind != TREE_LINK)
		return install_refuse(in, "exists", "%s is in the way: it is not a link; it stays",
				      path);
	if (n && !is_forced)
		return install_refuse(in, "exists",
				      "%s is a link to %s already; --force replaces it", path,
				      n->target);
	return tree_set_link(in->tree, path, target);
}

static int link_aliases(struct install *in, const struct install_unit *u, const struct tree_dir *d,
			unsigned *ret_made)
{
	char full[UNIT_NAME_MAX + 1];
	int r = 0;

	if (u->config->unit->alias && !name_may_alias(u->name))
		return install_tell(in, false,
				    "%s:%u: Alias= has no effect: a %s unit has one name",
				    u->config->unit->alias->file, u->config->unit->alias->line,
				    unit_type_names[unit_type_of(u->name)]);
	for (const struct name_list *a = u->config->unit->alias; r == 0 && a; a = a->next) {
		const char *name = a->text, *path;
		enum install_found fits;

		if (name_form(name) == NAME_TEMPLATE && name_form(u->name) == NAME_INSTANCE) {
			if (name_with_instance(name, name_instance(u->name), full, sizeof(full)) <
			    0)
				continue;
			name = full;
		}
		fits = find_alias_fits(name, u->name);
		if (fits == FOUND_LOOP)
			continue;
		if (fits != FOUND) {
			r = install_tell(in, true, "%s:%u: %s cannot stand for %s", a->file,
					 a->line, name, u->name);
			continue;
		}
		path = tree_join(in->tree, d->path, name);
		r = path ? links_make(in, path, u->path, in->is_forced) : -ENOMEM;
		++*ret_made;
	}
	return r;
}

/* One list of [Install]: links below x.wants for each name. */
struct link_list {
	const struct name_list *names;
	const char *suffix;
};

/* member: the name of the links. *ret_made: links that are there now. *ret_misfit: an entry that only an instance could have. */
static int link_list(struct install *in, const struct install_unit *u, const char *member,
		     const struct link_list *list, unsigned *ret_made,
		     const struct name_list **ret_misfit)
{
	const struct tree_dir *d = &in->tree->dirs[tree_links_dir(in->tree, in->is_runtime)];
	char file[2 * UNIT_NAME_MAX + 16];
	int r = 0;

	for (const struct name_list *n = list->names; r == 0 && n; n = n->next) {
		const char *path;

		if (name_form(member) == NAME_TEMPLATE && name_form(n->text) == NAME_PLAIN) {
			*ret_misfit = n;
			continue;
		}
		snprintf(file, sizeof(file), "%s.%s/%s", n->text, list->suffix, member);
		path = tree_join(in->tree, d->path, file);
		r = path ? links_make(in, path, u->path, true) : -ENOMEM;
		++*ret_made;
	}
	return r;
}

/*
 * made: links of the unit that are there already. As with systemctl, a list that does not fit is a mistake of the command only when
 * no list before it gave a link, and none at all in a preset.
 */
static int link_lists(struct install *in, const struct install_unit *u, const char *member,
		      unsigned made, bool is_preset)
{
	const struct link_list lists[] = {{u->config->unit->wanted_by, "wants"},
					  {u->config->unit->required_by, "requires"},
					  {u->config->unit->upheld_by, "upholds"}};
	int r = 0;

	for (unsigned k = 0; r == 0 && k < ARRAY_SIZE(lists); k++) {
		const struct name_list *misfit = NULL;
		unsigned more = 0;

		r = link_list(in, u, member, &lists[k], &more, &misfit);
		if (r == 0 && misfit && !is_preset)
			r = install_tell(
				in, made == 0,
				"%s:%u: %s cannot be enabled for %s without an instance: name one (" STR_FMT
				"@NAME), or write DefaultInstance=",
				misfit->file, misfit->line, member, misfit->text,
				STR_ARG(name_prefix(member)));
		made += more;
	}
	return r;
}

/* The default instance of a template; its mask forbids it. *ret_name NULL: a note says so. */
static int default_instance(struct install *in, const struct install_unit *u, const char **ret_name)
{
	char full[UNIT_NAME_MAX + 1];
	struct install_unit *instance;
	struct install_set s;
	int r;

	*ret_name = u->name;
	if (name_form(u->name) != NAME_TEMPLATE || !u->config->unit->default_instance ||
	    name_with_instance(u->name, str_of(u->config->unit->default_instance), full,
			       sizeof(full)) < 0)
		return 0;
	*ret_name = NULL;
	set_init(&s);
	instance = set_add(in, &s, full, NULL);
	r = instance ? find_unit(in, &s, instance, FIND_LINKED, &instance) : -ENOMEM;
	if (r > 0)
		r = install_missing(in, full, (enum install_found)r);
	else if (r == 0 && instance->mode == MODE_MASKED)
		r = install_refuse(in, "masked", "%s is masked", full);
	else if (r == 0)
		*ret_name = arena_dup(&in->arena, full, strlen(full));
	set_fini(&s);
	return r < 0 ? r : 0;
}

/* A file outside of the search path is linked into it. *ret_is_blocked: something else of that name is there. */
static int link_file(struct install *in, const struct install_unit *u, const struct tree_dir *d,
		     bool *ret_is_blocked)
{
	const struct tree_node *n;
	const char *path;
	int r;

	*ret_is_blocked = false;
	if (tree_dir_of(in->tree, u->path) >= 0)
		return 0;
	path = tree_join(in->tree, d->path, u->name);
	r = path ? links_make(in, path, u->path, in->is_forced) : -ENOMEM;
	n = r == 0 ? tree_find(in->tree, path) : NULL;
	*ret_is_blocked = r == 0 && !(n && n->kind == TREE_LINK && leads_to(in, n, u->path));
	return r;
}

/* A unit of a presence directory is enabled by taking its ban away. */
static void lift_ban(struct install *in, const struct install_unit *u)
{
	for (unsigned k = 0; k < in->tree->dirs_n; k++) {
		const char *path = in->tree->dirs[k].is_presence
					   ? find_ban(in, &in->tree->dirs[k], u->name)
					   : NULL;
		struct tree_node *n = path ? tree_find(in->tree, path) : NULL;

		if (n)
			tree_unset(n);
	}
}

static bool has_section(const struct unit_config *c)
{
	return c->unit->wanted_by || c->unit->required_by || c->unit->upheld_by || c->unit->alias ||
	       c->unit->also;
}

static int enable_unit(struct install *in, const struct install_unit *u, bool is_preset)
{
	const struct tree_dir *d;
	const char *member = NULL;
	bool is_blocked = false;
	unsigned made = 0;
	int r = note_findings(in, u);

	in->has_section |= has_section(u->config);
	if (r == 0 && presence_of(in, u)) {
		lift_ban(in, u);
		return 0;
	}
	if (r == 0)
		r = links_dir(in, &d);
	if (r < 0 || !d)
		return r;
	r = link_file(in, u, d, &is_blocked);
	if (r == 0 && is_blocked)
		return 0;
	if (r == 0)
		r = link_aliases(in, u, d, &made);
	if (r == 0)
		r = default_instance(in, u, &member);
	if (r == 0 && member)
		r = link_lists(in, u, member, made, is_preset);
	return r;
}

/* The unit that a name means, fit to be enabled; *ret NULL: a note says why not. */
int links_discover(struct install *in, struct install_set *s, const char *name, unsigned what,
		   struct install_unit **ret)
{
	bool is_path = strchr(name, '/') != NULL;
	struct install_unit *u = set_add(in, s, tree_name(name), is_path ? name : NULL);
	int r = u ? find_unit(in, s, u, FIND_LINKED | what, &u) : -ENOMEM;
	int dir;

	*ret = NULL;
	if (r < 0)
		return r;
	if (r > 0)
		return install_missing(in, name, (enum install_found)r);
	if (u->mode == MODE_MASKED)
		return install_refuse(in, "masked", "%s is masked (%s)", name, u->path);
	dir = tree_dir_of(in->tree, u->path);
	if (dir >= 0 && in->tree->dirs[dir].is_generated)
		return install_tell(in, true,
				    "%s is made by a generator (%s); enable has no effect on it",
				    name, u->path);
	*ret = u;
	return 0;
}

/* All of a set, also what Also= adds on the way. */
int links_enable(struct install *in, struct install_set *s, bool is_preset)
{
	int r = 0;

	for (struct install_unit *u = s->first; r == 0 && u; u = u->next) {
		struct install_unit *end;

		r = find_unit(in, s, u, FIND_INSTALL, &end);
		if (r < 0)
			return r;
		if (r > 0 && !u->is_auxiliary)
			return install_missing(in, u->name, (enum install_found)r);
		if (r > 0)
			r = install_tell(in, false, "%s, which Also= names: %s", u->name,
					 install_found_words[r]);
		else if (u->mode == MODE_MASKED)
			r = install_tell(in, false, "%s, which Also= names, is masked", u->name);
		else if (u->mode == MODE_FILE)
			r = enable_unit(in, u, is_preset);
	}
	return r;
}

/* One link of owner to u. */
int links_add(struct install *in, enum dep_type type, const struct install_unit *owner,
	      const struct install_unit *u)
{
	const struct name_list name = {.text = owner->name};
	const struct link_list list = {&name, type == DEP_WANTS ? "wants" : "requires"};
	const struct name_list *misfit = NULL;
	bool is_blocked = false;
	unsigned made = 0;
	int r = link_file(in, u, &in->tree->dirs[tree_links_dir(in->tree, in->is_runtime)],
			  &is_blocked);

	if (r == 0 && !is_blocked)
		r = link_list(in, u, u->name, &list, &made, &misfit);
	if (r == 0 && misfit)
		r = install_tell(in, true, "%s needs an instance: " STR_FMT "@NAME", u->name,
				 STR_ARG(name_prefix(u->name)));
	return r;
}

/* --- taking links away --- */

static bool is_doomed(const struct doomed *d, const char *word)
{
	while (d && strcmp(d->word, word) != 0)
		d = d->next;
	return d != NULL;
}

int links_doom(struct install *in, struct doomed **list, const char *word)
{
	struct doomed *d;

	if (is_doomed(*list, word))
		return 0;
	d = arena_get(&in->arena, sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = (struct doomed){*list, word};
	*list = d;
	return 0;
}

/* A link that is doomed by its own name or that of its template, by the name of what it leads to, or (as systemctl has it, not below another root) by its path. */
static bool is_doomed_link(struct install *in, const struct doomed *list, const struct tree_node *n)
{
	char template[UNIT_NAME_MAX + 1];
	const char *end;

	if (n->kind != TREE_LINK || !name_is_valid(n->name, NAME_ANY))
		return false;
	if (is_doomed(list, n->name) ||
	    (name_template(n->name, template, sizeof(template)) == 0 && is_doomed(list, template)))
		return true;
	end = find_end(in, n->path);
	return end && (is_doomed(list, tree_name(end)) ||
		       (in->tree->root[0] == '\0' && is_doomed(list, end)));
}

/* Links to links go with those. */
int links_remove(struct install *in, struct doomed *list, const struct tree_dir *d)
{
	bool again = list != NULL;

	while (again) {
		again = false;
		list_for_each(node, &d->nodes) {
			struct tree_node *n = list_entry(node, struct tree_node, list_node);

			if (!is_doomed_link(in, list, n))
				continue;
			if (links_doom(in, &list, n->path) < 0)
				return -ENOMEM;
			tree_unset(n);
			again = true;
		}
	}
	return 0;
}

static int write_ban(struct install *in, const struct install_unit *u, const struct tree_dir *d)
{
	const char *path = find_ban(in, ban_dir(in, d), u->name);

	if (!path)
		return -ENOMEM;
	if (!u->config || !(u->config->unit->wanted_by || u->config->unit->required_by ||
			    u->config->unit->upheld_by || u->config->unit->alias))
		return 0; /* it is not enabled */
	return tree_find(in->tree, path) ? 0 : tree_set_file(in->tree, path, ban_text);
}

/*
 * The names of a set, and what Also= adds to it, are doomed. That of an alias, too, although systemctl leaves it: a link of that name that
 * leads elsewhere enables the unit as well, and the same command would take it away the next time, when the alias is gone.
 */
static int doom_set(struct install *in, struct install_set *s, struct doomed **list)
{
	for (struct install_unit *u = s->first; u; u = u->next) {
		struct install_unit *end;
		int r = find_unit(in, s, u, FIND_INSTALL | FIND_LINKED, &end);
		const struct tree_dir *d = r == FOUND ? presence_of(in, u) : NULL;

		if (r < 0)
			return r;
		if (r == FOUND && u->mode != MODE_FILE && u->mode != MODE_ALIAS)
			continue;
		if (r == FOUND_NOTHING && !u->is_auxiliary)
			r = install_tell(in, false, "%s: %s; links of that name are removed",
					 u->name, install_found_words[r]);
		else
			r = d ? write_ban(in, u, d) : 0;
		if (r == 0)
			r = links_doom(in, list, u->name);
		if (r < 0)
			return r;
	}
	return 0;
}

int links_disable(struct install *in, struct install_set *s)
{
	struct doomed *list = NULL;
	const struct tree_dir *d;
	int r = links_dir(in, &d);

	if (r == 0 && d)
		r = doom_set(in, s, &list);
	if (r < 0 || !d || in->has_error)
		return r;
	return links_remove(in, list, d);
}
