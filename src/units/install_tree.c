/* SPDX-License-Identifier: MIT */
#include "units/install_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/str.h"
#include "units/load_index.h"
#include "units/name.h"

/* "generator", "generator.early", "generator.late", in whatever run directory. */
static bool is_generated(struct str path)
{
	size_t slash = str_rindex(path, '/');

	return slash < path.n && str_has_prefix(str_sub(path, slash + 1, path.n), STR("generator"));
}

int tree_init(struct install_tree *t, char *const *dirs, unsigned dirs_n, const char *root)
{
	memset(t, 0, sizeof(*t));
	t->root = root;
	if (dirs_n > TREE_DIRS_MAX)
		return err_here(-E2BIG);
	for (unsigned k = 0; k < dirs_n; k++) {
		struct tree_dir *d = &t->dirs[k];

		d->path = dirs[k];
		d->same_as = (uint8_t)k;
		d->is_runtime = str_has_prefix(str_of(dirs[k]), STR("/run/"));
		d->is_generated = is_generated(str_of(dirs[k]));
		d->is_control = str_has_suffix(str_of(dirs[k]), STR(".control"));
		d->is_presence = index_is_presence(dirs[k]);
		list_init(&d->nodes);
	}
	t->dirs_n = (uint8_t)dirs_n;
	return 0;
}

void tree_fini(struct install_tree *t)
{
	map_fini(&t->nodes);
	arena_fini(&t->arena);
	memset(t, 0, sizeof(*t));
}

/* --- paths --- */

const char *tree_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *tree_join(struct install_tree *t, const char *dir, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

	return arena_dup(&t->arena, path, (size_t)n < sizeof(path) ? (size_t)n : sizeof(path) - 1);
}

int tree_dir_of(const struct install_tree *t, const char *path)
{
	for (unsigned k = 0; k < t->dirs_n; k++) {
		size_t n = strlen(t->dirs[k].path);

		if (strncmp(path, t->dirs[k].path, n) == 0 && path[n] == '/')
			return t->dirs[k].same_as;
	}
	return -1;
}

/* Without empty parts, "." and "..", in place. path begins with '/'. */
static void simplify(char *path)
{
	struct str rest = str_of(path + 1), part;
	size_t n = 0;

	while (str_cut(&rest, '/', &part)) {
		if (part.n == 0 || str_eq_z(part, "."))
			continue;
		if (str_eq_z(part, "..")) {
			while (n > 0 && path[--n] != '/')
				;
			continue;
		}
		path[n++] = '/';
		memmove(path + n, part.p, part.n);
		n += part.n;
	}
	if (n == 0)
		path[n++] = '/';
	path[n] = '\0';
}

const char *tree_resolve(struct install_tree *t, const char *path, const char *target)
{
	char full[PATH_MAX];
	struct str dir = str_sub(str_of(path), 0, str_rindex(str_of(path), '/'));
	int k;

	if (target[0] == '/')
		snprintf(full, sizeof(full), "%s", target);
	else
		snprintf(full, sizeof(full), STR_FMT "/%s", STR_ARG(dir), target);
	simplify(full);
	for (k = 0; k < t->dirs_n; k++) {
		size_t n = strlen(t->dirs[k].path);

		if (strncmp(full, t->dirs[k].path, n) == 0 && full[n] == '/')
			return tree_join(t, t->dirs[t->dirs[k].same_as].path, full + n + 1);
	}
	return arena_dup(&t->arena, full, strlen(full));
}

int tree_links_dir(const struct install_tree *t, bool is_runtime)
{
	for (unsigned k = 0; k < t->dirs_n; k++) {
		const struct tree_dir *d = &t->dirs[k];

		if (d->is_runtime == is_runtime && !d->is_generated && !d->is_control &&
		    !d->is_presence && !str_has_suffix(str_of(d->path), STR("/transient")))
			return d->same_as;
	}
	return -1;
}

bool tree_is_config(const struct tree_dir *d)
{
	return d->is_runtime ? !d->is_generated : str_has_prefix(str_of(d->path), STR("/etc/"));
}

/* --- nodes --- */

static bool node_eq(const struct map_node *node, const void *key)
{
	return strcmp(container_of(node, const struct tree_node, map_node)->path, key) == 0;
}

static struct tree_node *find_any(const struct install_tree *t, const char *path)
{
	struct map_node *node = map_find(&t->nodes, str_hash(str_of(path)), node_eq, path);

	return node ? container_of(node, struct tree_node, map_node) : NULL;
}

struct tree_node *tree_find(const struct install_tree *t, const char *path)
{
	struct tree_node *n = find_any(t, path);

	return n && n->kind != TREE_NONE ? n : NULL;
}

/* The node of a path, made when it is new. NULL: -ENOMEM, or a path in no search directory. */
static struct tree_node *node_get(struct install_tree *t, const char *path)
{
	struct tree_node *n = find_any(t, path);
	int dir = tree_dir_of(t, path);

