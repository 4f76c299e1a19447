/* SPDX-License-Identifier: MIT */
#include "activate/proc_table.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/log.h"

enum { TEXT_MOST = 16 * 1024 * 1024 };

int proc_table_read(const char *path, char **ret_text, struct str *ret)
{
	size_t n = 0;
	int r = fd_read_file(AT_FDCWD, path, TEXT_MOST, ret_text, &n);

	*ret = (struct str){*ret_text, n};
	return r;
}

void proc_table_look(struct proc_table *t)
{
	uint64_t begin_us = clock_mono_us(), cost_us;

	t->look(t);
	cost_us = PROC_TABLE_SHARE * (clock_mono_us() - begin_us);
	t->next_us = loop_now_us(t->loop) +
		     (cost_us > PROC_TABLE_EVERY_US ? cost_us : PROC_TABLE_EVERY_US);
}

void proc_table_retry(struct proc_table *t, int err)
{
	log_at(LOG_ERROR, "%s cannot be read: %s; it is tried again", t->path, strerror(-err));
	loop_timer_arm(t->loop, &t->again, loop_now_us(t->loop) + US_PER_SEC);
}

static void on_again(struct timer *timer)
{
	proc_table_look(container_of(timer, struct proc_table, again));
}

/* EPOLLPRI and EPOLLERR: the table has changed since it was read. */
static void on_change(struct watch *watch, uint32_t events UNUSED)
{
	struct proc_table *t = container_of(watch, struct proc_table, watch);
	char byte;

	/* Reading any of it takes the event. */
	(void)!pread(t->fd, &byte, 1, 0);
	if (!t->again.is_armed)
		loop_timer_arm(t->loop, &t->again, t->next_us);
}

int proc_table_open(struct proc_table *t, struct loop *loop, const char *path,
		    void (*look)(struct proc_table *t))
{
	int r;

	t->loop = loop;
	t->path = path;
	t->look = look;
	t->watch.fn = on_change;
	t->again.fn = on_again;
	t->fd = fd_open(AT_FDCWD, path, O_RDONLY, 0);
	r = t->fd < 0 ? t->fd : loop_watch(loop, &t->watch, t->fd, EPOLLPRI | EPOLLET);
	if (r < 0)
		fd_close(t->fd);
	return r;
}
