/* SPDX-License-Identifier: MIT */
#include "activate/socket.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "activate/accept.h"
#include "activate/listener.h"
#include "activate/peer.h"
#include "core/fd.h"
#include "core/log.h"

enum { FLUSH_MOST = 1024 };

/* --- demand --- */

/* Who it was is looked up when the service is on its way (learn_peer); until then: what it came in by. */
static struct cause cause_of(const struct socket_port *p)
{
	struct cause cause = {.kind = listener_is_stream(p->listener) ? CAUSE_CONNECTION
								      : CAUSE_TRAFFIC,
			      .unit = p->owner->unit.id,
			      .uid = UINT32_MAX};

	snprintf(cause.text, sizeof(cause.text), "%s", p->listener->text);
	return cause;
}

/*
 * Asking the kernel who waits takes longer than starting the service does, so it is done after the spawn was asked for, and written
 * into the entries that are there by then: the trigger and the jobs that follow from it.
 */
static void learn_peer(struct task *t)
{
	struct socket_port *p = container_of(t, struct socket_port, learn);
	struct hark *h = p->hark;
	const struct unit *u = &p->owner->unit;
	struct peer peer;

	if (!port_may_look_up(h))
		return;
	/* While the system boots, hundreds of services may be woken at once: their clients are not searched for. */
	if (!p->slot || !peer_of_waiting(bank_fd(p->slot - 1), h->ready_us != 0, &peer))
		return;
	ledger_name_peer(h->engine.ledger, p->trigger_entry, 0,
			 &(struct ledger_peer){peer.text, peer.uid, peer.pid});
	for (uint32_t i = 0; i < u->edges_n; i++)
		if (u->edges[i].type == DEP_TRIGGERS)
			ledger_name_peer(h->engine.ledger,
					 engine_entry(registry_unit(&h->reg, u->edges[i].to)),
					 p->trigger_entry,
					 &(struct ledger_peer){peer.text, peer.uid, peer.pid});
}

static void disarm(struct hark *h, struct unit *u)
{
	struct socket_unit *k = socket_of(u);

	(void)h;
	for (uint32_t i = 0; i < k->ports_n; i++) {
		k->ports[i].is_wanted = false;
		port_silence(&k->ports[i]);
		accept_recall(&k->ports[i]);
	}
}

static void trigger(struct socket_port *p)
{
	struct hark *h = p->hark;
	struct socket_unit *k = p->owner;
	struct event e = {.kind = EV_TRIGGER, .unit = k->unit.id};

	disarm(h, &k->unit);
	for (uint32_t i = 0; i < k->ports_n; i++)
		k->ports[i].was_triggered = true;
	if (port_is_over_limit(k, loop_now_us(&h->loop))) {
		port_fail_by_limit(h, k);
		return;
	}
	k->n_accepted++;
	engine_touch(&h->engine, &k->unit);
	e.cause = cause_of(p);
	engine_note_trigger(&h->engine, &k->unit, &e.cause);
	engine_post(&h->engine, &e);
	if (!listener_is_stream(p->listener) || !h->engine.ledger)
		return;
	p->trigger_entry = e.cause.entry;
	p->learn.fn = learn_peer;
	loop_defer(&h->loop,
		   &p->learn); /* behind the engine's turn, which engine_post() has queued */
}

static void wake(struct socket_port *p)
{
	/* One that is to stop starts nothing any more: at a shutdown that would be what has just been stopped. */
	if (!port_polls_left(p) || job_pending(&p->owner->unit) == JOB_STOP) {
		port_rest(p);
		return;
	}
	p->polls_n++;
	trigger(p);
}

static void on_readable(struct watch *w, uint32_t events)
{
	struct socket_port *p = container_of(w, struct socket_port, watch);

	/* No EPOLLIN: not listening yet. No events: silenced by another port of the unit in this very turn. */
	if (!(events & (uint32_t)EPOLLIN) || !p->watch.events)
		return;
	if (!port_config(p->owner)->accept || !listener_is_stream(p->listener))
		wake(p);
	else if (!p->asked_n) /* else it is looked for more when they are here */
		accept_connections(p);
}

