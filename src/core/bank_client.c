/* SPDX-License-Identifier: MIT */
#include "core/bank_client.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "core/crashpoint.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/plan.h"

enum {
	WORD_BITS = 64,
	TAKEN_WORDS = (BANK_SLOTS + WORD_BITS - 1) / WORD_BITS,
	NAP_NS = 200 * 1000,
	SETTLE_NAPS = 5000,
	BEHIND = 64,     /* far from filling the channel, in which we would wait */
	SEND_TRIES = 10, /* after the first */
};

static const struct timespec nap = {.tv_nsec = NAP_NS};

static bool is_taken(const struct bank *b, uint32_t slot)
{
	return b->taken[slot / WORD_BITS] >> slot % WORD_BITS & 1;
}

static void set_taken(struct bank *b, uint32_t slot, bool value)
{
	uint64_t bit = UINT64_C(1) << slot % WORD_BITS;

	b->taken_n += (uint32_t)value - (uint32_t)is_taken(b, slot);
	if (value)
		b->taken[slot / WORD_BITS] |= bit;
	else
		b->taken[slot / WORD_BITS] &= ~bit;
}

void bank_name(char out[BANK_NAME], const char *unit, const char *what)
{
	enum { MARK = sizeof("~01234567") };
	size_t n = str_append(out, BANK_NAME, 0, str_of(unit));

	n = str_append(out, BANK_NAME, n, STR("/"));
	n = str_append(out, BANK_NAME, n, str_of(what));
	if (n >= BANK_NAME)
		snprintf(out + BANK_NAME - MARK, MARK, "~%08x",
			 str_hash(str_of(unit)) ^ str_hash(str_of(what)));
}

bool bank_has(const struct bank *b, uint32_t slot)
{
	return is_taken(b, slot);
}

/* Those from here on are PID 1's reserve. */
static uint32_t usable(const struct bank *b)
{
	return b->table->slots_n > BANK_RESERVE ? b->table->slots_n - BANK_RESERVE : 0;
}

bool bank_has_room(const struct bank *b, uint32_t n)
{
	return b->taken_n + n <= usable(b);
}

int bank_take(struct bank *b)
{
	uint32_t n = usable(b);

	for (uint32_t tried = 0; tried < n; tried++) {
		uint32_t slot = b->search < n ? b->search : 0;

		b->search = slot + 1;
		if (is_taken(b, slot))
			continue;
		set_taken(b, slot, true);
		return (int)slot;
	}
	return err_here(-ENOSPC);
}

void bank_release(struct bank *b, uint32_t slot)
{
	if (slot >= BANK_SLOTS)
		return;
	set_taken(b, slot, false);
	b->seen[slot] = (struct bank_seen){0};
	/* Low slots first: PID 1 looks through the table up to the highest one ever used. */
	if (slot < b->search)
		b->search = slot;
}

uint64_t bank_token(struct bank *b)
{
	return ++b->next_token;
}

/* Of the one channel there is: requests so far, those of the managers before included, which PID 1 has handled. */
static uint64_t sent_n;

/* The channel is a blocking socket on purpose: PID 1 always reads on, and a full one only means that it is busy. */
static int send_request(struct bank_req *q, const char *name, struct str plan, int fd)
{
	struct iovec iov[] = {{q, sizeof(*q)}, {(void *)(uintptr_t)plan.p, plan.n}};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = plan.n ? 2 : 1};
	ssize_t n;

	if (name)
		memcpy(q->name, name, strnlen(name, BANK_NAME - 1));
	q->plan_n = (uint32_t)plan.n;
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	n = sendmsg(BANK_CHANNEL_FD, &m, MSG_NOSIGNAL);
	/* What is not asked for is never done: what fails for a moment's lack of memory need not fail. */
	for (unsigned i = 0; n < 0 && errno != EPIPE && i < SEND_TRIES; i++) {
		if (errno != EINTR)
			(void)nanosleep(&nap, NULL);
		n = sendmsg(BANK_CHANNEL_FD, &m, MSG_NOSIGNAL);
	}
	if (n < 0)
		return err_here(-errno);
	sent_n++;
	crashpoint();
	return 0;
}

