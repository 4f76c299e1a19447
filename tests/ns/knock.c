/* SPDX-License-Identifier: MIT */
/*
 * Enters a directory: `knock PATH N SECONDS [HOW]`, by N processes at once, each in a session of its own. HOW is open (the default), stat,
 * chdir, statfs or file (reads PATH/file). Prints `entered=N refused=N errno=NAME worst_ms=N stuck=N`; errno is that of the last one who was
 * refused. Whoever is not through after SECONDS is stuck, and is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 4096, POLL_NS = 1000000 };

struct visit {
	int done; /* 1, or 2: refused */
	int err;
	double ms;
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int enter(const char *path, const char *how)
{
	char below[4096];
	struct statfs fs;
	struct stat st;

	snprintf(below, sizeof(below), "%s/%s", path, strcmp(how, "file") == 0 ? "file" : "");
	if (strcmp(how, "stat") == 0)
		return stat(below, &st);
	if (strcmp(how, "chdir") == 0)
		return chdir(path);
	if (strcmp(how, "statfs") == 0)
		return statfs(path, &fs);
	return open(strcmp(how, "file") == 0 ? below : path, O_RDONLY | O_CLOEXEC);
}

static void knock(const char *path, const char *how, struct visit *v)
{
	double begin = now_ms();

	setsid();
	signal(SIGPIPE,
	       SIG_IGN); /* the kernel's, when nobody has the other end of the point's pipe */
	errno = 0;
	v->err = enter(path, how) < 0 ? errno : 0;
	v->ms = now_ms() - begin;
	v->done = v->err ? 2 : 1;
	_exit(0);
}

int main(int argc, char **argv)
{
	int n = argc > 3 ? atoi(argv[2]) : 0, left = n, entered = 0, refused = 0, err = 0;
	const char *how = argc > 4 ? argv[4] : "open";
	struct visit *visits = mmap(NULL, MOST * sizeof(*visits), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double worst = 0, until;
	pid_t pids[MOST];

	if (n < 1 || n > MOST || visits == MAP_FAILED)
		return 2;
	until = now_ms() + 1e3 * atof(argv[3]);
	for (int i = 0; i < n; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			knock(argv[1], how, &visits[i]);
	}
	while (left > 0 && now_ms() < until) {
		while (left > 0 && waitpid(-1, NULL, WNOHANG) > 0)
			left--;
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	}
	for (int i = 0; i < n; i++) {
		entered += visits[i].done == 1;
		refused += visits[i].done == 2;
		err = visits[i].err ? visits[i].err : err;
		worst = visits[i].ms > worst ? visits[i].ms : worst;
		if (!visits[i].done && pids[i] > 0)
			kill(pids[i], SIGKILL);
	}
	printf("entered=%d refused=%d errno=%s worst_ms=%.0f stuck=%d\n", entered, refused,
	       err ? strerrorname_np(err) : "-", worst, n - entered - refused);
	return entered + refused != n;
}
