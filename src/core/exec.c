/* SPDX-License-Identifier: MIT */
/*
 * hark-exec PLAN [REPORT] - finish what PID 1's child began: run a whole plan, with the steps that may block, allocate
 * or ask a daemon, and become the service. PLAN is the number of a descriptor (a memfd) that holds the plan; a failure
 * is written to descriptor REPORT as a struct plan_report and to stderr as a line, and is this process's exit status.
 *
 * hark-exec --final "COMMAND [WORDS]" - what PID 1 becomes at the very end: ends what still runs, waits for the disks, reboot(2).
 */
#include "core/plan_run.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/exec_credentials.h"
#include "core/exec_dirs.h"
#include "core/fd.h"
#include "core/filter.h"
#include "core/final.h"
#include "core/isolate.h"
#include "core/mem.h"
#include "core/terminal.h"
#include "core/tree.h"
#include "core/utmp.h"
#include "core/view.h"

enum {
	GROUPS_FIRST = 64,
	USER_ENV = 4,
	NODES = 128, /* bytes of a mask */
	LACKS_ROOM = 512,
};
enum { USER_UID = 1, USER_GID = 2, USER_GROUPS = 4, USER_ENVIRON = 8 }; /* w0 of USER */

static int sys(long result)
{
	return result < 0 ? -errno : 0;
}

/* --- what is simple --- */

/* Type=idle: let the boot's messages pass. The pipe breaks when nothing else is starting. */
static int settle(uint64_t most_us, int fd)
{
	struct pollfd p = {.fd = fd};

	poll(&p, 1, most_us / US_PER_MS > INT_MAX ? INT_MAX : (int)(most_us / US_PER_MS));
	close(fd);
	return 0;
}

static int bound_caps(uint64_t keep)
{
	for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	return 0;
}

static int set_caps(uint64_t mask)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	uint32_t low = (uint32_t)mask, high = (uint32_t)(mask >> 32);
	struct __user_cap_data_struct data[2] = {{low, low, low}, {high, high, high}};

	return sys(syscall(SYS_capset, &head, data));
}

static int raise_ambient(uint64_t mask)
{
	for (unsigned cap = 0; cap < 64; cap++)
		if (mask >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -errno;
	return 0;
}

/* --- scheduling --- */

/* Without the privilege for it systemd starts the service all the same, nearer to what it was. */
static int unless_forbidden(int r)
{
	return r == -EPERM || r == -EACCES ? 0 : r;
}

static int set_oom(uint64_t value)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC), r;

	if (fd < 0)
		return unless_forbidden(-errno);
	r = dprintf(fd, "%d", (int)value - 1000) < 0 ? -errno : 0;
	close(fd);
	return unless_forbidden(r);
}

/* Above the hard limit without privilege: as near as allowed. */
static int set_limit(unsigned what, struct rlimit want)
{
	struct rlimit now;

	getrlimit(what, &now);
	if (setrlimit(what, &want) == 0)
		return 0;
	now.rlim_cur = want.rlim_cur < now.rlim_max ? want.rlim_cur : now.rlim_max;
	return errno == EPERM ? sys(setrlimit(what, &now)) : -errno;
}

/* set_mempolicy(2); a machine with one node may know nothing of it. */
static int set_memory_policy(int mode, const char *mask, size_t n)
{
	unsigned long nodes[NODES / sizeof(unsigned long)] = {0};

	memcpy(nodes, mask, n < sizeof(nodes) ? n : sizeof(nodes));
	/* The kernel takes one bit less than it is told. */
	return sys(syscall(SYS_set_mempolicy, mode, n ? nodes : NULL, n ? sizeof(nodes) * 8 : 0));
}

