/* SPDX-License-Identifier: MIT */
#include "activate/ask.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include "core/fd.h"

enum { LINES_MOST = 192, SLOW_MOST = 128, RETRY_US = 5000 };

/* A connection; ask NULL: idle. */
struct ask_line {
	struct list node;
	struct watch watch;
	struct asker *asker;
	struct ask *ask;
	int fd;
};

static void put_line(struct ask_line *l, struct ask *a)
{
	l->asker->slow_n -= l->ask && l->ask->is_slow;
	l->asker->slow_n += a && a->is_slow;
	l->ask = a;
}

static void close_line(struct ask_line *l)
{
	put_line(l, NULL);
	loop_unwatch(l->asker->loop, &l->watch);
	fd_close(l->fd);
	list_del(&l->node);
	l->asker->lines_n--;
	mem_put(l);
}

static void end(struct ask *a, int err)
{
	a->line = NULL;
	a->done(a, err);
}

/* The connection broke under it. */
static void lose(struct asker *k, struct ask *a)
{
	a->line = NULL;
	if (client_is_ending(a->question.verb->id)) {
		end(a, 0);
	} else {
		rows_reset(&a->rows);
		list_add_head(&k->waiting, &a->node);
		loop_timer_arm(k->loop, &k->retry, loop_now_us(k->loop));
	}
}

static void on_line(struct watch *w, uint32_t events UNUSED)
{
	static struct wire_in in; /* too big for a stack; emptied before anything else runs */
	struct ask_line *l = container_of(w, struct ask_line, watch);
	struct asker *k = l->asker;
	struct ask *a = l->ask;
	int r = wire_recv(l->fd, &in);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		close_line(l);
		if (a)
			lose(k, a);
		return;
	}
	if (!a || !client_take(&a->question, &in, &a->rows, &a->exit))
		return;
	put_line(l, NULL);
	if (!list_is_empty(&k->waiting))
		loop_timer_arm(k->loop, &k->retry, loop_now_us(k->loop));
	end(a, 0);
}

static struct ask_line *open_line(struct asker *k, int *ret_err)
{
	AUTO_MEM struct ask_line *l = mem_get(sizeof(*l));
	AUTO_FD int fd = l ? wire_connect(k->path) : -ENOMEM;

	*ret_err = fd < 0 ? fd : 0;
	if (fd < 0)
		return NULL;
	l->watch.fn = on_line;
	l->asker = k;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || loop_watch(k->loop, &l->watch, fd, EPOLLIN) < 0) {
		*ret_err = -ENOMEM;
		return NULL;
	}
	l->fd = take_fd(fd);
	list_add_head(&k->lines, &l->node);
	k->lines_n++;
	return take_ptr(l);
}

static struct ask_line *free_line(struct asker *k, int *ret_err)
{
	list_for_each(node, &k->lines) {
		struct ask_line *l = list_entry(node, struct ask_line, node);

		if (!l->ask)
			return l;
	}
	*ret_err = 0;
	return k->lines_n < LINES_MOST ? open_line(k, ret_err) : NULL;
}

/* 0 it is on its way, -errno: the connection is of no use. */
static int send_on(struct ask_line *l, struct ask *a)
{
	static struct wire_out out;
	int r = client_encode(&out, &a->question);

	if (r == 0)
		r = wire_send(l->fd, &out);
	if (r < 0)
		return r;
	put_line(l, a);
	a->line = l;
	return 0;
}

/* Nobody answers at the control socket: those who wait are told when their patience is over. */
static void miss_manager(struct asker *k, int err)
{
	uint64_t now_us = loop_now_us(k->loop);

	if (!k->until_us)
		k->until_us = now_us + CLIENT_PATIENCE_US;
	if (now_us >= k->until_us)
		list_for_each_safe(node, &k->waiting) {
			struct ask *a = list_entry(node, struct ask, node);

			if (a->question.is_endless)
				continue;
			list_del(&a->node);
			end(a, err);
		}
	loop_timer_arm(k->loop, &k->retry, now_us + RETRY_US);
}

/* NULL: there is none, or none that may have a line now. */
static struct ask *next_waiting(const struct asker *k)
{
	list_for_each(node, &k->waiting) {
		struct ask *a = list_entry(node, struct ask, node);

		if (!a->is_slow || k->slow_n < SLOW_MOST)
			return a;
	}
	return NULL;
}

static void on_retry(struct timer *t)
{
	struct asker *k = container_of(t, struct asker, retry);

	struct ask *a;

	while ((a = next_waiting(k))) {
		int err = 0;
		struct ask_line *l = free_line(k, &err);

		if (err < 0)
			miss_manager(k, err);
		if (!l)
			return;
		k->until_us = 0;
		list_del(&a->node);
		err = send_on(l, a);
		if (err == -E2BIG) {
			end(a, err);
		} else if (err < 0) { /* it died in between; another line, another try */
			close_line(l);
			list_add_head(&k->waiting, &a->node);
		}
	}
}

void asker_init(struct asker *k, struct loop *loop, const char *path)
{
	*k = (struct asker){.loop = loop, .path = path};
	k->retry.fn = on_retry;
	list_init(&k->waiting);
	list_init(&k->lines);
}

void asker_fini(struct asker *k)
{
	loop_timer_disarm(k->loop, &k->retry);
	list_for_each_safe(node, &k->waiting) {
		struct ask *a = list_entry(node, struct ask, node);

		list_del(&a->node);
		rows_fini(&a->rows);
	}
	list_for_each_safe(node, &k->lines) {
		struct ask_line *l = list_entry(node, struct ask_line, node);

		if (l->ask)
			rows_fini(&l->ask->rows);
		close_line(l);
	}
}

void ask_start(struct asker *k, struct ask *a)
{
	rows_init(&a->rows);
	a->exit = 0;
	if (!a->question.id)
		a->question.id = client_number();
	a->line = NULL;
	list_add_tail(&k->waiting, &a->node);
	loop_timer_arm(k->loop, &k->retry, loop_now_us(k->loop));
}

void ask_cancel(struct ask *a)
{
	if (a->line)
		close_line(a->line); /* the manager takes that as "no more of it" */
	a->line = NULL;
	list_del(&a->node);
	rows_fini(&a->rows);
}
