/* SPDX-License-Identifier: MIT */
/* What keeper_test is when PID 1 has started it as a service: its exit status is the verdict. And what it asks the kernel. */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STORM = 10000 };

static int be_fds(int want)
{
	DIR *d = opendir("/proc/self/fd");
	const char *pid = getenv("LISTEN_PID");
	sigset_t mask;
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d);
	for (int i = 0; i < want; i++)
		if (fcntl(i, F_GETFD) != 0)
			return 2;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	if (!sigisemptyset(&mask) || getsid(0) != getpid() || !pid || atoi(pid) != getpid())
		return 3;
	return n == want ? 0 : 4;
}

static int be_storm(void)
{
	char c;

	for (int i = 0; i < STORM; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 2;
		if (pid == 0)
			_exit(read(STDIN_FILENO, &c, 1) == 0 ? 0 : 1);
	}
	return 0;
}

static int be_double(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		usleep(200000);
		_exit(9);
	}
	return write(STDOUT_FILENO, &pid, sizeof(pid)) == sizeof(pid) ? 0 : 1;
}

/* Closes its connection; and may go on without. */
static int be_greeter(bool stays)
{
	bool is_done = write(3, "hi\n", 3) == 3 && close(3) == 0;

	return is_done && stays ? pause() : !is_done;
}

/* Of two processes. -1: this kernel does not say. */
static int shares_memory(pid_t a, pid_t b)
{
	long r = syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0);

	return r < 0 ? -1 : r == 0;
}
