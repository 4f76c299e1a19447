/* SPDX-License-Identifier: MIT */
/*
 * floor - the same work as a service manager's, by the barest loop that does
 * it.
 *
 *   floor boot    HOW CGROUP PAYLOAD REPORT N
 *   floor restart HOW CGROUP PAYLOAD REPORT N         start again what ended
 *   floor wait    HOW CGROUP PAYLOAD ADDRESS OTHERS   Accept=no, with OTHERS
 * more sockets listening floor accept  HOW CGROUP PAYLOAD ADDRESS 0 Accept=yes
 *   floor bus     HOW CGROUP PROGRAMS CONFIG 0        a dbus-daemon with that
 * file, and what it wants to be started: for the unit X.service the program X
 * with the name org.bench.X; SIGUSR1 ends it
 *
 * HOW: vm    clone3(CLONE_VM) on a ring of 8 stacks, each freed by
 * CLONE_CHILD_CLEARTID at the child's exec, so that one exec overlaps the next
 * clone (x86-64; elsewhere: fork) vfork clone3(CLONE_VM | CLONE_VFORK): each
 * exec is waited for fork  plain clone3 vm-, vfork-, fork-  the same without a
 * cgroup (else: mkdir, open, CLONE_INTO_CGROUP for each)
 */
#include "bench.h"
#include "dbus.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { RING = 8, STACK = 8192, LOW_FDS = 16, PIDS = 1 << 22, BACKLOG = 4096, EVENTS = 64 };
enum { FROM_LISTENER, FROM_SIGNAL, FROM_OTHER, FROM_BUS };

/* A child to be. */
struct order {
	char *argv[4];
	int cgroup_fd; /* -1: stay in ours */
	int from, to;  /* one descriptor to pass; to -1: none */
	int is_shared; /* CLONE_FILES: the child copies only what is below LOW_FDS */
};

static struct slot {
	uint64_t stack[STACK / sizeof(uint64_t)];
	struct order order;
	volatile int busy; /* cleared by the kernel when the child has left our memory */
} ring[RING] __attribute__((aligned(16)));

static int is_vm, is_vfork, has_cgroups, root_fd = -1;
static const char *payload;
static uint32_t ordinal[PIDS]; /* by pid: which service, or the number of its cgroup */

static void run_order(struct order *o)
{
	char *no_env[] = {NULL};

	if (o->is_shared)
		syscall(SYS_close_range, LOW_FDS, ~0U, CLOSE_RANGE_UNSHARE);
	if (o->to >= 0 && o->from != o->to)
		dup2(o->from, o->to);
	else if (o->to >= 0)
		fcntl(o->to, F_SETFD, 0);
	execve(o->argv[0], o->argv, no_env);
	_exit(127);
}

#ifdef __x86_64__
/* clone3 with a stack of the child's own, where it calls run_order(o). */
static long clone_on_stack(struct clone_args *a, struct order *o)
{
	long r;

	__asm__ volatile("mov %[fn], %%r12\n"
			 "mov %[arg], %%r13\n"
			 "syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "xor %%ebp, %%ebp\n"
			 "mov %%r13, %%rdi\n"
			 "call *%%r12\n"
			 "1:"
			 : "=a"(r)
			 : "0"((long)SYS_clone3), "D"(a),
			   "S"(sizeof(*a)), [fn] "r"(run_order), [arg] "r"(o)
			 : "rcx", "r11", "r12", "r13", "memory");
	return r;
}
#endif

static struct clone_args plain_args(const struct order *o)
{
	struct clone_args a = {.exit_signal = SIGCHLD};

	if (o->cgroup_fd >= 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (__u64)o->cgroup_fd;
	}
	if (o->is_shared)
		a.flags |= CLONE_FILES;
	return a;
}

static long spawn_fork(struct order *o)
{
	struct clone_args a = plain_args(o);
	long pid = syscall(SYS_clone3, &a, sizeof(a));

	if (pid == 0)
		run_order(o);
	return pid;
}

