/* SPDX-License-Identifier: MIT */
#include "activate/accept.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "activate/instance.h"
#include "core/log.h"
#include "core/procs.h"
#include "core/remember.h"
#include "units/name.h"

/* Slots of PID 1: a connection becomes one with a process and a pipe for its output; some are left for others. */
enum { SLOTS_EACH = 3, SLOTS_LEFT = 4 };

/* --- asking --- */

/*
 * The entry of an ACCEPT stands with those of the processes, by its token; which port
 * it is for is kept where processes keep their list of commands. The slot, or -errno.
 */
static int ask(struct socket_port *p,
	       int (*request)(struct bank *b, uint32_t slot, uint64_t token, uint32_t listen_slot))
{
	struct hark *h = p->hark;
	bool has_room = bank_has_room(&h->bank, SLOTS_EACH * (p->asked_n + 1U) + SLOTS_LEFT);
	int slot = has_room ? procs_add(h, &p->owner->unit, ROLE_OTHER) : -ENOSPC, r;
	uint64_t token = slot < 0 ? 0 : procs_token(h, (uint32_t)slot);

	if (slot < 0)
		return slot;
	procs_find(h, (uint32_t)slot, token)->commands = (uint8_t)(p - p->owner->ports);
	r = request(&h->bank, (uint32_t)slot, token, p->slot - 1);
	if (r < 0) {
		procs_del(h, (uint32_t)slot);
		return r;
	}
	p->asked_n++;
	p->polls_n++;
	return slot;
}

void accept_connections(struct socket_port *p)
{
	unsigned left = port_polls_left(p);
	int err = 0;

	if (!left) {
		port_rest(p);
		return;
	}
	p->accept_err = 0;
	while (p->asked_n < p->batch && left-- && err >= 0)
		err = ask(p, bank_accept);
	if (p->asked_n)
		return;
	if (err == -ENOSPC && !p->retry_us)
		log_at(LOG_WARN, "%s: connections wait: PID 1 keeps as many descriptors as it can",
		       p->owner->unit.name);
	port_look_again_later(p);
}

/* Nobody is there now. Where PID 1 cannot be asked to wait for the next one, we do. */
static void await_connection(struct socket_port *p)
{
	int slot;

	if (!port_polls_left(p)) {
		port_rest(p);
		return;
	}
	p->accept_err = 0;
	slot = ask(p, bank_await);
	if (slot < 0) {
		port_listen_again(p);
		return;
	}
	p->waiter = (uint32_t)slot + 1;
	port_silence(p);
}

void accept_recall(struct socket_port *p)
{
	uint32_t slot = p->waiter - 1;

	if (p->waiter &&
	    bank_accept(&p->hark->bank, slot, procs_token(p->hark, slot), p->slot - 1) < 0)
		log_at(LOG_ERROR, "%s: PID 1 is gone, it awaits connections for ever",
		       p->owner->unit.name);
	p->waiter = 0;
}

/* All of a batch are answered: more of them when the queue held that many, one at a time again when it ran dry. */
static void batch_done(struct socket_port *p)
{
	struct pollfd queue = {.fd = bank_fd(p->slot - 1), .events = POLLIN};
	bool is_short = p->accept_err && p->accept_err != -EAGAIN && p->accept_err != -ECONNABORTED;

	if (is_short) {
		log_at(LOG_WARN, "%s: connections wait: %s", p->owner->unit.name,
		       strerror(-p->accept_err));
		port_look_again_later(p);
		return;
	}
	p->retry_us = 0;
	if (!p->is_wanted || poll(&queue, 1, 0) <= 0) {
		p->batch = 1;
		/* Its file may say Accept=no by now. */
		(p->is_wanted && port_config(p->owner)->accept ? await_connection
							       : port_listen_again)(p);
		return;
	}
	if (p->accept_err)
		p->batch = 1;
	p->batch = p->batch >= ACCEPT_BATCH / 2 ? ACCEPT_BATCH : (uint8_t)(p->batch * 2);
	accept_connections(p);
}

/* --- connections --- */

/* One uid or address counts as one source. Linear, and only for those who ask for it. */
static uint32_t count_source(const struct hark *h, const struct socket_unit *k,
			     const struct connection_name *name)
{
	uint32_t n = 0;

	for (uint32_t id = 0; id < h->reg.n; id++) {
		struct unit *u = registry_unit(&h->reg, id);
		const struct service *s = u ? service_of(u) : NULL;
		const char *remote = s && s->socket_unit == k->unit.id && s->remote ? s->remote
										    : NULL;

		if (remote && s->remote_addr)
			n += !strcmp(s->remote_addr, name->source);
		else if (remote && name->source[0])
			n += str_has_suffix(str_of(remote), str_of(name->source));
	}
	return n;
}

