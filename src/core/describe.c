/* SPDX-License-Identifier: MIT */
#include "core/describe.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/describe_env.h"
#include "core/describe_filter.h"
#include "core/describe_user.h"
#include "core/describe_view.h"
#include "core/log.h"
#include "core/plan.h"
#include "units/words.h"

enum {
	FIRST_FD = 3,             /* SD_LISTEN_FDS_START */
	USER_ALL = 1 | 2 | 4 | 8, /* PLAN_USER: uid, gid, groups, environment */
};

/* Exit codes of systemd.exec(5) for what already fails here. */
enum {
	EXIT_CHDIR = 200,
	EXIT_EXEC = 203,
	EXIT_STDIN = 208,
	EXIT_STDOUT = 209,
	EXIT_RUNTIME_DIRECTORY = 233
};

struct making {
	struct hark *h;
	const struct describe_in *in;
	const struct exec_config *exec;
	struct wbuf *plan;
	int32_t *refs;
	struct arena arena;
	struct env env;
	struct identity who;
	bool is_privileged; /* '+': no identity, no restriction */
	struct excuse excuse;
};

static void step(struct making *m, enum plan_step s, uint64_t w0, uint64_t w1, uint64_t w2,
		 const char *text)
{
	uint64_t w[4] = {w0, w1, w2};

	plan_put(m->plan, s, w, plan_step_info(s)->words_n, str_of(text ? text : ""));
}

/* --- whose process it is --- */

static void put_nss_user(struct making *m)
{
	const char *user = m->exec->user ? m->exec->user : "",
		   *group = m->exec->group ? m->exec->group : "";
	char text[512];
	int n = snprintf(text, sizeof(text), "%s%c%s", user, '\0', group);
	uint64_t what = USER_ALL;

	if (n < 0 || (size_t)n >= sizeof(text)) {
		m->plan->bad = true;
		return;
	}
	plan_put(m->plan, PLAN_USER, &what, 1, (struct str){text, (size_t)n});
}

/* To give up root and keep capabilities, they are kept over the change of the uid and cut down after it. */
static void put_identity(struct making *m)
{
	const struct exec_config *e = m->exec;
	const struct identity *who = &m->who;
	bool wants_ambient = e->has_ambient && e->ambient_capabilities && !m->is_privileged;
	bool changes_user = who->user.name && who->user.uid != m->h->uid;

	if (!m->is_privileged && e->has_capability_bounding)
		plan_put_u64(m->plan, PLAN_CAP_BOUND, e->capability_bounding);
	/* As long as there is the privilege for it; what keeps capabilities over the change is one of these bits itself. */
	if (e->has_securebits && !m->is_privileged)
		plan_put_u64(m->plan, PLAN_SECUREBITS, (uint64_t)e->securebits);
	if (wants_ambient)
		plan_put_str(m->plan, PLAN_KEEPCAPS, STR(""));
	if (who->by_nss) {
		put_nss_user(m);
	} else if (!m->h->is_user) {
		if (who->has_groups)
			plan_put(m->plan, PLAN_GROUPS, NULL, 0,
				 (struct str){(const char *)who->groups,
					      who->groups_n * sizeof(who->groups[0])});
		if (who->has_gid)
			plan_put_u64(m->plan, PLAN_GID, who->gid);
	}
	if (changes_user)
		plan_put_u64(m->plan, PLAN_UID, who->user.uid);
	if (wants_ambient) {
		plan_put_u64(m->plan, PLAN_CAP_SET, e->ambient_capabilities);
		plan_put_u64(m->plan, PLAN_CAP_AMBIENT, e->ambient_capabilities);
	}
}

/* --- standard input, output, error --- */

static bool is_tty(const struct stdio *s)
{
	return s->kind == STDIO_TTY || s->kind == STDIO_TTY_FORCE || s->kind == STDIO_TTY_FAIL;
}

/* The connection of Accept=yes, or the only socket there is. */
static int32_t socket_slot(const struct making *m)
{
	if (m->in->conn_slot >= 0)
		return m->in->conn_slot;
	return m->in->fds_n > 0 ? m->in->fd_slots[0] : -1;
}

