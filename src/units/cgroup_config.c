/* SPDX-License-Identifier: MIT */
#include "units/cgroup_config.h"

const char *const cgroup_controller_names[CGROUP_CONTROLLERS] = {
#define CONTROLLER(name) [CONTROLLER_##name] = #name,
	CGROUP_CONTROLLERS_LIST(CONTROLLER)
#undef CONTROLLER
};

static const struct cgroup_config defaults = {
	.memory_accounting = true,
	.tasks_accounting = true,
	.cpu_weight = CGROUP_UNSET,
	.startup_cpu_weight = CGROUP_UNSET,
	.cpu_shares = CGROUP_UNSET,
	.startup_cpu_shares = CGROUP_UNSET,
	.io_weight = CGROUP_UNSET,
	.startup_io_weight = CGROUP_UNSET,
	.block_weight = CGROUP_UNSET,
	.startup_block_weight = CGROUP_UNSET,
	.cpu_quota_us = TIME_NEVER,
	.cpu_period_us = TIME_NEVER,
	.memory_high = CGROUP_UNSET,
	.memory_max = CGROUP_UNSET,
	.memory_swap_max = CGROUP_UNSET,
	.memory_limit = CGROUP_UNSET,
	.tasks_max = CGROUP_UNSET,
};

const struct cgroup_config *cgroup_config_of(const struct unit_config *c)
{
	return c->own->cgroup ? c->own->cgroup : &defaults;
}

struct cgroup_config *cgroup_config_own(struct unit_config *c)
{
	struct unit_own *own = unit_config_own(c);

	if (!own || own->cgroup)
		return own ? own->cgroup : NULL;
	own->cgroup = arena_get(&c->arena, sizeof(*own->cgroup));
	if (own->cgroup)
		*own->cgroup = defaults;
	return own->cgroup;
}
