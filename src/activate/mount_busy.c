/* SPDX-License-Identifier: MIT */
#include "activate/mount_busy.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/fd.h"
#include "core/mountinfo.h"

enum { NAMED_MOST = 5, TABLE_MOST = 16 * 1024 * 1024 };

struct search {
	uint64_t mount; /* its id */
	struct sbuf *out;
	unsigned found;
};

/* Nothing is asked of the file system itself, which may hang. 0: no such file. statx(2) */
static uint64_t mount_of_path(int dir, const char *path, int flags)
{
	struct statx at;

	return statx(dir, path, flags | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID, &at) ==
				       0 &&
			       at.stx_mask & STATX_MNT_ID
		       ? at.stx_mnt_id
		       : 0;
}

static void add_holder(struct search *s, const char *what, const char *who)
{
	if (s->found++ < NAMED_MOST)
		sbuf_addf(s->out, "%s%s (%s)", s->found == 1 ? "; held by " : ", ", what, who);
}

static bool is_in(const struct search *s, int dir, const char *path)
{
	return mount_of_path(dir, path, 0) == s->mount;
}

/* Some link in that folder of a process leads there. */
static bool is_any_in(const struct search *s, int process, const char *folder)
{
	DIR *d = fd_opendir(process, folder);
	bool is_found = false;
	struct dirent *e;

	while (d && !is_found && (e = readdir(d)))
		is_found = e->d_name[0] != '.' && is_in(s, dirfd(d), e->d_name);
	if (d)
		closedir(d);
	return is_found;
}

static void look_at_process(struct search *s, int proc, const char *pid)
{
	AUTO_FD int dir = fd_open(proc, pid, O_PATH | O_DIRECTORY, 0);
	char name[64];

	if (dir < 0 || !(is_in(s, dir, "cwd") || is_in(s, dir, "root") || is_in(s, dir, "exe") ||
			 is_any_in(s, dir, "fd") || is_any_in(s, dir, "map_files")))
		return;
	if (fd_read_small(dir, "comm", name, sizeof(name)) <= 0)
		return;
	name[strcspn(name, "\n")] = '\0';
	add_holder(s, name, pid);
}

static void look_at_processes(struct search *s)
{
	DIR *proc = fd_opendir(AT_FDCWD, "/proc");
	struct dirent *e;

	while (proc && (e = readdir(proc)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			look_at_process(s, dirfd(proc), e->d_name);
	if (proc)
		closedir(proc);
}

static void look_at_mounts(struct search *s)
{
	AUTO_MEM char *text = NULL;
	struct mount_line line;
	char point[PATH_MAX];
	size_t n = 0;
	struct str rest;

	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", TABLE_MOST, &text, &n) < 0)
		return;
	for (rest = (struct str){text, n}; mountinfo_next(&rest, &line);)
		if (line.parent == s->mount && mountinfo_unescape(line.point, point, sizeof(point)))
			add_holder(s, point, "mounted on it");
}

static void look_at_swaps(struct search *s)
{
	AUTO_MEM char *text = NULL;
	struct str rest, line, file;
	char path[PATH_MAX];
	size_t n = 0;

	if (fd_read_file(AT_FDCWD, "/proc/swaps", TABLE_MOST, &text, &n) < 0)
		return;
	rest = (struct str){text, n};
	(void)str_cut(&rest, '\n', &line); /* the heading */
	while (str_cut(&rest, '\n', &line))
		if (str_word(&line, &file) && mountinfo_unescape(file, path, sizeof(path)) &&
		    is_in(s, AT_FDCWD, path))
			add_holder(s, path, "swap");
}

static void look_at_loops(struct search *s)
{
	DIR *block = fd_opendir(AT_FDCWD, "/sys/block");
	char name[NAME_MAX + 32], path[PATH_MAX];
	struct dirent *e;

	while (block && (e = readdir(block))) {
		if (strncmp(e->d_name, "loop", 4) != 0)
			continue;
		snprintf(name, sizeof(name), "%s/loop/backing_file", e->d_name);
		if (fd_read_small(dirfd(block), name, path, sizeof(path)) <= 0)
			continue;
		path[strcspn(path, "\n")] = '\0';
		if (is_in(s, AT_FDCWD, path))
			add_holder(s, e->d_name, path);
	}
	if (block)
		closedir(block);
}

void mount_busy(const char *where, struct sbuf *out)
{
	struct search s = {
		.mount = mount_of_path(AT_FDCWD, where, AT_SYMLINK_NOFOLLOW),
		.out = out,
	};

	if (!s.mount)
		return;
	look_at_mounts(&s);
	look_at_processes(&s);
	look_at_swaps(&s);
	look_at_loops(&s);
	if (s.found > NAMED_MOST)
		sbuf_addf(out, " and %u more", s.found - NAMED_MOST);
}
