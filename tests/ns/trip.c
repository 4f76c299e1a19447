/* SPDX-License-Identifier: MIT */
/*
 * Makes one thing fail in a running manager, and goes away:
 *
 *	trip here PID N ERRNO	its N-th system call from now on fails with ERRNO
 *	trip next INIT N ERRNO	the same of the next manager that this hark-init starts, from its first call on
 *	trip reach here|next PID FILE	nothing fails; it says which functions of FILE (lines `ADDRESS NAME`) were called meanwhile
 *	trip alloc PID AT N	its N-th allocation from now on, where mem_stats lies AT (hex) in its program
 *	trip first INIT AT N	the same of the next manager that this hark-init starts, from its first one on; returns and writes as `next`
 *
 * N 0: none, the calls are counted. `here` and `next` return when they watch, and print the pid that does; it writes `calls=N
 * failed=NUMBER(FIRST)` there (of the call, and its first argument; nothing when it did not come to it) once the call has failed, the manager is gone, or on SIGTERM.
 * close(2) and munmap(2) are performed all the same, as the kernel does it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"

enum {
	OPTIONS = PTRACE_O_TRACESYSGOOD,
	INIT_OPTIONS = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
		       PTRACE_O_TRACEEXEC
};

static volatile sig_atomic_t is_over;

static void end(int sig)
{
	(void)sig;
	is_over = 1;
}

static int fail(const char *what)
{
	fprintf(stderr, "trip: %s: %s\n", what, strerror(errno));
	return 2;
}

/* In a system call that is to fail, or has failed: what it is, or what it returns. */
static bool set(pid_t pid, bool is_entry, long value)
{
#ifdef __x86_64__
	size_t at = is_entry ? offsetof(struct user_regs_struct, orig_rax)
			     : offsetof(struct user_regs_struct, rax);

	return ptrace(PTRACE_POKEUSER, pid, at, value) == 0;
#elif defined(__aarch64__)
	struct user_regs_struct regs;
	int number = (int)value;
	struct iovec all = {&regs, sizeof(regs)}, one = {&number, sizeof(number)};

	if (is_entry)
		return ptrace(PTRACE_SETREGSET, pid, 0x404, &one) == 0; /* NT_ARM_SYSTEM_CALL */
	if (ptrace(PTRACE_GETREGSET, pid, 1, &all) < 0)
		return false;
	regs.regs[0] = (unsigned long)value;
	return ptrace(PTRACE_SETREGSET, pid, 1, &all) == 0;
#else
	errno = ENOSYS;
	return pid < 0 || is_entry || value == 0;
#endif
}

/* The others end it, or cannot fail: who looks at the result of geteuid(2) for an error has not understood it. */
static bool is_counted(unsigned long long nr)
{
	static const unsigned short others[] = {
		SYS_exit_group,      SYS_exit,   SYS_rt_sigreturn, SYS_execve, SYS_execveat,
		SYS_restart_syscall, SYS_getpid, SYS_getppid,      SYS_gettid, SYS_getuid,
		SYS_geteuid,         SYS_getgid, SYS_getegid,      SYS_umask,
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (nr == others[i])
			return false;
	return true;
}

static bool is_performed(unsigned long long nr)
{
	return nr == SYS_close || nr == SYS_munmap;
}

/* Of another process that was watched when the manager was found. */
static void let_go(pid_t pid, int status)
{
	if (WIFSTOPPED(status))
		ptrace(PTRACE_DETACH, pid, 0, status >> 16 ? 0 : WSTOPSIG(status));
}

/* The next stop of a process that runs, or false when there is none. */
static bool await(pid_t pid, int *status)
{
	for (;;) {
		pid_t other = waitpid(-1, status, __WALL);

		if (other < 0 && is_over)
			ptrace(PTRACE_INTERRUPT, pid, 0, 0);
		else if (other == pid)
			return WIFSTOPPED(*status);
		else if (other > 0)
			let_go(other, *status);
		else if (errno != EINTR)
			return false;
	}
}

/* The call's first argument: what lies behind it if it is a descriptor. */
static char first[256];

static void note_first(pid_t pid, unsigned long long fd)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%llu", pid, fd);
	n = readlink(link, first, sizeof(first) - 1);
	if (n < 0)
		snprintf(first, sizeof(first), "%#llx", fd);
}

