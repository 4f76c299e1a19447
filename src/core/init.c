/* SPDX-License-Identifier: MIT */
#include "core/init.h"

enum {
	EVENTS = 64,
	FD_LEAST = BANK_FD_BASE + 2 * BANK_RESERVE,
	FD_MOST = BANK_FD_BASE + BANK_SLOTS + BANK_RESERVE,
	GOOD_LIFE_US = 10000000, /* a manager that lived this long starts the count again */
	BACK_OFF_US = 100000,
	BACK_OFF_TIMES = 100, /* at most: 10 s */
	PING_ABORTED = 2,     /* from this step on its death is our doing */
	ABORT_WAIT_US = 2000000,
	FAULTS_MOST = 3, /* in one turn of the loop; then we hold on, as many seconds (9 at most) */
	NAP_MS = 100,
	STACK = 16384,
	TABLE_SEALS = F_SEAL_SHRINK | F_SEAL_SEAL,
};

static char **our_argv;

int init_watch(int fd, uint32_t what, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.u32 = what};

	if (epoll_ctl(OWN_EPOLL, EPOLL_CTL_ADD, fd, &e) == 0 ||
	    epoll_ctl(OWN_EPOLL, EPOLL_CTL_MOD, fd, &e) == 0)
		return 0;
	return -errno;
}

/* Returns only when it failed. */
static void execute(int fd, char **argv)
{
	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
}

/* A child that calls run(arg). The kernel notes its pid before it can do anything, so no fault of ours comes between. */
static pid_t make_child(struct clone_args *a, pid_t *note, void (*run)(void *), void *arg)
{
	long pid;

	a->flags |= CLONE_CLEAR_SIGHAND | CLONE_PARENT_SETTID;
	a->exit_signal = SIGCHLD;
	a->parent_tid = (uintptr_t)note;
	pid = raw_clone(a, run, arg);
	keeper.needs_pids = pid < 0;
	keeper.want_reap |= pid < 0;
	return (pid_t)pid;
}

/* --- the child that becomes a service: in our memory it writes to its seat and its slot alone, and makes raw calls --- */

