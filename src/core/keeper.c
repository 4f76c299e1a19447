/* SPDX-License-Identifier: MIT */
#include "core/init.h"

enum {
	SERVE_BATCH = 24, /* less than half of what harkd asks for in advance */
	REAP_BATCH = 512,
	SEAT_WAIT_US = 2000,      /* at most, for a child to leave its seat */
	TRIES_MOST = 2,           /* of a request that fails, or costs us a life */
	HELD_MOST = 1024,         /* zombies kept for a manager that does not acknowledge */
	ORPHAN_WAIT_US = 1000000, /* ... or for one that does not come back */
	TOLD_OF = BANK_F_EXECED | BANK_F_DONATE, /* its exec is told of */
};

struct keeper keeper;
struct bank_table *bank;
struct seat seats[BANK_STAGES + 1];
struct seat *seat = seats;
uint32_t seats_used;

/* A child that is left in a free slot would be that of a spawn which was interrupted. */
static void reap_slot(uint32_t i)
{
	pid_t *pid = &bank->child[i];

	if (*pid && waitpid(*pid, NULL, WNOHANG) > 0)
		keeper.held_n--;
	*pid = 0;
}

void bank_free(uint32_t i)
{
	close(bank_fd(i));
	reap_slot(i);
	bank->slot[i] = (struct bank_slot){0};
}

/* --- news --- */

/* What has changed in slot i is there to be seen. */
static void tell(uint32_t i, enum news news)
{
	bank->changed[bank->changed_n % BANK_CHANGES] = i;
	__atomic_store_n(&bank->changed_n, bank->changed_n + 1, __ATOMIC_RELEASE);
	keeper.news = news > keeper.news ? news : keeper.news;
}