static int named_slot(struct making *m, const char *name, uint8_t exit_code, int32_t *ret)
{
	for (unsigned i = 0; i < m->in->fds_n; i++)
		if (!strcmp(m->in->fd_names[i], name)) {
			*ret = m->in->fd_slots[i];
			return 0;
		}
	excuse_set(
		&m->excuse, exit_code,
		"%s: there is no socket named \"%s\" (FileDescriptorName=) for its standard stream",
		m->in->unit->name, name);
	return -ENOENT;
}

static int put_input(struct making *m)
{
	const struct stdio *in = &m->exec->in;

	m->refs[0] = -1;
	switch ((enum stdio_kind)in->kind) {
	case STDIO_TTY:
	case STDIO_TTY_FORCE:
	case STDIO_TTY_FAIL:
		step(m, PLAN_TTY,
		     in->kind == STDIO_TTY_FORCE  ? 1
		     : in->kind == STDIO_TTY_FAIL ? 2
						  : 0,
		     0, 0, exec_tty_path(m->exec));
		break;
	case STDIO_FILE: {
		bool both = m->exec->out.kind == STDIO_FILE && m->exec->out.path &&
			    !strcmp(in->path, m->exec->out.path);

		step(m, PLAN_OPEN, 0, both ? O_RDWR | O_CREAT : O_RDONLY, 0666, in->path);
		break;
	}
	case STDIO_SOCKET:
		m->refs[0] = socket_slot(m);
		break;
	case STDIO_FD:
		return named_slot(m, in->path, EXIT_STDIN, &m->refs[0]);
	case STDIO_DATA:
		m->refs[0] = m->in->data_slot;
		break;
	case STDIO_NULL:
	case STDIO_JOURNAL:
	case STDIO_JOURNAL_CONSOLE:
	case STDIO_KMSG:
	case STDIO_KMSG_CONSOLE:
	case STDIO_APPEND:
	case STDIO_TRUNCATE:
	case STDIO_INHERIT:
	case STDIO_KINDS:
		break;
	}
	return 0;
}

static void put_output_file(struct making *m, const struct stdio *s, int fd)
{
	const struct exec_config *e = m->exec;
	int flags = O_WRONLY | O_CREAT |
		    (s->kind == STDIO_APPEND     ? O_APPEND
		     : s->kind == STDIO_TRUNCATE ? O_TRUNC
						 : 0);

	if (s->kind == STDIO_FILE && e->in.kind == STDIO_FILE && !strcmp(e->in.path, s->path))
		step(m, PLAN_DUP, 0, (uint64_t)fd, 0, NULL);
	else if (fd == STDERR_FILENO && e->out.kind == s->kind && !strcmp(e->out.path, s->path))
		step(m, PLAN_DUP, 1, 2, 0, NULL);
	else
		step(m, PLAN_OPEN, (uint64_t)fd, (uint64_t)flags, 0666, s->path);
}

/* Where input came from; with none, the pipe. */
static void inherit_input(struct making *m, int fd)
{
	const struct stdio *in = &m->exec->in;

	if (in->kind == STDIO_SOCKET || in->kind == STDIO_FD)
		m->refs[fd] = m->refs[0];
	else if (is_tty(in) || in->kind == STDIO_FILE)
		step(m, PLAN_DUP, 0, (uint64_t)fd, 0, NULL);
	else
		m->refs[fd] = m->in->out_slot;
}

static int put_output(struct making *m, const struct stdio *s, int fd)
{
	m->refs[fd] = -1;
	switch ((enum stdio_kind)s->kind) {
	case STDIO_INHERIT:
		inherit_input(m, fd);
		break;
	case STDIO_JOURNAL:
	case STDIO_JOURNAL_CONSOLE:
		m->refs[fd] = m->in->out_slot;
		break;
	case STDIO_KMSG:
	case STDIO_KMSG_CONSOLE:
		step(m, PLAN_OPEN, (uint64_t)fd, O_WRONLY, 0, "/dev/kmsg");
		break;
	case STDIO_TTY:
	case STDIO_TTY_FORCE:
	case STDIO_TTY_FAIL:
		if (is_tty(&m->exec->in))
			step(m, PLAN_DUP, 0, (uint64_t)fd, 0, NULL);
		else
			step(m, PLAN_OPEN, (uint64_t)fd, O_WRONLY | O_NOCTTY, 0,
			     exec_tty_path(m->exec));
		break;
	case STDIO_FILE:
	case STDIO_APPEND:
	case STDIO_TRUNCATE:
		put_output_file(m, s, fd);
		break;
	case STDIO_SOCKET:
		m->refs[fd] = socket_slot(m);
		break;
	case STDIO_FD:
		return named_slot(m, s->path, EXIT_STDOUT, &m->refs[fd]);
	case STDIO_NULL:
	case STDIO_DATA:
	case STDIO_KINDS:
		break;
	}
	return 0;
}

