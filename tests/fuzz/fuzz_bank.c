/* SPDX-License-Identifier: MIT */
/* PID 1's request handler against a hostile manager; linked with keeper.c, and these fakes in the place of init.c. */
#include "core/init.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

pid_t init_spawn(int cgroup_fd)
{
	/* or a pid that nobody has */
	return seat->in.req.arg % 2 && cgroup_fd < 0 ? -EAGAIN : INT32_MAX;
}
int init_reexec(const struct bank_req *q, int fd)
{
	return q->arg && fd ? -EPROTO : 0;
}
int init_final(const struct bank_req *q, int fd)
{
	return q->flags && fd ? -EPERM : 0;
}
int init_watch(int fd, uint32_t what, uint32_t events)
{
	return fd && what && !events ? -EINVAL : 0;
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct bank_table table = {.slots_n = 64};

	bank = &table;
	for (; n >= sizeof(struct bank_req);
	     data += sizeof(struct bank_req), n -= sizeof(struct bank_req)) {
		struct in_hand *in = &seat->in;
		struct bank_req *q = &in->req;
		uint32_t slot;

		memcpy(q, data, sizeof(*q));
		in->tries = 0;
		in->is_ours = false;
		q->plan_n = 0;
		q->slot %= 80;
		in->passed.head.cmsg_type = q->flags >> 7 & 1 ? SCM_RIGHTS : 0;
		slot = q->slot;
		bank_handle();
		if (table.slot[slot].kind == BANK_WAITING)
			bank_event(slot); /* nobody is there: it waits no longer */
	}
	return 0;
}
