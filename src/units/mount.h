/* SPDX-License-Identifier: MIT */
/*
 * mount - the types mount, automount and swap: their configurations.
 */
#pragma once

#include "core/unit.h"

struct mount_config {
	const char *where;                 /* from the unit's name when it is not written */
	const char *what, *type, *options; /* as written, or NULL */
	uint32_t directory_mode;
	uint64_t timeout_us;
	bool sloppy_options, lazy_unmount, force_unmount, read_write_only;
};

struct automount_config {
	const char *where; /* as above */
	const char *extra_options;
	uint32_t directory_mode;
	uint64_t idle_us; /* 0 and TIME_NEVER: stays mounted */
};

struct swap_config {
	const char *what; /* from the unit's name when it is not written */
	const char *options;
	int priority; /* -1: the kernel chooses, as when it is not set */
	uint64_t timeout_us;
	bool what_is_set, priority_is_set;
	bool in_container; /* swap is the host's: no default dependencies */
};

/* hark-mount leaves with this and the errno of the system call that the kernel refused; with 1 when it was none. */
enum { MOUNT_EXIT_ERRNO = 64 };

/* Before any file was read. */
void mount_config_defaults(struct mount_config *m);
/* As mount_config_defaults(). */
void automount_config_defaults(struct automount_config *a);
/* As mount_config_defaults(). */
void swap_config_defaults(struct swap_config *s);

/* The last of the options that is called `name` (with or without "=value"), or nothing (p NULL). */
struct str mount_option(const char *options, const char *name);
/* Is it mounted over the network? */
bool mount_is_network(const struct mount_config *m);
bool mount_is_bind(const struct mount_config *m);
/* Is there always something at that place that hark does not mount: "/", "/usr", and what lies below /proc, /sys, /dev? */
bool mount_is_extrinsic(const char *where);

/* Is it the place of a file system that PID 1 mounts before any unit, or that others laid over a file of it on purpose? */
bool mount_is_api(const char *where);
/* Is it a path that a device unit may stand for? NULL is none. */
bool mount_is_device(const char *what);
/* The name of the mount unit for a place; false: it would be too long. */
bool mount_unit_name(struct str place, char name[UNIT_NAME_MAX + 1]);
/* Fill what the name of the unit says, and its description. 0 or -ENOMEM. */
MUST_USE int mount_settle(struct unit_config *c);
/* As mount_settle(). */
MUST_USE int automount_settle(struct unit_config *c);
/* As mount_settle(). */
MUST_USE int swap_settle(struct unit_config *c);
/* Implicit and default dependencies of systemd.mount(5) into c->deps. 0 or -ENOMEM. */
MUST_USE int mount_links(struct unit_config *c);
/* Those of systemd.automount(5). */
MUST_USE int automount_links(struct unit_config *c);
/* Those of systemd.swap(5). */
MUST_USE int swap_links(struct unit_config *c);
/* Findings that refuse the unit: a place that is not that of its name, nothing to mount, a file system that must stay. */
void mount_verify(struct unit_config *c);
/* As mount_verify(). */
void automount_verify(struct unit_config *c);
/* As mount_verify(). */
void swap_verify(struct unit_config *c);
