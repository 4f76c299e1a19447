/* SPDX-License-Identifier: MIT */
/*
 * The service of the namespace tests: does what its words say, one after the other, then exits 0.
 *
 *   report FILE        what it finds itself with: ids, environment, limits, descriptors ...   log FILE TEXT   say TEXT   err TEXT
 *   notify TEXT        to NOTIFY_SOCKET; "\n" in it is a new line        store NAME TEXT   the same with a memfd that holds TEXT
 *   fd N FILE          what the descriptor holds, into FILE               tell MS            WATCHDOG=1 each MS, for ever
 *   sleep MS | pause | exit N | raise SIGNAL | ignore SIGNAL | read
 *   daemon             go on in a child of its own session, the starter exits 0
 *   pidfile FILE MS    write the own pid after MS                         pid FILE N         write N
 *   child              a child of its own session that waits for ever     triple FILE        three of them, each forked by the one before
 *   clock FILE         append the microseconds of CLOCK_MONOTONIC         slay PID SIGNAL FILE   the same, then the signal
 *   orphans N          N double-forked processes that exit at once        bomb N             N processes that fork for ever
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
	fprintf(stderr, "payload: %s: %s\n", what, strerror(errno));
	exit(99);
}

static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static void report_limits(FILE *f)
{
	for (int i = 0; i < RLIMIT_NLIMITS; i++) {
		struct rlimit l;

		if (getrlimit((__rlimit_resource_t)i, &l) == 0)
			fprintf(f, "limit%d=%lld:%lld\n", i, (long long)l.rlim_cur,
				(long long)l.rlim_max);
	}
}

/* What only a getter knows. ioprio_get(2): 1 is "who is a process" */
static void report_scheduling(FILE *f)
{
	struct sched_param p = {0};
	cpu_set_t cpus;
	int policy = sched_getscheduler(0);
	FILE *oom = fopen("/proc/self/oom_score_adj", "re");
	char score[16] = "?\n";
	long io = syscall(SYS_ioprio_get, 1, 0);

	sched_getparam(0, &p);
	fprintf(f, "sched=%d:%d:%d\n", policy & ~SCHED_RESET_ON_FORK, p.sched_priority,
		(policy & SCHED_RESET_ON_FORK) != 0);
	fprintf(f, "ioprio=%ld:%ld\n", io >> 13, io & 7);
	fprintf(f, "cpus=");
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		for (int i = 0; i < CPU_SETSIZE; i++)
			if (CPU_ISSET(i, &cpus))
				fprintf(f, "%d ", i);
	if (oom && !fgets(score, sizeof(score), oom))
		score[0] = '\0';
	if (oom)
		fclose(oom);
	fprintf(f, "\noom=%ssecurebits=%d\n", score, prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
}

static void report_fds(FILE *f)
{
	char path[64], to[512];

	for (int fd = 0; fd < 256; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = fd == fileno(f) ? -1 : readlink(path, to, sizeof(to) - 1);
		if (n >= 0)
			fprintf(f, "fd%d=%.*s\n", fd, (int)n, to);
	}
}

static void report_signals(FILE *f)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (!strncmp(line, "SigIgn:", 7) || !strncmp(line, "SigBlk:", 7) ||
		    !strncmp(line, "NoNewPrivs:", 11) || !strncmp(line, "CapEff:", 7) ||
		    !strncmp(line, "CapBnd:", 7))
			fputs(line, f);
	if (status)
		fclose(status);
}

static void report(const char *path)
{
	char temporary[512], dir[512];
	gid_t groups[64];
	int n = getgroups(64, groups);
	mode_t mask = umask(0);
	FILE *f;

	umask(mask);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	f = fopen(temporary, "we");
	if (!f)
		fail(temporary);
	fprintf(f, "pid=%d\nppid=%d\nsid=%d\npgrp=%d\nuid=%u\neuid=%u\ngid=%u\ngroups=", getpid(),
		getppid(), getsid(0), getpgrp(), getuid(), geteuid(), getgid());
	for (int i = 0; i < n; i++)
		fprintf(f, "%s%u", i ? "," : "", groups[i]);
	fprintf(f, "\ncwd=%s\numask=%04o\nnice=%d\n", getcwd(dir, sizeof(dir)) ? dir : "?", mask,
		getpriority(PRIO_PROCESS, 0));
	fprintf(f, "slack=%d\npdeathsig=", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
	prctl(PR_GET_PDEATHSIG, &n, 0, 0, 0);
	fprintf(f, "%d\n", n);
	report_limits(f);
	report_scheduling(f);
	report_fds(f);
	report_signals(f);
	for (char **e = environ; *e; e++)
		fprintf(f, "env %s\n", *e);
	if (fclose(f) != 0 || rename(temporary, path) < 0)
		fail(path);
}

static void append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	if (fd < 0 || dprintf(fd, "%s\n", text) < 0)
		fail(path);
	close(fd);
}