static long pass_fds(const struct bank_req *q, int first)
{
	int n = (int)q->refs_n;
	long r = raw3(SYS_close_range, BANK_OWN_FD, INT_MAX, CLOSE_RANGE_UNSHARE);

	/* Until here the descriptor table may be PID 1's own: nothing may change in it. */
	if (r < 0)
		return r;
	bank->slot[q->slot].said.step = PLAN_DUP;
	for (int i = 0; i < n; i++) {
		r = bank_is_again(q, i) ? i - 1 : first + i;
		/* Here, for PID 1 opens no path. All below i are in use, so it is i or lies above. */
		r = r < i || q->refs[i] >= 0 ? r : raw3(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
		r = r < 0 ? r : raw_dup((int)r, i);
		if (r < 0)
			return r;
	}
	raw_close_range(n, first + n - 1);
	/* Between these the exec pipe, if there is one. */
	return raw_close_range(first + n + 1, INT_MAX);
}

static void run_child(void *arg)
{
	struct seat *own = arg;
	const struct bank_req *q = &own->in.req;
	struct plan_report *said = &bank->slot[q->slot].said; /* shared with PID 1 in any case */
	struct plan_space space = {own->argv, own->envp, PLAN_ARGS_INLINE, .said = said};
	long r;

	raw_unblock_signals();
	r = pass_fds(q, own->first);
	raw4(SYS_prlimit64, 0, RLIMIT_NOFILE, &keeper.nofile, NULL);
	*said = r < 0 ? (struct plan_report){PLAN_DUP, (int)-r}
		      : plan_run(own->in.plan, q->plan_n, &space, NULL);
	raw1(SYS_exit_group, plan_exit_code(said->step));
}

pid_t init_spawn(int cgroup_fd)
{
	const struct bank_req *q = &seat->in.req;
	struct clone_args a = {
		.flags = CLONE_CHILD_CLEARTID | (seat->first == BANK_WIDE_FD ? 0 : CLONE_FILES) |
			 (q->flags & BANK_F_CGROUP ? CLONE_INTO_CGROUP : 0),
		.child_tid = (uintptr_t)&seat->is_inside,
		.stack = (uintptr_t)seat->stack,
		.stack_size = sizeof(seat->stack),
		.cgroup = (unsigned)cgroup_fd,
	};

	a.flags |= seat->is_inside ? CLONE_VM : 0;
	return make_child(&a, &bank->child[q->slot], run_child, seat);
}

/* --- the end --- */

/* hark-exec ends what still runs, waits for the disks and gives the machine back to the kernel. */
int init_final(const struct bank_req *q, int fd)
{
	char name[] = "hark-exec", what[] = "--final";
	char *argv[] = {name, what, seat->in.req.name, NULL};

	if (q->flags & BANK_F_EXIT)
		_exit(q->arg); /* of a pid namespace: the kernel kills what is left in it */
	if (!bank->is_pid1)
		return -EPERM;
	execute(fd, argv);
	kill(-1, SIGKILL);
	reboot(q->arg);
	return -errno;
}

/* --- the next life of PID 1 --- */

/* Returns only when it failed. Our private state lies behind the table in its file meanwhile. */
static void execute_self(int fd)
{
	keeper.in = seat->in;
	if (pwrite(BANK_TABLE_FD, &keeper, sizeof(keeper), sizeof(*bank)) > 0)
		execute(fd, our_argv);
}

/* A fault of ours costs a life, never the machine. */
static void start_again(int sig)
{
	keeper.faults += keeper.faults < 3 * FAULTS_MOST;
	bank->faults++;
	bank->fault_signal = sig;
	for (;; poll(NULL, 0, NAP_MS)) /* there may be no memory for it now */
		execute_self(OWN_SELF);
}

/* Done again in the next life: of the new binary, or of the old one when the new one failed or could not read the table. */
int init_reexec(const struct bank_req *q UNUSED, int fd)
{
	bank->reexec_err = -EPROTO;
	if (!keeper.is_upgrading) {
		keeper.is_upgrading = true;
		bank->refused = keeper.faults = 0;
		execute_self(fd);
		bank->reexec_err = -errno;
	} else if (!keeper.faults && !bank->refused) {
		bank->reexec_err = dup3(fd, OWN_SELF, 0) < 0 ? -errno : 0;
	}
	keeper.is_upgrading = false;
	bank->reexecs++;
	return 0;
}

/* All are read from a descriptor, but for those that mean a fault of ours. */
static sigset_t take_signals(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	static char stack[STACK];
	struct sigaction again = {.sa_handler = start_again, .sa_flags = SA_ONSTACK};
	sigset_t all;

	/* Nobody but root may touch a child while it is in our memory, and no core of one is written. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* An ignored SIGCHLD would reap behind our back; children inherit what is ignored. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
	memset(&all, 0xff, sizeof(all)); /* sigfillset() leaves out what the C library wants */
	again.sa_mask = all;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		sigaction(faults[i], &again, NULL);
		sigdelset(&all, faults[i]);
	}
	/* Last: in the mask that the life before left even faults are blocked. */
	sigprocmask(SIG_SETMASK, &all, NULL);
	return all;
}

static int map_table(void)
{
	bank = mmap(NULL, sizeof(*bank), PROT_READ | PROT_WRITE, MAP_SHARED, BANK_TABLE_FD, 0);
	return bank == MAP_FAILED ? -errno : 0;
}

/* Was this process PID 1 before? Then it takes up what that life has left, or leaves it to the binary that can read it. */
static bool resume(void)
{
	/* Twice: a call that fails for a moment must not cost all there is. */
	if (fcntl(BANK_TABLE_FD, F_GET_SEALS) != TABLE_SEALS &&
	    fcntl(BANK_TABLE_FD, F_GET_SEALS) != TABLE_SEALS)
		return false;
	while (map_table() < 0)
		poll(NULL, 0, NAP_MS);
	if (bank->pid != getpid())
		return false;
	if (bank->layout != BANK_LAYOUT || bank->saved_n != sizeof(keeper)) {
		bank->refused = BANK_LAYOUT;
		execute(OWN_SELF, our_argv);
	}
	while (pread(BANK_TABLE_FD, &keeper, sizeof(keeper), sizeof(*bank)) < 0)
		poll(NULL, 0, NAP_MS);
	seat->in = keeper.in;
	take_signals();
	bank->lives++;
	/* Nothing we do goes well? Hold on to what there is, and let no dead process take a pid. */
	for (uint64_t end_us = clock_mono_us() + keeper.faults * US_PER_SEC;
	     keeper.faults >= FAULTS_MOST && clock_mono_us() < end_us; bank_reap())
		poll(NULL, 0, NAP_MS);
	bank_resume();
	return true;
}

/* --- the manager's life --- */