/* --- making and finding --- */

/* "ssh.socket/ListenStream=22": by it a new manager knows what it holds. Long ones end in a hash of the whole. */
static void slot_name(const struct socket_unit *k, const struct listener *l, char out[BANK_NAME])
{
	char full[UNIT_NAME_MAX + PATH_MAX];
	int n = snprintf(full, sizeof(full), "%s/%s=%s", k->unit.name, listen_names[l->kind],
			 l->text);

	if (n < BANK_NAME)
		memcpy(out, full, (size_t)n + 1);
	else
		snprintf(out, BANK_NAME, "%.*s~%08x", BANK_NAME - 10, full, str_hash(str_of(full)));
}

/* Slot + 1 of a listener that an earlier manager left with PID 1, 0: none. */
static uint32_t find_kept(const struct hark *h, const char *name)
{
	const struct bank_table *t = h->bank.table;

	for (uint32_t i = 0; t->generation > 1 && i < t->high && i < BANK_SLOTS; i++)
		if (t->slot[i].kind == BANK_FD && bank_has(&h->bank, i) &&
		    !strncmp(bank_slot_name(t, i), name, BANK_NAME))
			return i + 1;
	return 0;
}

/* What fails for a moment need not fail; and the address may be that of a listener which was dropped just now, by a restart. */
static int open_listener(struct hark *h, struct socket_unit *k, const struct listener *l,
			 char **ret_why)
{
	int fd = listener_open(k->unit.name, l, port_config(k), ret_why);

	if (fd >= 0 || (fd == -EADDRINUSE && !bank_settle(&h->bank)))
		return fd;
	mem_put(*ret_why);
	*ret_why = NULL;
	return listener_open(k->unit.name, l, port_config(k), ret_why);
}

static int make_port(struct hark *h, struct socket_unit *k, struct socket_port *p, char **ret_why)
{
	const struct socket_config *c = port_config(k);
	int backlog = c->backlog > INT_MAX ? INT_MAX : (int)c->backlog;
	bool is_stream = listener_is_stream(p->listener);
	char name[BANK_NAME];
	AUTO_FD int fd = -1;
	int slot, r;

	slot_name(k, p->listener, name);
	p->slot = find_kept(h, name);
	if (p->slot)
		return 0;
	fd = open_listener(h, k, p->listener, ret_why);
	if (fd < 0)
		return fd;
	slot = bank_take(&h->bank);
	if (slot < 0)
		return slot;
	r = bank_store(&h->bank, (uint32_t)slot, bank_token(&h->bank), name, fd, is_stream,
		       backlog);
	if (r < 0) {
		bank_release(&h->bank, (uint32_t)slot);
		return r;
	}
	/* PID 1 does the same when it comes to it; whoever is told that the socket is there may connect before. */
	if (is_stream && listen(fd, backlog) < 0) {
		r = -errno;
		return bank_drop(&h->bank, (uint32_t)slot) < 0 ? -EPIPE : r;
	}
	p->slot = (uint32_t)slot + 1;
	listener_link(k->unit.name, p->listener, c);
	return 0;
}

static int make_ports(struct hark *h, struct socket_unit *k, char **ret_why)
{
	int r = 0;

	for (uint32_t i = 0; i < k->ports_n && !r; i++) {
		struct socket_port *p = &k->ports[i];

		r = make_port(h, k, p, ret_why);
		if (!r)
			r = loop_watch(&h->loop, &p->watch, bank_fd(p->slot - 1), 0);
		if (r == -EPERM)
			r = 0; /* a file that cannot be waited for: passed on, never a trigger */
	}
	return r;
}

