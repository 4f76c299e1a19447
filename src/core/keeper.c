/* SPDX-License-Identifier: MIT */
#include "core/init.h"

#include <poll.h>

enum {
	SERVE_BATCH = 32,
	REAP_BATCH = 512,
	HELD_MOST = 1024,         /* zombies kept for a manager that does not acknowledge */
	ORPHAN_WAIT_US = 1000000, /* ... or for one that does not come back */
	STAGE_WAIT_US = 20000,
};

struct keeper keeper;

/* What PID 1 alone knows of a slot. The pids are scanned for every orphan, so this stays small. */
static struct own {
	pid_t pid;        /* child not yet reaped; 0: none */
	uint16_t donee;   /* CONN: slot + 1 of the child that shall have it alone */
	uint8_t stage;    /* last descriptor of the stage its child has not left yet; 0: none */
	uint8_t op;       /* what BANK_TELL_REPLY answers */
	bool is_starting; /* its descriptor is the exec pipe, and no pidfd yet */
} own[BANK_SLOTS];

static uint32_t stage_user[BANK_STAGES]; /* the slot that had it last */

static int slot_fd(uint32_t i)
{
	return BANK_FD_BASE + (int)i;
}

static void free_slot(uint32_t i)
{
	close(slot_fd(i));
	keeper.slot[i] = (struct bank_slot){0};
	own[i] = (struct own){0};
}

/* --- notes --- */

