/* SPDX-License-Identifier: MIT */
#include "units/load_index.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/fd.h"
#include "units/name.h"
#include "units/probe.h"

enum { ALIAS_HOPS = 64 };

const char load_default_dirs[] =
	"/etc/units:/run/units:/etc/systemd/system.control:/run/systemd/system.control:"
	"/run/systemd/generator.early:/etc/systemd/system:/run/systemd/system:/run/hark/generator:/run/systemd/generator:"
	"/usr/local/lib/systemd/system:/lib/systemd/system:/usr/lib/systemd/system:"
	"/run/systemd/generator.late:/usr/lib/hark/units";

/* --- the search path --- */

int load_init(struct load *l, const char *dirs, const char *root)
{
	struct str rest = str_of(dirs ? dirs : load_default_dirs);
	struct str dir;
	bool is_short;
	unsigned n = 1;

	memset(l, 0, sizeof(*l));
	for (size_t k = 0; k < rest.n; k++)
		n += rest.p[k] == ':';
	l->dirs = mem_get(n * sizeof(*l->dirs));
	l->root = mem_dup(root ? root : "", root ? strlen(root) : 0);
	is_short = !l->dirs || !l->root;
	while (!is_short && str_cut(&rest, ':', &dir)) {
		while (dir.n > 1 && dir.p[dir.n - 1] == '/')
			dir.n--;
		if (dir.n == 0)
			continue;
		l->dirs[l->dirs_n] = mem_dup(dir.p, dir.n);
		is_short = !l->dirs[l->dirs_n];
		l->dirs_n += !is_short;
	}
	if (is_short) {
		load_fini(l);
		return -ENOMEM;
	}
	specifier_host_read(&l->host, l->root);
	l->in_container = probe_container() != NULL;
	return 0;
}

int load_add_dir(struct load *l, const char *path)
{
	size_t n = l->dirs_n * sizeof(*l->dirs);
	char **dirs = mem_grow(l->dirs, n, n + sizeof(*dirs));

	if (!dirs)
		return -ENOMEM;
	l->dirs = dirs;
	dirs[l->dirs_n] = mem_dup(path, strlen(path));
	return dirs[l->dirs_n] ? (int)l->dirs_n++ : -ENOMEM;
}

void index_drop(struct load *l)
{
	map_fini(&l->names);
	arena_fini(&l->arena);
	arena_fini(&l->present_arena);
	l->present = NULL;
	l->has_prefixes = l->has_types = l->has_strays = false;
	l->renewals_n = 0;
}

void load_forget_texts(struct load *l)
{
	for (struct load_present *p = l->present; p; p = p->next)
		p->entry->present = NULL;
	arena_fini(&l->present_arena);
	l->present = NULL;
	unit_cache_close(&l->cache);
	for (unsigned k = 0; l->dir_fds && k < l->dirs_n; k++)
		fd_close(l->dir_fds[k]);
	mem_put(l->dir_fds);
	l->dir_fds = NULL;
	l->keeps_texts = false;
}

void load_fini(struct load *l)
{
	load_forget_texts(l);
	for (unsigned k = 0; k < l->dirs_n; k++)
		mem_put(l->dirs[k]);
	mem_put(l->dirs);
	mem_put(l->root);
	index_drop(l);
	load_template_fini(&l->template);
	share_fini(&l->parts);
	memset(l, 0, sizeof(*l));
}

bool load_next_name(const struct load *l, const void **at, const char **ret_name)
{
	const struct map_node *node = *at;

	while ((node = map_next(&l->names, node))) {
		const struct load_entry *e = container_of(node, const struct load_entry, node);

		if (!e->has_file)
			continue;
		*at = node;
		*ret_name = e->name;
		return true;
	}
	return false;
}

const char *load_canonical(struct load *l, const char *name)
{
	return index_canonical(l, name);
}

/* --- entries --- */

