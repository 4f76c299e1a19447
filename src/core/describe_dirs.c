/* SPDX-License-Identifier: MIT */
#include "core/describe_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/exec_credentials.h"
#include "units/sandbox.h"

enum { EXIT_RUNTIME_DIRECTORY = 233, EXIT_CREDENTIALS = 243 }; /* systemd.exec(5) */

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

static bool is_private_dir(const struct hark *h, const struct unit *u, enum exec_dir kind)
{
	return !h->is_user && sandbox_is_private_dir(u->config, kind);
}

int describe_directory(const struct hark *h, const struct unit *u, enum exec_dir kind,
		       const char *name, struct unit_directory *ret)
{
	bool is_private = is_private_dir(h, u, kind);
	char root[256];
	int n;

	root_of(h, kind, root, sizeof(root));
	ret->link[0] = '\0';
	if (is_private)
		(void)snprintf(ret->link, sizeof(ret->link), "%s/%s", root, name);
	n = snprintf(ret->path, sizeof(ret->path), "%s/%s%s", root, is_private ? "private/" : "",
		     name);
	return n < 0 || (size_t)n >= sizeof(ret->path) ? -ENAMETOOLONG : 0;
}

static int put_directories_of(struct making *m, enum exec_dir kind)
{
	const struct identity *who = &m->who;
	bool is_owned = kind != DIR_CONFIGURATION;
	uint64_t uid = who->user.name && is_owned ? who->user.uid : m->h->uid;
	uint64_t gid = who->has_gid && is_owned ? who->gid : getegid();
	bool is_private = is_private_dir(m->h, m->in->unit, kind);
	char root[256];
	struct sbuf all = {0};
	AUTO_MEM char *text = NULL;

	root_of(m->h, kind, root, sizeof(root));
	for (const struct name_list *l = m->exec->directories[kind].names; l; l = l->next) {
		uint64_t w[4] = {m->exec->directory_mode[kind], uid, gid, !is_owned};
		struct sbuf place = {0};

		if (all.n)
			sbuf_add_c(&all, ':');
		sbuf_addf(&all, "%s/%s%s", root, is_private ? "private/" : "", l->text);
		sbuf_add_z(&place, root);
		sbuf_add(&place, (struct str){"", 1});
		sbuf_add_z(&place, l->text);
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

		if (!m->exec->directories[kind].names)
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

void describe_links(struct making *m, const char *above)
{
	for (unsigned kind = 0; kind < EXEC_DIRS; kind++)
		for (const struct name_list *l = m->exec->directories[kind].links; l; l = l->next) {
			struct str link = str_of(l->text), name;
			struct sbuf text = {0};
			char root[256];

			(void)str_cut(&link, ':', &name);
			root_of(m->h, (enum exec_dir)kind, root, sizeof(root));
			sbuf_addf(&text, "%s%s", above, root);
			sbuf_add_c(&text, '\0');
			sbuf_add(&text, link);
			sbuf_add_c(&text, '\0');
			sbuf_add(&text, name);
			m->plan->bad |= !text.p;
			if (text.p)
				plan_put(m->plan, PLAN_DIR_LINK, NULL, 0,
					 (struct str){text.p, text.n});
			sbuf_fini(&text);
		}
}

/* --- credentials --- */

/* Who may read them: the user of the unit, also where this very command is root's. 0, or -ESRCH: nobody knows. */
static int find_reader(struct making *m, uid_t *ret)
{
	const char *name = m->exec->user;
	struct user_entry user;
	int r = 0;

	*ret = m->in->dynamic_uid ? m->in->dynamic_uid : m->h->uid;
	if (!name || m->h->is_user || m->in->dynamic_uid)
		return 0;
	r = users_find("", name, &m->arena, &user);
	if (r == 0)
		*ret = user.uid;
	else
		excuse_set(&m->excuse, EXIT_CREDENTIALS,
			   "%s: its credentials cannot be given to a user outside of /etc/passwd",
			   m->in->unit->name);
	return r;
}

/* "ID:REST" of a list. */
static void put_credentials(struct making *m, const struct name_list *list, bool is_set)
{
	for (; list; list = list->next) {
		struct str rest = str_of(list->text), id;
		struct sbuf text = {0};
		uint64_t kind;

		(void)str_cut(&rest, ':', &id);
		/* One that is nowhere in the stores is none; a path that is named has to be there. */
		kind = is_set ? CREDENTIAL_SET
		       : rest.n && rest.p[0] == '/' &&
				       !sandbox_has_credential(m->in->unit->config, id)
			       ? CREDENTIAL_LOAD
			       : CREDENTIAL_OPTIONAL;
		sbuf_add(&text, id);
		sbuf_add(&text, (struct str){"", 1});
		sbuf_add(&text, rest);
		m->plan->bad |= !text.p;
		if (text.p)
			plan_put(m->plan, PLAN_CREDENTIAL, &kind, 1, (struct str){text.p, text.n});
		sbuf_fini(&text);
	}
}

void describe_credentials_place(const struct hark *h, const struct unit *u,
				char out[CREDENTIALS_ROOM])
{
	char root[256];

	root_of(h, DIR_RUNTIME, root, sizeof(root));
	snprintf(out, CREDENTIALS_ROOM, "%s/credentials/%s", root, u->name);
}

int describe_credentials(struct making *m)
{
	const struct sandbox *s = sandbox_of(m->in->unit->config);
	char path[CREDENTIALS_ROOM];
	uid_t reader;
	uint64_t w0;
	int r;

	if (!s->credentials && !s->set_credentials)
		return 0;
	r = find_reader(m, &reader);
	if (r < 0)
		return r;
	describe_credentials_place(m->h, m->in->unit, path);
	w0 = reader;
	plan_put(m->plan, PLAN_CREDENTIALS, &w0, 1, str_of(path));
	/* What is loaded goes before what is set. */
	put_credentials(m, s->set_credentials, true);
	put_credentials(m, s->credentials, false);
	env_set(&m->env, "CREDENTIALS_DIRECTORY", path);
	return 0;
}
