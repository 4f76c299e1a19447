/* SPDX-License-Identifier: MIT */
#include "core/view.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/mem.h"

#define SCRATCH "/run" /* covered for a moment; every system has it */

enum { OPTIONS_MAX = 512, VIEWS_FIRST = 16 };

struct view {
	char *place;        /* owned; without links once it is settled */
	const char *source; /* of the plan */
	uint64_t set, decided;
	uint64_t flags; /* enum view_flag */
	uint8_t kind;   /* enum view_kind */
	bool is_late;   /* lies in something new: what is there shows only when that is in place */
	bool is_file;   /* what is there is no directory */
	int fd;         /* the mount, not in place yet; -1: none */
	char *link_to;  /* owned; VIEW_KEEP of a link: its text */
};

static struct {
	struct view *list;
	uint32_t n, cap;
} views;

static int sys(long result)
{
	return result < 0 ? -errno : (int)result;
}

int view_add(const struct plan_record *rec)
{
	size_t place_n = strlen(rec->text);
	struct view *list = views.list;

	if (rec->w[0] >= VIEW_KINDS || rec->text[0] != '/' || place_n + 1 >= rec->text_n)
		return -EBADMSG;
	if (views.n == views.cap) {
		uint32_t cap = views.cap ? 2 * views.cap : VIEWS_FIRST;

		list = mem_grow(list, views.cap * sizeof(*list), cap * sizeof(*list));
		if (!list)
			return -ENOMEM;
		views.list = list;
		views.cap = cap;
	}
	list[views.n] = (struct view){.place = mem_dup(rec->text, place_n),
				      .source = rec->text + place_n + 1,
				      .kind = (uint8_t)rec->w[0],
				      .set = rec->w[1],
				      .decided = rec->w[2],
				      .flags = rec->w[3],
				      .fd = -1};
	if (!list[views.n].place)
		return -ENOMEM;
	views.n++;
	return 0;
}

/* --- which views there are --- */

/* Does the one place lie in the other, or is it the same? */
static bool lies_in(const char *place, const char *outer)
{
	size_t n = strlen(outer);

	return n == 1 || (strncmp(place, outer, n) == 0 && (place[n] == '\0' || place[n] == '/'));
}

/* Does it show something else than what was there? */
static bool is_new(const struct view *v)
{
	return v->kind != VIEW_SAME && v->kind != VIEW_KEEP;
}

/* By place, so that what lies in another follows it; of one place by the kind. */
static int compare(const void *a, const void *b)
{
	const struct view *v = a, *w = b;
	int order = strcmp(v->place, w->place);

	return order ? order : v->kind - w->kind;
}

/* The nearest of the first n views that the place lies in. */
static struct view *around(uint32_t n, const char *place)
{
	struct view *nearest = NULL;

	/* "/a-b" stands between "/a" and "/a/c": only the longest of all is the nearest. */
	for (uint32_t i = 0; i < n; i++)
		if (lies_in(place, views.list[i].place) &&
		    (!nearest || strlen(views.list[i].place) > strlen(nearest->place)))
			nearest = &views.list[i];
	return nearest;
}

/* Make the place of a view where nothing is yet. */
static int make_place(const struct view *v, bool is_file)
{
	int r = fd_mkdir_parents(v->place, !is_file, 0755);
	int fd;

	if (r < 0 || !is_file)
		return r;
	fd = fd_open(AT_FDCWD, v->place, O_WRONLY | O_CREAT | O_EXCL, 0444);
	fd_close(fd);
	return fd == -EEXIST || fd >= 0 ? 0 : fd;
}

