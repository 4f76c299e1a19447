/* SPDX-License-Identifier: MIT */
/* PID 1's request handler against a hostile manager; linked with keeper.c, and these fakes in the place of init.c. */
#include "core/init.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

pid_t init_spawn(const struct bank_req *q, int cgroup_fd, int report_fd)
{
	return q->arg % 2 || cgroup_fd == report_fd ? -EAGAIN
						    : INT32_MAX; /* a pid that nobody has */
}
int init_reexec(const struct bank_req *q, int fd)
{
	return q->arg && fd ? -EPROTO : 0;
}
int init_final(const struct bank_req *q, int fd)
{
	return q->flags && fd ? -EPERM : 0;
}
uint64_t init_now_us(void)
{
	return 0;
}
int init_close_range(int first, int last, unsigned flags)
{
	return first > last || flags ? -1 : 0;
}
int init_place_fd(int fd, int target, int flags)
{
	return fd < 0 || close(fd) < 0 || dup3(STDIN_FILENO, target, flags) < 0 ? -errno : 0;
}
int init_watch(int fd, uint32_t what, uint32_t events)
{
	return fd && what && !events ? -EINVAL : 0;
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct bank_table table = {.slots_n = 64};
	static struct bank_req q;

	bank = &table;
	for (; n >= sizeof(q); data += sizeof(q), n -= sizeof(q)) {
		memcpy(&q, data, sizeof(q));
		q.plan_n = 0;
		q.slot %= 80;
		bank_handle(&q, q.flags >> 7 & 1 ? STDIN_FILENO : -1);
	}
	return 0;
}
