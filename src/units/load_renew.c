/* SPDX-License-Identifier: MIT */
#include "units/load_renew.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/reach.h"
#include "units/config.h"
#include "units/load_read.h"
#include "units/name.h"

enum { RENEWALS_MOST = 1000 }; /* some 300 bytes each stay behind in the arena */

/* Names of which only that of one unit speaks: prefixes are about many. */
static bool is_ordinary(const char *name)
{
	struct str prefix = name_is_valid(name, NAME_PLAIN) ? name_prefix(name) : STR("-");

	return prefix.p[prefix.n - 1] != '-';
}

static bool is_tied(const struct load_entry *e)
{
	return e->is_masked || e->is_of_template || e->tie->alias_of || e->tie->target ||
	       e->tie->aliases;
}

int load_find_file(const struct load *l, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	for (unsigned k = 0; k < l->dirs_n; k++) {
		if ((size_t)snprintf(path, sizeof(path), "%s%s/%s", l->root, l->dirs[k], name) >=
		    sizeof(path))
			continue;
		if (reach(AT_FDCWD, path) < 0)
			return -EAGAIN;
		if (lstat(path, &st) < 0) {
			if (errno != ENOENT && errno != ENOTDIR)
				return -EAGAIN;
		} else if (!S_ISDIR(st.st_mode)) {
			return S_ISREG(st.st_mode) ? (int)k : -EAGAIN;
		}
	}
	return -ENOENT;
}

/* May its parts change without those of another name? Told if so. */
static bool tell_owner(const struct load_entry *e, const char *name, load_owner_fn owner, void *arg)
{
	if (!is_ordinary(name) || (e && is_tied(e)))
		return false;
	owner(arg, name);
	return true;
}

/* The links that its presence has made. LOAD_RENEWED, LOAD_NEEDS_SCAN or -ENOMEM. */
static int forget_install(struct load *l, struct load_entry *e, load_owner_fn owner, void *arg)
{
	struct arena scratch = {0};
	const char *file = e->does_install ? index_path(l, e, &scratch) : NULL;
	int r = e->does_install && !file ? -ENOMEM : LOAD_RENEWED;
	struct map_node *node = NULL;

	while (file && r == LOAD_RENEWED && (node = map_next(&l->names, node))) {
		struct load_entry *of = container_of(node, struct load_entry, node);

		if (index_drop_parts(of, file) && !tell_owner(of, of->name, owner, arg))
			r = LOAD_NEEDS_SCAN;
	}
	arena_fini(&scratch);
	e->does_install = false;
	return r;
}

static bool tell_owners(const struct load *l, const struct name_list *n, load_owner_fn owner,
			void *arg)
{
	while (n && tell_owner(index_find(l, str_of(n->text)), n->text, owner, arg))
		n = n->next;
	return !n;
}

static int install(struct load *l, struct load_entry *e, load_owner_fn owner, void *arg)
{
	struct unit_config *c;
	int r = load_present_install(l, e, &c);

	if (r < 0)
		return r;
	if (c->unit->alias || !tell_owners(l, c->unit->wanted_by, owner, arg) ||
	    !tell_owners(l, c->unit->required_by, owner, arg) ||
	    !tell_owners(l, c->unit->upheld_by, owner, arg))
		r = LOAD_NEEDS_SCAN;
	else
		r = load_enable(l, e, c);
	unit_config_free(c);
	return r;
}

/* 0 or -errno */
static int renew_sides(struct load *l, struct load_entry *e, const char *name)
{
	if (e)
		index_drop_parts(e, NULL);
	return load_read_sides(l, name);
}

/* The file that counts now, or that there is none. LOAD_RENEWED, LOAD_NEEDS_SCAN or -ENOMEM. */
static int renew_file(struct load *l, const char *name, load_owner_fn owner, void *arg)
{
	struct load_entry *e = index_find(l, str_of(name));
	int rank = load_find_file(l, name), r;

	if (rank == -EAGAIN)
		return LOAD_NEEDS_SCAN;
	if (rank < 0) {
		if (e)
			e->has_file = false;
		return LOAD_RENEWED;
	}
	r = load_add_file(l, name, (unsigned)rank);
	if (r < 0 || l->links_only || !index_is_presence(l->dirs[rank]))
		return r;
	return install(l, index_find(l, str_of(name)), owner, arg);
}

int load_renew(struct load *l, const char *name, bool has_sides, load_owner_fn owner, void *arg)
{
	struct load_entry *e = index_find(l, str_of(name));
	int r = LOAD_RENEWED;

	/* The texts that a scan has kept are those of files as they were. */
	if (!is_ordinary(name) || l->has_strays || l->present || (e && is_tied(e)) ||
	    l->renewals_n++ >= RENEWALS_MOST)
		return LOAD_NEEDS_SCAN;
	if (has_sides)
		r = renew_sides(l, e, name);
	if (r == LOAD_RENEWED && e)
		r = forget_install(l, e, owner, arg);
	return r == LOAD_RENEWED ? renew_file(l, name, owner, arg) : r;
}