/* A kept binary; else the one given as the first word, harkd beside this file, or where it is installed. */
static void run_manager(void *kept)
{
	char path[PATH_MAX] = "/", installed[] = "/usr/lib/hark/harkd";
	bool is_given = our_argv[1] && our_argv[1][0] != '-';
	char *paths[] = {our_argv[is_given], path, installed};

	raw_unblock_signals();
	(void)!readlink("/proc/self/exe", path, sizeof(path) - sizeof("harkd"));
	strcpy(strrchr(path, '/') + 1, "harkd");
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	raw_close_range(STDERR_FILENO + 1, BANK_CHANNEL_FD - 1);
	raw_close_range(OWN_CHANNEL, BANK_FD_BASE - 1);
	our_argv += is_given;
	execute(*(const int *)kept, our_argv);
	/* Who names a manager wants no other; but the kernel hands words to PID 1 that are no programs. */
	for (unsigned i = !is_given; i < (is_given && !bank->is_pid1 ? 1 : ARRAY_SIZE(paths));
	     i++) {
		our_argv[0] = paths[i];
		execv(paths[i], our_argv);
	}
	_exit(203);
}

static void start_manager(void)
{
	bool is_new = bank->slot[BANK_BINARY_NEW].kind == BANK_FD;
	int kept = BANK_FD_BASE + (is_new ? BANK_BINARY_NEW : BANK_BINARY_GOOD);
	int p[2], pid = -1;

	bank->generation++;
	bank->manager_us = clock_mono_us();
	/* It may ask before we go on. */
	bank->tried_us = is_new ? bank->manager_us : bank->tried_us;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) == 0 &&
	    !(raw_place(p[0], OWN_CHANNEL, 0) | raw_place(p[1], BANK_CHANNEL_FD, 0)) &&
	    init_watch(OWN_CHANNEL, EVENT_CHANNEL, EPOLLIN) == 0)
		pid = make_child(&(struct clone_args){0}, &keeper.manager, run_manager, &kept);
	close(BANK_CHANNEL_FD);
	keeper.due_us = clock_mono_us() + (pid > 0 ? keeper.ping_us : BACK_OFF_US);
	keeper.news = NEWS_NOW; /* to be found by whoever comes */
	if (pid > 0 && is_new)
		bank_free(BANK_BINARY_NEW);
}

/* When the next manager may start. Being killed from outside is no crash and costs nothing. */
static uint64_t judge_death(const siginfo_t *si)
{
	int status = bank->last_status = si->si_status;
	bool is_exit = si->si_code == CLD_EXITED;
	bool is_wanted = is_exit ? status == 0 : status == SIGKILL || status == SIGTERM;

	bank->last_code = si->si_code;
	bank->last_hang = keeper.ping_step >= PING_ABORTED;
	if (keeper.gone_us - bank->manager_us >= GOOD_LIFE_US || (is_exit && status == 0))
		bank->crashes = 0;
	if (is_wanted && !bank->last_hang)
		return is_exit ? bank->manager_us + BACK_OFF_US : 0;
	bank->crashes += bank->crashes < BACK_OFF_TIMES;
	return keeper.gone_us + BACK_OFF_US * bank->crashes;
}

static void check_manager(void)
{
	siginfo_t si = {0};
	int r = waitid(P_PID, (id_t)keeper.manager, &si, WEXITED | WNOHANG);

	/* ECHILD: it was reaped in a life that ended right then. Another error says nothing, and there may never be two. */
	if (!keeper.manager || (r < 0 ? errno != ECHILD : !si.si_pid))
		return;
	/* It is reaped; now everything it asked for is done before there is another. */
	while (bank_serve() == BANK_SERVED_SOME)
		continue;
	close(OWN_CHANNEL);
	keeper.gone_us = clock_mono_us();
	keeper.due_us = judge_death(&si);
	keeper.ping_step = 0;
	keeper.manager = 0;
}

/* A manager that hangs is asked, then aborted for the sake of its core, then killed. */
static void ping(void)
{
	static const int signals[] = {0, SIGABRT, SIGKILL};

	if (!seats_used) /* it is quiet: what a boot has touched is not needed */
		madvise(seats, sizeof(seats), MADV_DONTNEED);
	kill(keeper.manager, signals[keeper.ping_step]);
	keeper.ping_step += keeper.ping_step < ARRAY_SIZE(signals) - 1;
	keeper.due_us = clock_mono_us() + (keeper.ping_step == 1 ? keeper.ping_us : ABORT_WAIT_US);
	bank->pings++;
	keeper.news = NEWS_NOW;
}

/* --- events --- */

