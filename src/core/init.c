/* SPDX-License-Identifier: MIT */
#include "core/init.h"
#include "core/plan_run.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	EVENTS = 64,
	ENV_MOST = 256,
	LOW_FD = 3,
	CRASHES_NO_STATE = 5,
	CRASHES_SAFE = 10,
	SHORT_LIFE_US = 1000000,
	GOOD_LIFE_US = 10000000, /* a manager that lived this long starts the count again */
	BACK_OFF_US = 100000,
	BACK_OFF_MOST_US = 10000000,
	ABORT_WAIT_US = 2000000,
	FINAL_TERM_US = 2000000,
	FINAL_KILL_US = 2000000,
	FINAL_SYNC_US = 10000000,
};

static char manager_path[PATH_MAX];
static char **manager_argv;
static uint64_t start_us; /* when to start the next manager; TIME_NEVER: one lives */

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

static NO_RETURN void fail_child(const struct child *c, struct plan_report report)
{
	(void)!write(c->report_fd, &report, sizeof(report));
	_exit(plan_exit_code(report.step));
}

static void pass_fds(const struct child *c)
{
	for (int i = 0; i < c->n; i++) {
		int from = c->stage_fd + i;

		if (c->refs)
			from = c->refs[i] < 0 ? OWN_NULL : BANK_FD_BASE + c->refs[i];
		if (dup2(from, i) < 0)
			fail_child(c, (struct plan_report){PLAN_DUP, errno});
	}
	init_close_range(c->n, c->report_fd - 1, 0);
	init_close_range(c->report_fd + 1, INT_MAX, 0);
}

static NO_RETURN void run_child(const struct child *c)
{
	char *argv[PLAN_ARGS_INLINE + 1], *envp[PLAN_ARGS_INLINE + 1];
	struct plan_space space = {.argv = argv, .envp = envp, .args_max = PLAN_ARGS_INLINE};
	struct plan_report report;

	if (!c->refs) {
		/* Until here the descriptor table is PID 1's own: nothing may change in it. */
		if (init_close_range(BANK_OWN_FD, INT_MAX, CLOSE_RANGE_UNSHARE) < 0)
			fail_child(c, (struct plan_report){PLAN_DUP, errno});
		(void)!write(c->report_fd, "U", 1);
	}
	plan_fresh_process();
	pass_fds(c);
	setrlimit(RLIMIT_NOFILE, &keeper.nofile);
	plan_run(c->plan, c->plan_n, &space, NULL, &report);
	fail_child(c, report);
}

pid_t init_clone(const struct child *c)
{
	struct clone_args a = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
	long pid;

	if (!c->refs)
		a.flags |= CLONE_FILES;
	if (c->cgroup_fd >= 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (__u64)c->cgroup_fd;
	}
	pid = syscall(SYS_clone3, &a, sizeof(a));
	if (pid == 0)
		run_child(c);
	return pid < 0 ? -errno : (pid_t)pid;
}

/* --- the end --- */

static void wait_all(uint64_t most_us)
{
	uint64_t end_us = init_now_us() + most_us;
	siginfo_t si;

	do {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG) < 0)
			return;
		if (!si.si_pid)
			nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	} while (init_now_us() < end_us);
}

int init_final(uint32_t flags, int32_t arg)
{
	bool is_exit = flags & BANK_F_EXIT;

	if (!keeper.table->is_pid1) {
		if (is_exit)
			_exit(arg);
		return -EPERM;
	}
	if (!is_exit) {
		kill(-1, SIGTERM);
		kill(-1, SIGCONT);
		wait_all(FINAL_TERM_US);
	}
	kill(-1, SIGKILL);
	wait_all(FINAL_KILL_US);
	if (is_exit)
		_exit(arg);
	/* In a child, because a dead disk or server can hold sync(2) for ever. */
	if (fork() == 0) {
		sync();
		_exit(0);
	}
	wait_all(FINAL_SYNC_US);
	reboot(arg);
	_exit(0);
}

/* --- the manager's life --- */

static NO_RETURN void run_manager(void)
{
	static char no_state[] = "HARK_NO_STATE=1", safe[] = "HARK_SAFE=1";
	char *env[ENV_MOST + 1], **e = env;
	sigset_t none;
	int fd;

	for (char **from = environ; *from && e < env + ENV_MOST - 2; from++)
		*e++ = *from;
	if (keeper.table->crashes >= CRASHES_NO_STATE)
		*e++ = no_state;
	if (keeper.table->crashes >= CRASHES_SAFE)
		*e++ = safe;
	*e = NULL;
	if (!keeper.table->is_pid1)
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	fcntl(BANK_CHANNEL_FD, F_SETFD, 0);
	fcntl(BANK_TABLE_FD, F_SETFD, 0);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	(void)!write(fd, "-1000", 5); /* not ours to demand without the privilege */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(manager_path, manager_argv, env);
	_exit(203);
}

static int open_channel(void)
{
	int p[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) < 0)
		return -errno;
	r = init_place_fd(p[0], OWN_CHANNEL, O_CLOEXEC) | init_place_fd(p[1], BANK_CHANNEL_FD, O_CLOEXEC);
	return r ? r : init_watch(EPOLL_CTL_ADD, OWN_CHANNEL, EVENT_CHANNEL, EPOLLIN);
}

