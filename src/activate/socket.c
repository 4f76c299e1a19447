/* SPDX-License-Identifier: MIT */
#include "activate/socket.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "activate/instance.h"
#include "activate/listener.h"
#include "activate/peer.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/procs.h"
#include "core/remember.h"
#include "units/name.h"

enum { FLUSH_MOST = 1024 };
#define RETRY_FIRST_US (3 * US_PER_MS)
#define RETRY_LAST_US US_PER_SEC
#define PEER_REST_US (50 * US_PER_MS)
/* By edges: until PID 1 has called listen(2) a stream socket is hung up, and a level would be told again and again. */
#define READABLE ((uint32_t)EPOLLIN | (uint32_t)EPOLLET)

static const struct socket_config *config_of(const struct socket_unit *k)
{
	return k->unit.config->socket;
}

static void silence(struct socket_port *p)
{
	loop_timer_disarm(&p->hark->loop, &p->retry);
	if (p->watch.is_on && loop_rewatch(&p->hark->loop, &p->watch, 0) < 0)
		loop_unwatch(&p->hark->loop,
			     &p->watch); /* cannot be: the descriptor is registered */
}

static void look_again_later(struct socket_port *p)
{
	silence(p); /* its return is the second look */
	p->retry_us = p->retry_us ? p->retry_us * 2 : RETRY_FIRST_US;
	if (p->retry_us > RETRY_LAST_US)
		p->retry_us = RETRY_LAST_US;
	loop_timer_arm(&p->hark->loop, &p->retry,
		       time_add(loop_now_us(&p->hark->loop), p->retry_us));
}

static void listen_again(struct socket_port *p)
{
	if (!p->is_wanted)
		return;
	if (!p->watch.is_on || loop_rewatch(&p->hark->loop, &p->watch, READABLE) < 0)
		look_again_later(p);
}

static void on_retry(struct timer *t)
{
	listen_again(container_of(t, struct socket_port, retry));
}

/* --- demand --- */

/* TriggerLimitIntervalSec=, TriggerLimitBurst=: a service that fails at once would be started for ever. */
static bool is_over_limit(struct socket_unit *k, uint64_t now_us)
{
	const struct socket_config *c = config_of(k);

	if (!c->trigger_limit_interval_us || !c->trigger_limit_burst)
		return false;
	if (!k->trigger_begin_us || now_us - k->trigger_begin_us >= c->trigger_limit_interval_us) {
		k->trigger_begin_us = now_us;
		k->trigger_count = 0;
	}
	return ++k->trigger_count > c->trigger_limit_burst;
}

static void fail_by_limit(struct hark *h, struct socket_unit *k)
{
	log_at(LOG_ERROR,
	       "%s: triggered more than %u times in %llu ms (TriggerLimitBurst=); the unit is failed",
	       k->unit.name, config_of(k)->trigger_limit_burst,
	       (unsigned long long)(config_of(k)->trigger_limit_interval_us / US_PER_MS));
	k->result = SRES_TRIGGER_LIMIT;
	engine_post_simple(&h->engine, &k->unit, EV_ARM_FAILED, ECANCELED, 0, 0);
}

static void note_trigger(struct hark *h, struct socket_unit *k, struct cause *cause)
{
	struct ledger_entry e = {.kind = LEDGER_TRIGGER,
				 .cause = cause->kind,
				 .uid = cause->uid,
				 .pid = cause->pid,
				 .parent = engine_entry(&k->unit)};

	if (!h->engine.ledger)
		return;
	e.unit = e.from = h->engine.ops->slot(h->engine.arg, &k->unit);
	snprintf(e.text, sizeof(e.text), "%.43s", cause->text);
	cause->entry = ledger_add(h->engine.ledger, &e);
}

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

