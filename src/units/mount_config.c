/* SPDX-License-Identifier: MIT */
/* The configuration half of mounts, automounts and swaps: defaults, what their names say, dependencies, what they must have. */
#include "units/mount.h"

#include <stdio.h>

#include "units/dep.h"
#include "units/exec_config.h"
#include "units/name.h"
#include "units/refuse.h"

enum { TIMEOUT_S = 90 };

void mount_config_defaults(struct mount_config *m)
{
	*m = (struct mount_config){.directory_mode = 0755, .timeout_us = TIMEOUT_S * US_PER_SEC};
}

void automount_config_defaults(struct automount_config *a)
{
	*a = (struct automount_config){.directory_mode = 0755};
}

void swap_config_defaults(struct swap_config *s)
{
	*s = (struct swap_config){.timeout_us = TIMEOUT_S * US_PER_SEC};
}

/* --- what options and paths mean --- */

struct str mount_option(const char *options, const char *name)
{
	struct str rest = str_of(options);
	struct str found = {NULL, 0};
	struct str word;

	while (str_cut(&rest, ',', &word))
		if (str_eq_z(str_sub(word, 0, str_index(word, '=')), name))
			found = word;
	return found;
}

static bool has_option(const char *options, const char *const *names, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (mount_option(options, names[k]).p)
			return true;
	return false;
}

static bool is_one_of(struct str text, const char *const *words, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (str_eq_z(text, words[k]))
			return true;
	return false;
}

bool mount_is_network(const struct mount_config *m)
{
	static const char *const types[] = {"afs",  "ceph",      "cifs",   "davfs",    "gfs",
					    "gfs2", "glusterfs", "lustre", "ncp",      "ncpfs",
					    "nfs",  "nfs4",      "ocfs2",  "orangefs", "pvfs2",
					    "smb3", "smbfs",     "sshfs"};
	static const char *const names[] = {"_netdev"};
	struct str type = str_of(m->type);

	if (str_has_prefix(type, STR("fuse.")))
		type = str_sub(type, 5, type.n);
	return has_option(m->options, names, ARRAY_SIZE(names)) ||
	       is_one_of(type, types, ARRAY_SIZE(types));
}

bool mount_is_bind(const struct mount_config *m)
{
	static const char *const names[] = {"bind", "rbind"};

	return has_option(m->options, names, ARRAY_SIZE(names)) ||
	       is_one_of(str_of(m->type), names, ARRAY_SIZE(names));
}

static bool is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

bool mount_is_extrinsic(const char *where)
{
	static const char *const folders[] = {"/proc", "/sys", "/dev", "/run/initramfs"};

	for (size_t k = 0; k < ARRAY_SIZE(folders); k++)
		if (is_below(where, folders[k]))
			return true;
	return strcmp(where, "/") == 0 || strcmp(where, "/usr") == 0;
}

bool mount_is_api(const char *where)
{
	static const char *const places[] = {"/proc",
					     "/sys",
					     "/dev",
					     "/run",
					     "/run/lock",
					     "/dev/shm",
					     "/dev/pts",
					     "/dev/console",
					     "/proc/kmsg",
					     "/proc/sys",
					     "/proc/sys/kernel/random/boot_id",
					     "/sys/firmware/efi/efivars",
					     "/sys/fs/bpf",
					     "/sys/fs/pstore",
					     "/sys/fs/selinux",
					     "/sys/fs/smackfs",
					     "/sys/kernel/security"};

	return is_below(where, "/sys/fs/cgroup") ||
	       is_one_of(str_of(where), places, ARRAY_SIZE(places));
}

bool mount_is_device(const char *path)
{
	return path && path[0] == '/' &&
	       ((is_below(path, "/dev") && path[4] != '\0') ||
		(is_below(path, "/sys") && path[4] != '\0'));
}

/* --- names --- */

bool mount_unit_name(struct str place, char name[UNIT_NAME_MAX + 1])
{
	static const char suffix[] = ".mount";
	int n = name_escape(place, true, name, UNIT_NAME_MAX + 1 - sizeof(suffix));

	if (n < 0)
		return false;
	memcpy(name + n, suffix, sizeof(suffix));
	return true;
}

/* The path that the name of a unit stands for ("srv-data.mount": "/srv/data"), in the arena; NULL: it is no path. */
static int path_of_name(struct unit_config *c, const char **ret_path)
{
	char path[UNIT_NAME_MAX + 2];
	struct str prefix = name_prefix(c->name);
	int n = name_unescape(prefix, true, path, sizeof(path));

	*ret_path = NULL;
	if (n < 0)
		return 0;
	*ret_path = arena_dup(&c->arena, path, (size_t)n);
	return *ret_path ? 0 : -ENOMEM;
}