static int put_stdio(struct making *m)
{
	const struct stdio *err = m->exec->err.kind == STDIO_INHERIT ? &m->exec->out
								     : &m->exec->err;
	int r = put_input(m);

	if (!r)
		r = put_output(m, &m->exec->out, STDOUT_FILENO);
	if (!r)
		r = put_output(m, err, STDERR_FILENO);
	return r;
}

/* A connection that is standard input already is not passed a second time. */
static bool passes_connection(const struct making *m)
{
	return m->in->conn_slot >= 0 && m->exec->in.kind != STDIO_SOCKET;
}

static int put_listen_fds(struct making *m, struct process *out)
{
	const struct describe_in *in = m->in;
	unsigned n = FIRST_FD;

	if (in->fds_n + FIRST_FD + 1 > BANK_REFS) {
		excuse_set(&m->excuse, EXIT_EXEC,
			   "%s: %u descriptors are more than the %d that can be passed",
			   in->unit->name, in->fds_n, BANK_REFS - FIRST_FD - 1);
		return -E2BIG;
	}
	if (passes_connection(m))
		m->refs[n++] = in->conn_slot;
	for (unsigned i = 0; i < in->fds_n; i++)
		m->refs[n++] = in->fd_slots[i];
	out->refs_n = n;
	if (in->unit->config->service && in->unit->config->service->non_blocking &&
	    in->sockets_n + passes_connection(m))
		step(m, PLAN_NONBLOCK, FIRST_FD, in->sockets_n + passes_connection(m), 0, NULL);
	return 0;
}

/* --- environment --- */

static void name_listen_fds(struct making *m)
{
	const struct describe_in *in = m->in;
	unsigned n = in->fds_n + passes_connection(m);
	struct sbuf names = {0};
	AUTO_MEM char *text = NULL;

	if (n == 0)
		return;
	if (passes_connection(m))
		sbuf_add_z(&names, "connection");
	for (unsigned i = 0; i < in->fds_n; i++) {
		if (names.n)
			sbuf_add_c(&names, ':');
		sbuf_add_z(&names, in->fd_names[i]);
	}
	text = sbuf_take(&names);
	if (!text)
		m->env.err = -ENOMEM;
	env_set_pid(&m->env, "LISTEN_PID");
	env_setf(&m->env, "LISTEN_FDS", "%u", n);
	env_set(&m->env, "LISTEN_FDNAMES", text);
}

static void name_user(struct making *m)
{
	const struct user_entry *u = &m->who.user;

	if (!u->name)
		return;
	env_set(&m->env, "USER", u->name);
	env_set(&m->env, "LOGNAME", u->name);
	if (u->home && u->home[0] && strcmp(u->home, "/") != 0)
		env_set(&m->env, "HOME", u->home);
	if (u->shell && u->shell[0] && !strstr(u->shell, "/nologin") && !strstr(u->shell, "/false"))
		env_set(&m->env, "SHELL", u->shell);
}

static void name_invocation(struct making *m)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *id = m->in->unit->invocation;
	char text[33] = "";

	for (unsigned i = 0; i < 16; i++) {
		text[2 * i] = digits[id[i] >> 4];
		text[2 * i + 1] = digits[id[i] & 15];
	}
	if (strspn(text, "0") < 32)
		env_set(&m->env, "INVOCATION_ID", text);
}