bool bank_send(const struct bank_note *note)
{
	size_t n = note->peer_n || note->local_n ? sizeof(*note) : offsetof(struct bank_note, peer);

	if (send(OWN_CHANNEL, note, n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	keeper.can_tell = false;
	(void)init_watch(EPOLL_CTL_MOD, OWN_CHANNEL, EVENT_CHANNEL, EPOLLIN | EPOLLOUT);
	return false;
}

static void add_peer(int fd, struct bank_note *note)
{
	struct ucred cred = {.uid = (uid_t)-1};
	socklen_t n = sizeof(cred);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n);
	note->peer_uid = cred.uid;
	note->peer_pid = cred.pid;
	note->peer_n = note->local_n = sizeof(note->peer);
	if (getpeername(fd, (struct sockaddr *)&note->peer, &note->peer_n) < 0)
		note->peer_n = 0;
	if (getsockname(fd, (struct sockaddr *)&note->local, &note->local_n) < 0)
		note->local_n = 0;
}

/* Send what slot i has to tell, and these bits, in the order it happened. */
static void tell(uint32_t i, unsigned bits)
{
	struct bank_slot *s = &keeper.slot[i];

	s->tell |= (uint8_t)bits;
	for (uint32_t kind = BANK_NOTE_REPLY; kind <= BANK_NOTE_EXIT && keeper.can_tell; kind++) {
		int32_t err = kind == BANK_NOTE_EXECFAIL || s->kind == BANK_FREE ? s->fail_err : 0;
		struct bank_note note = {kind,   own[i].op, i,         err,          s->token,
					 s->pid, s->code,   s->status, s->fail_step, s->end_us};

		if (!(s->tell >> kind & 1))
			continue;
		if (kind == BANK_NOTE_REPLY && s->kind == BANK_CONN)
			add_peer(slot_fd(i), &note);
		if (bank_send(&note))
			s->tell &= (uint8_t) ~(1U << kind);
	}
}

void bank_tell_all(void)
{
	for (uint32_t i = 0; i < keeper.table->high && keeper.can_tell; i++)
		if (keeper.slot[i].tell)
			tell(i, 0);
	if (keeper.signal && !keeper.is_signal_told && keeper.can_tell)
		keeper.is_signal_told = bank_send(
			&(struct bank_note){.kind = BANK_NOTE_SIGNAL, .status = keeper.signal});
}

/* --- a child's life --- */

/* The child has its own descriptors now, or none. */
static void leave_stage(uint32_t i)
{
	if (own[i].stage)
		init_close_range(own[i].stage + 1 - BANK_STAGE_FDS, own[i].stage, 0);
	own[i].stage = 0;
}

/* The connections promised to child i become its own, or (no exec) stay with us for another try. */
static void settle_donations(uint32_t i)
{
	for (uint32_t conn = 0; keeper.slot[i].flags & BANK_F_DONATE && conn < keeper.table->high;
	     conn++) {
		if (own[conn].donee != i + 1)
			continue;
		own[conn].donee = 0;
		if (keeper.slot[i].is_execed)
			free_slot(conn);
	}
}

/* From the exec pipe to a pidfd. Without one (no memory) SIGCHLD still tells of the exit. */
static void watch_exit(uint32_t i, pid_t pid)
{
	(void)init_place_fd((int)syscall(SYS_pidfd_open, pid, 0), slot_fd(i), O_CLOEXEC);
	(void)init_watch(EPOLL_CTL_ADD, slot_fd(i), i, EPOLLIN | EPOLLET);
}

/*
 * A child says {DUP, 0} when it has its own descriptors, {EXEC, 0} just before execve(2), and last what failed. The
 * pipe ends by the exec or by death: without {EXEC, 0} somebody killed it before, and nothing was given away.
 */
static void read_exec_pipe(uint32_t i, bool is_dead)
{
	struct bank_slot *s = &keeper.slot[i];
	struct plan_report report;
	ssize_t n;

	while ((n = read(slot_fd(i), &report, sizeof(report))) > 0) {
		leave_stage(i);
		s->fail_step = report.step;
		s->fail_err = -report.err;
	}
	if (n < 0 && !is_dead)
		return;
	own[i].is_starting = false;
	s->is_execed = s->fail_step == PLAN_EXEC && !s->fail_err;
	if (!s->is_execed && !s->fail_err)
		s->fail_err = -ECHILD;
	settle_donations(i);
	watch_exit(i, s->pid);
	if (!s->is_execed)
		tell(i, BANK_TELL_EXECFAIL);
	else if (s->flags & BANK_F_EXECED)
		tell(i, BANK_TELL_EXECED);
}

void bank_event(uint32_t i)
{
	struct bank_slot *s = &keeper.slot[i];
	siginfo_t si = {0};

	if (s->kind != BANK_PROC ||
	    waitid(P_PID, (id_t)s->pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0)
		return;
	if (si.si_pid)
		leave_stage(i);
	if (own[i].is_starting)
		read_exec_pipe(i, si.si_pid);
	if (!si.si_pid)
		return;
	s->code = si.si_code;
	s->status = si.si_status;
	s->end_us = init_now_us();
	s->kind = BANK_DEAD;
	close(slot_fd(i)); /* dead slots must not eat the descriptors a new manager needs */
	keeper.held_n++;
	tell(i, BANK_TELL_EXIT);
}

static void reap_slot(uint32_t i)
{
	if (own[i].pid && waitpid(own[i].pid, NULL, WNOHANG) > 0)
		keeper.held_n--;
	own[i].pid = 0;
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

		keeper.want_reap = false;
		waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT);
		if (!si.si_pid || si.si_pid == keeper.manager)
			return;
		i = slot_of(si.si_pid);
		if (i == keeper.table->high) {
			keeper.table->orphans++;
			waitpid(si.si_pid, NULL, WNOHANG);
			continue;
		}
		bank_event(i);
		/* Its pid must mean nobody else until the manager has acted on the exit, unless that takes too long. */
		if (keeper.held_n <= HELD_MOST &&
		    (keeper.manager || init_now_us() - keeper.gone_us < ORPHAN_WAIT_US))
			return;
		reap_slot(i);
	}
	keeper.want_reap = true; /* there may be more: after the other work of this turn */
}

/* --- requests: each returns a child's pid, 0 or -errno --- */

static int greet(const struct bank_req *q, int fd UNUSED)
{
	if (q->arg != BANK_LAYOUT)
		return -EPROTO;
	for (uint32_t i = 0; i < keeper.table->high; i++) {
		if (keeper.slot[i].kind == BANK_DEAD)
			keeper.slot[i].tell |= BANK_TELL_EXIT;
		if (keeper.slot[i].kind == BANK_CONN &&
		    !own[i].donee) /* perhaps nobody lived to hear of it */
			keeper.slot[i].tell |= BANK_TELL_REPLY;
	}
	keeper.can_tell = true;
	keeper.is_signal_told = false;
	bank_tell_all();
	return 0;
}

static int heard(const struct bank_req *q, int fd UNUSED)
{
	if (q->arg == keeper.signal)
		keeper.signal = 0;
	return 0;
}

static int store(const struct bank_req *q, int fd)
{
	if (q->flags & BANK_F_LISTEN && listen(fd, q->arg) < 0)
		return -errno;
	return dup3(fd, slot_fd(q->slot), 0) < 0 ? -errno : 0;
}

static int drop(const struct bank_req *q, int fd UNUSED)
{
	reap_slot(q->slot);
	free_slot(q->slot);
	keeper.want_reap = true;
	return 0;
}

