/* SPDX-License-Identifier: MIT */
#include "activate/accept.h"
#include "activate/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "activate/instance.h"
#include "activate/listener.h"
#include "activate/output.h"
#include "activate/peer.h"
#include "core/procs.h"
#include "fake_hark.h"
#include "suite.h"

/* --- names --- */

static struct bank_note note_of(int family, const char *here, uint16_t here_port, const char *there,
				uint16_t there_port)
{
	struct bank_note n = {
		.kind = BANK_NOTE_REPLY, .op = BANK_ACCEPT, .peer_uid = 1000, .peer_pid = getpid()};
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (family == AF_INET) {
		inet_pton(AF_INET, here, &in.sin_addr);
		in.sin_port = htons(here_port);
		memcpy(&n.local, &in, sizeof(in));
		inet_pton(AF_INET, there, &in.sin_addr);
		in.sin_port = htons(there_port);
		memcpy(&n.peer, &in, sizeof(in));
		n.local_n = n.peer_n = sizeof(in);
	} else if (family == AF_INET6) {
		inet_pton(AF_INET6, here, &in6.sin6_addr);
		in6.sin6_port = htons(here_port);
		memcpy(&n.local, &in6, sizeof(in6));
		inet_pton(AF_INET6, there, &in6.sin6_addr);
		in6.sin6_port = htons(there_port);
		memcpy(&n.peer, &in6, sizeof(in6));
		n.local_n = n.peer_n = sizeof(in6);
	} else {
		n.local.ss_family = n.peer.ss_family = AF_UNIX;
		n.local_n = n.peer_n = sizeof(sa_family_t);
	}
	return n;
}

START_TEST(instances_are_named_like_systemd)
{
	struct bank_note v4 = note_of(AF_INET, "1.2.3.4", 22, "5.6.7.8", 999);
	struct bank_note mapped =
		note_of(AF_INET6, "::ffff:127.0.0.1", 22, "::ffff:10.0.0.7", 51344);
	struct bank_note v6 = note_of(AF_INET6, "fe80::1", 22, "2001:db8::7", 51344);
	struct bank_note local = note_of(AF_UNIX, "", 0, "", 0);
	struct connection_name n;
	char want[64];

	connection_name(7, &v4, true, &n);
	ck_assert_str_eq(n.instance, "7-1.2.3.4:22-5.6.7.8:999");
	ck_assert_str_eq(n.remote, "5.6.7.8:999");
	ck_assert_str_eq(n.addr, "5.6.7.8");
	ck_assert_str_eq(n.port, "999");
	connection_name(0, &mapped, true, &n);
	ck_assert_str_eq(n.instance, "0-127.0.0.1:22-10.0.0.7:51344");
	connection_name(1, &v6, true, &n);
	ck_assert_str_eq(n.instance, "1-fe80::1:22-2001:db8::7:51344");
	ck_assert_str_eq(n.remote, "[2001:db8::7]:51344");
	connection_name(2, &local, true, &n);
	snprintf(want, sizeof(want), "2-%d-1000", getpid());
	ck_assert_str_eq(n.instance, want);
	ck_assert_str_eq(n.source, "uid 1000");
	ck_assert_ptr_nonnull(strstr(n.remote, "of uid 1000"));
	local.peer_pid = 0;
	connection_name(3, &local, true, &n);
	ck_assert_str_eq(n.instance, "3-unknown");
	printf("rows: D+9\n");
}
END_TEST

