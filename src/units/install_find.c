/* SPDX-License-Identifier: MIT */
#include "units/install_find.h"

#include <stdio.h>

#include "units/name.h"

enum { HOPS_MAX = 64 };

const char *const install_found_words[FOUND_KINDS] = {
	[FOUND] = "",
	[FOUND_NOTHING] = "there is no such unit file",
	[FOUND_BROKEN_LINK] = "it is a link to a unit that is not there",
	[FOUND_LOOP] = "its links lead in a circle",
	[FOUND_MISFIT] = "it is a link to a unit of another kind",
	[FOUND_UNREADABLE] = "its file cannot be read",
	[FOUND_LINKED] = "it is known by a link only; name it itself to enable it",
	[FOUND_NO_NAME] = "this is not the name of a unit",
};

void install_init(struct install *in, struct install_tree *tree, install_read_fn read, void *arg)
{
	*in = (struct install){.tree = tree, .read = read, .arg = arg};
	in->last_note = &in->notes;
}

void install_fini(struct install *in)
{
	arena_fini(&in->arena);
	memset(in, 0, sizeof(*in));
}

static int tell(struct install *in, bool is_error, const char *fmt, va_list ap)
{
	struct install_note *n = arena_get(&in->arena, sizeof(*n));
	struct sbuf text = {0};

	sbuf_addv(&text, fmt, ap);
	if (n && text.p)
		n->text = arena_dup(&in->arena, text.p, text.n);
	sbuf_fini(&text);
	if (!n || !n->text)
		return -ENOMEM;
	n->is_error = is_error;
	in->has_error |= is_error;
	*in->last_note = n;
	in->last_note = &n->next;
	return 0;
}

int install_tell(struct install *in, bool is_error, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = tell(in, is_error, fmt, ap);
	va_end(ap);
	return r;
}

int install_refuse(struct install *in, const char *refusal, const char *fmt, ...)
{
	va_list ap;
	int r;

	if (!in->has_error)
		in->refusal = refusal;
	va_start(ap, fmt);
	r = tell(in, true, fmt, ap);
	va_end(ap);
	return r;
}

int install_missing(struct install *in, const char *name, enum install_found how)
{
	return install_refuse(in, how == FOUND_NOTHING ? "not-found" : NULL, "%s: %s", name,
			      install_found_words[how]);
}

/* --- sets --- */

void set_init(struct install_set *s)
{
	s->first = NULL;
	s->last = &s->first;
}

void set_fini(struct install_set *s)
{
	for (struct install_unit *u = s->first; u; u = u->next)
		unit_config_free(u->config);
	set_init(s);
}

struct install_unit *set_find(const struct install_set *s, const char *name)
{
	struct install_unit *u = s->first;

	while (u && strcmp(u->name, name) != 0)
		u = u->next;
	return u;
}

struct install_unit *set_add(struct install *in, struct install_set *s, const char *name,
			     const char *path)
{
	struct install_unit *u = set_find(s, name);

	if (u)
		return u;
	u = arena_get(&in->arena, sizeof(*u));
	if (!u)
		return NULL;
	u->name = arena_dup(&in->arena, name, strlen(name));
	u->path = path ? arena_dup(&in->arena, path, strlen(path)) : NULL;
	if (!u->name || (path && !u->path))
		return NULL;
	*s->last = u;
	s->last = &u->next;
	return u;
}

/* --- links --- */

enum install_found find_alias_fits(const char *name, const char *of)
{
	if (!name_is_valid(name, NAME_ANY) || !name_may_alias(name))
		return FOUND_MISFIT;
	if (strcmp(name, of) == 0)
		return FOUND_LOOP;
	return name_fits_alias(name, of) ? FOUND : FOUND_MISFIT;
}

const char *find_end(struct install *in, const char *path)
{
	const char *at = tree_resolve(in->tree, path, path);

	for (int hops = 0; at && hops < HOPS_MAX; hops++) {
		const struct tree_node *n = tree_find(in->tree, at);

		if (!n || n->kind != TREE_LINK)
			return at;
		at = tree_resolve(in->tree, at, n->target);
	}
	return NULL;
}

static int look_at_link(struct install *in, struct install_unit *u, const struct tree_node *n)
{
	const char *target = tree_resolve(in->tree, n->path, n->target);
	const char *end = target ? find_end(in, target) : NULL;
	const struct tree_node *node;
	bool is_inside = target && tree_dir_of(in->tree, target) >= 0;
	enum install_found fits;

	if (!target)
		return -ENOMEM;
	fits = is_inside ? find_alias_fits(n->name, tree_name(target)) : FOUND;
	if (fits != FOUND)
		return (int)fits;
	node = end ? tree_find(in->tree, end) : NULL;
	u->link_target = target;
	u->mode = (node && node->kind == TREE_EMPTY) || (end && strcmp(end, "/dev/null") == 0)
			  ? MODE_MASKED
		  : is_inside ? MODE_ALIAS
			      : MODE_LINKED;
	return FOUND;
}

/* --- files --- */

