/* SPDX-License-Identifier: MIT */
#include "core/leftovers.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/describe.h"
#include "core/describe_view.h"
#include "core/dynamic_user.h"
#include "core/fd.h"
#include "core/graph.h"
#include "core/log.h"
#include "core/procs.h"
#include "core/tree.h"
#include "core/utmp.h"
#include "units/exec_config.h"
#include "units/sandbox.h"
#include "units/service.h"
#include "units/users.h"

enum { IPC_ROOM = 1024 * 1024 };

/* --- IPC objects --- */

static int remove_shm(int id)
{
	return shmctl(id, IPC_RMID, NULL);
}
static int remove_sem(int id)
{
	return semctl(id, 0, IPC_RMID);
}
static int remove_msg(int id)
{
	return msgctl(id, IPC_RMID, NULL);
}

/* Lists of System V objects and the column of each in which the owner stands; the second has the id. proc_sysvipc(5) */
static const struct {
	const char *file;
	unsigned owner;
	int (*remove)(int id);
} lists[] = {
	{"/proc/sysvipc/shm", 7, remove_shm},
	{"/proc/sysvipc/sem", 4, remove_sem},
	{"/proc/sysvipc/msg", 7, remove_msg},
};

static void remove_listed(const char *file, unsigned owner, int (*remove)(int id), uid_t uid)
{
	AUTO_MEM char *text = NULL;
	struct str rest, line, word;
	size_t n;

	if (fd_read_file(AT_FDCWD, file, IPC_ROOM, &text, &n) < 0)
		return;
	rest = (struct str){text, n};
	while (str_cut(&rest, '\n', &line)) {
		uint64_t id = 0, who = UINT64_MAX;

		for (unsigned k = 0; k <= owner && str_word(&line, &word); k++) {
			if (k == 1 && str_to_u64(word, &id) < 0)
				break;
			if (k == owner && str_to_u64(word, &who) < 0)
				who = UINT64_MAX;
		}
		if (who == uid)
			(void)remove((int)id);
	}
}

/* POSIX shared memory, semaphores and queues are files. */
static void remove_files(const char *path, uid_t uid)
{
	DIR *dir = fd_opendir(AT_FDCWD, path);
	struct dirent *d;
	struct stat st;

	while (dir && (d = readdir(dir))) {
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_uid == uid && !S_ISDIR(st.st_mode))
			unlinkat(dirfd(dir), d->d_name, 0);
	}
	if (dir)
		closedir(dir);
}

/* Does another unit that is not at rest run as that user? */
static bool is_needed(const struct hark *h, const struct unit *u, const char *user)
{
	for (uint32_t id = 0; id < h->reg.n; id++) {
		const struct unit *other = h->reg.units[id];

		if (other && other != u && other->config && other->config->exec &&
		    other->config->exec->user && !unit_is_at_rest(other) &&
		    strcmp(other->config->exec->user, user) == 0)
			return true;
	}
	return false;
}

/* Root's are everybody's. */
static void remove_ipc(const struct hark *h, const struct unit *u, uid_t uid)
{
	if (uid == 0 || is_needed(h, u, u->config->exec->user))
		return;
	for (unsigned k = 0; k < ARRAY_SIZE(lists); k++)
		remove_listed(lists[k].file, lists[k].owner, lists[k].remove, uid);
	remove_files("/dev/shm", uid);
	remove_files("/dev/mqueue", uid);
}

/* 0: nobody's but root's. */
static uid_t static_uid(const struct unit *u)
{
	struct arena arena = {0};
	struct user_entry user = {.uid = 0};
	const char *name = u->config->exec->user;
	int r = name ? users_find("", name, &arena, &user) : -ESRCH;

	arena_fini(&arena);
	return r == 0 ? user.uid : 0;
}

/* --- directories --- */

static void remove_tree(const struct unit *u, const char *path)
{
	int r = tree_remove(path);

	if (r < 0 && r != -ENOENT)
		log_debug("leftovers", "%s: %s stays: %s", u->name, path, strerror(-r));
}

static void remove_private_tmp(const struct hark *h, const struct unit *u)
{
	static const char *const places[] = {"/tmp", "/var/tmp"};
	char name[256], path[300];

	describe_private_tmp(h, u, name, sizeof(name));
	for (unsigned k = 0; name[0] && k < ARRAY_SIZE(places); k++) {
		snprintf(path, sizeof(path), "%s/%s", places[k], name);
		remove_tree(u, path);
	}
}

