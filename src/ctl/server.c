/* SPDX-License-Identifier: MIT */
#include "ctl/server.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/log.h"
#include "core/mem.h"
#include "ctl/call.h"
#include "ctl/serve.h"

enum {
	CONNS = 256,         /* all together */
	CONNS_FOR_ROOT = 16, /* of them only for uid 0 */
	CONNS_UID = 64,
	ACCEPTS = 16, /* a turn */
	IDLE_US = 60 * 1000 * 1000,
	SHARE_US = 1000, /* of one turn of the loop for a call; then the others are looked at */
	UNSENT_MAX = 256 * 1024, /* rows of one step that a slow reader may leave behind */
};

struct conn {
	struct list node;
	struct watch watch;
	struct timer timer; /* idle, stuck, or the deadline of the call */
	struct task task;   /* something the call waits for has happened */
	struct server *server;
	int fd;
	bool is_busy;     /* a call is being answered */
	bool is_finished; /* ... and only what is in its reply is to be sent */
	bool is_stuck;    /* the socket took no more */
	uint32_t request;
	uid_t uid;
	pid_t pid;
	struct call call;
};

struct server {
	struct hark *h;
	struct watch watch;
	int fd;
	struct list conns;
	unsigned conns_n;
	struct wire_in in; /* the frame in hand; here because it is too big for a stack */
	struct wire_out out;
};

static void conn_free(struct conn *c)
{
	struct loop *loop = &c->server->h->loop;

	loop_unwatch(loop, &c->watch);
	loop_timer_disarm(loop, &c->timer);
	loop_undefer(&c->task);
	fd_close(c->fd);
	list_del(&c->node);
	c->server->conns_n--;
	call_fini(&c->call);
	mem_put(c);
}

/* One frame of what waits; the last one carries the exit status. 1 sent all there is, 0 sent a part, -errno. */
static int send_frame(struct conn *c)
{
	struct wire_out *frame = &c->server->out;
	size_t at = 0;
	bool is_last = false;
	int r;

	engine_digest(&c->server->h->engine); /* what was promised is stored before it is told */
	if (c->is_finished) {
		wire_begin(frame, FRAME_END, c->request);
		is_last = wire_put_u64(frame, TAG_EXIT, (uint64_t)c->call.exit);
		reply_fill(&c->call.reply, frame, &at);
		is_last = is_last && at == c->call.reply.out.n;
	}
	if (!is_last) {
		wire_begin(frame, FRAME_PAGE, c->request);
		reply_fill(&c->call.reply, frame, &at);
	}
	r = wire_send(c->fd, frame);
	if (r < 0)
		return r;
	reply_sent(&c->call.reply, at);
	return is_last || (!c->is_finished && reply_left(&c->call.reply) == 0);
}

static void end_call(struct conn *c)
{
	call_fini(&c->call);
	c->is_busy = c->is_finished = false;
}

/* Take the handler's next step. 1 go on, 0 it waits, -errno. */
static int step_call(struct conn *c)
{
	int r;

	c->call.due_us = TIME_NEVER;
	r = call_handlers[c->call.request.verb->id](&c->call);
	if (r < 0)
		return r;
	if (c->call.reply.out.err)
		return c->call.reply.out.err;
	c->is_finished = r == CALL_DONE;
	return r != CALL_WAIT;
}

/* A process that was asked for is on its way before anybody is told of its job: the engine comes first, if it has anything to do. */
static bool yields(struct conn *c)
{
	struct hark *h = c->server->h;
	bool is_due = engine_is_due(&h->engine);

	if (is_due)
		loop_defer(&h->loop, &c->task);
	return is_due;
}

/* The same, of a call that makes jobs. */
static bool tells_later(struct conn *c)
{
	const struct verb *v = c->call.request.verb;

	return v && call_handlers[v->id] == serve_job && yields(c);
}