START_TEST(waiting_peers_are_read)
{
	char text[48] = "";

	ck_assert(peer_parse_line(
		"   1: 0100007F:0016 0700000A:C890 01 00000000:00000000 00:00000000 00000000     0        0 0 3 0",
		22, text, sizeof(text)));
	ck_assert_str_eq(text, "10.0.0.7:51344");
	ck_assert(!peer_parse_line(
		"   1: 0100007F:0016 0700000A:C890 01 00000000:00000000 00:00000000 00000000     0        0 1120 3 0",
		22, text, sizeof(text)));
	ck_assert(!peer_parse_line("   1: 0100007F:0017 0700000A:C890 01 0:0 0:0 0 0 0 0 3 0", 22,
				   text, sizeof(text)));
	ck_assert(!peer_parse_line("  sl  local_address rem_address   st tx_queue", 22, text,
				   sizeof(text)));
	ck_assert(peer_parse_line(
		"   1: 0000000000000000FFFF00000100007F:0016 0000000000000000FFFF00000700000A:C890 08 00000000:00000000 "
		"00:00000000 00000000     0        0 0 3 0",
		22, text, sizeof(text)));
	ck_assert_str_eq(text, "10.0.0.7:51344");
}
END_TEST

/* --- listeners --- */

static char path[108];

static struct listener unix_listener(enum listen_kind kind, const char *tail)
{
	struct listener l = {.kind = (uint8_t)kind, .text = path, .file = "x.socket", .line = 3};

	snprintf(path, sizeof(path), "%s/%s", fake_dir, tail);
	l.addr.un.sun_family = AF_UNIX;
	memcpy(l.addr.un.sun_path, path, sizeof(path));
	l.addr_n = sizeof(l.addr.un);
	if (kind == LISTEN_FIFO || kind == LISTEN_SPECIAL) {
		l.addr_n = 0;
		l.path = path;
	}
	return l;
}

START_TEST(a_unix_socket_has_its_mode_and_parents)
{
	struct listener l;
	struct stat st;
	char *why = NULL;
	int fd;

	fake_open();
	l = unix_listener(LISTEN_STREAM, "deep/er/a.sock");
	fake_socket_config.socket_mode = 0620;
	fake_socket_config.directory_mode = 0711;
	fd = listener_open("a.socket", &l, &fake_socket_config, &why);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0620);
	/* its own leftovers are replaced */
	close(fd);
	fd = listener_open("a.socket", &l, &fake_socket_config, &why);
	ck_assert_int_ge(fd, 0);
	snprintf(path + strlen(fake_dir), 6, "/deep");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0711);
}
END_TEST

START_TEST(the_type_of_service_leaves_the_priority)
{
	struct listener l = {.kind = LISTEN_STREAM, .text = "127.0.0.1", .file = "x.socket"};
	int fd, value = -1;
	socklen_t n = sizeof(value);
	char *why = NULL;

	fake_open();
	fake_socket_config.priority = 3;
	fake_socket_config.ip_tos = 16; /* which the kernel maps to priority 6 */
	l.addr.in.sin_family = AF_INET;
	l.addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l.addr_n = sizeof(l.addr.in);
	fd = listener_open("x.socket", &l, &fake_socket_config, &why);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_PRIORITY, &value, &n), 0);
	ck_assert_int_eq(value, 3);
	ck_assert_int_eq(getsockopt(fd, IPPROTO_IP, IP_TOS, &value, &n), 0);
	ck_assert_int_eq(value, 16);
	close(fd);
}
END_TEST

START_TEST(a_file_in_the_way_is_not_touched)
{
	struct listener l;
	struct stat st;
	char *why = NULL;

	fake_open();
	l = unix_listener(LISTEN_STREAM, "a.sock");
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ck_assert_int_eq(listener_open("a.socket", &l, &fake_socket_config, &why), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(why, "x.socket:3: ListenStream="));
	ck_assert_ptr_nonnull(strstr(why, "Address already in use"));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	mem_put(why);
}
END_TEST

