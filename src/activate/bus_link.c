/* SPDX-License-Identifier: MIT */
#include "activate/bus_link.h"

#include <sys/epoll.h>

#include "core/mem.h"

enum { DISPATCH_MOST = 32 }; /* messages of one connection a turn */

/* A descriptor with the one or two watches that libdbus has for it. */
struct port {
	struct list node;
	struct watch watch;
	struct bus_link *link;
	DBusWatch *parts[2];
};

struct alarm {
	struct timer timer;
	struct bus_link *link;
	DBusTimeout *timeout;
};

static uint32_t wanted_events(const struct port *p)
{
	uint32_t events = 0;

	for (size_t i = 0; i < ARRAY_SIZE(p->parts); i++) {
		unsigned flags = p->parts[i] && dbus_watch_get_enabled(p->parts[i])
					 ? dbus_watch_get_flags(p->parts[i])
					 : 0;

		events |= (flags & DBUS_WATCH_READABLE ? (uint32_t)EPOLLIN : 0) |
			  (flags & DBUS_WATCH_WRITABLE ? (uint32_t)EPOLLOUT : 0);
	}
	return events;
}

static void on_port(struct watch *w, uint32_t events)
{
	struct port *p = container_of(w, struct port, watch);
	unsigned flags = (events & EPOLLIN ? (unsigned)DBUS_WATCH_READABLE : 0) |
			 (events & EPOLLOUT ? (unsigned)DBUS_WATCH_WRITABLE : 0) |
			 (events & EPOLLHUP ? (unsigned)DBUS_WATCH_HANGUP : 0) |
			 (events & EPOLLERR ? (unsigned)DBUS_WATCH_ERROR : 0);
	int fd = w->fd;
	struct bus_link *k = p->link;

	/* Handling one may remove the other, and the port with it. */
	for (size_t i = 0; i < ARRAY_SIZE(p->parts); i++) {
		bool is_there = false;

		list_for_each(node, &k->ports) {
			is_there = is_there ||
				   (list_entry(node, struct port, node) == p && p->watch.fd == fd);
		}
		if (is_there && p->parts[i] &&
		    (dbus_watch_get_enabled(p->parts[i]) || events & (EPOLLHUP | EPOLLERR)))
			dbus_watch_handle(p->parts[i], flags);
	}
}

static struct port *find_port(struct bus_link *k, int fd)
{
	list_for_each(node, &k->ports) {
		struct port *p = list_entry(node, struct port, node);

		if (p->watch.fd == fd)
			return p;
	}
	return NULL;
}

static struct port *new_port(struct bus_link *k, int fd)
{
	struct port *p = mem_get(sizeof(*p));

	if (!p)
		return NULL;
	p->link = k;
	p->watch.fn = on_port;
	if (loop_watch(k->loop, &p->watch, fd, 0) < 0) {
		mem_put(p);
		return NULL;
	}
	list_add_tail(&k->ports, &p->node);
	return p;
}

static dbus_bool_t add_watch(DBusWatch *w, void *data)
{
	struct bus_link *k = data;
	int fd = dbus_watch_get_unix_fd(w);
	struct port *p = find_port(k, fd);

	if (!p)
		p = new_port(k, fd);
	if (!p || (p->parts[0] && p->parts[1]))
		return FALSE;
	p->parts[p->parts[0] ? 1 : 0] = w;
	dbus_watch_set_data(w, p, NULL);
	return loop_rewatch(k->loop, &p->watch, wanted_events(p)) == 0;
}

static void remove_watch(DBusWatch *w, void *data)
{
	struct bus_link *k = data;
	struct port *p = dbus_watch_get_data(w);

	if (!p)
		return;
	dbus_watch_set_data(w, NULL, NULL);
	p->parts[p->parts[0] == w ? 0 : 1] = NULL;
	if (p->parts[0] || p->parts[1])
		return;
	loop_unwatch(k->loop, &p->watch);
	list_del(&p->node);
	mem_put(p);
}

static void toggle_watch(DBusWatch *w, void *data)
{
	struct bus_link *k = data;
	struct port *p = dbus_watch_get_data(w);

	if (p)
		(void)!loop_rewatch(k->loop, &p->watch, wanted_events(p));
}