static void name_service(struct making *m)
{
	const struct describe_in *in = m->in;
	const struct service *s = service_of(in->unit);

	if (in->notify_socket)
		env_set(&m->env, "NOTIFY_SOCKET", in->notify_socket);
	if (in->watchdog_us && in->watchdog_us != TIME_NEVER) {
		env_setf(&m->env, "WATCHDOG_USEC", "%llu", (unsigned long long)in->watchdog_us);
		env_set_pid(&m->env, "WATCHDOG_PID");
	}
	if (in->main_pid > 0)
		env_setf(&m->env, "MAINPID", "%d", in->main_pid);
	if (!s)
		return;
	env_set(&m->env, "REMOTE_ADDR", s->remote_addr);
	env_set(&m->env, "REMOTE_PORT", s->remote_port);
	if (in->unit->config->service)
		env_set(&m->env, "PIDFILE", in->unit->config->service->pid_file);
}

/* systemd's order: what the manager sets may be replaced by what the unit says. */
static int fill_env(struct making *m)
{
	const char *file = NULL;
	int r;

	name_user(m);
	name_invocation(m);
	name_service(m);
	name_listen_fds(m);
	for (const char *const *p = m->in->extra_env; p && *p; p++)
		env_put(&m->env, *p);
	r = env_configured(&m->env, m->exec, &file);
	if (r < 0 && r != -ENOMEM)
		excuse_set(&m->excuse, 0, "%s: the environment file %s cannot be read: %s",
			   m->in->unit->name, file, strerror(-r));
	return r;
}

static void put_env(struct making *m)
{
	for (uint32_t i = 0; i < m->env.n; i++)
		plan_put_str(m->plan, m->env.items[i].is_pid ? PLAN_ENV_PID : PLAN_ENV,
			     str_of(m->env.items[i].text));
}

/* --- limits and scheduling --- */

static bool may_raise_limits(const struct hark *h)
{
	return !h->is_user && prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) == 1;
}

static void put_limit(struct making *m, const struct limit *l)
{
	uint64_t soft = l->soft, hard = l->hard;
	struct rlimit own;

	if (getrlimit((__rlimit_resource_t)l->resource, &own) == 0 && hard > own.rlim_max &&
	    !may_raise_limits(m->h)) {
		log_at(LOG_NOTE,
		       "%s: resource limit %d is lowered from %llu to %llu: raising it is not ours to do",
		       m->in->unit->name, l->resource, (unsigned long long)hard,
		       (unsigned long long)own.rlim_max);
		m->in->unit->status_note =
			"a resource limit is lower than its unit file says: raising it is not allowed here";
		hard = own.rlim_max;
		soft = soft < hard ? soft : hard;
	}
	step(m, PLAN_RLIMIT, (uint64_t)l->resource, soft, hard, NULL);
}

static void put_scheduling(struct making *m)
{
	const struct exec_config *e = m->exec;

	plan_put_u64(m->plan, PLAN_UMASK, e->umask);
	if (e->has_oom)
		plan_put_u64(m->plan, PLAN_OOM, (uint64_t)(e->oom_score_adjust + 1000));
	if (e->has_nice)
		plan_put_u64(m->plan, PLAN_NICE, (uint64_t)(e->nice + 20));
	for (const struct limit *l = e->limits; l; l = l->next)
		put_limit(m, l);
	if (e->has_sched)
		step(m, PLAN_SCHED, (uint64_t)e->sched_policy, (uint64_t)e->sched_priority,
		     e->sched_reset_on_fork, NULL);
	if (e->has_affinity)
		plan_put_str(m->plan, PLAN_AFFINITY, (struct str){e->affinity, e->affinity_n});
	if (e->has_ioprio)
		plan_put_u64(m->plan, PLAN_IOPRIO, (uint64_t)e->ioprio);
	if (e->has_timer_slack)
		plan_put_u64(m->plan, PLAN_TIMERSLACK, e->timer_slack_ns);
	if (e->personality != UINT64_MAX)
		plan_put_u64(m->plan, PLAN_PERSONALITY, e->personality);
}

/* --- directories --- */

