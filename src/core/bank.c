/* SPDX-License-Identifier: MIT */
#include "core/init.h"
#include "core/plan_run.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SERVE_BATCH = 32,
	REAP_BATCH = 512,
	HELD_MOST = 1024,	  /* zombies kept for a manager that does not acknowledge */
	ORPHAN_WAIT_US = 1000000, /* ... or for one that does not come back */
	STAGE_WAIT_MS = 20,
	PASSED_MOST = 4,	  /* descriptors in one record; more are closed by the kernel */
};

struct keeper keeper;

/* How far a slot's child has come; the slot's descriptor is the exec pipe until PHASE_RUN, then a pidfd. */
enum phase { PHASE_NONE, PHASE_STAGED, PHASE_EXEC, PHASE_RUN, PHASE_DEAD, PHASE_TOLD };

/* What PID 1 alone knows of a slot. The pids are scanned for every orphan, so this stays small. */
static struct own {
	pid_t pid;	/* child not yet reaped; 0: none */
	uint16_t donee; /* CONN: slot + 1 of the child that shall have it alone */
	uint8_t phase;
	uint8_t op; /* what BANK_TELL_REPLY answers */
} own[BANK_SLOTS];

static uint16_t stage_user[BANK_STAGES]; /* slot + 1 whose child has not unshared yet; 0: free */

static int slot_fd(uint32_t i)
{
	return BANK_FD_BASE + (int)i;
}

static int stage_fd(unsigned stage)
{
	return BANK_STAGE_FD + (int)stage * BANK_STAGE_FDS;
}

static struct bank_slot *slot_at(uint32_t i)
{
	return &keeper.table->slot[i];
}

/* Edge triggered: a copy of the descriptor in a child that hangs before its exec must not make us spin. */
static int watch_slot(uint32_t i)
{
	return init_watch(EPOLL_CTL_ADD, slot_fd(i), i, EPOLLIN | EPOLLET);
}

static void free_slot(uint32_t i)
{
	close(slot_fd(i));
	memset(slot_at(i), 0, sizeof(struct bank_slot));
	own[i] = (struct own){0};
}

/* --- notes --- */

