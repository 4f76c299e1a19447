/* SPDX-License-Identifier: MIT */
#include "units/closure.h"

#include <stdio.h>

#include "units/exec_config.h"
#include "units/mount.h"
#include "units/name.h"
#include "units/path.h"
#include "units/sandbox.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/timer.h"

const char *const relation_origin_names[RELATION_ORIGINS] = {
#define ORIGIN(name, word) [RELATION_##name] = word,
	RELATION_ORIGINS_LIST(ORIGIN)
#undef ORIGIN
};

#define BIT(origin) ((uint16_t)(1u << RELATION_##origin))

static const uint16_t dep_bits[DEP_ORIGINS] = {
	[DEP_FILE] = BIT(FILE),        [DEP_SETTING] = BIT(FILE),    [DEP_IMPLICIT] = BIT(IMPLICIT),
	[DEP_MOUNT] = BIT(MOUNT_FILE), [DEP_DEFAULT] = BIT(DEFAULT),
};

static const char root_mount[] = "-.mount";

/* --- units --- */

void closure_init(struct closure *g, struct load *l)
{
	memset(g, 0, sizeof(*g));
	g->load = l;
	g->tail = &g->first;
}

void closure_fini(struct closure *g)
{
	for (struct closure_unit *u = g->first; u; u = u->next)
		unit_config_free(u->config);
	map_fini(&g->names);
	arena_fini(&g->arena);
}

static bool unit_eq(const struct map_node *node, const void *key)
{
	return strcmp(container_of(node, const struct closure_unit, node)->name, key) == 0;
}

/* The name by which a unit is known: that of the file behind an alias; of a template its instance "i". In out, UNIT_NAME_MAX + 1 bytes. */
static const char *known_name(struct closure *g, const char *name, char *out)
{
	const char *canonical = name_is_valid(name, NAME_ANY) ? load_canonical(g->load, name)
							      : NULL;

	if (canonical)
		name = canonical;
	if (name_is_valid(name, NAME_TEMPLATE) &&
	    name_with_instance(name, STR("i"), out, UNIT_NAME_MAX + 1) == 0)
		name = out;
	return name;
}

static struct closure_unit *find(const struct closure *g, const char *name)
{
	struct map_node *node = map_find(&g->names, str_hash(str_of(name)), unit_eq, name);

	return node ? container_of(node, struct closure_unit, node) : NULL;
}

/* The unit of that name, waiting to be loaded when it is new. NULL: -ENOMEM. */
static struct closure_unit *name_unit(struct closure *g, const char *name)
{
	char buffer[UNIT_NAME_MAX + 1];
	struct closure_unit *u;

	name = known_name(g, name, buffer);
	u = find(g, name);
	if (u || map_reserve(&g->names, 1) < 0)
		return u;
	u = arena_get(&g->arena, sizeof(*u));
	if (!u)
		return NULL;
	u->name = arena_dup(&g->arena, name, strlen(name));
	if (!u->name)
		return NULL;
	map_add(&g->names, &u->node, str_hash(str_of(u->name)));
	u->next = g->pending;
	g->pending = u;
	return u;
}

/* --- paths --- */

static int need(struct closure *g, struct mount_need **first, const char *path,
		enum relation_origin origin)
{
	struct mount_need **at = first;

	while (*at && strcmp((*at)->path, path) != 0)
		at = &(*at)->next;
	if (!*at)
		*at = arena_get(&g->arena, sizeof(**at));
	if (!*at)
		return -ENOMEM;
	(*at)->path = path;
	(*at)->origins |= (uint16_t)(1u << origin);
	return 0;
}

/* What a process finds below the roots of its directories. */
static int need_directories(struct closure *g, const struct exec_config *e,
			    struct mount_need **first)
{
	int r = 0;