START_TEST(a_fifo_and_a_device)
{
	struct listener l, special = {.kind = LISTEN_SPECIAL,
				      .text = "/dev/null",
				      .path = "/dev/null",
				      .file = "x",
				      .line = 1};
	struct stat st;
	char *why = NULL;
	int fd;

	fake_open();
	l = unix_listener(LISTEN_FIFO, "d/fifo");
	fake_socket_config.socket_mode = 0640;
	fd = listener_open("a.socket", &l, &fake_socket_config, &why);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	listener_remove(&l, &fake_socket_config);
	ck_assert_int_lt(stat(path, &st), 0);
	ck_assert_int_ge(listener_open("a.socket", &special, &fake_socket_config, &why), 0);
	printf("rows: D48\n");
}
END_TEST

START_TEST(an_unknown_owner_refuses)
{
	struct listener l;
	char *why = NULL;

	fake_open();
	l = unix_listener(LISTEN_DATAGRAM, "a.sock");
	fake_socket_config.user = "nobody-at-all";
	ck_assert_int_lt(listener_open("a.socket", &l, &fake_socket_config, &why), 0);
	ck_assert_ptr_nonnull(strstr(why, "SocketUser="));
	mem_put(why);
}
END_TEST

/* --- the activator --- */

static struct listener tcp = {
	.kind = LISTEN_STREAM, .text = "127.0.0.1:0", .file = "x.socket", .line = 1};

static int client(int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	ck_assert_int_eq(connect(c, (struct sockaddr *)&sa, n), 0);
	return c;
}

static struct socket_unit *arm_tcp(bool accept, const char *name)
{
	struct unit *u;
	struct bank_req q;
	char *why = NULL;

	fake_open();
	tcp.addr.in = (struct sockaddr_in){.sin_family = AF_INET,
					   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	tcp.addr_n = sizeof(tcp.addr.in);
	fake_socket_config.listeners = &tcp;
	fake_socket_config.accept = accept;
	fake_socket_config.max_connections = 2;
	fake_socket_config.trigger_limit_interval_us = US_PER_SEC * 100;
	fake_socket_config.trigger_limit_burst = 20;
	u = fake_unit(name);
	ck_assert_int_eq(socket_activator.arm(&fake, u, &why), 0);
	q = fake_request(BANK_STORE);
	ck_assert_uint_eq(q.flags, BANK_F_LISTEN);
	ck_assert_uint_eq(q.slot, socket_of(u)->ports[0].slot - 1);
	socket_activator.watch(&fake, u);
	fake_turns(2); /* bound, not listening: hung up, and nothing happens */
	ck_assert_uint_eq(fake_posted(EV_TRIGGER), 0);
	ck_assert_int_eq(listen(bank_fd(q.slot), 10), 0); /* PID 1 */
	engine_restore(&fake.engine, u, SOCK_LISTENING, 0, 0);
	fake_turns(1);
	return socket_of(u);
}

/* Without the engine's turn, so that what was posted can be seen. */
static void poll_port(struct socket_port *p)
{
	ck_assert_uint_ne(p->watch.events, 0);
	p->watch.fn(&p->watch, EPOLLIN);
}

START_TEST(a_connection_triggers_once)
{
	struct socket_unit *k = arm_tcp(false, "a.socket");
	int32_t slots[4];
	const char *names[4];
	struct ledger_entry seen;

	client(bank_fd(k->ports[0].slot - 1));
	poll_port(&k->ports[0]);
	ck_assert_uint_eq(fake_posted(EV_TRIGGER), 1);
	ck_assert_uint_eq(k->ports[0].watch.events, 0);
	ck_assert(list_is_linked(
		&k->ports[0].learn.node)); /* who it was is asked when the spawn is on its way */
	loop_undefer(&k->ports[0].learn);
	k->ports[0].learn.fn(&k->ports[0].learn);
	seen = *ledger_get(fake.engine.ledger, fake.engine.ledger->next - 1);
	ck_assert_uint_eq(seen.kind, LEDGER_TRIGGER);
	ck_assert_uint_eq(seen.cause, CAUSE_CONNECTION);
	ck_assert(!strncmp(ledger_text(fake.engine.ledger, &seen), "127.0.0.1:", 10));
	ck_assert_str_ne(ledger_text(fake.engine.ledger, &seen),
			 "127.0.0.1:0"); /* the peer, not the listener */
	ck_assert_uint_eq(socket_activator.fds(&fake, &k->unit, slots, names, 4), 1);
	ck_assert_str_eq(names[0], "a.socket");
	socket_activator.drop(&fake, &k->unit);
	ck_assert_ptr_null(k->ports);
	printf("rows: C25\n");
}
END_TEST

START_TEST(a_local_peer_is_known_by_its_uid)
{
	struct listener l;
	struct peer peer;
	char *why = NULL;
	char want[48];
	int fd, c;

	fake_open();
	l = unix_listener(LISTEN_STREAM, "a.sock");
	fd = listener_open("a.socket", &l, &fake_socket_config, &why);
	ck_assert_int_eq(listen(fd, 5), 0);
	ck_assert(!peer_of_waiting(fd, true, &peer));
	c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(c, &l.addr.sa, l.addr_n), 0);
	/* No diagnosis in this kernel: the address will do. */
	if (!peer_of_waiting(fd, false, &peer))
		return;
	ck_assert_uint_eq(peer.uid, geteuid());
	snprintf(want, sizeof(want), "uid %u", geteuid());
	ck_assert_str_eq(peer.text, want);
	ck_assert(peer_of_waiting(fd, true, &peer)); /* our own process is not looked at */
	ck_assert_int_eq(peer.pid, 0);
}
END_TEST