/* Steps and sends until the answer is complete, the handler waits, its time is up or the socket is full. 0 or -errno (close). */
static int pump(struct conn *c)
{
	const struct loop *loop = &c->server->h->loop;
	uint64_t until_us = time_add(loop_now_us(loop), SHARE_US);
	bool is_waiting = false;

	c->is_stuck = false;
	while (c->is_busy) {
		int r = 1;
		/* Small steps share a frame; what is known before a wait is shown at once. */
		bool is_due = reply_left(&c->call.reply) >= WIRE_FRAME / 2 || is_waiting;

		if (c->is_finished || (is_due && reply_left(&c->call.reply) > 0)) {
			if (tells_later(c))
				return 0;
			r = send_frame(c);
			if (r == -EAGAIN) {
				c->is_stuck = true;
				return reply_left(&c->call.reply) > UNSENT_MAX ? -ENOBUFS : 0;
			}
			if (r < 0)
				return r;
			if (r == 1 && c->is_finished)
				end_call(c);
			continue;
		}
		if (is_waiting)
			return 0;
		if (loop_now_us(loop) >= until_us) {
			c->call.due_us = until_us;
			return 0;
		}
		r = step_call(c);
		if (r < 0)
			return r;
		is_waiting = r == 0;
	}
	return 0;
}

/* What to listen for and until when, after anything was done. */
static void settle(struct conn *c)
{
	struct loop *loop = &c->server->h->loop;
	uint32_t events = EPOLLRDHUP;
	uint64_t due = time_add(loop_now_us(loop), IDLE_US);

	if (c->is_stuck)
		events |= EPOLLOUT;
	else if (!c->is_busy)
		events |= EPOLLIN;
	else
		due = c->call.due_us; /* a job may take as long as it takes */
	if (c->watch.events != events && loop_rewatch(loop, &c->watch, events) < 0) {
		conn_free(c);
		return;
	}
	loop_timer_arm(loop, &c->timer, due);
}

static void run_conn(struct conn *c)
{
	int r = pump(c);

	if (r < 0)
		conn_free(c);
	else
		settle(c);
}

/* A mistake the sender is told about; the connection stays. */
static void refuse_call(struct conn *c, int exit_code, const char *why)
{
	call_error(&c->call, exit_code, NULL, "%s", why);
	c->is_finished = true;
}

/* A bridge of root's asks for somebody else: then that one's rights and name count. */
static bool take_caller(struct call *c)
{
	struct str text = str_of(c->request.options[OPT_CALLER]), uid;
	uint64_t number[2];

	if (!text.p)
		return true;
	if (c->uid != 0 || !str_cut(&text, ':', &uid) || str_to_u64(uid, &number[0]) < 0 ||
	    str_to_u64(text, &number[1]) < 0 || number[0] > UINT32_MAX || number[1] > INT32_MAX)
		return false;
	c->uid = (uid_t)number[0];
	c->pid = (pid_t)number[1];
	c->fd = -1;
	c->may_change = c->uid == 0 || c->uid == c->h->uid;
	return true;
}

/* What a manager may do that knows no unit. */
static bool is_safe_verb(const struct verb *v)
{
	return v->access == ACCESS_READ || v->id == VERB_REEXEC || v->id == VERB_POWEROFF ||
	       v->id == VERB_REBOOT || v->id == VERB_HALT || v->id == VERB_KEXEC ||
	       v->id == VERB_SOFT_REBOOT || v->id == VERB_EXIT;
}

/* 0 or -errno (close). */
static int begin_call(struct conn *c)
{
	struct wire_in *in = &c->server->in;
	const char *why = NULL;
	struct hark *h = c->server->h;
	int r = wire_recv(c->fd, in);

	if (r < 0)
		return r == -EAGAIN ? 0 : r;
	c->request = in->request;
	c->call = (struct call){
		.h = h, .uid = c->uid, .pid = c->pid, .fd = c->fd, .due_us = TIME_NEVER};
	c->call.may_change = c->uid == 0 || c->uid == h->uid;
	r = request_decode(in, &c->call.request, &why);
	if (r < 0 && r != -EINVAL)
		return r;
	c->is_busy = true;
	if (r == -EINVAL)
		refuse_call(c, EXIT_USAGE, why);
	else if (!take_caller(&c->call))
		refuse_call(c, EXIT_USAGE, "only root asks for others, as UID:PID");
	else if (!call_handlers[c->call.request.verb->id])
		refuse_call(c, EXIT_USAGE, "the manager does not answer this verb");
	else if (c->call.request.verb->access == ACCESS_CHANGE && !c->call.may_change)
		refuse_call(c, EXIT_NO_PERMISSION, "only root may do this");
	else if (h->is_safe && !is_safe_verb(c->call.request.verb))
		refuse_call(
			c, EXIT_FAILED,
			"safe mode: the manager does not touch what runs; `harkctl crashes` tells why, "
			"`harkctl reexec` leaves it");
	else if (c->call.request.verb->access == ACCESS_CHANGE)
		c->call.asked = asked_find(&h->asked, c->call.request.id, c->uid);
	return 0;
}

