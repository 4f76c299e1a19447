/* SPDX-License-Identifier: MIT */
#include "activate/scope.h"

#include "core/fd.h"
#include "core/kill.h"
#include "core/limits.h"
#include "core/procs.h"
#include "units/scope.h"

static char *sentence(const char *fmt, ...) PRINTF_LIKE(1, 2);
static char *sentence(const char *fmt, ...)
{
	struct sbuf b = {0};
	va_list ap;

	va_start(ap, fmt);
	sbuf_addv(&b, fmt, ap);
	va_end(ap);
	return sbuf_take(&b);
}

/* How many of its processes are in, or -errno. One that has ended meanwhile is no mistake. */
static int take_in(struct hark *h, const struct unit *u, const char *path, char **ret_why)
{
	int n = 0;

	for (const struct name_list *l = u->config->own->scope->pids; l; l = l->next) {
		uint64_t pid = 0;
		int r = str_to_u64(str_of(l->text), &pid);

		if (r == 0)
			r = cgroup_take_in(&h->cgroups, path, (pid_t)pid);
		if (r < 0 && r != -ESRCH) {
			*ret_why = sentence("process %s cannot be moved to its cgroup: %s", l->text,
					    strerror(-r));
			return r;
		}
		n += r == 0;
	}
	return n;
}

static int arm(struct hark *h, struct unit *u, char **ret_why)
{
	char path[CGROUP_PATH];
	int fd, n;

	if (!h->cgroups.has_cgroups) {
		*ret_why = sentence("a scope needs cgroups, and there are none");
		return -EOPNOTSUPP;
	}
	procs_cgroup(u, path);
	fd = cgroup_make(&h->cgroups, path);
	if (fd < 0) {
		*ret_why = sentence("its cgroup cannot be made: %s", strerror(-fd));
		return fd;
	}
	(void)limits_apply(h, u, path, fd);
	fd_close(fd);
	u->is_cgroup_gone = false;
	n = take_in(h, u, path, ret_why);
	if (n != 0)
		return n < 0 ? n : 0;
	*ret_why = sentence("none of its processes is there");
	return -ESRCH;
}

static void nothing(struct hark *h UNUSED, struct unit *u UNUSED)
{
}

const struct activator scope_activator = {
	.type = UNIT_SCOPE,
	.arm = arm,
	.watch = kill_await_empty,
	.disarm = nothing,
	.drop = nothing,
};