START_TEST(too_many_triggers_fail_the_socket)
{
	struct socket_unit *k = arm_tcp(false, "a.socket");

	fake_socket_config.trigger_limit_burst = 3;
	client(bank_fd(k->ports[0].slot - 1));
	for (unsigned i = 0; i < 4; i++) {
		socket_activator.watch(&fake, &k->unit);
		poll_port(&k->ports[0]);
	}
	ck_assert_uint_eq(fake_posted(EV_TRIGGER), 3);
	ck_assert_uint_eq(fake_posted(EV_ARM_FAILED), 1);
	ck_assert_uint_eq(k->result, SRES_TRIGGER_LIMIT);
}
END_TEST

static struct bank_note answer(const struct bank_req *q, int err)
{
	struct bank_note n =
		note_of(AF_INET, "127.0.0.1", 22, "10.0.0.7", (uint16_t)(1000 + q->slot));

	n.slot = q->slot;
	n.token = q->token;
	n.err = err;
	return n;
}

/* PID 1 answers what it was asked for the port: the first time for what we saw, then for whom it awaited. */
static struct bank_req come(struct socket_port *p, int err)
{
	struct bank_req q;
	struct bank_note n;

	if (list_is_linked(&p->next.node)) {
		loop_undefer(&p->next);
		p->next.fn(&p->next);
	}
	if (!p->waiter)
		poll_port(p);
	q = fake_request(p->waiter ? BANK_AWAIT : BANK_ACCEPT);
	ck_assert_int_eq(q.refs[0], (int)p->slot - 1);
	n = answer(&q, err);
	accept_answered(&fake, &n);
	return q;
}