static bool entry_eq(const struct map_node *node, const void *key)
{
	return str_eq_z(*(const struct str *)key,
			container_of(node, const struct load_entry, node)->name);
}

struct load_entry *index_find(const struct load *l, struct str name)
{
	struct map_node *node = map_find(&l->names, str_hash(name), entry_eq, &name);

	return node ? container_of(node, struct load_entry, node) : NULL;
}

static const struct load_tie no_tie;

struct load_tie *index_tie(struct load *l, struct load_entry *e)
{
	struct load_tie *tie = (struct load_tie *)(uintptr_t)e->tie;

	if (tie != &no_tie)
		return tie;
	tie = arena_get(&l->arena, sizeof(*tie));
	if (tie)
		e->tie = tie;
	return tie;
}

struct load_entry *index_get(struct load *l, struct str name)
{
	struct load_entry *e = index_find(l, name);

	if (e || map_reserve(&l->names, 1) < 0)
		return e;
	e = arena_get(&l->arena, offsetof(struct load_entry, name) + name.n + 1);
	if (!e)
		return NULL;
	e->tie = &no_tie;
	if (name.n)
		memcpy(e->name, name.p, name.n);
	map_add(&l->names, &e->node, str_hash(name));
	return e;
}

int load_add_file(struct load *l, const char *name, unsigned dir)
{
	struct load_entry *e = index_get(l, str_of(name));

	if (!e)
		return -ENOMEM;
	e->has_file = true;
	e->dir = (uint16_t)dir;
	return 0;
}

void load_forget_file(struct load *l, const char *name, unsigned dir)
{
	struct load_entry *e = index_find(l, str_of(name));

	if (e && e->has_file && e->dir == dir)
		e->has_file = false;
}

/* Is there a file of that name, of which e is the entry or NULL, or of its template? */
static bool is_known_as(const struct load *l, const char *name, const struct load_entry *e)
{
	char template[UNIT_NAME_MAX + 1];

	if (!(e && e->has_file) && name_form(name) == NAME_INSTANCE &&
	    name_template(name, template, sizeof(template)) == 0)
		e = index_find(l, str_of(template));
	return e && e->has_file;
}

static bool is_known(const struct load *l, const char *name)
{
	return is_known_as(l, name, index_find(l, str_of(name)));
}

int index_add_alias(struct load *l, const char *name, const char *of)
{
	struct load_entry *e = index_get(l, str_of(name));
	struct load_tie *tie;

	if (!e)
		return -ENOMEM;
	l->has_strays |= e->has_file;
	if (e->has_file || strcmp(name, of) == 0)
		return 0;
	tie = index_tie(l, e);
	if (!tie)
		return -ENOMEM;
	tie->alias_of = arena_dup(&l->arena, of, strlen(of));
	e->has_file = tie->alias_of != NULL;
	return e->has_file ? 0 : -ENOMEM;
}

/* Of a drop-in for that alone, of a link the name of its unit. NULL: -ENOMEM. */
static const char *keep_name(struct load *l, const struct load_part *part)
{
	const struct load_entry *e;

	if (part->is_dropin)
		return arena_dup(&l->arena, part->name, strlen(part->name));
	e = index_get(l, str_of(part->name));
	return e ? e->name : NULL;
}

int index_add_part(struct load *l, struct load_entry *e, struct load_part part)
{
	struct load_part *p = arena_get(&l->arena, sizeof(*p));
	struct str prefix = name_prefix(e->name);

	if (!p)
		return -ENOMEM;
	l->has_prefixes |= prefix.n > 0 && prefix.p[prefix.n - 1] == '-';
	l->has_types |= prefix.n == strlen(e->name);
	part.name = keep_name(l, &part);
	part.owner = e->name;
	part.next = e->parts;
	*p = part;
	if (!p->name)
		return -ENOMEM;
	e->parts = p;
	return 0;
}