static int accept_one(const struct bank_req *q, int fd UNUSED)
{
	int from = q->refs_n == 1 ? slot_fd((uint32_t)q->refs[0]) : -1;

	/* A client that went away again must not leave us waiting for the next. */
	if (fcntl(from, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return init_place_fd(accept4(from, NULL, NULL, SOCK_CLOEXEC), slot_fd(q->slot), 0);
}

/*
 * The next stage of the ring, filled with what q passes: its last descriptor. OWN_PIPE: the child must copy the whole
 * table, which costs more than a moment's wait for the child that still has the stage. One that takes longer is frozen
 * and not waited for again.
 */
static int take_stage(const struct bank_req *q)
{
	uint32_t stage = (uint32_t)keeper.table->spawned % BANK_STAGES, user = stage_user[stage];
	int first = BANK_STAGE_FD + (int)stage * BANK_STAGE_FDS, end = first + BANK_STAGE_FDS - 1;

	if (own[user].stage == end && keeper.slot[user].since_us + STAGE_WAIT_US > init_now_us()) {
		poll(&(struct pollfd){.fd = slot_fd(user), .events = POLLIN}, 1,
		     STAGE_WAIT_US / 1000);
		bank_event(user);
	}
	if (own[user].stage == end || q->refs_n > BANK_STAGE_REFS)
		return OWN_PIPE;
	for (uint32_t i = 0; i < q->refs_n; i++)
		if (q->refs[i] >= 0)
			dup3(slot_fd((uint32_t)q->refs[i]), first + (int)i, O_CLOEXEC);
	stage_user[stage] = q->slot;
	own[q->slot].stage = (uint8_t)end;
	return end;
}

static int spawn(const struct bank_req *q, int fd)
{
	int report_fd = take_stage(q), p[2], pid = pipe2(p, O_CLOEXEC | O_NONBLOCK);

	if (!pid)
		pid = init_place_fd(p[0], slot_fd(q->slot), O_CLOEXEC) |
		      init_place_fd(p[1], report_fd, O_CLOEXEC);
	if (!pid)
		pid = init_watch(EPOLL_CTL_ADD, slot_fd(q->slot), q->slot, EPOLLIN | EPOLLET);
	if (!pid)
		pid = init_clone(q, fd, report_fd);
	close(OWN_PIPE); /* a staged child's end is closed with its stage */
	if (pid < 0) {
		leave_stage(q->slot);
		close(slot_fd(q->slot));
		return pid;
	}
	keeper.table->spawned++;
	for (uint32_t i = 0; q->flags & BANK_F_DONATE && i < q->refs_n; i++)
		if (q->refs[i] >= 0 && keeper.slot[q->refs[i]].kind == BANK_CONN)
			own[q->refs[i]].donee = (uint16_t)(q->slot + 1);
	return pid;
}

static int send_signal(const struct bank_req *q, int fd UNUSED)
{
	/* By number, and exact: the process is our child and nobody else reaps it. */
	return kill(own[q->slot].pid, q->arg) < 0 ? -errno : 0;
}

static int adopt(const struct bank_req *q, int fd UNUSED)
{
	siginfo_t si;

	/* Not (or not yet) a child of ours, or one that we know. */
	if (waitid(P_PID, (id_t)q->arg, &si, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    q->arg == keeper.manager || slot_of(q->arg) != keeper.table->high)
		return -ECHILD;
	watch_exit(q->slot, q->arg);
	return q->arg;
}

/* What an operation asks of its slot, and what becomes of it. */
enum { IS_FREE = 1 << BANK_FREE, IS_KEPT = 1 << BANK_FD | 1 << BANK_CONN };
static const struct op {
	int (*perform)(const struct bank_req *q, int fd);
	uint8_t slot_is; /* bits of the kinds it may have (PROC, DEAD: by its token); 0: no slot is meant */
	uint8_t fills; /* the kind it gets */
	bool is_told;  /* success is answered too, and the reserve is left alone */
} ops[BANK_OP_COUNT] = {
	[BANK_HELLO] = {greet},
	[BANK_STORE] = {store, IS_FREE, BANK_FD},
	[BANK_REPLACE] = {store, IS_FREE | IS_KEPT, BANK_FD},
	[BANK_DROP] = {drop, IS_KEPT},
	[BANK_ACCEPT] = {accept_one, IS_FREE, BANK_CONN, true},
	[BANK_SPAWN] = {spawn, IS_FREE, BANK_PROC, true},
	[BANK_SIGNAL] = {send_signal, 1 << BANK_PROC},
	[BANK_ADOPT] = {adopt, IS_FREE, BANK_PROC, true},
	[BANK_ACK] = {drop, 1 << BANK_DEAD},
	[BANK_HEARD] = {heard},
	[BANK_FINAL] = {init_final},
};

/* 0: perform it, 1: this very request was performed before, or -errno. */
static int check(const struct bank_req *q)
{
	const struct op *op = &ops[q->op];
	uint32_t kind = keeper.slot[q->slot].kind;
	bool is_same = keeper.slot[q->slot].token == q->token;

	if (!op->slot_is)
		return 0;
	if (op->fills && kind != BANK_FREE && is_same)
		return 1;
	if (!(op->slot_is >> kind & 1) || (op->slot_is >= 1 << BANK_PROC && !is_same))
		return op->fills ? -EEXIST : -ESRCH;
	if (op->is_told && q->slot >= keeper.table->slots_n - BANK_RESERVE)
		return -ENOSPC;
	for (uint32_t i = 0; i < q->refs_n; i++)
		if (q->refs[i] >= 0 && ((uint32_t)q->refs[i] >= keeper.table->slots_n ||
					!(IS_KEPT >> keeper.slot[q->refs[i]].kind & 1)))
			return -EBADF;
	return 0;
}

static void fill(const struct bank_req *q, uint8_t kind, pid_t pid)
{
	struct bank_slot *s = &keeper.slot[q->slot];
	struct own *o = &own[q->slot];

	*s = (struct bank_slot){.flags = (uint8_t)q->flags, .is_execed = q->op == BANK_ADOPT};
	s->pid = pid;
	s->token = q->token;
	s->since_us = init_now_us();
	memcpy(s->name, q->name, BANK_NAME - 1);
	*o = (struct own){pid, 0, o->stage, (uint8_t)q->op, pid && q->op == BANK_SPAWN};
	s->kind = kind;
	if (keeper.table->high <= q->slot)
		keeper.table->high = q->slot + 1;
}

void bank_handle(const struct bank_req *q, int fd)
{
	const struct op *op;
	int r;

	if (q->op >= BANK_OP_COUNT || q->slot >= keeper.table->slots_n || q->refs_n > BANK_REFS)
		return;
	op = &ops[q->op];
	r = check(q);
	keeper.ping_step = 0; /* whoever asks is alive */
	keeper.due_us = init_now_us() + PING_EVERY_US;
	if (r == 0 && op->perform) {
		r = op->perform(q, fd);
		if (r >= 0 && op->fills)
			fill(q, op->fills, r);
	}
	if (r >= 0 && op->is_told) {
		tell(q->slot, BANK_TELL_REPLY);
	} else if (r < 0 && keeper.slot[q->slot].kind == BANK_FREE) {
		fill(q, BANK_FREE, 0); /* kept there until it could be told */
		keeper.slot[q->slot].fail_err = r;
		tell(q->slot, BANK_TELL_REPLY);
	} else if (r < 0) {
		bank_send(&(struct bank_note){
			.op = q->op, .slot = q->slot, .token = q->token, .err = r});
	}
}

enum bank_served bank_serve(void)
{
	/* The child runs the plan out of its copy of this buffer. */
	static struct {
		struct bank_req req;
		_Alignas(8) char plan[PLAN_INLINE];
	} in;

	for (unsigned i = 0; i < SERVE_BATCH; i++) {
		/* Room for one descriptor: what else is passed the kernel closes. */
		union {
			struct cmsghdr head;
			char bytes[CMSG_SPACE(sizeof(int))];
		} got = {0};
		struct iovec iov = {&in, sizeof(in)};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &got};
		ssize_t n;
		int fd = -1;

		m.msg_controllen = CMSG_LEN(sizeof(int));
		n = recvmsg(OWN_CHANNEL, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n == 0 || (n < 0 && errno == EAGAIN))
			return n == 0 ? BANK_SERVED_EOF : BANK_SERVED_ALL;
		if (got.head.cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(&got.head), sizeof(fd));
		/* ECONNRESET comes once, when the manager died with notes unread, and before its last requests. */
		if (n >= (ssize_t)sizeof(in.req) && in.req.plan_n == (size_t)n - sizeof(in.req))
			bank_handle(&in.req, fd);
		if (fd >= 0)
			close(fd);
	}
	return BANK_SERVED_SOME;
}
