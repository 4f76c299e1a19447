/* SPDX-License-Identifier: MIT */
#include "core/describe_user.h"

#include <fcntl.h>
#include <stdio.h>

#include "core/fd.h"
#include "units/sandbox.h"

enum { CONFIG_FILE_MAX = 1024 * 1024 };
enum { EXIT_GROUP = 216, EXIT_USER = 217 }; /* systemd.exec(5) */

struct finding {
	struct identity *who;
	const struct unit *unit;
	const struct exec_config *exec;
	struct arena *arena;
	struct excuse *excuse;
};

void excuse_set(struct excuse *e, uint8_t exit_code, const char *fmt, ...)
{
	struct sbuf b = {0};
	va_list ap;

	va_start(ap, fmt);
	sbuf_addv(&b, fmt, ap);
	va_end(ap);
	mem_put(e->why);
	e->why = sbuf_take(&b);
	e->exit = exit_code;
}

/* --- where a setting stands, for people --- */

static bool find_line(const char *file, const char *key, unsigned *ret_line)
{
	AUTO_MEM char *text = NULL;
	struct str rest, line;
	unsigned n = 0;
	size_t bytes;

	if (!file || fd_read_file(AT_FDCWD, file, CONFIG_FILE_MAX, &text, &bytes) < 0)
		return false;
	*ret_line = 0;
	rest = (struct str){text, bytes};
	while (str_cut(&rest, '\n', &line)) {
		n++;
		if (str_eq_z(str_trim(str_sub(line, 0, str_index(line, '='))), key))
			*ret_line = n; /* the last one counts */
	}
	return *ret_line > 0;
}

/* "file:line" of the setting as the files say now, else the fragment, else the unit. */
static void place_of(const struct finding *m, const char *key, char *out, size_t cap)
{
	const struct unit_config *c = m->unit->config;
	const char *file = c->fragment;
	unsigned line = 0, n;

	if (find_line(file, key, &n))
		line = n;
	for (const struct name_list *d = c->dropins; d; d = d->next)
		if (find_line(d->text, key, &n)) {
			file = d->text;
			line = n;
		}
	if (line)
		snprintf(out, cap, "%s:%u", file, line);
	else
		snprintf(out, cap, "%s", file ? file : m->unit->name);
}

/* --- whose process it is --- */

/* Does everybody who can exist stand in /etc/passwd? systemd's module knows nobody else while systemd does not run. */
static bool nss_is_files_only(void)
{
	AUTO_MEM char *text = NULL;
	struct str rest, line, word;
	size_t n;

	if (fd_read_file(AT_FDCWD, "/etc/nsswitch.conf", CONFIG_FILE_MAX, &text, &n) < 0)
		return true;
	rest = (struct str){text, n};
	while (str_cut(&rest, '\n', &line)) {
		line = str_trim(str_sub(line, 0, str_index(line, '#')));
		if (!str_has_prefix(line, STR("passwd:")))
			continue;
		line = str_sub(line, strlen("passwd:"), line.n);
		while (str_word(&line, &word))
			if (!str_eq_z(word, "files") && !str_eq_z(word, "compat") &&
			    !str_eq_z(word, "systemd"))
				return false;
	}
	return true;
}

static int refuse_name(struct finding *m, const char *key, const char *kind, const char *name,
		       uint8_t exit_code)
{
	const char *alike = exit_code == EXIT_USER ? users_suggest("", name, m->arena) : NULL;
	char place[512];

	place_of(m, key, place, sizeof(place));
	if (alike)
		excuse_set(m->excuse, exit_code,
			   "%s: %s \"%s\" does not exist; did you mean \"%s\"?", place, kind, name,
			   alike);
	else
		excuse_set(m->excuse, exit_code, "%s: %s \"%s\" does not exist", place, kind, name);
	return -ESRCH;
}

static int add_group(struct finding *m, const char *key, const char *name, gid_t *ret_gid)
{
	int r = users_group("", name, ret_gid);

	if (r != -ESRCH)
		return r;
	if (nss_is_files_only())
		return refuse_name(m, key, "group", name, EXIT_GROUP);
	m->who->by_nss = true;
	return 0;
}

static int find_user(struct finding *m)
{
	struct identity *who = m->who;
	uid_t uid = who->dynamic_uid;
	int r = 0;

	if (uid)
		who->user = (struct user_entry){
			.uid = uid, .gid = uid, .name = m->exec->user, .home = "/", .shell = ""};
	else
		r = users_find("", m->exec->user, m->arena, &who->user);

	if (r == -ESRCH) {
		if (nss_is_files_only())
			return refuse_name(m, "User", "user", m->exec->user, EXIT_USER);
		who->by_nss = true;
		return 0;
	}
	if (r < 0)
		return r;
	if (!who->user.name)
		who->user.name = m->exec->user;
	who->gid = who->user.gid;
	who->has_gid = true;
	return 0;
}

static int list_groups(struct finding *m)
{
	struct identity *who = m->who;
	gid_t gids[GROUPS_MOST / 2];
	gid_t gid;

	who->has_groups = m->exec->user || m->exec->supplementary_groups;
	if (m->exec->user && !who->by_nss) {
		int n = users_groups_of("", who->user.name, gids, ARRAY_SIZE(gids));

		if (n < 0 && n != -ENOENT)
			return n;
		who->groups[who->groups_n++] = who->gid;
		for (int i = 0; i < n; i++)
			who->groups[who->groups_n++] = gids[i];
	}
	for (const struct name_list *l = m->exec->supplementary_groups; l; l = l->next) {
		int r = add_group(m, "SupplementaryGroups", l->text, &gid);

		if (r < 0)
			return r;
		if (!who->by_nss && who->groups_n < GROUPS_MOST)
			who->groups[who->groups_n++] = gid;
	}
	return 0;
}

int identity_find(struct identity *who, const struct unit *u, const struct exec_config *e,
		  struct arena *arena, struct excuse *excuse)
{
	struct finding m = {.who = who, .unit = u, .exec = e, .arena = arena, .excuse = excuse};
	int r = 0;

	if (e->user)
		r = find_user(&m);
	/* DynamicUser= has a group of its user's name; one that lasts may be called otherwise. */
	if (!r && e->group &&
	    !(sandbox_of(u->config)->dynamic_user && e->user && strcmp(e->group, e->user) == 0)) {
		who->has_gid = true;
		r = add_group(&m, "Group", e->group, &who->gid);
	}
	if (!r)
		r = list_groups(&m);
	if (r < 0 && !excuse->why)
		excuse_set(excuse, EXIT_USER, "%s: /etc/passwd or /etc/group cannot be read: %s",
			   u->name, strerror(-r));
	return r;
}