/* In a burst the first is looked up; the rest would cost more than they tell. */
static bool may_look_up(struct hark *h)
{
	uint64_t now_us = loop_now_us(&h->loop);

	if (now_us < h->peer_us)
		return false;
	h->peer_us = now_us + PEER_REST_US;
	return true;
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

	if (!may_look_up(h))
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
		silence(&k->ports[i]);
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
	if (is_over_limit(k, loop_now_us(&h->loop))) {
		fail_by_limit(h, k);
		return;
	}
	e.cause = cause_of(p);
	note_trigger(h, k, &e.cause);
	engine_post(&h->engine, &e);
	if (!listener_is_stream(p->listener) || !h->engine.ledger)
		return;
	p->trigger_entry = e.cause.entry;
	p->learn.fn = learn_peer;
	loop_defer(&h->loop,
		   &p->learn); /* behind the engine's turn, which engine_post() has queued */
}

/* --- Accept=yes: asking --- */

/*
 * Ask PID 1 for up to `batch` connections. The entry of an ACCEPT stands with those of the processes, by its token; which port
 * it is for is kept where processes keep their list of commands.
 */
static void ask_connections(struct socket_port *p)
{
	struct hark *h = p->hark;
	int err = 0;

	p->accept_err = 0;
	for (unsigned i = p->asked_n; i < p->batch && !err; i++) {
		struct proc_entry *e = procs_add(h, &p->owner->unit, ROLE_OTHER, &err);

		if (!e)
			break;
		e->commands = (uint8_t)(p - p->owner->ports);
		err = bank_accept(&h->bank, e->slot, e->token, p->slot - 1);
		if (err < 0)
			procs_del(h, e);
		else
			p->asked_n++;
	}
	if (!p->asked_n)
		look_again_later(p);
}

static void on_readable(struct watch *w, uint32_t events)
{
	struct socket_port *p = container_of(w, struct socket_port, watch);

	/* No EPOLLIN: not listening yet. No events: silenced by another port of the unit in this very turn. */
	if (!(events & (uint32_t)EPOLLIN) || !p->watch.events)
		return;
	if (!config_of(p->owner)->accept || !listener_is_stream(p->listener))
		trigger(p);
	else if (!p->asked_n) /* else batch_done() looks whether there are more */
		ask_connections(p);
}

/* All of a batch are answered: more of them when the queue held that many, one at a time again when it ran dry. */
static void batch_done(struct socket_port *p)
{
	struct pollfd queue = {.fd = bank_fd(p->slot - 1), .events = POLLIN};
	bool is_short = p->accept_err && p->accept_err != -EAGAIN && p->accept_err != -ECONNABORTED;

	if (is_short) {
		log_at(LOG_WARN, "%s: connections wait: %s", p->owner->unit.name,
		       strerror(-p->accept_err));
		look_again_later(p);
		return;
	}
	p->retry_us = 0;
	/* Whoever comes after this look is told of by an edge. */
	if (!p->is_wanted || poll(&queue, 1, 0) <= 0) {
		p->batch = 1;
		listen_again(p);
		return;
	}
	if (p->accept_err)
		p->batch = 1;
	p->batch = p->batch >= ACCEPT_BATCH / 2 ? ACCEPT_BATCH : (uint8_t)(p->batch * 2);
	ask_connections(p);
}

/* --- Accept=yes: connections --- */

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
	const struct socket_config *c = config_of(k);
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
	note_trigger(h, k, &cause);
	s->conn_slot = note->slot + 1;
	s->socket_unit = k->unit.id;
	remember_text(h, s);
	k->n_connections++;
	r = engine_request(&h->engine, &s->unit, JOB_START, MODE_REPLACE, &cause, false, NULL);
	if (r != 0)
		socket_instance_gone(h, s);
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

static void take_connection(struct hark *h, struct socket_unit *k, const struct bank_note *note)
{
	struct connection_name name;
	const char *why;
	struct service *s;

	connection_name(k->n_accepted, note, may_look_up(h), &name);
	why = why_refused(h, k, &name);
	if (why) {
		give_up(h, k, note, why);
		return;
	}
	if (is_over_limit(k, loop_now_us(&h->loop))) {
		give_up(h, k, note, "TriggerLimitBurst= is reached");
		disarm(h, &k->unit);
		fail_by_limit(h, k);
		return;
	}
	k->n_accepted++;
	/* Remembered before the name is used: a manager that dies here must not give the number a second time. */
	engine_touch(&h->engine, &k->unit);
	s = make_instance(h, k, &name);
	if (!s || start_instance(h, k, s, note, &name) < 0)
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
			if (config_of(k)->accept && is_bound_to(&k->ports[i], note))
				return k;
	}
	return NULL;
}