	for (unsigned k = 0; r == 0 && k < EXEC_DIRS; k++)
		for (const struct name_list *n = e->directories[k]; r == 0 && n; n = n->next) {
			size_t root_n = strlen(exec_dir_roots[k]);
			size_t name_n = strlen(n->text);
			char *path = arena_get(&g->arena, root_n + name_n + 2);

			if (!path)
				return -ENOMEM;
			memcpy(path, exec_dir_roots[k], root_n);
			path[root_n] = '/';
			memcpy(path + root_n + 1, n->text, name_n);
			r = need(g, first, path, RELATION_FILE);
		}
	return r;
}

static int need_exec(struct closure *g, const struct unit_config *c, struct mount_need **first)
{
	const struct exec_config *e = c->exec;
	const char *home = e->working_directory;
	const char *const paths[] = {
		home && home[0] == '/' && !e->working_directory_optional ? home : NULL,
		e->root_directory,
		sandbox_of(c)->root_image,
		e->private_tmp ? "/var/tmp" : NULL,
	};
	int r = 0;

	for (unsigned k = 0; r == 0 && k < ARRAY_SIZE(paths); k++)
		if (paths[k])
			r = need(g, first, paths[k], RELATION_FILE);
	return r == 0 ? need_directories(g, e, first) : r;
}

/* The path that a listener is bound to in the file system, or NULL. */
static const char *listener_path(const struct listener *l)
{
	if (l->kind == LISTEN_FIFO || l->kind == LISTEN_SPECIAL)
		return l->path;
	return l->addr_n > 0 && l->addr.sa.sa_family == AF_UNIX && l->text[0] == '/' ? l->text
										     : NULL;
}

/* The folder that a mount point lies in; the root lies in none. */
static int need_parent(struct closure *g, const char *where, struct mount_need **first)
{
	const char *slash = where ? strrchr(where, '/') : NULL;
	const char *parent;

	if (!slash || slash[1] == '\0')
		return 0;
	parent = slash == where ? "/" : arena_dup(&g->arena, where, (size_t)(slash - where));
	return parent ? need(g, first, parent, RELATION_IMPLICIT) : -ENOMEM;
}

static int need_mount(struct closure *g, const struct mount_config *m, struct mount_need **first)
{
	int r = need_parent(g, m->where, first);

	if (r == 0 && m->what && m->what[0] == '/' &&
	    (mount_is_bind(m) || mount_option(m->options, "loop").p || !mount_is_network(m)))
		r = need(g, first, m->what, RELATION_FILE);
	return r;
}

/* What units of the types without processes need. */
static int need_own(struct closure *g, const struct unit_config *c, struct mount_need **first)
{
	int r = 0;

	for (const struct path_watch *w = c->path ? c->path->watches : NULL; r == 0 && w;
	     w = w->next)
		r = need(g, first, w->path, RELATION_FILE);
	if (r == 0 && c->timer && c->timer->persistent)
		r = need(g, first, timer_stamps_dir, RELATION_FILE);
	if (r == 0 && c->mount)
		r = need_mount(g, c->mount, first);
	if (r == 0 && c->automount)
		r = need_parent(g, c->automount->where, first);
	if (r == 0 && c->swap && c->swap->what)
		r = need(g, first, c->swap->what, RELATION_IMPLICIT);
	return r;
}

int closure_mounts(struct closure *g, const struct unit_config *c, struct mount_need **ret_first)
{
	struct mount_need *first = NULL;
	int r = 0;

	for (const struct name_list *n = c->requires_mounts_for; r == 0 && n; n = n->next)
		r = need(g, &first, n->text, RELATION_FILE);
	for (const struct listener *l = c->socket ? c->socket->listeners : NULL; r == 0 && l;
	     l = l->next)
		if (listener_path(l))
			r = need(g, &first, listener_path(l), RELATION_FILE);
	if (r == 0)
		r = need_own(g, c, &first);
	if (r == 0 && c->exec)
		r = need_exec(g, c, &first);
	*ret_first = first;
	return r;
}

/* Is there a unit for that mount? The root's is there without a file. */
static bool mount_exists(struct closure *g, const char *name)
{
	return strcmp(name, root_mount) == 0 || load_canonical(g->load, name);
}