	if (n || dir < 0 || map_reserve(&t->nodes, 1) < 0)
		return n;
	n = arena_get(&t->arena, sizeof(*n));
	if (!n)
		return NULL;
	n->path = arena_dup(&t->arena, path, strlen(path));
	if (!n->path)
		return NULL;
	n->name = tree_name(n->path);
	n->dir = (uint8_t)dir;
	n->is_side = strchr(path + strlen(t->dirs[dir].path) + 1, '/') != NULL;
	map_add(&t->nodes, &n->map_node, str_hash(str_of(path)));
	list_add_tail(&t->dirs[dir].nodes, &n->list_node);
	return n;
}

int tree_note(struct install_tree *t, const char *path, enum tree_kind kind, const char *target)
{
	struct tree_node *n = node_get(t, path);

	if (!n)
		return -ENOMEM;
	n->kind = n->old_kind = (uint8_t)kind;
	if (!target)
		return 0;
	n->target = n->old_target = arena_dup(&t->arena, target, strlen(target));
	return n->target ? 0 : -ENOMEM;
}

int tree_set_link(struct install_tree *t, const char *path, const char *target)
{
	struct tree_node *n = node_get(t, path);
	const char *text = arena_dup(&t->arena, target, strlen(target));

	if (!n || !text)
		return -ENOMEM;
	n->kind = TREE_LINK;
	n->target = text;
	return 0;
}

int tree_set_file(struct install_tree *t, const char *path, const char *text)
{
	struct tree_node *n = node_get(t, path);
	const char *copy = arena_dup(&t->arena, text, strlen(text));

	if (!n || !copy)
		return -ENOMEM;
	n->kind = TREE_FILE;
	n->text = copy;
	return 0;
}

void tree_unset(struct tree_node *n)
{
	n->kind = TREE_NONE;
}

/* --- reading --- */

/* One entry of a directory: a unit file, a link, or a directory of drop-ins. */
static int note_entry(struct install_tree *t, int dir, const char *path, const char *name)
{
	struct stat st;
	ssize_t n;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return 0; /* gone since */
	if (S_ISDIR(st.st_mode))
		return tree_note(t, path, TREE_DIR, NULL);
	if (S_ISREG(st.st_mode))
		return tree_note(t, path, st.st_size == 0 ? TREE_EMPTY : TREE_FILE, NULL);
	if (!S_ISLNK(st.st_mode))
		return 0;
	n = readlinkat(dir, name, t->text, sizeof(t->text) - 1);
	t->text[n > 0 ? n : 0] = '\0';
	return tree_note(t, path, TREE_LINK, t->text);
}

/* is_side: path is one of the directories beside a unit, below which no further ones are of interest. */
static int read_dir(struct install_tree *t, const char *path, bool is_side)
{
	DIR *dir;
	int r = 0;

	if ((size_t)snprintf(t->text, sizeof(t->text), "%s%s", t->root, path) >= sizeof(t->text))
		return err_here(-ENAMETOOLONG);
	dir = fd_opendir(AT_FDCWD, t->text);
	if (!dir)
		return errno == ENOENT || errno == ENOTDIR || is_side ? 0 : -errno;
	for (const struct dirent *d; r == 0 && (d = readdir(dir));) {
		const char *at = d->d_name[0] == '.' ? "" : tree_join(t, path, d->d_name);

		if (!at)
			r = -ENOMEM;
		else if (*at)
			r = note_entry(t, dirfd(dir), at, d->d_name);
	}
	closedir(dir);
	return r;
}

/* The same directory under two paths is read once, under the first. */
static void find_same(struct install_tree *t, struct stat *seen, unsigned k)
{
	snprintf(t->text, sizeof(t->text), "%s%s", t->root, t->dirs[k].path);
	if (stat(t->text, &seen[k]) < 0)
		return;
	for (unsigned i = 0; i < k; i++)
		if (seen[i].st_ino == seen[k].st_ino && seen[i].st_dev == seen[k].st_dev) {
			t->dirs[k].same_as = (uint8_t)i;
			return;
		}
}

/* The directories beside units that the search directory was found to have; those lie behind `end` no more. */
static int read_side_dirs(struct install_tree *t, struct tree_dir *d)
{
	int r = 0;

	list_for_each(node, &d->nodes) {
		const struct tree_node *n = list_entry(node, struct tree_node, list_node);

		if (r == 0 && n->kind == TREE_DIR && !n->is_side)
			r = read_dir(t, n->path, true);
	}
	return r;
}

int tree_read(struct install_tree *t)
{
	struct stat seen[TREE_DIRS_MAX] = {0};
	int r = 0;

	for (unsigned k = 0; k < t->dirs_n; k++)
		find_same(t, seen, k);
	for (unsigned k = 0; r == 0 && k < t->dirs_n; k++) {
		if (t->dirs[k].same_as != k)
			continue;
		r = read_dir(t, t->dirs[k].path, false);
		if (r == 0)
			r = read_side_dirs(t, &t->dirs[k]);
	}
	return r;
}