/* Also= of a unit that was read. */
static int add_also(struct install *in, struct install_set *s, const struct install_unit *u)
{
	for (const struct name_list *n = u->config->unit->also; n; n = n->next) {
		bool is_new = !set_find(s, n->text);
		struct install_unit *also = set_add(in, s, n->text, NULL);

		if (!also)
			return -ENOMEM;
		also->is_auxiliary |= is_new;
	}
	return 0;
}

static int read_install(struct install *in, struct install_set *s, struct install_unit *u)
{
	int r;

	unit_config_free(u->config);
	u->config = NULL;
	r = in->read(in->arg, u->name, u->path, &u->config);
	if (r < 0)
		return r;
	if (u->config->load == LOAD_ERROR)
		return FOUND_UNREADABLE;
	if (u->config->load == LOAD_MASKED)
		u->mode = MODE_MASKED;
	return add_also(in, s, u);
}

/* What stands at u->path. */
static int look_at(struct install *in, struct install_set *s, struct install_unit *u, unsigned what)
{
	const struct tree_node *n = tree_find(in->tree, u->path);

	if (!n && tree_dir_of(in->tree, u->path) >= 0)
		return FOUND_NOTHING;
	if (n && n->kind == TREE_DIR)
		return FOUND_UNREADABLE;
	if (n && n->kind == TREE_LINK)
		return look_at_link(in, u, n);
	u->mode = n && n->kind == TREE_EMPTY ? MODE_MASKED : MODE_FILE;
	return u->mode == MODE_FILE && (what & FIND_INSTALL) ? read_install(in, s, u) : FOUND;
}

static int search_name(struct install *in, struct install_set *s, struct install_unit *u,
		       const char *name, unsigned what)
{
	for (unsigned k = 0; k < in->tree->dirs_n; k++) {
		int r;

		if (in->tree->dirs[k].same_as != k)
			continue;
		u->path = tree_join(in->tree, in->tree->dirs[k].path, name);
		if (!u->path)
			return -ENOMEM;
		r = look_at(in, s, u, what);
		if (r != FOUND_NOTHING)
			return r;
	}
	u->path = NULL;
	return FOUND_NOTHING;
}

static int search(struct install *in, struct install_set *s, struct install_unit *u, unsigned what)
{
	char template[UNIT_NAME_MAX + 1];
	int r;

	if (u->mode != MODE_UNKNOWN &&
	    (u->config || !(what & FIND_INSTALL) || u->mode != MODE_FILE))
		return FOUND;
	if (!name_is_valid(u->name, NAME_ANY))
		return FOUND_NO_NAME;
	if (u->path)
		return look_at(in, s, u, what);
	r = search_name(in, s, u, u->name, what);
	if (r == FOUND_NOTHING && name_form(u->name) == NAME_INSTANCE &&
	    name_template(u->name, template, sizeof(template)) == 0)
		r = search_name(in, s, u, template, what);
	return r;
}

static int follow(struct install *in, struct install_set *s, struct install_unit *u, unsigned what)
{
	u->path = u->link_target;
	u->mode = MODE_UNKNOWN;
	return look_at(in, s, u, what);
}

/* u is a link to another name: the unit of that name, searched. */
static int step(struct install *in, struct install_set *s, struct install_unit **u, unsigned what)
{
	const char *name = tree_name((*u)->link_target);
	char full[UNIT_NAME_MAX + 1];
	int r;

	if (name_is_valid((*u)->name, NAME_INSTANCE) && name_is_valid(name, NAME_TEMPLATE)) {
		if (name_with_instance(name, name_instance((*u)->name), full, sizeof(full)) < 0)
			return FOUND_MISFIT;
		if (strcmp(full, (*u)->name) == 0)
			return follow(in, s, *u, what);
		name = full;
	}
	*u = set_add(in, s, name, NULL);
	if (!*u)
		return -ENOMEM;
	r = search(in, s, *u, what);
	return r == FOUND_NOTHING ? FOUND_BROKEN_LINK : r;
}

int find_unit(struct install *in, struct install_set *s, struct install_unit *u, unsigned what,
	      struct install_unit **ret)
{
	int r = search(in, s, u, what);

	for (int hops = 0; r == FOUND && (u->mode == MODE_ALIAS || u->mode == MODE_LINKED);
	     hops++) {
		int dir = tree_dir_of(in->tree, u->path);

		if (hops > HOPS_MAX)
			return FOUND_LOOP;
		if (!(what & FIND_LINKED) && dir >= 0 && tree_is_config(&in->tree->dirs[dir]))
			return FOUND_LINKED;
		if (u->mode == MODE_LINKED || strcmp(tree_name(u->link_target), u->name) == 0)
			r = follow(in, s, u, what);
		else
			r = step(in, s, &u, what);
	}
	*ret = u;
	return r;
}

const char *find_ban(const struct install *in, const struct tree_dir *d, const char *name)
{
	char file[UNIT_NAME_MAX + sizeof(".d/99-disabled.conf")];

	snprintf(file, sizeof(file), "%s.d/99-disabled.conf", name);
	return tree_join(in->tree, d->path, file);
}
