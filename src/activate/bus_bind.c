/* SPDX-License-Identifier: MIT */
/* BindMountUnit(): a mount put into the mount namespace of a service that runs, by a child of ours that enters it. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "activate/bus_serve.h"
#include "activate/bus_work.h"
#include "core/fd.h"
#include "core/tree.h"

struct bind {
	const char *source, *destination; /* borrowed from the message */
	bool is_read_only, makes_place;
	bool is_directory;
	pid_t pid;
};

static bool is_plain_path(const char *path)
{
	return path[0] == '/' && !strstr(path, "/../") && !str_has_suffix(str_of(path), STR("/.."));
}

static bool read_bind(const struct bus_call *c, struct bind *b)
{
	unsigned at = c->object.kind == BUS_OBJECT_UNIT ? 0 : 1;

	*b = (struct bind){.source = bus_text_argument(c, at),
			   .destination = bus_text_argument(c, at + 1),
			   .is_read_only = bus_number_argument(c, at + 2),
			   .makes_place = bus_number_argument(c, at + 3),
			   .pid = (pid_t)row_value(c->ask.rows.first, "MainPID")};
	if (!*b->destination)
		b->destination = b->source;
	return is_plain_path(b->source) && is_plain_path(b->destination);
}

/* A descriptor of the namespace in which it runs; -EINVAL: it is ours. */
static int open_namespace(pid_t pid)
{
	struct stat ours, its;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &its) == 0 && stat("/proc/self/ns/mnt", &ours) == 0 &&
	    its.st_ino != ours.st_ino)
		return fd;
	fd_close(fd);
	return -EINVAL;
}

/* What is mounted, taken from our namespace; nowhere yet. Descriptor or -errno. */
static int take_source(struct bind *b)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
	int fd = open_tree(AT_FDCWD, b->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct stat st = {0};
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 ||
	    (b->is_read_only &&
	     mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0))
		r = -errno;
	b->is_directory = S_ISDIR(st.st_mode);
	if (r < 0)
		fd_close(fd);
	return r < 0 ? r : fd;
}

/* Where it is mounted: as the source is, a directory or a file. Links that a user has put on the way are not followed. Descriptor or -errno. */
static int open_place(const struct bind *b)
{
	int how = b->makes_place ? O_WRONLY | O_CREAT : O_PATH;
	const char *name = NULL;
	AUTO_FD int parent = -1;

	if (b->is_directory)
		return tree_open(b->destination, b->makes_place ? 0755 : 0);
	parent = tree_open_parent(b->destination, b->makes_place ? 0755 : 0, &name);
	return parent < 0 ? parent : fd_open(parent, name, how | O_NOFOLLOW, 0644);
}

static int bind_inside(const struct bind *b, int namespace, int mount)
{
	AUTO_FD int place = -1;

	if (setns(namespace, CLONE_NEWNS) < 0)
		return -errno;
	place = open_place(b);
	if (place < 0)
		return place;
	return move_mount(mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
			       0
		       ? -errno
		       : 0;
}

/* In the child, whose namespace it may change. */
static void work(struct bus_call *c)
{
	struct bind b;
	int namespace, mount, r;

	(void)!read_bind(c, &b);
	namespace = open_namespace(b.pid);
	if (namespace < 0) {
		bus_fail(c, DBUS_ERROR_INVALID_ARGS,
			 "%s does not run in a mount namespace of its own%s%s", c->unit,
			 namespace == -EINVAL ? "" : ": ",
			 namespace == -EINVAL ? "" : strerror(-namespace));
		return;
	}
	mount = take_source(&b);
	r = mount < 0 ? mount : bind_inside(&b, namespace, mount);
	if (r == 0)
		bus_reply(c, NULL);
	else
		bus_fail(c, DBUS_ERROR_FAILED, "%s cannot be mounted at %s in %s: %s", b.source,
			 b.destination, c->unit, strerror(-r));
}

static void finish_bind(struct bus_call *c)
{
	struct bind b;

	if (!bus_is_loaded(c))
		return;
	if (unit_type_of(c->unit) != UNIT_SERVICE || !read_bind(c, &b))
		bus_fail(c, DBUS_ERROR_INVALID_ARGS,
			 "it takes a service and absolute paths without \"..\"");
	else if (b.pid == 0)
		bus_fail(c, "UnitInactive", "%s does not run", c->unit);
	else
		bus_work(c, work, NULL);
}

void serve_bind(struct bus_call *c)
{
	if (!bus_take_unit(c))
		return;
	c->ask.question.options[OPT_PROPERTY] = "Id,LoadState,MainPID";
	bus_ask(c, VERB_SHOW, 1, finish_bind);
}