/* A stopped manager runs on from here. The number of the call that failed, or -1. */
static long watch(pid_t pid, unsigned long n, int err, unsigned long *calls)
{
	struct __ptrace_syscall_info info;
	long failed = -1;
	int status, sig = 0;

	while (ptrace(PTRACE_SYSCALL, pid, 0, sig) == 0 && await(pid, &status) && !is_over) {
		bool is_call = WSTOPSIG(status) == (SIGTRAP | 0x80);

		sig = is_call || status >> 16 ? 0 : WSTOPSIG(status);
		if (!is_call || ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
			continue;
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY && is_counted(info.entry.nr) &&
		    ++*calls == n) {
			failed = (long)info.entry.nr;
			note_first(pid, info.entry.args[0]);
			if (!is_performed(info.entry.nr) && !set(pid, true, -1))
				break;
		} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && failed >= 0) {
			(void)!set(pid, false, -err);
			break;
		}
	}
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return failed;
}

/* --- which functions are called: a breakpoint at the beginning of each, gone with the first call --- */

enum { POINTS = 2048, BREAKPOINT = 0xcc };
static struct point {
	unsigned long at;
	unsigned char byte; /* of the program there */
	bool is_set, is_reached;
	char name[80];
} points[POINTS];
static unsigned points_n;

static int read_points(const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return fail(path);
	while (points_n < POINTS &&
	       fscanf(f, "%lx %79s", &points[points_n].at, points[points_n].name) == 2)
		points_n++;
	fclose(f);
	return 0;
}

/* Where its program lies, or 0. */
static unsigned long base_of(pid_t pid)
{
	char path[64];
	unsigned long base = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (maps && fscanf(maps, "%lx", &base) != 1)
		base = 0;
	if (maps)
		fclose(maps);
	return base;
}

static void set_point(pid_t pid, struct point *p, bool is_set)
{
	long word = ptrace(PTRACE_PEEKTEXT, pid, p->at, 0);

	if (is_set)
		p->byte = (unsigned char)word;
	p->is_set = is_set;
	word = (word & ~0xffL) | (is_set ? BREAKPOINT : p->byte);
	ptrace(PTRACE_POKETEXT, pid, p->at, word);
}

/* It stopped at one of them: it goes on as if there had been none. */
static bool reach(pid_t pid)
{
#ifdef __x86_64__
	size_t rip = offsetof(struct user_regs_struct, rip);
	unsigned long at = (unsigned long)ptrace(PTRACE_PEEKUSER, pid, rip, 0) - 1;

	for (unsigned i = 0; i < points_n; i++) {
		if (points[i].at != at || !points[i].is_set)
			continue;
		set_point(pid, &points[i], false);
		points[i].is_reached = true;
		return ptrace(PTRACE_POKEUSER, pid, rip, at) == 0;
	}
#endif
	return pid < 0;
}

static void watch_points(pid_t pid)
{
	unsigned long base = base_of(pid);
	int status, sig = 0;

	for (unsigned i = 0; i < points_n; i++) {
		points[i].at += base;
		set_point(pid, &points[i], true);
	}
	while (ptrace(PTRACE_CONT, pid, 0, sig) == 0 && await(pid, &status)) {
		sig = status >> 16 ? 0 : WSTOPSIG(status);
		if (sig == SIGTRAP && reach(pid))
			sig = 0;
		if (is_over)
			break;
	}
	for (unsigned i = 0; i < points_n; i++)
		if (points[i].is_set)
			set_point(pid, &points[i], false);
	ptrace(PTRACE_DETACH, pid, 0, sig);
	for (unsigned i = 0; i < points_n; i++)
		if (points[i].is_reached)
			printf("%s\n", points[i].name);
}

static bool is_manager(pid_t pid)
{
	char link[64], path[512];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return strstr(path, "/harkd") != NULL;
}

