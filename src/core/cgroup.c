/* SPDX-License-Identifier: MIT */
#include "core/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/crashpoint.h"
#include "core/fd.h"
#include "core/mem.h"
#include "core/mountinfo.h"
#include "core/proc.h"

enum {
	CGROUP_DEPTH = 12,       /* levels of one walk */
	CGROUP_DENTS = 304,      /* one directory entry of the longest name fits */
	CGROUP_REMOVALS = 16384, /* steps of one removal */
	CGROUP_KILL_ROUNDS = 16, /* looks for children forked meanwhile, without cgroup.kill */
	MOUNTINFO_MAX = 4 << 20,
};

/* "PATH/FILE" relative to the root directory; either may be empty. */
static int join(const struct cgroup_root *r, char out[CGROUP_PATH], const char *path,
		const char *file)
{
	size_t n;

	if (!r->has_cgroups)
		return -EOPNOTSUPP;
	n = str_append(out, CGROUP_PATH, 0, *path ? str_of(path) : STR("."));
	if (n >= CGROUP_PATH - 1)
		return err_here(-ENAMETOOLONG);
	n = str_append(out, CGROUP_PATH, n, *file ? STR("/") : STR(""));
	n = str_append(out, CGROUP_PATH, n, str_of(file));
	return n < CGROUP_PATH ? 0 : err_here(-ENAMETOOLONG);
}

/* ---- the root */

/* What is left of path below dir: "" or "/rest"; p is NULL when it is elsewhere. */
static struct str below(struct str path, struct str dir)
{
	if (str_eq(dir, STR("/")))
		return str_eq(path, dir) ? STR("") : path;
	if (!str_has_prefix(path, dir) || (path.n > dir.n && path.p[dir.n] != '/'))
		return (struct str){NULL, 0};
	return str_sub(path, dir.n, path.n);
}

/* False when it does not fit with its NUL. */
static bool concat(struct str a, struct str b, char *out, size_t cap)
{
	if (a.n >= cap || b.n >= cap - a.n)
		return false;
	if (a.p)
		memcpy(out, a.p, a.n);
	if (b.p)
		memcpy(out + a.n, b.p, b.n);
	out[a.n + b.n] = '\0';
	return true;
}

/*
 * The piece of /proc/PID/cgroup behind "0::", the v2 line. -ENOENT for none, and for one outside
 * of our cgroup namespace, which begins with "/..". cgroup_namespaces(7)
 */
static int read_path_of(const char *file, char *out, size_t cap)
{
	char text[4096];
	ssize_t n = fd_read_small(AT_FDCWD, file, text, sizeof(text));
	struct str rest;
	struct str line;

	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	rest = (struct str){text, (size_t)n};
	while (str_cut(&rest, '\n', &line)) {
		if (!str_has_prefix(line, STR("0::/")))
			continue;
		line = str_sub(line, 3, line.n);
		if (below(line, STR("/..")).p)
			break;
		return concat(line, STR(""), out, cap) ? 0 : err_here(-ENAMETOOLONG);
	}
	return -ENOENT;
}

/* The next cgroup2 mount in the text of a mountinfo file. */
static bool next_mount(struct str *text, struct mount_line *ret_mount)
{
	while (mountinfo_next(text, ret_mount))
		if (str_eq(ret_mount->type, STR("cgroup2")))
			return true;
	return false;
}

/* Our own cgroup, as a directory of the first cgroup2 mount that shows it. */
static const char *detect(struct str mounts, char *dir, size_t cap)
{
	char own[256];
	struct mount_line mount;

	if (read_path_of("/proc/self/cgroup", own, sizeof(own)) < 0)
		return "the kernel has no cgroup v2";
	while (next_mount(&mounts, &mount)) {
		struct str rest = below(str_of(own), mount.root);

		if (rest.p && concat(mount.point, rest, dir, cap))
			return NULL;
	}
	return "no mounted cgroup2 file system shows our own cgroup";
}

/*
 * The name of the root in /proc/PID/cgroup: the root of its mount plus the way from the mount
 * point. The mount is found by number, since one mount point may hide another.
 */
