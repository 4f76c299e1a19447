/* SPDX-License-Identifier: MIT */
#include "ctl/file_work.h"

#include <fnmatch.h>
#include <stdlib.h>

#include "units/name.h"

static int read_install(void *arg, const char *name, const char *path,
			struct unit_config **ret_config)
{
	return load_install(arg, name, path, ret_config);
}

int file_work_open(struct file_work *w, const char *dirs, const char *root)
{
	int r;

	*w = (struct file_work){0};
	r = load_init(&w->load, dirs, root);
	if (r == 0)
		r = load_scan(&w->load);
	if (r == 0)
		r = tree_init(&w->tree, w->load.dirs, w->load.dirs_n, w->load.root);
	if (r == 0)
		r = tree_read(&w->tree);
	install_init(&w->install, &w->tree, read_install, &w->load);
	return r;
}

void file_work_close(struct file_work *w)
{
	install_fini(&w->install);
	tree_fini(&w->tree);
	load_fini(&w->load);
}

int file_work_names(struct file_work *w, enum verb_id verb, const char *const *words, unsigned n)
{
	char full[UNIT_NAME_MAX + 1];

	w->names = arena_get(&w->install.arena, (n + 1) * sizeof(*w->names));
	if (!w->names)
		return -ENOMEM;
	for (w->names_n = 0; w->names_n < n; w->names_n++) {
		const char *word = words[w->names_n];
		bool is_path = verbs[verb].shape == SHAPE_UNIT_FILES && strchr(word, '/');

		if (!is_path && name_from_user(word, full, sizeof(full)) == 0)
			word = full;
		w->names[w->names_n] = arena_dup(&w->install.arena, word, strlen(word));
		if (!w->names[w->names_n])
			return -ENOMEM;
	}
	return 0;
}

static int plan_preset(struct file_work *w, const char *word)
{
	unsigned mode = 0;
	struct preset p;
	int r;

	while (word && mode < PRESET_MODES && strcmp(word, preset_mode_names[mode]) != 0)
		mode++;
	if (mode == PRESET_MODES)
		return install_tell(&w->install, true,
				    "a preset mode is full, enable-only or disable-only");
	preset_init(&p);
	r = preset_read(&p, w->load.root);
	if (r == 0)
		r = install_preset(&w->install, &p, (enum preset_mode)mode, w->names, w->names_n);
	preset_fini(&p);
	return r;
}

int file_work_plan(struct file_work *w, enum verb_id verb, const char *preset_mode)
{
	struct install *in = &w->install;

	switch ((int)verb) {
	case VERB_ENABLE:
		return install_enable(in, w->names, w->names_n);
	case VERB_DISABLE:
		return install_disable(in, w->names, w->names_n);
	case VERB_REENABLE:
		return install_reenable(in, w->names, w->names_n);
	case VERB_MASK:
		return install_mask(in, w->names, w->names_n);
	case VERB_UNMASK:
		return install_unmask(in, w->names, w->names_n);
	case VERB_LINK:
		return install_link(in, w->names, w->names_n);
	case VERB_REVERT:
		return install_revert(in, w->names, w->names_n);
	case VERB_ADD_WANTS:
		return install_add_dependency(in, DEP_WANTS, w->names, w->names_n);
	case VERB_ADD_REQUIRES:
		return install_add_dependency(in, DEP_REQUIRES, w->names, w->names_n);
	case VERB_SET_DEFAULT:
		return install_set_default(in, w->names[0]);
	case VERB_PRESET: /* no names: to install_preset() those would be all */
		return w->names_n ? plan_preset(w, preset_mode) : 0;
	default:
		return plan_preset(w, preset_mode);
	}
}

static bool is_wanted(const struct tree_node *n, const char *const *patterns, unsigned patterns_n)
{
	if (n->is_side || n->kind == TREE_DIR || !name_is_valid(n->name, NAME_ANY))
		return false;
	for (unsigned k = 0; k < patterns_n; k++)
		if (fnmatch(patterns[k], n->name, 0) == 0)
			return true;
	return patterns_n == 0;
}

/* The node of a name in the most important directory: each name is listed once. */
static bool is_first(const struct file_work *w, const struct tree_node *n)
{
	for (unsigned k = 0; k < n->dir; k++) {
		AUTO_MEM char *path = NULL;
		struct sbuf b = {0};

		sbuf_addf(&b, "%s/%s", w->tree.dirs[k].path, n->name);
		path = sbuf_take(&b);
		if (path && tree_find(&w->tree, path))
			return false;
	}
	return true;
}

/* By the kind of unit, then by name. */
static int compare_files(const void *a, const void *b)
{
	const struct tree_node *const *x = a, *const *y = b;
	int r = unit_type_of((*x)->name) - unit_type_of((*y)->name);

	return r ? r : strcmp((*x)->name, (*y)->name);
}

/* The unit files that are wanted, in *ret_all (mem_put). How many, or -ENOMEM. */
static int collect(const struct file_work *w, const char *const *patterns, unsigned n,
		   const struct tree_node ***ret_all)
{
	const struct tree_node **all = NULL;
	unsigned found = 0, cap = 0;

	for (unsigned k = 0; k < w->tree.dirs_n; k++)
		list_for_each(node, &w->tree.dirs[k].nodes) {
			const struct tree_node *t = list_entry(node, struct tree_node, list_node);

			if (!is_wanted(t, patterns, n) || !is_first(w, t))
				continue;
			if (found == cap) {
				unsigned more = cap ? 2 * cap : 64;
				void *p = mem_grow(all, cap * sizeof(*all), more * sizeof(*all));

				if (!p) {
					mem_put(all);
					return -ENOMEM;
				}
				all = p;
				cap = more;
			}
			all[found++] = t;
		}
	if (found)
		qsort(all, found, sizeof(*all), compare_files);
	*ret_all = all;
	return (int)found;
}

int file_work_list(struct file_work *w, const char *const *patterns, unsigned n, file_work_fn fn,
		   void *arg)
{
	AUTO_MEM const struct tree_node **all = NULL;
	int found = collect(w, patterns, n, &all);
	bool goes_on = true;
	struct preset p;
	int r;

	if (found < 0)
		return found;
	preset_init(&p);
	r = preset_read(&p, w->load.root);
	for (int k = 0; k < found && r == 0 && goes_on; k++) {
		enum install_state state = INSTALL_NOT_FOUND;
		const char *preset, *name = all[k]->name;
		struct str instances;

		r = install_state(&w->install, name, &state);
		preset = preset_wants(&p, name, &instances) ? "enabled" : "disabled";
		if (state == INSTALL_STATIC || state == INSTALL_ALIAS || state == INSTALL_GENERATED)
			preset = NULL;
		goes_on = r == 0 && fn(arg, all[k], state, preset);
	}
	preset_fini(&p);
	return r;
}