START_TEST(connections_become_instances)
{
	struct socket_unit *k = arm_tcp(true, "b.socket");
	struct bank_req q;
	struct bank_note n;
	struct unit *u;

	poll_port(&k->ports[0]);
	q = fake_request(BANK_ACCEPT);
	ck_assert_int_eq(q.refs[0], (int)k->ports[0].slot - 1);
	n = answer(&q, 0);
	accept_answered(&fake, &n);
	ck_assert_uint_eq(k->n_connections, 1);
	ck_assert_uint_eq(k->n_accepted, 1);
	ck_assert_ptr_null(procs_find(&fake, q.slot, q.token));
	for (uint32_t id = 0; id < fake.reg.n; id++) {
		u = registry_unit(&fake.reg, id);
		if (u && !strncmp(u->name, "b@0-127.0.0.1:22-10.0.0.7:", 26))
			break;
		u = NULL;
	}
	ck_assert_ptr_nonnull(u);
	ck_assert_uint_eq(service_of(u)->conn_slot, q.slot + 1);
	ck_assert_uint_eq(service_of(u)->socket_unit, k->unit.id);
	ck_assert_str_eq(service_of(u)->remote_addr, "10.0.0.7");
	ck_assert_uint_ne(u->work->job.id, 0);
	/* the queue is empty: PID 1 awaits the next one, and we see nothing of it */
	ck_assert_uint_ne(k->ports[0].waiter, 0);
	ck_assert_uint_eq(k->ports[0].watch.events, 0);
	/* a reply that is told again after a takeover changes nothing */
	accept_answered(&fake, &n);
	ck_assert_uint_eq(k->n_connections, 1);
	accept_instance_gone(&fake, service_of(u));
	ck_assert_uint_eq(k->n_connections, 0);
	ck_assert_uint_eq(fake_request(BANK_DROP).slot, q.slot);
	printf("rows: D16 D+9\n");
}
END_TEST

START_TEST(the_next_one_is_awaited)
{
	struct socket_unit *k = arm_tcp(true, "b.socket");
	struct socket_port *p = &k->ports[0];
	struct bank_req q;
	struct bank_note n;

	come(p, 0);
	come(p, 0);
	ck_assert_uint_eq(k->n_connections, 2);
	/* his service first */
	ck_assert_uint_eq(p->waiter, 0);
	ck_assert(list_is_linked(&p->next.node));
	fake_turns(1);
	ck_assert_uint_ne(p->waiter, 0);
	q = fake_request(BANK_AWAIT);
	/* at rest it is recalled, and who came before PID 1 heard that is dealt with */
	socket_activator.disarm(&fake, &k->unit);
	ck_assert_uint_eq(p->waiter, 0);
	ck_assert_uint_eq(fake_request(BANK_ACCEPT).slot, q.slot);
	n = answer(&q, 0);
	accept_answered(&fake, &n);
	ck_assert_uint_eq(k->n_connections + k->n_refused, 3);
	ck_assert_uint_eq(p->waiter | p->asked_n | p->watch.events, 0);
	/* wanted again, it is looked at by us first */
	socket_activator.watch(&fake, &k->unit);
	ck_assert_uint_ne(p->watch.events, 0);
	come(p, -EAGAIN);
	q = fake_request(BANK_AWAIT);
	socket_activator.drop(&fake, &k->unit);
	ck_assert_uint_eq(fake_request(BANK_ACCEPT).slot, q.slot);
	n = answer(&q, -EAGAIN);
	accept_answered(&fake, &n);
	ck_assert_ptr_null(procs_find(&fake, q.slot, q.token));
}
END_TEST

START_TEST(more_than_allowed_are_closed)
{
	struct socket_unit *k = arm_tcp(true, "b.socket");
	struct bank_req q;

	for (unsigned i = 0; i < 3; i++)
		q = come(&k->ports[0], 0);
	ck_assert_uint_eq(k->n_connections, 2);
	ck_assert_uint_eq(k->n_refused, 1);
	ck_assert_uint_eq(fake_request(BANK_DROP).slot, q.slot);
}
END_TEST

START_TEST(one_source_has_its_limit)
{
	struct socket_unit *k = arm_tcp(true, "b.socket");

	fake_socket_config.max_connections_per_source = 1;
	for (unsigned i = 0; i < 2; i++)
		(void)come(&k->ports[0], 0);
	ck_assert_uint_eq(k->n_connections, 1);
	ck_assert_uint_eq(k->n_refused, 1);
}
END_TEST