static const char *find_prefix(struct cgroup_root *r, struct str mounts)
{
	struct statx stx;
	struct mount_line mount;

	if (statx(r->dir_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
		return "the mount of the cgroup directory is not known";
	while (next_mount(&mounts, &mount)) {
		struct str rest;

		if (mount.id != stx.stx_mnt_id)
			continue;
		rest = below(str_of(r->path), mount.point);
		if (!rest.p)
			break;
		/* "/" plus "/rest" must not give two slashes, and "/" alone is "". */
		mount.root = str_eq(mount.root, STR("/")) ? STR("") : mount.root;
		if (concat(mount.root, rest, r->prefix, sizeof(r->prefix)))
			return NULL;
		break;
	}
	return "the cgroup directory is not in our mount table";
}

static const char *open_root(struct cgroup_root *r, const char *dir)
{
	char self[32];
	struct statfs fs;
	ssize_t n;

	r->dir_fd = fd_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
	if (r->dir_fd < 0)
		return "the cgroup directory cannot be opened";
	if (fstatfs(r->dir_fd, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		return "the cgroup directory is not in a cgroup2 file system";
	/* The kernel's own name of it: absolute, free of links and "..". */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", r->dir_fd);
	n = readlink(self, r->path, sizeof(r->path));
	if (n < 0 || n >= (ssize_t)sizeof(r->path))
		return "the path of the cgroup directory is too long or unknown";
	r->path[n] = '\0';
	return NULL;
}

/*
 * Access bits say little (user namespaces, delegation): only doing it proves that it can be done. The slice that is needed
 * first serves for it, and stays: to remove a cgroup takes the kernel three times as long as to make one.
 */
static const char *probe(struct cgroup_root *r)
{
	if (mkdirat(r->dir_fd, CGROUP_STANDARD_SLICE, 0755) < 0 &&
	    (errno != EEXIST || faccessat(r->dir_fd, CGROUP_STANDARD_SLICE, W_OK, 0) < 0))
		return "the cgroup directory is not writable";
	/* Not in the root of the hierarchy: cgroup.kill exists only below it. */
	r->has_kill = faccessat(r->dir_fd, CGROUP_STANDARD_SLICE "/cgroup.kill", W_OK, 0) == 0;
	return NULL;
}

static const char *find_root(struct cgroup_root *r, const char *dir)
{
	AUTO_MEM char *text = NULL;
	size_t n = 0;
	char found[sizeof(r->path)];
	const char *why = NULL;

	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, &n) < 0)
		return "the mount table cannot be read";
	if (!dir) {
		why = detect((struct str){text, n}, found, sizeof(found));
		dir = found;
	}
	if (!why)
		why = open_root(r, dir);
	if (!why)
		why = find_prefix(r, (struct str){text, n});
	if (!why)
		why = probe(r);
	if (!why && r->inotify_fd < 0)
		why = "no inotify instance is left";
	return why;
}

void cgroup_init(struct cgroup_root *r, const char *dir, int inotify_fd, const char **ret_why)
{
	const char *why;

	*r = (struct cgroup_root){.dir_fd = -1, .inotify_fd = inotify_fd};
	why = find_root(r, dir);
	if (why)
		cgroup_fini(r);
	r->has_cgroups = !why;
	*ret_why = why;
}

void cgroup_fini(struct cgroup_root *r)
{
	fd_close(r->dir_fd);
	*r = (struct cgroup_root){.dir_fd = -1, .inotify_fd = -1};
}

/* ---- a walk */

struct level {
	int fd;
	size_t path_n;             /* of walk.path, up to this level */
	ssize_t dents_n, dents_at; /* what getdents(2) gave, and how far we are */
	_Alignas(struct dirent64) char dents[CGROUP_DENTS];
};

/*
 * All cgroups at and below a path, each after those below it. Needs no heap, so it also works
 * without memory.
 */
struct walk {
	int depth;
	char path[CGROUP_PATH]; /* of the cgroup that walk_next() has found */
	struct level level[CGROUP_DEPTH];
};

static int walk_push(struct cgroup_root *r, struct walk *w)
{
	struct level *top = &w->level[w->depth];
	int fd;

	if (w->depth == CGROUP_DEPTH)
		return err_here(-ELOOP);
	fd = fd_open(r->dir_fd, w->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd;
	top->fd = fd;
	top->path_n = strlen(w->path);
	top->dents_n = top->dents_at = 0;
	w->depth++;
	return 0;
}

static int walk_begin(struct cgroup_root *r, struct walk *w, const char *path)
{
	int n = join(r, w->path, path, "");

	w->depth = 0;
	return n < 0 ? n : walk_push(r, w);
}

static void walk_end(struct walk *w)
{
	while (w->depth > 0)
		fd_close(w->level[--w->depth].fd);
}

/* The name of the next directory in the level, or NULL at its end. */
static const char *next_child(struct level *level)
{
	for (;;) {
		const struct dirent64 *entry;

		if (level->dents_at >= level->dents_n) {
			level->dents_n = getdents64(level->fd, level->dents, sizeof(level->dents));
			level->dents_at = 0;
		}
		/* An error (the cgroup went away) ends the level like its end does. */
		if (level->dents_n <= 0)
			return NULL;
		entry = (const void *)(level->dents + level->dents_at);
		level->dents_at += entry->d_reclen;
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			return entry->d_name;
	}
}

/* True: w->path is the next cgroup. It is complete: everything below it has been given. */
static bool walk_next(struct cgroup_root *r, struct walk *w)
{
	while (w->depth > 0) {
		struct level *top = &w->level[w->depth - 1];
		const char *name = next_child(top);
		size_t n = name ? strlen(name) : 0;

		w->path[top->path_n] = '\0';
		if (!name) {
			fd_close(top->fd);
			w->depth--;
			return true;
		}
		if (n + 1 >= sizeof(w->path) - top->path_n)
			continue;
		w->path[top->path_n] = '/';
		memcpy(w->path + top->path_n + 1, name, n + 1);
		/* Too deep, or gone meanwhile: go on with its neighbour. */
		(void)walk_push(r, w);
	}
	return false;
}

/* ---- members */

typedef int (*pid_fn)(struct cgroup_root *r, pid_t pid, void *arg);

/*
 * Calls fn for each process in one cgroup; its results are added up, a negative one ends the walk.
 */
static int each_in(struct cgroup_root *r, const char *path, pid_fn fn, void *arg)
{
	AUTO_FD int fd = -1;
	char file[CGROUP_PATH];
	char text[1024];
	uint64_t pid = 0;
	int sum = join(r, file, path, "cgroup.procs");
	ssize_t n;

	if (sum < 0)
		return sum;
	fd = fd_open(r->dir_fd, file, O_RDONLY, 0);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENODEV ? 0 : fd;
	while ((n = fd_read(fd, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			int r_fn;

			if (text[i] != '\n') {
				pid = pid * 10 + (uint64_t)(text[i] - '0');
				continue;
			}
			/* 0 is a process of another pid namespace: out of reach. */
			r_fn = pid ? fn(r, (pid_t)pid, arg) : 0;
			if (r_fn < 0)
				return r_fn;
			sum += r_fn;
			pid = 0;
		}
	}
	/*
	 * A threaded cgroup has no processes of its own: they are listed at the domain above it.
	 * cgroups(7)
	 */
	return n == 0 || n == -EOPNOTSUPP || n == -ENODEV ? sum : (int)n;
}

static int each_below(struct cgroup_root *r, const char *path, pid_fn fn, void *arg)
{
	struct walk w;
	int sum = walk_begin(r, &w, path);

	if (sum < 0)
		return sum == -ENOENT ? 0 : sum;
	while (walk_next(r, &w)) {
		int n = each_in(r, w.path, fn, arg);

		if (n < 0) {
			sum = n;
			break;
		}
		sum += n;
	}
	walk_end(&w);
	return sum;
}

struct pid_list {
	pid_t *pids;
	int n, max;
};

static int store_pid(struct cgroup_root *r UNUSED, pid_t pid, void *arg)
{
	struct pid_list *list = arg;

	if (list->n < list->max)
		list->pids[list->n++] = pid;
	return 1;
}

int cgroup_pids(struct cgroup_root *r, const char *path, pid_t *pids, int max)
{
	struct pid_list list = {.pids = pids, .max = max};

	return each_below(r, path, store_pid, &list);
}

struct signal_job {
	const char *path;
	int sig;
	pid_t except;
};

static int signal_pid(struct cgroup_root *r, pid_t pid, void *arg)
{
	const struct signal_job *job = arg;
	AUTO_FD int fd = -1;
	int n;

	if (pid == job->except)
		return 0;
	fd = proc_pidfd(pid);
	if (fd == -ESRCH)
		return 0;
	if (fd < 0)
		return err_here(fd);
	/*
	 * The number may have been given to somebody else before the pidfd was opened; from here on
	 * it cannot.
	 */
	if (!cgroup_has_pid(r, job->path, pid))
		return 0;
	n = proc_signal_fd(fd, job->sig);
	crashpoint();
	return n == 0;
}

int cgroup_signal(struct cgroup_root *r, const char *path, int sig, pid_t except)
{
	struct signal_job job = {path, sig, except};

	return each_below(r, path, signal_pid, &job);
}

int cgroup_kill(struct cgroup_root *r, const char *path)
{
	char file[CGROUP_PATH];
	int n = join(r, file, path, "cgroup.kill");

	if (n < 0)
		return n;
	if (r->has_kill) {
		n = fd_write_small(r->dir_fd, file, "1");
		crashpoint();
		return n == -ENOENT || n == -ENODEV ? 0 : n;
	}
	/* Somebody may fork between our look and our signal: look until nobody is left. */
	n = 1;
	for (int i = 0; i < CGROUP_KILL_ROUNDS && n > 0; i++)
		n = cgroup_signal(r, path, SIGKILL, 0);
	return n < 0 ? n : 0;
}

int cgroup_of_pid(struct cgroup_root *r, pid_t pid, char *out, size_t cap)
{
	char file[64];
	char own[CGROUP_PATH];
	struct str rest;
	int n;

	if (!r->has_cgroups)
		return -EOPNOTSUPP;
	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	n = read_path_of(file, own, sizeof(own));
	if (n < 0)
		return n;
	rest = below(str_of(own), r->prefix[0] ? str_of(r->prefix) : STR("/"));
	if (!rest.p)
		return -ENOENT;
	rest = str_sub(rest, 1, rest.n);
	return concat(rest, STR(""), out, cap) ? 0 : err_here(-ENAMETOOLONG);
}

int cgroup_freeze(struct cgroup_root *r, const char *path, bool is_frozen)
{
	char file[CGROUP_PATH];
	int n = join(r, file, path, "cgroup.freeze");

	return n < 0 ? n : fd_write_small(r->dir_fd, file, is_frozen ? "1" : "0");
}

bool cgroup_has_pid(struct cgroup_root *r, const char *path, pid_t pid)
{
	char own[CGROUP_PATH];

	if (cgroup_of_pid(r, pid, own, sizeof(own)) < 0)
		return false;
	return *path == '\0' || below(str_of(own), str_of(path)).p;
}

/* ---- the cgroups themselves */

int cgroup_make(struct cgroup_root *r, const char *path)
{
	char part[CGROUP_PATH];
	int n = join(r, part, path, "");
	char *slash = part;

	if (n < 0)
		return n;
	/* Nearly always only the last part is missing. */
	if (mkdirat(r->dir_fd, part, 0755) == 0 || errno == EEXIST)
		slash = NULL;
	while (slash) {
		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		if (mkdirat(r->dir_fd, part, 0755) < 0 && errno != EEXIST)
			return err_here(-errno);
		if (slash)
			*slash++ = '/';
	}
	crashpoint();
	return fd_open(r->dir_fd, part, O_RDONLY | O_DIRECTORY, 0);
}

void cgroup_prepare(struct cgroup_root *r, const char *path)
{
	(void)!mkdirat(r->dir_fd, path, 0755);
}

int cgroup_take_in(struct cgroup_root *r, const char *path, pid_t pid)
{
	char file[CGROUP_PATH], text[16];
	int n = join(r, file, path, "cgroup.procs");

	if (n < 0)
		return n;
	snprintf(text, sizeof(text), "%d", (int)pid);
	n = fd_write_small(r->dir_fd, file, text);
	crashpoint();
	return n;
}

int cgroup_is_populated(struct cgroup_root *r, const char *path)
{
	char file[CGROUP_PATH];
	char text[256];
	int bad = join(r, file, path, "cgroup.events");
	ssize_t n;

	if (bad < 0)
		return bad;
	n = fd_read_small(r->dir_fd, file, text, sizeof(text));
	if (n < 0)
		return n == -ENOENT || n == -ENODEV ? 0 : (int)n;
	return strstr(text, "populated 1") != NULL;
}

int cgroup_each_populated(struct cgroup_root *r, void (*fn)(void *arg, const char *name), void *arg)
{
	struct walk w;
	int n = walk_begin(r, &w, "");

	if (n < 0)
		return n;
	while (walk_next(r, &w)) {
		const char *name = strrchr(w.path, '/');

		if (cgroup_is_populated(r, w.path) > 0)
			fn(arg, name ? name + 1 : w.path);
	}
	walk_end(&w);
	return 0;
}

int cgroup_watch(struct cgroup_root *r, const char *path)
{
	char file[CGROUP_PATH];
	char full[sizeof(r->path) + sizeof(file)];
	int n = join(r, file, path, "cgroup.events");
	int wd;

	if (n < 0)
		return n;
	snprintf(full, sizeof(full), "%s/%s", r->path, file);
	wd = inotify_add_watch(r->inotify_fd, full, IN_MODIFY);
	return wd < 0 ? -errno : wd;
}

void cgroup_unwatch(struct cgroup_root *r, int wd)
{
	if (r->has_cgroups)
		(void)inotify_rm_watch(r->inotify_fd, wd);
}

int cgroup_next_change(struct cgroup_root *r)
{
	struct inotify_event event;
	ssize_t n;

	if (!r->has_cgroups)
		return -EAGAIN;
	/* Events of a watched file carry no name, so each has this size. inotify(7) */
	n = fd_read(r->inotify_fd, &event, sizeof(event));
	if (n < 0)
		return (int)n;
	return (event.mask & IN_Q_OVERFLOW) ? -EOVERFLOW : event.wd;
}

/* On the way through cgroups that are to go. */
struct descent {
	struct level at;
	unsigned depth;
	bool is_back; /* from one that has been emptied */
};

/* A cgroup that goes, or a step into one that does not yet, or out of one that is empty. 1, 0: all is gone, -EBUSY: somebody is in one, -errno. */
static int remove_or_step(struct descent *d)
{
	const char *name = next_child(&d->at);
	int next;

	if (name && (unlinkat(d->at.fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)) {
		d->is_back = false;
		return 1;
	}
	if (!name && d->depth == 0)
		return 0;
	if (name && d->is_back)
		return -EBUSY;
	next = fd_open(d->at.fd, name ? name : "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	fd_close(d->at.fd);
	d->at = (struct level){.fd = next};
	d->depth += name ? 1 : -1U;
	d->is_back = !name;
	return next < 0 ? next : 1;
}

/*
 * Nobody is in it, and it stays: to whom it was delegated may have made more below than a path or a table is long for. So each is entered and
 * left again, and no name is kept. What is too much for now stays for the next time.
 */
static int remove_rest(struct cgroup_root *r, const char *at)
{
	struct descent d = {.at.fd =
				    fd_open(r->dir_fd, at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)};
	int n = d.at.fd < 0 ? d.at.fd : 1;

	for (unsigned left = CGROUP_REMOVALS; n == 1; left--)
		n = left ? remove_or_step(&d) : -EBUSY;
	fd_close(d.at.fd);
	return n < 0 || unlinkat(r->dir_fd, at, AT_REMOVEDIR) == 0 ? n : -errno;
}

int cgroup_remove(struct cgroup_root *r, const char *path)
{
	char at[CGROUP_PATH];
	struct walk w;
	int n = join(r, at, path, "");

	if (n < 0)
		return n;
	/* Nearly always there is nothing below, or it is gone already. */
	if (*path && (unlinkat(r->dir_fd, at, AT_REMOVEDIR) == 0 || errno == ENOENT)) {
		crashpoint();
		return 0;
	}
	n = walk_begin(r, &w, path);
	if (n < 0)
		return n == -ENOENT ? 0 : n;
	/*
	 * A cgroup that stays makes those above it stay: the last answer, for the path itself,
	 * tells.
	 */
	while (walk_next(r, &w))
		n = unlinkat(r->dir_fd, w.path, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
	walk_end(&w);
	return n == -EBUSY && *path && cgroup_is_populated(r, path) == 0 ? remove_rest(r, at) : n;
}