static void start_manager(void)
{
	pid_t pid = -1;

	start_us = TIME_NEVER;
	keeper.is_greeted = keeper.is_full = false;
	keeper.table->generation++;
	keeper.table->manager_us = init_now_us();
	if (open_channel() == 0)
		pid = fork();
	if (pid == 0)
		run_manager();
	close(BANK_CHANNEL_FD);
	if (pid > 0) {
		keeper.manager = pid;
	} else {
		close(OWN_CHANNEL);
		start_us = init_now_us() + BACK_OFF_US;
	}
}

/* How long the next manager has to wait, and whether this death counts. Being killed from outside never does. */
static uint64_t judge_death(const siginfo_t *si, uint64_t lived_us)
{
	struct bank_table *t = keeper.table;
	bool is_exit = si->si_code == CLD_EXITED;
	bool is_ours = keeper.ping_step >= PING_ABORTED;
	uint64_t wait_us = BACK_OFF_US;

	t->last_code = si->si_code;
	t->last_status = si->si_status;
	if (lived_us >= GOOD_LIFE_US)
		t->crashes = 0;
	if (!is_ours && !is_exit && (si->si_status == SIGKILL || si->si_status == SIGTERM))
		return 0;
	if (!is_ours && is_exit && si->si_status == 0)
		return lived_us < SHORT_LIFE_US ? BACK_OFF_US : 0;
	for (uint32_t n = t->crashes++; n && wait_us < BACK_OFF_MOST_US; n--)
		wait_us *= 2;
	return wait_us < BACK_OFF_MOST_US ? wait_us : BACK_OFF_MOST_US;
}

static void check_manager(void)
{
	siginfo_t si = {0};
	enum bank_served served;

	if (!keeper.manager || waitid(P_PID, (id_t)keeper.manager, &si, WEXITED | WNOHANG) < 0 || !si.si_pid)
		return;
	keeper.manager = 0;
	keeper.is_greeted = false;
	/* It is reaped; now everything it asked for is done before there is another. */
	do
		served = bank_serve();
	while (served == BANK_SERVED_SOME);
	close(OWN_CHANNEL);
	keeper.is_greeted = false;
	keeper.gone_us = init_now_us();
	start_us = keeper.gone_us + judge_death(&si, keeper.gone_us - keeper.table->manager_us);
	keeper.ping_us = TIME_NEVER;
	keeper.ping_step = PING_IDLE;
}

static void ping(void)
{
	switch (keeper.ping_step++) {
	case PING_IDLE:
		bank_send(&(struct bank_note){.kind = BANK_NOTE_PING});
		keeper.ping_us += PING_EVERY_US;
		break;
	case PING_ASKED:
		kill(keeper.manager, SIGABRT);
		keeper.ping_us += ABORT_WAIT_US;
		break;
	default:
		kill(keeper.manager, SIGKILL);
		keeper.ping_us = TIME_NEVER;
	}
}

/* --- events --- */

static void read_signals(void)
{
	struct signalfd_siginfo si;

	while (read(OWN_SIGNAL, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD) {
			keeper.reap = REAP_WANTED;
			check_manager();
			continue;
		}
		keeper.signal = (int)si.ssi_signo;
		if (keeper.is_greeted && !keeper.is_full)
			bank_tell_all(false);
	}
}

static void handle_channel(uint32_t events)
{
	if (events & EPOLLOUT)
		bank_tell_all(false);
	/* Deaf: its end is closed. SIGCHLD brings the rest, or the ping does. */
	if (bank_serve() == BANK_SERVED_EOF)
		epoll_ctl(OWN_EPOLL, EPOLL_CTL_DEL, OWN_CHANNEL, NULL);
}

static int wait_ms(void)
{
	uint64_t now_us = init_now_us(), due_us = start_us < keeper.ping_us ? start_us : keeper.ping_us;

	if (keeper.reap == REAP_WANTED || due_us <= now_us)
		return 0;
	return due_us == TIME_NEVER ? -1 : (int)((due_us - now_us + 999) / 1000);
}

static NO_RETURN void serve(void)
{
	struct epoll_event e[EVENTS];

	for (;;) {
		int n = epoll_wait(OWN_EPOLL, e, EVENTS, wait_ms());

		for (int i = 0; i < n; i++) {
			if (e[i].data.u32 < EVENT_SIGNAL)
				bank_event(e[i].data.u32);
			else if (e[i].data.u32 == EVENT_SIGNAL)
				read_signals();
			else
				handle_channel(e[i].events);
		}
		if (keeper.reap == REAP_WANTED)
			bank_reap();
		if (start_us <= init_now_us())
			start_manager();
		if (keeper.ping_us <= init_now_us())
			ping();
	}
}

/* --- start --- */

static bool is_mount_point(const char *path, long magic)
{
	char parent[32];
	struct stat self, above;
	struct statfs fs;

	strcpy(parent, path);
	strcat(parent, "/..");
	return (stat(path, &self) == 0 && stat(parent, &above) == 0 && self.st_dev != above.st_dev) ||
	       (statfs(path, &fs) == 0 && (long)fs.f_type == magic);
}

