/* SPDX-License-Identifier: MIT */
/*
 * cgroup_config - what a unit says about the resources of its cgroup: systemd.resource-control(5).
 *
 * Few units say anything, so a configuration has none of it until the first directive of the group is met, and all
 * of those without share the defaults. Lists hold texts in one form each, which is told beside the member.
 */
#pragma once

#include "core/unit.h"

/* "Not set" of weights and limits; a limit of so much is none. */
#define CGROUP_UNSET UINT64_MAX

/* CONTROLLER(name): of cgroup v2 that units are given, in the order of their names in lists */
#define CGROUP_CONTROLLERS_LIST(CONTROLLER) \
	CONTROLLER(cpu)                     \
	CONTROLLER(cpuset)                  \
	CONTROLLER(io)                      \
	CONTROLLER(memory)                  \
	CONTROLLER(pids)
enum cgroup_controller {
#define CONTROLLER(name) CONTROLLER_##name,
	CGROUP_CONTROLLERS_LIST(CONTROLLER)
#undef CONTROLLER
		CGROUP_CONTROLLERS
};
extern const char *const cgroup_controller_names[CGROUP_CONTROLLERS];

/* A set of small numbers (processors, nodes): bytes of a mask, the lowest first. */
struct number_set {
	const char *mask;
	uint32_t n;
};

enum device_policy { DEVICES_AUTO, DEVICES_CLOSED, DEVICES_STRICT, DEVICE_POLICIES };

struct cgroup_config {
	bool cpu_accounting, io_accounting, block_accounting, memory_accounting, tasks_accounting,
		ip_accounting;
	bool delegate;
	uint8_t device_policy;                             /* enum device_policy */
	uint8_t oomd_swap, oomd_pressure, oomd_preference; /* words of parse.h */
	uint8_t delegated, disabled;                       /* bits 1 << enum cgroup_controller */
	uint32_t oomd_pressure_limit;                      /* hundredths of a percent */
	uint64_t cpu_weight, startup_cpu_weight, cpu_shares, startup_cpu_shares, io_weight,
		startup_io_weight, block_weight, startup_block_weight; /* CGROUP_UNSET; 0: idle */
	uint64_t cpu_quota_us,
		cpu_period_us; /* of a second, TIME_NEVER: none; TIME_NEVER: the kernel's */
	uint64_t default_memory_min, default_memory_low, memory_min, memory_low; /* bytes */
	uint64_t memory_high, memory_max, memory_swap_max, memory_limit;         /* bytes */
	uint64_t tasks_max;
	struct number_set cpus, startup_cpus, nodes, startup_nodes;
	struct name_list *devices;                   /* "/dev/null rwm" */
	struct name_list *io_weights, *io_latencies; /* "/dev/sda 100", "/dev/sda 25ms" */
	struct name_list *io_read_max, *io_write_max, *io_read_ops,
		*io_write_ops; /* "/dev/sda 5000000" */
	struct name_list *block_weights, *block_read, *block_write;
	struct name_list *ip_allow, *ip_deny;     /* "10.0.0.0/8" */
	struct name_list *ip_ingress, *ip_egress; /* paths */
	struct name_list *bpf_programs;           /* "egress:/path" */
	struct name_list *bind_allow, *bind_deny; /* "ipv4:tcp:80" */
	struct name_list *interfaces;             /* "lo" */
	bool interfaces_are_denied;
};

/* Never NULL; not to be written to. */
const struct cgroup_config *cgroup_config_of(const struct unit_config *c);
/* One of its own that starts with the defaults. NULL: -ENOMEM. */
MUST_USE struct cgroup_config *cgroup_config_own(struct unit_config *c);