static void note_conn(const struct bank_table *t, struct bank_note *note)
{
	const struct bank_peer *p = &t->peer[note->slot];

	note->peer_uid = p->cred.uid;
	note->peer_pid = p->cred.pid;
	note->peer_n = p->peer_n;
	note->local_n = p->local_n;
	note->peer = p->peer;
	note->local = p->local;
}

static unsigned news_of(const struct bank_slot *s, uint8_t kind)
{
	/* of a slot that waits PID 1 has just begun to write who came */
	bool is_told = kind != BANK_WAITING &&
		       (s->op == BANK_SPAWN || s->op == BANK_ACCEPT || s->op == BANK_ADOPT);
	unsigned news = 0;

	if (kind == BANK_FREE ? s->code != 0 : is_told)
		news |= 1 << BANK_NOTE_REPLY;
	if (s->exec == BANK_EXECED && s->flags & (BANK_F_EXECED | BANK_F_DONATE))
		news |= 1 << BANK_NOTE_EXECED;
	if (s->exec == BANK_EXEC_FAILED)
		news |= 1 << BANK_NOTE_EXECFAIL;
	if (kind == BANK_DEAD)
		news |= 1 << BANK_NOTE_EXIT;
	return news;
}

/* Tell what is new in slot i, in the order it happened. What another request left there is no news. */
static void look_at(struct bank *b, uint32_t i)
{
	const struct bank_slot *s = &b->table->slot[i];
	struct bank_seen *seen = &b->seen[i];
	uint64_t token = seen->token;
	uint8_t kind = __atomic_load_n(&s->kind, __ATOMIC_ACQUIRE);
	unsigned news = news_of(s, kind);

	for (uint32_t n = BANK_NOTE_REPLY; n <= BANK_NOTE_EXIT; n++) {
		struct bank_note note = {n, s->op, i, 0, s->token, s->pid, s->code, s->status};

		if (!token || s->token != token || seen->token != token)
			return;
		if (!(news >> n & 1) || seen->told >> n & 1)
			continue;
		seen->told |= (uint8_t)(1U << n);
		note.end_us = s->end_us;
		if (kind == BANK_FREE)
			note.err = s->code;
		if (n == BANK_NOTE_EXECFAIL) {
			note.step = s->said.step;
			note.err = -s->said.err;
		}
		if (kind == BANK_CONN)
			note_conn(b->table, &note);
		crashpoint();
		b->on_note(b, &note);
	}
}

/* All that are not yet handled, for one may come right behind another. */
static void hear_signals(struct bank *b)
{
	/* the set is written before the count: it holds at least what was counted */
	b->signals = __atomic_load_n(&b->table->signals, __ATOMIC_ACQUIRE);
	for (uint64_t set = b->table->signal_set; set; set &= set - 1) {
		struct bank_note note = {.kind = BANK_NOTE_SIGNAL,
					 .status = __builtin_ctzll(set) + 1};

		crashpoint();
		b->on_note(b, &note);
	}
}

static void look(struct bank *b)
{
	const struct bank_table *t = b->table;
	uint32_t changed_n = __atomic_load_n(&t->changed_n, __ATOMIC_ACQUIRE);

	if (t->pings != b->pings) {
		b->pings = t->pings;
		(void)send_request(&(struct bank_req){.op = BANK_PONG}, NULL, STR(""), -1);
	}
	if (t->signals != b->signals)
		hear_signals(b);
	if (changed_n - b->changed_n > BANK_CHANGES) {
		/* Too late for the list. */
		for (uint32_t i = 0; i < t->high && i < BANK_SLOTS; i++)
			look_at(b, i);
		b->changed_n = changed_n;
	}
	while (b->changed_n != changed_n && b->watch.is_on)
		look_at(b, t->changed[b->changed_n++ % BANK_CHANGES]);
}

static void receive_bell(struct watch *w, uint32_t events UNUSED)
{
	struct bank *b = container_of(w, struct bank, watch);
	char bell[8];
	ssize_t n;

	/* One at a time: a second is told of again, and so is one that was not heard for want of memory. */
	n = recv(w->fd, bell, sizeof(bell), MSG_DONTWAIT);
	if (n > 0 || (n < 0 && errno != ECONNRESET)) {
		look(b);
		return;
	}
	loop_unwatch(b->loop, &b->watch);
	if (b->on_gone)
		b->on_gone(b);
}