static long spawn_vm(const struct order *o)
{
#ifdef __x86_64__
	static unsigned next;
	struct slot *s = &ring[next++ % RING];
	struct clone_args a;

	while (s->busy)
		syscall(SYS_futex, &s->busy, FUTEX_WAIT, 1, NULL, NULL, 0);
	s->order = *o;
	s->busy = 1;
	a = plain_args(o);
	a.flags |= CLONE_VM | CLONE_CHILD_CLEARTID | (is_vfork ? CLONE_VFORK : 0);
	a.child_tid = (uint64_t)(uintptr_t)&s->busy;
	a.stack = (uint64_t)(uintptr_t)s->stack;
	a.stack_size = sizeof(s->stack);
	return clone_on_stack(&a, &s->order);
#else
	struct order copy = *o;

	return spawn_fork(&copy);
#endif
}

static pid_t spawn(struct order *o)
{
	long pid = is_vm ? spawn_vm(o) : spawn_fork(o);

	if (pid < 0) {
		errno = is_vm ? (int)-pid : errno;
		die("clone3");
	}
	return (pid_t)pid;
}

static int make_cgroup(unsigned n)
{
	char name[32];
	int fd;

	if (!has_cgroups)
		return -1;
	snprintf(name, sizeof(name), "f%u.service", n);
	if (mkdirat(root_fd, name, 0755) < 0)
		die(name);
	fd = openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(name);
	return fd;
}

static void remove_cgroup(unsigned n)
{
	char name[32];

	snprintf(name, sizeof(name), "f%u.service", n);
	if (has_cgroups)
		unlinkat(root_fd, name, AT_REMOVEDIR);
}

/* --- boot and restart --- */

struct service {
	int cgroup_fd;
	char word[256]; /* with "vm" the child reads it from our memory */
};

static void spawn_service(struct service *s, unsigned i)
{
	struct order o = {.cgroup_fd = s->cgroup_fd, .to = -1};

	o.argv[0] = (char *)(uintptr_t)payload;
	o.argv[1] = s->word;
	ordinal[spawn(&o)] = i;
}

static void boot(const char *report, unsigned n, int want_restart)
{
	struct service *services = calloc(n + 1, sizeof(*services));
	pid_t pid;

	if (!services)
		die("memory");
	for (unsigned i = 0; i < n; i++) {
		struct service *s = &services[i];

		s->cgroup_fd = make_cgroup(i);
		snprintf(s->word, sizeof(s->word), "r:%s:%u", report, i);
		spawn_service(s, i);
		if (!want_restart && s->cgroup_fd >= 0)
			close(s->cgroup_fd);
	}
	while ((pid = waitpid(-1, NULL, 0)) > 0)
		if (want_restart)
			spawn_service(&services[ordinal[pid]], ordinal[pid]);
	for (;;)
		pause();
}

/* --- sockets --- */

static int listen_on(const char *text, int is_high)
{
	struct address a = to_address(text);
	int one = 1, fd = socket(a.u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, &a.u.any, a.len) < 0 || listen(fd, BACKLOG) < 0)
		die(text);
	if (is_high && fd < LOW_FDS) {
		int high = fcntl(fd, F_DUPFD_CLOEXEC, LOW_FDS);

		close(fd);
		fd = high;
	}
	return fd;
}

static void watch(int epoll_fd, int op, int fd, uint32_t what)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = what};

	if (epoll_ctl(epoll_fd, op, fd, &e) < 0)
		die("epoll_ctl");
}

static void activate(int from, int to, int is_accept)
{
	static unsigned number;
	struct order o = {.cgroup_fd = make_cgroup(++number), .from = from, .to = to};

	o.is_shared = !is_accept; /* a connection is closed right after the clone, the
                               listener stays */
	o.argv[0] = (char *)(uintptr_t)payload;
	o.argv[1] = (char *)(uintptr_t)(is_accept ? "e" : "a");
	ordinal[spawn(&o)] = number;
	if (o.cgroup_fd >= 0)
		close(o.cgroup_fd);
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		activate(fd, 0, 1);
		close(fd);
	}
}

static int reap(int signal_fd)
{
	static struct signalfd_siginfo si[EVENTS];
	int n = 0;
	pid_t pid;

	(void)!read(signal_fd, si, sizeof(si));
	for (; (pid = waitpid(-1, NULL, WNOHANG)) > 0; n++)
		remove_cgroup(ordinal[pid]);
	return n;
}