static void set_alarm(struct alarm *a)
{
	uint64_t wait_us = (uint64_t)dbus_timeout_get_interval(a->timeout) * US_PER_MS;

	if (dbus_timeout_get_enabled(a->timeout))
		loop_timer_arm(a->link->loop, &a->timer, loop_now_us(a->link->loop) + wait_us);
	else
		loop_timer_disarm(a->link->loop, &a->timer);
}

static void on_alarm(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);

	set_alarm(a);
	dbus_timeout_handle(a->timeout); /* may remove it */
}

static dbus_bool_t add_timeout(DBusTimeout *timeout, void *data)
{
	struct alarm *a = mem_get(sizeof(*a));

	if (!a)
		return FALSE;
	a->timer.fn = on_alarm;
	a->link = data;
	a->timeout = timeout;
	dbus_timeout_set_data(timeout, a, NULL);
	set_alarm(a);
	return TRUE;
}

static void remove_timeout(DBusTimeout *timeout, void *data)
{
	struct bus_link *k = data;
	struct alarm *a = dbus_timeout_get_data(timeout);

	if (!a)
		return;
	dbus_timeout_set_data(timeout, NULL, NULL);
	loop_timer_disarm(k->loop, &a->timer);
	mem_put(a);
}

static void toggle_timeout(DBusTimeout *timeout, void *data UNUSED)
{
	if (dbus_timeout_get_data(timeout))
		set_alarm(dbus_timeout_get_data(timeout));
}

static void dispatch(struct task *t)
{
	struct bus_line *line = container_of(t, struct bus_line, dispatch);
	DBusConnection *conn = line->conn;

	for (unsigned i = 0; i < DISPATCH_MOST; i++)
		if (dbus_connection_dispatch(conn) != DBUS_DISPATCH_DATA_REMAINS)
			return;
	loop_defer(line->link->loop, t);
}

static void on_status(DBusConnection *conn UNUSED, DBusDispatchStatus status, void *data)
{
	struct bus_line *line = data;

	if (status != DBUS_DISPATCH_COMPLETE)
		loop_defer(line->link->loop, &line->dispatch);
}

void bus_link_init(struct bus_link *k, struct loop *loop)
{
	k->loop = loop;
	list_init(&k->ports);
}

int bus_link_serve(struct bus_link *k, DBusServer *server)
{
	return dbus_server_set_watch_functions(server, add_watch, remove_watch, toggle_watch, k,
					       NULL) &&
			       dbus_server_set_timeout_functions(
				       server, add_timeout, remove_timeout, toggle_timeout, k, NULL)
		       ? 0
		       : -ENOMEM;
}

int bus_link_open(struct bus_link *k, struct bus_line *line, DBusConnection *conn)
{
	line->link = k;
	line->dispatch.fn = dispatch;
	dbus_connection_set_exit_on_disconnect(conn, FALSE);
	dbus_connection_set_dispatch_status_function(conn, on_status, line, NULL);
	if (!dbus_connection_set_watch_functions(conn, add_watch, remove_watch, toggle_watch, k,
						 NULL) ||
	    !dbus_connection_set_timeout_functions(conn, add_timeout, remove_timeout,
						   toggle_timeout, k, NULL))
		return -ENOMEM;
	line->conn = dbus_connection_ref(conn);
	loop_defer(k->loop, &line->dispatch); /* something may have come before we looked */
	return 0;
}

void bus_link_close(struct bus_line *line)
{
	DBusConnection *conn = line->conn;

	if (!conn)
		return;
	line->conn = NULL;
	loop_undefer(&line->dispatch);
	dbus_connection_set_dispatch_status_function(conn, NULL, NULL, NULL);
	dbus_connection_close(conn);
	dbus_connection_unref(conn);
}

DBusMessage *bus_take_answer(DBusPendingCall *pending)
{
	DBusMessage *reply = dbus_pending_call_steal_reply(pending);

	if (!reply || dbus_message_get_type(reply) != DBUS_MESSAGE_TYPE_ERROR)
		return reply;
	dbus_message_unref(reply);
	return NULL;
}