/*
 * What the fork left us: stored descriptors are ours to watch; all others are closed here, or a connection given to a
 * service would stay open in the manager after the service closed it.
 */
static void take_over(struct bank *b)
{
	const struct bank_table *t = b->table;

	for (uint32_t i = 0; i < t->high && i < BANK_SLOTS; i++) {
		const struct bank_slot *s = &t->slot[i];
		bool is_child = s->kind == BANK_PROC || s->kind == BANK_DEAD;

		set_taken(b, i, s->kind != BANK_FREE);
		if (s->kind != BANK_FD)
			fd_close(bank_fd(i));
		else
			(void)fcntl(bank_fd(i), F_SETFD, FD_CLOEXEC);
		if (s->kind == BANK_FREE)
			continue;
		/* That a child was made and executed is seen in the table; of a connection perhaps nobody lived to hear. */
		b->seen[i].token = s->token;
		if (is_child)
			b->seen[i].told = 1 << BANK_NOTE_REPLY;
		if (is_child && s->exec == BANK_EXECED)
			b->seen[i].told |= 1 << BANK_NOTE_EXECED;
		if (s->donee)
			b->seen[i].told = 1 << BANK_NOTE_REPLY;
		/* For whom nobody knows any more: who came meanwhile is told of, and nothing waits. */
		if (s->kind == BANK_WAITING && bank_accept(b, i, s->token, s->listener) < 0)
			return;
	}
	set_taken(b, BANK_BINARY_NEW, true);
	set_taken(b, BANK_BINARY_GOOD, true);
	b->changed_n = t->changed_n - BANK_CHANGES - 1; /* all are looked at, at the first bell */
	b->signals = t->signals - (t->signal_set != 0); /* to be told again */
	b->pings = t->pings;
}

/* The manager is the last process to be sacrificed. Not ours to demand without the privilege. */
static void spare_from_oom(void)
{
	(void)!fd_write_small(AT_FDCWD, "/proc/self/oom_score_adj", "-1000");
}

static int flush_acks(struct bank *b)
{
	int r = 0;

	for (uint32_t i = 0; i < b->acks_n && r == 0; i++) {
		uint32_t slot = b->acks[i];
		struct bank_req q = {.op = BANK_ACK, .slot = slot, .token = b->seen[slot].token};

		r = send_request(&q, NULL, STR(""), -1);
		/* requests are performed in order: the slot is free before it is used again */
		bank_release(b, slot);
	}
	b->acks_n = 0;
	return r;
}

static void send_acks(struct task *t)
{
	struct bank *b = container_of(t, struct bank, send_acks);

	if (flush_acks(b) < 0)
		log_at(LOG_ERROR, "PID 1 does not take an acknowledgement");
}

