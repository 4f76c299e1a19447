/* SPDX-License-Identifier: MIT */
#include "core/plan_run.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	NOT_MINE = 1,	  /* a family of steps does not know this one */
	GROUPS_MAX = 1024,
	PID_TEXT = 16,
};

static int sys(long result)
{
	return result < 0 ? -errno : 0;
}

/* Without the privilege for it systemd starts the service all the same, nearer to what it was. */
static int unless_forbidden(int r)
{
	return r == -EPERM || r == -EACCES ? 0 : r;
}

int plan_exit_code(unsigned step)
{
#define STEP(name, where, code, words, tail, what) code,
	static const unsigned char codes[] = {PLAN_STEPS(STEP)};
#undef STEP

	/* 203 (EXEC) stands for a plan that could not be read. SETTLE has no code and cannot fail. */
	return step < PLAN_STEP_COUNT && codes[step] ? codes[step] : 203;
}

void plan_fresh_process(void)
{
	sigset_t none;

	setsid();
	/* CLONE_CLEAR_SIGHAND and PID 1 itself, which ignores nothing, have left every disposition at its default. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* --- argv and envp --- */

static int add_pointer(char **list, unsigned *n, unsigned max, const char *text)
{
	if (*n >= max)
		return -E2BIG;
	list[(*n)++] = (char *)(uintptr_t)text; /* execve(2) takes char *const[] for the sake of old programs */
	list[*n] = NULL;
	return 0;
}

static int add_pid(struct plan_space *s, const struct plan_record *rec)
{
	char digits[PID_TEXT], *text, *p = digits + sizeof(digits);
	size_t name_n = rec->text_n - 1;

	if (s->pids_n == ARRAY_SIZE(s->pid_env) || name_n + PID_TEXT > sizeof(s->pid_env[0]))
		return -E2BIG;
	*--p = '\0';
	for (pid_t pid = getpid(); pid; pid /= 10)
		*--p = (char)('0' + pid % 10);
	text = s->pid_env[s->pids_n++];
	memcpy(text, rec->text, name_n);
	memcpy(text + name_n, p, (size_t)(digits + sizeof(digits) - p));
	return add_pointer(s->envp, &s->envc, s->args_max, text);
}

static int step_exec(struct plan_space *s, const struct plan_record *rec)
{
	switch (rec->step) {
	case PLAN_ARG:
		return add_pointer(s->argv, &s->argc, s->args_max, rec->text);
	case PLAN_ENV:
		return add_pointer(s->envp, &s->envc, s->args_max, rec->text);
	case PLAN_ENV_PID:
		return add_pid(s, rec);
	case PLAN_EXEC:
		return sys(execve(rec->text, s->argv, s->envp));
	default:
		return NOT_MINE;
	}
}

/* --- descriptors and paths --- */

static int move_fd(int fd, int target)
{
	int r;

	if (fd < 0 || fd == target)
		return fd < 0 ? -errno : sys(fcntl(fd, F_SETFD, 0));
	r = sys(dup2(fd, target));
	close(fd);
	return r;
}

static int step_files(const struct plan_record *rec)
{
	const uint64_t *w = rec->w;
	int r;

	switch (rec->step) {
	case PLAN_OPEN:
		return move_fd(open(rec->text, (int)w[1] | O_NOCTTY, (mode_t)w[2]), (int)w[0]);
	case PLAN_DUP:
		return w[0] == w[1] ? 0 : sys(dup2((int)w[0], (int)w[1]));
	case PLAN_UMASK:
		umask((mode_t)w[0]);
		return 0;
	case PLAN_CHDIR:
		r = sys(chdir(rec->text));
		return r == -ENOENT && w[0] ? 0 : r;
	default:
		return NOT_MINE;
	}
}

/* --- limits and scheduling --- */

static int set_oom(uint64_t value)
{
	char text[PID_TEXT], *p = text + sizeof(text);
	unsigned n = value < 1000 ? 1000 - (unsigned)value : (unsigned)value - 1000;
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC), r;

	if (fd < 0)
		return unless_forbidden(-errno);
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	if (value < 1000)
		*--p = '-';
	r = sys(write(fd, p, (size_t)(text + sizeof(text) - p)));
	close(fd);
	return unless_forbidden(r);
}

