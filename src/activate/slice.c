/* SPDX-License-Identifier: MIT */
#include "activate/slice.h"

#include "core/fd.h"
#include "core/limits.h"
#include "core/log.h"
#include "core/procs.h"

/* Without a cgroup it is a name by which units are stopped together. */
static int arm(struct hark *h, struct unit *u, char **ret_why UNUSED)
{
	char path[CGROUP_PATH];
	int fd;

	if (!h->cgroups.has_cgroups)
		return 0;
	procs_cgroup(u, path);
	fd = cgroup_make(&h->cgroups, path);
	if (fd < 0) {
		log_at(LOG_WARN, "%s: cannot make its cgroup: %s; what is in it has no limits",
		       u->name, strerror(-fd));
		return 0;
	}
	u->is_cgroup_gone = false;
	limits_apply(h, u, path, fd);
	fd_close(fd);
	return 0;
}

const struct activator slice_activator = {
	.type = UNIT_SLICE,
	.arm = arm,
};
