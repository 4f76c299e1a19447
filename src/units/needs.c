/* SPDX-License-Identifier: MIT */
#include "units/needs.h"

#include <stdio.h>

#include "units/dep.h"
#include "units/exec_config.h"
#include "units/mount.h"
#include "units/name.h"
#include "units/path.h"
#include "units/sandbox.h"
#include "units/socket.h"
#include "units/timer.h"

const char needs_root_mount[] = "-.mount";

/* --- paths --- */

static int need(struct arena *arena, struct mount_need **first, const char *path,
		enum dep_origin origin)
{
	struct mount_need **at = first;

	while (*at && strcmp((*at)->path, path) != 0)
		at = &(*at)->next;
	if (!*at)
		*at = arena_get(arena, sizeof(**at));
	if (!*at)
		return -ENOMEM;
	(*at)->path = path;
	(*at)->origins |= (uint16_t)(1u << origin);
	return 0;
}

/* What a process finds below the roots of its directories. */
static int need_directories(struct arena *arena, const struct exec_config *e,
			    struct mount_need **first)
{
	int r = 0;

	for (unsigned k = 0; r == 0 && k < EXEC_DIRS; k++)
		for (const struct name_list *n = e->directories[k].names; r == 0 && n;
		     n = n->next) {
			size_t root_n = strlen(exec_dir_roots[k]);
			size_t name_n = strlen(n->text);
			char *path = arena_get(arena, root_n + name_n + 2);

			if (!path)
				return -ENOMEM;
			memcpy(path, exec_dir_roots[k], root_n);
			path[root_n] = '/';
			memcpy(path + root_n + 1, n->text, name_n);
			r = need(arena, first, path, DEP_FILE);
		}
	return r;
}

static int need_exec(struct arena *arena, const struct unit_config *c, struct mount_need **first)
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
			r = need(arena, first, paths[k], DEP_FILE);
	return r == 0 ? need_directories(arena, e, first) : r;
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
static int need_parent(struct arena *arena, const char *where, struct mount_need **first)
{
	const char *slash = where ? strrchr(where, '/') : NULL;
	const char *parent;

	if (!slash || slash[1] == '\0')
		return 0;
	parent = slash == where ? "/" : arena_dup(arena, where, (size_t)(slash - where));
	return parent ? need(arena, first, parent, DEP_IMPLICIT) : -ENOMEM;
}

static int need_mount(struct arena *arena, const struct mount_config *m, struct mount_need **first)
{
	int r = need_parent(arena, m->where, first);

	if (r == 0 && m->what && m->what[0] == '/' &&
	    (mount_is_bind(m) || mount_option(m->options, "loop").p || !mount_is_network(m)))
		r = need(arena, first, m->what, DEP_FILE);
	return r;
}

/* What units of the types without processes need. */
static int need_own(struct arena *arena, const struct unit_config *c, struct mount_need **first)
{
	int r = 0;

	for (const struct path_watch *w = c->own->path ? c->own->path->watches : NULL; r == 0 && w;
	     w = w->next)
		r = need(arena, first, w->path, DEP_FILE);
	if (r == 0 && c->own->timer && c->own->timer->persistent)
		r = need(arena, first, timer_stamps_dir, DEP_FILE);
	if (r == 0 && c->own->mount)
		r = need_mount(arena, c->own->mount, first);
	if (r == 0 && c->own->automount)
		r = need_parent(arena, c->own->automount->where, first);
	if (r == 0 && c->own->swap && c->own->swap->what)
		r = need(arena, first, c->own->swap->what, DEP_IMPLICIT);
	return r;
}

int needs_paths(const struct unit_config *c, struct arena *arena, struct mount_need **ret_first)
{
	struct mount_need *first = NULL;
	int r = 0;

	for (const struct name_list *n = c->unit->requires_mounts_for; r == 0 && n; n = n->next)
		r = need(arena, &first, n->text, DEP_FILE);
	for (const struct listener *l = c->socket ? c->socket->listeners : NULL; r == 0 && l;
	     l = l->next)
		if (listener_path(l))
			r = need(arena, &first, listener_path(l), DEP_FILE);
	if (r == 0)
		r = need_own(arena, c, &first);
	if (r == 0 && c->exec)
		r = need_exec(arena, c, &first);
	*ret_first = first;
	return r;
}

/* --- mounts --- */

/* The mount unit of a folder, if it has a file. In name, UNIT_NAME_MAX + 1 bytes. */
static bool find_mount(const struct load *l, struct str folder, char *name)
{
	const struct load_entry *e;

	if (!mount_unit_name(folder, name))
		return false;
	e = index_find(l, str_of(name));
	return e && e->has_file && !e->is_masked;
}

/* Cut the next longer folder on the way to path: "/", "/a", "/a/b". False behind path itself. */
static bool next_folder(const char *path, struct str *folder)
{
	size_t at = folder->n;

	if (at == 0) {
		*folder = (struct str){path, 1};
		return true;
	}
	at += strspn(path + at, "/"); /* however many there are */
	if (!path[at])
		return false;
	*folder = (struct str){path, at + strcspn(path + at, "/")};
	return true;
}

static int link_mount(struct dep_list *l, const char *name)
{
	const struct unit_config *c = l->config;
	int r = 0;

	if (strcmp(name, c->name) == 0 || strcmp(name, needs_root_mount) == 0)
		return 0;
	for (const struct dep *d = c->deps; d; d = d->next)
		if (d->origin == DEP_PATH && strcmp(d->name, name) == 0)
			return 0;
	r = dep_add_copy(l, DEP_AFTER, DEP_PATH, name);
	return r == 0 ? dep_add_copy(l, DEP_REQUIRES, DEP_PATH, name) : r;
}

int needs_links(const struct load *l, struct unit_config *c)
{
	struct arena scratch = {0};
	char name[UNIT_NAME_MAX + 1];
	struct mount_need *first;
	struct dep_list deps;
	int r = needs_paths(c, &scratch, &first);

	dep_list_init(&deps, c);
	for (const struct mount_need *n = r == 0 ? first : NULL; r == 0 && n; n = n->next) {
		struct str folder = {NULL, 0};

		while (r == 0 && next_folder(n->path, &folder))
			if (find_mount(l, folder, name))
				r = link_mount(&deps, name);
	}
	arena_fini(&scratch);
	return r;
}
