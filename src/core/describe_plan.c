/* SPDX-License-Identifier: MIT */
#include "core/describe_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/describe_filter.h"
#include "core/describe_view.h"
#include "core/reach.h"
#include "core/tree.h"
#include "units/probe.h"
#include "units/sandbox.h"
#include "units/words.h"

enum {
	USER_UID = 1,                    /* PLAN_USER */
	USER_ALL = USER_UID | 2 | 4 | 8, /* uid, gid, groups, environment */
	/* Exit codes of systemd.exec(5) for what already fails here. */
	EXIT_CHDIR = 200,
	EXIT_EXEC = 203,
};

void describe_step(struct making *m, enum plan_step s, uint64_t w0, uint64_t w1, uint64_t w2,
		   const char *text)
{
	uint64_t w[4] = {w0, w1, w2};

	plan_put(m->plan, s, w, plan_step_info(s)->words_n, str_of(text ? text : ""));
}

/* --- whose process it is --- */

static void put_nss_user(struct making *m, uint64_t what)
{
	const char *user = m->exec->user ? m->exec->user : "",
		   *group = m->exec->group ? m->exec->group : "";
	char text[512];
	int n = snprintf(text, sizeof(text), "%s%c%s", user, '\0', group);

	if (n < 0 || (size_t)n >= sizeof(text)) {
		m->plan->bad = true;
		return;
	}
	plan_put(m->plan, PLAN_USER, &what, 1, (struct str){text, (size_t)n});
}

static void put_groups(struct making *m)
{
	const struct identity *who = &m->who;

	if (who->by_nss) {
		put_nss_user(m, USER_ALL & ~USER_UID);
	} else if (!m->h->is_user) {
		if (who->has_groups)
			plan_put(m->plan, PLAN_GROUPS, NULL, 0,
				 (struct str){(const char *)who->groups,
					      who->groups_n * sizeof(who->groups[0])});
		if (who->has_gid)
			plan_put_u64(m->plan, PLAN_GID, who->gid);
	}
}

/* Whoever makes a user namespace begins it with all capabilities, so before they are cut down. */
static void put_users(struct making *m)
{
	const struct identity *who = &m->who;

	if (!m->is_privileged && sandbox_of(m->in->unit->config)->private_users)
		describe_step(m, PLAN_USERS, who->user.name ? who->user.uid : m->h->uid,
			      who->has_gid ? who->gid : getegid(), 0, NULL);
}

/* As long as there is the privilege for it. */
static void put_privileges(struct making *m)
{
	const struct exec_config *e = m->exec;

	if (m->is_privileged)
		return;
	if (e->has_capability_bounding)
		plan_put_u64(m->plan, PLAN_CAP_BOUND, e->capability_bounding);
	/* What keeps capabilities over the change of the uid is one of these bits itself. */
	if (e->has_securebits)
		plan_put_u64(m->plan, PLAN_SECUREBITS, (uint64_t)e->securebits);
}

/* To give up root and keep capabilities, they are kept over the change of the uid and cut down after it. */
static void put_identity(struct making *m)
{
	const struct exec_config *e = m->exec;
	const struct identity *who = &m->who;
	bool wants_ambient = e->has_ambient && e->ambient_capabilities && !m->is_privileged;
	bool changes_user = who->user.name && who->user.uid != m->h->uid;

	put_privileges(m);
	if (wants_ambient)
		plan_put_str(m->plan, PLAN_KEEPCAPS, STR(""));
	if (who->by_nss)
		put_nss_user(m, USER_UID);
	if (changes_user)
		plan_put_u64(m->plan, PLAN_UID, who->user.uid);
	if (wants_ambient) {
		plan_put_u64(m->plan, PLAN_CAP_SET, e->ambient_capabilities);
		plan_put_u64(m->plan, PLAN_CAP_AMBIENT, e->ambient_capabilities);
	}
}

/* --- environment --- */

static void name_user(struct making *m)
{
	const struct user_entry *u = &m->who.user;
	char place[32];

	if (!u->name)
		return;
	env_set(&m->env, "USER", u->name);
	env_set(&m->env, "LOGNAME", u->name);
	if (u->home && u->home[0] && strcmp(u->home, "/") != 0)
		env_set(&m->env, "HOME", u->home);
	if (u->shell && u->shell[0] && !strstr(u->shell, "/nologin") && !strstr(u->shell, "/false"))
		env_set(&m->env, "SHELL", u->shell);
	/* A session of PAM's would tell; who has logged in has the directory. */
	snprintf(place, sizeof(place), "/run/user/%u", (unsigned)u->uid);
	if (m->exec->pam_name && access(place, F_OK) == 0)
		env_set(&m->env, "XDG_RUNTIME_DIR", place);
}