/* Above the hard limit without privilege: as near as allowed. */
static int set_limit(const uint64_t *w)
{
	struct rlimit want = {.rlim_cur = w[1], .rlim_max = w[2]}, now;
	int what = (int)w[0];

	if (setrlimit(what, &want) == 0)
		return 0;
	if (errno != EPERM || getrlimit(what, &now) < 0)
		return -errno;
	want.rlim_max = want.rlim_max < now.rlim_max ? want.rlim_max : now.rlim_max;
	want.rlim_cur = want.rlim_cur < want.rlim_max ? want.rlim_cur : want.rlim_max;
	return sys(setrlimit(what, &want));
}

static int step_limits(const struct plan_record *rec)
{
	const uint64_t *w = rec->w;
	struct sched_param param = {.sched_priority = (int)w[1]};

	switch (rec->step) {
	case PLAN_NICE:
		return unless_forbidden(sys(setpriority(PRIO_PROCESS, 0, (int)w[0] - 20)));
	case PLAN_IOPRIO:
		return unless_forbidden(sys(syscall(SYS_ioprio_set, 1, 0, (int)w[0])));
	case PLAN_SCHED:
		return sys(sched_setscheduler(0, (int)w[0] | (w[2] ? SCHED_RESET_ON_FORK : 0), &param));
	case PLAN_OOM:
		return set_oom(w[0]);
	case PLAN_RLIMIT:
		return set_limit(w);
	case PLAN_TIMERSLACK:
		return sys(prctl(PR_SET_TIMERSLACK, w[0], 0, 0, 0));
	default:
		return NOT_MINE;
	}
}

/* --- who it is and what it may --- */

static int set_groups(const char *words, size_t n)
{
	gid_t gids[GROUPS_MAX];
	uint64_t gid;

	if (n % sizeof(gid) || n / sizeof(gid) > GROUPS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n / sizeof(gid); i++) {
		memcpy(&gid, words + i * sizeof(gid), sizeof(gid));
		gids[i] = (gid_t)gid;
	}
	return sys(syscall(SYS_setgroups, n / sizeof(gid), gids));
}

static int step_identity(const struct plan_record *rec)
{
	uint64_t w = rec->w[0];

	switch (rec->step) {
	case PLAN_GROUPS:
		return set_groups(rec->text, rec->text_n);
	case PLAN_GID:
		return sys(syscall(SYS_setresgid, (gid_t)w, (gid_t)w, (gid_t)w));
	case PLAN_UID:
		return sys(syscall(SYS_setresuid, (uid_t)w, (uid_t)w, (uid_t)w));
	case PLAN_NO_NEW_PRIVS:
		return sys(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	case PLAN_IGNORE_SIGPIPE:
		return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -errno : 0;
	default:
		return NOT_MINE;
	}
}

void plan_run(const char *bytes, size_t n, struct plan_space *space, plan_extra_fn extra, struct plan_report *ret_report)
{
	struct plan_record rec = {.step = PLAN_END};
	size_t at = 0;
	int r;

	space->argc = space->envc = space->pids_n = 0;
	space->argv[0] = space->envp[0] = NULL;
	while ((r = plan_next(bytes, n, &at, &rec)) > 0) {
		r = step_exec(space, &rec);
		if (r == NOT_MINE)
			r = step_files(&rec);
		if (r == NOT_MINE)
			r = step_limits(&rec);
		if (r == NOT_MINE)
			r = step_identity(&rec);
		if (r == NOT_MINE)
			r = extra ? extra(&rec, space) : -ENOSYS;
		if (r < 0)
			break;
	}
	/* Running off the end is as wrong as a record that cannot be read: EXEC is the last step of every plan. */
	*ret_report = (struct plan_report){.step = rec.step, .err = r < 0 ? -r : EBADMSG};
}