static int step_sched(const struct plan_record *rec)
{
	const uint64_t *w = rec->w;
	struct sched_param param = {.sched_priority = (int)w[1]};
	char text[32];

	switch (rec->step) {
	case PLAN_NICE:
		return unless_forbidden(sys(setpriority(PRIO_PROCESS, 0, (int)w[0] - 20)));
	case PLAN_IOPRIO:
		return unless_forbidden(sys(syscall(SYS_ioprio_set, 1, 0, (int)w[0])));
	case PLAN_SCHED:
		return sys(sched_setscheduler(0, (int)w[0] | (w[2] ? SCHED_RESET_ON_FORK : 0),
					      &param));
	case PLAN_AFFINITY:
		return sys(syscall(SYS_sched_setaffinity, 0, rec->text_n, rec->text));
	case PLAN_OOM:
		return set_oom(w[0]);
	case PLAN_COREDUMP:
		snprintf(text, sizeof(text), "%#llx", (unsigned long long)w[0]);
		return fd_write_small(AT_FDCWD, "/proc/self/coredump_filter", text);
	case PLAN_MEMORY_POLICY:
		return set_memory_policy((int)w[0], rec->text, rec->text_n);
	case PLAN_TIMERSLACK:
		return sys(prctl(PR_SET_TIMERSLACK, w[0], 0, 0, 0));
	case PLAN_RLIMIT:
		return set_limit((unsigned)w[0],
				 (struct rlimit){.rlim_cur = w[1], .rlim_max = w[2]});
	default:
		return -ENOSYS;
	}
}

/* --- users, by NSS --- */

static bool is_number(const char *text)
{
	return text[0] && strspn(text, "0123456789") == strlen(text);
}

/* 1: the name is a number, 0: it is none, -ESRCH: one that nobody can have. */
static int read_id(const char *name, uint32_t *ret)
{
	uint64_t n;

	if (!is_number(name))
		return 0;
	if (str_to_u64(str_of(name), &n) < 0 || n >= UINT32_MAX)
		return -ESRCH;
	*ret = (uint32_t)n;
	return 1;
}

static int find_user(const char *name, const struct passwd **ret_user)
{
	uint32_t uid;
	int r = read_id(name, &uid);

	if (r < 0)
		return r;
	errno = 0;
	*ret_user = r ? getpwuid(uid) : getpwnam(name);
	return *ret_user ? 0 : errno ? -errno : -ESRCH;
}

static int find_group(const char *name, gid_t *ret_gid)
{
	const struct group *g;
	int r = read_id(name, ret_gid);

	if (r != 0)
		return r < 0 ? r : 0;
	errno = 0;
	g = getgrnam(name);
	if (!g)
		return errno ? -errno : -ESRCH;
	*ret_gid = g->gr_gid;
	return 0;
}

static int set_user_groups(const char *name, gid_t gid)
{
	gid_t *gids = NULL;
	int n = GROUPS_FIRST, had = 0, r;

	do {
		gid_t *more =
			mem_grow(gids, (size_t)had * sizeof(*gids), (size_t)n * sizeof(*gids));

		if (!more) {
			mem_put(gids);
			return -ENOMEM;
		}
		gids = more;
		had = n;
	} while (getgrouplist(name, gid, gids, &n) < 0 && n > had);
	r = sys(setgroups((size_t)n, gids));
	mem_put(gids);
	return r;
}

/* The unit's own Environment= comes first in the plan and wins. Lives until the exec. */
static int add_env(struct plan_space *s, const char *name, const char *value)
{
	size_t name_n = strlen(name);
	char *text;

	for (unsigned i = 0; i < s->envc; i++)
		if (!strncmp(s->envp[i], name, name_n) && s->envp[i][name_n] == '=')
			return 0;
	if (s->envc == s->args_max)
		return -E2BIG;
	text = mem_get(name_n + strlen(value) + 2);
	if (!text)
		return -ENOMEM;
	memcpy(text, name, name_n);
	text[name_n] = '=';
	strcpy(text + name_n + 1, value);
	s->envp[s->envc++] = text;
	s->envp[s->envc] = NULL;
	return 0;
}

static int add_user_env(struct plan_space *s, const struct passwd *user)
{
	const char *const values[USER_ENV][2] = {{"HOME", user->pw_dir},
						 {"USER", user->pw_name},
						 {"LOGNAME", user->pw_name},
						 {"SHELL", user->pw_shell}};
	int r = 0;

	for (unsigned i = 0; !r && i < USER_ENV; i++)
		if (values[i][1] && values[i][1][0])
			r = add_env(s, values[i][0], values[i][1]);
	return r;
}