static void read_signals(void)
{
	struct signalfd_siginfo si;

	for (int i = 0; i < EVENTS && read(OWN_SIGNAL, &si, sizeof(si)) > 0; i++) {
		if (si.ssi_signo == SIGCHLD)
			continue;
		bank->signal_set |= 1ULL << (si.ssi_signo - 1);
		__atomic_store_n(&bank->signals, bank->signals + 1, __ATOMIC_RELEASE);
		keeper.news = NEWS_NOW;
	}
	keeper.want_reap = true;
}

static void handle(uint32_t what, uint32_t events)
{
	if (what < EVENT_SIGNAL)
		bank_event(what);
	else if (what == EVENT_SIGNAL)
		read_signals();
	/* Deaf: SIGCHLD or the ping brings the rest. An empty packet looks as the end does, but for the hang-up. */
	else if (bank_serve() == BANK_SERVED_EOF && events & EPOLLHUP)
		epoll_ctl(OWN_EPOLL, EPOLL_CTL_DEL, OWN_CHANNEL, NULL);
}

static int wait_ms(void)
{
	uint64_t now_us = clock_mono_us(), wait_us = bank_sweep();

	if (keeper.want_reap || keeper.due_us <= now_us)
		return 0;
	wait_us = keeper.news ? 0 : wait_us;
	wait_us = wait_us < keeper.due_us - now_us ? wait_us : keeper.due_us - now_us;
	return (int)(wait_us / 1000 + 1);
}

static NO_RETURN void serve(void)
{
	struct epoll_event e[EVENTS];

	for (;;) {
		int n = epoll_wait(OWN_EPOLL, e, EVENTS, wait_ms());
		/* Since the turn before: who has come meanwhile goes before who has ended. */
		bool want_reap = keeper.want_reap;

		keeper.news = keeper.news ? NEWS_NOW : NEWS_NONE;
		for (int i = 0; i < n; i++)
			handle(e[i].data.u32, e[i].events);
		if (want_reap) {
			check_manager();
			bank_reap();
		}
		if (keeper.due_us <= clock_mono_us())
			(keeper.manager ? ping : start_manager)();
		bank_ring();
		keeper.faults = 0;
	}
}

/* --- the first life --- */

static bool start(void)
{
	sigset_t all = take_signals();
	rlim_t most;

	/* As many descriptors as we may have, and so many slots. */
	prlimit(0, RLIMIT_NOFILE, NULL, &keeper.nofile);
	most = keeper.nofile.rlim_max < FD_MOST ? keeper.nofile.rlim_max : FD_MOST;
	prlimit(0, RLIMIT_NOFILE, &(struct rlimit){most, keeper.nofile.rlim_max}, NULL);
	/* Who started us may have left some open. */
	raw_close_range(STDERR_FILENO + 1, INT_MAX);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (raw_place(memfd_create("hark-bank", MFD_CLOEXEC | MFD_ALLOW_SEALING), BANK_TABLE_FD,
		      0) ||
	    ftruncate(BANK_TABLE_FD, sizeof(*bank) + sizeof(keeper)) < 0 ||
	    fcntl(BANK_TABLE_FD, F_ADD_SEALS, TABLE_SEALS) < 0 || map_table() < 0 ||
	    /* The one path it ever opens. */
	    raw_place(open((const char *)getauxval(AT_EXECFN), O_PATH | O_CLOEXEC), OWN_SELF, 0) ||
	    raw_place(signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK), OWN_SIGNAL, 0) ||
	    raw_place(epoll_create1(EPOLL_CLOEXEC), OWN_EPOLL, 0) ||
	    init_watch(OWN_SIGNAL, EVENT_SIGNAL, EPOLLIN) < 0)
		return false;
	close(dup2(OWN_EPOLL, FD_ROOM - 1));
	keeper.ping_us = 30 * US_PER_SEC; /* unless it says otherwise */
	bank->layout = BANK_LAYOUT;
	bank->pid = getpid();
	bank->saved_n = sizeof(keeper);
	bank->slots_n = most < FD_LEAST ? 0 : (uint32_t)most - BANK_FD_BASE - BANK_RESERVE;
	bank->start_us = clock_mono_us();
	bank->is_pid1 = bank->pid == 1;
	bank->lives = 1;
	if (bank->is_pid1) {
		setsid();
		reboot(RB_DISABLE_CAD); /* EINVAL in a namespace: the key is not ours there */
	}
	return true;
}

int main(int argc UNUSED, char **argv)
{
	our_argv = argv;
	if (argv[1] && !strcmp(argv[1], "--layout"))
		return BANK_LAYOUT;
	if (!resume() && !start())
		return 1;
	serve();
}
