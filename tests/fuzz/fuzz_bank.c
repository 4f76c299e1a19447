/* SPDX-License-Identifier: MIT */
/* PID 1's request handler against a hostile manager; linked with bank.c, and these fakes in the place of init.c. */
#include "core/init.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

pid_t init_clone(const struct child *c)
{
	return c->n % 2 ? -EAGAIN : INT32_MAX; /* a pid that nobody has */
}
int init_final(uint32_t flags, int32_t arg)
{
	return flags && arg ? -EPERM : 0;
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
int init_watch(int op, int fd, uint32_t what, uint32_t events)
{
	return op + fd && what && !events ? -EINVAL : 0;
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct bank_table table = {.slots_n = 64};
	static struct bank_req q;

	keeper.table = &table;
	for (; n >= sizeof(q); data += sizeof(q), n -= sizeof(q)) {
		memcpy(&q, data, sizeof(q));
		q.plan_n = 0;
		q.slot %= 80;
		bank_handle(&q, "", q.flags & BANK_F_FULL ? STDIN_FILENO : -1);
	}
	return 0;
}