/* Refuse a unit of another name than that which belongs to its path. */
static bool check_name(struct unit_config *c, const char *path, const char *suffix)
{
	char escaped[UNIT_NAME_MAX + 1], name[2 * UNIT_NAME_MAX], suggestion[sizeof(name) + 32];

	if (!path || name_escape(str_of(path), true, escaped, sizeof(escaped)) < 0)
		escaped[0] = '\0';
	snprintf(name, sizeof(name), "%s.%s", escaped, suffix);
	if (strcmp(name, c->name) == 0)
		return true;
	snprintf(suggestion, sizeof(suggestion), "the unit of that path is %s", name);
	refuse_unit(c, CODE_WRONG_PLACE, NULL, 0, escaped[0] ? suggestion : NULL,
		    "the path is not the one that the name of the unit stands for");
	return false;
}

/* A dependency on PREFIX + escaped device + SUFFIX ("dev-sda1.device", "blockdev@dev-sda1.target"), unless the name is too long. */
static int add_device(struct dep_list *l, enum dep_type type, enum dep_origin origin,
		      const char *prefix, const char *suffix, const char *device)
{
	char escaped[UNIT_NAME_MAX + 1], name[2 * UNIT_NAME_MAX];
	int n;

	if (name_escape(str_of(device), true, escaped, sizeof(escaped)) < 0)
		return 0;
	n = snprintf(name, sizeof(name), "%s%s%s", prefix, escaped, suffix);
	return n <= 0 || n > UNIT_NAME_MAX ? 0 : dep_add_copy(l, type, origin, name);
}

/* The device unit of a path in that relation, and after it and after what makes it a block device. */
static int add_device_deps(struct dep_list *l, enum dep_type type, enum dep_origin origin,
			   const char *device)
{
	int r = add_device(l, type, origin, "", ".device", device);

	if (r == 0)
		r = add_device(l, DEP_AFTER, origin, "", ".device", device);
	if (r == 0 && is_below(device, "/dev"))
		r = add_device(l, DEP_AFTER, origin, "blockdev@", ".target", device);
	return r;
}

/* --- mounts --- */

static const char root_mount[] = "-.mount";

int mount_settle(struct unit_config *c)
{
	int r = 0;

	if (!c->own->mount->where)
		r = path_of_name(c, &c->own->mount->where);
	if (strcmp(c->name, root_mount) == 0) {
		c->unit->default_dependencies = false;
		c->is_perpetual = true;
		if (c->exec->out.kind == STDIO_INHERIT)
			c->exec->out.kind = STDIO_NULL;
		if (!c->description)
			c->description = "Root Mount";
	}
	exec_config_settle(c->exec);
	if (!c->description)
		c->description = c->own->mount->where;
	if (!c->slice_is_set && c->own->mount->where && mount_is_extrinsic(c->own->mount->where))
		c->slice = "-.slice";
	return r;
}

static const struct dep default_deps[] = {
	{(struct dep *)(uintptr_t)&default_deps[1], "umount.target", NULL, 0, DEP_CONFLICTS,
	 DEP_MOUNT},
	{NULL, "umount.target", NULL, 0, DEP_BEFORE, DEP_MOUNT},
};

static const struct dep network_deps[] = {
	{(struct dep *)(uintptr_t)&network_deps[1], "network.target", NULL, 0, DEP_AFTER,
	 DEP_MOUNT},
	{(struct dep *)(uintptr_t)&network_deps[2], "network-online.target", NULL, 0, DEP_WANTS,
	 DEP_MOUNT},
	{(struct dep *)(uintptr_t)default_deps, "network-online.target", NULL, 0, DEP_AFTER,
	 DEP_MOUNT},
};

/* The device is not needed by the kernel's own names of it, and not for the root, which is there. */
static int add_source(struct dep_list *l, const struct mount_config *m)
{
	bool is_bound = mount_option(m->options, "x-systemd.device-bound").p;
	int r;

	if (!mount_is_device(m->what) || mount_is_bind(m) || strcmp(m->what, "/dev/root") == 0 ||
	    strcmp(m->what, "/dev/nfs") == 0 || strcmp(m->where, "/") == 0)
		return 0;
	r = add_device_deps(l, is_bound ? DEP_BINDS_TO : DEP_REQUIRES, DEP_MOUNT, m->what);
	if (r == 0 && !is_bound)
		r = add_device(l, DEP_STOP_PROPAGATED_FROM, DEP_MOUNT, "", ".device", m->what);
	return r;
}

static int add_quota(struct dep_list *l, const struct mount_config *m)
{
	static const char *const options[] = {"usrquota", "grpquota", "quota", "usrjquota",
					      "grpjquota"};
	static const char *const services[] = {"systemd-quotacheck.service", "quotaon.service"};
	int r = 0;

	if (mount_is_network(m) || mount_is_bind(m) ||
	    !has_option(m->options, options, ARRAY_SIZE(options)))
		return 0;
	for (size_t k = 0; r == 0 && k < ARRAY_SIZE(services); k++) {
		r = dep_add(l, DEP_BEFORE, DEP_SETTING, services[k]);
		if (r == 0)
			r = dep_add(l, DEP_WANTS, DEP_SETTING, services[k]);
	}
	return r;
}

