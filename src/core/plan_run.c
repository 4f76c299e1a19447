/* SPDX-License-Identifier: MIT */
#include "core/plan_run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DIGITS_MOST = 11 };

static int sys(long result)
{
	return result < 0 ? -errno : 0;
}

static int add(char **list, unsigned *n, const struct plan_space *s, const char *text)
{
	if (!text || *n >= s->args_max)
		return -E2BIG;
	list[(*n)++] = (char *)(uintptr_t)text; /* execve(2) takes char *const[] for old programs */
	list[*n] = NULL;
	return 0;
}

/* "NAME=" and our pid, written from the end of its room backwards. NULL: no room. */
static const char *pid_text(struct plan_space *s, const char *name, size_t n)
{
	char *p;

	if (s->pids_n == ARRAY_SIZE(s->pid_env) || n + DIGITS_MOST > sizeof(s->pid_env[0]))
		return NULL;
	p = s->pid_env[s->pids_n++] + sizeof(s->pid_env[0]);
	*--p = '\0';
	for (pid_t pid = getpid(); pid; pid /= 10)
		*--p = (char)('0' + pid % 10);
	return memcpy(p - n, name, n);
}

static int open_onto(int target, const char *path, int flags, mode_t mode)
{
	int fd = open(path, (flags & ~O_CLOEXEC) | O_NOCTTY, mode), r = fd;

	if (fd >= 0 && fd != target) {
		r = dup2(fd, target);
		close(fd);
	}
	return r < 0 ? -errno : 0;
}

/* The calls are raw where libc would have all threads follow: here is one, and the wrapper is large. */
static int take_step(const struct plan_record *rec, struct plan_space *s, plan_extra_fn extra)
{
	const uint64_t *w = rec->w;

	switch (rec->step) {
	case PLAN_ARG:
		return add(s->argv, &s->argc, s, rec->text);
	case PLAN_ENV:
		return add(s->envp, &s->envc, s, rec->text);
	case PLAN_ENV_PID:
		return add(s->envp, &s->envc, s, pid_text(s, rec->text, rec->text_n - 1));
	case PLAN_EXEC:
		if (s->said)
			s->said->step = PLAN_EXEC;
		return sys(execve(rec->text, s->argv, s->envp));
	case PLAN_OPEN:
		return open_onto((int)w[0], rec->text, (int)w[1], (mode_t)w[2]);
	case PLAN_DUP:
		return sys(dup2((int)w[0], (int)w[1]));
	case PLAN_UMASK:
		return sys(umask((mode_t)w[0]));
	case PLAN_CHDIR:
		return chdir(rec->text) == 0 || (errno == ENOENT && w[0]) ? 0 : -errno;
	case PLAN_GROUPS:
		return sys(syscall(SYS_setgroups, rec->text_n / sizeof(gid_t), rec->text));
	case PLAN_GID:
		return sys(syscall(SYS_setresgid, (gid_t)w[0], (gid_t)w[0], (gid_t)w[0]));
	case PLAN_UID:
		return sys(syscall(SYS_setresuid, (uid_t)w[0], (uid_t)w[0], (uid_t)w[0]));
	case PLAN_IGNORE_SIGPIPE:
		return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -errno : 0;
	default:
		return extra ? extra(rec, s) : -ENOSYS;
	}
}

struct plan_report plan_run(const char *bytes, size_t n, struct plan_space *space,
			    plan_extra_fn extra)
{
	struct plan_record rec = {.step = PLAN_END};
	size_t at = 0;
	int r;

	/* In hark-exec for the second time, which changes nothing. */
	setsid();
	space->argv[0] = space->envp[0] = NULL;
	while ((r = plan_next(bytes, n, &at, &rec)) > 0 && (r = take_step(&rec, space, extra)) >= 0)
		continue;
	/* Running off the end is as wrong as a record that cannot be read: EXEC is the last step of all. */
	return (struct plan_report){.step = rec.step, .err = r < 0 ? -r : EBADMSG};
}