START_TEST(without_descriptors_it_waits)
{
	struct socket_unit *k = arm_tcp(true, "b.socket");
	struct socket_port *p = &k->ports[0];
	uint64_t last = 0;

	for (unsigned i = 0; i < 12; i++) {
		if (!p->watch.events)
			p->retry.fn(&p->retry);
		(void)come(p, -EMFILE);
		ck_assert_uint_eq(p->watch.events, 0);
		ck_assert(p->retry.is_armed);
		ck_assert_uint_ge(p->retry_us, last);
		last = p->retry_us;
	}
	ck_assert_uint_eq(last, US_PER_SEC);
	p->retry.fn(&p->retry);
	(void)come(p, -EAGAIN); /* the client went away again */
	ck_assert_uint_ne(p->waiter, 0);
	ck_assert_uint_eq(k->n_refused, 0);
}
END_TEST

START_TEST(a_closed_socket_takes_no_late_connection)
{
	struct socket_unit *k = arm_tcp(true, "b.socket");
	struct bank_req q;
	struct bank_note n;

	poll_port(&k->ports[0]);
	q = fake_request(BANK_ACCEPT);
	socket_activator.drop(&fake, &k->unit);
	(void)fake_request(BANK_DROP);
	n = answer(&q, 0);
	accept_answered(&fake, &n);
	ck_assert_uint_eq(fake_request(BANK_DROP).slot, q.slot);
	ck_assert_uint_eq(k->n_connections, 0);
}
END_TEST

START_TEST(a_new_manager_finds_its_listener)
{
	struct socket_unit *k = arm_tcp(false, "a.socket");
	uint32_t slot = k->ports[0].slot - 1;
	char *why = NULL;

	fake_table->generation = 2;
	fake_table->high = slot + 1;
	fake_table->slot[slot].kind = BANK_FD;
	snprintf(fake_table->name[slot], BANK_NAME, "a.socket/ListenStream=127.0.0.1:0");
	loop_unwatch(&fake.loop, &k->ports[0].watch);
	mem_put(k->ports); /* the old manager is dead */
	k->ports = NULL;
	k->ports_n = 0;
	ck_assert_int_eq(socket_activator.arm(&fake, &k->unit, &why), 0);
	ck_assert_uint_eq(k->ports[0].slot, slot + 1);
	ck_assert_int_lt(
		recv(fake_pid1, &(struct bank_req){0}, sizeof(struct bank_req), MSG_DONTWAIT), 0);
	printf("rows: B20\n");
}
END_TEST

/* --- output --- */