/* Below what the directories of that kind lie; a session has its own places. */
static void root_of(const struct hark *h, enum exec_dir kind, char *out, size_t cap)
{
	static const struct {
		const char *variable, *below;
	} session[EXEC_DIRS] = {
		[DIR_RUNTIME] = {"XDG_RUNTIME_DIR", ""},
		[DIR_STATE] = {"HOME", "/.local/state"},
		[DIR_CACHE] = {"HOME", "/.cache"},
		[DIR_LOGS] = {"HOME", "/.local/state/log"},
		[DIR_CONFIGURATION] = {"HOME", "/.config"},
	};
	const char *base = h->is_user ? getenv(session[kind].variable) : NULL;

	if (base)
		snprintf(out, cap, "%s%s", base, session[kind].below);
	else
		snprintf(out, cap, "%s", exec_dir_roots[kind]);
}

static int put_directories_of(struct making *m, enum exec_dir kind)
{
	const struct identity *who = &m->who;
	bool is_owned = kind != DIR_CONFIGURATION;
	uint64_t uid = who->user.name && is_owned ? who->user.uid : m->h->uid;
	uint64_t gid = who->has_gid && is_owned ? who->gid : getegid();
	char root[256];
	struct sbuf all = {0};
	AUTO_MEM char *text = NULL;

	root_of(m->h, kind, root, sizeof(root));
	for (const struct name_list *l = m->exec->directories[kind]; l; l = l->next) {
		uint64_t w[4] = {m->exec->directory_mode[kind], uid, gid, !is_owned};
		struct str name = str_of(l->text);
		size_t from;

		if (all.n)
			sbuf_add_c(&all, ':');
		from = all.n;
		sbuf_addf(&all, "%s/", root);
		sbuf_add(&all, str_sub(name, 0, str_index(name, ':')));
		plan_put(m->plan, PLAN_MKDIR, w, 4, (struct str){all.p + from, all.n - from});
	}
	text = sbuf_take(&all);
	if (!text)
		return err_here(-ENOMEM);
	env_set(&m->env, exec_dir_env[kind], text);
	return 0;
}

static int put_directories(struct making *m)
{
	for (unsigned kind = 0; kind < EXEC_DIRS; kind++) {
		int r;

		if (!m->exec->directories[kind])
			continue;
		if (m->who.by_nss) {
			excuse_set(
				&m->excuse, EXIT_RUNTIME_DIRECTORY,
				"%s: its directories cannot be given to a user or group outside of /etc/passwd and /etc/group",
				m->in->unit->name);
			return -EOPNOTSUPP;
		}
		r = put_directories_of(m, (enum exec_dir)kind);
		if (r < 0)
			return r;
	}
	return 0;
}

static void put_sandbox(struct making *m)
{
	const struct service_config *s = m->in->unit->config->service;
	bool wants_root = m->exec->root_directory &&
			  (!s || !s->root_directory_start_only || m->in->role == ROLE_MAIN);

	if (!m->is_privileged)
		describe_view(m->h, m->in->unit, wants_root ? m->exec->root_directory : NULL,
			      m->plan);
	if (wants_root)
		plan_put_str(m->plan, PLAN_CHROOT, str_of(m->exec->root_directory));
}

/* After the change of user, as systemd does: only the user may be allowed into it (NFS). */
static int put_working_directory(struct making *m)
{
	const char *dir = m->exec->working_directory;
	bool is_optional = m->exec->working_directory_optional;

	if (!dir) {
		dir = m->h->is_user ? getenv("HOME") : "/";
		is_optional = m->h->is_user;
	} else if (!strcmp(dir, "~")) {
		dir = m->who.user.name                   ? m->who.user.home
		      : !m->h->is_user && !m->who.by_nss ? "/root"
							 : getenv("HOME");
		if (!dir || m->who.by_nss) {
			excuse_set(&m->excuse, EXIT_CHDIR,
				   "%s: WorkingDirectory=~ needs a User= of /etc/passwd",
				   m->in->unit->name);
			return -ESRCH;
		}
	}
	step(m, PLAN_CHDIR, is_optional, 0, 0, dir ? dir : "/");
	return 0;
}

/* --- the program --- */

