/* SPDX-License-Identifier: MIT */
#include "core/dynamic_user.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/log.h"
#include "units/exec_config.h"
#include "units/sandbox.h"
#include "units/users.h"

#define RECORDS "/run/userdb"

enum { NUMBERS = DYNAMIC_UID_LAST - DYNAMIC_UID_FIRST + 1, NAME_ROOM = 64, PATH_ROOM = 512 };

static bool wants(const struct unit *u)
{
	return u->config && u->config->exec && u->config->exec->user &&
	       sandbox_of(u->config)->dynamic_user;
}

bool dynamic_user_is_wanted(const struct unit *u)
{
	struct arena arena = {0};
	struct user_entry user;
	bool is_static;

	if (!wants(u))
		return false;
	is_static = users_find("", u->config->exec->user, &arena, &user) == 0;
	arena_fini(&arena);
	return !is_static;
}

static void path_of(const struct hark *h, const char *name, char out[PATH_ROOM])
{
	snprintf(out, PATH_ROOM, "%s/dynamic-users/%s", h->run_dir, name);
}

/* --- who has which number --- */

/* The number that stands behind the name. 0: none. */
static uid_t find(const struct hark *h, const char *name)
{
	char path[PATH_ROOM], text[NAME_ROOM];
	uint64_t uid;
	ssize_t n;

	path_of(h, name, path);
	n = readlink(path, text, sizeof(text));
	if (n <= 0 || str_to_u64((struct str){text, (size_t)n}, &uid) < 0 ||
	    uid < DYNAMIC_UID_FIRST || uid > DYNAMIC_UID_LAST)
		return 0;
	return (uid_t)uid;
}

/* Whoever stands in /etc/passwd or /etc/group has his number whatever we say. */
static bool is_somebodys(uid_t uid)
{
	char number[16], group[NAME_ROOM];
	struct arena arena = {0};
	struct user_entry user;
	bool is_known;

	snprintf(number, sizeof(number), "%u", uid);
	is_known = users_find("", number, &arena, &user) == 0 && strcmp(user.name, number) != 0;
	arena_fini(&arena);
	return is_known || users_group_name("", uid, group, sizeof(group)) != -ESRCH;
}

/* Lock a number for a name. 0, -EEXIST: it is another's, -errno. */
static int lock(const struct hark *h, uid_t uid, const char *name)
{
	char path[PATH_ROOM], number[16], text[NAME_ROOM];
	AUTO_FD int fd = -1;

	snprintf(number, sizeof(number), "%u", uid);
	path_of(h, number, path);
	fd = fd_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd >= 0)
		return fd_write_all(fd, name, strlen(name));
	/* Of a manager that died before it made the link. */
	if (fd == -EEXIST && fd_read_small(AT_FDCWD, path, text, sizeof(text)) >= 0 &&
	    strcmp(text, name) == 0)
		return 0;
	return fd;
}

static int choose(const struct hark *h, const char *name, uid_t *ret)
{
	uint32_t first = str_hash(str_of(name)) % NUMBERS;
	int r = -EEXIST;

	for (uint32_t k = 0; k < NUMBERS && r == -EEXIST; k++) {
		*ret = DYNAMIC_UID_FIRST + (first + k) % NUMBERS;
		if (!is_somebodys(*ret))
			r = lock(h, *ret, name);
	}
	return r == -EEXIST ? -EBUSY : r;
}

/* --- what others are told --- */

static int put_record(const char *kind, const char *name, uid_t uid, const char *text)
{
	char file[NAME_ROOM + 16], link[PATH_ROOM];
	int r;

	snprintf(file, sizeof(file), "%s.%s", name, kind);
	r = fd_replace_file(RECORDS, file, str_of(text));
	snprintf(link, sizeof(link), RECORDS "/%u.%s", uid, kind);
	if (r == 0 && symlink(file, link) < 0 && errno != EEXIST)
		r = -errno;
	return r;
}

/* Nobody but for look-ups needs it: a failure is no reason not to start. */
static void tell(const char *name, uid_t uid)
{
	char text[512];
	int r = fd_mkdir_parents(RECORDS, true, 0755);

	snprintf(text, sizeof(text),
		 "{\"userName\":\"%s\",\"realName\":\"Dynamic User\",\"disposition\":\"dynamic\","
		 "\"uid\":%u,\"gid\":%u,\"homeDirectory\":\"/\",\"shell\":\"/usr/sbin/nologin\","
		 "\"locked\":true}\n",
		 name, uid, uid);
	if (r == 0)
		r = put_record("user", name, uid, text);
	snprintf(text, sizeof(text),
		 "{\"groupName\":\"%s\",\"disposition\":\"dynamic\",\"gid\":%u}\n", name, uid);
	if (r == 0)
		r = put_record("group", name, uid, text);
	if (r < 0)
		log_debug("dynamic", "no record of %s in " RECORDS ": %s", name, strerror(-r));
}

static void untell(const char *name, uid_t uid)
{
	static const char *const kinds[] = {"user", "group"};
	char path[PATH_ROOM];

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		snprintf(path, sizeof(path), RECORDS "/%u.%s", uid, kinds[k]);
		unlink(path);
		snprintf(path, sizeof(path), RECORDS "/%s.%s", name, kinds[k]);
		unlink(path);
	}
}

/* --- a unit --- */

int dynamic_user_take(const struct hark *h, const struct unit *u, uid_t *ret)
{
	const char *name = u->config->exec->user;
	char path[PATH_ROOM], number[16];
	int r;

	*ret = find(h, name);
	if (*ret)
		return 0;
	path_of(h, name, path);
	r = fd_mkdir_parents(path, false, 0755);
	if (r == 0)
		r = choose(h, name, ret);
	snprintf(number, sizeof(number), "%u", *ret);
	if (r == 0 && symlink(number, path) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0)
		tell(name, *ret);
	return r;
}

static bool is_shared(const struct hark *h, const struct unit *u)
{
	for (uint32_t id = 0; id < h->reg.n; id++) {
		const struct unit *other = h->reg.units[id];

		if (other && other != u && wants(other) && !unit_is_at_rest(other) &&
		    strcmp(other->config->exec->user, u->config->exec->user) == 0)
			return true;
	}
	return false;
}

uid_t dynamic_user_give_back(const struct hark *h, const struct unit *u)
{
	const char *name = wants(u) ? u->config->exec->user : NULL;
	uid_t uid = name ? find(h, name) : 0;
	char path[PATH_ROOM], number[16];

	if (!uid || is_shared(h, u))
		return 0;
	untell(name, uid);
	path_of(h, name, path);
	unlink(path);
	snprintf(number, sizeof(number), "%u", uid);
	path_of(h, number, path);
	unlink(path);
	return uid;
}