/* The mount unit of a folder. 1 and the unit, 0 when there is none, -ENOMEM. */
static int mount_of(struct closure *g, struct str path, struct closure_unit **ret_mount)
{
	char name[UNIT_NAME_MAX + 1], escaped[UNIT_NAME_MAX + 1];
	int n;

	if (name_escape(path, true, escaped, sizeof(escaped)) < 0)
		return 0;
	n = snprintf(name, sizeof(name), "%s.mount", escaped);
	if (n < 0 || (size_t)n >= sizeof(name) || !mount_exists(g, name))
		return 0;
	*ret_mount = name_unit(g, name);
	return *ret_mount ? 1 : -ENOMEM;
}

/* Cut the next longer folder on the way to path: "/", "/a", "/a/b". False behind path itself. */
static bool next_folder(const char *path, struct str *folder)
{
	size_t from = folder->n > 1 ? folder->n + 1 : folder->n;

	if (folder->n > 0 && path[folder->n] == '\0')
		return false;
	*folder = (struct str){path, folder->n ? from + strcspn(path + from, "/") : 1};
	return true;
}

typedef int (*mount_fn)(void *arg, const struct closure_unit *u, struct closure_unit *mount);

/* Calls fn for the mount unit of each folder on the way to the paths that u needs, as far as there is one. */
static int each_mount(struct closure *g, const struct closure_unit *u, mount_fn fn, void *arg)
{
	struct mount_need *first;
	int r = closure_mounts(g, u->config, &first);

	for (const struct mount_need *n = first; r >= 0 && n; n = n->next) {
		struct str folder = {NULL, 0};
		struct closure_unit *mount;

		while (r >= 0 && next_folder(n->path, &folder)) {
			r = mount_of(g, folder, &mount);
			if (r > 0 && mount != u)
				r = fn(arg, u, mount);
		}
	}
	return r < 0 ? r : 0;
}

/* --- loading --- */

static int ignore_mount(void *arg UNUSED, const struct closure_unit *u UNUSED,
			struct closure_unit *mount UNUSED)
{
	return 0; /* it is named, that is enough */
}

/* Load what waits until nothing does. */
static int load_pending(struct closure *g)
{
	int r = 0;

	while (r == 0 && g->pending) {
		struct closure_unit *u = g->pending;

		g->pending = u->next;
		u->next = NULL;
		*g->tail = u;
		g->tail = &u->next;
		r = load_unit(g->load, u->name, &u->config);
		for (const struct dep *d = r == 0 ? u->config->deps : NULL; r == 0 && d;
		     d = d->next)
			r = name_unit(g, d->name) ? 0 : -ENOMEM;
		if (r == 0 && u->config->slice && !name_unit(g, u->config->slice))
			r = -ENOMEM;
		if (r == 0)
			r = each_mount(g, u, ignore_mount, NULL);
	}
	return r;
}

const struct closure_unit *closure_load(struct closure *g, const char *name)
{
	struct closure_unit *u = name_unit(g, name);

	return u && load_pending(g) == 0 ? u : NULL;
}

/* --- relations --- */

struct relating {
	struct closure *g;
	const struct closure_unit *of;
	struct relation *first;
};

static struct relation *relate(struct relating *w, enum dep_type type, const char *other)
{
	struct relation **at = &w->first;

	while (*at && ((*at)->type != type || strcmp((*at)->other, other) != 0))
		at = &(*at)->next;
	if (!*at)
		*at = arena_get(&w->g->arena, sizeof(**at));
	if (!*at)
		return NULL;
	(*at)->type = (uint8_t)type;
	(*at)->other = other;
	return *at;
}

/* from says `type` about to: noted if one of them is the unit that is looked at. */
static int say(struct relating *w, const struct closure_unit *from, enum dep_type type,
	       const struct closure_unit *to, uint16_t origin)
{
	struct relation *r;

	if (from == to)
		return 0;
	if (from == w->of) {
		r = relate(w, type, to->name);
		if (!r)
			return -ENOMEM;
		r->origins |= origin;
	} else if (to == w->of && type != DEP_JOINS_NAMESPACE_OF) {
		r = relate(w, dep_inverse(type), from->name);
		if (!r)
			return -ENOMEM;
		r->destinations |= origin;
	}
	return 0;
}

