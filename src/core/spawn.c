/* SPDX-License-Identifier: MIT */
#include "core/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "activate/busname.h"
#include "activate/notify.h"
#include "activate/output.h"
#include "activate/stored.h"
#include "core/describe.h"
#include "core/dynamic_user.h"
#include "core/fd.h"
#include "core/limits.h"
#include "core/log.h"
#include "core/plan.h"
#include "core/proc.h"
#include "core/reach.h"
#include "core/tell.h"
#include "core/tree.h"
#include "units/cgroup_config.h"
#include "units/name.h"
#include "units/scope.h"
#include "units/socket.h"
#include "units/users.h"
#include "units/value.h"

enum {
	PLAN_ROOM = 128 * 1024,
	PID_RETRY_FIRST_US = 5000,
	PID_RETRY_MOST_US = 200000,
	GUESS_PIDS = 64,
};

void spawn_set_fail(struct unit *u, uint8_t exit_code, char *owned_text)
{
	const char **where = procs_fail_text(u);

	if (!where) {
		mem_put(owned_text);
		return;
	}
	mem_put((void *)(uintptr_t)*where);
	*where = owned_text;
	if (u->type == UNIT_SERVICE)
		service_of(u)->fail_step_exit = exit_code;
}

/* --- what the process gets --- */

struct fd_list {
	int32_t slots[BANK_REFS];
	const char *names[BANK_REFS];
	unsigned n, sockets_n;
};

/* Two settings may say the same (Service= there, Sockets= here): each gives an edge of its own. */
static bool is_repeated(const struct unit *u, uint32_t at)
{
	for (uint32_t i = 0; i < at; i++)
		if (u->edges[i].type == u->edges[at].type && u->edges[i].to == u->edges[at].to)
			return true;
	return false;
}

/* The listeners of every socket unit that triggers this service, then what the service stored itself. */
static void collect_fds(struct hark *h, struct service *s, struct fd_list *list)
{
	const struct activator *a = h->activators[UNIT_SOCKET];
	struct unit *u = &s->unit;

	for (uint32_t i = 0; i < u->edges_n && list->n < BANK_REFS - 3; i++) {
		struct unit *k = registry_unit(&h->reg, u->edges[i].to);

		if (u->edges[i].type != DEP_TRIGGERED_BY || k->type != UNIT_SOCKET || !k->config ||
		    !k->config->socket)
			continue;
		if (!k->config->socket->accept && !is_repeated(u, i))
			list->n += a->fds(h, k, list->slots + list->n, list->names + list->n,
					  BANK_REFS - 3 - list->n);
	}
	list->sockets_n = list->n;
	list->n += stored_list(s, list->slots + list->n, list->names + list->n,
			       BANK_REFS - 3 - list->n);
}

static bool goes_to_log(const struct stdio *io)
{
	return io->kind == STDIO_JOURNAL || io->kind == STDIO_JOURNAL_CONSOLE ||
	       io->kind == STDIO_KMSG_CONSOLE;
}

static bool wants_pipe(const struct exec_config *x)
{
	return goes_to_log(&x->out) || goes_to_log(&x->err);
}

static bool wants_notify(const struct service *s)
{
	const struct service_config *c = s->unit.config->service;

	return c->type == SERVICE_NOTIFY || c->type == SERVICE_NOTIFY_RELOAD ||
	       c->notify_access != NOTIFY_NONE || c->watchdog_us || c->fd_store_max;
}

/* An automount has no settings for the one command that is run for it. */
static const struct exec_config *exec_of(const struct unit *u)
{
	static struct exec_config plain;

	if (u->config->exec)
		return u->config->exec;
	exec_config_defaults(&plain);
	plain.out.kind = STDIO_NULL;
	plain.same_process_group = true; /* the kernel takes it from nobody else */
	return &plain;
}

static const struct command *command_of(struct unit *u)
{
	const struct command *cmd =
		command_first(u->config, u->ops->fsm->states[u->state].commands);

	if (u->type == UNIT_SERVICE)
		return service_command(service_of(u));
	for (uint32_t at = socket_of(u) ? socket_of(u)->command_at : 0; cmd && at; at--)
		cmd = command_next(cmd);
	return cmd;
}

