/* SPDX-License-Identifier: MIT */
#include "core/bank_client.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/crashpoint.h"
#include "core/fd.h"
#include "core/mem.h"
#include "core/plan.h"

enum {
	NOTES_A_TURN = 16,
	WORD_BITS = 64,
	TAKEN_WORDS = (BANK_SLOTS + WORD_BITS - 1) / WORD_BITS,
};

static bool is_taken(const struct bank *b, uint32_t slot)
{
	return b->taken[slot / WORD_BITS] >> slot % WORD_BITS & 1;
}

static void set_taken(struct bank *b, uint32_t slot, bool value)
{
	uint64_t bit = UINT64_C(1) << slot % WORD_BITS;

	if (value)
		b->taken[slot / WORD_BITS] |= bit;
	else
		b->taken[slot / WORD_BITS] &= ~bit;
}

void bank_name(char out[BANK_NAME], const char *unit, const char *what)
{
	snprintf(out, BANK_NAME, "%s/%s", unit, what);
}

bool bank_has(const struct bank *b, uint32_t slot)
{
	return is_taken(b, slot);
}

int bank_take(struct bank *b)
{
	uint32_t n = b->table->slots_n > BANK_RESERVE ? b->table->slots_n - BANK_RESERVE : 0;

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
	/* Low slots first: PID 1 looks through the table up to the highest one ever used. */
	if (slot < b->search)
		b->search = slot;
}

uint64_t bank_token(struct bank *b)
{
	return ++b->next_token;
}

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
	do
		n = sendmsg(BANK_CHANNEL_FD, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_here(-errno);
	crashpoint();
	return 0;
}

static void take_note(struct bank *b, const struct bank_note *note, size_t n)
{
	if (n < offsetof(struct bank_note, peer) || note->kind >= BANK_NOTE_COUNT)
		return;
	crashpoint();
	/* Answered here: a manager whose loop turns is alive. */
	if (note->kind == BANK_NOTE_PING)
		(void)send_request(&(struct bank_req){.op = BANK_PONG}, NULL, STR(""), -1);
	else if (b->on_note)
		b->on_note(b, note);
}

/* All that waits in one call; what does not fit is told of again, as the watch goes by levels. */
static void receive_notes(struct watch *w, uint32_t events)
{
	struct bank *b = container_of(w, struct bank, watch);
	struct bank_note notes[NOTES_A_TURN] = {0};
	struct iovec iov[NOTES_A_TURN];
	struct mmsghdr m[NOTES_A_TURN] = {0};
	int n;

	(void)events;
	for (unsigned i = 0; i < NOTES_A_TURN; i++) {
		iov[i] = (struct iovec){&notes[i], sizeof(notes[i])};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	n = recvmmsg(w->fd, m, NOTES_A_TURN, MSG_DONTWAIT, NULL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	for (int i = 0; i < n && m[i].msg_len > 0 && b->watch.is_on; i++)
		take_note(b, &notes[i], m[i].msg_len);
	if (n > 0 && m[n - 1].msg_len > 0)
		return;
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
	for (uint32_t i = 0; i < b->table->high && i < BANK_SLOTS; i++) {
		set_taken(b, i, b->table->slot[i].kind != BANK_FREE);
		if (b->table->slot[i].kind != BANK_FD)
			fd_close(bank_fd(i));
		else
			(void)fcntl(bank_fd(i), F_SETFD, FD_CLOEXEC);
	}
}

/* The manager is the last process to be sacrificed. Not ours to demand without the privilege. */
static void spare_from_oom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "-1000", 5);
	close(fd);
}

int bank_open(struct bank *b, struct loop *loop)
{
	struct bank_req hello = {.op = BANK_HELLO, .arg = BANK_LAYOUT};
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
	/* Never the same again: the clock has passed every token that an earlier manager could have counted up to. */
	b->next_token = clock_mono_us() << 10;
	b->taken = mem_get(TAKEN_WORDS * sizeof(*b->taken));
	r = !b->taken ? err_here(-ENOMEM) : b->table->layout != BANK_LAYOUT ? err_here(-EPROTO) : 0;
	if (!r) {
		b->watch.fn = receive_notes;
		r = loop_watch(loop, &b->watch, BANK_CHANNEL_FD, EPOLLIN);
	}
	if (!r) {
		take_over(b);
		spare_from_oom();
	}
	if (!r)
		r = send_request(&hello, NULL, STR(""), -1);
	if (r < 0)
		bank_close(b);
	return r;
}