int bank_open(struct bank *b, struct loop *loop)
{
	void *map;
	int r;

	if (fcntl(BANK_CHANNEL_FD, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(BANK_TABLE_FD, F_SETFD, FD_CLOEXEC) < 0)
		return err_here(-ENOTCONN);
	map = mmap(NULL, sizeof(struct bank_table), PROT_READ, MAP_SHARED, BANK_TABLE_FD, 0);
	if (map == MAP_FAILED)
		return err_here(-ENOTCONN);
	b->loop = loop;
	b->table = map;
	b->search = 0;
	sent_n = b->table->handled;
	/* Never the same again: the clock has passed every token that an earlier manager could have counted up to. */
	b->next_token = clock_mono_us() << 10;
	b->taken = mem_get(TAKEN_WORDS * sizeof(*b->taken));
	b->seen = mem_get(BANK_SLOTS * sizeof(*b->seen));
	r = !b->taken || !b->seen             ? err_here(-ENOMEM)
	    : b->table->layout != BANK_LAYOUT ? err_here(-EPROTO)
					      : 0;
	if (!r) {
		b->watch.fn = receive_bell;
		b->send_acks.fn = send_acks;
		r = loop_watch(loop, &b->watch, BANK_CHANNEL_FD, EPOLLIN);
	}
	if (!r) {
		take_over(b);
		spare_from_oom();
	}
	if (r < 0)
		bank_close(b);
	return r;
}

void bank_close(struct bank *b)
{
	if (b->watch.is_on)
		loop_unwatch(b->loop, &b->watch);
	loop_undefer(&b->send_acks);
	if (b->table)
		munmap((void *)(uintptr_t)b->table, sizeof(*b->table));
	mem_put(b->taken);
	mem_put(b->seen);
	b->table = NULL;
	b->taken = NULL;
	b->seen = NULL;
}

/* From now on news of the slot are those of this request. */
static void expect(struct bank *b, uint32_t slot, uint64_t token)
{
	set_taken(b, slot, true);
	b->seen[slot].token = token;
	b->seen[slot].told = 0;
}

/* Here the slot has the same descriptor as with PID 1, close-on-exec because only PID 1 passes it on. */
static int keep(uint32_t slot, int fd)
{
	if (fd == bank_fd(slot))
		return 0;
	return dup3(fd, bank_fd(slot), O_CLOEXEC) < 0 ? err_here(-errno) : 0;
}

int bank_store(struct bank *b, uint32_t slot, uint64_t token, const char *name, int fd, bool listen,
	       int backlog)
{
	struct bank_req q = {.op = BANK_STORE,
			     .slot = slot,
			     .token = token,
			     .flags = listen ? BANK_F_LISTEN : 0,
			     .arg = backlog};
	int r = keep(slot, fd);

	expect(b, slot, token);
	return r < 0 ? r : send_request(&q, name, STR(""), fd);
}

int bank_replace(struct bank *b, uint32_t slot, uint64_t token, const char *name, int fd)
{
	struct bank_req q = {.op = BANK_REPLACE, .slot = slot, .token = token};
	int r = keep(slot, fd);

	expect(b, slot, token);
	return r < 0 ? r : send_request(&q, name, STR(""), fd);
}

int bank_find(const struct bank *b, const char *name)
{
	for (uint32_t i = 0; i < b->table->high; i++)
		if (b->table->slot[i].kind == BANK_FD &&
		    strcmp(bank_slot_name(b->table, i), name) == 0)
			return (int)i;
	return -1;
}

int bank_keep(struct bank *b, int old, const char *name, int fd)
{
	int slot = old >= 0 ? old : bank_take(b);

	int r = slot < 0 ? slot : bank_replace(b, (uint32_t)slot, bank_token(b), name, fd);

	return r < 0 ? r : slot;
}

int bank_lasting(struct bank *b, const char *name, int (*make)(void))
{
	int slot = b->table ? bank_find(b, name) : -1;
	int fd = slot < 0 ? make() : bank_fd((uint32_t)slot);

	if (fd < 0 || slot >= 0 || !b->table) /* a self-test has no PID 1 */
		return fd;
	slot = bank_keep(b, -1, name, fd);
	if (slot < 0)
		return fd; /* better one that goes with us than none */
	fd_close(fd);
	return bank_fd((uint32_t)slot);
}

int bank_drop(struct bank *b, uint32_t slot)
{
	struct bank_req q = {.op = BANK_DROP, .slot = slot};
	int r = send_request(&q, NULL, STR(""), -1);

	if (r < 0)
		return r;
	/* A connection that PID 1 accepted in this manager's life has no number here. */
	fd_close(bank_fd(slot));
	bank_release(b, slot);
	return 0;
}

/* Requests that PID 1 has yet to come to. Less than none when it did the last one of a life of its own twice. */
static int64_t ahead(const struct bank *b)
{
	return (int64_t)(sent_n - __atomic_load_n(&b->table->handled, __ATOMIC_ACQUIRE));
}

bool bank_is_behind(const struct bank *b)
{
	return ahead(b) >= BEHIND;
}

/* Nobody rings for a request that went well; PID 1 needs microseconds, and who comes here had a reason to wait. */
bool bank_settle(const struct bank *b)
{
	for (unsigned i = 0; i < SETTLE_NAPS && ahead(b) > 0; i++)
		(void)nanosleep(&nap, NULL);
	return ahead(b) <= 0;
}

static int ask_for_connection(struct bank *b, enum bank_op op, uint32_t slot, uint64_t token,
			      uint32_t listen_slot)
{
	struct bank_req q = {.op = op,
			     .slot = slot,
			     .token = token,
			     .refs_n = 1,
			     .refs = {(int32_t)listen_slot}};

	expect(b, slot, token);
	return send_request(&q, NULL, STR(""), -1);
}

int bank_accept(struct bank *b, uint32_t slot, uint64_t token, uint32_t listen_slot)
{
	return ask_for_connection(b, BANK_ACCEPT, slot, token, listen_slot);
}

int bank_await(struct bank *b, uint32_t slot, uint64_t token, uint32_t listen_slot)
{
	return ask_for_connection(b, BANK_AWAIT, slot, token, listen_slot);
}

int bank_spawn(struct bank *b, const struct bank_spawn *s)
{
	struct bank_req q = {
		.op = BANK_SPAWN, .slot = s->slot, .token = s->token, .flags = s->flags};

	if (s->refs_n > BANK_REFS || s->plan.n > PLAN_INLINE)
		return err_here(-EMSGSIZE);
	expect(b, s->slot, s->token);
	q.refs_n = s->refs_n;
	if (s->refs_n)
		memcpy(q.refs, s->refs, s->refs_n * sizeof(*q.refs));
	if (s->cgroup_fd >= 0)
		q.flags |= BANK_F_CGROUP;
	if (plan_place(s->plan.p, s->plan.n) != PLAN_ANYWHERE)
		q.flags |= BANK_F_APART;
	return send_request(&q, s->name, s->plan, s->cgroup_fd);
}

int bank_signal(struct bank *b, uint32_t slot, uint64_t token, int sig)
{
	(void)b;
	return send_request(
		&(struct bank_req){.op = BANK_SIGNAL, .slot = slot, .token = token, .arg = sig},
		NULL, STR(""), -1);
}

int bank_adopt(struct bank *b, uint32_t slot, uint64_t token, const char *name, pid_t pid)
{
	struct bank_req q = {.op = BANK_ADOPT, .slot = slot, .token = token, .arg = pid};

	expect(b, slot, token);
	return send_request(&q, name, STR(""), -1);
}

int bank_ack(struct bank *b, uint32_t slot, uint64_t token)
{
	int r = b->acks_n == BANK_ACKS ? flush_acks(b) : 0;

	if (b->seen[slot].token != token)
		return err_here(-ESRCH);
	b->acks[b->acks_n++] = slot;
	loop_defer(b->loop, &b->send_acks);
	return r;
}

int bank_ping_every(struct bank *b UNUSED, uint64_t every_us)
{
	uint64_t seconds = (every_us + US_PER_SEC - 1) / US_PER_SEC;

	if (!seconds || seconds > INT32_MAX)
		return -ERANGE;
	return send_request(&(struct bank_req){.op = BANK_PONG, .arg = (int32_t)seconds}, NULL,
			    STR(""), -1);
}

int bank_heard(struct bank *b, int sig)
{
	return send_request(&(struct bank_req){.op = BANK_HEARD, .arg = sig, .token = b->signals},
			    NULL, STR(""), -1);
}

int bank_final(struct bank *b, int arg, bool is_exit, const char *exec_path, const char *words)
{
	struct bank_req q = {.op = BANK_FINAL, .arg = arg, .flags = is_exit ? BANK_F_EXIT : 0};
	AUTO_FD int fd = is_exit ? -1 : fd_open(AT_FDCWD, exec_path, O_RDONLY, 0);
	char command[BANK_NAME];

	(void)b;
	snprintf(command, sizeof(command), "%d%s%s", arg, words ? " " : "", words ? words : "");
	return send_request(&q, command, STR(""), fd < 0 ? -1 : fd);
}

int bank_keep_binary(struct bank *b, int fd)
{
	return bank_replace(b, BANK_BINARY_GOOD, bank_token(b), "harkd", fd);
}

int bank_try_binary(struct bank *b, int fd)
{
	return bank_replace(b, BANK_BINARY_NEW, bank_token(b), "harkd.new", fd);
}

bool bank_was_rolled_back(const struct bank *b)
{
	const struct bank_table *t = b->table;
	const struct bank_slot *good = &t->slot[BANK_BINARY_GOOD];

	/* The one that is being tried just now has no verdict yet. */
	return t->tried_us && t->tried_us != t->manager_us && good->since_us < t->tried_us;
}

int bank_reexec(struct bank *b, int fd)
{
	(void)b;
	return send_request(&(struct bank_req){.op = BANK_REEXEC}, NULL, STR(""), fd);
}