bool bank_send(const struct bank_note *note)
{
	size_t n = note->peer_n || note->local_n ? sizeof(*note) : offsetof(struct bank_note, peer);

	if (send(OWN_CHANNEL, note, n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS)
		keeper.is_full = init_watch(EPOLL_CTL_MOD, OWN_CHANNEL, EVENT_CHANNEL, EPOLLIN | EPOLLOUT) == 0;
	return false;
}

static void add_peer(uint32_t i, struct bank_note *note)
{
	struct ucred cred = {.uid = (uid_t)-1};
	socklen_t n = sizeof(cred);

	getsockopt(slot_fd(i), SOL_SOCKET, SO_PEERCRED, &cred, &n);
	note->peer_uid = cred.uid;
	note->peer_pid = cred.pid;
	note->peer_n = note->local_n = sizeof(note->peer);
	if (getpeername(slot_fd(i), (struct sockaddr *)&note->peer, &note->peer_n) < 0)
		note->peer_n = 0;
	if (getsockname(slot_fd(i), (struct sockaddr *)&note->local, &note->local_n) < 0)
		note->local_n = 0;
}

static uint64_t time_us(struct timeval t)
{
	return (uint64_t)t.tv_sec * US_PER_SEC + (uint64_t)t.tv_usec;
}

static void add_usage(uint32_t i, struct bank_note *note)
{
	struct rusage usage = {0};
	siginfo_t si;

	/* The glibc wrapper leaves out the fifth parameter. A zombie can be asked any number of times. */
	if (!own[i].pid || syscall(SYS_waitid, P_PID, own[i].pid, &si, WEXITED | WNOHANG | WNOWAIT, &usage) < 0)
		return;
	note->utime_us = time_us(usage.ru_utime);
	note->stime_us = time_us(usage.ru_stime);
	note->maxrss_kb = (uint64_t)usage.ru_maxrss;
}

static bool send_tell(uint32_t i, unsigned bit)
{
	const struct bank_slot *s = slot_at(i);
	struct bank_note note = {.op = own[i].op, .slot = i, .token = s->token, .pid = s->pid, .code = s->code,
				 .status = s->status, .step = s->fail_step, .end_us = s->end_us};

	static_assert(BANK_TELL_REPLY == 1 << BANK_NOTE_REPLY && BANK_TELL_EXECED == 1 << BANK_NOTE_EXECED &&
		      BANK_TELL_EXECFAIL == 1 << BANK_NOTE_EXECFAIL && BANK_TELL_EXIT == 1 << BANK_NOTE_EXIT, "bit by note");
	note.kind = (uint32_t)__builtin_ctz(bit);
	if (bit == BANK_TELL_EXECFAIL || s->kind == BANK_FREE)
		note.err = s->fail_err;
	if (bit == BANK_TELL_REPLY && s->kind == BANK_CONN)
		add_peer(i, &note);
	if (bit == BANK_TELL_EXIT)
		add_usage(i, &note);
	return bank_send(&note);
}

/* Send what slot i has to tell, in the order it happened. */
static void tell_slot(uint32_t i)
{
	struct bank_slot *s = slot_at(i);

	for (unsigned bit = BANK_TELL_REPLY; bit <= BANK_TELL_EXIT; bit <<= 1) {
		if (!(s->tell & bit) || (bit == BANK_TELL_EXIT && own[i].phase == PHASE_TOLD))
			continue;
		if (!send_tell(i, bit))
			return;
		if (bit == BANK_TELL_EXIT)
			own[i].phase = PHASE_TOLD; /* the bit itself stays until ACK */
		else
			s->tell &= (uint8_t)~bit;
	}
}

static void tell(uint32_t i, unsigned bit)
{
	slot_at(i)->tell |= (uint8_t)bit;
	if (keeper.is_greeted && !keeper.is_full)
		tell_slot(i);
}

void bank_tell_all(bool is_new)
{
	if (keeper.is_full)
		(void)init_watch(EPOLL_CTL_MOD, OWN_CHANNEL, EVENT_CHANNEL, EPOLLIN);
	keeper.is_full = false;
	for (uint32_t i = 0; i < keeper.table->high; i++) {
		if (is_new && own[i].phase == PHASE_TOLD)
			own[i].phase = PHASE_DEAD;
		if (!keeper.is_full && slot_at(i)->tell)
			tell_slot(i);
	}
	if (keeper.signal && !keeper.is_full &&
	    bank_send(&(struct bank_note){.kind = BANK_NOTE_SIGNAL, .status = keeper.signal}))
		keeper.signal = 0;
}

/* --- a child's life --- */

static void free_stage(uint32_t i)
{
	for (unsigned stage = 0; stage < BANK_STAGES; stage++) {
		if (stage_user[stage] != i + 1)
			continue;
		init_close_range(stage_fd(stage), stage_fd(stage + 1) - 1, 0);
		stage_user[stage] = 0;
	}
}

/* The connections promised to child i become its own, or (the exec failed) stay with us for another try. */
static void settle_donations(uint32_t i, bool is_done)
{
	if (!(slot_at(i)->flags & BANK_F_DONATE))
		return;
	for (uint32_t conn = 0; conn < keeper.table->high; conn++) {
		if (own[conn].donee != i + 1)
			continue;
		own[conn].donee = 0;
		if (is_done)
			free_slot(conn);
	}
}

/* From the exec pipe to a pidfd. Without one (no memory) SIGCHLD still tells of the exit. */
static void watch_exit(uint32_t i)
{
	own[i].phase = PHASE_RUN;
	if (init_place_fd((int)syscall(SYS_pidfd_open, own[i].pid, 0), slot_fd(i), O_CLOEXEC) < 0)
		close(slot_fd(i));
	else
		(void)watch_slot(i);
}

static void read_exec_pipe(uint32_t i)
{
	struct bank_slot *s = slot_at(i);
	struct plan_report report;
	char bytes[1 + sizeof(report)];
	ssize_t n = read(slot_fd(i), bytes, sizeof(bytes)), from = 0;

	if (n < 0)
		return;
	if (n > 0 && own[i].phase == PHASE_STAGED) {
		from = 1; /* it has its own descriptors now, the stage is ours again */
		own[i].phase = PHASE_EXEC;
		free_stage(i);
	}
	if (n - from == sizeof(report)) {
		memcpy(&report, bytes + from, sizeof(report));
		s->fail_step = report.step;
		s->fail_err = -report.err;
		settle_donations(i, false);
		watch_exit(i);
		tell(i, BANK_TELL_EXECFAIL);
	} else if (n == 0) {
		s->is_execed = 1;
		settle_donations(i, true);
		watch_exit(i);
		if (s->flags & BANK_F_EXECED)
			tell(i, BANK_TELL_EXECED);
	}
}

static void mark_dead(uint32_t i, const siginfo_t *si)
{
	struct bank_slot *s = slot_at(i);

	if (own[i].phase == PHASE_STAGED || own[i].phase == PHASE_EXEC)
		read_exec_pipe(i); /* its last words */
	if (own[i].phase == PHASE_EXEC)
		read_exec_pipe(i); /* ... were two: they come apart only when it died just now */
	free_stage(i);
	settle_donations(i, false);
	s->code = si->si_code;
	s->status = si->si_status;
	s->end_us = init_now_us();
	s->kind = BANK_DEAD;
	own[i].phase = PHASE_DEAD;
	close(slot_fd(i)); /* dead slots must not eat the descriptors a new manager needs */
	keeper.held_n++;
	tell(i, BANK_TELL_EXIT);
}

void bank_event(uint32_t i)
{
	siginfo_t si = {0};

	if (own[i].phase == PHASE_STAGED || own[i].phase == PHASE_EXEC)
		read_exec_pipe(i);
	else if (own[i].phase == PHASE_RUN && waitid(P_PID, (id_t)own[i].pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		 si.si_pid)
		mark_dead(i, &si);
}

static void reap_slot(uint32_t i)
{
	siginfo_t si;

	if (!own[i].pid)
		return;
	waitid(P_PID, (id_t)own[i].pid, &si, WEXITED | WNOHANG);
	own[i].pid = 0;
	keeper.held_n--;
}

static uint32_t slot_of(pid_t pid)
{
	uint32_t i = 0;

	while (i < keeper.table->high && own[i].pid != pid)
		i++;
	return i;
}

void bank_reap(void)
{
	for (unsigned n = 0; n < REAP_BATCH; n++) {
		siginfo_t si = {0};
		uint32_t i;

		keeper.reap = REAP_IDLE;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || !si.si_pid || si.si_pid == keeper.manager)
			return;
		i = slot_of(si.si_pid);
		if (i == keeper.table->high) {
			keeper.table->orphans++;
			waitid(P_PID, (id_t)si.si_pid, &si, WEXITED | WNOHANG);
			continue;
		}
		if (own[i].phase < PHASE_DEAD)
			mark_dead(i, &si);
		/* Its pid must mean nobody else until the manager has acted on the exit, unless that takes too long. */
		keeper.reap = REAP_HELD;
		if (keeper.held_n <= HELD_MOST && (keeper.manager || init_now_us() - keeper.gone_us < ORPHAN_WAIT_US))
			return;
		reap_slot(i);
	}
	keeper.reap = REAP_WANTED; /* there may be more: after the other work of this turn */
}

/* --- requests --- */

/* 0: the slot is q's to fill, 1: this very request was performed before, or -errno. */
static int claim(const struct bank_req *q)
{
	const struct bank_slot *s = slot_at(q->slot);

	if (q->op != BANK_STORE && q->slot >= keeper.table->slots_n - BANK_RESERVE)
		return -ENOSPC;
	if (s->kind == BANK_FREE)
		return 0;
	return s->token == q->token ? 1 : -EEXIST;
}

static void fill(const struct bank_req *q, enum bank_kind kind, pid_t pid, enum phase phase)
{
	struct bank_slot *s = slot_at(q->slot);

	memset(s, 0, sizeof(*s));
	s->flags = (uint8_t)q->flags;
	s->pid = pid;
	s->token = q->token;
	s->since_us = init_now_us();
	memcpy(s->name, q->name, BANK_NAME - 1);
	own[q->slot] = (struct own){.pid = pid, .phase = (uint8_t)phase, .op = (uint8_t)q->op};
	s->kind = (uint8_t)kind;
	if (keeper.table->high <= q->slot)
		keeper.table->high = q->slot + 1;
}

static bool is_kept(int32_t i)
{
	return i >= 0 && (uint32_t)i < keeper.table->slots_n &&
	       (slot_at((uint32_t)i)->kind == BANK_FD || slot_at((uint32_t)i)->kind == BANK_CONN);
}

static int store(const struct bank_req *q, int fd)
{
	bool is_swap = q->op == BANK_REPLACE && is_kept((int32_t)q->slot);
	int r = is_swap ? 0 : claim(q);

	if (r)
		return r;
	if (fd < 0)
		return -EBADF;
	if (q->flags & BANK_F_LISTEN && listen(fd, q->arg) < 0)
		return -errno;
	if (dup3(fd, slot_fd(q->slot), 0) < 0)
		return -errno;
	fill(q, BANK_FD, 0, PHASE_NONE);
	return 0;
}

static int drop(const struct bank_req *q)
{
	if (!is_kept((int32_t)q->slot))
		return -EBADF;
	free_slot(q->slot);
	return 0;
}

static int accept_one(const struct bank_req *q)
{
	int r = claim(q), from, flags;

	if (r)
		return r;
	if (q->refs_n != 1 || !is_kept(q->refs[0]))
		return -EBADF;
	from = slot_fd((uint32_t)q->refs[0]);
	flags = fcntl(from, F_GETFL);
	if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(from, F_SETFL, flags | O_NONBLOCK) < 0))
		return -errno; /* a client that went away again must not leave us waiting for the next */
	r = init_place_fd(accept4(from, NULL, NULL, SOCK_CLOEXEC), slot_fd(q->slot), 0);
	if (!r)
		fill(q, BANK_CONN, 0, PHASE_NONE);
	return r;
}