/* Of the pipe that the next request leaves there; a service gets a duplicate of it. */
static int what_pid1_keeps(void)
{
	struct bank_req q;
	struct iovec iov = {&q, sizeof(q)};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	int fd;

	ck_assert_int_eq(recvmsg(fake_pid1, &m, MSG_DONTWAIT), (int)sizeof(q));
	ck_assert_uint_eq(q.op, BANK_STORE);
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

/* One slot for the whole pipe: what PID 1 has keeps it alive by itself and blocks, what is read from does not. */
START_TEST(the_pipe_is_one_slot)
{
	struct service *s;
	struct output_at at = {0};
	int kept, slot;

	fake_open();
	s = service_of(fake_unit("o.service"));
	slot = output_open(&fake, &s->unit);
	ck_assert_int_ge(slot, 0);
	kept = what_pid1_keeps();
	ck_assert_int_lt(
		recv(fake_pid1, &(struct bank_req){0}, sizeof(struct bank_req), MSG_DONTWAIT), 0);
	ck_assert_int_eq(fcntl(kept, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
	ck_assert_int_eq(fcntl(bank_fd((uint32_t)slot), F_GETFL) & (O_ACCMODE | O_NONBLOCK),
			 O_RDONLY | O_NONBLOCK);
	/* The manager dies: the next one inherits what PID 1 has. */
	dprintf(kept, "before\n");
	output_close(&fake, &s->unit);
	s->out.slot = (uint32_t)slot + 1;
	ck_assert_int_eq(dup2(kept, bank_fd((uint32_t)slot)), bank_fd((uint32_t)slot));
	ck_assert_int_eq(output_adopt(&fake, &s->unit), 0);
	ck_assert_int_eq(fcntl(bank_fd((uint32_t)slot), F_GETFL) & (O_ACCMODE | O_NONBLOCK),
			 O_RDONLY | O_NONBLOCK);
	output_drain(&fake, &s->unit);
	ck_assert(output_next(&s->unit, false, &at));
	ck_assert(str_eq_z(at.line, "before"));
	output_drain(&fake, &s->unit);
}
END_TEST

START_TEST(the_last_lines_are_kept)
{
	struct service *s;
	struct output_at at = {0};
	unsigned n = 0;
	int fd;
	static char big[3000];

	fake_open();
	s = service_of(fake_unit("o.service"));
	ck_assert_int_ge(output_open(&fake, &s->unit), 0);
	ck_assert_int_eq(output_open(&fake, &s->unit), (int)s->out.slot - 1);
	fd = what_pid1_keeps();
	for (unsigned i = 0; i < 40; i++)
		dprintf(fd, "line %u\n", i);
	dprintf(fd, "unfinished");
	output_drain(&fake, &s->unit);
	for (; output_next(&s->unit, true, &at); at.number++) {
		char want[32];

		snprintf(want, sizeof(want), "line %u", 24 + n++);
		ck_assert(str_eq_z(at.line, n > OUTPUT_LINES ? "unfinished" : want));
		ck_assert_uint_gt(at.wall_us, 0);
	}
	ck_assert_uint_eq(n, OUTPUT_LINES + 1);
	/* Lines have numbers that stay; the one that has not ended has none for who wants whole ones. */
	at.number = 30;
	ck_assert(output_next(&s->unit, false, &at));
	ck_assert(str_eq_z(at.line, "line 30"));
	at.number = 40;
	ck_assert(!output_next(&s->unit, false, &at));
	dprintf(fd, " but now\n");
	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(write(fd, big, sizeof(big)), (int)sizeof(big));
	output_drain(&fake, &s->unit);
	at.number = 0;
	ck_assert(output_next(&s->unit, false, &at));
	ck_assert_uint_le(at.line.n, OUTPUT_BYTES / 2);
	output_close(&fake, &s->unit);
	at.number = 0;
	ck_assert(!output_next(&s->unit, true, &at));
	ck_assert_uint_eq(s->out.slot, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("activate_socket");
	TCase *t = tcase_create("activate_socket");

	tcase_add_checked_fixture(t, NULL, fake_tidy);
	tcase_add_test(t, instances_are_named_like_systemd);
	tcase_add_test(t, waiting_peers_are_read);
	tcase_add_test(t, a_unix_socket_has_its_mode_and_parents);
	tcase_add_test(t, the_type_of_service_leaves_the_priority);
	tcase_add_test(t, a_file_in_the_way_is_not_touched);
	tcase_add_test(t, a_fifo_and_a_device);
	tcase_add_test(t, an_unknown_owner_refuses);
	tcase_add_test(t, a_connection_triggers_once);
	tcase_add_test(t, a_local_peer_is_known_by_its_uid);
	tcase_add_test(t, too_many_triggers_fail_the_socket);
	tcase_add_test(t, connections_become_instances);
	tcase_add_test(t, the_next_one_is_awaited);
	tcase_add_test(t, more_than_allowed_are_closed);
	tcase_add_test(t, one_source_has_its_limit);
	tcase_add_test(t, without_descriptors_it_waits);
	tcase_add_test(t, a_closed_socket_takes_no_late_connection);
	tcase_add_test(t, a_new_manager_finds_its_listener);
	tcase_add_test(t, the_pipe_is_one_slot);
	tcase_add_test(t, the_last_lines_are_kept);
	suite_add_tcase(s, t);
	return suite_run(s);
}
