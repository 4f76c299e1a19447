/* SPDX-License-Identifier: MIT */
#include "core/init.h"

#include <limits.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <time.h>

enum {
	EVENTS = 64,
	FD_LEAST = BANK_FD_BASE + 2 * BANK_RESERVE,
	FD_MOST = BANK_FD_BASE + BANK_SLOTS + BANK_RESERVE,
	GOOD_LIFE_US = 10000000, /* a manager that lived this long starts the count again */
	BACK_OFF_US = 100000,
	BACK_OFF_TIMES = 100, /* at most: 10 s */
	PING_ABORTED = 2,     /* from this step on its death is our doing */
	ABORT_WAIT_US = 2000000,
};

static char **manager_argv;

uint64_t init_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * US_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

int init_close_range(int first, int last, unsigned flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

int init_place_fd(int fd, int target, int flags)
{
	int r = fd < 0 || dup3(fd, target, flags) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return r;
}

int init_watch(int op, int fd, uint32_t what, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.u32 = what};

	return epoll_ctl(OWN_EPOLL, op, fd, &e) < 0 ? -errno : 0;
}

/* --- the child that becomes a service --- */

static int pass_fds(const struct bank_req *q, int report_fd)
{
	bool is_staged = report_fd != OWN_PIPE;
	int n = (int)q->refs_n;

	/* Until here a staged child's descriptor table is PID 1's own: nothing may change in it. */
	if (is_staged && init_close_range(BANK_OWN_FD, INT_MAX, CLOSE_RANGE_UNSHARE) < 0)
		return -errno;
	plan_say(report_fd, PLAN_DUP, 0);
	for (int i = 0; i < n; i++) {
		int from = is_staged ? report_fd + 1 - BANK_STAGE_FDS + i
				     : BANK_FD_BASE + q->refs[i];

		/* Here, for PID 1 opens no path. All below i are in use, so it is i or lies above. */
		if (q->refs[i] < 0)
			from = open("/dev/null", O_RDWR); /* inherited */
		if (dup2(from, i) < 0)
			return -errno;
	}
	init_close_range(n, report_fd - 1, 0);
	init_close_range(report_fd + 1, INT_MAX, 0);
	return 0;
}

static NO_RETURN void run_child(const struct bank_req *q, int report_fd)
{
	char *argv[PLAN_ARGS_INLINE + 1], *envp[PLAN_ARGS_INLINE + 1];
	struct plan_space space = {argv, envp, PLAN_ARGS_INLINE, .report_fd = report_fd};
	struct plan_report report = {.step = PLAN_DUP, .err = -pass_fds(q, report_fd)};

	setrlimit(RLIMIT_NOFILE, &keeper.nofile);
	if (!report.err)
		report = plan_run((const char *)(q + 1), q->plan_n, &space, NULL);
	plan_say(report_fd, report.step, report.err);
	_exit(plan_exit_code(report.step));
}

pid_t init_clone(const struct bank_req *q, int cgroup_fd, int report_fd)
{
	unsigned files = report_fd == OWN_PIPE ? 0 : CLONE_FILES;
	struct clone_args a = {.flags = CLONE_CLEAR_SIGHAND | files, .exit_signal = SIGCHLD};
	long pid;

	if (q->flags & BANK_F_CGROUP)
		a.flags |= CLONE_INTO_CGROUP;
	a.cgroup = (__u64)cgroup_fd; /* looked at only with that flag */
	pid = syscall(SYS_clone3, &a, sizeof(a));
	if (pid == 0)
		run_child(q, report_fd);
	return pid < 0 ? -errno : (pid_t)pid;
}

/* --- the end --- */

/* hark-exec ends what still runs, waits for the disks and gives the machine back to the kernel. */
int init_final(const struct bank_req *q, int fd)
{
	char name[] = "hark-exec", what[] = "--final", command[BANK_NAME + 1] = "";

	if (q->flags & BANK_F_EXIT)
		_exit(q->arg); /* of a pid namespace: the kernel kills what is left in it */
	if (!keeper.table->is_pid1)
		return -EPERM;
	memcpy(command, q->name, BANK_NAME);
	syscall(SYS_execveat, fd, "", (char *[]){name, what, command, NULL}, environ,
		AT_EMPTY_PATH);
	kill(-1, SIGKILL);
	reboot(q->arg);
	return -errno;
}