static void on_conn(struct watch *w, uint32_t events)
{
	struct conn *c = container_of(w, struct conn, watch);

	/* A reader that went away: its jobs go on, the answer does not. */
	if ((events & (EPOLLHUP | EPOLLERR)) || ((events & EPOLLRDHUP) && c->is_busy)) {
		conn_free(c);
		return;
	}
	if ((events & (EPOLLIN | EPOLLRDHUP)) && !c->is_busy && begin_call(c) < 0) {
		conn_free(c);
		return;
	}
	run_conn(c);
}

static void on_conn_timer(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);

	if (c->is_busy && !c->is_stuck)
		run_conn(c); /* the handler's own deadline */
	else
		conn_free(c);
}

static void on_conn_task(struct task *t)
{
	struct conn *c = container_of(t, struct conn, task);

	if (!c->is_stuck && !yields(c))
		run_conn(c);
}

static bool has_room(const struct server *s, uid_t uid)
{
	unsigned n = 0;

	if (s->conns_n >= CONNS || (uid != 0 && s->conns_n >= CONNS - CONNS_FOR_ROOT))
		return false;
	if (uid == 0)
		return true;
	list_for_each(node, &s->conns) {
		if (list_entry(node, struct conn, node)->uid == uid)
			n++;
	}
	return n < CONNS_UID;
}

/* Best effort: who is turned away is told so. */
static void turn_away(struct server *s, int fd)
{
	struct reply reply = {0};
	size_t at;

	reply_row(&reply, "error");
	reply_text_z(&reply, "text", "too many connections to the manager");
	reply_row_end(&reply);
	wire_begin(&s->out, FRAME_END, 0);
	reply_fill(&reply, &s->out, &at);
	if (wire_put_u64(&s->out, TAG_EXIT, EXIT_FAILED) && !reply.out.err)
		(void)!wire_send(fd, &s->out);
	reply_fini(&reply);
}

/* A connection that owns fd from now on; NULL: it was turned away, and fd is still the caller's. */
static struct conn *add_conn(struct server *s, int fd)
{
	AUTO_MEM struct conn *c = mem_get(sizeof(*c));
	uid_t uid;
	pid_t pid;
	int r = wire_peer(fd, &uid, &pid);

	if (r < 0)
		return NULL;
	if (!c || !has_room(s, uid)) {
		turn_away(s, fd);
		return NULL;
	}
	c->server = s;
	c->uid = uid;
	c->pid = pid;
	c->watch.fn = on_conn;
	c->timer.fn = on_conn_timer;
	c->task.fn = on_conn_task;
	if (loop_watch(&s->h->loop, &c->watch, fd, EPOLLIN | EPOLLRDHUP) < 0)
		return NULL;
	c->fd = fd;
	loop_timer_arm(&s->h->loop, &c->timer, time_add(loop_now_us(&s->h->loop), IDLE_US));
	list_add_tail(&s->conns, &c->node);
	s->conns_n++;
	return take_ptr(c); /* the list's */
}

static void on_listen(struct watch *w, UNUSED uint32_t events)
{
	struct server *s = container_of(w, struct server, watch);

	for (unsigned i = 0; i < ACCEPTS; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct conn *c = fd < 0 ? NULL : add_conn(s, fd);

		if (fd < 0)
			return;
		if (!c)
			fd_close(fd);
		else /* a client asks at once: it need not wait for another turn */
			on_conn(&c->watch, EPOLLIN);
	}
}

static int control_path(const struct hark *h, char *out, size_t cap)
{
	int n = snprintf(out, cap, "%s/control", h->run_dir);

	return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG : 0;
}

/*
 * The listening socket of an earlier manager, if clients still get to it by that path, or a new one, left with PID 1: who comes while
 * no manager lives waits in the queue.
 */
