/* SPDX-License-Identifier: MIT */
/*
 * sandbox - the settings of systemd.exec(5) that few units have: hardening, images, logging, terminals.
 *
 * As with cgroup_config, a configuration has none of it until the first of these directives is met.
 */
#pragma once

#include "core/unit.h"
#include "units/cgroup_config.h"
#include "units/dep.h"

/* NAMESPACE(word, flag of clone(2)) */
#define NAMESPACES_LIST(NAMESPACE)         \
	NAMESPACE(cgroup, CLONE_NEWCGROUP) \
	NAMESPACE(ipc, CLONE_NEWIPC)       \
	NAMESPACE(net, CLONE_NEWNET)       \
	NAMESPACE(mnt, CLONE_NEWNS)        \
	NAMESPACE(pid, CLONE_NEWPID)       \
	NAMESPACE(user, CLONE_NEWUSER)     \
	NAMESPACE(uts, CLONE_NEWUTS)
enum namespace_kind {
#define NAMESPACE(word, flag) NAMESPACE_##word,
	NAMESPACES_LIST(NAMESPACE)
#undef NAMESPACE
		NAMESPACES
};
extern const char *const namespace_names[NAMESPACES];
enum { NAMESPACES_ALL = (1 << NAMESPACES) - 1 };

/* Words of these are in parse.c, in the same order. */
enum protect_system { SYSTEM_NO, SYSTEM_FULL, SYSTEM_STRICT, SYSTEM_YES };
enum protect_home { HOME_NO, HOME_READ_ONLY, HOME_TMPFS, HOME_YES };
enum keyring_mode { KEYRING_UNSET, KEYRING_INHERIT, KEYRING_PRIVATE, KEYRING_SHARED };

enum { SYSLOG_LEVELS = 8 };

struct sandbox {
	bool private_devices, private_users, private_ipc, private_mounts, dynamic_user, remove_ipc;
	bool protect_tunables, protect_modules, protect_logs, protect_clock, protect_cgroups,
		protect_hostname;
	bool memory_deny_write_execute, restrict_realtime, restrict_suid_sgid, lock_personality;
	bool mount_api, mount_api_is_set; /* MountAPIVFS= */
	uint8_t protect_system, protect_home, protect_proc, proc_subset, keyring, mount_flags;
	uint8_t allowed_namespaces; /* bits 1 << enum namespace_kind */
	bool has_coredump_filter, has_numa_policy, families_are_denied, syscalls_are_denied;
	bool has_families, has_syscalls; /* an empty list of allowed ones allows nothing */
	uint8_t numa_policy;
	uint8_t syslog_facility, syslog_level;
	bool has_log_level_max;
	uint8_t log_level_max;
	uint8_t utmp_mode;
	bool tty_disallocate;
	uint32_t tty_rows, tty_columns; /* 0: not set */
	uint32_t log_burst;             /* 0: not set */
	uint64_t log_interval_us;       /* 0: not set */
	uint64_t clean_timeout_us;
	uint64_t coredump_filter;
	int syscall_errno; /* 0: kill */
	struct number_set numa_nodes;
	struct name_list *read_write_paths, *read_only_paths, *inaccessible_paths, *exec_paths,
		*no_exec_paths;                    /* "-+/path" */
	struct name_list *exec_search;             /* directories */
	struct name_list *binds, *read_only_binds; /* "-/from:/to:rbind" */
	struct name_list *tmpfs;                   /* "/path:options" */
	/* of system calls "name:errno", "@group", and "~name" for what is taken out again */
	struct name_list *families, *syscalls, *logged_syscalls, *architectures, *file_systems;
	struct name_list *log_fields; /* "A=1" */
	struct name_list *mount_images, *extension_images, *extension_directories;
	struct name_list *credentials, *set_credentials; /* "ID:SOURCE", "ID:bytes" */
	struct name_list *encrypted_credentials, *set_encrypted_credentials; /* as written */
	const char *root_image, *root_image_options, *root_hash, *root_hash_signature, *root_verity;
	const char *network_namespace, *ipc_namespace; /* paths */
	const char *log_namespace;
	const char *selinux_context, *apparmor_profile, *smack_label;
};

/* Never NULL; not to be written to. */
const struct sandbox *sandbox_of(const struct unit_config *c);
/* One of its own that starts with the defaults. NULL: -ENOMEM. */
MUST_USE struct sandbox *sandbox_own(struct unit_config *c);
/* Is that one of the credentials which the unit itself brings (SetCredential=)? */
bool sandbox_has_credential(const struct unit_config *c, struct str id);
/* Do its directories of that kind (enum exec_dir) lie where only root can enter, as those of a user that exists for the run do? */
bool sandbox_is_private_dir(const struct unit_config *c, unsigned kind);
/* What follows from hardening settings: capabilities that go, devices that are closed, what DynamicUser= brings. 0 or -ENOMEM. */
MUST_USE int sandbox_settle(struct unit_config *c);
/* Dependencies that follow from how the processes of the unit run, on the journal, mounts, devices. 0 or -ENOMEM. */
MUST_USE int exec_links(struct dep_list *l);