void bank_close(struct bank *b)
{
	if (b->watch.is_on)
		loop_unwatch(b->loop, &b->watch);
	if (b->table)
		munmap((void *)(uintptr_t)b->table, sizeof(*b->table));
	mem_put(b->taken);
	b->table = NULL;
	b->taken = NULL;
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

	set_taken(b, slot, true);
	return r < 0 ? r : send_request(&q, name, STR(""), fd);
}

int bank_replace(struct bank *b, uint32_t slot, uint64_t token, const char *name, int fd)
{
	struct bank_req q = {.op = BANK_REPLACE, .slot = slot, .token = token};
	int r = keep(slot, fd);

	set_taken(b, slot, true);
	return r < 0 ? r : send_request(&q, name, STR(""), fd);
}

int bank_find(const struct bank *b, const char *name)
{
	for (uint32_t i = 0; i < b->table->high; i++)
		if (b->table->slot[i].kind == BANK_FD && strcmp(b->table->slot[i].name, name) == 0)
			return (int)i;
	return -1;
}

int bank_keep(struct bank *b, int old, const char *name, int fd)
{
	int slot = old >= 0 ? old : bank_take(b);

	if (slot < 0)
		return slot;
	return bank_replace(b, (uint32_t)slot, bank_token(b), name, fd);
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

int bank_accept(struct bank *b, uint32_t slot, uint64_t token, uint32_t listen_slot)
{
	struct bank_req q = {.op = BANK_ACCEPT,
			     .slot = slot,
			     .token = token,
			     .refs_n = 1,
			     .refs = {(int32_t)listen_slot}};

	set_taken(b, slot, true);
	return send_request(&q, NULL, STR(""), -1);
}

int bank_spawn(struct bank *b, const struct bank_spawn *s)
{
	struct bank_req q = {
		.op = BANK_SPAWN, .slot = s->slot, .token = s->token, .flags = s->flags};

	if (s->refs_n > BANK_REFS || s->plan.n > PLAN_INLINE)
		return err_here(-EMSGSIZE);
	set_taken(b, s->slot, true);
	q.refs_n = s->refs_n;
	if (s->refs_n)
		memcpy(q.refs, s->refs, s->refs_n * sizeof(*q.refs));
	if (s->cgroup_fd >= 0)
		q.flags |= BANK_F_CGROUP;
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

	set_taken(b, slot, true);
	return send_request(&q, name, STR(""), -1);
}

int bank_ack(struct bank *b, uint32_t slot, uint64_t token)
{
	int r = send_request(&(struct bank_req){.op = BANK_ACK, .slot = slot, .token = token}, NULL,
			     STR(""), -1);

	if (!r)
		bank_release(
			b,
			slot); /* requests are performed in order: the slot is free before it is used again */
	return r;
}

int bank_heard(struct bank *b, int sig)
{
	(void)b;
	return send_request(&(struct bank_req){.op = BANK_HEARD, .arg = sig}, NULL, STR(""), -1);
}

/* hark-exec, which lies beside us: what PID 1 becomes for the end of the machine. */
static int open_final(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("hark-exec"));
	char *slash;

	path[n < 0 ? 0 : n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return fd_open(AT_FDCWD, "/usr/lib/hark/hark-exec", O_RDONLY, 0);
	memcpy(slash + 1, "hark-exec", sizeof("hark-exec"));
	return fd_open(AT_FDCWD, path, O_RDONLY, 0);
}

int bank_final(struct bank *b, int arg, bool is_exit)
{
	struct bank_req q = {.op = BANK_FINAL, .arg = arg, .flags = is_exit ? BANK_F_EXIT : 0};
	AUTO_FD int fd = is_exit ? -1 : open_final();
	char command[16];

	(void)b;
	snprintf(command, sizeof(command), "%d", arg);
	return send_request(&q, command, STR(""), fd < 0 ? -1 : fd);
}