/* Of hark-init's children the first that executes harkd; all others go their ways. 0 when told to end. */
static pid_t await_manager(pid_t init)
{
	pid_t found = 0;
	int status;

	while (!found && !is_over) {
		pid_t pid = waitpid(-1, &status, __WALL);
		bool is_exec = pid > 0 && status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8);

		if (pid <= 0 || !WIFSTOPPED(status))
			continue;
		if (pid != init && is_exec && is_manager(pid))
			found = pid;
		else if (pid != init && is_exec)
			let_go(pid, status);
		else if (status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP)
			ptrace(PTRACE_LISTEN, pid, 0, 0);
		else
			ptrace(PTRACE_CONT, pid, 0, status >> 16 ? 0 : WSTOPSIG(status));
	}
	ptrace(PTRACE_INTERRUPT, init, 0, 0);
	if (waitpid(init, &status, __WALL) == init)
		let_go(init, status);
	if (found)
		ptrace(PTRACE_SETOPTIONS, found, 0, OPTIONS);
	return found;
}

/* mem_stats is read and written while the manager rests. */
static int fail_allocation(pid_t pid, unsigned long at, unsigned long n)
{
	unsigned long base = base_of(pid);
	struct mem_stats stats;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 ||
	    pread(fd, &stats, sizeof(stats), (off_t)(base + at)) != (ssize_t)sizeof(stats))
		return fail(path);
	printf("%llu\n", (unsigned long long)stats.total_n);
	stats.fail_at = n ? stats.total_n + n : 0;
	if (pwrite(fd, &stats.fail_at, sizeof(stats.fail_at),
		   (off_t)(base + at + offsetof(struct mem_stats, fail_at))) < 0)
		return fail(path);
	return 0;
}

/* stats_at: where mem_stats lies; 0: a call shall fail, or the functions of points be watched. */
static int trace(pid_t pid, bool is_next, unsigned long n, int err, unsigned long stats_at)
{
	struct sigaction a = {.sa_handler = end};
	unsigned long calls = 0;
	int ready[2], status;
	pid_t child;
	long failed;

	if (pipe(ready) < 0)
		return fail("pipe");
	child = fork();
	if (child > 0) {
		close(ready[1]);
		if (read(ready[0], &(char){0}, 1) != 1)
			return 2;
		printf("%d\n", child);
		return 0;
	}
	sigaction(SIGTERM, &a, NULL);
	if (ptrace(PTRACE_SEIZE, pid, 0, is_next ? INIT_OPTIONS : OPTIONS) < 0)
		return fail("PTRACE_SEIZE");
	if (!is_next &&
	    (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0 || waitpid(pid, &status, __WALL) < 0))
		return fail("PTRACE_INTERRUPT");
	if (write(ready[1], "", 1) != 1)
		return fail("write");
	close(ready[1]);
	pid = is_next ? await_manager(pid) : pid;
	if (stats_at && pid) {
		int r = fail_allocation(pid, stats_at, n);

		ptrace(PTRACE_DETACH, pid, 0, 0);
		return r;
	}
	if (points_n) {
		watch_points(pid);
		return 0;
	}
	failed = pid ? watch(pid, n, err, &calls) : -1;
	printf("calls=%lu failed=", calls);
	if (failed >= 0)
		printf("%ld(%s)", failed, first);
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 5 && strcmp(argv[1], "alloc") == 0)
		return fail_allocation(atoi(argv[2]), strtoul(argv[3], NULL, 16),
				       strtoul(argv[4], NULL, 10));
	if (argc == 5 && (strcmp(argv[1], "here") == 0 || strcmp(argv[1], "next") == 0))
		return trace(atoi(argv[2]), strcmp(argv[1], "next") == 0,
			     strtoul(argv[3], NULL, 10), atoi(argv[4]), 0);
	if (argc == 5 && strcmp(argv[1], "first") == 0)
		return trace(atoi(argv[2]), true, strtoul(argv[4], NULL, 10), 0,
			     strtoul(argv[3], NULL, 16));
	if (argc == 5 && strcmp(argv[1], "reach") == 0)
		return read_points(argv[4])
			       ? 2
			       : trace(atoi(argv[3]), strcmp(argv[2], "next") == 0, 0, 0, 0);
	fprintf(stderr,
		"usage: trip here|next PID N ERRNO, trip alloc PID AT N, trip first INIT AT N\n");
	return 2;
}