static int step_user(const struct plan_record *rec, struct plan_space *s)
{
	const char *name = rec->text, *group = name + strlen(name) + 1;
	const struct passwd *user = NULL;
	uint64_t what = rec->w[0];
	gid_t gid = 0;
	int r = 0;

	if (group >= name + rec->text_n)
		return -EBADMSG;
	if (name[0])
		r = find_user(name, &user);
	if (!r && user)
		gid = user->pw_gid;
	if (!r && group[0])
		r = find_group(group, &gid);
	if (!r && what & USER_ENVIRON && user)
		r = add_user_env(s, user);
	if (!r && what & USER_GROUPS)
		r = user ? set_user_groups(user->pw_name, gid) : sys(setgroups(0, NULL));
	if (!r && what & USER_GID && (user || group[0]))
		r = sys(setresgid(gid, gid, gid));
	if (!r && what & USER_UID && user)
		r = sys(setresuid(user->pw_uid, user->pw_uid, user->pw_uid));
	return r;
}

/* --- namespaces --- */

/* Where it is told what the service has to do without: an attribute of its cgroup. That it is there outlives the manager. */
static struct {
	int cgroup;
	char text[LACKS_ROOM];
} lacks = {.cgroup = -1};

/* "INVOCATION", behind which what is lacking will stand. */
static int open_lacks(const struct plan_record *rec)
{
	const char *run = rec->text + strlen(rec->text) + 1;

	if (run >= rec->text + rec->text_n)
		return -EBADMSG;
	lacks.cgroup = open(rec->text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(lacks.text, sizeof(lacks.text), "%s", run);
	return 0;
}

/* What a step is for, as people know it. */
static const char *purpose_of(unsigned step)
{
	switch (step) {
	case PLAN_KEYRING:
		return "a keyring of its own";
	case PLAN_USERS:
		return "PrivateUsers=";
	case PLAN_UNSHARE:
		return "namespaces of its own";
	case PLAN_VIEWS:
		return "its view of the file system";
	default:
		return "a filter of its system calls";
	}
}

/* Hardening that is not ours to apply (no privilege, no such kernel feature) does not keep a service from running. */
static int soften(const struct plan_record *rec, int r)
{
	const char *what = purpose_of(rec->step);
	size_t n = strlen(lacks.text);

	if (r != -EPERM && r != -ENOSYS && r != -EINVAL && r != -ENOSPC)
		return r;
	dprintf(STDERR_FILENO, "hark-exec: no %s: %s; the service runs without\n", what,
		strerror(-r));
	if (lacks.cgroup >= 0 && !strstr(lacks.text, what)) {
		snprintf(lacks.text + n, sizeof(lacks.text) - n, "%s%s (%s)",
			 strchr(lacks.text, ' ') ? ", " : " ", what, strerror(-r));
		(void)fsetxattr(lacks.cgroup, PLAN_LACKS_ATTRIBUTE, lacks.text, strlen(lacks.text),
				0);
	}
	return 0;
}

/* Without the privilege for a namespace the service runs as if there were no sandbox; a sandbox is never half there. */
static int enter_views(const struct plan_record *rec)
{
	const char *root = rec->text[0] ? rec->text : NULL, *place;
	int r = isolate_new(CLONE_NEWNS);

	if (r < 0)
		return soften(rec, r);
	r = view_enter(root, &place);
	if (r < 0 && place)
		dprintf(STDERR_FILENO, "hark-exec: %s: %s\n", place, strerror(-r));
	return r < 0 ? r : sys(mount(NULL, "/", NULL, MS_REC | rec->w[0], NULL));
}

static int step_filter(const struct plan_record *rec)
{
	const uint64_t *w = rec->w;

	switch (rec->step) {
	case PLAN_FILTER:
		return filter_kind((enum filter_kind)w[0], w[1]);
	case PLAN_FILTER_CALLS:
		return filter_calls((enum filter_list)w[0], rec->text, (int)w[1]);
	case PLAN_FILTER_FAMILIES:
		return filter_families(w[0] != 0, rec->text);
	case PLAN_FILTER_ARCHITECTURES:
		return filter_architectures(rec->text);
	default:
		return -ENOSYS;
	}
}

/* Whoever has no session of PAM's shares the keys of PID 1 else. With the user's keyring: as that user, who may link it. keyctl(2) */
static int new_keyring(bool is_shared, uid_t uid, gid_t gid)
{
	enum { JOIN_SESSION = 1, LINK = 8, SESSION = -3, USER = -4 };
	int r = sys(syscall(SYS_keyctl, JOIN_SESSION, NULL));

	if (r < 0 || !is_shared)
		return r;
	if (setregid((gid_t)-1, gid) < 0 || setreuid((uid_t)-1, uid) < 0)
		return -errno;
	r = sys(syscall(SYS_keyctl, LINK, USER, SESSION));
	if (setreuid((uid_t)-1, 0) < 0 || setregid((gid_t)-1, 0) < 0)
		return -errno;
	return r;
}

static int step_privilege(const struct plan_record *rec)
{
	uint64_t w = rec->w[0];

	switch (rec->step) {
	case PLAN_KEEPCAPS:
		return sys(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	case PLAN_SECUREBITS:
		return sys(prctl(PR_SET_SECUREBITS, w, 0, 0, 0));
	case PLAN_CAP_BOUND:
		return bound_caps(w);
	case PLAN_CAP_SET:
		return set_caps(w);
	case PLAN_CAP_AMBIENT:
		return raise_ambient(w);
	case PLAN_KEYRING:
		return soften(rec, new_keyring(w, (uid_t)rec->w[1], (gid_t)rec->w[2]));
	case PLAN_USERS:
		return soften(rec, isolate_users((uid_t)w, (gid_t)rec->w[1]));
	case PLAN_JOIN:
		return isolate_join(rec->text, (int)w);
	case PLAN_UNSHARE:
		return soften(rec, isolate_new((int)w));
	case PLAN_PRIVATE_TMP:
		return isolate_tmp(rec->text);
	case PLAN_VIEW:
		return view_add(rec);
	case PLAN_VIEWS:
		return enter_views(rec);
	default:
		return soften(rec, step_filter(rec));
	}
}

static int put_utmp(const struct plan_record *rec)
{
	const char *id = rec->text, *line = id + strlen(id) + 1, *user;

	if (line >= id + rec->text_n || line + strlen(line) + 1 >= id + rec->text_n)
		return -EBADMSG;
	user = line + strlen(line) + 1;
	utmp_begin(&(struct utmp_entry){id, line, user, (enum utmp_mode)rec->w[0], getpid()});
	return 0;
}

static int set_nonblocking(int first, uint64_t n)
{
	int flags = 0, r = 0;

	for (int fd = first; n-- && r == 0; fd++) {
		flags = fcntl(fd, F_GETFL);
		r = flags < 0 ? -errno : sys(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
	}
	return r;
}

static int open_file(const struct plan_record *rec)
{
	int target = (int)rec->w[0], r;
	AUTO_FD int fd = tree_open_file(rec->text, (int)rec->w[1], (mode_t)rec->w[2]);

	if (fd < 0) {
		dprintf(STDERR_FILENO, "hark-exec: \"%s\": %s\n", rec->text, tree_strerror(fd));
		return fd;
	}
	if (fd != target)
		return sys(dup2(fd, target));
	r = sys(fcntl(fd, F_SETFD, 0));
	(void)take_fd(fd);
	return r;
}

static int step_extra(const struct plan_record *rec, struct plan_space *space)
{
	switch (rec->step) {
	case PLAN_OPEN_FILE:
		return open_file(rec);
	case PLAN_NONBLOCK:
		return set_nonblocking((int)rec->w[0], rec->w[1]);
	case PLAN_TTY:
		return terminal_take(rec);
	case PLAN_TTY_RESET:
		return terminal_reset(rec);
	case PLAN_UTMP:
		return put_utmp(rec);
	case PLAN_LACKS:
		return open_lacks(rec);
	case PLAN_SETTLE:
		return settle(rec->w[0], (int)rec->w[1]);
	case PLAN_NICE:
	case PLAN_IOPRIO:
	case PLAN_SCHED:
	case PLAN_AFFINITY:
	case PLAN_OOM:
	case PLAN_COREDUMP:
	case PLAN_MEMORY_POLICY:
	case PLAN_TIMERSLACK:
	case PLAN_RLIMIT:
		return step_sched(rec);
	case PLAN_PERSONALITY:
		return sys(personality(rec->w[0]));
	case PLAN_NO_NEW_PRIVS:
		return sys(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	case PLAN_MKDIR:
		return exec_dirs_make(rec);
	case PLAN_PRIVATE_DIR:
		return exec_dirs_make_private(rec);
	case PLAN_DIR_LINK:
		return exec_dirs_link(rec);
	case PLAN_CREDENTIALS:
		return exec_credentials_open(rec);
	case PLAN_CREDENTIAL:
		return exec_credentials_put(rec);
	case PLAN_CHROOT:
		return sys(chroot(rec->text));
	case PLAN_USER:
		return step_user(rec, space);
	default:
		return step_privilege(rec);
	}
}

/* --- the program --- */

static int read_plan(int fd, char **ret_bytes, size_t *ret_n)
{
	struct stat st;
	size_t n = 0;
	char *bytes;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || st.st_size > PLAN_MAX)
		return -EBADMSG;
	bytes = mem_get((size_t)st.st_size);
	while (bytes && n < (size_t)st.st_size) {
		ssize_t got = pread(fd, bytes + n, (size_t)st.st_size - n, (off_t)n);

		if (got <= 0) {
			mem_put(bytes);
			return got < 0 ? -errno : -EBADMSG;
		}
		n += (size_t)got;
	}
	*ret_bytes = bytes;
	*ret_n = n;
	return bytes ? plan_check(bytes, n) : -ENOMEM;
}

/* Room for every record's pointer in each list, and for what USER adds. */
static int make_space(const char *bytes, size_t n, struct plan_space *ret_space)
{
	struct plan_record rec;
	unsigned records = USER_ENV;
	size_t at = 0;

	while (plan_next(bytes, n, &at, &rec) > 0)
		records++;
	ret_space->args_max = records;
	ret_space->argv = mem_get((records + 1) * sizeof(char *));
	ret_space->envp = mem_get((records + 1) * sizeof(char *));
	return ret_space->argv && ret_space->envp ? 0 : -ENOMEM;
}

int main(int argc, char **argv)
{
	int plan_fd = argc > 1 && is_number(argv[1]) ? (int)strtol(argv[1], NULL, 10) : -1;
	int report_fd = argc > 2 && is_number(argv[2]) ? (int)strtol(argv[2], NULL, 10) : -1;
	struct plan_report report = {.step = PLAN_END};
	struct plan_space space = {.said = &report};
	char *bytes = NULL;
	size_t n = 0;
	int r;

	if (argc > 2 && !strcmp(argv[1], "--final"))
		return final_run((int)strtol(argv[2], NULL, 10),
				 strchr(argv[2], ' ') ? strchr(argv[2], ' ') + 1 : NULL);
	fcntl(plan_fd, F_SETFD, FD_CLOEXEC);
	fcntl(report_fd, F_SETFD, FD_CLOEXEC);
	r = read_plan(plan_fd, &bytes, &n);
	if (!r)
		r = make_space(bytes, n, &space);
	close(plan_fd);
	if (!r)
		report = plan_run(bytes, n, &space, step_extra);
	else
		report.err = -r;
	if (report_fd >= 0)
		(void)!write(report_fd, &report, sizeof(report));
	dprintf(STDERR_FILENO, "hark-exec: %s: %s; the service is not started\n",
		plan_step_info(report.step)->name, strerror(report.err));
	return plan_exit_code(report.step);
}