bool index_drop_parts(struct load_entry *e, const char *file)
{
	struct load_part **at = &e->parts;
	bool has_dropped = false;

	while (*at) {
		const struct load_part *p = *at;
		bool is_meant = file ? p->file && strcmp(p->file, file) == 0 : !p->file;

		if (is_meant)
			*at = p->next;
		else
			at = &(*at)->next;
		has_dropped |= is_meant;
	}
	return has_dropped;
}

int index_add_link(struct load *l, const char *owner, enum dep_type type, const char *member,
		   const char *file, uint16_t dir)
{
	struct load_entry *e = index_get(l, str_of(owner));
	struct load_part part = {.name = member, .dir = dir, .type = (uint8_t)type};

	part.file = e ? arena_dup(&l->arena, file, strlen(file)) : NULL;
	return part.file ? index_add_part(l, e, part) : -ENOMEM;
}

bool index_is_presence(const char *dir)
{
	return str_has_suffix(str_of(dir), STR("/units")) &&
	       !str_has_prefix(str_of(dir), STR("/usr/"));
}

bool index_is_lax(const struct load *l, unsigned dir)
{
	return dir < 64 && l->lax_dirs >> dir & 1;
}

/* --- aliases --- */

/* e is one more name of `of`. 0 or -ENOMEM. */
static int tie_alias(struct load *l, struct load_entry *e, struct load_entry *of)
{
	struct load_tie *tie = index_tie(l, e), *to = index_tie(l, of);

	if (!tie || !to)
		return -ENOMEM;
	tie->alias_of = of->name;
	tie->alias_next = to->aliases;
	to->aliases = e;
	return 0;
}

/* An instance of a template that is a link: remember which unit that is. NULL without memory, or when it is none. */
static const char *alias_instance(struct load *l, const char *name)
{
	char template[UNIT_NAME_MAX + 1], full[UNIT_NAME_MAX + 1];
	const struct load_entry *t;
	struct load_entry *e, *of;

	if (name_form(name) != NAME_INSTANCE || name_template(name, template, sizeof(template)) < 0)
		return NULL;
	t = index_find(l, str_of(template));
	if (!t || !t->tie->alias_of ||
	    name_with_instance(t->tie->alias_of, name_instance(name), full, sizeof(full)) < 0)
		return NULL;
	e = index_get(l, str_of(name));
	of = index_get(l, str_of(full));
	if (!e || !of || tie_alias(l, e, of) < 0)
		return NULL;
	index_tie(l, e)->alias_of = of->name;
	return of->name;
}

const char *index_canonical(struct load *l, const char *name)
{
	const char *at = name;

	for (int hops = 0; hops < ALIAS_HOPS; hops++) {
		const struct load_entry *e = index_find(l, str_of(at));
		bool is_itself = e && (e->tie->alias_of || (e->has_file && !e->is_of_template));
		const char *next = is_itself ? e->tie->alias_of : alias_instance(l, at);

		if (e && e->tie->is_broken)
			return NULL;
		if (!next)
			return is_known_as(l, at, e) ? at : NULL;
		at = next;
	}
	return NULL; /* a circle */
}

/* A link to a name that no directory has is a file of its own, kept elsewhere. Others are put in front of the list *aliases. */
static void settle_alias(struct load *l, struct load_entry *e, struct load_entry **aliases)
{
	struct load_tie *tie = index_tie(l, e); /* it has one */

	if (!is_known(l, tie->alias_of)) {
		tie->alias_of = NULL;
		l->has_strays = true;
		return;
	}
	tie->is_broken = !name_fits_alias(e->name, tie->alias_of);
	tie->alias_next = *aliases;
	*aliases = e;
}

/* Ties a link to the unit at the end of it and of those behind it. 0 or -ENOMEM. */
static int join_alias(struct load *l, struct load_entry *e)
{
	const char *name = index_canonical(l, e->name);
	struct load_entry *of = name ? index_get(l, str_of(name)) : NULL;

	index_tie(l, e)->is_broken = !name;
	return !name ? 0 : of ? tie_alias(l, e, of) : -ENOMEM;
}