/*
 * Every stage is taken: a moment for the children cloned just now to leave theirs, because copying a table of thousands
 * of descriptors costs more. A child that takes longer is frozen and not waited for again.
 */
static void await_stage(void)
{
	struct pollfd p[BANK_STAGES];
	uint64_t now_us = init_now_us();
	nfds_t n = 0;

	for (unsigned stage = 0; stage < BANK_STAGES; stage++)
		if (slot_at(stage_user[stage] - 1u)->since_us + STAGE_WAIT_MS * US_PER_MS > now_us)
			p[n++] = (struct pollfd){.fd = slot_fd(stage_user[stage] - 1u), .events = POLLIN};
	if (!n || poll(p, n, STAGE_WAIT_MS) <= 0)
		return;
	while (n--)
		if (p[n].revents)
			read_exec_pipe((uint32_t)(p[n].fd - BANK_FD_BASE));
}

static unsigned find_stage(void)
{
	unsigned stage = 0;

	while (stage < BANK_STAGES && stage_user[stage])
		stage++;
	return stage;
}

/* A stage that is free and filled with what q passes; -1: none, the child must copy the whole table. */
static int take_stage(const struct bank_req *q)
{
	unsigned stage = find_stage();

	if (q->refs_n > BANK_STAGE_REFS)
		return -1;
	if (stage == BANK_STAGES) {
		await_stage();
		stage = find_stage();
	}
	if (stage == BANK_STAGES)
		return -1;
	for (uint32_t i = 0; i < q->refs_n; i++) {
		int from = q->refs[i] < 0 ? OWN_NULL : slot_fd((uint32_t)q->refs[i]);

		if (dup3(from, stage_fd(stage) + (int)i, O_CLOEXEC) >= 0)
			continue;
		init_close_range(stage_fd(stage), stage_fd(stage + 1) - 1, 0);
		return -1;
	}
	return (int)stage;
}