/* A bare name in the fixed search path; what is nowhere is left to fail in the child. */
static void find_program(const char *name, char *out, size_t cap)
{
	static const char *const dirs[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					   "/usr/bin",        "/sbin",          "/bin"};
	struct stat st;

	for (unsigned i = 0; i < ARRAY_SIZE(dirs) && !strchr(name, '/'); i++) {
		snprintf(out, cap, "%s/%s", dirs[i], name);
		if (stat(out, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0111)
			return;
	}
	snprintf(out, cap, "%s%s", strchr(name, '/') ? "" : "/usr/bin/", name);
}

static int put_program(struct making *m)
{
	const struct command *c = m->in->command;
	const char **argv = c->argv;
	uint32_t argc = c->argc;
	char path[1024];
	int r = 0;

	if (!c->no_env_expand)
		r = words_expand(c->argv, env_get, &m->env, &m->arena, &argv, &argc);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < argc; i++)
		plan_put_str(m->plan, PLAN_ARG, str_of(argv[i]));
	if (argc == 0)
		plan_put_str(m->plan, PLAN_ARG, str_of(c->path));
	find_program(c->path, path, sizeof(path));
	if (!m->is_privileged)
		describe_filter(m->in->unit->config, m->plan);
	plan_put_str(m->plan, PLAN_EXEC, str_of(path));
	return 0;
}

/* Who is not root may only restrict itself when it can gain nothing any more: seccomp(2). */
static bool gives_up_privileges(const struct making *m)
{
	const struct identity *who = &m->who;
	bool is_ordinary = m->h->is_user || who->by_nss || (who->user.name && who->user.uid != 0);

	if (m->is_privileged)
		return false;
	return m->exec->no_new_privileges ||
	       (is_ordinary && describe_has_filter(m->in->unit->config));
}

static int put_all(struct making *m, struct process *out)
{
	int r = m->is_privileged || m->in->command->no_setuid
			? 0
			: identity_find(&m->who, m->in->unit, m->exec, &m->arena, &m->excuse);

	for (char **p = m->h->environment; p && *p; p++)
		env_put(&m->env, *p);
	if (!m->exec->same_process_group)
		plan_put_str(m->plan, PLAN_SETSID, STR(""));
	if (!r)
		r = put_listen_fds(m, out);
	if (!r)
		r = put_stdio(m);
	put_scheduling(m);
	if (!r)
		r = put_directories(m);
	if (!r)
		r = fill_env(m);
	if (r < 0)
		return r;
	/* Before the identity: what hark-exec finds out about the user gives way to what is set here. */
	put_env(m);
	put_sandbox(m);
	put_identity(m);
	r = put_working_directory(m);
	if (gives_up_privileges(m))
		plan_put_str(m->plan, PLAN_NO_NEW_PRIVS, STR(""));
	if (m->exec->ignore_sigpipe)
		plan_put_str(m->plan, PLAN_IGNORE_SIGPIPE, STR(""));
	return r < 0 ? r : put_program(m);
}

int describe(struct hark *h, const struct describe_in *in, struct process *out, uint8_t *ret_exit,
	     char **ret_why)
{
	const struct service_config *s = in->unit->config->service;
	struct making m = {
		.h = h, .in = in, .exec = in->exec, .plan = &out->plan, .refs = out->refs};
	int r;

	m.env.arena = &m.arena;
	m.is_privileged = in->command->full_privileges ||
			  (s && s->permissions_start_only && in->role != ROLE_MAIN);
	out->plan.n = 0;
	out->plan.bad = false;
	out->refs_n = FIRST_FD;
	out->needs_exec = false;
	r = put_all(&m, out);
	if (!r && out->plan.bad) {
		excuse_set(&m.excuse, EXIT_EXEC,
			   "%s:%u: the command with its environment is longer than %zu bytes",
			   in->command->file, in->command->line, out->plan.cap);
		r = -E2BIG;
	}
	if (r < 0) {
		*ret_exit = m.excuse.exit;
		*ret_why = m.excuse.why;
	} else {
		out->needs_exec = plan_place(out->plan.p, out->plan.n) == PLAN_EXEC_ONLY;
		mem_put(m.excuse.why);
	}
	arena_fini(&m.arena);
	return r;
}