static void append_clock(const char *path)
{
	struct timespec t;
	char text[32];

	clock_gettime(CLOCK_MONOTONIC, &t);
	snprintf(text, sizeof(text), "%lld", (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	append(path, text);
}

static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (text[0] == '\\' && text[1] == 'n') {
			*to++ = '\n';
			text++;
		} else {
			*to++ = *text;
		}
	*to = '\0';
}

static void notify(const char *text, int fd)
{
	const char *where = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS}};
	char copy[1024];
	struct iovec iov = {copy, 0};
	struct msghdr head = {.msg_name = &sa, .msg_iov = &iov, .msg_iovlen = 1};
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!where)
		exit(98);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", where);
	head.msg_namelen =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(sa.sun_path));
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	snprintf(copy, sizeof(copy), "%s", text);
	unescape(copy);
	iov.iov_len = strlen(copy);
	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		head.msg_control = &control;
		head.msg_controllen = sizeof(control);
	}
	if (sendmsg(s, &head, MSG_NOSIGNAL) < 0)
		fail("notify");
	close(s);
}

static void store(const char *name, const char *text)
{
	char message[256];
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%s", text) < 0)
		fail("memfd");
	snprintf(message, sizeof(message), "FDSTORE=1\nFDNAME=%s", name);
	notify(message, fd);
	close(fd);
}

static void copy_fd(int fd, const char *path)
{
	char bytes[1024];
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);
	FILE *f = fopen(path, "we");

	if (n < 0 || !f)
		fail("fd");
	fwrite(bytes, 1, (size_t)n, f);
	fclose(f);
}

static void write_pid(const char *path, int pid)
{
	FILE *f = fopen(path, "we");

	if (!f || fprintf(f, "%d\n", pid) < 0 || fclose(f) != 0)
		fail(path);
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void become_daemon(void)
{
	if (fork() != 0)
		_exit(0);
	setsid();
}

static void make_child(void)
{
	if (fork() == 0) {
		setsid();
		wait_for_ever();
	}
}

/* Each forks the next one in a new session and with the parent gone, but the first. */
static void triple(const char *path)
{
	char text[32];

	for (int depth = 0; depth < 3; depth++) {
		if (fork() != 0) {
			if (depth == 0)
				return;
			wait_for_ever();
		}
		setsid();
		snprintf(text, sizeof(text), "%d", getpid());
		append(path, text);
	}
	wait_for_ever();
}

static void orphans(long n)
{
	for (long i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			for (int k = 0; k < 10 && i + k < n; k++)
				if (fork() == 0)
					_exit(0);
			_exit(0);
		}
		i += 9;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	while (wait(NULL) > 0)
		;
}

/* At most about 2n are alive at a time: each new one replaces its parent after a moment. */
static void bomb(long n)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	for (long i = 0; i < n; i++)
		if (fork() == 0)
			for (;;) {
				setsid();
				if (fork() > 0)
					_exit(0);
				pause_ms(20);
			}
	wait_for_ever();
}

static int signal_of(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} names[] = {{"HUP", SIGHUP},   {"INT", SIGINT},   {"TERM", SIGTERM},
		     {"SEGV", SIGSEGV}, {"KILL", SIGKILL}, {"USR1", SIGUSR1},
		     {"ABRT", SIGABRT}, {"PIPE", SIGPIPE}, {"STOP", SIGSTOP}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i].name))
			return names[i].number;
	return atoi(name);
}

static const char *on_signal_path;