static int open_exec_pipe(uint32_t i, int report_fd)
{
	int p[2], r;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	r = init_place_fd(p[0], slot_fd(i), O_CLOEXEC);
	if (r)
		close(p[1]);
	else
		r = init_place_fd(p[1], report_fd, O_CLOEXEC);
	return r ? r : watch_slot(i);
}

static int spawn(const struct bank_req *q, const char *plan, int cgroup_fd)
{
	int r = claim(q), stage;
	struct child c = {.plan = plan, .plan_n = q->plan_n, .n = (int)q->refs_n, .cgroup_fd = -1};

	if (r)
		return r;
	for (uint32_t i = 0; i < q->refs_n; i++)
		if (q->refs[i] != -1 && !is_kept(q->refs[i]))
			return -EBADF;
	if (q->flags & BANK_F_CGROUP && (c.cgroup_fd = cgroup_fd) < 0)
		return -EBADF;
	stage = take_stage(q);
	c.stage_fd = stage < 0 ? -1 : stage_fd((unsigned)stage);
	c.refs = stage < 0 ? q->refs : NULL;
	c.report_fd = stage < 0 ? OWN_PIPE : stage_fd((unsigned)stage + 1) - 1;
	r = open_exec_pipe(q->slot, c.report_fd);
	if (!r)
		r = init_clone(&c);
	if (stage < 0)
		close(OWN_PIPE);
	else
		stage_user[stage] = (uint16_t)(q->slot + 1);
	if (r < 0) {
		free_stage(q->slot);
		close(slot_fd(q->slot));
		return r;
	}
	keeper.table->spawned++;
	fill(q, BANK_PROC, r, stage < 0 ? PHASE_EXEC : PHASE_STAGED);
	if (stage < 0)
		slot_at(q->slot)->flags |= BANK_F_FULL;
	for (uint32_t i = 0; q->flags & BANK_F_DONATE && i < q->refs_n; i++)
		if (q->refs[i] >= 0 && slot_at((uint32_t)q->refs[i])->kind == BANK_CONN)
			own[q->refs[i]].donee = (uint16_t)(q->slot + 1);
	return 0;
}