/* Which of two options stands last; nothing when neither does. */
static bool comes_last(const char *options, const char *yes, const char *no)
{
	struct str a = mount_option(options, yes);
	struct str b = mount_option(options, no);

	return a.p && (!b.p || a.p > b.p);
}

static int add_order(struct dep_list *l, const struct mount_config *m)
{
	bool is_network = mount_is_network(m);
	int r = 0;

	if (!comes_last(m->options, "nofail", "fail"))
		r = dep_add(l, DEP_BEFORE, DEP_MOUNT,
			    is_network ? "remote-fs.target" : "local-fs.target");
	if (r == 0)
		r = dep_add(l, DEP_AFTER, DEP_MOUNT,
			    is_network ? "remote-fs-pre.target" : "local-fs-pre.target");
	if (r == 0 && m->type && strcmp(m->type, "tmpfs") == 0)
		r = dep_add(l, DEP_AFTER, DEP_MOUNT, "swap.target");
	return r;
}

int mount_links(struct unit_config *c)
{
	const struct mount_config *m = c->own->mount;
	bool has_defaults = c->unit->default_dependencies && m->where &&
			    !mount_is_extrinsic(m->where);
	struct dep_list l;
	int r = 0;

	dep_list_init(&l, c);
	if (m->where && m->what)
		r = add_source(&l, m);
	if (r == 0)
		r = add_quota(&l, m);
	if (r == 0 && has_defaults)
		r = add_order(&l, m);
	if (r == 0)
		r = dep_add_slice(&l);
	if (has_defaults)
		dep_add_defaults(&l, mount_is_network(m) ? network_deps : default_deps);
	return r;
}

void mount_verify(struct unit_config *c)
{
	const struct mount_config *m = c->own->mount;

	if (check_name(c, m->where, "mount") && mount_is_api(m->where) && unit_config_has_file(c))
		refuse_unit(c, CODE_API_MOUNT, NULL, 0, NULL,
			    "the file system at that place is there before any unit");
	if (!m->what && strcmp(c->name, root_mount) != 0)
		refuse_unit(c, CODE_NO_SOURCE, NULL, 0, "add What=", "there is nothing to mount");
}

/* --- automounts --- */

int automount_settle(struct unit_config *c)
{
	return c->own->automount->where ? 0 : path_of_name(c, &c->own->automount->where);
}

static const struct dep automount_deps[] = {
	DEP_DEFAULTS(automount_deps, 0, DEP_BEFORE, "local-fs.target"),
	DEP_DEFAULTS(automount_deps, 1, DEP_AFTER, "local-fs-pre.target"),
	DEP_DEFAULTS(automount_deps, 2, DEP_CONFLICTS, "umount.target"),
	DEP_DEFAULTS_END(3, DEP_BEFORE, "umount.target"),
};

int automount_links(struct unit_config *c)
{
	struct dep_list l;
	int r;

	dep_list_init(&l, c);
	r = dep_add_trigger(&l, NULL, "mount");
	dep_add_defaults(&l, automount_deps);
	return r;
}

void automount_verify(struct unit_config *c)
{
	const char *where = c->own->automount->where;

	if (check_name(c, where, "automount") && (strcmp(where, "/") == 0 || mount_is_api(where)))
		refuse_unit(c, CODE_API_MOUNT, NULL, 0, NULL,
			    "nothing can be mounted on demand at a place that is always in use");
}

/* --- swaps --- */

int swap_settle(struct unit_config *c)
{
	int r = 0;

	c->own->swap->what_is_set = c->own->swap->what;
	if (!c->own->swap->what)
		r = path_of_name(c, &c->own->swap->what);
	exec_config_settle(c->exec);
	if (!c->description)
		c->description = c->own->swap->what;
	return r;
}

static const struct dep swap_deps[] = {
	DEP_DEFAULTS(swap_deps, 0, DEP_BEFORE, "swap.target"),
	DEP_DEFAULTS(swap_deps, 1, DEP_CONFLICTS, "umount.target"),
	DEP_DEFAULTS_END(2, DEP_BEFORE, "umount.target"),
};

int swap_links(struct unit_config *c)
{
	const struct swap_config *s = c->own->swap;
	struct dep_list l;
	int r = 0;

	dep_list_init(&l, c);
	if (s->what_is_set && mount_is_device(s->what))
		r = add_device_deps(&l, DEP_REQUIRES, DEP_SETTING, s->what);
	else if (s->what_is_set) /* a file: its file system has to be writable */
		r = dep_add(&l, DEP_AFTER, DEP_SETTING, "systemd-remount-fs.service");
	if (r == 0)
		r = dep_add_slice(&l);
	if (!s->in_container)
		dep_add_defaults(&l, swap_deps);
	return r;
}

void swap_verify(struct unit_config *c)
{
	check_name(c, c->own->swap->what, "swap");
}