/* --- from the description to the record --- */

/* A descriptor of ours for one start. Slot or -errno. */
static int lend_fd(struct hark *h, const char *name, int fd)
{
	int slot = bank_take(&h->bank), r;

	if (slot < 0)
		return slot;
	r = bank_store(&h->bank, (uint32_t)slot, bank_token(&h->bank), name, fd, false, 0);
	if (r < 0)
		bank_release(&h->bank, (uint32_t)slot);
	return r < 0 ? r : slot;
}

/* A bank slot with a sealed file of these bytes, for one process: to be given up once that was asked for. Or -errno. */
static int lend(struct hark *h, const char *name, struct str bytes)
{
	AUTO_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return err_here(-errno);
	r = fd_write_all(fd, bytes.p, bytes.n);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return err_here(-errno);
	return lend_fd(h, name, fd);
}

/* PID 1 takes requests in order: the child has its copy by then. 0 or -EPIPE. */
static int take_back(struct hark *h, int slot)
{
	return slot >= 0 && bank_drop(&h->bank, (uint32_t)slot) < 0 ? -EPIPE : 0;
}

/* A plan that only hark-exec can run travels in a file of its own, put behind the other descriptors. Its slot, or -errno. */
static int wrap_plan(struct hark *h, struct process *p)
{
	int slot = lend(h, "plan", (struct str){p->plan.p, p->plan.n});
	char number[16];

	if (slot < 0)
		return slot;
	snprintf(number, sizeof(number), "%u", p->refs_n);
	p->refs[p->refs_n++] = slot;
	p->plan.n = 0;
	plan_put_str(&p->plan, PLAN_ARG, STR("hark-exec"));
	plan_put_str(&p->plan, PLAN_ARG, str_of(number));
	plan_put_str(&p->plan, PLAN_EXEC, str_of(h->exec_path));
	return slot;
}

/* Delegate=: the user of the unit makes cgroups below its own, with these files. cgroups(7), "Delegation" */
static void hand_over(const struct unit *u, int dir)
{
	static const char *const files[] = {"", "cgroup.procs", "cgroup.threads",
					    "cgroup.subtree_control"};
	const char *user = u->config->exec ? u->config->exec->user : NULL;
	struct arena arena = {0};
	struct user_entry who;

	if (user && users_find("", user, &arena, &who) == 0)
		for (size_t i = 0; i < ARRAY_SIZE(files); i++)
			if (fchownat(dir, files[i], who.uid, who.gid, AT_EMPTY_PATH) < 0)
				log_debug("spawn", "%s: %s of its cgroup stays ours", u->name,
					  files[i]);
	arena_fini(&arena);
}

/*
 * From Linux 6.14 on clone3(2) kills what it puts into a cgroup that was ever killed (kill_seq is compared with that of the caller's own
 * cgroup): the next process gets a new one. 0, or -EBUSY: somebody is still there.
 */
static int leave_killed(struct hark *h, struct unit *u)
{
	char path[CGROUP_PATH];

	if (!u->is_cgroup_killed || !h->cgroups.has_cgroups)
		return 0;
	procs_cgroup(u, path);
	if (cgroup_remove(&h->cgroups, path) == -EBUSY)
		return -EBUSY;
	u->is_cgroup_killed = false;
	return 0;
}

/* -1: there is none, and it goes without. flags: those of the spawn into it. */
static int open_cgroup(struct hark *h, struct unit *u, const char *path, uint32_t *flags)
{
	int fd;

	if (!h->cgroups.has_cgroups)
		return -1;
	u->is_cgroup_gone = false;
	fd = cgroup_make(&h->cgroups, path);
	if (fd == -ENOMEM) /* once without its cgroup it is so for as long as it runs */
		fd = cgroup_make(&h->cgroups, path);
	if (fd < 0)
		log_at(LOG_WARN, "%s: cannot make its cgroup: %s; it runs in ours", u->name,
		       strerror(-fd));
	if (fd >= 0 && limits_apply(h, u, path, fd))
		*flags |= BANK_F_APART;
	if (fd >= 0 && cgroup_config_of(u->config)->delegate)
		hand_over(u, fd);
	return fd < 0 ? -1 : fd;
}