/* One that has not read the last ones (EAGAIN) will look anyway; one that is gone has a successor. */
void bank_ring(void)
{
	if (keeper.news >= NEWS_NOW && (send(OWN_CHANNEL, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 ||
					errno == EAGAIN || errno == EPIPE || errno == EBADF))
		keeper.news = NEWS_NONE;
}

/* --- a child's life --- */

/* The connections promised to child i are its own, or (no exec) stay with us for another try. */
static void settle_donations(uint32_t i, bool is_execed)
{
	for (uint32_t conn = 0; bank->slot[i].flags & BANK_F_DONATE && conn < bank->high; conn++) {
		if (bank->slot[conn].donee != i + 1)
			continue;
		if (is_execed)
			bank_free(conn);
		bank->slot[conn].donee = 0;
	}
}

/* Without a pidfd (no memory) SIGCHLD still tells of the exit. */
static void watch_exit(uint32_t i, pid_t pid)
{
	(void)raw_place((int)syscall(SYS_pidfd_open, pid, 0), bank_fd(i), 0);
	(void)init_watch(bank_fd(i), i, EPOLLIN | EPOLLET);
}

/* The child was executed, or never will be: when it does not say what failed, somebody killed it before. */
static void settle(uint32_t i)
{
	struct bank_slot *s = &bank->slot[i];
	bool is_execed = s->said.step == PLAN_EXEC && !s->said.err;

	if (!is_execed && !s->said.err)
		s->said.err = ECHILD;
	settle_donations(i, is_execed);
	s->exec = is_execed ? BANK_EXECED : BANK_EXEC_FAILED;
	tell(i, is_execed && !(s->flags & BANK_F_EXECED) ? NEWS_LATER : NEWS_NOW);
}

uint64_t bank_sweep(void)
{
	uint64_t youngest_us = 0;

	for (uint32_t used = seats_used; used; used &= used - 1) {
		const struct seat *it = &seats[__builtin_ctz(used)];
		const struct bank_slot *s = &bank->slot[it->in.req.slot];

		/* Who has a copy of our memory says by its step that it has its own descriptors. */
		if (__atomic_load_n(&it->is_inside, __ATOMIC_ACQUIRE) ||
		    (s->kind == BANK_PROC && !s->said.step)) {
			youngest_us = s->since_us > youngest_us ? s->since_us : youngest_us;
			continue;
		}
		if (s->kind == BANK_PROC && (s->flags & TOLD_OF) == BANK_F_DONATE && !s->exec)
			bank_event(it->in.req.slot);
		raw_close_range(it->first, it->first + BANK_STAGE_FDS - 1);
		seats_used &= ~(used & -used);
	}
	/* The longer they take (they are frozen, or wait for a FIFO) the less often we look. */
	return youngest_us ? (clock_mono_us() - youngest_us) / 4 : TIME_NEVER;
}

/* A free one for the next request, which is all zeros but for what it asks. */
static void take_seat(void)
{
	seat = &seats[__builtin_ctz(~seats_used)];
	memset(&seat->in, 0, offsetof(struct in_hand, req));
}

/* We ask ourselves, so that the life after a fault does it again. Nobody there: that is told, and nothing waits any more. */
static void meet(uint32_t i)
{
	take_seat();
	seat->in.is_ours = true;
	seat->in.req = (struct bank_req){.slot = i,
					 .token = bank->slot[i].token,
					 .refs_n = 1,
					 .refs = {(int32_t)bank->slot[i].listener}};
	__atomic_store_n(&seat->in.req.op, BANK_ACCEPT, __ATOMIC_RELEASE);
	/* The manager needs as long to wake up as we to accept. Is it faster, the bell for what is told wakes it again. */
	keeper.news = NEWS_NOW;
	bank_ring();
	bank_handle();
}

void bank_event(uint32_t i)
{
	struct bank_slot *s = &bank->slot[i];
	siginfo_t si = {0};
	int r;

	if (s->kind == BANK_WAITING)
		meet(i);
	if (s->kind != BANK_PROC)
		return;
	r = waitid(P_PID, (id_t)s->pid, &si, WEXITED | WNOHANG | WNOWAIT);
	/* Nobody writes to an exec pipe: it ends by the exec, or by death. */
	if (!s->exec && (si.si_pid || (s->flags & BANK_F_DONATE && s->said.step == PLAN_EXEC) ||
			 (s->flags & BANK_F_EXECED && read(bank_fd(i), &(char){0}, 1) == 0)))
		settle(i);
	/*
	 * Of those with a connection many have answered it and ended by now: they need no pidfd. Of one that is no child (any more) it would be
	 * an event again as soon as it is watched.
	 */
	if (r == 0 && !si.si_pid && (s->exec || !(s->flags & BANK_F_EXECED)))
		watch_exit(i, s->pid);
	if (!si.si_pid)
		return;
	s->code = si.si_code;
	s->status = si.si_status;
	s->end_us = clock_mono_us();
	__atomic_store_n(&s->kind, BANK_DEAD, __ATOMIC_RELEASE);
	close(bank_fd(i)); /* dead slots must not eat the descriptors a new manager needs */
	keeper.held_n++;
	tell(i, NEWS_NOW);
}

static uint32_t slot_of(pid_t pid)
{
	uint32_t i = 0;

	while (i < bank->high && bank->child[i] != pid)
		i++;
	return i;
}

void bank_reap(void)
{
	for (unsigned n = 0; n < REAP_BATCH; n++) {
		siginfo_t si = {0};
		uint32_t i;
		int r = waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT);

		/* No SIGCHLD comes again for what a failure has hidden; and the manager goes first. */
		keeper.want_reap = r ? errno != ECHILD : si.si_pid && si.si_pid == keeper.manager;
		if (!si.si_pid || keeper.want_reap)
			return;
		i = slot_of(si.si_pid);
		if (i == bank->high) {
			bank->orphans++;
			waitpid(si.si_pid, NULL, WNOHANG);
			continue;
		}
		bank_event(i);
		/* Its pid must mean nobody else until the manager has acted on the exit, unless that costs too much. */
		if (keeper.held_n <= HELD_MOST && !keeper.needs_pids &&
		    (keeper.manager || clock_mono_us() - keeper.gone_us < ORPHAN_WAIT_US))
			return;
		reap_slot(i);
	}
	keeper.want_reap = true; /* there may be more: after the other work of this turn */
}

/* --- requests: each returns a child's pid, 0 or -errno --- */

static int store(const struct bank_req *q, int fd)
{
	if (q->flags & BANK_F_LISTEN && listen(fd, q->arg) < 0)
		return -errno;
	return dup3(fd, bank_fd(q->slot), 0) < 0 ? -errno : 0;
}