static int open_listener(struct bank *b, const char *path)
{
	int old = bank_find(b, "control"), fd = old >= 0 ? bank_fd((uint32_t)old) : -1;
	struct sockaddr_un a = {0};
	socklen_t n = sizeof(a) - 1; /* a NUL stays behind the path */
	int r;

	if (fd >= 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0 &&
	    strcmp(a.sun_path, path) == 0 && access(path, F_OK) == 0)
		return fd;
	fd = wire_listen(path, 0666);
	r = fd < 0 ? fd : bank_keep(b, old, "control", fd);
	if (r < 0 && fd >= 0)
		log_at(LOG_WARN, "clients are refused while no manager lives: %s", strerror(-r));
	return fd;
}

int server_open(struct hark *h)
{
	AUTO_MEM struct server *s = mem_get(sizeof(*s));
	char path[128];
	int r = control_path(h, path, sizeof(path));

	if (!s)
		return err_here(-ENOMEM);
	if (r < 0)
		return err_here(r);
	list_init(&s->conns);
	s->h = h;
	s->watch.fn = on_listen;
	s->fd = open_listener(&h->bank, path);
	if (s->fd < 0)
		return s->fd;
	r = loop_watch(&h->loop, &s->watch, s->fd, EPOLLIN);
	if (r < 0) {
		fd_close(s->fd);
		return r;
	}
	h->server = take_ptr(s);
	return 0;
}

void server_close(struct hark *h)
{
	struct server *s = h->server;
	char path[128];

	if (!s)
		return;
	list_for_each_safe(node, &s->conns)
		conn_free(list_entry(node, struct conn, node));
	loop_unwatch(&h->loop, &s->watch);
	fd_close(s->fd);
	if (control_path(h, path, sizeof(path)) == 0)
		unlink(path);
	mem_put(s);
	h->server = NULL;
}

/* Not now: we are called while events are digested. */
static void wake(struct hark *h, struct conn *c)
{
	loop_defer(&h->loop, &c->task);
}

/* What that client is to be told of the unit by; NULL: it did not ask. */
static struct monitor *follower(struct conn *c, const struct unit *u)
{
	return c->call.monitor && call_means(&c->call, u) ? c->call.monitor : NULL;
}

void server_job_done(struct hark *h, struct unit *u, uint32_t id, enum job_type type,
		     enum job_result result)
{
	if (!h->server)
		return;
	list_for_each(node, &h->server->conns) {
		struct conn *c = list_entry(node, struct conn, node);
		struct monitor *m = follower(c, u);

		if (m) {
			monitor_job_done(m, u, id, type, result);
			wake(h, c);
		}
		for (unsigned i = 0; i < c->call.waits_n; i++) {
			struct call_wait *w = &c->call.waits[i];

			if (w->job != id || w->unit != u->id || w->is_done)
				continue;
			w->is_done =
				true; /* the type stays what was asked for: a restart ends as a start */
			w->result = (uint8_t)result;
			w->end_us = loop_now_us(&h->loop);
			if (!u->work->pending_fx) /* who is told that it is done shall find it done */
				wake(h, c);
		}
	}
}

void server_performed(struct hark *h, const struct unit *u)
{
	if (!h->server)
		return;
	list_for_each(node, &h->server->conns) {
		struct conn *c = list_entry(node, struct conn, node);

		for (unsigned i = 0; i < c->call.waits_n; i++)
			if (c->call.waits[i].is_done && c->call.waits[i].unit == u->id)
				wake(h, c);
	}
}

void server_changed(struct hark *h, struct unit *u)
{
	if (!h->server)
		return;
	list_for_each(node, &h->server->conns) {
		struct conn *c = list_entry(node, struct conn, node);
		struct monitor *m = follower(c, u);

		if (m) {
			monitor_changed(m, u);
			wake(h, c);
		}
		for (unsigned i = 0; i < c->call.waits_n; i++)
			if (c->call.waits[i].is_watched && c->call.waits[i].unit == u->id)
				wake(h, c);
	}
}

void server_gone(struct hark *h, const struct unit *u)
{
	if (!h->server)
		return;
	list_for_each(node, &h->server->conns) {
		struct conn *c = list_entry(node, struct conn, node);
		struct monitor *m = follower(c, u);

		if (m) {
			monitor_gone(m, u);
			wake(h, c);
		}
	}
}

void server_news(struct hark *h, enum manager_news news)
{
	if (!h->server)
		return;
	list_for_each(node, &h->server->conns) {
		struct conn *c = list_entry(node, struct conn, node);
		struct monitor *m = c->call.monitor;

		if (m) {
			m->news |= (uint8_t)(1u << news);
			wake(h, c);
		}
	}
}