static const char *why_refused(const struct hark *h, const struct socket_unit *k,
			       const struct connection_name *name)
{
	const struct socket_config *c = port_config(k);
	enum coarse state = unit_coarse(&k->unit);

	if (state != ACTIVE && state != ACTIVATING)
		return "the socket is being stopped";
	if (c->max_connections && k->n_connections >= c->max_connections)
		return "MaxConnections= is reached";
	if (c->max_connections_per_source &&
	    count_source(h, k, name) >= c->max_connections_per_source)
		return "MaxConnectionsPerSource= is reached";
	return NULL;
}

static struct service *make_instance(struct hark *h, struct socket_unit *k,
				     const struct connection_name *name)
{
	char template[UNIT_NAME_MAX + 1], full[UNIT_NAME_MAX + 1];
	struct unit *u;

	socket_service_name(k->unit.config, template, sizeof(template));
	if (name_with_instance(template, str_of(name->instance), full, sizeof(full)) < 0)
		return NULL;
	u = registry_get(&h->reg, full);
	if (!u || engine_load(&h->engine, u) != 0 || !unit_is_at_rest(u) || u->type != UNIT_SERVICE)
		return NULL;
	return service_of(u);
}

static bool set_remote(struct service *s, const struct connection_name *name)
{
	const char *texts[] = {name->remote, name->addr, name->port};
	const char **places[] = {&s->remote, &s->remote_addr, &s->remote_port};

	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		mem_put((void *)(uintptr_t)*places[i]);
		*places[i] = texts[i][0] ? mem_dup(texts[i], strlen(texts[i])) : NULL;
		if (texts[i][0] && !*places[i])
			return false;
	}
	return true;
}

/* From here on the connection is the instance's: socket_instance_gone() gives it up when it was never handed over. */
static int start_instance(struct hark *h, struct socket_unit *k, struct service *s,
			  const struct bank_note *note, const struct connection_name *name)
{
	struct cause cause = {.kind = CAUSE_CONNECTION,
			      .unit = k->unit.id,
			      .uid = note->peer_uid,
			      .pid = note->peer_pid};
	int r;

	snprintf(cause.text, sizeof(cause.text), "%.47s", name->remote);
	if (!set_remote(s, name))
		return err_here(-ENOMEM);
	engine_note_trigger(&h->engine, &k->unit, &cause);
	s->conn_slot = note->slot + 1;
	s->socket_unit = k->unit.id;
	remember_text(h, &s->unit);
	k->n_connections++;
	r = engine_request(&h->engine, &s->unit, JOB_START, MODE_REPLACE, &cause, false, NULL);
	if (r == -ENOMEM)
		r = engine_request(&h->engine, &s->unit, JOB_START, MODE_REPLACE, &cause, false,
				   NULL);
	if (r != 0)
		accept_instance_gone(h, s);
	return 0;
}

static void give_up(struct hark *h, struct socket_unit *k, const struct bank_note *note,
		    const char *why)
{
	if (k) {
		k->n_refused++;
		log_at(LOG_WARN, "%s: a connection is closed: %s", k->unit.name, why);
	}
	if (bank_drop(&h->bank, note->slot) < 0)
		log_at(LOG_ERROR, "a connection cannot be closed: PID 1 is gone");
}

static bool give_to_instance(struct hark *h, struct socket_unit *k, const struct bank_note *note,
			     const struct connection_name *name)
{
	struct service *s = make_instance(h, k, name);

	return s && start_instance(h, k, s, note, name) == 0;
}

static void take_connection(struct hark *h, struct socket_unit *k, const struct bank_note *note)
{
	struct connection_name name;
	const char *why;

	connection_name(k->n_accepted, note, port_may_look_up(h), &name);
	why = why_refused(h, k, &name);
	/* Instances that have ended may count still. */
	while (why && engine_run_later(&h->engine))
		why = why_refused(h, k, &name);
	if (why) {
		give_up(h, k, note, why);
		return;
	}
	if (port_is_over_limit(k, loop_now_us(&h->loop))) {
		give_up(h, k, note, "TriggerLimitBurst= is reached");
		h->activators[UNIT_SOCKET]->disarm(h, &k->unit);
		port_fail_by_limit(h, k);
		return;
	}
	k->n_accepted++;
	/* Remembered before the name is used: a manager that dies here must not give the number a second time. */
	engine_touch(&h->engine, &k->unit);
	/* Twice: memory that is short for a moment shall not cost a client. */
	if (!give_to_instance(h, k, note, &name) && !give_to_instance(h, k, note, &name))
		give_up(h, k, note, "its service cannot be made from the template");
}