static void on_signal(int sig)
{
	char text[16] = "signal 00\n";
	int fd = open(on_signal_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	text[7] = (char)('0' + sig / 10);
	text[8] = (char)('0' + sig % 10);
	(void)!write(fd, text, 10);
	close(fd);
}

static void tell_watchdog(long ms)
{
	for (;;) {
		notify("WATCHDOG=1", -1);
		pause_ms(ms);
	}
}

/* How many words it took. */
static int do_words(char **w)
{
	static const struct {
		const char *word;
		int args;
	} known[] = {{"report", 1}, {"log", 2},   {"say", 1},       {"err", 1},     {"notify", 1},
		     {"store", 2},  {"fd", 2},    {"tell", 1},      {"sleep", 1},   {"pause", 0},
		     {"exit", 1},   {"raise", 1}, {"ignore", 1},    {"daemon", 0},  {"pidfile", 2},
		     {"pid", 2},    {"child", 0}, {"triple", 1},    {"orphans", 1}, {"bomb", 1},
		     {"catch", 2},  {"read", 0},  {"notifypid", 1}, {"clock", 1},   {"slay", 3}};
	size_t i = 0;

	while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i].word, w[0]) != 0)
		i++;
	if (i == sizeof(known) / sizeof(known[0])) {
		fprintf(stderr, "payload: unknown word %s\n", w[0]);
		exit(97);
	}
	for (int k = 1; k <= known[i].args; k++)
		if (!w[k])
			exit(96);
	if (!strcmp(w[0], "report"))
		report(w[1]);
	else if (!strcmp(w[0], "log"))
		append(w[1], w[2]);
	else if (!strcmp(w[0], "clock"))
		append_clock(w[1]);
	else if (!strcmp(w[0], "slay"))
		append_clock(w[3]), kill(atoi(w[1]), signal_of(w[2]));
	else if (!strcmp(w[0], "say"))
		printf("%s\n", w[1]), fflush(stdout);
	else if (!strcmp(w[0], "err"))
		fprintf(stderr, "%s\n", w[1]);
	else if (!strcmp(w[0], "notify"))
		notify(w[1], -1);
	else if (!strcmp(w[0], "store"))
		store(w[1], w[2]);
	else if (!strcmp(w[0], "fd"))
		copy_fd(atoi(w[1]), w[2]);
	else if (!strcmp(w[0], "tell"))
		tell_watchdog(atol(w[1]));
	else if (!strcmp(w[0], "sleep"))
		pause_ms(atol(w[1]));
	else if (!strcmp(w[0], "pause"))
		wait_for_ever();
	else if (!strcmp(w[0], "exit"))
		exit(atoi(w[1]));
	else if (!strcmp(w[0], "raise"))
		kill(getpid(), signal_of(w[1]));
	else if (!strcmp(w[0], "ignore"))
		signal(signal_of(w[1]), SIG_IGN);
	else if (!strcmp(w[0], "catch"))
		on_signal_path = w[2], signal(signal_of(w[1]), on_signal);
	else if (!strcmp(w[0], "daemon"))
		become_daemon();
	else if (!strcmp(w[0], "pidfile"))
		pause_ms(atol(w[2])), write_pid(w[1], getpid());
	else if (!strcmp(w[0], "pid"))
		write_pid(w[1], atoi(w[2]));
	else if (!strcmp(w[0], "child"))
		make_child();
	else if (!strcmp(w[0], "triple"))
		triple(w[1]);
	else if (!strcmp(w[0], "orphans"))
		orphans(atol(w[1]));
	else if (!strcmp(w[0], "bomb"))
		bomb(atol(w[1]));
	else if (!strcmp(w[0], "read"))
		for (char c; read(0, &c, 1) > 0;)
			(void)!write(1, &c, 1);
	else if (!strcmp(w[0], "notifypid")) { /* a child takes over as the main process */
		pid_t pid = fork();
		char text[64];

		if (pid == 0)
			wait_for_ever();
		snprintf(text, sizeof(text), "MAINPID=%d", pid);
		notify(text, -1);
		write_pid(w[1], pid);
	}
	return 1 + known[i].args;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc;)
		i += do_words(argv + i);
	return 0;
}
