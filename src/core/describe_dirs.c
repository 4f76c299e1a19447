/* SPDX-License-Identifier: MIT */
#include "core/describe_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "units/sandbox.h"

enum { EXIT_RUNTIME_DIRECTORY = 233 }; /* systemd.exec(5) */

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
	bool is_private = !m->h->is_user && sandbox_is_private_dir(m->in->unit->config, kind);
	char root[256];
	struct sbuf all = {0};
	AUTO_MEM char *text = NULL;

	root_of(m->h, kind, root, sizeof(root));
	for (const struct name_list *l = m->exec->directories[kind]; l; l = l->next) {
		uint64_t w[4] = {m->exec->directory_mode[kind], uid, gid, !is_owned};
		struct str name = str_of(l->text);
		struct sbuf place = {0};

		if (all.n)
			sbuf_add_c(&all, ':');
		name = str_sub(name, 0, str_index(name, ':'));
		sbuf_addf(&all, "%s/%s" STR_FMT, root, is_private ? "private/" : "", STR_ARG(name));
		sbuf_add_z(&place, root);
		sbuf_add(&place, is_private ? (struct str){"", 1} : STR("/"));
		sbuf_add(&place, name);
		m->plan->bad |= !place.p;
		if (place.p)
			plan_put(m->plan, is_private ? PLAN_PRIVATE_DIR : PLAN_MKDIR, w, 4,
				 (struct str){place.p, place.n});
		sbuf_fini(&place);
	}
	text = sbuf_take(&all);
	if (!text)
		return err_here(-ENOMEM);
	env_set(&m->env, exec_dir_env[kind], text);
	return 0;
}

int describe_directories(struct making *m)
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