static int drop(const struct bank_req *q, int fd UNUSED)
{
	bank_free(q->slot);
	keeper.want_reap = true;
	return 0;
}

static int accept_one(const struct bank_req *q, int passed UNUSED)
{
	int listener = q->refs_n == 1 ? bank_fd((uint32_t)q->refs[0]) : -1;
	int to = bank_fd(q->slot), fd = LANDING_FD;
	struct bank_peer *p = &bank->peer[q->slot];
	socklen_t n = sizeof(p->cred);

	/* A client that went away again must not leave us waiting for the next. */
	if (fcntl(listener, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	/* The life before may have accepted it: it stays there until the slot is filled. */
	if (fcntl(fd, F_GETFD) < 0) {
		*p = (struct bank_peer){.peer_n = sizeof(p->peer), .local_n = sizeof(p->local)};
		fd = accept4(listener, (struct sockaddr *)&p->peer, &p->peer_n, 0); /* inherited */
	}
	if (fd < 0 || dup3(fd, to, 0) < 0)
		return -errno;
	getsockopt(to, SOL_SOCKET, SO_PEERCRED, &p->cred, &n);
	getsockname(to, (struct sockaddr *)&p->local, &p->local_n);
	return 0;
}

/* Each listener is watched for one slot, once; who comes is met with a request of our own. */
static int await_one(const struct bank_req *q, int passed UNUSED)
{
	bank->slot[q->slot].listener = (uint32_t)q->refs[0];
	return init_watch(q->refs_n == 1 ? bank_fd((uint32_t)q->refs[0]) : -1, q->slot,
			  EPOLLIN | EPOLLONESHOT);
}

/* Between us and the child, where the moment of its exec is of interest: it ends by that. */
static int open_exec_pipe(const struct bank_req *q)
{
	int p[2], r, fd = bank_fd(q->slot), end = seat->first + (int)q->refs_n;

	r = pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : raw_place(p[0], fd, 0);
	r = r < 0 ? r : raw_place(p[1], end, O_CLOEXEC);
	return r < 0 ? r : init_watch(fd, q->slot, EPOLLIN | EPOLLET);
}

/* What q passes, where its child finds it. 0 or -errno. */
static int fill_stage(const struct bank_req *q)
{
	bool is_wide = seat == seats + BANK_STAGES || q->refs_n > BANK_STAGE_REFS;

	seat->first = BANK_STAGE_FD + (int)(seat - seats) * BANK_STAGE_FDS;
	seat->first = is_wide ? BANK_WIDE_FD : seat->first;
	seats_used |= is_wide ? 0 : 1U << (seat - seats);
	for (int i = 0; i < (int)q->refs_n; i++)
		if (q->refs[i] >= 0 && !bank_is_again(q, i) &&
		    dup3(bank_fd((uint32_t)q->refs[i]), seat->first + i, 0) < 0)
			return -errno;
	return 0;
}

static int spawn(const struct bank_req *q, int fd)
{
	int pid = bank->child[q->slot];

	if (pid) /* the life before had come that far */
		return pid;
	pid = fill_stage(q);
	seat->is_inside = RAW_HAS_STACKS && seat->first != BANK_WIDE_FD &&
			  !(q->flags & BANK_F_APART);
	/* When one that is inside has its connection, the seat tells. */
	if (!seat->is_inside && q->flags & BANK_F_DONATE)
		bank->slot[q->slot].flags |= BANK_F_EXECED;
	if (!pid && bank->slot[q->slot].flags & BANK_F_EXECED)
		pid = open_exec_pipe(q);
	pid = pid ? pid : init_spawn(fd);
	if (pid < 0) {
		seat->is_inside = false;
		close(bank_fd(q->slot));
	}
	return pid;
}

static int send_signal(const struct bank_req *q, int fd UNUSED)
{
	/* By number, and exact: the process is our child and nobody else reaps it. */
	return kill(bank->child[q->slot], q->arg) < 0 ? -errno : 0;
}

static int adopt(const struct bank_req *q, int fd UNUSED)
{
	siginfo_t si;

	/* Not (or not yet) a child of ours, or one that we know. */
	if (waitid(P_PID, (id_t)q->arg, &si, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    q->arg == keeper.manager || slot_of(q->arg) != bank->high)
		return -ECHILD;
	bank->slot[q->slot].exec = BANK_EXECED;
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
	[BANK_STORE] = {store, IS_FREE, BANK_FD},
	[BANK_REPLACE] = {store, IS_FREE | IS_KEPT, BANK_FD},
	[BANK_DROP] = {drop, IS_KEPT},
	[BANK_ACCEPT] = {accept_one, IS_FREE | 1 << BANK_WAITING, BANK_CONN, true},
	[BANK_AWAIT] = {await_one, IS_FREE, BANK_WAITING},
	[BANK_SPAWN] = {spawn, IS_FREE, BANK_PROC, true},
	[BANK_SIGNAL] = {send_signal, 1 << BANK_PROC},
	[BANK_ADOPT] = {adopt, IS_FREE, BANK_PROC, true},
	[BANK_ACK] = {drop, 1 << BANK_DEAD},
	[BANK_REEXEC] = {init_reexec},
	[BANK_FINAL] = {init_final},
};

/* 0: perform it, 1: this very request was performed before, or -errno. */
static int check(const struct bank_req *q)
{
	const struct op *op = &ops[q->op];
	uint32_t kind = bank->slot[q->slot].kind;
	bool is_same = bank->slot[q->slot].token == q->token;

	if (!op->slot_is)
		return 0;
	if (!(op->slot_is >> kind & 1) || (op->slot_is >= 1 << BANK_PROC && !is_same))
		return !op->fills ? -ESRCH : is_same ? 1 : -EEXIST;
	if (op->is_told && q->slot >= bank->slots_n - BANK_RESERVE)
		return -ENOSPC;
	for (uint32_t i = 0; i < q->refs_n; i++)
		if (q->refs[i] >= 0 && ((uint32_t)q->refs[i] >= bank->slots_n ||
					!(IS_KEPT >> bank->slot[q->refs[i]].kind & 1)))
			return -EBADF;
	return 0;
}

/* Before it is performed, for a child is quick to write there. One that the life before made has done so already. */
static void describe(const struct bank_req *q)
{
	struct bank_slot *s = &bank->slot[q->slot];

	if (bank->child[q->slot])
		return;
	*s = (struct bank_slot){s->kind, (uint8_t)q->flags, (uint8_t)q->op, .token = q->token,
				.since_us = clock_mono_us()};
	bank->high = q->slot < bank->high ? bank->high : q->slot + 1;
}

static void fill(const struct bank_req *q, uint8_t kind, pid_t pid)
{
	struct bank_slot *s = &bank->slot[q->slot];

	for (uint32_t i = 0; q->flags & BANK_F_DONATE && i < q->refs_n; i++)
		if (q->refs[i] >= 0 && bank->slot[q->refs[i]].kind == BANK_CONN)
			bank->slot[q->refs[i]].donee = q->slot + 1;
	/* Not by the mapping: PID 1 reads no names, and need not have their pages. */
	(void)!pwrite(BANK_TABLE_FD, q->name, BANK_NAME, bank->name[q->slot] - (char *)bank);
	bank->child[q->slot] = s->pid = pid;
	bank->spawned += q->op == BANK_SPAWN;
	if (pid && (s->exec || !(s->flags & TOLD_OF)))
		watch_exit(q->slot, pid);
	__atomic_store_n(&s->kind, kind, __ATOMIC_RELEASE);
}

/* A child's pid, 0 or -errno; no less for a request that was performed before. */
static int perform(const struct bank_req *q, int fd)
{
	const struct op *op = &ops[q->op];
	struct bank_slot *s = &bank->slot[q->slot];
	bool is_open = op->fills && s->kind <= BANK_WAITING;
	int r = seat->in.tries++ < TRIES_MOST ? check(q) : -EFAULT;

	if (r > 0)
		return 0;
	if (op->fills && (r == 0 || is_open))
		describe(q);
	if (r == 0 && op->perform)
		r = op->perform(q, fd);
	if (r >= 0 && op->fills)
		fill(q, op->fills, r);
	else if (is_open)
		*s = (struct bank_slot){.op = s->op, .token = s->token, .code = r};
	return r;
}

static bool is_sane(const struct bank_req *q)
{
	return q->op != BANK_NONE && q->op < BANK_OP_COUNT && q->slot < bank->slots_n &&
	       q->refs_n <= BANK_REFS && q->plan_n <= PLAN_INLINE;
}

/* The kernel has put it there; it stays until it is done, so that the life after a fault can do it again. */
void bank_handle(void)
{
	struct bank_req *q = &seat->in.req;
	int fd = seat->in.passed.head.cmsg_type == SCM_RIGHTS ? seat->in.passed.one.fd : -1, r = 0;

	if (is_sane(q)) {
		if (q->op == BANK_PONG && q->arg > 0)
			keeper.ping_us = (uint64_t)q->arg * US_PER_SEC;
		if (q->op == BANK_HEARD && q->token == bank->signals)
			bank->signal_set &= ~(1ULL << ((q->arg - 1) & 63));
		q->name[BANK_NAME - 1] = '\0';
		/* What fails for a moment's lack of memory need not fail. */
		while ((r = perform(q, fd)) < 0 && r != -EAGAIN && seat->in.tries < TRIES_MOST)
			continue;
		/* More is to come soon of a child that is given something. */
		if (r < 0 || ops[q->op].is_told)
			tell(q->slot, q->flags & TOLD_OF ? NEWS_LATER : NEWS_NOW);
		__atomic_add_fetch(&bank->handled, !seat->in.is_ours, __ATOMIC_RELEASE);
	}
	raw_close_range(LANDING_FD, BANK_STAGE_FD - 1); /* a wide stage, too */
	q->op = BANK_NONE; /* of no interest to the child that has the seat now */
}

void bank_resume(void)
{
	/* Whoever shared them with us has its own by now. */
	raw_close_range(BANK_STAGE_FD, BANK_OWN_FD - 1);
	bank_handle();
	keeper.want_reap = true;
	keeper.news = NEWS_NOW;
	bank->changed_n += BANK_CHANGES + 1; /* what was not told: the manager looks at all */
	keeper.held_n = 0;
	for (uint32_t i = 0; i < bank->high; i++) {
		keeper.held_n += bank->slot[i].kind == BANK_DEAD && bank->child[i];
		bank_event(i);
	}
}

enum bank_served bank_serve(void)
{
	for (unsigned i = 0; i < SERVE_BATCH; i++) {
		struct iovec iov = {.iov_len = sizeof(seat->in.req) + sizeof(seat->in.plan)};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n;

		if (bank_sweep() < SEAT_WAIT_US && __builtin_popcount(seats_used) == BANK_STAGES) {
			/*
			 * Children first: more of them at once would only be in each other's way, and in that of all others. The
			 * kernel wakes us when it clears this one. Nobody waits for those that stay, frozen or before a FIFO.
			 */
			raw4(SYS_futex, &seats[bank->spawned % BANK_STAGES].is_inside, FUTEX_WAIT,
			     true, &(struct timespec){.tv_nsec = SEAT_WAIT_US * 1000});
			bank_sweep();
		}
		take_seat();
		iov.iov_base = &seat->in.req;
		m.msg_control = &seat->in.passed;
		m.msg_controllen = CMSG_LEN(sizeof(int));
		n = recvmsg(OWN_CHANNEL, &m, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && (errno == EAGAIN || errno == EBADF)))
			return n == 0 ? BANK_SERVED_EOF : BANK_SERVED_ALL;
		/* ECONNRESET comes once, when the manager died with notes unread, and before its last requests. */
		if (n < (ssize_t)sizeof(seat->in.req) ||
		    seat->in.req.plan_n != (size_t)n - sizeof(seat->in.req))
			seat->in.req.op = BANK_NONE;
		bank_handle();
		keeper.ping_step = n < 0 ? keeper.ping_step : 0; /* whoever asks is alive */
		keeper.due_us = n < 0 ? keeper.due_us : clock_mono_us() + keeper.ping_us;
	}
	return BANK_SERVED_SOME;
}