/* --- the manager's life --- */

/* The binary given as the first word, or HARK_MANAGER, or harkd beside this file, or where it is installed. */
static NO_RETURN void run_manager(void)
{
	static char installed[] = "/usr/lib/hark/harkd";
	char *given = getenv("HARK_MANAGER");
	char path[PATH_MAX] = "/";
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("harkd"));
	sigset_t none;

	if (n > 0)
		path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, "harkd");
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (manager_argv[1] && manager_argv[1][0] != '-')
		execv(manager_argv[1], manager_argv + 1);
	manager_argv[0] = given ? given : path;
	execv(manager_argv[0], manager_argv);
	manager_argv[0] = installed; /* there is no /proc yet, or this file is an /init alone */
	execv(manager_argv[0], manager_argv);
	_exit(203);
}

static void start_manager(void)
{
	pid_t pid = -1;
	int p[2];

	keeper.table->generation++;
	keeper.table->manager_us = init_now_us();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) == 0 &&
	    !(init_place_fd(p[0], OWN_CHANNEL, O_CLOEXEC) |
	      init_place_fd(p[1], BANK_CHANNEL_FD, 0)) &&
	    init_watch(EPOLL_CTL_ADD, OWN_CHANNEL, EVENT_CHANNEL, EPOLLIN) == 0)
		pid = fork();
	if (pid == 0)
		run_manager();
	close(BANK_CHANNEL_FD);
	keeper.manager = pid > 0 ? pid : 0;
	keeper.due_us = pid > 0 ? TIME_NEVER : init_now_us() + BACK_OFF_US;
}

/* How long the next manager has to wait. Being killed from outside is no crash and costs nothing. */
static uint64_t judge_death(const siginfo_t *si)
{
	struct bank_table *t = keeper.table;
	int status = t->last_status = si->si_status;
	bool is_exit = si->si_code == CLD_EXITED;
	bool is_wanted = is_exit ? status == 0 : status == SIGKILL || status == SIGTERM;

	t->last_code = si->si_code;
	if (keeper.gone_us - t->manager_us >= GOOD_LIFE_US)
		t->crashes = 0;
	if (is_wanted && keeper.ping_step < PING_ABORTED)
		return is_exit ? BACK_OFF_US : 0;
	t->crashes++;
	return BACK_OFF_US * (t->crashes < BACK_OFF_TIMES ? t->crashes : BACK_OFF_TIMES);
}

static void check_manager(void)
{
	siginfo_t si = {0};

	if (keeper.manager)
		waitid(P_PID, (id_t)keeper.manager, &si, WEXITED | WNOHANG);
	if (!si.si_pid)
		return;
	keeper.manager = 0;
	/* It is reaped; now everything it asked for is done before there is another. */
	while (bank_serve() == BANK_SERVED_SOME)
		continue;
	close(OWN_CHANNEL);
	keeper.can_tell = false;
	keeper.gone_us = init_now_us();
	keeper.due_us = keeper.gone_us + judge_death(&si);
	keeper.ping_step = 0;
}

/* A manager that hangs is asked, then aborted for the sake of its core, then killed. */
static void ping(void)
{
	static const struct {
		int sig;
		uint64_t wait_us;
	} steps[] = {{0, PING_EVERY_US}, {SIGABRT, ABORT_WAIT_US}, {SIGKILL, TIME_NEVER}};
	unsigned step = keeper.ping_step++;

	if (step == 0)
		bank_send(&(struct bank_note){.kind = BANK_NOTE_PING});
	kill(keeper.manager, steps[step].sig);
	keeper.due_us = time_add(init_now_us(), steps[step].wait_us);
}

/* --- events --- */

static void read_signals(void)
{
	struct signalfd_siginfo si;

	while (read(OWN_SIGNAL, &si, sizeof(si)) == (ssize_t)sizeof(si))
		if (si.ssi_signo != SIGCHLD)
			keeper.signal = (int)si.ssi_signo, keeper.is_signal_told = false;
	if (keeper.signal)
		bank_tell_all();
	check_manager();
	keeper.want_reap = true;
}