static int adopt(const struct bank_req *q)
{
	siginfo_t si;
	int r = claim(q);

	if (r)
		return r;
	if (q->arg <= 1 || q->arg == keeper.manager || slot_of(q->arg) != keeper.table->high)
		return -EINVAL;
	if (waitid(P_PID, (id_t)q->arg, &si, WEXITED | WNOHANG | WNOWAIT) < 0)
		return -errno; /* ECHILD: not (or not yet) a child of ours */
	fill(q, BANK_PROC, q->arg, PHASE_RUN);
	slot_at(q->slot)->is_execed = 1;
	watch_exit(q->slot);
	return 0;
}

static int send_signal(const struct bank_req *q)
{
	/* By number, and exact: the process is our child and nobody else reaps it. */
	if (slot_at(q->slot)->kind != BANK_PROC || slot_at(q->slot)->token != q->token)
		return -ESRCH;
	return kill(own[q->slot].pid, q->arg) < 0 ? -errno : 0;
}

static int acknowledge(const struct bank_req *q)
{
	if (slot_at(q->slot)->kind != BANK_DEAD || slot_at(q->slot)->token != q->token)
		return -ESRCH;
	reap_slot(q->slot);
	memset(slot_at(q->slot), 0, sizeof(struct bank_slot));
	own[q->slot] = (struct own){0};
	if (keeper.reap == REAP_HELD)
		keeper.reap = REAP_WANTED;
	return 0;
}