static void drop(struct hark *h, struct unit *u)
{
	struct socket_unit *k = socket_of(u);

	for (uint32_t i = 0; i < k->ports_n; i++) {
		struct socket_port *p = &k->ports[i];

		loop_timer_disarm(&h->loop, &p->retry);
		loop_unwatch(&h->loop, &p->watch);
		if (!p->slot)
			continue;
		loop_undefer(&p->learn);
		loop_undefer(&p->next);
		accept_recall(p);
		if (bank_drop(&h->bank, p->slot - 1) < 0)
			log_at(LOG_ERROR, "%s: PID 1 is gone, the socket stays open there",
			       u->name);
		if (port_config(k)->remove_on_stop)
			listener_remove(p->listener, port_config(k));
	}
	mem_put(k->ports);
	k->ports = NULL;
	k->ports_n = 0;
}

static int arm(struct hark *h, struct unit *u, char **ret_why)
{
	struct socket_unit *k = socket_of(u);
	const struct socket_config *c = port_config(k);
	uint32_t n = 0;
	int r;

	if (k->ports)
		return 0;
	for (const struct listener *l = c->listeners; l; l = l->next)
		n++;
	if (n == 0 || n > UINT8_MAX)
		return err_here(-EINVAL);
	k->ports = mem_get(n * sizeof(*k->ports));
	if (!k->ports)
		return err_here(-ENOMEM);
	for (const struct listener *l = c->listeners; l; l = l->next)
		k->ports[k->ports_n++] =
			(struct socket_port){.watch.fn = on_readable,
					     .next.fn = accept_next,
					     .retry = {.fn = port_on_retry, .due_us = TIME_NEVER},
					     .owner = k,
					     .listener = l,
					     .hark = h,
					     .batch = 1};
	r = make_ports(h, k, ret_why);
	if (r < 0)
		drop(h, u);
	return r;
}

/* --- watching --- */

/* FlushPending=yes: what came while the service was there and was not read goes, so it does not start it again. */
static void flush(struct socket_port *p)
{
	int fd = bank_fd(p->slot - 1);
	struct pollfd queue = {.fd = fd, .events = POLLIN};
	char bytes[64];

	for (unsigned i = 0; i < FLUSH_MOST && poll(&queue, 1, 0) > 0; i++) {
		if (p->listener->kind == LISTEN_FIFO || p->listener->kind == LISTEN_SPECIAL) {
			if (fd_read(fd, bytes, sizeof(bytes)) <= 0)
				return;
		} else if (!listener_is_stream(p->listener)) {
			if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) < 0)
				return;
		} else {
			/* A refused connection is nobody's: the one kind that is accepted here. */
			int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

			if (conn < 0)
				return;
			fd_close(conn);
		}
	}
}

static void watch(struct hark *h, struct unit *u)
{
	struct socket_unit *k = socket_of(u);

	(void)h;
	for (uint32_t i = 0; i < k->ports_n; i++) {
		struct socket_port *p = &k->ports[i];

		if (p->was_triggered && port_config(k)->flush_pending)
			flush(p);
		p->retry_us = 0;
		p->is_wanted = p->watch.is_on;
		if (!p->asked_n)
			port_listen_again(p);
	}
}

static unsigned fds(struct hark *h, struct unit *u, int32_t *slots, const char **names,
		    unsigned max)
{
	const struct socket_unit *k = socket_of(u);
	unsigned n = 0;

	(void)h;
	for (uint32_t i = 0; i < k->ports_n && n < max; i++) {
		if (!k->ports[i].slot)
			continue;
		slots[n] = (int32_t)k->ports[i].slot - 1;
		names[n++] = port_config(k)->fd_name ? port_config(k)->fd_name : u->name;
	}
	return n;
}

/* The demand stays where it is, in the kernel's queue: it is met by the next start, or ends with the socket. */
static void refuse(struct hark *h, struct unit *u, int err)
{
	log_at(LOG_WARN, "%s: what it was triggered for cannot be started: %s", u->name,
	       strerror(err < 0 ? -err : err));
	disarm(h, u);
}

const struct activator socket_activator = {
	.type = UNIT_SOCKET,
	.arm = arm,
	.watch = watch,
	.disarm = disarm,
	.drop = drop,
	.fds = fds,
	.refuse = refuse,
};