static void name_invocation(struct making *m)
{
	char text[UNIT_RUN_TEXT];

	unit_run_text(m->in->unit, text);
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

/* ExecSearchPath= is the PATH, too. */
static void name_search_path(struct making *m)
{
	struct sbuf all = {0};
	AUTO_MEM char *text = NULL;

	for (const struct name_list *l = sandbox_of(m->in->unit->config)->exec_search; l;
	     l = l->next)
		sbuf_addf(&all, "%s%s", all.n ? ":" : "", l->text);
	text = all.n ? sbuf_take(&all) : NULL;
	env_set(&m->env, "PATH", text);
	sbuf_fini(&all);
}

static bool has_terminal(const struct exec_config *e)
{
	return e->tty_path || stdio_is_tty(&e->in) || stdio_is_tty(&e->out) ||
	       stdio_is_tty(&e->err);
}

/* What kind of terminal it is that the service gets; of the console, that which the kernel writes to. */
static void name_terminal(struct making *m)
{
	struct str name = str_of(exec_tty_path(m->exec)), rest;
	char active[PROBE_MAX];

	name = str_sub(name, str_has_prefix(name, STR("/dev/")) ? strlen("/dev/") : 0, name.n);
	if (str_eq_z(name, "console")) /* the last one is it */
		for (rest = probe_read("/sys/class/tty/console/active", active);
		     str_word(&rest, &name);)
			continue;
	env_set(&m->env, "TERM",
		str_has_prefix(name, STR("tty")) && name.n > 3 && name.p[3] <= '9' ? "linux"
										   : "vt220");
}

/* systemd's order: what the manager sets may be replaced by what the unit says. */
static int fill_env(struct making *m)
{
	const struct name_list *file = NULL;
	int r;

	name_user(m);
	name_invocation(m);
	name_service(m);
	describe_listen_env(m);
	name_search_path(m);
	if (has_terminal(m->exec))
		name_terminal(m);
	for (const char *const *p = m->in->extra_env; p && *p; p++)
		env_put(&m->env, *p);
	r = env_configured(&m->env, m->exec, &file);
	if (r < 0 && file && r != -ENOMEM)
		excuse_set(&m->excuse, 0, "%s:%u: the environment file %s cannot be read: %s",
			   file->file ? file->file : m->in->unit->name, file->line, file->text,
			   tree_strerror(r));
	return r;
}

static void put_env(struct making *m)
{
	for (uint32_t i = 0; i < m->env.n; i++)
		plan_put_str(m->plan, m->env.items[i].is_pid ? PLAN_ENV_PID : PLAN_ENV,
			     str_of(m->env.items[i].text));
}

/* --- behind walls --- */

/* Only the process that the terminal is for is somebody there. */
static void put_utmp(struct making *m)
{
	const char *line = exec_tty_path(m->exec), *user = m->who.user.name;
	uint64_t mode = sandbox_of(m->in->unit->config)->utmp_mode;
	struct sbuf text = {0};

	if (!m->exec->utmp_id || m->in->role != ROLE_MAIN || m->h->is_user)
		return;
	sbuf_add(&text, (struct str){m->exec->utmp_id, strlen(m->exec->utmp_id) + 1});
	line += strncmp(line, "/dev/", 5) == 0 ? 5 : 0;
	sbuf_add(&text, (struct str){line, strlen(line) + 1});
	sbuf_add_z(&text, user ? user : "root");
	m->plan->bad |= !text.p;
	if (text.p)
		plan_put(m->plan, PLAN_UTMP, &mode, 1, (struct str){text.p, text.n});
	sbuf_fini(&text);
}

/* Where nothing is said the keys of PID 1 are all there are: it has none of its own. */
static void put_keyring(struct making *m)
{
	uint8_t mode = sandbox_of(m->in->unit->config)->keyring;
	const struct identity *who = &m->who;

	if (mode == KEYRING_PRIVATE || mode == KEYRING_SHARED)
		describe_step(m, PLAN_KEYRING, mode == KEYRING_SHARED && !m->h->is_user,
			      who->user.name ? who->user.uid : m->h->uid,
			      who->has_gid ? who->gid : getegid(), NULL);
}

static bool wants_root(const struct making *m)
{
	const struct service_config *s = m->in->unit->config->service;

	return m->exec->root_directory &&
	       (!s || !s->root_directory_start_only || m->in->role == ROLE_MAIN);
}

/* What cannot be applied is to be found by whoever asks for the unit's status. */
static void put_lacks(struct making *m)
{
	char text[1024], run[UNIT_RUN_TEXT];
	int n;

	unit_run_text(m->in->unit, run);
	n = snprintf(text, sizeof(text), "%s/%s%c%s", m->h->cgroups.path, m->in->cgroup, '\0', run);
	if (m->h->cgroups.has_cgroups && n > 0 && (size_t)n < sizeof(text))
		plan_put(m->plan, PLAN_LACKS, NULL, 0, (struct str){text, (size_t)n});
}

/* Inside of a root nobody makes a user namespace, so that comes before; users are those of the system. */
static void put_sandbox(struct making *m)
{
	const struct unit_config *c = m->in->unit->config;
	size_t before = m->plan->n, after;

	if (!m->is_privileged) {
		if (c->own->sandbox || m->exec->private_tmp || m->exec->private_network)
			put_lacks(m);
		after = m->plan->n;
		put_keyring(m);
		describe_view(m->h, m->in->unit, wants_root(m) ? m->exec->root_directory : NULL,
			      m->plan);
		/* Nothing that could be lacking: no way around by hark-exec for that. */
		if (m->plan->n == after && !sandbox_of(c)->private_users && !describe_has_filter(c))
			m->plan->n = before;
	}
	describe_links(m, wants_root(m) ? m->exec->root_directory : "");
	put_groups(m);
	put_users(m);
	if (wants_root(m))
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
	describe_step(m, PLAN_CHDIR, is_optional, 0, 0, dir ? dir : "/");
	return 0;
}

/* --- the program --- */

static bool is_program(const char *path)
{
	struct stat st;

	return reach(AT_FDCWD, path) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_mode & 0111;
}

/* A bare name in ExecSearchPath= or the fixed search path, put into the plan; what is nowhere is left to fail in the child. */
static void put_found(struct wbuf *plan, const struct name_list *search, const char *name)
{
	static const char *const dirs[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					   "/usr/bin",        "/sbin",          "/bin"};
	char path[1024];
	bool is_found = false;

	for (const struct name_list *l = search; l && !is_found; l = l->next) {
		snprintf(path, sizeof(path), "%s/%s", l->text, name);
		is_found = is_program(path);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(dirs) && !search && !is_found; i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		is_found = is_program(path);
	}
	if (!is_found)
		snprintf(path, sizeof(path), "/usr/bin/%s", name);
	plan_put_str(plan, PLAN_EXEC, str_of(path));
}

static int put_program(struct making *m)
{
	const struct command *c = m->in->command;
	const char **argv = c->argv;
	uint32_t argc = c->argc;
	int r = 0;

	if (!c->no_env_expand)
		r = words_expand(c->argv, env_get, &m->env, &m->arena, &argv, &argc);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < argc; i++)
		plan_put_str(m->plan, PLAN_ARG, str_of(argv[i]));
	if (argc == 0)
		plan_put_str(m->plan, PLAN_ARG, str_of(c->path));
	if (!m->is_privileged)
		describe_filter(m->in->unit->config, m->plan);
	if (strchr(c->path, '/'))
		plan_put_str(m->plan, PLAN_EXEC, str_of(c->path));
	else
		put_found(m->plan, sandbox_of(m->in->unit->config)->exec_search, c->path);
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
	int r;

	m->who.dynamic_uid = m->in->dynamic_uid;
	r = m->is_privileged || m->in->command->no_setuid
		    ? 0
		    : identity_find(&m->who, m->in->unit, m->exec, &m->arena, &m->excuse);

	for (char **p = m->h->environment; p && *p; p++)
		env_put(&m->env, *p);
	if (!m->exec->same_process_group)
		plan_put_str(m->plan, PLAN_SETSID, STR(""));
	if (!r)
		r = describe_listen_fds(m, out);
	if (!r)
		r = describe_stdio(m);
	describe_scheduling(m);
	if (!r)
		r = describe_directories(m);
	if (!r)
		r = describe_credentials(m);
	if (!r)
		r = fill_env(m);
	if (r < 0)
		return r;
	/* Before the identity: what hark-exec finds out about the user gives way to what is set here. */
	put_env(m);
	put_utmp(m);
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
	out->refs_n = STDERR_FILENO + 1;
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