static void adopt_connection(struct hark *h, const struct bank_note *note)
{
	struct socket_unit *k;

	if (note->err < 0 || is_taken(h, note->slot))
		return;
	k = find_socket(h, note);
	if (k)
		take_connection(h, k, note);
	else
		give_up(h, NULL, note, "");
}

/* The entry of an ACCEPT has served; with a connection only the entry goes, the slot is the connection's. */
static void forget_entry(struct hark *h, struct proc_entry *e, bool keeps_slot)
{
	if (!keeps_slot) {
		procs_del(h, e);
		return;
	}
	map_del(&h->procs, &e->node);
	mem_put(e);
}

static void note_answer(struct socket_port *p, int err)
{
	if (!p->asked_n)
		return;
	if (err < 0 && (!p->accept_err || err != -EAGAIN))
		p->accept_err = err;
	if (--p->asked_n == 0)
		batch_done(p);
}

void socket_accepted(struct hark *h, const struct bank_note *note)
{
	struct proc_entry *e = procs_find(h, note->token);
	struct unit *u = e ? registry_unit(&h->reg, e->unit) : NULL;
	struct socket_unit *k = u ? socket_of(u) : NULL;
	struct socket_port *p = k && e->commands < k->ports_n ? &k->ports[e->commands] : NULL;

	if (!e) {
		adopt_connection(h, note);
		return;
	}
	forget_entry(h, e, note->err == 0);
	if (note->err == 0 && p)
		take_connection(h, k, note);
	else if (note->err == 0)
		give_up(h, k, note, "its socket was closed meanwhile");
	if (p)
		note_answer(p, note->err);
}

void socket_instance_gone(struct hark *h, struct service *s)
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
		if (t->slot[i].kind == BANK_FD && !strncmp(t->slot[i].name, name, BANK_NAME))
			return i + 1;
	return 0;
}

static int make_port(struct hark *h, struct socket_unit *k, struct socket_port *p, char **ret_why)
{
	const struct socket_config *c = config_of(k);
	char name[BANK_NAME];
	AUTO_FD int fd = -1;
	int slot, r;

	slot_name(k, p->listener, name);
	p->slot = find_kept(h, name);
	if (p->slot)
		return 0;
	fd = listener_open(k->unit.name, p->listener, c, ret_why);
	if (fd < 0)
		return fd;
	slot = bank_take(&h->bank);
	if (slot < 0)
		return slot;
	r = bank_store(&h->bank, (uint32_t)slot, bank_token(&h->bank), name, fd,
		       listener_is_stream(p->listener),
		       c->backlog > INT_MAX ? INT_MAX : (int)c->backlog);
	if (r < 0) {
		bank_release(&h->bank, (uint32_t)slot);
		return r;
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
		if (bank_drop(&h->bank, p->slot - 1) < 0)
			log_at(LOG_ERROR, "%s: PID 1 is gone, the socket stays open there",
			       u->name);
		if (config_of(k)->remove_on_stop)
			listener_remove(p->listener, config_of(k));
	}
	mem_put(k->ports);
	k->ports = NULL;
	k->ports_n = 0;
}

static int arm(struct hark *h, struct unit *u, char **ret_why)
{
	struct socket_unit *k = socket_of(u);
	const struct socket_config *c = config_of(k);
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
					     .retry = {.fn = on_retry, .due_us = TIME_NEVER},
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

		if (p->was_triggered && config_of(k)->flush_pending)
			flush(p);
		p->retry_us = 0;
		p->is_wanted = p->watch.is_on;
		if (!p->asked_n)
			listen_again(p);
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
		names[n++] = config_of(k)->fd_name ? config_of(k)->fd_name : u->name;
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