static int watch_signals(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void serve(const char *address, int others, int is_accept)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), signal_fd = watch_signals();
	int listener = listen_on(address, 0);
	struct epoll_event events[EVENTS];
	char text[64];

	if (is_accept)
		fcntl(listener, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < others; i++) {
		snprintf(text, sizeof(text), "unix:@hark-bench/%d", i);
		watch(epoll_fd, EPOLL_CTL_ADD, listen_on(text, 1), FROM_OTHER);
	}
	watch(epoll_fd, EPOLL_CTL_ADD, signal_fd, FROM_SIGNAL);
	watch(epoll_fd, EPOLL_CTL_ADD, listener, FROM_LISTENER);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.u32 == FROM_SIGNAL) {
				if (reap(signal_fd) && !is_accept)
					watch(epoll_fd, EPOLL_CTL_ADD, listener, FROM_LISTENER);
			} else if (is_accept) {
				accept_all(listener);
			} else if (events[i].data.u32 == FROM_LISTENER) {
				epoll_ctl(epoll_fd, EPOLL_CTL_DEL, listener, NULL);
				activate(listener, 3, 0);
			}
		}
	}
}

/* --- names on the bus --- */

static int connect_bus(const char *config)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char option[512];
	int fd;

	mkdir("/run/dbus", 0755);
	snprintf(option, sizeof(option), "--config-file=%s", config);
	if (fork() == 0) {
		execlp("dbus-daemon", "dbus-daemon", option, "--nofork", "--nopidfile",
		       "--systemd-activation", "--syslog-only", (char *)NULL);
		die("dbus-daemon");
	}
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", dbus_socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	while (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		usleep(1000);
	return fd;
}

/* The service that a message of the bus asks for. Its pid, or 0. */
static pid_t start_asked(const struct dbus_message *m, unsigned number)
{
	static char program[256], name[64], no_delay[] = "0";
	const char *member = m->field[FIELD_MEMBER], *unit = (const char *)m->body + 4;
	int n = (int)strcspn(unit, ".");
	struct order o = {.to = -1, .argv = {program, name, no_delay}};
	pid_t pid;

	if (m->type != DBUS_SIGNAL || !member || strcmp(member, "ActivationRequest") != 0)
		return 0;
	o.cgroup_fd = make_cgroup(number);
	snprintf(program, sizeof(program), "%s/%.*s", payload, n, unit);
	snprintf(name, sizeof(name), "org.bench.%.*s", n, unit);
	pid = spawn(&o);
	ordinal[pid] = number;
	if (o.cgroup_fd >= 0)
		close(o.cgroup_fd);
	return pid;
}

static void serve_bus(const char *config)
{
	static struct dbus_out out;
	static struct dbus_in in;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), fd = connect_bus(config);
	int signal_fd = watch_signals(), is_welcome = 0;
	struct epoll_event event;
	struct dbus_message m;
	unsigned number = 0;
	pid_t pid = 0, now;
	ssize_t n;

	dbus_introduce(&out, "org.freedesktop.systemd1");
	if (write(fd, out.at, out.n) != (ssize_t)out.n)
		die("the bus");
	watch(epoll_fd, EPOLL_CTL_ADD, signal_fd, FROM_SIGNAL);
	watch(epoll_fd, EPOLL_CTL_ADD, fd, FROM_BUS);
	while (epoll_wait(epoll_fd, &event, 1, -1) >= 0) {
		if (event.data.u32 == FROM_SIGNAL) {
			if (!reap(signal_fd) && pid)
				kill(pid, SIGKILL);
			continue;
		}
		n = read(fd, in.at + in.n, sizeof(in.at) - in.n);
		if (n <= 0)
			die("the bus is gone");
		in.n += (unsigned)n;
		is_welcome = is_welcome || dbus_welcome(&in);
		while (is_welcome && dbus_next(&in, &m)) {
			now = start_asked(&m, number + 1);
			number += now > 0;
			pid = now > 0 ? now : pid;
		}
		dbus_shift(&in);
	}
}

int main(int argc, char **argv)
{
	if (argc != 7)
		return 2;
	is_vfork = !strncmp(argv[2], "vfork", 5);
	is_vm = is_vfork || !strncmp(argv[2], "vm", 2);
	has_cgroups = !strchr(argv[2], '-');
	root_fd = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	payload = argv[4];
	if (root_fd < 0)
		die(argv[3]);
	if (!strcmp(argv[1], "boot") || !strcmp(argv[1], "restart"))
		boot(argv[5], (unsigned)to_int(argv[6]), argv[1][0] == 'r');
	if (!strcmp(argv[1], "bus"))
		serve_bus(argv[5]);
	serve(argv[5], to_int(argv[6]), argv[1][0] == 'a');
	return 0;
}