/* The instance that has this connection, for a reply that comes a second time after a takeover. */
static bool is_taken(const struct hark *h, uint32_t slot)
{
	for (uint32_t id = 0; id < h->reg.n; id++) {
		struct unit *u = registry_unit(&h->reg, id);

		if (u && service_of(u) && service_of(u)->conn_slot == slot + 1)
			return true;
	}
	return false;
}

static bool is_bound_to(const struct socket_port *p, const struct bank_note *note)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} ours, theirs = {0};
	socklen_t n = sizeof(ours);

	memset(&ours, 0, sizeof(ours));
	memcpy(&theirs, &note->local,
	       note->local_n < sizeof(theirs) ? note->local_n : sizeof(theirs));
	if (!p->slot || getsockname(bank_fd(p->slot - 1), &ours.sa, &n) < 0 ||
	    ours.sa.sa_family != theirs.sa.sa_family)
		return false;
	if (ours.sa.sa_family == AF_UNIX)
		return !memcmp(ours.un.sun_path, theirs.un.sun_path, sizeof(ours.un.sun_path));
	/* The wildcard has no address to compare; the port (at the same place in both families) is nobody else's. */
	return ours.in.sin_port == theirs.in.sin_port;
}

/* An ACCEPT of a manager that died: the connection itself tells which socket it came by. */
static struct socket_unit *find_socket(const struct hark *h, const struct bank_note *note)
{
	for (uint32_t id = 0; id < h->reg.n; id++) {
		struct unit *u = registry_unit(&h->reg, id);
		struct socket_unit *k = u ? socket_of(u) : NULL;

		for (uint32_t i = 0; k && i < k->ports_n; i++)
			if (port_config(k)->accept && is_bound_to(&k->ports[i], note))
				return k;
	}
	return NULL;
}

static void adopt_connection(struct hark *h, const struct bank_note *note)
{
	struct socket_unit *k;

	if (note->err < 0)
		procs_del(h, note->slot);
	if (note->err < 0 || is_taken(h, note->slot))
		return;
	k = find_socket(h, note);
	if (!k) /* who waits shall not be sent away because a port could not be asked once for its address */
		k = find_socket(h, note);
	if (k)
		take_connection(h, k, note);
	else
		give_up(h, NULL, note, "");
}

void accept_next(struct task *t)
{
	struct socket_port *p = container_of(t, struct socket_port, next);

	if (!p->asked_n)
		batch_done(p);
}

/* Who was awaited is alone: he shall have his process (the engine's turn is queued already) before the next one is awaited. */
static void note_answer(struct socket_port *p, int err)
{
	bool was_awaited = p->waiter != 0;

	if (!p->asked_n)
		return;
	if (err < 0 && (!p->accept_err || err != -EAGAIN))
		p->accept_err = err;
	if (--p->asked_n)
		return;
	p->waiter = 0;
	if (was_awaited)
		loop_defer(&p->hark->loop, &p->next);
	else
		batch_done(p);
}

void accept_answered(struct hark *h, const struct bank_note *note)
{
	const struct bank_user *asker = procs_find(h, note->slot, note->token);
	struct unit *u = asker ? registry_unit(&h->reg, asker->unit) : NULL;
	struct socket_unit *k = u ? socket_of(u) : NULL;
	struct socket_port *p = k && asker->commands < k->ports_n ? &k->ports[asker->commands]
								  : NULL;

	if (!asker) {
		adopt_connection(h, note);
		return;
	}
	if (note->err == 0)
		procs_forget(h, note->slot); /* the slot is the connection's */
	else
		procs_del(h, note->slot);
	if (note->err == 0 && p)
		take_connection(h, k, note);
	else if (note->err == 0)
		give_up(h, k, note, "its socket was closed meanwhile");
	if (p)
		note_answer(p, note->err);
}

void accept_instance_gone(struct hark *h, struct service *s)
{
	struct unit *u = registry_unit(&h->reg, s->socket_unit);
	struct socket_unit *k = u ? socket_of(u) : NULL;

	if (k && k->n_connections)
		k->n_connections--;
	if (s->conn_slot && bank_drop(&h->bank, s->conn_slot - 1) < 0)
		log_at(LOG_ERROR, "%s: its connection cannot be closed: PID 1 is gone",
		       s->unit.name);
	s->conn_slot = 0;
	s->socket_unit = UNIT_NONE;
}