static int open_null(void)
{
	return fd_open(AT_FDCWD, "/dev/null", O_RDWR, 0);
}

/*
 * Whose client waits gets the /dev/null that is kept, where he has nothing for a standard stream: to open it takes 3 us. Of many who start at
 * once each has copies of what is passed to the others, and to close these takes longer.
 */
static void give_null(struct hark *h, const struct describe_in *in, struct process *p)
{
	if (in->conn_slot < 0 && !in->fds_n)
		return;
	if (!h->null_fd)
		h->null_fd = bank_lasting(&h->bank, "null", open_null);
	for (int i = 0; h->null_fd >= BANK_FD_BASE && i <= STDERR_FILENO; i++)
		p->refs[i] = p->refs[i] < 0 ? h->null_fd - BANK_FD_BASE : p->refs[i];
}

static uint32_t spawn_flags(const struct hark *h, const struct unit *u, enum proc_role role,
			    bool has_conn)
{
	const struct service_config *c = role == ROLE_MAIN ? u->config->service : NULL;
	uint32_t flags = has_conn ? BANK_F_DONATE : 0;

	if (c && (c->type == SERVICE_EXEC || (c->type == SERVICE_DBUS && !busname_has_watcher(h))))
		flags |= BANK_F_EXECED;
	return flags;
}

static int send_spawn(struct hark *h, const struct describe_in *in, struct process *p)
{
	struct unit *u = in->unit;
	enum proc_role role = in->role;
	struct proc_ref *ref = procs_ref(u, role);
	char name[BANK_NAME];
	struct bank_spawn req = {.name = name,
				 .cgroup_fd = -1,
				 .flags = spawn_flags(h, u, role, in->conn_slot >= 0)};
	int plan_slot = p->needs_exec ? wrap_plan(h, p) : -1;
	int slot, r;

	if (p->needs_exec && plan_slot < 0)
		return plan_slot;
	give_null(h, in, p);
	bank_name(name, u->name,
		  role == ROLE_MAIN ? "main" : fsm_state_name(u->ops->fsm, u->state));
	r = slot = procs_add(h, u, role);
	if (slot >= 0) {
		AUTO_FD int cgroup = open_cgroup(h, u, in->cgroup, &req.flags);

		req.slot = (uint32_t)slot;
		req.token = procs_token(h, req.slot);
		req.cgroup_fd = cgroup;
		req.refs = p->refs;
		req.refs_n = p->refs_n;
		req.plan = (struct str){p->plan.p, p->plan.n};
		*ref = (struct proc_ref){.slot = req.slot + 1, .token = req.token};
		if (role == ROLE_MAIN)
			service_main_begins(service_of(u), loop_now_us(&h->loop));
		engine_touch(&h->engine, u);
		engine_commit(&h->engine); /* before the process can exist */
		r = bank_spawn(&h->bank, &req);
		if (r < 0) {
			ref->slot = 0;
			procs_del(h, req.slot);
		}
	}
	if (take_back(h, plan_slot) < 0 && r == 0)
		r = -EPIPE;
	return r;
}

static int prepare(struct hark *h, struct service *s, struct describe_in *in, struct fd_list *fds,
		   char *notify, size_t cap)
{
	bool is_starter = in->role == ROLE_MAIN || (s->unit.state == SVC_START);
	int r;

	if (wants_notify(s)) {
		r = notify_open(h, s, notify, cap);
		if (r < 0)
			return r;
		in->notify_socket = notify;
	}
	if (is_starter) {
		collect_fds(h, s, fds);
		in->conn_slot = s->conn_slot ? (int)s->conn_slot - 1 : -1;
		in->watchdog_us = s->watchdog_us ? s->watchdog_us
						 : s->unit.config->service->watchdog_us;
	}
	in->fd_slots = fds->slots;
	in->fd_names = fds->names;
	in->fds_n = fds->n;
	in->sockets_n = fds->sockets_n;
	in->main_pid = s->main.slot ? s->main.pid : 0;
	return 0;
}