static bool is_file_at(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static int open_place(const struct view *v, const char *root)
{
	if (root && v->flags & VIEW_IN_ROOT)
		return fd_open_below(root, v->place[strlen(root)] ? v->place + strlen(root) : "/",
				     O_PATH);
	return fd_open(AT_FDCWD, v->place, O_PATH, 0);
}

/* Find out what the place is behind its links. 0, -ENOENT: to be left out, -errno. */
static int settle(struct view *v, const char *root)
{
	char link[32], place[PATH_MAX];
	struct stat st;
	ssize_t n;
	AUTO_FD int fd = open_place(v, root);

	if (fd == -ENOENT && is_new(v) && v->kind != VIEW_HIDDEN) {
		int r = make_place(v, v->kind == VIEW_BIND && is_file_at(v->source));

		if (r < 0)
			return r;
		fd = open_place(v, root);
	}
	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, place, sizeof(place));
	if (n < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (n == sizeof(place) || place[0] != '/')
		return -ENAMETOOLONG;
	v->is_file = !S_ISDIR(st.st_mode);
	mem_put(v->place);
	v->place = mem_dup(place, (size_t)n);
	return v->place ? 0 : -ENOMEM;
}

static void sort(void)
{
	if (views.n > 1)
		qsort(views.list, views.n, sizeof(*views.list), compare);
}

/* What is around it is shown as this one shall be. */
static bool changes_nothing(const struct view *v, const struct view *outer)
{
	return v->kind == VIEW_SAME && outer && outer->kind == VIEW_SAME &&
	       (outer->decided & v->decided) == v->decided && (outer->set & v->decided) == v->set;
}

/* Is what is missing no reason to fail? */
static bool may_miss(const struct view *v, const struct view *outer, int r)
{
	return (r == -ENOENT || r == -ENOTDIR) &&
	       (v->flags & VIEW_OPTIONAL || changes_nothing(v, outer));
}

static int settle_all(const char *root, const char **ret_place)
{
	uint32_t kept = 0;
	int r = 0;

	sort();
	for (uint32_t i = 0; i < views.n; i++) {
		struct view *v = &views.list[i];
		const struct view *outer = around(kept, v->place);

		*ret_place = v->place;
		v->is_late = outer && (is_new(outer) || outer->is_late) &&
			     strcmp(outer->place, v->place) != 0;
		if (!v->is_late && v->kind != VIEW_KEEP)
			r = settle(v, root);
		if (r < 0 && !may_miss(v, outer, r))
			return r;
		if (r == 0)
			views.list[kept++] = *v;
		r = 0;
	}
	views.n = kept;
	return 0;
}

/* One view a place, none in what is hidden, each with what it takes from the one around it. */
static void merge(void)
{
	uint32_t kept = 0;

	sort();
	for (uint32_t i = 0; i < views.n; i++) {
		struct view *v = &views.list[i];
		struct view *outer = around(kept, v->place);

		if (outer && strcmp(outer->place, v->place) == 0) {
			outer->set |= v->set;
			outer->decided |= v->decided;
		} else if (!outer || outer->kind != VIEW_HIDDEN) {
			v->set |= outer ? outer->set & ~v->decided : 0;
			views.list[kept++] = *v;
		}
	}
	views.n = kept;
}

/* --- mounts that are nowhere yet --- */

static int set_options(int fs, const char *options)
{
	char text[OPTIONS_MAX];
	struct str rest = str_of(options), option;

	while (str_cut(&rest, ',', &option)) {
		size_t at = str_index(option, '=');
		int r;

		if (option.n == 0)
			continue;
		if (option.n >= sizeof(text))
			return -E2BIG;
		memcpy(text, option.p, option.n);
		text[option.n] = '\0';
		if (at < option.n)
			text[at] = '\0';
		r = sys(at < option.n ? fsconfig(fs, FSCONFIG_SET_STRING, text, text + at + 1, 0)
				      : fsconfig(fs, FSCONFIG_SET_FLAG, text, NULL, 0));
		if (r < 0)
			return r;
	}
	return 0;
}

static int new_fs(const char *type, const char *options)
{
	AUTO_FD int fs = sys(fsopen(type, FSOPEN_CLOEXEC));
	int r = fs < 0 ? fs : set_options(fs, options);

	if (r == 0)
		r = sys(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	return r < 0 ? r : sys(fsmount(fs, FSMOUNT_CLOEXEC, 0));
}

static int copy_of(const char *path, unsigned flags)
{
	return sys(open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags));
}

/* A file that nobody may open. What is not in place yet cannot be copied, so its file system is put in place for a moment. */
static int hidden_file(void)
{
	AUTO_FD int fs = new_fs("tmpfs", "mode=0,nr_inodes=2,size=4k");
	int fd, r;

	if (fs < 0)
		return fs;
	fd = openat(fs, "hidden", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	fd_close(fd);
	r = sys(move_mount(fs, "", AT_FDCWD, SCRATCH, MOVE_MOUNT_F_EMPTY_PATH));
	if (r < 0)
		return r;
	r = copy_of(SCRATCH "/hidden", 0);
	if (umount2(SCRATCH, MNT_DETACH) < 0) {
		fd_close(r);
		return -errno;
	}
	return r;
}

/* Of a link its text is what is kept. 0: it is none, 1, -errno. */
static int keep_link(struct view *v)
{
	char text[PATH_MAX];
	ssize_t n = readlink(v->place, text, sizeof(text));

	if (n < 0)
		return errno == EINVAL ? 0 : -errno;
	v->link_to = (size_t)n < sizeof(text) ? mem_dup(text, (size_t)n) : NULL;
	return v->link_to ? 1 : -ENOMEM;
}

/* A descriptor of the mount of a view, or -errno. */
static int new_mount(struct view *v)
{
	switch ((enum view_kind)v->kind) {
	case VIEW_HIDDEN:
		v->is_file = v->is_late ? is_file_at(v->place) : v->is_file;
		return v->is_file ? hidden_file() : new_fs("tmpfs", "mode=0,nr_inodes=1,size=4k");
	case VIEW_BIND:
		return copy_of(v->source, AT_RECURSIVE);
	case VIEW_BIND_ONE:
		return copy_of(v->source, 0);
	case VIEW_TMPFS:
		return new_fs("tmpfs", v->source);
	case VIEW_PROC:
		return new_fs("proc", v->source);
	case VIEW_SAME:
		return copy_of(v->place, AT_RECURSIVE);
	case VIEW_KEEP:
		return copy_of(v->place, AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
	case VIEW_KINDS:
		break;
	}
	return -EBADMSG;
}

/* "/" as it is needs no copy: its attributes are set where it is. */
static bool is_root_itself(const struct view *v)
{
	return v->kind == VIEW_SAME && strcmp(v->place, "/") == 0;
}

static int make_mount(struct view *v)
{
	int r = v->kind == VIEW_KEEP ? keep_link(v) : 0;

	if (r != 0 || is_root_itself(v))
		return r < 0 ? r : 0;
	r = new_mount(v);
	if (r < 0)
		return r;
	v->fd = r;
	return 0;
}

/* --- putting them in place --- */

static int set_attributes(int fd, const char *path, unsigned flags, uint64_t set)
{
	struct mount_attr attributes = {.attr_set = set};

	if (set == 0)
		return 0;
	return sys(mount_setattr(fd, path, flags, &attributes, sizeof(attributes)));
}

/* Its options come last: in an empty file system others are still to be put. */
static bool is_empty_fs(const struct view *v)
{
	return v->kind == VIEW_TMPFS;
}

/* What covers the root is where this process lives from now on. */
static int enter(int fd)
{
	if (fchdir(fd) < 0)
		return -errno;
	return sys(chroot("."));
}

static int place_mount(struct view *v)
{
	int place = open(v->place, O_PATH | O_CLOEXEC | O_NOFOLLOW), r;

	if (place < 0 && errno == ENOENT && v->kind != VIEW_SAME) {
		r = make_place(v, v->is_file);
		if (r < 0)
			return r;
		place = open(v->place, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	}
	if (place < 0)
		return -errno;
	r = sys(move_mount(v->fd, "", place, "",
			   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
	fd_close(place);
	return r == 0 && strcmp(v->place, "/") == 0 ? enter(v->fd) : r;
}

static int put_in_place(struct view *v)
{
	struct stat st;
	int r;

	if (v->link_to)
		return symlink(v->link_to, v->place) == 0 || errno == EEXIST ? 0 : -errno;
	if (is_root_itself(v))
		return set_attributes(AT_FDCWD, "/", AT_RECURSIVE, v->set);
	r = v->fd < 0 ? make_mount(v) : 0;
	if (r < 0)
		return r;
	if (fstat(v->fd, &st) < 0)
		return -errno;
	v->is_file = !S_ISDIR(st.st_mode);
	r = is_empty_fs(v) ? 0 : set_attributes(v->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, v->set);
	return r < 0 ? r : place_mount(v);
}

/* Takes each of them one step further; what is missing and may be is left out. */
static int each(int (*fn)(struct view *v), const char **ret_place)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < views.n; i++) {
		struct view *v = &views.list[i];
		int r = fn(v);

		*ret_place = v->place;
		if (r < 0 && !may_miss(v, around(kept, v->place), r))
			return r;
		if (r == 0)
			views.list[kept++] = *v;
	}
	views.n = kept;
	return 0;
}

/* What lies in something new is seen when that is in place. */
static int make_early(struct view *v)
{
	return v->is_late && v->kind == VIEW_SAME ? 0 : make_mount(v);
}

static int finish(struct view *v)
{
	int r = is_empty_fs(v) ? set_attributes(v->fd, "", AT_EMPTY_PATH, v->set) : 0;

	fd_close(v->fd);
	v->fd = -1;
	return r;
}

int view_enter(const char *root, const char **ret_place)
{
	int r;

	*ret_place = NULL;
	r = settle_all(root, ret_place);
	if (r < 0)
		return r;
	merge();
	r = each(make_early, ret_place);
	if (r == 0)
		r = each(put_in_place, ret_place);
	return r < 0 ? r : each(finish, ret_place);
}