static void handle_channel(uint32_t events)
{
	if (events & EPOLLOUT) {
		keeper.can_tell = !init_watch(EPOLL_CTL_MOD, OWN_CHANNEL, EVENT_CHANNEL, EPOLLIN);
		bank_tell_all();
	}
	/* Deaf: its end is closed. SIGCHLD brings the rest, or the ping does. */
	if (bank_serve() == BANK_SERVED_EOF)
		epoll_ctl(OWN_EPOLL, EPOLL_CTL_DEL, OWN_CHANNEL, NULL);
}

static int wait_ms(void)
{
	uint64_t now_us = init_now_us(), wait_us = keeper.due_us - now_us;

	if (keeper.want_reap || keeper.due_us <= now_us)
		return 0;
	return keeper.due_us == TIME_NEVER ? -1 : (int)(wait_us / 1000 + 1);
}

static NO_RETURN void serve(void)
{
	struct epoll_event e[EVENTS];

	for (;;) {
		int n = epoll_wait(OWN_EPOLL, e, EVENTS, wait_ms());
		bool is_due;

		for (int i = 0; i < n; i++) {
			if (e[i].data.u32 < EVENT_SIGNAL)
				bank_event(e[i].data.u32);
			else if (e[i].data.u32 == EVENT_SIGNAL)
				read_signals();
			else
				handle_channel(e[i].events);
		}
		if (keeper.want_reap)
			bank_reap();
		is_due = keeper.due_us <= init_now_us();
		if (is_due && keeper.manager)
			ping();
		else if (is_due)
			start_manager();
	}
}

/* --- start --- */

static int open_signals(void)
{
	sigset_t all;

	/* An ignored SIGCHLD would reap behind our back; children inherit what is ignored. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	return init_place_fd(signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK), OWN_SIGNAL, O_CLOEXEC);
}

/* The manager may read the table and never write it: the seal leaves only the mapping made here. */
static int open_table(void)
{
	int fd = memfd_create("hark-bank", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t n = sizeof(*keeper.table);

	if (init_place_fd(fd, BANK_TABLE_FD, 0) < 0 || ftruncate(BANK_TABLE_FD, (off_t)n) < 0)
		return -errno;
	keeper.table = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, BANK_TABLE_FD, 0);
	if (keeper.table == MAP_FAILED)
		return -errno;
	keeper.slot = keeper.table->slot;
	return fcntl(BANK_TABLE_FD, F_ADD_SEALS,
		     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
}

/* As many descriptors as we may have, and so many slots. */
static uint32_t raise_nofile(void)
{
	struct rlimit wide;

	getrlimit(RLIMIT_NOFILE, &keeper.nofile);
	wide = keeper.nofile;
	wide.rlim_cur = wide.rlim_max < FD_MOST ? wide.rlim_max : FD_MOST;
	setrlimit(RLIMIT_NOFILE, &wide);
	return wide.rlim_cur < FD_LEAST ? 0 : (uint32_t)wide.rlim_cur - BANK_FD_BASE - BANK_RESERVE;
}

int main(int argc UNUSED, char **argv)
{
	manager_argv = argv;
	/* Who started us may have left some open. */
	init_close_range(STDERR_FILENO + 1, INT_MAX, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (open_table() < 0 || open_signals() < 0 ||
	    init_place_fd(epoll_create1(EPOLL_CLOEXEC), OWN_EPOLL, O_CLOEXEC) < 0 ||
	    init_watch(EPOLL_CTL_ADD, OWN_SIGNAL, EVENT_SIGNAL, EPOLLIN) < 0)
		return 1;
	keeper.table->layout = BANK_LAYOUT;
	keeper.table->slots_n = raise_nofile();
	keeper.table->start_us = init_now_us();
	keeper.table->is_pid1 = getpid() == 1;
	if (keeper.table->is_pid1) {
		setsid();
		reboot(RB_DISABLE_CAD); /* EINVAL in a namespace: the key is not ours there */
	}
	serve();
}