/* Whatever fails here the manager will say, when it has somewhere to say it. */
static void mount_api(void)
{
	enum { SAFE = MS_NOSUID | MS_NOEXEC | MS_NODEV };
	static const struct {
		const char *type, *path, *options;
		unsigned long flags;
		long magic;
	} mounts[] = {
		{"proc", "/proc", NULL, SAFE, PROC_SUPER_MAGIC},
		{"sysfs", "/sys", NULL, SAFE, SYSFS_MAGIC},
		{"devtmpfs", "/dev", "mode=0755", MS_NOSUID, 0},
		{"devpts", "/dev/pts", "mode=0620,gid=5,ptmxmode=0666", MS_NOSUID | MS_NOEXEC, DEVPTS_SUPER_MAGIC},
		{"tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV, 0},
		{"tmpfs", "/run", "mode=0755", MS_NOSUID | MS_NODEV, 0},
		{"cgroup2", "/sys/fs/cgroup", "nsdelegate", SAFE, CGROUP2_SUPER_MAGIC},
	};

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i].path, 0755);
		if (!is_mount_point(mounts[i].path, mounts[i].magic))
			mount(mounts[i].type, mounts[i].path, mounts[i].type, mounts[i].flags, mounts[i].options);
	}
}

static void open_standard(void)
{
	for (int fd = 0; fd < LOW_FD; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/console", O_RDWR | O_NOCTTY) != fd)
			open("/dev/null", O_RDWR);
	init_close_range(LOW_FD, INT_MAX, 0); /* who started us may have left some open */
	(void)init_place_fd(open("/dev/null", O_RDWR | O_CLOEXEC), OWN_NULL, O_CLOEXEC);
}

static int open_signals(void)
{
	sigset_t all;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL); /* an ignored SIGCHLD would reap behind our back; children inherit what is ignored */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	return init_place_fd(signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK), OWN_SIGNAL, O_CLOEXEC);
}

static uint32_t raise_nofile(void)
{
	struct rlimit wide;

	getrlimit(RLIMIT_NOFILE, &keeper.nofile);
	wide = keeper.nofile;
	wide.rlim_cur = wide.rlim_max;
	setrlimit(RLIMIT_NOFILE, &wide);
	if (wide.rlim_cur >= BANK_FD_BASE + BANK_SLOTS + BANK_RESERVE)
		return BANK_SLOTS;
	return wide.rlim_cur > BANK_FD_BASE + 2 * BANK_RESERVE ? (uint32_t)wide.rlim_cur - BANK_FD_BASE - BANK_RESERVE : 0;
}

/* The manager may read the table and never write it: the seal leaves only the mapping made here. */
static int open_table(void)
{
	struct bank_table *t;
	int fd = memfd_create("hark-bank", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (init_place_fd(fd, BANK_TABLE_FD, O_CLOEXEC) < 0 || ftruncate(BANK_TABLE_FD, sizeof(*t)) < 0)
		return -1;
	t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED, BANK_TABLE_FD, 0);
	if (t == MAP_FAILED)
		return -1;
	fcntl(BANK_TABLE_FD, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
	t->layout = BANK_LAYOUT;
	t->slots_n = raise_nofile();
	t->is_pid1 = getpid() == 1;
	t->start_us = init_now_us();
	keeper.table = t;
	return 0;
}

/* harkd beside this very file, unless the environment or the first word that is no option names another. */
static void choose_manager(int argc, char **argv)
{
	static const char name[] = "harkd";
	const char *other = getenv("HARK_MANAGER");
	ssize_t n = readlink("/proc/self/exe", manager_path, sizeof(manager_path) - sizeof(name));
	int i = 1;

	while (i < argc && argv[i][0] == '-' && argv[i][1] == '-')
		i += strchr(argv[i], '=') || i + 1 == argc ? 1 : 2; /* every option of harkd has a value */
	manager_argv = argv;
	if (i < argc) {
		manager_argv = argv + i;
		other = argv[i];
	}
	while (n > 0 && manager_path[n - 1] != '/')
		n--;
	memcpy(manager_path + (n > 0 ? n : 0), name, sizeof(name));
	if (other && strlen(other) < sizeof(manager_path))
		strcpy(manager_path, other);
	manager_argv[0] = manager_path;
}

int main(int argc, char **argv)
{
	bool is_pid1 = getpid() == 1;

	if (is_pid1) {
		setsid();
		mount_api();
		reboot(RB_DISABLE_CAD); /* EINVAL in a namespace: the key is not ours there */
	} else {
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	}
	choose_manager(argc, argv);
	open_standard();
	if (open_table() < 0 || open_signals() < 0 ||
	    init_place_fd(epoll_create1(EPOLL_CLOEXEC), OWN_EPOLL, O_CLOEXEC) < 0 ||
	    init_watch(EPOLL_CTL_ADD, OWN_SIGNAL, EVENT_SIGNAL, EPOLLIN) < 0)
		return 1;
	keeper.ping_us = TIME_NEVER;
	serve();
}