static int pong(void)
{
	keeper.ping_step = PING_IDLE;
	keeper.ping_us = init_now_us() + PING_EVERY_US;
	return 0;
}

static int greet(const struct bank_req *q)
{
	if (q->arg != BANK_LAYOUT)
		return -EPROTO;
	keeper.is_greeted = true;
	bank_tell_all(true);
	return pong();
}

static int perform(const struct bank_req *q, const char *plan, int fd)
{
	switch (q->op) {
	case BANK_HELLO:
		return greet(q);
	case BANK_STORE:
	case BANK_REPLACE:
		return store(q, fd);
	case BANK_DROP:
		return drop(q);
	case BANK_ACCEPT:
		return accept_one(q);
	case BANK_SPAWN:
		return spawn(q, plan, fd);
	case BANK_SIGNAL:
		return send_signal(q);
	case BANK_ADOPT:
		return adopt(q);
	case BANK_ACK:
		return acknowledge(q);
	case BANK_PONG:
		return pong();
	case BANK_FINAL:
		return init_final(q->flags, q->arg);
	default:
		return -EOPNOTSUPP;
	}
}

void bank_handle(const struct bank_req *q, const char *plan, int fd)
{
	bool is_filler = q->op == BANK_SPAWN || q->op == BANK_ACCEPT || q->op == BANK_ADOPT;
	bool is_sane = q->slot < keeper.table->slots_n && q->refs_n <= BANK_REFS;
	int r = is_sane ? perform(q, plan, fd) : -EINVAL;

	if (r >= 0 && is_filler) {
		tell(q->slot, BANK_TELL_REPLY);
	} else if (r < 0 && is_sane && slot_at(q->slot)->kind == BANK_FREE) {
		fill(q, BANK_FREE, 0, PHASE_NONE); /* kept there until it could be told */
		slot_at(q->slot)->fail_err = r;
		tell(q->slot, BANK_TELL_REPLY);
	} else if (r < 0) {
		bank_send(&(struct bank_note){
			.kind = BANK_NOTE_REPLY, .op = q->op, .slot = q->slot, .token = q->token, .err = r});
	}
}

/* One packet: bytes, or 0 at the end of the stream, or -errno. *ret_fd: the passed descriptor, or -1. */
static ssize_t receive(struct iovec *iov, size_t iov_n, int *ret_fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(PASSED_MOST * sizeof(int))];
	} control;
	struct msghdr m = {
		.msg_iov = iov, .msg_iovlen = iov_n, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(OWN_CHANNEL, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m);
	int fds[PASSED_MOST];
	size_t fds_n;

	*ret_fd = -1;
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return n;
	fds_n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(c), fds_n * sizeof(int));
	*ret_fd = fds[0];
	for (size_t i = 1; i < fds_n; i++)
		close(fds[i]);
	return n;
}

enum bank_served bank_serve(void)
{
	/* The child runs the plan out of its copy of this buffer. */
	static struct {
		struct bank_req req;
		_Alignas(8) char plan[PLAN_INLINE];
	} in;
	struct iovec iov[] = {{&in.req, sizeof(in.req)}, {in.plan, sizeof(in.plan)}};

	for (unsigned i = 0; i < SERVE_BATCH; i++) {
		int fd;
		ssize_t n = receive(iov, ARRAY_SIZE(iov), &fd);

		if (n == 0)
			return BANK_SERVED_EOF;
		if (n < 0 && errno == EAGAIN)
			return BANK_SERVED_ALL;
		/* ECONNRESET comes once, when the manager died with notes unread, and before its last requests. */
		if (n >= (ssize_t)sizeof(in.req) && in.req.plan_n == (size_t)n - sizeof(in.req))
			bank_handle(&in.req, in.plan, fd);
		if (fd >= 0)
			close(fd);
	}
	return BANK_SERVED_SOME;
}
