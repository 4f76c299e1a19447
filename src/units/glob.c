/* SPDX-License-Identifier: MIT */
#include "units/glob.h"

#include <fnmatch.h>
#include <stdlib.h>

#include "units/probe.h"

/* The paths that match so far: one level of folders after the other. */
struct walk {
	struct arena *arena;
	struct name_list *found; /* of this level */
	uint32_t found_n;
	const char *dir;  /* the folder being read */
	const char *part; /* component of the pattern */
	bool stops_at_one;
	int err;
};

bool glob_is_pattern(const char *path)
{
	return strpbrk(path, "*?[") != NULL;
}

static void add(struct walk *w, const char *name)
{
	struct name_list *item = arena_get(w->arena, sizeof(*item));
	size_t dir_n = strlen(w->dir);
	size_t name_n = strlen(name);
	char *path = item ? arena_get(w->arena, dir_n + name_n + 2) : NULL;

	if (!path) {
		w->err = err_here(-ENOMEM);
		return;
	}
	memcpy(path, w->dir, dir_n);
	path[dir_n] = '/';
	memcpy(path + dir_n + 1, name, name_n);
	if (!probe_exists(path))
		return;
	item->text = path;
	item->next = w->found;
	w->found = item;
	w->found_n++;
}

/* A probe_fn. */
static bool look_at(void *arg, const char *name)
{
	struct walk *w = arg;

	if (fnmatch(w->part, name, FNM_PERIOD) == 0)
		add(w, name);
	return w->err < 0 || (w->stops_at_one && w->found);
}

static void look_for_part(struct walk *w, const struct name_list *folders)
{
	w->found = NULL;
	w->found_n = 0;
	for (; folders && w->err == 0; folders = folders->next) {
		w->dir = folders->text;
		if (strpbrk(w->part, "*?[\\"))
			(void)!probe_each_entry(w->dir[0] ? w->dir : "/", look_at, w);
		else
			add(w, w->part);
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp((*(struct name_list *const *)a)->text, (*(struct name_list *const *)b)->text);
}

static struct name_list *sort(struct walk *w)
{
	struct name_list **all = arena_get(w->arena, (w->found_n + 1) * sizeof(struct name_list *));
	uint32_t n = 0;

	if (!all) {
		w->err = -ENOMEM;
		return NULL;
	}
	for (struct name_list *item = w->found; item; item = item->next)
		all[n++] = item;
	qsort(all, n, sizeof(struct name_list *), compare);
	for (uint32_t i = 0; i < n; i++)
		all[i]->next = all[i + 1];
	return all[0];
}

int glob_find(const char *pattern, bool is_one_enough, struct arena *arena, struct name_list **ret)
{
	struct name_list root = {.text = ""}, *level = &root;
	struct str rest = str_of(pattern);
	struct walk w = {.arena = arena};
	struct str part;

	if (pattern[0] != '/')
		return err_here(-EINVAL);
	while (level && w.err == 0 && str_cut(&rest, '/', &part)) {
		if (part.n == 0)
			continue;
		w.stops_at_one = is_one_enough && rest.n == 0;
		w.part = arena_dup(arena, part.p, part.n);
		if (!w.part)
			return err_here(-ENOMEM);
		look_for_part(&w, level);
		level = w.found;
	}
	if (level == &root) { /* "/" has no component */
		w.dir = root.text;
		add(&w, "");
	}
	*ret = level ? sort(&w) : NULL;
	return w.err;
}
