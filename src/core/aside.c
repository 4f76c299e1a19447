/* SPDX-License-Identifier: MIT */
#include "core/aside.h"

#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/raw.h"

enum { WAIT_LEAST_MS = 250, END_MS = 20, LIFE_S = 5 };

struct question {
	int (*fn)(void *arg);
	void *arg;
	int answer; /* the end of a pipe to write to */
};

static void run(void *arg)
{
	const struct question *q = arg;
	sigset_t none;
	int r;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* ours are all blocked */
	(void)signal(SIGALRM, SIG_DFL);
	alarm(LIFE_S);
	(void)prctl(PR_SET_NAME, "hark-aside"); /* who looks for the manager shall find one */
	r = q->fn(q->arg);
	(void)!write(q->answer, &r, sizeof(r));
	_exit(0);
}

static bool is_ready(int fd, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r;

	do
		r = poll(&p, 1, wait_ms);
	while (r < 0 && errno == EINTR);
	return r > 0;
}

/* Those that have ended count no more. */
static void count_away(struct aside *a)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->away_n; i++)
		if (is_ready(a->away[i], 0))
			fd_close(a->away[i]);
		else
			a->away[n++] = a->away[i];
	a->away_n = n;
}

static int wait_ms(const struct aside *a)
{
	unsigned ms = a->wait_ms >> a->away_n;

	return ms > WAIT_LEAST_MS ? (int)ms : WAIT_LEAST_MS;
}

int aside_ask(struct aside *a, int (*fn)(void *arg), void *arg)
{
	int ends[2], child = -1, answer = -ETIMEDOUT;
	struct clone_args how = {.flags = CLONE_PARENT | CLONE_PIDFD, .pidfd = (uintptr_t)&child};
	struct question q = {.fn = fn, .arg = arg};
	long r;

	count_away(a);
	if (a->away_n == ASIDE_MOST)
		return -ETIMEDOUT;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_here(-errno);
	q.answer = ends[1];
	r = raw_clone(&how, run, &q);
	fd_close(ends[1]);
	/* Nothing is read where it ended by a signal. */
	if (r >= 0 && is_ready(ends[0], wait_ms(a)) &&
	    fd_read(ends[0], &answer, sizeof(answer)) != sizeof(answer))
		answer = -ETIMEDOUT;
	fd_close(ends[0]);
	if (r < 0)
		return err_here((int)r);
	/* It may have answered and wait all the same: for what closing its descriptors needs. */
	if (answer != -ETIMEDOUT && is_ready(child, END_MS))
		fd_close(child);
	else
		a->away[a->away_n++] = child;
	return answer;
}