/* A dependency refers to the unit as well, which keeps that from being forgotten. */
static int say_dep(struct relating *w, const struct closure_unit *from, enum dep_type type,
		   const struct closure_unit *to, uint16_t origin)
{
	int r = say(w, from, type, to, origin);

	return r == 0 ? say(w, from, DEP_REFERENCES, to, origin) : r;
}

static int say_mount(void *arg, const struct closure_unit *u, struct closure_unit *mount)
{
	struct relating *w = arg;
	int r;

	if (!mount->config ||
	    (mount->config->load != LOAD_LOADED && mount->config->load != LOAD_BAD &&
	     strcmp(mount->name, root_mount) != 0))
		return 0;
	r = say_dep(w, u, DEP_AFTER, mount, BIT(PATH));
	return r == 0 && mount->config->fragment ? say_dep(w, u, DEP_REQUIRES, mount, BIT(PATH))
						 : r;
}

static int say_slice(struct relating *w, const struct closure_unit *u)
{
	bool is_slice = unit_type_of(u->name) == UNIT_SLICE;
	struct closure_unit *slice = u->config->slice ? name_unit(w->g, u->config->slice) : NULL;
	int r = 0;

	if (!slice)
		return 0;
	if (is_slice) /* its other dependencies on the slice above are in its list */
		return say_dep(w, u, DEP_IN_SLICE, slice, BIT(IMPLICIT));
	r = say_dep(w, u, DEP_REQUIRES, slice, BIT(FILE));
	if (r == 0)
		r = say_dep(w, u, DEP_AFTER, slice, BIT(FILE));
	if (r == 0)
		r = say_dep(w, u, DEP_IN_SLICE, slice, BIT(SLICE));
	return r;
}

static bool says_after(const struct unit_config *c, const char *name)
{
	for (const struct dep *d = c->deps; d; d = d->next)
		if (d->type == DEP_AFTER && strcmp(d->name, name) == 0)
			return true;
	return false;
}

/* A target is reached after its members by default: when both are loaded, both want that, and the member does not wait for it. */
static bool is_after_member(const struct closure_unit *target, const struct closure_unit *member)
{
	const struct unit_config *c = member->config;

	return c && c->load == LOAD_LOADED && c->default_dependencies &&
	       !says_after(c, target->name);
}

static bool holds(const struct closure_unit *from, const struct dep *d,
		  const struct closure_unit *to)
{
	if (d->type == DEP_BEFORE && unit_type_of(to->name) == UNIT_DEVICE)
		return false; /* nothing can delay a device */
	if (d->origin == DEP_DEFAULT && d->type == DEP_AFTER &&
	    unit_type_of(from->name) == UNIT_TARGET)
		return is_after_member(from, to);
	return true;
}

static int say_all(struct relating *w, const struct closure_unit *from)
{
	const struct unit_config *c = from->config;
	int r = 0;

	if (!c || c->load != LOAD_LOADED)
		return 0;
	for (const struct dep *d = c->deps; r == 0 && d; d = d->next) {
		struct closure_unit *to = name_unit(w->g, d->name);

		if (!to)
			r = -ENOMEM;
		else if (holds(from, d, to))
			r = say_dep(w, from, (enum dep_type)d->type, to, dep_bits[d->origin]);
	}
	if (r == 0)
		r = say_slice(w, from);
	return r == 0 ? each_mount(w->g, from, say_mount, w) : r;
}

int closure_relations(struct closure *g, const struct closure_unit *u, struct relation **ret_first)
{
	struct relating w = {.g = g, .of = u};
	int r = 0;

	for (const struct closure_unit *from = g->first; r == 0 && from; from = from->next)
		r = say_all(&w, from);
	*ret_first = w.first;
	return r;
}