int index_finish(struct load *l)
{
	struct load_entry *aliases = NULL, *next;
	int r = 0;

	for (struct map_node *node = map_next(&l->names, NULL); node;
	     node = map_next(&l->names, node)) {
		struct load_entry *e = container_of(node, struct load_entry, node);

		if (e->tie->alias_of)
			settle_alias(l, e, &aliases);
	}
	for (struct load_entry *e = aliases; r == 0 && e; e = next) {
		next = e->tie->alias_next;
		r = join_alias(l, e);
	}
	return r;
}

/* --- parts --- */

static int keep_part(struct load_parts *v, struct arena *scratch, const struct load_part *p)
{
	if (v->n == v->cap) {
		uint32_t cap = v->cap ? v->cap * 2 : 8;
		const struct load_part **parts =
			arena_get(scratch, cap * sizeof(const struct load_part *));

		if (!parts)
			return -ENOMEM;
		if (v->n)
			memcpy(parts, v->parts, v->n * sizeof(const struct load_part *));
		v->parts = parts;
		v->cap = cap;
	}
	v->parts[v->n++] = p;
	return 0;
}

static int keep_of_entry(const struct load_entry *e, bool links, struct arena *scratch,
			 struct load_parts *v)
{
	int r = 0;

	for (const struct load_part *p = e ? e->parts : NULL; r == 0 && p; p = p->next)
		if (p->is_dropin != links)
			r = keep_part(v, scratch, p);
	return r;
}

static int keep_parts(const struct load *l, struct str owner, bool links, struct arena *scratch,
		      struct load_parts *v)
{
	return keep_of_entry(index_find(l, owner), links, scratch, v);
}

/* The name without what stands behind its last dash but one: "a-b-c.service" -> "a-b-.service" -> "a-.service". False: no more. */
static bool shorten(char *name, size_t cap)
{
	struct str prefix = name_prefix(name);
	struct str rest = str_sub(str_of(name), prefix.n, UNIT_NAME_MAX);
	char copy[UNIT_NAME_MAX + 1];
	size_t dash = prefix.n;

	if (prefix.n > 0 && prefix.p[prefix.n - 1] == '-')
		prefix.n--;
	dash = str_rindex(prefix, '-');
	if (dash == prefix.n)
		return false;
	snprintf(copy, sizeof(copy), STR_FMT STR_FMT, STR_ARG(str_sub(prefix, 0, dash + 1)),
		 STR_ARG(rest));
	snprintf(name, cap, "%s", copy);
	return true;
}

/* Of one name: itself, of which e is the entry or NULL, and its template. */
static int keep_of_name(const struct load *l, const char *name, const struct load_entry *e,
			bool links, struct arena *scratch, struct load_parts *v)
{
	char template[UNIT_NAME_MAX + 1];
	int r = keep_of_entry(e, links, scratch, v);

	if (r == 0 && name_form(name) == NAME_INSTANCE &&
	    name_template(name, template, sizeof(template)) == 0)
		r = keep_parts(l, str_of(template), links, scratch, v);
	return r;
}

/* Every prefix of the name: of an instance with and without the instance. */
static int keep_prefixes(const struct load *l, const char *name, bool links, struct arena *scratch,
			 struct load_parts *v)
{
	char at[UNIT_NAME_MAX + 1], plain[UNIT_NAME_MAX + 1];
	int r = 0;

	snprintf(at, sizeof(at), "%s", name);
	while (r == 0 && shorten(at, sizeof(at))) {
		r = keep_of_name(l, at, index_find(l, str_of(at)), links, scratch, v);
		if (r < 0 || name_form(at) == NAME_PLAIN)
			continue;
		snprintf(plain, sizeof(plain), STR_FMT "." STR_FMT, STR_ARG(name_prefix(at)),
			 STR_ARG(name_suffix(at)));
		r = keep_parts(l, str_of(plain), links, scratch, v);
	}
	return r;
}

