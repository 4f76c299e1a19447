/* SPDX-License-Identifier: MIT */
#include "core/plan_run.h"

#include "core/raw.h"

enum { DIGITS_MOST = 11 };

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
	for (long pid = raw1(SYS_getpid, 0); pid; pid /= 10)
		*--p = (char)('0' + pid % 10);
	return memcpy(p - n, name, n);
}

static long open_onto(int target, const char *path, uint64_t flags, uint64_t mode)
{
	long fd = raw4(SYS_openat, AT_FDCWD, path, (flags & ~(uint64_t)O_CLOEXEC) | O_NOCTTY, mode);

	return fd < 0 || fd == target ? fd : raw_place((int)fd, target, 0);
}

/* PID 1's child runs this in the memory of PID 1: it writes to s alone, and makes raw calls, which leave errno alone. */
static long take_step(const struct plan_record *rec, struct plan_space *s, plan_extra_fn extra)
{
	const uint64_t *w = rec->w;
	long r;

	switch (rec->step) {
	case PLAN_ARG:
		return add(s->argv, &s->argc, s, rec->text);
	case PLAN_ENV:
		return add(s->envp, &s->envc, s, rec->text);
	case PLAN_ENV_PID:
		return add(s->envp, &s->envc, s, pid_text(s, rec->text, rec->text_n - 1));
	case PLAN_EXEC:
		s->said->step = PLAN_EXEC;
		return raw3(SYS_execve, rec->text, s->argv, s->envp);
	case PLAN_OPEN:
		return open_onto((int)w[0], rec->text, w[1], w[2]);
	case PLAN_DUP:
		return raw_dup((int)w[0], (int)w[1]);
	case PLAN_UMASK:
		return raw1(SYS_umask, w[0]);
	case PLAN_CHDIR:
		r = raw1(SYS_chdir, rec->text);
		return r == -ENOENT && w[0] ? 0 : r;
	case PLAN_GROUPS:
		return raw2(SYS_setgroups, rec->text_n / sizeof(gid_t), rec->text);
	case PLAN_GID:
		return raw3(SYS_setresgid, w[0], w[0], w[0]);
	case PLAN_UID:
		return raw3(SYS_setresuid, w[0], w[0], w[0]);
	case PLAN_SETSID:
		return raw1(SYS_setsid, 0);
	case PLAN_IGNORE_SIGPIPE:
		return raw_ignore(SIGPIPE);
	default:
		return extra ? extra(rec, s) : -ENOSYS;
	}
}

struct plan_report plan_run(const char *bytes, size_t n, struct plan_space *space,
			    plan_extra_fn extra)
{
	struct plan_record rec = {.step = PLAN_END};
	size_t at = 0;
	long r;

	space->argv[0] = space->envp[0] = NULL;
	while ((r = plan_next(bytes, n, &at, &rec)) > 0 && (r = take_step(&rec, space, extra)) >= 0)
		continue;
	/* Running off the end is as wrong as a record that cannot be read: EXEC is the last step of all. */
	return (struct plan_report){.step = rec.step, .err = r < 0 ? (int)-r : EBADMSG};
}
