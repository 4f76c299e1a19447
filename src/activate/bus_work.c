/* SPDX-License-Identifier: MIT */
#include "activate/bus_work.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/log.h"

enum { ANSWER_FD = STDERR_FILENO + 1, READ_AT_ONCE = 4096, ANSWER_MOST = 64 * 1024 * 1024 };

static void begin_next(struct bus *b);

/* --- the child --- */

/* Connections end when we do, and not when this process does: it has none of ours. */
static void be_child(struct bus_call *c, int fd)
{
	if (dup2(fd, ANSWER_FD) < 0)
		_exit(1);
	close_range(ANSWER_FD + 1, UINT_MAX, 0);
	c->bus->answer_fd = ANSWER_FD;
	c->work(c);
	_exit(0);
}

/* --- its answer --- */

static void send_answer(struct bus_call *c, const struct sbuf *bytes)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusMessage *read, *reply = NULL;

	if (bytes->err || bytes->n == 0 || bytes->n > INT_MAX) {
		bus_fail(c, DBUS_ERROR_FAILED, "the process that was to answer died");
		return;
	}
	read = dbus_message_demarshal(bytes->p, (int)bytes->n, &error);
	if (read) {
		reply = dbus_message_copy(read); /* without a number, as new ones are */
		dbus_message_unref(read);
	}
	dbus_error_free(&error);
	if (reply)
		bus_reply(c, reply);
	else
		bus_fail(c, DBUS_ERROR_NO_MEMORY, "memory ran out");
}

static void end(struct bus *b)
{
	struct bus_works *s = &b->works;
	struct bus_call *c = list_entry(list_pop(&s->waiting), struct bus_call, wait_node);

	loop_unwatch(b->loop, &s->answer);
	fd_close(s->answer.fd);
	if (c->after_work)
		c->after_work(b);
	send_answer(c, &s->bytes);
	sbuf_fini(&s->bytes);
	s->bytes = (struct sbuf){0};
	begin_next(b);
}

static void on_bytes(struct watch *w, uint32_t events UNUSED)
{
	struct bus *b = container_of(w, struct bus, works.answer);
	char bytes[READ_AT_ONCE];
	ssize_t n = read(w->fd, bytes, sizeof(bytes));

	if (n > 0 && b->works.bytes.n < ANSWER_MOST)
		sbuf_add(&b->works.bytes, (struct str){bytes, (size_t)n});
	else if (n >= 0 || (errno != EAGAIN && errno != EINTR))
		end(b);
}

/* --- one after the other --- */

/* 0: a child is at work on c, or -errno. */
static int begin(struct bus_call *c)
{
	struct bus_works *s = &c->bus->works;
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_here(-errno);
	s->answer.fn = on_bytes;
	r = loop_watch(c->bus->loop, &s->answer, fds[0], EPOLLIN);
	if (r < 0)
		goto out;
	(void)!fcntl(fds[1], F_SETFL, 0); /* it waits for us as long as it takes */
	pid = fork();
	r = pid < 0 ? err_here(-errno) : 0;
	if (pid == 0)
		be_child(c, fds[1]);
	if (r < 0)
		loop_unwatch(c->bus->loop, &s->answer);
out:
	fd_close(fds[1]);
	if (r < 0)
		fd_close(fds[0]);
	return r;
}

static void begin_next(struct bus *b)
{
	while (!list_is_empty(&b->works.waiting)) {
		struct bus_call *c = list_entry(b->works.waiting.next, struct bus_call, wait_node);
		int r = begin(c);

		if (r == 0)
			return;
		list_del(&c->wait_node);
		bus_fail(c, DBUS_ERROR_FAILED, "no process for it: %s", strerror(-r));
	}
}

void bus_work(struct bus_call *c, void (*work)(struct bus_call *c), void (*after)(struct bus *b))
{
	struct bus *b = c->bus;
	bool is_first = list_is_empty(&b->works.waiting);

	c->work = work;
	c->after_work = after;
	list_add_tail(&b->works.waiting, &c->wait_node);
	if (is_first)
		begin_next(b);
}