/* To hark-mount, which asks the kernel about it. */
static void pass_point(struct hark *h, struct unit *u, struct describe_in *in, struct fd_list *fds)
{
	if (u->type != UNIT_AUTOMOUNT)
		return;
	in->fds_n = h->activators[u->type]->fds(h, u, fds->slots, fds->names, BANK_REFS);
	in->fd_slots = fds->slots;
	in->fd_names = fds->names;
}

static void post_failure(struct hark *h, struct unit *u, enum proc_role role, int err)
{
	engine_post_simple(&h->engine, u, EV_SPAWN_FAILED, -err, role, 0);
}

/* A user that exists for the run is there before its process is. */
static int take_user(struct hark *h, const struct unit *u, struct describe_in *in, char **ret_why)
{
	int r = dynamic_user_is_wanted(u) ? dynamic_user_take(h, u, &in->dynamic_uid) : 0;
	struct sbuf why = {0};

	if (r == 0)
		return 0;
	sbuf_addf(&why, "%s: DynamicUser=: no number for user \"%s\": %s", u->name,
		  u->config->exec->user, strerror(-r));
	*ret_why = sbuf_take(&why);
	return r;
}

/* "/proc/PID/fd/N": a socket that another process has. Nobody can open one; a copy of it is lent. 0 or -errno. */
static int lend_socket(struct hark *h, const struct stdio *stream, int *ret_slot)
{
	int pid, number, end = 0, slot;
	AUTO_FD int fd = -1;
	struct stat st;

	if (stream->kind != STDIO_FILE || !stream->path ||
	    sscanf(stream->path, "/proc/%d/fd/%d%n", &pid, &number, &end) != 2 ||
	    stream->path[end] || stat(stream->path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return 0;
	fd = proc_take_fd(pid, number);
	slot = fd < 0 ? fd : lend_fd(h, "stream", fd);
	if (slot >= 0)
		*ret_slot = slot;
	return slot < 0 ? slot : 0;
}

/* What it is given beside its plan: slots of the bank, and a user. */
static int equip(struct hark *h, struct unit *u, struct describe_in *in, char **ret_why)
{
	const struct stdio *streams[] = {&in->exec->in, &in->exec->out, &in->exec->err};
	int r = 0;

	if (procs_output(u) && wants_pipe(in->exec))
		r = in->out_slot = output_open(h, u);
	if (r >= 0 && in->exec->in.kind == STDIO_DATA)
		r = in->lent_slots[0] = lend(
			h, "stdin", (struct str){in->exec->stdin_data, in->exec->stdin_data_n});
	for (unsigned i = 0; r >= 0 && i < ARRAY_SIZE(streams); i++)
		r = lend_socket(h, streams[i], &in->lent_slots[i]);
	return r < 0 ? r : take_user(h, u, in, ret_why);
}

/* What a failed one has left (notify socket, output pipe) serves the next. why: owned by the caller. 0 or -errno. */
static int try_spawn(struct hark *h, struct unit *u, enum proc_role role, uint8_t *ret_exit,
		     char **ret_why)
{
	/* one spawn at a time: PID 1 has its copy when the request is sent */
	static char bytes[PLAN_ROOM];
	static struct tell env;
	struct process p = {.plan = {.p = bytes, .cap = sizeof(bytes)}};
	struct describe_in in = {.unit = u,
				 .exec = exec_of(u),
				 .command = command_of(u),
				 .role = role,
				 .out_slot = -1,
				 .lent_slots = {-1, -1, -1},
				 .conn_slot = -1};
	struct fd_list fds = {.n = 0};
	char notify[128], cgroup[CGROUP_PATH];
	int r = leave_killed(h, u);

	if (r == 0)
		r = equip(h, u, &in, ret_why);
	procs_cgroup(u, cgroup);
	in.cgroup = cgroup;
	if (r >= 0 && u->type == UNIT_SERVICE) {
		tell_service(h, service_of(u), &env);
		in.extra_env = env.at;
		r = prepare(h, service_of(u), &in, &fds, notify, sizeof(notify));
	}
	pass_point(h, u, &in, &fds);
	if (r >= 0)
		r = describe(h, &in, &p, ret_exit, ret_why);
	if (r == 0)
		r = send_spawn(h, &in, &p);
	for (unsigned i = 0; i < ARRAY_SIZE(in.lent_slots); i++)
		if (take_back(h, in.lent_slots[i]) < 0 && r == 0)
			r = -EPIPE;
	return r;
}

bool spawn_later(struct hark *h, struct unit *u, enum proc_role role, int err)
{
	struct proc_ref *ref = procs_ref(u, role);
	bool is_main = u->type == UNIT_SERVICE && u->state == SVC_START;
	bool passes = err == -EAGAIN || err == -ENOMEM || err == -ENOSPC;

	if (!(passes && unit_coarse(u) == ACTIVATING) && err != -EBUSY)
		return false;
	if (!ref)
		return false;
	if (!u->waits_for_process && err != -EBUSY)
		log_at(LOG_WARN, "%s: no process can be made: %s; trying again until one can",
		       u->name, strerror(-err));
	u->waits_for_process = true;
	ref->slot = 0;
	engine_try_again(&h->engine, u, is_main ? FX_SPAWN_MAIN : FX_SPAWN_CONTROL);
	return true;
}

void spawn_command(struct hark *h, struct unit *u, enum proc_role role)
{
	uint8_t exit_code = 0;
	char *why = NULL;
	int r;

	if (!CHECK(command_of(u)) || !CHECK(exec_of(u)))
		return;
	r = try_spawn(h, u, role, &exit_code, &why);
	if (r == -ENOMEM && !why) /* memory that is short for a moment shall not cost a start */
		r = try_spawn(h, u, role, &exit_code, &why);
	if (r < 0 && !why && spawn_later(h, u, role, r))
		return;
	if (r < 0) {
		log_at(LOG_ERROR, "%s: cannot start %s: %s", u->name, command_of(u)->path,
		       why ? why : strerror(-r));
		spawn_set_fail(u, exit_code, why);
		post_failure(h, u, role, r);
		return;
	}
	mem_put(why);
	if (role == ROLE_MAIN)
		spawn_set_fail(u, 0, NULL); /* of an earlier start */
}

/* --- Type=forking --- */

static void post_main(struct hark *h, struct service *s, pid_t pid)
{
	engine_post_simple(&h->engine, &s->unit, EV_MAIN_PID, pid, 0, 0);
}

/* A pid file counts only when root (or the service's owner, inside its cgroup) wrote it and the process is one of the unit's. */
static int read_pid_file(struct hark *h, struct service *s, const char *path)
{
	char text[32], cgroup[CGROUP_PATH];
	struct stat st;
	uint64_t pid = 0;
	ssize_t n = reach(AT_FDCWD, path);

	if (n == 0)
		n = fd_read_foreign(path, text, sizeof(text), &st);
	if (n < 0)
		return (int)n;
	if (str_to_u64(str_trim((struct str){text, (size_t)n}), &pid) < 0 || pid < 2 ||
	    pid > INT32_MAX)
		return -EINVAL;
	procs_cgroup(&s->unit, cgroup);
	if (h->cgroups.has_cgroups && !cgroup_has_pid(&h->cgroups, cgroup, (pid_t)pid))
		return -ESRCH; /* stale, or somebody else's */
	if (!h->cgroups.has_cgroups && st.st_uid != 0 && st.st_uid != getuid())
		return -EPERM;
	return (int)pid;
}

void spawn_forget_pid_file(const struct service *s)
{
	const char *file = s->unit.config->service->pid_file;
	int r = file ? reach(AT_FDCWD, file) : 0;

	if (file && r == 0)
		r = tree_unlink(file);

	if (r < 0 && r != -ENOENT)
		log_at(LOG_WARN, "%s: PIDFile=%s stays: %s", s->unit.name, file, tree_strerror(r));
}

/* Without a pid file: the one process of the cgroup that PID 1 has inherited. More than one: unknown, the cgroup is watched. */
static pid_t guess_main(struct hark *h, struct service *s)
{
	pid_t pids[GUESS_PIDS], found = 0;
	char path[CGROUP_PATH];
	int n;

	procs_cgroup(&s->unit, path);
	n = cgroup_pids(&h->cgroups, path, pids, GUESS_PIDS);
	for (int i = 0; i < n && i < GUESS_PIDS; i++) {
		uint64_t start;
		pid_t parent = 0;

		if (proc_stat(pids[i], &parent, &start) < 0 || parent != getppid())
			continue;
		if (found)
			return 0;
		found = pids[i];
	}
	return found;
}

void spawn_watch_members(struct hark *h, struct service *s)
{
	char path[CGROUP_PATH];
	int wd;

	procs_cgroup(&s->unit, path);
	wd = h->cgroups.has_cgroups ? cgroup_watch(&h->cgroups, path) : -1;
	if (wd < 0)
		return;
	s->unit.events_wd = wd + 1;
	if (cgroup_is_populated(&h->cgroups, path) == 0) /* before the watch was there */
		engine_post_simple(&h->engine, &s->unit, EV_EMPTY, 0, 0, 0);
}

static void adopt(struct hark *h, struct service *s, pid_t pid)
{
	if (pid > 0 && procs_adopt_main(h, &s->unit, pid) == 0)
		return;
	post_main(h, s, 0);
	spawn_watch_members(h, s);
}

void spawn_look_for_pid_file(struct hark *h, struct service *s)
{
	char cgroup[CGROUP_PATH];
	int pid;

	if (s->unit.state != SVC_START)
		return;
	pid = read_pid_file(h, s, s->unit.config->service->pid_file);
	if (pid > 0) {
		adopt(h, s, pid);
		return;
	}
	procs_cgroup(&s->unit, cgroup);
	if (h->cgroups.has_cgroups && cgroup_is_populated(&h->cgroups, cgroup) == 0) {
		/* nobody is left who would write it */
		engine_post_simple(&h->engine, &s->unit, EV_EMPTY, 0, 0, 0);
		return;
	}
	s->pid_retry_us = s->pid_retry_us ? 2 * s->pid_retry_us : PID_RETRY_FIRST_US;
	if (s->pid_retry_us > PID_RETRY_MOST_US)
		s->pid_retry_us = PID_RETRY_MOST_US;
	engine_arm(&h->engine, &s->unit, DUE_PID_FILE, loop_now_us(&h->loop) + s->pid_retry_us);
}

void spawn_find_main(struct hark *h, struct service *s)
{
	const struct service_config *c = s->unit.config->service;

	if (s->next_main) {
		if (procs_adopt_main(h, &s->unit, s->next_main) < 0)
			log_at(LOG_WARN, "%s: MAINPID=%d cannot be taken over", s->unit.name,
			       (int)s->next_main);
		return;
	}
	if (c->exit_type == EXIT_TYPE_CGROUP) {
		spawn_watch_members(h, s);
		if (!s->unit.events_wd) /* no cgroups: nobody could say when the others end */
			engine_post_simple(&h->engine, &s->unit, EV_EMPTY, 0, 0, 0);
		return;
	}
	if (c->pid_file) {
		s->pid_retry_us = 0;
		spawn_look_for_pid_file(h, s);
		return;
	}
	adopt(h, s, c->guess_main_pid && h->cgroups.has_cgroups ? guess_main(h, s) : 0);
}

pid_t spawn_next_main(struct hark *h, struct service *s)
{
	const char *file = s->unit.config->service->pid_file;
	int pid = file ? read_pid_file(h, s, file) : 0;

	return pid > 0 && pid != s->main.pid ? pid : 0;
}