static int keep_family(const struct load *l, const char *name, const struct load_entry *e,
		       bool links, struct arena *scratch, struct load_parts *v)
{
	int r = keep_of_name(l, name, e, links, scratch, v);

	return r == 0 && l->has_prefixes ? keep_prefixes(l, name, links, scratch, v) : r;
}

/* The more specific owner has the longer name, and those of a whole type have no dot. */
static bool is_of_type(const struct load_part *p)
{
	return strchr(p->owner, '.') == NULL;
}

/* By name, then by importance. */
static int compare_parts(const void *a, const void *b)
{
	const struct load_part *p = *(const struct load_part *const *)a;
	const struct load_part *q = *(const struct load_part *const *)b;
	int order = strcmp(p->name, q->name);

	if (order == 0)
		order = p->type - q->type;
	if (order == 0)
		order = is_of_type(p) - is_of_type(q);
	if (order == 0)
		order = p->dir - q->dir;
	if (order == 0) /* a link that is there before one that [Install] means */
		order = (p->file != NULL) - (q->file != NULL);
	return order ? order : (int)strlen(q->owner) - (int)strlen(p->owner);
}

/* The first of each name; a mask only where it is of interest. */
static void drop_hidden(struct load_parts *v, bool keeps_masks)
{
	const struct load_part *last = NULL;
	uint32_t n = 0;

	for (uint32_t k = 0; k < v->n; k++) {
		const struct load_part *p = v->parts[k];
		bool is_hidden = last && p->type == last->type && strcmp(p->name, last->name) == 0;

		last = p;
		if (!is_hidden && (keeps_masks || !p->is_masked))
			v->parts[n++] = p;
	}
	v->n = n;
}

int index_parts(const struct load *l, const char *name, bool links, struct arena *scratch,
		struct load_parts *ret_parts)
{
	const struct load_entry *e = index_find(l, str_of(name));
	struct load_parts v = {0};
	int r = keep_family(l, name, e, links, scratch, &v);

	for (const struct load_entry *alias = e ? e->tie->aliases : NULL; r == 0 && alias;
	     alias = alias->tie->alias_next)
		r = keep_family(l, alias->name, alias, links, scratch, &v);
	if (r == 0 && l->has_types)
		r = keep_parts(l, name_suffix(name), links, scratch, &v);
	if (r < 0)
		return r;
	if (v.n > 1)
		qsort(v.parts, v.n, sizeof(const struct load_part *), compare_parts);
	drop_hidden(&v, !links);
	*ret_parts = v;
	return 0;
}

/* --- paths --- */

static const char *join(struct arena *arena, const char *const *pieces, size_t n)
{
	size_t bytes = 1;
	char *path, *at;

	for (size_t k = 0; k < n; k++)
		bytes += strlen(pieces[k]);
	path = at = arena_get(arena, bytes);
	for (size_t k = 0; path && k < n; k++)
		at = stpcpy(at, pieces[k]);
	return path;
}

const char *index_path(const struct load *l, const struct load_entry *e, struct arena *arena)
{
	const char *const there[] = {l->root, e->tie->target};
	const char *const here[] = {l->root, l->dirs[e->dir], "/", e->name};

	/* Below another root an absolute link would lead out of it. */
	if (e->tie->target && l->root[0] != '\0')
		return join(arena, there, ARRAY_SIZE(there));
	return join(arena, here, ARRAY_SIZE(here));
}

const char *index_part_path(const struct load *l, const struct load_part *p, struct arena *arena)
{
	const char *const pieces[] = {l->root, l->dirs[p->dir], "/", p->owner, ".d/", p->name};

	return join(arena, pieces, ARRAY_SIZE(pieces));
}