/* RuntimeDirectory=NAME:LINK */
static void remove_links(const struct hark *h, const struct unit *u)
{
	const struct name_list *l = u->config->exec->directories[DIR_RUNTIME].links;
	struct unit_directory dir;

	for (; l; l = l->next) {
		AUTO_FD int parent = -1;
		const char *base;
		struct stat st;

		if (describe_directory(h, u, DIR_RUNTIME, strchr(l->text, ':') + 1, &dir) < 0)
			continue; /* it could not be made either */
		parent = tree_open_parent(dir.link[0] ? dir.link : dir.path, 0, &base);
		if (parent >= 0 && fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISLNK(st.st_mode))
			(void)unlinkat(parent, base, 0);
	}
}

static void remove_runtime(const struct hark *h, const struct unit *u)
{
	const struct exec_config *x = u->config->exec;
	struct unit_directory dir;

	if (x->runtime_directory_preserve == 2)
		return;
	remove_links(h, u);
	for (const struct name_list *d = x->directories[DIR_RUNTIME].names; d; d = d->next) {
		if (describe_directory(h, u, DIR_RUNTIME, d->text, &dir) < 0)
			continue; /* it could not be made either */
		if (dir.link[0])
			unlink(dir.link);
		remove_tree(u, dir.path);
	}
}

static void remove_credentials(const struct hark *h, const struct unit *u)
{
	const struct sandbox *s = sandbox_of(u->config);
	char path[CREDENTIALS_ROOM];

	describe_credentials_place(h, u, path);
	if (s->credentials || s->set_credentials)
		remove_tree(u, path);
}

void leftovers_remove(struct hark *h, struct unit *u)
{
	uid_t uid;

	if (!u->config->exec || h->is_shutting_down)
		return;
	remove_private_tmp(h, u);
	remove_runtime(h, u);
	remove_credentials(h, u);
	if (u->config->exec->utmp_id && !h->is_user && u->type == UNIT_SERVICE)
		utmp_end(u->config->exec->utmp_id, service_of(u)->main.pid);
	if (!sandbox_of(u->config)->dynamic_user && !sandbox_of(u->config)->remove_ipc)
		return;
	uid = dynamic_user_give_back(h, u);
	if (sandbox_of(u->config)->remove_ipc)
		remove_ipc(h, u, uid ? uid : static_uid(u));
}

/* --- its cgroup --- */

/* Did the bus ask for it, which will do so again? */
static bool was_called(const struct hark *h, const struct unit *u)
{
	const struct ledger_entry *e = ledger_get(&h->state.image->ledger, u->why_entry);

	return e && e->cause == CAUSE_BUS_NAME;
}

/* Is there a socket, or a name on the bus, by which it can be woken again? */
static bool is_listened_for(const struct hark *h, const struct unit *u)
{
	if (was_called(h, u))
		return true;
	graph_for_each(e, u, DEP_TRIGGERED_BY)
	{
		const struct unit *v = registry_unit(&h->reg, e->to);

		if (v->type == UNIT_SOCKET && unit_is_active(v))
			return true;
	}
	return false;
}

/* Processes that not even SIGKILL ends, or that KillMode= leaves. */
static void tell_left(struct hark *h, const struct unit *u, const char *path)
{
	pid_t first;
	int n = cgroup_pids(&h->cgroups, path, &first, 1);

	if (n > 0)
		log_at(LOG_WARN, "%s: %d of its processes %s still there, pid %d%s", u->name, n,
		       n == 1 ? "is" : "are", (int)first, n == 1 ? "" : " among them");
	else
		log_debug("leftovers", "%s: its cgroup stays", u->name);
}

/*
 * Who came once comes again, and shall not wait for a cgroup to be made: the one of the next run is there before. A new
 * one, for what the kernel counts and what was set in it are those of one run.
 */
void leftovers_remove_cgroup(struct hark *h, struct unit *u)
{
	char path[CGROUP_PATH];

	if (!h->cgroups.has_cgroups)
		return;
	procs_cgroup(u, path);
	if (!u->is_cgroup_gone && cgroup_remove(&h->cgroups, path) < 0)
		tell_left(h, u, path);
	else if (is_listened_for(h, u))
		cgroup_prepare(&h->cgroups, path);
	if (u->type != UNIT_SOCKET)
		return;
	graph_for_each(e, u, DEP_TRIGGERS)
	{
		const struct unit *v = registry_unit(&h->reg, e->to);

		procs_cgroup(v, path);
		if (unit_is_at_rest(v) && cgroup_remove(&h->cgroups, path) < 0)
			log_debug("leftovers", "%s: an empty cgroup stays", path);
	}
}

void leftovers_retire(struct hark *h, struct unit *u)
{
	char path[CGROUP_PATH];

	if (!h->cgroups.has_cgroups || !was_called(h, u))
		return;
	procs_cgroup(u, path);
	if (cgroup_remove(&h->cgroups, path) < 0)
		log_debug("leftovers", "%s: an empty cgroup stays", path);
}
